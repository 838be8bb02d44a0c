-- Indexes on several columns, with included ones: the plans that a btree would get, and the rows of a sequential scan.
SET client_min_messages = warning;
SET learned_index.enable_aggregates = off; -- rows are to be read: aggregates.sql counts them
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
\getenv tests PG_ABS_SRCDIR
\set settle :tests '/sql/settle.inc'
\i :settle
\set plans :tests '/sql/plans.inc'
\i :plans
CREATE SCHEMA columns;
SET search_path = columns, public;
SET jit = off;
SET max_parallel_workers_per_gather = 0;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- The rows of a query by an index and by a sequential scan: in their order, if it says which. True if they are the same, and how many.
CREATE FUNCTION rows_of(query text, by_index bool) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  result text[];
  setting text;
BEGIN
  FOREACH setting IN ARRAY '{enable_seqscan,enable_sort}'::text[] LOOP
    PERFORM set_config(setting, CASE WHEN by_index THEN 'off' ELSE 'on' END, true);
  END LOOP;
  FOREACH setting IN ARRAY '{enable_indexscan,enable_indexonlyscan,enable_bitmapscan}'::text[] LOOP
    PERFORM set_config(setting, CASE WHEN by_index THEN 'on' ELSE 'off' END, true);
  END LOOP;
  EXECUTE 'SELECT array_agg(q::text) FROM (' || query || ') q' INTO result;
  RETURN result;
END $$;
CREATE FUNCTION same(query text, OUT same bool, OUT n int) LANGUAGE plpgsql AS $$
DECLARE
  by_index text[] := rows_of(query, true);
  by_table text[] := rows_of(query, false);
BEGIN
  IF query !~ 'ORDER BY' THEN
    by_index := ARRAY(SELECT unnest(by_index) ORDER BY 1);
    by_table := ARRAY(SELECT unnest(by_table) ORDER BY 1);
  END IF;
  same := by_index IS NOT DISTINCT FROM by_table;
  n := coalesce(cardinality(by_index), 0);
END $$;

-- ---- Devices reporting by turns.
CREATE TABLE reports (device int4, ts timestamptz, value float8) WITH (autovacuum_enabled = off);
INSERT INTO reports SELECT i % 100, timestamptz '2024-01-01' + i / 100 * interval '1 min', i % 7 FROM generate_series(0, 49999) i;
CREATE INDEX reports_device_ts ON reports USING learned (device, ts) INCLUDE (value);
\d reports_device_ts
CALL pg_temp.settle();
VACUUM ANALYZE reports;
EXPLAIN (COSTS OFF) SELECT * FROM reports WHERE device = 7 AND ts = '2024-01-01 02:00+00';
EXPLAIN (COSTS OFF) SELECT * FROM reports WHERE device = 7 AND ts >= '2024-01-01 02:00+00' AND ts < '2024-01-01 03:00+00' ORDER BY ts;
EXPLAIN (COSTS OFF) SELECT * FROM reports WHERE device = 7 ORDER BY ts DESC LIMIT 5;
EXPLAIN (COSTS OFF) SELECT * FROM reports ORDER BY device, ts LIMIT 5;
EXPLAIN (COSTS OFF) SELECT * FROM reports ORDER BY device DESC, ts DESC LIMIT 5;
EXPLAIN (COSTS OFF) SELECT * FROM reports WHERE device IN (3, 5, 700) AND ts < '2024-01-01 00:10+00';
-- The leading column is left out: a search for each of its values.
EXPLAIN (COSTS OFF) SELECT * FROM reports WHERE ts = '2024-01-01 02:00+00';
SELECT query, (s).* FROM (SELECT query, same(query) AS s FROM unnest(ARRAY[
  'SELECT * FROM reports WHERE device = 7 AND ts = ''2024-01-01 02:00+00''',
  'SELECT * FROM reports WHERE device = 7 AND ts >= ''2024-01-01 02:00+00'' AND ts < ''2024-01-01 03:00+00'' ORDER BY ts',
  'SELECT * FROM reports WHERE device = 7 ORDER BY ts DESC LIMIT 5',
  'SELECT max(ts) FROM reports WHERE device = 7',
  'SELECT device, ts FROM reports ORDER BY device, ts LIMIT 5',
  'SELECT * FROM reports ORDER BY device DESC, ts DESC LIMIT 5',
  'SELECT * FROM reports WHERE device IN (3, 5, 700) AND ts < ''2024-01-01 00:10+00''',
  'SELECT * FROM reports WHERE ts = ''2024-01-01 02:00+00''',
  'SELECT * FROM reports WHERE ts BETWEEN ''2024-01-01 02:00+00'' AND ''2024-01-01 02:02+00''',
  'SELECT * FROM reports WHERE device > 97 AND ts = ANY (''{2024-01-01 02:00+00,2024-01-01 02:05+00,2025-01-01 02:05+00}'')',
  'SELECT * FROM reports WHERE device BETWEEN 20 AND 40 AND ts >= ''2024-01-01 08:18+00'' ORDER BY device, ts',
  'SELECT * FROM reports WHERE device IS NULL',
  'SELECT * FROM reports WHERE ts IS NULL',
  'SELECT * FROM reports WHERE device = 7 AND device = 8',
  'SELECT * FROM reports WHERE device = 7 AND ts > ''2024-01-02'' AND ts < ''2024-01-01'''
]) query) q;
-- Pages of the index for all of these devices: as many as it has leaves, not as many as it has entries.
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT pg_temp.buffers('SELECT device, ts FROM reports WHERE device = 7 AND ts = ''2024-01-01 02:00+00''') * 0
     + pg_temp.buffers('SELECT device, ts FROM reports WHERE device = 7 AND ts = ''2024-01-01 02:00+00''') <= 3 AS few;
SELECT pg_temp.buffers('SELECT device, ts FROM reports WHERE ts = ''2024-01-01 02:00+00''') <= 210 AS few;
RESET enable_seqscan;
RESET enable_bitmapscan;

-- ---- Paging over two columns, of which the first repeats for long.
CREATE TABLE pages (tenant int4, id int8, note text) WITH (autovacuum_enabled = off);
INSERT INTO pages SELECT i % 5, i, 'n' FROM generate_series(1, 50000) i;
CREATE INDEX pages_tenant_id ON pages USING learned (tenant, id);
CALL pg_temp.settle();
VACUUM ANALYZE pages;
EXPLAIN (COSTS OFF) SELECT * FROM pages WHERE (tenant, id) > (2, 30000) ORDER BY tenant, id LIMIT 10;
EXPLAIN (COSTS OFF) SELECT * FROM pages WHERE (tenant, id) <= (2, 30000) ORDER BY tenant DESC, id DESC LIMIT 10;
EXPLAIN (COSTS OFF) SELECT * FROM pages WHERE (tenant, id, note) > (2, 30000, 'n') ORDER BY tenant, id LIMIT 10;
SELECT pg_temp.buffers('SELECT * FROM pages WHERE (tenant, id) > (2, 30000) ORDER BY tenant, id LIMIT 10') * 0
     + pg_temp.buffers('SELECT * FROM pages WHERE (tenant, id) > (2, 30000) ORDER BY tenant, id LIMIT 10') <= 4 AS few;
SELECT pg_temp.buffers('SELECT * FROM pages WHERE (tenant, id) < (2, 30000) ORDER BY tenant DESC, id DESC LIMIT 10') * 0
     + pg_temp.buffers('SELECT * FROM pages WHERE (tenant, id) < (2, 30000) ORDER BY tenant DESC, id DESC LIMIT 10') <= 4 AS few;
SELECT query, (s).* FROM (SELECT query, same(query) AS s FROM unnest(ARRAY[
  'SELECT * FROM pages WHERE (tenant, id) > (2, 30000) ORDER BY tenant, id LIMIT 10',
  'SELECT * FROM pages WHERE (tenant, id) >= (2, 30002) ORDER BY tenant, id LIMIT 10',
  'SELECT * FROM pages WHERE (tenant, id) < (2, 30000) ORDER BY tenant DESC, id DESC LIMIT 10',
  'SELECT * FROM pages WHERE (tenant, id) <= (2, 30002) ORDER BY tenant DESC, id DESC LIMIT 10',
  'SELECT * FROM pages WHERE (tenant, id) > (2, 30000) AND (tenant, id) < (2, 30100) ORDER BY tenant, id',
  'SELECT * FROM pages WHERE (tenant, id) > (2, 30000) AND tenant IN (1, 2) AND id < 30020 ORDER BY tenant, id',
  'SELECT * FROM pages WHERE (tenant, id) > (4, 49990::numeric) ORDER BY tenant, id',
  'SELECT * FROM pages WHERE (tenant, id) > (2::int8, 30000::int2) ORDER BY tenant, id LIMIT 10',
  'SELECT * FROM pages WHERE (2, 30000) < (tenant, id) ORDER BY tenant, id LIMIT 10',
  'SELECT * FROM pages WHERE (id, tenant) > (49990, 2) ORDER BY id, tenant LIMIT 20',
  'SELECT * FROM pages WHERE (tenant, id) > (2, NULL) ORDER BY tenant, id LIMIT 3',
  'SELECT * FROM pages WHERE (tenant, id) > (NULL, 3) ORDER BY tenant, id LIMIT 3',
  'SELECT * FROM pages WHERE (tenant, id, note) > (2, 30000, ''n'') ORDER BY tenant, id LIMIT 10',
  'SELECT x.* FROM (VALUES (1, 49990), (3, 7), (4, 49998)) v(t, i), LATERAL (SELECT * FROM pages WHERE (tenant, id) > (v.t, v.i) ORDER BY tenant, id LIMIT 3) x ORDER BY tenant, id'
]) query) q;
-- The same by an index the other way round.
DROP INDEX pages_tenant_id;
CREATE INDEX pages_down ON pages USING learned (tenant DESC, id DESC);
ANALYZE pages;
EXPLAIN (COSTS OFF) SELECT * FROM pages WHERE (tenant, id) > (2, 30000) ORDER BY tenant, id LIMIT 10;
SELECT query, (s).* FROM (SELECT query, same(query) AS s FROM unnest(ARRAY[
  'SELECT * FROM pages WHERE (tenant, id) > (2, 30000) ORDER BY tenant, id LIMIT 10',
  'SELECT * FROM pages WHERE (tenant, id) <= (2, 30002) ORDER BY tenant DESC, id DESC LIMIT 10',
  'SELECT * FROM pages WHERE (tenant, id) >= (2, 30000) AND (tenant, id) < (2, 30100) ORDER BY tenant, id'
]) query) q;
-- The operator by itself compares the first column alone, whoever writes it.
SELECT count(*) FROM pages WHERE tenant |>= ROW(3, 49000);
SELECT 5 |>= ROW(5, 7), 5 |<= ROW(4, 1), 1 |>= ROW(NULL, 1);

-- ---- Directions and NULLs in any column.
CREATE TABLE mixed (a int2, b float4, c date) WITH (autovacuum_enabled = off);
INSERT INTO mixed SELECT nullif(i % 11, 10), (ARRAY[NULL, '-0', 0, 1.5, 'NaN', '-Infinity', 7])[i % 7 + 1]::float4, date '2024-01-01' + nullif(i % 13, 12) FROM generate_series(1, 2000) i;
CREATE INDEX mixed_a_b_c ON mixed USING learned (a DESC, b NULLS FIRST, c DESC NULLS LAST);
INSERT INTO mixed SELECT * FROM mixed LIMIT 500;
VACUUM ANALYZE mixed;
EXPLAIN (COSTS OFF) SELECT a FROM mixed ORDER BY a DESC, b NULLS FIRST, c DESC NULLS LAST;
-- -0.0 and +0.0 are equal in the middle of a key: which of them was stored only the table knows.
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT a, b FROM mixed WHERE a = 3;
EXPLAIN (COSTS OFF) SELECT a, c FROM mixed WHERE a = 3;
RESET enable_seqscan;
SELECT query, (s).* FROM (SELECT query, same(query) AS s FROM unnest(ARRAY[
  'SELECT a, CASE WHEN b = 0 THEN 0 ELSE b END, c FROM mixed ORDER BY a DESC, b NULLS FIRST, c DESC NULLS LAST',
  'SELECT a, CASE WHEN b = 0 THEN 0 ELSE b END, c FROM mixed ORDER BY a, b DESC NULLS LAST, c NULLS FIRST',
  'SELECT a, c FROM mixed WHERE a IS NULL',
  'SELECT a, b, c FROM mixed WHERE b IS NULL',
  'SELECT a, b, c FROM mixed WHERE c IS NULL',
  'SELECT a, b, c FROM mixed WHERE a = 3 AND b IS NULL AND c IS NOT NULL',
  'SELECT a, b, c FROM mixed WHERE b = 0',
  'SELECT a, b, c FROM mixed WHERE b = ''-0''',
  'SELECT a, b, c FROM mixed WHERE b = ''NaN'' AND a > 4',
  'SELECT a, b, c FROM mixed WHERE b > 0 AND b <= 7::float8',
  'SELECT a, b, c FROM mixed WHERE b < 0::float8',
  'SELECT a, b, c FROM mixed WHERE c < ''2024-01-03''::timestamptz',
  'SELECT a, b, c FROM mixed WHERE a IN (1, 2, NULL, 9) AND b IN (0, 1.5) AND c IN (''2024-01-02'', ''2024-01-05'')',
  'SELECT a, b, c FROM mixed WHERE a IS NOT NULL AND c = ''2024-01-02''',
  'SELECT a, b, c FROM mixed WHERE (a, b) > (3::int2, 0::float4)',
  'SELECT a, b, c FROM mixed WHERE (a, c) < (3::int2, date ''2024-01-03'')'
]) query) q;

-- ---- Included columns come from the index; conditions on them do not go there.
CREATE TABLE carried (id int4, amount int8, at timestamp, label "char") WITH (autovacuum_enabled = off);
INSERT INTO carried SELECT i, i * 10, timestamp '2024-01-01' + i * interval '1 hour', (65 + i % 26)::"char" FROM generate_series(1, 5000) i;
INSERT INTO carried SELECT i, NULL, NULL, NULL FROM generate_series(4990, 5010) i;
CREATE INDEX carried_id ON carried USING learned (id) INCLUDE (amount, at, label);
VACUUM ANALYZE carried;
EXPLAIN (COSTS OFF) SELECT * FROM carried WHERE id BETWEEN 100 AND 110;
EXPLAIN (COSTS OFF) SELECT * FROM carried WHERE id < 50 AND amount > 300;
SELECT query, (s).* FROM (SELECT query, same(query) AS s FROM unnest(ARRAY[
  'SELECT * FROM carried WHERE id BETWEEN 100 AND 110',
  'SELECT * FROM carried WHERE id < 50 AND amount > 300',
  'SELECT id, amount, at, label FROM carried WHERE id >= 4985',
  'SELECT id FROM carried WHERE id >= 4985 ORDER BY id DESC',
  'SELECT sum(amount) FROM carried WHERE id > 10 AND id < 4995'
]) query) q;

-- ---- Exclusion constraints.
CREATE TABLE bookings (room int4, day date, EXCLUDE USING learned (room WITH =, day WITH =));
INSERT INTO bookings VALUES (1, '2024-01-01'), (1, '2024-01-02'), (2, '2024-01-01'), (NULL, '2024-01-01'), (NULL, '2024-01-01'), (1, NULL), (1, NULL);
INSERT INTO bookings VALUES (1, '2024-01-02');
INSERT INTO bookings VALUES (1, '2024-01-02') ON CONFLICT DO NOTHING;
UPDATE bookings SET room = 1 WHERE room = 2;
ALTER TABLE bookings DROP CONSTRAINT bookings_room_day_excl;
INSERT INTO bookings VALUES (1, '2024-01-02');
ALTER TABLE bookings ADD EXCLUDE USING learned (room WITH =, day WITH =) INCLUDE (room);
ALTER TABLE bookings ADD EXCLUDE USING learned (room WITH =, day WITH =, room WITH =) WHERE (day > '2024-01-02');

-- ---- What DDL makes of them.
CREATE TABLE parts (k int4, at date, v int8) PARTITION BY RANGE (k);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE INDEX parts_k_at ON parts USING learned (k, at DESC) INCLUDE (v);
CREATE TABLE parts_2 (k int4, at date, v int8);
CREATE INDEX parts_2_own ON parts_2 USING learned (k, at DESC) INCLUDE (v);
ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (100) TO (200);
INSERT INTO parts SELECT i % 200, date '2024-01-01' + i % 30, i FROM generate_series(1, 3000) i;
SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'parts_k_at'::regclass ORDER BY 1;
CREATE TABLE alike (LIKE parts INCLUDING INDEXES);
SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'alike'::regclass;
CREATE INDEX CONCURRENTLY parts_1_more ON parts_1 USING learned (at, v, k);
REINDEX TABLE CONCURRENTLY parts_1;
CLUSTER parts_1 USING parts_1_more;
SELECT bool_and(at <= next) AS clustered FROM (SELECT at, lead(at) OVER (ORDER BY ctid) AS next FROM parts_1) s WHERE next IS NOT NULL;
ALTER TABLE parts_1 DROP COLUMN IF EXISTS nothing, ALTER v SET NOT NULL;
ALTER TABLE parts ALTER at TYPE timestamp;
ALTER TABLE parts ALTER v TYPE numeric;
ALTER TABLE parts ALTER v TYPE uuid USING md5(v::text)::uuid;
SELECT pg_get_indexdef('parts_k_at'::regclass);
SELECT count(*) FROM parts_1 WHERE k = 7 AND at > '2024-01-10';
SELECT c.relname, learned_index_check(c.oid, true), s.entries = (SELECT count(*) FROM reports) AS all_rows
  FROM pg_class c, LATERAL learned_index_stats(c.oid) s WHERE c.relname = 'reports_device_ts';
SELECT count(learned_index_check(c.oid, true)) FROM pg_class c JOIN pg_am a ON a.oid = c.relam
 WHERE a.amname = 'learned' AND c.relkind = 'i' AND c.relnamespace = 'columns'::regnamespace;
DELETE FROM reports WHERE device % 2 = 0;
DELETE FROM mixed WHERE a = 3;
UPDATE carried SET amount = amount + 1 WHERE id % 10 = 0;
VACUUM reports, mixed, carried;
SELECT count(learned_index_check(c.oid, true)) FROM pg_class c JOIN pg_am a ON a.oid = c.relam
 WHERE a.amname = 'learned' AND c.relkind = 'i' AND c.relnamespace = 'columns'::regnamespace;
SELECT query, (s).* FROM (SELECT query, same(query) AS s FROM unnest(ARRAY[
  'SELECT * FROM reports WHERE ts = ''2024-01-01 02:00+00''',
  'SELECT a, b, c FROM mixed WHERE b = 0',
  'SELECT * FROM carried WHERE id BETWEEN 100 AND 110'
]) query) q;

-- ---- More than four words; types that have none.
CREATE TABLE broad (a int4, b int4, c int4, d int4, e int4, u uuid, w uuid, z timetz, t text, n numeric);
CREATE INDEX broad_5 ON broad USING learned (a, b, c, d, e);
CREATE INDEX broad_3 ON broad USING learned (u, a, z);
CREATE INDEX broad_4 ON broad USING learned (a, b, c) INCLUDE (u);
CREATE INDEX broad_t ON broad USING learned (a, t);
CREATE INDEX broad_n ON broad USING learned (a) INCLUDE (n);
CREATE INDEX broad_ok ON broad USING learned (u, w);
CREATE INDEX broad_ok2 ON broad USING learned (z, a, b);
CREATE INDEX broad_ok3 ON broad USING learned (a, b, c, d);
\d broad
DROP SCHEMA columns CASCADE;
