-- Installing the extension changes no plan of a query that has nothing to do with it. From version 18 on the planner asks
-- every ordered access method which operators mean "equal" and "less than": an operator family of ours that lacked one of
-- btree's operators would split equivalence classes of any query; so ours calls none equal (src/am/plan/planner_doubles.cpp).
SELECT current_database() AS home \gset
SET client_min_messages = warning;
SET learned_index.enable_aggregates = off; -- rows are to be read: aggregates.sql counts them
DROP DATABASE IF EXISTS learned_unrelated;
RESET client_min_messages;
CREATE DATABASE learned_unrelated;
\c learned_unrelated
SET jit = off;
SELECT count(*) AS installed FROM pg_am WHERE amname = 'learned';
-- Nor do statistics change between one look at a plan and the next, also where autovacuum runs.
SET allow_system_table_mods = on;
SELECT format('ALTER TABLE pg_catalog.%I SET (autovacuum_enabled = off)', c) FROM unnest('{pg_class,pg_attribute,pg_type,pg_depend,pg_namespace}'::text[]) c \gexec
RESET allow_system_table_mods;

-- Tables of every type that the extension has operators for, each column with a btree index.
DO $$
DECLARE
  relation text;
  field text;
BEGIN
  FOREACH relation IN ARRAY '{a,b,c}'::text[] LOOP
    EXECUTE format('CREATE TABLE %I WITH (autovacuum_enabled = off) AS
      SELECT i AS id, i::int2 AS i2, i AS i4, i::int8 AS i8, i::float4 AS f4, i::float8 AS f8, i::oid AS o,
             ''2020-01-01''::date + i AS d, ''2020-01-01''::timestamp + i * interval ''1 day'' AS ts,
             ''2020-01-01''::timestamptz + i * interval ''1 day'' AS tz, ''00:00''::time + i * interval ''20 s'' AS t
        FROM generate_series(1, %s) i', relation, CASE relation WHEN 'a' THEN 400 WHEN 'b' THEN 2000 ELSE 4000 END);
    FOREACH field IN ARRAY '{i2,i4,i8,f4,f8,o,d,ts,tz,t}'::text[] LOOP
      EXECUTE format('CREATE %s INDEX ON %I (%I)', CASE WHEN relation = 'b' THEN 'UNIQUE' END, relation, field);
    END LOOP;
  END LOOP;
END $$;
VACUUM ANALYZE a;
VACUUM ANALYZE b;
VACUUM ANALYZE c;

-- Every pair, and every triple of integers and of times, within a family; $x, $y, $z are columns of a, b, c.
CREATE TABLE queries (n serial, query text);
WITH families (fields) AS (VALUES ('{i2,i4,i8}'::text[]), ('{f4,f8}'), ('{d,ts,tz}'), ('{o}'), ('{t}')),
     shapes (shape) AS (VALUES
       ('SELECT * FROM a JOIN b ON a.$x = b.$y'),
       ('SELECT * FROM a JOIN b ON a.$x = b.$y ORDER BY a.$x'),
       ('SELECT * FROM a JOIN b ON a.$x = b.$y ORDER BY b.$y DESC LIMIT 5'),
       ('SELECT * FROM a LEFT JOIN b ON a.$x = b.$y WHERE a.id < 9'),
       ('SELECT a.* FROM a LEFT JOIN b ON a.$x = b.$y'),
       ('SELECT * FROM a FULL JOIN b ON a.$x = b.$y'),
       ('SELECT * FROM a WHERE a.$x IN (SELECT b.$y FROM b)'),
       ('SELECT * FROM a WHERE NOT EXISTS (SELECT FROM b WHERE b.$y = a.$x)'),
       ('SELECT * FROM a JOIN b ON a.$x = b.$y WHERE a.$x = (SELECT min($y) FROM c)'),
       ('SELECT * FROM a JOIN b ON a.$x < b.$y AND a.id = 3 ORDER BY b.$y LIMIT 3'),
       ('SELECT max(a.$x), min(b.$y) FROM a, b WHERE a.$x = b.$y'),
       ('SELECT a.$x, count(*) FROM a JOIN b ON a.$x = b.$y GROUP BY a.$x ORDER BY 1'),
       ('SELECT DISTINCT b.$y FROM a JOIN b ON a.$x = b.$y'),
       ('SELECT $x FROM a UNION SELECT $x FROM c ORDER BY 1'),
       ('SELECT *, rank() OVER (ORDER BY b.$y) FROM a JOIN b ON a.$x = b.$y'),
       ('SELECT * FROM a JOIN b ON a.$x = b.$y JOIN c ON b.$y = c.$z'),
       ('SELECT * FROM a JOIN b ON a.$x = b.$y JOIN c ON b.$y = c.$z ORDER BY a.$x'),
       ('SELECT * FROM a, b, c WHERE a.$x = b.$y AND b.$y = c.$z AND c.$z < (SELECT max($x) FROM a)'),
       ('SELECT * FROM a JOIN (b JOIN c ON b.$y = c.$z) ON a.$x = c.$z WHERE a.id BETWEEN 5 AND 7 ORDER BY c.$z'))
INSERT INTO queries (query)
SELECT DISTINCT replace(replace(replace(shape, '$x', x), '$y', y), '$z', z)
  FROM families, shapes, unnest(fields) x, unnest(fields) y, unnest(fields) z
 ORDER BY 1;
INSERT INTO queries (query) VALUES
  ('SELECT * FROM a WHERE i2 = 5'), ('SELECT * FROM a WHERE i8 = 5 AND i4 < 9::int8'),
  ('SELECT * FROM c WHERE i4 IN (1, 2, 3) ORDER BY i4'), ('SELECT * FROM c WHERE d < now() ORDER BY d DESC LIMIT 1'),
  ('SELECT * FROM c WHERE i4 = 1 OR i4 = 7 OR i4 = 9'), ('SELECT * FROM c WHERE f8 BETWEEN 1 AND 7::float4'),
  ('SELECT c.relname, a.attname, t.typname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid ORDER BY c.oid, a.attnum'),
  ('SELECT * FROM pg_depend d JOIN pg_class c ON c.oid = d.objid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE d.refobjid = 1259');

-- Plans with their costs, under the planner's own choice and with merge joins alone. (No costs for catalogs: they grow.)
CREATE TABLE plans (moment text, n int, methods text, plan text);
-- Of every `stride` queries one.
CREATE FUNCTION note_plans(moment text, stride int DEFAULT 1) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  q record;
  method text;
  line text;
  plan text;
BEGIN
  FOREACH method IN ARRAY '{any,mergejoin}'::text[] LOOP
    PERFORM set_config('enable_' || m, (method IN (m, 'any'))::text, true) FROM unnest('{hashjoin,mergejoin,nestloop}'::text[]) m;
    FOR q IN SELECT * FROM queries WHERE queries.n % stride = 0 ORDER BY queries.n LOOP
      plan := '';
      FOR line IN EXECUTE CASE WHEN q.query ~ 'pg_' THEN 'EXPLAIN (COSTS OFF, VERBOSE) ' ELSE 'EXPLAIN (VERBOSE) ' END || q.query LOOP
        plan := plan || line || E'\n';
      END LOOP;
      INSERT INTO plans VALUES (moment, q.n, method, plan);
    END LOOP;
  END LOOP;
  RETURN count(*) FROM plans p WHERE p.moment = note_plans.moment;
END $$;
CREATE VIEW changes AS
  SELECT after.moment, q.query, after.methods, before.plan AS plan_before, after.plan AS plan_after
    FROM plans after JOIN plans before ON before.n = after.n AND before.methods = after.methods AND before.moment = 'before'
    JOIN queries q ON q.n = after.n
   WHERE after.plan <> before.plan;

SELECT note_plans('before') > 900 AS plans_noted;
SELECT note_plans('again', 5) > 180 AS plans_noted;
SELECT count(*) AS differing_without_any_change FROM changes WHERE moment = 'again';
-- They are worth looking at: all join methods, and merges across types.
SELECT bool_or(plan ~ 'Merge Join') AS merge, bool_or(plan ~ 'Hash Join') AS hash, bool_or(plan ~ 'Nested Loop') AS nested,
       bool_or(plan ~ 'Merge Join.*Merge Join' AND query ~ 'i2 = b.i4.*b.i4 = c.i8.*ORDER') AS one_class_across_types
  FROM plans JOIN queries USING (n) WHERE moment = 'before';

CREATE EXTENSION learned_index;
SELECT note_plans('after', 5) > 180 AS plans_noted;
\c learned_unrelated
SET jit = off;
SELECT note_plans('in a new session') > 900 AS plans_noted;
SELECT moment, count(*) AS changed FROM changes GROUP BY moment;
SELECT * FROM changes ORDER BY query, methods LIMIT 3;

-- Nor does an incomplete family: equality is not asked of ours.
ALTER OPERATOR FAMILY integer_ops USING learned DROP OPERATOR 3 (int4, int8);
SELECT note_plans('incomplete', 5) > 180 AS plans_noted;
SELECT count(*) AS changed FROM changes WHERE moment = 'incomplete';
-- What does change plans, and would be noticed: a second family that the planner asks, and that knows one of them only.
CREATE OPERATOR FAMILY few_ops USING btree;
ALTER OPERATOR FAMILY few_ops USING btree ADD OPERATOR 3 = (int4, int4);
SELECT note_plans('two families', 5) > 180 AS plans_noted;
SELECT count(*) > 0 AS noticed FROM changes WHERE moment = 'two families';

\c :home
DROP DATABASE learned_unrelated;
