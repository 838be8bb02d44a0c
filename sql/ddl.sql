-- What becomes of an index when its table or the index itself is altered, moved, rebuilt, attached. Every statement
-- runs over a table with btree indexes and over a copy with learned ones; then the catalogs must say the same of
-- both, every index must pass its check, and what it finds must be what a sequential scan finds.
SET client_min_messages = warning;
SET learned_index.enable_aggregates = off; -- rows are to be read: aggregates.sql counts them
CREATE EXTENSION IF NOT EXISTS learned_index;
\getenv tests PG_ABS_SRCDIR
\set settle :tests '/sql/settle.inc'
\i :settle
SET max_parallel_workers_per_gather = 0;
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE regress_elsewhere LOCATION '';
CREATE SCHEMA ddl;
SET search_path = ddl, public;

-- A statement for each access method: {am} is its name, {t} the beginning of its tables' names.
CREATE FUNCTION each(statement text) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT replace(replace(statement, '{am}', am), '{t}', am) FROM unnest('{btree, learned}'::text[]) am
$$;
-- What the catalogs say of the tables and indexes of one access method.
CREATE FUNCTION facts(am text) RETURNS TABLE (name text, fact text) LANGUAGE sql AS $$
  SELECT replace(c.relname, am, 'x'),
         replace(format('kind %s, persistence %s, tablespace %s, options %s, parent %s, bound %s, valid %s, ready %s, live %s, clustered %s, exclusion %s, %s, stattarget %s, comment %s',
           c.relkind, c.relpersistence, coalesce(t.spcname, 'default'), c.reloptions, h.inhparent::regclass, pg_get_expr(c.relpartbound, c.oid),
           i.indisvalid, i.indisready, i.indislive, i.indisclustered, i.indisexclusion, pg_get_indexdef(c.oid),
           (SELECT array_agg(to_jsonb(a) ->> 'attstattarget' ORDER BY attnum) FROM pg_attribute a WHERE attrelid = c.oid AND attnum > 0 AND c.relkind IN ('i', 'I')),
           obj_description(c.oid, 'pg_class')), am, 'x')
    FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid LEFT JOIN pg_tablespace t ON t.oid = c.reltablespace
         LEFT JOIN pg_inherits h ON h.inhrelid = c.oid
   WHERE c.relnamespace = 'ddl'::regnamespace AND c.relname LIKE am || '%' AND c.relkind IN ('r', 'p', 'i', 'I')
$$;
-- Files that an index got since the last look, so that nothing is rebuilt for learned that is kept for btree.
CREATE TABLE files (name text PRIMARY KEY, node oid);
CREATE FUNCTION renewed(am text) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT replace(c.relname, am, 'x') FROM pg_class c JOIN files f ON f.name = c.relname
   WHERE c.relnamespace = 'ddl'::regnamespace AND c.relname LIKE am || '%' AND c.relkind = 'i' AND pg_relation_filenode(c.oid) <> f.node
$$;
-- Rows (id, key) in the order of the key, by the learned index and by a sequential scan of the table.
CREATE FUNCTION content(index regclass, indexed bool) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  q text;
  plan json;
  answer text;
BEGIN
  SELECT format('SELECT %1$s AS x, id FROM %2$s %3$s ORDER BY 1%4$s', pg_get_indexdef(indexrelid, 1, false), indrelid::regclass,
                'WHERE ' || pg_get_expr(indpred, indrelid), CASE WHEN indoption[0] & 1 = 1 THEN ' DESC' END)
    INTO q FROM pg_index WHERE indexrelid = index;
  PERFORM set_config('enable_seqscan', (NOT indexed)::text, true), set_config('enable_sort', (NOT indexed)::text, true),
          set_config('enable_bitmapscan', 'off', true), set_config('enable_indexscan', indexed::text, true);
  EXECUTE 'EXPLAIN (FORMAT JSON) ' || q INTO plan;
  IF indexed AND (plan #>> '{0,Plan,Node Type}' NOT LIKE 'Index%' OR NOT EXISTS (SELECT FROM pg_index JOIN pg_class ON oid = indexrelid
      WHERE relname = plan #>> '{0,Plan,Index Name}' AND indrelid = (SELECT indrelid FROM pg_index WHERE indexrelid = index))) THEN
    RAISE 'not through an index: %', plan;
  END IF;
  EXECUTE 'SELECT format(''%s rows, %s keys, digest %s, %s'', count(*), count(x), sum(hashtextextended(coalesce(x::text, ''''), id)),
      bool_and((x ' || CASE WHEN q LIKE '% DESC' THEN '<=' ELSE '>=' END || ' before) IS NOT FALSE)) FROM (SELECT x, id, lag(x) OVER () AS before FROM (' || q || ') s) s'
    INTO answer;
  RETURN answer;
END $$;
-- One line: what differs, and the numbers of indexes looked at. Nothing may differ.
CREATE FUNCTION compare(OUT differences text, OUT renewed text, OUT indexes int, OUT valid int) LANGUAGE plpgsql AS $$
DECLARE
  i record;
BEGIN
  SELECT string_agg(format('%s: btree %s, learned %s', coalesce(b.name, l.name), b.fact, l.fact), E'\n')
    INTO differences FROM facts('btree') b FULL JOIN facts('learned') l USING (name) WHERE replace(b.fact, 'USING btree', '') IS DISTINCT FROM replace(l.fact, 'USING learned', '')
         AND b.fact IS DISTINCT FROM l.fact;
  SELECT string_agg(r, ' ' ORDER BY r COLLATE "C") INTO renewed FROM renewed('learned') r;
  IF renewed IS DISTINCT FROM (SELECT string_agg(r, ' ' ORDER BY r COLLATE "C") FROM renewed('btree') r) THEN
    differences := concat(differences, ' renewed of btree: ', (SELECT string_agg(r, ' ') FROM renewed('btree') r));
  END IF;
  DELETE FROM files;
  INSERT INTO files SELECT relname, pg_relation_filenode(oid) FROM pg_class WHERE relnamespace = 'ddl'::regnamespace AND relkind = 'i';
  indexes := 0;
  valid := 0;
  FOR i IN SELECT c.oid::regclass AS index, indisvalid FROM pg_class c JOIN pg_am a ON a.oid = c.relam JOIN pg_index x ON x.indexrelid = c.oid
            WHERE amname = 'learned' AND relkind = 'i' AND relnamespace = 'ddl'::regnamespace LOOP
    indexes := indexes + 1;
    CONTINUE WHEN NOT i.indisvalid;
    valid := valid + 1;
    PERFORM learned_index_check(i.index, true);
    IF content(i.index, true) <> content(i.index, false) THEN
      differences := concat(differences, ' ', i.index, ': ', content(i.index, true), ' but ', content(i.index, false));
    END IF;
  END LOOP;
END $$;

-- Plain, partial, expression, descending; built in both ways.
SELECT each('CREATE TABLE {t} (id int, k int8, ts timestamptz, note text) WITH (autovacuum_enabled = off)') \gexec
SELECT each($$INSERT INTO {t} SELECT i, nullif(i * 7919 % 3001, 13), timestamptz '2024-01-01 00:00+00' + i * interval '1 minute', repeat('x', i % 50) FROM generate_series(1, 9000) i$$) \gexec
SELECT each('CREATE INDEX {t}_k ON {t} USING {am} (k)') \gexec
SELECT each('CREATE INDEX CONCURRENTLY {t}_ts ON {t} USING {am} (ts DESC) WITH (fillfactor = 70)') \gexec
SELECT each('CREATE INDEX {t}_half ON {t} USING {am} ((k / 2)) WHERE id % 2 = 0') \gexec
SELECT * FROM compare();

-- Options: set, reset, refused; they take effect on a rebuild.
SELECT each('ALTER INDEX {t}_k SET (fillfactor = 60)') \gexec
SELECT each('ALTER INDEX {t}_ts RESET (fillfactor)') \gexec
SELECT * FROM compare();
CREATE TEMP TABLE sizes AS SELECT relname, pg_relation_size(oid) AS bytes FROM pg_class WHERE relname IN ('learned_k', 'learned_ts');
SELECT each('REINDEX INDEX {t}_k') \gexec
SELECT each('REINDEX INDEX CONCURRENTLY {t}_ts') \gexec
SELECT * FROM compare();
SELECT relname, bytes < pg_relation_size(relname::regclass) AS larger FROM sizes ORDER BY 1;
ALTER INDEX learned_k SET (fillfactor = 49);
ALTER INDEX learned_k SET (fillfactor = 101);
ALTER INDEX learned_k SET (fillfactor = many);
ALTER INDEX learned_k SET (deduplicate_items = off);
ALTER INDEX learned_k SET (pages_per_range = 1);
SELECT * FROM compare();

-- Statistics target of an expression, comment, name, schema-qualified rename of the table's column.
SELECT each('ALTER INDEX {t}_half ALTER COLUMN 1 SET STATISTICS 300') \gexec
SELECT each('COMMENT ON INDEX {t}_k IS ''about {am}''') \gexec
SELECT each('ALTER INDEX {t}_k RENAME TO {t}_key') \gexec
SELECT each('ALTER TABLE {t} RENAME COLUMN k TO kk') \gexec
SELECT * FROM compare();
ANALYZE learned;
SELECT array_length(histogram_bounds, 1) > 200 AS fine FROM pg_stats WHERE tablename = 'learned_half';
SELECT each('ALTER TABLE {t} RENAME COLUMN kk TO k') \gexec
SELECT each('ALTER INDEX {t}_key RENAME TO {t}_k') \gexec

-- Another tablespace: one index, all of a tablespace, by a rebuild, and back.
SELECT each('ALTER INDEX {t}_k SET TABLESPACE regress_elsewhere') \gexec
SELECT * FROM compare();
SELECT each('REINDEX (TABLESPACE regress_elsewhere) INDEX {t}_half') \gexec
SELECT each('REINDEX (TABLESPACE regress_elsewhere, CONCURRENTLY) INDEX {t}_ts') \gexec
SELECT * FROM compare();
ALTER INDEX ALL IN TABLESPACE regress_elsewhere SET TABLESPACE pg_default;
SELECT * FROM compare();

-- The table rewritten: VACUUM FULL, another type, another default; and not rewritten.
SELECT each('DELETE FROM {t} WHERE id % 3 = 0') \gexec
SELECT each('VACUUM FULL {t}') \gexec
SELECT * FROM compare();
SELECT each('ALTER TABLE {t} ALTER ts TYPE timestamp') \gexec
SELECT * FROM compare();
SELECT each('ALTER TABLE {t} ALTER k TYPE int4') \gexec
SELECT * FROM compare();
SELECT each('ALTER TABLE {t} ADD c int DEFAULT 5, ALTER note TYPE varchar') \gexec
SELECT * FROM compare();
\set VERBOSITY sqlstate
ALTER TABLE learned ALTER k TYPE text;
\set VERBOSITY default
SELECT * FROM compare();

-- CLUSTER orders the table by the index, whatever its direction; and says so.
SELECT each('CLUSTER {t} USING {t}_ts') \gexec
SELECT * FROM compare();
SELECT (SELECT array_agg(id ORDER BY ctid) FROM btree) = (SELECT array_agg(id ORDER BY ctid) FROM learned) AS same_order,
       (SELECT array_agg(id ORDER BY ctid) FROM learned) = (SELECT array_agg(id ORDER BY ts DESC) FROM learned) AS by_the_index;
SELECT each('CLUSTER {t} USING {t}_k') \gexec
SELECT * FROM compare();
-- (Rows of equal keys stay in the order in which they were; the NULL keys are last.)
SELECT (SELECT array_agg(k ORDER BY ctid) FROM learned) = (SELECT array_agg(k ORDER BY k) FROM learned) AS by_the_index;
SELECT each('INSERT INTO {t} SELECT id, k - 1000, ts FROM {t} WHERE id < 200') \gexec
SELECT each('CLUSTER {t}') \gexec
SELECT * FROM compare();
SELECT (SELECT array_agg(k ORDER BY ctid) FROM learned) = (SELECT array_agg(k ORDER BY k) FROM learned) AS by_the_index;
CLUSTER btree USING btree_half;
CLUSTER learned USING learned_half;
SELECT each('ALTER TABLE {t} SET WITHOUT CLUSTER') \gexec
SELECT * FROM compare();

-- Logged, unlogged and logged again; TRUNCATE, and undone.
SELECT each('ALTER TABLE {t} SET UNLOGGED') \gexec
SELECT * FROM compare();
SELECT pg_relation_size('learned_k', 'init') > 0 AS has_init_fork;
SELECT each('INSERT INTO {t} SELECT i, -i, timestamp ''2023-01-01'' + i * interval ''1 hour'' FROM generate_series(1, 500) i') \gexec
SELECT each('ALTER TABLE {t} SET LOGGED') \gexec
SELECT * FROM compare();
SELECT pg_relation_size('learned_k', 'init') > 0 AS has_init_fork;
BEGIN;
SELECT each('TRUNCATE {t}') \gexec
SELECT each('INSERT INTO {t} VALUES (1, 1, now())') \gexec
SELECT differences, indexes, valid FROM compare();
ROLLBACK;
SELECT * FROM compare();
SELECT each('TRUNCATE {t}') \gexec
SELECT * FROM compare();
SELECT each($$INSERT INTO {t} SELECT i, i % 100, timestamp '2024-01-01' + i * interval '1 minute' FROM generate_series(1, 2000) i$$) \gexec
SELECT * FROM compare();

-- An expression that fails leaves an invalid index behind: maintained, but not used, until it is rebuilt.
SELECT each('CREATE INDEX CONCURRENTLY {t}_ratio ON {t} USING {am} ((1000 / (id - 7)))') \gexec
SELECT * FROM compare();
SELECT each('REINDEX INDEX {t}_ratio') \gexec
SELECT each('INSERT INTO {t} (id) VALUES (7)') \gexec
SELECT each('UPDATE {t} SET id = 0 WHERE id = 7') \gexec
CALL pg_temp.settle();
SELECT each('REINDEX INDEX {t}_ratio') \gexec
SELECT * FROM compare();
SELECT each('DROP INDEX {t}_ratio') \gexec
-- A concurrent rebuild that fails leaves the old index valid, and the new one behind.
CREATE FUNCTION divided(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN $1 / current_setting('ddl.divisor')::int; END $$;
SET ddl.divisor = 3;
SELECT each('CREATE INDEX {t}_ratio ON {t} USING {am} (ddl.divided(id)) WHERE k > 50') \gexec
SELECT * FROM compare();
SET ddl.divisor = 0;
SELECT each('REINDEX INDEX CONCURRENTLY {t}_ratio') \gexec
SET ddl.divisor = 3;
SELECT * FROM compare();
SELECT relname, indisvalid FROM pg_class JOIN pg_index ON indexrelid = oid WHERE relname LIKE 'learned_ratio%' ORDER BY 1;
SELECT each('DROP INDEX {t}_ratio_ccnew') \gexec
SELECT * FROM compare();
SELECT each('DROP INDEX CONCURRENTLY {t}_ratio') \gexec
SELECT * FROM compare();

-- Partitions: an index for all, for the parent only, of a partition that comes with one, with another, with none.
SELECT each('CREATE TABLE {t}_p (id int, k int8) PARTITION BY RANGE (id)') \gexec
SELECT each('CREATE TABLE {t}_p1 PARTITION OF {t}_p FOR VALUES FROM (0) TO (1000)') \gexec
SELECT each('CREATE TABLE {t}_p2 PARTITION OF {t}_p FOR VALUES FROM (1000) TO (2000)') \gexec
SELECT each('INSERT INTO {t}_p SELECT i, i * 7919 % 2000 FROM generate_series(0, 1999) i') \gexec
SELECT each('CREATE INDEX {t}_p_k ON {t}_p USING {am} (k)') \gexec
SELECT * FROM compare();
SELECT each('CREATE TABLE {t}_p3 (id int, k int8)') \gexec
SELECT each('INSERT INTO {t}_p3 SELECT i, i % 77 FROM generate_series(2000, 2999) i') \gexec
SELECT each('CREATE INDEX {t}_own ON {t}_p3 USING {am} (k)') \gexec
SELECT each('CREATE INDEX {t}_other ON {t}_p3 USING hash (k)') \gexec
SELECT each('ALTER TABLE {t}_p ATTACH PARTITION {t}_p3 FOR VALUES FROM (2000) TO (3000)') \gexec
SELECT * FROM compare();
SELECT each('CREATE TABLE {t}_p4 (id int, k int8)') \gexec
SELECT each('CREATE INDEX {t}_hash ON {t}_p4 USING hash (k)') \gexec
SELECT each('ALTER TABLE {t}_p ATTACH PARTITION {t}_p4 DEFAULT') \gexec
SELECT each('INSERT INTO {t}_p SELECT i, -i FROM generate_series(3000, 3100) i') \gexec
SELECT * FROM compare();
-- Index by index.
SELECT each('CREATE INDEX {t}_p_id ON ONLY {t}_p USING {am} (id DESC)') \gexec
SELECT * FROM compare();
SELECT each('CREATE INDEX CONCURRENTLY {t}_p' || n || '_id ON {t}_p' || n || ' USING {am} (id DESC)') FROM generate_series(1, 4) n \gexec
SELECT each('ALTER INDEX {t}_p_id ATTACH PARTITION {t}_p' || n || '_id') FROM generate_series(1, 3) n \gexec
SELECT * FROM compare();
ALTER INDEX learned_p_id ATTACH PARTITION learned_hash;
\set VERBOSITY terse
ALTER INDEX learned_p_id ATTACH PARTITION learned_own;
\set VERBOSITY default
SELECT each('ALTER INDEX {t}_p_id ATTACH PARTITION {t}_p4_id') \gexec
SELECT * FROM compare();
-- Rebuilt as a whole, a partition detached, an index of a partition not to be dropped alone.
SELECT each('REINDEX TABLE {t}_p') \gexec
SELECT * FROM compare();
SELECT each('REINDEX INDEX CONCURRENTLY {t}_p_k') \gexec
SELECT * FROM compare();
DROP INDEX learned_own;
SELECT each('ALTER TABLE {t}_p DETACH PARTITION {t}_p2') \gexec
SELECT * FROM compare();
SELECT each('ALTER TABLE {t}_p DETACH PARTITION {t}_p4') \gexec
SELECT each('ALTER TABLE {t}_p DETACH PARTITION {t}_p1 CONCURRENTLY') \gexec
SELECT * FROM compare();
SELECT each('DROP INDEX {t}_p_k') \gexec
SELECT * FROM compare();
-- Partitions whose bounds follow the key are read one after the other, without a sort.
CREATE TABLE learned_p5 PARTITION OF learned_p FOR VALUES FROM (3000) TO (4000);
INSERT INTO learned_p SELECT i, i FROM generate_series(3000, 3999) i;
ANALYZE learned_p;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM learned_p ORDER BY id DESC LIMIT 5;
SELECT id FROM learned_p ORDER BY id DESC LIMIT 4 OFFSET 998;
RESET enable_seqscan;
RESET enable_bitmapscan;

DROP FUNCTION each, content, compare;
RESET client_min_messages;
SET client_min_messages = warning;
DROP SCHEMA ddl CASCADE;
DROP TABLESPACE regress_elsewhere;
