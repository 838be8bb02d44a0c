# shellcheck shell=bash
# shellcheck disable=SC2034 # some is set here for those who source this
# Shared by the scripts beside it; sourced, never run.
#
#   begin                        finds server and extension
#   server NAME [SETTING=VALUE]... a server of its own, its data and socket in the directory WORKSPACE/NAME; `empty NAME` makes the directory only
#   start NAME, stop NAME, promote NAME
#   on NAME SQL                  rows, unaligned; errors are part of the output. OPTIONS as PGOPTIONS
#   given NAME SQL               the script ends if it fails
#   check TEXT SHOWN COMMAND..., is TEXT GOT EXPECTED, holds TEXT NAME SQL

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
. "$HERE/../../scripts/lib.sh"

PASSED=0
FAILED=0
check() {
  local text=$1 shown=$2
  shift 2
  if "$@"; then
    PASSED=$((PASSED + 1))
    echo "ok - $text"
  else
    FAILED=$((FAILED + 1))
    echo "not ok - $text"
    tail -n 30 <<<"$shown" | sed 's/^/#     /'
  fi
}
same_text() { [ -n "$1" ] && [ "$1" = "$2" ]; }
is() { check "$1" "got:      $2
expected: $3" same_text "$2" "$3"; }
holds() { is "$1" "$(on "$2" "$3" | tail -n 1)" t; }
# contains TEXT PATTERN...
contains() {
  local text=$1 pattern
  shift
  for pattern in "$@"; do grep -qE -- "$pattern" <<<"$text" || return 1; done
}

SERVERS=()
empty() {
  mkdir -p "$WORKSPACE/$1"
  [ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$WORKSPACE/$1"
  SERVERS+=("$1")
}
# initdb once; the others are copies.
server() {
  local name=$1 setting
  shift
  empty "$name"
  if [ ! -d "$WORKSPACE/template" ]; then
    as_server_user "$BINDIR/initdb" -D "$WORKSPACE/template" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$WORKSPACE/initdb.log" 2>&1 ||
      fail "initdb failed: $(tail -n 1 "$WORKSPACE/initdb.log")"
  fi
  as_server_user cp -r "$WORKSPACE/template" "$WORKSPACE/$name/data"
  as_server_user chmod 700 "$WORKSPACE/$name/data"
  for setting in port=54321 fsync=off shared_buffers=64MB autovacuum=off jit=off "$@"; do
    printf "%s = '%s'\n" "${setting%%=*}" "${setting#*=}" >>"$WORKSPACE/$name/data/postgresql.conf"
  done
  start "$name"
}
# Where it listens is said each time, so that a copy of a server listens elsewhere.
start() {
  as_server_user "$BINDIR/pg_ctl" -D "$WORKSPACE/$1/data" -l "$WORKSPACE/$1/log" -w -t 120 \
    -o "-c listen_addresses='' -c unix_socket_directories='$WORKSPACE/$1'" start >/dev/null || {
    tail -n 20 "$WORKSPACE/$1/log" >&2
    fail "the server $1 did not start"
  }
}
stop() { as_server_user "$BINDIR/pg_ctl" -D "$WORKSPACE/$1/data" -m immediate -w stop >/dev/null 2>&1; }
promote() { as_server_user "$BINDIR/pg_ctl" -D "$WORKSPACE/$1/data" -w promote >/dev/null; }
stop_all() {
  local name
  for name in "${SERVERS[@]}"; do [ ! -e "$WORKSPACE/$name/data/postmaster.pid" ] || stop "$name"; done
  SERVERS=()
}

on() {
  PGOPTIONS="-c client_min_messages=warning ${OPTIONS:-}" psql -XqAt -h "$WORKSPACE/$1" -v ON_ERROR_STOP=1 <<<"$2" 2>&1
}
given() {
  local output
  output=$(on "$1" "$2") || fail "$1: $output"
}
by_file() { # NAME FILE [PSQL-OPTION]...
  local output name=$1 file=$2
  shift 2
  output=$(psql -Xq -h "$WORKSPACE/$name" -v ON_ERROR_STOP=1 "$@" -f "$file" 2>&1) || fail "$name: $output"
}
# Every learned index of the server is sound and has every row.
sound() {
  on "$1" "SELECT count(learned_index_check(c.oid, heapallindexed => true)) > 0
    FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'learned' AND c.relkind = 'i'"
}

BY_TABLE='-c enable_indexscan=off -c enable_indexonlyscan=off -c enable_bitmapscan=off -c learned_index.enable_aggregates=off'

begin() {
  find_server
  [ -e "$("$PG_CONFIG" --pkglibdir)/postgres_fdw.so" ] || fail "$PG_CONFIG has no contrib modules: postgres_fdw is missing"
  install_extension
  make_workspace
  at_exit stop_all
  forget_servers
  export PGPORT=54321 PGUSER=postgres PGDATABASE=postgres PATH="$BINDIR:$PATH"
}
