#!/usr/bin/env bash
# pg_hint_plan: hints by the index's name take a learned index, or forbid it.
. "$(dirname "$0")/lib.sh"
neighbour postgresql-18-pg-hint-plan
server session_preload_libraries=pg_hint_plan

given "CREATE TABLE t (id bigint, device int); CREATE TABLE o (id bigint);
INSERT INTO t SELECT i, i % 3 FROM generate_series(1, 20000) i; INSERT INTO o SELECT generate_series(1, 20000);
CREATE INDEX t_id ON t USING learned (id);
CREATE INDEX t_btree ON t USING btree (id);
CREATE INDEX t_device ON t USING learned (device);
CREATE INDEX o_id ON o USING learned (id);
VACUUM ANALYZE"
hinted() { # HINT QUERY PATTERN
  local plan
  plan=$(sql "/*+ $1 */ EXPLAIN (COSTS OFF) $2" 2>&1)
  grep -qE "$3" <<<"$plan"
  result $? "$1" "$plan"
}
hinted "SeqScan(t)" "SELECT * FROM t WHERE id = 7" "Seq Scan on t"
hinted "IndexScan(t t_id)" "SELECT * FROM t WHERE id = 7" "Index Scan using t_id on t"
hinted "IndexScan(t t_btree)" "SELECT * FROM t WHERE id = 7" "Index Scan using t_btree on t"
hinted "IndexOnlyScan(t t_id)" "SELECT id FROM t WHERE id > 7" "Index Only Scan using t_id on t"
hinted "BitmapScan(t t_id)" "SELECT * FROM t WHERE id = 7" "Bitmap Index Scan on t_id"
hinted "IndexScan(t t_device)" "SELECT * FROM t WHERE device = 1" "Index Scan using t_device on t"
hinted "IndexScanRegexp(t .*device)" "SELECT * FROM t WHERE device = 1" "Index Scan using t_device on t"
hinted "NoIndexScan(t)" "SELECT * FROM t WHERE id = 7" "Bitmap Index Scan"
hinted "NoIndexOnlyScan(t)" "SELECT id FROM t WHERE id = 7" "Index Scan using"
hinted "NestLoop(t o) Leading((t o)) IndexOnlyScan(o o_id)" "SELECT * FROM t JOIN o USING (id)" "Index Only Scan using o_id on o"
hinted "MergeJoin(t o) IndexScan(t t_id) IndexOnlyScan(o o_id)" "SELECT * FROM t JOIN o USING (id)" "Index Scan using t_id on t"
hinted "Parallel(t 2 hard) IndexScan(t t_id) Set(parallel_setup_cost 0) Set(parallel_tuple_cost 0)" "SELECT count(device) FROM t WHERE id > 7" "Parallel Index Scan using t_id on t"
hinted "Rows(t o #7)" "SELECT * FROM t JOIN o USING (id)" "Join|Nested Loop"
finish
