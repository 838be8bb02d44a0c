-- A long life: rounds of updates, deletions and insertions, with VACUUM. Neither what is unmerged nor the number of leaves drifts; a
-- VACUUM writes to leaves that have changed, and to no others; and the index holds what the table holds.
SET client_min_messages = warning;
SET learned_index.enable_aggregates = off; -- rows are to be read: aggregates.sql counts them
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
\getenv tests PG_ABS_SRCDIR
\set settle :tests '/sql/settle.inc'
\i :settle
SET jit = off;
SET max_parallel_workers_per_gather = 0;

-- Rows by a sequential scan, and whether the index gives the same, each once and in order.
CREATE FUNCTION verify(relation text, OUT rows bigint, OUT same boolean)
LANGUAGE plpgsql AS $$
DECLARE
  digest text := format('SELECT count(*), sum(hashint8extended(k, id::int8)) FROM %s', relation);
  ordered text := format('SELECT count(*), sum(hashint8extended(k, id::int8)) FROM (SELECT k, id FROM %s ORDER BY k) s', relation);
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
  PERFORM learned_index_check((relation || '_k')::regclass, heapallindexed => true, strict => true);
  SET LOCAL enable_seqscan = on;
  SET LOCAL enable_sort = on;
  SET LOCAL enable_bitmapscan = on;
END $$;
-- The index's pages as they are on disk.
CREATE FUNCTION pages_of(index regclass) RETURNS TABLE (block int, content text)
LANGUAGE sql AS $$
  SELECT b, md5(substring(file FROM b * 8192 + 1 FOR 8192))
    FROM pg_read_binary_file(pg_relation_filepath(index)) file, generate_series(0, length(file) / 8192 - 1) b
$$;

-- Keys in any order, and ascending ones; updates that no index is spared, as one has the changed column in its predicate.
CREATE TABLE anywhere (k int8, id int, n int) WITH (autovacuum_enabled = off);
INSERT INTO anywhere SELECT hashint8extended(i, 1), i, 0 FROM generate_series(1, 40000) i;
CREATE TABLE onward (k int8, id int, n int) WITH (autovacuum_enabled = off);
INSERT INTO onward SELECT i, i, 0 FROM generate_series(1, 40000) i;
CREATE INDEX anywhere_k ON anywhere USING learned (k);
CREATE INDEX ON anywhere (id) WHERE n < 0;
CREATE INDEX onward_k ON onward USING learned (k);
CREATE INDEX ON onward (id) WHERE n < 0;
\set ECHO none
SELECT statement FROM generate_series(1, 16) round, LATERAL (VALUES
  (1, format('UPDATE anywhere SET n = n + 1 WHERE hashint4extended(id, %s) %% 40 = 0', round)),
  (2, format('DELETE FROM anywhere WHERE abs(hashint4extended(id, %s) %% 40) = 1', round)),
  (3, format('INSERT INTO anywhere SELECT hashint8extended(i, 1), i, 0 FROM generate_series(%s, %s) i', 40000 + round * 1000, 40999 + round * 1000)),
  (4, format('UPDATE onward SET n = n + 1 WHERE hashint4extended(id, %s) %% 40 = 0', round)),
  (5, format('DELETE FROM onward WHERE abs(hashint4extended(id, %s) %% 40) = 1', round)),
  (6, format('INSERT INTO onward SELECT i, i, 0 FROM generate_series(%s, %s) i', 40000 + round * 1000, 40999 + round * 1000)),
  (7, CASE WHEN round % 4 = 0 THEN 'CALL pg_temp.settle()' END),
  (8, CASE WHEN round % 4 = 0 THEN 'VACUUM anywhere' END),
  (9, CASE WHEN round % 4 = 0 THEN 'VACUUM onward' END)
  ) v(step, statement) WHERE statement IS NOT NULL ORDER BY round, step \gexec
\set ECHO all
SELECT same FROM verify('anywhere');
SELECT same FROM verify('onward');
CREATE INDEX anywhere_anew ON anywhere USING learned (k);
CREATE INDEX onward_anew ON onward USING learned (k);
SELECT i.delta_entries * 50 < i.entries AS merged, i.dead_entries * 5 < i.entries AS squeezed_out, i.leaf_pages <= 1.35 * n.leaf_pages AS hardly_larger
  FROM learned_index_stats('anywhere_k') i, learned_index_stats('anywhere_anew') n;
SELECT i.delta_entries * 50 < i.entries AS merged, i.dead_entries * 5 < i.entries AS squeezed_out, i.leaf_pages <= 1.8 * n.leaf_pages AS hardly_larger
  FROM learned_index_stats('onward_k') i, learned_index_stats('onward_anew') n;
DROP INDEX anywhere_anew, onward_anew;

-- One row less: VACUUM comes to all leaves, and writes to that one.
DELETE FROM anywhere WHERE id = (SELECT max(id) FROM anywhere);
CHECKPOINT;
CREATE TEMP TABLE before AS SELECT * FROM pages_of('anywhere_k');
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON) anywhere;
CHECKPOINT;
SELECT count(DISTINCT block) AS pages_written FROM before b FULL JOIN pages_of('anywhere_k') p USING (block, content) WHERE b.block IS NULL OR p.block IS NULL;
-- Nothing less: it writes nothing.
DELETE FROM before;
INSERT INTO before SELECT * FROM pages_of('anywhere_k');
VACUUM (INDEX_CLEANUP ON) anywhere;
CHECKPOINT;
SELECT count(DISTINCT block) AS pages_written FROM before b FULL JOIN pages_of('anywhere_k') p USING (block, content) WHERE b.block IS NULL OR p.block IS NULL;

-- Three of ten rows go, all over: no two leaves fit into one, but some leaves fit into fewer.
SELECT leaf_pages AS before FROM learned_index_stats('anywhere_k') \gset
DELETE FROM anywhere WHERE abs(hashint4extended(id, 99) % 10) < 3;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON) anywhere;
SELECT leaf_pages <= 0.8 * :before AS fewer_leaves FROM learned_index_stats('anywhere_k');
SELECT same FROM verify('anywhere');

DROP TABLE anywhere, onward, before;
DROP FUNCTION verify, pages_of;
