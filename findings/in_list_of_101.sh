#!/usr/bin/env bash
# PostgreSQL 15.18
#
# An index on part of a table serves a query whose condition implies the index's. For a list of constants, IN (...) or = ANY of an array, the
# planner looks at that value by value if it has up to a hundred; of a longer one it proves nothing, and as far as it knows the index does
# not have the rows: with the hundred and first value, sequential scans disabled or not, the table is read. (But for a WHERE ... IS NOT
# NULL of that same column, which any list implies.) The manual speaks of no such number. 18.6 has it, too. What helps is to say the condition of
# the index in the query as well. Seen:
#
#     100 values: Index Scan
#     101 values: Seq Scan
#     101 values, and k > 0: Index Scan
#     101 values, index WHERE k IS NOT NULL: Index Scan
# shellcheck source=findings/programs.sh
. "$(dirname "${BASH_SOURCE[0]}")/programs.sh"
start_server

sql "CREATE TABLE t (k int); INSERT INTO t SELECT generate_series(1, 100000); CREATE INDEX t_k ON t (k) WHERE k > 0; ANALYZE t" || cannot "no table"
plan() { # VALUES [AND ...]
  sql "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off; EXPLAIN (COSTS OFF) SELECT FROM t WHERE k IN ($(seq -s, "$1")) ${2:-}" | sed -n '1s/ \(using\|on\) .*//p'
}
seen="100 values: $(plan 100)
101 values: $(plan 101)
101 values, and k > 0: $(plan 101 "AND k > 0")"
sql "DROP INDEX t_k; CREATE INDEX t_k ON t (k) WHERE k IS NOT NULL"
seen+="
101 values, index WHERE k IS NOT NULL: $(plan 101)"
echo "$seen"
[ "$seen" = "100 values: Index Scan
101 values: Seq Scan
101 values, and k > 0: Index Scan
101 values, index WHERE k IS NOT NULL: Index Scan" ] || changed "which lists find the index"
