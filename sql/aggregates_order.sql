-- Groups by a monotone expression come in its order, also where clocks were set back: which queries need no sort, and that groups are in order, each once.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
CREATE SCHEMA aggregates_order;
SET search_path = aggregates_order, public;
\getenv tests PG_ABS_SRCDIR
\set counting :tests '/sql/counting.inc'
\i :counting
-- Queries whose plan sorts where it should not, or the other way round.
CREATE FUNCTION sorts(query text) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE
  line text;
  plan text := '';
BEGIN
  PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true);
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    plan := plan || line;
  END LOOP;
  PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_bitmapscan', 'on', true);
  RETURN CASE WHEN plan ~ 'LearnedAggregate' THEN plan ~ 'Sort' END;
END $$;

CREATE TABLE events (ts timestamp, tz timestamptz, k int8, d int4 NOT NULL, day date) WITH (autovacuum_enabled = off);
INSERT INTO events SELECT timestamp '2020-01-01' + i * interval '431 seconds', timestamptz '2020-01-01 00:00+00' + i * interval '431 seconds', i - 9000, i % 9, date '2020-01-01' + i / 30
                     FROM generate_series(1, 20000) i;
INSERT INTO events VALUES (NULL, NULL, NULL, 3, NULL), ('infinity', 'infinity', 1, 4, 'infinity'), ('-infinity', '-infinity', -1, 4, '-infinity');
CREATE INDEX ON events USING learned (ts);
CREATE INDEX ON events USING learned (tz DESC);
CREATE INDEX ON events USING learned (k NULLS FIRST);
CREATE INDEX ON events USING learned (d, ts DESC);
CREATE INDEX ON events USING learned (d DESC, tz);
CREATE INDEX ON events USING learned (day DESC NULLS LAST, d);
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON, ANALYZE) events;

EXPLAIN (COSTS OFF) SELECT date_trunc('hour', ts), count(*) FROM events GROUP BY 1 ORDER BY 1;
EXPLAIN (COSTS OFF) SELECT d, date_trunc('day', tz), count(*) FROM events GROUP BY 1, 2 ORDER BY d DESC, 2 LIMIT 5;
CREATE TABLE ordered (n serial, sorts bool, query text);
INSERT INTO ordered (sorts, query) VALUES
  (false, 'SELECT date_trunc(''hour'', ts), count(*) FROM events GROUP BY 1 ORDER BY 1'),
  (true,  'SELECT date_trunc(''hour'', ts), count(*) FROM events GROUP BY 1 ORDER BY 1 DESC'),
  (true,  'SELECT date_trunc(''hour'', ts), count(*) FROM events GROUP BY 1 ORDER BY 1 NULLS FIRST'),
  (false, 'SELECT date_trunc(''hour'', ts), count(*) FROM events WHERE ts BETWEEN ''2020-01-05'' AND ''2020-02-05'' GROUP BY 1 HAVING count(*) > 3 ORDER BY 1 LIMIT 20'),
  (false, 'SELECT count(*), ts::date FROM events GROUP BY 2 ORDER BY 2'),
  (false, 'SELECT date_bin(''7 minutes'', ts, ''2000-01-01''), max(ts) FROM events GROUP BY 1 ORDER BY 1'),
  (false, 'SELECT date_trunc(''day'', tz), count(*) FROM events GROUP BY 1 ORDER BY 1'),
  (false, 'SELECT date_trunc(''minute'', tz AT TIME ZONE ''Europe/Berlin''), count(*) FROM events GROUP BY 1 ORDER BY 1'),
  (false, 'SELECT date_trunc(''hour'', tz, ''Australia/Lord_Howe''), count(*) FROM events GROUP BY 1 ORDER BY 1'),
  (false, 'SELECT k / 100, count(*), sum(k) FROM events GROUP BY 1 ORDER BY 1 NULLS FIRST'),
  (true,  'SELECT k / 100, count(*), sum(k) FROM events GROUP BY 1 ORDER BY 1'),
  (true,  'SELECT k / 100, count(*) FROM events GROUP BY 1 ORDER BY 2, 1'),
  (false, 'SELECT width_bucket(k, -8000, 8000, 50), count(*) FROM events WHERE k IS NOT NULL GROUP BY 1 ORDER BY 1 NULLS FIRST'),
  (true,  'SELECT width_bucket(k, 8000, -8000, 50), count(*) FROM events WHERE k IS NOT NULL GROUP BY 1 ORDER BY 1 NULLS FIRST'),
  (false, 'SELECT width_bucket(k, 8000, -8000, 50), count(*) FROM events WHERE k IS NOT NULL GROUP BY 1 ORDER BY 1 DESC'),
  (false, 'SELECT date_trunc(''day'', ts), count(*) FROM events WHERE d = 3 GROUP BY 1 ORDER BY 1 DESC'),
  (true,  'SELECT date_trunc(''day'', ts), count(*) FROM events WHERE d IN (3, 4) GROUP BY d, 1 ORDER BY 1 DESC, d'),
  (false, 'SELECT d, date_trunc(''day'', ts), count(*) FROM events GROUP BY 1, 2 ORDER BY 1, 2 DESC'),
  (false, 'SELECT d, date_trunc(''day'', ts), count(*) FROM events WHERE d < 5 GROUP BY 1, 2 ORDER BY 1'),
  (true,  'SELECT d, date_trunc(''day'', ts), count(*) FROM events GROUP BY 1, 2 ORDER BY 2 DESC, 1'),
  (false, 'SELECT d, date_trunc(''day'', ts), count(*) FROM events WHERE d = 4 GROUP BY 1, 2 ORDER BY 2 DESC, 1'),
  (false, 'SELECT d, date_trunc(''week'', tz), count(*) FROM events GROUP BY 1, 2 ORDER BY d DESC, 2');
SELECT n, sorts, query FROM ordered WHERE sorts(query) IS DISTINCT FROM sorts ORDER BY n;
SELECT * FROM wrong(true, ARRAY(SELECT query FROM ordered WHERE query !~ 'GROUP BY 1, 2 ORDER BY 1$' ORDER BY n));
-- Row by row.
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT * FROM wrong(true, ARRAY['SELECT date_trunc(''minute'', tz AT TIME ZONE ''Europe/Berlin''), count(*) FROM events WHERE tz < ''2020-01-03'' GROUP BY 1 ORDER BY 1',
  'SELECT date_trunc(''hour'', ts), count(*) FROM events WHERE ts < ''2020-01-03'' GROUP BY 1 ORDER BY 1']);
COMMIT;

-- Clocks that were set back, by an hour, by half of one, across midnight, by a day: the time there, by the minute, in all places, or only before, or only behind.
CREATE TABLE clocks (zone text, change timestamptz);
INSERT INTO clocks VALUES ('Europe/Berlin', '2020-10-25 01:00+00'), ('America/Havana', '2019-11-03 05:00+00'), ('Australia/Lord_Howe', '2020-04-04 15:00+00'), ('America/Sao_Paulo', '2018-02-18 02:00+00'),
  ('Pacific/Kwajalein', '1969-09-30 13:00+00'), ('America/Juneau', '1867-10-18 08:57:41+00'), ('America/New_York', '1883-11-18 17:00+00'), ('Asia/Gaza', '2011-08-01 00:00+03');
CREATE TABLE ticks (t timestamptz, d int4) WITH (autovacuum_enabled = off);
INSERT INTO ticks SELECT change + i * interval '150 seconds' + n * interval '1 microsecond', i % 3 FROM clocks, generate_series(-700, 700) i, generate_series(0, i % 2) n
 WHERE i % 7 <> 0 AND (i < 0 OR i % 5 <> 0);
CREATE INDEX ON ticks USING learned (t);
CREATE INDEX ON ticks USING learned (d, t DESC);
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON, ANALYZE) ticks;
CREATE FUNCTION wrong_clocks(zones text) RETURNS TABLE (zone text, query text, answer text, expected text) LANGUAGE plpgsql AS $$
BEGIN
  FOR zone IN SELECT c.zone FROM clocks c WHERE c.zone LIKE zones LOOP
    PERFORM set_config('timezone', zone, true);
    RETURN QUERY SELECT zone, w.* FROM wrong(true, ARRAY(
      SELECT replace(q, '@', quote_literal(unit)) FROM unnest('{minute,hour,day}'::text[]) unit, unnest(ARRAY[
        'SELECT date_trunc(@, t), count(*), min(t), max(t) FROM ticks GROUP BY 1 ORDER BY 1',
        'SELECT d, date_trunc(@, t), count(*) FROM ticks GROUP BY 1, 2 ORDER BY 1, 2 DESC',
        format('SELECT date_trunc(@, t AT TIME ZONE %L), count(*), min(t), max(t) FROM ticks GROUP BY 1 ORDER BY 1', zone),
        format('SELECT date_trunc(@, t AT TIME ZONE %L), count(*) FROM ticks WHERE d = 1 GROUP BY 1 ORDER BY 1 DESC', zone),
        format('SELECT d, date_trunc(@, t AT TIME ZONE %L), count(*), max(t) FROM ticks GROUP BY 1, 2 ORDER BY 1, 2 DESC', zone),
        format('SELECT date_bin(''7 minutes'', t AT TIME ZONE %L, ''2000-01-01''), count(*) FROM ticks GROUP BY 1 ORDER BY 1', zone),
        format('SELECT (t AT TIME ZONE %L)::date, count(*) FROM ticks GROUP BY 1 ORDER BY 1', zone)
      ]) q)) w;
  END LOOP;
END $$;
SELECT * FROM wrong_clocks('%');
DELETE FROM ticks WHERE date_trunc('minute', t AT TIME ZONE 'Europe/Berlin') BETWEEN '2020-10-25 02:10' AND '2020-10-25 02:30' AND t < '2020-10-25 01:00+00';
DELETE FROM ticks WHERE date_trunc('minute', t AT TIME ZONE 'Europe/Berlin') BETWEEN '2020-10-25 02:20' AND '2020-10-25 02:40' AND t > '2020-10-25 01:00+00';
DELETE FROM ticks WHERE d = 2 AND t > '2020-10-25 00:50+00' AND t < '2020-10-25 01:00+00';
SELECT * FROM wrong_clocks('Europe/%');
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT * FROM wrong(true, ARRAY['SELECT date_trunc(''minute'', t AT TIME ZONE ''Europe/Berlin''), count(*) FROM ticks WHERE t BETWEEN ''2020-10-25 00:00+00'' AND ''2020-10-25 02:00+00'' GROUP BY 1 ORDER BY 1']);
COMMIT;
-- Of times on clocks that are shorter than a second too many might come again.
SELECT * FROM wrong(false, ARRAY['SELECT t AT TIME ZONE ''Europe/Berlin'', count(*) FROM ticks GROUP BY 1', 'SELECT date_trunc(''milliseconds'', t AT TIME ZONE ''Europe/Berlin''), count(*) FROM ticks GROUP BY 1']);
SELECT * FROM wrong(true, ARRAY['SELECT date_trunc(''milliseconds'', t), count(*) FROM ticks GROUP BY 1 ORDER BY 1']);

SET client_min_messages = warning;
DROP SCHEMA aggregates_order CASCADE;
