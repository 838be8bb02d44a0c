-- Statistics of use and EXPLAIN's output: for the same query over the same rows those of a btree.
SET client_min_messages = warning;
SET learned_index.enable_aggregates = off; -- rows are to be read: aggregates.sql counts them
CREATE EXTENSION IF NOT EXISTS learned_index;
\getenv tests PG_ABS_SRCDIR
\set settle :tests '/sql/settle.inc'
\i :settle
\set plans :tests '/sql/plans.inc'
\i :plans
SET max_parallel_workers_per_gather = 0;
SET jit = off;
SET enable_seqscan = off;
CREATE SCHEMA counters;
SET search_path = counters, public;
CREATE TABLE btree (k int4, id int) WITH (autovacuum_enabled = off);
INSERT INTO btree SELECT nullif(i * 7919 % 5000, 13), i FROM generate_series(1, 20000) i;
CREATE TABLE learned (LIKE btree) WITH (autovacuum_enabled = off);
INSERT INTO learned SELECT * FROM btree;
CREATE TABLE outside (k int8) WITH (autovacuum_enabled = off);
INSERT INTO outside SELECT i * 10 FROM generate_series(-5, 100) i;
CREATE INDEX btree_k ON btree USING btree (k);
CREATE INDEX learned_k ON learned USING learned (k);
CALL pg_temp.settle();
VACUUM ANALYZE btree, learned, outside;

-- What the server has counted of both indexes before a query; after it, that is before the next one. (What a session
-- counts gets out between statements of the client. last_idx_scan came with version 16.)
CREATE TABLE queries (n serial, settings text, query text, before_17 int, fewer int, since_17 int);
CREATE TABLE looks (look serial, index text, scans int8, entries int8, rows int8, blocks int8, used timestamptz);
CREATE TABLE runs (look int, am text, n int, plan text);
CREATE PROCEDURE run(which int, am text) LANGUAGE plpgsql AS $$
DECLARE
  q record;
  line text;
  plan text;
BEGIN
  INSERT INTO looks (index, scans, entries, rows, blocks, used)
  SELECT am || '_k', idx_scan, idx_tup_read, idx_tup_fetch, idx_blks_read + idx_blks_hit,
         CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'epoch'::timestamptz + idx_scan * interval '1 s'
              ELSE (to_jsonb(s) ->> 'last_idx_scan')::timestamptz END
    FROM pg_stat_all_indexes s JOIN pg_statio_all_indexes b USING (indexrelid) WHERE s.indexrelname = am || '_k' AND s.schemaname = 'counters';
  SELECT * INTO q FROM queries WHERE n = which;
  IF FOUND THEN
    EXECUTE q.settings;
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) ' || replace(q.query, '{t}', am) LOOP
      plan := concat(plan || E'\n', line);
    END LOOP;
    RESET enable_indexscan;
    RESET enable_indexonlyscan;
    RESET enable_bitmapscan;
    RESET enable_hashjoin;
    RESET enable_mergejoin;
    INSERT INTO runs VALUES (currval('looks_look_seq'), am, which, replace(plan, am, 'x'));
  END IF;
  PERFORM pg_stat_force_next_flush();
END $$;
INSERT INTO queries (settings, query) VALUES
  ('', 'SELECT * FROM {t} WHERE k = 77'),
  ('SET enable_bitmapscan = off', 'SELECT * FROM {t} WHERE k = 77'),
  ('', 'SELECT k FROM {t} WHERE k = 77'),
  ('', 'SELECT k FROM {t} WHERE k BETWEEN 100 AND 199'),
  ('SET enable_bitmapscan = off', 'SELECT * FROM {t} WHERE k BETWEEN 100 AND 199'),
  ('SET enable_indexscan = off', 'SELECT * FROM {t} WHERE k < 500'),
  ('SET enable_indexscan = off', 'SELECT * FROM {t} WHERE k < 500 OR k > 4500'),
  ('', 'SELECT * FROM {t} WHERE k IS NULL'),
  ('', 'SELECT * FROM {t} WHERE k = 100000'),
  ('SET enable_bitmapscan = off', 'SELECT * FROM {t} WHERE k = 77 AND id % 2 = 0'),
  ('SET enable_bitmapscan = off', 'SELECT * FROM {t} WHERE k > 10 AND k < 5'),
  ('SET enable_indexscan = off', 'SELECT * FROM {t} WHERE k > 10 AND k < 5'),
  ('', 'SELECT k FROM {t} ORDER BY k LIMIT 10'),
  ('SET enable_bitmapscan = off', 'SELECT id FROM {t} ORDER BY k DESC LIMIT 10'),
  ('', 'SELECT min(k) FROM {t}'),
  ('', 'SELECT max(k) FROM {t}'),
  ('SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_bitmapscan = off', 'SELECT o.k, {t}.id FROM outside o JOIN {t} ON {t}.k = o.k'),
  ('SET enable_hashjoin = off; SET enable_mergejoin = off', 'SELECT o.k FROM outside o LEFT JOIN {t} ON {t}.k = o.k'),
  ('SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_bitmapscan = off', 'SELECT * FROM outside o WHERE EXISTS (SELECT FROM {t} WHERE {t}.k = o.k)'),
  ('', 'SELECT k FROM {t} WHERE k = ANY (''{77}'')'),
  ('', 'SELECT k, id FROM {t} WHERE k IS NOT NULL ORDER BY k, id LIMIT 20');
-- How many searches, where that is not simply one: up to version 16 one for each value of a list, also if the conditions contradict one
-- another (but we look for fewer: neighbouring values at once, and not for those that another condition excludes); from 17 on one for each
-- that is not on the page of the one before.
INSERT INTO queries (settings, query, before_17, fewer, since_17) VALUES
  ('', 'SELECT k FROM {t} WHERE k = ANY (''{50, 52, 54, 56}'')', 4, 0, 1),
  ('', 'SELECT k FROM {t} WHERE k = ANY (''{1000, 2000, 3000, NULL, 4000, 1000}'')', 4, 0, 4),
  ('SET LOCAL enable_bitmapscan = off', 'SELECT * FROM {t} WHERE k = ANY (''{1000, 3000, 3002}'')', 3, 0, 2),
  ('SET LOCAL enable_indexscan = off', 'SELECT * FROM {t} WHERE k = ANY (''{1000, 3000, 3002}'')', 3, 0, 2),
  ('', 'SELECT k FROM {t} WHERE k = ANY (''{1000, 2000, 3000, 4000}'') ORDER BY k DESC LIMIT 5', 2, 0, 2),
  ('', 'SELECT k FROM {t} WHERE k = ANY (ARRAY(SELECT k / 4 * 800 FROM outside WHERE k BETWEEN 10 AND 30))', 3, 0, 3),
  ('', 'SELECT k FROM {t} WHERE k = ANY (''{100, 2000, 3000}'') AND k > 1000 AND k < 2500', 3, 2, 1),
  ('', 'SELECT k FROM {t} WHERE k IN (1000, 1001, 1002, 3000)', 4, 2, 2),
  ('', 'SELECT k FROM {t} WHERE k = ANY (''{}'')', 0, 0, 0),
  ('', 'SELECT k FROM {t} WHERE k = ANY (''{NULL, NULL}'')', 0, 0, 0),
  ('', 'SELECT k FROM {t} WHERE k = 77 AND k > 1000', 1, 0, 0),
  ('', 'SELECT k FROM {t} WHERE k > 3000 AND k < 2000', 1, 0, 1),
  ('', 'SELECT k FROM {t} WHERE k IS NULL AND k > 1000', 1, 0, 0),
  ('', 'SELECT k FROM {t} WHERE k = (SELECT NULL::int)', 1, 0, 0),
  ('', 'SELECT k FROM {t} WHERE k = 3000000000', 1, 0, 1),
  ('', 'SELECT k FROM {t} WHERE k = ANY (''{3000000000, 3000000001}''::int8[])', 2, 1, 1),
  ('SET LOCAL enable_bitmapscan = off', 'SELECT id FROM {t} ORDER BY k', 1, 0, 1),
  ('', 'SELECT k FROM {t} ORDER BY k DESC', 1, 0, 1),
  ('SET LOCAL enable_hashjoin = off; SET LOCAL enable_nestloop = off; SET LOCAL enable_material = off; SET LOCAL enable_bitmapscan = off',
   'SELECT o.k FROM (SELECT k FROM outside, generate_series(1, 3) ORDER BY k) o JOIN (SELECT k FROM {t} ORDER BY k) t ON t.k = o.k', 1, 0, 1),
  ('SET LOCAL max_parallel_workers_per_gather = 1; SET LOCAL parallel_leader_participation = off; SET LOCAL min_parallel_index_scan_size = 0; SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0',
   'SELECT count(k) FROM {t} WHERE k BETWEEN 1000 AND 4000', 1, 0, 1);
-- What changes rows comes last: what the dead ones cost is each index's own affair.
INSERT INTO queries (settings, query) VALUES
  ('', 'DELETE FROM {t} WHERE k = 4321'),
  ('SET enable_bitmapscan = off', 'UPDATE {t} SET id = -id WHERE k BETWEEN 4000 AND 4003'),
  ('', 'INSERT INTO {t} SELECT i FROM generate_series(1, 100) i');
\set ECHO none
SELECT format('CALL run(%s, %L)', n, am) FROM unnest('{btree, learned}'::text[]) am, generate_series(1, (SELECT max(n) + 1 FROM queries)) n ORDER BY am, n \gexec
\set ECHO all
CREATE VIEW counts AS
SELECT r.am, r.n, b.scans - a.scans AS scans, b.entries - a.entries AS entries, b.rows - a.rows AS rows, b.blocks > a.blocks AS blocks,
       b.used IS DISTINCT FROM a.used AS used, r.plan
  FROM runs r JOIN looks a USING (look) JOIN looks b ON b.look = a.look + 1;
-- All equal, plans with their rows included (the number of index searches too, which 18 shows).
SELECT q.n, b.scans, b.entries, b.rows, (b.scans, b.entries, b.rows, b.blocks) = (l.scans, l.entries, l.rows, l.blocks) AS same_counts,
       b.used = l.used AND b.used = (b.scans > 0) AS same_use, b.plan = l.plan AS same_plan, replace(q.query, '{t}', 'x') AS query
  FROM queries q JOIN counts b USING (n) JOIN counts l USING (n) WHERE b.am = 'btree' AND l.am = 'learned' AND since_17 IS NULL ORDER BY n;
SELECT q.n, (b.scans, l.scans) = CASE WHEN current_setting('server_version_num')::int < 170000 THEN (before_17::int8, (before_17 - fewer)::int8)
            ELSE (since_17::int8, since_17::int8) END AS as_expected,
       coalesce(substring(l.plan, 'Index Searches: ([0-9]+)')::int = since_17, true) AS as_shown, (b.entries, b.rows) = (l.entries, l.rows) AS same_counts,
       b.used = l.used AND b.used = (b.scans > 0) AS same_use, b.plan = l.plan AS same_plan, replace(q.query, '{t}', 'x') AS query
  FROM queries q JOIN counts b USING (n) JOIN counts l USING (n) WHERE b.am = 'btree' AND l.am = 'learned' AND since_17 IS NOT NULL ORDER BY n;
SELECT n, b.scans, l.scans AS scans_learned, b.entries, l.entries, b.rows, l.rows FROM queries q JOIN counts b USING (n) JOIN counts l USING (n)
 WHERE b.am = 'btree' AND l.am = 'learned' AND (b.scans, b.entries, b.rows) <> (l.scans, l.entries, l.rows)
       AND NOT (fewer > 0 AND current_setting('server_version_num')::int < 170000) ORDER BY n;
SELECT b.plan, l.plan FROM queries q JOIN counts b USING (n) JOIN counts l USING (n) WHERE b.am = 'btree' AND l.am = 'learned' AND b.plan <> l.plan ORDER BY n;

-- The shape of EXPLAIN's output in every format: the same lines, the same keys. (Numbers of buffers differ, they are what this is
-- about; so do zeros that text leaves out.)
CREATE FUNCTION shape(am text, options text, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  line text;
  shape text := '';
BEGIN
  FOR line IN EXECUTE format('EXPLAIN (%s) ', options) || replace(query, '{t}', am) LOOP
    line := regexp_replace(regexp_replace(replace(line, am, 'x'), 'Buffers: .*', 'Buffers: '), '[0-9.]+', 'N', 'g');
    CONTINUE WHEN line ~ '^ *Planning:$|^ *Buffers: $' AND options NOT LIKE '%FORMAT%' AND shape LIKE '%' || line || '%';
    shape := concat(shape, line, E'\n');
  END LOOP;
  RETURN shape;
END $$;
CREATE FUNCTION same_shape(options text, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  b text;
  l text;
BEGIN
  -- The first time reads catalogs while it plans, which is shown.
  PERFORM shape('btree', options, query), shape('learned', options, query);
  b := shape('btree', options, query);
  l := shape('learned', options, query);
  RETURN CASE WHEN b = l THEN 'same' ELSE b || l END;
END $$;
SELECT o, same_shape(o, q) FROM unnest(ARRAY[
    'ANALYZE, BUFFERS, SUMMARY OFF', 'ANALYZE, BUFFERS, FORMAT JSON', 'ANALYZE, BUFFERS, WAL, FORMAT XML', 'ANALYZE, VERBOSE, BUFFERS, FORMAT YAML', 'VERBOSE', 'FORMAT JSON']) o,
  unnest(ARRAY['SELECT * FROM {t} WHERE k = 77', 'SELECT k FROM {t} WHERE k BETWEEN 1 AND 5 ORDER BY k']) q;
-- What EXPLAIN counts in index pages is there: an index-only scan of an all-visible table.
CALL pg_temp.settle();
VACUUM learned;
SELECT pg_temp.buffers('SELECT k FROM learned WHERE k = 77') BETWEEN 1 AND 4 AS few,
       pg_temp.buffers('SELECT k FROM learned WHERE k >= 0') >= (SELECT leaf_pages FROM learned_index_stats('learned_k')) AS all_leaves;

DROP SCHEMA counters CASCADE;
