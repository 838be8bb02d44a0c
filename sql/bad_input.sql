-- Wrong use: a clear error with its SQLSTATE and a hint, and nothing left behind.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
SET jit = off;

-- Runs a statement that should fail; gives back what the client would see.
CREATE FUNCTION refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  state text;
  message text;
  detail text;
  hint text;
BEGIN
  EXECUTE statement;
  RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
                          detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  -- Servers after 15 say the same with a schema's name, or units, more.
  message := replace(replace(message, 'class public.', 'class '), '(0 kB .. 1048576 kB)', '(0 .. 1048576)');
  RETURN concat_ws(E'\n  ', state || ': ' || message, 'DETAIL: ' || NULLIF(detail, ''), 'HINT: ' || NULLIF(hint, ''));
END $$;

CREATE TABLE subject (i int4, j int8, t text, u uuid, n numeric, b bytea, a int4[], v interval, z timetz);
INSERT INTO subject (i, j, t) VALUES (1, 1, 'one'), (2, 2, 'two'), (2, 2, 'two');
CREATE INDEX subject_i ON subject USING learned (i);
CREATE INDEX subject_btree ON subject USING btree (i);
\pset format unaligned
\pset tuples_only on

-- Types without an operator class, and operator classes of other types.
SELECT refused('CREATE INDEX ON subject USING learned (t)');
SELECT refused('CREATE INDEX ON subject USING learned (n)');
SELECT refused('CREATE INDEX ON subject USING learned (b)');
SELECT refused('CREATE INDEX ON subject USING learned (a)');
SELECT refused('CREATE INDEX ON subject USING learned (v)');
SELECT refused('CREATE INDEX ON subject USING learned (t int4_ops)');
SELECT refused('CREATE INDEX ON subject USING learned (i int8_ops)');
SELECT refused('CREATE INDEX ON subject USING learned (t text_ops)');
SELECT refused('CREATE INDEX ON subject USING learned (i int4_ops (depth = 3))');
SELECT refused('CREATE INDEX ON subject USING learned (i COLLATE "C")');

-- Several columns, included columns: too many of them, and of types that have no code.
SELECT refused('CREATE INDEX ON subject USING learned (i, j, i, j, i)');
SELECT refused('CREATE INDEX ON subject USING learned (u, z, i)');
SELECT refused('CREATE INDEX ON subject USING learned (u, i) INCLUDE (z)');
SELECT refused('CREATE INDEX ON subject USING learned (i, t)');
SELECT refused('CREATE INDEX ON subject USING learned (i) INCLUDE (n)');
SELECT refused('ALTER TABLE subject ADD EXCLUDE USING learned (i WITH =, b WITH =)');
SELECT refused('ALTER TABLE subject ADD EXCLUDE USING learned (i WITH <>)');
SELECT refused('ALTER TABLE subject ADD EXCLUDE USING learned (i WITH <)');
SELECT refused('ALTER TABLE subject ADD EXCLUDE USING learned (t WITH =)');
SELECT refused('ALTER TABLE subject ADD CONSTRAINT subject_pk PRIMARY KEY USING INDEX subject_i');
SELECT refused('CREATE TABLE referring (i int4 REFERENCES subject (i))');
-- The same on an empty table and on a partitioned one.
CREATE TABLE divided (i int4, j int8, t text) PARTITION BY RANGE (i);
CREATE TABLE divided_1 PARTITION OF divided FOR VALUES FROM (0) TO (100);
SELECT refused('CREATE INDEX ON divided USING learned (i, j, t)');
SELECT refused('CREATE INDEX ON divided USING learned (t)');
CREATE INDEX divided_i ON divided USING learned (i);

-- Options: out of range, of the wrong type, unknown.
SELECT refused('CREATE INDEX ON subject USING learned (i) WITH (fillfactor = 49)');
SELECT refused('CREATE INDEX ON subject USING learned (i) WITH (fillfactor = 101)');
SELECT refused('CREATE INDEX ON subject USING learned (i) WITH (fillfactor = full)');
SELECT refused('CREATE INDEX ON subject USING learned (i) WITH (fillfactor = 60, fillfactor = 70)');
SELECT refused('CREATE INDEX ON subject USING learned (i) WITH (epsilon = 64)');
SELECT refused('CREATE INDEX ON subject USING learned (i) WITH (deduplicate_items = on)');
SELECT refused('ALTER INDEX subject_i SET (fillfactor = 10)');
SELECT refused('ALTER INDEX subject_i SET (pages_per_range = 10)');

-- Settings.
SELECT refused('SET learned_index.model_cache = -1');
SELECT refused('SET learned_index.model_cache = ''2GB''');
SELECT refused('SET learned_index.model_cache = plenty');
SELECT refused('SET learned_index.generic_wal = perhaps');
SELECT refused('SET learned_index.no_such_setting = 1');
SHOW learned_index.model_cache;
SHOW learned_index.generic_wal;

-- The functions given something else than a learned index.
CREATE VIEW looking AS SELECT * FROM subject;
CREATE SEQUENCE counting;
SELECT refused('SELECT learned_index_check(''subject'')');
SELECT refused('SELECT learned_index_check(''subject_btree'')');
SELECT refused('SELECT learned_index_check(''looking'')');
SELECT refused('SELECT learned_index_check(''counting'', true)');
SELECT refused('SELECT learned_index_check(''divided_i'')');
SELECT refused('SELECT learned_index_check(''no_such_index'')');
SELECT refused('SELECT learned_index_check(4294967294)');
SELECT refused('SELECT learned_index_check(0)');
SELECT refused('SELECT learned_index_stats(''subject'')');
SELECT refused('SELECT learned_index_stats(''subject_btree'')');
SELECT refused('SELECT learned_index_stats(''looking'')');
SELECT refused('SELECT learned_index_stats(''divided_i'')');
SELECT refused('SELECT learned_index_stats(''no_such_index'')');
SELECT refused('SELECT learned_index_stats(4294967294)');
SELECT learned_index_check(NULL) IS NULL, learned_index_check('subject_i', NULL) IS NULL, learned_index_stats(NULL) IS NULL;

-- Another user's index, and a setting that is for administrators.
CREATE ROLE regress_learned_visitor;
SET ROLE regress_learned_visitor;
SELECT refused('SELECT learned_index_check(''subject_i'')');
SELECT refused('SET learned_index.generic_wal = on');
RESET ROLE;
DROP ROLE regress_learned_visitor;

-- What the access method says of itself.
SELECT p, pg_indexam_has_property(a.oid, p)
  FROM pg_am a, unnest('{can_order,can_multi_col,can_exclude,can_include}'::text[]) p
 WHERE a.amname = 'learned';
SELECT p, pg_index_has_property('subject_i', p) FROM unnest('{clusterable,index_scan,bitmap_scan,backward_scan}'::text[]) p;
SELECT p, pg_index_column_has_property('subject_i', 1, p)
  FROM unnest('{asc,desc,nulls_first,nulls_last,orderable,distance_orderable,returnable,search_array,search_nulls}'::text[]) p;

-- Nothing was left behind, and the good index still serves.
\pset tuples_only off
\pset format aligned
SELECT c.relname, a.amname FROM pg_class c JOIN pg_am a ON a.oid = c.relam
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('i', 'I') ORDER BY 1;
SELECT reloptions FROM pg_class WHERE relname = 'subject_i';
SELECT learned_index_check('subject_i', true), learned_index_check('divided_1_i_idx', true);
DROP INDEX subject_btree;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT t FROM subject WHERE i = 2;
SELECT t FROM subject WHERE i = 2;

DROP VIEW looking;
DROP TABLE subject, divided;
DROP SEQUENCE counting;
DROP FUNCTION refused;
