#!/usr/bin/env bash
# A NOT NULL constraint that is added NOT VALID (PostgreSQL 18 has it) looks at no row, so NULLs may be there; yet from then on
# pg_attribute.attnotnull is true and information_schema.columns.is_nullable is NO, for which programs take a column that has none
# (drivers and code generators make a type without NULL of it, and a query may be rewritten). Whether it can be relied on, pg_constraint.convalidated
# alone tells; the planner goes by that, and still looks for the NULLs.
. "$(dirname "$0")/common.sh"
in_debian
server
given "CREATE TABLE t (d int, ts int); INSERT INTO t VALUES (1, NULL), (1, 7);
ALTER TABLE t ADD CONSTRAINT t_ts NOT NULL ts NOT VALID"
seen "rows that have a NULL there" "$(sql "SELECT count(*) FROM t WHERE ts IS NULL")" 1
seen "attnotnull, is_nullable, convalidated" "$(sql "SELECT attnotnull, is_nullable, convalidated FROM pg_attribute
  JOIN information_schema.columns ON table_name = 't' AND column_name = attname
  JOIN pg_constraint ON conrelid = attrelid AND conname = 't_ts' WHERE attrelid = 't'::regclass AND attname = 'ts'")" 't|NO|f'
seen "the plan of ts IS NULL" "$(sql "EXPLAIN (COSTS OFF) SELECT FROM t WHERE ts IS NULL" | sed -n 2p)" "  Filter: (ts IS NULL)"
given "DELETE FROM t WHERE ts IS NULL; ALTER TABLE t VALIDATE CONSTRAINT t_ts"
seen "the same, once it is valid" "$(sql "EXPLAIN (COSTS OFF) SELECT FROM t WHERE ts IS NULL")" "Result
  One-Time Filter: false"
