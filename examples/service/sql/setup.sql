-- The database of the service: roles, the data of the quick start with learned indexes, the same once more with btrees,
-- and the function that compares them. Run once, by the superuser, in an empty database.
--
--   PASSWORD_gateway=... PASSWORD_manager=... PASSWORD_monitor=... PASSWORD_cached=... psql -v rows=1000000 -f setup.sql <ranges.csv
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE EXTENSION learned_index;
\getenv gateway PASSWORD_gateway
\getenv manager PASSWORD_manager
\getenv monitor PASSWORD_monitor
\getenv cached PASSWORD_cached

-- ---- who may do what ----------------------------------------------------------------------------
-- gateway: REST for everybody; manager: behind the token; monitor: figures; cached: by way of pgpool.
-- Settings of roles hold behind a pooler, too, where SET would not.
CREATE ROLE gateway LOGIN PASSWORD :'gateway';
CREATE ROLE manager LOGIN PASSWORD :'manager' IN ROLE pg_monitor;
CREATE ROLE monitor LOGIN PASSWORD :'monitor' IN ROLE pg_monitor;
CREATE ROLE cached LOGIN PASSWORD :'cached';
ALTER ROLE gateway SET statement_timeout = '10s';
ALTER ROLE manager SET statement_timeout = '60s';
REVOKE ALL ON SCHEMA public FROM public;
GRANT USAGE ON SCHEMA public TO gateway, manager, monitor, cached;

-- ---- data ---------------------------------------------------------------------------------------
-- A primary key is a btree: the gateway wants one for each table that it shows.
CREATE TABLE ranges (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  first_ip bigint NOT NULL,
  last_ip bigint NOT NULL,
  country text NOT NULL
);
\copy ranges (first_ip, last_ip, country) FROM pstdin WITH (FORMAT csv, HEADER)

CREATE FUNCTION hash_below(i bigint, seed bigint, n bigint) RETURNS bigint
IMMUTABLE PARALLEL SAFE LANGUAGE sql RETURN (hashint8extended(i, seed) & 9223372036854775807) % n;

-- A reading about every 100 ms, each up to 50 ms late: a million are a day and four hours.
CREATE TABLE readings (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  device int NOT NULL CHECK (device BETWEEN 0 AND 999),
  ts timestamptz NOT NULL CHECK (ts >= '2000-01-01 00:00:00+00' AND ts < '2100-01-01 00:00:00+00'), -- neither infinite nor what JSON cannot tell
  value float8 NOT NULL
);
INSERT INTO readings (device, ts, value)
SELECT hash_below(i, 2, 1000),
       timestamptz '2026-01-01 00:00:00+00' + (i * 100 + hash_below(i, 1, 50)) * interval '1 millisecond',
       20 + 5 * sin(i / 50000.0::float8) + hash_below(i, 3, 1000) / 1000.0::float8
FROM generate_series(0, :rows::bigint - 1) i;

CREATE SCHEMA twin;
GRANT USAGE ON SCHEMA twin TO gateway, manager, monitor;
CREATE TABLE twin.ranges (LIKE ranges INCLUDING ALL EXCLUDING INDEXES);
INSERT INTO twin.ranges OVERRIDING SYSTEM VALUE SELECT * FROM ranges ORDER BY id;
CREATE TABLE twin.readings (LIKE readings INCLUDING ALL EXCLUDING INDEXES);
INSERT INTO twin.readings OVERRIDING SYSTEM VALUE SELECT * FROM readings ORDER BY id;

CREATE INDEX ranges_first_ip ON ranges USING learned (first_ip);
CREATE INDEX readings_ts ON readings USING learned (ts);
CREATE INDEX readings_device_ts ON readings USING learned (device, ts);
CREATE INDEX ranges_first_ip ON twin.ranges USING btree (first_ip);
CREATE INDEX readings_ts ON twin.readings USING btree (ts);
CREATE INDEX readings_device_ts ON twin.readings USING btree (device, ts);

-- What is written to one is written to the other, so that both go on to have the same rows.
CREATE FUNCTION copy_to_twin() RETURNS trigger SECURITY DEFINER SET search_path = pg_catalog LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO twin.readings OVERRIDING SYSTEM VALUE SELECT * FROM added;
  RETURN NULL;
END $$;
CREATE TRIGGER copy_to_twin AFTER INSERT ON readings REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION copy_to_twin();

GRANT SELECT ON ranges, readings, twin.ranges, twin.readings TO gateway, cached;
GRANT INSERT (device, ts, value) ON readings TO gateway;

-- What pgpool's cache is shown with; the function and DO write where pgpool does not see it.
CREATE TABLE thresholds (device int PRIMARY KEY, high float8 NOT NULL);
INSERT INTO thresholds SELECT i, 25 FROM generate_series(0, 999) i;
GRANT SELECT, UPDATE ON thresholds TO cached;
CREATE FUNCTION set_threshold(which int, value float8) RETURNS void
LANGUAGE sql BEGIN ATOMIC
  UPDATE thresholds SET high = value WHERE device = which;
END;

\ir compare.sql
VACUUM (FREEZE, ANALYZE);
