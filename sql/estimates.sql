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

CREATE FUNCTION estimate(query text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
  RETURN plan #>> '{0,Plan,Plan Rows}';
END $$;
CREATE FUNCTION actual(query text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
  n float8;
BEGIN
  EXECUTE 'SELECT count(*) FROM (' || query || ') q' INTO n;
  RETURN n;
END $$;
-- How many times too many or too few; no rows are estimated as one.
CREATE FUNCTION misses(query text) RETURNS float8 LANGUAGE sql AS
$$ SELECT greatest(e / greatest(a, 1), greatest(a, 1) / e) FROM estimate(query) e, actual(query) a $$;

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
      INSERT INTO results SELECT shape.n, percent, lower, condition, beyond, misses('SELECT FROM grown WHERE ' || condition);
    END LOOP;
  END LOOP;
  DROP INDEX grown_k;
  UPDATE results r SET without = misses('SELECT FROM grown WHERE ' || r.condition) WHERE r.without IS NULL;
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
SELECT type, index, percent, lower, condition, r.misses, without FROM results r JOIN shapes USING (n) WHERE r.misses > 1.5;
