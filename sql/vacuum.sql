-- VACUUM: entries of dead rows go, pages come back, statistics are right, and after each step the
-- index and a sequential scan give the same rows.
SET client_min_messages = warning;
SET learned_index.enable_aggregates = off; -- rows are to be read: aggregates.sql counts them
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
\getenv tests PG_ABS_SRCDIR
\set settle :tests '/sql/settle.inc'
\i :settle
SET jit = off;
SET max_parallel_workers_per_gather = 0;

-- Rows by a sequential scan, whether the index gives the same, and what the catalog and the index
-- itself say about its size.  Entries may only exceed rows while a VACUUM is due.
CREATE FUNCTION verify(relation text,
  OUT rows bigint, OUT same boolean, OUT catalog_right boolean, OUT entries_right boolean)
LANGUAGE plpgsql AS $$
DECLARE
  digest text := format('SELECT count(*), coalesce(sum(hashint8extended(coalesce(k::int8, -7), id)), 0) FROM %s WHERE k IS NULL OR k IS NOT NULL', relation);
  ordered text := format('SELECT count(*), coalesce(sum(hashint8extended(coalesce(k::int8, -7), id)), 0) FROM (SELECT k, id FROM %s ORDER BY k) s', relation);
  expected numeric;
  answer numeric;
  found_rows bigint;
BEGIN
  SET LOCAL enable_indexscan = off;
  SET LOCAL enable_bitmapscan = off;
  EXECUTE digest INTO rows, expected;
  SET LOCAL enable_indexscan = on;
  SET LOCAL enable_seqscan = off;
  SET LOCAL enable_sort = off;
  EXECUTE ordered INTO found_rows, answer;
  same := (found_rows, answer) = (rows, expected);
  PERFORM learned_index_check((relation || '_k')::regclass, true);
  SELECT i.reltuples = rows INTO catalog_right FROM pg_class i WHERE i.oid = (relation || '_k')::regclass;
  SELECT s.entries = rows INTO entries_right FROM learned_index_stats((relation || '_k')::regclass) s;
  SET LOCAL enable_seqscan = on;
  SET LOCAL enable_sort = on;
  SET LOCAL enable_bitmapscan = on;
END $$;

-- An empty index, and one that only grew.
CREATE TABLE shrunk (id int, k int8) WITH (autovacuum_enabled = off);
CREATE INDEX shrunk_k ON shrunk USING learned (k);
CALL pg_temp.settle();
VACUUM shrunk;
SELECT * FROM verify('shrunk');
INSERT INTO shrunk SELECT i, CASE WHEN i % 100 = 0 THEN NULL ELSE i * 3 END FROM generate_series(1, 30000) i;
CALL pg_temp.settle();
VACUUM shrunk;
SELECT same, entries_right FROM verify('shrunk');

-- Deletes at the front, at the end, in the middle, scattered, of the NULLs; then rows put back.
DELETE FROM shrunk WHERE k < 15000;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON) shrunk;
SELECT * FROM verify('shrunk');
DELETE FROM shrunk WHERE k > 80000;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON) shrunk;
SELECT * FROM verify('shrunk');
DELETE FROM shrunk WHERE k BETWEEN 40000 AND 50000;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON) shrunk;
SELECT * FROM verify('shrunk');
DELETE FROM shrunk WHERE (id * 7919) % 10 < 7;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON) shrunk;
SELECT * FROM verify('shrunk');
DELETE FROM shrunk WHERE k IS NULL;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON) shrunk;
SELECT * FROM verify('shrunk');
SELECT nulls FROM learned_index_stats('shrunk_k');
INSERT INTO shrunk SELECT i, i * 3 FROM generate_series(1, 30000) i;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON) shrunk;
SELECT same, entries_right FROM verify('shrunk');
SELECT pg_relation_size('shrunk_k') AS full_size \gset

-- All rows, and again: the pages of the first filling serve the second.
DELETE FROM shrunk;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) shrunk;
SELECT * FROM verify('shrunk');
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON) shrunk;
INSERT INTO shrunk SELECT i, i * 3 FROM generate_series(1, 30000) i;
SELECT same, entries_right FROM verify('shrunk');
SELECT pg_relation_size('shrunk_k') <= :full_size AS pages_used_again;

-- Deletion may push entries off their segment's line; the page must hold them nevertheless.
CREATE TABLE bent (id int, k int4) WITH (autovacuum_enabled = off);
INSERT INTO bent SELECT i, i FROM generate_series(1, 40000) i;
CREATE INDEX bent_k ON bent USING learned (k) WITH (fillfactor = 100);
SELECT pg_relation_size('bent_k') AS straight_size \gset
DELETE FROM bent WHERE hashint4(id) % 2 = 0;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON) bent;
SELECT * FROM verify('bent');
DELETE FROM bent WHERE hashint4extended(id, 5) % 3 = 0;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON) bent;
SELECT * FROM verify('bent');
SELECT pg_relation_size('bent_k') = :straight_size AS deletion_in_place;
REINDEX INDEX bent_k;
SELECT * FROM verify('bent');

-- Rows updated many times over, and a VACUUM that skips the index first.
CREATE TABLE churned (id int, k int8) WITH (autovacuum_enabled = off);
INSERT INTO churned SELECT i, i FROM generate_series(1, 3000) i;
CREATE INDEX churned_k ON churned USING learned (k);
UPDATE churned SET k = k + 10000;
UPDATE churned SET k = k - 20000 WHERE id % 2 = 0;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP OFF) churned;
SELECT same FROM verify('churned');
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON) churned;
SELECT * FROM verify('churned');

-- Twenty rounds of fill, delete and VACUUM: a queue that moves up through the key space, and one
-- range filled over and over.  After the first rounds the index stops growing.
CREATE TABLE queue (id int, k int8) WITH (autovacuum_enabled = off);
CREATE INDEX queue_k ON queue USING learned (k);
CREATE TABLE refilled (id int, k int8) WITH (autovacuum_enabled = off);
CREATE INDEX refilled_k ON refilled USING learned (k);
CREATE TABLE sizes (round int, relation text, pages bigint);
\set ECHO none
SELECT statement FROM generate_series(1, 20) round, LATERAL (VALUES
  (1, format('INSERT INTO queue SELECT i, i * 10 FROM generate_series(%s, %s) i', round * 10000 + 1, round * 10000 + 10000)),
  (2, format('DELETE FROM queue WHERE k <= %s', round * 100000 + 50000)),
  (3, 'CALL pg_temp.settle()'), (4, 'VACUUM (INDEX_CLEANUP ON) queue'),
  (5, 'INSERT INTO refilled SELECT i, (i::int8 * 7919) % 10007 * 1000003 FROM generate_series(1, 10000) i'),
  (6, 'DELETE FROM refilled'),
  (7, 'CALL pg_temp.settle()'), (8, 'VACUUM (INDEX_CLEANUP ON) refilled'),
  (9, format('INSERT INTO sizes VALUES (%s, ''queue_k'', pg_relation_size(''queue_k'') / 8192), (%1$s, ''refilled_k'', pg_relation_size(''refilled_k'') / 8192)', round))
  ) v(step, statement) ORDER BY round, step \gexec
\set ECHO all
SELECT relation, max(pages) FILTER (WHERE round > 4) <= max(pages) FILTER (WHERE round <= 4) AS stopped_growing
  FROM sizes GROUP BY relation ORDER BY relation;
SELECT * FROM verify('queue');
SELECT * FROM verify('refilled');

-- A session remembers the last leaf that it inserted into. That leaf is emptied, deleted and used again elsewhere; what
-- arrives at the end goes where it belongs all the same, and so does what arrives in between.
CREATE TABLE ending (id int, k int8) WITH (autovacuum_enabled = off);
CREATE INDEX ending_k ON ending USING learned (k);
INSERT INTO ending SELECT i, (i::int8 << 30) + (hashint8extended(i, 1) & 1073741823) FROM generate_series(1, 20000) i;
DELETE FROM ending WHERE id > 5000;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON) ending;
SELECT deleted_pages > 2 AS leaves_deleted FROM learned_index_stats('ending_k');
INSERT INTO ending SELECT i, hashint8extended(i, 1) & 2199023255551 FROM generate_series(30001, 60000) i;
SELECT deleted_pages FROM learned_index_stats('ending_k');
INSERT INTO ending SELECT i, (i::int8 << 30) + (hashint8extended(i, 1) & 1073741823) FROM generate_series(70001, 80000) i;
SELECT rows, same, entries_right FROM verify('ending');
DELETE FROM ending WHERE id > 70000;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON) ending;
SELECT deleted_pages > 0 AS leaves_deleted FROM learned_index_stats('ending_k');
INSERT INTO ending SELECT i, (i::int8 << 30) FROM generate_series(80001, 80010) i;
SELECT rows, same, entries_right FROM verify('ending');
-- Its file may begin anew in place.
BEGIN;
CREATE TABLE anew (id int, k int8);
CREATE INDEX anew_k ON anew USING learned (k);
INSERT INTO anew SELECT i, (i::int8 << 30) + (hashint8extended(i, 1) & 1073741823) FROM generate_series(1, 20000) i;
TRUNCATE anew;
INSERT INTO anew SELECT i, i FROM generate_series(20001, 25000) i;
SELECT learned_index_check('anew_k', true);
SELECT count(*), (SELECT entries FROM learned_index_stats('anew_k')) FROM anew;
COMMIT;

-- learned_index_stats agrees with the relation, with the table and with a B-tree.
CREATE TABLE counted (id int, k int8) WITH (autovacuum_enabled = off);
INSERT INTO counted SELECT i, CASE WHEN i % 10 = 0 THEN NULL ELSE hashint8extended(i, 1) END FROM generate_series(1, 50000) i;
CREATE INDEX counted_k ON counted USING learned (k);
CREATE INDEX counted_btree ON counted USING btree (k);
SELECT format_version, height > 1 AS has_inner_level,
       total_pages = pg_relation_size('counted_k') / current_setting('block_size')::int AS total_right,
       total_pages = 1 + leaf_pages + inner_pages + null_pages + deleted_pages AS kinds_add_up,
       leaf_pages > inner_pages AND inner_pages > 0 AND null_pages > 0 AS kinds_plausible, deleted_pages,
       entries, nulls, segments >= leaf_pages AS segments_plausible
  FROM learned_index_stats('counted_k');
SELECT bits_per_key BETWEEN 40 AND 64 AS random_keys_cost_their_entropy, bits_per_tid < 48 AS tids_packed,
       max_model_error >= mean_model_error AND mean_model_error >= 0 AS errors_plausible,
       delta_entries, dead_entries,
       abs(bytes_per_entry - pg_relation_size('counted_k') / 50000.0) < 1 AS bytes_right,
       abs(btree_bytes - pg_relation_size('counted_btree')) < 0.15 * pg_relation_size('counted_btree') AS btree_estimate_right
  FROM learned_index_stats('counted_k');
-- A straight line costs next to nothing.
CREATE TABLE straight (id int, k int8);
INSERT INTO straight SELECT i, 1000 + 5 * i FROM generate_series(1, 50000) i;
CREATE INDEX straight_k ON straight USING learned (k);
SELECT entries, nulls, bits_per_key < 2 AS key_bits, bits_per_tid < 2 AS tid_bits,
       btree_bytes > 20 * pg_relation_size('straight_k') AS twenty_times_smaller
  FROM learned_index_stats('straight_k');

-- VACUUM FULL builds anew.
DELETE FROM counted WHERE id % 4 <> 0;
VACUUM FULL counted;
SELECT * FROM verify('counted');

-- Unlogged and temporary indexes are vacuumed too.
CREATE TEMP TABLE passing (id int, k int4);
CREATE INDEX passing_k ON passing USING learned (k);
INSERT INTO passing SELECT i, i % 100 FROM generate_series(1, 5000) i;
DELETE FROM passing WHERE id % 5 <> 0;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON) passing;
SELECT * FROM verify('passing');

DROP TABLE shrunk, bent, churned, queue, refilled, sizes, ending, anew, counted, straight, passing;
DROP FUNCTION verify;
