#!/usr/bin/env bash
# Many sessions that write at a time: transactions a second of learned indexes and of B-trees, by number of clients.
#
#   bench/sessions.sh
#   CLIENTS="1 4 16 64" SECONDS_EACH=10 ROUNDS=3    clients; seconds of a run; runs of each, medians are shown
#   ONLY=blocks                                     lines whose name matches
#   WAITS=yes                                       of the last run of each, what sessions waited for: samples of pg_stat_activity
#
#   blocks    ten rows an INSERT, ids from a sequence that hands them out fifty to a session at a time (CACHE 50; what mappers and makers of
#             time-ordered ids do comes to the same): keys of several sessions lie among each other near the end
#   end       one row, ids from a sequence, one by one
#   random    ten rows of random keys, into five million
#   tpcb      pgbench's own transaction, primary keys replaced by plain indexes of either kind
#
# synchronous_commit = off, prepared statements. Each run of one kind is followed by one of the other. Every table is checked afterwards: the index has
# the rows that a sequential scan finds.
set -uo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

CLIENTS=${CLIENTS:-1 4 16 64}
SECONDS_EACH=${SECONDS_EACH:-10}
ROUNDS=${ROUNDS:-3}
ROWS=${ROWS:-5000000}
find_server
install_extension
start_server shared_buffers=1GB max_wal_size=16GB checkpoint_timeout=1h autovacuum=off jit=off synchronous_commit=off max_connections=200

run() { psql -XqAt -v ON_ERROR_STOP=1 "$@" || fail "psql"; }
median() { sort -n | awk '{ at[NR] = $1 } END { print at[int((NR + 1) / 2)] }'; }

# create_LINE METHOD: its tables, new; check_LINE METHOD: whether all rows are in the index
create_blocks() {
  run -c "DROP TABLE IF EXISTS blocks_$1; DROP SEQUENCE IF EXISTS blocks_$1_ids" -c "CREATE SEQUENCE blocks_$1_ids CACHE 50" \
    -c "CREATE TABLE blocks_$1 (k int8 NOT NULL, v int8)" -c "CREATE INDEX ON blocks_$1 USING $1 (k)" 2>/dev/null
}
script_blocks() { echo "INSERT INTO blocks_$1 SELECT nextval('blocks_$1_ids'), i FROM generate_series(1, 10) i;"; }
create_end() {
  run -c "DROP TABLE IF EXISTS end_$1" -c "CREATE TABLE end_$1 (k bigserial, v int8)" -c "CREATE INDEX ON end_$1 USING $1 (k)" 2>/dev/null
}
script_end() { echo "INSERT INTO end_$1 (v) VALUES (1);"; }
create_random() {
  run -c "DROP TABLE IF EXISTS random_$1" -c "CREATE TABLE random_$1 AS SELECT hashint8extended(i, 1) AS k, i AS v FROM generate_series(1::int8, $ROWS) i" \
    -c "CREATE INDEX ON random_$1 USING $1 (k)" 2>/dev/null
}
script_random() {
  echo "\\set seed random(1, 9000000000000000000)"
  echo "INSERT INTO random_$1 SELECT hashint8extended(i, :seed), i FROM generate_series(1, 10) i;"
}
create_tpcb() {
  [ -n "$(run -c "SELECT 1 FROM pg_class WHERE relname = 'pgbench_accounts'")" ] || pgbench -q -i -s 20 postgres >/dev/null 2>&1 || fail "pgbench -i"
  local table key other=learned
  [ "$1" = learned ] && other=btree
  for table in accounts tellers branches; do
    key=${table:0:1}id
    run -c "ALTER TABLE pgbench_$table DROP CONSTRAINT IF EXISTS pgbench_${table}_pkey" -c "DROP INDEX IF EXISTS pgbench_${table}_$other" \
      -c "CREATE INDEX IF NOT EXISTS pgbench_${table}_$1 ON pgbench_$table USING $1 ($key)" 2>/dev/null
  done
  run -c "VACUUM ANALYZE pgbench_accounts, pgbench_tellers, pgbench_branches" -c "TRUNCATE pgbench_history" -c CHECKPOINT
}
script_tpcb() { :; }
check() {
  [ "$1" != tpcb ] || return 0
  local counts
  counts=$(run -c "SET enable_seqscan = off; SET enable_bitmapscan = off; SET max_parallel_workers_per_gather = 0; SELECT count(*), sum(k) FROM $1_$2 WHERE k IS NOT NULL OR k > 0;
    SET enable_seqscan = on; SET enable_indexscan = off; SET enable_indexonlyscan = off; SELECT count(*), sum(k) FROM $1_$2" | sort -u | wc -l)
  [ "$counts" = 1 ] || fail "$1_$2: index and table differ"
}

# measure LINE METHOD CLIENTS WAITS: transactions a second
measure() {
  local output script="$WORKSPACE/$1_$2.sql" file=(-b tpcb-like)
  "create_$1" "$2"
  "script_$1" "$2" >"$script"
  [ "$1" = tpcb ] || file=(-f "$script")
  run -c CHECKPOINT
  if [ -n "$4" ]; then
    (
      sleep 2
      for ((i = 0; i < 40; i++)); do
        run -c "SELECT coalesce(wait_event_type || ':' || wait_event, 'running') FROM pg_stat_activity WHERE application_name = 'pgbench' AND state = 'active'"
        sleep 0.1
      done | sort | uniq -c | sort -rn | head -6 | sed "s/^/      $2 /" >"$4"
    ) &
  fi
  output=$(pgbench -n -M prepared -c "$3" -j 2 -T "$SECONDS_EACH" "${file[@]}" postgres 2>&1) || fail "$output"
  wait
  check "$1" "$2"
  sed -nE 's/^tps = ([0-9.]+).*/\1/p' <<<"$output"
}

run -c "CREATE EXTENSION learned_index"
for line in blocks end random tpcb; do
  [[ $line =~ ${ONLY:-.} ]] || continue
  for clients in $CLIENTS; do
    rm -f "$WORKSPACE"/tps.*
    for ((round = 1; round <= ROUNDS; round++)); do
      for method in learned btree; do
        waits=
        [ -z "${WAITS:-}" ] || [ "$round" != "$ROUNDS" ] || waits=$WORKSPACE/waits.$method
        measure "$line" "$method" "$clients" "$waits" >>"$WORKSPACE/tps.$method" || exit 1
      done
    done
    awk -v line="$line" -v clients="$clients" -v a="$(median <"$WORKSPACE/tps.learned")" -v b="$(median <"$WORKSPACE/tps.btree")" 'BEGIN {
      printf "%-8s %3d clients: learned %7.0f, btree %7.0f transactions a second: %.2fx\n", line, clients, a, b, a / b }'
    cat "$WORKSPACE"/waits.* 2>/dev/null
  done
done
