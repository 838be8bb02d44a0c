-- count(DISTINCT), sum(DISTINCT) and avg(DISTINCT) counted in an index: which of them LearnedAggregate answers, and that it answers as a sequential scan does.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
CREATE SCHEMA aggregates_distinct;
SET search_path = aggregates_distinct, public;
\getenv tests PG_ABS_SRCDIR
\set counting :tests '/sql/counting.inc'
\i :counting

CREATE TABLE events (id int8, device int4, ts timestamptz, day date, kind int2, amount float8, flag bool NOT NULL, tag uuid, site int4 NOT NULL, n numeric, note text)
  WITH (autovacuum_enabled = off);
INSERT INTO events SELECT i / 3, i % 50, timestamptz '2020-01-01 00:00+00' + i % 7000 * interval '337 seconds', date '2019-11-01' + i % 400, i % 7 - 3,
                          nullif(i % 11, 0), i % 3 = 0, md5((i % 90)::text)::uuid, i % 4, i, 'n' FROM generate_series(1, 30000) i;
INSERT INTO events SELECT NULL, i % 3, NULL, NULL, NULL, NULL, false, NULL, 9, NULL, 'null' FROM generate_series(1, 50) i;
INSERT INTO events SELECT -i, NULL, timestamptz '1960-01-01 00:00+00' + i * interval '1 day', NULL, -3, -i, true, NULL, 5, i, 'before' FROM generate_series(1, 500) i;
CREATE INDEX events_id ON events USING learned (id);
CREATE INDEX events_device_ts ON events USING learned (device, ts) INCLUDE (kind);
CREATE INDEX events_ts ON events USING learned (ts DESC);
CREATE INDEX events_day_device ON events USING learned (day DESC NULLS LAST, device);
CREATE INDEX events_amount ON events USING learned (amount);
CREATE INDEX events_flag_kind_id ON events USING learned (flag, kind DESC, id);
CREATE INDEX events_tag ON events USING learned (tag, site);
CREATE INDEX events_site_device_kind ON events USING learned (site, device, kind);
CREATE INDEX events_expression ON events USING learned ((id % 64));
CREATE INDEX events_partial ON events USING learned (kind) WHERE id > 1000 AND flag;
DELETE FROM events WHERE id BETWEEN 2000 AND 2999;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON, ANALYZE) events;
-- Some rows that not everybody sees: dead ones, new ones, changed ones, some that never were. Values that only such rows have do not count.
DELETE FROM events WHERE id BETWEEN 5000 AND 5100 OR device = 41;
UPDATE events SET id = -id, device = device + 100 WHERE id BETWEEN 7000 AND 7100;
UPDATE events SET note = 'hot' WHERE id BETWEEN 9000 AND 9100;
INSERT INTO events SELECT i, 7, '2020-06-01 00:00+00', '2020-06-01', 1, 1, true, md5(i::text)::uuid, 6, i, 'n' FROM generate_series(50001, 50100) i;
BEGIN;
INSERT INTO events SELECT i, i, now(), now(), 100, 1, true, md5(i::text)::uuid, i, i, 'never' FROM generate_series(60001, 60100) i;
ROLLBACK;

EXPLAIN (COSTS OFF, VERBOSE) SELECT count(DISTINCT device), count(*) FROM events;
EXPLAIN (COSTS OFF) SELECT device, count(DISTINCT ts) FROM events GROUP BY device HAVING count(DISTINCT ts) > 3 ORDER BY device LIMIT 5;
EXPLAIN (COSTS OFF, VERBOSE) SELECT device, count(DISTINCT ts::date) AS days FROM events WHERE device < 5 GROUP BY device;

SELECT * FROM wrong(true, ARRAY[
  'SELECT count(DISTINCT id) FROM events',
  'SELECT count(DISTINCT id), count(*), count(id), min(id), max(id), sum(id), avg(id) FROM events',
  'SELECT sum(DISTINCT id), avg(DISTINCT id), count(DISTINCT id), min(DISTINCT id), max(DISTINCT id) FROM events',
  'SELECT count(DISTINCT id) * 2, count(DISTINCT id) + count(*) FROM events WHERE id BETWEEN 4900 AND 8000',
  'SELECT count(DISTINCT id), sum(id) FROM events WHERE id IN (1, 5, 7, 7050, -7050, 2500, 5050, 900000, NULL)',
  'SELECT count(DISTINCT id), sum(DISTINCT id), avg(DISTINCT id), count(*) FROM events WHERE id > 4000000',
  'SELECT count(DISTINCT id), sum(DISTINCT id), count(*) FROM events WHERE id IS NULL',
  'SELECT count(DISTINCT id), count(*) FROM events WHERE id > 100 AND id <= 100',
  'SELECT count(DISTINCT id) FROM events WHERE id = ANY (''{}''::int8[])',
  'SELECT count(DISTINCT id) FROM events WHERE id = 77',
  'SELECT 1 FROM events HAVING count(DISTINCT id) > 5',
  'SELECT 1 FROM events HAVING count(DISTINCT id) < 5',
  'SELECT count(DISTINCT device), count(*), count(device) FROM events',
  'SELECT count(DISTINCT device), min(ts), max(ts), sum(kind), avg(DISTINCT device) FROM events WHERE device > 10',
  'SELECT min(DISTINCT kind), max(DISTINCT ts), count(DISTINCT device), count(*) FROM events',
  'SELECT max(DISTINCT ts), count(*) FROM events WHERE device = 7',
  'SELECT count(DISTINCT ts), count(*) FROM events',
  'SELECT count(DISTINCT ts) FROM events WHERE ts >= ''2020-01-05'' AND ts < date ''2020-01-20''',
  'SELECT count(DISTINCT day), min(day), max(day) FROM events',
  'SELECT count(DISTINCT flag), count(*) FROM events',
  'SELECT count(DISTINCT tag), count(*), count(tag) FROM events',
  'SELECT count(DISTINCT tag) FROM events WHERE tag > ''80000000-0000-0000-0000-000000000000''',
  'SELECT count(DISTINCT id % 64) FROM events',
  'SELECT count(DISTINCT kind), sum(DISTINCT kind) FROM events WHERE id > 1000 AND flag',
  'SELECT count(DISTINCT site) FROM events',
  -- Behind columns that are fixed.
  'SELECT count(DISTINCT ts), count(*) FROM events WHERE device = 7',
  'SELECT count(DISTINCT ts) FROM events WHERE device = 7 AND ts > ''2020-01-10''',
  'SELECT count(DISTINCT ts) FROM events WHERE device IS NULL AND device = 3',
  'SELECT count(DISTINCT id), count(DISTINCT id) + sum(id) FROM events WHERE flag AND kind = -3',
  'SELECT count(DISTINCT device) FROM events WHERE device = 7',
  -- By groups.
  'SELECT device, count(DISTINCT ts) FROM events GROUP BY device',
  'SELECT device, count(DISTINCT ts), count(*), count(ts), min(ts), max(ts), sum(device), sum(kind), avg(kind) FROM events GROUP BY device',
  'SELECT flag, kind, count(DISTINCT id), sum(DISTINCT id), avg(DISTINCT id), sum(id), count(*) FROM events GROUP BY kind, flag',
  'SELECT flag, count(DISTINCT kind), sum(DISTINCT kind), sum(kind), count(*), count(id), max(id) FROM events GROUP BY flag',
  'SELECT flag, kind, count(DISTINCT id) FROM events GROUP BY 1, 2 ORDER BY flag DESC, kind LIMIT 3',
  'SELECT flag, kind, count(DISTINCT id) FROM events GROUP BY 1, 2 HAVING count(DISTINCT id) > count(*) / 2 AND sum(id) > 5 ORDER BY 3, 2, 1',
  'SELECT kind, count(DISTINCT id) FROM events WHERE flag GROUP BY kind',
  'SELECT device, count(DISTINCT kind) FROM events WHERE site = 3 GROUP BY device',
  'SELECT site, device, count(DISTINCT kind), count(kind) FROM events WHERE site IN (1, 2, 5, 9) GROUP BY device, site',
  'SELECT site, count(DISTINCT device), count(kind) FROM events WHERE device BETWEEN 3 AND 20 GROUP BY site',
  'SELECT site, count(DISTINCT kind) FROM events WHERE device = 3 GROUP BY site',
  'SELECT day, count(DISTINCT device), sum(DISTINCT device) FROM events WHERE day < ''2019-11-20'' GROUP BY day',
  'SELECT day, count(DISTINCT device) FROM events GROUP BY day ORDER BY day DESC NULLS LAST',
  'SELECT tag, count(DISTINCT site), sum(DISTINCT site), count(*) FROM events GROUP BY tag',
  'SELECT device, count(DISTINCT ts) FROM events WHERE device IN (3, 500, 9) GROUP BY device ORDER BY device DESC',
  'SELECT device, count(DISTINCT ts) FROM events WHERE device > 4000 GROUP BY device',
  'SELECT DISTINCT count(DISTINCT ts) FROM events GROUP BY device',
  'SELECT device, rank() OVER (ORDER BY count(DISTINCT ts), device) FROM events GROUP BY device',
  'SELECT sum(n) FROM (SELECT count(DISTINCT device) AS n FROM events GROUP BY day) q',
  -- By expressions.
  'SELECT count(DISTINCT ts::date), count(*) FROM events',
  'SELECT count(DISTINCT date_trunc(''hour'', ts)), min(ts) FROM events WHERE ts > ''2020-01-05''',
  'SELECT count(DISTINCT id / 1000), sum(id), count(id) FROM events',
  'SELECT device, count(DISTINCT ts::date), count(DISTINCT ts::date) * 24, max(ts) FROM events GROUP BY device',
  'SELECT device, count(DISTINCT date_trunc(''month'', ts)) FROM events WHERE device IN (3, 5, 9) GROUP BY device HAVING count(DISTINCT date_trunc(''month'', ts)) > 0',
  'SELECT count(DISTINCT ts::date) FROM events WHERE device = 7 AND ts < ''2020-01-20''',
  'SELECT day, count(DISTINCT device / 10) FROM events WHERE day > ''2020-11-20'' GROUP BY day',
  -- Where a count may stand.
  'SELECT g, (SELECT count(DISTINCT id) FROM events WHERE id BETWEEN g AND g * 100) FROM generate_series(1, 20) g',
  'SELECT g, l.* FROM generate_series(-10, 60, 7) g, LATERAL (SELECT count(DISTINCT ts), count(*), sum(kind) FROM events WHERE device = g) l',
  'SELECT g, l.* FROM generate_series(1, 3) g, LATERAL (SELECT device, count(DISTINCT ts) FROM events WHERE device > g * 15 GROUP BY device) l',
  'SELECT g, l.* FROM generate_series(1, 3) g, LATERAL (SELECT count(DISTINCT id) FROM events WHERE id > g * 100000) l',
  'SELECT count(*) FROM events WHERE id < (SELECT count(DISTINCT id) FROM events)'
]);

-- Not for it: of several things, of something that is not the next column, of what is not equal by codes.
SELECT * FROM wrong(false, ARRAY[
  'SELECT count(DISTINCT id) FILTER (WHERE id > 5) FROM events',
  'SELECT count(DISTINCT id), count(DISTINCT device) FROM events',
  'SELECT count(DISTINCT id), count(DISTINCT id / 10) FROM events',
  'SELECT device, count(DISTINCT ts), count(DISTINCT kind) FROM events GROUP BY device',
  'SELECT count(DISTINCT ts) FROM events WHERE device < 3',
  'SELECT count(DISTINCT ts) FROM events WHERE device IN (1, 2)',
  'SELECT count(DISTINCT kind) FROM events WHERE device = 3',
  'SELECT ts, count(DISTINCT device) FROM events GROUP BY ts',
  'SELECT device, count(DISTINCT day) FROM events GROUP BY device',
  'SELECT device, count(DISTINCT device) FROM events GROUP BY device',
  'SELECT ts::date, count(DISTINCT ts) FROM events GROUP BY 1',
  'SELECT day, count(DISTINCT site) FROM events GROUP BY day',
  'SELECT site, count(DISTINCT kind) FROM events GROUP BY site',
  'SELECT count(DISTINCT amount) FROM events',
  'SELECT sum(DISTINCT amount), count(*) FROM events',
  'SELECT count(DISTINCT n) FROM events WHERE id > 5',
  'SELECT count(DISTINCT note) FROM events',
  'SELECT count(DISTINCT 1) FROM events',
  'SELECT count(DISTINCT id + 1) FROM events',
  'SELECT count(DISTINCT id::int4) FROM events',
  'SELECT count(DISTINCT (device, ts)) FROM events',
  'SELECT count(DISTINCT id::text) FROM events WHERE id < 9',
  'SELECT sum(DISTINCT id / 10) FROM events',
  'SELECT count(DISTINCT id ORDER BY id) FROM events',
  'SELECT array_agg(DISTINCT id), count(*) FROM events WHERE id < 9',
  'SELECT count(DISTINCT id), stddev(id) FROM events',
  'SELECT count(DISTINCT id), array_agg(id ORDER BY id) FROM events WHERE id < 9',
  'SELECT min(DISTINCT id) FROM events',
  'SELECT count(DISTINCT id) FROM events WHERE id > 100 AND note = ''n''',
  'SELECT device, count(DISTINCT ts) FROM events GROUP BY ROLLUP (device)',
  'SELECT count(DISTINCT events) FROM events WHERE id < 9'
]);
-- A column taken as another type.
CREATE TABLE taken (o oid, k int8);
INSERT INTO taken SELECT i + 2147483600::int8, i FROM generate_series(1, 3000) i, generate_series(1, 3);
CREATE INDEX taken_o ON taken USING learned (o);
VACUUM ANALYZE taken;
SELECT * FROM wrong(false, ARRAY['SELECT count(DISTINCT o::int4) FROM taken', 'SELECT sum(DISTINCT o::int4) FROM taken']);
SELECT * FROM wrong(true, ARRAY['SELECT count(DISTINCT o) FROM taken', 'SELECT count(DISTINCT o::regclass::oid), min(o) FROM taken']);

-- Unique-ish and few values, over many batches of groups; ends of types; domains; a time zone in which days come twice.
CREATE DOMAIN whole AS int8;
CREATE TABLE many (g int4, k int8, w whole, s int2) WITH (autovacuum_enabled = off);
INSERT INTO many SELECT i / 7000, i / 2, i % 5000, i % 100 FROM generate_series(1, 20000) i;
INSERT INTO many VALUES (NULL, 9223372036854775807, 9223372036854775807, 32767), (NULL, 9223372036854775807, -9223372036854775808, -32768), (NULL, -9223372036854775808, NULL, NULL);
CREATE INDEX many_g_k ON many USING learned (g, k);
CREATE INDEX many_w ON many USING learned (w DESC);
CREATE INDEX many_s_g ON many USING learned (s DESC NULLS LAST, g NULLS FIRST);
CREATE TABLE zones (ts timestamptz, d int4) WITH (autovacuum_enabled = off);
INSERT INTO zones SELECT t, extract(minute FROM t)::int FROM generate_series(timestamptz '2009-10-01 00:00+00', '2011-01-15 00:00+00', '17 minutes') t;
INSERT INTO zones VALUES ('infinity', 1), ('-infinity', 1), (NULL, 3);
CREATE INDEX zones_ts ON zones USING learned (ts);
CREATE INDEX zones_d_ts ON zones USING learned (d, ts DESC);
VACUUM ANALYZE many, zones;
CREATE FUNCTION wrong_of_many() RETURNS TABLE (query text, answer text, expected text) LANGUAGE sql AS $$
  SELECT * FROM wrong(true, ARRAY[
    'SELECT g, count(DISTINCT k), sum(DISTINCT k), avg(DISTINCT k), sum(k), count(*) FROM many GROUP BY g',
    'SELECT g, count(DISTINCT k) FROM many GROUP BY g ORDER BY g NULLS FIRST LIMIT 2',
    'SELECT g, count(DISTINCT k / 10), count(k) FROM many GROUP BY g',
    'SELECT count(DISTINCT k) FROM many WHERE g = 1',
    'SELECT sum(DISTINCT w), avg(DISTINCT w), sum(w) FROM many',
    'SELECT count(DISTINCT w), sum(w), min(w) FROM many',
    'SELECT count(DISTINCT s), sum(DISTINCT s), count(g) FROM many',
    'SELECT s, count(DISTINCT g), sum(DISTINCT g), avg(DISTINCT g) FROM many GROUP BY s ORDER BY s DESC NULLS LAST'])
$$;
SELECT * FROM wrong_of_many();
CREATE FUNCTION wrong_in(zone text) RETURNS TABLE (z text, query text, answer text, expected text) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('timezone', zone, true);
  RETURN QUERY SELECT zone, w.* FROM wrong(true, ARRAY[
    'SELECT count(DISTINCT ts::date), count(*) FROM zones',
    'SELECT count(DISTINCT date_trunc(''day'', ts)), count(DISTINCT date_trunc(''day'', ts)) FROM zones WHERE ts < ''2020-01-01''',
    'SELECT d, count(DISTINCT ts::date), count(ts) FROM zones GROUP BY d']) w;
END $$;
SELECT w.* FROM unnest(ARRAY['UTC', 'Europe/Berlin', 'America/Havana', 'Atlantic/Azores', 'America/St_Johns', 'Pacific/Apia']) zone, wrong_in(zone) w;

-- Changes of one's own, cursors, parameters; few rows of a serializable transaction, which are read one by one, and many, which are not.
BEGIN;
UPDATE events SET id = id + 100000 WHERE id BETWEEN 10 AND 19;
DELETE FROM events WHERE id BETWEEN 20 AND 29;
INSERT INTO events(id, device, flag, site) VALUES (15, 1, true, 1), (25, 1, true, 1);
SAVEPOINT s;
DELETE FROM events WHERE id < 1000;
SELECT count(DISTINCT id), count(*) FROM events WHERE id BETWEEN 1 AND 100;
ROLLBACK TO s;
SELECT count(DISTINCT id), count(*) FROM events WHERE id BETWEEN 1 AND 100;
SELECT * FROM wrong(true, ARRAY['SELECT count(DISTINCT id), sum(DISTINCT id) FROM events WHERE id BETWEEN 0 AND 99', 'SELECT flag, kind, count(DISTINCT id), count(*) FROM events GROUP BY 1, 2']);
DECLARE c SCROLL CURSOR FOR SELECT device, count(DISTINCT ts) FROM events WHERE device BETWEEN 1 AND 4 GROUP BY device ORDER BY device;
DELETE FROM events WHERE device = 3;
FETCH 2 FROM c;
FETCH PRIOR FROM c;
FETCH ALL FROM c;
FETCH ALL FROM c;
DECLARE one CURSOR FOR SELECT count(DISTINCT device) FROM events WHERE device > 70000;
FETCH 2 FROM one;
FETCH 2 FROM one;
ROLLBACK;
PREPARE counted(int8, int8) AS SELECT count(DISTINCT id), min(id), sum(DISTINCT id) FROM events WHERE id BETWEEN $1 AND $2;
PREPARE by_kind(bool) AS SELECT kind, count(DISTINCT id) FROM events WHERE flag = $1 GROUP BY kind ORDER BY kind LIMIT 2;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE counted(1, 2);
EXECUTE counted(100, 200);
EXECUTE counted(NULL, 200);
EXECUTE counted(200, 100);
EXECUTE by_kind(true);
EXECUTE by_kind(NULL);
DROP INDEX events_id;
EXECUTE counted(100, 200);
CREATE INDEX events_id ON events USING learned (id);
EXECUTE counted(100, 200);
RESET plan_cache_mode;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(DISTINCT id), sum(DISTINCT id) FROM events WHERE id BETWEEN 100 AND 105;
SELECT * FROM wrong(true, ARRAY[
  'SELECT count(DISTINCT id), count(*), sum(DISTINCT id), sum(id), min(id) FROM events WHERE id BETWEEN 100 AND 305',
  'SELECT count(DISTINCT id), count(*), sum(DISTINCT id), sum(id), min(id) FROM events WHERE id BETWEEN 70000 AND 80000',
  'SELECT device, count(DISTINCT ts), sum(kind), count(kind) FROM events WHERE device IN (4, 40) AND ts < ''2020-01-15'' GROUP BY device',
  'SELECT device, count(DISTINCT ts::date), count(*) FROM events WHERE device IN (4, 40) AND ts < ''2020-01-15'' GROUP BY device',
  'SELECT count(DISTINCT id) FROM events WHERE id > 100']);
COMMIT;

-- More groups of rows that are read one by one than are given out at a time: the plan expects few.
CREATE TABLE late (g int4, k int8) WITH (autovacuum_enabled = off);
INSERT INTO late SELECT 0, CASE WHEN i = 3000 THEN 1000000000 ELSE i END FROM generate_series(1, 3000) i;
CREATE INDEX late_k ON late USING learned (k DESC);
VACUUM ANALYZE late;
INSERT INTO late SELECT i % 4, 1000000 + i / 2 FROM generate_series(1, 20000) i;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT * FROM wrong(true, ARRAY[
  'SELECT count(DISTINCT k), sum(DISTINCT k), sum(k), count(*) FROM late WHERE k BETWEEN 900000 AND 2000000',
  'SELECT count(DISTINCT k / 3), count(k) FROM late WHERE k BETWEEN 900000 AND 2000000',
  'SELECT k, count(*) FROM late WHERE k BETWEEN 900000 AND 2000000 GROUP BY k',
  'SELECT k, count(*), percentile_disc(0.5) WITHIN GROUP (ORDER BY k) FROM late WHERE k BETWEEN 900000 AND 2000000 GROUP BY k']);
COMMIT;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT node, leaves, read FROM work('SELECT count(DISTINCT k / 3), sum(k) FROM late WHERE k BETWEEN 900000 AND 2000000');
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT node, leaves, read FROM work('SELECT count(DISTINCT k / 3), sum(k) FROM late WHERE k BETWEEN 900000 AND 2000000');
COMMIT;
RESET enable_bitmapscan;
RESET enable_seqscan;

-- Tables without rows, or without those that anybody sees; never vacuumed, not logged.
CREATE TABLE none (k int4, g int4);
CREATE INDEX none_k ON none USING learned (k);
CREATE INDEX none_k_g ON none USING learned (k, g);
CREATE UNLOGGED TABLE unlogged AS SELECT i / 2 AS k FROM generate_series(1, 20000) i;
CREATE INDEX unlogged_k ON unlogged USING learned (k);
CREATE TABLE fresh AS SELECT i / 2 AS k, i / 500 AS g FROM generate_series(1, 20000) i;
CREATE INDEX fresh_k ON fresh USING learned (k);
CREATE INDEX fresh_g_k ON fresh USING learned (g, k);
ANALYZE none, unlogged, fresh;
SET enable_seqscan = off;
SELECT * FROM wrong(true, ARRAY['SELECT count(DISTINCT k), sum(DISTINCT k), count(*) FROM none', 'SELECT k, count(DISTINCT g) FROM none GROUP BY k', 'SELECT count(DISTINCT k), sum(k) FROM unlogged',
  'SELECT count(DISTINCT k), sum(k), max(k) FROM fresh', 'SELECT g, count(DISTINCT k), sum(DISTINCT k) FROM fresh GROUP BY g']);
DELETE FROM fresh;
SELECT * FROM wrong(true, ARRAY['SELECT count(DISTINCT k), sum(DISTINCT k), max(k) FROM fresh', 'SELECT g, count(DISTINCT k) FROM fresh GROUP BY g']);
RESET enable_seqscan;

-- Who may not execute an aggregate does not get around that.
BEGIN;
REVOKE EXECUTE ON FUNCTION count("any") FROM PUBLIC;
CREATE ROLE regress_learned_distinct;
GRANT USAGE ON SCHEMA aggregates_distinct TO regress_learned_distinct;
GRANT SELECT ON events TO regress_learned_distinct;
SET LOCAL ROLE regress_learned_distinct;
SELECT count(DISTINCT id) FROM events;
ROLLBACK;

-- Partitions: values that several of them have count once. Of one that is left groups are given out as they are complete.
CREATE TABLE parts (id int8, device int4, ts timestamptz NOT NULL) PARTITION BY RANGE (ts);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2020-01-01') TO ('2020-02-01') WITH (autovacuum_enabled = off);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM ('2020-02-01') TO ('2020-03-01') WITH (autovacuum_enabled = off);
CREATE TABLE parts_3 PARTITION OF parts DEFAULT WITH (autovacuum_enabled = off);
INSERT INTO parts SELECT i % 4000, nullif(i % 30, 0), timestamptz '2020-01-01' + i * interval '7 minutes' FROM generate_series(1, 12000) i;
INSERT INTO parts SELECT NULL, i % 3, timestamptz '2020-01-20' + i * interval '1 day' FROM generate_series(1, 40) i;
CREATE INDEX ON parts USING learned (id);
CREATE INDEX ON parts USING learned (ts);
CREATE INDEX ON parts_1 USING learned (device, id);
CREATE INDEX ON parts_2 USING learned (device DESC, id DESC) INCLUDE (ts);
CREATE INDEX ON parts_3 USING learned (device NULLS FIRST, id);
CALL pg_temp.settle();
VACUUM ANALYZE parts;
DELETE FROM parts WHERE id BETWEEN 300 AND 320 AND ts < '2020-02-10';
UPDATE parts SET id = id + 5000 WHERE id BETWEEN 400 AND 450 AND ts > '2020-02-10';
EXPLAIN (COSTS OFF) SELECT count(DISTINCT id), count(*) FROM parts;
SELECT * FROM wrong(true, ARRAY[
  'SELECT count(DISTINCT id), sum(DISTINCT id), avg(DISTINCT id), sum(id), count(*), count(id), min(id), max(id) FROM parts',
  'SELECT count(DISTINCT id), sum(DISTINCT id) FROM parts WHERE id BETWEEN 200 AND 500',
  'SELECT count(DISTINCT id), sum(DISTINCT id), count(*) FROM parts WHERE id > 900000',
  'SELECT count(DISTINCT id), sum(DISTINCT id), count(*) FROM parts WHERE id IS NULL',
  'SELECT count(DISTINCT device), sum(DISTINCT device), count(*) FROM parts',
  'SELECT count(DISTINCT ts::date), count(*) FROM parts',
  'SELECT count(DISTINCT id / 100), count(*), sum(id) FROM parts',
  'SELECT device, count(DISTINCT id), sum(DISTINCT id), sum(id), count(*) FROM parts GROUP BY device',
  'SELECT device, count(DISTINCT id / 100) FROM parts GROUP BY device HAVING count(DISTINCT id / 100) > 3 ORDER BY device DESC LIMIT 7',
  'SELECT count(DISTINCT ts), count(*) FROM parts WHERE ts < ''2020-01-11''',
  'SELECT count(DISTINCT ts), count(*) FROM parts WHERE ts < ''2020-01-11'' AND ts > timestamptz ''2020-01-15'' - interval ''5 days''',
  'SELECT g, (SELECT count(DISTINCT id) FROM parts WHERE id BETWEEN g AND 2 * g) FROM generate_series(1, 900, 100) g'
]);
-- More values than there is memory for: no plan that would keep all of them.
SET work_mem = '64kB';
SELECT * FROM wrong(false, ARRAY['SELECT count(DISTINCT id) FROM parts']);
SELECT * FROM wrong(true, ARRAY['SELECT count(DISTINCT device) FROM parts', 'SELECT count(DISTINCT k) FROM many WHERE g = 1']);
RESET work_mem;

SET client_min_messages = warning;
DROP SCHEMA aggregates_distinct CASCADE;
