/* learned_index--0.1.0.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION learned_index" to load this file. \quit

CREATE FUNCTION learned_handler(internal)
RETURNS index_am_handler
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT;

CREATE ACCESS METHOD learned TYPE INDEX HANDLER learned_handler;
COMMENT ON ACCESS METHOD learned IS
    'learned index: ordered and exact like btree, stores what a model of the keys does not predict';

-- Operator families. Each mirrors the btree family of the same name for the types that it has: the same operators,
-- the same support functions under the same numbers, every pair of types (the planner loses equivalences between
-- types in an incomplete family, from version 18 on for every query in the database). Types of functions are
-- written out: only for btree does the server infer them.

-- int2, int4, int8

CREATE OPERATOR FAMILY integer_ops USING learned;

CREATE OPERATOR CLASS int2_ops
    DEFAULT FOR TYPE int2 USING learned FAMILY integer_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 (int2, int2) btint2cmp(int2, int2),
    FUNCTION 2 (int2, int2) btint2sortsupport(internal),
    FUNCTION 3 (int2, int2) in_range(int2, int2, int2, boolean, boolean),
    FUNCTION 4 (int2, int2) btequalimage(oid);

CREATE OPERATOR CLASS int4_ops
    DEFAULT FOR TYPE int4 USING learned FAMILY integer_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 (int4, int4) btint4cmp(int4, int4),
    FUNCTION 2 (int4, int4) btint4sortsupport(internal),
    FUNCTION 3 (int4, int4) in_range(int4, int4, int4, boolean, boolean),
    FUNCTION 4 (int4, int4) btequalimage(oid);

CREATE OPERATOR CLASS int8_ops
    DEFAULT FOR TYPE int8 USING learned FAMILY integer_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 (int8, int8) btint8cmp(int8, int8),
    FUNCTION 2 (int8, int8) btint8sortsupport(internal),
    FUNCTION 3 (int8, int8) in_range(int8, int8, int8, boolean, boolean),
    FUNCTION 4 (int8, int8) btequalimage(oid);

ALTER OPERATOR FAMILY integer_ops USING learned ADD
    OPERATOR 1 < (int2, int4),
    OPERATOR 2 <= (int2, int4),
    OPERATOR 3 = (int2, int4),
    OPERATOR 4 >= (int2, int4),
    OPERATOR 5 > (int2, int4),
    FUNCTION 1 (int2, int4) btint24cmp(int2, int4),
    FUNCTION 3 (int2, int4) in_range(int2, int2, int4, boolean, boolean),
    OPERATOR 1 < (int2, int8),
    OPERATOR 2 <= (int2, int8),
    OPERATOR 3 = (int2, int8),
    OPERATOR 4 >= (int2, int8),
    OPERATOR 5 > (int2, int8),
    FUNCTION 1 (int2, int8) btint28cmp(int2, int8),
    FUNCTION 3 (int2, int8) in_range(int2, int2, int8, boolean, boolean),
    OPERATOR 1 < (int4, int2),
    OPERATOR 2 <= (int4, int2),
    OPERATOR 3 = (int4, int2),
    OPERATOR 4 >= (int4, int2),
    OPERATOR 5 > (int4, int2),
    FUNCTION 1 (int4, int2) btint42cmp(int4, int2),
    FUNCTION 3 (int4, int2) in_range(int4, int4, int2, boolean, boolean),
    OPERATOR 1 < (int4, int8),
    OPERATOR 2 <= (int4, int8),
    OPERATOR 3 = (int4, int8),
    OPERATOR 4 >= (int4, int8),
    OPERATOR 5 > (int4, int8),
    FUNCTION 1 (int4, int8) btint48cmp(int4, int8),
    FUNCTION 3 (int4, int8) in_range(int4, int4, int8, boolean, boolean),
    OPERATOR 1 < (int8, int2),
    OPERATOR 2 <= (int8, int2),
    OPERATOR 3 = (int8, int2),
    OPERATOR 4 >= (int8, int2),
    OPERATOR 5 > (int8, int2),
    FUNCTION 1 (int8, int2) btint82cmp(int8, int2),
    OPERATOR 1 < (int8, int4),
    OPERATOR 2 <= (int8, int4),
    OPERATOR 3 = (int8, int4),
    OPERATOR 4 >= (int8, int4),
    OPERATOR 5 > (int8, int4),
    FUNCTION 1 (int8, int4) btint84cmp(int8, int4);

-- float4, float8: equal values need not be equal images (zeros with signs, NaNs), so no support function 4

CREATE OPERATOR FAMILY float_ops USING learned;

CREATE OPERATOR CLASS float4_ops
    DEFAULT FOR TYPE float4 USING learned FAMILY float_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 (float4, float4) btfloat4cmp(float4, float4),
    FUNCTION 2 (float4, float4) btfloat4sortsupport(internal);

CREATE OPERATOR CLASS float8_ops
    DEFAULT FOR TYPE float8 USING learned FAMILY float_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 (float8, float8) btfloat8cmp(float8, float8),
    FUNCTION 2 (float8, float8) btfloat8sortsupport(internal),
    FUNCTION 3 (float8, float8) in_range(float8, float8, float8, boolean, boolean);

ALTER OPERATOR FAMILY float_ops USING learned ADD
    OPERATOR 1 < (float4, float8),
    OPERATOR 2 <= (float4, float8),
    OPERATOR 3 = (float4, float8),
    OPERATOR 4 >= (float4, float8),
    OPERATOR 5 > (float4, float8),
    FUNCTION 1 (float4, float8) btfloat48cmp(float4, float8),
    FUNCTION 3 (float4, float8) in_range(float4, float4, float8, boolean, boolean),
    OPERATOR 1 < (float8, float4),
    OPERATOR 2 <= (float8, float4),
    OPERATOR 3 = (float8, float4),
    OPERATOR 4 >= (float8, float4),
    OPERATOR 5 > (float8, float4),
    FUNCTION 1 (float8, float4) btfloat84cmp(float8, float4);

-- date, timestamp, timestamptz

CREATE OPERATOR FAMILY datetime_ops USING learned;

CREATE OPERATOR CLASS date_ops
    DEFAULT FOR TYPE date USING learned FAMILY datetime_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 (date, date) date_cmp(date, date),
    FUNCTION 2 (date, date) date_sortsupport(internal),
    FUNCTION 3 (date, interval) in_range(date, date, interval, boolean, boolean),
    FUNCTION 4 (date, date) btequalimage(oid);

CREATE OPERATOR CLASS timestamp_ops
    DEFAULT FOR TYPE timestamp USING learned FAMILY datetime_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 (timestamp, timestamp) timestamp_cmp(timestamp, timestamp),
    FUNCTION 2 (timestamp, timestamp) timestamp_sortsupport(internal),
    FUNCTION 3 (timestamp, interval) in_range(timestamp, timestamp, interval, boolean, boolean),
    FUNCTION 4 (timestamp, timestamp) btequalimage(oid);

CREATE OPERATOR CLASS timestamptz_ops
    DEFAULT FOR TYPE timestamptz USING learned FAMILY datetime_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 (timestamptz, timestamptz) timestamptz_cmp(timestamptz, timestamptz),
    FUNCTION 2 (timestamptz, timestamptz) timestamp_sortsupport(internal),
    FUNCTION 3 (timestamptz, interval) in_range(timestamptz, timestamptz, interval, boolean, boolean),
    FUNCTION 4 (timestamptz, timestamptz) btequalimage(oid);

ALTER OPERATOR FAMILY datetime_ops USING learned ADD
    OPERATOR 1 < (date, timestamp),
    OPERATOR 2 <= (date, timestamp),
    OPERATOR 3 = (date, timestamp),
    OPERATOR 4 >= (date, timestamp),
    OPERATOR 5 > (date, timestamp),
    FUNCTION 1 (date, timestamp) date_cmp_timestamp(date, timestamp),
    OPERATOR 1 < (date, timestamptz),
    OPERATOR 2 <= (date, timestamptz),
    OPERATOR 3 = (date, timestamptz),
    OPERATOR 4 >= (date, timestamptz),
    OPERATOR 5 > (date, timestamptz),
    FUNCTION 1 (date, timestamptz) date_cmp_timestamptz(date, timestamptz),
    OPERATOR 1 < (timestamp, date),
    OPERATOR 2 <= (timestamp, date),
    OPERATOR 3 = (timestamp, date),
    OPERATOR 4 >= (timestamp, date),
    OPERATOR 5 > (timestamp, date),
    FUNCTION 1 (timestamp, date) timestamp_cmp_date(timestamp, date),
    OPERATOR 1 < (timestamp, timestamptz),
    OPERATOR 2 <= (timestamp, timestamptz),
    OPERATOR 3 = (timestamp, timestamptz),
    OPERATOR 4 >= (timestamp, timestamptz),
    OPERATOR 5 > (timestamp, timestamptz),
    FUNCTION 1 (timestamp, timestamptz) timestamp_cmp_timestamptz(timestamp, timestamptz),
    OPERATOR 1 < (timestamptz, date),
    OPERATOR 2 <= (timestamptz, date),
    OPERATOR 3 = (timestamptz, date),
    OPERATOR 4 >= (timestamptz, date),
    OPERATOR 5 > (timestamptz, date),
    FUNCTION 1 (timestamptz, date) timestamptz_cmp_date(timestamptz, date),
    OPERATOR 1 < (timestamptz, timestamp),
    OPERATOR 2 <= (timestamptz, timestamp),
    OPERATOR 3 = (timestamptz, timestamp),
    OPERATOR 4 >= (timestamptz, timestamp),
    OPERATOR 5 > (timestamptz, timestamp),
    FUNCTION 1 (timestamptz, timestamp) timestamptz_cmp_timestamp(timestamptz, timestamp);

-- oid

CREATE OPERATOR FAMILY oid_ops USING learned;

CREATE OPERATOR CLASS oid_ops
    DEFAULT FOR TYPE oid USING learned FAMILY oid_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 (oid, oid) btoidcmp(oid, oid),
    FUNCTION 2 (oid, oid) btoidsortsupport(internal),
    FUNCTION 4 (oid, oid) btequalimage(oid);

-- time (its btree class has no sort support either)

CREATE OPERATOR FAMILY time_ops USING learned;

CREATE OPERATOR CLASS time_ops
    DEFAULT FOR TYPE time USING learned FAMILY time_ops AS
    OPERATOR 1 <,
    OPERATOR 2 <=,
    OPERATOR 3 =,
    OPERATOR 4 >=,
    OPERATOR 5 >,
    FUNCTION 1 (time, time) time_cmp(time, time),
    FUNCTION 3 (time, interval) in_range(time, time, interval, boolean, boolean),
    FUNCTION 4 (time, time) btequalimage(oid);

-- Raises an error that names the block and the fault if the index is damaged. It reads the whole index, and the table
-- with heapallindexed, under a lock that keeps VACUUM away; so the function itself lets nobody but the owner of the
-- index (and superusers) use it. With that, PUBLIC may keep EXECUTE: owners need not ask an administrator to
-- check their own indexes.
CREATE FUNCTION learned_index_check(index regclass, heapallindexed boolean DEFAULT false)
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION learned_index_check(regclass, boolean) IS
    'verify the structure of a learned index, and with heapallindexed that it finds every row of its table';

-- One row of facts about an index; sizes and counts, no keys.
CREATE FUNCTION learned_index_stats(
    index regclass,
    OUT format_version int4,
    OUT height int4,
    OUT total_pages int8,
    OUT leaf_pages int8,
    OUT inner_pages int8,
    OUT null_pages int8,
    OUT deleted_pages int8,
    OUT entries int8,
    OUT nulls int8,
    OUT segments int8,
    OUT bits_per_key float8,
    OUT bits_per_tid float8,
    OUT max_model_error float8,
    OUT mean_model_error float8,
    OUT delta_entries int8,
    OUT dead_entries int8,
    OUT bytes_per_entry float8,
    OUT btree_bytes int8)
RETURNS record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION learned_index_stats(regclass) IS
    'size, shape and model quality of a learned index';
