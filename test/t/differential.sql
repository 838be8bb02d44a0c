-- Server side of 001_differential.pl: every function runs a query under sequential scans first
-- and then under each forced kind of index scan, and raises an error when the answers differ.

-- Allows exactly one way of reading the table; mode "seq" is the oracle's.
CREATE FUNCTION force_plan(mode text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  -- (The oracle reads alone.)
  PERFORM set_config('max_parallel_workers_per_gather', CASE WHEN mode = 'parallel' THEN '2' ELSE '0' END, true),
          set_config(s.name, CASE WHEN mode = 'parallel' THEN s.parallel ELSE p.reset_val END, true)
    FROM (VALUES ('parallel_setup_cost', '0'), ('parallel_tuple_cost', '0'), ('min_parallel_index_scan_size', '0'),
                 ('min_parallel_table_scan_size', '0'), ('cpu_tuple_cost', '10'), ('cpu_operator_cost', '0.0001')) s(name, parallel)
    JOIN pg_settings p USING (name);
  PERFORM set_config('enable_seqscan', (mode = 'seq')::text, true),
          set_config('enable_sort', (mode IN ('seq', 'bitmap'))::text, true),
          set_config('enable_hashagg', (mode = 'seq')::text, true),
          set_config('enable_indexscan', (mode IN ('index', 'merge', 'only', 'parallel'))::text, true),
          set_config('enable_indexonlyscan', (mode IN ('only', 'parallel'))::text, true),
          set_config('enable_bitmapscan', (mode = 'bitmap')::text, true),
          set_config('enable_mergejoin', (mode = 'merge')::text, true),
          set_config('enable_hashjoin', (mode = 'seq')::text, true),
          set_config('enable_nestloop', (mode <> 'merge')::text, true);
END $$;

-- Does the plan of q, under the present settings, read the table in the wanted way?
CREATE FUNCTION plan_matches(q text, mode text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  line text;
  plan text := '';
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || q LOOP
    plan := plan || line || E'\n';
  END LOOP;
  RETURN CASE mode
    WHEN 'index' THEN plan ~ 'Index Scan' AND plan !~ 'Bitmap|Seq Scan'
    WHEN 'only' THEN plan ~ 'Index Only Scan' AND plan !~ 'Seq Scan'
    WHEN 'bitmap' THEN plan ~ 'Bitmap Index Scan' AND plan !~ 'Seq Scan'
    WHEN 'parallel' THEN plan ~ 'Parallel Index' AND plan !~ 'Seq Scan'
    WHEN 'merge' THEN plan ~ 'Merge Join' AND plan ~ 'Index' AND plan !~ 'Seq Scan|Sort'
  END;
END $$;

-- kind: "rows" compares (id, k) pairs in any order, "keys" compares k in any order,
-- "ordered" compares the first column in the order delivered.
-- Returns, per mode, whether the plan read the index as wanted.
CREATE FUNCTION compare(kind text, q text, modes text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  answer_query text := CASE kind
    WHEN 'rows' THEN
      'SELECT count(*) || '':'' || md5(coalesce(string_agg(concat_ws(''='', id, coalesce(k::text, ''null'')), '','' ORDER BY id, k::text), '''')) FROM (' || q || ') s'
    WHEN 'keys' THEN
      'SELECT count(*) || '':'' || md5(coalesce(string_agg(coalesce(k::text, ''null''), '','' ORDER BY k::text), '''')) FROM (' || q || ') s'
    WHEN 'ordered' THEN
      'SELECT count(*) || '':'' || md5(coalesce(string_agg(coalesce(k::text, ''null''), '',''), '''')) FROM (' || q || ') s(k)'
    END;
  expected text;
  found text;
  mode text;
  used text := '';
BEGIN
  PERFORM force_plan('seq');
  EXECUTE answer_query INTO expected;
  FOREACH mode IN ARRAY modes LOOP
    PERFORM force_plan(mode);
    EXECUTE answer_query INTO found;
    IF found IS DISTINCT FROM expected THEN
      RAISE EXCEPTION 'answers differ under %: sequential scan %, index %', mode, expected, found
        USING DETAIL = q;
    END IF;
    used := concat_ws(' ', used, mode || '=' || plan_matches(q, mode)::int);
  END LOOP;
  RETURN used;
END $$;

-- q must deliver one ordered column.  The cursor is moved by the given distances, across both
-- ends, and each row fetched must be the one at that place of the sorted answer.
CREATE FUNCTION compare_cursor(q text, mode text, moves int[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  expected text[];
  cur refcursor;
  distance int;
  place int := 0;
  got record;
  n int;
BEGIN
  PERFORM force_plan('seq');
  EXECUTE 'SELECT array_agg(coalesce(k::text, ''null'')) FROM (' || q || ') s(k)' INTO expected;
  n := coalesce(cardinality(expected), 0);
  PERFORM force_plan(mode);
  OPEN cur SCROLL FOR EXECUTE 'SELECT coalesce(k::text, ''null'') AS k FROM (' || q || ') s(k)';
  FOREACH distance IN ARRAY moves LOOP
    FETCH RELATIVE distance FROM cur INTO got;
    place := least(greatest(place + distance, 0), n + 1);
    IF (place BETWEEN 1 AND n) IS DISTINCT FROM found
       OR (found AND got.k IS DISTINCT FROM expected[place]) THEN
      RAISE EXCEPTION 'cursor at % of %: expected %, got %', place, n, expected[place],
        CASE WHEN found THEN got.k END
        USING DETAIL = format('%s, %s, moves %s', q, mode, moves);
    END IF;
  END LOOP;
  CLOSE cur;
  RETURN mode || '=' || plan_matches(q, mode)::int;
END $$;
