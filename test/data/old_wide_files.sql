-- The same of keys of several words, which version 0.4 brought: see old_files.sql, which comes before it.

-- Keys without order; two columns, one of which descends, with NULLs, and one that is included; many values before few.
CREATE TABLE wide (id int4, u uuid, device int4, ts timestamptz, code int8, pad text DEFAULT repeat('x', 20))
  WITH (autovacuum_enabled = off);
CREATE VIEW new_wide_rows AS
SELECT i AS id, md5(i::text)::uuid AS u, CASE WHEN i % 11 = 0 THEN NULL ELSE i % 30 END AS device,
       timestamptz '2024-01-01 00:00+00' + i * interval '1 minute' + hashint4(i) % 500 * interval '1 millisecond' AS ts,
       hashint8(i / 3) * 1000003::int8 AS code
  FROM generate_series(1, 5000) i;
INSERT INTO wide SELECT * FROM new_wide_rows WHERE id <= 1400;
CREATE INDEX wide_u ON wide USING learned (u);
CREATE INDEX wide_pair ON wide USING learned (device NULLS FIRST, ts DESC) INCLUDE (id);
CREATE INDEX wide_code ON wide USING learned (code DESC, device);
INSERT INTO wide SELECT * FROM new_wide_rows WHERE id > 1400 AND id <= 1700;
DELETE FROM wide WHERE id % 4 = 0 AND id < 800;
VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) wide;
INSERT INTO wide SELECT * FROM new_wide_rows WHERE id > 1700 AND id <= 1730;
DELETE FROM wide WHERE device = 7 OR id BETWEEN 1600 AND 1650;
SELECT count(*) FROM (SELECT pad FROM wide ORDER BY u OFFSET 0) s;
SELECT count(*) FROM (SELECT pad FROM wide ORDER BY device NULLS FIRST, ts DESC OFFSET 0) s;
SELECT count(*) FROM (SELECT pad FROM wide ORDER BY code DESC, device OFFSET 0) s;

CREATE OR REPLACE VIEW content AS
SELECT count(*), md5(string_agg(r, '|' ORDER BY id)) FROM (
  SELECT id, concat_ws(' ', ctid, id, device, code, extract(epoch FROM ts), temperature) AS r FROM kept
  UNION ALL SELECT 100000 + id, concat_ws(' ', ctid, id, u, device, code, extract(epoch FROM ts)) FROM wide) s;
