-- What applications see: partitioned tables of which each partition lies on a shard; and, for the test only, the same in local tables.
-- psql variables: shard1, shard2, shard3 are directories of sockets.
CREATE EXTENSION postgres_fdw;
CREATE SERVER shard1 FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host :'shard1', port '54321', dbname 'postgres', async_capable 'true', use_remote_estimate 'true', batch_size '1000', connect_timeout '5');
CREATE SERVER shard2 FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host :'shard2', port '54321', dbname 'postgres', async_capable 'true', use_remote_estimate 'true', batch_size '1000', connect_timeout '5');
CREATE SERVER shard3 FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host :'shard3', port '54321', dbname 'postgres', async_capable 'true', use_remote_estimate 'true', batch_size '1000', connect_timeout '5');
CREATE USER MAPPING FOR CURRENT_USER SERVER shard1;
CREATE USER MAPPING FOR CURRENT_USER SERVER shard2;
CREATE USER MAPPING FOR CURRENT_USER SERVER shard3;

-- By ranges of devices.
CREATE TABLE readings (device int NOT NULL, at timestamptz NOT NULL, level int) PARTITION BY RANGE (device);
CREATE FOREIGN TABLE readings_1 PARTITION OF readings FOR VALUES FROM (MINVALUE) TO (30) SERVER shard1 OPTIONS (table_name 'readings');
CREATE FOREIGN TABLE readings_2 PARTITION OF readings FOR VALUES FROM (30) TO (70) SERVER shard2 OPTIONS (table_name 'readings');
CREATE FOREIGN TABLE readings_3 PARTITION OF readings FOR VALUES FROM (70) TO (MAXVALUE) SERVER shard3 OPTIONS (table_name 'readings');

-- By a hash of the tenant.
CREATE TABLE orders (tenant int NOT NULL, id bigint NOT NULL, placed date NOT NULL) PARTITION BY HASH (tenant);
CREATE FOREIGN TABLE orders_1 PARTITION OF orders FOR VALUES WITH (MODULUS 3, REMAINDER 0) SERVER shard1 OPTIONS (table_name 'orders');
CREATE FOREIGN TABLE orders_2 PARTITION OF orders FOR VALUES WITH (MODULUS 3, REMAINDER 1) SERVER shard2 OPTIONS (table_name 'orders');
CREATE FOREIGN TABLE orders_3 PARTITION OF orders FOR VALUES WITH (MODULUS 3, REMAINDER 2) SERVER shard3 OPTIONS (table_name 'orders');

ALTER DATABASE postgres SET enable_partitionwise_aggregate = on;

INSERT INTO readings SELECT i % 100, timestamptz '2026-01-01 00:00+00' + i * interval '10 seconds', nullif(i % 7, 3) FROM generate_series(1, 100000) i;
INSERT INTO orders SELECT i * 7919 % 90, i, date '2026-01-01' + i / 500 FROM generate_series(1, 60000) i;
CREATE SCHEMA local;
CREATE TABLE local.readings AS TABLE readings;
CREATE TABLE local.orders AS TABLE orders;
