#!/usr/bin/env bash
# PostgreSQL 15.18
#
# ALTER TABLE ... ALTER COLUMN ... TYPE builds indexes on expressions of the column anew, were it varchar(10) to varchar(20), for which the table
# stays as it is. Of what was said about such an index, name, comment, storage parameters and the mark of CLUSTER are taken along;
# the statistics target of the expression (ALTER INDEX ... ALTER COLUMN ... SET STATISTICS) and DEPENDS ON EXTENSION are gone, without a word, though REINDEX
# keeps all of them. (The manual says that the statistics of the column are removed.) 18.6 does the same. Seen:
#
#     made: fillfactor=70, comment, clustered, target 500, depends on an extension
#     after REINDEX: fillfactor=70, comment, clustered, target 500, depends on an extension
#     after varchar(20): fillfactor=70, comment, clustered, no target, depends on none
# shellcheck source=findings/programs.sh
. "$(dirname "${BASH_SOURCE[0]}")/programs.sh"
start_server

sql "CREATE TABLE t (v varchar(10)); CREATE INDEX t_v ON t (lower(v)) WITH (fillfactor = 70); COMMENT ON INDEX t_v IS 'comment';
ALTER TABLE t CLUSTER ON t_v; ALTER INDEX t_v ALTER COLUMN 1 SET STATISTICS 500; ALTER INDEX t_v DEPENDS ON EXTENSION plpgsql" || cannot "no index"
state() {
  sql "SELECT concat_ws(', ', array_to_string(reloptions, ' '), obj_description(c.oid), CASE WHEN indisclustered THEN 'clustered' END,
      coalesce('target ' || nullif(attstattarget, -1), 'no target'),
      CASE WHEN EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'x') THEN 'depends on an extension' ELSE 'depends on none' END)
    FROM pg_class c JOIN pg_index ON indexrelid = c.oid JOIN pg_attribute ON attrelid = c.oid WHERE relname = 't_v'"
}
seen="made: $(state)"
sql "REINDEX INDEX t_v"
seen+="
after REINDEX: $(state)"
table() { sql "SELECT relfilenode FROM pg_class WHERE relname = 't'"; }
before=$(table)
sql "ALTER TABLE t ALTER v TYPE varchar(20)"
[ "$before" = "$(table)" ] || changed "the table is rewritten"
seen+="
after varchar(20): $(state)"
echo "$seen"
[ "$seen" = "made: fillfactor=70, comment, clustered, target 500, depends on an extension
after REINDEX: fillfactor=70, comment, clustered, target 500, depends on an extension
after varchar(20): fillfactor=70, comment, clustered, no target, depends on none" ] || changed "what is kept"
