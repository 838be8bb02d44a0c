-- The quick start's data, indexes and questions; quickstart.sh runs it with three variables: am, the access
-- method to compare with btree; rows, the number of sensor readings; probes, the number of lookups. Whatever
-- is not in the file of IPv4 ranges comes from hashes of a row number: each run has the same data.
\set ON_ERROR_STOP on
\set QUIET on
\pset pager off
\pset footer off
SET client_min_messages = warning;
SELECT set_config('quickstart.am', :'am', false), set_config('quickstart.rows', :'rows', false),
       set_config('quickstart.probes', :'probes', false) \g /dev/null

-- What is compared is the index under a nested loop, in one process.
SET max_parallel_workers_per_gather = 0;
SET max_parallel_maintenance_workers = 0;
SET maintenance_work_mem = '256MB';
SET jit = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_memoize = off;
SET enable_material = off;

\echo '== loading the IPv4 ranges,' :rows 'sensor readings and a fifth as many uuids'
CREATE TABLE ranges (first_ip bigint NOT NULL, last_ip bigint NOT NULL, country text NOT NULL);
\copy ranges FROM pstdin WITH (FORMAT csv, HEADER)

CREATE FUNCTION hash_below(i bigint, seed bigint, n bigint) RETURNS bigint
IMMUTABLE PARALLEL SAFE LANGUAGE sql RETURN (hashint8extended(i, seed) & 9223372036854775807) % n;

-- A reading about every 100 ms, each up to 50 ms late.
CREATE FUNCTION reading_time(i bigint) RETURNS timestamptz
IMMUTABLE PARALLEL SAFE LANGUAGE sql
RETURN '2026-01-01 00:00:00+00'::timestamptz + (i * 100 + hash_below(i, 1, 50)) * '1 millisecond'::interval;

CREATE TABLE readings (device int NOT NULL, ts timestamptz NOT NULL, value float8 NOT NULL, note text,
                       random_id bigint NOT NULL);
INSERT INTO readings
SELECT hash_below(i, 2, 1000), reading_time(i), 20 + 5 * sin(i / 50000.0::float8) + hash_below(i, 3, 1000) / 1000.0::float8,
       left('battery low; recalibrated after maintenance; door was open', hash_below(i, 4, 60)::int),
       hashint8extended(i, 5)
FROM generate_series(1, :rows::bigint) i;

-- A uuid of version 4: 122 bits of a hash. A fifth as many uploads as readings have one.
CREATE FUNCTION upload_id(i bigint) RETURNS uuid
IMMUTABLE PARALLEL SAFE LANGUAGE sql
RETURN overlay(overlay(md5(i::text) PLACING '4' FROM 13)
               PLACING substr('89ab', 1 + hash_below(i, 8, 4)::int, 1) FROM 17)::uuid;

CREATE TABLE uploads (id uuid NOT NULL, bytes int NOT NULL);
INSERT INTO uploads SELECT upload_id(i), hash_below(i, 9, 1000000) FROM generate_series(1, :rows::bigint / 5) i;

-- What is asked for: any address, time, device and id of any reading, and any upload; in five parts for five rounds.
DO $$
BEGIN
  FOR part IN 1..5 LOOP
    EXECUTE format('CREATE TABLE probes_%s (ip bigint NOT NULL, device int NOT NULL, ts timestamptz NOT NULL,
                                            random_id bigint NOT NULL, upload uuid NOT NULL)', part);
    EXECUTE format('INSERT INTO probes_%s
                    SELECT 16777216 + hash_below(i, 6, 3724541952), hash_below(r, 2, 1000), reading_time(r),
                           hashint8extended(r, 5), upload_id(1 + hash_below(i, 10, $2 / 5))
                    FROM generate_series(1 + (%1$s - 1) * $1 / 5, %1$s * $1 / 5) i,
                         LATERAL (SELECT 1 + hash_below(i, 7, $2) OFFSET 0) x(r)', part)
    USING current_setting('quickstart.probes')::bigint, current_setting('quickstart.rows')::bigint;
  END LOOP;
END $$;
VACUUM (ANALYZE);

\echo '== creating the indexes:' :am 'and btree side by side'
CREATE TABLE indexes (tab text, col text, am text, name text, bytes bigint, build_ms float8);
DO $$
DECLARE
  this record;
  started timestamptz;
BEGIN
  FOR this IN
    SELECT tab, col, am, format('%s_%s_%s', tab, replace(col, ', ', '_'), role) AS name
    FROM (VALUES (1, 'ranges', 'first_ip'), (2, 'readings', 'ts'), (3, 'readings', 'random_id'),
                 (4, 'readings', 'device'), (5, 'readings', 'device, ts'), (6, 'uploads', 'id'))
           AS columns (place, tab, col),
         (VALUES (1, 'a', current_setting('quickstart.am')), (2, 'b', 'btree')) AS methods (turn, role, am)
    ORDER BY place, turn
  LOOP
    started := clock_timestamp();
    EXECUTE format('CREATE INDEX %I ON %I USING %I (%s)', this.name, this.tab, this.am, this.col);
    INSERT INTO indexes
    VALUES (this.tab, this.col, this.am, this.name, pg_total_relation_size(this.name::regclass),
            1000 * extract(epoch FROM clock_timestamp() - started));
  END LOOP;
END $$;

-- The questions; %1$s stands for the round and probes for the number of lookups in one round.
CREATE TABLE questions (id int, question text, tab text, col text, probes float8, query text);
INSERT INTO questions VALUES
(1, 'which country is this IPv4 address in?', 'ranges', 'first_ip', :probes / 5,
 'SELECT count(*), sum(hashtext(c.country)) FROM probes_%1$s p,
    LATERAL (SELECT country FROM ranges WHERE first_ip <= p.ip ORDER BY first_ip DESC LIMIT 1) c'),
(2, 'was there a reading at this time? (index only)', 'readings', 'ts', :probes / 5,
 'SELECT count(*), sum(timestamp_hash(r.ts::timestamp)) FROM probes_%1$s p JOIN readings r ON r.ts = p.ts'),
(3, 'the reading with this random id', 'readings', 'random_id', :probes / 5,
 'SELECT count(*), sum(hashfloat8(r.value)) FROM probes_%1$s p JOIN readings r ON r.random_id = p.random_id'),
(4, 'how many readings in this hour? (index only)', 'readings', 'ts', 20,
 'SELECT count(*), sum(c.n), min(c.first), max(c.last) FROM (SELECT ts FROM probes_%1$s LIMIT 20) p,
    LATERAL (SELECT count(*) AS n, min(ts) AS first, max(ts) AS last FROM
      (SELECT ts FROM readings WHERE ts BETWEEN p.ts AND p.ts + interval ''1 hour'' OFFSET 0) r) c'),
(5, 'all readings of this device', 'readings', 'device', 4,
 'SELECT count(*), sum(hashfloat8(r.value)), max(r.ts) FROM generate_series(%1$s * 10, %1$s * 10 + 3) d
    JOIN readings r ON r.device = d'),
(6, 'how many of this device in this hour? (index only)', 'readings', 'device, ts', :probes / 50,
 'SELECT count(*), sum(c.n), min(c.first), max(c.last)
    FROM (SELECT device, ts FROM probes_%1$s LIMIT ' || :probes / 50 || ') p,
    LATERAL (SELECT count(*) AS n, min(ts) AS first, max(ts) AS last FROM
      (SELECT ts FROM readings WHERE device = p.device AND ts BETWEEN p.ts AND p.ts + interval ''1 hour'' OFFSET 0) r) c'),
(7, 'the upload with this uuid', 'uploads', 'id', :probes / 5,
 'SELECT count(*), sum(u.bytes) FROM probes_%1$s p JOIN uploads u ON u.id = p.upload'),
(8, 'a dashboard: how many, first and last in each minute of an hour', 'readings', 'ts', 1,
 'SELECT count(*), sum(n), sum(timestamp_hash(first::timestamp)), max(last)
    FROM (SELECT date_trunc(''minute'', ts) AS minute, count(*) AS n, min(ts) AS first, max(ts) AS last FROM readings
           WHERE ts BETWEEN ''2026-01-01 01:00:00+00'' AND ''2026-01-01 02:00:00+00'' GROUP BY minute) m');

CREATE TABLE pages (question int, name text, pages float8);
CREATE TABLE answers (question int, name text, round int, ms float8, answer text);

-- Asks a question with all other indexes of its table out of the way: dropped in a subtransaction that is
-- rolled back. Round 0 is EXPLAIN (ANALYZE, BUFFERS) of round 1, it also warms the cache.
CREATE FUNCTION ask(q questions, index_name text, round int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  query text := format(q.query, greatest(round, 1));
  answer text;
  other text;
  plan json;
  node jsonb;
  table_blocks bigint;
  started timestamptz;
  ms float8;
BEGIN
  BEGIN
    FOR other IN SELECT name FROM indexes WHERE tab = q.tab AND name <> index_name LOOP
      EXECUTE format('DROP INDEX %I', other);
    END LOOP;
    IF round = 0 THEN
      table_blocks := pg_stat_get_xact_blocks_fetched(q.tab::regclass);
      EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) ' || query INTO plan;
      table_blocks := pg_stat_get_xact_blocks_fetched(q.tab::regclass) - table_blocks;
    ELSE
      started := clock_timestamp();
      EXECUTE format('SELECT a::text FROM (%s) a', query) INTO answer;
      ms := 1000 * extract(epoch FROM clock_timestamp() - started);
    END IF;
    RAISE SQLSTATE 'QS000';
  EXCEPTION WHEN SQLSTATE 'QS000' THEN
    NULL; -- the other indexes are back
  END;
  IF round > 0 THEN
    INSERT INTO answers VALUES (q.id, index_name, round, ms / q.probes, answer);
    RETURN;
  END IF;
  node := jsonb_path_query_first(plan::jsonb, 'strict $.** ? (@."Index Name" == $name)',
                                 jsonb_build_object('name', index_name), true);
  IF node IS NULL THEN
    RAISE EXCEPTION 'the plan of question % does not use %', q.id, index_name USING DETAIL = plan;
  END IF;
  -- (Above a scan that is not run, where rows are counted.)
  node := coalesce(jsonb_path_query_first(plan::jsonb, 'strict $.** ? (@."Custom Plan Provider" == "LearnedAggregate")', '{}', true), node);
  -- The buffers of an index scan include those of the table and its visibility map.
  IF node ->> 'Node Type' = 'Bitmap Index Scan' THEN table_blocks := 0; END IF;
  INSERT INTO pages
  VALUES (q.id, index_name, ((node ->> 'Shared Hit Blocks')::float8 + (node ->> 'Shared Read Blocks')::float8
                             - table_blocks) / q.probes);
END $$;

\echo '== asking: 5 rounds, the methods in turn,' :probes 'lookups in all for each question of one row'
DO $$
<<ask>>
DECLARE
  q questions;
  index text;
  round int;
BEGIN
  FOR q IN SELECT * FROM questions ORDER BY id LOOP
    FOREACH round IN ARRAY ARRAY[0, 1, 2, 3, 4, 5] LOOP
      FOR index IN SELECT name FROM indexes i WHERE i.tab = q.tab AND i.col = q.col ORDER BY name LOOP
        PERFORM ask(q, index, round);
      END LOOP;
      IF round > 0 AND (SELECT count(DISTINCT answer) <> 1 OR count(answer) <> 2
                        FROM answers a WHERE a.question = q.id AND a.round = ask.round) THEN
        RAISE EXCEPTION 'the indexes disagree on question %: %', q.id, q.question
          USING DETAIL = (SELECT string_agg(name || ': ' || coalesce(answer, 'nothing'), ', ' ORDER BY name)
                          FROM answers a WHERE a.question = q.id AND a.round = ask.round);
      END IF;
    END LOOP;
  END LOOP;
END $$;

-- A last look inside: every structural rule, and that every range is found.
DO $$
BEGIN
  IF to_regproc('learned_index_check') IS NOT NULL THEN
    PERFORM learned_index_check(name::regclass, tab = 'ranges')
    FROM indexes JOIN pg_class ON pg_class.oid = name::regclass JOIN pg_am ON pg_am.oid = relam
    WHERE amname = 'learned';
  END IF;
END $$;

CREATE FUNCTION pretty_ms(ms float8) RETURNS text IMMUTABLE LANGUAGE sql RETURN
  CASE WHEN ms < 1 THEN round((ms * 1000)::numeric, 2) || ' us' WHEN ms < 1000 THEN round(ms::numeric, 1) || ' ms'
       ELSE round((ms / 1000)::numeric, 2) || ' s' END;
CREATE FUNCTION pretty_mb(bytes bigint) RETURNS text IMMUTABLE LANGUAGE sql RETURN
  round(bytes / 1048576.0, 2) || ' MB';
-- How many times better than btree's figure, which comes second.
CREATE FUNCTION times_better(mine float8, btree float8) RETURNS text IMMUTABLE LANGUAGE sql RETURN
  coalesce(' (' || round((btree / nullif(mine, 0))::numeric, 1) || 'x)', '');

\pset null ''
\echo
\echo 'In parentheses: how many times better than btree. Sizes are whole files.'
\echo 'Times: one process, warm cache; lookups: the median of five rounds.'
\echo
WITH figures AS (
  SELECT q.id, q.question, i.*, p.pages,
         (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) FROM answers
          WHERE question = q.id AND name = i.name) AS ms
  FROM questions q JOIN indexes i USING (tab, col) JOIN pages p ON p.question = q.id AND p.name = i.name
), pairs AS (
  SELECT mine, theirs FROM figures mine JOIN figures theirs USING (id)
  WHERE mine.name LIKE '%\_a' AND theirs.name LIKE '%\_b'
)
SELECT CASE line WHEN 1 THEN (mine).question ELSE '' END AS "question",
       CASE line WHEN 1 THEN (mine).tab || '(' || (mine).col || ')' ELSE '' END AS "index on",
       CASE line WHEN 1 THEN (mine).am ELSE 'btree' END AS "method",
       CASE line WHEN 1 THEN pretty_mb((mine).bytes) || times_better((mine).bytes, (theirs).bytes)
                 ELSE pretty_mb((theirs).bytes) END AS "size",
       CASE line WHEN 1 THEN pretty_ms((mine).build_ms) || times_better((mine).build_ms, (theirs).build_ms)
                 ELSE pretty_ms((theirs).build_ms) END AS "build time",
       CASE line WHEN 1 THEN pretty_ms((mine).ms) || times_better((mine).ms, (theirs).ms)
                 ELSE pretty_ms((theirs).ms) END AS "time per lookup",
       round((CASE line WHEN 1 THEN (mine).pages ELSE (theirs).pages END)::numeric, 2) AS "index pages per lookup"
FROM pairs, generate_series(1, 2) line
ORDER BY (mine).id, line;
\echo 'The plans of the question with two columns, and of the dashboard:'
BEGIN;
DO $$
DECLARE
  other text;
BEGIN
  FOR other IN SELECT name FROM indexes WHERE tab = 'readings' AND name NOT IN ('readings_device_ts_a', 'readings_ts_a') LOOP
    EXECUTE format('DROP INDEX %I', other);
  END LOOP;
END $$;
\pset tuples_only on
\pset format unaligned
EXPLAIN (COSTS OFF) SELECT count(*) FROM readings
 WHERE device = 7 AND ts BETWEEN '2026-01-01 10:00:00+00' AND '2026-01-01 11:00:00+00';
EXPLAIN (COSTS OFF) SELECT date_trunc('minute', ts), count(*) FROM readings
 WHERE ts BETWEEN '2026-01-01 01:00:00+00' AND '2026-01-01 02:00:00+00' GROUP BY 1;
ROLLBACK;
\echo
SELECT format('All answers agree: %s questions, %s lookups for each method.', count(*), 5 * sum(probes))
  AS verdict FROM questions \gset
\echo :verdict
