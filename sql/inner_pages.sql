-- Inner pages that lose their children are joined: a queue, a table that is emptied at one end, in the middle, here and there, or wholly, and filled
-- again. Neither they nor the file become more; the index holds what the table holds; and a session that remembers pages as they were finds its rows.
SET client_min_messages = warning;
SET learned_index.enable_aggregates = off; -- rows are to be read: aggregates.sql counts them
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
\getenv tests PG_ABS_SRCDIR
\set settle :tests '/sql/settle.inc'
\i :settle
SET jit = off;
SET max_parallel_workers_per_gather = 0;

-- Separators need all four columns, and no two of them lie on a line: a page has but two hundred children.
CREATE TABLE queue (id int, a int8, b int8, c int8, d int8) WITH (autovacuum_enabled = off);
CREATE PROCEDURE fill(first int, last int) LANGUAGE sql AS $$
  INSERT INTO queue
  SELECT i, (g::int8 << 40) + (hashint8extended(g, 1) & ((1::int8 << 40) - 1)), hashint8extended(g, 2), hashint8extended(g, 3),
         (i % 4)::int8 << 60 | hashint8extended(i, 4) & ((1::int8 << 60) - 1)
    FROM generate_series(first, last) i, LATERAL (SELECT i / 4 AS g) v
$$;

-- What there is by a sequential scan: whether the index gives the same in its order, each row once, and finds single rows by their keys.
CREATE FUNCTION verify(OUT rows bigint, OUT same boolean, OUT looked_up boolean)
LANGUAGE plpgsql AS $$
DECLARE
  expected numeric;
  answer numeric;
  single bigint;
BEGIN
  SET LOCAL enable_indexscan = off;
  SET LOCAL enable_indexonlyscan = off;
  SET LOCAL enable_bitmapscan = off;
  SELECT count(*), sum(hashint8extended(d, id)) INTO rows, expected FROM queue;
  CREATE TEMP TABLE sampled AS SELECT * FROM queue WHERE id % 41 = 0;
  SET LOCAL enable_indexscan = on;
  SET LOCAL enable_seqscan = off;
  SET LOCAL enable_sort = off;
  SELECT sum(hashint8extended(d, id)), count(*) = rows INTO answer, same FROM (SELECT d, id FROM queue ORDER BY a, b, c, d) s;
  same := same AND answer IS NOT DISTINCT FROM expected;
  SET LOCAL enable_hashjoin = off;
  SET LOCAL enable_mergejoin = off;
  SELECT count(DISTINCT s.id) INTO single FROM sampled s JOIN queue q ON (q.a, q.b, q.c, q.d, q.id) = (s.a, s.b, s.c, s.d, s.id);
  looked_up := single = (SELECT count(DISTINCT id) FROM sampled);
  DROP TABLE sampled;
  PERFORM learned_index_check('queue_k', heapallindexed => true, strict => true);
  SET LOCAL enable_seqscan = on;
  SET LOCAL enable_sort = on;
  SET LOCAL enable_hashjoin = on;
  SET LOCAL enable_mergejoin = on;
  SET LOCAL enable_bitmapscan = on;
  SET LOCAL enable_indexonlyscan = on;
END $$;

CALL fill(1, 80000);
CREATE INDEX queue_k ON queue USING learned (a, b, c, d);
SELECT height, inner_pages, total_pages FROM learned_index_stats('queue_k');
SELECT * FROM verify();

-- As a queue: as many come behind and go in front as there are, nearly. The inner pages are what so many rows need, or one or two more; and what was
-- freed is used again.
\set ECHO none
SELECT statement FROM generate_series(1, 6) round, LATERAL (VALUES
  (1, format('CALL fill(%s, %s)', 80001 + (round - 1) * 60000, 80000 + round * 60000)),
  (2, format('DELETE FROM queue WHERE id <= %s', round * 60000)),
  (3, 'CALL pg_temp.settle()'),
  (4, 'VACUUM (INDEX_CLEANUP ON) queue'),
  (5, 'SELECT height, inner_pages <= 5 AS few, total_pages <= 600 AS small, v.* FROM learned_index_stats(''queue_k''), verify() v')
  ) v(step, statement) ORDER BY round, step \gexec

-- In the middle; all but some in the middle; here and there; all. Filled again each time, by the same session.
SELECT statement FROM (VALUES
  (1, 'abs(id - 400000) < 38000'),
  (2, 'abs(id - 400000) > 2000'),
  (3, 'hashint4(id) % 20 <> 0'),
  (4, 'true')
  ) r(round, doomed), LATERAL (VALUES
  (1, format('DELETE FROM queue WHERE %s', doomed)),
  (2, 'CALL pg_temp.settle()'),
  (3, 'VACUUM (INDEX_CLEANUP ON) queue'),
  (4, format('SELECT %L AS deleted, height, inner_pages, v.* FROM learned_index_stats(''queue_k''), verify() v', doomed)),
  (5, 'CALL fill(360001, 440000)'),
  (6, 'SELECT inner_pages <= 6 AS few, total_pages <= 700 AS small, v.* FROM learned_index_stats(''queue_k''), verify() v')
  ) v(step, statement) ORDER BY round, step \gexec
\set ECHO all
-- What is found while others look: the same without a lock.
SELECT learned_index_check('queue_k', heapallindexed => true);

DROP TABLE queue;
DROP PROCEDURE fill;
DROP FUNCTION verify;
