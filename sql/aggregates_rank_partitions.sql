-- Percentiles of several tables: which of them LearnedAggregate answers, and that it answers as a sequential scan does.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
CREATE SCHEMA aggregates_rank_partitions;
SET search_path = aggregates_rank_partitions, public;
\getenv tests PG_ABS_SRCDIR
\set counting :tests '/sql/counting.inc'
\i :counting
\set plans :tests '/sql/plans.inc'
\i :plans

-- By ranges of ts, with a default partition and an empty one; one has its columns in another order, one is divided by a hash. Indexes of other directions and words.
CREATE TABLE events (id int8, device int4, ts timestamptz NOT NULL, amount float8, tag uuid, kind int2) PARTITION BY RANGE (ts);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2020-02-01') WITH (autovacuum_enabled = off);
CREATE TABLE events_2 (kind int2, gone text, tag uuid, ts timestamptz NOT NULL, amount float8, id int8, device int4) WITH (autovacuum_enabled = off);
ALTER TABLE events_2 DROP COLUMN gone;
ALTER TABLE events ATTACH PARTITION events_2 FOR VALUES FROM ('2020-02-01') TO ('2020-03-01');
CREATE TABLE events_3 PARTITION OF events FOR VALUES FROM ('2020-03-01') TO ('2020-04-01') PARTITION BY HASH (id);
CREATE TABLE events_3_0 PARTITION OF events_3 FOR VALUES WITH (MODULUS 2, REMAINDER 0) WITH (autovacuum_enabled = off);
CREATE TABLE events_3_1 PARTITION OF events_3 FOR VALUES WITH (MODULUS 2, REMAINDER 1) WITH (autovacuum_enabled = off);
CREATE TABLE events_empty PARTITION OF events FOR VALUES FROM ('2020-06-01') TO ('2020-07-01');
CREATE TABLE events_rest PARTITION OF events DEFAULT WITH (autovacuum_enabled = off);
INSERT INTO events SELECT i / 2, nullif(i % 50, 0), timestamptz '2019-12-25 00:00+00' + i * interval '431 seconds', CASE i % 1301 WHEN 0 THEN NULL WHEN 1 THEN 'NaN' WHEN 2 THEN '-infinity' ELSE i % 1301 / 7.0 - 60 END,
                          md5((i % 300)::text)::uuid, i % 7 - 3 FROM generate_series(1, 24000) i;
INSERT INTO events SELECT NULL, i % 3, timestamptz '2020-01-01 00:00+00' + i * interval '1 day', NULL, NULL, NULL FROM generate_series(1, 100) i;
CREATE INDEX ON events USING learned (ts);
CREATE INDEX ON events_1 USING learned (id DESC);
CREATE INDEX ON events_2 USING learned (id NULLS FIRST);
CREATE INDEX ON events_3 USING learned (id);
CREATE INDEX ON events_empty USING learned (id DESC);
CREATE INDEX ON events_rest USING learned (id DESC NULLS LAST);
CREATE INDEX ON events_1 USING learned (device, ts, kind);
CREATE INDEX ON events_2 USING learned (device DESC, ts DESC);
CREATE INDEX ON events_3 USING learned (device NULLS FIRST, ts) INCLUDE (kind);
CREATE INDEX ON events_empty USING learned (device, ts);
CREATE INDEX ON events_rest USING learned (device, ts DESC);
CREATE INDEX ON events_1 USING learned (amount);
CREATE INDEX ON events_2 USING learned (amount DESC);
CREATE INDEX ON events_3 USING learned (amount NULLS FIRST);
CREATE INDEX ON events_empty USING learned (amount);
CREATE INDEX ON events_rest USING learned (amount DESC NULLS LAST);
CREATE INDEX ON events USING learned (kind, device, tag);
CREATE INDEX ON events USING learned (tag);
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON, ANALYZE) events;

EXPLAIN (COSTS OFF) SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY id) FROM events;
EXPLAIN (COSTS OFF, VERBOSE) SELECT device, percentile_disc(0.5) WITHIN GROUP (ORDER BY ts DESC) FROM events WHERE device < 9 AND ts < '2020-03-01' GROUP BY device HAVING count(*) > 5;

CREATE FUNCTION many() RETURNS TABLE (query text, answer text, expected text) LANGUAGE sql AS $$
  SELECT * FROM wrong(true, percentiles(ARRAY[
    'SELECT P<0.5; id>, count(*) FROM events',
    'SELECT P<0; id>, P<1; id>, P<0.5; id>, P<0.5; id DESC>, P<0.25; id DESC>, C<0.5; id>, C<0.123; id DESC>, count(id), count(*) FROM events',
    'SELECT P<ARRAY(SELECT g / 300.0 FROM generate_series(0, 300) g); id>, C<ARRAY(SELECT g / 300.0 FROM generate_series(0, 300) g); id DESC> FROM events',
    'SELECT P<ARRAY(SELECT g / 300.0 FROM generate_series(0, 300) g); ts> FROM events',
    'SELECT P<0.5; id> FROM events WHERE id BETWEEN 500 AND 8000',
    'SELECT P<0.5; id>, P<0.1; id DESC> FROM events WHERE id IS NOT NULL',
    'SELECT P<0.5; id> FROM events WHERE id IS NULL',
    'SELECT P<0.5; ts>, P<ARRAY[[0.1, NULL], [0.9, 1]]; ts>, max(ts) FROM events WHERE ts BETWEEN ''2020-01-20'' AND ''2020-03-10''',
    'SELECT P<0.01; amount>, P<0.5; amount>, P<0.999; amount>, C<0.5; amount>, C<0.001; amount DESC>, C<0.9999; amount> FROM events',
    'SELECT P<0.5; tag>, P<0.2; tag DESC>, P<ARRAY[0, 0.1, 0.3, 0.7, 1]; tag> FROM events',
    'SELECT device, P<0.5; ts>, P<0.5; ts DESC>, count(*) FROM events GROUP BY device',
    'SELECT device, P<ARRAY[0, 0.2, 0.4, 0.6, 0.8, 1]; ts> FROM events GROUP BY device ORDER BY device DESC LIMIT 7',
    'SELECT P<0.5; ts> FROM events WHERE device = 7 AND ts > ''2020-01-15''',
    'SELECT kind, device, P<0.5; tag>, P<0.9; tag DESC> FROM events WHERE kind = 2 GROUP BY device, kind',
    'SELECT kind, P<0.5; tag> FROM events WHERE device = 7 GROUP BY kind HAVING P<0.5; tag> IS NOT NULL',
    'SELECT g, l.* FROM generate_series(-1, 8) g, LATERAL (SELECT P<g / 8.0; ts>, count(*) FROM events WHERE device = g) l WHERE g >= 0',
    'SELECT g, (SELECT P<0.5; ts> FROM events WHERE ts >= ''2020-01-01''::timestamptz + g * interval ''9 days'') FROM generate_series(1, 8) g'
  ]));
$$;
-- So few rows that they may as well be sorted, as they are on 18: whatever the plan is.
CREATE FUNCTION few() RETURNS bool LANGUAGE sql AS $$
  SELECT substr(counted, position(' ' in counted)) = substr(scanned, position(' ' in scanned))
    FROM percentiles(ARRAY['SELECT P<0.5; id>, C<0.5; id> FROM events WHERE id IN (3, 400, 401, 402, 11000, 11001)']) list, unnest(list) q,
         LATERAL (SELECT answer(q, true) AS counted, answer(q, false) AS scanned) a
$$;
SELECT * FROM many();
SELECT few();
SELECT * FROM wrong(true, percentiles(ARRAY['SELECT device, P<0.5; ts>, count(DISTINCT ts) FROM events WHERE device IN (1, 2, 40) GROUP BY device', 'SELECT P<0.5; ts>, count(DISTINCT ts) FROM events WHERE device = 2']));
-- Rows that not everybody sees.
DELETE FROM events WHERE id BETWEEN 5000 AND 5100 OR id % 13 = 3;
UPDATE events SET device = 7 WHERE id BETWEEN 8000 AND 8100;
UPDATE events SET ts = ts + interval '40 days', amount = -amount WHERE id BETWEEN 6000 AND 6050;
UPDATE events SET id = NULL WHERE id BETWEEN 300 AND 350;
BEGIN;
INSERT INTO events SELECT i, i % 50, timestamptz '2020-01-10' + i * interval '41 minutes', i, md5(i::text)::uuid, 3 FROM generate_series(1, 3000) i;
ROLLBACK;
SELECT * FROM many();
SELECT few();
SELECT * FROM wrong(true, percentiles(ARRAY['SELECT device, P<0.5; ts>, count(DISTINCT ts) FROM events WHERE device IN (1, 2, 40) GROUP BY device', 'SELECT P<0.5; ts>, count(DISTINCT ts) FROM events WHERE device = 2']));
BEGIN;
SET LOCAL work_mem = '64kB';
DELETE FROM events WHERE id % 31 = 3;
SAVEPOINT s;
DELETE FROM events WHERE ts > '2020-02-15';
SELECT * FROM many();
SELECT few();
ROLLBACK TO s;
DELETE FROM events_1;
SELECT * FROM many();
SELECT few();
ROLLBACK;

-- What is read: some three times the leaves, not the rows.
CREATE TABLE many_rows (k int8, u int8 NOT NULL) PARTITION BY HASH (k);
SELECT format('CREATE TABLE many_rows_%s PARTITION OF many_rows FOR VALUES WITH (MODULUS 4, REMAINDER %s) WITH (autovacuum_enabled = off)', i, i) FROM generate_series(0, 3) i \gexec
INSERT INTO many_rows SELECT i, hashint8extended(i, 1) FROM generate_series(1, 200000) i;
CREATE INDEX ON many_rows USING learned (k);
CREATE INDEX ON many_rows USING learned (u);
CALL pg_temp.settle();
VACUUM ANALYZE many_rows;
CREATE FUNCTION pages_of(indexes text) RETURNS int LANGUAGE sql AS
$$ SELECT sum(pg_relation_size(oid)) / current_setting('block_size')::int FROM pg_class WHERE relname ~ indexes AND relkind = 'i' $$;
SELECT node, leaves < 6 * pages_of('^many_rows_._u_idx$') AS few_leaves, fetches FROM work('SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY u) FROM many_rows');
SELECT pg_temp.buffers('SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY u) FROM many_rows') < 8 * pages_of('^many_rows_._u_idx$') AS few_buffers;
SELECT node, leaves < 2000 AS few_leaves, fetches FROM work('SELECT percentile_disc(0.123) WITHIN GROUP (ORDER BY k) FROM many_rows');
SELECT * FROM wrong(true, percentiles(ARRAY['SELECT P<ARRAY(SELECT g / 100.0 FROM generate_series(0, 100) g); u>, C<0.5; u> FROM many_rows', 'SELECT P<ARRAY(SELECT g / 100.0 FROM generate_series(0, 100) g); k DESC> FROM many_rows']));
-- Rows on open blocks are visited once, however often they are counted: 200,000, and 4,000 versions of before.
UPDATE many_rows SET u = u WHERE k % 50 = 0;
SELECT node, fetches BETWEEN 190000 AND 204000 AS once FROM unnest(ARRAY['percentile_disc(0.5)', 'percentile_disc(ARRAY(SELECT g / 20.0 FROM generate_series(0, 20) g))', 'count(*), percentile_cont(0.9)']) f,
  LATERAL work(format('SELECT %s WITHIN GROUP (ORDER BY u) FROM many_rows', f));
SELECT node, fetches BETWEEN 40000 AND 60000 AS once FROM work('SELECT percentile_disc(0.9) WITHIN GROUP (ORDER BY u) FROM many_rows_0');
BEGIN;
DELETE FROM many_rows WHERE k % 3 = 0;
SELECT * FROM wrong(true, percentiles(ARRAY['SELECT P<ARRAY(SELECT g / 100.0 FROM generate_series(0, 100) g); u>, C<0.5; u> FROM many_rows', 'SELECT P<0.9; u>, C<0.3; u>, count(*) FROM many_rows_0']));
SET LOCAL work_mem = '64kB';
SELECT * FROM wrong(true, percentiles(ARRAY['SELECT P<ARRAY(SELECT g / 100.0 FROM generate_series(0, 100) g); k>, C<0.5; k> FROM many_rows', 'SELECT P<0.9; k>, C<0.3; k>, count(*) FROM many_rows_0']));
ROLLBACK;
-- One after the other, or all in one: what lies between is halved all the same.
CREATE TABLE slices (k int8) PARTITION BY RANGE (k);
SELECT format('CREATE TABLE slices_%s PARTITION OF slices FOR VALUES FROM (%s) TO (%s) WITH (autovacuum_enabled = off)', i, i * 2000, i * 2000 + 2000) FROM generate_series(0, 15) i \gexec
INSERT INTO slices SELECT i FROM generate_series(0, 31999) i;
CREATE INDEX ON slices USING learned (k);
VACUUM ANALYZE slices;
SELECT node, leaves < 600 AS few_leaves, decoded < 100000 AS few_decoded, fetches FROM work('SELECT percentile_disc(0.7) WITHIN GROUP (ORDER BY k) FROM slices');
SELECT * FROM wrong(true, percentiles(ARRAY['SELECT P<ARRAY(SELECT g / 100.0 FROM generate_series(0, 100) g); k>, C<0.5; k> FROM slices']));

-- Heirs, and ends of types: many equal values, one value in all.
CREATE TABLE parent (id int8, k int4, s int2, w float4) WITH (autovacuum_enabled = off);
CREATE TABLE heir (more text) INHERITS (parent) WITH (autovacuum_enabled = off);
INSERT INTO parent SELECT i, i % 13, CASE WHEN i < 3 THEN 32767 ELSE -32768 END, i / 3.0 FROM generate_series(1, 3000) i;
INSERT INTO heir SELECT CASE WHEN i < 10 THEN 9223372036854775807 ELSE 77 END, i % 17, 5, CASE i % 3 WHEN 0 THEN float4 '-0' WHEN 1 THEN 'NaN' END FROM generate_series(1, 3000) i;
CREATE INDEX ON parent USING learned (k, id);
CREATE INDEX ON heir USING learned (k DESC, id DESC);
CREATE INDEX ON parent USING learned (s);
CREATE INDEX ON heir USING learned (s DESC);
CREATE INDEX ON parent USING learned (w DESC);
CREATE INDEX ON heir USING learned (w);
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON, ANALYZE) parent, heir;
EXPLAIN (COSTS OFF) SELECT k, percentile_cont(0.5) WITHIN GROUP (ORDER BY id) FROM parent GROUP BY k;
SELECT * FROM wrong(true, percentiles(ARRAY[
  'SELECT k, P<0.5; id>, C<0.5; id>, C<0.99; id>, count(*) FROM parent GROUP BY k',
  'SELECT P<0; s>, P<0.5; s>, P<0.999; s>, P<1; s>, C<0.5; s>, C<0.9999; s DESC> FROM parent',
  'SELECT P<0; w>, P<0.2; w>, P<0.9; w>, P<0.4; w DESC>, P<1; w> FROM parent',
  'SELECT P<0.5; id> FROM ONLY parent WHERE k = 3'
]));

-- Fractions that are none, in any shape: the server's errors and its NULLs. Parameters, and generic plans.
CREATE FUNCTION failure(query text, counted bool) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  RETURN answer(query, counted);
EXCEPTION WHEN others THEN
  RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT f, regexp_replace(counted, '^(true|false) ', '') AS counted, regexp_replace(scanned, '^(true|false) ', '') AS scanned
  FROM unnest(ARRAY['-0.1', '1.5', 'NULL', '''NaN''', 'ARRAY[0.5, 2]', 'ARRAY[]::float8[]', 'NULL::float8[]']) f, unnest(ARRAY['id > 0', 'id > 900000']) condition,
       LATERAL (SELECT format('SELECT percentile_disc(%s) WITHIN GROUP (ORDER BY id), count(*) FROM events WHERE %s', f, condition) AS q) q,
       LATERAL (SELECT failure(q, true) AS counted, failure(q, false) AS scanned) a;
PREPARE median(float8, timestamptz) AS SELECT percentile_disc($1) WITHIN GROUP (ORDER BY ts) AS m FROM events WHERE ts < $2;
SET plan_cache_mode = force_generic_plan;
SET enable_seqscan = off;
SELECT counts('EXECUTE median(0.5, ''2020-02-10'')');
EXECUTE median(0.5, '2020-02-10');
EXECUTE median(0.9, '2020-04-10');
EXECUTE median(NULL, '2020-04-10');
EXECUTE median(0.9, NULL);
SET learned_index.enable_aggregates = off;
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY ts) AS m FROM events WHERE ts < '2020-02-10';
SELECT percentile_disc(0.9) WITHIN GROUP (ORDER BY ts) AS m FROM events WHERE ts < '2020-04-10';
SET learned_index.enable_aggregates = on;
RESET plan_cache_mode;
RESET enable_seqscan;
DEALLOCATE median;

-- Row by row, where each table has few rows of a serializable transaction; some of them counted, some not.
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT * FROM wrong(true, percentiles(ARRAY[
  'SELECT P<0.5; id>, P<0.3; id DESC>, C<0.25; id>, count(*) FROM events WHERE id BETWEEN 3000 AND 3305',
  'SELECT P<0.5; id>, C<ARRAY[0.1, 0.7]; id> FROM events WHERE id BETWEEN 200 AND 4000',
  'SELECT P<0.5; id> FROM events',
  'SELECT device, P<0.5; ts>, P<ARRAY[0.1, 0.9]; ts DESC>, count(*) FROM events WHERE device IN (1, 2, 40) AND ts < ''2020-03-15'' GROUP BY device',
  'SELECT kind, device, P<0.5; tag> FROM events WHERE kind = 2 GROUP BY device, kind',
  'SELECT g, l.* FROM generate_series(1, 3) g, LATERAL (SELECT P<g / 4.0; ts> FROM events WHERE device = g) l']));
COMMIT;
-- Cursors, and changes meanwhile.
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT device, percentile_disc(0.5) WITHIN GROUP (ORDER BY ts) FROM events WHERE device BETWEEN 1 AND 4 GROUP BY device ORDER BY device;
FETCH 1 FROM c;
DELETE FROM events;
FETCH 2 FROM c;
FETCH PRIOR FROM c;
FETCH ALL FROM c;
ROLLBACK;

-- Not where an index lacks the order, or groups are by something else.
SELECT * FROM wrong(false, percentiles(ARRAY[
  'SELECT device, P<0.5; id> FROM events GROUP BY device',
  'SELECT P<0.5; kind>, P<0.5; id> FROM events',
  'SELECT date_trunc(''day'', ts), P<0.5; ts> FROM events GROUP BY 1',
  'SELECT P<0.5; device> FROM events WHERE id > 3'
]));
-- By default costs decide: many small groups of many tables are sorted.
RESET cpu_tuple_cost;
RESET cpu_index_tuple_cost;
EXPLAIN (COSTS OFF) SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY u) FROM many_rows;
SELECT counts('SELECT k, percentile_disc(0.5) WITHIN GROUP (ORDER BY id) FROM parent GROUP BY k');
-- Where rows must be visited, that is most of it, and once: percentiles cost little more than a count.
ANALYZE many_rows;
CREATE FUNCTION cost_of(query text) RETURNS float8 LANGUAGE plpgsql SET cpu_tuple_cost = 1 SET cpu_index_tuple_cost = 1 AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
  RETURN CASE WHEN plan #>> '{0,Plan,Custom Plan Provider}' = 'LearnedAggregate' THEN (plan #>> '{0,Plan,Total Cost}')::float8 END;
END $$;
SELECT name, cost_of(format('SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY u) FROM %s', name)) / cost_of(format('SELECT count(*) FROM %s WHERE u >= -9223372036854775808', name)) BETWEEN 1 AND 1.3 AS little_more
  FROM unnest('{many_rows,many_rows_0}'::text[]) name;

SET client_min_messages = warning;
DROP SCHEMA aggregates_rank_partitions CASCADE;
