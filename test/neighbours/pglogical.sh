#!/usr/bin/env bash
# pglogical: provider and subscriber find rows by learned unique indexes as replica identity.
. "$(dirname "$0")/lib.sh"
neighbour postgresql-18-pglogical
server shared_preload_libraries=pglogical wal_level=logical output_plugin_libraries=pglogical_output max_worker_processes=16 max_replication_slots=8 \
  max_wal_senders=8 track_commit_timestamp=on

given "CREATE DATABASE subscriber"
define="CREATE EXTENSION IF NOT EXISTS learned_index; CREATE EXTENSION pglogical;
CREATE TABLE t (id bigint NOT NULL, at timestamptz, device int);
CREATE UNIQUE INDEX t_id ON t USING learned (id);
CREATE INDEX t_at ON t USING learned (at);
ALTER TABLE t REPLICA IDENTITY USING INDEX t_id"
given "$define; INSERT INTO t SELECT i, timestamptz '2026-01-01' + i * interval '7 s', i % 100 FROM generate_series(0, 5000) i;
SELECT pglogical.create_node('provider', 'host=$PGHOST port=$PGPORT dbname=postgres user=postgres');
SELECT pglogical.replication_set_add_table('default', 't')"
result $? "a table without a primary key is published"
DATABASE=subscriber given "$define;
SELECT pglogical.create_node('subscriber', 'host=$PGHOST port=$PGPORT dbname=subscriber user=postgres')"
DATABASE=subscriber given "SELECT pglogical.create_subscription('s', 'host=$PGHOST port=$PGPORT dbname=postgres user=postgres')"
DATABASE=subscriber wait_until "the first copy arrives" "SELECT count(*) = 5001 FROM t"
given "UPDATE t SET device = -device WHERE id % 3 = 0;
DELETE FROM t WHERE id % 5 = 1;
UPDATE t SET id = id + 100000 WHERE id % 7 = 2;
INSERT INTO t SELECT i, now(), 7 FROM generate_series(200000, 200500) i;
INSERT INTO t VALUES (-1, now(), 0)"
DATABASE=subscriber wait_until "the changes arrive" "SELECT count(*) = 1 FROM t WHERE id = -1"
is "both have the same rows" "$(DATABASE=subscriber sql "SELECT * FROM t ORDER BY id")" "$(sql "SELECT * FROM t ORDER BY id")"
DATABASE=subscriber agrees "the subscriber's rows by id" t id
DATABASE=subscriber agrees "the subscriber's rows by at" t at
DATABASE=subscriber given "SELECT pglogical.alter_subscription_disable('s', true)" # its worker tells its statistics when it ends
DATABASE=subscriber wait_until "the subscriber finds rows by the index" "SELECT idx_scan > 2000 FROM pg_stat_user_indexes WHERE indexrelname = 't_id'"
finish
