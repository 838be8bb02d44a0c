/* learned_index--0.4.0--0.5.0.sql */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION learned_index UPDATE TO '0.5.0'" to load this file. \quit

-- (Counting is all the library's.)

-- Both look at so many pages as they are asked for buckets or rows. They tell what is in the table, so who may call them is who may
-- select from it.
CREATE FUNCTION learned_index_histogram(
    index regclass,
    buckets int4 DEFAULT 100,
    OUT bucket int4,
    OUT lower_key text[],
    OUT upper_key text[],
    OUT entries int8,
    OUT exact boolean)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION learned_index_histogram(regclass, int4) IS
    'keys that divide a learned index into buckets of equal size';

-- (What setseed() says is one process's.)
CREATE FUNCTION learned_index_sample(index regclass, n int4)
RETURNS SETOF tid
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 1000;
COMMENT ON FUNCTION learned_index_sample(regclass, int4) IS
    'random rows of a learned index, by their places in the table';
