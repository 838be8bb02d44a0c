-- The extension as an object: its versions, updates and removal, and what event triggers see. In a database of
-- its own, because the extension comes and goes.
SELECT current_database() AS home \gset
CREATE DATABASE regress_learned_extension;
\c regress_learned_extension
SET client_min_messages = warning;

-- Every version can be installed, and updated to the newest one.
SELECT name, version FROM pg_available_extension_versions WHERE name = 'learned_index' ORDER BY version;
SELECT source, target, path FROM pg_extension_update_paths('learned_index') WHERE path IS NOT NULL ORDER BY source, target;

-- All that belongs to the extension, and what the catalogs say of it.
CREATE VIEW members AS
SELECT pg_describe_object(d.classid, d.objid, 0) AS member,
       obj_description(d.objid, d.classid::regclass::name) AS comment,
       p.provolatile, p.proparallel, p.proisstrict, p.probin, p.prosrc, pg_get_function_result(p.oid) AS result,
       m.amhandler::regproc::text, m.amtype, CASE WHEN d.classid = 'pg_class'::regclass THEN pg_get_viewdef(d.objid) END AS view,
       CASE WHEN p.proname <> 'learned_index_check' THEN (SELECT string_agg(CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee) END || ' ' || privilege_type, ', ' ORDER BY grantee) FROM aclexplode(p.proacl)) END AS privileges
  FROM pg_depend d LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
       LEFT JOIN pg_am m ON d.classid = 'pg_am'::regclass AND m.oid = d.objid
 WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
   AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'learned_index');

-- Indexes made under the first version: read, written, checked, built anew and dropped after the update.
CREATE EXTENSION learned_index VERSION '0.1.0';
CREATE TABLE kept (id int, k int8, ts timestamptz);
INSERT INTO kept SELECT i, i * 7919 % 5000, timestamptz '2024-01-01 00:00+00' + i * interval '1 minute'
  FROM generate_series(1, 10000) i;
CREATE INDEX kept_k ON kept USING learned (k);
CREATE INDEX kept_ts ON kept USING learned (ts DESC) WITH (fillfactor = 70) WHERE id % 10 <> 0;
CREATE TEMP TABLE files AS SELECT relname, pg_relation_filenode(oid) FROM pg_class WHERE relname LIKE 'kept\_%';
-- What others made of the check: a view, privileges. The library serves the old declaration, too.
CREATE VIEW checked AS SELECT relname, learned_index_check(pg_class.oid, true) IS NOT NULL AS sound,
  learned_index_check(pg_class.oid) IS NOT NULL AS structure FROM pg_class WHERE relname LIKE 'kept\_%';
REVOKE EXECUTE ON FUNCTION learned_index_check FROM PUBLIC;
SELECT * FROM checked ORDER BY relname;
ALTER EXTENSION learned_index UPDATE;
SELECT * FROM checked ORDER BY relname;
SELECT pg_get_viewdef('checked') ~ 'learned_index_check\(\((pg_class\.)?oid\)::regclass, true\)'
   AND pg_get_viewdef('checked') ~ 'learned_index_check\(\((pg_class\.)?oid\)::regclass\)' AS same_calls;
SELECT proacl::text !~ '[{,]=X' AS revoked, pg_get_function_arguments(oid) FROM pg_proc WHERE proname = 'learned_index_check';
SELECT count(learned_index_check(relname::regclass, true, strict => true)) FROM files;
SELECT count(learned_index_check(relname::regclass, strict => true)) FROM files;
DROP VIEW checked;
GRANT EXECUTE ON FUNCTION learned_index_check TO PUBLIC;
SELECT extversion = default_version AS updated
  FROM pg_extension JOIN pg_available_extensions ON name = extname WHERE extname = 'learned_index';
SELECT count(*) FROM files WHERE pg_relation_filenode(relname::regclass) = pg_relation_filenode;
SELECT count(learned_index_check(relname::regclass, true)) FROM files;
INSERT INTO kept SELECT i, -i, timestamptz '2023-01-01 00:00+00' + i * interval '1 minute' FROM generate_series(1, 2000) i;
DELETE FROM kept WHERE id % 3 = 0;
VACUUM kept;
CREATE FUNCTION answers(OUT n bigint, OUT ids bigint, OUT first timestamptz) LANGUAGE sql AS $$
SELECT (SELECT count(*) FROM kept WHERE k < 100), (SELECT sum(id) FROM kept WHERE k BETWEEN -50 AND 4000),
       (SELECT ts FROM kept WHERE id % 10 <> 0 ORDER BY ts DESC LIMIT 1) $$;
SET enable_seqscan = off;
CREATE TEMP TABLE found AS SELECT * FROM answers();
SET enable_seqscan = on;
SET enable_indexscan = off;
SET enable_bitmapscan = off;
SET enable_indexonlyscan = off;
SELECT f = a AS same FROM found f, answers() a;
RESET enable_indexscan;
RESET enable_bitmapscan;
RESET enable_indexonlyscan;
SELECT count(learned_index_check(relname::regclass, true)) FROM files;
REINDEX TABLE kept;
SELECT count(learned_index_check(relname::regclass, true)) FROM files;
CREATE TABLE updated AS SELECT * FROM members;
-- The extension does not go while indexes need it.
DROP EXTENSION learned_index;
DROP TABLE kept;
DROP EXTENSION learned_index;
-- Updated from the first version or installed at once: the same objects.
CREATE EXTENSION learned_index;
SELECT count(*) > 15 AS some FROM members;
(SELECT * FROM updated EXCEPT SELECT * FROM members) UNION ALL (SELECT * FROM members EXCEPT SELECT * FROM updated);
-- The same from the versions between, where there are indexes; what only the newest version can do goes beside them.
CREATE FUNCTION pg_temp.ask(indexed bool) RETURNS numeric[] LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('enable_seqscan', (NOT indexed)::text, true), set_config('enable_indexscan', indexed::text, true),
          set_config('enable_indexonlyscan', indexed::text, true), set_config('enable_bitmapscan', 'off', true);
  RETURN ARRAY[(SELECT sum(b) FROM kept WHERE a = 33), (SELECT count(*) FROM kept WHERE b > 4000),
               (SELECT b FROM kept WHERE a = 71 ORDER BY b DESC LIMIT 1), (SELECT sum(b) FROM kept WHERE u < '40000000-0000-0000-0000-000000000000')];
END $$;
DROP EXTENSION learned_index;
CREATE EXTENSION learned_index VERSION '0.2.0';
CREATE TABLE kept (a int, b int8, u uuid);
INSERT INTO kept SELECT i / 50, i * 7919 % 5000, md5(i::text)::uuid FROM generate_series(1, 3000) i;
CREATE INDEX kept_a ON kept USING learned (a);
CREATE INDEX kept_b ON kept USING learned (b DESC);
ALTER EXTENSION learned_index UPDATE;
CREATE INDEX kept_ab ON kept USING learned (a, b DESC) INCLUDE (u);
CREATE INDEX kept_u ON kept USING learned (u);
INSERT INTO kept SELECT i / 50, i * 7919 % 5000, md5(i::text)::uuid FROM generate_series(3001, 4000) i;
SELECT relname, (learned_index_stats(oid)).format_version, learned_index_check(oid, true), learned_index_check(oid, strict => true)
  FROM pg_class WHERE relname LIKE 'kept\_%' ORDER BY relname;
SELECT pg_temp.ask(true) = pg_temp.ask(false) AS same;
DROP TABLE kept;
(SELECT * FROM updated EXCEPT SELECT * FROM members) UNION ALL (SELECT * FROM members EXCEPT SELECT * FROM updated);
DROP EXTENSION learned_index;
CREATE EXTENSION learned_index VERSION '0.3.0';
CREATE TABLE kept (a int, b int8, u uuid);
INSERT INTO kept SELECT i / 50, i * 7919 % 5000, md5(i::text)::uuid FROM generate_series(1, 3000) i;
CREATE INDEX kept_a ON kept USING learned (a);
CREATE INDEX kept_b ON kept USING learned (b DESC);
ALTER EXTENSION learned_index UPDATE;
CREATE INDEX kept_ab ON kept USING learned (a, b DESC) INCLUDE (u);
CREATE INDEX kept_u ON kept USING learned (u);
INSERT INTO kept SELECT i / 50, i * 7919 % 5000, md5(i::text)::uuid FROM generate_series(3001, 4000) i;
SELECT relname, (learned_index_stats(oid)).format_version, learned_index_check(oid, true), learned_index_check(oid, strict => true)
  FROM pg_class WHERE relname LIKE 'kept\_%' ORDER BY relname;
SELECT pg_temp.ask(true) = pg_temp.ask(false) AS same;
DROP TABLE kept;
(SELECT * FROM updated EXCEPT SELECT * FROM members) UNION ALL (SELECT * FROM members EXCEPT SELECT * FROM updated);
DROP EXTENSION learned_index;
CREATE EXTENSION learned_index VERSION '0.4.0';
CREATE TABLE kept (a int);
INSERT INTO kept SELECT generate_series(1, 3000);
CREATE INDEX kept_a ON kept USING learned (a);
SELECT to_regproc('learned_index_histogram') IS NULL AND to_regproc('learned_index_sample') IS NULL AS not_yet;
ALTER EXTENSION learned_index UPDATE;
SELECT (SELECT sum(entries) FROM learned_index_histogram('kept_a', 7)) AS entries, (SELECT count(*) FROM learned_index_sample('kept_a', 5000)) AS rows;
DROP TABLE kept;
(SELECT * FROM updated EXCEPT SELECT * FROM members) UNION ALL (SELECT * FROM members EXCEPT SELECT * FROM updated);
DROP EXTENSION learned_index;
CREATE EXTENSION learned_index VERSION '0.5.0';
CREATE TABLE kept (a int);
INSERT INTO kept SELECT generate_series(1, 3000);
CREATE INDEX kept_a ON kept USING learned (a);
SELECT to_regclass('learned_indexes') IS NULL AND to_regproc('learned_index_pages') IS NULL AS not_yet;
CREATE VIEW checked AS SELECT learned_index_check('kept_a', true, strict => true) IS NOT NULL AS sound;
ALTER EXTENSION learned_index UPDATE;
SELECT * FROM checked;
SELECT substring(pg_get_viewdef('checked') FROM 'learned_index_check\([^)]*\)') AS call;
SELECT proacl IS NULL AS as_before, pg_get_function_arguments(oid) FROM pg_proc WHERE proname = 'learned_index_check';
SELECT tablename, indexname, entries, advice, (SELECT sum(entries) FROM learned_index_pages('kept_a') WHERE kind = 'leaf') FROM learned_indexes;
DROP VIEW checked;
DROP TABLE kept;
(SELECT * FROM updated EXCEPT SELECT * FROM members) UNION ALL (SELECT * FROM members EXCEPT SELECT * FROM updated);
-- No way back, and no unknown version.
ALTER EXTENSION learned_index UPDATE TO '0.1.0';
ALTER EXTENSION learned_index UPDATE TO '9.9';
-- Into another schema and back.
CREATE SCHEMA elsewhere;
ALTER EXTENSION learned_index SET SCHEMA elsewhere;
CREATE TABLE moved (k int);
CREATE INDEX moved_k ON moved USING learned (k);
SELECT elsewhere.learned_index_check('moved_k', true);
SELECT indexname, entries FROM elsewhere.learned_indexes;
DROP TABLE moved;
ALTER EXTENSION learned_index SET SCHEMA public;

-- Event triggers see an index as they see a B-tree: once with `am` = btree, once with learned.
CREATE TABLE seen (am text, n serial, event text, tag text, kind text, identity text, original bool, normal bool);
CREATE VIEW steps AS SELECT am, row_number() OVER (PARTITION BY am ORDER BY n) AS step, event, tag, kind, identity, original, normal FROM seen;
CREATE FUNCTION on_end() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO seen (am, event, tag, kind, identity)
  SELECT current_setting('my.am', true), tg_event, command_tag, object_type, object_identity
    FROM pg_event_trigger_ddl_commands();
END $$;
CREATE FUNCTION on_drop() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO seen (am, event, tag, kind, identity, original, normal)
  SELECT current_setting('my.am', true), tg_event, tg_tag, object_type, object_identity, d.original, d.normal
    FROM pg_event_trigger_dropped_objects() d;
END $$;
CREATE FUNCTION on_rewrite() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO seen (am, event, tag, kind, identity)
  VALUES (current_setting('my.am', true), tg_event, tg_tag, 'table', pg_event_trigger_table_rewrite_oid()::regclass);
END $$;
CREATE TABLE watched (id int, k int);
INSERT INTO watched SELECT i, i FROM generate_series(1, 100) i;
CREATE EVENT TRIGGER at_end ON ddl_command_end EXECUTE FUNCTION on_end();
CREATE EVENT TRIGGER at_drop ON sql_drop EXECUTE FUNCTION on_drop();
CREATE EVENT TRIGGER at_rewrite ON table_rewrite EXECUTE FUNCTION on_rewrite();
CREATE PROCEDURE go_through(am text) LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('my.am', am, false);
  EXECUTE format('CREATE INDEX watched_k ON watched USING %I (k)', am);
  ALTER INDEX watched_k SET (fillfactor = 80);
  ALTER INDEX watched_k RENAME TO watched_x;
  COMMENT ON INDEX watched_x IS 'seen';
  REINDEX INDEX watched_x;
  ALTER TABLE watched ALTER k TYPE int8;
  ALTER TABLE watched ALTER k TYPE int4;
  DROP INDEX watched_x;
  EXECUTE format('CREATE INDEX watched_k ON watched USING %I ((k + 1)) WHERE id > 0', am);
  ALTER TABLE watched DROP COLUMN k;
  ALTER TABLE watched ADD COLUMN k int;
  EXECUTE format('ALTER TABLE watched ADD CONSTRAINT watched_once EXCLUDE USING %I (id WITH =)', am);
  ALTER TABLE watched DROP CONSTRAINT watched_once;
END $$;
CALL go_through('btree');
CALL go_through('learned');
SELECT am, count(*) > 15 AS many FROM seen WHERE am <> '' GROUP BY am ORDER BY am;
SELECT b.*, l.* FROM (SELECT * FROM steps WHERE am = 'btree') b FULL JOIN (SELECT * FROM steps WHERE am = 'learned') l
 USING (step, event, tag, kind, identity) WHERE b.original IS DISTINCT FROM l.original OR b.normal IS DISTINCT FROM l.normal
    OR b.am IS NULL OR l.am IS NULL;
-- The extension dropped with the indexes that need it.
CREATE INDEX watched_k ON watched USING learned (k);
TRUNCATE seen;
DROP EXTENSION learned_index CASCADE;
SELECT tag, kind, identity, original FROM seen WHERE kind IN ('index', 'extension', 'access method') ORDER BY n;
SELECT count(*) > 15 AS members FROM seen WHERE NOT original;
SELECT count(*) FROM pg_class WHERE relname = 'watched_k';
SELECT count(*) FROM pg_am WHERE amname = 'learned';
SELECT count(*) FROM watched;
TRUNCATE seen;
CREATE EXTENSION learned_index;
SELECT tag, count(*) > 0 AS seen FROM seen GROUP BY tag ORDER BY tag COLLATE "C";

\c :home
DROP DATABASE regress_learned_extension;
