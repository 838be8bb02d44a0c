-- Changes of an indexed table: after each, the index and a sequential scan give the same rows.
SET client_min_messages = warning;
SET learned_index.enable_aggregates = off; -- rows are to be read: aggregates.sql counts them
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
SET jit = off;
SET max_parallel_workers_per_gather = 0;

-- Reads the whole table by a sequential scan and through its index, and verifies the index
-- ("<table>_k") with every heap row looked up.
CREATE FUNCTION verify(relation text,
  OUT rows bigint, OUT keys bigint, OUT through_index boolean, OUT index_order boolean, OUT same boolean)
LANGUAGE plpgsql AS $$
DECLARE
  q text := format('SELECT k, id FROM %s ORDER BY k', relation);
  digest text := 'SELECT count(*), count(k), coalesce(sum(hashint8extended(coalesce(k::int8, -7), id)), 0),
                         coalesce(bool_and(k >= previous IS NOT FALSE), true)
                    FROM (SELECT k, id, lag(k) OVER () AS previous FROM (' || q || ') s) t';
  plan json;
  expected numeric;
  answer numeric;
  found_rows bigint;
  found_keys bigint;
  unused boolean;
BEGIN
  SET LOCAL enable_indexscan = off;
  SET LOCAL enable_bitmapscan = off;
  EXECUTE digest INTO rows, keys, expected, unused;
  SET LOCAL enable_indexscan = on;
  SET LOCAL enable_seqscan = off;
  SET LOCAL enable_sort = off;
  EXECUTE 'EXPLAIN (FORMAT JSON) ' || q INTO plan;
  through_index := plan #>> '{0,Plan,Index Name}' = relation || '_k';
  EXECUTE digest INTO found_rows, found_keys, answer, index_order;
  same := (found_rows, found_keys, answer) = (rows, keys, expected);
  PERFORM learned_index_check((relation || '_k')::regclass, true);
  SET LOCAL enable_seqscan = on;
  SET LOCAL enable_sort = on;
  SET LOCAL enable_bitmapscan = on;
END $$;

-- Into an empty index, one row at a time and many: at the end, at the front, in the middle.
CREATE TABLE grown (id int GENERATED ALWAYS AS IDENTITY, k int8, note text);
CREATE INDEX grown_k ON grown USING learned (k);
SELECT * FROM verify('grown');
INSERT INTO grown (k) VALUES (5);
INSERT INTO grown (k) VALUES (NULL), (3), (7);
SELECT * FROM verify('grown');
INSERT INTO grown (k) SELECT 100000 + 10 * i FROM generate_series(1, 20000) i;
SELECT * FROM verify('grown');
INSERT INTO grown (k) SELECT 90000 - i FROM generate_series(1, 5000) i;
INSERT INTO grown (k) SELECT 100005 + 10 * ((i * 7919) % 20000) FROM generate_series(1, 10000) i;
SELECT * FROM verify('grown');
INSERT INTO grown (k) SELECT NULL FROM generate_series(1, 4000) i;
SELECT * FROM verify('grown');
-- Outliers: both ends of the type beside a dense run.
INSERT INTO grown (k) VALUES (9223372036854775807), (-9223372036854775808), (0), (-1), (9223372036854775807);
SELECT * FROM verify('grown');

-- One key 100,000 times, amid others, and a point lookup beside it.
CREATE TABLE repeated (id int GENERATED ALWAYS AS IDENTITY, k int4);
CREATE INDEX repeated_k ON repeated USING learned (k);
INSERT INTO repeated (k) SELECT i FROM generate_series(1, 1000) i;
INSERT INTO repeated (k) SELECT 500 FROM generate_series(1, 100000) i;
SELECT * FROM verify('repeated');
SET enable_seqscan = off;
SELECT count(*) FROM repeated WHERE k = 500;
SELECT count(*) FROM repeated WHERE k = 499 OR k = 501;
SELECT count(*) FROM repeated WHERE k > 499 AND k < 502;
RESET enable_seqscan;
REINDEX INDEX repeated_k;
SELECT * FROM verify('repeated');
INSERT INTO repeated (k) SELECT 500 + i % 2 FROM generate_series(1, 3000) i;
SELECT * FROM verify('repeated');

-- COPY
COPY grown (k) FROM stdin;
42
\N
-42
4242424242424242
\.
SELECT * FROM verify('grown');

-- UPDATE of the key, of every row, to one key, to NULL and back; HOT updates leave the index alone.
CREATE TABLE changed (id int, k int4, note text) WITH (fillfactor = 70);
INSERT INTO changed SELECT i, i FROM generate_series(1, 5000) i;
CREATE INDEX changed_k ON changed USING learned (k);
UPDATE changed SET k = k + 1;
SELECT * FROM verify('changed');
UPDATE changed SET k = 5 WHERE id % 3 = 0;
SELECT * FROM verify('changed');
UPDATE changed SET k = NULL WHERE k = 5;
UPDATE changed SET k = -id WHERE k IS NULL AND id % 2 = 0;
SELECT * FROM verify('changed');
CREATE TABLE hot (id int, k int4, note text) WITH (fillfactor = 40);
INSERT INTO hot SELECT i, i FROM generate_series(1, 500) i;
CREATE INDEX hot_k ON hot USING learned (k);
UPDATE hot SET note = 'once';
UPDATE hot SET note = 'twice' WHERE id % 2 = 0;
SELECT entries FROM learned_index_stats('hot_k');
SELECT * FROM verify('hot');
-- A key changed after HOT updates, and an index built over HOT chains.
UPDATE hot SET k = k + 1000 WHERE id <= 250;
SELECT * FROM verify('hot');
UPDATE hot SET note = 'thrice';
REINDEX INDEX hot_k;
SELECT * FROM verify('hot');

-- DELETE, and rows put back.
DELETE FROM changed WHERE k BETWEEN 1000 AND 1999;
SELECT * FROM verify('changed');
INSERT INTO changed SELECT i, i FROM generate_series(1000, 1999) i;
SELECT * FROM verify('changed');
DELETE FROM changed;
SELECT * FROM verify('changed');

-- ROLLBACK and savepoints: entries of rows that never were are not seen.
BEGIN;
INSERT INTO changed SELECT i, i FROM generate_series(1, 3000) i;
SELECT * FROM verify('changed');
ROLLBACK;
SELECT * FROM verify('changed');
BEGIN;
INSERT INTO changed SELECT i, i FROM generate_series(1, 100) i;
SAVEPOINT one;
INSERT INTO changed SELECT i, i FROM generate_series(101, 1000) i;
UPDATE changed SET k = -k;
ROLLBACK TO one;
INSERT INTO changed SELECT i, i FROM generate_series(2001, 2100) i;
SAVEPOINT two;
DELETE FROM changed WHERE k <= 50;
RELEASE two;
SELECT * FROM verify('changed');
COMMIT;
SELECT * FROM verify('changed');
SELECT min(k), max(k), count(*) FROM changed;

-- TRUNCATE, also undone.
BEGIN;
TRUNCATE changed;
INSERT INTO changed VALUES (1, 1);
SELECT * FROM verify('changed');
ROLLBACK;
SELECT * FROM verify('changed');
TRUNCATE changed;
SELECT * FROM verify('changed');
INSERT INTO changed SELECT i, i % 10 FROM generate_series(1, 1000) i;
SELECT * FROM verify('changed');

-- Created and filled in one transaction; created in one that is rolled back.
BEGIN;
CREATE TABLE fresh (id int, k int4);
CREATE INDEX fresh_k ON fresh USING learned (k);
INSERT INTO fresh SELECT i, i FROM generate_series(1, 5000) i;
SELECT * FROM verify('fresh');
COMMIT;
SELECT * FROM verify('fresh');
BEGIN;
DROP INDEX fresh_k;
CREATE INDEX fresh_k ON fresh USING learned (k DESC) WITH (fillfactor = 60);
ROLLBACK;
SELECT * FROM verify('fresh');

-- Unlogged and temporary tables.
CREATE UNLOGGED TABLE unlogged (id int, k int4);
CREATE INDEX unlogged_k ON unlogged USING learned (k);
INSERT INTO unlogged SELECT i, (i * 37) % 1000 FROM generate_series(1, 5000) i;
DELETE FROM unlogged WHERE id % 3 = 0;
SELECT * FROM verify('unlogged');
ALTER TABLE unlogged SET LOGGED;
SELECT * FROM verify('unlogged');
CREATE TEMP TABLE temporary (id int, k int4);
INSERT INTO temporary SELECT i, (i * 37) % 1000 FROM generate_series(1, 3000) i;
CREATE INDEX temporary_k ON temporary USING learned (k);
INSERT INTO temporary SELECT i, (i * 37) % 1000 FROM generate_series(3001, 6000) i;
SELECT * FROM verify('temporary');
CREATE TEMP TABLE emptied (id int, k int4) ON COMMIT DELETE ROWS;
CREATE INDEX emptied_k ON emptied USING learned (k);
BEGIN;
INSERT INTO emptied SELECT i, i FROM generate_series(1, 2000) i;
SELECT * FROM verify('emptied');
COMMIT;
SELECT * FROM verify('emptied');

-- Partial indexes, expressions, several indexes on one table, IF NOT EXISTS, ALTER TYPE.
CREATE TABLE partial (id int, k int4, live boolean);
CREATE INDEX partial_k ON partial USING learned (k) WHERE live;
INSERT INTO partial SELECT i, i % 100, i % 4 = 0 FROM generate_series(1, 4000) i;
SELECT learned_index_check('partial_k', true);
UPDATE partial SET live = NOT live WHERE id <= 1000;
SELECT learned_index_check('partial_k', true);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM partial WHERE k = 8 AND live;
SELECT count(*) FROM partial WHERE k = 8 AND live;
SET enable_seqscan = on;
SET enable_indexscan = off;
SELECT count(*) FROM partial WHERE k = 8 AND live;
RESET enable_indexscan;
CREATE INDEX partial_sum ON partial USING learned ((k * 2 - id));
CREATE INDEX IF NOT EXISTS partial_sum ON partial USING learned (id);
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM partial WHERE k * 2 - id = -3801;
SELECT id FROM partial WHERE k * 2 - id = -3801;
RESET enable_seqscan;
RESET enable_bitmapscan;
SELECT learned_index_check('partial_sum', true);
ALTER TABLE partial ALTER k TYPE int8;
SELECT learned_index_check('partial_k', true), learned_index_check('partial_sum', true);
CREATE INDEX CONCURRENTLY partial_id ON partial USING learned (id DESC);
SELECT learned_index_check('partial_id', true);
REINDEX INDEX CONCURRENTLY partial_id;
SELECT learned_index_check('partial_id', true);
REINDEX TABLE partial;
CLUSTER partial USING partial_id;
SELECT learned_index_check('partial_id', true);
SELECT array_agg(id) FROM (SELECT id FROM partial LIMIT 5) s;

-- Options, kept across a rebuild.
CREATE INDEX fresh_loose ON fresh USING learned (k) WITH (fillfactor = 50);
SELECT reloptions FROM pg_class WHERE relname = 'fresh_loose';
SELECT pg_relation_size('fresh_loose') >= pg_relation_size('fresh_k') AS looser;
ALTER INDEX fresh_loose SET (fillfactor = 100);
REINDEX INDEX fresh_loose;
SELECT learned_index_check('fresh_loose', true);
SELECT reloptions FROM pg_class WHERE relname = 'fresh_loose';

-- Exclusion constraints: equality makes a key unique; NULLs are not equal.
CREATE TABLE single (k int8, note text, CONSTRAINT single_k EXCLUDE USING learned (k WITH =));
INSERT INTO single SELECT i, 'first' FROM generate_series(1, 1000) i;
INSERT INTO single VALUES (500, 'second');
INSERT INTO single VALUES (1001, 'a'), (1001, 'b');
INSERT INTO single VALUES (NULL, 'null'), (NULL, 'null');
UPDATE single SET k = 7 WHERE k = 8;
UPDATE single SET note = 'updated' WHERE k = 7;
UPDATE single SET k = 2000 WHERE k = 8;
INSERT INTO single VALUES (8, 'free again');
INSERT INTO single VALUES (500, 'ignored'), (2001, 'new') ON CONFLICT DO NOTHING;
INSERT INTO single VALUES (500, 'ignored') ON CONFLICT ON CONSTRAINT single_k DO NOTHING;
INSERT INTO single VALUES (500, 'refused') ON CONFLICT ON CONSTRAINT single_k DO UPDATE SET note = 'x';
DELETE FROM single WHERE k = 500;
INSERT INTO single VALUES (500, 'third');
SELECT count(*), count(DISTINCT k), count(k) FROM single;
SELECT k, note FROM single WHERE k IN (7, 8, 500, 1001, 2000, 2001) ORDER BY k;
SELECT learned_index_check('single_k', true);
-- A constraint on rows that break it is refused.
CREATE TABLE broken (k int4);
INSERT INTO broken VALUES (1), (2), (1);
ALTER TABLE broken ADD CONSTRAINT broken_k EXCLUDE USING learned (k WITH =);
-- Deferrable: a conflict may stand until the end of the transaction.
CREATE TABLE deferred (k int4, CONSTRAINT deferred_k EXCLUDE USING learned (k WITH =) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO deferred VALUES (1), (2), (3);
BEGIN;
UPDATE deferred SET k = k + 1;
COMMIT;
SELECT array_agg(k ORDER BY k) FROM deferred;
BEGIN;
INSERT INTO deferred VALUES (4);
SELECT count(*) FROM deferred WHERE k = 4;
COMMIT;
BEGIN;
INSERT INTO deferred VALUES (4);
SET CONSTRAINTS deferred_k IMMEDIATE;
ROLLBACK;
SELECT array_agg(k ORDER BY k) FROM deferred;
SELECT learned_index_check('deferred_k', true);
-- A search for each row: what one of them takes does not stay until the statement ends.
CREATE FUNCTION session_memory() RETURNS int8 VOLATILE LANGUAGE sql AS 'SELECT sum(total_bytes) FROM pg_backend_memory_contexts';
CREATE TABLE searched (k int8, l int4, EXCLUDE USING learned (k WITH =), EXCLUDE USING learned (l WITH =, k WITH =));
INSERT INTO searched SELECT i, CASE WHEN i % 2500 = 0 THEN session_memory() / 1000000 ELSE i END FROM generate_series(1, 5000) i;
SELECT max(l) FILTER (WHERE k = 5000) - max(l) FILTER (WHERE k = 2500) < 5 AS little FROM searched;
DROP TABLE searched;
DROP FUNCTION session_memory;

DROP TABLE grown, repeated, changed, hot, fresh, unlogged, temporary, emptied, partial, single, broken, deferred;
DROP FUNCTION verify;
