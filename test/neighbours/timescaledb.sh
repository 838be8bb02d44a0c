#!/usr/bin/env bash
# TimescaleDB (Apache edition): learned indexes on a hypertable.
. "$(dirname "$0")/lib.sh"
neighbour postgresql-18-timescaledb
server shared_preload_libraries=timescaledb timescaledb.telemetry_level=off

given "CREATE EXTENSION timescaledb;
CREATE TABLE t (at timestamptz NOT NULL, id bigint, device int);
CREATE INDEX t_at ON t USING learned (at DESC);
SELECT create_hypertable('t', by_range('at', interval '1 day'));
CREATE INDEX t_device ON t USING learned (device) WITH (fillfactor = 80)
"
given "INSERT INTO t SELECT timestamptz '2026-01-01 00:00+00' + i * interval '1 min', i, i % 60 FROM generate_series(1, 10000) i"
chunks() { sql "SELECT format('%I.%I', chunk_schema, chunk_name) FROM timescaledb_information.chunks ORDER BY range_start"; }
all_agree() {
  local chunk
  for chunk in $(chunks); do
    is "$1: $chunk has the indexes" "$(definitions "$chunk" | sed 's/.* USING/USING/' | sort)" "$2"
    agrees "$1: rows by at" "$chunk" "at DESC"
    agrees "$1: rows by device" "$chunk" device
  done
}
indexes="USING learned (at DESC)
USING learned (device) WITH (fillfactor='80')"
is "where there is a learned index on time, no btree is made" "$(definitions public.t | sed 's/.* USING/USING/' | sort)" "$indexes"
all_agree "filled" "$indexes"
query="SELECT time_bucket('1 hour', at) AS hour, count(*), sum(id) FROM t WHERE at > '2026-01-03 05:00+00' GROUP BY 1 ORDER BY 1"
is "time_bucket gives the same by index and by table" "$(OPTIONS=$BY_INDEX sql "$query")" "$(OPTIONS=$BY_TABLE sql "$query")"
given "CREATE TABLE plain AS SELECT at, id FROM t; INSERT INTO plain VALUES ('infinity', 1), ('-infinity', 2), ('2025-03-30 00:30+00', 3); CREATE INDEX plain_at ON plain USING learned (at); VACUUM ANALYZE plain, t"
counted() { # TABLE WIDTH
  local query="SELECT time_bucket('$2', at) AS b, count(*), min(at), max(at) FROM $1 WHERE at > '2025-01-01 00:00+00' GROUP BY 1 ORDER BY 1" plan
  local OPTIONS='-c enable_seqscan=off -c enable_bitmapscan=off' # (sorted above)
  plan=$(sql "EXPLAIN (COSTS OFF) $query")
  grep -q LearnedAggregate <<<"$plan"
  result $? "time_bucket('$2') of $1 is counted" "$plan"
  is "and right" "$(sql "$query")" "$(OPTIONS="$BY_TABLE -c learned_index.enable_aggregates=off" sql "$query")"
}
for width in '7 minutes' '1 hour' '3 days' '1 week' '1 month' '1 year'; do
  counted plain "$width"
  counted t "$width"
done
plan=$(sql "SET enable_seqscan = off; EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, BUFFERS OFF) SELECT * FROM t ORDER BY at DESC LIMIT 5")
{ grep -q 'ChunkAppend' <<<"$plan" && grep -q 'Index Scan using .*t_at on' <<<"$plan" && ! grep -q Sort <<<"$plan"; }
result $? "ORDER BY time DESC LIMIT reads the chunks in order" "$plan"
given "DELETE FROM t WHERE id % 7 = 0; SELECT drop_chunks('t', timestamptz '2026-01-03 00:00+00'); INSERT INTO t SELECT timestamptz '2026-02-01' + i * interval '1 h', i, 3 FROM generate_series(1, 100) i"
all_agree "changed" "$indexes"
given "ALTER TABLE t ADD COLUMN x int; REINDEX TABLE t; VACUUM t"
all_agree "rebuilt" "$indexes"
given "CREATE UNIQUE INDEX t_unique ON t USING learned (at)"
refused "a learned unique index on time keeps values unique" "duplicate key value" "INSERT INTO t SELECT * FROM t LIMIT 1"
given "INSERT INTO t SELECT at, id, -1 FROM t WHERE id < 5000 ON CONFLICT (at) DO UPDATE SET device = -2"
holds "ON CONFLICT updates" "SELECT count(*) > 1000 FROM t WHERE device = -2"
finish
