-- Building an index, in every way a table can call for it. Each index is verified, and its content compared
-- with a sequential scan.
SET client_min_messages = warning;
SET learned_index.enable_aggregates = off; -- rows are to be read: aggregates.sql counts them
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;

-- Verifies an index and compares what it yields, in order and as a bitmap, with a sequential scan.
CREATE FUNCTION build_agrees(tab text, col text, idx text, cond text DEFAULT 'true') RETURNS text
LANGUAGE plpgsql
SET enable_seqscan = on SET enable_sort = on
SET enable_indexscan = on SET enable_indexonlyscan = on SET enable_bitmapscan = on
SET max_parallel_workers_per_gather = 0 SET jit = off
AS $$
DECLARE
  -- Rows, keys, a digest of rows with their places, and breaches of the order.
  ordered text := format('
    SELECT count(*) AS n, count(k) AS keys, sum(hashtext(place::text || coalesce(k::text, ''null''))) AS digest,
           count(*) FILTER (WHERE k < previous OR (previous IS NULL AND k IS NOT NULL AND number > 1)) AS breaches
    FROM (SELECT place, k, lag(k) OVER () AS previous, row_number() OVER () AS number
          FROM (SELECT ctid AS place, %2$s AS k FROM %1$s WHERE %3$s ORDER BY %2$s OFFSET 0) a) b', tab, col, cond);
  ranged text;
  ends text[];
  expected record;
  actual record;
  line text;
  plan text := '';
BEGIN
  PERFORM learned_index_check(idx::regclass, true);

  SET LOCAL enable_indexscan = off;
  SET LOCAL enable_indexonlyscan = off;
  SET LOCAL enable_bitmapscan = off;
  EXECUTE ordered INTO expected;

  SET LOCAL enable_indexscan = on;
  SET LOCAL enable_seqscan = off;
  SET LOCAL enable_sort = off;
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || ordered LOOP
    plan := plan || line || E'\n';
  END LOOP;
  IF plan !~ ('Index Scan using ' || idx || ' on') THEN
    RETURN 'index not used for the order: ' || plan;
  END IF;
  EXECUTE ordered INTO actual;
  IF actual IS DISTINCT FROM expected THEN
    RETURN format('ordered scan differs: expected %s, found %s', expected, actual);
  END IF;

  -- The middle half of the keys.
  SET LOCAL enable_seqscan = on;
  SET LOCAL enable_sort = on;
  SET LOCAL enable_indexscan = off;
  EXECUTE format('SELECT percentile_disc(ARRAY[0.25, 0.75]) WITHIN GROUP (ORDER BY %2$s)::text[] FROM %1$s WHERE %3$s',
                 tab, col, cond) INTO ends;
  IF ends[1] IS NOT NULL THEN
    ranged := format('SELECT count(*) AS n, sum(hashtext(ctid::text)) AS digest FROM %1$s WHERE %3$s AND %2$s BETWEEN %4$L AND %5$L',
                     tab, col, cond, ends[1], ends[2]);
    EXECUTE ranged INTO expected;
    SET LOCAL enable_seqscan = off;
    SET LOCAL enable_bitmapscan = on;
    plan := '';
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || ranged LOOP
      plan := plan || line || E'\n';
    END LOOP;
    IF plan !~ ('Bitmap Index Scan on ' || idx) THEN
      RETURN 'index not used for the range: ' || plan;
    END IF;
    EXECUTE ranged INTO actual;
    IF actual IS DISTINCT FROM expected THEN
      RETURN format('bitmap scan differs: expected %s, found %s', expected, actual);
    END IF;
  END IF;

  EXECUTE format('SELECT count(*) AS n, count(%2$s) AS keys FROM %1$s WHERE %3$s', tab, col, cond) INTO actual;
  RETURN format('agrees: %s rows, %s keys', actual.n, actual.keys);
END
$$;

-- Sorted, descending, shuffled, duplicate, absent and NULL keys.
CREATE TABLE build_shapes (
  sorted bigint, descending bigint, shuffled int, few smallint, same int,
  some_null int, most_null int, all_null int, late float8
) WITH (autovacuum_enabled = off);
INSERT INTO build_shapes
SELECT i, -i, (i * 7919::bigint) % 100003, i % 7, 42,
       CASE WHEN i % 3 > 0 THEN i % 1000 END, CASE WHEN i % 100 = 0 THEN i END, NULL,
       CASE WHEN i % 1000 = 0 THEN i / 3.0 ELSE i END
FROM generate_series(1, 20000) i;
CREATE INDEX build_sorted ON build_shapes USING learned (sorted);
CREATE INDEX build_descending ON build_shapes USING learned (descending);
CREATE INDEX build_shuffled ON build_shapes USING learned (shuffled);
CREATE INDEX build_few ON build_shapes USING learned (few);
CREATE INDEX build_same ON build_shapes USING learned (same);
CREATE INDEX build_some_null ON build_shapes USING learned (some_null);
CREATE INDEX build_most_null ON build_shapes USING learned (most_null);
CREATE INDEX build_all_null ON build_shapes USING learned (all_null);
CREATE INDEX build_late ON build_shapes USING learned (late);
SELECT c AS column, build_agrees('build_shapes', c, 'build_' || c)
FROM unnest('{sorted,descending,shuffled,few,same,some_null,most_null,all_null,late}'::text[]) c;

-- An empty table; then rows through the index.
CREATE TABLE build_empty (k int);
CREATE INDEX build_empty_k ON build_empty USING learned (k);
SELECT build_agrees('build_empty', 'k', 'build_empty_k');
INSERT INTO build_empty VALUES (3), (1), (NULL), (2), (1);
SELECT build_agrees('build_empty', 'k', 'build_empty_k');

-- Every type.
CREATE TABLE build_types (i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, d date, ts timestamp, tz timestamptz, o oid, t time);
INSERT INTO build_types
SELECT i - 2500, (i - 2500) * 800000, (i - 2500) * 3000000000000000, i / 7.0 - 300, 1e10 / (i - 2500.5),
       date '2000-01-01' + (i - 2500) * 20, timestamp '2000-01-01' + (i - 2500) * interval '13 hours',
       timestamptz '1999-12-31 12:00+00' + (i - 2500) * interval '17 minutes', (i::bigint * 800000)::oid,
       time '00:00' + i * interval '17 seconds'
FROM (SELECT (g * 1999) % 5003 AS i FROM generate_series(1, 5000) g) s;
INSERT INTO build_types VALUES
  (-32768, -2147483648, -9223372036854775808, '-infinity', '-infinity', '-infinity', '-infinity', '-infinity', 0, '00:00'),
  (32767, 2147483647, 9223372036854775807, 'infinity', 'infinity', 'infinity', 'infinity', 'infinity', 4294967295, '24:00'),
  (0, 0, 0, 'nan', 'nan', '2000-01-01', '2000-01-01', '2000-01-01', 1, '12:00'),
  (NULL, NULL, NULL, '-0', '-0', NULL, NULL, NULL, NULL, NULL);
DO $$
DECLARE c text;
BEGIN
  FOREACH c IN ARRAY '{i2,i4,i8,f4,f8,d,ts,tz,o,t}'::text[] LOOP
    EXECUTE format('CREATE INDEX build_types_%1$s ON build_types USING learned (%1$s)', c);
  END LOOP;
END $$;
SELECT c AS column, build_agrees('build_types', c, 'build_types_' || c)
FROM unnest('{i2,i4,i8,f4,f8,d,ts,tz,o,t}'::text[]) c;

-- Partial and expression indexes.
CREATE INDEX build_partial ON build_shapes USING learned (shuffled) WHERE few = 3;
SELECT build_agrees('build_shapes', 'shuffled', 'build_partial', 'few = 3');
DROP INDEX build_shuffled;
CREATE INDEX build_expression ON build_shapes USING learned ((shuffled % 1000));
SELECT build_agrees('build_shapes', '(shuffled % 1000)', 'build_expression');
CREATE INDEX build_both ON build_shapes USING learned ((sorted - shuffled)) WHERE some_null IS NULL;
SELECT build_agrees('build_shapes', '(sorted - shuffled)', 'build_both', 'some_null IS NULL');
-- An expression that fails leaves nothing behind.
CREATE INDEX build_fails ON build_shapes USING learned ((1 / (sorted - 15000)));
SELECT to_regclass('build_fails') IS NULL AS gone;

-- HOT chains: the index points to their roots. Rows that only old snapshots see, and dead ones.
CREATE TABLE build_hot (id int, k int, note int) WITH (fillfactor = 40, autovacuum_enabled = off);
INSERT INTO build_hot SELECT i, i % 50, 0 FROM generate_series(1, 5000) i;
UPDATE build_hot SET note = 1 WHERE id % 3 = 0;
UPDATE build_hot SET k = k + 1 WHERE id % 6 = 0;
UPDATE build_hot SET note = 2 WHERE id % 9 = 0;
DELETE FROM build_hot WHERE id % 11 = 0;
CREATE INDEX build_hot_k ON build_hot USING learned (k);
SELECT build_agrees('build_hot', 'k', 'build_hot_k');
-- Changes of the building transaction itself, then undone.
BEGIN;
UPDATE build_hot SET k = k + 100 WHERE id % 5 = 0;
DELETE FROM build_hot WHERE id % 13 = 0;
CREATE INDEX build_hot_id ON build_hot USING learned (id);
SELECT build_agrees('build_hot', 'id', 'build_hot_id');
ROLLBACK;
SELECT to_regclass('build_hot_id') IS NULL AS gone;
SELECT build_agrees('build_hot', 'k', 'build_hot_k');
BEGIN;
UPDATE build_hot SET note = 3 WHERE id % 5 = 0;
CREATE INDEX build_hot_id ON build_hot USING learned (id);
COMMIT;
SELECT build_agrees('build_hot', 'id', 'build_hot_id');

-- More than fits into maintenance_work_mem: sorted runs in a temporary file, which obeys temp_file_limit.
CREATE TABLE build_spill (id int, k bigint, mostly int, ordered int);
INSERT INTO build_spill
SELECT i, (i * 2654435761) % 4294967296, CASE WHEN i % 20 = 0 THEN i % 999 END, i + CASE WHEN i % 5000 = 0 THEN -4000 ELSE 0 END
FROM generate_series(1, 300000) AS g(i);
SET maintenance_work_mem = '1MB';
SET temp_file_limit = '1MB';
\set VERBOSITY sqlstate
CREATE INDEX build_spill_k ON build_spill USING learned (k);
\set VERBOSITY default
RESET temp_file_limit;
CREATE INDEX build_spill_k ON build_spill USING learned (k);
CREATE INDEX build_spill_mostly ON build_spill USING learned (mostly);
CREATE INDEX build_spill_ordered ON build_spill USING learned (ordered);
CREATE INDEX build_spill_id ON build_spill USING learned (id);
SET maintenance_work_mem = '64MB';
SET temp_file_limit = 0;
CREATE INDEX build_memory_k ON build_spill USING learned (k);
CREATE INDEX build_memory_mostly ON build_spill USING learned (mostly);
CREATE INDEX build_memory_ordered ON build_spill USING learned (ordered);
CREATE INDEX build_memory_id ON build_spill USING learned (id);
RESET temp_file_limit;
RESET maintenance_work_mem;
-- The order is total, so both ways give the same pages.
SELECT c AS column, pg_relation_size('build_spill_' || c) = pg_relation_size('build_memory_' || c) AS same_size
FROM unnest('{k,mostly,ordered,id}'::text[]) c;
DROP INDEX build_memory_k, build_memory_mostly, build_memory_ordered, build_memory_id;
SELECT c AS column, build_agrees('build_spill', c, 'build_spill_' || c)
FROM unnest('{k,mostly,ordered,id}'::text[]) c;

-- fillfactor.
CREATE INDEX build_loose ON build_shapes USING learned (shuffled) WITH (fillfactor = 70);
CREATE INDEX build_tight ON build_shapes USING learned (shuffled) WITH (fillfactor = 100);
SELECT pg_relation_size('build_loose') > pg_relation_size('build_tight') AS looser;
DROP INDEX build_tight;
SELECT build_agrees('build_shapes', 'shuffled', 'build_loose');

-- Rebuilding.
REINDEX INDEX build_loose;
SELECT build_agrees('build_shapes', 'shuffled', 'build_loose');
REINDEX TABLE build_hot;
SELECT build_agrees('build_hot', 'k', 'build_hot_k');
REINDEX INDEX CONCURRENTLY build_hot_k;
SELECT build_agrees('build_hot', 'k', 'build_hot_k');
VACUUM FULL build_hot;
SELECT build_agrees('build_hot', 'k', 'build_hot_k');
ALTER TABLE build_hot ALTER COLUMN k TYPE bigint;
SELECT build_agrees('build_hot', 'k', 'build_hot_k');
CLUSTER build_hot USING build_hot_k;
SELECT build_agrees('build_hot', 'k', 'build_hot_k');
SELECT count(*) AS out_of_order
FROM (SELECT k < lag(k) OVER () AS less FROM (SELECT k FROM build_hot ORDER BY ctid OFFSET 0) a) b WHERE less;

-- Other forms of CREATE INDEX.
CREATE INDEX CONCURRENTLY build_concurrent ON build_shapes USING learned (descending) TABLESPACE pg_default;
SELECT indisvalid, build_agrees('build_spill', 'id', 'build_spill_id') FROM pg_index WHERE indexrelid = 'build_concurrent'::regclass;
DROP INDEX build_descending;
SELECT build_agrees('build_shapes', 'descending', 'build_concurrent');
CREATE INDEX IF NOT EXISTS build_concurrent ON build_shapes USING learned (descending);
CREATE TABLE build_parts (k int, note text) PARTITION BY RANGE (k);
CREATE TABLE build_part_low PARTITION OF build_parts FOR VALUES FROM (0) TO (1000);
CREATE TABLE build_part_high PARTITION OF build_parts FOR VALUES FROM (1000) TO (2000);
INSERT INTO build_parts SELECT (i * 7) % 2000 FROM generate_series(1, 3000) i;
CREATE INDEX build_parts_k ON build_parts USING learned (k);
SELECT build_agrees('build_part_low', 'k', 'build_part_low_k_idx');
SELECT build_agrees('build_part_high', 'k', 'build_part_high_k_idx');

-- Unlogged, then logged.
CREATE UNLOGGED TABLE build_unlogged (k int);
INSERT INTO build_unlogged SELECT (i * 31) % 1009 FROM generate_series(1, 2000) i;
CREATE INDEX build_unlogged_k ON build_unlogged USING learned (k);
SELECT pg_relation_size('build_unlogged_k', 'init') / current_setting('block_size')::int AS init_pages;
SELECT build_agrees('build_unlogged', 'k', 'build_unlogged_k');
ALTER TABLE build_unlogged SET LOGGED;
SELECT build_agrees('build_unlogged', 'k', 'build_unlogged_k');

-- Temporary, with rows that a commit deletes: the index is rebuilt in the same file.
BEGIN;
CREATE TEMP TABLE build_temp (k int) ON COMMIT DELETE ROWS;
CREATE INDEX build_temp_k ON build_temp USING learned (k);
INSERT INTO build_temp SELECT (i * 31) % 1009 FROM generate_series(1, 2000) i;
SELECT build_agrees('build_temp', 'k', 'build_temp_k');
COMMIT;
SELECT build_agrees('build_temp', 'k', 'build_temp_k');
BEGIN;
INSERT INTO build_temp SELECT -i FROM generate_series(1, 3000) i;
SELECT build_agrees('build_temp', 'k', 'build_temp_k');
COMMIT;
SELECT build_agrees('build_temp', 'k', 'build_temp_k');

-- TRUNCATE, in the creating transaction (same file) and later (new file).
BEGIN;
CREATE TABLE build_truncated (k int);
CREATE INDEX build_truncated_k ON build_truncated USING learned (k);
INSERT INTO build_truncated SELECT i FROM generate_series(1, 30000) i;
SELECT build_agrees('build_truncated', 'k', 'build_truncated_k');
TRUNCATE build_truncated;
SELECT build_agrees('build_truncated', 'k', 'build_truncated_k');
INSERT INTO build_truncated SELECT 5000 - i FROM generate_series(1, 5000) i;
SELECT build_agrees('build_truncated', 'k', 'build_truncated_k');
COMMIT;
BEGIN;
TRUNCATE build_truncated;
INSERT INTO build_truncated VALUES (1), (NULL);
SELECT build_agrees('build_truncated', 'k', 'build_truncated_k');
ROLLBACK;
SELECT build_agrees('build_truncated', 'k', 'build_truncated_k');
TRUNCATE build_truncated;
SELECT build_agrees('build_truncated', 'k', 'build_truncated_k');

-- Statistics of the build.
SELECT reltuples FROM pg_class WHERE relname IN ('build_partial', 'build_all_null') ORDER BY relname;
-- ... of which the table's number of rows is taken over, but since version 18 not where autovacuum is off: for the table, or at all.
CREATE TABLE build_counted WITH (autovacuum_vacuum_threshold = 1000000, autovacuum_analyze_threshold = 1000000, autovacuum_vacuum_insert_threshold = -1) AS
SELECT i AS k FROM generate_series(1, 3000) i;
CREATE INDEX build_counted_k ON build_counted USING learned (k);
SELECT relname, reltuples = CASE WHEN current_setting('server_version_num')::int >= 180000
                                      AND (relname = 'build_shapes' OR current_setting('autovacuum') = 'off') THEN -1
                                 WHEN relname = 'build_shapes' THEN 20000 ELSE 3000 END AS as_expected
FROM pg_class WHERE relname IN ('build_shapes', 'build_counted') ORDER BY relname;

-- Names of the phases in pg_stat_progress_create_index.
SELECT n, pg_indexam_progress_phasename(a.oid, n) FROM pg_am a, generate_series(1, 5) n WHERE amname = 'learned' ORDER BY n;

-- What is refused.
CREATE INDEX build_refused ON build_shapes USING learned (sorted, shuffled, sorted, shuffled, sorted);
CREATE INDEX build_refused ON build_shapes USING learned (sorted, shuffled, sorted) INCLUDE (shuffled, sorted);
CREATE INDEX build_refused ON build_parts USING learned (note);
CREATE INDEX build_refused ON build_shapes USING learned (sorted) WITH (fillfactor = 10);
CREATE INDEX build_refused ON build_shapes USING learned (sorted) WITH (fillfactor = 101);
CREATE INDEX build_refused ON build_shapes USING learned (sorted) WITH (fillfactor = many);
CREATE INDEX build_refused ON build_shapes USING learned (sorted) WITH (fullfactor = 90);
SELECT to_regclass('build_refused') IS NULL AS gone;

DROP TABLE build_shapes, build_counted, build_empty, build_types, build_hot, build_spill, build_parts, build_unlogged, build_temp, build_truncated;
DROP FUNCTION build_agrees;
