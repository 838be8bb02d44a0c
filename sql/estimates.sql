-- The planner's estimates for ranges on a table that has grown since its last ANALYZE: how many rows lie beyond the histogram, and where, is
-- asked of the index. The judge is the number of rows.
SET client_min_messages = warning;
SET learned_index.enable_aggregates = off; -- rows are to be read: aggregates.sql counts them
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
SET max_parallel_workers_per_gather = 0;
SET timezone = 'UTC';
\getenv tests PG_ABS_SRCDIR
\set settle :tests '/sql/settle.inc'
\i :settle
\set plans :tests '/sql/plans.inc'
\i :plans

-- 10,000 rows are known, numbered from 1 on, and 2,000 to 30,000 have come since, at one end. Ranges are given by numbers.
CREATE TABLE shapes (n serial, type text, value text, index text);
INSERT INTO shapes (type, value, index) VALUES
  ('int4', 'i * 3', '(k)'), ('int8', 'i::int8 * 1000000007', '(k DESC)'), ('int2', '(i / 10)::int2', '(k)'),
  ('timestamptz', 'timestamptz ''2024-01-01'' + i * interval ''1 minute''', '(k)'),
  ('timestamptz', 'timestamptz ''2024-01-01'' + i * interval ''1 minute''', '(k DESC NULLS LAST, o)'),
  ('timestamptz', 'timestamptz ''2024-01-01'' + i * interval ''1 minute''', '(k NULLS FIRST) INCLUDE (o)'),
  ('timestamp', 'timestamp ''2024-01-01'' + i * abs(i) * interval ''1 second''', '(k, o)'),
  ('date', 'date ''2024-01-01'' + i / 7', '(k DESC NULLS LAST)'),
  ('date', 'date ''2024-01-01'' + i / 7', '(k, o DESC)'),
  ('float8', '(i + 20000)::float8 ^ 3', '(k DESC, o)'), ('money', '(i * 0.37)::numeric::money', '(k)'),
  ('uuid', 'lpad(to_hex(i + 50000), 12, ''0'') :: text || md5(i::text)', '(k)');
CREATE TABLE results (n int, percent int, lower bool, condition text, beyond bool, misses float8, without float8);
CREATE PROCEDURE grow(shape shapes, percent int, lower bool) LANGUAGE plpgsql AS $$
DECLARE
  old int := 10000;
  new int := 100 * percent;
  value text := CASE WHEN shape.type = 'uuid' THEN format('substr(%s, 1, 32)::uuid', shape.value) ELSE shape.value END;
  -- Numbers in ascending order: those that came, in between, and those that were.
  first_new int := CASE WHEN lower THEN 1 - new ELSE old + 1 END;
  bounds int[];
  condition text;
  beyond bool;
  bound int;
BEGIN
  EXECUTE format('CREATE TABLE grown (k %s, o int) WITH (autovacuum_enabled = off)', shape.type);
  EXECUTE format('INSERT INTO grown SELECT %s, i FROM generate_series(1, %s) i', value, old);
  ANALYZE grown;
  EXECUTE format('CREATE INDEX grown_k ON grown USING learned %s', shape.index);
  EXECUTE format('INSERT INTO grown SELECT %s, i FROM generate_series(%s, %s) i', value, first_new, first_new + new - 1);
  FOREACH beyond IN ARRAY '{f,t}'::bool[] LOOP
    bounds := CASE WHEN beyond THEN array[first_new + new / 10, first_new + new / 3, first_new + new * 9 / 10] ELSE '{1000,4000,9000}' END;
    FOR i IN 1..4 LOOP
      bound := bounds[i];
      EXECUTE format(CASE i WHEN 4 THEN
          'SELECT format(%1$L, a, b) FROM (SELECT %2$s AS a FROM (SELECT %3$s AS i) q) p, (SELECT %2$s AS b FROM (SELECT %4$s AS i) q) r'
        ELSE 'SELECT format(%1$L, a) FROM (SELECT %2$s AS a FROM (SELECT %3$s AS i) q) p' END,
        CASE WHEN i = 4 THEN 'k BETWEEN %L AND %L' WHEN (i + lower::int) % 2 = 1 THEN 'k > %L' ELSE 'k <= %L' END, value,
        CASE i WHEN 4 THEN bounds[2] ELSE bound END, bounds[2] + CASE WHEN beyond THEN new / 20 ELSE old / 20 END) INTO condition;
      INSERT INTO results SELECT shape.n, percent, lower, condition, beyond, pg_temp.misses('SELECT FROM grown WHERE ' || condition);
    END LOOP;
  END LOOP;
  DROP INDEX grown_k;
  UPDATE results r SET without = pg_temp.misses('SELECT FROM grown WHERE ' || r.condition) WHERE r.without IS NULL;
  DROP TABLE grown;
END $$;
DO $$
DECLARE
  shape shapes;
  percent int;
BEGIN
  FOR shape IN SELECT * FROM shapes WHERE type <> 'int2' ORDER BY n LOOP
    FOREACH percent IN ARRAY '{20,100,300}'::int[] LOOP
      CALL grow(shape, percent, false);
      CALL grow(shape, percent, true);
    END LOOP;
  END LOOP;
  SELECT * INTO shape FROM shapes WHERE type = 'int2';
  CALL grow(shape, 100, false);
END $$;
-- Within the ranges that the statistics are of, and beyond. (Without an index that knows, hardly any rows are expected there.)
SELECT type, index, bool_and(r.misses <= 1.5) FILTER (WHERE NOT beyond) AS inside, bool_and(r.misses <= 1.5) FILTER (WHERE beyond) AS beyond,
       bool_or(r.without > 10) AS otherwise_not
  FROM results r JOIN shapes USING (n) GROUP BY n, type, index ORDER BY n;
DROP PROCEDURE grow;
DROP TABLE results, shapes;

-- Common values and NULLs keep their number of rows; so do what is between them. A common value may be the greatest that is known.
CREATE TABLE mixed (k int, o int) WITH (autovacuum_enabled = off);
INSERT INTO mixed SELECT CASE i % 10 WHEN 0 THEN NULL WHEN 1 THEN 500 WHEN 2 THEN 500 WHEN 3 THEN 20000 ELSE i END, i FROM generate_series(1, 10000) i;
ANALYZE mixed;
CREATE INDEX mixed_k ON mixed USING learned (k, o);
INSERT INTO mixed SELECT 20000 + i, i FROM generate_series(1, 20000) i;
CREATE TABLE conditions (condition text);
INSERT INTO conditions VALUES ('k IS NULL'), ('k = 500 AND k IS NOT NULL'), ('k = 20000 AND k > 0'), ('k < 500'), ('k > 500'), ('k <= 20000'), ('k >= 20000'),
  ('k > 20000'), ('k > 25000'), ('k > 39000'), ('k BETWEEN 400 AND 600'), ('k BETWEEN 29000 AND 31000'), ('k > 40000'), ('NOT k > 30000'),
  ('k > 35000 OR k < 100'), ('k NOT BETWEEN 1000 AND 39000');
SELECT condition, pg_temp.misses('SELECT FROM mixed WHERE ' || condition) <= 1.5 AS near FROM conditions;
DROP INDEX mixed_k;
CREATE INDEX mixed_k ON mixed USING learned (k);
SELECT condition, pg_temp.misses('SELECT FROM mixed WHERE ' || condition) <= 1.5 AS near FROM conditions;
-- Infinite values, and what is no number, are at an end, but do not hide what comes before them; nor do they go.
CREATE TABLE endless (n serial, type text, value text, infinite text);
INSERT INTO endless (type, value, infinite) VALUES ('timestamptz', 'timestamptz ''2024-01-01'' + i * interval ''1 minute''', '{infinity,-infinity}'), ('date', 'date ''2024-01-01'' + i / 7', '{infinity}'),
  ('timestamp', 'timestamp ''2024-01-01'' + i * interval ''1 minute''', '{-infinity}'), ('float8', 'i * 1.5', '{NaN,infinity,-infinity}'), ('float4', 'i', '{NaN}');
CREATE TABLE results (n int, index text, often int, upper bool, condition text, misses float8);
DO $$
DECLARE
  e endless;
  columns text;
  often int;
  upper bool;
  bound int;
  value text;
BEGIN
  FOR e IN SELECT * FROM endless ORDER BY n LOOP
    FOREACH columns IN ARRAY '{k,k DESC NULLS LAST,"k, o","k DESC, o"}'::text[] LOOP
      FOREACH often IN ARRAY '{1,600}'::int[] LOOP
        FOREACH upper IN ARRAY '{f,t}'::bool[] LOOP
          EXECUTE format('CREATE TABLE grown (k %s, o int) WITH (autovacuum_enabled = off)', e.type);
          EXECUTE format('INSERT INTO grown SELECT %s, i FROM generate_series(1, 10000) i', e.value);
          EXECUTE format('INSERT INTO grown SELECT v::%s, i FROM generate_series(1, %s) i, unnest(%L::text[]) v', e.type, often, e.infinite);
          EXECUTE format('CREATE INDEX grown_k ON grown USING learned (%s)', columns);
          ANALYZE grown;
          EXECUTE format('INSERT INTO grown SELECT %s, i FROM generate_series(%s, %s) i', e.value, CASE WHEN upper THEN 10001 ELSE -19999 END, CASE WHEN upper THEN 30000 ELSE 0 END);
          FOREACH bound IN ARRAY CASE WHEN upper THEN '{5000,12000,20000,29000}' ELSE '{-19000,-10000,-2000,5000}'::int[] END LOOP
            EXECUTE format('SELECT %s FROM (SELECT %s AS i) q', e.value, bound) INTO value;
            INSERT INTO results SELECT e.n, columns, often, upper, c, pg_temp.misses('SELECT FROM grown WHERE ' || c)
              FROM unnest('{>,<=}'::text[]) o, format('k %s %L::%s', o, value, e.type) c;
          END LOOP;
          DROP TABLE grown;
        END LOOP;
      END LOOP;
    END LOOP;
  END LOOP;
END $$;
SELECT type, index, often, upper, bool_and(misses <= 1.5) AS near FROM results JOIN endless USING (n) GROUP BY endless.n, type, index, often, upper HAVING NOT bool_and(misses <= 1.5) ORDER BY endless.n, index, often, upper;
DROP TABLE results, endless;
-- Nothing but common values: there was no histogram.
CREATE TABLE days (day date) WITH (autovacuum_enabled = off);
INSERT INTO days SELECT date '2024-01-01' + i / 400 FROM generate_series(0, 9999) i;
ANALYZE days;
SELECT histogram_bounds IS NULL AS no_histogram FROM pg_stats WHERE tablename = 'days';
CREATE INDEX days_day ON days USING learned (day DESC);
INSERT INTO days SELECT date '2024-01-01' + i / 400 FROM generate_series(-4000, 29999) i WHERE i NOT BETWEEN 0 AND 9999;
SELECT bound, pg_temp.misses(format('SELECT FROM days WHERE day > %L', bound)) <= 1.5 AND pg_temp.misses(format('SELECT FROM days WHERE day <= %L', bound)) <= 1.5 AS near
  FROM unnest('{2023-12-25,2024-01-10,2024-01-25,2024-01-28,2024-02-20,2024-03-10}'::date[]) bound;
-- All rows are new but two; and there are many more bounds than by default.
CREATE TABLE young (k int8) WITH (autovacuum_enabled = off);
INSERT INTO young VALUES (1), (2);
INSERT INTO young SELECT FROM generate_series(1, 300);
ANALYZE young;
CREATE INDEX young_k ON young USING learned (k);
INSERT INTO young SELECT i * 10 FROM generate_series(1, 50000) i;
SELECT bound, pg_temp.misses(format('SELECT FROM young WHERE k > %s', bound)) <= 1.5 AS near FROM unnest('{5, 1000, 100000, 400000, 490000}'::int[]) bound;
ALTER TABLE young ALTER k SET STATISTICS 3000;
ANALYZE young;
INSERT INTO young SELECT 500000 + i * 10 FROM generate_series(1, 50000) i;
SELECT bound, pg_temp.misses(format('SELECT FROM young WHERE k > %s', bound)) <= 1.5 AS near FROM unnest('{5, 100000, 490000, 500000, 700000, 990000, 999900}'::int[]) bound;

-- After ANALYZE there is nothing to add: all is as with a btree.
ANALYZE mixed;
CREATE TEMP TABLE as_learned AS SELECT condition, pg_temp.estimate('SELECT FROM mixed WHERE ' || condition) AS rows FROM conditions;
DROP INDEX mixed_k;
CREATE INDEX mixed_k ON mixed USING btree (k);
SELECT bool_and(rows = pg_temp.estimate('SELECT FROM mixed WHERE ' || condition)) AS same FROM as_learned;

-- What a session knows is of one moment: other rows, with or without more blocks, other statistics, another index.
CREATE TABLE window_of (k int8, pad text) WITH (autovacuum_enabled = off);
INSERT INTO window_of SELECT i, 'x' FROM generate_series(1, 20000) i;
VACUUM ANALYZE window_of;
CREATE INDEX window_of_k ON window_of USING learned (k);
CREATE FUNCTION near(VARIADIC bounds int[]) RETURNS bool LANGUAGE sql AS
$$ SELECT bool_and(pg_temp.misses(format('SELECT FROM window_of WHERE k > %s', bound)) <= 1.5) FROM unnest(bounds) bound $$;
SELECT near(0, 10000, 19000, 21000) AS near;
INSERT INTO window_of SELECT i, 'x' FROM generate_series(20001, 25000) i;
SELECT near(0, 10000, 19000, 21000, 24500, 26000) AS near;
DO $$
BEGIN
  FOR i IN 1..5 LOOP
    INSERT INTO window_of SELECT i * 5000 + 20000 + j, 'x' FROM generate_series(1, 5000) j;
    IF NOT near(0, 19000, 21000, i * 5000 + 21000, i * 5000 + 24000) THEN RAISE WARNING 'not near in round %', i; END IF;
  END LOOP;
END $$;
ANALYZE window_of;
SELECT near(0, 10000, 19000, 30000, 49000) AS near;
-- The space of rows that were deleted is used again: neither the table nor the index grows.
CALL pg_temp.settle();
DELETE FROM window_of WHERE k <= 20000;
CALL pg_temp.settle();
VACUUM window_of;
SELECT pg_temp.estimate('SELECT FROM window_of WHERE k > 55000') < 100 AS few;
SELECT pg_relation_size('window_of') AS size \gset
INSERT INTO window_of SELECT i, 'x' FROM generate_series(50001, 65000) i;
SELECT pg_relation_size('window_of') = :size AS same_size, near(48000, 51000, 55000, 64000, 66000) AS near;
-- Rows that are dead do not count, be they deleted or never committed; those do that others may yet commit.
CALL pg_temp.settle();
DELETE FROM window_of WHERE k > 55000;
CALL pg_temp.settle();
SELECT near(52000, 57000) AS near;
INSERT INTO window_of SELECT i, 'x' FROM generate_series(55001, 70000) i;
SELECT near(52000, 57000, 65000) AS near;
BEGIN;
INSERT INTO window_of SELECT i, 'x' FROM generate_series(70001, 99000) i;
SELECT near(57000, 71000, 98000) AS near;
ROLLBACK;
CALL pg_temp.settle();
SELECT pg_temp.estimate('SELECT FROM window_of WHERE k > 72000') < 100 AS few;
REINDEX INDEX window_of_k;
SELECT near(65000, 72000) AS near;
TRUNCATE window_of;
INSERT INTO window_of SELECT i, 'x' FROM generate_series(100001, 120000) i;
SELECT near(101000, 110000, 119000) AS near;

-- Partitions, heirs, views, subqueries, parameters: each table has its own.
CREATE TABLE parts (k int8, o int) PARTITION BY RANGE (k);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10000) WITH (autovacuum_enabled = off);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (10000) TO (100000) WITH (autovacuum_enabled = off);
INSERT INTO parts SELECT i, i FROM generate_series(1, 15000) i;
ANALYZE parts;
CREATE INDEX ON parts USING learned (k);
INSERT INTO parts SELECT i, i FROM generate_series(15001, 40000) i;
CREATE TABLE elder (k int8, o int) WITH (autovacuum_enabled = off);
CREATE TABLE heir () INHERITS (elder) WITH (autovacuum_enabled = off);
INSERT INTO elder SELECT i, i FROM generate_series(1, 10000) i;
INSERT INTO heir SELECT i, i FROM generate_series(1, 10000) i;
ANALYZE elder, heir;
CREATE INDEX ON elder USING learned (k);
CREATE INDEX ON heir USING learned (k);
INSERT INTO heir SELECT i, i FROM generate_series(10001, 30000) i;
CREATE VIEW seen AS SELECT k, o FROM heir WHERE o > 0;
SELECT query, pg_temp.misses(query) <= 1.5 AS near FROM unnest(array[
  'SELECT FROM parts WHERE k > 5000', 'SELECT FROM parts WHERE k > 14000', 'SELECT FROM parts WHERE k > 20000', 'SELECT FROM parts WHERE k > 39000',
  'SELECT FROM elder WHERE k > 5000', 'SELECT FROM elder WHERE k > 20000', 'SELECT FROM ONLY elder WHERE k > 5000', 'SELECT FROM heir WHERE k > 29000',
  'SELECT FROM seen WHERE k > 20000', 'SELECT FROM (SELECT k FROM heir OFFSET 0) s WHERE k > 20000',
  'SELECT FROM heir a JOIN heir b USING (k) WHERE a.k > 20000',
  'SELECT FROM heir WHERE k > (SELECT 20000) AND k > 20000']) query;
PREPARE later(int8) AS SELECT FROM heir WHERE k > $1;
SELECT pg_temp.estimate('EXECUTE later(20000)') BETWEEN 7000 AND 13000 AS near;
-- Merge joins end where one side ends: here neither does.
SET enable_hashjoin = off;
SET enable_nestloop = off;
SET enable_sort = off;
SELECT pg_temp.misses('SELECT FROM heir a JOIN parts_2 b USING (k)') <= 2 AS near;
EXPLAIN (COSTS OFF) SELECT * FROM heir a JOIN parts_2 b USING (k);
SELECT count(*), sum(k) FROM heir a JOIN parts_2 b USING (k);
RESET enable_hashjoin;
RESET enable_nestloop;
RESET enable_sort;

-- Who may not see all rows gives them to no function that is not leakproof.
CREATE FUNCTION tell(int8, int8) RETURNS bool LANGUAGE plpgsql IMMUTABLE COST 0.0001 AS
$$ BEGIN RAISE EXCEPTION 'told'; END $$;
CREATE OPERATOR <<< (FUNCTION = tell, LEFTARG = int8, RIGHTARG = int8, RESTRICT = scalarltsel);
ALTER TABLE heir ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON heir USING (k < 0);
EXPLAIN (COSTS OFF) SELECT k FROM heir WHERE k <<< 12;
CREATE ROLE estimates_reader;
GRANT SELECT ON heir TO estimates_reader;
SET ROLE estimates_reader;
EXPLAIN (COSTS OFF) SELECT k FROM heir WHERE k <<< 12;
RESET ROLE;
DROP OPERATOR <<< (int8, int8);
DROP FUNCTION tell;

-- An index of a part of the rows, or one that is not valid, says nothing.
CREATE TABLE other (k int8, o int) WITH (autovacuum_enabled = off);
INSERT INTO other SELECT i, i FROM generate_series(1, 10000) i;
ANALYZE other;
CREATE INDEX other_part ON other USING learned (k) WHERE o > 0;
CREATE INDEX other_second ON other USING learned (o, k);
INSERT INTO other SELECT i, i FROM generate_series(10001, 40000) i;
SELECT pg_temp.misses('SELECT FROM other WHERE k > 25000') > 10 AS not_known, pg_temp.misses('SELECT FROM other WHERE o > 25000') <= 1.5 AS known;

-- What the server makes of the table's blocks is not how many rows there are, and what the statistics know of may be gone. Estimates within the
-- old range get worse by no more than a factor of two, and a little, beyond the judge being the rows, as the server (with a btree) has them.
CREATE TABLE judged (n serial, name text, condition text, actual float8, learned float8, btree float8);
CREATE PROCEDURE begin_changed(rows int, value text, pad int) LANGUAGE plpgsql AS $$
BEGIN
  DROP TABLE IF EXISTS changed;
  CREATE TABLE changed (k int8, o int DEFAULT 1, pad text) WITH (autovacuum_enabled = off);
  EXECUTE format('INSERT INTO changed SELECT %s, 1, repeat(''x'', %s) FROM generate_series(1, %s) i', value, pad, rows);
  CREATE INDEX changed_k ON changed USING learned (k);
END $$;
-- (What the server knows of the number of rows stays as it is.)
CREATE PROCEDURE judge(name text, VARIADIC bounds int[]) LANGUAGE plpgsql AS $$
DECLARE
  known pg_class;
BEGIN
  INSERT INTO judged (name, condition)
    SELECT judge.name, condition FROM unnest(bounds) WITH ORDINALITY b(bound, n), unnest(array[format('k > %s', bound), format('k <= %s', bound),
      format('k = %s AND o > 0', bound), format('k BETWEEN %s AND %s', bound, bounds[n + 1])]) condition WHERE n < array_length(bounds, 1);
  UPDATE judged j SET learned = pg_temp.estimate('SELECT FROM changed WHERE ' || condition), actual = pg_temp.actual('SELECT FROM changed WHERE ' || condition)
   WHERE j.name = judge.name;
  SELECT * INTO known FROM pg_class WHERE oid = 'changed'::regclass;
  DROP INDEX changed_k;
  CREATE INDEX changed_k ON changed USING btree (k);
  UPDATE pg_class SET reltuples = known.reltuples, relpages = known.relpages WHERE oid = known.oid;
  UPDATE judged j SET btree = pg_temp.estimate('SELECT FROM changed WHERE ' || condition) WHERE j.name = judge.name;
END $$;
-- Rows have become narrower.
CALL begin_changed(10000, 'i', 1000);
VACUUM ANALYZE changed;
INSERT INTO changed SELECT i, 1, '' FROM generate_series(10001, 100000) i;
CALL judge('narrower', 1000, 5000, 9000, 20000, 50000, 99000);
-- ANALYZE saw a table of which most was dead.
CALL begin_changed(50000, 'i', 0);
CALL pg_temp.settle();
DELETE FROM changed WHERE k % 10 <> 0;
CALL pg_temp.settle();
ANALYZE changed;
VACUUM changed;
INSERT INTO changed SELECT i, 1, '' FROM generate_series(50001, 150000) i;
CALL judge('once dead', 5000, 40000, 60000, 100000, 149000);
-- A queue: most of what was known is gone. The space is used again, or not yet.
CALL begin_changed(50000, 'i', 0);
VACUUM ANALYZE changed;
CALL pg_temp.settle();
DELETE FROM changed WHERE k <= 45000;
CALL pg_temp.settle();
VACUUM changed;
INSERT INTO changed SELECT i, 1, '' FROM generate_series(50001, 95000) i;
CALL judge('queue', 10000, 46000, 49000, 60000, 90000, 94000);
CALL begin_changed(50000, 'i', 0);
VACUUM ANALYZE changed;
CALL pg_temp.settle();
DELETE FROM changed WHERE k <= 45000;
CALL pg_temp.settle();
INSERT INTO changed SELECT i, 1, '' FROM generate_series(50001, 95000) i;
CALL judge('queue, not vacuumed', 10000, 46000, 49000, 60000, 90000, 94000);
-- The same of common values: those that are gone are no longer common.
CALL begin_changed(39999, 'i / 500', 0);
VACUUM ANALYZE changed;
CALL pg_temp.settle();
DELETE FROM changed WHERE k < 60;
CALL pg_temp.settle();
VACUUM changed;
INSERT INTO changed SELECT 80 + i / 500, 1, '' FROM generate_series(0, 29999) i;
SELECT attname, n_distinct, array_length(most_common_freqs, 1) AS common FROM pg_stats WHERE tablename = 'changed' AND attname = 'k';
CALL judge('days', 20, 61, 70, 80, 81, 100, 130);
-- New values, each of them rare, beyond common ones: their number counts as well.
CALL begin_changed(20000, 'i % 4', 0);
VACUUM ANALYZE changed;
INSERT INTO changed SELECT 10 + i, 1, '' FROM generate_series(1, 4000) i;
CALL judge('unique behind common', 1, 3, 15, 500, 3000, 4000);
CALL begin_changed(20000, 'i % 4', 0);
VACUUM ANALYZE changed;
INSERT INTO changed SELECT 10 + i % 50, 1, '' FROM generate_series(1, 50000) i;
CALL judge('many behind few', 1, 3, 15, 20, 40, 59);
SELECT name, count(*) > 15 AS enough, bool_and(l <= 2.2 * b OR l <= 1.5) AS as_near, avg(ln(l)) < 0.7 * avg(ln(b)) AS mostly_nearer,
       string_agg(format('%s: %s rows, estimates %s and %s', condition, actual, learned, btree), E'\n' ORDER BY n) FILTER (WHERE l > 2.2 * b AND l > 1.5) AS worse
  FROM judged, greatest(greatest(learned, 1) / greatest(actual, 1), greatest(actual, 1) / greatest(learned, 1)) l,
       greatest(greatest(btree, 1) / greatest(actual, 1), greatest(actual, 1) / greatest(btree, 1)) b
 GROUP BY name ORDER BY min(n);
DROP PROCEDURE begin_changed, judge;
DROP TABLE changed, judged;
-- Very many bins: those that are new are as many as their rows demand.
CREATE TABLE fine (k int8) WITH (autovacuum_enabled = off);
INSERT INTO fine SELECT i FROM generate_series(1, 12000) i;
ALTER TABLE fine ALTER k SET STATISTICS 10000;
ANALYZE fine;
CREATE INDEX fine_k ON fine USING learned (k);
INSERT INTO fine SELECT i FROM generate_series(12001, 72000) i;
SELECT bound, pg_temp.misses(format('SELECT FROM fine WHERE k > %s', bound)) <= 1.2 AND pg_temp.misses(format('SELECT FROM fine WHERE k <= %s', bound)) <= 1.2 AS near
  FROM unnest('{3000, 9000, 12000, 30000, 60000, 71000}'::int[]) bound;
DROP TABLE fine;

-- One statement of a client may write, commit and roll back. (The space of what was deleted is used again: the table stays as large.)
CREATE TABLE looped (k int8, pad text) WITH (autovacuum_enabled = off);
INSERT INTO looped SELECT i, 'x' FROM generate_series(1, 60000) i;
CALL pg_temp.settle();
DELETE FROM looped WHERE k > 20000;
CREATE INDEX looped_k ON looped USING learned (k);
CALL pg_temp.settle();
VACUUM (TRUNCATE off) looped;
ANALYZE looped;
DO $$
DECLARE
  query text := 'SELECT FROM looped WHERE k > 30000';
BEGIN
  BEGIN
    INSERT INTO looped SELECT i, 'x' FROM generate_series(20001, 60000) i;
    RAISE NOTICE 'inserted: %', pg_temp.estimate(query) > 5000;
    RAISE EXCEPTION 'no';
  EXCEPTION WHEN raise_exception THEN
    RAISE NOTICE 'rolled back in part: %', pg_temp.estimate(query) < 100;
  END;
  INSERT INTO looped SELECT i, 'x' FROM generate_series(20001, 60000) i;
  RAISE NOTICE 'inserted: %', pg_temp.estimate(query) > 5000;
  ROLLBACK;
  RAISE NOTICE 'rolled back: %', pg_temp.estimate(query) < 100;
  INSERT INTO looped SELECT i, 'x' FROM generate_series(20001, 50000) i;
  COMMIT;
  RAISE NOTICE 'committed: %', pg_temp.estimate(query) > 5000;
END $$;
DROP TABLE looped;

DROP VIEW seen;
DROP TABLE mixed, conditions, as_learned, days, young, window_of, parts, elder, heir, other;
DROP FUNCTION near;
DROP ROLE estimates_reader;

-- Other kinds of index on the column ask for its statistics in ways of their own (brin with a variable that has nothing in it).
CREATE TABLE kinds AS SELECT i::int8 AS k, i AS v FROM generate_series(1, 20000) i;
CREATE INDEX kinds_learned ON kinds USING learned (k);
VACUUM ANALYZE kinds;
CREATE INDEX kinds_brin ON kinds USING brin (k);
CREATE INDEX kinds_hash ON kinds USING hash (k);
CREATE INDEX kinds_btree ON kinds USING btree (k);
CREATE INDEX kinds_gist ON kinds USING gist (int8range(k, k + 1));
SELECT sum(v) FROM kinds WHERE k >= 1000 AND k < 3000;
SELECT sum(v) FROM kinds WHERE k = 1000;
INSERT INTO kinds SELECT i, i FROM generate_series(20001, 60000) i;
SELECT sum(v) FROM kinds WHERE k >= 50000 AND k < 53000;
SELECT sum(v) FROM kinds WHERE k = 55000 OR int8range(k, k + 1) @> 7::int8;
DROP TABLE kinds;
