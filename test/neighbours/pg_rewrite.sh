#!/usr/bin/env bash
# pg_rewrite: a table becomes a partitioned one; the identity of the rows is a learned unique index, by which the writes that
# come meanwhile are applied (with one scan whose key is filled in anew for each row).
. "$(dirname "$0")/lib.sh"
neighbour postgresql-18-pg-rewrite
server shared_preload_libraries=pg_rewrite wal_level=logical output_plugin_libraries=pg_rewrite max_replication_slots=4

given "CREATE EXTENSION pg_rewrite;
CREATE TABLE t (id bigint PRIMARY KEY, at timestamptz, device int, note text);
INSERT INTO t SELECT i, timestamptz '2026-01-01' + i * interval '7 s', i % 100, repeat('x', 500) FROM generate_series(0, 100000) i;
CREATE UNIQUE INDEX t_id ON t USING learned (id);
ALTER TABLE t REPLICA IDENTITY USING INDEX t_id;
CREATE TABLE p (id bigint NOT NULL, at timestamptz, device int, note text) PARTITION BY RANGE (id);
CREATE TABLE p_low PARTITION OF p FOR VALUES FROM (MINVALUE) TO (50000);
CREATE TABLE p_high PARTITION OF p FOR VALUES FROM (50000) TO (MAXVALUE);
CREATE UNIQUE INDEX p_id ON p USING learned (id);
ALTER TABLE p REPLICA IDENTITY USING INDEX p_id;
ALTER TABLE p_low REPLICA IDENTITY USING INDEX p_low_id_idx; ALTER TABLE p_high REPLICA IDENTITY USING INDEX p_high_id_idx;
CREATE INDEX p_at ON p USING learned (at)"

start_writer t
output=$(sql "SELECT rewrite_table('t', 'p', 't_old')" 2>&1)
result $? "rewrite_table" "$output"
stop_writer t
for table in p_low p_high; do
  agrees "rows of $table by id" $table id
  agrees "rows of $table by at" $table at
done
holds "the first row is there" "SELECT count(*) = 1 FROM t WHERE id = 0"
given "CREATE TABLE n (id bigint NOT NULL); CREATE UNIQUE INDEX n_id ON n USING btree (id);
ALTER TABLE n REPLICA IDENTITY USING INDEX n_id; CREATE TABLE m (LIKE n INCLUDING INDEXES); ALTER TABLE m REPLICA IDENTITY USING INDEX m_id_idx"
refused "NOT NULL outside a primary key ends in an error, with btrees as well" "cannot create not-null constraint" \
  "SELECT rewrite_table('n', 'm', 'n_old')"
finish
