-- Plans that must read the index, plans that must not, and the number of index pages read.
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
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- 200,000 rows: keys in table order, and the same keys scattered.
CREATE TABLE readings (id int, ts timestamptz, device int, filler text) WITH (autovacuum_enabled = off);
INSERT INTO readings
SELECT i, timestamptz '2024-01-01 00:00:00+00' + i * interval '10 seconds', (i::int8 * 7919) % 200000, repeat('x', 40)
  FROM generate_series(1, 200000) i;
CREATE INDEX readings_ts ON readings USING learned (ts);
CREATE INDEX readings_device ON readings USING learned (device);
CREATE TABLE devices (device int, name text) WITH (autovacuum_enabled = off);
INSERT INTO devices SELECT i, 'device ' || i FROM generate_series(0, 199999) i;
CREATE INDEX devices_device ON devices USING learned (device);
CALL pg_temp.settle();
VACUUM ANALYZE readings;
VACUUM ANALYZE devices;

-- With every kind of plan allowed: equality, ranges, arrays.
EXPLAIN (COSTS OFF) SELECT * FROM readings WHERE ts = '2024-01-02 00:00:00+00';
EXPLAIN (COSTS OFF) SELECT * FROM readings WHERE device = 4711;
EXPLAIN (COSTS OFF) SELECT * FROM readings WHERE device = 4711::int8;
EXPLAIN (COSTS OFF) SELECT * FROM readings WHERE ts >= '2024-01-02 00:00:00+00' AND ts < '2024-01-02 01:00:00+00';
EXPLAIN (COSTS OFF) SELECT * FROM readings WHERE ts BETWEEN '2024-01-02' AND timestamptz '2024-01-02' + interval '1 hour';
EXPLAIN (COSTS OFF) SELECT id FROM readings WHERE device IN (3, 1, 4);
EXPLAIN (COSTS OFF) SELECT id FROM readings WHERE device < 2000;
-- Order and limits.
EXPLAIN (COSTS OFF) SELECT * FROM readings ORDER BY ts DESC LIMIT 10;
EXPLAIN (COSTS OFF) SELECT * FROM readings ORDER BY device LIMIT 10;
EXPLAIN (COSTS OFF) SELECT * FROM readings WHERE ts > '2024-01-05 00:00:00+00' ORDER BY ts LIMIT 5;
-- A plan. Up to version 16 it says what an InitPlan returns to; from 19 on what it is for, and what a Result replaces.
SELECT pg_temp.plan_of('SELECT min(ts), max(ts) FROM readings');
SELECT pg_temp.plan_of('SELECT max(device) FROM readings WHERE device < 1000');
-- Index-only scans.
EXPLAIN (COSTS OFF) SELECT count(*) FROM readings WHERE device BETWEEN 1000 AND 30000;
EXPLAIN (COSTS OFF) SELECT device FROM readings WHERE device = 4711;
EXPLAIN (COSTS OFF) SELECT DISTINCT ts FROM readings WHERE ts < '2024-01-01 01:00:00+00' ORDER BY ts;
-- Joins: nested loop with few outer rows, merge join on both orders.
EXPLAIN (COSTS OFF) SELECT d.name FROM readings r JOIN devices d USING (device) WHERE r.ts = '2024-01-02 00:00:00+00';
SET enable_hashjoin = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM readings r JOIN devices d ON r.device = d.device;
RESET enable_hashjoin;
-- A join of types that differ within the family.
EXPLAIN (COSTS OFF) SELECT r.id FROM (VALUES (1::int8), (2), (3)) v(x) JOIN readings r ON r.device = v.x;

-- All rows, most rows, and a condition that no index serves: not through the index.
EXPLAIN (COSTS OFF) SELECT * FROM readings;
EXPLAIN (COSTS OFF) SELECT * FROM readings WHERE device >= 100;
EXPLAIN (COSTS OFF) SELECT * FROM readings WHERE ts IS NOT NULL;
EXPLAIN (COSTS OFF) SELECT * FROM readings WHERE device + 0 = 5;
EXPLAIN (COSTS OFF) SELECT * FROM devices ORDER BY name;

-- The estimate of the learned index is near that of a B-tree on the same column.
CREATE FUNCTION estimate(q text, OUT plan_rows float8, OUT cost float8) LANGUAGE plpgsql AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT JSON) ' || q INTO plan;
  plan_rows := plan #>> '{0,Plan,Plan Rows}';
  cost := plan #>> '{0,Plan,Total Cost}';
END $$;
CREATE TABLE twins (k int8) WITH (autovacuum_enabled = off);
INSERT INTO twins SELECT (i::int8 * 7919) % 100003 FROM generate_series(1, 100000) i;
CALL pg_temp.settle();
VACUUM ANALYZE twins;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
CREATE INDEX twins_k ON twins USING learned (k);
CREATE TABLE estimates AS
SELECT c AS condition, e.plan_rows, e.cost FROM (VALUES
  ('k = 5'), ('k < 100'), ('k BETWEEN 1000 AND 50000'), ('k > 99000'), ('k IN (1, 2, 3, 4, 5)'), ('k IS NULL')) v(c),
  LATERAL estimate('SELECT k FROM twins WHERE ' || c) e;
DROP INDEX twins_k;
CREATE INDEX twins_k ON twins USING btree (k);
-- The same statistics, the same smallest and largest key: the same numbers of rows.
SELECT condition, b.plan_rows = l.plan_rows AS rows_same, l.cost < 1.2 * b.cost AS cost_not_above, l.cost > 0.1 * b.cost AS cost_not_absurd
  FROM estimates l, LATERAL estimate('SELECT k FROM twins WHERE ' || condition) b;
RESET enable_seqscan;
RESET enable_bitmapscan;

-- Index pages that one probe of a nested loop reads, warm.  The inner side is an index-only scan of an
-- all-visible table, so its buffers are index pages and, once for the whole scan, the visibility map.
CREATE FUNCTION pages_per_probe(relation text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
  plan json;
  node json;
BEGIN
  SET LOCAL enable_hashjoin = off;
  SET LOCAL enable_mergejoin = off;
  SET LOCAL enable_memoize = off;
  SET LOCAL enable_seqscan = off;
  SET LOCAL enable_bitmapscan = off;
  FOR pass IN 1..2 LOOP
    EXECUTE format('EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, FORMAT JSON)
      SELECT count(t.k) FROM generate_series(1::int8, 20000) i LEFT JOIN %s t ON t.k = (i * 7919) %% 200000 * 10', relation)
      INTO plan;
  END LOOP;
  node := plan #> '{0,Plan,Plans,0,Plans,1}';
  IF node ->> 'Node Type' IS DISTINCT FROM 'Index Only Scan' OR (node ->> 'Actual Loops')::int <> 20000
     OR (node ->> 'Actual Rows')::float8 <> 1 OR (node ->> 'Heap Fetches')::int <> 0 THEN
    RAISE EXCEPTION 'not 20,000 probes through the index: %', plan;
  END IF;
  RETURN ((node ->> 'Shared Hit Blocks')::numeric + (node ->> 'Shared Read Blocks')::numeric) / 20000;
END $$;
CREATE TABLE probed (k int8) WITH (autovacuum_enabled = off);
INSERT INTO probed SELECT i * 10 FROM generate_series(0, 199999) i;
CREATE INDEX probed_k ON probed USING learned (k);
CREATE TABLE random (k int8) WITH (autovacuum_enabled = off);
INSERT INTO random SELECT (i::int8 * 7919) % 200000 * 10 FROM generate_series(1, 200000) i;
CREATE INDEX random_k ON random USING learned (k);
CALL pg_temp.settle();
VACUUM ANALYZE probed;
VACUUM ANALYZE random;
-- Served by the model cache: one page.  Without the cache: the metapage or the inner levels too.
SELECT pages_per_probe('random') BETWEEN 1 AND 1.05 AS one_page;
SELECT pages_per_probe('probed') BETWEEN 1 AND 1.05 AS one_page;
SET learned_index.model_cache = 0;
SELECT pages_per_probe('random') >= 2 AS descends_from_root;
-- A bound too small for the whole directory slows probes down but changes no answer.
SET learned_index.model_cache = 64;
SELECT pages_per_probe('random') >= 1 AS served;
RESET learned_index.model_cache;
SELECT pages_per_probe('random') BETWEEN 1 AND 1.05 AS one_page;
-- The copy grows stale by inserts that split pages, by VACUUM that frees them and by a rebuild.
INSERT INTO random SELECT i * 10 + 5 FROM generate_series(0, 199999, 2) i;
CALL pg_temp.settle();
VACUUM random;
SELECT pages_per_probe('random') BETWEEN 1 AND 1.5 AS mostly_one_page;
DELETE FROM random WHERE k % 10 = 5;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON) random;
SELECT pages_per_probe('random') BETWEEN 1 AND 1.5 AS mostly_one_page;
REINDEX INDEX random_k;
SELECT pages_per_probe('random') BETWEEN 1 AND 1.05 AS one_page;
SELECT learned_index_check('random_k', true), learned_index_check('probed_k', true);

-- Rows that come in the order of the index's column are sorted by a second one group by group.
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT device, id FROM readings ORDER BY device, id DESC LIMIT 5;
CREATE TEMP TABLE by_index AS SELECT device, id FROM readings ORDER BY device, id DESC LIMIT 5;
RESET enable_bitmapscan;
RESET enable_seqscan;
SET enable_indexscan = off;
CREATE TEMP TABLE by_table AS SELECT device, id FROM readings ORDER BY device, id DESC LIMIT 5;
RESET enable_indexscan;
SELECT (SELECT array_agg((device, id)) FROM by_index) = (SELECT array_agg((device, id)) FROM by_table) AS same, (SELECT count(*) FROM by_index) AS rows;
DROP TABLE by_index, by_table;

DROP TABLE readings, devices, twins, estimates, probed, random;
DROP FUNCTION estimate, pages_per_probe;
