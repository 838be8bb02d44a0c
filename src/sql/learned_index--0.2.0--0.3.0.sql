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
