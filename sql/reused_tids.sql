-- Of few keys, a row may take the place of one that VACUUM has removed, and have its key: the leaf then has two entries of one position, one of them
-- removed. Whatever goes on from positions must not come between the two.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
\getenv tests PG_ABS_SRCDIR
\set settle :tests '/sql/settle.inc'
\i :settle
\set plans :tests '/sql/plans.inc'
\i :plans
SET max_parallel_workers_per_gather = 0;
CREATE TABLE few (g int, n int) WITH (autovacuum_enabled = off);
INSERT INTO few SELECT i % 3, i FROM generate_series(1, 1200) i;
CREATE INDEX few_g ON few USING learned (g);
-- In the leaf one removed entry, and a new one, of each; and some of them next to one another.
DELETE FROM few WHERE g = 1 AND (n % 41 = 7 OR n BETWEEN 700 AND 730);
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) few;
INSERT INTO few SELECT 1, -i FROM generate_series(1, 39) i;
ANALYZE few;

-- Each row by its number, and the one behind.
CREATE FUNCTION wrong_offsets(direction text) RETURNS TABLE (wrong bigint, counted bigint) LANGUAGE plpgsql AS $$
DECLARE
  expected text[];
  query text;
  found text;
BEGIN
  wrong := 0;
  counted := 0;
  EXECUTE format('SELECT array_agg(g || ''|'' || ctid ORDER BY g %s, ctid %s) FROM few', direction, direction) INTO expected;
  FOR n IN 201 .. cardinality(expected) - 1 LOOP
    query := format('SELECT g, n, ctid FROM few ORDER BY g %s OFFSET %s LIMIT 2', direction, n);
    EXECUTE format('SELECT string_agg(g || ''|'' || ctid, '' '') FROM (%s) q', query) INTO found;
    wrong := wrong + (found IS DISTINCT FROM array_to_string(expected[n + 1:n + 2], ' '))::int;
    counted := counted + (SELECT count(*) FROM pg_temp.plan_of(query) line WHERE line LIKE '%LearnedOffset%');
  END LOOP;
  RETURN NEXT;
END $$;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_sort = off;
SET cpu_index_tuple_cost = 10;
SELECT * FROM wrong_offsets('');
SELECT * FROM wrong_offsets('DESC');

-- To and fro (a cursor), marks (a merge join), counts and samples of the same leaf, beside what the table says.
CREATE FUNCTION wrong_steps(direction text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  steps refcursor;
  expected tid[];
  found tid;
  wrong bigint := 0;
  at int := 0;
  way int;
BEGIN
  EXECUTE format('SELECT array_agg(ctid ORDER BY g %s, ctid %s) FROM few', direction, direction) INTO expected;
  OPEN steps SCROLL FOR EXECUTE format('SELECT ctid FROM few ORDER BY g %s', direction);
  -- Three on, two back, to the end and beyond; then the same from there.
  FOR i IN 1 .. 10 * cardinality(expected) + 100 LOOP
    way := CASE WHEN (i % 5 < 3) = (i <= 5 * cardinality(expected) + 50) THEN 1 ELSE -1 END;
    IF way = 1 THEN FETCH FORWARD FROM steps INTO found; ELSE FETCH BACKWARD FROM steps INTO found; END IF;
    at := LEAST(GREATEST(at + way, 0), cardinality(expected) + 1);
    IF found IS DISTINCT FROM expected[at] THEN wrong := wrong + 1; END IF;
  END LOOP;
  CLOSE steps;
  RETURN wrong;
END $$;
CREATE FUNCTION answer(query text, plan_has text, settings text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  setting text;
  line text;
  plan text := '';
  found text;
BEGIN
  FOREACH setting IN ARRAY settings LOOP PERFORM set_config(split_part(setting, '=', 1), split_part(setting, '=', 2), true); END LOOP;
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP plan := plan || line || ' '; END LOOP;
  EXECUTE query INTO found;
  FOREACH setting IN ARRAY settings LOOP PERFORM set_config(split_part(setting, '=', 1), CASE split_part(setting, '=', 2) WHEN 'on' THEN 'off' ELSE 'on' END, true); END LOOP;
  RETURN CASE WHEN plan LIKE plan_has THEN found ELSE plan END;
END $$;
CREATE FUNCTION right_answers() RETURNS TABLE (plan text, is_right text) LANGUAGE plpgsql AS $$
DECLARE
  by_table text[] := '{enable_seqscan=on,enable_indexscan=off,enable_indexonlyscan=off,enable_mergejoin=off,enable_sort=on,learned_index.enable_aggregates=off}';
  query text;
  found text;
  expected text;
BEGIN
  FOR plan, query IN VALUES
    ('%Merge Join%Index Scan%Index Scan%', 'SELECT count(*) || '' '' || sum(a.n * b.n) FROM few a JOIN few b USING (g) WHERE a.n % 10 = 7'),
    ('%LearnedAggregate%', 'SELECT string_agg(d.g || '':'' || d.rows, '' '' ORDER BY d.g) FROM (SELECT g, count(*) AS rows FROM few GROUP BY g) d'),
    ('%LearnedAggregate%', 'SELECT percentile_disc(0.4) WITHIN GROUP (ORDER BY g) || '' '' || percentile_disc(0.7) WITHIN GROUP (ORDER BY g) FROM few')
  LOOP
    found := answer(query, plan, '{enable_hashjoin=off,enable_nestloop=off,enable_material=off,enable_hashagg=off}');
    expected := answer(query, '%Seq Scan%', by_table);
    is_right := CASE WHEN found = expected THEN 'right' ELSE format('%s, not %s', found, expected) END;
    RETURN NEXT;
  END LOOP;
  plan := 'sample';
  SELECT CASE WHEN count(*) = (SELECT count(*) FROM few) AND count(DISTINCT row) = count(*) AND bool_and(row IN (SELECT ctid FROM few)) THEN 'right' ELSE count(*) || ' rows' END
    INTO is_right FROM learned_index_sample('few_g', 10000) row;
  RETURN NEXT;
END $$;
SELECT wrong_steps(''), wrong_steps('DESC');
SELECT * FROM right_answers();
-- Dead to all, and killed by a scan: that hides no other row, not even one that has the same place later on.
DELETE FROM few WHERE n < 0 AND n % 2 = 0;
CALL pg_temp.settle();
SELECT wrong_steps(''), wrong_steps('DESC');
SELECT * FROM right_answers();
VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) few;
INSERT INTO few SELECT 1, -i FROM generate_series(101, 119) i;
SELECT wrong_steps(''), wrong_steps('DESC');
SELECT * FROM right_answers();
SELECT pg_relation_size('few') / current_setting('block_size')::int AS blocks, delta_entries, dead_entries FROM learned_index_stats('few_g');
RESET cpu_index_tuple_cost;

-- A parallel scan of a leaf of many entries is cut into pieces of 4,096, from either end: pairs lie at the border, be it an even number or an odd one.
CREATE TABLE many (g int, n int) WITH (autovacuum_enabled = off, parallel_workers = 2);
CREATE INDEX many_g ON many USING learned (g);
SET learned_index.enable_aggregates = off;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET cpu_tuple_cost = 1;
SET min_parallel_index_scan_size = 0;
CREATE FUNCTION pieces(direction text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  query text := format('SELECT n FROM many WHERE g > 0 AND g < 2 ORDER BY g %s', direction);
  found text;
  expected text;
BEGIN
  SET LOCAL max_parallel_workers_per_gather = 2;
  IF NOT EXISTS (SELECT FROM pg_temp.plan_of(query) line WHERE line LIKE '%Parallel Index Scan%') THEN RETURN 'not parallel'; END IF;
  EXECUTE format('SELECT concat_ws('' '', count(*), count(DISTINCT n), sum(n)) FROM (%s) q', query) INTO found;
  SET LOCAL max_parallel_workers_per_gather = 0;
  SET LOCAL enable_seqscan = on;
  SET LOCAL enable_indexscan = off;
  SET LOCAL enable_indexonlyscan = off;
  SELECT concat_ws(' ', count(*), count(DISTINCT n), sum(n)) INTO expected FROM many WHERE g = 1;
  RETURN CASE found WHEN expected THEN 'right' ELSE format('%s, not %s', found, expected) END;
END $$;
SELECT unnest(array[
    'TRUNCATE many', 'INSERT INTO many SELECT 1, i FROM generate_series(1, 9000) i', 'REINDEX TABLE many',
    format('DELETE FROM many WHERE n BETWEEN %s AND %s + 19', first, first), 'CALL pg_temp.settle()', 'VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) many',
    'INSERT INTO many SELECT 1, -i FROM generate_series(1, 20) i', 'ANALYZE many', format('SELECT pieces(%L)', direction)])
  FROM (VALUES (4085, ''), (4086, ''), (4890, 'DESC'), (4891, 'DESC')) border (first, direction)
\gexec

SELECT learned_index_check('few_g', true), learned_index_check('many_g', true);
DROP TABLE few, many;
DROP FUNCTION wrong_offsets, pieces;
