# shellcheck shell=bash
# shellcheck disable=SC2034 # some is for those who source this
# What run.sh, test.sh and load.sh share; sourced, after scripts/lib.sh and settings.sh.

# Neither a server that the environment names is meant, nor a proxy that it may want for others: all of this is on loopback.
forget_servers
no_proxy=${no_proxy:-${NO_PROXY:-}}
export no_proxy="${no_proxy:+$no_proxy,}$ADDRESS"

PORTS=(GATEWAY_PORT POSTGRES_PORT PGBOUNCER_PORT PGPOOL_PORT PCP_PORT EXPORTER_PORT GATEWAY_METRICS_PORT PROMETHEUS_PORT)
PARTS=(postgres pgbouncer pgpool gateway exporter prometheus) # as in config/supervisord.conf.in
if [ "$(id -u)" = 0 ] && id postgres >/dev/null 2>&1; then SERVER_USER=postgres; else SERVER_USER=$(id -un); fi

usage() {
  echo "usage: ${0##*/} start | stop | status" >&2
  exit 2
}

listening() { (exec 3<>"/dev/tcp/$ADDRESS/$1") 2>/dev/null; }

# Of whoever else a directory is, it is not to be removed, nor what is in it to be believed.
is_ours() { [ -d "$SERVICE_DIR" ] && [ ! -L "$SERVICE_DIR" ] && [ "$(stat -c %U "$SERVICE_DIR")" = "$SERVER_USER" ]; }

is_there() {
  [ -e "$SERVICE_DIR" ] || [ -L "$SERVICE_DIR" ] || return 1
  is_ours || fail "$SERVICE_DIR is not this user's (${SERVER_USER})"
  [ -d "$SERVICE_DIR/config" ] || fail "$SERVICE_DIR was not made by run.sh start"
  # (as_server_user, of scripts/lib.sh, goes by it.)
  WORKSPACE=$SERVICE_DIR
  cd "$SERVICE_DIR" || fail "no right to enter $SERVICE_DIR"
}

# The processes of the parts and of their children: all work in this directory. (By their environment they could not be
# known: PostgreSQL writes its titles over it.) Not meant are this script's own, nor who looks at the directory in a shell.
PART_COMMANDS='postgres|pgbouncer|pgpool|supervisord|prometheus|/gateway/node_modules/'
processes() {
  local directory
  # (Processes end while it looks: no failure.)
  { find /proc -maxdepth 2 -path '/proc/[0-9]*/cwd' \( -lname "$SERVICE_DIR" -o -lname "$SERVICE_DIR/*" \) -printf '%h\n' 2>/dev/null || true; } |
    while read -r directory; do
      if [ "$(stat -c %U "$directory" 2>/dev/null)" = "$SERVER_USER" ] && grep -qsaE "$PART_COMMANDS" "$directory/cmdline"; then
        echo "${directory#/proc/}"
      fi
    done
}
running() { [ -n "$(processes)" ]; }

# In order where supervisord is there to do that, otherwise at once.
end_parts() {
  local i signal list
  cd /
  if [ -S "$SERVICE_DIR/socket/supervisor" ]; then
    as_server_user supervisorctl -c "$SERVICE_DIR/config/supervisord.conf" shutdown >/dev/null 2>&1 || true
    for i in $(seq 300); do
      [ -e "$SERVICE_DIR/supervisord.pid" ] || break
      kill -0 "$(cat "$SERVICE_DIR/supervisord.pid" 2>/dev/null)" 2>/dev/null || break
      sleep 0.2
    done
  fi
  for signal in TERM INT KILL; do
    for i in $(seq 25); do
      list=$(processes)
      [ -n "$list" ] || return 0
      # shellcheck disable=SC2086 # a list of words
      [ "$i" != 1 ] || as_server_user kill -s "$signal" $list 2>/dev/null || true
      sleep 0.2
    done
  done
}

secret() { cat "$SERVICE_DIR/secret/$1"; }

# ask USER PORT DATABASE PSQL-OPTION...: by TCP, as any client
ask() {
  local user=$1 port=$2 database=$3
  shift 3
  PGPASSWORD=$(secret "$user") PGCONNECT_TIMEOUT=5 "$(psql_command)" -X -q -h "$ADDRESS" -p "$port" -U "$user" -d "$database" "$@"
}
psql_command() {
  local bindir
  bindir=$(sed -nE 's/^BINDIR=(.*)$/\1/p' "$SERVICE_DIR/settings" 2>/dev/null)
  if [ -x "${BINDIR:-$bindir}/psql" ]; then echo "${BINDIR:-$bindir}/psql"; else echo psql; fi
}

# Does a part do what it is there for? By the way that its clients go.
part_works() {
  case $1 in
    postgres) [ "$(ask monitor "$POSTGRES_PORT" service -Atc 'SELECT 1' 2>/dev/null)" = 1 ] ;;
    pgbouncer) [ "$(ask monitor "$PGBOUNCER_PORT" service -Atc 'SELECT 1' 2>/dev/null)" = 1 ] ;;
    pgpool) [ "$(ask cached "$PGPOOL_PORT" service -Atc 'SELECT 1' 2>/dev/null)" = 1 ] ;;
    gateway) curl -fsS -m 5 "http://$ADDRESS:$GATEWAY_PORT/status" >/dev/null 2>&1 ;;
    # (Read to its end: curl would fail where grep is satisfied early.)
    exporter) curl -fsS -m 5 "http://$ADDRESS:$EXPORTER_PORT/metrics" 2>/dev/null | grep '^pg_up 1' >/dev/null ;;
    prometheus) curl -fsS -m 5 "http://$ADDRESS:$PROMETHEUS_PORT/-/ready" >/dev/null 2>&1 ;;
  esac
}

# The settings that it was started with, for who stops it or asks about it with others.
remember_settings() {
  local name
  put settings < <(for name in "${PORTS[@]}" ROWS RATE_LIMIT RATE_SECONDS CACHE_SECONDS SCRAPE_SECONDS BINDIR; do echo "$name=${!name}"; done)
}
recall_settings() {
  local name value
  for name in "${PORTS[@]}" ROWS RATE_LIMIT RATE_SECONDS CACHE_SECONDS SCRAPE_SECONDS; do
    value=$(sed -nE "s/^$name=([0-9]+)\$/\1/p" "$SERVICE_DIR/settings" 2>/dev/null)
    [ -z "$value" ] || printf -v "$name" '%s' "$value"
  done
}

# The gateway's packages, as the lock file has them, fetched once; sets MODULES. Nothing of them runs while they are installed.
# Made under another name first, so that node_modules is always complete.
fetch_modules() {
  MODULES=$CACHE/service-$(sha256sum "$HERE/gateway/package-lock.json" | cut -c1-16)
  [ ! -d "$MODULES/node_modules" ] || return 0
  say "fetching the gateway's packages from npm"
  rm -rf "$MODULES.new"
  mkdir -p "$MODULES.new" || fail "cannot make the directory $MODULES"
  cp "$HERE/gateway/package.json" "$HERE/gateway/package-lock.json" "$MODULES.new/"
  npm ci --prefix "$MODULES.new" --ignore-scripts --no-audit --no-fund >"$MODULES.new/npm.log" 2>&1 || {
    grep -v EBADENGINE "$MODULES.new/npm.log" | tail -n 10 >&2
    fail "npm could not install the gateway's packages"
  }
  mv "$MODULES.new" "$MODULES"
}

# ---- for those that test ----------------------------------------------------------------------------

# By the socket, as the superuser.
admin() { psql -X -At -h "$SERVICE_DIR/socket" -p "$POSTGRES_PORT" -U postgres -d service -c "$1" 2>&1; }

# Lines are printed, and kept in the file RESULTS.
ok() { echo "ok - $1" | tee -a "$RESULTS"; }
not_ok() {
  echo "not ok - $1" | tee -a "$RESULTS"
  [ -z "${2:-}" ] || printf '%s\n' "$2" | tail -n 15 | sed 's/^/#   /'
}

# is NAME EXPECTED FOUND
is() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "expected: $2"$'\n'"found:    $3"; fi; }
# like NAME REGEX FOUND
like() { if grep -qE -- "$2" <<<"$3"; then ok "$1"; else not_ok "$1" "expected: $2"$'\n'"found:    $3"; fi; }
