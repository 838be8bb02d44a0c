#!/usr/bin/env bash
# A service in front of a throw-away PostgreSQL with learned indexes: pooling, a query cache, REST, limits, monitoring, a demo.
#
#   examples/service/run.sh start     installs what is missing, starts all parts, says where they are
#   examples/service/run.sh status    what runs, and its figures; exit status 3 if something does not
#   examples/service/run.sh stop      ends them and removes all that they left
#   PORT_BASE=17030 ...               what may be chosen is in settings.sh
#
# On Debian 12 as root or with sudo at hand, and with node 20 (Debian 12 brings 18). Debian's packages are
# installed such that they start no service, now or at the next boot; the parts run as the user postgres, or as
# who starts this if that is not root. What fails is said, and leaves nothing behind.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
. "$HERE/../../scripts/lib.sh"
# shellcheck source=examples/service/settings.sh
. "$HERE/settings.sh"
# shellcheck source=examples/service/lib.sh
. "$HERE/lib.sh"

# ---- before anything is made ----------------------------------------------------------------------

check_settings() {
  local name
  # It gets into configuration files of six kinds; the path of a socket in it has 107 bytes at most.
  [[ $SERVICE_DIR =~ ^/[A-Za-z0-9._/-]+$ ]] || fail "SERVICE_DIR is an absolute path of letters, digits and . _ - /: $SERVICE_DIR"
  [ ${#SERVICE_DIR} -le 80 ] || fail "SERVICE_DIR is longer than 80 characters: $SERVICE_DIR"
  for name in "${PORTS[@]}"; do
    if ! [[ ${!name} =~ ^[1-9][0-9]{3,4}$ ]] || [ "${!name}" -lt 1024 ] || [ "${!name}" -gt 65535 ]; then
      fail "$name is a port from 1024 to 65535: ${!name}"
    fi
  done
  name=$(for name in "${PORTS[@]}"; do echo "${!name}"; done | sort | uniq -d)
  [ -z "$name" ] || fail "two parts cannot have one port: $name"
  for name in ROWS RATE_LIMIT RATE_SECONDS CACHE_SECONDS SCRAPE_SECONDS; do
    [[ ${!name} =~ ^[1-9][0-9]{0,8}$ ]] || fail "$name is a number from 1 to 999999999: ${!name}"
  done
}

check_place() {
  if [ -e "$SERVICE_DIR" ] || [ -L "$SERVICE_DIR" ]; then
    if is_ours && running; then fail "it is running already in $SERVICE_DIR (run.sh status, run.sh stop)"; fi
    fail "$SERVICE_DIR is there already: end it with run.sh stop, or choose another SERVICE_DIR"
  fi
  [ -d "$(dirname "$SERVICE_DIR")" ] || fail "there is no directory $(dirname "$SERVICE_DIR")"
  [ -w "$(dirname "$SERVICE_DIR")" ] || fail "no right to make $SERVICE_DIR; choose another SERVICE_DIR"
  as_server_user test -x "$(dirname "$SERVICE_DIR")" ||
    fail "the user $SERVER_USER, who runs the parts, has no right to enter $(dirname "$SERVICE_DIR"); choose another SERVICE_DIR"
}

check_ports() {
  local name
  for name in "${PORTS[@]}"; do
    ! listening "${!name}" || fail "port ${!name} of $ADDRESS is taken: choose another $name, or another PORT_BASE"
  done
}

check_node() {
  local version
  for version in node npm; do
    command -v "$version" >/dev/null || fail "$version is not installed; node $NODE_MAJOR or later with npm is needed"
  done
  version=$(node --version | sed 's/^v//; s/\..*//')
  [ "$version" -ge "$NODE_MAJOR" ] || fail "node $NODE_MAJOR or later is needed, and $(command -v node) is $(node --version)"
  # (Of one in root's home, as nvm has it, that user knows nothing.)
  as_server_user "$(command -v node)" --version >/dev/null 2>&1 || fail "the user $SERVER_USER, who runs the parts, has no right to $(command -v node)"
}

# What these packages would start is stopped from starting: now by a policy, at the next boot by disabling what is new.
install_packages() {
  local missing unit new=()
  missing=$(missing_packages "${PACKAGES[@]}")
  [ -n "$missing" ] || return 0
  for unit in "${SERVICES[@]}"; do [ -n "$(package_version "$unit")" ] || new+=("$unit"); done
  forbid_services
  require_packages "${PACKAGES[@]}"
  for unit in "${new[@]}"; do
    if [ -z "$(package_version "$unit")" ]; then continue; fi
    if command -v systemctl >/dev/null; then
      as_root systemctl --quiet disable "$unit" >/dev/null 2>&1 || true
    else
      as_root update-rc.d "$unit" disable >/dev/null 2>&1 || true
    fi
  done
  allow_services
}

# ---- making it ------------------------------------------------------------------------------------

# put FILE [MODE]: a file of the server's user from standard input, by default for nobody else
put() {
  # shellcheck disable=SC2016 # expanded over there
  as_server_user sh -c 'umask 077; cat >"$1"; chmod "$2" "$1"' sh "$SERVICE_DIR/$1" "${2:-600}"
}

# fill TEMPLATE FILE: with @NAME@ for the variables of these names
fill() {
  local name script=
  for name in ADDRESS "${PORTS[@]}" CACHE_SECONDS SCRAPE_SECONDS BINDIR; do script+="s|@$name@|${!name}|g;"; done
  script+="s|@DIR@|$SERVICE_DIR|g;s|@NODE@|$(command -v node)|g;"
  # What all programs have in common.
  script+="s|@COMMON@|autorestart = true\nstartsecs = 2\nstartretries = 20\nredirect_stderr = true\nstdout_logfile = $SERVICE_DIR/log/%(program_name)s.log\nstdout_logfile_maxbytes = 5MB\nstdout_logfile_backups = 1|;"
  sed "$script" "$HERE/$1" | put "$2"
}

make_secrets() {
  local name
  for name in gateway manager monitor cached token; do openssl rand -hex 24 | put "secret/$name"; done
  put secret/userlist.txt < <(for name in gateway manager monitor cached; do printf '"%s" "%s"\n' "$name" "$(secret "$name")"; done)
  put secret/pool_passwd < <(for name in cached monitor; do printf '%s:TEXT%s\n' "$name" "$(secret "$name")"; done)
  # Nobody may use pgpool's own commands: a hash that no password is known for.
  printf 'nobody:%s\n' "$(openssl rand -hex 16)" | put config/pcp.conf
}

make_gateway() {
  local part
  cp -r "$HERE/gateway/." "$HERE/demo" "$SERVICE_DIR/gateway/"
  cp -r "$MODULES/node_modules" "$SERVICE_DIR/gateway/"
  chmod -R go+rX,go-w "$SERVICE_DIR/gateway"
  put gateway/env <<EOF
PLT_ADDRESS=$ADDRESS
PLT_PORT=$GATEWAY_PORT
PLT_METRICS_PORT=$GATEWAY_METRICS_PORT
PLT_DATABASE=postgres://gateway:$(secret gateway)@$ADDRESS:$PGBOUNCER_PORT/service
SERVICE_MANAGER=postgres://manager:$(secret manager)@$ADDRESS:$PGBOUNCER_PORT/service
SERVICE_TOKEN=$(secret token)
SERVICE_RATE_LIMIT=$RATE_LIMIT
SERVICE_RATE_SECONDS=$RATE_SECONDS
EOF
}

make_configuration() {
  local file
  for file in pgbouncer.ini pgpool.conf supervisord.conf; do fill "config/$file.in" "config/$file"; done
  fill monitoring/prometheus.yml.in config/prometheus.yml
  put config/pool_hba.conf <"$HERE/config/pool_hba.conf"
  put config/pgpool.sh <"$HERE/config/pgpool.sh"
  put config/queries.yml <"$HERE/monitoring/queries.yml"
  put config/alerts.yml <"$HERE/monitoring/alerts.yml"
}

# While the database is made the server listens on its socket only; who may come in is settled before it does otherwise.
make_database() {
  local name
  start_server "port=$POSTGRES_PORT" shared_buffers=256MB max_wal_size=1GB wal_level=minimal max_wal_senders=0 max_connections=100
  PGPORT=$POSTGRES_PORT
  say "the database: 175,195 ranges of addresses and $ROWS readings, each with learned indexes and with btrees"
  for name in gateway manager monitor cached; do export "PASSWORD_$name=$(secret "$name")"; done
  createdb service
  gzip -dc "$ROOT/data/ipv4_country_ranges.csv.gz" |
    psql -X -q -v ON_ERROR_STOP=1 -d service -v rows="$ROWS" -f "$HERE/sql/setup.sql" >"$SERVICE_DIR/log/setup.log" 2>&1 || {
    tail -n 20 "$SERVICE_DIR/log/setup.log" >&2
    fail "the database could not be made"
  }
  for name in gateway manager monitor cached; do unset "PASSWORD_$name"; done
  # (In the gateway's directory, where its packages and the file are.)
  # shellcheck disable=SC2016
  as_server_user sh -c 'cd "$1" && umask 077 && exec node schema-lock.js "$2"' sh "$SERVICE_DIR/gateway" \
    "postgres://postgres@${PGHOST//\//%2F}:$PGPORT/service" || fail "the gateway cannot read the tables' definitions"
  as_server_user "$BINDIR/pg_ctl" -D "$SERVICE_DIR/data" -m fast -w stop >/dev/null
  echo "listen_addresses = '$ADDRESS'" >>"$SERVICE_DIR/data/postgresql.conf"
  put data/pg_hba.conf <"$HERE/config/pg_hba.conf"
}

wait_for() {
  local i
  for i in $(seq 300); do
    ! part_works "$1" || return 0
    sleep 0.2
  done
  tail -n 15 "$SERVICE_DIR/log/$1.log" >&2 || true
  fail "$1 did not start within a minute"
}

start() {
  local part
  check_settings
  check_place
  check_ports
  check_node
  install_packages
  find_server
  install_extension
  fetch_modules
  make_workspace "$SERVICE_DIR"
  chmod 700 "$SERVICE_DIR"
  as_server_user mkdir "$SERVICE_DIR"/{config,gateway,log,pgpool,pgpool/oids,prometheus,secret,socket}
  at_exit end_parts
  make_secrets
  make_gateway
  make_database
  make_configuration
  say "starting the parts"
  as_server_user env -i PATH="$PATH" HOME="$SERVICE_DIR" LC_ALL=C.UTF-8 supervisord -c "$SERVICE_DIR/config/supervisord.conf"
  for part in "${PARTS[@]}"; do wait_for "$part"; done
  remember_settings
  CLEANUPS=()
  cat <<EOF
demo         http://$ADDRESS:$GATEWAY_PORT/demo/
REST         http://$ADDRESS:$GATEWAY_PORT/readings?where.ts.gte=2026-01-01T10:00:00Z&limit=3
OpenAPI      http://$ADDRESS:$GATEWAY_PORT/documentation/json
health       http://$ADDRESS:$GATEWAY_PORT/status
management   http://$ADDRESS:$GATEWAY_PORT/management/indexes, with the token in $SERVICE_DIR/secret/token
PostgreSQL   $ADDRESS:$POSTGRES_PORT; by PgBouncer $PGBOUNCER_PORT, by pgpool's cache $PGPOOL_PORT; database service,
             users gateway, manager, monitor, cached, passwords in $SERVICE_DIR/secret
Prometheus   http://$ADDRESS:$PROMETHEUS_PORT/alerts
EOF
  say "done in $SECONDS s; run.sh stop ends it"
}

status() {
  local part bad=0
  is_there || {
    say "it is not running"
    exit 3
  }
  recall_settings
  for part in "${PARTS[@]}"; do
    if part_works "$part"; then
      printf '%-12s works\n' "$part"
    else
      printf '%-12s does not work; its log: %s\n' "$part" "$SERVICE_DIR/log/$part.log"
      bad=3
    fi
  done
  [ "$bad" = 0 ] || exit "$bad"
  echo
  echo "PgBouncer, since it started:"
  ask monitor "$PGBOUNCER_PORT" pgbouncer -At -c 'SHOW STATS_TOTALS' |
    awk -F'|' '$1 == "service" { printf "%d transactions, %d queries, waited %.3f s for a connection\n", $2, $3, $8 / 1e6 }'
  echo "pgpool's cache:"
  ask cached "$PGPOOL_PORT" service -x -P footer=off -c 'SHOW POOL_CACHE'
  echo "learned indexes:"
  ask manager "$PGBOUNCER_PORT" service -P footer=off \
    -c 'SELECT indexname, size, btree_size, entries, round(delta_share::numeric, 3) AS deltas, advice FROM learned_indexes'
}

stop() {
  is_there || {
    say "it is not running"
    exit 0
  }
  end_parts
  cd /
  rm -rf "$SERVICE_DIR"
  say "ended; $SERVICE_DIR is removed"
}

case "${1:-}" in
  start | stop | status) [ $# = 1 ] || usage ;;
  *) usage ;;
esac
"$1"
