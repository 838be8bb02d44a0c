-- compare(): the same question to the tables with learned indexes (schema public) and to those with btrees (schema twin).
-- What a person gave comes as text, and is made a value of its type first: errors of class 22 are the person's.

-- The query for a question. %L of a value that has been cast is all that gets into it.
CREATE FUNCTION demo_query(dataset text, question text, low text, high text, device int) RETURNS text
STABLE LANGUAGE plpgsql AS $$
DECLARE
  ip_low bigint;
  ip_high bigint;
  ts_low timestamptz;
  ts_high timestamptz;
  condition text;
BEGIN
  IF dataset = 'addresses' THEN
    IF low !~ '^\d{1,3}(\.\d{1,3}){3}$' OR high !~ '^\d{1,3}(\.\d{1,3}){3}$' THEN
      RAISE EXCEPTION 'an address is four numbers from 0 to 255 with dots between them' USING ERRCODE = '22023';
    END IF;
    ip_low := low::inet - inet '0.0.0.0';
    ip_high := high::inet - inet '0.0.0.0';
    IF ip_low > ip_high THEN
      RAISE EXCEPTION 'the range is empty: % is behind %', low, high USING ERRCODE = '22023';
    END IF;
    condition := format('first_ip BETWEEN %L AND %L', ip_low, ip_high);
    RETURN CASE question
      WHEN 'count' THEN
        'SELECT count(*) AS ranges, min(first_ip) AS first, max(first_ip) AS last FROM ranges WHERE ' || condition
      WHEN 'first' THEN
        'SELECT first_ip, last_ip, country FROM ranges WHERE ' || condition || ' ORDER BY first_ip LIMIT 5'
      WHEN 'groups' THEN
        'SELECT country, count(*) AS ranges FROM ranges WHERE ' || condition || ' GROUP BY country ORDER BY 2 DESC, 1 LIMIT 5'
      WHEN 'lookup' THEN
        format('SELECT country, first_ip, last_ip FROM ranges WHERE first_ip <= %L ORDER BY first_ip DESC LIMIT 1', ip_low)
    END;
  END IF;
  ts_low := low::timestamptz;
  ts_high := high::timestamptz;
  IF NOT isfinite(ts_low) OR NOT isfinite(ts_high) THEN
    RAISE EXCEPTION 'a time has a date' USING ERRCODE = '22023';
  END IF;
  IF ts_low > ts_high THEN
    RAISE EXCEPTION 'the range is empty: % is behind %', low, high USING ERRCODE = '22023';
  END IF;
  condition := format('ts BETWEEN %L AND %L', ts_low, ts_high);
  RETURN CASE question
    WHEN 'count' THEN 'SELECT count(*) AS readings, min(ts) AS first, max(ts) AS last FROM readings WHERE ' || condition
    WHEN 'first' THEN 'SELECT ts, device, value FROM readings WHERE ' || condition || ' ORDER BY ts LIMIT 5'
    WHEN 'groups' THEN
      'SELECT date_trunc(''hour'', ts) AS hour, count(*) AS readings FROM readings WHERE ' || condition || ' GROUP BY 1 ORDER BY 1 LIMIT 5'
    WHEN 'average' THEN
      'SELECT count(*) AS readings, round(avg(value)::numeric, 6) AS average FROM readings WHERE ' || condition
    WHEN 'device' THEN
      format('SELECT count(*) AS readings, min(ts) AS first, max(ts) AS last FROM readings WHERE device = %L AND ', device) || condition
  END;
END $$;

-- Asked five times each, by turns (less often once two seconds are over), after a first time that warms the caches; then the plan. The median is told. One process, so
-- that the index is compared and not the number of workers.
CREATE FUNCTION compare(dataset text, question text, low text, high text, device int) RETURNS json
LANGUAGE plpgsql SET timezone = 'UTC' SET max_parallel_workers_per_gather = 0 SET jit = off AS $$
DECLARE
  query text := demo_query(dataset, question, low, high, device);
  methods text[] := ARRAY['learned', 'btree'];
  answers json[] := ARRAY[NULL, NULL];
  plans json[] := ARRAY[NULL, NULL];
  indexes json[] := ARRAY[NULL, NULL];
  medians float8[] := ARRAY[NULL, NULL];
  times float8[][] := array_fill(NULL::float8, ARRAY[2, 5]);
  lines text[];
  began timestamptz := clock_timestamp();
  started timestamptz;
  line text;
  answer json;
BEGIN
  IF query IS NULL THEN
    RAISE EXCEPTION 'there is no question "%" about "%"', question, dataset USING ERRCODE = '22023';
  END IF;
  FOR round IN 0..6 LOOP
    CONTINUE WHEN round BETWEEN 2 AND 5 AND clock_timestamp() - began > interval '2 seconds';
    FOR i IN 1..2 LOOP
      PERFORM set_config('search_path', CASE i WHEN 1 THEN 'public' ELSE 'twin, public' END, true);
      IF round = 6 THEN
        lines := ARRAY[]::text[];
        FOR line IN EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, COSTS OFF, SUMMARY OFF) ' || query LOOP
          EXIT WHEN line = 'Planning:';
          lines := lines || line;
        END LOOP;
        plans[i] := array_to_json(lines);
        indexes[i] := (
          SELECT json_build_object('name', c.relname, 'bytes', pg_relation_size(c.oid), 'definition', pg_get_indexdef(c.oid))
          FROM pg_class c
          WHERE c.relnamespace = (CASE i WHEN 1 THEN 'public' ELSE 'twin' END)::regnamespace
            AND c.relname = CASE WHEN dataset = 'addresses' THEN 'ranges_first_ip'
                                 WHEN question = 'device' THEN 'readings_device_ts' ELSE 'readings_ts' END);
        CONTINUE;
      END IF;
      started := clock_timestamp();
      EXECUTE format('SELECT json_agg(a) FROM (%s) a', query) INTO answer;
      answers[i] := answer;
      CONTINUE WHEN round = 0;
      times[i][round] := 1000 * extract(epoch FROM clock_timestamp() - started);
    END LOOP;
  END LOOP;
  FOR i IN 1..2 LOOP
    medians[i] := (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t) FROM unnest(times[i:i][:]) t);
  END LOOP;
  RETURN json_build_object(
    'query', query, 'agree', answers[1]::text IS NOT DISTINCT FROM answers[2]::text, 'rounds', (SELECT count(t) / 2 FROM unnest(times) t),
    'results', (SELECT json_agg(json_build_object('method', methods[i], 'milliseconds', round(medians[i]::numeric, 3),
                                                  'answer', coalesce(answers[i], '[]'), 'index', indexes[i], 'plan', plans[i]))
                FROM generate_series(1, 2) i));
END $$;
