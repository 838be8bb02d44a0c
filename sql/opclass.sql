--
-- Operator families and classes: complete, and the same as btree's
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;

-- every class is valid and the default for its type (oid8, which only 19 has, is in server19.sql)
SELECT c.opcname, c.opcintype::regtype AS type, f.opfname, c.opcdefault, amvalidate(c.oid)
FROM pg_opclass c
JOIN pg_opfamily f ON f.oid = c.opcfamily
JOIN pg_am a ON a.oid = c.opcmethod
WHERE a.amname = 'learned' AND c.opcname <> 'oid8_ops'
ORDER BY f.opfname COLLATE "C", c.opcname COLLATE "C";

-- our families, and the btree families of the same names, member by member
CREATE VIEW family_members AS
SELECT a.amname, f.opfname, 'operator' AS kind, m.amopstrategy AS number,
       m.amoplefttype::regtype AS left_type, m.amoprighttype::regtype AS right_type,
       m.amopopr::regoperator::text AS member, m.amoppurpose::text AS purpose
FROM pg_amop m
JOIN pg_opfamily f ON f.oid = m.amopfamily
JOIN pg_am a ON a.oid = f.opfmethod
UNION ALL
SELECT a.amname, f.opfname, 'function', m.amprocnum,
       m.amproclefttype::regtype, m.amprocrighttype::regtype,
       m.amproc::regprocedure::text, NULL
FROM pg_amproc m
JOIN pg_opfamily f ON f.oid = m.amprocfamily
JOIN pg_am a ON a.oid = f.opfmethod;

CREATE VIEW ours AS
SELECT opfname, kind, number, left_type, right_type, member, purpose
FROM family_members WHERE amname = 'learned';

-- support functions from 5 on are additions of newer servers (5 options, 6 skip support)
CREATE VIEW theirs AS
SELECT opfname, kind, number, left_type, right_type, member, purpose
FROM family_members
WHERE amname = 'btree' AND (kind = 'operator' OR number < 5)
  AND opfname IN (SELECT opfname FROM ours);

SELECT opfname, kind, count(*) FROM ours WHERE opfname <> 'oid8_ops' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT 'missing' AS fault, * FROM (TABLE theirs EXCEPT TABLE ours) m
UNION ALL
SELECT 'extra', * FROM (TABLE ours EXCEPT TABLE theirs) e WHERE number < 6;
-- and two operators of its own, for row comparisons
SELECT number, left_type, right_type, member, count(*) = count(DISTINCT opfname) AND count(*) = (SELECT count(*) FROM pg_opfamily f JOIN pg_am a ON a.oid = f.opfmethod WHERE a.amname = 'learned' AND f.opfname <> 'oid8_ops') AS in_each
  FROM ours WHERE number > 5 AND opfname <> 'oid8_ops' GROUP BY 1, 2, 3, 4 ORDER BY 1;

-- their dependencies are of the same kinds as those of btree's members: same-type operators and comparison
-- functions belong to the class, the others to the family
CREATE OPERATOR FAMILY twin_ops USING btree;
CREATE OPERATOR CLASS twin4_ops FOR TYPE int4 USING btree FAMILY twin_ops AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
    FUNCTION 1 (int4, int4) btint4cmp(int4, int4),
    FUNCTION 2 (int4, int4) btint4sortsupport(internal);
ALTER OPERATOR FAMILY twin_ops USING btree ADD
    OPERATOR 1 < (int4, int8),
    FUNCTION 1 (int4, int8) btint48cmp(int4, int8),
    OPERATOR 1 < (int8, int8),
    FUNCTION 1 (int8, int8) btint8cmp(int8, int8);
CREATE OPERATOR FAMILY twin_ops USING learned;
CREATE OPERATOR CLASS twin4_ops FOR TYPE int4 USING learned FAMILY twin_ops AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
    FUNCTION 1 (int4, int4) btint4cmp(int4, int4),
    FUNCTION 2 (int4, int4) btint4sortsupport(internal);
ALTER OPERATOR FAMILY twin_ops USING learned ADD
    OPERATOR 1 < (int4, int8),
    FUNCTION 1 (int4, int8) btint48cmp(int4, int8),
    OPERATOR 1 < (int8, int8),
    FUNCTION 1 (int8, int8) btint8cmp(int8, int8);

CREATE VIEW twin_dependencies AS
SELECT a.amname, m.left_type, m.right_type, m.kind, m.number,
       d.refclassid::regclass AS on_what, d.deptype
FROM (SELECT 'pg_amop'::regclass AS classid, oid, amopfamily AS family, amoplefttype::regtype AS left_type,
             amoprighttype::regtype AS right_type, 'operator' AS kind, amopstrategy AS number
      FROM pg_amop
      UNION ALL
      SELECT 'pg_amproc'::regclass, oid, amprocfamily, amproclefttype::regtype,
             amprocrighttype::regtype, 'function', amprocnum
      FROM pg_amproc) m
JOIN pg_opfamily f ON f.oid = m.family AND f.opfname = 'twin_ops'
JOIN pg_am a ON a.oid = f.opfmethod
JOIN pg_depend d ON d.classid = m.classid AND d.objid = m.oid;

SELECT left_type, right_type, kind, number, on_what, deptype
FROM twin_dependencies WHERE amname = 'learned'
ORDER BY left_type::text COLLATE "C", right_type::text COLLATE "C", kind, number, on_what::text COLLATE "C";
SELECT count(*) AS differences FROM (
    SELECT left_type, right_type, kind, number, on_what, deptype FROM twin_dependencies
    GROUP BY 1, 2, 3, 4, 5, 6 HAVING count(*) <> 2) d;

-- the incomplete family is found out
SELECT amvalidate(oid) FROM pg_opclass
WHERE opcname = 'twin4_ops' AND opcmethod = (SELECT oid FROM pg_am WHERE amname = 'learned');
DROP VIEW twin_dependencies;
DROP OPERATOR FAMILY twin_ops USING btree CASCADE;
DROP OPERATOR FAMILY twin_ops USING learned CASCADE;

-- so are an order that is not the type's own, wrong functions, and a type without a key code, none of which can be
-- created any more (refusals.sql): made right first, and then wrong behind the server's back
CREATE OPERATOR CLASS backward_ops FOR TYPE int4 USING learned AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
    FUNCTION 1 (int4, int4) btint4cmp(int4, int4);
CREATE OPERATOR CLASS odd_ops FOR TYPE int8 USING learned AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=,
    FUNCTION 1 (int8, int8) btint8cmp(int8, int8),
    FUNCTION 3 (int8, int8) in_range(int8, int8, int8, boolean, boolean);
CREATE OPERATOR CLASS text_ops FOR TYPE int4 USING learned AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
    FUNCTION 1 (int4, int4) btint4cmp(int4, int4);
CREATE FUNCTION our_family(name text) RETURNS oid LANGUAGE sql AS $$
    SELECT opcfamily FROM pg_opclass WHERE opcname = name AND opcmethod = (SELECT oid FROM pg_am WHERE amname = 'learned') $$;
UPDATE pg_amop SET amopstrategy = amopstrategy + 10 WHERE amopfamily = our_family('backward_ops');
UPDATE pg_amop SET amopstrategy = 16 - amopstrategy WHERE amopfamily = our_family('backward_ops');
UPDATE pg_amproc SET amproc = 'btint4cmp(int4, int4)'::regprocedure WHERE amprocfamily = our_family('odd_ops') AND amprocnum = 1;
UPDATE pg_amproc SET amproc = 'in_range(int4, int4, int4, boolean, boolean)'::regprocedure
WHERE amprocfamily = our_family('odd_ops') AND amprocnum = 3;
UPDATE pg_opclass SET opcintype = 'text'::regtype WHERE opcfamily = our_family('text_ops');
UPDATE pg_amop SET amoplefttype = 'text'::regtype, amoprighttype = 'text'::regtype,
       amopopr = (SELECT o.amopopr FROM pg_amop o JOIN pg_opfamily f ON f.oid = o.amopfamily
                   WHERE f.opfname = 'text_ops' AND f.opfmethod = (SELECT oid FROM pg_am WHERE amname = 'btree')
                     AND o.amoplefttype = 'text'::regtype AND o.amoprighttype = 'text'::regtype AND o.amopstrategy = pg_amop.amopstrategy)
WHERE amopfamily = our_family('text_ops');
UPDATE pg_amproc SET amproclefttype = 'text'::regtype, amprocrighttype = 'text'::regtype, amproc = 'bttextcmp'::regproc
WHERE amprocfamily = our_family('text_ops');
DROP FUNCTION our_family;
SELECT opcname, amvalidate(oid) FROM pg_opclass
WHERE opcname IN ('backward_ops', 'odd_ops', 'text_ops')
  AND opcmethod = (SELECT oid FROM pg_am WHERE amname = 'learned')
ORDER BY opcname COLLATE "C";
-- ... for which no index can be built
CREATE TABLE opclass_words (word text);
CREATE INDEX ON opclass_words USING learned (word text_ops);
-- strategies and functions beyond ours
CREATE OPERATOR CLASS beyond_ops FOR TYPE int8 USING learned AS OPERATOR 6 <;
CREATE OPERATOR CLASS beyond_ops FOR TYPE int8 USING learned AS FUNCTION 5 (int8, int8) btint8cmp(int8, int8);
DROP TABLE opclass_words;
DROP OPERATOR FAMILY backward_ops USING learned;
DROP OPERATOR FAMILY odd_ops USING learned;
DROP OPERATOR FAMILY text_ops USING learned;

-- types that have no class get the server's own hint
CREATE TABLE opclass_types (v numeric, t text);
CREATE INDEX ON opclass_types USING learned (v);
CREATE INDEX ON opclass_types USING learned (t);
DROP TABLE opclass_types;

-- what the access method says about itself
SELECT property, pg_indexam_has_property(a.oid, property) AS has
FROM pg_am a,
     unnest(ARRAY['can_order', 'can_multi_col', 'can_exclude', 'can_include', 'nonsense'])
         WITH ORDINALITY p(property, n)
WHERE a.amname = 'learned' ORDER BY n;

-- settings and index options
SHOW learned_index.model_cache;
SET learned_index.model_cache = '1MB';
SHOW learned_index.model_cache;
\set VERBOSITY sqlstate
SET learned_index.model_cache = -1;
SET learned_index.model_cache = '2GB';
\set VERBOSITY default
RESET learned_index.model_cache;
SHOW learned_index.generic_wal;
SET learned_index.no_such_setting = 1;

CREATE TABLE option_errors (k int8);
CREATE INDEX ON option_errors USING learned (k) WITH (fillfactor = 49);
CREATE INDEX ON option_errors USING learned (k) WITH (fillfactor = 101);
CREATE INDEX ON option_errors USING learned (k) WITH (fillfactor = dense);
CREATE INDEX ON option_errors USING learned (k) WITH (deduplicate_items = on);
\set VERBOSITY sqlstate
CREATE INDEX ON option_errors USING learned (k int8_ops (siglen = 1));
\set VERBOSITY default
DROP TABLE option_errors;

DROP VIEW ours, theirs, family_members;
