#!/usr/bin/env bash
# pg_rewrite on PostgreSQL 18, where NOT NULL is a constraint with a name: after the whole table was copied, constraints are copied, and
# the NOT NULL that the new table had to have (rows are found by a key that must not be NULL) is in the way of the old one's.
. "$(dirname "$0")/common.sh"
in_debian postgresql-18-pg-rewrite=2.2-2
server shared_preload_libraries=pg_rewrite wal_level=logical output_plugin_libraries=pg_rewrite
given "CREATE EXTENSION pg_rewrite;
CREATE TABLE a (id bigint PRIMARY KEY, v int); INSERT INTO a SELECT i, i FROM generate_series(1, 100) i;
CREATE TABLE a_new (id bigint PRIMARY KEY, v bigint);
CREATE TABLE b (id bigint PRIMARY KEY, v int NOT NULL); INSERT INTO b TABLE a;
CREATE TABLE b_new (id bigint PRIMARY KEY, v bigint NOT NULL)"
seen "rewrite_table, nothing but the key is NOT NULL" "$(sql "SELECT rewrite_table('a', 'a_new', 'a_old')")" ""
seen "another column is, in both tables" "$(sql "SELECT rewrite_table('b', 'b_new', 'b_old')" | grep ERROR)" \
  'ERROR:  cannot create not-null constraint "b_v_not_null2" on column "v" of table "b"'
