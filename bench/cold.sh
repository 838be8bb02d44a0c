#!/usr/bin/env bash
# Index scans of tables that are not in memory: learned indexes, the same without reading ahead, and B-trees. Before each query the
# server is stopped, and the operating system is told to forget what it has read of files; that needs root, on Linux. (What lies between it and
# the device, a host with a cache of its own, say, is not told: look at the spread.)
#
#   bench/cold.sh
#   ROWS=2000000 ROUNDS=5 IO=64    rows of each table; runs of each query, medians are shown; effective_io_concurrency
#   ONLY=range                     lines whose name matches
#   DELAY=1000                     the tables on a disk that takes so many microseconds for a read, any number at a time, as
#                                  one behind a network (device/slow_disk.c; packages fuse3, libfuse3-dev)
#
# The rows have 200 bytes, in an order that has nothing to do with the key, or (timestamps) nearly the key's. Plans are asserted, and that all
# three ways give one answer.
set -uo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../scripts/lib.sh"

ROWS=${ROWS:-2000000}
ROUNDS=${ROUNDS:-5}
IO=${IO:-64}
DELAY=${DELAY:-0}
if [ "$(id -u)" != 0 ] || [ ! -w /proc/sys/vm/drop_caches ]; then fail "this needs root, to drop the operating system's caches"; fi
find_server
install_extension
start_server shared_buffers=256MB max_wal_size=8GB autovacuum=off jit=off max_parallel_workers_per_gather=0 "effective_io_concurrency=$IO"

# A tablespace on a disk that takes its time.
slow_disk() {
  local space=$WORKSPACE/slow/space
  pkg-config --exists fuse3 2>/dev/null || require_packages gcc pkg-config fuse3 libfuse3-dev
  # shellcheck disable=SC2046 # a list of words
  gcc -O2 -Wall -Wextra "$ROOT/bench/device/slow_disk.c" -o "$WORKSPACE/slow_disk" $(pkg-config --cflags --libs fuse3) -lpthread ||
    fail "device/slow_disk.c does not compile"
  mkdir "$WORKSPACE/behind" "$WORKSPACE/slow"
  at_exit slow_disk_away
  "$WORKSPACE/slow_disk" "$WORKSPACE/behind" "$WORKSPACE/slow" "$DELAY" &
  SLOW_DISK=$!
  until mountpoint -q "$WORKSPACE/slow"; do
    kill -0 "$SLOW_DISK" 2>/dev/null || fail "the slow disk is not mounted"
    sleep 0.1
  done
  mkdir "$space"
  chown "$SERVER_USER" "$space"
  run -c "CREATE TABLESPACE slow LOCATION '$space'"
  export PGOPTIONS="-c default_tablespace=slow"
}
slow_disk_away() {
  stop_server 2>/dev/null
  fusermount3 -u "$WORKSPACE/slow"
}

run() { psql -XqAt -v ON_ERROR_STOP=1 "$@" || fail "psql"; }
[ "$DELAY" = 0 ] || slow_disk
say "making two tables of $ROWS rows"
run >/dev/null <<END
CREATE EXTENSION learned_index;
SET maintenance_work_mem = '512MB';
CREATE TABLE anywhere AS SELECT i AS id, (hashint8extended(i, 1) & 9223372036854775807) % $ROWS AS k, repeat(md5(i::text), 5) AS pad FROM generate_series(1::bigint, $ROWS) i;
CREATE TABLE nearly AS SELECT i AS id, (i + (hashint8extended(i, 2) & 1023)) * 1000 AS k, repeat(md5(i::text), 5) AS pad FROM generate_series(1::bigint, $ROWS) i;
VACUUM ANALYZE;
END
for table in anywhere nearly; do
  for method in learned btree; do run -c "SET maintenance_work_mem = '512MB'; CREATE INDEX ${table}_$method ON $table USING $method (k)"; done
done
run -c CHECKPOINT
[ "$DELAY" = 0 ] || kill -USR1 "$SLOW_DISK" # from here on

# name, table, condition
LINES=(
  "range of 10,000 rows|anywhere|k BETWEEN $((ROWS / 4)) AND $((ROWS / 4 + 10000))"
  "list of 1,000 keys|anywhere|k = ANY (ARRAY(SELECT (hashint8extended(i, 7) & 9223372036854775807) % $ROWS FROM generate_series(1, 1000) i))"
  "timestamps, half of the rows|nearly|k BETWEEN $((ROWS * 250)) AND $((ROWS * 750))"
)

# cold TABLE METHOD READ_AHEAD CONDITION: milliseconds to $TIME, the answer to $ANSWER
cold() {
  local other=learned output
  [ "$2" = learned ] && other=btree
  stop_cleanly
  sync
  echo 3 >/proc/sys/vm/drop_caches
  as_server_user "$BINDIR/pg_ctl" -D "$WORKSPACE/data" -l "$WORKSPACE/server.log" -w -t 60 start >/dev/null || fail "the server did not start"
  output=$(run <<END
SET enable_seqscan = off; SET enable_bitmapscan = off; LOAD 'learned_index'; SET learned_index.read_ahead = $3;
BEGIN; DROP INDEX $1_$other;
EXPLAIN (COSTS OFF) SELECT sum(length(pad)) FROM $1 WHERE $4;
\\echo answer
\\timing on
SELECT sum(length(pad)) FROM $1 WHERE $4;
END
  )
  grep -q "Index Scan using $1_$2 " <<<"$output" || fail "not the plan that is measured: $output"
  output=$(sed '1,/^answer$/d' <<<"$output")
  ANSWER=$(head -n 1 <<<"$output")
  TIME=$(sed -nE 's/^Time: ([0-9.]+) ms.*/\1/p' <<<"$output")
}
stop_cleanly() { as_server_user "$BINDIR/pg_ctl" -D "$WORKSPACE/data" -m fast -w stop >/dev/null || fail "the server did not stop"; }
median() { sort -n | awk '{ at[NR] = $1 } END { print at[int((NR + 1) / 2)] }'; }

TIMES=$WORKSPACE/times
for line in "${LINES[@]}"; do
  IFS='|' read -r name table condition <<<"$line"
  [[ $name =~ ${ONLY:-.} ]] || continue
  rm -f "$TIMES".*
  answer=
  for ((round = 0; round < ROUNDS; round++)); do
    for way in "learned auto" "learned off" "btree off"; do
      read -r method ahead <<<"$way"
      cold "$table" "$method" "$ahead" "$condition"
      [ "${answer:=$ANSWER}" = "$ANSWER" ] || fail "$name: $way answers $ANSWER, not $answer"
      echo "$TIME" >>"$TIMES.$method.$ahead"
    done
  done
  ours=$(median <"$TIMES.learned.auto")
  without=$(median <"$TIMES.learned.off")
  theirs=$(median <"$TIMES.btree.off")
  awk -v name="$name" -v a="$ours" -v b="$without" -v c="$theirs" 'BEGIN {
    printf "%-30s learned %7.0f ms, without reading ahead %7.0f ms, btree %7.0f ms: %.1fx\n", name, a, b, c, c / a }'
done
