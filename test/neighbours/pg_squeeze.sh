#!/usr/bin/env bash
# pg_squeeze: the identity of the rows is a learned unique index. Writes that come while a table is squeezed are applied by
# that index, with one scan whose key is filled in anew for each row.
. "$(dirname "$0")/lib.sh"
neighbour postgresql-18-squeeze
server shared_preload_libraries=pg_squeeze wal_level=logical output_plugin_libraries=pg_squeeze max_replication_slots=4

given "CREATE EXTENSION pg_squeeze;
CREATE TABLE t (id bigint NOT NULL, at timestamptz, device int, note text);
INSERT INTO t SELECT i, timestamptz '2026-01-01' + i * interval '7 s', i % 100, repeat('x', 500) FROM generate_series(0, 100000) i;
CREATE UNIQUE INDEX t_id ON t USING learned (id);
CREATE INDEX t_at ON t USING learned (at DESC NULLS LAST) WITH (fillfactor = 80);
CREATE INDEX t_device ON t USING learned (device) WHERE id > 1000;
ALTER TABLE t REPLICA IDENTITY USING INDEX t_id;
DELETE FROM t WHERE id % 3 = 0 AND id > 50000"
before=$(definitions public.t)
old=$(sql "SELECT pg_relation_filenode('t')")

start_writer t
output=$(sql "SELECT squeeze.squeeze_table('public', 't')" 2>&1)
result $? "squeeze_table" "$output"
stop_writer t
[ "$old" != "$(sql "SELECT pg_relation_filenode('t')")" ]
result $? "the table is a new file"
is "the definitions are what they were" "$(definitions public.t)" "$before"
holds "the identity is kept" "SELECT relreplident = 'i' FROM pg_class WHERE oid = 't'::regclass"
agrees "rows by id" t id
agrees "rows by at" t "at DESC NULLS LAST"
agrees "rows by device" t device "id > 1000"
holds "the first row is there" "SELECT count(*) = 1 FROM t WHERE id = 0"

given "CREATE TABLE e (id bigint PRIMARY KEY, k int, EXCLUDE USING learned (k WITH =)); INSERT INTO e SELECT i, i FROM generate_series(1, 100) i"
refused "a table with any exclusion constraint, of btree or gist as well, is refused" \
  "exclusion constraint record missing" "SELECT squeeze.squeeze_table('public', 'e')"
agrees "rows by k" e k
finish
