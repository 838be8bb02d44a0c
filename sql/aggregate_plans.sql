-- Counting without reading rows: which queries the planner has a learned index count, and that their answers are those of a sequential scan.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
CREATE SCHEMA aggregates;
SET search_path = aggregates, public;
\getenv tests PG_ABS_SRCDIR
\set counting :tests '/sql/counting.inc'
\i :counting
RESET cpu_tuple_cost;
RESET cpu_index_tuple_cost;
SET learned_index.enable_groups = off;
SET timezone = 'Europe/Berlin';
SET extra_float_digits = 0;

-- A tenth of the rows is NULL in `maybe`; the last tenth of the blocks is not all-visible, and a part of its rows is not visible.
CREATE TABLE events (id int8 NOT NULL, device int4, kind int2, ts timestamptz NOT NULL, maybe int4, o oid, f float8, flag bool, u uuid, day date, note text)
  WITH (autovacuum_enabled = off);
INSERT INTO events SELECT i, (i * 7919) % 300 - 150, i % 5, timestamptz '2024-03-01' + i * interval '2 min',
    CASE WHEN i % 10 <> 0 THEN (i * 31) % 1000 - 500 END, 4294967295 - (i * 13) % 5000, CASE i % 4 WHEN 0 THEN -0.0 WHEN 1 THEN 0.0 ELSE i % 50 END, i % 3 = 0,
    md5((i % 40)::text)::uuid, date '2024-01-01' + (i / 97)::int, 'n' || i % 7
  FROM generate_series(1, 40000) i;
CREATE INDEX events_id ON events USING learned (id);
CREATE INDEX events_device_ts ON events USING learned (device, ts) INCLUDE (kind);
CREATE INDEX events_ts ON events USING learned (ts DESC);
CREATE INDEX events_maybe ON events USING learned (maybe);
CREATE INDEX events_o ON events USING learned (o);
CREATE INDEX events_f ON events USING learned (f);
CREATE INDEX events_flag_kind ON events USING learned (flag, kind DESC, maybe NULLS FIRST);
CREATE INDEX events_u ON events USING learned (u);
CREATE INDEX events_day ON events USING learned (day DESC NULLS LAST);
CREATE INDEX events_expression ON events USING learned ((id % 64));
CREATE INDEX events_kind2 ON events USING learned (id) WHERE kind = 2 AND note = 'n3';
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON, ANALYZE) events;
DELETE FROM events WHERE id > 36000 AND id % 3 = 0;
UPDATE events SET maybe = NULL WHERE id > 38000 AND id % 7 = 1;
UPDATE events SET note = 'changed' WHERE id > 38000 AND id % 7 = 2;
BEGIN;
INSERT INTO events SELECT 100000 + i, i, 1, '2025-01-01', i, i, i, true, NULL, NULL, 'never' FROM generate_series(1, 100) i;
ROLLBACK;

EXPLAIN (COSTS OFF) SELECT count(*) FROM events;
EXPLAIN (COSTS OFF) SELECT count(*) FROM events WHERE id BETWEEN 1000 AND 20000;
EXPLAIN (COSTS OFF, VERBOSE) SELECT count(maybe) + 1, count(*), min(maybe), max(maybe), sum(maybe), avg(maybe) FROM events WHERE maybe > -400;
EXPLAIN (COSTS OFF) SELECT device, count(*) FROM events GROUP BY device ORDER BY device LIMIT 10;
EXPLAIN (COSTS OFF, VERBOSE) SELECT date_trunc('day', ts), count(*) FROM events GROUP BY 1 HAVING count(*) > 3;
EXPLAIN (COSTS OFF) SELECT DISTINCT maybe FROM events;

CREATE FUNCTION compare(queries text[]) RETURNS TABLE (plan text, same bool, query text) LANGUAGE sql AS $$
  SELECT CASE WHEN a LIKE 'true%' THEN 'counts' ELSE 'other' END || CASE WHEN b LIKE 'true%' THEN ' (though it is off)' ELSE '' END, substr(a, position(' ' in a)) = substr(b, position(' ' in b)), query
    FROM (SELECT n, query, answer(query, true) AS a, answer(query, false) AS b FROM unnest(queries) WITH ORDINALITY q(query, n)) r ORDER BY n
$$;

SET enable_bitmapscan = off;
SET enable_indexonlyscan = off;
\pset format unaligned
-- Counted.
SELECT * FROM compare(ARRAY[
  -- Everything, ranges, lists, NULLs.
  'SELECT count(*) FROM events',
  'SELECT count(*) + 1 FROM events WHERE id > 35000',
  'SELECT count(*) FROM events WHERE id BETWEEN 100 AND 39000',
  'SELECT count(*) FROM events WHERE device = ANY (ARRAY[1, 5, 7, -150, 149, 99999])',
  'SELECT count(*) FROM events WHERE maybe > 20000',
  'SELECT count(*) FROM events WHERE id > 10 AND id < 5',
  'SELECT count(1), count(''x''), count(id), count(ts) FROM events WHERE id < 39990',
  'SELECT count(maybe) FROM events',
  'SELECT count(*), count(maybe) FROM events WHERE maybe IS NULL',
  'SELECT count(*) FROM events WHERE maybe IS NOT NULL',
  'SELECT count(*), count(kind), count(device) FROM events WHERE device < 10',
  'SELECT count(*) FROM events WHERE device = 7 AND ts >= ''2024-04-01''',
  'SELECT count(*) FROM events WHERE device BETWEEN -20 AND 20 AND ts >= ''2024-04-20'' AND ts < ''2024-04-22''',
  'SELECT count(*) FROM events WHERE device IN (1, 2, 3, 140) AND ts < ''2024-04-20''',
  'SELECT count(*) FROM events WHERE flag',
  'SELECT count(*) FROM events WHERE NOT flag AND kind IN (1, 3) AND maybe IS NULL',
  'SELECT count(*), count(u) FROM events WHERE u > ''80000000-0000-0000-0000-000000000000''',
  'SELECT count(f) FROM events WHERE f = 0',
  'SELECT count(*) FROM events WHERE id % 64 = 3',
  'SELECT count(*) FROM events WHERE kind = 2 AND note = ''n3'' AND id > 500',
  'SELECT count(*) FROM events WHERE ts > now() - interval ''100 years''',
  'SELECT count(*) FROM events WHERE id > 100 AND id > 200.0::int8 AND id >= 200',
  -- Other measures.
  'SELECT count(*), min(id), max(id), sum(id), avg(id) FROM events WHERE id BETWEEN 35000 AND 39999',
  'SELECT count(*), min(maybe), max(maybe), sum(maybe), avg(maybe) FROM events',
  'SELECT sum(maybe), avg(maybe), min(maybe) FROM events WHERE maybe IS NULL',
  'SELECT sum(maybe) FROM events WHERE maybe > 10000',
  'SELECT sum(kind), avg(kind), count(kind) FROM events WHERE device IN (3, 9)',
  'SELECT count(*), min(ts), max(ts) - min(ts) FROM events WHERE ts > ''2024-03-10''',
  'SELECT count(*), min(day), max(day) FROM events WHERE day >= ''2024-02-10''',
  'SELECT count(*), min(o), max(o) FROM events',
  -- Groups, in the orders of indexes and others.
  'SELECT maybe, count(*) FROM events GROUP BY maybe',
  'SELECT maybe, count(*), sum(maybe) FROM events WHERE maybe > -100 GROUP BY maybe',
  'SELECT device, count(*), max(ts), min(ts) FROM events GROUP BY device',
  'SELECT device, sum(kind) FROM events WHERE device IN (1, 5, 148, 500) GROUP BY device',
  'SELECT flag, kind, count(*), count(maybe), min(maybe), max(maybe), avg(maybe) FROM events GROUP BY kind, flag',
  'SELECT kind, count(*) FROM events WHERE flag GROUP BY kind',
  'SELECT kind, maybe, count(*) FROM events WHERE flag = false GROUP BY maybe, kind HAVING count(*) > 2',
  'SELECT u, count(*) FROM events GROUP BY u',
  'SELECT day, count(*) FROM events GROUP BY day',
  'SELECT o, count(*) FROM events WHERE o < 4294963000 GROUP BY o',
  'SELECT id % 64, count(*) FROM events GROUP BY id % 64',
  'SELECT device FROM events GROUP BY device',
  'SELECT DISTINCT maybe FROM events',
  'SELECT DISTINCT kind, flag FROM events',
  'SELECT count(*) FROM (SELECT device FROM events GROUP BY device) d',
  'SELECT maybe, count(*) FROM events GROUP BY maybe ORDER BY maybe',
  'SELECT maybe, count(*) FROM events GROUP BY maybe ORDER BY maybe DESC NULLS LAST',
  'SELECT day, count(*) FROM events GROUP BY day ORDER BY day',
  'SELECT day, count(*) FROM events GROUP BY day ORDER BY day NULLS FIRST',
  'SELECT day, count(*) FROM events GROUP BY day ORDER BY day DESC',
  'SELECT day, count(*) FROM events GROUP BY day ORDER BY day DESC NULLS LAST',
  'SELECT device, count(*) FROM events WHERE device IN (100, -3, 5, 8) GROUP BY device ORDER BY device',
  'SELECT kind, flag, count(*) FROM events GROUP BY kind, flag ORDER BY flag, kind DESC',
  'SELECT kind, flag, count(*) FROM events GROUP BY kind, flag ORDER BY kind, flag',
  'SELECT kind, flag, maybe, count(*) FROM events WHERE kind IN (1, 4) AND maybe < 0 GROUP BY kind, flag, maybe ORDER BY flag, kind DESC, maybe NULLS FIRST',
  'SELECT flag, kind, count(*) FROM events WHERE kind = 3 GROUP BY kind, flag ORDER BY flag',
  -- Buckets.
  'SELECT date_trunc(''hour'', ts), count(*) FROM events WHERE ts < ''2024-04-02'' GROUP BY 1',
  'SELECT date_trunc(''day'', ts), count(*), min(ts), max(ts) FROM events GROUP BY 1',
  'SELECT date_trunc(''week'', ts) AS week, count(*) FROM events GROUP BY week HAVING count(*) > 100 AND max(ts) < ''2024-04-25''',
  'SELECT date_bin(''6 hours'', ts, ''2024-01-01''), count(*) FROM events GROUP BY 1',
  'SELECT ts::date, count(*) FROM events GROUP BY 1',
  'SELECT date_trunc(''month'', ts)::date, count(*) FROM events GROUP BY 1',
  'SELECT id / 1000, count(*), sum(id) FROM events GROUP BY 1',
  'SELECT maybe / 100, count(*), sum(maybe), count(maybe) FROM events GROUP BY 1',
  'SELECT width_bucket(id, 0, 40000, 20), count(*) FROM events GROUP BY 1',
  'SELECT width_bucket(id, 40000, 0, 20), count(*) FROM events GROUP BY 1',
  'SELECT width_bucket(maybe, -300, 300, 6), count(*) FROM events GROUP BY 1',
  'SELECT device, date_trunc(''day'', ts), count(*) FROM events WHERE device BETWEEN 1 AND 3 GROUP BY 1, 2',
  'SELECT date_trunc(''day'', ts), count(*) FROM events WHERE device = 17 GROUP BY 1',
  -- HAVING, and what is above.
  'SELECT device, count(*) FROM events GROUP BY device HAVING count(*) > 130 AND min(ts) < ''2024-03-02''',
  'SELECT 1 FROM events HAVING count(*) > 5',
  'SELECT 1 FROM events HAVING count(*) < 5',
  'SELECT device, count(*) * 2 AS twice, random() < 2 FROM events GROUP BY device ORDER BY count(*), device LIMIT 5',
  'SELECT kind, count(*) FROM events WHERE flag GROUP BY kind HAVING count(*) > (SELECT count(*) / 20 FROM events WHERE id < 1000)',
  'SELECT device, count(*), rank() OVER (ORDER BY count(*), device) FROM events GROUP BY device',
  'SELECT DISTINCT count(*) FROM events GROUP BY device',
  'SELECT g, (SELECT count(*) FROM events WHERE id BETWEEN g AND g * 2) FROM generate_series(1000, 30000, 1000) g',
  'SELECT g, s.* FROM generate_series(-100, 100, 50) g, LATERAL (SELECT count(*), max(ts) FROM events WHERE device = g AND ts < ''2024-04-01'') s',
  'SELECT * FROM (SELECT maybe, count(*) AS n FROM events GROUP BY maybe) m JOIN generate_series(1, 20) g ON g = m.maybe'
]);

-- Not counted: what needs rows, or an order or filter of them, and what an index does not decide.
SELECT * FROM compare(ARRAY[
  'SELECT count(*) FROM events WHERE note = ''n3''',
  'SELECT count(*) FROM events WHERE id > 100 AND note = ''n3''',
  'SELECT count(*) FROM events WHERE id + 1 > 100',
  'SELECT count(*) FROM events WHERE id > 100 OR device = 3',
  'SELECT count(*) FROM events WHERE id <> 3',
  'SELECT count(*) FROM events WHERE id > 100 AND random() < 2',
  'SELECT count(*) FROM events WHERE id > random()',
  'SELECT count(*) FROM events WHERE (id, maybe) > (100, 3)',
  'SELECT count(*) FROM events WHERE (device, ts) > (100, ''2024-03-03'')',
  'SELECT count(*) FROM events WHERE u IS NOT NULL AND f > 3',
  'SELECT count(note) FROM events',
  'SELECT count(kind) FROM events WHERE id > 100',
  'SELECT count(maybe + 1) FROM events',
  'SELECT count(*) FILTER (WHERE flag) FROM events WHERE id > 100',
  'SELECT count(DISTINCT maybe), count(DISTINCT maybe / 2) FROM events',
  'SELECT count(id ORDER BY ts), count(*) FROM events',
  'SELECT sum(DISTINCT maybe + 1), count(*) FROM events',
  'SELECT min(maybe), max(maybe) FROM events',
  'SELECT sum(f) FROM events WHERE f > 30',
  'SELECT count(*), min(f) FROM events WHERE f > 30',
  'SELECT count(*), sum(id::numeric) FROM events WHERE id > 30',
  'SELECT count(*), stddev(id) FROM events WHERE id > 30',
  'SELECT f, count(*) FROM events GROUP BY f',
  'SELECT ts, count(*) FROM events WHERE device < 3 GROUP BY ts',
  'SELECT device, kind, count(*) FROM events GROUP BY device, kind',
  'SELECT count(*) FROM events TABLESAMPLE BERNOULLI (100) WHERE id > 100',
  'SELECT device, count(*) FROM events GROUP BY ROLLUP (device)',
  'SELECT device, count(*) FROM events GROUP BY GROUPING SETS ((device), ())',
  'SELECT count(*) OVER () FROM events WHERE id > 39900',
  'SELECT device, generate_series(1, 2), count(*) FROM events GROUP BY device',
  'SELECT count(*) FROM events WHERE current_setting(''jit'') = ''off'' AND id > 5',
  'SELECT count(*) FROM events a JOIN events b USING (id)',
  'SELECT count(*) FROM (SELECT id FROM events WHERE id > 100 OFFSET 3) s',
  'SELECT count(*) FROM (SELECT id FROM events WHERE id > 39000 FOR UPDATE) s',
  'SELECT (SELECT count(e.id) FROM (VALUES (1)) v(x)) FROM events e WHERE id > 39900 GROUP BY id',
  -- Monotone but in another type, or not at all.
  'SELECT sum(o::int4) FROM events WHERE o > 5',
  'SELECT count(*), sum(o::int4), avg(o::int4) FROM events',
  'SELECT o::int4 / 10, count(*) FROM events GROUP BY 1',
  'SELECT o::int4, count(*) FROM events GROUP BY 1',
  'SELECT id / -10, count(*) FROM events GROUP BY 1',
  'SELECT -id, count(*) FROM events WHERE id < 1000 GROUP BY 1',
  'SELECT maybe % 10, count(*) FROM events GROUP BY 1',
  'SELECT extract(hour FROM ts), count(*) FROM events GROUP BY 1',
  'SELECT date_trunc(note, ts), count(*) FROM events WHERE note = ''day'' GROUP BY 1',
  'SELECT DISTINCT ON (maybe) maybe, id FROM events ORDER BY maybe, id'
]);
\pset format aligned

-- Costs decide by themselves, too: few rows are read, many counted.
RESET enable_indexonlyscan;
RESET enable_bitmapscan;
EXPLAIN (COSTS OFF) SELECT count(*) FROM events WHERE id = 5;
EXPLAIN (COSTS OFF) SELECT device, ts, count(*) FROM events GROUP BY device, ts;
-- An index that would have to be searched anew behind each of the many values of its first column is not worth it.
CREATE TABLE gaps (id int8 NOT NULL, device int4 NOT NULL) WITH (autovacuum_enabled = off);
INSERT INTO gaps SELECT i, i % 300 FROM generate_series(1, 40000) i;
CREATE INDEX gaps_id_device ON gaps USING learned (id, device);
VACUUM ANALYZE gaps;
SELECT counts('SELECT count(*) FROM gaps WHERE id > 100') AS one_stretch, counts('SELECT count(*) FROM gaps WHERE id > 100 AND device = 3') AS many_stretches;

-- Prepared statements: parameters, a NULL among them, lists, plans that outlive the setting.
SET plan_cache_mode = force_generic_plan;
PREPARE range(int8, int8) AS SELECT count(*), sum(id) FROM events WHERE id BETWEEN $1 AND $2;
EXPLAIN (COSTS OFF) EXECUTE range(1, 2);
EXECUTE range(1000, 39000);
EXECUTE range(38999, 39000);
EXECUTE range(5, 1);
EXECUTE range(NULL, 1);
SELECT count(*), sum(id) FROM (SELECT * FROM events OFFSET 0) e WHERE id BETWEEN 1000 AND 39000;
PREPARE list(int4[]) AS SELECT device, count(*) FROM events WHERE device = ANY ($1) GROUP BY device ORDER BY device;
EXECUTE list('{3, NULL, 3, -150, 500}');
EXECUTE list('{}');
EXECUTE list(NULL);
PREPARE devices(timestamptz) AS SELECT device, count(*) FROM events WHERE device = 3 AND ts > $1 GROUP BY device;
EXECUTE devices('2024-04-10');
EXECUTE devices('infinity');
RESET plan_cache_mode;

-- Its own changes, which later commands of the transaction see and cursors opened before do not.
BEGIN;
DECLARE before SCROLL CURSOR FOR SELECT kind, count(*) FROM events WHERE flag GROUP BY kind ORDER BY kind;
DELETE FROM events WHERE id <= 300;
INSERT INTO events SELECT i, 1, 4, '2024-07-01', 1, 1, 1, true, NULL, NULL, 'new' FROM generate_series(100001, 100010) i;
SELECT count(*), min(id), max(id) FROM events;
SAVEPOINT s;
UPDATE events SET id = -id WHERE id > 100005;
SELECT count(*), min(id), max(id) FROM events;
ROLLBACK TO s;
SELECT count(*), min(id), max(id) FROM events;
WITH gone AS (DELETE FROM events WHERE id > 100000 RETURNING id) SELECT (SELECT count(*) FROM gone), (SELECT count(*) FROM events WHERE id > 30000);
FETCH 3 FROM before;
FETCH PRIOR FROM before;
MOVE ABSOLUTE 0 IN before;
FETCH ALL FROM before;
CREATE TEMP TABLE copied AS SELECT count(*) AS n FROM events;
INSERT INTO copied SELECT count(*) FROM events WHERE id > 20000;
UPDATE copied SET n = (SELECT count(*) FROM events WHERE id < n);
SELECT * FROM copied ORDER BY n;
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM events WHERE id BETWEEN 36000 AND 36010;
SELECT count(*), sum(id) FROM events WHERE id > 10;
COMMIT;

-- A policy on the key is a condition like others; one on another column is a filter.
CREATE ROLE aggregates_reader;
GRANT USAGE ON SCHEMA aggregates TO aggregates_reader;
GRANT SELECT ON events TO aggregates_reader;
ALTER TABLE events ENABLE ROW LEVEL SECURITY;
CREATE POLICY recent ON events FOR SELECT TO aggregates_reader USING (id > 39000);
SET ROLE aggregates_reader;
EXPLAIN (COSTS OFF) SELECT count(*) FROM events;
SELECT count(*) FROM events;
SELECT count(*) FROM events WHERE id < 39500;
RESET ROLE;
ALTER POLICY recent ON events USING (note = 'n3');
SET ROLE aggregates_reader;
EXPLAIN (COSTS OFF) SELECT count(*) FROM events;
SELECT count(*) FROM events;
RESET ROLE;
DROP POLICY recent ON events;
ALTER TABLE events DISABLE ROW LEVEL SECURITY;
REVOKE ALL ON events FROM aggregates_reader;
REVOKE ALL ON SCHEMA aggregates FROM aggregates_reader;
DROP ROLE aggregates_reader;

-- Ends of types; a table without rows; a domain.
CREATE DOMAIN whole AS int8;
CREATE TABLE ends (n int4, b int8, ts timestamp, tz timestamptz, w whole) WITH (autovacuum_enabled = off);
CREATE INDEX ends_n ON ends USING learned (n);
CREATE INDEX ends_b ON ends USING learned (b);
CREATE INDEX ends_ts ON ends USING learned (ts);
CREATE INDEX ends_tz ON ends USING learned (tz);
CREATE INDEX ends_w ON ends USING learned (w);
SET enable_bitmapscan = off;
SET enable_indexonlyscan = off;
CREATE FUNCTION compare_ends() RETURNS TABLE (plan text, same bool, query text) LANGUAGE sql AS $$
  SELECT * FROM compare(ARRAY[
    'SELECT count(*), sum(n), avg(n), min(n), max(n) FROM ends',
    'SELECT count(*), sum(b), avg(b) FROM ends',
    'SELECT count(*), sum(w), avg(w), min(w) FROM ends',
    'SELECT n / 100, count(*) FROM ends GROUP BY 1',
    'SELECT n / 10::int8, count(*) FROM ends GROUP BY 1',
    'SELECT w / 10, count(*) FROM ends GROUP BY 1',
    'SELECT date_trunc(''day'', ts), count(*) FROM ends GROUP BY 1',
    'SELECT date_trunc(''month'', tz), count(*), max(tz) FROM ends GROUP BY 1',
    'SELECT ts::date, count(*) FROM ends GROUP BY 1',
    'SELECT date_bin(''1 day'', ts, ''2000-01-01''), count(*) FROM ends WHERE ts BETWEEN ''1990-01-01'' AND ''2100-01-01'' GROUP BY 1'])
$$;
SELECT * FROM compare_ends();
INSERT INTO ends SELECT i - 10, i, timestamp '2024-01-01' + i * interval '1 h', timestamptz '2024-01-01' + i * interval '1 h', i FROM generate_series(1, 3000) i;
INSERT INTO ends SELECT x, y, z::timestamp, z::timestamptz, y FROM (VALUES (2147483647, 9223372036854775807, 'infinity'), (-2147483648, -9223372036854775808, '-infinity'), (NULL, NULL, NULL)) v(x, y, z),
  generate_series(1, 5);
VACUUM ANALYZE ends;
SELECT * FROM compare_ends();
RESET enable_bitmapscan;
RESET enable_indexonlyscan;

-- A column that a condition fixes has one value: how many rows the node is expected to give, and whether the plan that the costs choose counts.
CREATE TABLE fixed (a int4, b int4, c int4) WITH (autovacuum_enabled = off);
INSERT INTO fixed SELECT i % 4, i / 4 % 20, i FROM generate_series(1, 20000) i;
CREATE INDEX ON fixed USING learned (a, b, c);
CREATE TABLE fixed_parts (a int4, b int4, c int4) PARTITION BY RANGE (c);
CREATE TABLE fixed_parts1 PARTITION OF fixed_parts FOR VALUES FROM (0) TO (10000) WITH (autovacuum_enabled = off);
CREATE TABLE fixed_parts2 PARTITION OF fixed_parts FOR VALUES FROM (10000) TO (30000) WITH (autovacuum_enabled = off);
INSERT INTO fixed_parts SELECT * FROM fixed;
CREATE INDEX ON fixed_parts USING learned (a, b, c);
CALL pg_temp.settle();
VACUUM ANALYZE fixed, fixed_parts;
CREATE FUNCTION expected(query text) RETURNS TABLE (counts bool, expected int, given int) LANGUAGE plpgsql AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, FORMAT JSON) ' || query INTO plan;
  plan := plan -> 0 -> 'Plan';
  RETURN QUERY SELECT coalesce(plan ->> 'Custom Plan Provider' = 'LearnedAggregate', false), (plan ->> 'Plan Rows')::float::int, (plan ->> 'Actual Rows')::float::int;
END $$;
PREPARE fixed_one (int) AS SELECT a, b, count(*) FROM fixed WHERE a = $1 GROUP BY a, b;
PREPARE fixed_all (int) AS SELECT a, count(*) FROM fixed WHERE a = $1 AND b < 15 GROUP BY a;
PREPARE fixed_parted (int) AS SELECT a, b, count(*) FROM fixed_parts WHERE a = $1 GROUP BY a, b;
SET plan_cache_mode = force_generic_plan;
SELECT query, e.* FROM unnest(ARRAY[
    'SELECT b, count(*) FROM fixed WHERE a = 1 GROUP BY b',
    'SELECT a, b, count(*) FROM fixed WHERE a = 1 GROUP BY a, b',
    'SELECT a, b, count(*) FROM fixed WHERE 1::int8 = a GROUP BY b, a',
    'SELECT a, count(*) FROM fixed WHERE a = 1 AND b < 15 GROUP BY a',
    'SELECT a, b, count(*) FROM fixed WHERE a = 1 AND b = 5 GROUP BY a, b',
    'SELECT a, b, count(*) FROM fixed WHERE a <= 1 GROUP BY a, b',
    'SELECT a, b, count(*) FROM fixed WHERE a IN (1, 2) GROUP BY a, b',
    'SELECT a, c / 1000, count(*) FROM fixed WHERE a = 1 AND b = 5 GROUP BY 1, 2',
    'SELECT a, count(DISTINCT b) FROM fixed WHERE a = 1 GROUP BY a',
    'SELECT DISTINCT a, b FROM fixed WHERE a = 1',
    'EXECUTE fixed_one (1)',
    'EXECUTE fixed_all (1)',
    'SELECT a, b, count(*) FROM fixed_parts WHERE a = 1 GROUP BY a, b',
    'SELECT a, count(*) FROM fixed_parts WHERE a = 1 AND b < 15 GROUP BY a',
    'SELECT a, count(DISTINCT b) FROM fixed_parts WHERE a = 1 GROUP BY a',
    'EXECUTE fixed_parted (1)']) query, expected(query) e;
RESET plan_cache_mode;
SET client_min_messages = warning;
DROP SCHEMA aggregates CASCADE;
