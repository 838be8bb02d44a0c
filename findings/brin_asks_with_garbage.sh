#!/usr/bin/env bash
# An extension may give the planner statistics of its own: get_relation_stats_hook is called with a VariableStatData in which the caller has
# said which relation it asks for, and the extension fills in the rest. So it is when the rows of a condition are estimated. When a BRIN index
# is costed, the server calls the same hook with a variable on its stack that nobody has written to: `rel`, elsewhere the table, is whatever
# was there before. An extension that reads what it is given may crash as soon as a table has a BRIN index. (The module below only compares
# the pointer.)
. "$(dirname "$0")/common.sh"
in_debian
find_server
make_workspace
cat >"$WORKSPACE/asked.c" <<'END'
#include "postgres.h"

#include "fmgr.h"
#include "nodes/pathnodes.h"
#include "utils/selfuncs.h"
PG_MODULE_MAGIC;

static bool asked(PlannerInfo* root, RangeTblEntry* rte, AttrNumber attnum, VariableStatData* variable) {
  const void* table = NULL;
  for (int r = 1; r < root->simple_rel_array_size; r++)
    if (root->simple_rte_array[r] == rte) table = root->simple_rel_array[r];
  elog(WARNING, "rel is %s", variable->rel == table ? "the table" : "something else");
  return false;
}

void _PG_init(void) { get_relation_stats_hook = asked; }
END
(
  cd "$WORKSPACE" &&
    gcc -O2 -fPIC -shared -I"$("$PG_CONFIG" --includedir-server)" -o asked.so asked.c && chmod 755 asked.so
) || cannot "the module does not build"
server
given "CREATE TABLE t (k int); INSERT INTO t SELECT generate_series(1, 10000); CREATE INDEX t_btree ON t (k); ANALYZE t"
asked() { sql "LOAD '$WORKSPACE/asked.so'; SET client_min_messages = warning; EXPLAIN SELECT FROM t WHERE k = 5" | grep -o 'rel is .*' | uniq; }
seen "a table with a btree index" "$(asked)" "rel is the table"
given "CREATE INDEX t_brin ON t USING brin (k); DROP INDEX t_btree"
seen "a table with a brin index" "$(asked)" "rel is the table
rel is something else"
