#!/usr/bin/env bash
# Shows on real data what the extension does: builds and installs it, starts a throw-away server, loads the
# world's IPv4 ranges, 5 million sensor readings and a million uuids, creates learned and btree indexes side by side, asks both
# the same questions, checks that they answer the same and prints one table.
#
#   scripts/quickstart.sh            as root, or with sudo at hand, on Debian 12
#   PG_CONFIG=...                    use this server instead of Debian's PostgreSQL 15
#   AM=... ROWS=... PROBES=...       another access method (learned), other amounts (5000000, 1000000)
#
# Everything but the installed extension is gone afterwards. About 2 GB of space in TMPDIR are needed.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

AM=${AM:-learned}
ROWS=${ROWS:-5000000}
PROBES=${PROBES:-1000000}
DATA=$ROOT/data/ipv4_country_ranges.csv.gz
started=$SECONDS

require_packages make g++
find_server
install_extension

# A quarter of the memory for the server, between 128 MB and 2 GB.
memory_kb=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo 2>/dev/null || echo 2097152)
buffers_mb=$((memory_kb / 4096))
[ "$buffers_mb" -le 2048 ] || buffers_mb=2048
[ "$buffers_mb" -ge 128 ] || buffers_mb=128

make_workspace
free_kb=$(df -Pk "$WORKSPACE" | awk 'NR == 2 { print $4 }')
[ "$free_kb" -ge $((ROWS * 2 / 5)) ] || fail "not enough space in $WORKSPACE: set TMPDIR to another directory"
start_server "shared_buffers=${buffers_mb}MB" wal_level=minimal max_wal_senders=0 max_wal_size=4GB autovacuum=off
say "PostgreSQL $SERVER_VERSION in $WORKSPACE, shared_buffers ${buffers_mb} MB, $JOBS cores"

if [ "$AM" = learned ]; then psql -X -q -v ON_ERROR_STOP=1 -c 'CREATE EXTENSION learned_index'; fi
# In the background, because only `wait` lets bash act on a signal at once.
gzip -dc "$DATA" | psql -X -f "$ROOT/scripts/quickstart.sql" -v am="$AM" -v rows="$ROWS" -v probes="$PROBES" &
wait $!
echo
say "done in $((SECONDS - started)) s; the server and its data are removed"
