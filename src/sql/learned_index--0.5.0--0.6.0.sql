/* learned_index--0.5.0--0.6.0.sql */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION learned_index UPDATE TO '0.6.0'" to load this file. \quit

-- learned_index_check() gets a fourth argument. As before: dropped and created anew it would lose its privileges, and could not be dropped where
-- a view depends on it, so it takes over the signature of a function that goes again.
CREATE FUNCTION learned_index_check_0_6_0(
    index regclass, heapallindexed boolean DEFAULT false, strict boolean DEFAULT false, verbose boolean DEFAULT false)
RETURNS void
AS 'MODULE_PATHNAME', 'learned_index_check'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;

UPDATE pg_catalog.pg_proc AS old
SET pronargs = new.pronargs, pronargdefaults = new.pronargdefaults, proargtypes = new.proargtypes,
    proargnames = new.proargnames, proargdefaults = new.proargdefaults
FROM pg_catalog.pg_proc AS new
WHERE old.oid = 'learned_index_check(regclass, boolean, boolean)'::regprocedure
  AND new.oid = 'learned_index_check_0_6_0(regclass, boolean, boolean, boolean)'::regprocedure;

DROP FUNCTION learned_index_check_0_6_0(regclass, boolean, boolean, boolean);

COMMENT ON FUNCTION learned_index_check(regclass, boolean, boolean, boolean) IS
    'verify the structure of a learned index, with heapallindexed that it finds every row of its table, strict: keeping writers away, verbose: telling how far it is';

-- What an index is made of, as pageinspect shows others: for superusers, and who monitors. Keys are shown to who may select from the table.
CREATE FUNCTION learned_index_metapage(
    index regclass,
    OUT format_version int4,
    OUT key_words int4,
    OUT key_type regtype,
    OUT root int8,
    OUT level int4,
    OUT null_root int8,
    OUT null_level int4,
    OUT lsn pg_lsn)
RETURNS record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION learned_index_metapage(regclass) IS 'metapage of a learned index';
REVOKE ALL ON FUNCTION learned_index_metapage(regclass) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION learned_index_metapage(regclass) TO pg_monitor;

CREATE FUNCTION learned_index_pages(
    index regclass,
    OUT block int8,
    OUT kind text,
    OUT tree text,
    OUT level int4,
    OUT entries int4,
    OUT encoded int4,
    OUT deltas int4,
    OUT dead int4,
    OUT killed int4,
    OUT segments int4,
    OUT free_bytes int4,
    OUT left_block int8,
    OUT right_block int8,
    OUT split_unfinished boolean,
    OUT lsn pg_lsn)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 1000;
COMMENT ON FUNCTION learned_index_pages(regclass) IS 'pages of a learned index, one by one';
REVOKE ALL ON FUNCTION learned_index_pages(regclass) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION learned_index_pages(regclass) TO pg_monitor;

CREATE FUNCTION learned_index_segments(
    index regclass,
    block int8,
    OUT segment int4,
    OUT first_rank int4,
    OUT entries int4,
    OUT dead int4,
    OUT first_key text[],
    OUT key_model text[],
    OUT key_start float8[],
    OUT key_slope float8[],
    OUT key_reach float8[],
    OUT key_bits int4[],
    OUT null_bits int4,
    OUT bits_per_key float8,
    OUT mean_model_error float8,
    OUT max_model_error float8,
    OUT tid_model text,
    OUT tid_bits int4,
    OUT tid_scale int4,
    OUT tid_runs int4,
    OUT bits_per_tid float8,
    OUT child_bits int4)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION learned_index_segments(regclass, int8) IS 'lines of a page of a learned index';
REVOKE ALL ON FUNCTION learned_index_segments(regclass, int8) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION learned_index_segments(regclass, int8) TO pg_monitor;

CREATE FUNCTION learned_index_entries(
    index regclass,
    block int8,
    OUT entry int4,
    OUT segment int4,
    OUT key text[],
    OUT included text[],
    OUT ctid tid,
    OUT child int8,
    OUT delta boolean,
    OUT dead boolean,
    OUT killed boolean)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 1000;
COMMENT ON FUNCTION learned_index_entries(regclass, int8) IS 'entries of a page of a learned index';
REVOKE ALL ON FUNCTION learned_index_entries(regclass, int8) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION learned_index_entries(regclass, int8) TO pg_monitor;

-- Of this session alone.
CREATE FUNCTION learned_index_cache_stats(
    OUT cache text,
    OUT hits int8,
    OUT misses int8,
    OUT evictions int8,
    OUT entries int8,
    OUT bytes int8,
    OUT max_bytes int8)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED ROWS 3;
COMMENT ON FUNCTION learned_index_cache_stats() IS 'what this session remembers of learned indexes, and how often it helped';

-- By a sample of pages. No row where the user may not examine the index; never an error because of the index. (It begins a subtransaction,
-- hence it is not for parallel queries.)
CREATE FUNCTION learned_index_health(
    index oid,
    OUT size int8,
    OUT btree_size int8,
    OUT entries int8,
    OUT delta_share float8,
    OUT dead_share float8,
    OUT bits_per_key float8,
    OUT bits_per_tid float8,
    OUT mean_model_error float8,
    OUT sampled float8,
    OUT advice text)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE COST 10000 ROWS 1;
COMMENT ON FUNCTION learned_index_health(oid) IS 'a row of the view learned_indexes';

CREATE VIEW learned_indexes AS
SELECT n.nspname AS schemaname, t.relname AS tablename, c.relname AS indexname,
       h.size, h.btree_size, h.entries, h.delta_share, h.dead_share, h.bits_per_key, h.bits_per_tid, h.mean_model_error, h.sampled, h.advice
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_am a ON a.oid = c.relam AND a.amhandler = 'learned_handler(internal)'::pg_catalog.regprocedure
  JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
  JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL learned_index_health(c.oid) h
 WHERE c.relkind = 'i' AND NOT pg_catalog.pg_is_other_temp_schema(c.relnamespace);
COMMENT ON VIEW learned_indexes IS 'learned indexes of this database that the user may examine, at a glance';
GRANT SELECT ON learned_indexes TO PUBLIC;

-- One row for each btree index that the user may examine, by a sample of its pages. (It begins subtransactions, hence it is not for parallel queries.)
CREATE FUNCTION learned_index_advisor(
    schema regnamespace DEFAULT NULL,
    verbose boolean DEFAULT false,
    OUT schemaname name,
    OUT tablename name,
    OUT indexname name,
    OUT size int8,
    OUT rebuilt_size int8,
    OUT expected_size int8,
    OUT expected_build interval,
    OUT entries int8,
    OUT sampled float8,
    OUT idx_scan int8,
    OUT lost text,
    OUT note text,
    OUT create_statement text,
    OUT drop_statement text)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000 ROWS 100;
COMMENT ON FUNCTION learned_index_advisor(regnamespace, boolean) IS
    'btree indexes of this database that could be learned ones: what they would take, and what would be lost';
