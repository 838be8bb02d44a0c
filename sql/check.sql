-- learned_index_check() and learned_index_stats(): what they accept and refuse, and that the numbers make sense.
-- Damaged indexes are the business of the TAP tests.
SET client_min_messages = warning;
SET learned_index.enable_aggregates = off; -- rows are to be read: aggregates.sql counts them
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
\getenv tests PG_ABS_SRCDIR
\set settle :tests '/sql/settle.inc'
\i :settle
\set VERBOSITY default
\set SHOW_CONTEXT never
SET TimeZone = 'UTC';

-- Not an index of ours.
CREATE TABLE check_kinds (a int8, b int8) PARTITION BY RANGE (a);
CREATE TABLE check_kinds_1 PARTITION OF check_kinds FOR VALUES FROM (0) TO (100);
CREATE INDEX check_kinds_learned ON check_kinds USING learned (a);
CREATE INDEX check_kinds_btree ON check_kinds_1 USING btree (a);
CREATE VIEW check_kinds_view AS SELECT 1 AS a;
CREATE SEQUENCE check_kinds_sequence;
CREATE MATERIALIZED VIEW check_kinds_matview AS SELECT 1 AS a;
CREATE INDEX check_kinds_parent_btree ON check_kinds USING btree (a);
-- All functions, and the check in both modes, refuse the same with the same words. (Others than superusers: tools.sql.)
CREATE FUNCTION check_refused(index regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  call text;
  got text;
  hint text;
  detail text;
  answer text;
BEGIN
  FOREACH call IN ARRAY ARRAY['learned_index_stats($1)', 'learned_index_check($1)', 'learned_index_check($1, true)',
                              'learned_index_check($1, strict => true)']
                        || CASE WHEN (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
                                THEN ARRAY['learned_index_histogram($1, 10)', 'learned_index_sample($1, 10)', 'learned_index_metapage($1)', 'learned_index_pages($1)',
                                           'learned_index_segments($1, 1)', 'learned_index_entries($1, 1)'] END LOOP
    got := 'accepted';
    BEGIN
      EXECUTE 'SELECT ' || call USING index;
    EXCEPTION WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
      got := concat(SQLSTATE, ': ', SQLERRM, E'\n  DETAIL: ' || nullif(detail, ''), E'\n  HINT: ' || nullif(hint, ''));
    END;
    answer := coalesce(answer, got);
    IF got <> answer THEN RAISE WARNING '%: %', call, got; END IF;
  END LOOP;
  RETURN answer;
END $$;
\pset format unaligned
\pset tuples_only on
SELECT check_refused('check_kinds_1');
SELECT check_refused('check_kinds_view');
SELECT check_refused('check_kinds_matview');
SELECT check_refused('check_kinds_sequence');
SELECT check_refused('check_kinds');
SELECT check_refused('check_kinds_learned');
SELECT check_refused('check_kinds_parent_btree');
SELECT check_refused('check_kinds_btree');
SELECT check_refused('pg_class_oid_index');
SELECT check_refused(0);
SELECT check_refused(4294967295);
\pset format aligned
\pset tuples_only off
SELECT learned_index_check('check_no_such_index');
SELECT learned_index_check(NULL) IS NULL AS is_null;
SELECT learned_index_check('check_kinds_1_a_idx', NULL) IS NULL AS is_null;
SELECT learned_index_check('check_kinds_1_a_idx', strict => NULL) IS NULL AS is_null;
-- That of a partition is one.
SELECT learned_index_check('check_kinds_1_a_idx', true);
DROP VIEW check_kinds_view;
DROP MATERIALIZED VIEW check_kinds_matview;
DROP SEQUENCE check_kinds_sequence;

-- What an interrupted build leaves.
CREATE TABLE check_invalid (a int8);
INSERT INTO check_invalid VALUES (0);
CREATE INDEX CONCURRENTLY check_invalid_index ON check_invalid USING learned ((1 / a));
SELECT check_refused('check_invalid_index');
UPDATE check_invalid SET a = 1;
CALL pg_temp.settle();
REINDEX INDEX check_invalid_index;
SELECT learned_index_check('check_invalid_index', true);
DROP TABLE check_invalid;

-- An empty index: a metapage and the roots of two trees.
CREATE TABLE check_empty (a int8);
CREATE INDEX check_empty_index ON check_empty USING learned (a);
SELECT learned_index_check('check_empty_index', true);
\x on
SELECT * FROM learned_index_stats('check_empty_index');
-- One row.
INSERT INTO check_empty VALUES (1);
SELECT learned_index_check('check_empty_index', true);
SELECT * FROM learned_index_stats('check_empty_index');
-- And a NULL.
INSERT INTO check_empty VALUES (NULL);
SELECT learned_index_check('check_empty_index', true);
SELECT * FROM learned_index_stats('check_empty_index');
\x off

-- Patterns of keys. The statistics must agree with the table, the file and one another. (A temporary table, so that
-- what VACUUM removes does not depend on what else goes on in the server.)
CREATE TEMP TABLE check_patterns (
  serial int8, steps int8, noisy int8, random int8, few int2, constant int4, nulls int8, rare_nulls float8,
  stamps timestamptz);
INSERT INTO check_patterns
  SELECT i, i / 10 * 1000, i * 1000 + hashint8(i) % 300, hashint8extended(i, 1), hashint8(i) % 5, 42, NULL,
         CASE WHEN i % 1000 <> 0 THEN i END, timestamptz '2024-01-01' + i * interval '7 ms'
  FROM generate_series(1, 20000) i;
CREATE INDEX check_serial ON check_patterns USING learned (serial);
CREATE INDEX check_steps ON check_patterns USING learned (steps);
CREATE INDEX check_noisy ON check_patterns USING learned (noisy);
CREATE INDEX check_random ON check_patterns USING learned (random);
CREATE INDEX check_few ON check_patterns USING learned (few);
CREATE INDEX check_constant ON check_patterns USING learned (constant);
CREATE INDEX check_nulls ON check_patterns USING learned (nulls);
CREATE INDEX check_rare_nulls ON check_patterns USING learned (rare_nulls);
CREATE INDEX check_stamps ON check_patterns USING learned (stamps);
CREATE INDEX check_btree ON check_patterns USING btree (random);

CREATE FUNCTION check_indexes(like_name text, OUT index name, OUT checked boolean, OUT sound boolean,
                              OUT entries int8, OUT nulls int8)
RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
  s record;
  index_oid oid;
BEGIN
  FOR index, index_oid IN
    SELECT relname, c.oid FROM pg_class c WHERE relname LIKE like_name
      AND relam = (SELECT oid FROM pg_am WHERE amname = 'learned') AND relkind = 'i' ORDER BY relname COLLATE "C"
  LOOP
    -- An error would say what is wrong.
    PERFORM learned_index_check(index_oid);
    PERFORM learned_index_check(index_oid, true);
    PERFORM learned_index_check(index_oid, true, true);
    checked := true;
    SELECT * INTO s FROM learned_index_stats(index_oid);
    sound := s.format_version = 1 AND s.height >= 1
      AND s.total_pages = pg_relation_size(index_oid) / 8192
      AND s.total_pages = 1 + s.leaf_pages + s.inner_pages + s.null_pages + s.deleted_pages
      AND s.leaf_pages >= 1 AND s.null_pages >= 1
      AND (s.inner_pages > 0) = (s.height > 1) AND (s.leaf_pages = 1 OR s.height > 1)
      AND s.nulls <= s.entries AND s.segments >= 0
      AND s.delta_entries BETWEEN 0 AND s.entries AND s.dead_entries >= 0
      AND (s.bits_per_key IS NULL OR s.bits_per_key BETWEEN 0 AND 64 + 8 * 28)
      AND (s.bits_per_tid IS NULL OR s.bits_per_tid BETWEEN 0 AND 64 + 8 * 28)
      AND (s.mean_model_error IS NULL OR s.mean_model_error BETWEEN 0 AND s.max_model_error)
      AND (s.entries = 0) = (s.bytes_per_entry IS NULL)
      AND (s.entries = 0 OR abs(s.bytes_per_entry * s.entries - pg_relation_size(index_oid)) < 1)
      AND s.btree_bytes % 8192 = 0 AND s.btree_bytes >= 20 * s.entries;
    IF NOT sound THEN RAISE WARNING '%', s; END IF;
    entries := s.entries;
    nulls := s.nulls;
    RETURN NEXT;
  END LOOP;
END
$$;
SELECT * FROM check_indexes('check\_%');

-- Serial keys: every model is exact and costs next to nothing.
SELECT height, leaf_pages, segments, bits_per_key < 0.1 AS few_key_bits, bits_per_tid < 0.1 AS few_tid_bits,
       max_model_error = 0 AS exact
FROM learned_index_stats('check_serial');
-- Random keys: as many bits as the keys have that a line does not predict, 64 - log2(20000) and a little; each of
-- the row's places takes at least its share of log2(20000).
SELECT bits_per_key BETWEEN 49 AND 58 AS key_bits, bits_per_tid BETWEEN 13 AND 20 AS tid_bits,
       max_model_error > 0 AS inexact, mean_model_error < 100 AS but_close
FROM learned_index_stats('check_random');
-- Noise of 600 values costs its 10 bits, and is off by less than one entry.
SELECT bits_per_key BETWEEN 9 AND 13 AS key_bits, max_model_error < 1.5 AS close FROM learned_index_stats('check_noisy');
-- Without keys there is no model.
SELECT leaf_pages, segments > 0 AS segments, bits_per_key, bits_per_tid < 0.1 AS few_tid_bits, max_model_error,
       mean_model_error
FROM learned_index_stats('check_nulls');
-- The estimate for btree is what btree takes.
SELECT abs(btree_bytes - pg_relation_size('check_btree')) <= 2 * 8192 AS exact,
       bytes_per_entry < 20 AS smaller
FROM learned_index_stats('check_random');

-- With content of all sorts: deltas, dead entries, splits, deleted pages.
INSERT INTO check_patterns
  SELECT i, i / 10 * 1000, i * 1000 + hashint8(i) % 300, hashint8extended(i, 1), hashint8(i) % 5, 42, NULL, i,
         timestamptz '2024-01-01' + i * interval '7 ms'
  FROM generate_series(20001, 24000) i;
SELECT * FROM check_indexes('check\_%');
SELECT delta_entries > 0 AS deltas FROM learned_index_stats('check_random');
DELETE FROM check_patterns WHERE serial % 3 = 0 OR serial BETWEEN 5000 AND 15000;
-- As long as VACUUM has not come by, the entries are there.
SELECT entries, dead_entries FROM learned_index_stats('check_serial');
VACUUM (INDEX_CLEANUP ON) check_patterns;
SELECT count(*) AS rows FROM check_patterns;
SELECT * FROM check_indexes('check\_%');
SELECT deleted_pages > 0 AS deleted FROM learned_index_stats('check_random');
-- Old places, new rows.
INSERT INTO check_patterns SELECT i, -i, i % 77, hashint8extended(i, 2), i % 7 FROM generate_series(1, 15000) i;
SELECT * FROM check_indexes('check\_%');
DELETE FROM check_patterns;
VACUUM (INDEX_CLEANUP ON) check_patterns;
SELECT * FROM check_indexes('check\_%');
DROP TABLE check_patterns;

-- All types, with the ends of their domains.
CREATE TABLE check_types (
  a int2, b int4, c int8, d float4, e float8, f date, g timestamp, h timestamptz, i oid, j time);
INSERT INTO check_types VALUES
  (-32768, -2147483648, -9223372036854775808, '-inf', '-inf', '-infinity', '-infinity', '-infinity', 0, '00:00'),
  (32767, 2147483647, 9223372036854775807, 'nan', 'nan', 'infinity', 'infinity', 'infinity', 4294967295, '24:00'),
  (0, 0, 0, '-0', '-0', '2000-01-01', '2000-01-01', '2000-01-01', 1, '12:00'),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE INDEX check_type_int2 ON check_types USING learned (a);
CREATE INDEX check_type_int4 ON check_types USING learned (b);
CREATE INDEX check_type_int8 ON check_types USING learned (c);
CREATE INDEX check_type_float4 ON check_types USING learned (d);
CREATE INDEX check_type_float8 ON check_types USING learned (e);
CREATE INDEX check_type_date ON check_types USING learned (f);
CREATE INDEX check_type_timestamp ON check_types USING learned (g);
CREATE INDEX check_type_timestamptz ON check_types USING learned (h);
CREATE INDEX check_type_oid ON check_types USING learned (i);
CREATE INDEX check_type_time ON check_types USING learned (j);
INSERT INTO check_types SELECT * FROM check_types;
SELECT * FROM check_indexes('check\_type\_%');
DROP TABLE check_types;

-- All variants of an index. (How many entries there are depends on when HOT chains are pruned.)
CREATE TABLE check_variants (a int4, b int8, EXCLUDE USING learned (a WITH =)) WITH (fillfactor = 50);
INSERT INTO check_variants SELECT i, i FROM generate_series(1, 3000) i;
CREATE INDEX check_variants_partial ON check_variants USING learned (b) WHERE a % 2 = 0;
CREATE INDEX check_variants_expression ON check_variants USING learned ((a + b)) WITH (fillfactor = 50);
CREATE INDEX check_variants_desc ON check_variants USING learned (b DESC NULLS LAST);
CREATE INDEX CONCURRENTLY check_variants_concurrent ON check_variants USING learned (b);
-- Updates that leave the indexed columns alone, and some that do not.
ALTER TABLE check_variants ADD c int DEFAULT 0;
UPDATE check_variants SET c = 1;
UPDATE check_variants SET b = -b WHERE a % 7 = 0;
-- Rows of a transaction that is still at it, and of one that failed.
BEGIN;
INSERT INTO check_variants SELECT i, i FROM generate_series(3001, 4000) i;
UPDATE check_variants SET c = 2 WHERE a < 100;
SELECT index, sound FROM check_indexes('check\_variants%');
-- The locks went with the check.
SELECT count(*) AS locks FROM pg_locks
WHERE pid = pg_backend_pid() AND mode = 'ShareLock' AND relation IS NOT NULL;
ROLLBACK;
SELECT index, sound FROM check_indexes('check\_variants%');
-- A snapshot that is older than the rows.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT index, sound FROM check_indexes('check\_variants%');
COMMIT;
-- Built anew, in both ways.
REINDEX TABLE check_variants;
REINDEX TABLE CONCURRENTLY check_variants;
SELECT index, sound FROM check_indexes('check\_variants%');
TRUNCATE check_variants;
SELECT index, sound FROM check_indexes('check\_variants%');
DROP TABLE check_variants;

CREATE UNLOGGED TABLE check_unlogged (a int8);
CREATE INDEX check_unlogged_index ON check_unlogged USING learned (a);
INSERT INTO check_unlogged SELECT generate_series(1, 1000);
CREATE TEMP TABLE check_temporary (a int8);
INSERT INTO check_temporary SELECT generate_series(1, 1000);
CREATE INDEX check_temporary_index ON check_temporary USING learned (a);
SELECT * FROM check_indexes('check\_unlogged%');
SELECT * FROM check_indexes('check\_temporary%');
DROP TABLE check_unlogged, check_temporary;

-- Who may: the owner, also by membership; who monitors, unless writers wait; not who only reads the table.
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_learned_owner, regress_learned_member, regress_learned_noinherit, regress_learned_reader,
  regress_learned_scanner, regress_learned_monitor, regress_learned_other;
RESET client_min_messages;
CREATE ROLE regress_learned_owner;
CREATE ROLE regress_learned_member IN ROLE regress_learned_owner;
CREATE ROLE regress_learned_noinherit NOINHERIT IN ROLE regress_learned_owner;
CREATE ROLE regress_learned_reader;
CREATE ROLE regress_learned_scanner IN ROLE pg_stat_scan_tables;
CREATE ROLE regress_learned_monitor IN ROLE pg_monitor;
CREATE ROLE regress_learned_other;
-- An expression runs as the owner of the table, whoever checks it.
CREATE FUNCTION check_whoami(a int8) RETURNS int8 IMMUTABLE LANGUAGE plpgsql
  AS $$ BEGIN RAISE NOTICE 'running as %', current_user; RETURN a; END $$;
CREATE TABLE check_owned (a int8);
CREATE INDEX check_owned_index ON check_owned USING learned (check_whoami(a));
CREATE INDEX check_owned_btree ON check_owned USING btree (a);
ALTER TABLE check_owned OWNER TO regress_learned_owner;
GRANT SELECT, INSERT, UPDATE, DELETE ON check_owned TO regress_learned_reader;
SET ROLE regress_learned_owner;
INSERT INTO check_owned VALUES (1);
RESET ROLE;
SELECT learned_index_check('check_owned_index', true);
SELECT learned_index_check('check_owned_index', true, true);
SELECT current_user = session_user AS restored;
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SELECT check_refused('check_owned_index');
SET ROLE regress_learned_owner;
SELECT check_refused('check_owned_index');
SET ROLE regress_learned_member;
SELECT check_refused('check_owned_index');
SET ROLE regress_learned_noinherit;
SELECT check_refused('check_owned_index');
SET ROLE regress_learned_reader;
SELECT check_refused('check_owned_index');
SET ROLE regress_learned_other;
SELECT check_refused('check_owned_index');
SELECT check_refused('check_owned_btree');
SELECT check_refused('check_owned');
-- All but the strict check.
SET ROLE regress_learned_scanner;
SELECT check_refused('check_owned_index');
SET ROLE regress_learned_monitor;
SELECT check_refused('check_owned_index');
RESET ROLE;
-- From 17 on, who maintains the table.
SELECT current_setting('server_version_num')::int >= 170000 AS has_maintain \gset
\if :has_maintain
GRANT MAINTAIN ON check_owned TO regress_learned_reader;
SET ROLE regress_learned_reader;
\else
SET ROLE regress_learned_owner;
\endif
SELECT check_refused('check_owned_index');
RESET ROLE;
RESET client_min_messages;
\pset format aligned
\pset tuples_only off
DROP TABLE check_owned;
DROP FUNCTION check_whoami(int8);
DROP ROLE regress_learned_owner, regress_learned_member, regress_learned_noinherit, regress_learned_reader,
  regress_learned_scanner, regress_learned_monitor, regress_learned_other;

-- An expression that looks at search_path: from 17 on the server builds its index with a path of its own, and the check
-- computes the keys as the build did; before, both take the caller's.
CREATE FUNCTION check_path(a int8) RETURNS int8 IMMUTABLE LANGUAGE plpgsql
  AS $$ BEGIN RETURN a + length(current_setting('search_path')); END $$;
CREATE TABLE check_paths (a int8);
INSERT INTO check_paths SELECT generate_series(1, 100) * 1000;
SET search_path = public, pg_catalog, pg_temp, public, public;
CREATE INDEX check_paths_index ON check_paths USING learned (check_path(a));
SELECT learned_index_check('check_paths_index', true);
SELECT learned_index_check('check_paths_index', true, true);
SHOW search_path;
RESET search_path;
DROP TABLE check_paths;
DROP FUNCTION check_path(int8);

DROP TABLE check_kinds;
DROP TABLE check_empty;
DROP FUNCTION check_indexes(text);
DROP FUNCTION check_refused(regclass);
