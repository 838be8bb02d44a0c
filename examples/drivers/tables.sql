-- The tables that the drivers read: the same rows under the schemas "learned" and "btree", which differ in their indexes only.
-- test.sh makes them in an empty database.
CREATE EXTENSION learned_index;

CREATE SCHEMA learned;
CREATE TABLE learned.readings (id bigint NOT NULL, device int NOT NULL, at timestamptz NOT NULL, level int);
INSERT INTO learned.readings
SELECT 3 * i, i % 100, timestamptz '2026-01-01 00:00+00' + i * interval '10 seconds' + i * 7919 % 9000 * interval '1 ms', nullif(i % 7, 3)
FROM generate_series(1, 100000) i;
CREATE INDEX ON learned.readings USING learned (id);
CREATE INDEX ON learned.readings USING learned (device, at) INCLUDE (level);
CREATE TABLE learned.seats (id bigint NOT NULL, EXCLUDE USING learned (id WITH =));

CREATE SCHEMA btree;
CREATE TABLE btree.readings (LIKE learned.readings);
INSERT INTO btree.readings SELECT * FROM learned.readings ORDER BY id;
CREATE INDEX ON btree.readings USING btree (id);
CREATE INDEX ON btree.readings USING btree (device, at) INCLUDE (level);
CREATE TABLE btree.seats (id bigint NOT NULL, EXCLUDE USING btree (id WITH =));

-- Counting needs the visibility map.
VACUUM ANALYZE learned.readings, btree.readings;
