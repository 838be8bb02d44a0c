-- What PostgreSQL 19 brings. oid8, an unsigned integer of 8 bytes: the same answers as those of a sequential scan, and a
-- family (compared with btree's in opclass.sql) that belongs to the extension. (Older servers: server19_1.out.)
SET client_min_messages = warning;
SET learned_index.enable_aggregates = off; -- rows are to be read: aggregates.sql counts them
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
SELECT to_regtype('oid8') IS NULL AS none \gset
\if :none
\quit
\endif
SELECT c.opcdefault, f.opfname, amvalidate(c.oid)
  FROM pg_opclass c JOIN pg_opfamily f ON f.oid = c.opcfamily JOIN pg_am a ON a.oid = c.opcmethod
 WHERE a.amname = 'learned' AND c.opcintype = 'oid8'::regtype;
SELECT d.deptype, pg_describe_object(d.classid, d.objid, 0)
  FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
 WHERE e.extname = 'learned_index' AND pg_describe_object(d.classid, d.objid, 0) LIKE '%oid8_ops%' ORDER BY pg_describe_object(d.classid, d.objid, 0) COLLATE "C";
-- Around 0, the sign bit, the ends; a run; anywhere.
CREATE TABLE objects (k oid8, v int);
INSERT INTO objects SELECT k::oid8, row_number() OVER () FROM unnest('{0,1,2,4294967295,4294967296,9223372036854775806,
  9223372036854775807,9223372036854775808,9223372036854775809,18446744073709551614,18446744073709551615}'::text[]) k;
INSERT INTO objects SELECT (10000000000000000000 + i::numeric)::text::oid8, i FROM generate_series(1, 3000) i;
INSERT INTO objects SELECT (hashint8extended(i, 1)::numeric + 9223372036854775808)::text::oid8, i FROM generate_series(1, 3000) i;
INSERT INTO objects SELECT NULL, i FROM generate_series(1, 10) i;
CREATE INDEX objects_k ON objects USING learned (k);
-- Into the deltas.
INSERT INTO objects SELECT k, -v FROM objects WHERE v % 7 = 0;
VACUUM ANALYZE objects;
SELECT learned_index_check('objects_k', true);
-- Whether index scans, index-only scans and bitmap scans give what a sequential scan gives; and in order.
CREATE FUNCTION wrong_answers(OUT wrong bigint, OUT asked bigint) LANGUAGE plpgsql AS $$
DECLARE
  constant oid8;
  operator text;
  kind text;
  columns text;
  query text;
  result text;
  truth text;
BEGIN
  wrong := 0;
  asked := 0;
  FOR constant IN SELECT k FROM objects WHERE v BETWEEN -20 AND 11 OR v % 500 = 0 LOOP
    FOREACH operator IN ARRAY '{<,<=,=,>=,>}'::text[] LOOP
      FOREACH columns IN ARRAY '{k,v}'::text[] LOOP
        query := format('SELECT md5(coalesce(string_agg(%1$s::text, '','' ORDER BY k, %1$s), '''')) || count(*) FROM objects WHERE k %2$s %3$L',
          columns, operator, constant);
        PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_bitmapscan', 'off', true),
          set_config('enable_indexscan', 'off', true), set_config('enable_indexonlyscan', 'off', true);
        EXECUTE query INTO truth;
        PERFORM set_config('enable_seqscan', 'off', true);
        FOREACH kind IN ARRAY '{enable_indexscan,enable_bitmapscan}'::text[] LOOP
          PERFORM set_config('enable_indexscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
            set_config('enable_indexonlyscan', 'off', true);
          PERFORM set_config(kind, 'on', true), set_config('enable_indexonlyscan', CASE kind WHEN 'enable_indexscan' THEN 'on' ELSE 'off' END, true);
          EXECUTE query INTO result;
          asked := asked + 1;
          wrong := wrong + (result IS DISTINCT FROM truth)::int;
        END LOOP;
      END LOOP;
    END LOOP;
  END LOOP;
END $$;
SELECT wrong, asked > 500 AS many FROM wrong_answers();
SET enable_seqscan = off;
SET enable_sort = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT k FROM objects WHERE k > '18446744073709551600' ORDER BY k DESC;
SELECT k FROM objects WHERE k > '18446744073709551600' ORDER BY k DESC;
SELECT k FROM objects ORDER BY k LIMIT 3;
SELECT k FROM objects WHERE k = ANY ('{9223372036854775808,0,18446744073709551615,7}'::oid8[]) ORDER BY k;
SELECT min(k), max(k), count(*) FROM objects WHERE k IS NOT NULL;
SELECT k FROM objects ORDER BY k DESC NULLS FIRST OFFSET 9 LIMIT 3;
RESET enable_seqscan;
RESET enable_sort;
RESET enable_bitmapscan;
CREATE UNIQUE INDEX objects_unique ON objects USING learned (k) WHERE v BETWEEN 1 AND 11 AND k < '10';
INSERT INTO objects VALUES ('1', 5);
DROP TABLE objects;
DROP FUNCTION wrong_answers;
-- What 19 brings besides: tables are rewritten in the order of a learned index, and rows given back on conflict with one.
CREATE TABLE rewritten (k int8, v int4);
INSERT INTO rewritten SELECT hashint4(i), i FROM generate_series(1, 5000) i;
CREATE UNIQUE INDEX rewritten_k ON rewritten USING learned (k);
CREATE TABLE rewritten_before AS SELECT * FROM rewritten;
REPACK rewritten USING INDEX rewritten_k;
SELECT learned_index_check('rewritten_k', true);
SELECT count(*) AS out_of_order FROM (SELECT k, lag(k) OVER (ORDER BY ctid) AS before FROM rewritten) s WHERE before > k;
SELECT count(*) AS lost FROM (TABLE rewritten_before EXCEPT TABLE rewritten) s;
INSERT INTO rewritten VALUES (hashint4(1), -1), (hashint4(-1), -2) ON CONFLICT (k) DO SELECT RETURNING v;
DROP TABLE rewritten, rewritten_before;
-- As README.md has it for clusters that come from an older server: the extension has the family as if it had made it.
BEGIN;
ALTER EXTENSION learned_index DROP OPERATOR CLASS oid8_ops USING learned;
ALTER EXTENSION learned_index DROP OPERATOR FAMILY oid8_ops USING learned;
DROP OPERATOR FAMILY oid8_ops USING learned;
CREATE OPERATOR CLASS oid8_ops DEFAULT FOR TYPE oid8 USING learned AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 (oid8, oid8) btoid8cmp(oid8, oid8),
    FUNCTION 2 (oid8, oid8) btoid8sortsupport(internal), FUNCTION 4 (oid8, oid8) btequalimage(oid);
ALTER EXTENSION learned_index ADD OPERATOR FAMILY oid8_ops USING learned;
ALTER EXTENSION learned_index ADD OPERATOR CLASS oid8_ops USING learned;
SELECT amvalidate(c.oid) FROM pg_opclass c JOIN pg_am a ON a.oid = c.opcmethod WHERE a.amname = 'learned' AND c.opcintype = 'oid8'::regtype;
CREATE TABLE later (k oid8);
INSERT INTO later SELECT i::text::oid8 FROM generate_series(1, 1000) i;
CREATE INDEX later_k ON later USING learned (k);
SET LOCAL enable_seqscan = off;
SELECT k FROM later WHERE k BETWEEN '500' AND '502' ORDER BY k;
ROLLBACK;
