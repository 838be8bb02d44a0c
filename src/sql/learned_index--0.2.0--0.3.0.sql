/* learned_index--0.2.0--0.3.0.sql */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION learned_index UPDATE TO '0.3.0'" to load this file. \quit

-- learned_index_check() gets a third argument. Dropped and created anew, it would lose the privileges that were granted
-- or revoked, and could not be dropped where a view or another function's body depends on it. So it takes over the
-- signature of a function that goes again; calls that were parsed with two arguments stay valid, the library counts them.
CREATE FUNCTION learned_index_check_0_3_0(
    index regclass, heapallindexed boolean DEFAULT false, strict boolean DEFAULT false)
RETURNS void
AS 'MODULE_PATHNAME', 'learned_index_check'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;

UPDATE pg_catalog.pg_proc AS old
SET pronargs = new.pronargs, pronargdefaults = new.pronargdefaults, proargtypes = new.proargtypes,
    proargnames = new.proargnames, proargdefaults = new.proargdefaults
FROM pg_catalog.pg_proc AS new
WHERE old.oid = 'learned_index_check(regclass, boolean)'::regprocedure
  AND new.oid = 'learned_index_check_0_3_0(regclass, boolean, boolean)'::regprocedure;

DROP FUNCTION learned_index_check_0_3_0(regclass, boolean, boolean);

COMMENT ON FUNCTION learned_index_check(regclass, boolean, boolean) IS
    'verify the structure of a learned index, with heapallindexed that it finds every row of its table, strict: keeping writers away';

-- bool, "char", xid8, money, pg_lsn, macaddr, macaddr8: each a family of its own, as in btree, and like there without
-- support functions 2 (but for macaddr) and 3

CREATE OPERATOR FAMILY bool_ops USING learned;

CREATE OPERATOR CLASS bool_ops
    DEFAULT FOR TYPE bool USING learned FAMILY bool_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 (bool, bool) btboolcmp(bool, bool),
    FUNCTION 4 (bool, bool) btequalimage(oid);

CREATE OPERATOR FAMILY char_ops USING learned;

CREATE OPERATOR CLASS char_ops
    DEFAULT FOR TYPE "char" USING learned FAMILY char_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 ("char", "char") btcharcmp("char", "char"),
    FUNCTION 4 ("char", "char") btequalimage(oid);

CREATE OPERATOR FAMILY xid8_ops USING learned;

CREATE OPERATOR CLASS xid8_ops
    DEFAULT FOR TYPE xid8 USING learned FAMILY xid8_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 (xid8, xid8) xid8cmp(xid8, xid8),
    FUNCTION 4 (xid8, xid8) btequalimage(oid);

CREATE OPERATOR FAMILY money_ops USING learned;

CREATE OPERATOR CLASS money_ops
    DEFAULT FOR TYPE money USING learned FAMILY money_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 (money, money) cash_cmp(money, money),
    FUNCTION 4 (money, money) btequalimage(oid);

CREATE OPERATOR FAMILY pg_lsn_ops USING learned;

CREATE OPERATOR CLASS pg_lsn_ops
    DEFAULT FOR TYPE pg_lsn USING learned FAMILY pg_lsn_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 (pg_lsn, pg_lsn) pg_lsn_cmp(pg_lsn, pg_lsn),
    FUNCTION 4 (pg_lsn, pg_lsn) btequalimage(oid);

CREATE OPERATOR FAMILY macaddr_ops USING learned;

CREATE OPERATOR CLASS macaddr_ops
    DEFAULT FOR TYPE macaddr USING learned FAMILY macaddr_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 (macaddr, macaddr) macaddr_cmp(macaddr, macaddr),
    FUNCTION 2 (macaddr, macaddr) macaddr_sortsupport(internal),
    FUNCTION 4 (macaddr, macaddr) btequalimage(oid);

CREATE OPERATOR FAMILY macaddr8_ops USING learned;

CREATE OPERATOR CLASS macaddr8_ops
    DEFAULT FOR TYPE macaddr8 USING learned FAMILY macaddr8_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 (macaddr8, macaddr8) macaddr8_cmp(macaddr8, macaddr8),
    FUNCTION 4 (macaddr8, macaddr8) btequalimage(oid);

-- oid8, a type that PostgreSQL 19 brings; its family as btree's has no member of another type
DO $$
BEGIN
  IF to_regtype('pg_catalog.oid8') IS NOT NULL THEN
    CREATE OPERATOR FAMILY oid8_ops USING learned;
    CREATE OPERATOR CLASS oid8_ops
        DEFAULT FOR TYPE oid8 USING learned FAMILY oid8_ops AS
        OPERATOR 1 <,
        OPERATOR 2 <=,
        OPERATOR 3 =,
        OPERATOR 4 >=,
        OPERATOR 5 >,
        FUNCTION 1 (oid8, oid8) btoid8cmp(oid8, oid8),
        FUNCTION 2 (oid8, oid8) btoid8sortsupport(internal),
        FUNCTION 4 (oid8, oid8) btequalimage(oid);
  END IF;
END $$;
