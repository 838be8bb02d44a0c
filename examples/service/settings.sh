# shellcheck shell=bash
# shellcheck disable=SC2034 # used by those who source this
# All that may be chosen, in one place; sourced by run.sh and test.sh, after scripts/lib.sh. The environment wins over what is here.

# Where everything is while the service runs: data, sockets, logs, passwords. It must not exist before, and is gone afterwards.
SERVICE_DIR=${SERVICE_DIR:-${TMPDIR:-/tmp}/learned-service.$(id -u)}

# All parts listen on this address, and on nothing else.
ADDRESS=127.0.0.1
PORT_BASE=${PORT_BASE:-17030}
[[ $PORT_BASE =~ ^[1-9][0-9]{3,4}$ ]] || fail "PORT_BASE is the first of eight ports from 1024 to 65535: $PORT_BASE" # (sums follow)
GATEWAY_PORT=${GATEWAY_PORT:-$PORT_BASE}                # REST, JSON, OpenAPI, health, management, the demo
POSTGRES_PORT=${POSTGRES_PORT:-$((PORT_BASE + 1))}      # the server itself: COPY, cursors, prepared statements
PGBOUNCER_PORT=${PGBOUNCER_PORT:-$((PORT_BASE + 2))}    # pooled, transaction mode
PGPOOL_PORT=${PGPOOL_PORT:-$((PORT_BASE + 3))}          # answers of SELECT from memory
PCP_PORT=${PCP_PORT:-$((PORT_BASE + 4))}                # pgpool insists on one for its own commands
EXPORTER_PORT=${EXPORTER_PORT:-$((PORT_BASE + 5))}      # figures of the database, for Prometheus
GATEWAY_METRICS_PORT=${GATEWAY_METRICS_PORT:-$((PORT_BASE + 6))} # those of the gateway
PROMETHEUS_PORT=${PROMETHEUS_PORT:-$((PORT_BASE + 7))}

ROWS=${ROWS:-1000000}            # sensor readings, ten a second
RATE_LIMIT=${RATE_LIMIT:-120}    # requests that one client may send
RATE_SECONDS=${RATE_SECONDS:-10} # in so many seconds
CACHE_SECONDS=${CACHE_SECONDS:-10} # after which pgpool asks again
SCRAPE_SECONDS=${SCRAPE_SECONDS:-5}

# Debian 12's packages. apt takes "1.18.*" for the newest of Debian's builds of 1.18: security updates keep the number.
PACKAGES=(pgbouncer=1.18.* pgpool2=4.3.* prometheus=2.42.* prometheus-postgres-exporter=0.11.* supervisor=4.2.* curl jq openssl procps)
SERVICES=(pgbouncer pgpool2 prometheus prometheus-node-exporter prometheus-postgres-exporter supervisor) # that these packages would start
TEST_PACKAGES=(chromium-headless-shell)
NODE_MAJOR=20                    # at least; the packages from npm are pinned by gateway/package-lock.json
