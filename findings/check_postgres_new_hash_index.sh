#!/usr/bin/env bash
# check_postgres: bloat of an index is its size beyond what a btree of the rows would take, of whatever access method it is. A new hash
# index, that nothing could make smaller, is reported as bloated.
. "$(dirname "$0")/common.sh"
in_debian check-postgres=2.26.0-2
server
given "CREATE TABLE t (id bigint); INSERT INTO t SELECT generate_series(1, 300000); CREATE INDEX t_hash ON t USING hash (id); ANALYZE t"
bloat() { as_server_user check_postgres --action=bloat --include=t --warning=1B --critical=1GB --host="$PGHOST" --port="$PGPORT" \
  --dbname=postgres --dbuser=postgres 2>&1 | sed -nE 's/.*t_hash=([0-9]+)B.*/\1/p'; }
before=$(bloat)
echo "wasted bytes of a new hash index: $before"
given "REINDEX INDEX t_hash"
echo "and of one that was rebuilt: $(bloat)"
seen "is it bloat that REINDEX cannot remove" "$([ "$before" -gt 100000 ] && [ "$(bloat)" = "$before" ] && echo yes)" yes
