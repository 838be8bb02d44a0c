#!/usr/bin/env bash
# psql: reads and writes the tables of tables.sql under both schemas, and compares.
#
# It connects by libpq's variables (PGHOST, PGPORT, ...); files go to the directory that is given, or a temporary one. Lines "ok - ..." and "not ok - ...";
# ends with 1 if one is not ok.
set -uo pipefail
FILES=${1:-}
if [ -z "$FILES" ]; then
  FILES=$(mktemp -d)
  trap 'rm -rf "$FILES"' EXIT
fi

FAILED=0
check() { # TEXT SHOWN COMMAND...
  local text=$1 shown=$2
  shift 2
  if "$@"; then
    echo "ok - $text"
  else
    FAILED=$((FAILED + 1))
    echo "not ok - $text"
    tail -n 12 <<<"$shown" | sed 's/^/#     /'
  fi
}
same() { # TEXT LEARNED BTREE
  check "$1" "learned: $2
btree:   $3" same_text "$2" "$3"
}
same_text() { [ -n "$1" ] && [ "$1" = "$2" ]; }
contains() { # TEXT PATTERN...
  local text=$1 pattern
  shift
  for pattern in "$@"; do grep -qE -- "$pattern" <<<"$text" || return 1; done
}
# in_schema SCHEMA, SQL from standard input; a failure is part of the answer
in_schema() { PGOPTIONS="-c search_path=$1,public" psql -XqAt 2>&1; }
# as_with_btree TEXT, SQL from standard input: the same under both schemas
as_with_btree() {
  local sql learned btree
  sql=$(cat)
  learned=$(in_schema learned <<<"$sql")
  btree=$(in_schema btree <<<"$sql")
  # Where one is expected, SQL has it said by its SQLSTATE.
  if contains "$learned" '^(psql:.*)?(ERROR|FATAL):  [^0-9]'; then check "$1" "$learned" false; else same "$1" "$learned" "$btree"; fi
}

LONG="SELECT sum(n) FROM readings a, readings b, LATERAL (SELECT count(*) AS n FROM readings WHERE id BETWEEN a.id AND b.id) c"

psql --version | sed 's/^/# /'

# prepared NAME STATEMENT EXECUTE... of twelve executions
prepared() {
  local i arguments
  echo "PREPARE s AS $1;"
  for ((i = 0; i < 12; i++)); do
    arguments=$2
    echo "EXECUTE s(${arguments//%/$i});"
  done
}
last_plan="SELECT generic_plans > 0 FROM pg_prepared_statements WHERE name = 's';
EXPLAIN (COSTS OFF) EXECUTE s(100000"
counts="SELECT count(*), max(id) FROM readings WHERE id BETWEEN \$1 AND \$2"
row="SELECT id, device, at, level FROM readings WHERE id = \$1"
as_with_btree "prepared statement, counts: as with btree" < <(prepared "$counts" "100000 + %, 200000 + 7 * %")
plan=$(in_schema learned < <(prepared "$counts" "100000 + %, 200000 + 7 * %" && echo "$last_plan, 200000);"))
check "prepared statement, counts: a generic plan by the learned index" "$plan" contains "$plan" '^t$' 'Custom Scan \(LearnedAggregate\)' "id >= [$]1"
as_with_btree "prepared statement, rows by key: as with btree" < <(prepared "$row" "90000 + 3 * %")
plan=$(in_schema learned < <(prepared "$row" "90000 + 3 * %" && echo "$last_plan);"))
check "prepared statement, rows by key: a generic plan by the learned index" "$plan" contains "$plan" '^t$' 'Index Scan using readings_id_idx' "id = [$]1"

for schema in learned btree; do
  in_schema "$schema" <<<"\\copy (SELECT * FROM readings WHERE id BETWEEN 30000 AND 90000 ORDER BY id) TO '$FILES/$schema.copy' WITH (FORMAT binary)"
done
check "COPY binary out: the bytes of btree" "$(ls -l "$FILES")" cmp "$FILES/learned.copy" "$FILES/btree.copy"
as_with_btree "COPY binary in: as with btree" <<<"CREATE TABLE copied_psql (LIKE readings INCLUDING INDEXES);
\\copy copied_psql FROM '$FILES/learned.copy' WITH (FORMAT binary)
SELECT count(*), count(level), min(id), max(id), sum(device) FROM copied_psql WHERE id >= 0;"

as_with_btree "cursors, by FETCH_COUNT, scrolled and held over a commit: as with btree" <<'SQL'
\set FETCH_COUNT 64
SELECT id, level FROM readings WHERE id > 150000 ORDER BY id LIMIT 1000;
\unset FETCH_COUNT
BEGIN;
DECLARE held SCROLL CURSOR WITH HOLD FOR SELECT id, level FROM readings WHERE device = 7 ORDER BY at DESC;
FETCH 100 FROM held;
FETCH BACKWARD 30 FROM held;
COMMIT;
FETCH ABSOLUTE 500 FROM held;
FETCH BACKWARD 40 FROM held;
FETCH ALL FROM held;
SQL

# Several statements in one message (psql has no pipelines before 18): one transaction, and an error ends all of it.
as_with_btree "statements in one message, an error among them: as with btree" <<'SQL'
CREATE TEMP TABLE few (LIKE readings INCLUDING INDEXES);
INSERT INTO few SELECT * FROM readings WHERE id <= 3000 \; SELECT count(*), sum(id) FROM few WHERE id <= 450 \; DELETE FROM few WHERE id <= 300;
\set VERBOSITY sqlstate
\o /dev/null
DELETE FROM few WHERE id <= 600 \; SELECT count(*) / (count(*) - count(*)) FROM few WHERE id <= 900;
\o
\echo :LAST_ERROR_SQLSTATE
SELECT count(*), sum(id) FROM few WHERE id <= 900;
SQL
if [ "$(psql -XAtc "SELECT current_setting('server_version_num')::int")" -ge 180000 ] && psql --version | grep -qE ' (1[89]|[2-9][0-9])'; then
  as_with_btree "pipeline: as with btree" < <(
    printf '%s\n' "\\startpipeline"
    for ((i = 0; i < 50; i++)); do printf '%s \\bind %d %d \\sendpipeline\n' "$counts" $((3000 * i)) $((3000 * i + 3000)); done
    printf '%s\n' "\\endpipeline"
  )
fi

# Ctrl-C: psql sends a cancel request when it gets SIGINT. Of its own, it would end after twenty seconds.
PGAPPNAME=cancelled PGOPTIONS="-c search_path=learned,public -c statement_timeout=20s" \
  psql -XqAt -v VERBOSITY=sqlstate <<<"$LONG;
SELECT 'more'" >"$FILES/cancelled" 2>&1 &
job=$!
runs="SELECT bool_or(state = 'active' AND clock_timestamp() - query_start > interval '0.5 s') FROM pg_stat_activity WHERE application_name = 'cancelled'"
until [ "$(psql -XAtc "$runs")" = t ]; do sleep 0.05; done
asked=${EPOCHREALTIME/[.,]/}
kill -INT "$job"
wait "$job"
status=$?
milliseconds=$(((${EPOCHREALTIME/[.,]/} - asked) / 1000))
check "SIGINT ends a count within a second ($milliseconds ms)" "" [ "$milliseconds" -lt 1000 ]
check "with 57014; a script goes no further, and has status 3" "$status $(cat "$FILES/cancelled")" \
  [ "$status $(grep -v '^Cancel request sent' "$FILES/cancelled" | xargs)" = "3 ERROR: 57014" ]

errors="\\set VERBOSITY sqlstate
SET statement_timeout = 200;
$LONG;
SET statement_timeout = 0;
INSERT INTO seats VALUES (401), (402);
INSERT INTO seats VALUES (402);
INSERT INTO seats VALUES (402), (403) ON CONFLICT DO NOTHING;
SELECT id FROM seats WHERE id BETWEEN 400 AND 499 ORDER BY id;"
learned=$(in_schema learned <<<"$errors")
same "errors: as with btree" "$learned" "$(in_schema btree <<<"$errors")"
check "errors: 57014 of a timeout, 23P01 of an exclusion constraint, and no row is left of it" "$learned" \
  [ "$(tr '\n' ' ' <<<"$learned")" = "ERROR:  57014 ERROR:  23P01 401 402 403 " ]
[ "$FAILED" = 0 ]
