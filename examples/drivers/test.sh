#!/usr/bin/env bash
# Tries tables with learned indexes under drivers, each by a program beside this script, against the same tables with
# btrees, on a throw-away server:
#
#   examples/drivers/test.sh [DRIVER...]   all of them, or psql, libpqxx, psycopg, jdbc, node_postgres
#   PORT=...                               on 127.0.0.1, for JDBC, which knows no sockets else (any that is free)
#   PG_CONFIG=..., PG_MAJOR=...            another server, as for scripts/test.sh
#
# Installs what is missing: packages of Debian, those of npm as node_postgres/package-lock.json pins them. A driver that
# cannot be had is skipped, with the reason. Prints a line for each check; the last one is "N passed, N failed, N skipped".
set -uo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
. "$HERE/../../scripts/lib.sh"

DRIVERS="psql libpqxx psycopg jdbc node_postgres"
PASSED=0
FAILED=0
SKIPPED=0

for driver in "$@"; do
  case " $DRIVERS " in *" $driver "*) ;; *) fail "there is no driver $driver; those here are: $DRIVERS" ;; esac
done
[ $# != 0 ] || read -ra all <<<"$DRIVERS"
[ $# != 0 ] || set -- "${all[@]}"

# ---- what is needed, and how each is run; REASON says why it cannot be had ----------------------------

# needs COMMAND...: where packages are not Debian's nobody installs what is missing
needs() {
  local command
  for command in "$@"; do
    command -v "$command" >/dev/null || {
      REASON="$command is not installed"
      return 1
    }
  done
}

prepare_psql() { :; }
run_psql() { limited "$HERE/psql_driver.sh" "$FILES"; }

prepare_libpqxx() {
  offer_packages g++ libpqxx-dev || return 1
  needs g++ || return 1
  g++ -std=c++17 -O1 -o "$FILES/libpqxx" "$HERE/libpqxx_driver.cpp" -lpqxx -lpq
}
run_libpqxx() {
  local version
  version=$(package_version libpqxx-dev)
  echo "# libpqxx ${version:-, not a package}"
  limited "$FILES/libpqxx"
}

# Debian's module belongs to Debian's own Python.
prepare_psycopg() {
  offer_packages python3-psycopg || return 1
  PYTHON=/usr/bin/python3
  needs "$PYTHON" || return 1
  "$PYTHON" -c 'import psycopg' 2>/dev/null || {
    REASON="$PYTHON has no module psycopg"
    return 1
  }
}
run_psycopg() { limited "$PYTHON" -B "$HERE/psycopg_driver.py"; }

prepare_jdbc() {
  command -v javac >/dev/null || offer_packages default-jdk-headless || return 1
  needs java javac || return 1
  offer_packages libpostgresql-jdbc-java || return 1
  JAR=/usr/share/java/postgresql.jar
  [ -e "$JAR" ] || {
    REASON="there is no $JAR"
    return 1
  }
}
run_jdbc() { limited java -cp "$JAR" "$HERE/JdbcDriver.java"; }

# Installed in the workspace: npm makes node_modules anew each time, as the lock file says, and runs no scripts of packages.
prepare_node_postgres() {
  command -v node >/dev/null || offer_packages nodejs || return 1
  command -v npm >/dev/null || offer_packages npm || return 1
  needs node npm || return 1
  mkdir -p "$FILES/node_postgres"
  cp "$HERE"/node_postgres/* "$FILES/node_postgres"
  (cd "$FILES/node_postgres" && npm ci --ignore-scripts --no-audit --no-fund) >"$FILES/npm.log" 2>&1 || {
    REASON="npm could not install its packages: $(grep -m 1 -i error "$FILES/npm.log")"
    return 1
  }
}
run_node_postgres() { limited node "$FILES/node_postgres/driver.mjs"; }

# ---- the server --------------------------------------------------------------------------------------

taken() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
choose_port() {
  if [ -n "${PORT:-}" ]; then
    if ! [[ $PORT =~ ^[0-9]{4,5}$ ]] || [ "$PORT" -lt 1024 ] || [ "$PORT" -gt 65535 ]; then
      fail "PORT is to be a number from 1024 to 65535, not $PORT"
    fi
    ! taken "$PORT" || fail "port $PORT is taken"
    return
  fi
  PORT=$((20000 + RANDOM % 12000))
  while taken "$PORT"; do PORT=$((20000 + RANDOM % 12000)); done
}

# Over TCP with a password, which nobody else knows; over the socket in the workspace without.
begin() {
  make_workspace
  FILES=$WORKSPACE/drivers
  mkdir -p "$FILES"
  choose_port
  # Without JIT: while its library is loaded, and while it compiles, no cancel request is seen (README).
  start_server listen_addresses=127.0.0.1 port="$PORT" autovacuum=off shared_buffers=128MB jit=off
  export PGPORT=$PORT PGPASSWORD
  PGPASSWORD=$(head -c 18 /dev/urandom | base64)
  psql -XqAt -v ON_ERROR_STOP=1 -c "ALTER ROLE postgres PASSWORD '$PGPASSWORD'" || fail "no password could be set"
  printf '%s\n' 'local all all trust' 'host all all 127.0.0.1/32 scram-sha-256' >"$WORKSPACE/data/pg_hba.conf"
  as_server_user "$BINDIR/pg_ctl" -D "$WORKSPACE/data" reload >/dev/null
  psql -Xq -v ON_ERROR_STOP=1 -f "$HERE/tables.sql" >/dev/null || fail "the tables could not be made"
}

# ---- results -----------------------------------------------------------------------------------------

# Every learned index has every row, after all that a driver has done.
indexes_are_sound() {
  local output
  output=$(psql -XqAt -v ON_ERROR_STOP=1 2>&1 <<'SQL'
SELECT count(learned_index_check(c.oid, heapallindexed => true)) > 0
FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'learned' AND c.relkind = 'i';
SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off; SET learned_index.enable_aggregates = off;
SELECT count(*) = 0 FROM ((TABLE learned.readings EXCEPT ALL TABLE btree.readings) UNION ALL (TABLE btree.readings EXCEPT ALL TABLE learned.readings)) x;
SELECT count(*) = 0 FROM ((TABLE learned.seats EXCEPT ALL TABLE btree.seats) UNION ALL (TABLE btree.seats EXCEPT ALL TABLE learned.seats)) x;
SQL
  )
  if [ "$(tr '\n' ' ' <<<"$output")" = "t t t " ]; then
    echo "ok - every learned index is sound and has every row, and the tables are the same"
  else
    echo "not ok - every learned index is sound and has every row, and the tables are the same"
    tail -n 20 <<<"$output" | sed 's/^/#     /'
  fi
}

run() {
  local driver=$1 log=$FILES/$1.log status passed failed
  say "$driver"
  REASON=
  if ! "prepare_$driver" >"$log" 2>&1; then
    if [ -n "$REASON" ]; then
      echo "skipped - $driver: $REASON"
      SKIPPED=$((SKIPPED + 1))
    else # what is there cannot be used
      echo "not ok - $driver: it could not be prepared"
      tail -n 20 "$log" | sed 's/^/#     /'
      FAILED=$((FAILED + 1))
    fi
    return
  fi
  "run_$driver" >"$log" 2>&1
  status=$?
  indexes_are_sound >>"$log"
  failed=$(grep -c '^not ok - ' "$log")
  passed=$(grep -c '^ok - ' "$log")
  if { [ "$status" != 0 ] && [ "$failed" = 0 ]; } || [ "$passed" -lt 2 ]; then
    echo "not ok - the program ended with status $status before its end" >>"$log"
    failed=$((failed + 1))
  fi
  sed -E "s/^(not ok|ok) - /\\1 - $driver: /" "$log"
  PASSED=$((PASSED + passed))
  FAILED=$((FAILED + failed))
}
# timeout makes a process group of its own, which it ends as a whole: after five minutes, or when this script ends.
PROGRAM=
limited() {
  local status
  timeout -k 5 300 "$@" </dev/null &
  PROGRAM=$!
  wait "$PROGRAM"
  status=$?
  PROGRAM=
  return "$status"
}
stop_program() { [ -z "$PROGRAM" ] || { kill "$PROGRAM" && wait "$PROGRAM"; } 2>/dev/null; }
at_exit stop_program

# A driver for which something is missing is skipped, and the reason says what: each is prepared where no command is to be found, and
# nobody installs any.
missing_is_told() {
  local driver found
  say "what is missing"
  for driver in libpqxx:g++ jdbc:java node_postgres:node; do
    found=$(
      # shellcheck disable=SC2317 # for prepare_*
      offer_packages() { :; }
      REASON=
      # shellcheck disable=SC2123 # no command is to be found
      PATH=$FILES/nowhere
      "prepare_${driver%:*}" >/dev/null 2>&1
      echo "$? $REASON"
    )
    if [ "$found" = "1 ${driver#*:} is not installed" ]; then
      echo "ok - ${driver%:*} without ${driver#*:}: it is told"
      PASSED=$((PASSED + 1))
    else
      echo "not ok - ${driver%:*} without ${driver#*:}: it is told"
      echo "#     $found"
      FAILED=$((FAILED + 1))
    fi
  done
}

find_server
install_extension
begin
missing_is_told
for driver in "$@"; do run "$driver"; done
totals "$PASSED" "$FAILED" "$SKIPPED"
