-- learned_index_histogram() and learned_index_sample(): borders beside those that the table has, rows beside those that there are, chances
-- beside what chance allows, the pages that were read, and what is refused. (Kinds of relations: check.sql.)
SET client_min_messages = warning;
SET learned_index.enable_aggregates = off; -- rows are to be read: aggregates.sql counts them
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
\getenv tests PG_ABS_SRCDIR
\set settle :tests '/sql/settle.inc'
\i :settle
\set SHOW_CONTEXT never
SET TimeZone = 'UTC';
SET jit = off;

-- ---- histograms

-- Where all leaves are read borders are exact: whether they are those of the table's rows, in the order of the index.
CREATE FUNCTION tools_exact(index regclass, buckets int, keys text[], ordered text, condition text DEFAULT 'true') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  EXECUTE format('
    WITH r AS (SELECT row_number() OVER (ORDER BY %1$s) - 1 AS rank, ARRAY[%2$s]::text[] AS key FROM %3$s WHERE %4$s),
         b AS (SELECT least(%5$s, count(*)) AS n, count(*) AS t FROM r),
         expected AS (SELECT i + 1 AS bucket, l.key AS lower_key, u.key AS upper_key, (i + 1) * t / n - i * t / n AS entries, true AS exact
                        FROM b, generate_series(0, n - 1) i, r l, r u WHERE l.rank = i * t / n AND u.rank = least((i + 1) * t / n, t - 1)),
         got AS (SELECT * FROM learned_index_histogram(%6$L, %5$s))
    SELECT (SELECT count(*) FROM got) || CASE WHEN EXISTS ((TABLE got EXCEPT TABLE expected) UNION ALL (TABLE expected EXCEPT TABLE got))
           THEN '' differ: '' || (SELECT string_agg(g::text || '' not '' || e, E''\n'') FROM expected e FULL JOIN got g USING (bucket)) ELSE '' agree'' END',
    ordered, array_to_string(keys, ', '), (SELECT indrelid::regclass FROM pg_index WHERE indexrelid = index), condition, buckets, index)
    INTO result;
  RETURN result;
END $$;

CREATE TABLE tools_kinds (k int8, d date, f float8, u uuid, b bool, n int4, id int4);
CREATE INDEX tools_k ON tools_kinds USING learned (k);
SELECT * FROM learned_index_histogram('tools_k', 10);
INSERT INTO tools_kinds VALUES (NULL);
SELECT * FROM learned_index_histogram('tools_k', 10);
INSERT INTO tools_kinds (k) VALUES (7);
SELECT * FROM learned_index_histogram('tools_k', 10);
INSERT INTO tools_kinds (k) VALUES (9), (8);
SELECT * FROM learned_index_histogram('tools_k', 2);
SELECT * FROM learned_index_histogram('tools_k', 1);
TRUNCATE tools_kinds;
INSERT INTO tools_kinds
  SELECT CASE WHEN i % 11 > 0 THEN hashint8(i) END, date '2024-01-01' + (hashint8(-i) % 1000), hashint8(i) / 7.0,
         CASE WHEN i % 7 > 0 THEN md5(i::text)::uuid END, CASE WHEN i % 5 > 1 THEN i % 2 = 0 END, nullif(hashint8(i) % 100, 3), i
    FROM generate_series(1, 20000) i;
CREATE INDEX tools_k_desc ON tools_kinds USING learned (k DESC);
CREATE INDEX tools_d ON tools_kinds USING learned (d);
CREATE INDEX tools_f ON tools_kinds USING learned (f DESC NULLS LAST);
CREATE INDEX tools_u ON tools_kinds USING learned (u NULLS FIRST);
CREATE INDEX tools_b ON tools_kinds USING learned (b);
CREATE INDEX tools_nu ON tools_kinds USING learned (n DESC, u NULLS FIRST);
CREATE INDEX tools_nkd ON tools_kinds USING learned (n NULLS FIRST, k DESC NULLS LAST, d) INCLUDE (f);
CREATE INDEX tools_part ON tools_kinds USING learned (k) WHERE b;
CREATE INDEX tools_sum ON tools_kinds USING learned ((k + n), b);
CREATE INDEX tools_id ON tools_kinds USING learned (id);
SELECT tools_exact('tools_k', 100, '{k}', 'k', 'k IS NOT NULL');
SELECT tools_exact('tools_k', 10000, '{k}', 'k', 'k IS NOT NULL');
SELECT tools_exact('tools_k_desc', 7, '{k}', 'k DESC', 'k IS NOT NULL');
SELECT tools_exact('tools_d', 1, '{d}', 'd');
SELECT tools_exact('tools_d', 12, '{d}', 'd');
SELECT tools_exact('tools_f', 30, '{f}', 'f DESC', 'f IS NOT NULL');
SELECT tools_exact('tools_u', 64, '{u}', 'u', 'u IS NOT NULL');
SELECT tools_exact('tools_b', 5, ARRAY['CASE WHEN b THEN ''t'' ELSE ''f'' END'], 'b', 'b IS NOT NULL');
-- A NULL in the first column is in no bucket, in others it is where the index has it.
SELECT tools_exact('tools_nu', 200, '{n, u}', 'n DESC, u NULLS FIRST', 'n IS NOT NULL');
SELECT tools_exact('tools_nkd', 200, '{n, k, d}', 'n, k DESC NULLS LAST, d', 'n IS NOT NULL');
SELECT tools_exact('tools_part', 50, '{k}', 'k', 'b AND k IS NOT NULL');
SELECT tools_exact('tools_sum', 50, ARRAY['k + n', 'CASE WHEN b THEN ''t'' WHEN NOT b THEN ''f'' END'], 'k + n, b', 'k + n IS NOT NULL');
-- With deltas, and with entries removed: in the dead bitmap, and whole leaves.
INSERT INTO tools_kinds (k, n, u) SELECT hashint8(-i), i % 90, md5((-i)::text)::uuid FROM generate_series(1, 500) i;
SELECT tools_exact('tools_k', 100, '{k}', 'k', 'k IS NOT NULL'), tools_exact('tools_nu', 33, '{n, u}', 'n DESC, u NULLS FIRST', 'n IS NOT NULL');
DELETE FROM tools_kinds WHERE hashint8(k) % 3 = 0 OR k BETWEEN 0 AND 500000000;
-- Until VACUUM has come by, entries count.
SELECT sum(h.entries) > (SELECT count(k) FROM tools_kinds) AS dead_included FROM learned_index_histogram('tools_k', 10) h;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON) tools_kinds;
SELECT tools_exact('tools_k', 100, '{k}', 'k', 'k IS NOT NULL'), tools_exact('tools_k_desc', 100, '{k}', 'k DESC', 'k IS NOT NULL');
SELECT tools_exact('tools_nkd', 100, '{n, k, d}', 'n, k DESC NULLS LAST, d', 'n IS NOT NULL'), tools_exact('tools_u', 64, '{u}', 'u', 'u IS NOT NULL');
INSERT INTO tools_kinds (k, n, u, id) SELECT hashint8(-i), i % 90, md5((-i)::text)::uuid, i * 37 FROM generate_series(501, 600) i;
SELECT tools_exact('tools_k', 100, '{k}', 'k', 'k IS NOT NULL'), tools_exact('tools_u', 64, '{u}', 'u', 'u IS NOT NULL');
SELECT tools_exact('tools_id', 1, '{id}', 'id', 'id IS NOT NULL'), tools_exact('tools_id', 1000, '{id}', 'id', 'id IS NOT NULL');
SELECT dead_entries > 1000 AS dead, delta_entries > 0 AS deltas FROM learned_index_stats('tools_id');
DELETE FROM tools_kinds;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON) tools_kinds;
SELECT count(*) FROM (SELECT FROM learned_index_histogram('tools_k', 10) UNION ALL SELECT FROM learned_index_histogram('tools_nu', 10)) h;
DROP TABLE tools_kinds;
DROP FUNCTION tools_exact;

-- Where some are read they are estimates. A third of the keys serial, of which a leaf has a hundred times as many; and the same with
-- more rows that came in random order.
CREATE TABLE tools_large (k int8, a int8, b int8, c int8, tag int) WITH (autovacuum_enabled = off);
INSERT INTO tools_large SELECT i, 0, 0, 0 FROM generate_series(1, 100000) i;
INSERT INTO tools_large SELECT 1000000 + abs(hashint8extended(i, 1) / 2), hashint8extended(i, 2), hashint8extended(i, 3), hashint8extended(i, 4)
  FROM generate_series(1, 200000) i;
CREATE INDEX tools_large_k ON tools_large USING learned (k) WITH (fillfactor = 50);
CREATE INDEX tools_large_wide ON tools_large USING learned (k, a, b, c) WITH (fillfactor = 50);
CREATE INDEX tools_large_random ON tools_large USING learned (k, a, b, c) WITH (fillfactor = 50) WHERE k > 1000000;
CREATE INDEX tools_large_tag ON tools_large USING learned (tag);
-- The pages of an index that a query looks at.
CREATE FUNCTION tools_reads(index regclass, query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  before bigint := pg_stat_get_xact_blocks_fetched(index);
BEGIN
  EXECUTE query;
  RETURN pg_stat_get_xact_blocks_fetched(index) - before;
END $$;
-- How far from its share a bucket's rows are at most, in per cent of it; whether few pages were looked at, and borders called exact.
CREATE FUNCTION tools_estimate(index regclass, buckets int, OUT per_cent_off numeric, OUT reads_each numeric, OUT of_pages numeric, OUT exact boolean)
LANGUAGE plpgsql AS $$
BEGIN
  WITH h AS (SELECT bucket, lower_key[1]::int8 AS lower, upper_key[1]::int8 AS upper, h.exact FROM learned_index_histogram(index, buckets) h),
       n AS (SELECT bucket, bool_and(h.exact) AS exact, count(*) AS n FROM h JOIN tools_large ON k >= lower AND (k < upper OR bucket = buckets AND k = upper) GROUP BY 1)
  SELECT round(100 * max(abs(n / (SELECT count(*) FROM tools_large)::numeric * buckets - 1)), 1), bool_or(n.exact) INTO per_cent_off, exact FROM n;
  reads_each := tools_reads(index, format('SELECT count(*) FROM learned_index_histogram(%L, %s)', index, buckets));
  of_pages := round(reads_each * 8192 / pg_relation_size(index), 2);
  reads_each := round(reads_each / buckets, 0);
END $$;
SELECT per_cent_off < 5 AS close, reads_each < 40 AS few_reads, of_pages < 0.5 AS not_all, exact FROM tools_estimate('tools_large_k', 10);
SELECT per_cent_off < 5 AS close, reads_each < 40 AS few_reads, of_pages < 0.5 AS not_all, exact FROM tools_estimate('tools_large_wide', 10);
SELECT per_cent_off < 5 AS close, reads_each < 40 AS few_reads, of_pages < 0.9 AS not_all, exact FROM tools_estimate('tools_large_wide', 25);
SELECT per_cent_off, exact FROM tools_estimate('tools_large_k', 100);
INSERT INTO tools_large SELECT 1000000 + abs(hashint8extended(i, 1) / 2), hashint8extended(i, 2), hashint8extended(i, 3), hashint8extended(i, 4)
  FROM generate_series(200001, 230000) i;
SELECT per_cent_off < 8 AS close, reads_each < 40 AS few_reads, of_pages < 0.5 AS not_all, exact FROM tools_estimate('tools_large_k', 10);
SELECT per_cent_off < 8 AS close, reads_each < 40 AS few_reads, of_pages < 0.5 AS not_all, exact FROM tools_estimate('tools_large_wide', 10);

-- ---- samples

-- So many rows, none twice, each one that is there.
CREATE FUNCTION tools_rows(index regclass, n int, condition text DEFAULT 'true', OUT rows bigint, OUT are_there boolean) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('SELECT count(*), count(DISTINCT x) = count(*) AND count(ctid) = count(*)
                    FROM learned_index_sample(%L, %s) x LEFT JOIN (SELECT ctid FROM %s WHERE %s) t ON ctid = x',
                 index, n, (SELECT indrelid::regclass FROM pg_index WHERE indexrelid = index), condition) INTO rows, are_there;
END $$;
-- How often things of several kinds were drawn, beside how many there are: whether chance would do that more than once in a billion times. (Wilson
-- and Hilferty's approximation of chi-square's quantile.)
CREATE FUNCTION tools_even(drawn bigint[], there bigint[]) RETURNS text LANGUAGE sql AS $$
SELECT CASE WHEN chi < df * (1 - 2 / (9 * df) + 6 * sqrt(2 / (9 * df))) ^ 3 THEN 'even' ELSE format('chi-square %s of %s', chi, df) END
  FROM (SELECT sum((d - t * ratio) ^ 2 / (t * ratio)) AS chi, (count(*) - 1)::float8 AS df
          FROM unnest(drawn, there) AS u (d, t), (SELECT (SELECT sum(d) FROM unnest(drawn) d)::float8 / (SELECT sum(t) FROM unnest(there) t) AS ratio) r) c $$;
SELECT tools_even('{100, 110, 95}', '{1000, 1000, 1000}'), tools_even('{100, 190, 15}', '{1000, 1000, 1000}'), tools_even('{0, 500}', '{100, 900}'), tools_even('{50, 450}', '{100, 900}');

CREATE TABLE tools_small (k int8, tag int) WITH (autovacuum_enabled = off, fillfactor = 80);
CREATE INDEX tools_small_k ON tools_small USING learned (k);
CREATE INDEX tools_small_part ON tools_small USING learned (k) WHERE tag % 4 = 0;
SELECT count(*) FROM learned_index_sample('tools_small_k', 10);
INSERT INTO tools_small VALUES (NULL, 1);
SELECT * FROM tools_rows('tools_small_k', 10);
SELECT * FROM tools_rows('tools_small_k', 0);
TRUNCATE tools_small;
INSERT INTO tools_small SELECT CASE WHEN i % 20 > 0 THEN i END, i % 10 FROM generate_series(1, 60000) i;
INSERT INTO tools_small SELECT 1000000 + abs(hashint8extended(i, 1) / 2), i % 10 FROM generate_series(1, 30000) i;
-- Rows gone, rows of another version on the same page or elsewhere, with other keys.
DELETE FROM tools_small WHERE hashint8(k) % 4 = 1;
UPDATE tools_small SET tag = 10 WHERE k % 7 = 2;
UPDATE tools_small SET k = k + 1 WHERE k % 7 = 3;
BEGIN;
INSERT INTO tools_small SELECT -i, 3 FROM generate_series(1, 1000) i;
UPDATE tools_small SET k = -k WHERE k % 7 = 5;
-- What the transaction itself has done, and when it has not.
SELECT (tools_rows('tools_small_k', 1000000)).*, (SELECT count(*) FROM tools_small);
SELECT * FROM tools_rows('tools_small_k', 5000);
ROLLBACK;
SELECT (tools_rows('tools_small_k', 1000000)).*, (SELECT count(*) FROM tools_small);
SELECT * FROM tools_rows('tools_small_k', 70000);
SELECT * FROM tools_rows('tools_small_k', 20000);
SELECT * FROM tools_rows('tools_small_k', 1);
SELECT (tools_rows('tools_small_part', 1000000, 'tag % 4 = 0')).*, (SELECT count(*) FROM tools_small WHERE tag % 4 = 0);
SELECT * FROM tools_rows('tools_small_part', 500, 'tag % 4 = 0');
-- An older snapshot samples what it sees.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM tools_small \gset before_
SELECT * FROM tools_rows('tools_small_k', 1000);
SELECT (tools_rows('tools_small_k', 1000000)).*, :before_count;
ROLLBACK;

-- Each row has the same chance, be its leaf large or small, in the delta, its version in a chain or not. (Of two queries with the same seed the answers
-- are the same.)
CREATE VIEW tools_classes AS
  SELECT ctid AS place, coalesce(CASE WHEN k < 1000000 THEN k / 10000 ELSE 6 + k / (4611686018427387904 / 6) END, 20) * 2 + (tag = 10)::int AS class FROM tools_small;
CREATE FUNCTION tools_chances(index regclass, classes regclass, n int, calls int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  PERFORM setseed(0.25);
  CREATE TEMP TABLE drawn AS SELECT x AS place FROM generate_series(1, calls) g, learned_index_sample(index, n + 0 * g) x;
  EXECUTE format('
    WITH there AS (SELECT class, count(*) AS t FROM %1$s GROUP BY 1), got AS (SELECT class, count(*) AS d FROM %1$s JOIN drawn USING (place) GROUP BY 1)
    SELECT tools_even(array_agg(coalesce(d, 0) ORDER BY class), array_agg(t ORDER BY class)) || '', '' || sum(d) FROM there LEFT JOIN got USING (class)', classes) INTO result;
  DROP TABLE drawn;
  RETURN result;
END $$;
SELECT tools_chances('tools_small_k', 'tools_classes', 200, 100);
SELECT tools_chances('tools_small_k', 'tools_classes', 10000, 2);
SELECT tools_chances('tools_small_k', 'tools_classes', 60000, 1);
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON) tools_small;
INSERT INTO tools_small SELECT i * 997 % 60000, 3 FROM generate_series(1, 50) i;
SELECT delta_entries > 0 AS deltas FROM learned_index_stats('tools_small_k');
SELECT (tools_rows('tools_small_k', 1000000)).*, (SELECT count(*) FROM tools_small);
SELECT tools_chances('tools_small_k', 'tools_classes', 200, 100);
SELECT setseed(0.5) \gset
SELECT array_agg(x) AS one FROM learned_index_sample('tools_small_k', 50) x \gset
SELECT setseed(0.5) \gset
SELECT array_agg(x) = :'one' AS repeated FROM learned_index_sample('tools_small_k', 50) x;
SELECT array_agg(x) = :'one' AS repeated FROM learned_index_sample('tools_small_k', 50) x;

-- Entries in the dead bitmap are none.
CREATE TABLE tools_thinned AS SELECT i AS k FROM generate_series(1, 60000) i;
CREATE INDEX tools_thinned_k ON tools_thinned USING learned (k);
DELETE FROM tools_thinned WHERE hashint4(k) % 3 = 0 OR k BETWEEN 20000 AND 35000 AND k % 10 > 0;
CALL pg_temp.settle();
VACUUM (INDEX_CLEANUP ON) tools_thinned;
INSERT INTO tools_thinned SELECT i * 997 % 60000 FROM generate_series(1, 50) i;
SELECT dead_entries > 10000 AS dead, delta_entries > 0 AS deltas FROM learned_index_stats('tools_thinned_k');
CREATE VIEW tools_thinned_classes AS SELECT ctid AS place, k / 5000 AS class FROM tools_thinned;
SELECT tools_chances('tools_thinned_k', 'tools_thinned_classes', 200, 100);
SELECT (tools_rows('tools_thinned_k', 100000)).*, (SELECT count(*) FROM tools_thinned);
DROP VIEW tools_thinned_classes;
DROP TABLE tools_thinned;

-- Not all leaves are read: they are of equal size, and of very different ones.
CREATE VIEW tools_large_classes AS
  SELECT ctid AS place, CASE WHEN k < 1000000 THEN k / 20000 ELSE 6 + k / (4611686018427387904 / 20) END AS class FROM tools_large;
CREATE VIEW tools_random_classes AS SELECT * FROM tools_large_classes WHERE class >= 6;
SELECT leaf_pages > 1400 AS many FROM learned_index_stats('tools_large_random');
SELECT tools_chances('tools_large_random', 'tools_random_classes', 100, 100);
SELECT tools_chances('tools_large_wide', 'tools_large_classes', 20, 300);
SELECT tools_chances('tools_large_wide', 'tools_large_classes', 300, 20);
SELECT tools_reads('tools_large_random', $$SELECT * FROM learned_index_sample('tools_large_random', 1)$$) BETWEEN 1024 AND 1060 AS few,
       tools_reads('tools_large_random', $$SELECT * FROM learned_index_sample('tools_large_random', 250)$$) BETWEEN 1024 AND 1060 AS few,
       tools_reads('tools_large_tag', $$SELECT * FROM learned_index_sample('tools_large_tag', 100)$$) < 1200 AS few,
       pg_relation_size('tools_large_random') > 1400 * 8192 AS of_many;
SELECT * FROM tools_rows('tools_large_tag', 1000);
-- Nothing to be found.
DELETE FROM tools_large WHERE k > 1000000;
SELECT count(*) FROM learned_index_sample('tools_large_random', 100);
SELECT * FROM tools_rows('tools_large_wide', 100);
DROP VIEW tools_random_classes, tools_large_classes, tools_classes;

-- What it is for.
SELECT count(*), min(k) > 0 AS right_rows FROM tools_small WHERE ctid = ANY (ARRAY(SELECT learned_index_sample('tools_small_k', 100)));
DROP TABLE tools_small, tools_large;

-- ---- refusals

CREATE TABLE tools_refused (k int8, secret int4);
INSERT INTO tools_refused SELECT i, i FROM generate_series(1, 100) i;
CREATE INDEX tools_refused_k ON tools_refused USING learned (k);
CREATE INDEX tools_refused_two ON tools_refused USING learned (k, secret);
CREATE INDEX tools_refused_included ON tools_refused USING learned (k) INCLUDE (secret);
CREATE INDEX tools_refused_part ON tools_refused USING learned (k) WHERE secret > 0;
CREATE INDEX tools_refused_sum ON tools_refused USING learned ((k + 1));
SELECT * FROM learned_index_histogram('tools_refused_k', 0);
SELECT * FROM learned_index_histogram('tools_refused_k', -1);
SELECT * FROM learned_index_histogram('tools_refused_k', 10001);
SELECT * FROM learned_index_sample('tools_refused_k', -1);
\set VERBOSITY sqlstate
SELECT * FROM learned_index_histogram('tools_refused_k', 10001);
SELECT * FROM learned_index_sample('tools_refused_k', -1);
\set VERBOSITY default
SELECT count(*) FROM learned_index_histogram('tools_refused_k', 10000), learned_index_sample('tools_refused_k', 2147483647);
SELECT count(*) FROM learned_index_histogram('tools_refused_k');
SELECT count(*) FROM learned_index_histogram(NULL, 10), learned_index_sample(NULL, 10);
SELECT count(*) FROM learned_index_histogram('tools_refused_k', NULL), learned_index_sample('tools_refused_k', NULL);
-- In whatever place a function may stand.
SELECT learned_index_sample('tools_refused_k', 0), learned_index_histogram('tools_refused_k', 1);
SELECT (learned_index_histogram('tools_refused_k', 1)).*;

-- Who may: who may read it all.
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_learned_reader, regress_learned_column, regress_learned_monitor, regress_learned_other;
RESET client_min_messages;
CREATE ROLE regress_learned_reader;
CREATE ROLE regress_learned_column;
CREATE ROLE regress_learned_monitor IN ROLE pg_monitor;
CREATE ROLE regress_learned_other;
GRANT SELECT ON tools_refused TO regress_learned_reader;
GRANT SELECT (k) ON tools_refused TO regress_learned_column;
GRANT INSERT, UPDATE, DELETE ON tools_refused TO regress_learned_other;
CREATE FUNCTION tools_allowed(OUT index name, OUT histogram text, OUT sample text) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
  FOR index IN SELECT relname FROM pg_class WHERE relname ~ '^tools_refused_' ORDER BY 1 LOOP
    BEGIN
      SELECT count(*) INTO histogram FROM learned_index_histogram(index::regclass, 10);
    EXCEPTION WHEN insufficient_privilege THEN histogram := SQLERRM;
    END;
    BEGIN
      SELECT count(*) INTO sample FROM learned_index_sample(index::regclass, 10);
    EXCEPTION WHEN insufficient_privilege THEN sample := SQLERRM;
    END;
    RETURN NEXT;
  END LOOP;
END $$;
SET ROLE regress_learned_reader;
SELECT * FROM tools_allowed();
SET ROLE regress_learned_column;
SELECT * FROM tools_allowed();
SET ROLE regress_learned_monitor;
SELECT * FROM tools_allowed();
SET ROLE regress_learned_other;
SELECT * FROM tools_allowed();
RESET ROLE;
-- And from whom no row is hidden.
ALTER TABLE tools_refused ENABLE ROW LEVEL SECURITY;
CREATE POLICY half ON tools_refused USING (k > 50);
SET ROLE regress_learned_reader;
SELECT * FROM tools_allowed();
SET row_security = off;
SELECT * FROM tools_allowed();
RESET row_security;
RESET ROLE;
SELECT * FROM tools_allowed();
-- What the hint names does help: BYPASSRLS, and to own the table unless the policy is forced on its owner.
SET ROLE regress_learned_reader;
SELECT count(*) FROM learned_index_histogram('tools_refused_k', 10);
SELECT count(*) FROM learned_index_sample('tools_refused_k', 10);
RESET ROLE;
ALTER ROLE regress_learned_reader BYPASSRLS;
SET ROLE regress_learned_reader;
SELECT count(*) FROM learned_index_histogram('tools_refused_k', 10);
RESET ROLE;
ALTER ROLE regress_learned_reader NOBYPASSRLS;
ALTER TABLE tools_refused OWNER TO regress_learned_reader;
SET ROLE regress_learned_reader;
SELECT count(*) FROM learned_index_histogram('tools_refused_k', 10);
ALTER TABLE tools_refused FORCE ROW LEVEL SECURITY;
SELECT count(*) FROM learned_index_histogram('tools_refused_k', 10);
RESET ROLE;
DROP TABLE tools_refused;
DROP FUNCTION tools_allowed;
DROP ROLE regress_learned_reader, regress_learned_column, regress_learned_monitor, regress_learned_other;

-- An index that is younger than the snapshot: chains of versions have but one entry, of what the last of them has.
CREATE TABLE tools_chains (k int8, tag int) WITH (fillfactor = 50);
INSERT INTO tools_chains SELECT i, 0 FROM generate_series(1, 100) i;
BEGIN;
UPDATE tools_chains SET k = -k;
CREATE INDEX tools_chains_k ON tools_chains USING learned (k);
SAVEPOINT refused;
SELECT count(*) FROM learned_index_sample('tools_chains_k', 10);
ROLLBACK TO refused;
COMMIT;
CALL pg_temp.settle();
SELECT * FROM tools_rows('tools_chains_k', 1000);
DROP TABLE tools_chains;
DROP FUNCTION tools_reads, tools_estimate, tools_rows, tools_even, tools_chances;
