-- Tables and their indexes, the same to the last TID wherever this runs: what test/t/021_old_files.pl makes with today's
-- version, and test/data/make.sh made with old ones, to keep their index files. In an bare database with the extension.
SET client_min_messages = warning;
SET max_parallel_maintenance_workers = 0;

-- Loaded, then written to: runs of equal keys, keys without order and NULLs, times that jitter, floats that are equal but not the
-- same, rows in reverse order.
CREATE TABLE kept (id int4, device int4, code int4, ts timestamptz, temperature float8, pad text DEFAULT repeat('x', 20))
  WITH (autovacuum_enabled = off);
CREATE VIEW new_rows AS
SELECT i AS id, i / 40 AS device, CASE WHEN i % 7 = 0 THEN NULL ELSE hashint4(i) % 100000 END AS code,
       timestamptz '2024-01-01 00:00+00' + i * interval '1 minute' + hashint4(i) % 500 * interval '1 millisecond' AS ts,
       CASE i % 50 WHEN 0 THEN float8 '-0' WHEN 1 THEN 0 WHEN 2 THEN 'NaN' WHEN 3 THEN '-infinity' WHEN 4 THEN NULL
         ELSE hashint4(i) % 200 / 8.0 END AS temperature
  FROM generate_series(1, 10000) i;
CREATE INDEX kept_id ON kept USING learned (id);
INSERT INTO kept SELECT * FROM new_rows WHERE id <= 2400;
CREATE INDEX kept_device ON kept USING learned (device DESC);
CREATE INDEX kept_code ON kept USING learned (code NULLS FIRST) WITH (fillfactor = 50);
CREATE INDEX kept_ts ON kept USING learned (ts DESC NULLS LAST) WHERE id % 10 <> 0;
CREATE INDEX kept_temperature ON kept USING learned (temperature) WHERE id % 50 < 12;
INSERT INTO kept SELECT * FROM new_rows WHERE id > 2400 AND id <= 3000;
-- Entries removed.
DELETE FROM kept WHERE id % 4 = 0 AND id < 1500;
VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) kept;
INSERT INTO kept SELECT * FROM new_rows WHERE id > 3000 AND id <= 3040;
-- Rows dead, their entries marked by whoever meets them.
DELETE FROM kept WHERE device BETWEEN 50 AND 55 OR id BETWEEN 2900 AND 2950;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_sort = off;
SELECT count(*) FROM (SELECT pad FROM kept ORDER BY id OFFSET 0) s;
SELECT count(*) FROM (SELECT pad FROM kept ORDER BY device DESC OFFSET 0) s;
SELECT count(*) FROM (SELECT pad FROM kept ORDER BY code NULLS FIRST OFFSET 0) s;
SELECT count(*) FROM (SELECT pad FROM kept WHERE id % 10 <> 0 ORDER BY ts DESC NULLS LAST OFFSET 0) s;
SELECT count(*) FROM (SELECT pad FROM kept WHERE id % 50 < 12 ORDER BY temperature OFFSET 0) s;

CREATE TABLE bare (k int8);
CREATE INDEX bare_k ON bare USING learned (k);
-- What the rows are, and where.
CREATE VIEW content AS
SELECT count(*), md5(string_agg(concat_ws(' ', ctid, id, device, code, extract(epoch FROM ts), temperature), '|' ORDER BY id)) FROM kept;
