#!/usr/bin/env bash
# Swaps an index for one of the other access method, learned or btree, without keeping anybody from reading or writing:
# makes the new one beside it, checks it, gives it the old one's name, and drops that.
#
#   scripts/migrate.sh learned INDEX       from btree to learned
#   scripts/migrate.sh btree INDEX         and back
#     --dry-run           prints the statements only
#     --keep              both indexes stay, the old one as INDEX_old
#     --queries FILE      a query in each line: stops where the planner prefers the old index for one of them
#     --no-check          does not look whether the new index, if it is learned, has every row (reads the table once more)
#
# INDEX as in SQL: with its schema if search_path does not lead there, '"Odd Name"' in double quotes if it has capitals or signs. The database by
# PGHOST, PGPORT, PGDATABASE, PGUSER and so on; PSQL=... for another psql. For the owner of the table. docs/migrate.md says what it does, and what to do where it refuses.
# Ends with 0: swapped; 1: refused or failed, and everything is as before; 2: called the wrong way.
set -euo pipefail

PSQL=${PSQL:-psql}
usage() {
  sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
  exit 2
}
say() { printf '== %s\n' "$*"; }
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

DRY_RUN=
KEEP=
QUERIES=
QUERY_LINES=()
CHECK=yes
WORDS=()
while [ $# != 0 ]; do
  case $1 in
    --dry-run) DRY_RUN=yes ;;
    --keep) KEEP=yes ;;
    --no-check) CHECK= ;;
    --queries)
      [ $# -gt 1 ] || usage
      QUERIES=$2
      shift
      ;;
    -*) usage ;;
    *) WORDS+=("$1") ;;
  esac
  shift
done
[ ${#WORDS[@]} = 2 ] || usage
TO=${WORDS[0]}
INDEX=${WORDS[1]}
case $TO in learned | btree) ;; *) usage ;; esac
if [ -n "$QUERIES" ]; then
  if [ ! -r "$QUERIES" ] || [ -d "$QUERIES" ]; then fail "cannot read $QUERIES"; fi
  # (Once: it may be a pipe. The last line may have no end.)
  mapfile -t QUERY_LINES < <(sed 's/\r$//' "$QUERIES" | grep -vE '^[[:space:]]*(--|$)')
  [ ${#QUERY_LINES[@]} != 0 ] || fail "there is no query in $QUERIES"
fi
command -v "$PSQL" >/dev/null || fail "no command $PSQL: install a PostgreSQL client, or set PSQL"

# A role or a database may have limits for its queries, which a build and what it waits for are not meant by. (The swap has its own.)
NO_TIMEOUTS="DO \$\$BEGIN PERFORM set_config(name, '0', false) FROM pg_settings
  WHERE name IN ('statement_timeout', 'lock_timeout', 'transaction_timeout'); END\$\$"

# In the background, because only `wait` lets bash act on a signal at once; then the statement is cancelled, too.
RUNNING=
sql() {
  local status=0
  "$PSQL" -X -q -A -t -v ON_ERROR_STOP=1 -c "$NO_TIMEOUTS" "$@" <&0 &
  RUNNING=$!
  wait "$RUNNING" || status=$?
  RUNNING=
  return $status
}

# ---- what it is, and whether it can be -----------------------------------------------------------

# "refused TEXT", or the facts with a sign between them that no name has (its number is 31).
read_facts() {
  "$PSQL" -X -q -A -t -v ON_ERROR_STOP=1 -v "index=$INDEX" -v "to=$TO" -v "dry=$DRY_RUN" -c "$NO_TIMEOUTS" -f - <<'SQL'
SELECT coalesce(to_regclass(:'index')::oid, 0) AS oid \gset
WITH facts AS (
  SELECT i.*, c.relname, c.relkind, c.relpersistence, c.reloptions, c.relispartition, a.amname, n.nspname, t.relname AS table_name,
         tn.nspname AS table_schema, c.relowner,
         -- (What names none goes to default_tablespace, if that is set.)
         coalesce(s.spcname, CASE WHEN current_setting('default_tablespace') <> '' THEN
           (SELECT ds.spcname FROM pg_database d JOIN pg_tablespace ds ON ds.oid = dattablespace WHERE datname = current_database()) END) AS space,
         pg_get_indexdef(c.oid) AS definition, current_setting('server_version_num')::int AS server,
         -- (A name has 63 bytes, of which letters may take several.)
         (SELECT left(c.relname::text, n) FROM generate_series(55, 1, -1) n WHERE octet_length(left(c.relname::text, n)) <= 55 ORDER BY n DESC LIMIT 1) AS stem,
         (SELECT en.nspname FROM pg_extension JOIN pg_namespace en ON en.oid = extnamespace WHERE extname = 'learned_index') AS functions,
         (SELECT string_agg(format('%I=%s', split_part(o, '=', 1),
                   CASE WHEN quote_ident(v) = v THEN v ELSE quote_literal(v) END), ', ')
            FROM unnest(c.reloptions) o, substr(o, strpos(o, '=') + 1) v) AS all_options,
         (SELECT string_agg(format('%I=%L', split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)), ', ')
            FROM unnest(c.reloptions) o WHERE o LIKE 'fillfactor=%'
             AND (:'to' = 'btree' OR substr(o, 12)::int >= 50)) AS options,
         (SELECT string_agg(conname, ', ') FROM pg_constraint WHERE conindid = c.oid AND contype IN ('p', 'u', 'x')) AS own_constraint,
         (SELECT string_agg(format('%s of %s', conname, conrelid::regclass), ', ') FROM pg_constraint WHERE conindid = c.oid AND contype = 'f') AS foreign_key
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_am a ON a.oid = c.relam
  LEFT JOIN pg_index i ON i.indexrelid = c.oid
  LEFT JOIN pg_class t ON t.oid = i.indrelid
  LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
  LEFT JOIN pg_tablespace s ON s.oid = c.reltablespace
  WHERE c.oid = :oid
), judged AS (
  SELECT *, CASE
    WHEN relkind NOT IN ('i', 'I') THEN 'is not an index'
    WHEN amname = :'to' THEN 'is a ' || amname || ' index already'
    WHEN amname NOT IN ('btree', 'learned') THEN 'is a ' || amname || ' index: this is about btree and learned'
    WHEN relkind = 'I' OR relispartition THEN 'is partitioned, or part of a partitioned index: see docs/migrate.md, "Partitioned tables"'
    WHEN NOT pg_has_role(relowner, 'USAGE') THEN 'belongs to ' || relowner::regrole || ': only its owner may swap it'
    WHEN relpersistence = 't' THEN 'is of a temporary table, which lives in another session'
    WHEN NOT indisvalid THEN 'is not valid: REINDEX or drop it first'
    WHEN own_constraint IS NOT NULL THEN 'is that of a constraint, ' || own_constraint || ': see docs/migrate.md, "Constraints"'
    WHEN foreign_key IS NOT NULL THEN 'is what a foreign key relies on, ' || foreign_key || ': see docs/migrate.md, "Constraints"'
    WHEN pg_is_in_recovery() AND :'dry' = '' THEN 'is on a standby, which has the indexes of its primary: swap it there'
    WHEN current_setting('transaction_read_only') = 'on' AND :'dry' = ''
      THEN 'is not to be written to by ' || current_user || ': PGOPTIONS=''-c default_transaction_read_only=off'' lets this script do it'
    WHEN indisunique AND :'to' = 'learned' AND server < 180000 THEN 'is unique, which before PostgreSQL 18 only a btree can be: see docs/migrate.md, "Constraints"'
    WHEN :'to' = 'learned' AND NOT EXISTS (SELECT FROM pg_am WHERE amname = 'learned')
      THEN 'is in database ' || current_database() || ', where the extension is missing: CREATE EXTENSION learned_index'
    WHEN to_regclass(format('%I.%I', nspname, stem || '_new')) IS NOT NULL THEN format('has a neighbour %I, perhaps of an earlier attempt: drop or rename it', stem || '_new')
    WHEN to_regclass(format('%I.%I', nspname, stem || '_old')) IS NOT NULL THEN format('has a neighbour %I, perhaps of an earlier attempt: drop or rename it', stem || '_old')
  END AS refusal,
  -- The definition behind "USING method", and in it the options, which are put anew.
  CASE WHEN table_name IS NOT NULL THEN
    substr(definition, length(format('CREATE %sINDEX %I ON %I.%I USING %s ', CASE WHEN indisunique THEN 'UNIQUE ' END, relname, table_schema, table_name, amname)) + 1) END AS rest,
  format(' WITH (%s)', all_options) AS old_with,
  coalesce(' WITH (' || options || ')', '') || coalesce(' TABLESPACE ' || quote_ident(space), '') AS new_with,
  coalesce(pg_get_expr(indpred, indrelid), '') AS predicate
  FROM facts
), cut AS (
  SELECT *, CASE WHEN all_options IS NULL THEN length(rest) - CASE WHEN predicate <> '' THEN length(' WHERE ' || predicate) ELSE 0 END
                 ELSE strpos(rest, old_with) - 1 END AS columns_end
  FROM judged
)
SELECT CASE WHEN refusal IS NOT NULL THEN 'refused ' || refusal
  WHEN columns_end <= 0 OR left(rest, 1) <> '(' THEN 'refused has a definition that this script does not understand: ' || definition
  ELSE concat_ws(E'\x1f',
    'facts',
    format('%I.%I', table_schema, table_name),
    quote_ident(nspname), quote_ident(relname), quote_ident(stem || '_new'), quote_ident(stem || '_old'),
    format('%I.learned_index_check(%L, heapallindexed => true)', functions, format('%I.%I', nspname, stem || '_new')),
    format('SELECT format(''%%s: %%s, %%s: %%s'', %L, pg_size_pretty(pg_relation_size(%L)), %L, pg_size_pretty(pg_relation_size(%L)))', quote_ident(relname),
      format('%I.%I', nspname, relname), quote_ident(stem || '_new'), format('%I.%I', nspname, stem || '_new')),
    format('CREATE %sINDEX CONCURRENTLY %I ON %I.%I USING %s %s%s%s', CASE WHEN indisunique THEN 'UNIQUE ' END, stem || '_new',
      table_schema, table_name, :'to', left(rest, columns_end), new_with, CASE WHEN predicate <> '' THEN ' WHERE ' || predicate END),
    CASE WHEN indexprs IS NOT NULL THEN 'yes' ELSE 'no' END,
    CASE WHEN indisclustered THEN 'yes' ELSE 'no' END,
    CASE WHEN indisreplident THEN 'yes' ELSE 'no' END,
    coalesce(format('COMMENT ON INDEX %I.%I IS ', nspname, stem || '_new') || quote_literal(obj_description(indexrelid, 'pg_class')) || ';', ''),
    (SELECT coalesce(string_agg(format('ALTER INDEX %I.%I ALTER COLUMN %s SET STATISTICS %s;', nspname, stem || '_new', attnum, attstattarget), ' '), '')
       FROM pg_attribute WHERE attrelid = indexrelid AND attstattarget >= 0),
    (SELECT coalesce(string_agg(format('ALTER INDEX %I.%I DEPENDS ON EXTENSION %I;', nspname, stem || '_new', extname), ' '), '')
       FROM pg_depend JOIN pg_extension e ON e.oid = refobjid
      WHERE classid = 'pg_class'::regclass AND objid = indexrelid AND refclassid = 'pg_extension'::regclass AND deptype = 'x'),
    'end') END
FROM cut;
SQL
}

FACTS=$(read_facts) || fail "the database could not be asked about $INDEX"
[ -n "$FACTS" ] || fail "there is no $INDEX in the database (or not in search_path: name its schema; or its name has capitals or signs: quote it as in SQL, '\"Name\"')"
case $FACTS in
  refused*) fail "$INDEX ${FACTS#refused }" ;;
esac
# shellcheck disable=SC2034 # the beginning is nobody's
IFS=$'\x1f' read -r -d '' BEGIN TABLE SCHEMA NAME NEW OLD CHECK_CALL SIZES CREATE HAS_EXPRESSIONS CLUSTERED IDENTITY COMMENT STATISTICS DEPENDS END <<<"$FACTS" || true
[ "$END" = $'end\n' ] || fail "$INDEX has a name, definition or comment that this script does not understand"

# In one transaction, which waits for no lock longer than a moment: whoever plans a query finds one of the two names.
swap_statements() {
  echo "SET lock_timeout = '2s';"
  echo 'BEGIN;'
  echo "ALTER INDEX $SCHEMA.$NAME RENAME TO $OLD;"
  echo "ALTER INDEX $SCHEMA.$NEW RENAME TO $NAME;"
  [ "$CLUSTERED" = no ] || echo "ALTER TABLE $TABLE CLUSTER ON $NAME;"
  [ "$IDENTITY" = no ] || echo "ALTER TABLE $TABLE REPLICA IDENTITY USING INDEX $NAME;"
  echo 'COMMIT;'
  # (Else what comes after it in the same session gives up early as well, and an index that is half dropped costs writes.)
  echo 'RESET lock_timeout;'
}
after_build() {
  [ -z "$COMMENT" ] || echo "$COMMENT"
  [ -z "$STATISTICS" ] || echo "$STATISTICS"
  [ -z "$DEPENDS" ] || echo "$DEPENDS"
  # Statistics of expressions belong to the index.
  [ "$HAS_EXPRESSIONS" = no ] || echo "ANALYZE $TABLE;"
}

if [ -n "$DRY_RUN" ]; then
  echo "$CREATE;"
  after_build
  [ "$TO" = btree ] || [ -z "$CHECK" ] || echo "SELECT $CHECK_CALL;"
  swap_statements
  [ -n "$KEEP" ] || echo "DROP INDEX CONCURRENTLY $SCHEMA.$OLD;"
  exit 0
fi

# ---- the swap ------------------------------------------------------------------------------------

SWAPPED=
MADE= # the new index, or some of it, by this run
undo() {
  local status=$?
  trap - EXIT INT TERM
  if [ -n "$RUNNING" ]; then
    kill -INT "$RUNNING" 2>/dev/null || true
    wait "$RUNNING" 2>/dev/null || true
  fi
  # What is not swapped is given up. (A statement that failed or was cancelled may have left an invalid index.)
  if [ -n "$MADE" ] && [ -z "$SWAPPED" ]; then
    PGOPTIONS="${PGOPTIONS:-} -c client_min_messages=error" \
      "$PSQL" -X -q -c "$NO_TIMEOUTS" -c "DROP INDEX CONCURRENTLY IF EXISTS $SCHEMA.$NEW" ||
      printf 'warning: the index %s.%s may be left; drop it\n' "$SCHEMA" "$NEW" >&2
  elif [ -n "$SWAPPED" ] && [ "$status" != 0 ]; then
    printf 'warning: swapped, but the old index may be left as %s.%s; drop it\n' "$SCHEMA" "$OLD" >&2
  fi
  exit "$status"
}
trap undo EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Says nothing but by $STATE, what became of it: what has that name by now, of somebody else or of another run, is not to be dropped.
STATE=
build() {
  exec 4< <(exec "$PSQL" -X -q -A -t -c "$NO_TIMEOUTS" -c "$CREATE" -c '\echo :SQLSTATE :LAST_ERROR_MESSAGE' </dev/null)
  RUNNING=$!
  MADE=yes
  wait "$RUNNING" || true
  RUNNING=
  read -r STATE <&4 || true
  exec 4<&-
  case $STATE in 42P07* | *pg_class_relname_nsp_index*) MADE= ;; esac
}

say "building $NEW beside $NAME"
build
[[ $STATE == 00000* ]] || fail "the new index could not be built; $INDEX is as before"
sql -f - <<<"$(after_build)" || fail "the new index could not be prepared"
if [ "$TO" = learned ] && [ -n "$CHECK" ]; then
  say "checking that it has every row"
  sql -c "SELECT $CHECK_CALL" >/dev/null || fail "the new index did not pass the check; $INDEX is as before"
fi
sql -c "$SIZES"

# Both are there now: the planner says which it takes.
prefers_old=0
for query in "${QUERY_LINES[@]}"; do
  plan=$("$PSQL" -X -q -A -t -v ON_ERROR_STOP=1 -c "$NO_TIMEOUTS" -c "EXPLAIN (COSTS OFF) ${query%;}") || fail "this query fails: $query"
  case $plan in
    *" using $NAME on "* | *"Bitmap Index Scan on $NAME"*)
      prefers_old=$((prefers_old + 1))
      say "prefers the old index: $query"
      ;;
    *) say "does not need the old index: $query" ;;
  esac
  printf '    %s\n' "${plan//$'\n'/$'\n'    }"
done
[ $prefers_old = 0 ] || fail "$prefers_old of the queries prefer the old index, which stays"

tries=0
until sql -f - <<<"$(swap_statements)"; do
  tries=$((tries + 1))
  [ $tries -lt 30 ] || fail "the names could not be swapped, for what is said above; try again"
  say "trying again: perhaps somebody holds a lock"
  sleep 1
done
SWAPPED=yes
say "$NAME is a $TO index now"
if [ -n "$KEEP" ]; then
  say "the old one stays as $OLD: DROP INDEX CONCURRENTLY $SCHEMA.$OLD"
else
  sql -c "DROP INDEX CONCURRENTLY $SCHEMA.$OLD"
fi
