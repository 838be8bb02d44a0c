-- What a session remembers of pages it keeps by block number, in slots that indexes share: what is remembered of a page of one index, with many
-- models, is no harm to another one, whose models are larger.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
-- Two dozen keys behind one another, then a gap like no other: a page has a hundred models.
CREATE TABLE shared_slots_many AS
  SELECT (i / 24 << 40) + (hashint8(i / 24) & 2147483647) + i % 24 AS k FROM generate_series(0, 399999::int8) i;
CREATE INDEX shared_slots_many_k ON shared_slots_many USING learned (k);
SELECT segments > 68 * leaf_pages AS many FROM learned_index_stats('shared_slots_many_k');
CREATE TABLE shared_slots_few AS SELECT i AS a, i AS b, i AS c, hashint8extended(i, 1) AS d FROM generate_series(1, 100000::int8) i;
CREATE INDEX shared_slots_few_abcd ON shared_slots_few USING learned (a, b, c, d);
VACUUM ANALYZE shared_slots_many, shared_slots_few;
-- A file number by which leaves of both have the same slots (src/am/store/seen_pages.hpp).
CREATE FUNCTION slot_of(index regclass) RETURNS int8 LANGUAGE sql AS
  $$SELECT ((pg_relation_filenode(index)::int8 * 2654435769) & 4294967295) >> 16$$;
DO $$
DECLARE
  pages int8 := least(pg_relation_size('shared_slots_many_k'), pg_relation_size('shared_slots_few_abcd')) / current_setting('block_size')::int8;
BEGIN
  ASSERT pages > 100;
  FOR i IN 1 .. 20000 LOOP
    EXIT WHEN abs(slot_of('shared_slots_many_k') - slot_of('shared_slots_few_abcd')) < pages / 2;
    ASSERT i < 20000;
    -- (Cheaper than REINDEX: numbers are handed out by one counter.)
    IF i % 20 = 0 THEN REINDEX INDEX shared_slots_few_abcd; ELSE CREATE TABLE shared_slots_number (); DROP TABLE shared_slots_number; END IF;
  END LOOP;
END $$;
SET max_parallel_workers_per_gather = 0;
SET enable_seqscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_memoize = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM shared_slots_many p JOIN shared_slots_many t ON t.k = p.k;
EXPLAIN (COSTS OFF) SELECT count(*) FROM shared_slots_few p JOIN shared_slots_few t ON t.a = p.a AND t.b = p.b;
SELECT count(*) FROM shared_slots_many p JOIN shared_slots_many t ON t.k = p.k;
SELECT count(*) FROM shared_slots_few p JOIN shared_slots_few t ON t.a = p.a AND t.b = p.b;
SELECT count(*) FROM shared_slots_many p JOIN shared_slots_many t ON t.k = p.k;
DROP TABLE shared_slots_many, shared_slots_few;
DROP FUNCTION slot_of;
