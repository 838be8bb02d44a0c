-- Parallel index scans: which plans there are, and that the processes return together what one would, each in order.
SET client_min_messages = warning;
SET learned_index.enable_aggregates = off; -- rows are to be read: aggregates.sql counts them
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
\getenv tests PG_ABS_SRCDIR
\set settle :tests '/sql/settle.inc'
\i :settle
-- Random keys (many leaves), dense ones (one leaf that is shared out in pieces), many equal ones, NULLs.
CREATE TABLE par (k int8, v int4) WITH (autovacuum_enabled = off);
INSERT INTO par SELECT hashint8extended(i, 1), i FROM generate_series(1, 20000) i;
INSERT INTO par SELECT i, i FROM generate_series(1, 30000) i;
INSERT INTO par SELECT -(i % 4), i FROM generate_series(1, 24000) i;
INSERT INTO par SELECT NULL, i FROM generate_series(1, 10000) i;
CREATE TABLE par_btree WITH (autovacuum_enabled = off) AS SELECT * FROM par;
CREATE INDEX par_k ON par USING learned (k);
CREATE INDEX par_btree_k ON par_btree USING btree (k);
-- Something in the deltas, something dead.
INSERT INTO par SELECT i * 300, -i FROM generate_series(1, 100) i;
INSERT INTO par_btree SELECT i * 300, -i FROM generate_series(1, 100) i;
DELETE FROM par WHERE v % 50 = 0;
DELETE FROM par_btree WHERE v % 50 = 0;
CALL pg_temp.settle();
VACUUM (ANALYZE, INDEX_CLEANUP ON) par;
VACUUM (ANALYZE, INDEX_CLEANUP ON) par_btree;
-- Learned and btree indexes get as many processes, though this one is small.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 4;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET min_parallel_index_scan_size = '64kB';
SELECT pg_relation_size('par_k') * 3 < pg_relation_size('par_btree_k') AS small;
EXPLAIN (COSTS OFF) SELECT count(k) FROM par WHERE k BETWEEN -1000 AND 50000;
EXPLAIN (COSTS OFF) SELECT count(k) FROM par_btree WHERE k BETWEEN -1000 AND 50000;
EXPLAIN (COSTS OFF) SELECT count(k) FROM par WHERE k = 77;
SET min_parallel_index_scan_size = 0;
-- So that the work on entries, which is shared, outweighs merging them in order, which is not.
SET cpu_tuple_cost = 0.1;
SET cpu_operator_cost = 0.0001;
-- The scans of a query's plan, and whether the result is that of a sequential scan and of a btree; in the same order,
-- if the query has one.
CREATE FUNCTION check_parallel(query text, ordered boolean DEFAULT false, OUT scans text, OUT like_table boolean, OUT like_btree boolean)
LANGUAGE plpgsql AS $$
DECLARE
  whole text := format(CASE WHEN ordered THEN 'SELECT coalesce(md5(string_agg(s::text, '','')), '''') FROM (%s) s'
                            ELSE 'SELECT count(*) || '' '' || coalesce(sum(hashtextextended(s::text, 0)), 0) FROM (%s) s' END, query);
  line text;
  result text;
  expected text;
BEGIN
  scans := '';
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || whole LOOP
    IF line ~ 'Gather|Scan|Join|Nested' AND line !~ 'Replaces: ' THEN
      scans := scans || CASE WHEN scans = '' THEN '' ELSE ' > ' END || btrim(replace(line, '->', ''));
    END IF;
  END LOOP;
  EXECUTE whole INTO result;
  EXECUTE replace(whole, 'FROM par ', 'FROM par_btree ') INTO expected;
  like_btree := result = expected;
  SET LOCAL max_parallel_workers_per_gather = 0;
  SET LOCAL enable_indexscan = off;
  SET LOCAL enable_indexonlyscan = off;
  SET LOCAL enable_bitmapscan = off;
  SET LOCAL enable_seqscan = on;
  EXECUTE whole INTO expected;
  like_table := result = expected;
END $$;
-- Lists that the planner knows.
CREATE FUNCTION sevenths() RETURNS int8[] IMMUTABLE PARALLEL SAFE LANGUAGE sql AS
  'SELECT array_agg(i::int8 * 7) FROM generate_series(-3, 5000) i';
CREATE FUNCTION neighbours() RETURNS int8[] IMMUTABLE PARALLEL SAFE LANGUAGE sql AS
  'SELECT array_agg(i::int8) FROM generate_series(100, 12000) i WHERE i % 5000 <> 0';
CREATE FUNCTION scattered() RETURNS int8[] IMMUTABLE PARALLEL SAFE LANGUAGE sql AS
  'SELECT array_agg(hashint8extended(i, 1)) FROM generate_series(1, 3000) i';
-- Settings must not outlast one check.
CREATE PROCEDURE check_all(queries text[], ordered boolean) LANGUAGE plpgsql AS $$
DECLARE
  r record;
  query text;
BEGIN
  FOREACH query IN ARRAY queries LOOP
    SELECT * INTO r FROM check_parallel(query, ordered);
    RAISE NOTICE E'%\n  % | table: %, btree: %', query, r.scans, r.like_table, r.like_btree;
    COMMIT;
  END LOOP;
END $$;
-- Whole index, ranges, lists, equal keys, NULLs.
CALL check_all(ARRAY[
  'SELECT k, v FROM par WHERE k BETWEEN 5000 AND 29000',
  'SELECT k FROM par WHERE k BETWEEN 5000 AND 29000',
  'SELECT k FROM par WHERE k < -1000000',
  'SELECT k, v FROM par WHERE k = -2',
  'SELECT k FROM par WHERE k = 15000',
  'SELECT k, v FROM par WHERE k = ANY (sevenths())',
  'SELECT k FROM par WHERE k = ANY (neighbours())',
  'SELECT k FROM par WHERE k = ANY (scattered())',
  'SELECT k FROM par WHERE k = ANY (scattered()) AND k > 0',
  'SELECT k, v FROM par WHERE k IS NULL',
  'SELECT k FROM par WHERE k IS NOT NULL',
  'SELECT k FROM par WHERE k > 5 AND k < 5',
  'SELECT k FROM par WHERE k < NULL::int8',
  'SELECT k FROM par WHERE k > 9223372036854775806'
], false);
-- The same without a leader that joins in.
SET parallel_leader_participation = off;
CALL check_all(ARRAY[
  'SELECT k, v FROM par WHERE k BETWEEN 5000 AND 29000',
  'SELECT k FROM par WHERE k IS NOT NULL'
], false);
RESET parallel_leader_participation;
-- In order: Gather Merge shows any process that is not.
CALL check_all(ARRAY[
  'SELECT k FROM par ORDER BY k',
  'SELECT k FROM par ORDER BY k DESC',
  'SELECT k FROM par WHERE k BETWEEN -2 AND 20000 ORDER BY k',
  'SELECT k FROM par WHERE k BETWEEN -2 AND 20000 ORDER BY k DESC',
  'SELECT k, v IS NULL FROM par WHERE k >= -3 ORDER BY k DESC LIMIT 40000',
  'SELECT k FROM par WHERE k = ANY (sevenths()) ORDER BY k',
  'SELECT k FROM par WHERE k = ANY (sevenths()) ORDER BY k DESC',
  'SELECT k FROM par WHERE k = ANY (scattered()) ORDER BY k DESC'
], true);
-- An index with the order turned round, NULLs first.
CREATE INDEX par_turned ON par USING learned (k DESC NULLS LAST);
DROP INDEX par_k;
CALL check_all(ARRAY[
  'SELECT k FROM par ORDER BY k DESC NULLS LAST',
  'SELECT k FROM par ORDER BY k NULLS FIRST',
  'SELECT k FROM par WHERE k BETWEEN -2 AND 20000 ORDER BY k'
], true);
CREATE INDEX par_k ON par USING learned (k);
DROP INDEX par_turned;
-- Scanned again and again.
SET enable_material = off;
SET enable_memoize = off;
CALL check_all(ARRAY[
  'SELECT * FROM (SELECT count(v) AS n FROM par WHERE k > 10000) s RIGHT JOIN (VALUES (1), (2), (3)) w(x) ON true',
  'SELECT * FROM (SELECT k FROM par WHERE k > 29000 AND k < 40000 ORDER BY k DESC) s RIGHT JOIN (VALUES (1), (2)) w(x) ON true'
], false);
RESET enable_material;
RESET enable_memoize;
-- A merge join over it; a bitmap that one process makes and all read.
SET enable_hashjoin = off;
SET enable_nestloop = off;
CALL check_all(ARRAY['SELECT a.k, b.v FROM par a JOIN par b ON a.k = b.k WHERE a.k BETWEEN 1 AND 20000 AND b.v > 0'], false);
RESET enable_hashjoin;
RESET enable_nestloop;
SET enable_bitmapscan = on;
SET enable_indexscan = off;
SET enable_indexonlyscan = off;
CALL check_all(ARRAY['SELECT k, v FROM par WHERE k BETWEEN 5000 AND 29000'], false);
RESET enable_indexscan;
RESET enable_indexonlyscan;
SET enable_bitmapscan = off;
-- Nothing in it.
CREATE TABLE par_empty (k int8, v int4);
CREATE INDEX par_empty_k ON par_empty USING learned (k);
EXPLAIN (COSTS OFF) SELECT count(v) FROM par_empty WHERE k > 5;
SELECT count(v) FROM par_empty WHERE k > 5;
-- Partitions.
CREATE TABLE parted (k int8, v int4) PARTITION BY RANGE (k);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (MINVALUE) TO (0);
CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (0) TO (MAXVALUE);
CREATE INDEX parted_k ON parted USING learned (k);
INSERT INTO parted SELECT k, v FROM par WHERE k IS NOT NULL;
CALL pg_temp.settle();
VACUUM ANALYZE parted;
CREATE FUNCTION parallel_scans(query text) RETURNS TABLE (scan text) LANGUAGE plpgsql AS $$
BEGIN
  FOR scan IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    IF scan ~ 'Scan' THEN scan := btrim(replace(scan, '->', '')); RETURN NEXT; END IF;
  END LOOP;
END $$;
SELECT * FROM parallel_scans('SELECT count(k), sum(v) FROM parted WHERE k BETWEEN -5000000000000000 AND 20000') ORDER BY 1;
SELECT p.n > 40000 AS enough, (p.n, p.s) = (t.n, t.s) AS same
  FROM (SELECT count(k) AS n, sum(v) AS s FROM parted WHERE k BETWEEN -5000000000000000 AND 20000) p,
       (SELECT count(k) AS n, sum(v) AS s FROM par_btree WHERE k + 0 BETWEEN -5000000000000000 AND 20000) t;
-- Serializable: the processes lock for their transaction.
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT count(v) FROM par WHERE k BETWEEN 20000 AND 20020;
SELECT relation::regclass, locktype, count(*) FROM pg_locks WHERE mode = 'SIReadLock' AND relation = 'par_k'::regclass GROUP BY 1, 2;
COMMIT;
DROP TABLE par, par_btree, par_empty, parted;
DROP FUNCTION parallel_scans, check_parallel, sevenths, neighbours, scattered;
DROP PROCEDURE check_all;
