-- Every kind of scan against a sequential scan of the same table.
SET client_min_messages = warning;
SET learned_index.enable_aggregates = off; -- rows are to be read: aggregates.sql counts them
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
\getenv tests PG_ABS_SRCDIR
\set settle :tests '/sql/settle.inc'
\i :settle
\set plans :tests '/sql/plans.inc'
\i :plans
SET jit = off;
SET max_parallel_workers_per_gather = 0;

CREATE FUNCTION force_scan(mode text) RETURNS void LANGUAGE sql AS $$
  SELECT set_config('enable_seqscan', (mode IN ('seq', 'any'))::text, false),
         set_config('enable_indexscan', (mode IN ('index', 'any'))::text, false),
         set_config('enable_indexonlyscan', (mode IN ('only', 'any'))::text, false),
         set_config('enable_bitmapscan', (mode IN ('bitmap', 'any'))::text, false);
$$;

-- Rows that a sequential scan finds, and whether each kind of index scan finds the same ones.
CREATE FUNCTION agrees(relation text, condition text,
                       OUT rows bigint, OUT plain boolean, OUT index_only boolean, OUT bitmap boolean)
LANGUAGE plpgsql AS $$
DECLARE
  whole text := format('SELECT coalesce(array_agg(id ORDER BY id), ''{}'') FROM %s WHERE %s', relation, condition);
  keys text := format('SELECT coalesce(array_agg(k ORDER BY k), ''{}'')::text FROM %s WHERE %s', relation, condition);
  whole_rows int[];
  whole_keys text;
  found_rows int[];
  found_keys text;
BEGIN
  PERFORM force_scan('seq');
  EXECUTE whole INTO whole_rows;
  EXECUTE keys INTO whole_keys;
  rows := cardinality(whole_rows);
  PERFORM force_scan('index');
  EXECUTE whole INTO found_rows;
  plain := found_rows = whole_rows;
  PERFORM force_scan('only');
  EXECUTE keys INTO found_keys;
  index_only := found_keys = whole_keys;
  PERFORM force_scan('bitmap');
  EXECUTE whole INTO found_rows;
  bitmap := found_rows = whole_rows;
  PERFORM force_scan('any');
END $$;

-- 4,000 keys in scattered order, five rows each, every fiftieth NULL, and one key 3,000 times.
CREATE TABLE scattered (id int, k int4) WITH (autovacuum_enabled = off);
INSERT INTO scattered
SELECT i, CASE WHEN i % 50 = 0 THEN NULL ELSE (i * 7919) % 4000 END FROM generate_series(1, 20000) i;
INSERT INTO scattered SELECT 20000 + i, 1234 FROM generate_series(1, 3000) i;
CREATE INDEX scattered_k ON scattered USING learned (k);
CALL pg_temp.settle();
VACUUM ANALYZE scattered;

-- The five comparisons and their combinations.
SELECT c AS condition, r.* FROM (VALUES
  ('k < 3'), ('k <= 3'), ('k = 3'), ('k >= 3997'), ('k > 3997'),
  ('k = 1234'), ('k >= 1234 AND k <= 1234'), ('k > 1233 AND k < 1235'),
  ('k BETWEEN 100 AND 199'), ('k > 100 AND k >= 150 AND k < 300 AND k <= 160'),
  ('k >= 0'), ('k <= 3999'), ('k > -1 AND k < 4000'),
  ('k = 3 AND k >= 3'), ('k = 3 AND k = 3')) v(c), agrees('scattered', c) r;

-- Ranges without rows: contradictory, outside, and between two keys.
SELECT c AS condition, r.* FROM (VALUES
  ('k < 5 AND k > 10'), ('k = 3 AND k = 4'), ('k = 3 AND k < 3'), ('k > 3 AND k < 4'),
  ('k < 0'), ('k > 3999'), ('k = -5'), ('k = 2000000000'), ('k >= 2147483647'),
  ('k <= -2147483648'), ('k = 3 AND k IS NULL'), ('k IS NULL AND k IS NOT NULL')) v(c),
  agrees('scattered', c) r;

-- NULLs are stored, and no comparison finds them.
SELECT c AS condition, r.* FROM (VALUES
  ('k IS NULL'), ('k IS NOT NULL'), ('k IS NOT NULL AND k < 10'), ('k IS NULL AND id < 1000'),
  ('k = (SELECT NULL::int4)'), ('k < (SELECT NULL::int4)'), ('k > (SELECT NULL::int8)')) v(c),
  agrees('scattered', c) r;

-- Arrays: duplicates, NULLs, empty, unsorted, cross-type, with further conditions, inequalities.
SELECT c AS condition, r.* FROM (VALUES
  ('k IN (1, 2, 3)'), ('k IN (3, 1, 2, 2, 1, 3, NULL)'), ('k = ANY (''{}''::int4[])'),
  ('k = ANY (''{NULL,NULL}''::int4[])'), ('k = ANY (NULL::int4[])'),
  ('k = ANY (''{7,5,7,-1,99999,5}''::int4[])'),
  ('k = ANY (''{7,5,8589934592,-9223372036854775808}''::int8[])'),
  ('k = ANY (''{7,5,-32768}''::int2[])'), ('k = ANY (''{{1,2},{3,4}}''::int4[])'),
  ('k IN (1, 2, 3) AND k > 1'), ('k IN (1, 2, 3) AND k IN (2, 3, 4)'), ('k IN (1, 2) AND k IN (3, 4)'),
  ('k = ANY (ARRAY(SELECT generate_series(0, 8000, 2)))'),
  ('k < ANY (''{3,10,NULL,5}''::int4[])'), ('k <= ANY (''{3,10,5}''::int4[])'),
  ('k > ANY (''{3997,3990}''::int4[])'), ('k >= ANY (''{3997,NULL,3990}''::int8[])'),
  ('k > ANY (''{}''::int4[])'), ('k < ANY (''{NULL}''::int4[])'),
  ('k < ANY (''{20,10}''::int4[]) AND k > ANY (''{12,30}''::int4[])')) v(c), agrees('scattered', c) r;

-- Thousands of elements in random order, most of them absent, with duplicates.
SELECT r.* FROM agrees('scattered',
  'k = ANY (ARRAY(SELECT (i * 31) % 90000 - 2000 FROM generate_series(1, 12000) i))') r;

-- Constants of the other integer types, beyond the range of the key's type too.
SELECT c AS condition, r.* FROM (VALUES
  ('k = 77::int2'), ('k = 77::int8'), ('k < 10::int8'), ('k >= 3990::int2'),
  ('k < 99999999999::int8'), ('k > 99999999999::int8'), ('k = 4294967296::int8'),
  ('k >= (-9223372036854775808)::int8'), ('k > 3990::int2 AND k < 3995::int8'),
  ('k > (-32768)::int2 AND k <= 2::int2')) v(c), agrees('scattered', c) r;

-- Order: forward, backward, limits; the plan is an ordered index-only scan without a sort.
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT k FROM scattered ORDER BY k LIMIT 5;
EXPLAIN (COSTS OFF) SELECT k FROM scattered ORDER BY k DESC LIMIT 5;
SELECT array_agg(k) FROM (SELECT k FROM scattered ORDER BY k LIMIT 12) s;
SELECT array_agg(k) FROM (SELECT k FROM scattered ORDER BY k DESC NULLS FIRST OFFSET 398 LIMIT 8) s;
SELECT array_agg(k) FROM (SELECT k FROM scattered WHERE k < 100 ORDER BY k DESC LIMIT 12) s;
SELECT array_agg(k) FROM (SELECT k FROM scattered ORDER BY k OFFSET 22594 LIMIT 12) s;
SELECT array_agg(k) FROM (SELECT k FROM scattered WHERE k IN (9, 3, 3998, 3) ORDER BY k) s;
SELECT array_agg(k) FROM (SELECT k FROM scattered WHERE k IN (9, 3, 3998, 3) ORDER BY k DESC) s;

-- The whole index both ways: never out of order, every row once.
SELECT count(*), count(k), bool_and(k >= previous IS NOT FALSE) AS ascending
  FROM (SELECT k, lag(k) OVER (ORDER BY k) AS previous FROM scattered) s;
SELECT count(*), count(k), bool_and(k <= previous IS NOT FALSE) AS descending
  FROM (SELECT k, lag(k) OVER (ORDER BY k DESC) AS previous FROM scattered) s;

-- MIN and MAX.
-- A plan. Up to version 16 it says what an InitPlan returns to.
SELECT pg_temp.plan_of('SELECT min(k), max(k) FROM scattered');
SELECT min(k), max(k) FROM scattered;
SELECT min(k), max(k) FROM scattered WHERE k > 100 AND k < 200;
SELECT min(k), max(k) FROM scattered WHERE k > 5000;

-- ASC and DESC with NULLS FIRST and LAST: each order comes from the index, read forward or backward.
CREATE TABLE placed (d text, k int4) WITH (autovacuum_enabled = off);
CREATE FUNCTION placement(definition text) RETURNS TABLE (query text, plan text, keys int4[])
LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  TRUNCATE placed;
  INSERT INTO placed (k) SELECT NULLIF(i, 3) FROM generate_series(5, 1, -1) i;
  EXECUTE 'CREATE INDEX placed_k ON placed USING learned (k ' || definition || ')';
  FOREACH query IN ARRAY '{ASC NULLS LAST,ASC NULLS FIRST,DESC NULLS LAST,DESC NULLS FIRST}'::text[] LOOP
    plan := '';
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) SELECT k FROM placed ORDER BY k ' || query LOOP
      plan := CASE WHEN plan = '' THEN btrim(line) ELSE plan END;
    END LOOP;
    EXECUTE 'SELECT array_agg(k) FROM (SELECT k FROM placed ORDER BY k ' || query || ') s' INTO keys;
    RETURN NEXT;
  END LOOP;
  DROP INDEX placed_k;
END $$;
SELECT d AS definition, p.* FROM (VALUES ('ASC'), ('ASC NULLS FIRST'), ('DESC NULLS LAST'), ('DESC')) v(d),
  placement(d) p;

-- Conditions under a descending index.
CREATE TABLE falling (id int, k int4) WITH (autovacuum_enabled = off);
INSERT INTO falling SELECT id, k FROM scattered;
CREATE INDEX falling_k ON falling USING learned (k DESC NULLS LAST);
CALL pg_temp.settle();
VACUUM ANALYZE falling;
SELECT c AS condition, r.* FROM (VALUES
  ('k < 3'), ('k <= 3'), ('k = 1234'), ('k >= 3997'), ('k > 3997'), ('k BETWEEN 100 AND 199'),
  ('k IS NULL'), ('k IS NOT NULL'), ('k IN (3, 2, 2, NULL)'), ('k < ANY (''{3,10}''::int4[])')) v(c),
  agrees('falling', c) r;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT array_agg(k) FROM (SELECT k FROM falling WHERE k <= 50 ORDER BY k DESC LIMIT 7) s;
SELECT array_agg(k) FROM (SELECT k FROM falling WHERE k >= 50 ORDER BY k LIMIT 7) s;

-- Cursors that change direction, within a page and over many pages; key = 2 * place.
CREATE TABLE even (k int8) WITH (autovacuum_enabled = off);
INSERT INTO even SELECT 2 * i FROM generate_series(1, 30000) i;
CREATE INDEX even_k ON even USING learned (k);
CALL pg_temp.settle();
VACUUM ANALYZE even;
BEGIN;
DECLARE up SCROLL CURSOR FOR SELECT k FROM even ORDER BY k;
FETCH 2 FROM up;
FETCH BACKWARD 1 FROM up;
FETCH BACKWARD 2 FROM up;
FETCH FORWARD 1 FROM up;
MOVE FORWARD 19999 IN up;
FETCH 2 FROM up;
FETCH BACKWARD 3 FROM up;
MOVE BACKWARD 15000 IN up;
FETCH RELATIVE 0 FROM up;
FETCH LAST FROM up;
FETCH NEXT FROM up;
FETCH PRIOR FROM up;
FETCH PRIOR FROM up;
FETCH FIRST FROM up;
FETCH ABSOLUTE 29999 FROM up;
FETCH ABSOLUTE -30000 FROM up;
CLOSE up;
DECLARE down SCROLL CURSOR FOR SELECT k FROM even WHERE k > 100 AND k < 50000 ORDER BY k DESC;
FETCH 2 FROM down;
MOVE FORWARD ALL IN down;
FETCH BACKWARD 2 FROM down;
FETCH FORWARD 3 FROM down;
MOVE BACKWARD ALL IN down;
FETCH FORWARD 1 FROM down;
CLOSE down;
DECLARE listed SCROLL CURSOR FOR SELECT k FROM even WHERE k = ANY ('{60000,2,40000,3,2,20000}') ORDER BY k;
FETCH ALL FROM listed;
FETCH BACKWARD 2 FROM listed;
FETCH FORWARD 2 FROM listed;
FETCH BACKWARD ALL FROM listed;
COMMIT;
-- A cursor does not see what its own transaction does later, and survives a page split.
BEGIN;
DECLARE stable SCROLL CURSOR FOR SELECT k FROM even WHERE k <= 4000 ORDER BY k;
FETCH 1 FROM stable;
INSERT INTO even SELECT 2 * i + 1 FROM generate_series(1, 5000) i;
DELETE FROM even WHERE k = 10;
MOVE FORWARD ALL IN stable;
FETCH BACKWARD 1 FROM stable;
FETCH ABSOLUTE 5 FROM stable;
ROLLBACK;

-- Merge join over duplicates: the inner side is marked and restored.
CREATE TABLE pairs (id int, k int4) WITH (autovacuum_enabled = off);
INSERT INTO pairs SELECT i, i / 6 FROM generate_series(1, 6000) i;
CREATE INDEX pairs_k ON pairs USING learned (k);
CALL pg_temp.settle();
VACUUM ANALYZE pairs;
SET enable_hashjoin = off;
SET enable_nestloop = off;
SET enable_sort = off;
SET enable_material = off;
EXPLAIN (COSTS OFF) SELECT count(*), sum(a.k) FROM pairs a JOIN scattered b ON a.k = b.k;
SELECT count(*), sum(a.k) FROM pairs a JOIN scattered b ON a.k = b.k;
EXPLAIN (COSTS OFF) SELECT count(*), sum(a.id * b.id % 7) FROM pairs a JOIN pairs b ON a.k = b.k;
SELECT count(*), sum(a.id * b.id % 7) FROM pairs a JOIN pairs b ON a.k = b.k;
RESET enable_sort;
RESET enable_material;
SET enable_mergejoin = off;
SET enable_hashjoin = on;
SET enable_indexscan = off;
SET enable_indexonlyscan = off;
SET enable_seqscan = on;
SELECT count(*), sum(a.k) FROM pairs a JOIN scattered b ON a.k = b.k;
SELECT count(*), sum(a.id * b.id % 7) FROM pairs a JOIN pairs b ON a.k = b.k;
RESET ALL;
SET jit = off;
SET max_parallel_workers_per_gather = 0;

-- Nested loop: the index is read once for each outer row, NULLs on the outer side included.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF)
SELECT o.x, count(b.k) FROM (VALUES (5), (1234), (NULL), (-7), (5)) o(x) LEFT JOIN scattered b ON b.k = o.x GROUP BY o.x ORDER BY o.x;
SELECT o.x, count(b.k) FROM (VALUES (5), (1234), (NULL), (-7), (5)) o(x) LEFT JOIN scattered b ON b.k = o.x GROUP BY o.x ORDER BY o.x;
SELECT o.x, (SELECT k FROM even WHERE k <= o.x ORDER BY k DESC LIMIT 1) AS below,
       (SELECT k FROM even WHERE k > o.x ORDER BY k LIMIT 1) AS above
  FROM (VALUES (1), (2), (3), (29999), (60000), (70000)) o(x) ORDER BY x;

-- Bitmaps of several conditions.
SET enable_indexscan = off;
SET enable_indexonlyscan = off;
SET enable_bitmapscan = on;
-- (Two equalities would become one condition with an array from version 18 on.)
EXPLAIN (COSTS OFF) SELECT count(*) FROM scattered WHERE k = 5 OR k > 3990 OR k IS NULL;
SELECT count(*) FROM scattered WHERE k = 5 OR k > 3990 OR k IS NULL;
SELECT count(*) FROM scattered WHERE k = 5 OR k = 1234 OR k IS NULL;
RESET ALL;
SET jit = off;

-- An empty index, and one with NULLs only.
CREATE TABLE bare (id int, k int4) WITH (autovacuum_enabled = off);
CREATE INDEX bare_k ON bare USING learned (k);
SELECT c AS condition, r.* FROM (VALUES ('k = 1'), ('k > 0'), ('k IS NULL'), ('k IS NOT NULL'), ('k IN (1, 2)')) v(c),
  agrees('bare', c) r;
INSERT INTO bare SELECT i, NULL FROM generate_series(1, 3000) i;
SELECT c AS condition, r.* FROM (VALUES ('k = 1'), ('k > 0'), ('k IS NULL'), ('k IS NOT NULL'), ('k IN (1, 2)')) v(c),
  agrees('bare', c) r;
SELECT min(k), max(k) FROM bare;

SELECT learned_index_check(c.oid, true) FROM pg_class c JOIN pg_am a ON a.oid = c.relam
 WHERE a.amname = 'learned' AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname;
DROP TABLE scattered, placed, falling, even, pairs, bare;
DROP FUNCTION force_scan, agrees, placement;
