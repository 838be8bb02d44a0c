#!/usr/bin/env bash
# What a long life does to an index: rounds of updates, deletions and insertions, with a VACUUM now and then, on a table with a learned index
# and a B-tree. Sizes and the time of look-ups as built, at the end, and of an index made at the end: what REINDEX would leave.
#
#   bench/life.sh
#   ROWS=1000000 ROUNDS=60         rows of each table; rounds. ROWS=300000 ROUNDS=20 takes a minute or two
#   EVERY=5                        a VACUUM after so many rounds, the last one included; a checkpoint halfway between two
#   LOOKUPS=200000 SAMPLES=7       index-only look-ups of a sample; samples, whose median is shown
#   ONLY=random                    tables whose name matches
#
# A round updates 2 % of the rows, anywhere, so that all indexes get new entries (no HOT updates), deletes 1.5 % and inserts as many: keys that
# go on (serial) or lie anywhere (random). Both indexes are on one table. Each sample reads rows that are there, by one index, the other being
# dropped in its transaction; plans are asserted, that no row is fetched, and that all are found. WAL is that of the rounds by the kind of the
# record, and needs pg_walinspect (contrib): learned indexes write generic records, B-trees theirs.
set -uo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

ROWS=${ROWS:-1000000}
ROUNDS=${ROUNDS:-60}
EVERY=${EVERY:-5}
LOOKUPS=${LOOKUPS:-200000}
SAMPLES=${SAMPLES:-7}
ONLY=${ONLY:-.}
find_server
install_extension
start_server shared_buffers=2GB max_wal_size=16GB checkpoint_timeout=1d autovacuum=off jit=off max_parallel_workers_per_gather=0 \
  work_mem=64MB maintenance_work_mem=512MB

run() { psql -XqAt -v ON_ERROR_STOP=1 "$@" || fail "psql"; }
median() { sort -n | awk '{ at[NR] = $1 } END { print at[int((NR + 1) / 2)] }'; }
TIMES=$WORKSPACE/times
METHODS="learned btree"

# How the keys of row i are made, by the name of the table.
key_of() { if [ "$1" = serial ]; then echo "i"; else echo "hashint8extended(i, 1) & 4611686018427387903"; fi; }

# look_up TABLE INDEX: LOOKUPS rows of the table "probes", milliseconds of the processor to the file TIMES.INDEX (on a busy machine they say more
# than those of the clock)
look_up() {
  local output
  output=$(run 2>&1 <<END
SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
SET enable_memoize = off; SET enable_material = off;
BEGIN;
SELECT format('DROP INDEX %s', indexrelid::regclass) FROM pg_index WHERE indrelid = '$1'::regclass AND indexrelid <> '$1_$2'::regclass \\gexec
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) SELECT count(*) FROM probes p JOIN $1 t ON t.k = p.k;
\\echo answer
SET log_statement_stats = on; SET client_min_messages = log;
SELECT count(*) FROM probes p JOIN $1 t ON t.k = p.k;
END
  )
  grep -q "Index Only Scan using $1_$2 " <<<"$output" || fail "not the plan that is measured: $output"
  grep -q 'Heap Fetches: 0$' <<<"$output" || fail "rows were fetched: $output"
  output=$(sed '1,/^answer$/d' <<<"$output")
  [ "$(grep -xE '[0-9]+' <<<"$output")" = "$PROBES" ] || fail "$1_$2 finds other rows than $PROBES: $output"
  sed -nE 's/^!\t([0-9.]+) s user, ([0-9.]+) s system, .*/\1 \2/p' <<<"$output" |
    awk 'END { printf "%.3f\n", 1000 * ($1 + $2) }' >>"$TIMES.$2"
}

# state TABLE INDEX...: sizes and look-ups of these, by turns, to SIZE[INDEX] and TIME[INDEX]
declare -A SIZE TIME BUILT
state() {
  local table=$1 index sample
  shift
  rm -f "$TIMES".*
  for ((sample = 0; sample < SAMPLES; sample++)); do
    for index in "$@"; do look_up "$table" "$index"; done
  done
  for index in "$@"; do
    SIZE[$index]=$(run -c "SELECT pg_relation_size('${table}_$index')")
    TIME[$index]=$(median <"$TIMES.$index")
    [[ $index = learned* ]] || continue
    run -F ', ' -c "SELECT '$table $index: leaves ' || leaf_pages, 'segments ' || segments, 'in deltas ' || delta_entries, 'dead ' || dead_entries,
      'bits of a key ' || round(bits_per_key::numeric, 1), 'of a TID ' || round(bits_per_tid::numeric, 1)
      FROM learned_index_stats('${table}_$index')"
  done
}
# A sample of the rows that are there, in random order.
choose_probes() {
  run >/dev/null <<END
SET client_min_messages = warning;
DROP TABLE IF EXISTS probes;
CREATE TABLE probes AS SELECT k FROM (SELECT k FROM $1 ORDER BY hashint8extended(k, $2) LIMIT $LOOKUPS) s ORDER BY hashint8extended(k, 99);
VACUUM ANALYZE probes;
END
  PROBES=$(run -c "SELECT count(*) FROM probes")
}

# live TABLE: the rounds
live() {
  local key next=$((ROWS + 1)) few=$((ROWS * 15 / 1000)) round from
  key=$(key_of "$1")
  rm -f "$WORKSPACE/wal"
  from=$(run -c "SELECT pg_current_wal_insert_lsn()")
  for ((round = 1; round <= ROUNDS; round++)); do
    run <<END
UPDATE $1 SET v = v + 1 WHERE hashint8extended(k, $round) & 1023 < 20;
DELETE FROM $1 WHERE hashint8extended(k, $round + 1000000) & 1023 < 15;
INSERT INTO $1 SELECT $key, 0 FROM generate_series($next::bigint, $next + $few - 1) i;
END
    next=$((next + few))
    if ((round % EVERY == 0 || round == ROUNDS)); then
      run -c "VACUUM $1"
    fi
    # Read before a checkpoint removes it.
    run -F ' ' -c "SELECT \"resource_manager/record_type\", record_size, fpi_size FROM pg_get_wal_stats('$from', pg_current_wal_flush_lsn())
      WHERE count > 0" >>"$WORKSPACE/wal"
    from=$(run -c "SELECT pg_current_wal_flush_lsn()")
    if ((round % EVERY == EVERY / 2)); then run -c CHECKPOINT; fi
  done
}
wal_of() { awk -v kind="$1" '$1 == kind { records += $2; images += $3 } END { printf "%.0f + %.0f MB", records / 1048576, images / 1048576 }' "$WORKSPACE/wal"; }

run -c 'CREATE EXTENSION learned_index; CREATE EXTENSION pg_walinspect'
uptime
for table in serial random; do
  [[ $table =~ $ONLY ]] || continue
  say "$table: $ROWS rows, $ROUNDS rounds"
  # The third index has no entries, and keeps updates of v from being HOT.
  run >/dev/null <<END
CREATE TABLE $table AS SELECT $(key_of "$table") AS k, 0 AS v FROM generate_series(1::bigint, $ROWS) i;
VACUUM ANALYZE $table;
CREATE INDEX ON $table USING btree (k) WHERE v IS NULL;
CREATE INDEX ${table}_learned ON $table USING learned (k);
CREATE INDEX ${table}_btree ON $table USING btree (k);
CHECKPOINT;
END
  choose_probes "$table" 7
  state "$table" learned btree
  for method in $METHODS; do BUILT[$method]="${SIZE[$method]} ${TIME[$method]}"; done
  live "$table"
  run -c "SELECT learned_index_check('${table}_learned', heapallindexed => true)" >/dev/null
  run -c "VACUUM ANALYZE $table"
  choose_probes "$table" 8
  # What REINDEX would make of them, beside them: so all are measured by turns, on the same table.
  for method in $METHODS; do run -c "CREATE INDEX ${table}_${method}_anew ON $table USING $method (k)"; done
  state "$table" learned learned_anew btree_anew btree
  for method in $METHODS; do
    kind=Btree
    [ "$method" = btree ] || kind=Generic
    echo "${BUILT[$method]} ${SIZE[$method]} ${TIME[$method]} ${SIZE[${method}_anew]} ${TIME[${method}_anew]}" |
      awk -v name="$table $method" -v wal="$(wal_of $kind)" '{
      printf "%-15s MB: built %.2f, end %.2f, REINDEX %.2f; end / built %.2f, end / REINDEX %.2f\n", name, $1 / 1048576, $3 / 1048576, $5 / 1048576, $3 / $1, $3 / $5
      printf "%-15s ms of look-ups: built %.0f, end %.0f, REINDEX %.0f; end / built %.2f, end / REINDEX %.2f\n", "", $2, $4, $6, $4 / $2, $4 / $6
      printf "%-15s WAL, records + page images: %s\n", "", wal }'
  done
  run -c "DROP TABLE $table"
done
uptime
