#!/usr/bin/env bash
# Would a learned index pay on this column, or on these? Copies the table, or consecutive rows of a large one, into a temporary
# table, builds a learned index and a btree on it by turns, measures both and recommends. All of it happens in
# one transaction that is rolled back; your table is only read.
#
#   bench/advise.sh [--rows N] [--include COLUMN[,COLUMN...]] DBNAME TABLE COLUMN[,COLUMN...]
#
# The connection is psql's: PGHOST, PGPORT, PGUSER, or a connection string as DBNAME. The extension's files must be
# installed on that server; where CREATE EXTENSION was not run yet, it is run and rolled back with the rest.
set -euo pipefail
command -v python3 >/dev/null || { echo "error: python3 is needed" >&2; exit 1; }
command -v psql >/dev/null || { echo "error: psql is needed" >&2; exit 1; }
export PYTHONDONTWRITEBYTECODE=1 # no byte-code files in the source tree
exec python3 "$(dirname "${BASH_SOURCE[0]}")/advise.py" "$@"
