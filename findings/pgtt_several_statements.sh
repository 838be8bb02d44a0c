#!/usr/bin/env bash
# pgtt: CREATE /*GLOBAL*/ TEMPORARY TABLE is done with the whole text of the message that it came in, so that it
# fails with an error about itself when a statement about the table is sent along, as drivers and psql -c do.
. "$(dirname "$0")/common.sh"
in_debian postgresql-18-pgtt=4.6-1
server session_preload_libraries=pgtt
given "CREATE EXTENSION pgtt"
table="CREATE /*GLOBAL*/ TEMPORARY TABLE g (id bigint) ON COMMIT PRESERVE ROWS"
seen "alone" "$(psql -XqAt -c "$table" 2>&1; echo "exit status $?")" "exit status 0"
given "DROP TABLE g"
seen "with the CREATE INDEX of a script behind it in the same message" "$(psql -XqAt -c "$table; CREATE INDEX ON g (id)" 2>&1 | grep ERROR)" \
  "ERROR:  ON COMMIT can only be used on temporary tables"
