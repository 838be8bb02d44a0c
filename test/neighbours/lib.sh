# shellcheck shell=bash
# Shared by the scripts beside it; sourced, never run. They run as root in the root file system of PostgreSQL 18,
# where run.sh starts them, each with a server of its own.
#
#   neighbour PACKAGE...             installs the Debian packages; ends the script as skipped if it cannot
#   server [NAME=VALUE]...           starts the throw-away server, with our extension created in it
#   sql TEXT                         runs it; rows, unaligned. DATABASE=name chooses another one than postgres
#   given TEXT                       runs what the test stands on: the script ends if it fails
#   is NAME GOT EXPECTED             equal texts
#   holds NAME SQL                   the query returns t
#   refused NAME PATTERN SQL         it fails, with a message that the regular expression matches
#   uses NAME INDEX QUERY            its plan (without sequential scans and sorts) reads that index
#   agrees NAME TABLE KEY [WHERE]    every learned index of the table is valid and sound and has every row, and
#                                    reading by KEY through one gives the rows that a sequential scan gives
#   start_writer TABLE, stop_writer TABLE  writes to the table (id, at, device, ...) and the same to a twin, until they are
#                                    compared
#   definitions TABLE                its indexes, one a line
#   wait_until NAME SQL              until the query returns t; fails after a minute
#   finish                           the last line of each script

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PG_MAJOR=18
# shellcheck source=scripts/lib.sh
. "$HERE/../../scripts/lib.sh"

FAILED=0
result() { # STATUS NAME [WHY]
  if [ "$1" = 0 ]; then
    echo "ok - $2"
  else
    FAILED=$((FAILED + 1))
    echo "not ok - $2"
    [ -z "${3:-}" ] || tail -n 12 <<<"$3" | sed 's/^/    /'
  fi
}
skip() {
  echo "skipped: $*"
  exit 77
}

neighbour() {
  local package missing
  missing=$(missing_packages "$@")
  # shellcheck disable=SC2086 # a list of words
  [ -z "$missing" ] || apt_install $missing || { apt_update && apt_install $missing; } ||
    skip "cannot install $missing"
  for package in "$@"; do echo "# $package $(package_version "$package")"; done
}

server() {
  find_server
  start_server "$@"
  sql 'CREATE EXTENSION learned_index' || fail "the extension of this source tree is not installed"
}

sql() { PGOPTIONS="-c client_min_messages=warning ${OPTIONS:-}" psql -XqAt -v ON_ERROR_STOP=1 -d "${DATABASE:-postgres}" <<<"$1"; }
given() {
  local output
  output=$(sql "$1" 2>&1) || fail "what the test stands on: $output"
}
BY_INDEX='-c enable_seqscan=off -c enable_sort=off -c enable_bitmapscan=off'
BY_TABLE='-c enable_indexscan=off -c enable_indexonlyscan=off -c enable_bitmapscan=off'

is() {
  if [ "$2" = "$3" ]; then result 0 "$1"; else result 1 "$1" "got:      $2
expected: $3"; fi
}
holds() { is "$1" "$(sql "$2" 2>&1)" t; }
refused() {
  local output
  if output=$(sql "$3" 2>&1); then
    result 1 "$1" "it was not refused"
  elif grep -qE "$2" <<<"$output"; then
    result 0 "$1"
  else
    result 1 "$1" "$output"
  fi
}
uses() {
  local plan
  plan=$(OPTIONS=$BY_INDEX sql "EXPLAIN (COSTS OFF) $3" 2>&1)
  grep -qE "(using|Index Scan on) $2( |\$)" <<<"$plan"
  result $? "$1" "$plan"
}
definitions() { sql "SELECT indexdef FROM pg_indexes WHERE schemaname || '.' || tablename = '$1' ORDER BY indexname"; }

agrees() {
  local name=$1 table=$2 key=$3 condition=${4:-true} query checked by_index by_table plan index
  checked=$(sql "SELECT count(learned_index_check(i.indexrelid, true)) || ' ' || bool_and(indisvalid AND indisready)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
    WHERE a.amname = 'learned' AND i.indrelid = '$table'::regclass" 2>&1)
  if ! grep -qE '^[1-9][0-9]* true$' <<<"$checked"; then
    result 1 "$name" "checked: $checked"
    return
  fi
  query="SELECT t FROM ONLY $table t WHERE $condition ORDER BY $key, t::text"
  plan=$(OPTIONS=$BY_INDEX sql "EXPLAIN (COSTS OFF, VERBOSE) $query" 2>&1)
  index=$(sed -nE 's/.*Index Scan (Backward )?using ([^ ]+) on ([^.]+).*/\3.\2/p' <<<"$plan")
  if [ "$(sql "SELECT amname FROM pg_am a JOIN pg_class c ON c.relam = a.oid WHERE c.oid = '$index'::regclass")" != learned ]; then
    result 1 "$name" "$plan"
    return
  fi
  by_index=$(OPTIONS=$BY_INDEX sql "$query" 2>&1 | md5sum)
  by_table=$(OPTIONS=$BY_TABLE sql "$query" 2>&1 | md5sum)
  is "$name" "$by_index" "$by_table"
}

start_writer() {
  sql "CREATE TABLE twin AS SELECT * FROM $1; CREATE INDEX ON twin (id);
    CREATE SEQUENCE writes"
  # Each statement does the same to both tables; the pauses let it last as long as the tool does.
  while [ ! -e "$WORKSPACE/stop" ]; do
    sql "BEGIN;
      SELECT nextval('writes');
      DELETE FROM $1 WHERE id = 3 * currval('writes'); DELETE FROM twin WHERE id = 3 * currval('writes');
      UPDATE $1 SET device = -device WHERE id = 3 * currval('writes') + 1;
      UPDATE twin SET device = -device WHERE id = 3 * currval('writes') + 1;
      UPDATE $1 SET id = -id WHERE id = 3 * currval('writes') + 2; UPDATE twin SET id = -id WHERE id = 3 * currval('writes') + 2;
      INSERT INTO $1 SELECT 1000000 + currval('writes'), now(), 5; INSERT INTO twin SELECT 1000000 + currval('writes'), now(), 5;
      COMMIT" >/dev/null || break
    sleep 0.01
  done &
  WRITER=$!
  while [ "$(sql "SELECT last_value > 5 FROM writes")" != t ]; do sleep 0.1; done
  WRITES=$(sql "SELECT last_value FROM writes")
}
stop_writer() {
  local writes
  writes=$(sql "SELECT last_value FROM writes")
  : >"$WORKSPACE/stop"
  wait "$WRITER" && [ "$writes" -gt $((WRITES + 2)) ]
  result $? "writes go on meanwhile" "$WRITES $writes"
  rm "$WORKSPACE/stop"
  holds "no row is lost or comes back" "SELECT count(*) = 0 FROM ((TABLE $1 EXCEPT ALL TABLE twin) UNION ALL (TABLE twin EXCEPT ALL TABLE $1))"
  sql "DROP TABLE twin; DROP SEQUENCE writes"
}

wait_until() {
  local deadline=$((SECONDS + 60)) got
  while [ "$SECONDS" -lt "$deadline" ]; do
    got=$(sql "$2" 2>&1)
    if [ "$got" = t ]; then
      result 0 "$1"
      return
    fi
    sleep 0.2
  done
  result 1 "$1" "$got"
}

finish() {
  if [ "$FAILED" != 0 ] && [ -e "$WORKSPACE/server.log" ]; then
    echo "    the server's log ends:"
    tail -n 15 "$WORKSPACE/server.log" | sed 's/^/    /'
  fi
  [ "$FAILED" = 0 ]
  exit
}
