-- The planner's estimates beyond the end of old statistics: it asks the index for the column's actual end. A btree on
-- the same column, over the same statistics, is the judge: no estimate may be further from the truth. (How near they are:
-- estimates.sql.)
SET client_min_messages = warning;
SET learned_index.enable_aggregates = off; -- rows are to be read: aggregates.sql counts them
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
SET max_parallel_workers_per_gather = 0;
SET timezone = 'UTC';
\getenv tests PG_ABS_SRCDIR
\set plans :tests '/sql/plans.inc'
\i :plans

-- 20,000 rows are known, 10,000 have come at the end since and 5,000 at the front.
CREATE TABLE growing (id int8, down int4, ts timestamptz, f float8, note text) WITH (autovacuum_enabled = off);
CREATE VIEW source AS SELECT i AS id, -i AS down, timestamptz '2024-01-01' + i * interval '1 minute' AS ts, i * 0.5 AS f, 'x' AS note
  FROM generate_series(-5000, 30000) i;
INSERT INTO growing SELECT * FROM source WHERE id > 0 AND id <= 20000;
ANALYZE growing;
CREATE TABLE conditions (n serial, condition text);
INSERT INTO conditions (condition) VALUES
  ('id > 29900'), ('id > 25000'), ('id >= 20001'), ('id > 15000'), ('id < 0'), ('id < -4900'), ('id BETWEEN 22000 AND 23000'),
  ('id > 29900::int2'), ('id > 31000'), ('id < -6000'), ('id > 10000'), ('id = 25000'), ('id > ALL (ARRAY[25000, 28000])'),
  ('down < -25000'), ('down > 0'), ('down < -29900'), ('down BETWEEN -23000 AND -22000'),
  ('ts > ''2024-01-21 19:00'''), ('ts > timestamptz ''2024-01-21 20:00'' - interval ''1 hour'''), ('ts < ''2023-12-30'''),
  ('ts > date ''2024-01-21'''), ('f > 14000'), ('f < -1000'), ('(id + 1) > 25000'), ('(id + 1) < -1000'), ('id IS NULL'),
  ('id > 25000 AND ts < ''2024-01-20''');
CREATE TABLE estimates (am text, n int, rows float8);

-- Without an index that knows the ends, rows that came since are hardly expected.
INSERT INTO growing SELECT * FROM source WHERE id <= 0 OR id > 20000;
INSERT INTO estimates SELECT 'none', n, pg_temp.estimate('SELECT FROM growing WHERE ' || condition) FROM conditions;

CREATE PROCEDURE with_indexes(name text, am text) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE INDEX g_id ON growing USING %I (id)', am);
  EXECUTE format('CREATE INDEX g_down ON growing USING %I (down DESC)', am);
  EXECUTE format('CREATE INDEX g_ts ON growing USING %I (ts NULLS FIRST)', am);
  EXECUTE format('CREATE INDEX g_f ON growing USING %I (f DESC NULLS LAST)', am);
  EXECUTE format('CREATE INDEX g_next ON growing USING %I ((id + 1))', am);
  INSERT INTO estimates SELECT name, n, pg_temp.estimate('SELECT FROM growing WHERE ' || condition) FROM conditions;
  DROP INDEX g_id, g_down, g_ts, g_f, g_next;
END $$;
CALL with_indexes('btree', 'btree');
CALL with_indexes('learned', 'learned');
-- Statistics of the table's columns are older than the rows in it; an expression has some only while its index has.
SELECT condition, pg_temp.misses(l.rows, real) <= pg_temp.misses(b.rows, real) * 1.02 AS as_near, l.rows > 10 * n.rows AS many_more
  FROM conditions JOIN estimates l USING (n) JOIN estimates b USING (n) JOIN estimates n USING (n),
       pg_temp.actual('SELECT FROM growing WHERE ' || condition) real
 WHERE l.am = 'learned' AND b.am = 'btree' AND n.am = 'none' ORDER BY n;

-- In a new session, whose first query has to load the library.
CREATE INDEX g_id ON growing USING learned (id);
\c
\i :plans
\set settle :tests '/sql/settle.inc'
\i :settle
SELECT pg_temp.estimate('SELECT FROM growing WHERE id > 25000') > 100 AS expected;
SET max_parallel_workers_per_gather = 0;
-- Deleted at the end and vacuumed: the end comes back. Not vacuumed and not seen by anybody: likewise.
SELECT pg_temp.estimate('SELECT FROM growing WHERE id > 22000') > 100 AS expected;
DELETE FROM growing WHERE id > 21000;
CALL pg_temp.settle();
SELECT pg_temp.estimate('SELECT FROM growing WHERE id > 22000') < 10 AS unexpected;
VACUUM growing;
SELECT pg_temp.estimate('SELECT FROM growing WHERE id > 22000') < 10 AS unexpected;
INSERT INTO growing SELECT i FROM generate_series(21001, 30000) i;
SELECT pg_temp.estimate('SELECT FROM growing WHERE id > 22000') > 100 AS expected;
-- NULLs are not an end.
INSERT INTO growing SELECT FROM generate_series(1, 100);
SELECT pg_temp.estimate('SELECT FROM growing WHERE id > 22000') > 100 AS expected;

-- The planner's other uses of a table's indexes see each index once: plans, in all their forms, are as ever.
ANALYZE growing;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM growing WHERE id > 29990 ORDER BY id DESC LIMIT 3;
EXPLAIN (COSTS OFF) SELECT count(*) FROM growing WHERE id > 29990 OR id < -4990;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT * FROM growing WHERE id IS NULL;
RESET enable_bitmapscan;
SET enable_indexscan = off;
SET enable_indexonlyscan = off;
EXPLAIN (COSTS OFF) SELECT * FROM growing WHERE id > 29990 AND id < 29995;
RESET enable_indexscan;
RESET enable_indexonlyscan;
RESET enable_seqscan;
EXPLAIN (COSTS OFF) SELECT * FROM growing WHERE (id, down) > (29990, 5);

-- Partitions, and children of an inheritance tree: each part's own index.
CREATE TABLE divided (id int8, note text) PARTITION BY RANGE (id);
CREATE TABLE divided_1 PARTITION OF divided FOR VALUES FROM (0) TO (20000) WITH (autovacuum_enabled = off);
CREATE TABLE divided_2 PARTITION OF divided FOR VALUES FROM (20000) TO (80000) WITH (autovacuum_enabled = off);
INSERT INTO divided SELECT i FROM generate_series(1, 30000) i;
ANALYZE divided;
INSERT INTO divided SELECT i FROM generate_series(30001, 60000) i;
TRUNCATE estimates;
CREATE INDEX divided_id ON divided USING btree (id);
INSERT INTO estimates SELECT 'btree', bound, pg_temp.estimate('SELECT FROM divided WHERE id > ' || bound)
  FROM unnest('{5000, 15000, 25000, 35000, 59000}'::int[]) bound;
DROP INDEX divided_id;
CREATE INDEX divided_id ON divided USING learned (id);
INSERT INTO estimates SELECT 'learned', bound, pg_temp.estimate('SELECT FROM divided WHERE id > ' || bound)
  FROM unnest('{5000, 15000, 25000, 35000, 59000}'::int[]) bound;
SELECT b.n AS bound, pg_temp.misses(l.rows, real) <= pg_temp.misses(b.rows, real) * 1.02 AS as_near, l.rows > 10 AS many
  FROM estimates b JOIN estimates l USING (n), pg_temp.actual('SELECT FROM divided WHERE id > ' || b.n) real
 WHERE b.am = 'btree' AND l.am = 'learned' ORDER BY n;

-- A partial index knows the ends of its own rows only, an invalid one nothing: both are left alone.
CREATE TABLE part (id int8) WITH (autovacuum_enabled = off);
INSERT INTO part SELECT i FROM generate_series(1, 10000) i;
ANALYZE part;
INSERT INTO part SELECT i FROM generate_series(10001, 20000) i;
CREATE INDEX part_id ON part USING learned (id) WHERE id > 10;
SELECT pg_temp.estimate('SELECT FROM part WHERE id > 12000') < 10 AS unknown;
CREATE INDEX part_all ON part USING learned (id);
SELECT pg_temp.estimate('SELECT FROM part WHERE id > 12000') > 50 AS known;

DROP VIEW source;
DROP TABLE growing, conditions, estimates, divided, part;
DROP PROCEDURE with_indexes;
