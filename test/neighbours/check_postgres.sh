#!/usr/bin/env bash
# check_postgres: it computes what a btree of the table's rows would need, whatever the index is. A learned index needs less even with
# nine tenths of its rows gone: it is never reported.
. "$(dirname "$0")/lib.sh"
neighbour check-postgres
server
given "CREATE TABLE t (id bigint, note text);
INSERT INTO t SELECT i, repeat('x', 20) FROM generate_series(1, 200000) i;
CREATE INDEX t_learned ON t USING learned (id);
CREATE INDEX t_btree ON t USING btree (id);
ANALYZE t"
check() { as_server_user check_postgres "$@" --host="$PGHOST" --port="$PGPORT" --dbname=postgres --dbuser=postgres 2>&1; }
wasted() { check --action=bloat --include=t --warning=1B --critical=1GB | sed -nE "s/.* $1=([0-9]+)B.*/\1/p"; }
is "bloat of a new btree" "$(wasted t_btree)" 0
is "of a new learned index" "$(wasted t_learned)" 0
given "DELETE FROM t WHERE id % 10 < 9; VACUUM t; ANALYZE t"
[ "$(wasted t_btree)" -gt 1000000 ]
result $? "bloat of a btree with a tenth of its rows"
is "of a learned index: 0" "$(wasted t_learned)" 0
output=$(check --action=index_size --warning=1kB --critical=1GB)
grep -qE " postgres.public.t_learned=$(sql "SELECT pg_relation_size('t_learned')")B|t_learned=$(sql "SELECT pg_relation_size('t_learned')")" <<<"$output"
result $? "its size is told as it is" "$output"
agrees "rows by id" t id
finish
