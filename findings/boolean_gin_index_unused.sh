#!/usr/bin/env bash
# PostgreSQL 15.18 with its own btree_gin
#
# Up to 15 an index on a boolean column that is neither a btree nor a hash index serves no question that anybody asks of one.
# The planner rewrites `flag = true` to `flag` before it looks for indexes (`flag IN (true)`, too), and matches that only with
# the two operator families that are built in: with sequential scans disabled it still makes one. What is not rewritten finds
# the index: `flag >= true`, `flag IN (true, NULL)`, `flag = $1` in a generic plan. 17 finds it for all of them.
# Seen:
#
#     flag: Seq Scan on t
#     flag = true: Seq Scan on t
#     NOT flag: Seq Scan on t
#     flag >= true: Bitmap Heap Scan on t
# shellcheck source=findings/programs.sh
. "$(dirname "${BASH_SOURCE[0]}")/programs.sh"
start_server
version=$(sql "SHOW server_version_num")
[ "$version" -lt 160000 ] || cannot "the server is newer than 15"

sql "CREATE EXTENSION btree_gin; CREATE TABLE t (flag boolean);
INSERT INTO t SELECT i % 1000 = 0 FROM generate_series(1, 100000) i;
CREATE INDEX ON t USING gin (flag); ANALYZE t" || cannot "no btree_gin"
plan() {
  sql "SET enable_seqscan = off; EXPLAIN (COSTS OFF) SELECT count(*) FROM t WHERE $1" |
    sed -n "s/^ *-> *\(Seq Scan on t\|Bitmap Heap Scan on t\)/$1: \1/p"
}
seen=$(for condition in "flag" "flag = true" "NOT flag" "flag >= true"; do plan "$condition"; done)
echo "$seen"
[ "$seen" = "flag: Seq Scan on t
flag = true: Seq Scan on t
NOT flag: Seq Scan on t
flag >= true: Bitmap Heap Scan on t" ] || changed "which conditions find the index"
