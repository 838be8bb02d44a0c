--
-- Types that the index does not know, kept as values of one that it does: support function 7
--
SET client_min_messages = warning;
SET learned_index.enable_aggregates = off; -- rows are to be read: aggregates.sql counts them
CREATE EXTENSION IF NOT EXISTS learned_index;
CREATE SCHEMA own_types;
SET search_path = own_types, public;

-- Nanoseconds since 1970, as eight bytes by value; a name of sixteen bytes, by reference; a number of four. Their functions are
-- those of the types that they are like.
CREATE FUNCTION make_type(name text, twin regtype, input text, output text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  f record;
BEGIN
  EXECUTE format('CREATE TYPE %I', name);
  EXECUTE format('CREATE FUNCTION %I(cstring) RETURNS %I LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS %L', name || '_in', name, input);
  EXECUTE format('CREATE FUNCTION %I(%I) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS %L', name || '_out', name, output);
  EXECUTE format('CREATE TYPE %1$I (INPUT = %1$I_in, OUTPUT = %1$I_out, LIKE = %2$s)', name, twin);
  EXECUTE format('CREATE CAST (%I AS %s) WITHOUT FUNCTION', name, twin);
  EXECUTE format('CREATE CAST (%s AS %I) WITHOUT FUNCTION', twin, name);
  FOR f IN SELECT p.proname, p.prosrc, o.oprname, o.oprcom, o.oprrest, o.oprjoin FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode
            WHERE o.oprleft = twin AND o.oprright = twin AND o.oprname IN ('<', '<=', '=', '>=', '>') LOOP
    EXECUTE format('CREATE FUNCTION %2$I(%1$I, %1$I) RETURNS bool LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS %3$L',
                   name, name || '_' || f.proname, f.prosrc);
    EXECUTE format('CREATE OPERATOR %1$s (LEFTARG = %2$I, RIGHTARG = %2$I, FUNCTION = %3$I, COMMUTATOR = %4$s, RESTRICT = %5$s, JOIN = %6$s%7$s)',
                   f.oprname, name, name || '_' || f.proname, translate(f.oprname, '<>', '><'), f.oprrest, f.oprjoin,
                   CASE f.oprname WHEN '=' THEN ', MERGES' ELSE '' END);
  END LOOP;
  EXECUTE format('CREATE FUNCTION %2$I(%1$I, %1$I) RETURNS int4 LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS %3$L', name, name || '_cmp',
                 (SELECT prosrc FROM pg_amproc JOIN pg_opfamily o ON o.oid = amprocfamily JOIN pg_am a ON a.oid = o.opfmethod AND a.amname = 'btree'
                   JOIN pg_proc p ON p.oid = amproc WHERE amproclefttype = twin AND amprocrighttype = twin AND amprocnum = 1 LIMIT 1));
  EXECUTE format('CREATE OPERATOR CLASS %1$I DEFAULT FOR TYPE %2$I USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 %3$I(%2$I, %2$I)',
                 name || '_ops', name, name || '_cmp');
END $$;
SELECT make_type('nano', 'int8', 'int8in', 'int8out');
SELECT make_type('label', 'uuid', 'uuid_in', 'uuid_out');
SELECT make_type('small', 'int4', 'int4in', 'int4out');
RESET client_min_messages;

-- An operator class that follows btree's, and functions; `body`: what else it has.
CREATE FUNCTION make_class(class text, type text, body text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE OPERATOR CLASS %1$I FOR TYPE %2$I USING learned AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 %3$I(%2$I, %2$I)%4$s',
                 class, type, type || '_cmp', CASE body WHEN '' THEN '' ELSE ', ' || body END);
END $$;

-- Without functions: as ever.
SELECT make_class('bare_ops', 'nano', '');
CREATE FUNCTION nano_to(nano) RETURNS int8 LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'int8up';
CREATE FUNCTION nano_from(int8) RETURNS nano LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE AS 'int8up';
-- Half of them, or what cannot be one.
SELECT make_class('half_ops', 'nano', 'FUNCTION 7 (nano, int8) nano_to(nano)');
SELECT make_class('half_ops', 'nano', 'FUNCTION 7 (int8, nano) nano_from(int8)');
CREATE FUNCTION nano_stable(nano) RETURNS int8 LANGUAGE sql STABLE STRICT RETURN $1::int8;
CREATE FUNCTION nano_lax(nano) RETURNS int8 LANGUAGE sql IMMUTABLE RETURN $1::int8;
CREATE FUNCTION nano_text(nano) RETURNS text LANGUAGE sql IMMUTABLE STRICT RETURN $1::text;
CREATE FUNCTION nano_float(nano) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT RETURN $1::int8::float8;
CREATE FUNCTION nano_money(nano) RETURNS money LANGUAGE sql IMMUTABLE STRICT RETURN $1::int8::money;
CREATE FUNCTION text_to(text) RETURNS int8 LANGUAGE sql IMMUTABLE STRICT RETURN length($1)::int8;
SELECT make_class('wrong_ops', 'nano', 'FUNCTION 7 (nano, int8) nano_stable(nano), FUNCTION 7 (int8, nano) nano_from(int8)');
SELECT make_class('wrong_ops', 'nano', 'FUNCTION 7 (nano, int8) nano_lax(nano), FUNCTION 7 (int8, nano) nano_from(int8)');
SELECT make_class('wrong_ops', 'nano', 'FUNCTION 7 (nano, text) nano_text(nano), FUNCTION 7 (int8, nano) nano_from(int8)');
SELECT make_class('wrong_ops', 'nano', 'FUNCTION 7 (nano, float8) nano_float(nano), FUNCTION 7 (int8, nano) nano_from(int8)');
SELECT make_class('wrong_ops', 'nano', 'FUNCTION 7 (nano, int4) nano_to(nano), FUNCTION 7 (int8, nano) nano_from(int8)');
SELECT make_class('wrong_ops', 'nano', 'FUNCTION 5 (nano, nano) nano_cmp(nano, nano), FUNCTION 7 (nano, int8) nano_to(nano), FUNCTION 7 (int8, nano) nano_from(int8)');
-- Two ways to keep one type.
SELECT make_class('wrong_ops', 'nano', 'FUNCTION 7 (nano, int8) nano_to(nano), FUNCTION 7 (int8, nano) nano_from(int8), FUNCTION 7 (nano, money) nano_money(nano)');
-- Types that are too long, have no order, or only a kind of types.
CREATE FUNCTION box_to(box) RETURNS int8 LANGUAGE sql IMMUTABLE STRICT RETURN 1::int8;
CREATE FUNCTION point_to(point) RETURNS int8 LANGUAGE sql IMMUTABLE STRICT RETURN 1::int8;
CREATE FUNCTION any_to(anyenum) RETURNS int8 LANGUAGE sql IMMUTABLE STRICT AS 'SELECT 1::int8';
CREATE OPERATOR FAMILY stray_ops USING learned;
ALTER OPERATOR FAMILY stray_ops USING learned ADD FUNCTION 7 (box, int8) box_to(box);
ALTER OPERATOR FAMILY stray_ops USING learned ADD FUNCTION 7 (point, int8) point_to(point);
ALTER OPERATOR FAMILY stray_ops USING learned ADD FUNCTION 7 (anyenum, int8) any_to(anyenum);
CREATE OPERATOR CLASS wrong_ops FOR TYPE point USING learned AS FUNCTION 7 (point, int8) point_to(point);
ALTER OPERATOR FAMILY stray_ops USING learned ADD FUNCTION 7 (text, int8) text_to(text);
ALTER OPERATOR FAMILY stray_ops USING learned ADD FUNCTION 7 (int8, int4) int4(int8);
DROP OPERATOR FAMILY stray_ops USING learned;

-- Right ones: in C, in SQL; by value and by reference.
SELECT make_class('nano_ops', 'nano', 'FUNCTION 7 (nano, int8) nano_to(nano), FUNCTION 7 (int8, nano) nano_from(int8), OPERATOR 6 |>= (anyelement, record), OPERATOR 7 |<= (anyelement, record)');
CREATE FUNCTION label_to(label) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN $1::uuid;
CREATE FUNCTION label_from(uuid) RETURNS label LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN $1::label;
SELECT make_class('label_ops', 'label', 'FUNCTION 7 (label, uuid) label_to(label), FUNCTION 7 (uuid, label) label_from(uuid)');
CREATE FUNCTION small_to(small) RETURNS timestamptz LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN timestamptz '2000-01-01 00:00+00' + $1::int4 * interval '1 second';
CREATE FUNCTION small_from(timestamptz) RETURNS small LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN extract(epoch FROM $1 - timestamptz '2000-01-01 00:00+00')::int4::small;
SELECT make_class('small_ops', 'small', 'FUNCTION 7 (small, timestamptz) small_to(small), FUNCTION 7 (timestamptz, small) small_from(timestamptz)');
SELECT opcname, amvalidate(oid) FROM pg_opclass WHERE opcmethod = (SELECT oid FROM pg_am WHERE amname = 'learned')
   AND opcnamespace = 'own_types'::regnamespace ORDER BY opcname;
-- Nor a second one later.
ALTER OPERATOR FAMILY nano_ops USING learned ADD FUNCTION 7 (nano, money) nano_money(nano);
-- The functions belong to the class.
ALTER OPERATOR FAMILY nano_ops USING learned DROP FUNCTION 7 (nano, int8);
DROP FUNCTION nano_to(nano);

CREATE TABLE held (id int, n nano, l label, s small, k int4) WITH (autovacuum_enabled = off);
INSERT INTO held SELECT i, nullif(i % 97, 5)::int8::nano, md5((i % 5000)::text)::uuid::label, (hashint4(i) / 3)::small, i % 50 FROM generate_series(1, 6000) i;
INSERT INTO held SELECT i, (hashint4(i)::int8 * 1000000007)::nano, NULL, (-i)::small, NULL FROM generate_series(6001, 9000) i;
CREATE TABLE twin (LIKE held);
INSERT INTO twin TABLE held;
CREATE INDEX held_n ON held USING learned (n nano_ops);
CREATE INDEX held_l ON held USING learned (l label_ops DESC);
CREATE INDEX held_s ON held USING learned (s small_ops NULLS FIRST);
CREATE INDEX held_kn ON held USING learned (k, n nano_ops DESC) INCLUDE (id);
CREATE INDEX held_nk ON held USING learned (n nano_ops, k);
CREATE INDEX ON twin (n, k);
CREATE INDEX ON twin (n);
CREATE INDEX ON twin (l DESC);
CREATE INDEX ON twin (s NULLS FIRST);
CREATE INDEX ON twin (k, n DESC) INCLUDE (id);
-- Two words each, like a uuid; not as included columns, without a class.
CREATE INDEX held_three ON held USING learned (n nano_ops, k, l label_ops);
\set VERBOSITY sqlstate
CREATE INDEX held_included ON held USING learned (k) INCLUDE (n);
\set VERBOSITY default
CREATE INDEX held_default ON held USING learned (n);

CREATE TABLE question (q text);
INSERT INTO question VALUES
  ('SELECT array_agg(n ORDER BY i) FROM (SELECT n, row_number() OVER () i FROM (SELECT n FROM %I ORDER BY n) a) b'),
  ('SELECT array_agg(n ORDER BY i) FROM (SELECT n, row_number() OVER () i FROM (SELECT n FROM %I ORDER BY n DESC) a) b'),
  ('SELECT array_agg(l ORDER BY i) FROM (SELECT l, row_number() OVER () i FROM (SELECT l FROM %I ORDER BY l DESC) a) b'),
  ('SELECT array_agg(s ORDER BY i) FROM (SELECT s, row_number() OVER () i FROM (SELECT s FROM %I ORDER BY s NULLS FIRST) a) b'),
  ('SELECT array_agg(id ORDER BY id) FROM %I WHERE n = ''33'''),
  ('SELECT array_agg(id ORDER BY id) FROM %I WHERE n = ANY (''{1, 90, -7, 33, NULL}'')'),
  ('SELECT array_agg(id ORDER BY id) FROM %I WHERE n IS NULL'),
  ('SELECT array_agg(id ORDER BY id) FROM %I WHERE n < ''3'' AND n > ''-900000000000000000'''),
  ('SELECT array_agg(id ORDER BY id) FROM %I WHERE l >= ''f0000000-0000-0000-0000-000000000000'''),
  ('SELECT array_agg(id ORDER BY id) FROM %I WHERE l = ''c4ca4238-a0b9-2382-0dcc-509a6f75849b'''),
  ('SELECT array_agg(id ORDER BY id) FROM %I WHERE s BETWEEN ''-2000'' AND ''40000000'''),
  ('SELECT array_agg(id ORDER BY id) FROM %I WHERE k = 7 AND n >= ''50'''),
  ('SELECT array_agg(id ORDER BY id) FROM %I WHERE k IN (3, 9) AND n = ''44'''),
  ('SELECT array_agg((k, n, id)::text ORDER BY i) FROM (SELECT k, n, id, row_number() OVER () i FROM (SELECT k, n, id FROM %I WHERE (k, n) = (k, n) AND k < 10 ORDER BY k, n DESC, id) a) b'),
  ('SELECT ARRAY[(SELECT n FROM %1$I WHERE n IS NOT NULL ORDER BY n LIMIT 1), (SELECT n FROM %1$I WHERE n IS NOT NULL ORDER BY n DESC LIMIT 1)]'),
  ('SELECT array_agg(id ORDER BY id) FROM %I WHERE (n, k) > (''33'', 7) AND n < ''40'''),
  ('SELECT array_agg(n) FROM (SELECT DISTINCT n FROM %I WHERE k > 45 ORDER BY n) a');
CREATE FUNCTION ask(relation text, indexed bool) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  r record;
  answer text;
BEGIN
  PERFORM set_config('enable_seqscan', (NOT indexed)::text, true);
  FOR r IN SELECT q FROM question LOOP
    EXECUTE format(r.q, relation) INTO answer;
    RETURN NEXT md5(answer);
  END LOOP;
END $$;
CREATE PROCEDURE compare() LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT array_agg(a) FROM ask('held', true) a) IS DISTINCT FROM (SELECT array_agg(a) FROM ask('twin', true) a) THEN
    RAISE EXCEPTION 'the answers differ from a btree''s: %', (SELECT array_agg(i) FROM (SELECT row_number() OVER () i, h, t FROM ROWS FROM (ask('held', true), ask('twin', true)) AS x (h, t)) y WHERE h IS DISTINCT FROM t);
  END IF;
  PERFORM learned_index_check(oid, true), learned_index_check(oid, true, true) FROM pg_class WHERE relname ~ '^held_' AND relkind = 'i';
END $$;
CALL compare();
ANALYZE held;
ANALYZE twin;
CALL compare();
SET enable_bitmapscan = off;
CALL compare();
SET enable_indexscan = off;
SET enable_bitmapscan = on;
CALL compare();
RESET enable_indexscan;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT l FROM held WHERE l > 'f0000000-0000-0000-0000-000000000000' ORDER BY l DESC;
EXPLAIN (COSTS OFF) SELECT k, n, id FROM held WHERE k = 3 AND n = '44';
EXPLAIN (COSTS OFF) SELECT n, k FROM held WHERE (n, k) > ('33', 7) ORDER BY n, k LIMIT 5;
RESET enable_seqscan;
RESET enable_bitmapscan;
-- Written to.
CREATE FUNCTION change(statement text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format(statement, 'held');
  EXECUTE format(statement, 'twin');
END $$;
SELECT change('INSERT INTO %I SELECT i, (i * 13 %% 2000)::int8::nano, md5(i::text)::uuid::label, i::small, i %% 60 FROM generate_series(9001, 12000) i');
CALL compare();
SELECT change('DELETE FROM %I WHERE id %% 3 = 0');
SELECT change('UPDATE %I SET n = ((n::int8 + 1) %% 100000)::nano WHERE id %% 7 = 0 AND n < ''100000''');
CALL compare();
VACUUM (INDEX_CLEANUP ON) held, twin;
CALL compare();
REINDEX TABLE held;
CALL compare();
TRUNCATE held, twin;
SELECT change('INSERT INTO %I VALUES (1, ''9223372036854775807'', ''00000000-0000-0000-0000-000000000000'', ''2147483647'', 1), (2, ''-9223372036854775808'', ''ffffffff-ffff-ffff-ffff-ffffffffffff'', ''-2147483648'', 1), (3, NULL, NULL, NULL, NULL)');
CALL compare();
SELECT format_version, nulls FROM learned_index_stats('held_n');
-- Borders are shown as the type shows its values.
SELECT * FROM learned_index_histogram('held_n', 2);
SELECT * FROM learned_index_histogram('held_l', 1);
SELECT * FROM learned_index_histogram('held_kn', 2);
SELECT count(*) FROM learned_index_sample('held_nk', 10);
-- A constraint.
ALTER TABLE held ADD CONSTRAINT held_once EXCLUDE USING learned (n nano_ops WITH =);
INSERT INTO held VALUES (4, '9223372036854775807');
-- A domain over the type.
CREATE DOMAIN positive AS nano CHECK (VALUE > '0');
CREATE TABLE held_domain (d positive);
INSERT INTO held_domain SELECT i::int8::nano FROM generate_series(1, 300) i;
CREATE INDEX held_domain_d ON held_domain USING learned (d nano_ops);
SELECT * FROM learned_index_histogram('held_domain_d', 3);
SET enable_seqscan = off;
SELECT count(*) FROM held_domain WHERE d > '100'::positive;
SELECT d FROM held_domain WHERE d <= '100'::positive ORDER BY d DESC LIMIT 2;
RESET enable_seqscan;

-- Types of the server's own: six bytes by reference, and sixteen, of which not all are what comes back.
CREATE FUNCTION tid_to(tid) RETURNS int8 LANGUAGE sql IMMUTABLE STRICT RETURN (($1::text)::point)[0]::int8 * 65536 + (($1::text)::point)[1]::int8;
CREATE FUNCTION tid_from(int8) RETURNS tid LANGUAGE sql IMMUTABLE STRICT RETURN ('(' || $1 / 65536 || ',' || $1 % 65536 || ')')::tid;
CREATE OPERATOR CLASS tid_ops FOR TYPE tid USING learned AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
  FUNCTION 1 bttidcmp(tid, tid), FUNCTION 7 (tid, int8) tid_to(tid), FUNCTION 7 (int8, tid) tid_from(int8);
CREATE FUNCTION interval_to(interval) RETURNS int8 LANGUAGE sql IMMUTABLE STRICT RETURN extract(epoch FROM $1) * 1000000;
CREATE FUNCTION interval_from(int8) RETURNS interval LANGUAGE sql IMMUTABLE STRICT RETURN $1 * interval '1 microsecond';
CREATE OPERATOR CLASS interval_ops FOR TYPE interval USING learned AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
  FUNCTION 1 interval_cmp(interval, interval), FUNCTION 7 (interval, int8) interval_to(interval), FUNCTION 7 (int8, interval) interval_from(int8);
CREATE TABLE known (t tid, took interval);
INSERT INTO known SELECT format('(%s,%s)', i * 7919 % 4294967296, i % 300)::tid, i * interval '1 minute' FROM generate_series(1, 2000) i;
CREATE INDEX known_t ON known USING learned (t tid_ops, took interval_ops);
CREATE INDEX known_took ON known USING learned (took interval_ops);
SELECT learned_index_check(oid, true, true) FROM pg_class WHERE relname ~ '^known_t';
VACUUM known;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT t, took FROM known WHERE t > '(9000,7)' ORDER BY t LIMIT 2;
SELECT t, took FROM known WHERE t > '(9000,7)' ORDER BY t LIMIT 2;
SELECT t, took FROM known WHERE took = '500 minutes';
-- A day is equal to 24 hours: one of them cannot be kept.
SELECT count(*) FROM known WHERE took < '24:00';
SELECT count(*) FROM known WHERE took < '1 day';
INSERT INTO known VALUES ('(0,1)', '1 day');
SELECT count(*) FROM known WHERE took < '23:59:59';
RESET enable_seqscan;
SET enable_bitmapscan = off;
SET enable_indexscan = off;
SELECT count(*) FROM known WHERE took < '1 day';
RESET enable_bitmapscan;
RESET enable_indexscan;
-- Unique indexes, where there are any.
CREATE FUNCTION unique_refuses() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('server_version_num')::int >= 180000 THEN
    CREATE UNIQUE INDEX known_once ON known USING learned (t tid_ops, took interval_ops);
    INSERT INTO known VALUES ('(1,1)', '3 hours') ON CONFLICT (t, took) DO NOTHING;
    INSERT INTO known VALUES ('(1,1)', '3 hours') ON CONFLICT (t, took) DO NOTHING;
    ASSERT (SELECT count(*) FROM known WHERE t = '(1,1)') = 1;
    INSERT INTO known VALUES ('(1,1)', '3 hours');
  ELSE
    CREATE UNIQUE INDEX known_once ON known (t, took);
    INSERT INTO known VALUES ('(1,1)', '3 hours');
    INSERT INTO known VALUES ('(1,1)', '3 hours');
  END IF;
EXCEPTION WHEN unique_violation THEN
  RETURN SQLERRM;
END $$;
SELECT unique_refuses();
TRUNCATE known;

-- Functions that turn the order around, lose what values are, or make one of all; that fail, or give nothing.
CREATE TABLE wrong (n nano);
INSERT INTO wrong SELECT i::int8::nano FROM generate_series(1, 100) i;
CREATE FUNCTION nano_back(nano) RETURNS int8 LANGUAGE sql IMMUTABLE STRICT RETURN - $1::int8;
CREATE FUNCTION back_nano(int8) RETURNS nano LANGUAGE sql IMMUTABLE STRICT RETURN (- $1)::nano;
CREATE FUNCTION nano_coarse(nano) RETURNS int8 LANGUAGE sql IMMUTABLE STRICT RETURN $1::int8 / 10;
CREATE FUNCTION coarse_nano(int8) RETURNS nano LANGUAGE sql IMMUTABLE STRICT RETURN ($1 * 10)::nano;
CREATE FUNCTION nano_constant(nano) RETURNS int8 LANGUAGE sql IMMUTABLE STRICT RETURN 7::int8;
CREATE FUNCTION nano_mixed(nano) RETURNS int8 LANGUAGE sql IMMUTABLE STRICT RETURN $1::int8 # 1;
CREATE FUNCTION mixed_nano(int8) RETURNS nano LANGUAGE sql IMMUTABLE STRICT RETURN ($1 # 1)::nano;
CREATE FUNCTION nano_fails(nano) RETURNS int8 LANGUAGE sql IMMUTABLE STRICT RETURN $1::int8 / (90 - $1::int8) * 0 + $1::int8;
CREATE FUNCTION nano_nothing(nano) RETURNS int8 LANGUAGE sql IMMUTABLE STRICT RETURN nullif($1::int8, 77);
SELECT make_class('back_ops', 'nano', 'FUNCTION 7 (nano, int8) nano_back(nano), FUNCTION 7 (int8, nano) back_nano(int8)');
SELECT make_class('coarse_ops', 'nano', 'FUNCTION 7 (nano, int8) nano_coarse(nano), FUNCTION 7 (int8, nano) coarse_nano(int8)');
SELECT make_class('constant_ops', 'nano', 'FUNCTION 7 (nano, int8) nano_constant(nano), FUNCTION 7 (int8, nano) nano_from(int8)');
SELECT make_class('mixed_ops', 'nano', 'FUNCTION 7 (nano, int8) nano_mixed(nano), FUNCTION 7 (int8, nano) mixed_nano(int8)');
SELECT make_class('fails_ops', 'nano', 'FUNCTION 7 (nano, int8) nano_fails(nano), FUNCTION 7 (int8, nano) nano_from(int8)');
SELECT make_class('nothing_ops', 'nano', 'FUNCTION 7 (nano, int8) nano_nothing(nano), FUNCTION 7 (int8, nano) nano_from(int8)');
CREATE INDEX wrong_n ON wrong USING learned (n back_ops);
CREATE INDEX wrong_n ON wrong USING learned (n coarse_ops);
CREATE INDEX wrong_n ON wrong USING learned (n constant_ops);
CREATE INDEX wrong_n ON wrong USING learned (n mixed_ops);
CREATE INDEX wrong_n ON wrong USING learned (n nothing_ops);
\set VERBOSITY terse
CREATE INDEX wrong_n ON wrong USING learned (n fails_ops);
\set VERBOSITY default
-- In order as long as the table has even numbers only. What comes later is compared with others when the index is built anew.
TRUNCATE wrong;
INSERT INTO wrong SELECT (i * 2)::int8::nano FROM generate_series(1, 20000) i;
CREATE INDEX wrong_n ON wrong USING learned (n mixed_ops);
INSERT INTO wrong VALUES ('3');
REINDEX INDEX wrong_n;
DROP INDEX wrong_n;
-- Where neighbours are neither next to one another in the table nor among the first rows.
TRUNCATE wrong;
INSERT INTO wrong SELECT i::int8::nano FROM generate_series(1, 20000) i ORDER BY hashint8(i);
CREATE INDEX wrong_n ON wrong USING learned (n mixed_ops);
-- An empty table tells nothing, but two values of one statement do, be they stored or looked for.
TRUNCATE wrong;
CREATE INDEX wrong_n ON wrong USING learned (n back_ops);
INSERT INTO wrong VALUES ('1'), ('2');
INSERT INTO wrong VALUES ('1');
INSERT INTO wrong VALUES ('2');
SET enable_seqscan = off;
SELECT * FROM wrong WHERE n > '0' AND n < '3';
SELECT * FROM wrong WHERE n IN ('2', '1');
RESET enable_seqscan;
SELECT learned_index_check('wrong_n');
SELECT learned_index_check('wrong_n', false, true);
REINDEX INDEX wrong_n;
DROP INDEX wrong_n;
-- Functions that become others: no longer fit, or with another result. Planning and VACUUM do not need them.
TRUNCATE wrong;
INSERT INTO wrong SELECT i::int8::nano FROM generate_series(1, 100) i;
CREATE FUNCTION nano_shifted(nano) RETURNS int8 LANGUAGE sql IMMUTABLE STRICT RETURN $1::int8 + 1000;
CREATE FUNCTION shifted_nano(int8) RETURNS nano LANGUAGE sql IMMUTABLE STRICT RETURN ($1 - 1000)::nano;
SELECT make_class('shifted_ops', 'nano', 'FUNCTION 7 (nano, int8) nano_shifted(nano), FUNCTION 7 (int8, nano) shifted_nano(int8)');
CREATE INDEX wrong_n ON wrong USING learned (n shifted_ops);
SELECT learned_index_check('wrong_n', true);
ALTER FUNCTION nano_shifted(nano) VOLATILE;
SET enable_seqscan = off;
SELECT * FROM wrong WHERE n = '7';
INSERT INTO wrong VALUES ('101');
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT * FROM wrong WHERE n = '7';
RESET enable_bitmapscan;
VACUUM (INDEX_CLEANUP ON) wrong;
REINDEX INDEX wrong_n;
SELECT learned_index_check('wrong_n');
ALTER FUNCTION nano_shifted(nano) IMMUTABLE CALLED ON NULL INPUT;
SELECT * FROM wrong WHERE n = '7';
ALTER FUNCTION nano_shifted(nano) STRICT;
SELECT * FROM wrong WHERE n = '7';
CREATE OR REPLACE FUNCTION nano_shifted(nano) RETURNS int8 LANGUAGE sql IMMUTABLE STRICT RETURN $1::int8 + 2000;
SELECT * FROM wrong WHERE n = '7';
SELECT learned_index_check('wrong_n');
CREATE OR REPLACE FUNCTION shifted_nano(int8) RETURNS nano LANGUAGE sql IMMUTABLE STRICT RETURN ($1 - 2000)::nano;
SELECT learned_index_check('wrong_n', true);
REINDEX INDEX wrong_n;
SELECT learned_index_check('wrong_n', true);
SELECT * FROM wrong WHERE n = '7';
RESET enable_seqscan;
DROP INDEX wrong_n;
-- Values that come later, and those that are looked for.
TRUNCATE wrong;
CREATE INDEX wrong_n ON wrong USING learned (n coarse_ops);
INSERT INTO wrong VALUES ('20');
INSERT INTO wrong VALUES ('25');
SET enable_seqscan = off;
SELECT * FROM wrong WHERE n = '20';
SELECT * FROM wrong WHERE n = '25';
RESET enable_seqscan;
SELECT learned_index_check('wrong_n', true);
DROP INDEX wrong_n;
\set VERBOSITY terse
-- A function that fails in the middle of a statement leaves nothing behind.
CREATE INDEX wrong_n ON wrong USING learned (n fails_ops);
INSERT INTO wrong SELECT i::int8::nano FROM generate_series(100, 80, -1) i;
INSERT INTO wrong SELECT i::int8::nano FROM generate_series(100, 91, -1) i;
SET enable_seqscan = off;
SELECT count(*) FROM wrong WHERE n < '90';
SELECT count(*) FROM wrong WHERE n > '95';
RESET enable_seqscan;
SELECT learned_index_check('wrong_n', true, true);

SET client_min_messages = warning;
DROP SCHEMA own_types CASCADE;
