#!/usr/bin/env bash
# TimescaleDB: two indexes of a hypertable that differ in storage parameters only. DROP INDEX of the second drops the *first's* index
# on existing chunks, and keeps its own there, an orphan; RENAME renames the wrong one. And ALTER INDEX SET reaches new chunks only.
# One would guess that a chunk's index is found by what it was made for.
. "$(dirname "$0")/common.sh"
in_debian postgresql-18-timescaledb=2.31.0+dfsg-1
server shared_preload_libraries=timescaledb timescaledb.telemetry_level=off
given "CREATE EXTENSION timescaledb;
CREATE TABLE t (at timestamptz NOT NULL, device int);
SELECT create_hypertable('t', by_range('at', interval '1 day'), create_default_indexes := false);
INSERT INTO t VALUES ('2026-01-01 12:00+00', 1);
CREATE INDEX a ON t (device) WITH (fillfactor = 80);
CREATE INDEX b ON t (device) WITH (fillfactor = 50);
DROP INDEX b"
indexes() { sql "SELECT indexname, substring(indexdef, 'fillfactor.*') FROM pg_indexes WHERE tablename = 't' OR tablename LIKE '\_hyper%' ORDER BY indexname"; }
seen "a (80) and b (50), then DROP INDEX b; left are" "$(indexes)" "_hyper_1_1_chunk_b|fillfactor='50')
a|fillfactor='80')"
given "DROP TABLE t;
CREATE TABLE t (at timestamptz NOT NULL, device int);
SELECT create_hypertable('t', by_range('at', interval '1 day'), create_default_indexes := false);
INSERT INTO t VALUES ('2026-01-01 12:00+00', 1);
CREATE INDEX c ON t (device) WITH (fillfactor = 80);
ALTER INDEX c SET (fillfactor = 60);
INSERT INTO t VALUES ('2026-01-05 12:00+00', 1)"
seen "c (80), ALTER INDEX c SET (fillfactor = 60), then another chunk" "$(indexes)" "_hyper_2_2_chunk_c|fillfactor='80')
_hyper_2_3_chunk_c|fillfactor='60')
c|fillfactor='60')"
