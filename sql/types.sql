-- Every key type: its extremes, every operator of its family with constants of every type of the
-- family, order, and the stored values given back by index-only scans.
SET client_min_messages = warning;
SET learned_index.enable_aggregates = off; -- rows are to be read: aggregates.sql counts them
CREATE EXTENSION IF NOT EXISTS learned_index;
SET jit = off;
SET extra_float_digits = 1;
SET datestyle = 'ISO, YMD';
SET timezone = 'America/New_York';

-- A table of the given values, three times before and twice after its learned index is built.
CREATE FUNCTION make_keys(key_type text, key_values text[], definition text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  DROP TABLE IF EXISTS keys;
  EXECUTE format('CREATE TABLE keys (id int GENERATED ALWAYS AS IDENTITY, k %s)', key_type);
  EXECUTE format('INSERT INTO keys (k) SELECT v::%s FROM unnest($1) v, generate_series(1, 3)', key_type)
    USING key_values;
  EXECUTE format('CREATE INDEX keys_k ON keys USING learned (k %s)', definition);
  EXECUTE format('INSERT INTO keys (k) SELECT v::%s FROM unnest($1) v, generate_series(1, 2)', key_type)
    USING key_values;
  INSERT INTO keys (k) VALUES (NULL), (NULL);
END $$;

CREATE FUNCTION force_scan(mode text) RETURNS void LANGUAGE sql AS $$
  SELECT set_config('enable_seqscan', (mode = 'seq')::text, true),
         set_config('enable_sort', (mode = 'seq')::text, true),
         set_config('enable_indexscan', (mode = 'index')::text, true),
         set_config('enable_indexonlyscan', (mode = 'only')::text, true),
         set_config('enable_bitmapscan', (mode = 'bitmap')::text, true);
$$;

-- Every operator with every constant of every type, under each kind of index scan: rows that the
-- sequential scan found, and the comparisons whose answer differed from it.
CREATE FUNCTION try_operators(constant_types text[], constants text[],
  OUT constant_type text, OUT comparisons int, OUT rows_found bigint, OUT wrong text[])
RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE
  operator text;
  value text;
  mode text;
  clause text;
  expected text;
  answer text;
  n bigint;
BEGIN
  FOREACH constant_type IN ARRAY constant_types LOOP
    comparisons := 0;
    rows_found := 0;
    wrong := '{}';
    FOREACH value IN ARRAY constants LOOP
      -- A value that this type cannot hold is no constant of it.
      BEGIN
        EXECUTE format('SELECT %L::%s', value, constant_type);
      EXCEPTION WHEN data_exception THEN CONTINUE;
      END;
      FOREACH operator IN ARRAY '{<,<=,=,>=,>,= ANY,< ANY}'::text[] LOOP
        clause := CASE WHEN operator LIKE '%ANY'
          THEN format('k %s (ARRAY[%L, NULL, %2$L]::%s[])', operator, value, constant_type)
          ELSE format('k %s %L::%s', operator, value, constant_type) END;
        PERFORM force_scan('seq');
        EXECUTE 'SELECT count(*), coalesce(string_agg(id::text || k::text, '','' ORDER BY id), '''') FROM keys WHERE ' || clause
          INTO n, expected;
        rows_found := rows_found + n;
        FOREACH mode IN ARRAY '{index,bitmap}'::text[] LOOP
          PERFORM force_scan(mode);
          EXECUTE 'SELECT coalesce(string_agg(id::text || k::text, '','' ORDER BY id), '''') FROM keys WHERE ' || clause
            INTO answer;
          comparisons := comparisons + 1;
          IF answer <> expected THEN
            wrong := wrong || (mode || ': ' || clause);
          END IF;
        END LOOP;
        PERFORM force_scan('seq');
        EXECUTE 'SELECT coalesce(string_agg(k::text, '','' ORDER BY k::text), '''') FROM keys WHERE ' || clause
          INTO expected;
        PERFORM force_scan('only');
        EXECUTE 'SELECT coalesce(string_agg(k::text, '','' ORDER BY k::text), '''') FROM keys WHERE ' || clause
          INTO answer;
        comparisons := comparisons + 1;
        IF answer <> expected THEN
          wrong := wrong || ('index only: ' || clause);
        END IF;
      END LOOP;
    END LOOP;
    RETURN NEXT;
  END LOOP;
END $$;

-- The distinct keys in the order of the index, as the index gives them back, and whether each is
-- at least its predecessor under the operators of the type.
CREATE FUNCTION in_order(direction text, OUT keys text, OUT sorted boolean, OUT complete boolean)
LANGUAGE plpgsql AS $$
DECLARE
  stored text[];
BEGIN
  PERFORM force_scan('seq');
  SELECT array_agg(k::text ORDER BY k::text) INTO stored FROM keys;
  PERFORM force_scan('only');
  EXECUTE format(
    'SELECT string_agg(k::text, '' '' ORDER BY n) FILTER (WHERE k::text IS DISTINCT FROM previous::text),
            bool_and(CASE WHEN %L LIKE ''DESC%%'' THEN k <= previous ELSE k >= previous END IS NOT FALSE),
            array_agg(k::text ORDER BY k::text) = $1
       FROM (SELECT k, lag(k) OVER () AS previous, row_number() OVER () AS n FROM (SELECT k FROM keys ORDER BY k %1$s) s) t', direction)
    INTO keys, sorted, complete USING stored;
END $$;

-- int2, int4, int8
SELECT make_keys('int2', '{-32768,-32767,-1,0,1,42,32766,32767}', '');
SELECT * FROM in_order('ASC');
SELECT * FROM in_order('DESC');
SELECT * FROM try_operators('{int2,int4,int8}',
  '{-9223372036854775808,-2147483649,-2147483648,-32769,-32768,-1,0,42,32766,32767,32768,65536,2147483647,4294967296,9223372036854775807}');
SELECT make_keys('int4', '{-2147483648,-2147483647,-65536,-32769,-1,0,1,32768,2147483646,2147483647}', 'DESC');
SELECT * FROM in_order('ASC');
SELECT * FROM in_order('DESC');
SELECT * FROM try_operators('{int2,int4,int8}',
  '{-9223372036854775808,-2147483649,-2147483648,-32769,-32768,-1,0,1,32767,32768,2147483647,2147483648,4294967296,9223372036854775807}');
SELECT make_keys('int8', '{-9223372036854775808,-9223372036854775807,-4294967297,-1,0,1,4294967296,9007199254740993,9223372036854775806,9223372036854775807}', 'NULLS FIRST');
SELECT * FROM in_order('ASC NULLS FIRST');
SELECT * FROM in_order('DESC NULLS LAST');
SELECT * FROM try_operators('{int2,int4,int8}',
  '{-9223372036854775808,-9223372036854775807,-2147483648,-32768,-1,0,1,32767,2147483647,9007199254740992,9223372036854775806,9223372036854775807}');

-- float4, float8: zeros of both signs are equal but stay themselves; NaNs are equal and the largest
SELECT make_keys('float4', '{-Infinity,-3.4028235e38,-1,-1e-45,-0,0,1e-45,1.17549435e-38,0.1,1,16777216,3.4028235e38,Infinity,NaN}', '');
UPDATE keys SET k = -k WHERE id IN (SELECT min(id) FROM keys WHERE k = 'NaN');
SELECT keys ~ '^-Infinity -3.4028235e\+38 -1 -1e-45 [-0 ]+ 1e-45 1.1754944e-38 0.1 1 1.6777216e\+07 3.4028235e\+38 Infinity NaN$' AS keys,
       sorted, complete FROM in_order('ASC');
SELECT sorted, complete FROM in_order('DESC');
SELECT * FROM try_operators('{float4,float8}',
  '{-Infinity,-1e308,-3.4028235e38,-1e-45,-1e-60,-0,0,1e-60,0.1,0.10000000000000001,0.100000001490116,1,16777216,16777217,3.4028235e38,3.5e38,Infinity,NaN}');
SELECT make_keys('float8', '{-Infinity,-1.7976931348623157e308,-1,-5e-324,-0,0,5e-324,2.2250738585072014e-308,0.1,0.10000000149011612,1,9007199254740993,1.7976931348623157e308,Infinity,NaN}', 'DESC NULLS LAST');
UPDATE keys SET k = -k WHERE id IN (SELECT min(id) FROM keys WHERE k = 'NaN');
SELECT keys ~ '^NaN Infinity 1.7976931348623157e\+308 9.007199254740992e\+15 1 0.10000000149011612 0.1 2.2250738585072014e-308 5e-324 [-0 ]+ -5e-324 -1 -1.7976931348623157e\+308 -Infinity$' AS keys,
       sorted, complete FROM in_order('DESC NULLS LAST');
SELECT sorted, complete FROM in_order('ASC NULLS FIRST');
SELECT * FROM try_operators('{float4,float8}',
  '{-Infinity,-1.7976931348623157e308,-3.4028235e38,-5e-324,-0,0,5e-324,0.1,0.10000000149011612,1,1.7976931348623157e308,Infinity,NaN}');
-- Which zeros an equality finds, and that each comes back with its own sign.
SELECT make_keys('float8', '{-0,0,1}', '');
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT k::text, count(*) FROM keys WHERE k = 0 GROUP BY k::text ORDER BY 1;
SELECT k::text, count(*) FROM keys WHERE k = '-0' GROUP BY k::text ORDER BY 1;
SELECT count(*) FROM keys WHERE k < 0 OR k > 1;
SELECT count(*) FROM keys WHERE k >= '-0' AND k <= '0';
SELECT count(*) FROM keys WHERE k > '-0';
RESET enable_seqscan;
RESET enable_bitmapscan;

-- date, timestamp, timestamptz: BC, infinities, the ends of each range, a time zone with summer time
SELECT make_keys('date', '{-infinity,4713-01-01 BC,0044-03-15 BC,0001-12-31 BC,0001-01-01,1969-12-31,2000-01-01,2021-07-04,294276-12-31,294277-01-01,5874897-12-31,infinity}', '');
SELECT * FROM in_order('ASC');
SELECT * FROM in_order('DESC');
SELECT * FROM try_operators('{date,timestamp,timestamptz}',
  '{-infinity,4713-01-01 BC,0044-03-15 BC,0044-03-15 12:00 BC,1969-12-31 23:59:59.999999,2000-01-01,2000-01-01 00:00:00.000001,2021-07-04 00:00:00,2021-07-04 04:00:00+00,294276-12-31,5874897-12-31,infinity}');
SELECT make_keys('timestamp', '{-infinity,4713-01-01 00:00:00 BC,0044-03-15 11:59:59.999999 BC,0001-01-01,1969-12-31 23:59:59.999999,1970-01-01,2000-01-01,2000-01-01 00:00:00.000001,2021-07-04,2021-11-07 01:30,294276-12-31 23:59:59.999999,infinity}', 'DESC');
SELECT * FROM in_order('ASC');
SELECT * FROM in_order('DESC');
SELECT * FROM try_operators('{date,timestamp,timestamptz}',
  '{-infinity,4713-01-01 BC,0044-03-15 BC,1969-12-31,2000-01-01,2000-01-01 00:00:00.000001,2021-07-04 04:00:00+00,2021-11-07 01:30:00-04,2021-11-07 01:30:00-05,294276-12-31 23:59:59.999999,5874897-12-31,infinity}');
SELECT make_keys('timestamptz', '{-infinity,4713-01-02 00:00:00+00 BC,0044-03-15 11:59:59.999999+00 BC,1969-12-31 23:59:59.999999+00,2000-01-01 05:00:00+00,2000-01-01 00:00:00-05,2021-03-14 02:59:59.999999-05,2021-07-04 04:00:00+00,2021-11-07 01:30:00-04,2021-11-07 01:30:00-05,294276-12-30 23:59:59.999999+00,infinity}', 'NULLS FIRST');
SELECT * FROM in_order('ASC NULLS FIRST');
SELECT * FROM in_order('DESC NULLS LAST');
SELECT * FROM try_operators('{date,timestamp,timestamptz}',
  '{-infinity,4713-01-01 BC,0044-03-15 BC,1969-12-31,2000-01-01,2000-01-01 05:00:00+00,2021-07-04,2021-11-07 01:30:00,2021-11-07 01:30:00-04,294276-12-31 23:59:59.999999,5874897-12-31,infinity}');
-- A comparison of another type depends on the session's time zone, not on that of the build.
SET timezone = 'Asia/Tokyo';
SELECT * FROM in_order('ASC NULLS FIRST');
SELECT * FROM try_operators('{date,timestamp}', '{-infinity,1970-01-01,2000-01-01,2000-01-01 14:00:00,2021-07-04 13:00:00,infinity}');
SET timezone = 'America/New_York';

-- oid: unsigned
SELECT make_keys('oid', '{0,1,1259,2147483647,2147483648,4294967294,4294967295}', '');
SELECT * FROM in_order('ASC');
SELECT * FROM in_order('DESC');
SELECT * FROM try_operators('{oid}', '{0,1,1258,1259,2147483647,2147483648,4294967294,4294967295}');

-- time: midnight at the end of the day is a value of its own
SELECT make_keys('time', '{00:00:00,00:00:00.000001,11:59:59.999999,12:00,23:59:59.999999,24:00:00}', '');
SELECT * FROM in_order('ASC');
SELECT * FROM in_order('DESC');
SELECT * FROM try_operators('{time}', '{00:00:00,00:00:00.000001,12:00,18:00,23:59:59.999999,24:00:00}');

-- bool
SELECT make_keys('bool', '{false,true}', '');
SELECT * FROM in_order('ASC');
SELECT * FROM in_order('DESC');
SELECT * FROM try_operators('{bool}', '{false,true}');

-- "char": a byte without sign (key_types.sql has those whose text depends on the version)
SELECT make_keys('"char"', '{"",A,Z,_,a,~}', 'DESC');
SELECT * FROM in_order('ASC');
SELECT * FROM in_order('DESC');
SELECT * FROM try_operators('{"\"char\""}', '{"",A,B,Z,_,a,~}');

-- xid8, pg_lsn: unsigned
SELECT make_keys('xid8', '{0,1,4294967296,9223372036854775807,9223372036854775808,18446744073709551614,18446744073709551615}', '');
SELECT * FROM in_order('ASC');
SELECT * FROM in_order('DESC');
SELECT * FROM try_operators('{xid8}', '{0,1,2,9223372036854775807,9223372036854775808,18446744073709551614,18446744073709551615}');
SELECT make_keys('pg_lsn', '{0/10000000,0/10000001,0/FFFFFFFF,1/10000000,7FFFFFFF/FFFFFFFF,80000000/80000000,FFFFFFFF/FFFFFFFF}', 'DESC NULLS LAST');
SELECT * FROM in_order('ASC NULLS FIRST');
SELECT * FROM in_order('DESC NULLS LAST');
SELECT * FROM try_operators('{pg_lsn}', '{0/0,0/1,1/0,7FFFFFFF/FFFFFFFF,80000000/0,80000000/1,FFFFFFFF/FFFFFFFF}');

-- money
SET lc_monetary = 'C';
SELECT make_keys('money', '{-92233720368547758.08,-92233720368547758.07,-1,-0.01,0,0.01,42,92233720368547758.07}', '');
SELECT * FROM in_order('ASC');
SELECT * FROM in_order('DESC');
SELECT * FROM try_operators('{money}', '{-92233720368547758.08,-1,-0.01,0,0.01,1000000,92233720368547758.06,92233720368547758.07}');

-- macaddr, macaddr8: by reference
SELECT make_keys('macaddr', '{00:00:00:00:00:00,00:00:00:00:00:ff,00:00:00:00:01:00,00:00:01:00:00:00,7f:ff:ff:ff:ff:ff,80:00:00:00:00:00,ff:ff:ff:ff:ff:ff}', '');
SELECT * FROM in_order('ASC');
SELECT * FROM in_order('DESC');
SELECT * FROM try_operators('{macaddr}', '{00:00:00:00:00:00,00:00:00:00:00:01,00:00:00:00:01:00,7f:ff:ff:ff:ff:ff,80:00:00:00:00:00,ff:ff:ff:ff:ff:fe,ff:ff:ff:ff:ff:ff}');
SELECT make_keys('macaddr8', '{00:00:00:00:00:00:00:00,00:00:00:00:00:00:00:ff,00:00:00:00:ff:ff:ff:ff,00:00:00:01:00:00:00:00,7f:ff:ff:ff:ff:ff:ff:ff,80:00:00:00:00:00:00:00,ff:ff:ff:ff:ff:ff:ff:ff}', 'DESC');
SELECT * FROM in_order('ASC');
SELECT * FROM in_order('DESC');
SELECT * FROM try_operators('{macaddr8}', '{00:00:00:00:00:00:00:00,00:00:00:00:ff:ff:ff:ff,00:00:00:01:00:00:00:00,7f:ff:ff:ff:ff:ff:ff:ff,80:00:00:00:00:00:00:00,ff:ff:ff:ff:ff:ff:ff:fe,ff:ff:ff:ff:ff:ff:ff:ff}');

-- uuid, timetz: two words each
SELECT make_keys('uuid', '{00000000-0000-0000-0000-000000000000,00000000-0000-0000-0000-000000000001,00000000-0000-0000-ffff-ffffffffffff,00000000-0000-0001-0000-000000000000,7fffffff-ffff-ffff-ffff-ffffffffffff,80000000-0000-4000-8000-000000000000,ffffffff-ffff-ffff-ffff-ffffffffffff}', 'DESC');
SELECT * FROM in_order('ASC');
SELECT * FROM in_order('DESC');
SELECT * FROM try_operators('{uuid}', '{00000000-0000-0000-0000-000000000000,00000000-0000-0000-8000-000000000000,00000000-0000-0001-0000-000000000000,7fffffff-ffff-ffff-ffff-ffffffffffff,80000000-0000-4000-8000-000000000000,ffffffff-ffff-ffff-ffff-fffffffffffe,ffffffff-ffff-ffff-ffff-ffffffffffff}');
SELECT make_keys('timetz', '{00:00:00+15:59:59,00:00:00+00,01:00:00+01,00:00:00.000001+00,12:00:00-01,13:00:00+00,24:00:00-15:59:59}', '');
SELECT * FROM in_order('ASC');
SELECT * FROM in_order('DESC');
SELECT * FROM try_operators('{timetz}', '{00:00:00+15:59:59,00:00:00+00,00:00:00+01,01:00:00+01,12:00:00+00,13:00:00+00,24:00:00-15:59:59}');

-- A domain is indexed as its base type.
CREATE DOMAIN account AS int8 CHECK (VALUE > 0);
SELECT make_keys('account', '{1,2,9223372036854775807}', '');
SELECT * FROM in_order('ASC');
DROP TABLE keys;
DROP DOMAIN account;

-- The families hold the operators and functions that the B-tree families hold, type by type, and two operators beside, for row
-- comparisons.
SELECT f.opfname AS family,
       (SELECT count(*) FROM pg_amop o WHERE o.amopfamily = f.oid) AS operators,
       (SELECT count(*) FROM pg_amproc p WHERE p.amprocfamily = f.oid AND p.amprocnum = 1) AS comparisons,
       (SELECT count(*) FROM pg_amop o WHERE o.amopfamily = f.oid AND NOT EXISTS (
          SELECT FROM pg_amop b JOIN pg_am m ON m.oid = b.amopmethod
           WHERE m.amname = 'btree' AND b.amopopr = o.amopopr AND b.amopstrategy = o.amopstrategy)) AS not_in_btree,
       (SELECT count(*) FROM pg_amop b
         WHERE b.amopfamily IN (SELECT bo.amopfamily FROM pg_amop o JOIN pg_amop bo ON bo.amopopr = o.amopopr
                                  JOIN pg_am m ON m.oid = bo.amopmethod AND m.amname = 'btree'
                                 WHERE o.amopfamily = f.oid)
           AND b.amopopr NOT IN (SELECT o.amopopr FROM pg_amop o WHERE o.amopfamily = f.oid)) AS missing
  FROM pg_opfamily f JOIN pg_am a ON a.oid = f.opfmethod
 WHERE a.amname = 'learned' AND f.opfname <> 'oid8_ops' ORDER BY 1;
SELECT amvalidate(c.oid), c.opcname FROM pg_opclass c JOIN pg_am a ON a.oid = c.opcmethod
 WHERE a.amname = 'learned' AND c.opcname <> 'oid8_ops' ORDER BY 2;
DROP FUNCTION make_keys, force_scan, try_operators, in_order;
