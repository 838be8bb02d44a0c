-- Row comparisons, the way people page through results, `(ts, id) > (x, y) ORDER BY ts, id LIMIT n`, with an index on the
-- leading column: the same conditions as a btree gets, the same rows as without any index, and no more pages than that takes.
SET client_min_messages = warning;
SET learned_index.enable_aggregates = off; -- rows are to be read: aggregates.sql counts them
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
\getenv tests PG_ABS_SRCDIR
\set settle :tests '/sql/settle.inc'
\i :settle
\set plans :tests '/sql/plans.inc'
\i :plans
CREATE SCHEMA row_compare;
SET search_path = row_compare, public;
SET jit = off;
SET max_parallel_workers_per_gather = 0;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- ---- Paging, with every kind of plan allowed: 200,000 rows, three with each ts.
CREATE TABLE events (id int, ts timestamptz, filler text) WITH (autovacuum_enabled = off);
INSERT INTO events
SELECT i, timestamptz '2024-01-01 00:00:00+00' + i / 3 * interval '1 second', repeat('x', 20) FROM generate_series(1, 200000) i;
CREATE INDEX events_ts ON events USING learned (ts);
CREATE TABLE places (n int, ts timestamptz, id int) WITH (autovacuum_enabled = off);
INSERT INTO places SELECT i, timestamptz '2024-01-01 00:00:00+00' + i * 977 * interval '1 second', i * 977 * 3 FROM generate_series(1, 60) i;
CALL pg_temp.settle();
VACUUM ANALYZE events;
VACUUM ANALYZE places;
EXPLAIN (COSTS OFF) SELECT * FROM events WHERE (ts, id) > ('2024-01-01 10:00:00+00', 108001) ORDER BY ts, id LIMIT 100;
EXPLAIN (COSTS OFF) SELECT * FROM events WHERE (ts, id) <= ('2024-01-01 10:00:00+00', 108001) ORDER BY ts DESC, id DESC LIMIT 100;
PREPARE page(timestamptz, int) AS SELECT * FROM events WHERE (ts, id) > ($1, $2) ORDER BY ts, id LIMIT 100;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE page('2024-01-01 10:00:00+00', 108001);
EXPLAIN (COSTS OFF) SELECT x.id FROM places p, LATERAL (SELECT * FROM events e WHERE (e.ts, e.id) > (p.ts, p.id) ORDER BY e.ts, e.id LIMIT 3) x;
EXPLAIN (COSTS OFF) SELECT e.id FROM places p, events e WHERE (e.ts, e.id) > (p.ts, p.id) AND e.ts < p.ts + interval '2 s';
EXPLAIN (COSTS OFF) SELECT id FROM events WHERE (ts, id) >= ('2024-01-01 10:00:00+00', 1) AND (ts, id) < ('2024-01-01 10:00:03+00', 108011);
EXPLAIN (COSTS OFF) UPDATE events SET filler = 'y' WHERE (ts, id) > ('2024-01-01 18:31:05+00', 1);
-- The rows of a page follow those of the one before.
SELECT min(id), max(id), count(*) FROM (SELECT * FROM events WHERE (ts, id) > ('2024-01-01 10:00:00+00', 108001) ORDER BY ts, id LIMIT 100) page;
SELECT min(id), max(id), count(*) FROM (SELECT * FROM events WHERE (ts, id) < ('2024-01-01 10:00:00+00', 108001) ORDER BY ts DESC, id DESC LIMIT 100) page;
SELECT count(*), sum(x.id - p.id) AS distance FROM places p, LATERAL (SELECT * FROM events e WHERE (e.ts, e.id) > (p.ts, p.id) ORDER BY e.ts, e.id LIMIT 3) x;

-- Pages of index and table for a page of results. (Its rows are on one or two pages of the table, at most twice looked at.)
CREATE TABLE pages (what text, query text);
INSERT INTO pages (what, query) VALUES
  ('first', 'SELECT * FROM events WHERE (ts, id) > (''2024-01-01 00:00:00+00'', 0) ORDER BY ts, id LIMIT 100'),
  ('near the first', 'SELECT * FROM events WHERE (ts, id) > (''2024-01-01 00:08:20+00'', 1500) ORDER BY ts, id LIMIT 100'),
  ('middle', 'SELECT * FROM events WHERE (ts, id) > (''2024-01-01 09:15:00+00'', 99901) ORDER BY ts, id LIMIT 100'),
  ('last', 'SELECT * FROM events WHERE (ts, id) >= (''2024-01-01 18:30:33+00'', 199901) ORDER BY ts, id LIMIT 100'),
  ('back', 'SELECT * FROM events WHERE (ts, id) < (''2024-01-01 09:15:00+00'', 99901) ORDER BY ts DESC, id DESC LIMIT 100'),
  ('generic', 'EXECUTE page(''2024-01-01 09:15:00+00'', 99901)');
SELECT what, pg_temp.buffers(query) + 0 * pg_temp.buffers(query) BETWEEN 1 AND 6 AS few FROM pages ORDER BY what;
-- From one end to the other.
CREATE FUNCTION walk(page int, backward bool, OUT pages int, OUT rows int, OUT right_order bool) LANGUAGE plpgsql AS $$
DECLARE
  at_ts timestamptz := CASE WHEN backward THEN 'infinity' ELSE '-infinity' END;
  at_id int := 0;
  found_rows int[];
  all_rows int[] := '{}';
BEGIN
  pages := 0;
  LOOP
    IF backward THEN
      SELECT array_agg(id) INTO found_rows FROM (SELECT id FROM events WHERE (ts, id) < (at_ts, at_id) ORDER BY ts DESC, id DESC LIMIT page) s;
    ELSE
      SELECT array_agg(id) INTO found_rows FROM (SELECT id FROM events WHERE (ts, id) > (at_ts, at_id) ORDER BY ts, id LIMIT page) s;
    END IF;
    EXIT WHEN found_rows IS NULL;
    pages := pages + 1;
    all_rows := all_rows || found_rows;
    at_id := found_rows[cardinality(found_rows)];
    at_ts := timestamptz '2024-01-01 00:00:00+00' + at_id / 3 * interval '1 second';
  END LOOP;
  rows := cardinality(all_rows);
  right_order := all_rows = CASE WHEN backward THEN ARRAY(SELECT generate_series(200000, 1, -1)) ELSE ARRAY(SELECT generate_series(1, 200000)) END;
END $$;
SELECT * FROM walk(1000, false);
SELECT * FROM walk(997, true);
RESET plan_cache_mode;

-- ---- Every operator, direction, kind of scan and type against btree: the same plan but for the name of the index; and the rows of a
-- sequential scan. With NULLs in both columns.
CREATE TABLE queries (n serial, query text);
INSERT INTO queries (query)
SELECT format('SELECT n, k, id FROM {t} WHERE %s ORDER BY k %s, id %2$s, n LIMIT %s', clause, direction, lim)
  FROM (VALUES ('{<,<=,>,>=}'::text[])) o (operators), unnest(operators) operator,
       (VALUES ('ASC', 1000000), ('DESC', 7)) d (direction, lim),
       unnest(ARRAY['(k, id) {o} ({x}, 50)', '({x}, 50) {o} (k, id)', '(k, id, n) {o} ({x}, 50, 3)', '(k, id) {o} ({x}, NULL)', '(k, id) {o} (NULL, 50)',
                    '(k, id) {o} ({y}, 50)', '(k, id) {o} ({x}, 50) AND k < {y}', '(k, id) {o} ({x}, 50) AND (k, id) < ({y}, 7)', '(k, id) {o} ({x}, n)',
                    '(id, k) {o} (50, {x})', '(n, k) {o} (500, {x})', '(k, id) {o} (k, 50)', '(k, k) {o} ({x}, {y})',
                    '(k, id) {o} (CASE WHEN random() < 2 THEN {x} END, 50)', 'NOT (k, id) {o} ({x}, 50)', '((k, id) {o} ({x}, 50)) IS NOT TRUE',
                    '(k, id) {o} ({x}, 50) AND k IS NOT NULL', '(k, id) {o} ({x}, 50) AND k IS NULL', '(k, id) {o} ({x}, 50) AND k = {x}',
                    '(k, id) {o} ({x}, 50) AND k IN ({x}, {y}, NULL)', '(k, id) {o} (SELECT {x}, 50)', '((k, id) {o} ({x}, 50) OR k = {y})',
                    '((k, id) {o} ({x}, 50) AND k <= {y} OR (k, id) > ({y}, 0) AND n < 500)', '(k, id) <> ({x}, 50) AND (k, id) {o} ({y}, 3)']) shape,
       replace(shape, '{o}', operator) clause;
-- What differs between the two plans, or between a table's rows with the index and without.
CREATE FUNCTION differences(key_type text, value text, x text, y text, index_order text, settings text,
                            OUT tried int, OUT most_by_index bool, OUT plans int, OUT rows int, OUT example text) LANGUAGE plpgsql AS $$
DECLARE
  q record;
  line text;
  am text;
  plan text[];
  result text[];
  same_plan bool;
  conditions int := 0;
BEGIN
  tried := 0; plans := 0; rows := 0;
  FOREACH am IN ARRAY '{btree,learned}'::text[] LOOP
    EXECUTE format('CREATE TABLE %I WITH (autovacuum_enabled = off) AS SELECT i AS n, CASE WHEN i %% 13 > 0 THEN %s END::%s AS k,
                    CASE WHEN i %% 17 > 0 THEN i * 7 %% 100 END AS id FROM generate_series(1, 1000) i', am, value, key_type);
    EXECUTE format('CREATE INDEX %s_k ON %1$I USING %1$s (k %2$s)', am, index_order);
    EXECUTE format('ANALYZE %I', am);
  END LOOP;
  FOR q IN SELECT n, replace(replace(query, '{x}', x), '{y}', y) AS query FROM queries ORDER BY n LOOP
    EXECUTE settings;
    plan := '{}';
    result := '{}';
    FOREACH am IN ARRAY '{btree,learned}'::text[] LOOP
      plan := plan || ''::text;
      FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || replace(q.query, '{t}', am) LOOP
        plan[cardinality(plan)] := plan[cardinality(plan)] || E'\n' || replace(line, am, '{t}');
      END LOOP;
      EXECUTE 'SELECT string_agg(n::text, '','') FROM (' || replace(q.query, '{t}', am) || ') s' INTO line;
      result := result || coalesce(line, '');
    END LOOP;
    SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_indexonlyscan = off;
    EXECUTE 'SELECT string_agg(n::text, '','') FROM (' || replace(q.query, '{t}', 'learned') || ') s' INTO line;
    tried := tried + 1;
    conditions := conditions + (plan[2] ~ 'Index Cond')::int;
    -- (A comparison of the key with itself is a btree's condition as a whole.)
    same_plan := plan[1] = plan[2] OR plan[1] ~ 'Index Cond: .*ROW\(k, k\)' AND plan[2] ~ 'Index Cond: \(k [<>]= ' AND plan[2] ~ 'Filter: \(ROW\(k, k\)';
    plans := plans + (NOT same_plan)::int;
    rows := rows + (result[1] <> coalesce(line, '') OR result[2] <> coalesce(line, ''))::int;
    IF NOT same_plan OR result[1] <> coalesce(line, '') OR result[2] <> coalesce(line, '') THEN
      example := coalesce(example, q.query || plan[1] || plan[2]);
    END IF;
  END LOOP;
  -- (How many there are depends on the version.)
  most_by_index := conditions >= 128;
  DROP TABLE btree, learned;
END $$;
-- Without other plans than the index's the two cannot differ by what they cost.
\set index 'SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_indexscan = on'
\set bitmap 'SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = on; SET LOCAL enable_indexscan = off'
SELECT * FROM differences('int4', 'i * 7919 % 200', '50', '150', '', :'index');
SELECT * FROM differences('int4', 'i * 7919 % 200', '50', '150', '', :'bitmap');
SELECT * FROM differences('int4', 'i * 7919 % 200', '50', '150', 'DESC', :'index');
SELECT * FROM differences('int4', 'i * 7919 % 200', '50', '150', 'NULLS FIRST', :'index');
SELECT * FROM differences('int2', 'i * 7919 % 200', '50::int8', '99999', '', :'index');
SELECT * FROM differences('int8', 'i * 7919 % 200', '50::int2', '150', 'DESC NULLS LAST', :'index');
SELECT * FROM differences('float4', 'i * 7919 % 200', '50.5::float8', '0.1::float4', '', :'index');
SELECT * FROM differences('float8', 'CASE WHEN i % 20 = 0 THEN ''NaN'' ELSE (i % 9)::text END', '4::float4', '''NaN''::float8', '', :'bitmap');
SELECT * FROM differences('date', 'date ''2024-01-01'' + i % 99', 'timestamptz ''2024-02-01 12:00:00+00''', 'timestamp ''2024-03-01''', '', :'index');
SELECT * FROM differences('timestamptz', 'date ''2024-01-01'' + i % 99', 'date ''2024-02-01''', 'timestamp ''2024-03-01''', 'DESC', :'index');
SELECT * FROM differences('timestamp', 'date ''2024-01-01'' + i % 99', 'date ''2024-02-01''', 'timestamptz ''infinity''', '', :'bitmap');
SELECT * FROM differences('time', 'time ''00:00'' + i % 99 * interval ''1 min''', 'time ''00:30''', 'time ''01:00''', '', :'index');
SELECT * FROM differences('oid', 'i % 99', 'oid ''30''', 'oid ''60''', '', :'index');

-- ---- Partitions; row security; partial indexes and those of expressions; parallel scans; bitmaps of two indexes.
-- A plan. From 18 on it says that a sequential scan is used though it is disabled.
CREATE TABLE parted (n int, k int, id int) PARTITION BY RANGE (k);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (500);
CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (500) TO (1000);
CREATE INDEX ON parted USING learned (k);
INSERT INTO parted SELECT i, i * 7919 % 1000, i % 100 FROM generate_series(1, 10000) i;
ANALYZE parted;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT pg_temp.plan_of($$SELECT * FROM parted WHERE (k, id) > (490, 3) ORDER BY k, id LIMIT 10$$);
SELECT pg_temp.plan_of($$SELECT parted.n FROM places p, parted WHERE (parted.k, parted.id) > (p.n, p.id) AND parted.k < p.n + 3$$);
SELECT count(*), sum(n) FROM parted WHERE (k, id) > (490, 3) AND (k, id) < (700, 50);
SELECT count(*), sum(n) FROM parted WHERE (k + 0, id) > (490, 3) AND (k + 0, id) < (700, 50);

-- A join by equality is not lost beside the comparison.
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT pg_temp.plan_of($$SELECT m.n FROM places p JOIN parted_low m ON m.k = p.n WHERE (m.k, m.id) > (30, 5)$$);
SELECT pg_temp.plan_of($$SELECT m.n FROM places p JOIN parted_low m ON m.k = p.n WHERE (m.k, m.id) > (p.id, 5)$$);
SELECT count(*), sum(m.n) FROM places p JOIN parted_low m ON m.k = p.n WHERE (m.k, m.id) > (30, 5);
SELECT count(*), sum(m.n) FROM places p JOIN parted_low m ON m.k + 0 = p.n WHERE (m.k + 0, m.id) > (30, 5);
RESET enable_hashjoin;
RESET enable_mergejoin;

CREATE TABLE secured (k int, id int, owner text);
INSERT INTO secured SELECT i % 1000, i % 100, CASE WHEN i % 3 = 0 THEN 'learned_pager' ELSE 'other' END FROM generate_series(1, 10000) i;
CREATE INDEX secured_k ON secured USING learned (k);
ANALYZE secured;
SET client_min_messages = warning;
DROP ROLE IF EXISTS learned_pager;
RESET client_min_messages;
CREATE ROLE learned_pager;
GRANT USAGE ON SCHEMA row_compare TO learned_pager;
GRANT SELECT, UPDATE ON secured TO learned_pager;
ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secured USING (owner = current_user AND (k, id) > (100, 7));
-- A function that is not to see rows of others.
CREATE FUNCTION leak(int) RETURNS int LANGUAGE plpgsql COST 0.0001 AS $$ BEGIN RAISE NOTICE 'saw %', $1; RETURN $1; END $$;
SET ROLE learned_pager;
SELECT pg_temp.plan_of($$SELECT * FROM secured WHERE (k, id) < (200, 5)$$);
SELECT count(*), min(k), max(k), count(DISTINCT owner) FROM secured WHERE (k, id) < (200, 5);
SELECT pg_temp.plan_of($$SELECT * FROM secured WHERE (k, row_compare.leak(id)) < (101, 8)$$);
SELECT count(*) FROM secured WHERE (k, row_compare.leak(id)) < (101, 8);
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM secured WHERE k = 150 AND id = 50 FOR UPDATE;
FETCH c;
SELECT pg_temp.plan_of($$UPDATE secured SET id = 51 WHERE CURRENT OF c$$);
UPDATE secured SET id = 51 WHERE CURRENT OF c RETURNING *;
ROLLBACK;
RESET ROLE;
SELECT count(*), min(k), max(k) FROM secured WHERE owner = 'learned_pager' AND (k + 0, id) > (100, 7) AND (k + 0, id) < (200, 5);

CREATE TABLE others (n int, k int, id int, b int);
INSERT INTO others SELECT i, i % 1000, i % 77, i % 50 FROM generate_series(1, 20000) i;
CREATE INDEX others_partial ON others USING learned (n) WHERE k < 100;
CREATE INDEX others_expression ON others USING learned ((k * 2));
ANALYZE others;
SELECT pg_temp.plan_of($$SELECT * FROM others WHERE k < 100 AND (n, id) > (19000, 5)$$);
SELECT pg_temp.plan_of($$SELECT * FROM others WHERE k < 101 AND (n, id) > (19000, 5)$$);
SELECT pg_temp.plan_of($$SELECT * FROM others WHERE (k * 2, id) > (1990, 5)$$);
SELECT count(*), sum(n) FROM others WHERE k < 100 AND (n, id) > (19000, 5);
SELECT count(*), sum(n) FROM others WHERE k < 100 AND (n + 0, id) > (19000, 5);
SELECT count(*), sum(n) FROM others WHERE (k * 2, id) > (1990, 5);
SELECT count(*), sum(n) FROM others WHERE (k + k, id) > (1990, 5);
-- A sample knows no index.
SELECT pg_temp.plan_of($$SELECT * FROM others TABLESAMPLE SYSTEM (10) WHERE (k * 2, id) > (1990, 5)$$);
DROP INDEX others_partial, others_expression;
CREATE INDEX others_n ON others USING learned (n);
CREATE INDEX others_b ON others USING btree (b);
SET enable_bitmapscan = on;
SET enable_indexscan = off;
SELECT pg_temp.plan_of($$SELECT count(*) FROM others WHERE (n, id) > (12000, 5) AND (n, id) < (14000, 5) AND b = 7$$);
SELECT count(*), sum(n) FROM others WHERE (n, id) > (12000, 5) AND (n, id) < (14000, 5) AND b = 7;
SET enable_bitmapscan = off;
SET enable_indexscan = on;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET min_parallel_index_scan_size = 0;
SELECT pg_temp.plan_of($$SELECT count(*), sum(id) FROM others WHERE (n, id) > (5000, 70)$$);
SELECT count(*), sum(id) FROM others WHERE (n, id) > (5000, 70);
SELECT count(*), sum(id) FROM others WHERE (n + 0, id) > (5000, 70);
-- An operator class without `<` gives an index no order that the planner could ask it for.
CREATE OPERATOR CLASS without_less FOR TYPE int USING learned AS
  OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int, int);
CREATE TABLE no_order AS SELECT i AS k, i AS n FROM generate_series(1, 10000) i;
CREATE INDEX ON no_order USING learned (k without_less);
ANALYZE no_order;
SELECT count(*) FROM no_order WHERE (k, n) > (9999, 1);
RESET ALL;

SET client_min_messages = warning;
DROP SCHEMA row_compare CASCADE;
DROP ROLE learned_pager;
