-- What cannot be an index is refused before anything is in the catalogs: also of partitioned tables, whose indexes are
-- never built, and concurrently, where the catalogs are written first. Statements stand alone here, because a block that
-- catches errors would undo what they leave behind.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS learned_index;
CREATE SCHEMA refusals;
SET search_path = refusals, public;

-- All indexes here.
CREATE VIEW left_behind AS
SELECT c.relname, a.amname, i.indisvalid AS valid FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid JOIN pg_am a ON a.oid = c.relam
 WHERE c.relnamespace = 'refusals'::regnamespace ORDER BY 1;
CREATE FUNCTION method() RETURNS oid LANGUAGE sql AS $$ SELECT oid FROM pg_am WHERE amname = 'learned' $$;

-- What the access method claims, and what it does.
SELECT pg_indexam_has_property(method(), 'can_unique') = (current_setting('server_version_num')::int >= 180000) AS unique_from_18_on,
       pg_indexam_has_property(method(), 'can_multi_col') AS multicolumn, pg_indexam_has_property(method(), 'can_include') AS included,
       pg_indexam_has_property(method(), 'can_order') AS ordered, pg_indexam_has_property(method(), 'can_exclude') AS exclusion;

-- A table, one without partitions, one with.
CREATE TABLE plain (a int4, b int8, t text, u uuid);
INSERT INTO plain VALUES (1, 1, 'x'), (2, 2, 'y');
CREATE TABLE lone (a int4, b int8, t text, u uuid) PARTITION BY RANGE (a);
CREATE TABLE whole (a int4, b int8, t text, u uuid) PARTITION BY RANGE (a);
CREATE TABLE whole_1 PARTITION OF whole FOR VALUES FROM (0) TO (100);

-- Columns that make keys of more than four words, unsupported types among several columns and included ones.
CREATE INDEX refused ON plain USING learned (a, b, a, b, a);
CREATE INDEX refused ON lone USING learned (a, b, a, b, a);
CREATE INDEX refused ON whole USING learned (a, b, a) INCLUDE (b, a);
CREATE INDEX refused ON ONLY whole USING learned (u, u, a);
CREATE INDEX CONCURRENTLY refused ON plain USING learned (u, u, a);
CREATE INDEX CONCURRENTLY IF NOT EXISTS refused ON plain USING learned (u, u, a);
CREATE INDEX IF NOT EXISTS refused ON plain USING learned (u, u, a);
CREATE INDEX refused ON plain USING learned (a) INCLUDE (t);
CREATE INDEX refused ON lone USING learned (a) INCLUDE (t);
CREATE INDEX refused ON whole USING learned (a, b) INCLUDE (t);
CREATE INDEX CONCURRENTLY refused ON plain USING learned (a) INCLUDE (t);
CREATE INDEX refused ON lone USING learned (a, t);
CREATE INDEX CONCURRENTLY refused ON plain USING learned (b, t);
ALTER TABLE plain ADD CONSTRAINT refused EXCLUDE USING learned (a WITH =, t WITH =);
ALTER TABLE plain ADD CONSTRAINT refused EXCLUDE USING learned (a WITH =) INCLUDE (t);
ALTER TABLE plain ADD CONSTRAINT refused EXCLUDE USING learned (a WITH =, b WITH <);
ALTER TABLE plain ADD CONSTRAINT refused EXCLUDE USING learned (a WITH <);
ALTER TABLE plain ADD CONSTRAINT refused EXCLUDE USING learned (a WITH <>);
CREATE TABLE refused (a int4, b int8, EXCLUDE USING learned (a WITH =, b WITH =, a WITH =, b WITH =, a WITH =));
CREATE TABLE refused (a int4, t text, EXCLUDE USING learned (t WITH =));
SELECT to_regclass('refused');
TABLE left_behind;
REINDEX TABLE plain;

-- Types and options, also where nothing would be built.
CREATE INDEX refused ON lone USING learned (t);
CREATE INDEX refused ON lone USING learned ((t || 'x'));
CREATE INDEX CONCURRENTLY refused ON plain USING learned (t);
CREATE INDEX refused ON lone USING learned (a) WITH (fillfactor = 10);
CREATE INDEX refused ON lone USING learned (a) WITH (epsilon = 64);
CREATE INDEX CONCURRENTLY refused ON plain USING learned (a) WITH (fillfactor = 10);
\set VERBOSITY sqlstate
CREATE INDEX CONCURRENTLY refused ON plain USING learned (a int4_ops (depth = 3));
CREATE INDEX refused ON lone USING learned (a int4_ops (depth = 3));
\set VERBOSITY default
TABLE left_behind;
CREATE INDEX lone_a ON lone USING learned (a) WITH (fillfactor = 90);
CREATE INDEX plain_b ON plain USING learned (b);
ALTER INDEX lone_a SET (fillfactor = 10);
ALTER INDEX plain_b SET (fillfactor = 10);
-- A column of another type than the index can have: all of the statement is undone.
ALTER TABLE plain ALTER b TYPE numeric;
CREATE INDEX lone_b ON lone USING learned (b);
ALTER TABLE lone ALTER b TYPE text;
DROP INDEX lone_b;
SELECT a.attrelid::regclass, a.attname, a.atttypid::regtype FROM pg_attribute a
 WHERE a.attrelid IN ('plain'::regclass, 'lone'::regclass) AND a.attname = 'b' ORDER BY 1;
SELECT learned_index_check('plain_b', true);
TABLE left_behind;
DROP INDEX lone_a, plain_b;

-- Operator classes whose order is not the type's default one, by operators or by support functions.
CREATE OPERATOR CLASS refused_ops FOR TYPE int4 USING learned AS
    OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <,
    FUNCTION 1 (int4, int4) btint4cmp(int4, int4);
CREATE OPERATOR CLASS refused_ops FOR TYPE int4 USING learned AS OPERATOR 3 <>;
CREATE OPERATOR CLASS refused_ops FOR TYPE int4 USING learned AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
    FUNCTION 1 (int4, int4) int4larger(int4, int4);
CREATE OPERATOR CLASS refused_ops FOR TYPE int4 USING learned AS FUNCTION 1 (int4, int4) btint8cmp(int8, int8);
CREATE OPERATOR CLASS refused_ops FOR TYPE int4 USING learned AS FUNCTION 2 (int4, int4) btint8sortsupport(internal);
CREATE OPERATOR CLASS refused_ops FOR TYPE float8 USING learned AS FUNCTION 4 (float8, float8) btequalimage(oid);
-- Operators of one's own, even if they compare alike: nobody can know.
CREATE FUNCTION own_less(int4, int4) RETURNS bool IMMUTABLE LANGUAGE sql AS $$ SELECT $1 < $2 $$;
CREATE OPERATOR <<< (LEFTARG = int4, RIGHTARG = int4, FUNCTION = own_less);
CREATE OPERATOR CLASS refused_ops FOR TYPE int4 USING learned AS OPERATOR 1 <<<;
-- Types without a key code: another one, a domain, one that is binary coercible to a supported one.
CREATE DOMAIN small AS int4 CHECK (VALUE < 100);
CREATE TYPE other_int;
CREATE FUNCTION other_in(cstring) RETURNS other_int IMMUTABLE STRICT LANGUAGE internal AS 'int4in';
CREATE FUNCTION other_out(other_int) RETURNS cstring IMMUTABLE STRICT LANGUAGE internal AS 'int4out';
CREATE TYPE other_int (INPUT = other_in, OUTPUT = other_out, LIKE = int4);
CREATE CAST (other_int AS int4) WITHOUT FUNCTION AS IMPLICIT;
CREATE OPERATOR CLASS refused_ops FOR TYPE text USING learned AS OPERATOR 1 <;
CREATE OPERATOR CLASS refused_ops FOR TYPE small USING learned AS OPERATOR 1 < (int4, int4);
CREATE OPERATOR CLASS refused_ops FOR TYPE other_int USING learned AS OPERATOR 1 < (int4, int4);
CREATE OPERATOR CLASS refused_ops FOR TYPE regclass USING learned AS OPERATOR 1 < (oid, oid);
-- Into families that exist: the same, and members across types. A type that has no btree order is measured by the other.
CREATE OPERATOR FAMILY own_ops USING learned;
ALTER OPERATOR FAMILY own_ops USING learned ADD OPERATOR 1 > (int4, int4);
ALTER OPERATOR FAMILY own_ops USING learned ADD OPERATOR 5 < (int4, int8);
ALTER OPERATOR FAMILY own_ops USING learned ADD FUNCTION 1 (int4, int8) btint84cmp(int8, int4);
ALTER OPERATOR FAMILY own_ops USING learned ADD FUNCTION 3 (int4, int8) in_range(int4, int4, int4, bool, bool);
CREATE FUNCTION other_less(other_int, int4) RETURNS bool IMMUTABLE LANGUAGE sql AS $$ SELECT $1::int4 < $2 $$;
CREATE FUNCTION same_less(other_int, other_int) RETURNS bool IMMUTABLE LANGUAGE sql AS $$ SELECT $1::int4 < $2::int4 $$;
CREATE OPERATOR < (LEFTARG = other_int, RIGHTARG = int4, FUNCTION = other_less);
CREATE OPERATOR < (LEFTARG = other_int, RIGHTARG = other_int, FUNCTION = same_less);
ALTER OPERATOR FAMILY own_ops USING learned ADD OPERATOR 1 < (other_int, int4);
ALTER OPERATOR FAMILY own_ops USING learned ADD OPERATOR 1 < (other_int, other_int);
ALTER OPERATOR FAMILY integer_ops USING btree ADD OPERATOR 1 < (other_int, int4);
ALTER OPERATOR FAMILY own_ops USING learned ADD OPERATOR 5 < (other_int, int4);
ALTER OPERATOR FAMILY own_ops USING learned ADD OPERATOR 1 < (other_int, int4);
ALTER OPERATOR FAMILY own_ops USING learned DROP OPERATOR 1 (other_int, int4);
ALTER OPERATOR FAMILY integer_ops USING btree DROP OPERATOR 1 (other_int, int4);
CREATE FUNCTION far_less(point, point) RETURNS bool IMMUTABLE LANGUAGE sql AS $$ SELECT $1[0] < $2[0] $$;
CREATE OPERATOR < (LEFTARG = point, RIGHTARG = point, FUNCTION = far_less);
CREATE FUNCTION far_less(point, int4) RETURNS bool IMMUTABLE LANGUAGE sql AS $$ SELECT $1[0] < $2 $$;
CREATE OPERATOR < (LEFTARG = point, RIGHTARG = int4, FUNCTION = far_less);
ALTER OPERATOR FAMILY integer_ops USING btree ADD OPERATOR 1 < (point, int4);
ALTER OPERATOR FAMILY own_ops USING learned ADD OPERATOR 5 < (point, int4);
ALTER OPERATOR FAMILY own_ops USING learned ADD OPERATOR 1 < (point, point);
ALTER OPERATOR FAMILY own_ops USING learned ADD OPERATOR 1 < (point, int4);
ALTER OPERATOR FAMILY own_ops USING learned DROP OPERATOR 1 (point, int4);
ALTER OPERATOR FAMILY integer_ops USING btree DROP OPERATOR 1 (point, int4);
SELECT count(*) FROM pg_opclass WHERE opcname = 'refused_ops';
SELECT count(*) FROM pg_amop WHERE amopfamily = (SELECT oid FROM pg_opfamily WHERE opfname = 'own_ops');
-- Columns of such types do have indexes, under the class of the type beneath.
CREATE TABLE alike (s small, o other_int, r regclass);
INSERT INTO alike SELECT i, i::text::other_int, 'plain' FROM generate_series(1, 99) i;
CREATE INDEX alike_s ON alike USING learned (s);
CREATE INDEX alike_o ON alike USING learned (o);
CREATE INDEX alike_r ON alike USING learned (r);
SELECT count(learned_index_check(indexrelid, true)) FROM pg_index WHERE indrelid = 'alike'::regclass;
DROP TABLE alike;

-- A class of one's own that is right, whole or in part, can be used.
CREATE OPERATOR CLASS own4_ops FOR TYPE int4 USING learned FAMILY own_ops AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
    FUNCTION 1 (int4, int4) btint4cmp(int4, int4), FUNCTION 2 (int4, int4) btint4sortsupport(internal);
ALTER OPERATOR FAMILY own_ops USING learned ADD
    OPERATOR 1 < (int4, int8), OPERATOR 2 <= (int4, int8), OPERATOR 3 = (int4, int8), OPERATOR 4 >= (int4, int8),
    OPERATOR 5 > (int4, int8), FUNCTION 1 (int4, int8) btint48cmp(int4, int8),
    FUNCTION 3 (int4, int8) in_range(int4, int4, int8, bool, bool);
CREATE INDEX plain_own ON plain USING learned (a own4_ops);
CREATE INDEX lone_own ON lone USING learned (a own4_ops DESC);
CREATE INDEX whole_own ON whole USING learned (a own4_ops);
SET enable_seqscan = off;
SELECT a FROM plain WHERE a > 1::int8;
RESET enable_seqscan;

-- Made wrong behind our back (an older version of the extension took such classes): nothing new of that class, nothing built.
-- Tried with operators that are reversed, with another comparison function, with another type.
CREATE PROCEDURE reverse_order() LANGUAGE plpgsql AS $$
BEGIN
  -- In two steps, as no two operators may have the same number.
  UPDATE pg_amop SET amopstrategy = amopstrategy + 10 WHERE amopfamily = (SELECT oid FROM pg_opfamily WHERE opfname = 'own_ops');
  UPDATE pg_amop SET amopstrategy = 16 - amopstrategy WHERE amopfamily = (SELECT oid FROM pg_opfamily WHERE opfname = 'own_ops');
END $$;
CALL reverse_order();
CREATE INDEX refused ON plain USING learned (a own4_ops);
CREATE INDEX CONCURRENTLY refused ON plain USING learned (a own4_ops);
CREATE INDEX refused ON lone USING learned (a own4_ops);
CREATE INDEX refused ON whole USING learned (a own4_ops);
CREATE INDEX refused ON ONLY whole USING learned (a own4_ops);
ALTER TABLE plain ADD CONSTRAINT refused EXCLUDE USING learned (a own4_ops WITH =);
CREATE TABLE refused (LIKE plain INCLUDING ALL);
CREATE TABLE refused PARTITION OF lone FOR VALUES FROM (0) TO (100);
CREATE TABLE joining (a int4, b int8, t text, u uuid);
ALTER TABLE lone ATTACH PARTITION joining FOR VALUES FROM (0) TO (100);
ALTER TABLE plain ALTER a TYPE int8;
ALTER TABLE plain ALTER t TYPE varchar, ALTER a TYPE int4;
REINDEX INDEX plain_own;
REINDEX TABLE plain;
REINDEX INDEX CONCURRENTLY plain_own;
REINDEX TABLE CONCURRENTLY plain;
REINDEX TABLE whole;
VACUUM FULL plain;
TRUNCATE plain;
SELECT count(*) FROM plain;
-- The check says so, of an index that is sound in itself.
SELECT learned_index_check('plain_own', true);
SELECT to_regclass('refused'), (SELECT count(*) FROM pg_inherits WHERE inhrelid = 'joining'::regclass) AS attached;
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'own4_ops';
TABLE left_behind;
CALL reverse_order();
REINDEX TABLE plain;
CREATE TEMP TABLE proper AS SELECT oid, amproc FROM pg_amproc WHERE amproc = 'btint4cmp'::regproc
   AND amprocfamily = (SELECT oid FROM pg_opfamily WHERE opfname = 'own_ops');
UPDATE pg_amproc SET amproc = 'int4larger'::regproc WHERE oid IN (SELECT oid FROM proper);
CREATE INDEX CONCURRENTLY refused ON plain USING learned (a own4_ops);
CREATE INDEX refused ON lone USING learned (a own4_ops);
REINDEX INDEX plain_own;
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'own4_ops';
UPDATE pg_amproc SET amproc = proper.amproc FROM proper WHERE pg_amproc.oid = proper.oid;
REINDEX TABLE plain;
TABLE left_behind;
DROP INDEX plain_own, lone_own, whole_own;
UPDATE pg_opclass SET opcintype = 'text'::regtype WHERE opcname = 'own4_ops';
CREATE INDEX CONCURRENTLY refused ON plain USING learned (t own4_ops);
CREATE INDEX refused ON lone USING learned (t own4_ops);
SELECT amvalidate(oid) FROM pg_opclass WHERE opcname = 'own4_ops';
UPDATE pg_opclass SET opcintype = 'int4'::regtype WHERE opcname = 'own4_ops';

-- A partitioned index of a shape that an older version of the extension let in (none of ours, then made one): its table
-- takes no partition until it is dropped, and says why.
CREATE INDEX lone_both ON lone USING btree (a, b) INCLUDE (t);
UPDATE pg_class SET relam = method() WHERE relname = 'lone_both';
UPDATE pg_index SET indclass = (SELECT array_to_string(array_agg(oid), ' ')::oidvector FROM
       (SELECT oid FROM pg_opclass WHERE opcmethod = method() AND opcname IN ('int4_ops', 'int8_ops') ORDER BY opcname) o)
 WHERE indexrelid = 'lone_both'::regclass;
CREATE TABLE refused PARTITION OF lone FOR VALUES FROM (0) TO (100);
ALTER TABLE lone ATTACH PARTITION joining FOR VALUES FROM (0) TO (100);
DROP INDEX lone_both;
ALTER TABLE lone ATTACH PARTITION joining FOR VALUES FROM (0) TO (100);
TABLE left_behind;

-- What other methods and other objects do is none of our business.
CREATE INDEX ON plain USING btree (a, b) INCLUDE (t);
CREATE UNIQUE INDEX CONCURRENTLY ON plain USING btree (a);
CREATE INDEX ON whole USING hash (a);
CREATE SEQUENCE counter;
CREATE MATERIALIZED VIEW seen AS SELECT * FROM plain;
TABLE left_behind;

DROP SCHEMA refusals CASCADE;
