-- Percentiles found in an index by the number of a row: which of them LearnedAggregate answers, and that it answers as a sequential scan does.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
CREATE SCHEMA aggregates_rank;
SET search_path = aggregates_rank, public;
\getenv tests PG_ABS_SRCDIR
\set counting :tests '/sql/counting.inc'
\i :counting

CREATE TABLE events (id int8, device int4, ts timestamptz, day date, kind int2, amount float8, flag bool NOT NULL, tag uuid, site int4 NOT NULL, r float4, n numeric, note text)
  WITH (autovacuum_enabled = off);
INSERT INTO events SELECT i / 3, i % 50, timestamptz '2020-01-01 00:00+00' + i % 7000 * interval '337 seconds', date '2019-11-01' + i % 400, i % 7 - 3,
                          nullif(i % 1101, 0) / 7.0 - 20, i % 3 = 0, md5((i % 900)::text)::uuid, i % 4, i * 1.5, i, 'n' FROM generate_series(1, 30000) i;
INSERT INTO events SELECT NULL, i % 3, NULL, NULL, NULL, NULL, false, NULL, 9, NULL, NULL, 'null' FROM generate_series(1, 500) i;
INSERT INTO events SELECT -i, NULL, timestamptz '1960-01-01 00:00+00' + i * interval '1 day', NULL, -3, -i / 3.0, true, NULL, 5, i, i, 'before' FROM generate_series(1, 500) i;
CREATE INDEX events_id ON events USING learned (id);
CREATE INDEX events_device_ts ON events USING learned (device, ts) INCLUDE (kind);
CREATE INDEX events_ts ON events USING learned (ts DESC);
CREATE INDEX events_day_device ON events USING learned (day DESC NULLS LAST, device);
CREATE INDEX events_amount ON events USING learned (amount DESC NULLS LAST);
CREATE INDEX events_flag_kind_id ON events USING learned (flag, kind DESC, id DESC);
CREATE INDEX events_tag ON events USING learned (tag NULLS FIRST, site);
CREATE INDEX events_site_device_amount ON events USING learned (site, device, amount);
CREATE INDEX events_expression ON events USING learned ((id % 64));
CREATE INDEX events_r_site ON events USING learned (r, site);
CREATE INDEX events_partial ON events USING learned (kind NULLS FIRST) WHERE id > 1000 AND flag;
DELETE FROM events WHERE id BETWEEN 2000 AND 2999;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON, ANALYZE) events;
-- Some rows that not everybody sees: dead ones, new ones, changed ones, some that never were.
DELETE FROM events WHERE id BETWEEN 5000 AND 5100 OR device = 41;
UPDATE events SET id = -id, device = device + 100, amount = amount + 0.5 WHERE id BETWEEN 7000 AND 7100;
UPDATE events SET note = 'hot' WHERE id BETWEEN 9000 AND 9100;
INSERT INTO events SELECT i, 7, '2020-06-01 00:00+00', '2020-06-01', 1, 1, true, md5(i::text)::uuid, 6, i, i, 'n' FROM generate_series(50001, 50100) i;
BEGIN;
INSERT INTO events SELECT i, i, now(), now(), 100, 1, true, md5(i::text)::uuid, i, i, i, 'never' FROM generate_series(60001, 60100) i;
ROLLBACK;

EXPLAIN (COSTS OFF, VERBOSE) SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY id), count(*) FROM events;
EXPLAIN (COSTS OFF) SELECT device, percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY ts) FROM events WHERE device < 9 GROUP BY device ORDER BY device;

SELECT * FROM wrong(true, percentiles(ARRAY[
  'SELECT P<0.5; id> FROM events',
  'SELECT P<0; id>, P<1; id>, P<0.000001; id>, P<0.999999; id>, P<0.25; id DESC>, P<0; id DESC>, P<1; id DESC>, P<NULL; id> FROM events',
  'SELECT P<0.5; id>, count(*), count(id), min(id), max(id), sum(id), avg(id) FROM events',
  'SELECT P<0.5; id> + 1, P<0.5; id DESC> FROM events WHERE id BETWEEN 4900 AND 8000',
  'SELECT P<0.3; id>, P<0.5; id>, P<0.9; id>, C<0.5; id> FROM events WHERE id IN (1, 5, 7, 7050, -7050, 2500, 5050, 900000, NULL)',
  'SELECT P<0.5; id>, C<0.5; id>, count(*) FROM events WHERE id > 4000000',
  'SELECT P<0.5; id>, C<0.5; id>, count(*) FROM events WHERE id IS NULL',
  'SELECT P<0.5; id>, C<0.7; id> FROM events WHERE id IS NOT NULL',
  'SELECT P<0.5; id> FROM events WHERE id > 100 AND id <= 100',
  'SELECT P<0.5; id> FROM events WHERE id = 77',
  'SELECT P<0.5; id> FROM events WHERE id = ANY (''{}''::int8[])',
  'SELECT C<0.5; id>, C<0.25; id>, C<0; id>, C<1; id>, C<0.123456; id>, C<0.1; id DESC>, C<NULL; id> FROM events',
  'SELECT C<0.5; id::float8>, P<0.5; id::float8> FROM events WHERE id > 0',
  'SELECT P<ARRAY[0.5, 0.1, NULL, 1, 0, 0.5]::float8[]; id>, C<ARRAY[0.5, 0.1, NULL, 1, 0, 0.51]::float8[]; id>, P<ARRAY[0.5, 0.1]; id DESC> FROM events',
  'SELECT P<ARRAY[[0.5, 0.1], [NULL, 0.7]]::float8[]; id>, P<''[5:6]={0.5,0.6}''::float8[]; id>, P<''{}''::float8[]; id>, P<NULL::float8[]; id>, P<''{NULL}''::float8[]; id> FROM events',
  'SELECT P<ARRAY[0.5, 0.1]; id>, P<ARRAY[0.5, 7]; id>, P<''{}''::float8[]; id> FROM events WHERE id > 4000000',
  'SELECT 1 FROM events HAVING P<0.5; id> > 5',
  'SELECT 1 FROM events HAVING P<0.5; id> < 5',
  'SELECT P<0.5; device>, P<0.5; device DESC>, C<ARRAY[0.3, 0.6]; device>, count(ts), max(kind) FROM events',
  'SELECT P<0.5; ts>, P<0.05; ts>, P<0.5; ts DESC>, count(*) FROM events',
  'SELECT P<0.5; ts> FROM events WHERE ts >= ''2020-01-05'' AND ts < date ''2020-01-20''',
  'SELECT P<0.5; day>, P<0.99; day>, P<0.1; day DESC>, min(day), max(day) FROM events',
  'SELECT P<0.5; amount>, P<0.01; amount>, C<0.5; amount>, C<ARRAY[0.1, 0.25, 0.5, 0.75, 0.99]; amount>, C<0.3; amount DESC> FROM events',
  'SELECT C<0.5; amount>, P<0.3; amount DESC> FROM events WHERE amount BETWEEN -19 AND 3',
  'SELECT P<0.5; flag>, P<0.99; flag>, count(*) FROM events',
  'SELECT P<0.5; tag>, P<ARRAY[0.1, 0.9]; tag>, P<0.3; tag DESC>, count(*), count(tag) FROM events',
  'SELECT P<0.5; tag> FROM events WHERE tag > ''80000000-0000-0000-0000-000000000000''',
  'SELECT P<0.5; id % 64>, P<0.2; id % 64 DESC> FROM events',
  'SELECT P<0.5; kind>, C<0.5; kind>, sum(kind) FROM events WHERE id > 1000 AND flag',
  'SELECT P<0.5; site> FROM events',
  'SELECT P<0.1 * 5; id>, P<length(''x''); id>, P<greatest(0.25, sqrt(0.04)); id> FROM events',
  -- Behind columns that are fixed.
  'SELECT P<0.5; ts>, count(*), P<ARRAY[0.1, 0.9]; ts DESC> FROM events WHERE device = 7',
  'SELECT P<0.5; ts>, P<0.5; ts DESC> FROM events WHERE device = 2',
  'SELECT P<0.5; ts> FROM events WHERE device = 7 AND ts > ''2020-01-10''',
  'SELECT P<0.5; ts> FROM events WHERE device IS NULL AND device = 3',
  'SELECT P<0.5; id>, C<0.5; id>, sum(id) FROM events WHERE flag AND kind = -3',
  'SELECT C<0.5; amount>, C<0.95; amount>, count(amount) FROM events WHERE site = 2 AND device = 10',
  'SELECT P<0.5; device> FROM events WHERE device = 7',
  'SELECT P<0.5; device>, count(*) FROM events WHERE device BETWEEN 3 AND 40 AND ts IS NULL',
  'SELECT P<0.5; device>, count(*) FROM events WHERE device BETWEEN 1 AND 40 AND ts > ''2020-01-10'' AND ts < ''2020-01-11''',
  -- By groups.
  'SELECT device, P<0.5; ts>, count(*) FROM events GROUP BY device',
  'SELECT device, P<0.5; ts DESC>, P<0.95; ts>, P<ARRAY[0.1, 0.9]; ts>, count(*), sum(kind), min(ts) FROM events WHERE device > 5 GROUP BY device',
  'SELECT device, P<0.5; ts> FROM events WHERE device IN (1, 2, 3, 500, 9) GROUP BY device HAVING P<0.9; ts> > ''2020-01-02'' ORDER BY device DESC LIMIT 3',
  'SELECT flag, kind, P<0.5; id>, C<0.5; id>, P<0.2; id DESC>, sum(id) FROM events GROUP BY kind, flag',
  'SELECT flag, P<0.5; kind>, C<0.1; kind>, count(kind) FROM events GROUP BY flag',
  'SELECT kind, P<0.5; id> FROM events WHERE flag GROUP BY kind',
  'SELECT site, device, C<0.5; amount>, C<0.95; amount>, avg(device) FROM events GROUP BY device, site',
  'SELECT device, C<ARRAY[0.5, 0.95, 0.99]; amount> FROM events WHERE site = 3 GROUP BY device',
  'SELECT device, C<0.5; amount> FROM events WHERE site = 3 AND amount > -3 GROUP BY device',
  'SELECT day, P<0.5; device>, C<0.3; device DESC> FROM events GROUP BY day',
  'SELECT tag, P<0.5; site>, count(*) FROM events GROUP BY tag',
  'SELECT device, P<0.5; device>, count(*) FROM events GROUP BY device',
  'SELECT device, P<0.5; ts>, count(DISTINCT ts), count(DISTINCT ts) + count(*) FROM events GROUP BY device',
  'SELECT flag, P<0.5; kind>, sum(DISTINCT kind) FROM events GROUP BY flag',
  'SELECT P<0.5; device>, count(DISTINCT device), C<0.25; device> FROM events',
  'SELECT P<0.5; id>, count(DISTINCT id / 100) FROM events',
  'SELECT count(DISTINCT id), P<0.5; id> FROM events WHERE id > 900000',
  -- Where they may stand.
  'SELECT g, (SELECT P<0.5; id> FROM events WHERE id BETWEEN g AND g * 100) FROM generate_series(1, 20) g',
  'SELECT g, (SELECT P<g / 20.0; id> FROM events WHERE id BETWEEN 0 AND g * 100) FROM generate_series(1, 20) g',
  'SELECT g, (SELECT P<g / 20.0; id> FROM events WHERE id > 0) FROM generate_series(0, 20) g',
  'SELECT g, l.* FROM generate_series(-10, 60, 7) g, LATERAL (SELECT P<0.5; ts>, count(*), P<ARRAY[0.1, 0.9]; ts DESC> FROM events WHERE device = g) l',
  'SELECT g, l.* FROM generate_series(1, 3) g, LATERAL (SELECT device, P<g / 3.0; ts> FROM events WHERE device > g * 15 GROUP BY device) l',
  'SELECT P<(SELECT 0.25); id> FROM events',
  'SELECT count(*) FROM events WHERE id < (SELECT P<0.5; id> FROM events)'
]));

-- Not for it: of several columns, in another order, of groups whose rows lie elsewhere, fractions that rows decide.
SELECT * FROM wrong(false, percentiles(ARRAY[
  'SELECT P<0.5; id>, P<0.5; device> FROM events',
  'SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY id) FILTER (WHERE id > 5) FROM events',
  'SELECT P<0.5; ts> FROM events WHERE device < 3',
  'SELECT P<0.5; kind> FROM events WHERE device = 3',
  'SELECT ts, P<0.5; device> FROM events GROUP BY ts',
  'SELECT site, C<0.5; amount> FROM events GROUP BY site',
  'SELECT ts::date, P<0.5; ts> FROM events GROUP BY 1',
  'SELECT P<0.5; id::text> FROM events WHERE id < 9',
  'SELECT P<0.5; id + 1> FROM events',
  'SELECT P<0.5; -id> FROM events',
  'SELECT P<0.5; id::int4> FROM events',
  'SELECT P<0.5; n>, C<0.5; n> FROM events WHERE id < 100',
  'SELECT P<0.5; r> FROM events',
  'SELECT C<0.5; r> FROM events',
  'SELECT P<0.5; note> FROM events',
  'SELECT C<0.5; ts - timestamptz ''2020-01-01''> FROM events',
  'SELECT mode() WITHIN GROUP (ORDER BY id) FROM events',
  'SELECT rank(7) WITHIN GROUP (ORDER BY id), dense_rank(7) WITHIN GROUP (ORDER BY id) FROM events',
  'SELECT device, P<device / 1000.0; ts> FROM events GROUP BY device',
  'SELECT P<random() * 0; id> FROM events',
  'SELECT P<0.5; id> FROM events WHERE id > 100 AND note = ''n''',
  'SELECT device, P<0.5; ts> FROM events GROUP BY ROLLUP (device)'
]));

-- Fractions that there are not: the server's errors, with its codes, where it has them.
CREATE FUNCTION failure(query text, counted bool) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  code text;
BEGIN
  RETURN answer(query, counted);
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE;
  RETURN code || ' ' || SQLERRM;
END $$;
SELECT f, condition, counted = regexp_replace(scanned, '^false', 'true') AS same, CASE WHEN counted !~ '^true' THEN counted END AS error
  FROM unnest(ARRAY['1.1', '-0.0001', '''NaN''::float8', '''infinity''::float8', 'ARRAY[0.5, 1.5]', 'ARRAY[0.5, ''NaN'', NULL]::float8[]']) f, unnest(ARRAY['id > 0', 'id > 900000']) condition,
       LATERAL (SELECT format('SELECT percentile_disc(%s) WITHIN GROUP (ORDER BY id), count(*) FROM events WHERE %s', f, condition) AS q) q,
       LATERAL (SELECT failure(q, true) AS counted, failure(q, false) AS scanned) a;

-- Ends of types, casts that round, floats of all kinds; a column taken as another type.
CREATE DOMAIN whole AS int8;
CREATE TABLE ends (g int4, k int8, w whole, s int2, o oid, f float8, r float4) WITH (autovacuum_enabled = off);
INSERT INTO ends SELECT i / 700, 9007199254740992 + i / 2, i % 500, i % 100, i + 2147483000::int8, i / 7.0 - 100, i / 3.0 FROM generate_series(1, 2000) i;
INSERT INTO ends VALUES (NULL, 9223372036854775807, 9223372036854775807, 32767, 0, 'NaN', 'NaN'), (NULL, 9223372036854775807, -9223372036854775808, -32768, 4294967295, 'infinity', '-infinity'),
  (NULL, -9223372036854775808, NULL, NULL, NULL, '-infinity', NULL), (NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE INDEX ends_g_k ON ends USING learned (g, k);
CREATE INDEX ends_w ON ends USING learned (w DESC);
CREATE INDEX ends_s_g ON ends USING learned (s DESC NULLS LAST, g NULLS FIRST);
CREATE INDEX ends_k ON ends USING learned (k NULLS FIRST);
CREATE INDEX ends_o ON ends USING learned (o);
CREATE INDEX ends_f ON ends USING learned (f);
CREATE INDEX ends_r ON ends USING learned (r DESC);
VACUUM ANALYZE ends;
SELECT * FROM wrong(true, percentiles(ARRAY[
  'SELECT g, P<0.5; k>, C<0.5; k>, C<0.501; k>, P<0.3; k::float8> FROM ends GROUP BY g',
  'SELECT P<0; k>, P<1; k>, C<0; k>, C<1; k>, C<ARRAY[0.1, 0.999, 0.9999]; k> FROM ends',
  'SELECT P<0; w>, P<1; w>, C<0; w>, C<1; w>, P<0.5; w DESC> FROM ends',
  'SELECT P<0; s>, P<1; s>, C<0.5; s>, C<0.99; s DESC> FROM ends',
  'SELECT s, P<0.5; g>, P<0.5; g DESC>, C<0.1; g> FROM ends GROUP BY s ORDER BY s',
  'SELECT P<0.5; o>, P<1; o>, P<0.5; o::regclass::oid> FROM ends',
  'SELECT P<0; f>, P<1; f>, C<0; f>, C<1; f>, C<0.9999; f>, C<0.0001; f>, C<0.5; f>, C<0.7; f DESC> FROM ends',
  'SELECT P<0; r>, P<1; r>, P<0.5; r>, P<0.2; r DESC> FROM ends'
]));
SELECT * FROM wrong(false, percentiles(ARRAY['SELECT P<0.5; o::int4> FROM ends', 'SELECT C<0.5; o::int4> FROM ends']));

-- Changes of one's own, cursors, parameters; few rows of a serializable transaction, which are read one by one, and many.
BEGIN;
UPDATE events SET id = id + 100000 WHERE id BETWEEN 10 AND 19;
DELETE FROM events WHERE id BETWEEN 20 AND 29;
INSERT INTO events(id, device, flag, site) VALUES (15, 1, true, 1), (25, 1, true, 1);
SAVEPOINT s;
DELETE FROM events WHERE id BETWEEN 0 AND 1000;
SELECT * FROM wrong(true, percentiles(ARRAY['SELECT P<0.5; id>, P<0.1; id>, count(*) FROM events', 'SELECT P<0.5; id> FROM events WHERE id BETWEEN 0 AND 1100']));
ROLLBACK TO s;
SELECT * FROM wrong(true, percentiles(ARRAY['SELECT P<0.5; id>, P<0.1; id>, count(*) FROM events', 'SELECT P<0.5; id> FROM events WHERE id BETWEEN 0 AND 1100']));
DECLARE c SCROLL CURSOR FOR SELECT device, percentile_disc(0.5) WITHIN GROUP (ORDER BY ts) FROM events WHERE device BETWEEN 1 AND 4 GROUP BY device ORDER BY device;
DELETE FROM events WHERE device = 3 OR (device = 4 AND ts < '2020-01-20');
FETCH 2 FROM c;
FETCH PRIOR FROM c;
FETCH ALL FROM c;
FETCH ALL FROM c;
ROLLBACK;
PREPARE median(float8, int8) AS SELECT percentile_disc($1) WITHIN GROUP (ORDER BY id), percentile_cont($1) WITHIN GROUP (ORDER BY id) FROM events WHERE id < $2;
PREPARE borders(float8[]) AS SELECT device, percentile_disc($1) WITHIN GROUP (ORDER BY ts) FROM events WHERE device IN (1, 2) GROUP BY device ORDER BY device;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE median(1, 2);
EXECUTE median(0.5, 10000);
EXECUTE median(0.25, 1000);
EXECUTE median(NULL, 1000);
EXECUTE median(0.5, NULL);
EXECUTE median(1.5, 1000);
EXECUTE borders('{0.1,0.5,0.9}');
EXECUTE borders(NULL);
EXECUTE borders('{}');
SET learned_index.enable_aggregates = off;
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY id), percentile_cont(0.5) WITHIN GROUP (ORDER BY id) FROM events WHERE id < 10000;
SELECT percentile_disc(0.25) WITHIN GROUP (ORDER BY id), percentile_cont(0.25) WITHIN GROUP (ORDER BY id) FROM events WHERE id < 1000;
SELECT device, percentile_disc('{0.1,0.5,0.9}'::float8[]) WITHIN GROUP (ORDER BY ts) FROM events WHERE device IN (1, 2) GROUP BY device ORDER BY device;
SET learned_index.enable_aggregates = on;
RESET plan_cache_mode;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT * FROM wrong(true, percentiles(ARRAY[
  'SELECT P<0.5; id>, P<0.3; id DESC>, C<0.25; id>, count(*) FROM events WHERE id BETWEEN 100 AND 305',
  'SELECT P<0.5; id>, count(*) FROM events WHERE id BETWEEN 70000 AND 80000',
  'SELECT device, P<0.5; ts>, P<ARRAY[0.1, 0.9]; ts DESC>, sum(kind), count(kind) FROM events WHERE device IN (1, 2, 40) AND (ts < ''2020-01-15'') GROUP BY device',
  'SELECT device, P<0.5; ts>, count(DISTINCT ts) FROM events WHERE device IN (1, 4, 40) AND ts < ''2020-01-15'' GROUP BY device',
  'SELECT P<0.5; tag>, P<0.2; tag DESC> FROM events WHERE tag < ''01000000-0000-0000-0000-000000000000''',
  'SELECT P<0.5; id> FROM events WHERE id > 100']));
COMMIT;

-- What is read: a row is found without those before it.
CREATE TABLE many (k int8, u int8 NOT NULL) WITH (autovacuum_enabled = off);
INSERT INTO many SELECT i, hashint8extended(i, 1) FROM generate_series(1, 100000) i;
CREATE INDEX many_k ON many USING learned (k);
CREATE INDEX many_u ON many USING learned (u);
CALL pg_temp.settle();
VACUUM ANALYZE many;
SELECT node, leaves < 100 AS few_leaves, decoded, fetches FROM work('SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY k) FROM many');
SELECT node, leaves <= 2 * pg_relation_size('many_u') / current_setting('block_size')::int AS not_more_leaves_than_twice, decoded, fetches
  FROM work('SELECT percentile_disc(ARRAY(SELECT g / 100.0 FROM generate_series(0, 20) g)) WITHIN GROUP (ORDER BY u) FROM many');
SELECT * FROM wrong(true, percentiles(ARRAY['SELECT P<ARRAY(SELECT g / 300.0 FROM generate_series(0, 300) g); u>, C<0.5; u> FROM many', 'SELECT P<ARRAY(SELECT g / 300.0 FROM generate_series(0, 300) g); k DESC> FROM many']));
UPDATE many SET u = u + 1 WHERE k % 3 = 0;
DELETE FROM many WHERE k % 1000 < 300;
SELECT * FROM wrong(true, percentiles(ARRAY['SELECT P<ARRAY(SELECT g / 300.0 FROM generate_series(0, 300) g); u>, C<0.5; u> FROM many', 'SELECT P<ARRAY(SELECT g / 300.0 FROM generate_series(0, 300) g); k DESC> FROM many']));

-- Who may not execute the aggregate, or the cast that its argument has, does not get around that.
BEGIN;
CREATE ROLE regress_learned_rank;
GRANT USAGE ON SCHEMA aggregates_rank TO regress_learned_rank;
GRANT SELECT ON many TO regress_learned_rank;
SET LOCAL enable_seqscan = off;
SET LOCAL ROLE regress_learned_rank;
EXPLAIN (COSTS OFF) SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY k) FROM many;
RESET ROLE;
REVOKE EXECUTE ON FUNCTION float8(int8) FROM PUBLIC;
SET LOCAL ROLE regress_learned_rank;
SAVEPOINT s;
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY k) FROM many;
ROLLBACK TO s;
SELECT percentile_disc(1.0) WITHIN GROUP (ORDER BY k) FROM many;
RESET ROLE;
REVOKE EXECUTE ON FUNCTION percentile_disc(float8, anyelement) FROM PUBLIC;
SET LOCAL ROLE regress_learned_rank;
SELECT percentile_disc(1.0) WITHIN GROUP (ORDER BY k) FROM many;
ROLLBACK;

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
SELECT * FROM wrong(true, percentiles(ARRAY['SELECT P<0.5; k>, count(*) FROM none', 'SELECT k, P<0.5; g> FROM none GROUP BY k', 'SELECT P<0.5; k>, sum(k) FROM unlogged',
  'SELECT P<0.5; k>, sum(k), max(k) FROM fresh', 'SELECT g, P<0.5; k>, C<ARRAY[0.1, 0.9]; k> FROM fresh GROUP BY g']));
DELETE FROM fresh;
SELECT * FROM wrong(true, percentiles(ARRAY['SELECT P<0.5; k>, C<ARRAY[0.1, 0.9]; k>, max(k) FROM fresh', 'SELECT g, P<0.5; k> FROM fresh GROUP BY g']));
RESET enable_seqscan;

-- Partitions: of one that is left; of several (aggregates_rank_partitions.sql).
CREATE TABLE parts (id int8, ts timestamptz NOT NULL) PARTITION BY RANGE (ts);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2020-01-01') TO ('2020-02-01') WITH (autovacuum_enabled = off);
CREATE TABLE parts_2 PARTITION OF parts DEFAULT WITH (autovacuum_enabled = off);
INSERT INTO parts SELECT i % 4000, timestamptz '2020-01-01' + i * interval '7 minutes' FROM generate_series(1, 12000) i;
CREATE INDEX ON parts USING learned (id);
CREATE INDEX ON parts USING learned (ts);
VACUUM ANALYZE parts;
SELECT * FROM wrong(true, percentiles(ARRAY['SELECT P<0.5; ts>, count(*) FROM parts WHERE ts >= ''2020-01-05'' AND ts < ''2020-01-11''']));
SELECT * FROM wrong(true, percentiles(ARRAY['SELECT P<0.5; id> FROM parts']));

SET client_min_messages = warning;
DROP SCHEMA aggregates_rank CASCADE;
