#!/usr/bin/env bash
# pg_squeeze: a table with any exclusion constraint cannot be processed: the copy gets the index, but not the constraint that the server
# looks for. The error speaks of a missing catalogue record, as if the table were damaged.
. "$(dirname "$0")/common.sh"
in_debian postgresql-18-squeeze=1.9.4-2
server shared_preload_libraries=pg_squeeze wal_level=logical output_plugin_libraries=pg_squeeze
given "CREATE EXTENSION pg_squeeze;
CREATE TABLE t (id int PRIMARY KEY, during int4range, EXCLUDE USING gist (during WITH &&));
INSERT INTO t SELECT i, int4range(10 * i, 10 * i + 10) FROM generate_series(1, 100) i"
seen "squeeze_table" "$(sql "SELECT squeeze.squeeze_table('public', 't')" | sed 's/ind_[0-9]*/ind_N/')" \
  "ERROR:  exclusion constraint record missing for rel ind_N"
given "ALTER TABLE t DROP CONSTRAINT t_during_excl"
seen "without the constraint" "$(sql "SELECT squeeze.squeeze_table('public', 't')")" ""
