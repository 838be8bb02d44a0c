-- OFFSET over partitions that have their rows one after the other: which queries LearnedOffset answers, and that it answers as a sort of all rows does.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
CREATE SCHEMA offset_partitions;
SET search_path = offset_partitions, public;
\getenv tests PG_ABS_SRCDIR
\set counting :tests '/sql/counting.inc'
\i :counting
\set offsets :tests '/sql/offsets.inc'
\i :offsets

-- By ranges of ts: one has its columns in another order, one is divided by id, one is empty, one has few rows, one has gaps before and behind.
CREATE TABLE events (id int8, device int4, ts timestamptz NOT NULL, note text) PARTITION BY RANGE (ts);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (MINVALUE) TO ('2020-02-01') WITH (autovacuum_enabled = off);
CREATE TABLE events_2 (note text, gone text, ts timestamptz NOT NULL, device int4, id int8) WITH (autovacuum_enabled = off);
ALTER TABLE events_2 DROP COLUMN gone;
ALTER TABLE events ATTACH PARTITION events_2 FOR VALUES FROM ('2020-02-01') TO ('2020-03-01');
CREATE TABLE events_3 PARTITION OF events FOR VALUES FROM ('2020-03-01') TO ('2020-04-01') PARTITION BY RANGE (ts);
CREATE TABLE events_3_2 (id int8, ts timestamptz NOT NULL, device int4, note text) WITH (autovacuum_enabled = off);
ALTER TABLE events_3 ATTACH PARTITION events_3_2 FOR VALUES FROM ('2020-03-16') TO ('2020-04-01');
CREATE TABLE events_3_1 PARTITION OF events_3 FOR VALUES FROM ('2020-03-01') TO ('2020-03-16') WITH (autovacuum_enabled = off);
CREATE TABLE events_empty PARTITION OF events FOR VALUES FROM ('2020-04-01') TO ('2020-04-02') WITH (autovacuum_enabled = off);
CREATE TABLE events_few PARTITION OF events FOR VALUES FROM ('2020-04-03') TO ('2020-04-04') WITH (autovacuum_enabled = off);
CREATE TABLE events_last PARTITION OF events FOR VALUES FROM ('2020-06-01') TO (MAXVALUE) WITH (autovacuum_enabled = off);
INSERT INTO events SELECT i, nullif(i % 50, 0), timestamptz '2020-01-10 00:00+00' + i * interval '431 seconds', 'n' FROM generate_series(1, 16400) i;
INSERT INTO events SELECT i, i % 50, timestamptz '2020-04-03 00:00+00' + i * interval '1 minute', 'few' FROM generate_series(1, 60) i;
INSERT INTO events SELECT i, i % 7, timestamptz '2020-06-03 00:00+00' + i / 3 * interval '1 hour', 'last' FROM generate_series(1, 5000) i;
CREATE INDEX ON events_1 USING learned (ts, id);
CREATE INDEX ON events_1 USING learned (ts);
CREATE INDEX ON events_2 USING learned (ts DESC, id DESC) INCLUDE (device);
CREATE INDEX ON events_3 USING learned (ts, id);
CREATE INDEX ON events_empty USING learned (ts, id);
CREATE INDEX ON events_few USING learned (ts, id DESC);
CREATE INDEX ON events_few USING learned (ts DESC, id DESC);
CREATE INDEX ON events_last USING learned (ts, id, device);
CREATE INDEX ON events USING learned (device, ts, id);
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON, ANALYZE) events;

EXPLAIN (COSTS OFF) SELECT note, ts FROM events ORDER BY ts, id OFFSET 9000 LIMIT 10;
EXPLAIN (COSTS OFF, VERBOSE) SELECT events, id + 1 FROM events WHERE ts > '2020-02-05' AND ts < '2020-04-05' ORDER BY ts DESC, id DESC OFFSET 5000 FETCH FIRST 10 ROWS WITH TIES;
EXPLAIN (COSTS OFF) SELECT count(*) FROM (SELECT FROM events WHERE device = 7 ORDER BY ts, id OFFSET 300) q;
-- What it reads: of what is left out, leaves and one row of each table.
SELECT node, leaves < 30 AS few_leaves, decoded < 500 AS few_decoded, fetches FROM work('SELECT ts FROM events ORDER BY ts, id OFFSET 21000');
\set plans :tests '/sql/plans.inc'
\i :plans
SELECT pg_temp.buffers('SELECT note FROM events ORDER BY ts, id OFFSET 20000 LIMIT 10') < 60 AS few;

CREATE FUNCTION many() RETURNS TABLE (query text, n int, counted bool, answer text[], expected text[]) LANGUAGE sql AS $$
  SELECT * FROM wrong_rows(ARRAY[
    'SELECT ts, id, note FROM events ORDER BY ts, id',
    'SELECT ts, id, device FROM events ORDER BY ts DESC, id DESC',
    'SELECT ts FROM events ORDER BY ts',
    'SELECT e.ts, e.id, e FROM events e ORDER BY ts, id',
    'SELECT ts, id, tableoid::regclass FROM events ORDER BY ts DESC, id DESC',
    'SELECT ts, id FROM events WHERE ts >= ''2020-01-20'' AND ts < ''2020-07-20'' ORDER BY ts, id',
    'SELECT ts, id FROM events WHERE ts BETWEEN ''2020-01-20'' AND ''2020-03-20'' ORDER BY ts DESC, id DESC'
  ], 201, 1000, 4408, 4409, 4410, 4411, 5000, 10221, 10222, 10223, 16399, 16400, 16401, 16460, 16461, 16462, 21459, 21460, 30000)
  UNION ALL SELECT * FROM wrong_rows(ARRAY[
    'SELECT ts, id FROM events WHERE device = 7 ORDER BY ts, id',
    'SELECT ts, id, note FROM events WHERE device = 3 AND ts > ''2020-02-03'' ORDER BY ts DESC, id DESC',
    'SELECT ts, id FROM events_3 ORDER BY ts, id'
  ], 201, 222, 300, 327, 328, 329, 330, 331, 1300, 6000);
$$;
SELECT * FROM many();
-- Rows that not everybody sees; partitions of which nobody sees any.
DELETE FROM events WHERE id % 7 = 0 OR ts BETWEEN '2020-01-12' AND '2020-01-15';
UPDATE events SET ts = ts + interval '35 days' WHERE id BETWEEN 1000 AND 1200;
UPDATE events SET note = 'hot' WHERE id BETWEEN 5000 AND 5100;
INSERT INTO events SELECT i, 7, timestamptz '2020-03-01' + i * interval '10 minutes', 'new' FROM generate_series(1, 4000) i;
BEGIN;
INSERT INTO events SELECT i, i % 50, timestamptz '2020-01-10' + i * interval '38 minutes', 'never' FROM generate_series(1, 3000) i;
ROLLBACK;
DELETE FROM events_few;
SELECT * FROM many();
BEGIN;
SET LOCAL work_mem = '64kB';
DELETE FROM events WHERE id % 31 = 3;
DELETE FROM events_3_1;
SELECT * FROM many();
ROLLBACK;

-- Parameters, also of generic plans that exclude partitions when they are executed; NULL for none; subqueries that are done again.
SELECT * FROM wrong_generic(ARRAY[
  'SELECT ts, id FROM events ORDER BY ts, id OFFSET $1 LIMIT $2',
  'SELECT ts, id, $1 FROM events WHERE ts > timestamptz ''2020-02-20'' + ($1 % 1000) * interval ''1 hour'' ORDER BY ts DESC, id DESC OFFSET $1 + $2 LIMIT 5',
  'SELECT ts, id FROM events ORDER BY ts, id OFFSET greatest($1 - $2, 0) FETCH FIRST ($2) ROWS WITH TIES'
], 0, 1, 200, 201, 4000, 5000, 15000, 70000, NULL);
SELECT * FROM wrong_offsets(true, ARRAY[
  'SELECT n, l.* FROM generate_series(0, 9000, 1500) n, LATERAL (SELECT ts, id, note FROM events WHERE id > n ORDER BY ts, id OFFSET 0 LIMIT 1) l0, LATERAL (SELECT ts, id, note FROM events WHERE ts >= l0.ts ORDER BY ts, id OFFSET N LIMIT 2) l',
  'SELECT n, (SELECT id FROM events ORDER BY ts DESC, id DESC OFFSET n LIMIT 1) FROM generate_series(0, 24000, 700) n',
  'SELECT n, (SELECT id FROM events WHERE device = n ORDER BY ts, id OFFSET N LIMIT 1) FROM generate_series(0, 8) n',
  'SELECT count(*), max(ts) FROM (SELECT ts FROM events ORDER BY ts, id OFFSET N + 10000) q'
], 300, 5000);
-- Few rows of a serializable transaction are read, many counted.
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT * FROM wrong_offsets(true, ARRAY['SELECT ts, id FROM events ORDER BY ts, id OFFSET N LIMIT 3'], 300, 999, 1001, 5000, 18000);
COMMIT;
-- Cursors: forward, and back over rows that were given.
BEGIN;
SET LOCAL enable_seqscan = off;
DECLARE d SCROLL CURSOR FOR SELECT tableoid::regclass, ts, id FROM events ORDER BY ts DESC, id DESC OFFSET 4283 LIMIT 20;
DELETE FROM events;
FETCH 6 FROM d;
FETCH BACKWARD 2 FROM d;
MOVE LAST FROM d;
FETCH RELATIVE 0 FROM d;
ROLLBACK;

-- Lists that do not interleave, ranges of two columns, one level of each; one partition that is left of what has no order.
CREATE TABLE lists (place int4, id int8) PARTITION BY LIST (place);
CREATE TABLE lists_2 PARTITION OF lists FOR VALUES IN (3, 4) WITH (autovacuum_enabled = off);
CREATE TABLE lists_1 PARTITION OF lists FOR VALUES IN (1, 2) WITH (autovacuum_enabled = off);
CREATE TABLE pairs (a int4, b int4, c int8) PARTITION BY RANGE (a, b);
CREATE TABLE pairs_2 PARTITION OF pairs FOR VALUES FROM (10, 50) TO (20, 0) WITH (autovacuum_enabled = off);
CREATE TABLE pairs_1 PARTITION OF pairs FOR VALUES FROM (0, 0) TO (10, 50) WITH (autovacuum_enabled = off);
CREATE TABLE hashes (id int8, k int4) PARTITION BY HASH (id);
SELECT format('CREATE TABLE hashes_%s PARTITION OF hashes FOR VALUES WITH (MODULUS 3, REMAINDER %s) WITH (autovacuum_enabled = off)', i, i) FROM generate_series(0, 2) i \gexec
INSERT INTO lists SELECT 1 + i % 4, i FROM generate_series(1, 4000) i;
INSERT INTO pairs SELECT i / 200, i % 200, i FROM generate_series(0, 3999) i;
INSERT INTO hashes SELECT i, i % 9 FROM generate_series(1, 6000) i;
CREATE INDEX ON lists USING learned (place, id);
CREATE INDEX ON pairs USING learned (a, b, c);
CREATE INDEX ON hashes USING learned (k, id);
CREATE INDEX ON hashes USING learned (id);
VACUUM ANALYZE lists;
VACUUM ANALYZE pairs;
VACUUM ANALYZE hashes;
SELECT * FROM wrong_rows(ARRAY['SELECT place, id FROM lists ORDER BY place, id', 'SELECT place, id FROM lists ORDER BY place DESC, id DESC', 'SELECT a, b, c FROM pairs ORDER BY a, b',
  'SELECT a FROM pairs ORDER BY a', 'SELECT a, b, c FROM pairs ORDER BY a DESC, b DESC, c DESC', 'SELECT k, id FROM hashes_1 ORDER BY k, id'], 201, 1000, 1999, 2000, 2001, 2050, 3999, 4000);
-- No order: by a hash, a default partition that has rows between, heirs, another order than the partitions', an index that one lacks, lists that interleave.
CREATE TABLE parent (id int8, k int4) WITH (autovacuum_enabled = off);
CREATE TABLE heir () INHERITS (parent) WITH (autovacuum_enabled = off);
INSERT INTO parent SELECT i, i % 13 FROM generate_series(1, 3000) i;
INSERT INTO heir SELECT i, i % 17 FROM generate_series(1, 3000) i;
CREATE INDEX ON parent USING learned (id);
CREATE INDEX ON heir USING learned (id);
VACUUM ANALYZE parent, heir;
SELECT * FROM wrong_offsets(false, ARRAY[
  'SELECT id FROM hashes ORDER BY id OFFSET N LIMIT 5',
  'SELECT k FROM hashes ORDER BY k OFFSET N LIMIT 5',
  'SELECT id FROM parent ORDER BY id OFFSET N LIMIT 5',
  'SELECT device, ts, id FROM events ORDER BY device, ts, id OFFSET N LIMIT 5',
  'SELECT place, id FROM lists ORDER BY id, place OFFSET N LIMIT 5',
  'SELECT b FROM pairs WHERE c > 3 ORDER BY b OFFSET N LIMIT 5'], 1000);
SELECT * FROM wrong_offsets(true, ARRAY['SELECT id FROM ONLY parent ORDER BY id OFFSET N LIMIT 5'], 1000);
CREATE TABLE lists_rest PARTITION OF lists DEFAULT;
SELECT * FROM wrong_offsets(false, ARRAY['SELECT place, id FROM lists ORDER BY place, id OFFSET N LIMIT 5'], 1000);
SELECT * FROM wrong_offsets(true, ARRAY['SELECT place, id FROM lists WHERE place IN (3, 4) ORDER BY place, id OFFSET N LIMIT 5'], 1000);
DROP TABLE lists_rest;
CREATE TABLE lists_0 PARTITION OF lists FOR VALUES IN (0, 5);
SELECT * FROM wrong_offsets(false, ARRAY['SELECT place, id FROM lists ORDER BY place, id OFFSET N LIMIT 5'], 1000);
DROP INDEX events_2_ts_id_device_idx;
SELECT * FROM wrong_offsets(false, ARRAY['SELECT ts, id FROM events ORDER BY ts, id OFFSET N LIMIT 5'], 1000);
SELECT * FROM wrong_offsets(true, ARRAY['SELECT ts, id FROM events WHERE ts > ''2020-03-02'' ORDER BY ts, id OFFSET N LIMIT 5'], 1000);

-- By default costs decide.
RESET cpu_tuple_cost;
RESET cpu_index_tuple_cost;
EXPLAIN (COSTS OFF) SELECT ts, id FROM events WHERE ts > '2020-03-01' ORDER BY ts, id OFFSET 20 LIMIT 10;
EXPLAIN (COSTS OFF) SELECT ts, id FROM events WHERE ts > '2020-03-01' ORDER BY ts, id OFFSET 12000 LIMIT 10;

SET client_min_messages = warning;
DROP SCHEMA offset_partitions CASCADE;
