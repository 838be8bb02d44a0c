#!/usr/bin/env bash
# The manual names CREATE INDEX among what tells the planner how many rows a table has (pg_class.reltuples and relpages). From PostgreSQL 18 on it does so
# only for a table that autovacuum may come to: where autovacuum is off, for the server or for the table, as for the time of a big load, the index says
# 10,000 rows and the table behind it none; up to 17 both did. The planner then goes by the file's length and the widths of types: of text columns with
# a letter in each row it expects two fifths of the rows. REINDEX changes nothing; ANALYZE, or VACUUM, does.
. "$(dirname "$0")/common.sh"
in_debian
server
given "CREATE TABLE heeded (k int, a text, b text); CREATE TABLE loaded (LIKE heeded) WITH (autovacuum_enabled = off);
INSERT INTO heeded SELECT i, 'a', 'b' FROM generate_series(1, 10000) i; INSERT INTO loaded TABLE heeded;
CREATE INDEX heeded_k ON heeded (k); CREATE INDEX loaded_k ON loaded (k); REINDEX TABLE loaded"
rows="SELECT string_agg(relname || ' ' || reltuples, ', ' ORDER BY relname) FROM pg_class WHERE relname ~ '^(heeded|loaded)'"
seen "rows of the tables and their indexes, by pg_class" "$(sql "$rows")" "heeded 10000, heeded_k 10000, loaded -1, loaded_k 10000"
expected() { sql "EXPLAIN SELECT * FROM $1" | sed -n 's/.* rows=\([0-9]*\) .*/\1/p'; }
seen "rows expected of the one" "$(expected heeded)" 10000
seen "rows expected of the other, which has as many" "$(expected loaded)" 3825
