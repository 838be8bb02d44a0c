-- learned_index_metapage(), _pages(), _segments(), _entries(), _cache_stats(), the view learned_indexes, and what the check tells while it runs:
-- entries beside the rows of the table, pages beside the file and learned_index_stats(), who may, and what is refused. (Damage and standbys:
-- test/t/032_see.pl.)
SET client_min_messages = warning;
SET learned_index.enable_aggregates = off;
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
\getenv tests PG_ABS_SRCDIR
\set settle :tests '/sql/settle.inc'
\i :settle
\set SHOW_CONTEXT never
SET jit = off;

-- Everything that must agree with something else, of one index: what does not is named. `keys` and `included` are the index's columns as
-- their types' output functions write them; NULL: an index without columns of that kind.
CREATE FUNCTION see_faults(index regclass, keys text[], included text[] DEFAULT NULL, condition text DEFAULT 'true') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  own_table regclass := (SELECT indrelid FROM pg_index WHERE indexrelid = index);
  faults text := '';
  fault text;
  question text;
BEGIN
  PERFORM set_config('enable_indexscan', 'off', true), set_config('enable_indexonlyscan', 'off', true), set_config('enable_bitmapscan', 'off', true);
  CREATE TEMP TABLE pages AS SELECT * FROM learned_index_pages(index);
  CREATE TEMP TABLE segments AS SELECT p.block, p.kind, p.tree, s.* FROM pages p, learned_index_segments(index, p.block) s WHERE p.kind IN ('leaf', 'inner');
  CREATE TEMP TABLE entries AS SELECT p.block, p.kind, p.tree, p.level, e.entry, e.segment, e.key, e.included, e.ctid AS place, e.child, e.delta, e.dead, e.killed
    FROM pages p, learned_index_entries(index, p.block) e WHERE p.kind IN ('leaf', 'inner');
  FOREACH question IN ARRAY ARRAY[
    'SELECT ''size'' FROM pages HAVING count(*) * 8192 <> pg_relation_size(%1$L) OR bool_or(kind NOT IN (''meta'', ''leaf'', ''inner'', ''deleted'', ''new''))',
    'SELECT ''metapage'' FROM pages GROUP BY kind = ''meta'' HAVING kind = ''meta'' AND (count(*) <> 1 OR min(block) <> 0)',
    'SELECT ''stats'' FROM learned_index_stats(%1$L) WHERE (leaf_pages, inner_pages, null_pages, deleted_pages, entries, delta_entries, dead_entries, segments) IS DISTINCT FROM
       (SELECT (count(*) FILTER (WHERE kind = ''leaf'' AND tree = ''keys''), count(*) FILTER (WHERE kind = ''inner'' AND tree = ''keys''), count(*) FILTER (WHERE tree = ''nulls''),
                count(*) FILTER (WHERE kind IN (''deleted'', ''new'')), sum(entries) FILTER (WHERE kind = ''leaf''), sum(deltas) FILTER (WHERE kind = ''leaf''),
                sum(dead) FILTER (WHERE kind = ''leaf''), sum(segments) FILTER (WHERE kind = ''leaf'')) FROM pages)',
    'SELECT ''bits'' FROM learned_index_stats(%1$L) s WHERE
       abs(bits_per_key - (SELECT sum(bits_per_key * entries) / sum(entries) FROM segments WHERE kind = ''leaf'' AND tree = ''keys'')) > 1e-6 OR
       abs(bits_per_tid - (SELECT sum(bits_per_tid * entries) / sum(entries) FROM segments WHERE kind = ''leaf'')) > 1e-6 OR
       max_model_error <> (SELECT max(max_model_error) FROM segments WHERE kind = ''leaf'' AND tree = ''keys'') OR
       abs(mean_model_error - (SELECT sum(mean_model_error * entries) / sum(entries) FROM segments WHERE kind = ''leaf'' AND tree = ''keys'')) > 1e-6',
    'SELECT ''segments of block '' || block FROM pages p WHERE kind IN (''leaf'', ''inner'') AND (segments, encoded, dead) IS DISTINCT FROM
       (SELECT (count(*)::int, coalesce(sum(s.entries), 0)::int, coalesce(sum(s.dead), 0)::int) FROM segments s WHERE s.block = p.block)',
    'SELECT ''ranks of block '' || block FROM (SELECT block, first_rank - lag(first_rank + entries, 1, 0) OVER (PARTITION BY block ORDER BY segment) AS gap FROM segments) s WHERE gap <> 0',
    'SELECT ''first keys of block '' || block FROM segments s WHERE first_key IS DISTINCT FROM (SELECT key FROM entries e WHERE e.block = s.block AND e.entry = first_rank)',
    'SELECT ''entries of block '' || block FROM pages p WHERE kind IN (''leaf'', ''inner'') AND (encoded + deltas, deltas, dead, killed) IS DISTINCT FROM
       (SELECT (count(*)::int, count(*) FILTER (WHERE delta)::int, count(*) FILTER (WHERE e.dead)::int, count(*) FILTER (WHERE e.killed)::int) FROM entries e WHERE e.block = p.block)',
    'SELECT ''links of block '' || block FROM pages p WHERE kind IN (''leaf'', ''inner'') AND right_block IS NOT NULL AND
       NOT EXISTS (SELECT FROM pages r WHERE r.block = p.right_block AND r.left_block = p.block AND (r.tree, r.level) = (p.tree, p.level))',
    'SELECT ''children'' FROM (SELECT tree, child, level - 1 AS level FROM entries WHERE kind = ''inner'' AND NOT dead) e
       FULL JOIN (SELECT p.* FROM pages p, learned_index_metapage(%1$L) m WHERE kind IN (''leaf'', ''inner'') AND p.block NOT IN (m.root, m.null_root)) p
       ON (e.tree, e.child, e.level) = (p.tree, p.block, p.level) WHERE e.child IS NULL OR p.block IS NULL',
    'SELECT ''root'' FROM learned_index_metapage(%1$L) m WHERE NOT EXISTS (SELECT FROM pages p WHERE (p.block, p.level, p.tree) = (m.root, m.level, ''keys''))
       OR NOT EXISTS (SELECT FROM pages p WHERE (p.block, p.level, p.tree) = (m.null_root, m.null_level, ''nulls''))',
    'SELECT ''number'' FROM entries HAVING count(*) FILTER (WHERE kind = ''leaf'' AND NOT dead) <> (SELECT count(*) FROM %2$s WHERE %5$s)',
    'SELECT ''entry without row: '' || e::text FROM (SELECT place, key, included FROM entries WHERE kind = ''leaf'' AND NOT dead EXCEPT SELECT ctid, %3$s, %4$s FROM %2$s WHERE %5$s) e',
    'SELECT ''row without entry: '' || e::text FROM (SELECT ctid, %3$s, %4$s FROM %2$s WHERE %5$s EXCEPT SELECT place, key, included FROM entries WHERE kind = ''leaf'' AND NOT dead) e'] LOOP
    FOR fault IN EXECUTE format(question || ' LIMIT 3', index, own_table, format('ARRAY[%s]::text[]', array_to_string(keys, ', ')),
                                CASE WHEN included IS NULL THEN 'NULL::text[]' ELSE format('ARRAY[%s]::text[]', array_to_string(included, ', ')) END, condition) LOOP
      faults := faults || E'\n' || fault;
    END LOOP;
  END LOOP;
  -- What was looked at, so that nobody takes an empty index for a test.
  fault := (SELECT string_agg(page, ', ' ORDER BY page) FROM (SELECT DISTINCT concat_ws(' ', tree, kind) AS page FROM pages) k)
           || (SELECT CASE WHEN bool_or(delta) THEN ', deltas' ELSE '' END || CASE WHEN bool_or(dead) THEN ', dead' ELSE '' END FROM entries);
  DROP TABLE pages, segments, entries;
  RETURN fault || faults;
END $$;

CREATE TABLE see_rows (id int4, k int8, d date, f float8, u uuid, b bool, n int4, ts timestamptz) WITH (autovacuum_enabled = off);
CREATE INDEX see_k ON see_rows USING learned (k);
CREATE INDEX see_nu ON see_rows USING learned (n DESC, u) INCLUDE (f);
SELECT see_faults('see_k', '{k}'), see_faults('see_nu', '{n, u}', '{f}');
INSERT INTO see_rows
  SELECT i, CASE WHEN i % 11 > 0 THEN hashint8(i) END, date '2024-01-01' + (hashint8(-i) % 1000), hashint8(i) / 7.0,
         CASE WHEN i % 7 > 0 THEN md5(i::text)::uuid END, CASE WHEN i % 5 > 1 THEN i % 2 = 0 END, nullif(hashint8(i) % 100, 3), timestamptz '2026-01-01' + i * interval '1 second'
    FROM generate_series(1, 20000) i;
CREATE INDEX see_id ON see_rows USING learned (id);
CREATE INDEX see_desc ON see_rows USING learned (k DESC NULLS LAST);
CREATE INDEX see_d ON see_rows USING learned (d);
CREATE INDEX see_f ON see_rows USING learned (f);
CREATE INDEX see_u ON see_rows USING learned (u);
CREATE INDEX see_b ON see_rows USING learned (b);
CREATE INDEX see_nkd ON see_rows USING learned (n NULLS FIRST, k DESC, d) INCLUDE (f);
CREATE INDEX see_part ON see_rows USING learned (k, b) WHERE b;
CREATE INDEX see_sum ON see_rows USING learned ((k + n), b);
CREATE FUNCTION see_all() RETURNS TABLE (index text, faults text) LANGUAGE sql AS $$
VALUES ('k', see_faults('see_k', '{k}')), ('nu', see_faults('see_nu', '{n, u}', '{f}')), ('id', see_faults('see_id', '{id}')),
       ('desc', see_faults('see_desc', '{k}')), ('d', see_faults('see_d', '{d}')), ('f', see_faults('see_f', '{f}')), ('u', see_faults('see_u', '{u}')),
       ('b', see_faults('see_b', ARRAY['CASE WHEN b THEN ''t'' WHEN NOT b THEN ''f'' END'])), ('nkd', see_faults('see_nkd', '{n, k, d}', '{f}')),
       ('part', see_faults('see_part', ARRAY['k', 'CASE WHEN b THEN ''t'' END'], NULL, 'b')),
       ('sum', see_faults('see_sum', ARRAY['k + n', 'CASE WHEN b THEN ''t'' WHEN NOT b THEN ''f'' END'])) $$;
SELECT * FROM see_all();
-- With deltas; with entries that were removed, in place and with their leaves.
INSERT INTO see_rows SELECT 20000 + i, hashint8(-i), '2025-01-01', i, md5((-i)::text)::uuid, i % 2 = 0, i % 90, '2025-01-01' FROM generate_series(1, 300) i;
SELECT * FROM see_all();
DELETE FROM see_rows WHERE k % 7 = 0 OR k BETWEEN 0 AND 500000000 OR id BETWEEN 1000 AND 1100;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON) see_rows;
INSERT INTO see_rows SELECT 20300 + i, hashint8(-i), '2025-01-01', i, md5((-i)::text)::uuid, i % 2 = 0, i % 90, '2025-01-01' FROM generate_series(1, 40) i;
SELECT * FROM see_all();
-- Kill marks: rows that a scan found dead are no entry less until VACUUM comes.
CREATE TABLE see_killed (a int8) WITH (autovacuum_enabled = off);
INSERT INTO see_killed SELECT generate_series(1, 1000);
CREATE INDEX see_killed_a ON see_killed USING learned (a);
DELETE FROM see_killed WHERE a <= 400;
CALL pg_temp.settle();
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT a FROM see_killed ORDER BY a LIMIT 1;
RESET enable_seqscan;
RESET enable_bitmapscan;
SELECT entries, dead, killed FROM learned_index_pages('see_killed_a') WHERE kind = 'leaf' AND tree = 'keys';
SELECT count(*), count(*) FILTER (WHERE killed), max(key[1]::int8) FILTER (WHERE killed) FROM learned_index_entries('see_killed_a', (SELECT root FROM learned_index_metapage('see_killed_a')));
SELECT entries, dead_share, advice FROM learned_indexes WHERE indexname = 'see_killed_a';
VACUUM (INDEX_CLEANUP ON) see_killed;
SELECT entries, dead_share, advice FROM learned_indexes WHERE indexname = 'see_killed_a';
SELECT see_faults('see_killed_a', '{a}');
DROP TABLE see_killed;

-- Lines: each key lies between its line, rounded down, and that and its reach; and a line says what it was made of.
CREATE TABLE see_lines (a int8, b int4, c int8) WITH (autovacuum_enabled = off);
INSERT INTO see_lines SELECT i * 10, 7, i * 1000 + hashint8(i) % 100 FROM generate_series(1, 30000) i;
CREATE INDEX see_lines_a ON see_lines USING learned (a);
CREATE INDEX see_lines_c ON see_lines USING learned (c);
CREATE INDEX see_lines_bc ON see_lines USING learned (b, c);
SELECT segment, first_rank, s.entries, s.dead, first_key, key_model, key_start, key_slope, key_reach, key_bits, null_bits, mean_model_error < 1e-6 AS exact, tid_model, tid_bits, child_bits
  FROM learned_index_pages('see_lines_a') p, learned_index_segments('see_lines_a', p.block) s WHERE kind = 'leaf' AND tree = 'keys';
SELECT count(*) > 100 AS many, bool_and(key_model[w] = 'line') AS lines, bool_and(key_reach[w] = 2 ^ key_bits[w] - 1) AS reach,
       bool_and(e.key[w]::int8 - (s.first_key[w]::int8 + s.key_start[w] + s.key_slope[w] * (e.entry - s.first_rank)) BETWEEN -1 AND s.key_reach[w]) AS between
  FROM (VALUES ('see_lines_c', 1), ('see_lines_bc', 2)) i (name, w), learned_index_pages(i.name) p, learned_index_segments(i.name, p.block) s,
       learned_index_entries(i.name, p.block) e WHERE p.kind = 'leaf' AND e.segment = s.segment GROUP BY i.name;
SELECT DISTINCT key_model[1], key_slope[1] FROM learned_index_pages('see_lines_bc') p, learned_index_segments('see_lines_bc', p.block) WHERE kind = 'leaf';
SELECT DISTINCT key_model[1], key_reach[1] FROM learned_index_pages('see_u') p, learned_index_segments('see_u', p.block) WHERE kind = 'leaf' AND p.segments = 1;
SELECT format_version, key_words, key_type, level, null_level, lsn > '0/0' AS logged FROM learned_index_metapage('see_k');
SELECT format_version, key_words, key_type, level, null_level FROM learned_index_metapage('see_nu');
-- Of inner pages, separators as far as they go.
SELECT count(*) > 1 AS some, bool_and(ctid IS NOT NULL AND included IS NULL) AS separators, string_agg(DISTINCT cardinality(key)::text, ' ') AS columns
  FROM learned_index_pages('see_nu') p, learned_index_entries('see_nu', p.block) WHERE kind = 'inner';

-- What is in no page.
SELECT learned_index_entries('see_k', 0);
SELECT learned_index_segments('see_k', -1);
SELECT learned_index_entries('see_lines_a', pg_relation_size('see_lines_a') / 8192);
SELECT learned_index_entries('see_lines_a', 5000000000);
SELECT count(*) FROM learned_index_pages('see_k') p, learned_index_entries('see_k', p.block) WHERE kind = 'deleted';
-- NULLs in, nothing out.
SELECT learned_index_metapage(NULL), (SELECT count(*) FROM learned_index_pages(NULL)), (SELECT count(*) FROM learned_index_entries('see_k', NULL)), (SELECT count(*) FROM learned_index_health(NULL));

-- Temporary and unlogged tables.
CREATE TEMP TABLE see_temp AS SELECT i AS a, i % 3 AS b FROM generate_series(1, 3000) i;
CREATE INDEX see_temp_ab ON see_temp USING learned (a, b);
CREATE UNLOGGED TABLE see_unlogged AS TABLE see_temp;
CREATE INDEX see_unlogged_a ON see_unlogged USING learned (a);
SELECT see_faults('see_temp_ab', '{a, b}'), see_faults('see_unlogged_a', '{a}');
SELECT schemaname ~ '^pg_temp' AS temporary, indexname, entries, advice FROM learned_indexes WHERE tablename IN ('see_temp', 'see_unlogged') ORDER BY indexname;

-- ---- the view

-- Read as a whole, it says what learned_index_stats() does.
SELECT count(*) AS indexes, count(*) FILTER (WHERE (v.size, v.btree_size, v.entries, v.bits_per_key, v.bits_per_tid, v.mean_model_error, v.sampled) IS DISTINCT FROM
    (s.total_pages * 8192, s.btree_bytes, s.entries, s.bits_per_key, s.bits_per_tid, s.mean_model_error, 1)
    OR abs(v.delta_share - s.delta_entries::float8 / s.entries) > 1e-9 OR abs(v.dead_share - s.dead_entries::float8 / (s.entries + s.dead_entries)) > 1e-9) AS differ
  FROM learned_indexes v, learned_index_stats((quote_ident(schemaname) || '.' || quote_ident(indexname))::regclass) s WHERE tablename = 'see_rows' AND sampled = 1;
-- A large index, by a sample: near the truth, and few pages are read.
CREATE TABLE see_large (k int8, tag int4) WITH (autovacuum_enabled = off);
INSERT INTO see_large SELECT hashint8extended(i, 1), i % 10 FROM generate_series(1, 300000) i;
CREATE INDEX see_large_k ON see_large USING learned (k);
-- (In one transaction: between two, what was counted may go to the statistics of all.)
BEGIN;
SELECT pg_stat_get_xact_blocks_fetched('see_large_k'::regclass) AS before \gset
SELECT abs(entries / 300000.0 - 1) < 0.03 AS entries, sampled < 0.5 AS sampled, size = pg_relation_size('see_large_k') AS size, btree_size BETWEEN 6000000 AND 7000000 AS btree, advice
  FROM learned_indexes WHERE indexname = 'see_large_k';
SELECT pg_stat_get_xact_blocks_fetched('see_large_k'::regclass) - :before BETWEEN 100 AND 140 AS few_pages;
COMMIT;
-- What has come to be too large.
DELETE FROM see_large WHERE hashint8extended(k, 3) % 8 <> 0;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON) see_large;
SELECT regexp_replace(advice, '[0-9]+ kB', 'N kB', 'g') AS advice FROM learned_indexes WHERE indexname = 'see_large_k';
REINDEX INDEX see_large_k;
SELECT advice FROM learned_indexes WHERE indexname = 'see_large_k';
DROP TABLE see_large;
-- What cannot be read: it is said in its row, and the others have theirs.
CREATE TABLE "See odd" (a int4, b int4 DEFAULT 1);
INSERT INTO "See odd" SELECT generate_series(1, 100);
INSERT INTO "See odd" VALUES (1);
CREATE INDEX "See odd_a" ON "See odd" USING learned (a);
CREATE FUNCTION see_fails(a int4) RETURNS int4 IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN IF a = 50 THEN RAISE 'fails'; END IF; RETURN a; END $$;
CREATE INDEX CONCURRENTLY "See odd_invalid" ON "See odd" USING learned (see_fails(a));
SELECT tablename, indexname, entries, advice FROM learned_indexes WHERE tablename = 'See odd' ORDER BY indexname;
SELECT count(*) > 10 AS others FROM learned_indexes WHERE advice IS NULL;
-- Entries that the statement has yet to insert are not lost on the way.
WITH new AS (INSERT INTO "See odd" SELECT generate_series(1001, 1100) RETURNING a)
SELECT count(*), max(h.entries) <= 201 AS possible FROM new, LATERAL (SELECT entries FROM learned_index_health('"See odd_a"'::regclass) WHERE new.a > 0) h;
SELECT learned_index_check('"See odd_a"', true);
DROP TABLE "See odd";
DROP FUNCTION see_fails(int4);

-- ---- who may

SET client_min_messages = error;
DROP ROLE IF EXISTS regress_learned_owner, regress_learned_reader, regress_learned_monitor, regress_learned_both, regress_learned_other;
RESET client_min_messages;
CREATE ROLE regress_learned_owner;
CREATE ROLE regress_learned_reader;
CREATE ROLE regress_learned_monitor IN ROLE pg_monitor;
CREATE ROLE regress_learned_both IN ROLE pg_monitor, regress_learned_reader;
CREATE ROLE regress_learned_other;
CREATE TABLE see_owned (a int4, b int4);
INSERT INTO see_owned SELECT i, -i FROM generate_series(1, 5) i;
CREATE INDEX see_owned_ab ON see_owned USING learned (a) INCLUDE (b);
ALTER TABLE see_owned OWNER TO regress_learned_owner;
GRANT SELECT ON see_owned TO regress_learned_reader;
SELECT root AS leaf FROM learned_index_metapage('see_owned_ab') \gset
CREATE FUNCTION see_who(leaf int8) RETURNS TABLE (what text, answer text) LANGUAGE plpgsql AS $$
DECLARE
  call text;
BEGIN
  FOREACH call IN ARRAY ARRAY['(learned_index_metapage(''see_owned_ab'')).key_words', '(SELECT count(*) FROM learned_index_pages(''see_owned_ab''))',
      '(SELECT string_agg(concat_ws('' '', entries, first_key, key_model), '','') FROM learned_index_segments(''see_owned_ab'', $1))',
      '(SELECT string_agg(concat_ws('' '', ctid, key, included), '','') FROM learned_index_entries(''see_owned_ab'', $1))',
      '(SELECT count(*) FROM learned_index_cache_stats())', '(SELECT string_agg(entries::text, '''') FROM learned_indexes WHERE tablename = ''see_owned'')',
      '(SELECT count(*) FROM learned_index_health(''see_owned_ab''::regclass))'] LOOP
    what := substring(call FROM 'learned_[a-z_]*');
    BEGIN
      EXECUTE 'SELECT ' || call INTO answer USING leaf;
    EXCEPTION WHEN OTHERS THEN
      answer := SQLSTATE || ': ' || SQLERRM;
    END;
    RETURN NEXT;
  END LOOP;
END $$;
\pset null '(null)'
SET ROLE regress_learned_monitor;
SELECT * FROM see_who(:leaf);
SET ROLE regress_learned_both;
SELECT * FROM see_who(:leaf);
RESET ROLE;
SELECT * FROM see_who(:leaf);
SET ROLE regress_learned_owner;
SELECT * FROM see_who(:leaf);
SET ROLE regress_learned_reader;
SELECT * FROM see_who(:leaf);
SET ROLE regress_learned_other;
SELECT * FROM see_who(:leaf);
RESET ROLE;
-- Execution can be granted; to whom, the index's own rule says.
GRANT EXECUTE ON FUNCTION learned_index_pages(regclass) TO regress_learned_owner, regress_learned_reader;
SET ROLE regress_learned_owner;
SELECT count(*) FROM learned_index_pages('see_owned_ab');
SET ROLE regress_learned_reader;
SELECT count(*) FROM learned_index_pages('see_owned_ab');
RESET ROLE;
REVOKE EXECUTE ON FUNCTION learned_index_pages(regclass) FROM regress_learned_owner, regress_learned_reader;
-- Row security hides keys as well.
ALTER TABLE see_owned ENABLE ROW LEVEL SECURITY;
SET ROLE regress_learned_both;
SELECT DISTINCT key, included FROM learned_index_entries('see_owned_ab', :leaf);
RESET ROLE;
\pset null ''
DROP TABLE see_owned;
DROP FUNCTION see_who(int8);
DROP ROLE regress_learned_owner, regress_learned_reader, regress_learned_monitor, regress_learned_both, regress_learned_other;

-- ---- what a session remembers

SELECT cache, entries >= 0 AS entries, bytes BETWEEN 0 AND max_bytes AS bytes FROM learned_index_cache_stats();
CREATE FUNCTION see_counts(OUT hits int8, OUT misses int8, OUT evictions int8, OUT entries int8, OUT bytes int8, OUT checked int8, OUT unchecked int8, OUT found int8) LANGUAGE sql AS $$
SELECT m.hits, m.misses, m.evictions, m.entries, m.bytes, p.hits, p.misses, b.hits FROM learned_index_cache_stats() m, learned_index_cache_stats() p, learned_index_cache_stats() b
 WHERE m.cache = 'models' AND p.cache = 'checked pages' AND b.cache = 'buffers' $$;
SET enable_seqscan = off;
CREATE FUNCTION see_look_ups(n int) RETURNS int8 LANGUAGE plpgsql AS $$
DECLARE
  found int8 := 0;
BEGIN
  FOR i IN 1 .. n LOOP
    found := found + (SELECT count(*) FROM see_rows WHERE u = md5((-i)::text)::uuid);
  END LOOP;
  RETURN found;
END $$;
-- An inner page of an index of two levels is copied once, and found from then on; leaves are checked once.
SELECT level FROM learned_index_metapage('see_u');
REINDEX INDEX see_u;
SELECT * FROM see_counts() \gset before_
SELECT see_look_ups(200) > 100 AS found;
SELECT hits - :before_hits AS hits, misses - :before_misses AS misses, entries - :before_entries AS entries, bytes > :before_bytes AS bytes,
       unchecked - :before_unchecked BETWEEN 10 AND 210 AS unchecked, checked - :before_checked > 0 AS checked, found - :before_found > 100 AS buffers FROM see_counts();
SELECT * FROM see_counts() \gset before_
SELECT see_look_ups(200) > 100 AS found;
SELECT hits - :before_hits AS hits, misses - :before_misses AS misses, entries - :before_entries AS entries, unchecked - :before_unchecked AS unchecked, checked - :before_checked >= 200 AS checked FROM see_counts();
-- Without room for them.
SET learned_index.model_cache = 0;
SELECT see_look_ups(1) AS found;
SELECT entries, bytes, evictions > :before_evictions AS evictions FROM see_counts();
RESET learned_index.model_cache;
RESET enable_seqscan;
DROP FUNCTION see_look_ups(int);
DROP FUNCTION see_counts();

-- ---- what the check tells

SELECT learned_index_check('see_lines_a', verbose => true);
SELECT learned_index_check('see_lines_bc', heapallindexed => true, strict => true, verbose => true);
SELECT learned_index_check('see_lines_a', true, true, false);

DROP TABLE see_rows, see_lines, see_temp, see_unlogged;
DROP FUNCTION see_all();
DROP FUNCTION see_faults(regclass, text[], text[], text);
