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
-- A file number by which leaves of both have the same slots (src/am/store/seen_pages.hpp), but not those of the tags alone, which are four times as many.
CREATE FUNCTION slot_of(file_number int8) RETURNS int8 LANGUAGE sql AS $$SELECT ((file_number * 2654435769) & 4294967295) >> 14$$;
DO $$
DECLARE
  pages int8 := least(pg_relation_size('shared_slots_many_k'), pg_relation_size('shared_slots_few_abcd')) / current_setting('block_size')::int8;
  slot int8 := slot_of(pg_relation_filenode('shared_slots_many_k')::int8);
  taken oid;
BEGIN
  ASSERT pages > 100;
  FOR i IN 1 .. 20 LOOP
    EXIT WHEN abs(slot - slot_of(pg_relation_filenode('shared_slots_few_abcd')::int8)) BETWEEN pages / 3 AND pages / 2;
    ASSERT i < 20;
    -- (Numbers are handed out by one counter, for all that has one.)
    LOOP
      taken := lo_create(0);
      PERFORM lo_unlink(taken);
      EXIT WHEN abs(slot - slot_of(taken::int8 + 1)) BETWEEN pages / 3 AND pages / 2;
    END LOOP;
    REINDEX INDEX shared_slots_few_abcd;
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
-- Pages whose layout was displaced are known to be sound all the same.
SELECT misses AS checked FROM learned_index_cache_stats() WHERE cache = 'checked pages' \gset
SELECT count(*) FROM shared_slots_many p JOIN shared_slots_many t ON t.k = p.k;
SELECT misses - :checked AS checked_again FROM learned_index_cache_stats() WHERE cache = 'checked pages';
DROP TABLE shared_slots_many, shared_slots_few;
DROP FUNCTION slot_of;
