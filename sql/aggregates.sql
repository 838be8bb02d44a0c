-- Counting without reading rows: which queries LearnedAggregate answers, and that it answers as a sequential scan does.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
CREATE SCHEMA aggregates;
SET search_path = aggregates, public;
\getenv tests PG_ABS_SRCDIR
\set counting :tests '/sql/counting.inc'
\i :counting

CREATE TABLE events (id int8, device int4, ts timestamptz, day date, kind int2, amount float8, flag bool NOT NULL, note text)
  WITH (autovacuum_enabled = off);
INSERT INTO events SELECT i, i % 50, timestamptz '2020-01-01 00:00+00' + i * interval '337 seconds', date '2019-11-01' + i % 400, i % 7 - 3,
                          nullif(i % 11, 0), i % 3 = 0, 'n' FROM generate_series(1, 40000) i;
INSERT INTO events SELECT NULL, i % 3, NULL, NULL, NULL, NULL, false, 'null' FROM generate_series(1, 50) i;
INSERT INTO events SELECT -i, NULL, timestamptz '1960-01-01 00:00+00' + i * interval '1 day', NULL, -3, -i, true, 'before' FROM generate_series(1, 500) i;
CREATE INDEX events_id ON events USING learned (id);
CREATE INDEX events_device_ts ON events USING learned (device, ts) INCLUDE (kind);
CREATE INDEX events_ts ON events USING learned (ts DESC);
CREATE INDEX events_day_device ON events USING learned (day DESC NULLS LAST, device);
CREATE INDEX events_amount ON events USING learned (amount);
CREATE INDEX events_flag ON events USING learned (flag);
CREATE INDEX events_partial ON events USING learned (kind) WHERE id > 1000 AND flag;
DELETE FROM events WHERE id BETWEEN 2000 AND 2999;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON, ANALYZE) events;
-- Some rows that not everybody sees: dead ones, new ones, changed ones.
DELETE FROM events WHERE id BETWEEN 5000 AND 5100;
UPDATE events SET id = -id WHERE id BETWEEN 7000 AND 7100;
UPDATE events SET note = 'hot' WHERE id BETWEEN 9000 AND 9100;
INSERT INTO events SELECT i, 7, '2020-06-01 00:00+00', '2020-06-01', 1, 1, true, 'n' FROM generate_series(50001, 50100) i;

EXPLAIN (COSTS OFF) SELECT count(*) FROM events WHERE id BETWEEN 100 AND 30000;
EXPLAIN (COSTS OFF) SELECT device, count(*), max(ts) FROM events WHERE device > 20 GROUP BY device HAVING count(*) > 3 ORDER BY device;
EXPLAIN (COSTS OFF, VERBOSE) SELECT date_trunc('day', ts), count(*) FROM events GROUP BY 1;
EXPLAIN (COSTS OFF) SELECT DISTINCT device FROM events WHERE day = '2020-01-01';

SELECT * FROM wrong(true, ARRAY[
  'SELECT count(*) FROM events',
  'SELECT count(*), count(1), count(id), count(flag), min(id), max(id), sum(id), avg(id) FROM events',
  'SELECT count(*) FROM events WHERE id BETWEEN 100 AND 30000',
  'SELECT count(*) FROM events WHERE id > 100 AND id <= 100',
  'SELECT count(*), sum(id), min(id) FROM events WHERE id > 40000000',
  'SELECT count(*), sum(id) FROM events WHERE id < 0::int2',
  'SELECT count(*), sum(id) FROM events WHERE id IN (1, 5, 7, 7050, -7050, 2500, 5050, 900000, NULL)',
  'SELECT count(*) FROM events WHERE id = ANY (''{}''::int8[])',
  'SELECT count(*) FROM events WHERE id IS NULL',
  'SELECT count(*), count(id), sum(id) FROM events WHERE id IS NOT NULL',
  'SELECT count(ts), min(ts), max(ts) FROM events WHERE ts >= ''2020-02-01'' AND ts < date ''2020-03-01''',
  'SELECT count(*), count(ts), max(ts), sum(device), avg(kind), sum(kind), count(kind) FROM events WHERE device = 7',
  'SELECT count(*), sum(kind) FROM events WHERE device IN (3, 9, 30) AND ts BETWEEN ''2020-02-01'' AND ''2020-02-08''',
  'SELECT count(*) FROM events WHERE device BETWEEN 3 AND 40 AND ts IS NULL',
  'SELECT count(*) FROM events WHERE device IS NULL',
  'SELECT count(*), min(day), max(day), count(day) FROM events WHERE day < ''2020-01-01''',
  'SELECT count(*), count(amount) FROM events WHERE amount > -3',
  'SELECT count(*) FROM events WHERE amount = 0',
  'SELECT count(*), min(amount), max(amount) FROM events',
  'SELECT count(*), min(amount), max(amount) FROM events WHERE amount BETWEEN -20 AND 3',
  'SELECT count(*) FROM events WHERE flag',
  'SELECT count(*) FROM events WHERE NOT flag',
  'SELECT count(*), sum(kind), avg(kind) FROM events WHERE id > 1000 AND flag',
  'SELECT count(*) FROM events WHERE id > 1000 AND flag AND kind = 2',
  'SELECT count(*) * 2 + 1, ''x'' || max(id) FROM events WHERE id < 500',
  'SELECT 1 FROM events HAVING count(*) > 5',
  'SELECT 1 FROM events WHERE id < 500 HAVING count(*) > 500000',
  'SELECT count(*) FROM events WHERE id < (SELECT max(device) FROM events)',
  'SELECT * FROM (SELECT count(*) AS c FROM events WHERE id < 100) q WHERE c > 5',
  'SELECT g, (SELECT count(*) FROM events WHERE id BETWEEN g AND g * 100) FROM generate_series(1, 20) g',
  'SELECT g, l.* FROM generate_series(-10, 60, 7) g, LATERAL (SELECT count(*), min(ts), sum(kind) FROM events WHERE device = g) l',
  'SELECT g, l.* FROM generate_series(1, 3) g, LATERAL (SELECT device, count(*) FROM events WHERE device > g * 15 GROUP BY device) l',
  -- By groups.
  'SELECT device, count(*), count(ts), min(ts), max(ts), sum(device), sum(kind), avg(kind) FROM events GROUP BY device',
  'SELECT device, count(*), min(kind), max(kind) FROM events GROUP BY device',
  'SELECT count(*), max(kind), min(kind) FROM events WHERE device = 9 AND ts > ''2020-02-01''',
  'SELECT count(*), device FROM events WHERE device BETWEEN 10 AND 20 GROUP BY device HAVING max(ts) > ''2020-05-01'' AND count(kind) > 5 ORDER BY device DESC LIMIT 3',
  'SELECT device, ts, count(*) FROM events WHERE device < 3 AND ts IS NULL GROUP BY ts, device',
  'SELECT device, day, count(*) FROM events WHERE day < ''2019-11-20'' GROUP BY device, day',
  'SELECT day, count(*), sum(device) FROM events GROUP BY day',
  'SELECT day + 1, count(*) FROM events GROUP BY day',
  'SELECT device, count(*) FROM events WHERE day = ''2020-01-01'' GROUP BY device',
  'SELECT day, device, count(*) FROM events WHERE day = ''2020-01-01'' GROUP BY day, device',
  'SELECT day, count(*) FROM events WHERE day = ''2020-01-01'' GROUP BY day',
  'SELECT flag, count(*) FROM events GROUP BY flag',
  'SELECT kind, count(*) FROM events WHERE id > 1000 AND flag GROUP BY kind',
  'SELECT DISTINCT device FROM events',
  'SELECT DISTINCT flag FROM events WHERE flag',
  'SELECT day FROM events GROUP BY day',
  -- By expressions.
  'SELECT date_trunc(''day'', ts), count(*) FROM events GROUP BY 1',
  'SELECT date_trunc(''hour'', ts), count(*), min(ts), max(ts) FROM events WHERE ts > ''2020-05-01'' GROUP BY 1 ORDER BY 1 LIMIT 10',
  'SELECT date_trunc(''month'', ts), count(*) FROM events GROUP BY date_trunc(''month'', ts) HAVING count(*) > 100',
  'SELECT device, date_trunc(''month'', ts) AS month, count(*), sum(kind) FROM events WHERE device IN (3, 5, 9) GROUP BY device, month',
  'SELECT date_trunc(''week'', ts), count(*) FROM events WHERE device = 7 GROUP BY 1',
  'SELECT date_bin(''90 minutes'', ts, ''2020-01-01 00:10+00''), count(*) FROM events GROUP BY 1',
  'SELECT ts::date, count(*) FROM events GROUP BY 1',
  'SELECT date_trunc(''quarter'', ts)::date, count(*) FROM events GROUP BY 1',
  'SELECT date_trunc(''month'', day::timestamp), count(*), count(device), min(device) FROM events GROUP BY 1',
  'SELECT date_trunc(''month'', day), count(*) FROM events GROUP BY 1',
  'SELECT day, device / 10, count(*), max(device) FROM events WHERE day < ''2019-11-20'' GROUP BY 1, 2',
  'SELECT device / 10, count(*) FROM events WHERE day = ''2019-11-20'' GROUP BY 1',
  'SELECT id / 1000, count(*), sum(id), min(id), max(id) FROM events GROUP BY 1',
  'SELECT id / 7::int2, count(*) FROM events WHERE id BETWEEN -100 AND 100 GROUP BY 1',
  'SELECT (id / 10) / 10, count(*) FROM events GROUP BY 1',
  'SELECT width_bucket(id::float8, -300, 30000, 50), count(*) FROM events GROUP BY 1',
  'SELECT width_bucket(id::float8, 30000, -300, 50), count(*) FROM events GROUP BY 1'
]);

-- Not for it: what an index does not decide by itself, what needs more than the columns' values.
SELECT * FROM wrong(false, ARRAY[
  'SELECT count(*) FROM events WHERE id > 100 AND note = ''n''',
  'SELECT count(*) FROM events WHERE id > 100 AND random() >= 0',
  'SELECT count(*) FROM events WHERE id > 100 OR device = 3',
  'SELECT count(*) FROM events WHERE id <> 7',
  'SELECT count(*) FROM events WHERE id % 2 = 0',
  'SELECT count(note) FROM events',
  'SELECT count(*) FILTER (WHERE id > 5) FROM events',
  'SELECT max(id) FROM events',  -- (The server has a plan of its own.)
  'SELECT array_agg(DISTINCT id), count(*) FROM events',
  'SELECT array_agg(id ORDER BY id), count(*) FROM events WHERE id < 9',
  'SELECT sum(amount), count(*) FROM events',
  'SELECT avg(amount), count(*) FROM events WHERE amount > 2',
  'SELECT amount, count(*) FROM events GROUP BY amount',
  'SELECT sum(id + 1), count(*) FROM events',
  'SELECT string_agg(id::text, '','' ORDER BY id) FROM events WHERE id < 9',
  'SELECT stddev(id), count(*) FROM events',
  'SELECT count(*), max(ctid) FROM events',
  'SELECT device, count(*) FROM events GROUP BY ROLLUP (device)',
  'SELECT device, count(*), grouping(device) FROM events GROUP BY GROUPING SETS ((device), ())',
  'SELECT count(*) FROM events TABLESAMPLE SYSTEM (100)',
  'SELECT count(*) FROM (SELECT 1 FROM events WHERE id < 100 FOR UPDATE) q',
  'SELECT count(*) FROM events a, events b WHERE a.id = b.id AND a.id < 10',
  'SELECT ts, count(*) FROM events WHERE device < 3 GROUP BY note, ts',
  'SELECT kind, count(*) FROM events WHERE device = 3 GROUP BY kind',
  'SELECT device % 10, count(*) FROM events GROUP BY 1',
  'SELECT -device, count(*) FROM events GROUP BY 1',
  'SELECT id / -10, count(*) FROM events GROUP BY 1',
  'SELECT extract(hour FROM ts), count(*) FROM events GROUP BY 1',
  'SELECT count(*) FROM events WHERE (device, ts) > (7, ''2020-05-01'')',
  'SELECT DISTINCT note FROM events',
  'SELECT DISTINCT ON (device) device FROM events ORDER BY device',
  'SELECT count(*) FROM events WHERE id BETWEEN 100 AND 30000 AND current_setting(''jit'') = ''off'''
]);
SET enable_indexscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM events WHERE id < 100;
RESET enable_indexscan;
RESET enable_bitmapscan;
SET learned_index.enable_aggregates = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM events WHERE id < 100;
SET learned_index.enable_aggregates = on;

-- Time zones: days that come twice, because clocks are set back across midnight, or not at all.
CREATE TABLE zones (ts timestamptz, d int4);
INSERT INTO zones SELECT t, extract(minute FROM t)::int FROM generate_series(timestamptz '2009-10-01 00:00+00', '2011-01-15 00:00+00', '17 minutes') t;
INSERT INTO zones VALUES ('infinity', 1), ('-infinity', 1), ('4700-01-01 BC', 2), ('290000-01-01', 2), (NULL, 3);
CREATE INDEX zones_ts ON zones USING learned (ts);
CREATE INDEX zones_d_ts ON zones USING learned (d, ts DESC);
CREATE TABLE days AS SELECT date '2009-10-01' + i AS day FROM generate_series(0, 3000) i, generate_series(1, 2);
CREATE INDEX days_day ON days USING learned (day);
VACUUM ANALYZE zones, days;
CREATE FUNCTION wrong_in(zone text) RETURNS TABLE (z text, query text, answer text, expected text) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('timezone', zone, true);
  RETURN QUERY SELECT zone, w.* FROM wrong(true, ARRAY[
    'SELECT date_trunc(''day'', ts), count(*), min(ts), max(ts) FROM zones WHERE ts BETWEEN ''2000-01-01'' AND ''2020-01-01'' GROUP BY 1',
    'SELECT date_trunc(''hour'', ts), count(*) FROM zones WHERE ts BETWEEN ''2000-01-01'' AND ''2020-01-01'' GROUP BY 1',
    'SELECT date_trunc(''month'', ts), count(*) FROM zones GROUP BY 1',
    'SELECT ts::date, count(*) FROM zones GROUP BY 1',
    'SELECT date_trunc(''day'', day), count(*) FROM days GROUP BY 1',
    'SELECT date_trunc(''week'', day), count(*) FROM days GROUP BY 1',
    'SELECT day::timestamptz::date, count(*) FROM days GROUP BY 1',
    'SELECT d, date_trunc(''day'', ts), count(*) FROM zones WHERE d < 7 AND ts BETWEEN ''2000-01-01'' AND ''2020-01-01'' GROUP BY 1, 2']) w;
  -- Named, in a session of another.
  PERFORM set_config('timezone', 'America/Caracas', true);
  RETURN QUERY SELECT zone, w.* FROM wrong(true, ARRAY[
    format('SELECT date_trunc(''day'', ts, %L), count(*), min(ts), max(ts) FROM zones WHERE ts BETWEEN ''2000-01-01'' AND ''2020-01-01'' GROUP BY 1', zone),
    format('SELECT date_trunc(''month'', ts, %L), count(*) FROM zones GROUP BY 1', zone),
    format('SELECT date_trunc(''day'', ts AT TIME ZONE %L), count(*) FROM zones WHERE ts BETWEEN ''2000-01-01'' AND ''2020-01-01'' GROUP BY 1', zone),
    format('SELECT (ts AT TIME ZONE %L)::date, count(*) FROM zones GROUP BY 1', zone),
    format('SELECT date_trunc(''day'', date_trunc(''day'', ts, %L)), count(*) FROM zones WHERE ts BETWEEN ''2000-01-01'' AND ''2020-01-01'' GROUP BY 1', zone),
    format('SELECT d, (ts AT TIME ZONE %L)::date, count(*) FROM zones WHERE d < 7 GROUP BY 1, 2', zone)]) w;
END $$;
SELECT w.* FROM unnest(ARRAY['UTC', 'Europe/Berlin', 'America/Havana', 'Asia/Amman', 'America/Asuncion', 'Atlantic/Azores', 'America/St_Johns',
  'Australia/Lord_Howe', 'Africa/Casablanca', 'Pacific/Apia', 'Asia/Gaza', 'America/Sao_Paulo', 'Asia/Kathmandu']) zone, wrong_in(zone) w;

-- Values at the ends of their types.
CREATE TABLE ends (a int2, b int4, c int8, t timestamp, d date, u uuid, p pg_lsn, m money, o oid, "time" time);
INSERT INTO ends SELECT i, i, i, '2020-01-01', '2020-01-01', md5(i::text)::uuid, '0/0'::pg_lsn + i, i, i, time '00:00' + i * interval '1 s' FROM generate_series(1, 3000) i;
INSERT INTO ends VALUES (-32768, -2147483648, -9223372036854775808, '4713-01-01 BC', '4713-01-01 BC', '00000000-0000-0000-0000-000000000000', '0/0', '-92233720368547758.08', 0, '00:00'),
  (32767, 2147483647, 9223372036854775807, '294276-12-31 23:59:59.999999', '5874897-12-31', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'FFFFFFFF/FFFFFFFF', '92233720368547758.07', 4294967295, '24:00');
INSERT INTO ends SELECT * FROM ends WHERE a IN (-32768, 32767);
SELECT format('CREATE INDEX ON ends USING learned (%I)', c) FROM unnest('{a,b,c,t,d,u,p,m,o,time}'::text[]) c \gexec
CREATE INDEX ends_down ON ends USING learned (a DESC, c DESC);
VACUUM ANALYZE ends;
SELECT * FROM wrong(true, ARRAY[
  'SELECT count(*), sum(a), avg(a), min(a), max(a) FROM ends',
  'SELECT count(*), sum(b), avg(b), min(b), max(b) FROM ends',
  'SELECT count(*), sum(c), avg(c), min(c), max(c) FROM ends',
  'SELECT count(*), sum(c), avg(c) FROM ends WHERE c > 5',
  'SELECT count(*), min(t), max(t) FROM ends',
  'SELECT count(*), min(d), max(d) FROM ends',
  'SELECT count(*), min(p), max(p) FROM ends',
  'SELECT count(*), min(m), max(m) FROM ends',
  'SELECT count(*), min(o), max(o) FROM ends',
  'SELECT count(*), min("time"), max("time") FROM ends',
  'SELECT count(u) FROM ends WHERE u > ''80000000-0000-0000-0000-000000000000''',
  'SELECT u, count(*) FROM ends GROUP BY u',
  'SELECT a / 7, count(*) FROM ends GROUP BY 1',
  'SELECT b / 1000::int8, count(*) FROM ends GROUP BY 1',
  'SELECT c / 9223372036854775807, count(*) FROM ends GROUP BY 1',
  'SELECT a, c / 100, count(*), max(c) FROM ends GROUP BY 1, 2',
  'SELECT date_trunc(''year'', t), count(*) FROM ends WHERE t > ''2000-01-01'' GROUP BY 1',
  'SELECT t::date, count(*) FROM ends GROUP BY 1',
  'SELECT date_trunc(''day'', d::timestamp), count(*) FROM ends WHERE d < ''3000-01-01'' GROUP BY 1'
]);
-- A column taken as another type has other values, in another order.
CREATE INDEX ends_a_o ON ends USING learned (a) INCLUDE (o);
INSERT INTO ends(a, o) SELECT a, o FROM unnest('{1,1,2,3}'::int2[], '{2147483647,2147483648,2147483649,3221225472}'::oid[]) x(a, o);
VACUUM ANALYZE ends;
SELECT * FROM wrong(false, ARRAY[
  'SELECT count(*), sum(o::int4) FROM ends',
  'SELECT count(*), avg(o::int4) FROM ends WHERE a = 1',
  'SELECT count(*), max(o::int4) FROM ends',
  'SELECT o::int4 / 2147483647, count(*) FROM ends GROUP BY 1',
  'SELECT o::int4, count(*) FROM ends GROUP BY 1'
]);
SELECT * FROM wrong(true, ARRAY['SELECT o::regclass::oid, count(*) FROM ends WHERE o > 2147483646 GROUP BY 1', 'SELECT count(o::int4), min(o::regclass), max(o) FROM ends']);

-- Borders are searched for among values that no row has: functions that fail for these only do not fail, and constants that they never take are left to plans that
-- call them for rows only, if there are any.
CREATE TABLE borders (a int4, t timestamp, tz timestamptz, d date, gone timestamp) WITH (autovacuum_enabled = off);
INSERT INTO borders SELECT i, timestamp '3900-01-01 BC' + i * interval '2 years', timestamptz '2020-01-01' + i * interval '1 hour', date '3900-01-01 BC' + i * 400, now() FROM generate_series(0, 2000) i;
SELECT format('CREATE INDEX ON borders USING learned (%s)', c) FROM unnest('{a,a DESC,t,tz,d,gone}'::text[]) c \gexec
CREATE INDEX borders_down ON borders USING learned (t DESC, a);
CREATE INDEX borders_d_down ON borders USING learned (d DESC, a);
VACUUM ANALYZE borders;
SELECT * FROM wrong(true, ARRAY[
  'SELECT width_bucket(a, 0, 2001, 2147483646), count(*) FROM borders GROUP BY 1',
  'SELECT date_bin(''99000000 days'', tz, ''4714-11-24 00:00 BC''), count(*) FROM borders GROUP BY 1',
  'SELECT date_bin(''400000 days'', t, ''2000-01-01''), count(*), max(t) FROM borders GROUP BY 1',
  'SELECT date_bin(''400000 days'', t, ''2000-01-01''), count(*), sum(a) FROM borders GROUP BY 1',
  'SELECT date_bin(''400000 days'', d::timestamp, ''2000-01-01''), count(*), sum(a) FROM borders GROUP BY 1',
  'SELECT date_trunc(''millennium'', t), count(*), sum(a) FROM borders WHERE t > ''3000-01-01 BC'' GROUP BY 1',
  'SELECT date_trunc(''century'', date_trunc(''decade'', t)), count(*), sum(a) FROM borders GROUP BY 1'
]);
SELECT * FROM wrong(false, ARRAY[
  'SELECT width_bucket(a, 0, 2001, 2147483647), count(*) FROM borders GROUP BY 1',
  'SELECT date_bin(''100000000 days'', tz, ''2001-01-01''), count(*) FROM borders GROUP BY 1',
  'SELECT date_bin(''1 day'', t, ''294276-01-01''), count(*) FROM borders WHERE t > ''2000-01-01'' GROUP BY 1'
]);
-- At the ends of times functions fail for keys, which is an error only if a row has them: not a deleted one, or one that never was. Where they do not fail, keys
-- of one value are one group.
CREATE TABLE far (a int4, t timestamp, tz timestamptz, d date) WITH (autovacuum_enabled = off);
INSERT INTO far SELECT i % 3, timestamp '2020-01-01' + i * interval '9 hours', timestamptz '2020-01-01' + i * interval '9 hours', date '2020-01-01' + i / 3 FROM generate_series(1, 600) i;
INSERT INTO far SELECT i % 3, timestamp '3990-12-25 BC' + i * interval '7 hours', timestamptz '3990-12-25 BC' + i * interval '7 hours', date '3990-12-25 BC' + i FROM generate_series(1, 20) i;
INSERT INTO far SELECT i % 3, timestamp '294276-12-25' + i * interval '7 hours', timestamptz '294276-12-25' + i * interval '7 hours', date '294276-12-05' + i FROM generate_series(1, 20) i;
INSERT INTO far SELECT i % 3, v::timestamp, v::timestamptz, v::date FROM generate_series(1, 20) i, unnest('{-infinity,infinity,NULL}'::text[]) v;
INSERT INTO far SELECT -1 - i % 3, timestamp '4714-11-24 BC' + i * interval '7 hours', timestamptz '4714-11-24 00:00+00 BC' + i * interval '7 hours', date '4714-11-24 BC' + i FROM generate_series(1, 60) i;
INSERT INTO far SELECT -1 - i % 3, NULL, NULL, date '5874897-12-31' - i FROM generate_series(1, 60) i;
SELECT format('CREATE INDEX ON far USING learned (%s)', c) FROM unnest('{t,tz DESC,d,"a, t","a, tz DESC, d","a, d DESC"}'::text[]) c \gexec
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON, ANALYZE) far;
CREATE FUNCTION wrong_far() RETURNS TABLE (query text, answer text, expected text) LANGUAGE sql AS $$
  SELECT * FROM wrong(true, ARRAY(SELECT format('SELECT %s%s, count(*) FROM far GROUP BY %s1', g, e, CASE WHEN g = '' THEN '' ELSE '2, ' END)
    FROM unnest('{"","a, "}'::text[]) g, unnest(ARRAY['date_trunc(''month'', t)', 'date_trunc(''millennium'', t)', 'date_trunc(''century'', tz)', 't::date', 'tz::date', 'd::timestamp', 'd::timestamptz',
      'date_trunc(''decade'', d::timestamp)', 'date_bin(''7 days'', t, ''2020-01-01'')', 'date_bin(''9999 days'', d::timestamp, ''2020-01-01'')', 'date_trunc(''year'', tz AT TIME ZONE ''Asia/Tokyo'')',
      '(tz AT TIME ZONE ''America/Lima'')::date', 'date_trunc(''day'', tz AT TIME ZONE ''Europe/Berlin'')', 'date_bin(''3 hours'', tz AT TIME ZONE ''Europe/Berlin'', ''2000-01-01'')', 'date_trunc(''week'', tz)']) e)
    || ARRAY(SELECT format('SELECT count(DISTINCT %s), count(*) FROM far', e) FROM unnest(ARRAY['date_trunc(''millennium'', t)', 'date_trunc(''century'', tz)', 'd::timestamp']) e))
$$;
CREATE FUNCTION far_failures() RETURNS TABLE (index text, scan text, counted bool) LANGUAGE plpgsql AS $$
DECLARE
  query text;
BEGIN
  FOREACH query IN ARRAY ARRAY['date_trunc(''millennium'', t)', 'date_trunc(''century'', tz)', 'd::timestamp', 'd::timestamptz'] LOOP
    query := format('SELECT %s, count(*) FROM far GROUP BY 1', query);
    counted := counts(query);
    BEGIN
      index := answer(query, true);
    EXCEPTION WHEN data_exception THEN
      index := SQLERRM;
    END;
    BEGIN
      scan := answer(query, false);
    EXCEPTION WHEN data_exception THEN
      scan := SQLERRM;
    END;
    RETURN NEXT;
  END LOOP;
END $$;
SELECT * FROM far_failures();
BEGIN;
DELETE FROM far WHERE a < 0;
SELECT * FROM wrong_far();
ROLLBACK;
DELETE FROM far WHERE a < 0 AND a > -3;
BEGIN;
INSERT INTO far SELECT -3, timestamp '4714-11-24 BC' + i * interval '1 hour', timestamptz '4714-11-24 00:00+00 BC' + i * interval '1 hour', date '5874897-12-31' - i FROM generate_series(1, 100) i;
ROLLBACK;
SELECT * FROM far_failures();
DELETE FROM far WHERE a < 0;
SELECT * FROM wrong_far();
-- No row that anybody sees, but entries.
UPDATE borders SET gone = NULL, a = NULL;
SELECT * FROM wrong(false, ARRAY[
  'SELECT date_trunc(''foo'', gone), count(*) FROM borders WHERE gone IS NOT NULL GROUP BY 1',
  'SELECT date_trunc(''timezone'', gone), count(*) FROM borders GROUP BY 1',
  'SELECT date_bin(''0'', gone, ''2000-01-01''), count(*) FROM borders GROUP BY 1',
  'SELECT date_bin(''-1 day'', gone, ''2000-01-01''), count(*) FROM borders GROUP BY 1',
  'SELECT date_bin(''1 month'', gone, ''2000-01-01''), count(*) FROM borders GROUP BY 1',
  'SELECT date_bin(''1 day'', gone, ''infinity''), count(*) FROM borders GROUP BY 1',
  'SELECT date_bin(''1 day'', gone, ''-infinity''), count(*) FROM borders GROUP BY 1',
  'SELECT width_bucket(a, 0, 1, 0), count(*) FROM borders GROUP BY 1',
  'SELECT width_bucket(a, 1, 1, 7), count(*) FROM borders GROUP BY 1',
  'SELECT width_bucket(a, 0, ''NaN'', 7), count(*) FROM borders GROUP BY 1',
  'SELECT width_bucket(a, ''-infinity'', 1, 7), count(*) FROM borders GROUP BY 1'
]);
-- To plan an expression takes as long as it is deep, not the square of that: ten of depth 100 take as long as one of depth 1,000. The shortest of several
-- times that are taken by turns, as whatever else runs on the machine makes both longer; where it is busy, of more of them: each more brings both
-- nearer to what they are. (Ten times the work if it were quadratic, and that takes a minute to say so.)
CREATE FUNCTION planning(depth int, times int) RETURNS interval LANGUAGE plpgsql AS $$
DECLARE
  began timestamptz := clock_timestamp();
BEGIN
  FOR i IN 1 .. times LOOP
    EXECUTE 'EXPLAIN SELECT a' || repeat(' / 1', depth) || ', count(*) FROM borders GROUP BY 1';
  END LOOP;
  RETURN clock_timestamp() - began;
END $$;
CREATE FUNCTION planning_is_linear() RETURNS bool LANGUAGE plpgsql AS $$
DECLARE
  began timestamptz := clock_timestamp();
  rounds int := 0;
  shallow interval := '1 day';
  deep interval := '1 day';
BEGIN
  LOOP
    shallow := least(shallow, planning(100, 10));
    deep := least(deep, planning(1000, 1));
    rounds := rounds + 1;
    IF rounds >= 10 THEN
      IF deep < 3 * shallow THEN
        RETURN true;
      ELSIF clock_timestamp() > began + interval '1 minute' THEN
        RETURN false;
      END IF;
    END IF;
  END LOOP;
END $$;
SELECT planning_is_linear();

-- Who may not execute an aggregate does not get around that, as nobody does in the server's own plans.
CREATE ROLE regress_learned_other;
CREATE INDEX borders_gone_a ON borders USING learned (gone, a);
GRANT USAGE ON SCHEMA aggregates TO regress_learned_other;
GRANT SELECT ON borders TO regress_learned_other;
CREATE AGGREGATE least_of(int4) (sfunc = int4smaller, stype = int4, sortop = <);
REVOKE EXECUTE ON FUNCTION least_of(int4) FROM PUBLIC;
BEGIN;
REVOKE EXECUTE ON FUNCTION count(), sum(int4) FROM PUBLIC;
SELECT * FROM wrong(true, ARRAY['SELECT count(*) FROM borders', 'SELECT sum(a) FROM borders', 'SELECT min(a), count(a), least_of(a) FROM borders']);
SET LOCAL enable_seqscan = off;
SET LOCAL enable_sort = off;
SET LOCAL enable_hashagg = off;
SET LOCAL ROLE regress_learned_other;
SAVEPOINT before;
SELECT count(*) FROM borders;
ROLLBACK TO before;
SELECT sum(a) FROM borders;
ROLLBACK TO before;
SELECT min(a), count(a), least_of(a) FROM borders;
ROLLBACK TO before;
SELECT min(a), count(a) FROM borders;
SET LOCAL ROLE NONE;
SET LOCAL learned_index.enable_aggregates = off;
SET LOCAL learned_index.enable_groups = on;
EXPLAIN (COSTS OFF) SELECT gone, least_of(a) FROM borders GROUP BY gone;
SET LOCAL ROLE regress_learned_other;
SELECT gone, least_of(a) FROM borders GROUP BY gone;
ROLLBACK;
DROP OWNED BY regress_learned_other;
DROP ROLE regress_learned_other;

-- Groups come in the order that the plan says, without a sort or with one.
CREATE TABLE ordered (a int4, b int4);
INSERT INTO ordered SELECT CASE WHEN i % 11 <> 0 THEN i % 40 - 20 END, CASE WHEN i % 7 <> 0 THEN i % 60 - 30 END FROM generate_series(1, 6000) i;
VACUUM ANALYZE ordered;
CREATE FUNCTION disordered(columns text) RETURNS TABLE (index text, query text, answer text, expected text) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE 'CREATE INDEX ordered_ab ON ordered USING learned ' || columns;
  RETURN QUERY SELECT columns, w.* FROM wrong(true, (SELECT array_agg('SELECT row_number() OVER (), * FROM (' || format(q, o, CASE WHEN o LIKE '%FIRST' THEN 'DESC' ELSE '' END) || ') q')
    FROM unnest('{ASC NULLS FIRST,ASC NULLS LAST,DESC NULLS FIRST,DESC NULLS LAST}'::text[]) o, unnest(ARRAY[
      'SELECT a, count(*) FROM ordered GROUP BY a ORDER BY a %s',
      'SELECT a / 7, count(*) FROM ordered GROUP BY 1 ORDER BY 1 %s',
      'SELECT DISTINCT a FROM ordered WHERE a IN (-3, 4, 9) ORDER BY a %s'] || CASE WHEN columns LIKE '%b%' THEN ARRAY[
      'SELECT a, b, count(*), min(b), max(b) FROM ordered GROUP BY a, b ORDER BY a %s, b %s',
      'SELECT b, count(*) FROM ordered WHERE a = 5 GROUP BY b ORDER BY b %s LIMIT 20',
      'SELECT a, b / 7, count(*), sum(b) FROM ordered GROUP BY a, 2 ORDER BY a %s, 2 %s LIMIT 50'] END) q)) w;
  DROP INDEX ordered_ab;
END $$;
SELECT d.* FROM unnest('{(a),(a DESC),(a NULLS FIRST),(a DESC NULLS LAST),"(a, b)","(a DESC, b)","(a NULLS FIRST, b DESC)","(a DESC NULLS LAST, b NULLS FIRST)"}'::text[]) i, disordered(i) d;

-- Where a count may stand in a query; a function that changes the table under it.
CREATE INDEX ordered_ab ON ordered USING learned (a, b);
CREATE INDEX ordered_quotient ON ordered USING learned ((b / 3));
CREATE INDEX ordered_some ON ordered USING learned (b) WHERE a = 2;
CREATE TABLE ids (id int8 PRIMARY KEY);
INSERT INTO ids SELECT generate_series(1, 100);
CREATE TABLE parent (a int4);
CREATE TABLE child () INHERITS (parent);
INSERT INTO parent SELECT generate_series(1, 2000);
INSERT INTO child VALUES (5);
CREATE INDEX parent_a ON parent USING learned (a);
VACUUM ANALYZE ordered, ids, parent, child;
SELECT * FROM wrong(true, ARRAY[
  'SELECT b / 3, count(*) FROM ordered GROUP BY 1',
  'SELECT b, count(*), sum(b) FROM ordered WHERE a = 2 GROUP BY b',
  'SELECT a, b, count(*) FROM ordered WHERE a = b AND b = 5 GROUP BY a, b',
  'SELECT count(*), min(b), sum(b) FROM ordered WHERE a IN (99999999999, 5, NULL)',
  'SELECT count(*), count(a), sum(b) FROM ordered WHERE a IS NULL AND b BETWEEN 3 AND 9',
  'SELECT count(*), sum(a) FROM ordered WHERE a = ANY (NULL::int[])',
  'SELECT a, rank() OVER (ORDER BY count(*), a) FROM ordered GROUP BY a',
  'SELECT a, (SELECT count(*) FROM ids WHERE id < a) FROM ordered GROUP BY a HAVING sum(b) > 4',
  'SELECT id, (SELECT sum(b) FROM ordered WHERE a = id GROUP BY a) FROM ids',
  'SELECT count(*) FROM ordered LEFT JOIN ids ON id = a',
  'WITH q AS MATERIALIZED (SELECT a, count(*) AS c FROM ordered GROUP BY a) SELECT * FROM q x JOIN q y USING (a)',
  'SELECT a, count(*) FROM ordered GROUP BY a UNION ALL SELECT b, count(*) FROM ordered WHERE a = 3 GROUP BY b',
  'SELECT a, count(*) FROM (SELECT DISTINCT a, b FROM ordered) q GROUP BY a',
  'SELECT count(*), sum(a) FROM ONLY parent'
]);
SELECT * FROM wrong(false, ARRAY[
  'SELECT count(*) FROM parent',
  'SELECT count(*) FROM ordered HAVING false',
  'SELECT 1 FROM ordered HAVING true',
  'SELECT count(ordered) FROM ordered',
  'SELECT count(NULL) FROM ordered',
  'SELECT xmin::text::int8 > 0, count(*) FROM ordered GROUP BY 1',
  'SELECT count(*) FROM ordered WHERE a IN (SELECT id FROM ids)',
  'SELECT a, generate_series(1, 2), count(*) FROM ordered GROUP BY a'
]);
CREATE FUNCTION change(x int4) RETURNS int4 LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO ordered SELECT x + d, g FROM generate_series(1, 20) g, generate_series(-1, 1) d;
  DELETE FROM ordered WHERE a = x + 1;
  RETURN x;
END $$;
CREATE VIEW changing AS SELECT a, count(*), sum(b), change(a) FROM ordered WHERE a > -5 GROUP BY a;
EXPLAIN (COSTS OFF) SELECT * FROM changing;
BEGIN;
CREATE TEMP TABLE counted_rows ON COMMIT DROP AS SELECT * FROM changing;
SELECT count(*), sum(count), sum(sum), sum(change) FROM counted_rows;
ROLLBACK;
SET learned_index.enable_aggregates = off;
BEGIN;
SELECT count(*), sum(count), sum(sum), sum(change) FROM (SELECT * FROM changing OFFSET 0) q;
ROLLBACK;
SET learned_index.enable_aggregates = on;

-- Floats: NaN is the greatest value of all; what equals may be given as any of its kind.
CREATE TABLE floats (g int4, f float8, r float4);
INSERT INTO floats SELECT i % 40, i / 7.0 - 100, i / 3.0 FROM generate_series(1, 4000) i;
INSERT INTO floats VALUES (1, 'NaN', 'NaN'), (2, 'infinity', '-infinity'), (3, '-infinity', 'infinity'), (4, NULL, NULL), (100, NULL, NULL), (101, '-0', 0);
CREATE INDEX floats_g_f ON floats USING learned (g, f);
CREATE INDEX floats_r ON floats USING learned (r DESC);
CREATE INDEX floats_f_g ON floats USING learned (f, g) INCLUDE (r);
VACUUM ANALYZE floats;
SELECT * FROM wrong(true, ARRAY[
  'SELECT count(*), min(f), max(f) FROM floats',
  'SELECT count(*), min(f), max(f) FROM floats WHERE g = 2',
  'SELECT g, count(f), min(f) + 0, max(f) + 0 FROM floats GROUP BY g',
  'SELECT count(*), min(r), max(r) FROM floats',
  'SELECT count(*), min(r), max(r) FROM floats WHERE r > 5',
  'SELECT count(*), min(r), max(r) FROM floats WHERE f BETWEEN 1 AND 2'
]);
-- A float with a key column behind it has one value for -0 and 0.
SELECT * FROM wrong(false, ARRAY['SELECT count(*), min(f), max(f) FROM floats WHERE f > 2 AND g = 5 AND r > 0', 'SELECT f, count(*) FROM floats GROUP BY f']);
DROP INDEX floats_g_f;
SELECT * FROM wrong(false, ARRAY['SELECT count(*), max(f) FROM floats', 'SELECT count(*), max(f) FROM floats WHERE f > 5']);

-- Changes of one's own, cursors, parameters, policies.
BEGIN;
UPDATE events SET id = id + 100000 WHERE id BETWEEN 10 AND 19;
DELETE FROM events WHERE id BETWEEN 20 AND 29;
INSERT INTO events(id, device, flag) VALUES (15, 1, true), (25, 1, true);
SAVEPOINT s;
DELETE FROM events WHERE id < 1000;
SELECT count(*), sum(id) FROM events WHERE id BETWEEN 1 AND 100;
ROLLBACK TO s;
SELECT count(*), sum(id) FROM events WHERE id BETWEEN 1 AND 100;
SELECT * FROM wrong(true, ARRAY['SELECT id / 10, count(*) FROM events WHERE id BETWEEN 0 AND 99 GROUP BY 1', 'SELECT count(*), sum(id), max(id) FROM events']);
DECLARE c SCROLL CURSOR FOR SELECT device, count(*) FROM events WHERE device BETWEEN 1 AND 4 GROUP BY device ORDER BY device;
DELETE FROM events WHERE device = 3;
FETCH 2 FROM c;
FETCH PRIOR FROM c;
FETCH ALL FROM c;
ROLLBACK;
PREPARE counted(int8, int8) AS SELECT count(*), min(id) FROM events WHERE id BETWEEN $1 AND $2;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE counted(1, 2);
EXECUTE counted(100, 200);
EXECUTE counted(NULL, 200);
EXECUTE counted(200, 100);
DROP INDEX events_id;
EXECUTE counted(100, 200);
CREATE INDEX events_id ON events USING learned (id);
EXECUTE counted(100, 200);
RESET plan_cache_mode;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM events WHERE id BETWEEN 100 AND 105;
SELECT count(*) FROM events WHERE id > 100;
COMMIT;

CREATE TABLE owned (tenant int4, v int4);
INSERT INTO owned SELECT i % 10, i FROM generate_series(1, 20000) i;
CREATE INDEX owned_tenant ON owned USING learned (tenant, v);
ALTER TABLE owned ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON owned USING (tenant = current_setting('aggregates.tenant')::int);
CREATE ROLE regress_learned_aggregates;
GRANT USAGE ON SCHEMA aggregates TO regress_learned_aggregates;
GRANT SELECT ON owned TO regress_learned_aggregates;
VACUUM ANALYZE owned;
SET aggregates.tenant = 3;
SET ROLE regress_learned_aggregates;
EXPLAIN (COSTS OFF) SELECT count(*) FROM owned WHERE v < 5000;
SELECT count(*), sum(v) FROM owned WHERE v < 5000;
RESET ROLE;
CREATE POLICY other ON owned AS RESTRICTIVE USING (v % 2 = 0);
SET ROLE regress_learned_aggregates;
SELECT count(*), sum(v) FROM owned WHERE v < 5000;
RESET ROLE;

-- Tables without rows, never vacuumed, not logged; what EXPLAIN ANALYZE tells.
CREATE TABLE none (k int4);
CREATE INDEX none_k ON none USING learned (k);
CREATE UNLOGGED TABLE unlogged AS SELECT i AS k FROM generate_series(1, 20000) i;
CREATE INDEX unlogged_k ON unlogged USING learned (k);
CREATE TEMP TABLE temporary AS SELECT i AS k FROM generate_series(1, 20000) i;
CREATE INDEX temporary_k ON temporary USING learned (k);
CREATE TABLE fresh AS SELECT i AS k FROM generate_series(1, 20000) i;
CREATE INDEX fresh_k ON fresh USING learned (k);
ANALYZE none, unlogged, temporary, fresh;
SET enable_seqscan = off;
SELECT * FROM wrong(true, ARRAY['SELECT count(*), sum(k), max(k) FROM none', 'SELECT k, count(*) FROM none GROUP BY k', 'SELECT count(*), sum(k), max(k) FROM unlogged',
  'SELECT count(*), sum(k), max(k) FROM temporary', 'SELECT count(*), sum(k), max(k) FROM fresh']);
DELETE FROM fresh;
SELECT * FROM wrong(true, ARRAY['SELECT count(*), sum(k), max(k) FROM fresh', 'SELECT k / 10, count(*) FROM fresh GROUP BY 1']);
VACUUM unlogged, temporary;
SELECT * FROM wrong(true, ARRAY['SELECT count(*), sum(k), max(k) FROM unlogged', 'SELECT count(*), sum(k), max(k) FROM temporary']);
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON) events;
SELECT node, leaves, segments > 0 AS segments, decoded, fetches FROM work('SELECT count(*) FROM events WHERE id BETWEEN 10000 AND 30000');
UPDATE events SET note = 'open' WHERE id = 20000;
SELECT node, leaves, segments > 0 AS segments, decoded BETWEEN 1 AND 1000 AS some, fetches BETWEEN 1 AND 1000 AS visits FROM work('SELECT count(*) FROM events WHERE id BETWEEN 10000 AND 30000');

-- Thousands of rows in the order of the table that not everybody sees, in one leaf: they are visited before all of the leaf is read, and what is left of it is
-- found again, its delta entries and NULLs included.
CREATE TABLE fresh_rows (id int8, half int8, third int4) WITH (autovacuum_enabled = off);
CREATE INDEX fresh_id ON fresh_rows USING learned (id);
CREATE INDEX fresh_half ON fresh_rows USING learned (half, id);
CREATE INDEX fresh_third ON fresh_rows USING learned (third);
INSERT INTO fresh_rows SELECT i, i / 2, CASE WHEN i % 3 = 0 THEN i END FROM generate_series(1, 30000) i;
DELETE FROM fresh_rows WHERE id % 1000 = 7;
INSERT INTO fresh_rows SELECT i * 100 + 50, i, NULL FROM generate_series(1, 290) i;
DO $$ BEGIN FOR i IN 1..29 LOOP INSERT INTO fresh_rows VALUES (i * 1000 + 500, i * 500, i * 1000); END LOOP; END $$;
SELECT leaves < 100 AS few_leaves, fetches > 29000 AS visits FROM work('SELECT count(*) FROM fresh_rows');
SELECT * FROM wrong(true, ARRAY[
  'SELECT count(*) FROM fresh_rows',
  'SELECT count(*), sum(id), min(id), max(id) FROM fresh_rows',
  'SELECT count(*), sum(id) FROM fresh_rows WHERE id BETWEEN 1234 AND 28765',
  'SELECT count(*) FROM fresh_rows WHERE third IS NULL',
  'SELECT count(*), count(third), sum(third) FROM fresh_rows WHERE third > 5',
  'SELECT id / 10000, count(*), max(id) FROM fresh_rows GROUP BY 1',
  'SELECT id / 7, count(*), sum(id) FROM fresh_rows GROUP BY 1',
  'SELECT half, count(*), sum(id) FROM fresh_rows GROUP BY half',
  'SELECT count(*), sum(id) FROM fresh_rows WHERE half BETWEEN 5 AND 14000 AND id BETWEEN 2000 AND 20000',
  'SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY id) FROM fresh_rows'
]);
VACUUM fresh_rows;
UPDATE fresh_rows SET third = third + 1 WHERE id % 2 = 0;
SELECT * FROM wrong(true, ARRAY[
  'SELECT count(*), sum(id) FROM fresh_rows',
  'SELECT id / 7, count(*), sum(id) FROM fresh_rows GROUP BY 1',
  'SELECT count(*), sum(third) FROM fresh_rows WHERE third > 100'
]);

SET client_min_messages = warning;
DROP SCHEMA aggregates CASCADE;
DROP OWNED BY regress_learned_aggregates;
DROP ROLE regress_learned_aggregates;
