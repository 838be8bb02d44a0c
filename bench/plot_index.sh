#!/usr/bin/env bash
# What a learned index has learned, as a picture: keys against ranks with the lines through them, one leaf from near, bits per key along the index,
# and where deltas and dead entries lie. Writes INDEX.svg and INDEX.png.
#
#   bench/plot_index.sh [--output DIRECTORY] [--column N] [--leaves N] DBNAME INDEX
#
# The connection is psql's: PGHOST, PGPORT, PGUSER, or a connection string as DBNAME; by a role that may look into the index and select from its
# table (a superuser, say). Of a large index so many leaves are read, evenly; of each leaf the header. Needs matplotlib (Debian's python3-matplotlib).
set -euo pipefail
command -v psql >/dev/null || { echo "error: psql is needed" >&2; exit 1; }
export PYTHONDONTWRITEBYTECODE=1 # no byte-code files in the source tree
for python in python3 /usr/bin/python3; do # the package belongs to Debian's Python
  if "$python" -c 'import matplotlib' 2>/dev/null; then exec "$python" "$(dirname "${BASH_SOURCE[0]}")/plot_index.py" "$@"; fi
done
echo "error: python3 with matplotlib is needed (Debian: apt-get install python3-matplotlib)" >&2
exit 1
