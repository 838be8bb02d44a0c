#!/usr/bin/env bash
# HypoPG: knows four access methods, and says so of others; real learned indexes can be hidden.
. "$(dirname "$0")/lib.sh"
neighbour postgresql-18-hypopg
server session_preload_libraries=hypopg

given "CREATE EXTENSION hypopg; CREATE TABLE t (id bigint); INSERT INTO t SELECT generate_series(1, 20000); CREATE INDEX t_id ON t USING learned (id); ANALYZE t"
refused "a hypothetical learned index is refused" 'access method "learned" is not supported' "SELECT * FROM hypopg_create_index('CREATE INDEX ON t USING learned (id)')"
uses "the real one is used" t_id "SELECT id FROM t WHERE id = 7"
plan=$(sql "SELECT hypopg_hide_index('t_id'::regclass); EXPLAIN SELECT id FROM t WHERE id = 7" 2>&1)
grep -q "Seq Scan" <<<"$plan"
result $? "and not when it is hidden" "$plan"
plan=$(sql "SELECT count(*) FROM hypopg_create_index('CREATE INDEX ON t USING btree (id)'); SELECT hypopg_hide_index('t_id'::regclass); EXPLAIN SELECT id FROM t WHERE id = 7" 2>&1)
grep -q "<[0-9]*>btree_t_id" <<<"$plan"
result $? "a hypothetical btree beside it is used when it is cheaper" "$plan"
finish
