-- learned_index_advisor(): which btrees could be learned indexes. The oracle of a size is the index that the function's own statement makes.
-- (Locks, cancelling, many indexes, damage and standbys: test/t/035_advisor.pl.)
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS learned_index;
SET timezone = 'UTC';
CREATE SCHEMA advised;
CREATE SCHEMA "Other Schema";
RESET client_min_messages;
SET search_path = advised, public;
SELECT current_setting('server_version_num')::int >= 180000 AS unique_indexes \gset

-- ---- sizes -------------------------------------------------------------------------------------------------------------------------

-- Makes each learned index of a schema that could be, and drops it again; how far its size is from what was expected.
CREATE FUNCTION tried(schema regnamespace, tables text DEFAULT '%')
RETURNS TABLE (name name, whole boolean, off_percent numeric, entries_off_percent numeric, smaller boolean) LANGUAGE plpgsql AS $$
DECLARE
  a record;
  made regclass;
  real int8;
BEGIN
  FOR a IN SELECT * FROM learned_index_advisor(schema) WHERE expected_size IS NOT NULL AND tablename LIKE tables LOOP
    EXECUTE replace(a.create_statement, ' CONCURRENTLY', '');
    made := format('%I.%I', a.schemaname, left(a.indexname, 55) || '_learned');
    real := pg_relation_size(made);
    name := a.indexname;
    whole := a.sampled = 1;
    off_percent := round(100.0 * (a.expected_size - real) / real, 1);
    entries_off_percent := (SELECT round(100.0 * (a.entries - entries) / greatest(entries, 1), 1) FROM learned_index_stats(made));
    smaller := real < a.size;
    EXECUTE format('DROP INDEX %s', made);
    RETURN NEXT;
  END LOOP;
END $$;

-- Of small ones all of the btree is read: sizes are exact.
CREATE TABLE small (id int8, ts timestamptz, r int8, few int2, u uuid, f float8, d date, maybe int4, flag bool, label text) WITH (autovacuum_enabled = off);
INSERT INTO small SELECT i, timestamptz '2026-01-01' + i * interval '1 minute', hashint8extended(i, 1), abs(hashint8extended(i, 2) % 50),
       md5(i::text)::uuid, i / 7.0, date '2026-01-01' + i / 100, CASE WHEN i % 3 > 0 THEN i % 1000 END, i % 5 = 0, 'label ' || i % 30 FROM generate_series(1, 20000) i;
INSERT INTO small (id, f) VALUES (0, '-0'), (0, '0'), (-1, 'NaN'), (-2, '-Infinity');
CREATE INDEX small_id ON small (id);
CREATE INDEX small_id_desc ON small (id DESC);
CREATE INDEX small_ts ON small (ts);
CREATE INDEX small_r ON small (r) WITH (fillfactor = 70);
CREATE INDEX small_few ON small (few);
CREATE INDEX small_u ON small (u);
CREATE INDEX small_f ON small (f);
CREATE INDEX small_f_few ON small (f, few);
CREATE INDEX small_maybe ON small (maybe);
CREATE INDEX small_maybe_last ON small (maybe DESC NULLS LAST);
CREATE INDEX small_few_r ON small (few DESC, r NULLS FIRST);
CREATE INDEX small_four ON small (flag, few, d, id DESC);
CREATE INDEX small_included ON small (few) INCLUDE (d, flag);
CREATE INDEX small_expression ON small ((id % 7), (length(label)));
CREATE INDEX small_partial ON small (ts) WHERE flag AND label <> 'label 1';
CREATE INDEX small_many_values_of_a_long_name_that_leaves_no_room_for_more_x ON small (d);
CREATE TABLE nothing (a int4);
CREATE INDEX nothing_a ON nothing (a);
CREATE TABLE one_row AS SELECT 1 AS a;
CREATE INDEX one_row_a ON one_row (a);
SELECT * FROM tried('advised') ORDER BY name COLLATE "C";
-- What VACUUM has removed is not counted; nor what is known to be dead.
DELETE FROM small WHERE id % 2 = 0;
VACUUM small;
SELECT * FROM tried('advised', 'small') WHERE off_percent <> 0 OR entries_off_percent <> 0;
-- Rows that came anywhere.
INSERT INTO small (id, r, few) SELECT i, hashint8extended(i, 3), i % 7 FROM generate_series(1, 10000) i;
VACUUM small;
SELECT * FROM tried('advised', 'small') WHERE off_percent <> 0 OR entries_off_percent <> 0;

-- Large ones are sampled. Each is within 15 per cent, and most of them much closer.
CREATE TABLE large (id int8, ts timestamptz, r int8, few int4, tenant int4, number int8, device int2, maybe int8, u4 uuid, u7 uuid, late timestamptz, widths text)
  WITH (autovacuum_enabled = off);
INSERT INTO large SELECT i, timestamptz '2026-01-01' + i * interval '10 ms' + (hashint8(i) & 8191) * interval '1 us', hashint8extended(i, 1), abs(hashint8(i * 7) % 1000),
       abs(hashint8(i * 3) % 1000), i, i % 100, CASE WHEN hashint8(i) & 3 > 0 THEN hashint8extended(i, 5) END, md5(i::text)::uuid,
       (lpad(to_hex(1767225600000 + i / 10), 12, '0') || '7' || substr(md5(i::text), 1, 19))::uuid,
       timestamptz '2026-01-01' + (i - (hashint8(i) & 1023)) * interval '1 s', repeat('x', hashint8(i) & 63)
  FROM generate_series(1, 250000) i;
CREATE INDEX large_serial ON large (id);
CREATE INDEX large_jitter ON large (ts);
CREATE INDEX large_random ON large (r);
CREATE INDEX large_few ON large (few);
CREATE INDEX large_tenant ON large (tenant, number);
CREATE INDEX large_device ON large (device, ts);
CREATE INDEX large_nullable ON large (maybe);
CREATE INDEX large_uuid4 ON large (u4);
CREATE INDEX large_uuid7 ON large (u7);
CREATE INDEX large_late ON large (late);
CREATE INDEX large_included ON large (id) INCLUDE (few, device);
CREATE INDEX large_expression ON large ((id / 3), (r % 100));
CREATE INDEX large_partial ON large (r DESC) WHERE few > 100;
SELECT name, whole, abs(off_percent) <= 15 AND abs(entries_off_percent) <= 15 AND smaller AS as_expected,
       CASE WHEN abs(off_percent) > 15 OR abs(entries_off_percent) > 15 THEN (off_percent, entries_off_percent) END AS off
  FROM tried('advised', 'large') ORDER BY name COLLATE "C";
-- What a REINDEX alone would give: leaves that splits and deletions left behind.
SELECT indexname, abs(rebuilt_size / size::float8 - 1) < 0.05 AS as_built FROM learned_index_advisor('advised') WHERE indexname IN ('large_serial', 'large_random', 'large_few', 'large_uuid4') ORDER BY 1;
DELETE FROM large WHERE id % 3 > 0;
VACUUM large;
SELECT indexname, rebuilt_size AS expected INTO TEMP rebuilt FROM learned_index_advisor('advised') WHERE tablename = 'large';
SELECT name, as_expected FROM (SELECT name, abs(off_percent) <= 15 AND abs(entries_off_percent) <= 15 AS as_expected, off_percent, entries_off_percent FROM tried('advised', 'large')) t
 WHERE NOT as_expected;
REINDEX TABLE large;
SELECT indexname, expected / pg_relation_size(indexname::regclass)::float8 AS ratio FROM rebuilt WHERE abs(expected / pg_relation_size(indexname::regclass)::float8 - 1) > 0.15;

-- Leaves that deletions left nearly empty, everywhere or in a half of the keys, packed or not: neither of one that is read as a whole then, nor of one that is
-- too large for that, more than the same may be missing.
CREATE TABLE sparse (id int8, r int8, few int4) WITH (autovacuum_enabled = off);
INSERT INTO sparse SELECT i, hashint8extended(i, 1), sqrt(i) * 10 FROM generate_series(1, 400000) i;
CREATE INDEX sparse_random ON sparse (r);
CREATE INDEX sparse_loose ON sparse (r) WITH (fillfactor = 50);
CREATE INDEX sparse_two ON sparse (few, r);
CREATE INDEX sparse_included ON sparse (r) INCLUDE (few, id);
DELETE FROM sparse WHERE hashint8(id) % 10 <> 0 AND r > 0;
VACUUM sparse;
SELECT * FROM tried('advised', 'sparse') WHERE abs(off_percent) > 15 OR abs(entries_off_percent) > 15;
DELETE FROM sparse WHERE hashint8(id) % 10 <> 0;
VACUUM sparse;
SELECT * FROM tried('advised', 'sparse') WHERE abs(off_percent) > 15 OR abs(entries_off_percent) > 15;
DELETE FROM sparse WHERE hashint8(id) % 1000 <> 0;
VACUUM sparse;
SELECT * FROM tried('advised', 'sparse') WHERE NOT whole OR off_percent <> 0 OR entries_off_percent <> 0;
DROP TABLE sparse;

-- ---- what it says ------------------------------------------------------------------------------------------------------------------

SELECT indexname, note, create_statement, drop_statement FROM learned_index_advisor('advised') WHERE tablename IN ('small', 'one_row') ORDER BY indexname COLLATE "C";
-- All that is to be a number is one.
SELECT count(*) AS indexes, bool_and(expected_build > interval '0' AND sampled > 0 AND sampled <= 1 AND rebuilt_size > 0 AND idx_scan >= 0) AS sound, count(lost) AS lost
  FROM learned_index_advisor('advised') WHERE tablename = 'large';

-- Names that are taken, or would be by another statement of the same answer: none is given twice.
CREATE TABLE names (a int4);
CREATE INDEX names_a ON names (a);
CREATE INDEX names_a_learned ON names (a);
CREATE INDEX names_of_more_than_fifty_five_bytes_that_are_cut_to_make_room_1 ON names (a);
CREATE INDEX names_of_more_than_fifty_five_bytes_that_are_cut_to_make_room_2 ON names (a);
CREATE INDEX names_of_more_than_fifty_five_bytes_that_are_cut_to_make_room_3 ON names (a);
SELECT indexname, create_statement FROM learned_index_advisor('advised') WHERE tablename = 'names' ORDER BY 1;
SELECT replace(create_statement, ' CONCURRENTLY', '') FROM learned_index_advisor('advised') WHERE tablename = 'names' ORDER BY indexname \gexec
SELECT count(*), count(DISTINCT create_statement) FROM learned_index_advisor('advised') WHERE tablename = 'names';
DROP TABLE names;

-- What would be lost. (Uniqueness only where none but a btree can have it.)
CREATE TABLE "Other Schema".parent (id int8 PRIMARY KEY, code int4 UNIQUE, "weird "" name" int4, f float8, g int4 NOT NULL, EXCLUDE USING btree (g WITH =));
CREATE UNIQUE INDEX "only unique" ON "Other Schema".parent ("weird "" name") NULLS NOT DISTINCT;
CREATE UNIQUE INDEX identity ON "Other Schema".parent (g);
CREATE INDEX marked ON "Other Schema".parent (f, g);
ALTER TABLE "Other Schema".parent CLUSTER ON marked;
CREATE TABLE "Other Schema".child (p int8 REFERENCES "Other Schema".parent, q int8 CONSTRAINT "a key" REFERENCES "Other Schema".parent, c int4 REFERENCES "Other Schema".parent (code));
CREATE TABLE "Other Schema".more (a int8 REFERENCES "Other Schema".parent, b int8 REFERENCES "Other Schema".parent);
SELECT indexname, regexp_replace(lost, '(; )?uniqueness, and ON CONFLICT of these columns, but for EXCLUDE USING learned', '') AS lost,
       :'unique_indexes' = 't' OR (lost LIKE '%uniqueness%') = (indexname NOT IN ('marked', 'parent_g_excl')) AS uniqueness,
       replace(regexp_replace(create_statement, '^CREATE UNIQUE', 'CREATE'), ' NULLS NOT DISTINCT', '') AS create_statement, drop_statement
  FROM learned_index_advisor('"Other Schema"') ORDER BY indexname COLLATE "C";
SELECT bool_and((create_statement LIKE 'CREATE UNIQUE%') = (:'unique_indexes' = 't')) AS unique,
       bool_or(create_statement LIKE '% NULLS NOT DISTINCT') = (:'unique_indexes' = 't') AS nulls FROM learned_index_advisor('"Other Schema"') WHERE indexname IN ('parent_pkey', 'only unique', 'identity');
ALTER TABLE "Other Schema".parent REPLICA IDENTITY USING INDEX identity;
SELECT indexname, lost LIKE '%replica identity%' AS identity FROM learned_index_advisor('"Other Schema"') WHERE indexname IN ('parent_pkey', 'identity') ORDER BY 1;
-- What was said of an index after it was made, and what its statement cannot say.
CREATE TABLE "Other Schema".told (a int4, b int4);
CREATE INDEX told_a ON "Other Schema".told (a, (b / 2), (b / 3), (b / 4)) WITH (fillfactor = 49);
COMMENT ON INDEX "Other Schema".told_a IS 'a note';
ALTER INDEX "Other Schema".told_a ALTER COLUMN 2 SET STATISTICS 0, ALTER COLUMN 3 SET STATISTICS 10000, ALTER COLUMN 4 SET STATISTICS 5;
ALTER INDEX "Other Schema".told_a ALTER COLUMN 4 SET STATISTICS -1;
ALTER INDEX "Other Schema".told_a DEPENDS ON EXTENSION plpgsql;
ALTER INDEX "Other Schema".told_a DEPENDS ON EXTENSION learned_index;
CREATE INDEX told_b ON "Other Schema".told (b) WITH (fillfactor = 50);
SELECT indexname, l AS lost FROM learned_index_advisor('"Other Schema"') LEFT JOIN LATERAL regexp_split_to_table(lost, '; ') l ON true WHERE tablename = 'told' ORDER BY 1, l COLLATE "C";
DROP TABLE "Other Schema".told;
-- A view that groups by a primary key: the constraint is not to be dropped without it.
CREATE TABLE grouped (id int8 PRIMARY KEY, name text, a int4);
CREATE VIEW by_id AS SELECT id, name, count(*) FROM grouped GROUP BY id;
SELECT indexname, substring(lost, 'needed by[^;]*') AS lost FROM learned_index_advisor('advised') WHERE tablename = 'grouped';
ALTER TABLE grouped DROP CONSTRAINT grouped_pkey;
DROP TABLE grouped CASCADE;
-- A function that names it in ON CONFLICT: likewise.
CREATE TABLE named (id int8 CONSTRAINT once UNIQUE);
CREATE FUNCTION put(x int8) RETURNS void LANGUAGE sql BEGIN ATOMIC INSERT INTO named VALUES (x) ON CONFLICT ON CONSTRAINT once DO NOTHING; END;
SELECT indexname, substring(lost, 'needed by[^;]*') AS lost FROM learned_index_advisor('advised') WHERE tablename = 'named';
ALTER TABLE named DROP CONSTRAINT once;
DROP TABLE named CASCADE;
-- Of the same columns there is one already: all of them, in the same order and directions, with the same condition. (Not valid, as a concurrent build leaves it that failed.)
CREATE TABLE twins (a int4, b int4, c int4);
CREATE INDEX twins_a ON twins (a);
CREATE INDEX twins_b ON twins (b);
CREATE INDEX twins_a_b ON twins (a, b DESC) INCLUDE (c);
CREATE INDEX twins_expression ON twins ((a / 2), b) WHERE c > 0 AND b < 7;
CREATE INDEX "twins A" ON twins USING learned (a);
CREATE INDEX twins_a_again ON twins USING learned (a);
CREATE INDEX twins_b_invalid ON twins USING learned (b);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'twins_b_invalid'::regclass;
CREATE INDEX ON twins USING learned (a DESC);
CREATE INDEX ON twins USING learned (a NULLS FIRST);
CREATE INDEX ON twins USING learned (a) INCLUDE (b);
CREATE INDEX ON twins USING learned (a) WHERE b = 1;
CREATE INDEX ON twins USING learned (a, b, c DESC);
CREATE INDEX ON twins USING learned (a, b DESC);
CREATE INDEX ON twins USING learned ((a / 3), b) WHERE c > 0 AND b < 7;
CREATE INDEX ON twins USING learned ((a / 2), b) WHERE c > 0 AND b < 8;
CREATE INDEX ON twins USING learned ((a / 2), b);
CREATE INDEX ON twins USING hash (a);
SELECT indexname, note FROM learned_index_advisor('advised') WHERE tablename = 'twins' ORDER BY 1;
CREATE INDEX twins_a_b_learned ON twins USING learned (a, b DESC) INCLUDE (c);
CREATE INDEX twins_expression_learned ON twins USING learned ((a  /  2), b) WHERE c > 0 AND b < 7;
SELECT indexname, note FROM learned_index_advisor('advised') WHERE tablename = 'twins' ORDER BY 1;
DROP TABLE twins;
-- The statements are those of the server's own words.
SELECT indexname FROM learned_index_advisor('advised') a
 WHERE tablename IN ('small', 'large') AND create_statement <> regexp_replace(replace(replace(pg_get_indexdef(indexname::regclass), 'USING btree', 'USING learned'),
       ' INDEX ' || quote_ident(indexname) || ' ', ' INDEX CONCURRENTLY ' || substring(create_statement, 'CONCURRENTLY (\S+) ') || ' '), 'fillfactor=''(\d+)''', 'fillfactor=\1');

-- What cannot be.
CREATE SCHEMA refused;
SET search_path = refused, public;
CREATE TABLE t (a int4, b text, c numeric, u uuid, v uuid, w uuid, e int4[], n name);
CREATE INDEX t_text ON t (b);
CREATE INDEX t_numeric ON t (a, c);
CREATE INDEX t_included ON t (a) INCLUDE (b);
CREATE INDEX t_words ON t (u, v) INCLUDE (w);
CREATE INDEX t_array ON t (e);
CREATE INDEX t_expression ON t (lower(b));
CREATE INDEX t_name ON t (n);
CREATE FUNCTION int4_backward(int4, int4) RETURNS int4 LANGUAGE sql IMMUTABLE AS 'SELECT btint4cmp($2, $1)';
CREATE OPERATOR CLASS int4_backward_ops FOR TYPE int4 USING btree AS OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 int4_backward(int4, int4);
CREATE INDEX t_backward ON t (a int4_backward_ops);
CREATE INDEX t_hash ON t USING hash (a);
CREATE INDEX t_learned ON t USING learned (a);
CREATE INDEX t_domain ON t ((a::oid));
SELECT indexname, size, expected_size, note, lost, create_statement, drop_statement FROM learned_index_advisor('refused') ORDER BY 1;
SELECT size, rebuilt_size, expected_build, entries, sampled FROM learned_index_advisor('refused') WHERE expected_size IS NULL GROUP BY 1, 2, 3, 4, 5;
-- Partitions; what is not valid; temporary tables.
CREATE TABLE parts (a int4, b int4) PARTITION BY RANGE (a);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (100);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (b);
CREATE TABLE parts_2_1 PARTITION OF parts_2 DEFAULT;
CREATE INDEX parts_a ON parts (a);
SELECT indexname, note, create_statement, drop_statement FROM learned_index_advisor('refused') WHERE tablename LIKE 'parts%' ORDER BY 1;
CREATE TABLE invalid (a int4);
CREATE INDEX invalid_a ON invalid (a);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'invalid_a'::regclass;
SELECT count(*) FROM learned_index_advisor() WHERE indexname = 'invalid_a';
DROP TABLE invalid;
CREATE TEMP TABLE mine AS SELECT generate_series(1, 1000) AS a;
CREATE INDEX mine_a ON mine (a);
SELECT indexname, entries, replace(create_statement, (SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()), 'pg_temp') AS create_statement FROM learned_index_advisor() WHERE tablename = 'mine';
DROP TABLE mine;
-- Nothing of the server's.
SELECT schemaname, count(*) FROM learned_index_advisor() WHERE schemaname IN ('pg_catalog', 'information_schema', 'pg_toast') GROUP BY 1;
SELECT count(*) FROM learned_index_advisor('pg_catalog');
SELECT * FROM learned_index_advisor('no_such_schema');
-- A tablespace goes along. (One in place, from 15 on.)
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE advised_space LOCATION '';
CREATE INDEX t_space ON t (a) TABLESPACE advised_space;
SELECT create_statement FROM learned_index_advisor('refused') WHERE indexname = 't_space';
-- And the database's own one, where a statement that names none would take another.
SET default_tablespace = advised_space;
SELECT replace(create_statement, ' CONCURRENTLY', '') FROM learned_index_advisor('refused') WHERE indexname IN ('t_space', 't_domain') ORDER BY indexname \gexec
SELECT c.relname, spcname FROM pg_class c LEFT JOIN pg_tablespace s ON s.oid = reltablespace WHERE c.relname IN ('t_space_learned', 't_domain_learned') ORDER BY 1;
DROP INDEX t_space_learned, t_domain_learned;
RESET default_tablespace;
DROP INDEX t_space;
DROP TABLESPACE advised_space;

-- ---- types of other extensions ------------------------------------------------------------------------------------------------------

-- A type that is kept as another: its functions run as the table's owner, with nothing of the caller's.
SET client_min_messages = warning;
CREATE SCHEMA typed;
SET search_path = typed, public;
CREATE TYPE nano;
CREATE FUNCTION nano_in(cstring) RETURNS nano LANGUAGE internal IMMUTABLE STRICT AS 'int8in';
CREATE FUNCTION nano_out(nano) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int8out';
CREATE TYPE nano (INPUT = nano_in, OUTPUT = nano_out, LIKE = int8);
CREATE FUNCTION nano_lt(nano, nano) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int8lt';
CREATE FUNCTION nano_le(nano, nano) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int8le';
CREATE FUNCTION nano_eq(nano, nano) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int8eq';
CREATE FUNCTION nano_ge(nano, nano) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int8ge';
CREATE FUNCTION nano_gt(nano, nano) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int8gt';
CREATE FUNCTION nano_cmp(nano, nano) RETURNS int4 LANGUAGE internal IMMUTABLE STRICT AS 'btint8cmp';
CREATE OPERATOR < (LEFTARG = nano, RIGHTARG = nano, FUNCTION = nano_lt);
CREATE OPERATOR <= (LEFTARG = nano, RIGHTARG = nano, FUNCTION = nano_le);
CREATE OPERATOR = (LEFTARG = nano, RIGHTARG = nano, FUNCTION = nano_eq);
CREATE OPERATOR >= (LEFTARG = nano, RIGHTARG = nano, FUNCTION = nano_ge);
CREATE OPERATOR > (LEFTARG = nano, RIGHTARG = nano, FUNCTION = nano_gt);
CREATE OPERATOR CLASS nano_ops DEFAULT FOR TYPE nano USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 nano_cmp(nano, nano);
RESET client_min_messages;
CREATE TABLE n (k nano) WITH (autovacuum_enabled = off);
INSERT INTO n SELECT i::text::nano FROM generate_series(1, 2000) i;
CREATE INDEX n_k ON n (k);
SELECT note FROM learned_index_advisor('typed');
-- Who calls the functions, and under which search_path; it cannot change what the caller has set.
CREATE ROLE advised_owner;
CREATE FUNCTION nano_to(nano) RETURNS int8 LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
  IF current_user <> 'advised_owner' AND current_setting('advised.watch', true) = 'on' THEN RAISE EXCEPTION 'called by %', current_user; END IF;
  RETURN $1::text::int8;
END $$;
CREATE FUNCTION nano_from(int8) RETURNS nano LANGUAGE internal IMMUTABLE STRICT AS 'int8up';
ALTER FUNCTION nano_to(nano) SET search_path = typed, pg_catalog;
CREATE OPERATOR CLASS nano_ops DEFAULT FOR TYPE nano USING learned AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 nano_cmp(nano, nano),
  FUNCTION 7 (nano, int8) nano_to(nano), FUNCTION 7 (int8, nano) nano_from(int8);
GRANT USAGE ON SCHEMA typed TO advised_owner;
SELECT * FROM advised.tried('typed');
ALTER TABLE n OWNER TO advised_owner;
SET advised.watch = on;
SELECT indexname, entries, note FROM learned_index_advisor('typed');
ALTER TABLE n OWNER TO current_user;
-- An error in them is that of the one index.
SELECT indexname, size > 0 AS size, expected_size, regexp_replace(note, '(called by ).*', '\1ROLE') AS note FROM learned_index_advisor('typed');
-- One that is to roll the transaction back is not.
CREATE OR REPLACE FUNCTION nano_to(nano) RETURNS int8 LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = typed, pg_catalog AS $$
BEGIN
  IF current_setting('advised.watch', true) = 'on' THEN RAISE EXCEPTION 'not to be serialized' USING ERRCODE = 'serialization_failure'; END IF;
  RETURN $1::text::int8;
END $$;
SELECT indexname, note FROM learned_index_advisor('typed');
RESET advised.watch;

-- ---- who may, and progress -----------------------------------------------------------------------------------------------------------

CREATE ROLE advised_user;
CREATE ROLE advised_monitor IN ROLE pg_monitor;
ALTER TABLE refused.t OWNER TO advised_owner;
GRANT USAGE ON SCHEMA refused, advised TO advised_owner, advised_user;
GRANT SELECT ON ALL TABLES IN SCHEMA refused, advised TO advised_user;
SET ROLE advised_user;
SELECT count(*) FROM learned_index_advisor();
SET ROLE advised_owner;
SELECT DISTINCT schemaname, tablename FROM learned_index_advisor() ORDER BY 1, 2;
SET ROLE advised_monitor;
SELECT schemaname, count(*) FROM learned_index_advisor() WHERE schemaname IN ('advised', 'refused') GROUP BY 1 ORDER BY 1;
RESET ROLE;
SELECT count(*) FROM learned_index_advisor('refused', verbose => true);
SELECT count(*) FROM learned_index_advisor(NULL, NULL) WHERE schemaname = 'refused';
-- Its locks are gone when it ends, within the transaction.
BEGIN;
SELECT count(*) > 10 AS some FROM learned_index_advisor();
SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace WHERE l.pid = pg_backend_pid() AND n.nspname IN ('advised', 'refused', 'typed', 'Other Schema');
COMMIT;
-- Within a statement that holds entries back, and beside its own rows.
CREATE TABLE advised.held (a int4, b int8);
CREATE INDEX ON advised.held USING learned (a);
INSERT INTO advised.held SELECT i, (SELECT count(*) FROM learned_index_advisor('typed') WHERE i = 500) FROM generate_series(1, 1000) i;
SELECT learned_index_check('advised.held_a_idx', heapallindexed => true);

SET client_min_messages = warning;
DROP SCHEMA advised, refused, typed, "Other Schema" CASCADE;
DROP ROLE advised_owner, advised_user, advised_monitor;
