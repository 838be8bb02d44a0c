-- Unique indexes, from PostgreSQL 18 on: the same statements on twin tables, one with a learned and one with a btree
-- index, give the same rows and the same errors. Older servers refuse such indexes (unique_1.out).
SET client_min_messages = warning;
SET learned_index.enable_aggregates = off; -- rows are to be read: aggregates.sql counts them
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
SET jit = off;
SET max_parallel_workers_per_gather = 0;
CREATE SCHEMA uniqueness;
SET search_path = uniqueness, public;

-- What a statement did: its error with all fields that a client may look at, or the rows that it gave or touched.
CREATE FUNCTION outcome(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  r record;
  result text := '';
  n bigint;
  state text;
  message text;
  detail text;
  hint text;
  relation text;
  key text;
BEGIN
  IF statement ~ '^EXPLAIN' THEN
    FOR r IN EXECUTE statement LOOP
      result := concat_ws(E'\n', NULLIF(result, ''), r."QUERY PLAN");
    END LOOP;
    RETURN result;
  ELSIF statement ~ '^SELECT|RETURNING [^)]*$' THEN
    FOR r IN EXECUTE statement LOOP
      result := concat_ws(E'\n', NULLIF(result, ''), r::text);
    END LOOP;
    RETURN result;
  END IF;
  EXECUTE statement;
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
    hint = PG_EXCEPTION_HINT, relation = TABLE_NAME, key = CONSTRAINT_NAME;
  -- (19 has one word in capitals.)
  message := replace(message, 'UNIQUE constraint on partitioned', 'unique constraint on partitioned');
  RETURN concat_ws(E'\n  ', state || ': ' || message, 'DETAIL: ' || NULLIF(detail, ''), 'HINT: ' || NULLIF(hint, ''),
    'NAMES: ' || NULLIF(concat_ws(' ', NULLIF(relation, ''), NULLIF(key, '')), ''));
END $$;

\pset format unaligned
\pset tuples_only on
CREATE TABLE refusing (i int4, j int8);
INSERT INTO refusing VALUES (1, 1), (2, 2);
SELECT pg_indexam_has_property(oid, 'can_unique') FROM pg_am WHERE amname = 'learned';
SELECT outcome('CREATE UNIQUE INDEX ON refusing USING learned (i)');
SELECT outcome('CREATE UNIQUE INDEX ON refusing USING learned (i) NULLS NOT DISTINCT');
SELECT outcome('CREATE UNIQUE INDEX ON refusing USING learned (i, j)');
CREATE UNIQUE INDEX CONCURRENTLY refusing_j ON refusing USING learned (j);
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS refusing_j ON refusing USING learned (j);
SELECT outcome('CREATE TABLE refusing_parts (i int4, j int8) PARTITION BY RANGE (i)');
SELECT outcome('CREATE UNIQUE INDEX ON refusing_parts USING learned (i)') ~ '^0A000: .*access method "learned"' AS refused;
-- Refused before anything is in the catalogs, and so that tables can be rebuilt and take partitions.
SELECT c.relname, i.indisvalid FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid WHERE c.relname ~ '^refusing' ORDER BY 1;
REINDEX TABLE refusing;
CREATE TABLE refusing_parts_1 PARTITION OF refusing_parts FOR VALUES FROM (0) TO (100);
DROP INDEX IF EXISTS refusing_j;
-- What works everywhere.
ALTER TABLE refusing ADD CONSTRAINT refusing_excludes EXCLUDE USING learned (j WITH =);
SELECT outcome('INSERT INTO refusing VALUES (3, 2)');
SELECT outcome('INSERT INTO refusing VALUES (3, 2), (3, 3) ON CONFLICT DO NOTHING');
DROP TABLE refusing, refusing_parts;

SELECT current_setting('server_version_num')::int < 180000 AS refuses \gset
\if :refuses
SET client_min_messages = warning;
DROP SCHEMA uniqueness CASCADE;
\quit
\endif

-- Runs a statement twice, @ being learned and then btree. What is said must be the same, names apart.
CREATE FUNCTION twins(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  ours text := replace(outcome(replace(statement, '@', 'learned')), 'learned', '@');
  theirs text := replace(outcome(replace(statement, '@', 'btree')), 'btree', '@');
BEGIN
  RETURN CASE WHEN ours = theirs THEN ours ELSE concat_ws(E'\n', 'learned:', ours, 'btree:', theirs) END;
END $$;
CREATE FUNCTION check_all() RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM (
    SELECT learned_index_check(c.oid, true) FROM pg_class c JOIN pg_am a ON a.oid = c.relam
     WHERE a.amname = 'learned' AND c.relkind = 'i' AND c.relnamespace = 'uniqueness'::regnamespace) s;
$$;

-- Every type: a duplicate is refused, by an insert and by a build; values that differ in the last bit are not.
CREATE TABLE type_cases (type text, fill text, dup text);
INSERT INTO type_cases VALUES
  ('int2', 'generate_series(-32768, 32767, 331)', $$'-32768'$$),
  ('int4', 'generate_series(-2147483648, 2147483640, 8000007)', $$'-2147483648'$$),
  ('int8', 'generate_series(-9223372036854775808, 9223372036854775000, 90000000000000001)', $$'-9223372036854775808'$$),
  ('oid', 'generate_series(0, 4294967295, 9000001)', $$'0'$$),
  ('float4', 'unnest(''{-Infinity,-1,-1e-45,0,1e-45,1,Infinity,NaN}''::float4[])', $$'-0'$$),
  ('float8', 'unnest(''{-Infinity,-1,-5e-324,-0,5e-324,1,Infinity,NaN}''::float8[])', $$'-0'$$),
  ('date', 'unnest(''{-infinity,2000-01-01,2000-01-02,infinity}''::date[])', $$'infinity'$$),
  ('timestamp', 'unnest(''{-infinity,2000-01-01 00:00:00.000001,2000-01-01,infinity}''::timestamp[])', $$'2000-01-01'$$),
  ('timestamptz', 'unnest(''{-infinity,2000-01-01 00:00:00.000001+00,2000-01-01 00:00+00,infinity}''::timestamptz[])', $$'2000-01-01 01:00+01'$$),
  ('time', 'unnest(''{00:00,12:00,12:00:00.000001,24:00}''::time[])', $$'24:00'$$);
SET timezone = 'UTC';
SELECT type, step, twins(replace(replace(replace(statement, '$type', type), '$fill', fill), '$dup', dup))
  FROM type_cases,
       (VALUES (1, 'CREATE TABLE $type_@ (k $type, v text)'),
               (2, 'CREATE UNIQUE INDEX $type_@_k ON $type_@ USING @ (k)'),
               (3, 'INSERT INTO $type_@ SELECT $fill'),
               (4, 'INSERT INTO $type_@ VALUES ($dup)'),
               (5, 'INSERT INTO $type_@ VALUES ($dup) ON CONFLICT DO NOTHING'),
               (6, 'INSERT INTO $type_@ VALUES ($dup) ON CONFLICT (k) DO UPDATE SET v = ''again'' RETURNING *'),
               (7, 'DROP INDEX $type_@_k'),
               (8, 'INSERT INTO $type_@ VALUES ($dup)'),
               (9, 'CREATE UNIQUE INDEX $type_@_k ON $type_@ USING @ (k)'),
               (10, 'DELETE FROM $type_@ WHERE v IS NOT NULL'),
               (11, 'CREATE UNIQUE INDEX $type_@_k ON $type_@ USING @ (k DESC)'),
               (12, 'SELECT count(*), count(DISTINCT k) FROM $type_@')) s(step, statement)
 ORDER BY type, step;
-- Every NaN equals every other, whatever its bits; -0 equals 0.
SELECT twins('INSERT INTO float8_@ VALUES (''-NaN'')');
SELECT twins('INSERT INTO float8_@ VALUES (''Infinity''::float8 - ''Infinity''::float8)');
SELECT twins('INSERT INTO float4_@ VALUES (-(''NaN''::float4))');
SELECT twins('UPDATE float8_@ SET k = -k WHERE k = 0 RETURNING k');
SELECT twins('INSERT INTO float8_@ VALUES (0), (5)');
SELECT twins('UPDATE float8_@ SET k = -0.0 WHERE k = 5');
-- (Which of the two a build names depends on the sort.)
SELECT twins('CREATE TABLE zeros_@ AS SELECT unnest(''{-0,1,0}''::float8[]) AS k');
SELECT substr(outcome('CREATE UNIQUE INDEX zeros_learned_k ON zeros_learned USING learned (k)'), 1, 5);
SELECT twins('CREATE TABLE nans_@ AS SELECT unnest(''{NaN,1,-NaN}''::float4[]) AS k');
SELECT twins('CREATE UNIQUE INDEX nans_@_k ON nans_@ USING @ (k)');

-- Moving, freeing and taking keys.
SELECT twins('CREATE TABLE t_@ (k int8, v int4)');
SELECT twins('CREATE UNIQUE INDEX t_@_k ON t_@ USING @ (k)');
SELECT twins('INSERT INTO t_@ SELECT i, i FROM generate_series(1, 10000) i');
SELECT twins('INSERT INTO t_@ SELECT i, i FROM generate_series(20000, 9990, -1) i');
SELECT twins('INSERT INTO t_@ VALUES (20001, 0), (20001, 1)');
SELECT twins('UPDATE t_@ SET k = k + 1');
SELECT twins('UPDATE t_@ SET k = -k');
SELECT twins('UPDATE t_@ SET k = -k, v = -v');
SELECT twins('UPDATE t_@ SET v = v + 1 WHERE k <= 5000');
SELECT twins('UPDATE t_@ SET k = 1 WHERE k = 2');
SELECT twins('WITH gone AS (DELETE FROM t_@ WHERE k = 3 RETURNING v) INSERT INTO t_@ SELECT 3, v FROM gone');
SELECT twins('DELETE FROM t_@ WHERE k = 3');
SELECT twins('INSERT INTO t_@ VALUES (3, 33) RETURNING *');
BEGIN;
SELECT twins('DELETE FROM t_@ WHERE k = 4');
SELECT twins('INSERT INTO t_@ VALUES (4, 44) RETURNING *');
SAVEPOINT s;
SELECT twins('INSERT INTO t_@ VALUES (30000, 1)');
ROLLBACK TO s;
SELECT twins('INSERT INTO t_@ VALUES (30000, 2) RETURNING *');
SELECT twins('INSERT INTO t_@ VALUES (30000, 3)');
ROLLBACK;
SELECT twins('INSERT INTO t_@ VALUES (4, 45)');
SELECT twins('SELECT count(*), sum(k), sum(v) FROM t_@');

-- ON CONFLICT.
SELECT twins('INSERT INTO t_@ SELECT i, -1 FROM generate_series(9990, 10010) i ON CONFLICT DO NOTHING');
SELECT twins('INSERT INTO t_@ SELECT i, -2 FROM generate_series(9998, 10003) i ON CONFLICT (k) DO UPDATE SET v = excluded.v WHERE t_@.k % 2 = 0 RETURNING k, v');
SELECT twins('INSERT INTO t_@ VALUES (7, 1), (7, 2) ON CONFLICT (k) DO UPDATE SET v = excluded.v');
SELECT twins('INSERT INTO t_@ VALUES (40000, 1), (40000, 2) ON CONFLICT (k) DO UPDATE SET v = excluded.v');
SELECT twins('INSERT INTO t_@ VALUES (40000, 1), (40000, 2) ON CONFLICT (k) DO NOTHING');
SELECT twins('INSERT INTO t_@ VALUES (NULL, 1), (NULL, 1) ON CONFLICT (k) DO NOTHING');
SELECT twins('INSERT INTO t_@ VALUES (1, 1) ON CONFLICT (v) DO NOTHING');
SELECT twins('INSERT INTO t_@ VALUES (1, 1) ON CONFLICT ON CONSTRAINT t_@_k DO NOTHING');
SELECT twins('MERGE INTO t_@ USING (VALUES (1), (50000)) s (k) ON t_@.k = s.k WHEN MATCHED THEN UPDATE SET v = 0 WHEN NOT MATCHED THEN INSERT VALUES (s.k, 0)');
SELECT twins('SELECT count(*), count(k), sum(k), sum(v) FROM t_@');

-- Constraints proper are btree's, in every version.
SELECT outcome('ALTER TABLE t_learned ADD CONSTRAINT u UNIQUE USING INDEX t_learned_k');
SELECT outcome('ALTER TABLE t_learned ADD PRIMARY KEY USING INDEX t_learned_k');

-- NULLS [NOT] DISTINCT; NULLs may stand at either end.
SELECT twins('CREATE TABLE nulls_@ (k int4, v int4)');
SELECT twins('CREATE UNIQUE INDEX nulls_@_k ON nulls_@ USING @ (k NULLS FIRST) NULLS NOT DISTINCT');
SELECT twins('INSERT INTO nulls_@ VALUES (NULL, 1), (1, 1)');
SELECT twins('INSERT INTO nulls_@ VALUES (NULL, 2)');
SELECT twins('INSERT INTO nulls_@ VALUES (NULL, 2) ON CONFLICT (k) DO UPDATE SET v = excluded.v RETURNING *');
SELECT twins('INSERT INTO nulls_@ VALUES (NULL, 2), (1, 2), (2, 2) ON CONFLICT DO NOTHING RETURNING *');
SELECT twins('UPDATE nulls_@ SET k = NULL WHERE k = 1');
SELECT twins('DROP INDEX nulls_@_k');
SELECT twins('INSERT INTO nulls_@ VALUES (NULL, 3)');
SELECT twins('CREATE UNIQUE INDEX nulls_@_k ON nulls_@ USING @ (k) NULLS NOT DISTINCT');
SELECT twins('CREATE UNIQUE INDEX nulls_@_k ON nulls_@ USING @ (k)');
SELECT twins('INSERT INTO nulls_@ SELECT NULL, i FROM generate_series(1, 500) i');
SELECT twins('INSERT INTO nulls_@ VALUES (1, 1)');
SELECT twins('SELECT count(*), count(k) FROM nulls_@');

-- Partial and expression indexes.
SELECT twins('CREATE TABLE part_@ (k int4, v int4, gone boolean)');
SELECT twins('CREATE UNIQUE INDEX part_@_k ON part_@ USING @ (k) WHERE NOT gone');
SELECT twins('CREATE UNIQUE INDEX part_@_e ON part_@ USING @ ((v % 100))');
SELECT twins('INSERT INTO part_@ VALUES (1, 1, false), (1, 2, true), (1, 3, true)');
SELECT twins('INSERT INTO part_@ VALUES (1, 4, false)');
SELECT twins('INSERT INTO part_@ VALUES (2, 101, false)');
SELECT twins('INSERT INTO part_@ VALUES (1, 5, false) ON CONFLICT (k) WHERE NOT gone DO UPDATE SET v = 50 RETURNING *');
SELECT twins('INSERT INTO part_@ VALUES (9, 250, false) ON CONFLICT ((v % 100)) DO UPDATE SET k = 9 RETURNING *');
SELECT twins('INSERT INTO part_@ VALUES (1, 5, false) ON CONFLICT (k) DO NOTHING');
SELECT twins('UPDATE part_@ SET gone = false WHERE v = 2');
SELECT twins('UPDATE part_@ SET gone = NOT gone');
SELECT twins('SELECT * FROM part_@ ORDER BY v');

-- A build takes in dead rows without complaint, and many versions of one key cross pages. The rows that were deleted
-- by the transaction that builds the index are in it; some of the key are found, or put, on each side.
\set rows 150000
BEGIN;
SELECT twins('CREATE TABLE versions_@ (k float8, v int4)');
INSERT INTO versions_learned SELECT CASE hashint4(i) & 3 WHEN 0 THEN 0.0 WHEN 1 THEN '-0'::float8 ELSE i END, i FROM generate_series(1, :rows) i;
INSERT INTO versions_btree SELECT * FROM versions_learned;
SELECT twins('DELETE FROM versions_@ WHERE k = 0');
SELECT twins('CREATE UNIQUE INDEX versions_@_k ON versions_@ USING @ (k)');
SELECT entries > :rows * 0.9 AS dead_rows_included, leaf_pages > 20 AS many_pages FROM learned_index_stats('versions_learned_k');
SELECT twins('INSERT INTO versions_@ VALUES (0, -1)');
SELECT twins('INSERT INTO versions_@ VALUES (''-0'', -2)');
SELECT twins('INSERT INTO versions_@ VALUES (''-0'', -2) ON CONFLICT (k) DO UPDATE SET v = -3 RETURNING *');
SELECT twins('UPDATE versions_@ SET k = -k WHERE k = 0 RETURNING *');
SELECT twins('INSERT INTO versions_@ VALUES (0, -4)');
COMMIT;
-- The row moves to the beginning of the table and to the middle: there its entries belong to other pages.
SELECT twins('INSERT INTO versions_@ VALUES (0, -4)');
VACUUM versions_learned;
VACUUM versions_btree;
SELECT twins('DELETE FROM versions_@ WHERE k = 0 OR v % 5 = 0');
SELECT twins('INSERT INTO versions_@ VALUES (0, -5)');
SELECT twins('INSERT INTO versions_@ VALUES (''-0'', -5)');
SELECT twins('SELECT count(*), sum(v), sum(k) FROM versions_@');
-- The same with the row before, between and behind dead ones, and with two live ones.
BEGIN;
SELECT twins('CREATE TABLE among_@ AS SELECT 7 AS k, i AS v FROM generate_series(1, 60000) i');
SELECT twins('DELETE FROM among_@ WHERE v NOT IN (1, 30000, 60000)');
SELECT twins('CREATE UNIQUE INDEX among_@_k ON among_@ USING @ (k)');
SELECT twins('DELETE FROM among_@ WHERE v = 1');
SELECT twins('CREATE UNIQUE INDEX among_@_k ON among_@ USING @ (k)');
SELECT twins('DELETE FROM among_@ WHERE v = 60000');
SELECT twins('CREATE UNIQUE INDEX among_@_k ON among_@ USING @ (k)');
SELECT twins('INSERT INTO among_@ VALUES (7, 0)');
SELECT twins('UPDATE among_@ SET k = 7 RETURNING *');
COMMIT;
SELECT twins('INSERT INTO among_@ VALUES (7, 0)');
-- Sorted on disk.
SET maintenance_work_mem = '1MB';
SELECT twins('CREATE TABLE spill_@ AS SELECT hashint4(i) AS k FROM generate_series(1, 200000) i');
SELECT twins('DELETE FROM spill_@ s USING spill_@ o WHERE s.k = o.k AND s.ctid > o.ctid') IS NOT NULL;
SELECT twins('CREATE UNIQUE INDEX spill_@_k ON spill_@ USING @ (k)');
SELECT twins('INSERT INTO spill_@ SELECT k FROM spill_@ WHERE k = (SELECT max(k) FROM spill_@)') ~ 'already exists';
DROP INDEX spill_learned_k, spill_btree_k;
SELECT twins('INSERT INTO spill_@ SELECT max(k) FROM spill_@');
SELECT twins('CREATE UNIQUE INDEX spill_@_k ON spill_@ USING @ (k)') ~ 'could not create unique index "spill_@_k"\n  DETAIL: Key \(k\)=\(-?\d+\) is duplicated.\n  NAMES: spill_@ spill_@_k$';
DROP TABLE spill_learned, spill_btree;
RESET maintenance_work_mem;

-- Several columns: all of them together are the key. A NULL in any makes it one that equals no other.
SELECT twins('CREATE TABLE pair_@ (a int4, b timestamptz, c int8)');
SELECT twins('CREATE UNIQUE INDEX pair_@_ab ON pair_@ USING @ (a, b DESC)');
SELECT twins('INSERT INTO pair_@ SELECT i / 10, timestamptz ''2000-01-01'' + (i % 10) * interval ''1 microsecond'', i FROM generate_series(0, 9999) i');
SELECT twins('INSERT INTO pair_@ VALUES (7, ''2000-01-01 00:00:00.000003+00'', 0)');
SELECT twins('INSERT INTO pair_@ VALUES (7, ''2000-01-01 01:00:00.000009+01'', 0), (1, ''2000-01-01'', 1)');
SELECT twins('INSERT INTO pair_@ VALUES (7, ''2000-01-01 00:00:00.00001+00'', 0), (-7, ''2000-01-01'', 0), (7, ''-infinity'', 0), (7, ''infinity'', 0)');
SELECT twins('INSERT INTO pair_@ VALUES (7, NULL, 1), (7, NULL, 2), (NULL, ''2000-01-01'', 3), (NULL, ''2000-01-01'', 4), (NULL, NULL, 5), (NULL, NULL, 6)');
SELECT twins('INSERT INTO pair_@ VALUES (7, ''infinity'', 9), (7, NULL, 9), (8, ''infinity'', 9) ON CONFLICT DO NOTHING');
SELECT twins('INSERT INTO pair_@ VALUES (7, ''infinity'', 10), (7, NULL, 10), (9, ''infinity'', 10) ON CONFLICT (b, a) DO UPDATE SET c = excluded.c RETURNING *');
SELECT twins('INSERT INTO pair_@ VALUES (5, ''2000-01-01'', 1) ON CONFLICT (a) DO NOTHING');
SELECT twins('INSERT INTO pair_@ VALUES (50000, ''2000-01-01'', 1), (50000, ''2000-01-01'', 2) ON CONFLICT (a, b) DO UPDATE SET c = 0');
SELECT twins('UPDATE pair_@ SET a = a + 1');
SELECT twins('UPDATE pair_@ SET a = -a, b = b + interval ''1 day''');
SELECT twins('UPDATE pair_@ SET b = b + interval ''1 microsecond'' WHERE a = -5');
SELECT twins('UPDATE pair_@ SET a = -5 WHERE a = -6');
SELECT twins('SELECT count(*), sum(a), max(b), sum(c) FROM pair_@');
SELECT twins('DROP INDEX pair_@_ab');
SELECT twins('CREATE UNIQUE INDEX pair_@_ab ON pair_@ USING @ (a NULLS FIRST, b) NULLS NOT DISTINCT') ~ 'Key \(a, b\)=.* is duplicated';
SELECT twins('DELETE FROM pair_@ WHERE c IN (2, 4, 6) AND (a IS NULL OR b IS NULL)');
SELECT twins('CREATE UNIQUE INDEX pair_@_ab ON pair_@ USING @ (a NULLS FIRST, b) NULLS NOT DISTINCT') ~ 'Key \(a, b\)=.* is duplicated';
SELECT twins('DELETE FROM pair_@ p USING pair_@ o WHERE (p.a IS NOT DISTINCT FROM o.a) AND p.b IS NULL AND o.b IS NULL AND p.ctid > o.ctid');
SELECT twins('CREATE UNIQUE INDEX pair_@_ab ON pair_@ USING @ (a NULLS FIRST, b) NULLS NOT DISTINCT');
SELECT twins('INSERT INTO pair_@ VALUES (NULL, NULL, 7)');
SELECT twins('INSERT INTO pair_@ VALUES (NULL, ''2001-01-01'', 7), (NULL, ''2001-01-02'', 7), (10, NULL, 7), (11, NULL, 7)');
SELECT twins('INSERT INTO pair_@ VALUES (10, NULL, 8)');
SELECT twins('INSERT INTO pair_@ VALUES (NULL, ''2001-01-02'', 8), (NULL, ''2001-01-03'', 8), (10, NULL, 8) ON CONFLICT (a, b) DO UPDATE SET c = -1 RETURNING *');
SELECT twins('UPDATE pair_@ SET a = 10 WHERE a = 11');
SELECT twins('SELECT count(*), count(a), count(b), sum(c) FROM pair_@');
-- Floats in front and at the end: what looks different may be equal.
SELECT twins('CREATE TABLE floats_@ (f float8, g float4, v int4)');
SELECT twins('CREATE UNIQUE INDEX floats_@_fg ON floats_@ USING @ (f DESC, g DESC) INCLUDE (v)');
SELECT twins('INSERT INTO floats_@ VALUES (0, ''NaN'', 1), (0, 0, 1), (''NaN'', -0.0, 1), (''NaN'', 1, 1)');
SELECT twins('INSERT INTO floats_@ VALUES (''-0'', -(''NaN''::float4), 2)');
SELECT twins('INSERT INTO floats_@ VALUES (''-0'', ''-0'', 0)');
SELECT twins('INSERT INTO floats_@ VALUES (-(''NaN''::float8), 0, 3)');
SELECT twins('INSERT INTO floats_@ VALUES (-(''NaN''::float8), 1e-45, 3), (''-0'', 1e-45, 3), (5e-324, 0, 3)');
SELECT twins('UPDATE floats_@ SET f = -f, g = -g RETURNING *');
-- Included columns do not count, however many versions there are, of whatever values.
BEGIN;
SELECT twins('CREATE TABLE included_@ AS SELECT 7 AS k, NULLIF(i % 1000, 500) AS v, i FROM generate_series(1, 60000) i');
SELECT twins('DELETE FROM included_@ WHERE i NOT IN (250, 500, 60000)');
SELECT twins('CREATE UNIQUE INDEX included_@_k ON included_@ USING @ (k) INCLUDE (v)');
SELECT twins('DELETE FROM included_@ WHERE i = 250');
SELECT twins('CREATE UNIQUE INDEX included_@_k ON included_@ USING @ (k) INCLUDE (v)');
SELECT twins('DELETE FROM included_@ WHERE i = 500');
SELECT twins('CREATE UNIQUE INDEX included_@_k ON included_@ USING @ (k) INCLUDE (v)');
SELECT entries = 60000 AS dead_rows_included, leaf_pages > 10 AS many_pages FROM learned_index_stats('included_learned_k');
SELECT twins('INSERT INTO included_@ VALUES (7, -1)');
SELECT twins('INSERT INTO included_@ VALUES (7, 400)');
SELECT twins('INSERT INTO included_@ VALUES (7, 100000)');
SELECT twins('INSERT INTO included_@ VALUES (7, NULL)');
SELECT twins('UPDATE included_@ SET v = 300 RETURNING *');
SELECT twins('INSERT INTO included_@ VALUES (7, 800) ON CONFLICT (k) DO UPDATE SET v = excluded.v RETURNING *');
SELECT twins('UPDATE included_@ SET v = NULL RETURNING *');
SELECT twins('INSERT INTO included_@ VALUES (6, 300), (8, 300), (7, 300) ON CONFLICT DO NOTHING');
SELECT twins('INSERT INTO included_@ VALUES (7, 0)');
COMMIT;
SELECT twins('INSERT INTO included_@ VALUES (7, 900)');
VACUUM included_learned;
VACUUM included_btree;
SELECT twins('INSERT INTO included_@ VALUES (7, 900)');
SELECT twins('UPDATE included_@ SET v = i, i = 0 WHERE k = 7');
SELECT twins('SELECT k, v FROM included_@ ORDER BY k');
-- Keys of two words, alone and not.
-- (From 18 on, indexes that are built tell of a table's rows only where autovacuum is on; plans on 19 differ by that, and of two conflicts the other one is met.)
SELECT twins('CREATE TABLE uuid_@ (u uuid, t timetz, k int2) WITH (autovacuum_enabled = off)');
SELECT twins('CREATE UNIQUE INDEX uuid_@_u ON uuid_@ USING @ (u)');
SELECT twins('CREATE UNIQUE INDEX uuid_@_tk ON uuid_@ USING @ (k DESC, t)');
SELECT twins('INSERT INTO uuid_@ SELECT md5(i::text)::uuid, ''00:00+00''::timetz + i * interval ''1 s'', i % 3 FROM generate_series(1, 5000) i');
SELECT twins('INSERT INTO uuid_@ VALUES (upper(md5(''7''))::uuid)');
SELECT twins('INSERT INTO uuid_@ VALUES (NULL, ''00:00:03+00'', 0)');
SELECT twins('INSERT INTO uuid_@ VALUES (NULL, ''01:00:03+01'', 0), (NULL, ''00:00:03+00'', 1), (NULL, NULL, 1), (NULL, NULL, 1)');
SELECT twins('INSERT INTO uuid_@ SELECT md5(i::text)::uuid FROM generate_series(4990, 5010) i ON CONFLICT (u) DO UPDATE SET t = NULL, k = NULL');
SELECT twins('INSERT INTO uuid_@ VALUES (''00000000-0000-0000-0000-000000000000''), (''ffffffff-ffff-ffff-ffff-ffffffffffff'')');
SELECT twins('INSERT INTO uuid_@ VALUES (''ffffffff-ffff-ffff-ffff-ffffffffffff'')');
SELECT twins('SELECT count(*), count(u), count(t), sum(k) FROM uuid_@');
-- Expressions and a predicate; a constraint that is checked at the end, in every version.
SELECT twins('CREATE UNIQUE INDEX pair_@_e ON pair_@ USING @ ((c % 10), a DESC) INCLUDE (b) WHERE c >= 90 AND a < 0');
SELECT twins('INSERT INTO pair_@ VALUES (-11, ''2002-01-01'', 95)');
SELECT twins('INSERT INTO pair_@ VALUES (-11, ''2002-01-01'', 85)');
SELECT twins('INSERT INTO pair_@ VALUES (-11, ''2002-01-02'', 1005) ON CONFLICT ((c % 10), a) WHERE c >= 90 AND a < 0 DO UPDATE SET b = NULL RETURNING *');
SELECT twins('ALTER TABLE uuid_@ ADD CONSTRAINT uuid_@_once EXCLUDE USING @ (k WITH =, t WITH =) DEFERRABLE INITIALLY DEFERRED');
SELECT twins('DROP INDEX uuid_@_tk');
BEGIN;
SELECT twins('INSERT INTO uuid_@ SELECT NULL, t, k FROM uuid_@ WHERE k = 0 AND t < ''00:00:10+00''');
SAVEPOINT s;
SELECT twins('SET CONSTRAINTS uuid_@_once IMMEDIATE');
ROLLBACK TO s;
SELECT twins('UPDATE uuid_@ SET k = -1 WHERE u IS NULL AND k = 0');
SELECT twins('SET CONSTRAINTS uuid_@_once IMMEDIATE');
SELECT twins('INSERT INTO uuid_@ SELECT NULL, t, k FROM uuid_@ WHERE k = -1');
COMMIT;
-- Foreign keys on several columns, partitions.
SELECT twins('CREATE UNIQUE INDEX uuid_@_ku ON uuid_@ USING @ (k, u DESC)');
SELECT twins('CREATE TABLE of_uuid_@ (a uuid, b int8, FOREIGN KEY (b, a) REFERENCES uuid_@ (k, u) ON UPDATE CASCADE ON DELETE SET NULL (b))');
SELECT twins('INSERT INTO of_uuid_@ SELECT md5(i::text)::uuid, i % 3 FROM generate_series(1, 300) i');
SELECT twins('INSERT INTO of_uuid_@ VALUES (md5(''7'')::uuid, 2)');
SELECT twins('INSERT INTO of_uuid_@ VALUES (md5(''7'')::uuid, NULL), (NULL, 77)');
SELECT twins('DELETE FROM uuid_@ WHERE k = 1 AND u = md5(''7'')::uuid');
SELECT twins('UPDATE uuid_@ SET k = k + 10 WHERE u = md5(''8'')::uuid');
SELECT twins('SELECT count(a), count(b), sum(b) FROM of_uuid_@');
SELECT twins('CREATE TABLE halves_@ (k int4, u uuid) PARTITION BY RANGE (u)');
SELECT twins('CREATE TABLE halves_@_1 PARTITION OF halves_@ FOR VALUES FROM (MINVALUE) TO (''80000000-0000-0000-0000-000000000000'')');
SELECT twins('CREATE UNIQUE INDEX halves_@_k ON halves_@ USING @ (k)');
SELECT twins('CREATE UNIQUE INDEX halves_@_ku ON halves_@ USING @ (k, u)');
SELECT twins('CREATE TABLE halves_@_2 PARTITION OF halves_@ FOR VALUES FROM (''80000000-0000-0000-0000-000000000000'') TO (MAXVALUE)');
SELECT twins('INSERT INTO halves_@ SELECT i % 2, md5(i::text)::uuid FROM generate_series(1, 2000) i');
SELECT twins('INSERT INTO halves_@ SELECT 0, md5(i::text)::uuid FROM generate_series(1, 2000) i ON CONFLICT (u, k) DO UPDATE SET k = 2');
SELECT twins('SELECT count(*), sum(k) FROM halves_@');
-- Sorted on disk, entries of all sizes.
SET maintenance_work_mem = '1MB';
SELECT twins('CREATE TABLE sizes_@ AS SELECT i % 5 AS a, hashint4(i) AS b, NULLIF(i % 3, 0) AS c, md5(i::text)::uuid AS u FROM generate_series(1, 60000) i');
SELECT columns, twins(format('CREATE UNIQUE INDEX sizes_@_k ON sizes_@ USING @ %s', columns)),
       twins('INSERT INTO sizes_@ SELECT a, b, NULL, u FROM sizes_@ WHERE u = md5(''9999'')::uuid') ~ 'already exists' AS refused, twins('DROP INDEX sizes_@_k')
  FROM unnest('{"(u)","(a, b, u)","(u) INCLUDE (c, a)","(b, a DESC) INCLUDE (c)","(c DESC, u)"}'::text[]) columns;
SELECT twins('INSERT INTO sizes_@ SELECT a, b, NULL, u FROM sizes_@ WHERE u = md5(''9999'')::uuid');
SELECT columns, twins(format('CREATE UNIQUE INDEX sizes_@_k ON sizes_@ USING @ %s', columns))
  FROM unnest('{"(u)","(a, b, u)","(u) INCLUDE (c, a)","(b, a DESC) INCLUDE (c)","(b, c, u) NULLS NOT DISTINCT","(b, c, u)"}'::text[]) columns;
DROP TABLE sizes_learned, sizes_btree;
RESET maintenance_work_mem;

-- Who may not read the column is not told what is in it.
CREATE ROLE regress_learned_writer;
GRANT USAGE ON SCHEMA uniqueness TO regress_learned_writer;
GRANT INSERT ON t_learned, t_btree, included_learned, included_btree TO regress_learned_writer;
SET ROLE regress_learned_writer;
SELECT twins('INSERT INTO t_@ VALUES (1, 1)');
SELECT twins('INSERT INTO included_@ VALUES (7, 1)');
RESET ROLE;
DROP OWNED BY regress_learned_writer;
DROP ROLE regress_learned_writer;

-- Foreign keys.
SELECT twins('CREATE TABLE child_@ (k int4 REFERENCES t_@ (k) ON DELETE CASCADE ON UPDATE CASCADE, v int4)');
SELECT twins('INSERT INTO child_@ SELECT i % 100 + 1, i FROM generate_series(1, 1000) i');
SELECT twins('INSERT INTO child_@ VALUES (60000, 0)');
SELECT twins('INSERT INTO child_@ VALUES (NULL, 0)');
SELECT twins('DELETE FROM t_@ WHERE k = 10');
SELECT twins('UPDATE t_@ SET k = 60000 WHERE k = 11');
SELECT twins('UPDATE t_@ SET k = 12 WHERE k = 13');
SELECT twins('SELECT count(*), sum(k), count(*) FILTER (WHERE k = 60000) FROM child_@');
SELECT twins('CREATE TABLE strict_@ (k int8 REFERENCES t_@ (k))');
SELECT twins('INSERT INTO strict_@ VALUES (12)');
SELECT twins('DELETE FROM t_@ WHERE k = 12');
SELECT twins('DROP INDEX t_@_k');
SELECT twins('CREATE TABLE self_@ (id int8 NOT NULL, parent int8)');
SELECT twins('CREATE UNIQUE INDEX self_@_id ON self_@ USING @ (id)');
SELECT twins('ALTER TABLE self_@ ADD FOREIGN KEY (parent) REFERENCES self_@ (id) ON DELETE CASCADE');
SELECT twins('INSERT INTO self_@ SELECT i, NULLIF(i / 2, 0) FROM generate_series(1, 1000) i');
SELECT twins('DELETE FROM self_@ WHERE id = 3');
SELECT twins('SELECT count(*), sum(id) FROM self_@');

-- Partitioned tables.
SELECT twins('CREATE TABLE parted_@ (k int4, v int4) PARTITION BY RANGE (k)');
SELECT twins('CREATE TABLE parted_@_1 PARTITION OF parted_@ FOR VALUES FROM (0) TO (1000)');
SELECT twins('CREATE UNIQUE INDEX parted_@_v ON parted_@ USING @ (v)');
SELECT twins('CREATE UNIQUE INDEX parted_@_k ON parted_@ USING @ (k)');
SELECT twins('CREATE TABLE parted_@_2 PARTITION OF parted_@ FOR VALUES FROM (1000) TO (2000)');
SELECT twins('CREATE TABLE parted_@_3 (k int4, v int4)');
SELECT twins('INSERT INTO parted_@_3 VALUES (2000, 1), (2000, 2)');
SELECT twins('ALTER TABLE parted_@ ATTACH PARTITION parted_@_3 FOR VALUES FROM (2000) TO (3000)');
SELECT twins('DELETE FROM parted_@_3 WHERE v = 2');
SELECT twins('ALTER TABLE parted_@ ATTACH PARTITION parted_@_3 FOR VALUES FROM (2000) TO (3000)');
SELECT twins('INSERT INTO parted_@ SELECT i, i FROM generate_series(1, 2999, 2) i');
SELECT twins('INSERT INTO parted_@ VALUES (1001, 1)');
SELECT twins('INSERT INTO parted_@ SELECT i, -i FROM generate_series(0, 2998) i ON CONFLICT (k) DO UPDATE SET v = excluded.v');
SELECT twins('UPDATE parted_@ SET k = k + 1000 WHERE k = 5');
SELECT twins('SELECT count(*), sum(k), sum(v) FROM parted_@');
SELECT twins('CREATE TABLE of_parted_@ (k int4 REFERENCES parted_@ (k))');
SELECT twins('INSERT INTO of_parted_@ VALUES (2998), (3000)');
SELECT twins('INSERT INTO of_parted_@ VALUES (2998), (1500)');
SELECT twins('DELETE FROM parted_@ WHERE k = 1500');

-- REFRESH MATERIALIZED VIEW CONCURRENTLY.
SELECT twins('CREATE MATERIALIZED VIEW view_@ AS SELECT k, sum(v) AS v FROM child_@ GROUP BY k');
SELECT twins('CREATE UNIQUE INDEX view_@_k ON view_@ USING @ (k)');
SELECT twins('UPDATE child_@ SET v = v + 1 WHERE k % 2 = 0');
SELECT twins('DELETE FROM child_@ WHERE k = 20');
SELECT twins('INSERT INTO child_@ VALUES (60000, 1000000), (NULL, 3)');
SELECT twins('REFRESH MATERIALIZED VIEW CONCURRENTLY view_@');
SELECT twins('SELECT count(*), sum(k), sum(v) FROM view_@');
SELECT twins('SELECT count(*) FROM (SELECT * FROM view_@ EXCEPT SELECT k, sum(v) FROM child_@ GROUP BY k) s');

-- Replica identity, temporary and unlogged tables, TRUNCATE, rebuilding.
SELECT twins('ALTER TABLE parted_@ ALTER k SET NOT NULL');
SELECT twins('ALTER TABLE parted_@_1 REPLICA IDENTITY USING INDEX parted_@_1_k_idx');
SELECT twins('ALTER TABLE self_@ REPLICA IDENTITY USING INDEX self_@_id');
SELECT twins('CREATE TEMPORARY TABLE temporary_@ (k int4) ON COMMIT DELETE ROWS');
SELECT twins('CREATE UNIQUE INDEX temporary_@_k ON temporary_@ USING @ (k)');
BEGIN;
SELECT twins('INSERT INTO temporary_@ SELECT generate_series(1, 1000)');
COMMIT;
SELECT twins('INSERT INTO temporary_@ VALUES (1), (1)');
SELECT twins('INSERT INTO temporary_@ SELECT generate_series(1, 1000)');
SELECT twins('CREATE UNLOGGED TABLE unlogged_@ (k int4)');
SELECT twins('CREATE UNIQUE INDEX unlogged_@_k ON unlogged_@ USING @ (k)');
SELECT twins('INSERT INTO unlogged_@ SELECT generate_series(1, 1000)');
SELECT twins('INSERT INTO unlogged_@ VALUES (1000)');
SELECT twins('ALTER TABLE unlogged_@ SET LOGGED');
SELECT twins('INSERT INTO unlogged_@ VALUES (1000)');
SELECT twins('TRUNCATE unlogged_@');
SELECT twins('INSERT INTO unlogged_@ VALUES (1000)');
SELECT twins('REINDEX TABLE unlogged_@');
SELECT twins('INSERT INTO unlogged_@ VALUES (1000)');
SELECT twins('CLUSTER unlogged_@ USING unlogged_@_k');
SELECT twins('INSERT INTO unlogged_@ VALUES (1000)');
SELECT twins('ALTER TABLE unlogged_@ ALTER k TYPE int8');
SELECT twins('INSERT INTO unlogged_@ VALUES (1000)');

-- Rows in the places of removed ones, with their keys: the index has two entries of the same key and place, of which one counts.
\getenv tests PG_ABS_SRCDIR
\set settle :tests '/sql/settle.inc'
\i :settle
CREATE TABLE again_learned (k int4, n int4) WITH (autovacuum_enabled = off);
CREATE TABLE again_btree (k int4, n int4) WITH (autovacuum_enabled = off);
SELECT twins('INSERT INTO again_@ SELECT i, i FROM generate_series(1, 1000) i');
SELECT twins('CREATE UNIQUE INDEX again_@_k ON again_@ USING @ (k)');
CREATE TABLE places AS SELECT k, ctid AS place FROM again_learned;
SELECT twins('DELETE FROM again_@ WHERE k BETWEEN 100 AND 139');
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) again_learned;
VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) again_btree;
SELECT twins('INSERT INTO again_@ SELECT i, -i FROM generate_series(100, 138) i');
SELECT count(*) FROM again_learned a JOIN places p ON a.k = p.k AND a.ctid = p.place WHERE n < 0;
SELECT delta_entries, dead_entries FROM learned_index_stats('again_learned_k');
SELECT twins('INSERT INTO again_@ VALUES (120, 0)');
SELECT twins('INSERT INTO again_@ VALUES (139, 0)');
SELECT twins('INSERT INTO again_@ VALUES (139, 1)');
SELECT twins('INSERT INTO again_@ VALUES (110, 5), (2000, 6) ON CONFLICT (k) DO UPDATE SET n = 5 RETURNING k, n');
SELECT twins('UPDATE again_@ SET k = 111 WHERE k = 112');
SELECT twins('DELETE FROM again_@ WHERE k = 113');
SELECT twins('INSERT INTO again_@ VALUES (113, 7)');
SELECT twins('INSERT INTO again_@ VALUES (113, 8)');
SELECT twins('SELECT count(*), count(DISTINCT k), sum(n) FROM again_@');

-- The planner knows. (Names of the indexes are the same in both: the plans must be.)
SET enable_indexonlyscan = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
CREATE TABLE wide_learned AS SELECT i AS a, i::int8 AS b, i AS c FROM generate_series(1, 5000) i;
CREATE TABLE wide_btree AS TABLE wide_learned;
SELECT twins('CREATE UNIQUE INDEX wide_@_a ON wide_@ USING @ (a)');
SELECT twins('ALTER TABLE wide_@ ALTER a SET NOT NULL');
ANALYZE wide_learned, wide_btree;
SELECT twins('EXPLAIN (COSTS OFF) SELECT x.b FROM wide_@ x LEFT JOIN wide_@ y ON x.c = y.a');
SELECT twins('EXPLAIN (COSTS OFF) SELECT x.b FROM wide_@ x LEFT JOIN wide_@ y ON x.b = y.a');
SELECT twins('EXPLAIN (COSTS OFF) SELECT x.b FROM wide_@ x LEFT JOIN parted_@ y ON x.b = y.k');
SELECT twins('EXPLAIN (COSTS OFF) SELECT x.b FROM wide_@ x LEFT JOIN wide_@ y ON x.c = y.c');
SELECT twins('EXPLAIN (COSTS OFF) SELECT x.b FROM wide_@ x LEFT JOIN halves_@ y ON x.b = y.k AND y.u = ''00000000-0000-0000-0000-000000000000''');
SELECT twins('EXPLAIN (COSTS OFF) SELECT x.b FROM wide_@ x LEFT JOIN included_@ y ON x.b = y.k');
SELECT twins('EXPLAIN (COSTS OFF) SELECT x.b, y.c FROM wide_@ x JOIN wide_@ y ON x.a = y.a WHERE y.b > 7');
SELECT twins('EXPLAIN (VERBOSE, COSTS OFF) SELECT x.b, y.c FROM wide_@ x JOIN wide_@ y ON x.b = y.a WHERE x.c < 10');
SELECT twins('EXPLAIN (COSTS OFF) SELECT b FROM wide_@ x WHERE EXISTS (SELECT FROM wide_@ y WHERE x.c = y.a AND y.b > 7) AND x.c < 10');
SELECT twins('EXPLAIN (COSTS OFF) SELECT * FROM wide_@ WHERE a = 77');
SELECT twins('EXPLAIN (COSTS OFF) INSERT INTO wide_@ VALUES (1, 1, 1) ON CONFLICT (a) DO UPDATE SET c = 0');
SET enable_indexscan = off;
SET enable_bitmapscan = off;
SET enable_hashagg = off;
SELECT twins('EXPLAIN (COSTS OFF) SELECT a, b, c FROM wide_@ GROUP BY a, b, c');

SELECT check_all();
\pset tuples_only off
\pset format aligned
SET client_min_messages = warning;
DROP SCHEMA uniqueness CASCADE;
