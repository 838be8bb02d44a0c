-- What each shard has: its part of two tables, with learned indexes.
CREATE EXTENSION learned_index;
CREATE TABLE readings (device int NOT NULL, at timestamptz NOT NULL, level int);
CREATE INDEX readings_device_at ON readings USING learned (device, at) INCLUDE (level);
CREATE INDEX readings_at ON readings USING learned (at);
CREATE TABLE orders (tenant int NOT NULL, id bigint NOT NULL, placed date NOT NULL);
CREATE INDEX orders_tenant_id ON orders USING learned (tenant, id);
CREATE INDEX orders_placed ON orders USING learned (placed);
