-- An INSERT that brings many rows gathers their entries and inserts them together. Whoever reads the index meanwhile, in the same transaction, finds all that
-- there is to be found, and what was taken back leaves nothing.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS learned_index;
RESET client_min_messages;
SET max_parallel_workers_per_gather = 0;

-- Rows of a table by the index and by the table.
CREATE FUNCTION by_both(relation text, condition text DEFAULT 'true', OUT by_index bigint, OUT by_table bigint) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM set_config('enable_' || what, (what NOT IN ('seqscan', 'bitmapscan'))::text, true) FROM unnest('{seqscan,indexscan,indexonlyscan,bitmapscan}'::text[]) what;
  EXECUTE format('SELECT count(*) FROM %I WHERE k IS NOT NULL AND (%s)', relation, condition) INTO by_index;
  PERFORM set_config('enable_' || what, (what = 'seqscan')::text, true) FROM unnest('{seqscan,indexscan,indexonlyscan,bitmapscan}'::text[]) what;
  EXECUTE format('SELECT count(n) FROM %I WHERE k IS NOT NULL AND (%s)', relation, condition) INTO by_table;
  PERFORM set_config('enable_' || what, 'on', true) FROM unnest('{seqscan,indexscan,indexonlyscan,bitmapscan}'::text[]) what;
END $$;

-- Any order, with NULLs, and more than work_mem takes.
CREATE TABLE any_order (k int8, n int);
CREATE INDEX any_order_k ON any_order USING learned (k);
INSERT INTO any_order SELECT CASE WHEN i % 10 > 0 THEN hashint8(i) END, i FROM generate_series(1, 1000) i;
SET work_mem = '64kB';
INSERT INTO any_order SELECT CASE WHEN i % 10 > 0 THEN hashint8(i) END, i FROM generate_series(1001, 30000) i;
RESET work_mem;
INSERT INTO any_order SELECT i % 7, i FROM generate_series(30001, 35000) i;
SELECT * FROM by_both('any_order');
SELECT learned_index_check('any_order_k', heapallindexed => true);
SELECT count(*) FROM any_order WHERE k IS NULL;

-- In the middle of the statement: a volatile function that reads by the index finds the rows in front of its own.
CREATE TABLE middle (k int, n int);
CREATE INDEX middle_k ON middle USING learned (k);
CREATE FUNCTION seen(below int) RETURNS int LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RETURN (SELECT by_index FROM by_both('middle', format('k < %s', below)));
END $$;
INSERT INTO middle SELECT i, seen(1000) FROM generate_series(1, 20) i;
SELECT count(*), count(*) FILTER (WHERE n = k - 1) AS right FROM middle;
-- The same by a function that is no query, and one of the index's own.
CREATE FUNCTION sound() RETURNS int LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  checked regtype;
BEGIN
  checked := pg_typeof(learned_index_check('middle_k', heapallindexed => true));
  RETURN (SELECT entries FROM learned_index_stats('middle_k'));
END $$;
INSERT INTO middle SELECT i, sound() FROM generate_series(21, 40) i;
SELECT count(*) FILTER (WHERE n = k - 1) AS right FROM middle WHERE k > 20;

-- Triggers: before each row, after each row, after the statement.
CREATE TABLE triggers (k int, n int);
CREATE INDEX triggers_k ON triggers USING learned (k);
CREATE TABLE noted (what text, by_index bigint, by_table bigint);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO noted SELECT TG_WHEN || ' ' || TG_LEVEL, b.* FROM by_both('triggers') b;
  RETURN NEW;
END $$;
CREATE TRIGGER a BEFORE INSERT ON triggers FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER b AFTER INSERT ON triggers FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER c AFTER INSERT ON triggers FOR EACH STATEMENT EXECUTE FUNCTION note();
INSERT INTO triggers SELECT 10 - i, i FROM generate_series(1, 5) i;
SELECT what, count(*), min(by_index), max(by_index), bool_and(by_index = by_table) AS equal FROM noted GROUP BY what ORDER BY what;

-- One of its own within: rows of a function's INSERT, and of one that was taken back.
CREATE TABLE inner_rows (k int, n int);
CREATE INDEX inner_rows_k ON inner_rows USING learned (k);
CREATE FUNCTION within(i int) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
  BEGIN
    INSERT INTO inner_rows SELECT i * 100 + j, 1 / (3 - i % 4) FROM generate_series(1, 10) j;
    INSERT INTO middle SELECT i * 1000 + j, 1 / (3 - i % 4) FROM generate_series(1, 10) j;
  EXCEPTION WHEN division_by_zero THEN
    INSERT INTO inner_rows SELECT -i * 100 - j, j FROM generate_series(1, 5) j;
  END;
  RETURN i;
END $$;
INSERT INTO middle SELECT 100000 + i, within(i) FROM generate_series(1, 12) i;
SELECT * FROM by_both('middle');
SELECT * FROM by_both('inner_rows');
SELECT learned_index_check('middle_k', heapallindexed => true), learned_index_check('inner_rows_k', heapallindexed => true);
-- Taken back in the middle; others' rows come in its place.
INSERT INTO middle SELECT 200000 + i, 1 / (500 - i) FROM generate_series(1, 1000) i;
BEGIN;
SAVEPOINT s;
INSERT INTO middle SELECT 300000 + i, i FROM generate_series(1, 1000) i;
ROLLBACK TO s;
INSERT INTO middle SELECT 400000 + i, i FROM generate_series(1, 1000) i;
COMMIT;
VACUUM middle;
INSERT INTO middle SELECT 500000 + i, i FROM generate_series(1, 3000) i;
SELECT * FROM by_both('middle');
SELECT * FROM by_both('middle', 'k > 200000 AND k < 400000');
SELECT learned_index_check('middle_k', heapallindexed => true);

-- Rows that come while a query runs, by a COPY of a function or a WITH whose rows nobody asks for, have their own time: the function may do with their
-- table what it likes.
CREATE TABLE put_in (k int, n int);
CREATE INDEX put_in_k ON put_in USING learned (k);
CREATE FUNCTION put_and_leave(i int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  ignored int;
BEGIN
  COPY put_in (k) FROM PROGRAM 'echo 1';
  TRUNCATE put_in;
  WITH new AS (INSERT INTO put_in SELECT j, i FROM generate_series(1, 5) j) SELECT 1 INTO ignored;
  IF i = 2 THEN
    DROP INDEX put_in_k;
    CREATE INDEX put_in_k ON put_in USING learned (k);
  ELSIF i = 3 THEN
    ALTER TABLE put_in ALTER k TYPE int8;
  END IF;
  RETURN (SELECT by_index - by_table FROM by_both('put_in'));
END $$;
INSERT INTO middle SELECT 600000 + i, put_and_leave(i) FROM generate_series(1, 4) i;
SELECT n, count(*) FROM middle WHERE k > 600000 GROUP BY n;
SELECT * FROM by_both('put_in');
SELECT * FROM by_both('middle');

-- What RETURNING gives is asked for row by row.
WITH new AS (INSERT INTO inner_rows SELECT 5000 + i, i FROM generate_series(1, 10) i RETURNING k, (SELECT count(*) FROM inner_rows WHERE k >= 5000) AS before)
SELECT count(*), max(before) FROM new;
SELECT * FROM by_both('inner_rows');

-- A conflict takes back rows that were inserted.
CREATE TABLE conflicts (k int, n int PRIMARY KEY);
CREATE INDEX conflicts_k ON conflicts USING learned (k);
INSERT INTO conflicts SELECT i, i % 50 FROM generate_series(1, 200) i ON CONFLICT DO NOTHING;
INSERT INTO conflicts SELECT i, i % 70 FROM generate_series(1, 70) i ON CONFLICT (n) DO UPDATE SET k = conflicts.k + 1000;
SELECT * FROM by_both('conflicts');
-- An exclusion constraint sees rows of its own statement.
CREATE TABLE excluded (k int, n int, EXCLUDE USING learned (k WITH =));
INSERT INTO excluded SELECT i % 20, i FROM generate_series(1, 100) i;
INSERT INTO excluded SELECT i, i FROM generate_series(1, 100) i;
SELECT * FROM by_both('excluded');
-- Foreign keys: to rows of the same statement, and a referenced row that goes.
CREATE TABLE chain (k int, n int PRIMARY KEY, parent int REFERENCES chain ON DELETE CASCADE);
CREATE INDEX chain_k ON chain USING learned (k);
CREATE INDEX chain_parent ON chain USING learned (parent);
INSERT INTO chain SELECT i, i, nullif(i - 1, 0) FROM generate_series(100, 1, -1) i;
DELETE FROM chain WHERE n = 51;
SELECT * FROM by_both('chain');

-- Many partitions, in turns: more lists than are kept.
CREATE TABLE parted (k int, n int, u uuid) PARTITION BY HASH (n);
SELECT format('CREATE TABLE parted_%1$s PARTITION OF parted FOR VALUES WITH (MODULUS 12, REMAINDER %1$s)', i) FROM generate_series(0, 11) i \gexec
CREATE INDEX ON parted USING learned (k);
CREATE INDEX ON parted USING learned (u, k DESC) INCLUDE (n);
INSERT INTO parted SELECT nullif(i % 1000, 7), i, md5(i::text)::uuid FROM generate_series(1, 12000) i;
SELECT * FROM by_both('parted');
SELECT count(learned_index_check(indexrelid, heapallindexed => true)) FROM pg_index WHERE indrelid::regclass::text LIKE 'parted\__%';

-- A serial key with a serial TID is counted, many at a time.
CREATE FUNCTION pg_temp.records_of(query text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE 'EXPLAIN (ANALYZE, WAL, FORMAT JSON) ' || query INTO plan;
  RETURN plan->0->'Plan'->>'WAL Records';
END $$;
CREATE TABLE counted (k int, n int);
CREATE INDEX counted_k ON counted USING learned (k);
INSERT INTO counted SELECT i, i FROM generate_series(1, 2000) i;
-- Its time and its WAL are those of the statement: beside 10,000 records of the table, one for 64 entries.
SELECT n BETWEEN 10000 AND 10500 AS few_records FROM pg_temp.records_of('INSERT INTO counted SELECT i, i FROM generate_series(2001, 12000) i') n;
SELECT * FROM by_both('counted');
SELECT leaf_pages, delta_entries FROM learned_index_stats('counted_k');
SELECT learned_index_check('counted_k', heapallindexed => true);

-- Tables of one session, and unlogged ones.
CREATE TEMP TABLE mine (k int, n int);
CREATE INDEX mine_k ON mine USING learned (k);
INSERT INTO mine SELECT hashint4(i), i FROM generate_series(1, 5000) i;
SELECT * FROM by_both('mine');
CREATE UNLOGGED TABLE unlogged (k int, n int);
CREATE INDEX unlogged_k ON unlogged USING learned (k);
INSERT INTO unlogged SELECT hashint4(i), i FROM generate_series(1, 5000) i;
SELECT * FROM by_both('unlogged');
SELECT learned_index_check('mine_k', heapallindexed => true), learned_index_check('unlogged_k', heapallindexed => true);

-- A COPY does as an INSERT of many rows: by lists of its own, and like it in any order, with NULLs, and more than work_mem takes.
CREATE TABLE copied (k int8, n int);
CREATE INDEX copied_k ON copied USING learned (k);
COPY copied FROM PROGRAM $$awk 'BEGIN { for (i = 1; i <= 1000; i++) print (i % 10 > 0 ? i * 7919 % 30011 : "\\N") "\t" i }'$$;
SET work_mem = '64kB';
COPY copied FROM PROGRAM $$awk 'BEGIN { for (i = 1001; i <= 30000; i++) print (i % 10 > 0 ? i * 7919 % 30011 : "\\N") "\t" i }'$$;
RESET work_mem;
COPY copied FROM PROGRAM $$awk 'BEGIN { for (i = 30001; i <= 35000; i++) print i % 7 "\t" i }'$$ WHERE n % 2 = 0;
SELECT * FROM by_both('copied');
SELECT count(*) FROM copied WHERE k IS NULL;
SELECT learned_index_check('copied_k', heapallindexed => true);
-- Beside a record for each page of the table, one for each leaf, or for 64 entries of a run.
CREATE FUNCTION copy_in(rows text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('COPY copied FROM PROGRAM %L', format($awk$awk 'BEGIN { for (i = 1; i <= 10000; i++) print %s "\t" i }'$awk$, rows));
END $$;
SELECT n BETWEEN 100 AND 1500 AS few_records FROM pg_temp.records_of($$SELECT copy_in('40000 + i')$$) n;
SELECT n BETWEEN 100 AND 1500 AS few_records FROM pg_temp.records_of($$SELECT copy_in('50000 + i * 7919 % 10007')$$) n;
SELECT * FROM by_both('copied');
-- In its middle: a condition and triggers that read by the index.
CREATE FUNCTION same(relation text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RETURN (SELECT by_index = by_table FROM by_both(relation));
END $$;
TRUNCATE copied, triggers, noted;
COPY copied FROM PROGRAM 'for i in 5 4 3 2 1; do echo "$i	$i"; done' WHERE same('copied');
SELECT count(*) FROM copied;
COPY triggers FROM PROGRAM 'for i in 5 4 3 2 1; do echo "$i	$i"; done';
SELECT what, count(*), min(by_index), max(by_index), bool_and(by_index = by_table) AS equal FROM noted GROUP BY what ORDER BY what;
-- (Without a trigger BEFORE, rows come to the table, too, many at a time.)
DROP TRIGGER a ON triggers;
TRUNCATE noted;
COPY triggers FROM PROGRAM 'for i in 10 9 8 7 6; do echo "$i	$i"; done';
SELECT what, count(*), min(by_index), max(by_index), bool_and(by_index = by_table) AS equal FROM noted GROUP BY what ORDER BY what;
-- One within another, and within that an INSERT, and a COPY that is taken back.
CREATE FUNCTION copy_within() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  BEGIN
    COPY copied FROM PROGRAM 'for i in 30 20 10; do echo "$i	$i"; done';
    IF NEW.k % 2 = 0 THEN
      COPY middle FROM PROGRAM 'for i in 700001 700002 nothing; do echo "$i	$i"; done';
    END IF;
  EXCEPTION WHEN invalid_text_representation THEN
    INSERT INTO copied SELECT -i, i FROM generate_series(1, 10) i;
  END;
  RETURN NEW;
END $$;
CREATE TRIGGER within BEFORE INSERT ON triggers FOR EACH ROW EXECUTE FUNCTION copy_within();
COPY triggers FROM PROGRAM 'for i in 14 13 12 11; do echo "$i	$i"; done';
SELECT * FROM by_both('copied');
SELECT * FROM by_both('middle');
SELECT * FROM by_both('triggers');
SELECT learned_index_check(i, heapallindexed => true) FROM unnest('{copied_k,middle_k,triggers_k}'::regclass[]) i;
-- Taken back by its last row; others' rows come in its place.
COPY copied FROM PROGRAM 'seq -f "%.0f	1" 100000 101000; echo nothing';
BEGIN;
SAVEPOINT s;
COPY copied FROM PROGRAM 'seq -f "%.0f	1" 200000 201000';
ROLLBACK TO s;
COPY copied FROM PROGRAM 'seq -f "%.0f	1" 300000 301000';
COMMIT;
VACUUM copied;
COPY copied FROM PROGRAM 'seq -f "%.0f	1" 400000 403000';
SELECT * FROM by_both('copied');
SELECT * FROM by_both('copied', 'k >= 100000 AND k < 300000');
SELECT learned_index_check('copied_k', heapallindexed => true);
-- FREEZE says all-visible of the table's pages before their entries are in: only this session can look.
BEGIN;
TRUNCATE copied;
COPY copied FROM PROGRAM 'seq -f "%.0f	1" 1 3000' (FREEZE);
SELECT count(*) FROM copied WHERE k > 1000;
SELECT * FROM by_both('copied');
COPY copied FROM PROGRAM 'seq -f "%.0f	1" 3001 4000' (FREEZE);
SET LOCAL enable_seqscan = off;
SELECT k FROM copied WHERE k > 0 ORDER BY k DESC LIMIT 2;
COMMIT;
SELECT count(*) FROM copied WHERE k > 1000;
SELECT * FROM by_both('copied');
SELECT learned_index_check('copied_k', heapallindexed => true);
-- Of many partitions; of a session's own and an unlogged table.
COPY parted (k, n) FROM PROGRAM $$awk 'BEGIN { for (i = 1; i <= 12000; i++) print (i % 1000 == 7 ? "\\N" : i % 1000) "\t" i }'$$;
SELECT * FROM by_both('parted');
SELECT count(learned_index_check(indexrelid, heapallindexed => true)) FROM pg_index WHERE indrelid::regclass::text LIKE 'parted\__%';
COPY mine FROM PROGRAM $$awk 'BEGIN { for (i = 1; i <= 5000; i++) print i * 7919 % 5003 "\t" i }'$$;
SELECT * FROM by_both('mine');
COPY unlogged FROM PROGRAM $$awk 'BEGIN { for (i = 1; i <= 5000; i++) print i * 7919 % 5003 "\t" i }'$$;
SELECT * FROM by_both('unlogged');
SELECT learned_index_check('mine_k', heapallindexed => true), learned_index_check('unlogged_k', heapallindexed => true);

DROP TABLE any_order, middle, triggers, noted, inner_rows, put_in, conflicts, excluded, chain, parted, counted, copied, mine, unlogged;
DROP FUNCTION by_both, seen, sound, note, within, put_and_leave, copy_in, same, copy_within;
