/* learned_index--0.2.0--0.3.0.sql */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION learned_index UPDATE TO '0.3.0'" to load this file. \quit

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
