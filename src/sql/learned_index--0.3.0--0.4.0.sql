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

-- Index conditions that the planner makes of row comparisons, (a, b) >= (x, y), for an index on (a, b): a |>= ROW(x, y). By themselves
-- these operators compare with the first field alone. (Their estimators are constants: what the planner expects of a row comparison it
-- knows from the comparison.) Strategies 6 and 7 of every family.
CREATE FUNCTION learned_at_or_behind(anyelement, record)
RETURNS boolean
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT STABLE PARALLEL SAFE;
COMMENT ON FUNCTION learned_at_or_behind(anyelement, record) IS 'whether a value is >= the first field of a row';

CREATE FUNCTION learned_at_or_before(anyelement, record)
RETURNS boolean
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT STABLE PARALLEL SAFE;
COMMENT ON FUNCTION learned_at_or_before(anyelement, record) IS 'whether a value is <= the first field of a row';

CREATE OPERATOR |>= (LEFTARG = anyelement, RIGHTARG = record, FUNCTION = learned_at_or_behind, RESTRICT = positionsel, JOIN = positionjoinsel);
CREATE OPERATOR |<= (LEFTARG = anyelement, RIGHTARG = record, FUNCTION = learned_at_or_before, RESTRICT = positionsel, JOIN = positionjoinsel);

ALTER OPERATOR FAMILY integer_ops USING learned ADD OPERATOR 6 |>= (anyelement, record), OPERATOR 7 |<= (anyelement, record);
ALTER OPERATOR FAMILY float_ops USING learned ADD OPERATOR 6 |>= (anyelement, record), OPERATOR 7 |<= (anyelement, record);
ALTER OPERATOR FAMILY datetime_ops USING learned ADD OPERATOR 6 |>= (anyelement, record), OPERATOR 7 |<= (anyelement, record);
ALTER OPERATOR FAMILY oid_ops USING learned ADD OPERATOR 6 |>= (anyelement, record), OPERATOR 7 |<= (anyelement, record);
ALTER OPERATOR FAMILY time_ops USING learned ADD OPERATOR 6 |>= (anyelement, record), OPERATOR 7 |<= (anyelement, record);
ALTER OPERATOR FAMILY bool_ops USING learned ADD OPERATOR 6 |>= (anyelement, record), OPERATOR 7 |<= (anyelement, record);
ALTER OPERATOR FAMILY char_ops USING learned ADD OPERATOR 6 |>= (anyelement, record), OPERATOR 7 |<= (anyelement, record);
ALTER OPERATOR FAMILY xid8_ops USING learned ADD OPERATOR 6 |>= (anyelement, record), OPERATOR 7 |<= (anyelement, record);
ALTER OPERATOR FAMILY money_ops USING learned ADD OPERATOR 6 |>= (anyelement, record), OPERATOR 7 |<= (anyelement, record);
ALTER OPERATOR FAMILY pg_lsn_ops USING learned ADD OPERATOR 6 |>= (anyelement, record), OPERATOR 7 |<= (anyelement, record);
ALTER OPERATOR FAMILY macaddr_ops USING learned ADD OPERATOR 6 |>= (anyelement, record), OPERATOR 7 |<= (anyelement, record);
ALTER OPERATOR FAMILY macaddr8_ops USING learned ADD OPERATOR 6 |>= (anyelement, record), OPERATOR 7 |<= (anyelement, record);
ALTER OPERATOR FAMILY uuid_ops USING learned ADD OPERATOR 6 |>= (anyelement, record), OPERATOR 7 |<= (anyelement, record);
ALTER OPERATOR FAMILY timetz_ops USING learned ADD OPERATOR 6 |>= (anyelement, record), OPERATOR 7 |<= (anyelement, record);
DO $$
BEGIN
  IF to_regtype('pg_catalog.oid8') IS NOT NULL THEN
    ALTER OPERATOR FAMILY oid8_ops USING learned ADD OPERATOR 6 |>= (anyelement, record), OPERATOR 7 |<= (anyelement, record);
  END IF;
END $$;
