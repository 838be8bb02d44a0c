#!/usr/bin/env bash
# An hour of mixed work with autovacuum, of learned indexes and of B-trees: sizes, and the time of look-ups, every minute, in one plot.
#
#   bench/hour.sh
#   MINUTES=60 RATE=200            minutes; transactions a second, a quarter of each kind (a fifth of a processor)
#   ROWS=500000                    rows of the larger tables
#   OUTPUT=DIR                     where to write (bench/results/<date>-<commit>-hour): hour.tsv, hour.md, hour.svg
#
# Each kind of table is there twice, with an index of either method; a transaction does the same to both, on the same rows:
#   serial    ten rows at the end, the ten oldest deleted
#   random    ten rows anywhere, the ten oldest deleted, ten others updated, so that all indexes get new entries
#   hot       ten thousand rows; one is updated, a few of them most of the time
#   queue     ten rows at the end, ten taken from the front
#   refilled  emptied every three minutes by DELETE or TRUNCATE, and filled again
#
# Look-ups: 5,000 rows that are there, each with its row of the table; of the queue its first ten rows, 500 times. Time is the processor's, the least of
# three, by turns. In the end each index is checked against its table, and both tables of a kind must have the same rows.
set -uo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

MINUTES=${MINUTES:-60}
RATE=${RATE:-200}
ROWS=${ROWS:-500000}
OUTPUT=${OUTPUT:-$ROOT/bench/results/$(date +%F)-$(git -C "$ROOT" rev-parse --short=10 HEAD 2>/dev/null || echo nocommit)-hour}
PROBES=5000
KINDS="serial random hot queue refilled"
find_server
install_extension
start_server shared_buffers=1GB max_wal_size=4GB jit=off synchronous_commit=off max_parallel_workers_per_gather=0 autovacuum=on \
  autovacuum_naptime=30s
mkdir -p "$OUTPUT"

run() { psql -XqAt -v ON_ERROR_STOP=1 "$@" || fail "psql"; }

# ---- the tables, and what is done to them ----------------------------------------------------------

hash_of() { echo "hashint8extended($1, 1) & 4611686018427387903"; }

create() {
  local method=$1
  run >/dev/null <<END
CREATE TABLE serial_$method AS SELECT i AS k, 0 AS v FROM generate_series(0, $ROWS - 1::bigint) i;
CREATE TABLE random_$method AS SELECT $(hash_of i) AS k, 0 AS v FROM generate_series(0, $ROWS - 1::bigint) i;
CREATE TABLE hot_$method AS SELECT i AS k, 0 AS v FROM generate_series(1, 10000::bigint) i;
CREATE TABLE queue_$method AS SELECT i AS k, 0 AS v FROM generate_series(-1000, -1::bigint) i;
CREATE TABLE refilled_$method AS SELECT $(hash_of i) AS k, 0 AS v FROM generate_series(1, $ROWS / 5::bigint) i;
END
  for kind in $KINDS; do
    # The other index has no entries, and keeps updates of v from being HOT.
    run -c "CREATE INDEX ON ${kind}_$method USING btree (k) WHERE v IS NULL" -c "CREATE INDEX ${kind}_${method}_k ON ${kind}_$method USING $method (k)" \
      -c "VACUUM ANALYZE ${kind}_$method"
  done
}

# Blocks of ten keys have numbers; the table has the last ROWS / 10 of them.
scripts() {
  local blocks=$((ROWS / 10)) method
  for kind in serial random hot queue; do : >"$WORKSPACE/$kind.sql"; done
  cat >>"$WORKSPACE/serial.sql" <<END
SELECT nextval('serial_blocks') AS n \\gset
END
  cat >>"$WORKSPACE/random.sql" <<END
SELECT nextval('random_blocks') AS n \\gset
\\set m random(:n - $blocks + 100, :n - 100)
END
  echo "\\set k random_zipfian(1, 10000, 1.2)" >>"$WORKSPACE/hot.sql"
  echo "SELECT nextval('queue_blocks') AS n \\gset" >>"$WORKSPACE/queue.sql"
  for method in learned btree; do
    cat >>"$WORKSPACE/serial.sql" <<END
INSERT INTO serial_$method SELECT i, 0 FROM generate_series(:n * 10, :n * 10 + 9::bigint) i;
DELETE FROM serial_$method WHERE k BETWEEN (:n - $blocks) * 10 AND (:n - $blocks) * 10 + 9;
END
    cat >>"$WORKSPACE/random.sql" <<END
INSERT INTO random_$method SELECT $(hash_of i), 0 FROM generate_series(:n * 10, :n * 10 + 9::bigint) i;
DELETE FROM random_$method WHERE k = ANY (ARRAY(SELECT $(hash_of i) FROM generate_series((:n - $blocks) * 10, (:n - $blocks) * 10 + 9::bigint) i));
UPDATE random_$method SET v = v + 1 WHERE k = ANY (ARRAY(SELECT $(hash_of i) FROM generate_series(:m * 10, :m * 10 + 9::bigint) i));
END
    echo "UPDATE hot_$method SET v = v + 1 WHERE k = :k;" >>"$WORKSPACE/hot.sql"
    # (Both queues lose the same rows in the end: each transaction takes as many as it brings.)
    cat >>"$WORKSPACE/queue.sql" <<END
INSERT INTO queue_$method SELECT i, 0 FROM generate_series(:n * 10, :n * 10 + 9::bigint) i;
DELETE FROM queue_$method WHERE k = ANY (ARRAY(SELECT k FROM queue_$method ORDER BY k LIMIT 10 FOR UPDATE SKIP LOCKED));
END
  done
}

refill() {
  local minute=$1 method
  for method in learned btree; do
    if ((minute % 2 == 0)); then
      run -c "DELETE FROM refilled_$method"
    else
      run -c "TRUNCATE refilled_$method"
    fi
    run -c "INSERT INTO refilled_$method SELECT $(hash_of "i + $minute"), 0 FROM generate_series(1, $ROWS / 5::bigint) i"
  done
}

# ---- measuring -------------------------------------------------------------------------------------

NESTED="SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off; SET enable_hashjoin = off;
  SET enable_mergejoin = off; SET enable_memoize = off; SET enable_material = off;"

# look_up KIND METHOD: milliseconds of the processor
look_up() {
  local query output right
  if [ "$1" = queue ]; then
    query="SELECT count(*) FROM generate_series(1, 500) g, LATERAL (SELECT k FROM queue_$2 WHERE g > 0 ORDER BY k LIMIT 10) x"
    right=5000
  else
    query="SELECT count(DISTINCT p.k) FROM probes_$1 p JOIN $1_$2 t ON t.k = p.k"
  fi
  output=$(run 2>&1 <<END
$NESTED
EXPLAIN (COSTS OFF) $query;
\\echo answer
SET log_statement_stats = on; SET client_min_messages = log;
$query;
END
  )
  grep -q "Index Scan using $1_$2_k " <<<"$output" || fail "not the plan that is measured: $output"
  output=$(sed '1,/^answer$/d' <<<"$output")
  # Rows come and go meanwhile; but for a few, those looked for are there.
  [ "$(grep -xE '[0-9]+' <<<"$output")" -ge "${right:-$((PROBES * 9 / 10))}" ] || fail "$1_$2 finds too little: $output"
  sed -nE 's/^!\t([0-9.]+) s user, ([0-9.]+) s system, .*/\1 \2/p' <<<"$output" | awk 'END { printf "%.3f\n", 1000 * ($1 + $2) }'
}

# sample MINUTE: to hour.tsv
sample() {
  local kind method
  for kind in $KINDS; do
    if [ "$kind" != queue ]; then
      run >/dev/null <<END
SET client_min_messages = warning;
DROP TABLE IF EXISTS probes_$kind;
CREATE TABLE probes_$kind AS SELECT k FROM (SELECT DISTINCT k FROM ${kind}_btree) s ORDER BY random() LIMIT $PROBES;
ANALYZE probes_$kind;
END
    fi
    rm -f "$WORKSPACE"/times.*
    for _ in 1 2 3; do
      for method in learned btree; do look_up "$kind" "$method" >>"$WORKSPACE/times.$method"; done
    done
    for method in learned btree; do
      printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$kind" "$method" "$(run -c "SELECT pg_relation_size('${kind}_${method}_k')")" \
        "$(sort -n "$WORKSPACE/times.$method" | head -n 1)" >>"$OUTPUT/hour.tsv"
    done
  done
}

# Mebibytes and milliseconds as built, the mean of the last tenth of the minutes, the most; each by what it was as built (times: the first tenth).
summary() {
  awk -F '\t' -v minutes="$MINUTES" '
    { few = int(minutes / 10); few = few < 1 ? 1 : few; key = $2 " " $3
      if (!(key in first)) { order[++n] = key; first[key] = $4 }
      if ($1 <= few) { early[key] += $5; earlies[key]++ }
      if ($1 > minutes - few) { late[key] += $5; lates[key]++; end[key] += $4 }
      if ($4 > most[key]) most[key] = $4 }
    END {
      print "| table | index | MB: built | end | most | end / built | ms of look-ups: start | end | end / start |\n|---|---|---|---|---|---|---|---|---|"
      for (i = 1; i <= n; i++) { key = order[i]; split(key, name, " "); size = end[key] / lates[key]
        printf "| %s | %s | %.2f | %.2f | %.2f | %.2f | %.1f | %.1f | %.2f |\n", name[1], name[2], first[key] / 1048576, size / 1048576, most[key] / 1048576,
          size / first[key], early[key] / earlies[key], late[key] / lates[key], (late[key] / lates[key]) / (early[key] / earlies[key]) } }' "$OUTPUT/hour.tsv"
}

run -c 'CREATE EXTENSION learned_index'
for method in learned btree; do create "$method"; done
run -c "CREATE SEQUENCE serial_blocks MINVALUE 0 START $((ROWS / 10))" -c "CREATE SEQUENCE random_blocks MINVALUE 0 START $((ROWS / 10))" \
  -c "CREATE SEQUENCE queue_blocks MINVALUE 0"
scripts
: >"$OUTPUT/hour.tsv"
say "minute 0"
sample 0
pgbench -n -c 4 -T $((MINUTES * 60)) -R "$RATE" --max-tries=5 -f "$WORKSPACE/serial.sql" -f "$WORKSPACE/random.sql" -f "$WORKSPACE/hot.sql" \
  -f "$WORKSPACE/queue.sql" >"$WORKSPACE/pgbench.log" 2>&1 &
WORK=$!
stop_work() { kill "$WORK" 2>/dev/null; }
at_exit stop_work
SECONDS=0
for ((minute = 1; minute <= MINUTES; minute++)); do
  while ((SECONDS < minute * 60)); do sleep 1; done
  kill -0 "$WORK" 2>/dev/null || ((minute == MINUTES)) || { cat "$WORKSPACE/pgbench.log"; fail "pgbench ended early"; }
  if ((minute % 3 == 0)); then refill "$minute"; fi
  say "minute $minute"
  sample "$minute"
done
wait "$WORK" || { cat "$WORKSPACE/pgbench.log"; fail "pgbench"; }
grep -E 'processed|failed|retried' "$WORKSPACE/pgbench.log"
for kind in $KINDS; do
  run -c "SELECT learned_index_check('${kind}_learned_k', heapallindexed => true)" >/dev/null
  [ "$kind" = queue ] || [ "$(run -c "SELECT count(*) FROM (SELECT k, v FROM ${kind}_learned EXCEPT ALL SELECT k, v FROM ${kind}_btree) d")" = 0 ] ||
    fail "$kind: the tables differ"
  [ "$(run -c "SELECT count(*) FROM ${kind}_learned")" = "$(run -c "SELECT count(*) FROM ${kind}_btree")" ] || fail "$kind: the tables differ"
done
summary | tee "$OUTPUT/hour.md"
plotter=
for candidate in python3 /usr/bin/python3; do # Debian's package belongs to Debian's Python
  if [ -z "$plotter" ] && "$candidate" -c 'import matplotlib' 2>/dev/null; then plotter=$candidate; fi
done
if [ -n "$plotter" ]; then "$plotter" -B "$ROOT/bench/harness/hour_plot.py" "$OUTPUT"; else say "no plot: python3-matplotlib is not installed"; fi
say "results in $OUTPUT"
