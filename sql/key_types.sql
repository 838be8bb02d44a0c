-- Keys of one byte, keys that a Datum only points to, and keys of two words: twin tables, one with a learned and one with a btree index,
-- give the same rows, in the same order, whatever way they are read; and what the sequential scan gives.
SET client_min_messages = warning;
SET learned_index.enable_aggregates = off; -- rows are to be read: aggregates.sql counts them
CREATE EXTENSION IF NOT EXISTS learned_index;
SET jit = off;
SET lc_monetary = 'C';
CREATE SCHEMA key_types;
SET search_path = key_types, public;

-- `seed`: keys of i; `extremes`: keys beside these; `show`: a key k as text (what "char" prints depends on the version).
CREATE TABLE types (type text PRIMARY KEY, seed text, extremes text[], show text);
INSERT INTO types (show, type, seed, extremes) VALUES
  ('k::text', 'bool', 'hashint4(i) % 3 = 0', '{false,true}'),
  ('k::int::text', '"char"', '(hashint4(i) % 100)::"char"', string_to_array('(-128)::"char",(-127)::"char",(-1)::"char",0::"char",1::"char",126::"char",127::"char"', ',')),
  ('k::text', 'xid8', 'CASE WHEN i % 2 = 0 THEN (i / 3 + 9223372036854775000)::text ELSE (hashint8extended(i, 1)::numeric + 9223372036854775808)::text END::xid8',
    '{''0''::xid8,''1''::xid8,''9223372036854775807''::xid8,''9223372036854775808''::xid8,''18446744073709551614''::xid8,''18446744073709551615''::xid8}'),
  ('k::text', 'money', 'CASE WHEN i % 2 = 0 THEN (i / 3 - 500)::money ELSE (hashint8extended(i, 1) / 100)::money END',
    '{''-92233720368547758.08''::money,''-92233720368547758.07''::money,''-0.01''::money,''0''::money,''0.01''::money,''92233720368547758.06''::money,''92233720368547758.07''::money}'),
  ('k::text', 'pg_lsn', 'CASE WHEN i % 2 = 0 THEN ''7FFFFFFF/FFFFF000''::pg_lsn + 8 * (i / 3) ELSE ''0/0''::pg_lsn + (hashint8extended(i, 1)::numeric + 9223372036854775808) END',
    '{''0/0''::pg_lsn,''0/1''::pg_lsn,''7FFFFFFF/FFFFFFFF''::pg_lsn,''80000000/0''::pg_lsn,''FFFFFFFF/FFFFFFFE''::pg_lsn,''FFFFFFFF/FFFFFFFF''::pg_lsn}'),
  ('k::text', 'macaddr', 'lpad(CASE WHEN i % 2 = 0 THEN to_hex(140737488354828 + i / 3) ELSE left(to_hex(hashint8extended(i, 1)), 12) END, 12, ''0'')::macaddr',
    '{''00:00:00:00:00:00''::macaddr,''00:00:00:00:00:01''::macaddr,''00:00:00:ff:ff:ff''::macaddr,''00:00:01:00:00:00''::macaddr,''7f:ff:ff:ff:ff:ff''::macaddr,''80:00:00:00:00:00''::macaddr,''ff:ff:ff:ff:ff:fe''::macaddr,''ff:ff:ff:ff:ff:ff''::macaddr}'),
  ('k::text', 'macaddr8', 'lpad(to_hex(CASE WHEN i % 2 = 0 THEN 9223372036854775000 + i / 3 ELSE hashint8extended(i, 1) END), 16, ''0'')::macaddr8',
    '{''00:00:00:00:00:00:00:00''::macaddr8,''00:00:00:00:00:00:00:01''::macaddr8,''00:00:00:00:ff:ff:ff:ff''::macaddr8,''7f:ff:ff:ff:ff:ff:ff:ff''::macaddr8,''80:00:00:00:00:00:00:00''::macaddr8,''ff:ff:ff:ff:ff:ff:ff:fe''::macaddr8,''ff:ff:ff:ff:ff:ff:ff:ff''::macaddr8}'),
  ('k::text', 'uuid', 'CASE WHEN i % 3 = 0 THEN (''80000000-0000-0000-7fff-ffffff'' || lpad(to_hex(i / 3), 6, ''0''))::uuid ELSE md5(i::text)::uuid END',
    '{''00000000-0000-0000-0000-000000000000''::uuid,''00000000-0000-0000-0000-000000000001''::uuid,''00000000-0000-0000-ffff-ffffffffffff''::uuid,''00000000-0000-0001-0000-000000000000''::uuid,''7fffffff-ffff-ffff-ffff-ffffffffffff''::uuid,''80000000-0000-0000-0000-000000000000''::uuid,''ffffffff-ffff-ffff-ffff-fffffffffffe''::uuid,''ffffffff-ffff-ffff-ffff-ffffffffffff''::uuid}'),
  ('k::text', 'timetz', '((time ''00:00'' + hashint4(i) % 5000 * interval ''17.000001 s'')::text || (ARRAY[''+00'', ''+01'', ''-08:30'', ''+15:59:59''])[i % 4 + 1])::timetz',
    '{''00:00:00+15:59:59''::timetz,''00:00:00+00''::timetz,''01:00:00+01''::timetz,''00:00:00.000001+00''::timetz,''12:00:00-01''::timetz,''13:00:00+00''::timetz,''24:00:00-15:59:58''::timetz,''24:00:00-15:59:59''::timetz}');

-- Tables `learned` and `btree` with the same rows; half of them are there when the indexes are built.
CREATE FUNCTION make_twins(name text, definition text, workers int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  of types := (SELECT t FROM types t WHERE type = name);
  am text;
BEGIN
  PERFORM set_config('min_parallel_table_scan_size', '0', true), set_config('max_parallel_maintenance_workers', workers::text, true);
  FOREACH am IN ARRAY '{learned,btree}'::text[] LOOP
    EXECUTE format('DROP TABLE IF EXISTS %I', am);
    EXECUTE format('CREATE TABLE %I (id int GENERATED ALWAYS AS IDENTITY, k %s) WITH (parallel_workers = 2)', am, of.type);
    EXECUTE format('INSERT INTO %I (k) SELECT %s FROM generate_series(1, 800) i', am, of.seed);
    EXECUTE format('INSERT INTO %I (k) SELECT k FROM unnest(ARRAY[%s]) k, generate_series(1, 3)', am, array_to_string(of.extremes, ','));
    EXECUTE format('INSERT INTO %I (k) SELECT NULL FROM generate_series(1, 20)', am);
    EXECUTE format('CREATE INDEX %I ON %I USING %2$I (k %3$s)', am || '_k', am, definition);
    EXECUTE format('INSERT INTO %I (k) SELECT %s FROM generate_series(600, 900) i', am, of.seed);
    EXECUTE format('INSERT INTO %I (k) SELECT k FROM unnest(ARRAY[%s, NULL]) k', am, array_to_string(of.extremes, ','));
    EXECUTE format('DELETE FROM %I WHERE id %% 7 = 3', am);
    EXECUTE format('UPDATE %I SET k = (SELECT k FROM %1$I WHERE id = 20) WHERE id %% 50 = 9', am);
  END LOOP;
END $$;

CREATE FUNCTION force_scan(mode text) RETURNS void LANGUAGE sql AS $$
  SELECT set_config('enable_seqscan', (mode = 'seq')::text, true),
         set_config('enable_sort', (mode = 'seq')::text, true),
         set_config('enable_hashjoin', (mode = 'seq')::text, true),
         set_config('enable_hashagg', (mode = 'seq')::text, true),
         set_config('enable_nestloop', (mode = 'loop')::text, true),
         set_config('enable_mergejoin', (mode <> 'loop')::text, true),
         set_config('enable_material', 'off', true),
         set_config('enable_indexscan', (mode NOT IN ('seq', 'bitmap'))::text, true),
         set_config('enable_indexonlyscan', (mode NOT IN ('seq', 'bitmap', 'index'))::text, true),
         set_config('enable_bitmapscan', (mode = 'bitmap')::text, true),
         set_config('max_parallel_workers_per_gather', CASE mode WHEN 'parallel' THEN '2' ELSE '0' END, true),
         set_config('min_parallel_index_scan_size', '0', true), set_config('parallel_setup_cost', '0', true),
         set_config('parallel_tuple_cost', '0', true), set_config('parallel_leader_participation', 'on', true);
$$;

-- The keys that a scrollable cursor gives on the way back from the end, and forward again.
CREATE FUNCTION there_and_back(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  c refcursor;
  row record;
BEGIN
  OPEN c SCROLL FOR EXECUTE query;
  FETCH LAST FROM c INTO row;
  WHILE FOUND LOOP
    RETURN NEXT row.key;
    FETCH PRIOR FROM c INTO row;
  END LOOP;
  FOR i IN 1 .. 50 LOOP
    FETCH NEXT FROM c INTO row;
    RETURN NEXT row.key;
  END LOOP;
  CLOSE c;
END $$;

-- A query's rows, in their order.
CREATE FUNCTION digest_of(query text, am text) RETURNS text LANGUAGE sql AS $$
  SELECT 'SELECT count(*) || '' '' || md5(coalesce(string_agg(coalesce(key, ''NULL''), '' ''), '''')) FROM ('
         || replace(query, 'TWIN', am) || ') s'
$$;

CREATE FUNCTION answer(query text, mode text, am text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
BEGIN
  PERFORM force_scan(mode);
  EXECUTE digest_of(query, am) INTO result;
  RETURN result;
END $$;

-- Whether the learned index gives something else than the btree or the sequential scan, or is not even read.
CREATE FUNCTION is_wrong(query text, mode text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  ours text := answer(query, mode, 'learned');
  line text;
  plan text := '';
BEGIN
  IF query !~ 'there_and_back' THEN
    PERFORM force_scan(mode);
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || digest_of(query, 'learned') LOOP
      plan := plan || line || E'\n';
    END LOOP;
    IF plan !~ (CASE mode WHEN 'bitmap' THEN 'Bitmap Index Scan on learned_k'
                         WHEN 'index' THEN 'Index Scan (Backward )?using learned_k'
                         WHEN 'parallel' THEN 'Parallel Index Only Scan (Backward )?using learned_k'
                         ELSE 'Index Only Scan (Backward )?using learned_k' END)
       OR plan ~ 'Seq Scan on learned'
       OR (query ~ ' JOIN ' AND plan !~ (CASE mode WHEN 'loop' THEN 'Nested Loop' ELSE 'Merge Join' END)) THEN
      RAISE WARNING E'% has another plan: %\n%', mode, query, plan;
    END IF;
  END IF;
  IF ours = answer(query, mode, 'btree') AND (mode <> 'only' OR ours = answer(query, 'seq', 'btree')) THEN RETURN 0; END IF;
  RAISE WARNING '% is wrong: %', mode, query;
  RETURN 1;
END $$;

-- A query without ORDER BY has no order that could be compared: conditions are asked for sorted texts.
CREATE FUNCTION try_type(name text, definition text, OUT asked int, OUT wrong int) LANGUAGE plpgsql AS $$
DECLARE
  of types := (SELECT t FROM types t WHERE type = name);
  constants text[] := of.extremes;
  last_but_one text := of.extremes[array_length(of.extremes, 1) - 1];
  lists text;
  part text;
  query text;
  conditions text[] := '{"k IS NULL","k IS NOT NULL"}';
  queries text[] := '{}';
  directions text[] := CASE WHEN definition IN ('', 'DESC') THEN '{ASC,DESC}' ELSE '{ASC NULLS FIRST,DESC NULLS LAST}' END;
  mode text;
BEGIN
  IF of.show = 'k::text' THEN
    EXECUTE format('SELECT $1 || array_agg(format(''%%L::%s'', k)) FROM btree WHERE id IN (20, 501, 900) AND k IS NOT NULL', name)
      INTO constants USING constants;
  END IF;
  lists := array_to_string(constants, ',');
  FOREACH part IN ARRAY constants LOOP
    conditions := conditions || format('k < %s', part) || format('k <= %s', part) || format('k = %s', part)
      || format('k >= %s', part) || format('k > %s', part) || format('k >= %s AND k < %s', of.extremes[2], part)
      || format('k > %s AND k <= %s', part, last_but_one);
  END LOOP;
  conditions := conditions || format('k = ANY (ARRAY[%s, NULL, %s])', lists, constants[1])
    || format('k >= ANY (ARRAY[%s, NULL, %s])', last_but_one, constants[2])
    || format('k <= ANY (ARRAY[%s, NULL, %s])', constants[1], constants[2]);
  asked := 0;
  wrong := 0;
  FOREACH part IN ARRAY conditions LOOP
    query := format('SELECT string_agg(s, '' '' ORDER BY s COLLATE "C") AS key FROM (SELECT %s AS s FROM TWIN WHERE %s) s', of.show, part);
    FOREACH mode IN ARRAY CASE WHEN part ~ 'NOT NULL|>= ANY' THEN '{index,only,bitmap,parallel}' ELSE '{index,only,bitmap}' END::text[] LOOP
      asked := asked + 1;
      wrong := wrong + is_wrong(query, mode);
    END LOOP;
  END LOOP;
  FOREACH part IN ARRAY directions LOOP
    queries := queries || format('SELECT %s AS key FROM TWIN ORDER BY k %s', of.show, part)
      || format('SELECT %s AS key FROM (SELECT DISTINCT k FROM TWIN WHERE k > %s ORDER BY k %s) t', of.show, constants[1], part)
      || format('SELECT * FROM (SELECT %s AS key FROM TWIN ORDER BY k %s LIMIT 17 OFFSET 5) t', of.show, part)
      || format('SELECT there_and_back(''SELECT %s AS key FROM TWIN ORDER BY k %s'') AS key', of.show, part);
  END LOOP;
  -- Merge joins go back to marks where keys repeat; nested loops get the key of the other side.
  queries := queries || format('SELECT %s || '' '' || n AS key FROM (SELECT a.k, count(*) AS n FROM TWIN a JOIN TWIN b ON a.k = b.k WHERE a.k > %s GROUP BY a.k ORDER BY a.k %s) t', of.show, constants[1], directions[1]);
  IF EXISTS (SELECT FROM pg_proc WHERE proname = 'max' AND prorettype = name::regtype) THEN
    queries := queries || format('SELECT %s AS key FROM (SELECT min(k) AS k FROM TWIN UNION ALL SELECT max(k) FROM TWIN UNION ALL SELECT max(k) FROM TWIN WHERE k < %s) t', of.show, last_but_one);
  END IF;
  FOREACH query IN ARRAY queries LOOP
    FOREACH mode IN ARRAY CASE WHEN query ~ ' JOIN ' THEN '{only,loop}' ELSE '{only,index}' END::text[] LOOP
      asked := asked + 1;
      wrong := wrong + is_wrong(query, mode);
    END LOOP;
  END LOOP;
END $$;

\pset tuples_only on
SELECT format('SELECT make_twins(%L, %L, %s)', type, definition, workers),
       'VACUUM (ANALYZE, INDEX_CLEANUP ON) learned, btree',
       $$SELECT learned_index_check('learned_k', true)$$,
       format('SELECT %L, %L, asked > 50 AS some, wrong FROM try_type(%1$L, %2$L)', type, definition),
       'REINDEX TABLE learned',
       $$SELECT learned_index_check('learned_k', true)$$
  FROM types, (VALUES ('', 2), ('DESC', 0), ('DESC NULLS LAST', 2)) d(definition, workers)
 WHERE definition = CASE WHEN type IN ('bool', 'xid8', 'macaddr8') THEN '' WHEN type ~ 'char|lsn|uuid' THEN 'DESC' ELSE 'DESC NULLS LAST' END
    OR (type IN ('macaddr', 'uuid') AND definition = '')
 ORDER BY type COLLATE "C", definition \gexec
\pset tuples_only off

-- A condition on a boolean column need not be a comparison.
CREATE TABLE flags (id int, k bool);
INSERT INTO flags SELECT i, CASE WHEN i % 50 <> 0 THEN i % 100 = 1 END FROM generate_series(1, 1000) i;
CREATE INDEX flags_k ON flags USING learned (k);
VACUUM ANALYZE flags;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM flags WHERE k;
SELECT array_agg(id ORDER BY id) FROM flags WHERE k;
EXPLAIN (COSTS OFF) SELECT count(*) FROM flags WHERE NOT k;
SELECT count(*) FROM flags WHERE NOT k;
SELECT count(*) FROM flags WHERE k IS TRUE;
SELECT count(*) FROM flags WHERE k IS UNKNOWN;
RESET enable_seqscan;
RESET enable_bitmapscan;
-- Sorting by what is constant, and by the index, is not needed.
EXPLAIN (COSTS OFF) SELECT k FROM flags WHERE NOT k ORDER BY k;

-- EXCLUDE: what is equal conflicts, and the message has the key. Unsure rows are left out of an upsert.
CREATE FUNCTION excludes(name text, literal text, other text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  message text;
  detail text;
  n bigint;
BEGIN
  EXECUTE format('CREATE TABLE one (k %s, EXCLUDE USING learned (k WITH =))', name);
  EXECUTE format('INSERT INTO one VALUES (%L), (%L), (NULL), (NULL)', literal, other);
  BEGIN
    EXECUTE format('INSERT INTO one VALUES (%L)', literal);
  EXCEPTION WHEN exclusion_violation THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
    RETURN NEXT message || ': ' || detail;
  END;
  EXECUTE format('INSERT INTO one VALUES (%L), (%L), (NULL) ON CONFLICT DO NOTHING', literal, other);
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN NEXT n::text;
  EXECUTE format('DELETE FROM one WHERE k = %L', literal);
  EXECUTE format('INSERT INTO one VALUES (%L)', literal);
  PERFORM learned_index_check('one_k_excl', true);
  -- Where rows are already: the build finds them.
  ALTER TABLE one DROP CONSTRAINT one_k_excl;
  INSERT INTO one SELECT k FROM one;
  BEGIN
    ALTER TABLE one ADD EXCLUDE USING learned (k WITH =);
  EXCEPTION WHEN exclusion_violation THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
    RETURN NEXT message;
  END;
  DROP TABLE one;
END $$;
SELECT type, excludes(type, literal, other) FROM (VALUES ('bool', 't', 'f'), ('"char"', 'a', 'b'), ('xid8', '18446744073709551615', '0'),
  ('money', '-92233720368547758.08', '1'), ('pg_lsn', 'FFFFFFFF/FFFFFFFF', '0/0'), ('macaddr', 'ff:00:00:00:00:01', 'ff:00:00:00:01:00'),
  ('macaddr8', 'ff:00:00:00:00:00:00:01', '00:00:00:00:00:00:00:01'), ('uuid', 'ffffffff-ffff-4fff-bfff-ffffffffffff', '00000000-0000-4000-8000-000000000000'),
  ('timetz', '12:00:00+00', '13:00:00+01')) v(type, literal, other);
-- UNIQUE, from 18 on: the errors that a btree raises, with the key in them. (Older servers refuse such an index.)
CREATE FUNCTION unique_errors(am text, name text, literal text, other text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  statement text;
  state text;
  message text;
  detail text;
  n bigint;
  result text := '';
BEGIN
  EXECUTE format('CREATE TABLE one (k %s)', name);
  EXECUTE format('INSERT INTO one VALUES (%L), (NULL), (%L), (NULL), (%1$L)', literal, other);
  FOREACH statement IN ARRAY ARRAY[format('CREATE UNIQUE INDEX one_k ON one USING %I (k)', am),
      format('DELETE FROM one WHERE ctid = (SELECT max(ctid) FROM one WHERE k = %L)', literal),
      format('CREATE UNIQUE INDEX one_k ON one USING %I (k)', am), format('INSERT INTO one VALUES (%L)', literal),
      format('UPDATE one SET k = %L WHERE k = %L', literal, other), format('INSERT INTO one VALUES (%L), (NULL) ON CONFLICT (k) DO NOTHING', other),
      format('INSERT INTO one VALUES (%L) ON CONFLICT (k) DO UPDATE SET k = NULL', literal), format('INSERT INTO one VALUES (%L)', literal)] LOOP
    BEGIN
      EXECUTE statement;
      GET DIAGNOSTICS n = ROW_COUNT;
      result := result || n || E'\n';
    EXCEPTION WHEN unique_violation THEN
      GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
      result := result || state || ' ' || message || ' ' || detail || E'\n';
    END;
  END LOOP;
  DROP TABLE one;
  RETURN result;
END $$;
SELECT type, NOT pg_indexam_has_property(a.oid, 'can_unique')
       OR unique_errors('learned', type, literal, other) = unique_errors('btree', type, literal, other) AS same,
       unique_errors('btree', type, literal, other) ~ '(23505 .*Key \(k\)=.*){3}' AS errors
  FROM pg_am a, (VALUES ('bool', 't', 'f'), ('"char"', 'a', 'b'), ('xid8', '18446744073709551615', '0'),
  ('money', '-92233720368547758.08', '1'), ('pg_lsn', 'FFFFFFFF/FFFFFFFF', '0/0'), ('macaddr', 'ff:00:00:00:00:01', 'ff:00:00:00:01:00'),
  ('macaddr8', 'ff:00:00:00:00:00:00:01', '00:00:00:00:00:00:00:01'), ('uuid', 'ffffffff-ffff-4fff-bfff-ffffffffffff', '00000000-0000-4000-8000-000000000000'),
  ('timetz', '12:00:00+00', '13:00:00+01')) v(type, literal, other)
 WHERE a.amname = 'learned';
-- A class made by hand may lack operators that the default one has: conditions on it are just not served.
CREATE TABLE made_by_hand AS SELECT i AS n, i % 2 = 0 AS k FROM generate_series(1, 1000) i;
CREATE OPERATOR CLASS few_operators FOR TYPE bool USING learned AS OPERATOR 1 <(bool, bool), FUNCTION 1 btboolcmp(bool, bool);
CREATE INDEX ON made_by_hand USING learned (k few_operators);
ANALYZE made_by_hand;
SET enable_seqscan = off;
SELECT count(*) FROM made_by_hand WHERE k;
SELECT count(*) FROM made_by_hand WHERE k >= true;
SELECT count(*) FROM made_by_hand a JOIN made_by_hand b ON a.k = b.k AND b.n < 3;
RESET enable_seqscan;
SET client_min_messages = error;
DROP SCHEMA key_types CASCADE;
