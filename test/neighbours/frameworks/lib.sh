# shellcheck shell=bash
# Shared by the scripts beside it; sourced, never run. They run as root in the root file system of PostgreSQL 18,
# where run.sh starts them, each with a server of its own.
#
#   begin NAME PACKAGE...   installs the Debian packages, starts a server with the extension, and changes to a copy of NAME/;
#                           node_modules there is what run.sh has fetched from npm. Ends as skipped if something cannot be had
#   check TEXT COMMAND...   holds if the command succeeds; its output is shown only if not
#   refused TEXT WORDS COMMAND...   holds if the command fails and says WORDS
#   holds TEXT SQL          holds if the SQL answers t
#   index_is NAME DEFINITION        as pg_indexes gives it
#   only_learned TABLE      holds if all its indexes but the primary key's are learned ones, and there are some
#   program COMMAND...      a program that prints its own lines "ok - ..." and "not ok - ..." and ends with 0
#   finish                  the last word: learned_index_check of every learned index, with every row of its table
#
# Each prints "ok - TEXT" or "not ok - TEXT"; run.sh counts the lines.

# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../../scripts/lib.sh"
HERE=$ROOT/test/neighbours/frameworks
MODULES=/opt/learned_index-npm # a directory for each script; run.sh knows it too

skip() {
  echo "skipped: $*"
  exit 77
}
begin() {
  local name=$1 package missing
  shift
  missing=$(missing_packages "$@")
  # shellcheck disable=SC2086 # a list of words
  [ -z "$missing" ] || apt_install $missing || { apt_update && apt_install $missing; } || skip "cannot install $missing"
  for package in "$@"; do echo "# $package $(package_version "$package")"; done
  PG_MAJOR=18
  find_server
  install_extension
  start_server autovacuum=off
  psql -qXc 'CREATE EXTENSION learned_index' || fail "no extension"
  PROGRAMS=$WORKSPACE/$name
  cp -r "$HERE/$name" "$PROGRAMS"
  cp "$HERE"/tap.* "$PROGRAMS"
  # Copied, not linked: what a program imports is looked for from its real place.
  [ ! -d "$MODULES/$name/node_modules" ] || cp -r "$MODULES/$name/node_modules" "$PROGRAMS"
  cd "$PROGRAMS" || exit 1
  # The programs connect over the socket by libpq's variables; whatever wants a URL takes this one.
  export DATABASE_URL="postgres://postgres@localhost:$PGPORT/postgres?host=$PGHOST"
  export PYTHONDONTWRITEBYTECODE=1 NO_COLOR=1 CI=1
}

shown() { printf '%s\n' "$1" | sed 's/^/#     /'; }
check() {
  local text=$1 output
  shift
  if output=$("$@" 2>&1 </dev/null); then
    echo "ok - $text"
  else
    echo "not ok - $text"
    shown "$output"
  fi
}
refused() {
  local text=$1 words=$2 output
  shift 2
  if output=$("$@" 2>&1 </dev/null); then
    echo "not ok - $text: it succeeded"
  elif grep -qF -- "$words" <<<"$output"; then
    echo "ok - $text"
    return
  else
    echo "not ok - $text: another message"
  fi
  shown "$output"
}
holds() {
  local answer
  answer=$(psql -qXAt -v ON_ERROR_STOP=1 -c "$2" 2>&1)
  if [ "$answer" = t ]; then
    echo "ok - $1"
  else
    echo "not ok - $1"
    shown "$answer"
  fi
}
program() {
  local status
  "$@" </dev/null
  status=$?
  [ $status = 0 ] || echo "not ok - $*: status $status"
}

index_is() {
  holds "$1 is ${2#* USING }" "SELECT coalesce((SELECT indexdef = \$def\$$2\$def\$ FROM pg_indexes WHERE indexname = '$1'), false)"
}
only_learned() {
  holds "all indexes of $1 but the primary key's are learned" "SELECT count(*) > 0 AND bool_and(amname = 'learned')
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam
    WHERE indrelid = '$1'::regclass AND NOT indisprimary"
}

finish() {
  local index count=0
  while read -r index; do
    count=$((count + 1))
    holds "learned_index_check of $index" \
      "SELECT true FROM (SELECT learned_index_check('$index', heapallindexed => true)) AS checked"
  done < <(psql -qXAtc "SELECT indexrelid::regclass FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    JOIN pg_am ON pg_am.oid = relam WHERE amname = 'learned' AND relkind = 'i' ORDER BY 1")
  [ $count != 0 ] || echo "not ok - no learned index was left to check"
}
