-- Counting over tables that have others below them: partitions, heirs. One LearnedAggregate counts all of them, each by an index of its own.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
CREATE SCHEMA aggregates_partitions;
SET search_path = aggregates_partitions, public;
\getenv tests PG_ABS_SRCDIR
\set counting :tests '/sql/counting.inc'
\i :counting

-- By ranges; one of them has its columns in another order, one has partitions itself, by a hash of what is not grouped by; a default one, an empty one.
CREATE TABLE events (id int8, device int4, ts timestamptz NOT NULL, tag uuid, kind int2) PARTITION BY RANGE (ts);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2020-02-01') WITH (autovacuum_enabled = off);
CREATE TABLE events_2 (kind int2, gone text, tag uuid, ts timestamptz NOT NULL, id int8, device int4) WITH (autovacuum_enabled = off);
ALTER TABLE events_2 DROP COLUMN gone;
ALTER TABLE events ATTACH PARTITION events_2 FOR VALUES FROM ('2020-02-01') TO ('2020-03-01');
CREATE TABLE events_3 PARTITION OF events FOR VALUES FROM ('2020-03-01') TO ('2020-04-01') PARTITION BY HASH (id);
CREATE TABLE events_3_0 (ts timestamptz NOT NULL, kind int2, id int8, device int4, tag uuid) WITH (autovacuum_enabled = off);
ALTER TABLE events_3 ATTACH PARTITION events_3_0 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE events_3_1 PARTITION OF events_3 FOR VALUES WITH (MODULUS 2, REMAINDER 1) WITH (autovacuum_enabled = off);
CREATE TABLE events_empty PARTITION OF events FOR VALUES FROM ('2020-06-01') TO ('2020-07-01');
CREATE TABLE events_rest PARTITION OF events DEFAULT WITH (autovacuum_enabled = off);
INSERT INTO events SELECT i, nullif(i % 50, 0), timestamptz '2019-12-25 00:00+00' + i * interval '431 seconds', md5((i % 5)::text)::uuid, i % 7 - 3
                     FROM generate_series(1, 24000) i;
INSERT INTO events SELECT NULL, i % 3, timestamptz '2020-01-01 00:00+00' + i * interval '1 day', NULL, NULL FROM generate_series(1, 100) i;
-- Indexes of the same columns, and where that is not so: other orders, other words.
CREATE INDEX ON events USING learned (ts);
CREATE INDEX ON events USING learned (id);
CREATE INDEX ON events_1 USING learned (device, ts) INCLUDE (kind);
CREATE INDEX ON events_2 USING learned (device DESC, ts DESC, kind);
CREATE INDEX ON events_3 USING learned (device NULLS FIRST, ts, kind);
CREATE INDEX ON events_empty USING learned (device, ts) INCLUDE (kind, id);
CREATE INDEX ON events_rest USING learned (device DESC NULLS LAST, ts) INCLUDE (id, kind);
CREATE INDEX ON events USING learned (tag, kind);
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON, ANALYZE) events;
-- Some rows that not everybody sees.
DELETE FROM events WHERE id BETWEEN 5000 AND 5100;
UPDATE events SET device = 7 WHERE id BETWEEN 12000 AND 12100;
UPDATE events SET ts = ts + interval '40 days' WHERE id BETWEEN 6000 AND 6050;

EXPLAIN (COSTS OFF) SELECT count(*) FROM events WHERE id > 5;
EXPLAIN (COSTS OFF, VERBOSE) SELECT device, date_trunc('month', ts), count(*), sum(kind) FROM events WHERE device < 9 AND ts < '2020-03-01' GROUP BY 1, 2 HAVING count(*) > 5;

SELECT * FROM wrong(true, ARRAY[
  'SELECT count(*) FROM events',
  'SELECT count(*), count(1), count(id), min(id), max(id), sum(id), avg(id) FROM events',
  'SELECT count(id), sum(id), max(id) FROM events WHERE id < 0',
  'SELECT count(*), min(ts), max(ts) FROM events WHERE ts BETWEEN ''2020-01-20'' AND ''2020-03-10''',
  'SELECT count(*), max(ts) FROM events WHERE ts BETWEEN ''2020-02-03'' AND ''2020-02-05''',
  'SELECT count(*), max(ts) FROM events WHERE ts BETWEEN ''2020-03-03'' AND ''2020-03-05''',
  'SELECT count(*), max(ts) FROM events WHERE ts BETWEEN ''2020-04-03'' AND ''2020-04-05'' AND ts IS NOT NULL',
  'SELECT count(*), max(ts) FROM events WHERE ts BETWEEN ''2020-06-03'' AND ''2020-06-05''',
  'SELECT count(*), count(ts), sum(kind), avg(kind), min(device), count(device) FROM events WHERE device = 7 AND ts > ''2020-01-15''',
  'SELECT count(*), sum(device) FROM events WHERE device IS NULL',
  'SELECT count(*) * 2 FROM events WHERE ts = ''2020-02-01'' HAVING count(*) >= 0',
  'SELECT count(*) FROM events_3 WHERE ts > ''2020-03-05''',
  'SELECT g, l.* FROM generate_series(-10, 60, 7) g, LATERAL (SELECT count(*), min(ts), sum(kind) FROM events WHERE device = g) l',
  'SELECT g, (SELECT count(*) FROM events WHERE ts >= ''2020-01-01''::timestamptz + g * interval ''9 days'') FROM generate_series(1, 8) g',
  -- Groups that several partitions have, and that one has.
  'SELECT device, count(*) FROM events GROUP BY device',
  'SELECT device, count(*), count(ts), min(ts), max(ts), sum(kind), avg(kind), count(kind), sum(device) FROM events GROUP BY device',
  'SELECT device, count(*) FROM events WHERE device IN (3, 5, 7) AND ts < ''2020-03-05'' GROUP BY device HAVING max(ts) > ''2020-01-01'' ORDER BY device DESC LIMIT 2',
  'SELECT l.* FROM generate_series(1, 3) g, LATERAL (SELECT device, g, count(*) FROM events WHERE device > g * 15 GROUP BY device) l',
  'SELECT DISTINCT device FROM events',
  'SELECT tag, count(*), min(kind) FROM events GROUP BY tag',
  'SELECT kind, tag, count(*) FROM events GROUP BY tag, kind',
  'SELECT kind, count(*) FROM events WHERE tag = md5(''3'')::uuid GROUP BY kind',
  'SELECT device, count(*) FROM events_3 GROUP BY device',
  -- Buckets.
  'SELECT date_trunc(''day'', ts), count(*), min(ts) FROM events GROUP BY 1',
  'SELECT date_trunc(''month'', ts), count(*) FROM events GROUP BY 1 ORDER BY 1',
  'SELECT date_trunc(''year'', ts), count(*) FROM events WHERE ts > ''2019-12-30'' GROUP BY 1 HAVING count(*) > 10',
  'SELECT id / 1000, count(*), sum(id) FROM events GROUP BY 1',
  'SELECT date_trunc(''week'', ts) AS week, device, count(*), sum(kind) FROM events WHERE device BETWEEN 10 AND 15 GROUP BY device, week',
  'SELECT date_trunc(''month'', ts), count(*) FROM events WHERE device = 7 GROUP BY 1'
]);
-- Where clocks were set back across midnight a day comes twice, here in two partitions, too.
SET timezone = 'America/Havana';
SELECT * FROM wrong(true, ARRAY['SELECT date_trunc(''day'', ts), count(*) FROM events GROUP BY 1']);
SET timezone = 'UTC';
-- At the ends of times, in each of several partitions: the first and the last ones, infinite ones, buckets that begin with the first time there is or lie as far apart as times do,
-- and hours that clocks have twice. What fails for a row fails, whichever partition has it, and does not for what conditions leave out.
CREATE TABLE far (a int4, t timestamp, tz timestamptz, d date) PARTITION BY LIST (a);
SELECT format('CREATE TABLE far_%s PARTITION OF far FOR VALUES IN (%s) WITH (autovacuum_enabled = off)', i, i) FROM generate_series(0, 2) i \gexec
INSERT INTO far SELECT n % 3, v, v AT TIME ZONE 'UTC', v::date FROM generate_series(1, 15) n,
  unnest('{4714-11-24 BC,4714-11-24 00:00:00.000001 BC,4714-12-31 BC,0001-12-31 BC,1999-12-31 23:59:59.999999,2000-01-01,294276-12-01,294276-12-31 23:59:59.999998,294276-12-31 23:59:59.999999}'::timestamp[]) v
  WHERE n % 3 <> 1 OR v > '2000-01-01';
INSERT INTO far SELECT n % 3, v::timestamp, v::timestamptz, v::date FROM generate_series(1, 50) n, unnest('{-infinity,infinity,NULL}'::text[]) v;
INSERT INTO far SELECT n % 3, timestamp '2021-10-31' + n * interval '7 minutes', timestamptz '2021-10-31 00:00+02' + n * interval '7 minutes', date '2021-10-01' + n FROM generate_series(1, 60) n;
INSERT INTO far (a, d) SELECT n % 3, date '5874897-12-31' - n FROM generate_series(0, 8) n;
SELECT format('CREATE INDEX ON far USING learned (%s)', c) FROM unnest('{t,"tz DESC","a, d"}'::text[]) c \gexec
VACUUM ANALYZE far;
CREATE FUNCTION outcome(query text, counted bool) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RETURN regexp_replace(answer(query, counted), '^\w+ ', '');
EXCEPTION WHEN data_exception THEN
  RETURN SQLSTATE;
END $$;
CREATE TABLE far_queries (query text);
INSERT INTO far_queries SELECT format('SELECT %s, count(*), count(t), min(t), max(t) FROM far%s GROUP BY 1', e, condition) FROM (VALUES
  ('date_bin(''1 day'', t, ''4714-11-24 BC'')', ''), ('date_bin(''99999999 days'', t, ''4714-11-24 BC'')', ''), ('date_trunc(''day'', t)', ''), ('t::date', ''),
  ('date_trunc(''month'', t)', ''), ('date_trunc(''month'', t)', ' WHERE t >= ''4714-12-01 BC'''), ('date_trunc(''millennium'', t)', ' WHERE t > ''0001-12-31 BC'''),
  ('date_bin(''7 days'', t, ''2000-01-01'')', ''), ('date_bin(''7 days'', t, ''280000-01-01 00:00:01'')', ' WHERE t > ''1999-01-01'''),
  ('date_bin(''3 hours'', t, ''280000-01-01'')', '')) v(e, condition);
INSERT INTO far_queries SELECT format('SELECT %s, count(*), min(tz), max(tz) FROM far%s GROUP BY 1', e, condition) FROM (VALUES
  ('date_trunc(''hour'', tz)', ''), ('tz::date', ''), ('date_trunc(''day'', tz, ''Europe/Berlin'')', ''), ('date_trunc(''day'', tz, ''Europe/Berlin'')', ' WHERE tz > ''4714-12-01 BC'''),
  ('date_bin(''5 minutes'', tz AT TIME ZONE ''Europe/Berlin'', ''2000-01-01'')', ''), ('date_bin(''5 minutes'', tz AT TIME ZONE ''Europe/Berlin'', ''2000-01-01'')', ' WHERE tz BETWEEN ''0001-01-01'' AND ''294276-12-31'''),
  ('date_trunc(''year'', tz AT TIME ZONE ''Asia/Tokyo'')', ' WHERE tz BETWEEN ''0001-01-01'' AND ''294276-12-31 14:59:59.999999+00''')) v(e, condition);
INSERT INTO far_queries SELECT format('SELECT a, %s, count(*), min(d), max(d) FROM far WHERE a >= 0%s GROUP BY 1, 2', e, condition) FROM (VALUES
  ('d::timestamp', ''), ('d::timestamp', ' AND d < ''294277-01-01'''), ('d::timestamptz', ' AND d <= ''294276-12-31'''),
  ('date_trunc(''month'', d::timestamp)', ' AND d BETWEEN ''4714-12-01 BC'' AND ''294276-12-31'''), ('date_trunc(''month'', d::timestamp)', ' AND d <= ''4714-11-30 BC''')) v(e, condition);
SELECT query, outcome(query, false) ~ '^\d+ ' AS succeeds FROM far_queries WHERE counts(query) ORDER BY query COLLATE "C";
SELECT query, outcome(query, true), outcome(query, false) FROM far_queries WHERE outcome(query, true) <> outcome(query, false) OR NOT counts(query);
-- Not all partitions have an index that decides; no condition keeps any; there would be too many groups.
SELECT * FROM wrong(false, ARRAY[
  'SELECT kind, count(*) FROM events GROUP BY kind',
  'SELECT count(*) FROM events WHERE kind = 3 AND id > 3',
  'SELECT device, count(id) FROM events GROUP BY device',
  'SELECT count(*) FROM events WHERE ts < ''2020-01-01'' AND ts > ''2020-02-01''',
  'SELECT tableoid, count(*) FROM events GROUP BY tableoid',
  'SELECT device, max(id) FROM events GROUP BY device'
]);
SET work_mem = '64kB';
SELECT * FROM wrong(false, ARRAY['SELECT id, count(*) FROM events GROUP BY id']);
SET work_mem = '32MB';
SELECT * FROM wrong(true, ARRAY['SELECT id, count(*) FROM events GROUP BY id']);
RESET work_mem;

-- Row by row: few rows of a SERIALIZABLE transaction.
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT * FROM wrong(true, ARRAY[
  'SELECT count(*), sum(kind), min(ts) FROM events WHERE device = 7 AND ts BETWEEN ''2020-01-20'' AND ''2020-03-10''',
  'SELECT device, date_trunc(''month'', ts), count(*), sum(kind), min(ts) FROM events WHERE device IN (7, 9, NULL) AND ts < ''2020-03-10'' GROUP BY 1, 2',
  'SELECT g, l.* FROM generate_series(1, 3) g, LATERAL (SELECT device, count(*), avg(kind) FROM events WHERE device = g GROUP BY device) l'
]);
COMMIT;

-- A generic plan, while partitions come and go.
SET plan_cache_mode = force_generic_plan;
SET enable_seqscan = off;
PREPARE between_ts(timestamptz, timestamptz) AS SELECT count(*), min(ts), max(ts) FROM events WHERE ts >= $1 AND ts < $2;
PREPARE by_device(timestamptz, int) AS SELECT device, count(*), max(ts) FROM events WHERE device <= $2 AND ts >= $1 GROUP BY device ORDER BY device;
SELECT counts('EXECUTE between_ts(''2020-02-03'', ''2020-02-05'')'), counts('EXECUTE by_device(''2020-02-03'', 3)');
EXECUTE between_ts('2020-02-03', '2020-02-05');
EXECUTE between_ts('2020-01-03', '2020-03-05');
EXECUTE by_device('2020-03-05', 3);
ALTER TABLE events DETACH PARTITION events_2;
EXECUTE between_ts('2020-01-03', '2020-03-05');
EXECUTE by_device('2020-01-05', 3);
ALTER TABLE events ATTACH PARTITION events_2 FOR VALUES FROM ('2020-02-01') TO ('2020-03-01');
EXECUTE between_ts('2020-01-03', '2020-03-05');
EXECUTE by_device('2020-01-05', 3);
SET learned_index.enable_aggregates = off;
DEALLOCATE ALL;
SELECT count(*), min(ts), max(ts) FROM events WHERE ts >= '2020-02-03' AND ts < '2020-02-05';
SELECT count(*), min(ts), max(ts) FROM events WHERE ts >= '2020-01-03' AND ts < '2020-03-05';
SELECT device, count(*), max(ts) FROM events WHERE device <= 3 AND ts >= '2020-01-05' GROUP BY device ORDER BY device;
SET learned_index.enable_aggregates = on;
RESET plan_cache_mode;
RESET enable_seqscan;

-- By a list and by a hash; of one partition all rows have a value of a column, of another one some do.
CREATE TABLE lists (place int4, id int8, n int4) PARTITION BY LIST (place);
CREATE TABLE lists_1 PARTITION OF lists FOR VALUES IN (1, 2, NULL) WITH (autovacuum_enabled = off);
CREATE TABLE lists_2 PARTITION OF lists FOR VALUES IN (3, 4) WITH (autovacuum_enabled = off);
ALTER TABLE lists_1 ALTER n SET NOT NULL;
INSERT INTO lists SELECT nullif(i % 5, 0), i, CASE WHEN i % 5 IN (3, 4) THEN nullif(i % 4, 0) ELSE i % 4 END FROM generate_series(1, 8000) i;
CREATE INDEX ON lists USING learned (place, n);
CREATE INDEX ON lists USING learned (id DESC);
CREATE TABLE hashes (place int4, id int8, PRIMARY KEY (id)) PARTITION BY HASH (id);
SELECT format('CREATE TABLE hashes_%s PARTITION OF hashes FOR VALUES WITH (MODULUS 5, REMAINDER %s) WITH (autovacuum_enabled = off)', i, i) FROM generate_series(0, 4) i \gexec
INSERT INTO hashes SELECT i % 9, i FROM generate_series(-4000, 4000) i;
CREATE INDEX ON hashes USING learned (place, id);
CREATE INDEX ON hashes USING learned (id);
-- Heirs: the parent has rows, too.
CREATE TABLE parent (id int8, k int4) WITH (autovacuum_enabled = off);
CREATE TABLE heir (more text) INHERITS (parent) WITH (autovacuum_enabled = off);
INSERT INTO parent SELECT i, i % 13 FROM generate_series(1, 3000) i;
INSERT INTO heir SELECT i, i % 17, 'x' FROM generate_series(1, 3000) i;
CREATE INDEX ON parent USING learned (k, id);
CREATE INDEX ON heir USING learned (k DESC) INCLUDE (id);
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON, ANALYZE) lists;
VACUUM (INDEX_CLEANUP ON, ANALYZE) hashes;
VACUUM (INDEX_CLEANUP ON, ANALYZE) parent, heir;
EXPLAIN (COSTS OFF) SELECT place, count(*) FROM lists WHERE place = 3 GROUP BY place;
EXPLAIN (COSTS OFF) SELECT k, count(*) FROM parent GROUP BY k;
SELECT * FROM wrong(true, ARRAY[
  'SELECT count(*), count(n), sum(n), min(place) FROM lists',
  'SELECT place, count(*), count(n), sum(n), min(n) FROM lists GROUP BY place',
  'SELECT place, n, count(*), count(n) FROM lists GROUP BY place, n',
  'SELECT place, n, count(*) FROM lists WHERE place IN (2, 3, 7) GROUP BY place, n',
  'SELECT place, count(*) FROM lists WHERE place = 3 GROUP BY place',
  'SELECT n, count(*) FROM lists WHERE place = 3 GROUP BY n',
  'SELECT id / 100, count(*), min(id), sum(id) FROM lists GROUP BY 1',
  'SELECT place, count(*), sum(id), min(id) FROM hashes GROUP BY place',
  'SELECT place, id / 100, count(*), sum(id), min(id) FROM hashes GROUP BY place, 2',
  'SELECT id, count(*) FROM hashes WHERE id BETWEEN -50 AND 50 GROUP BY id',
  'SELECT count(*), sum(id) FROM hashes WHERE id = 77',
  'SELECT k, count(*), sum(id), avg(k) FROM parent GROUP BY k',
  'SELECT k, count(*), sum(id), max(id) FROM ONLY parent GROUP BY k',
  'SELECT count(*), sum(k), avg(k) FROM parent WHERE k > 3'
]);
-- Who may read the parent may count its partitions.
CREATE ROLE regress_learned_partitions;
GRANT USAGE ON SCHEMA aggregates_partitions TO regress_learned_partitions;
GRANT SELECT ON hashes TO regress_learned_partitions;
SET ROLE regress_learned_partitions;
SELECT counts('SELECT count(*) FROM hashes WHERE id > 5');
SELECT count(*) FROM hashes WHERE id > 5;
SELECT count(*) FROM lists WHERE id > 5;
RESET ROLE;
-- One without an index; what had heirs once.
DROP INDEX heir_k_id_idx;
SELECT * FROM wrong(false, ARRAY['SELECT k, count(*) FROM parent GROUP BY k']);
DROP TABLE heir;
CREATE INDEX ON parent USING learned (k DESC);
SELECT * FROM wrong(true, ARRAY['SELECT k, count(*) FROM parent GROUP BY k']);

SET client_min_messages = warning;
DROP SCHEMA aggregates_partitions CASCADE;
DROP ROLE regress_learned_partitions;
