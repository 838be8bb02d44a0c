#!/usr/bin/env bash
# PostgreSQL 18, plain btree: a REPEATABLE READ transaction on a standby that has not used an index yet loses rows, in scans of
# that index only, when it is rebuilt on the primary meanwhile. The primary knows the snapshots of its own sessions
# only, and the new index takes in no row that all of those see as gone; hot_standby_feedback is off, as by default. No error, no conflict.
. "$(dirname "$0")/common.sh"
in_debian
server wal_level=replica max_wal_senders=4 autovacuum=off
given "CREATE TABLE t (id int, v int) WITH (fillfactor = 50);
INSERT INTO t SELECT i, 0 FROM generate_series(1, 1000) i;
CREATE INDEX t_v ON t (v)"
replica=$WORKSPACE/replica
as_server_user "$BINDIR/pg_basebackup" -D "$replica" -R -c fast >/dev/null || cannot "no standby"
stop_replica() { as_server_user "$BINDIR/pg_ctl" -D "$replica" -m immediate stop >/dev/null 2>&1; }
at_exit stop_replica
as_server_user "$BINDIR/pg_ctl" -D "$replica" -o "-p 54322 -c max_standby_streaming_delay=-1" -l "$WORKSPACE/replica.log" -w start >/dev/null ||
  cannot "the standby did not start"
replayed() {
  local lsn
  lsn=$(sql "SELECT pg_current_wal_lsn()")
  until [ "$(PGPORT=54322 sql "SELECT pg_last_wal_replay_lsn() >= '$lsn'")" = t ]; do sleep 0.1; done
}
replayed
mkfifo "$WORKSPACE/in"; : >"$WORKSPACE/out"
PGPORT=54322 psql -XqAt <"$WORKSPACE/in" >>"$WORKSPACE/out" 2>&1 &
exec 3>"$WORKSPACE/in"
answer() { # SQL
  echo "$1" >&3
  printf '%s\n' '\echo .' >&3
  until [ "$(tail -n 1 "$WORKSPACE/out")" = . ]; do sleep 0.1; done
  sed '$d' "$WORKSPACE/out"
  : >"$WORKSPACE/out"
}
answer "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1;" >/dev/null
given "UPDATE t SET v = 1"
given "REINDEX INDEX t_v"
replayed
seen "rows with v = 0 in the standby's snapshot, by sequential scan" \
  "$(answer "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off; SELECT count(*) FROM t WHERE v = 0;")" 1000
seen "and by index scan, in the same transaction" \
  "$(answer "SET enable_seqscan = off; SET enable_indexscan = on; SELECT count(*) FROM t WHERE v = 0;")" 0
exec 3>&-
