-- How many groups are expected where conditions leave a grouped column some of its values. The judge is the number of groups.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
CREATE SCHEMA aggregates_estimates;
SET search_path = aggregates_estimates, public;
\getenv tests PG_ABS_SRCDIR
\set counting :tests '/sql/counting.inc'
\i :counting
\set plans :tests '/sql/plans.inc'
\i :plans
SET enable_seqscan = off;

-- a: 50 values of equal shares; b: 200 beside each; c: two common values, and 500 others; d: NULL in half of the rows; ts: four weeks.
CREATE TABLE pairs (a int4, b int4, c int8, d int4, ts timestamp) WITH (autovacuum_enabled = off);
INSERT INTO pairs SELECT i % 50, i / 50 % 200, CASE WHEN i % 10 < 9 THEN i % 2 ELSE i / 10 % 500 END, CASE WHEN i % 2 = 0 THEN i / 2 % 40 END, timestamp '2020-01-01' + i * interval '1 minute' FROM generate_series(0, 39999) i;
CREATE INDEX ON pairs USING learned (a, b);
CREATE INDEX ON pairs USING learned (c, a);
CREATE INDEX ON pairs USING learned (d);
CREATE INDEX ON pairs USING learned (ts);
CREATE INDEX ON pairs USING learned (a, ts);
VACUUM ANALYZE pairs;
CREATE TABLE queries (n serial, query text);
INSERT INTO queries (query) VALUES
  ('SELECT a, count(*) FROM pairs WHERE a <= 1 GROUP BY a'), ('SELECT a, b, count(*) FROM pairs WHERE a <= 1 GROUP BY a, b'), ('SELECT a, b, count(*) FROM pairs WHERE a BETWEEN 10 AND 14 GROUP BY a, b'),
  ('SELECT a, count(*) FROM pairs WHERE a IN (3, 7, 9) GROUP BY a'), ('SELECT a, b, count(*) FROM pairs WHERE a IN (3, 7, 9) GROUP BY a, b'), ('SELECT a, b, count(*) FROM pairs WHERE a = ANY (''{4,5}'') AND b < 50 GROUP BY a, b'),
  ('SELECT b, count(*) FROM pairs WHERE a = 5 AND b >= 190 GROUP BY b'), ('SELECT DISTINCT a FROM pairs WHERE a > 45'), ('SELECT a, count(*) FROM pairs WHERE 47::int8 <= a GROUP BY a'),
  ('SELECT c, count(*) FROM pairs WHERE c < 2 GROUP BY c'), ('SELECT c, count(*) FROM pairs WHERE c > 400 GROUP BY c'), ('SELECT c, count(*) FROM pairs WHERE c >= 1 GROUP BY c'),
  ('SELECT d, count(*) FROM pairs WHERE d < 4 GROUP BY d'), ('SELECT a, date_trunc(''day'', ts), count(*) FROM pairs WHERE a IN (1, 2) GROUP BY 1, 2'), ('SELECT ts::date, count(*) FROM pairs WHERE ts < ''2020-01-08'' GROUP BY 1'),
  ('SELECT a, count(DISTINCT b) FROM pairs WHERE a < 3 GROUP BY a'), ('SELECT a, count(*) FROM pairs WHERE a > 3 AND a < 3 GROUP BY a'), ('SELECT a, count(*) FROM pairs GROUP BY a');
SELECT n, query, counts(query), round(pg_temp.estimate(query)) AS estimate, pg_temp.actual(query) AS actual FROM queries WHERE NOT counts(query) OR pg_temp.misses(query) > 2 ORDER BY n;
-- The server's own plans have no better idea than before: it is the node's.
SET learned_index.enable_aggregates = off;
SELECT pg_temp.misses('SELECT a, count(*) FROM pairs WHERE a <= 1 GROUP BY a') > 10 AS otherwise_far_off;
SET learned_index.enable_aggregates = on;
-- Parameters, of which nothing is known; partitions.
PREPARE by_a(int) AS SELECT a, count(*) FROM pairs WHERE a < $1 GROUP BY a;
SET plan_cache_mode = force_generic_plan;
SELECT pg_temp.estimate('EXECUTE by_a(3)') BETWEEN 1 AND 50 AS some;
RESET plan_cache_mode;
CREATE TABLE parts (a int4, b int4) PARTITION BY HASH (b);
CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0) WITH (autovacuum_enabled = off);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1) WITH (autovacuum_enabled = off);
INSERT INTO parts SELECT a, b FROM pairs;
CREATE INDEX ON parts USING learned (a, b);
VACUUM ANALYZE parts;
SELECT query, counts(query) AND pg_temp.misses(query) <= 1.5 AS near FROM unnest('{SELECT a FROM parts WHERE a <= 1 GROUP BY a,"SELECT a, count(*) FROM parts WHERE a IN (1, 4, 5) GROUP BY a"}'::text[]) query;

SET client_min_messages = warning;
DROP SCHEMA aggregates_estimates CASCADE;
