#!/usr/bin/env bash
# pglogical: the worker that applies changes tells its statistics when it ends. As long as it runs, the index by which it finds every
# row counts as never used, and whoever drops unused indexes by pg_stat_user_indexes drops this one. (A plain btree.)
. "$(dirname "$0")/common.sh"
in_debian postgresql-18-pglogical=2.4.8-2
server shared_preload_libraries=pglogical wal_level=logical output_plugin_libraries=pglogical_output max_worker_processes=16
given "CREATE DATABASE subscriber"
define="CREATE EXTENSION pglogical; CREATE TABLE t (id bigint PRIMARY KEY, v int);"
given "$define INSERT INTO t SELECT i, 0 FROM generate_series(1, 1000) i;
SELECT pglogical.create_node('p', 'host=$PGHOST port=$PGPORT dbname=postgres user=postgres');
SELECT pglogical.replication_set_add_table('default', 't')"
DATABASE=subscriber given "$define SELECT pglogical.create_node('s', 'host=$PGHOST port=$PGPORT dbname=subscriber user=postgres')"
DATABASE=subscriber given "SELECT pglogical.create_subscription('s', 'host=$PGHOST port=$PGPORT dbname=postgres user=postgres')"
wait_for() { # SQL
  local deadline=$((SECONDS + 120))
  until [ "$(DATABASE=subscriber sql "$1")" = t ]; do
    [ "$SECONDS" -lt "$deadline" ] || cannot "nothing came over: $1"
    sleep 0.2
  done
}
wait_for "SELECT count(*) = 1000 FROM t"
given "UPDATE t SET v = 1"
wait_for "SELECT count(*) = 1000 FROM t WHERE v = 1"
sleep 15 # a session of the server's own tells them every second, or ten when it is idle
scans() { DATABASE=subscriber sql "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 't_pkey'"; }
seen "scans of the subscriber's primary key, 15 s after 1,000 updates" "$(scans)" 0
DATABASE=subscriber given "SELECT pglogical.alter_subscription_disable('s', true)"
wait_for "SELECT idx_scan > 0 FROM pg_stat_user_indexes WHERE indexrelname = 't_pkey'"
seen "at least 1,000 after the worker ended" "$([ "$(scans)" -ge 1000 ] && echo yes)" yes
