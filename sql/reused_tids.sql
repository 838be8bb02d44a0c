-- Of few keys, a row may take the place of one that VACUUM has removed, and have its key: the leaf then has two entries of one position, one of them
-- removed. Whatever goes on from positions must not come between the two.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
\getenv tests PG_ABS_SRCDIR
\set settle :tests '/sql/settle.inc'
\i :settle
SET max_parallel_workers_per_gather = 0;
CREATE TABLE few (g int, n int) WITH (autovacuum_enabled = off);
INSERT INTO few SELECT i % 3, i FROM generate_series(1, 1200) i;
CREATE INDEX few_g ON few USING learned (g);
-- In the leaf one removed entry, and a new one, of each; and some of them next to one another.
DELETE FROM few WHERE g = 1 AND (n % 41 = 7 OR n BETWEEN 700 AND 730);
SELECT count(*) AS left_over FROM few;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) few;
INSERT INTO few SELECT 1, -i FROM generate_series(1, 39) i;
SELECT pg_relation_size('few') / current_setting('block_size')::int AS blocks, count(*) FROM few;
ANALYZE few;

-- Each row by its number, and those behind.
CREATE FUNCTION wrong_offsets(direction text) RETURNS TABLE (wrong bigint, counted bigint) LANGUAGE plpgsql AS $$
DECLARE
  expected text[];
  query text;
  found text;
  plan text;
BEGIN
  wrong := 0;
  counted := 0;
  EXECUTE format('SELECT array_agg(g || ''|'' || ctid ORDER BY g %s, ctid %s) FROM few', direction, direction) INTO expected;
  FOR n IN 201 .. cardinality(expected) - 1 LOOP
    query := format('SELECT g, n, ctid FROM few ORDER BY g %s OFFSET %s LIMIT 2', direction, n);
    EXECUTE format('SELECT string_agg(g || ''|'' || ctid, '' '') FROM (%s) q', query) INTO found;
    IF found IS DISTINCT FROM array_to_string(expected[n + 1:n + 2], ' ') THEN wrong := wrong + 1; END IF;
    FOR plan IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP counted := counted + (plan LIKE '%LearnedOffset%')::int; END LOOP;
  END LOOP;
  RETURN NEXT;
END $$;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_sort = off;
SET cpu_index_tuple_cost = 10;
SELECT * FROM wrong_offsets('');
SELECT * FROM wrong_offsets('DESC');
RESET cpu_index_tuple_cost;

-- A parallel scan of a leaf of many entries is cut into pieces of 4,096: such pairs lie at the border, whichever it is.
CREATE TABLE many (g int, n int) WITH (autovacuum_enabled = off, parallel_workers = 2);
CREATE INDEX many_g ON many USING learned (g);
CREATE FUNCTION wrong_pieces(direction text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  expected text;
  found text;
  line text;
  plan text := '';
BEGIN
  EXECUTE 'SELECT count(*) || '' '' || count(DISTINCT n) || '' '' || sum(n) FROM many WHERE g = 1' INTO expected;
  SET LOCAL enable_seqscan = off;
  SET LOCAL enable_bitmapscan = off;
  SET LOCAL enable_sort = off;
  SET LOCAL enable_incremental_sort = off;
  SET LOCAL learned_index.enable_aggregates = off;
  SET LOCAL parallel_setup_cost = 0;
  SET LOCAL cpu_tuple_cost = 1;
  SET LOCAL parallel_tuple_cost = 0;
  SET LOCAL min_parallel_index_scan_size = 0;
  SET LOCAL min_parallel_table_scan_size = 0;
  SET LOCAL max_parallel_workers_per_gather = 2;
  EXECUTE format('SELECT count(*) || '' '' || count(DISTINCT n) || '' '' || sum(n) FROM (SELECT n FROM many WHERE g > 0 AND g < 2 ORDER BY g %s) q', direction) INTO found;
  FOR line IN EXECUTE format('EXPLAIN (COSTS OFF) SELECT n FROM many WHERE g > 0 AND g < 2 ORDER BY g %s', direction) LOOP plan := plan || line; END LOOP;
  RETURN CASE WHEN plan NOT LIKE '%Parallel Index Scan%' THEN plan WHEN found = expected THEN 'right' ELSE format('%s, not %s', found, expected) END;
END $$;
CREATE PROCEDURE fill_many(first int) LANGUAGE plpgsql AS $$
BEGIN
  TRUNCATE many;
  INSERT INTO many SELECT 1, i FROM generate_series(1, 9000) i;
  REINDEX TABLE many;
  DELETE FROM many WHERE n BETWEEN first AND first + 19;
END $$;
CALL fill_many(4085);
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) many;
INSERT INTO many SELECT 1, -i FROM generate_series(1, 20) i;
ANALYZE many;
SELECT wrong_pieces('');
CALL fill_many(4086);
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) many;
INSERT INTO many SELECT 1, -i FROM generate_series(1, 20) i;
ANALYZE many;
SELECT wrong_pieces('');
CALL fill_many(4890);
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) many;
INSERT INTO many SELECT 1, -i FROM generate_series(1, 20) i;
ANALYZE many;
SELECT wrong_pieces('DESC');
CALL fill_many(4891);
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) many;
INSERT INTO many SELECT 1, -i FROM generate_series(1, 20) i;
ANALYZE many;
SELECT wrong_pieces('DESC');

SELECT learned_index_check('few_g', true), learned_index_check('many_g', true);
DROP TABLE few, many;
DROP FUNCTION wrong_offsets, wrong_pieces;
DROP PROCEDURE fill_many;
