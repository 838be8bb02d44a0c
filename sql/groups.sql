-- The first row of each group by one search a group: DISTINCT, DISTINCT ON, min() and max() by groups. Beside each, what the planner
-- would do without an index gives.
SET client_min_messages = warning;
SET learned_index.enable_aggregates = off; -- rows are to be read: aggregates.sql counts them
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
\getenv tests PG_ABS_SRCDIR
\set settle :tests '/sql/settle.inc'
\i :settle
\set plans :tests '/sql/plans.inc'
\i :plans
CREATE SCHEMA groups;
SET search_path = groups, public;
SET jit = off;
SET max_parallel_workers_per_gather = 0;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

CREATE TABLE readings (device int4, kind "char", ts timestamptz NOT NULL, value float8, note text) WITH (autovacuum_enabled = off);
INSERT INTO readings SELECT i % 200, (65 + i % 3)::"char", timestamptz '2024-01-01' + i / 200 * interval '1 min', nullif(i % 91, 0), 'n'
  FROM generate_series(0, 59999) i;
INSERT INTO readings SELECT NULL, 'A', timestamptz '2024-01-01' + i * interval '1 min', 1, 'n' FROM generate_series(0, 9) i;
INSERT INTO readings SELECT 500, 'A', timestamptz '2024-01-01' + i * interval '1 min', NULL, 'n' FROM generate_series(0, 9) i;
CREATE INDEX readings_device_ts ON readings USING learned (device, ts) INCLUDE (value);
CREATE INDEX readings_kind_device ON readings USING learned (kind, device DESC, value);
DELETE FROM readings WHERE device = 17 AND ts > '2024-01-01 02:00+00';
CALL pg_temp.settle();
VACUUM ANALYZE readings;

EXPLAIN (COSTS OFF) SELECT DISTINCT device FROM readings;
EXPLAIN (COSTS OFF) SELECT DISTINCT ON (device) device, ts, value FROM readings ORDER BY device, ts;
EXPLAIN (COSTS OFF) SELECT DISTINCT ON (device) device, ts, value FROM readings ORDER BY device, ts DESC;
EXPLAIN (COSTS OFF) SELECT DISTINCT ON (device) * FROM readings ORDER BY device DESC, ts DESC;
EXPLAIN (COSTS OFF) SELECT device, max(ts) FROM readings GROUP BY device;
EXPLAIN (COSTS OFF) SELECT device, min(ts) FROM readings WHERE device < 50 GROUP BY device ORDER BY device;
EXPLAIN (COSTS OFF) SELECT kind, device, min(value) + 1 FROM readings WHERE kind = 'B' GROUP BY kind, device;

CREATE FUNCTION answer(query text, by_groups bool) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
  line text;
  plan text := '';
BEGIN
  PERFORM set_config('enable_indexscan', by_groups::text, true), set_config('enable_indexonlyscan', by_groups::text, true),
          set_config('enable_bitmapscan', by_groups::text, true);
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP plan := plan || line; END LOOP;
  EXECUTE 'SELECT count(*) || '' '' || md5(string_agg(q::text, '' '' ORDER BY q::text COLLATE "C")) FROM (' || query || ') q' INTO result;
  RETURN (plan ~ 'LearnedGroups')::text || ' ' || result;
END $$;
SELECT query, a, substr(a, position(' ' in a)) = substr(b, position(' ' in b)) AS same
  FROM (SELECT query, answer(query, true) AS a, answer(query, false) AS b FROM unnest(ARRAY[
  'SELECT DISTINCT device FROM readings',
  'SELECT DISTINCT ON (device) device, ts, value FROM readings ORDER BY device, ts',
  'SELECT DISTINCT ON (device) device, ts, value FROM readings ORDER BY device, ts DESC',
  'SELECT DISTINCT ON (device) * FROM readings WHERE value > 50 ORDER BY device DESC, ts DESC',
  'SELECT DISTINCT ON (device) device, ts FROM readings WHERE note = ''n'' AND value IS NOT NULL ORDER BY device, ts DESC',
  'SELECT device, max(ts) FROM readings GROUP BY device',
  'SELECT device, min(ts) FROM readings GROUP BY device',
  'SELECT device, min(ts) FROM readings WHERE device < 50 GROUP BY device',
  'SELECT device, max(ts) - interval ''1 h'', max(ts) FROM readings WHERE device IS NOT NULL AND ts < ''2024-01-01 03:00+00'' GROUP BY device',
  'SELECT kind, device, min(value) + 1 FROM readings WHERE kind = ''B'' GROUP BY kind, device',
  'SELECT kind, device, min(value) FROM readings GROUP BY kind, device',
  'SELECT kind, max(device) FROM readings GROUP BY kind',
  'SELECT DISTINCT kind FROM readings',
  'SELECT DISTINCT kind, device FROM readings WHERE value = 7',
  'SELECT device, max(ts) FROM readings WHERE device IN (3, 17, 500, 600) GROUP BY device',
  'SELECT * FROM (SELECT device, max(ts) AS latest FROM readings GROUP BY device) l JOIN generate_series(0, 20, 5) g ON g = l.device',
  -- Not for it: two aggregates, NULLs that come first where max() does not count them, other orders, all rows of a group.
  'SELECT device, min(ts), max(ts) FROM readings GROUP BY device',
  'SELECT kind, device, max(value) FROM readings GROUP BY kind, device',
  'SELECT DISTINCT ON (device) device, value FROM readings ORDER BY device, value, ts',
  'SELECT DISTINCT device, ts FROM readings WHERE device < 5',
  'SELECT device, count(*) FROM readings GROUP BY device',
  'SELECT device, max(ts) FILTER (WHERE value > 3) FROM readings GROUP BY device',
  'SELECT device, max(ts) FROM readings GROUP BY device HAVING max(ts) > ''2024-01-01 04:00+00''',
  'SELECT DISTINCT ts FROM readings',
  'SELECT DISTINCT device FROM readings WHERE current_setting(''jit'') = ''off''',
  'SELECT device, max(ts) FROM readings GROUP BY ROLLUP (device)',
  'SELECT DISTINCT max(ts) OVER (PARTITION BY device) FROM readings'
]) query) q;

-- One page of the index for each device, and no row of the table.
SELECT pg_temp.buffers('SELECT device, max(ts) FROM readings GROUP BY device') * 0 + pg_temp.buffers('SELECT device, max(ts) FROM readings GROUP BY device') < 450 AS few;
SELECT pg_temp.buffers('SELECT DISTINCT ON (device) device, ts FROM readings ORDER BY device, ts DESC') < 450 AS few;

-- Rows that no snapshot sees, changes on the way, cursors, parameters, the other side of a nested loop.
BEGIN;
UPDATE readings SET value = 1000 WHERE device = 3;
DELETE FROM readings WHERE device = 5;
INSERT INTO readings VALUES (5, 'A', '2030-01-01', 1, 'n');
SELECT device, max(ts) FROM readings WHERE device IN (3, 5) GROUP BY device ORDER BY device;
SELECT DISTINCT ON (device) device, value FROM readings WHERE device BETWEEN 2 AND 6 ORDER BY device, ts;
DECLARE c SCROLL CURSOR FOR SELECT DISTINCT device FROM readings WHERE device BETWEEN 2 AND 6 ORDER BY device;
FETCH 2 FROM c;
FETCH PRIOR FROM c;
FETCH ALL FROM c;
CLOSE c;
ROLLBACK;
PREPARE latest(int, int) AS SELECT device, max(ts) FROM readings WHERE device BETWEEN $1 AND $2 GROUP BY device ORDER BY device;
SET plan_cache_mode = force_generic_plan;
EXECUTE latest(198, 500);
EXECUTE latest(16, 18);
SELECT g, l.* FROM generate_series(10, 12) g, LATERAL (SELECT device, max(ts) AS latest FROM readings WHERE device BETWEEN g AND g + 1 GROUP BY device OFFSET 0) l ORDER BY 1, 2;
RESET plan_cache_mode;
SET learned_index.enable_groups = off;
EXPLAIN (COSTS OFF) SELECT DISTINCT device FROM readings;
RESET learned_index.enable_groups;
-- Types by reference, and a key of two words.
CREATE TABLE by_reference (u uuid, m macaddr, n int4 NOT NULL);
INSERT INTO by_reference SELECT md5((i % 20)::text)::uuid, lpad(to_hex(i % 7), 12, '0')::macaddr, i FROM generate_series(1, 5000) i;
CREATE INDEX by_reference_u_m ON by_reference USING learned (u, m, n);
VACUUM ANALYZE by_reference;
SELECT query, a, substr(a, position(' ' in a)) = substr(b, position(' ' in b)) AS same
  FROM (SELECT query, answer(query, true) AS a, answer(query, false) AS b FROM unnest(ARRAY[
  'SELECT DISTINCT u FROM by_reference',
  'SELECT DISTINCT u, m FROM by_reference',
  'SELECT DISTINCT ON (m, u) u, m, n FROM by_reference ORDER BY m, u, n DESC',
  'SELECT u, m, max(n) FROM by_reference GROUP BY m, u'
]) query) q;
-- A column that is marked NOT NULL, from version 18 on, and may have NULLs all the same (before: one that is not).
CREATE TABLE not_valid (d int4, ts int4);
INSERT INTO not_valid SELECT i % 3, i FROM generate_series(1, 3000) i;
INSERT INTO not_valid VALUES (1, NULL), (7, NULL);
CREATE INDEX not_valid_d_ts ON not_valid USING learned (d, ts);
SELECT current_setting('server_version_num')::int >= 180000 AS can \gset
\if :can
ALTER TABLE not_valid ADD CONSTRAINT not_valid_ts NOT NULL ts NOT VALID;
\endif
VACUUM ANALYZE not_valid;
SELECT answer('SELECT d, max(ts) FROM not_valid GROUP BY d', true), answer('SELECT d, max(ts) FROM not_valid GROUP BY d', false);
-- Where NULLs are left out by a condition, the last value is found at once; by one that may be true of NULL, they are not.
SET max_parallel_workers_per_gather = 0;
EXPLAIN (COSTS OFF) SELECT d, max(ts) FROM not_valid WHERE ts IS NOT NULL GROUP BY d;
EXPLAIN (COSTS OFF) SELECT d, max(ts) FROM not_valid WHERE 500 < ts GROUP BY d;
EXPLAIN (COSTS OFF) SELECT d, max(ts) FROM not_valid WHERE ts IS DISTINCT FROM 5 GROUP BY d;
RESET max_parallel_workers_per_gather;
SELECT query, a, substr(a, position(' ' in a)) = substr(b, position(' ' in b)) AS same
  FROM (SELECT query, answer(query, true) AS a, answer(query, false) AS b FROM unnest(ARRAY[
  'SELECT d, max(ts) FROM not_valid WHERE ts IS NOT NULL GROUP BY d',
  'SELECT d, max(ts) FROM not_valid WHERE 500 < ts GROUP BY d',
  'SELECT d, max(ts) FROM not_valid WHERE ts IS DISTINCT FROM 5 GROUP BY d',
  'SELECT d, max(ts) FROM not_valid WHERE ts IS NULL OR ts < 100 GROUP BY d',
  'SELECT DISTINCT ON (d) d, ts FROM not_valid WHERE ts < 100 ORDER BY d, ts DESC NULLS LAST'
]) query) q;
DROP TABLE not_valid;
-- A condition with a gap at every value of the second column: the steps over them are the cost, and to skip the rest of a group saves none.
CREATE TABLE gaps (d int4, ts int4, v int4);
INSERT INTO gaps SELECT i % 100, i, i FROM generate_series(1, 20000) i;
CREATE INDEX gaps_d_ts_v ON gaps USING learned (d, ts, v);
VACUUM ANALYZE gaps;
SET max_parallel_workers_per_gather = 0;
EXPLAIN (COSTS OFF) SELECT DISTINCT ON (d) d, ts, v FROM gaps WHERE v < 0 ORDER BY d, ts;
EXPLAIN (COSTS OFF) SELECT DISTINCT d FROM gaps WHERE ts > 100;
RESET max_parallel_workers_per_gather;
DROP TABLE gaps;
DROP SCHEMA groups CASCADE;
