/* learned_index--0.3.0--0.4.0.sql */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION learned_index UPDATE TO '0.4.0'" to load this file. \quit

-- uuid and timetz: each a family of its own, with what btree's has

CREATE OPERATOR FAMILY uuid_ops USING learned;

CREATE OPERATOR CLASS uuid_ops
    DEFAULT FOR TYPE uuid USING learned FAMILY uuid_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 (uuid, uuid) uuid_cmp(uuid, uuid),
    FUNCTION 2 (uuid, uuid) uuid_sortsupport(internal),
    FUNCTION 4 (uuid, uuid) btequalimage(oid);

CREATE OPERATOR FAMILY timetz_ops USING learned;

CREATE OPERATOR CLASS timetz_ops
    DEFAULT FOR TYPE timetz USING learned FAMILY timetz_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 (timetz, timetz) timetz_cmp(timetz, timetz),
    FUNCTION 3 (timetz, interval) in_range(timetz, timetz, interval, boolean, boolean),
    FUNCTION 4 (timetz, timetz) btequalimage(oid);
