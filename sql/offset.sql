-- OFFSET without reading the rows before: which queries LearnedOffset answers, and that it answers as a sort of all rows does.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
CREATE SCHEMA offsets;
SET search_path = offsets, public;
\getenv tests PG_ABS_SRCDIR
\set counting :tests '/sql/counting.inc'
\i :counting
\set offsets :tests '/sql/offsets.inc'
\i :offsets
-- Also where all rows of a leaf must be visited, which takes longer than to read a few: see the end.
SET seq_page_cost = 0.01;
SET random_page_cost = 0.01;

-- A leaf of ids that follow one another has 49,152 of them.
CREATE TABLE events (id int8, hash int8, device int4, ts timestamptz, day date, kind int2, amount float8, u uuid, note text) WITH (autovacuum_enabled = off);
INSERT INTO events SELECT i, hashint8extended(i, 1), i % 50, timestamptz '2020-01-01 00:00+00' + i * interval '337 seconds', date '2019-11-01' + i % 400, i % 7 - 3,
                          CASE i % 11 WHEN 0 THEN NULL WHEN 1 THEN float8 'NaN' WHEN 2 THEN '-0' ELSE i % 11 - 3 END, md5(i::text)::uuid, 'n' FROM generate_series(1, 60000) i;
INSERT INTO events SELECT NULL, NULL, i % 3, NULL, NULL, NULL, NULL, NULL, 'null ' || i FROM generate_series(1, 400) i;
INSERT INTO events SELECT -i, -i, NULL, timestamptz '1960-01-01 00:00+00' + i * interval '1 day', NULL, -3, -i, NULL, 'before' FROM generate_series(1, 500) i;
CREATE INDEX events_id ON events USING learned (id);
CREATE INDEX events_hash ON events USING learned (hash DESC);
CREATE INDEX events_device_ts ON events USING learned (device, ts) INCLUDE (kind);
CREATE INDEX events_day_device ON events USING learned (day DESC NULLS LAST, device);
CREATE INDEX events_kind ON events USING learned (kind NULLS FIRST);
CREATE INDEX events_amount ON events USING learned (amount);
CREATE INDEX events_u ON events USING learned (u);
CREATE INDEX events_partial ON events USING learned (hash) WHERE id > 1000 AND kind = 2;
CREATE INDEX events_expression ON events USING learned ((id % 1000));
DELETE FROM events WHERE id BETWEEN 2000 AND 2999;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON, ANALYZE) events;

EXPLAIN (COSTS OFF) SELECT id FROM events ORDER BY id OFFSET 5000 LIMIT 10;
EXPLAIN (COSTS OFF, VERBOSE) SELECT note || '!', id + 1, ctid FROM events WHERE id > 10 ORDER BY id DESC OFFSET 5000 FETCH FIRST 10 ROWS WITH TIES;
EXPLAIN (COSTS OFF, VERBOSE) SELECT ts FROM events WHERE device = 7 ORDER BY ts OFFSET 500;
EXPLAIN (COSTS OFF) SELECT count(*) FROM (SELECT FROM events ORDER BY device DESC, ts DESC OFFSET 50000) q;

-- What it has done: counted, where nothing of it is open.
CREATE FUNCTION work_lines(query text) RETURNS TABLE (line text) LANGUAGE plpgsql AS $$
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) ' || query LOOP
    IF line ~ 'LearnedOffset|Leaf Pages|Decoded|Fetches|using' THEN
      RETURN QUERY SELECT regexp_replace(regexp_replace(line, 'rows=(\d+)\.00', 'rows=\1'), 'Leaf Pages: \d\d?$', 'Leaf Pages: a few');
    END IF;
  END LOOP;
END $$;
SELECT * FROM work_lines('SELECT id FROM events ORDER BY id OFFSET 55000 LIMIT 10');
SELECT * FROM work_lines('SELECT id FROM events ORDER BY id OFFSET 50 LIMIT 10');

CREATE FUNCTION many() RETURNS TABLE (query text, n int, counted bool, answer text[], expected text[]) LANGUAGE sql AS $$
  SELECT * FROM wrong_rows(ARRAY[
    'SELECT id FROM events ORDER BY id',
    'SELECT id FROM events ORDER BY id DESC',
    'SELECT id, note <> '''' FROM events WHERE id IS NOT NULL ORDER BY id DESC',
    'SELECT id FROM events WHERE id BETWEEN 1500 AND 58000 ORDER BY id',
    'SELECT hash FROM events ORDER BY hash',
    'SELECT hash FROM events ORDER BY hash DESC',
    'SELECT hash FROM events WHERE hash > 0 ORDER BY hash DESC',
    'SELECT device, ts FROM events ORDER BY device, ts',
    'SELECT device, ts FROM events ORDER BY device DESC, ts DESC',
    'SELECT device, ts FROM events WHERE device BETWEEN 3 AND 45 AND ts > ''2020-01-20'' ORDER BY device, ts',
    'SELECT device, ts FROM events WHERE ts BETWEEN ''2020-01-20'' AND ''2020-07-20'' ORDER BY device DESC, ts DESC',
    'SELECT day, device FROM events ORDER BY day DESC NULLS LAST, device',
    'SELECT day, device FROM events ORDER BY day NULLS FIRST, device DESC',
    'SELECT kind FROM events ORDER BY kind NULLS FIRST',
    'SELECT kind FROM events ORDER BY kind DESC NULLS LAST',
    'SELECT u FROM events ORDER BY u',
    'SELECT u FROM events ORDER BY u DESC',
    'SELECT id % 1000 FROM events ORDER BY id % 1000'
  ], 201, 263, 500, 3333, 20202, 49151, 49152, 49153, 58900, 59495, 59499, 59500, 59893, 59899, 59901, 1000000)
  UNION ALL SELECT * FROM wrong_rows(ARRAY[
    'SELECT id FROM events WHERE id IS NULL ORDER BY id',
    'SELECT id, note <> '''' FROM events WHERE id = ANY (ARRAY(SELECT generate_series(-20, 60000, 137))) ORDER BY id',
    'SELECT ''x'', id FROM events WHERE id = ANY (ARRAY(SELECT generate_series(-20, 60000, 137))) ORDER BY id DESC',
    'SELECT ts, kind FROM events WHERE device = 7 ORDER BY ts',
    'SELECT ts, device FROM events WHERE device = 7 ORDER BY device, ts DESC',
    'SELECT ts FROM events WHERE device = 7 AND ts < ''2020-03-01'' ORDER BY ts DESC',
    'SELECT device, ts FROM events WHERE device IN (3, 9, 30) AND ts BETWEEN ''2020-02-01'' AND ''2020-03-08'' ORDER BY device, ts',
    'SELECT device, ts FROM events WHERE device IS NULL ORDER BY device, ts',
    'SELECT device, ts FROM events WHERE device < 3 AND ts IS NULL ORDER BY device',
    'SELECT day FROM events WHERE device BETWEEN 3 AND 40 AND day < ''2020-05-01'' ORDER BY day NULLS FIRST',
    'SELECT amount::text AS a FROM events WHERE amount > 5 ORDER BY amount',
    'SELECT amount + 0 FROM events ORDER BY amount DESC',
    'SELECT hash FROM events WHERE id > 1000 AND kind = 2 ORDER BY hash',
    'SELECT id % 1000 FROM events WHERE id % 1000 > 900 ORDER BY id % 1000 DESC'
  ], 201, 230, 399, 400, 401, 437, 438, 439, 1100, 1180, 5000, 8000);
$$;
SELECT * FROM many();

-- Rows that not everybody sees: dead ones, new ones, changed ones, some that never were.
DELETE FROM events WHERE id BETWEEN 5000 AND 5100 OR id % 97 = 0;
UPDATE events SET id = -id WHERE id BETWEEN 7000 AND 7100;
UPDATE events SET note = 'hot' WHERE id BETWEEN 9000 AND 9100;
UPDATE events SET hash = NULL, kind = NULL WHERE id BETWEEN 30000 AND 30050;
INSERT INTO events SELECT i, 7, 7, '2020-06-01 00:00+00', '2020-06-01', 1, 1, md5(i::text)::uuid, 'n' FROM generate_series(60001, 60100) i;
BEGIN;
INSERT INTO events SELECT i, i, 7, '2020-06-01 00:00+00', '2020-06-01', 1, 1, md5(i::text)::uuid, 'never' FROM generate_series(1, 60000, 7) i;
ROLLBACK;
SELECT * FROM many();
-- Its own, in a transaction and in parts of it; more of them than are visited at a time.
BEGIN;
SET LOCAL work_mem = '64kB';
DELETE FROM events WHERE id % 31 = 3;
SAVEPOINT one;
DELETE FROM events WHERE id % 31 = 4;
INSERT INTO events SELECT i, i, 7, '2020-06-01 00:00+00', '2020-06-01', 1, 1, md5(i::text)::uuid, 'never' FROM generate_series(1, 60000, 13) i;
ROLLBACK TO one;
INSERT INTO events SELECT i, i, 8, '2020-06-01 00:00+00', '2020-06-01', 1, 1, md5(i::text)::uuid, 'mine' FROM generate_series(1, 60000, 17) i;
SELECT * FROM many();
ROLLBACK;

-- Parameters, and NULL for none: few rows as well.
SELECT * FROM wrong_generic(ARRAY[
  'SELECT id FROM events ORDER BY id OFFSET $1 LIMIT $2',
  'SELECT $1 AS a, hash FROM events ORDER BY hash OFFSET $1 LIMIT $2',
  'SELECT device, ts, $1 + $2 FROM events WHERE device IN (1, $1) ORDER BY device, ts OFFSET $1 + $2 LIMIT 5',
  'SELECT hash FROM events WHERE hash < $1 * 100000000000000 ORDER BY hash DESC OFFSET greatest($1 - $2, 0) FETCH FIRST ($2) ROWS WITH TIES'
], 0, 1, 200, 201, 5000, 59000, 70000, NULL);
-- Errors are the server's, and as early.
CREATE FUNCTION error_of(query text, a int8, b int8, counted bool) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('learned_index.enable_aggregates', counted::text, true), set_config('plan_cache_mode', 'force_generic_plan', true);
  EXECUTE 'PREPARE failing(int8, int8) AS ' || query;
  BEGIN
    EXECUTE format('EXECUTE failing(%L, %L)', a, b);
  EXCEPTION WHEN others THEN
    DEALLOCATE failing;
    RETURN SQLSTATE || ' ' || SQLERRM;
  END;
  DEALLOCATE failing;
  RETURN 'none';
END $$;
SET enable_seqscan = off;
SELECT query, a, b, error_of(query, a, b, true), error_of(query, a, b, true) = error_of(query, a, b, false) AS same
  FROM unnest('{SELECT id FROM events ORDER BY id OFFSET $1 LIMIT $2,SELECT id FROM events ORDER BY id OFFSET $1 LIMIT 5,SELECT id FROM events ORDER BY id OFFSET $1,SELECT id FROM events ORDER BY id OFFSET 1000 / $1 LIMIT $2}'::text[]) query,
       (VALUES (-1, 5), (-1, 0), (-1, -1), (1, -1), (0, 0)) v(a, b);
RESET enable_seqscan;

-- Where it may stand in a query. What is left out for each row of another one; what is fixed by then.
CREATE TABLE numbers AS SELECT n * 700 AS n, n % 3 * 20 AS d FROM generate_series(0, 20) n;
SELECT * FROM wrong_offsets(true, ARRAY[
  'SELECT n, l.* FROM numbers, LATERAL (SELECT id, note FROM events WHERE id > n ORDER BY id OFFSET 300 LIMIT 2) l',
  'SELECT n, l.* FROM numbers, LATERAL (SELECT id FROM events ORDER BY id DESC OFFSET n * 3 LIMIT 2) l',
  'SELECT n, (SELECT ts FROM events WHERE device = d ORDER BY ts OFFSET n / 10 LIMIT 1) FROM numbers',
  'SELECT n, (SELECT ts FROM events WHERE device = 3 ORDER BY ts OFFSET 333 LIMIT 1) FROM numbers',
  'SELECT id FROM events ORDER BY id OFFSET (SELECT count(*) / 2 FROM events) LIMIT 3',
  'SELECT (SELECT max(n) FROM numbers WHERE n < id), id FROM events ORDER BY id OFFSET 5000 LIMIT 3',
  'SELECT e.id, n FROM (SELECT id FROM events ORDER BY id OFFSET 55000) e JOIN numbers ON n = e.id % 1000',
  'SELECT count(*), max(hash) FROM (SELECT hash FROM events ORDER BY hash OFFSET 30000) e',
  '(SELECT id FROM events ORDER BY id OFFSET 1000 LIMIT 2) UNION ALL (SELECT hash FROM events ORDER BY hash OFFSET 1000 LIMIT 2)',
  'SELECT DISTINCT kind FROM (SELECT kind FROM events ORDER BY kind NULLS FIRST OFFSET 30000) e ORDER BY 1',
  'WITH page AS MATERIALIZED (SELECT id FROM events ORDER BY id OFFSET 1000 LIMIT 3) SELECT * FROM page a, page b ORDER BY 1, 2'
]);
-- However often it is begun again, a row whose block is not all-visible is visited twice at most: in the first execution, and in those behind.
CREATE FUNCTION visited(query text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  plan jsonb;
BEGIN
  PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true);
  EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, FORMAT JSON) ' || query INTO plan;
  PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_sort', 'on', true);
  RETURN jsonb_path_query_first(plan, '$.**?(@."Custom Plan Provider" == "LearnedOffset")."Heap Fetches"')::int;
END $$;
BEGIN;
UPDATE events SET note = 'open' WHERE id % 20 = 0;
DELETE FROM events WHERE id % 20 = 1;
SELECT visited('SELECT l.* FROM generate_series(500, 55000, 500) n, LATERAL (SELECT hash FROM events ORDER BY hash OFFSET n LIMIT 1) l') BETWEEN 40000 AND 120000 AS hashes,
       visited('SELECT l.* FROM generate_series(500, 55000, 500) n, LATERAL (SELECT id FROM events ORDER BY id DESC OFFSET n LIMIT 1) l') BETWEEN 40000 AND 120000 AS ids,
       visited('SELECT l.* FROM generate_series(0, 500) n, LATERAL (SELECT ts FROM events WHERE device = n % 50 ORDER BY ts OFFSET 300 + n LIMIT 1) l') BETWEEN 20000 AND 120000 AS devices;
SELECT * FROM wrong_offsets(true, ARRAY[
  'SELECT n, l.* FROM generate_series(500, 55000, 500) n, LATERAL (SELECT hash FROM events ORDER BY hash OFFSET n LIMIT 1) l',
  'SELECT n, l.* FROM generate_series(500, 55000, 500) n, LATERAL (SELECT id FROM events ORDER BY id DESC OFFSET n LIMIT 1) l',
  'SELECT n, l.* FROM generate_series(0, 500) n, LATERAL (SELECT ts FROM events WHERE device = n % 50 ORDER BY ts OFFSET 300 + n LIMIT 1) l'
]);
ROLLBACK;
EXPLAIN (COSTS OFF) SELECT id FROM events WHERE id > 0 ORDER BY id OFFSET floor(random() * 1000) + 1000 LIMIT 1;
SELECT count(*), (SELECT count(*) FROM events e WHERE e.id > 0 AND e.id < min(q.id)) BETWEEN 1000 AND 1999 AS there
  FROM (SELECT id FROM events WHERE id > 0 ORDER BY id OFFSET floor(random() * 1000) + 1000 LIMIT 1) q;
-- Pages follow one another without a gap: where keys are equal, too.
CREATE FUNCTION pages(ordered text, size int) RETURNS TABLE (columns text, pages int, rows int8, distinct_rows int8) LANGUAGE plpgsql AS $$
DECLARE
  n int := 0;
BEGIN
  CREATE TEMP TABLE paged (row tid) ON COMMIT DROP;
  PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true);
  WHILE n < 61000 LOOP
    EXECUTE format('INSERT INTO paged SELECT ctid FROM events ORDER BY %s OFFSET %s LIMIT %s', ordered, n, size);
    n := n + size;
  END LOOP;
  RETURN QUERY SELECT ordered, n / size, count(*), count(DISTINCT row) FROM paged;
  DROP TABLE paged;
END $$;
SELECT p.columns, p.rows = (SELECT count(*) FROM events) AS all, p.rows = p.distinct_rows AS once
  FROM unnest('{kind NULLS FIRST,kind DESC NULLS LAST,"day DESC NULLS LAST","amount DESC",id % 1000}'::text[]) c, pages(c, 3001) p;

-- Cursors: forward, and back over rows that were given.
BEGIN;
SET LOCAL enable_seqscan = off;
DECLARE c SCROLL CURSOR FOR SELECT id FROM events ORDER BY id OFFSET 40000 LIMIT 20;
DELETE FROM events WHERE id < 30000;
FETCH 3 FROM c;
FETCH BACKWARD 2 FROM c;
MOVE LAST FROM c;
FETCH RELATIVE 0 FROM c;
MOVE FORWARD 5 FROM c;
FETCH NEXT FROM c;
FETCH FIRST FROM c;
ROLLBACK;

-- Not for it: what an index does not decide by itself, other orders, what is done for the rows that are left out.
CREATE SEQUENCE calls;
CREATE FUNCTION called(x int8) RETURNS int8 LANGUAGE sql VOLATILE AS 'SELECT nextval(''calls'') * 0 + x';
SELECT * FROM wrong_offsets(false, ARRAY[
  'SELECT id FROM events ORDER BY id OFFSET 200 LIMIT 10',
  'SELECT id FROM events ORDER BY id OFFSET NULL LIMIT 10',
  'SELECT id FROM events WHERE note = ''n'' ORDER BY id OFFSET N LIMIT 10',
  'SELECT id FROM events WHERE id <> 7 ORDER BY id OFFSET N LIMIT 10',
  'SELECT id FROM events WHERE id < 1000 OR id > 9000 ORDER BY id OFFSET N LIMIT 10',
  'SELECT id FROM events WHERE id = id + 0 ORDER BY id OFFSET N LIMIT 10',
  'SELECT device, ts FROM events WHERE (device, ts) > (7, ''2020-05-01'') ORDER BY device, ts OFFSET N LIMIT 10',
  'SELECT id FROM events ORDER BY id NULLS FIRST OFFSET N LIMIT 10',
  'SELECT id, note FROM events ORDER BY id, note OFFSET N LIMIT 10',
  'SELECT ts FROM events ORDER BY ts, id OFFSET N LIMIT 10',
  'SELECT device, ts FROM events ORDER BY device, ts DESC, id OFFSET N LIMIT 10',
  'SELECT hash FROM events WHERE id > 999 AND kind = 2 ORDER BY hash, id OFFSET N LIMIT 10',
  'SELECT DISTINCT note FROM events ORDER BY note OFFSET N LIMIT 10',
  'SELECT device, count(*) FILTER (WHERE id > 5) FROM events GROUP BY device ORDER BY device OFFSET N',
  'SELECT id, sum(id) OVER (ORDER BY id) FROM events ORDER BY id OFFSET N LIMIT 10',
  'SELECT id, called(id) FROM events ORDER BY id OFFSET N LIMIT 10',
  'SELECT id, (SELECT called(n) FROM numbers WHERE n = id) FROM events ORDER BY id OFFSET N LIMIT 10',
  'SELECT id FROM events ORDER BY id OFFSET floor(random() * 0 + N) LIMIT (SELECT 5)',
  'SELECT id, generate_series(1, 2) FROM events ORDER BY id OFFSET N LIMIT 10',
  'SELECT id FROM events TABLESAMPLE SYSTEM (100) ORDER BY id OFFSET N LIMIT 10',
  'SELECT a.id FROM events a JOIN numbers ON n = id ORDER BY id OFFSET 3 LIMIT 10',
  'SELECT id FROM events WHERE current_setting(''jit'') = ''off'' ORDER BY id OFFSET N LIMIT 10'
], 1000);
EXPLAIN (COSTS OFF) SELECT id FROM events ORDER BY id OFFSET 5000 LIMIT 10 FOR UPDATE;
EXPLAIN (COSTS OFF) SELECT id FROM events OFFSET 5000 LIMIT 10;
EXPLAIN (COSTS OFF) SELECT id FROM events ORDER BY id OFFSET -1 LIMIT 10;
SET learned_index.enable_aggregates = off;
EXPLAIN (COSTS OFF) SELECT id FROM events ORDER BY id OFFSET 5000 LIMIT 10;
SET learned_index.enable_aggregates = on;
SET enable_indexscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM events ORDER BY id OFFSET 5000 LIMIT 10;
RESET enable_indexscan;
-- As many calls as the server makes.
SELECT setval('calls', 1);
SELECT id, called(id) FROM events WHERE id > 0 ORDER BY id OFFSET 1000 LIMIT 2;
SELECT last_value FROM calls;
-- A transaction that must lock what it has read does not lock the table for few rows.
BEGIN ISOLATION LEVEL SERIALIZABLE;
SET LOCAL enable_seqscan = off;
SELECT id FROM events ORDER BY id OFFSET 700 LIMIT 2;
SELECT count(*) AS tables_locked FROM pg_locks WHERE mode = 'SIReadLock' AND relation = 'events'::regclass AND locktype = 'relation';
SELECT id FROM events ORDER BY id OFFSET 7000 LIMIT 2;
SELECT count(*) AS tables_locked FROM pg_locks WHERE mode = 'SIReadLock' AND relation = 'events'::regclass AND locktype = 'relation';
COMMIT;

-- By default costs decide: a short way is not counted, a long one is.
RESET cpu_tuple_cost;
RESET cpu_index_tuple_cost;
RESET seq_page_cost;
RESET random_page_cost;
EXPLAIN (COSTS OFF) SELECT id FROM events ORDER BY id OFFSET 40 LIMIT 10;
EXPLAIN (COSTS OFF) SELECT id FROM events ORDER BY id OFFSET 40000 LIMIT 10;
-- Of the leaf that has the row all rows on open blocks are visited, some four thousand here.
CREATE TABLE serial (id int8, note text) WITH (autovacuum_enabled = off);
INSERT INTO serial SELECT i, 'n' FROM generate_series(1, 60000) i;
CREATE INDEX ON serial USING learned (id);
CALL pg_temp.settle();
VACUUM serial;
UPDATE serial SET note = 'hot' WHERE id % 2500 = 0;
ANALYZE serial;
EXPLAIN (COSTS OFF) SELECT id FROM serial ORDER BY id OFFSET 500 LIMIT 1;
EXPLAIN (COSTS OFF) SELECT id FROM serial ORDER BY id DESC OFFSET 2000 LIMIT 1;
EXPLAIN (COSTS OFF) SELECT id FROM serial ORDER BY id OFFSET 55000 LIMIT 1;
