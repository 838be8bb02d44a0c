#!/usr/bin/env bash
# wal2json: a learned unique index as replica identity gives the old keys.
. "$(dirname "$0")/lib.sh"
neighbour postgresql-18-wal2json
server wal_level=logical output_plugin_libraries=wal2json

given "CREATE TABLE t (id bigint NOT NULL, device int);
CREATE UNIQUE INDEX t_id ON t USING learned (id);
ALTER TABLE t REPLICA IDENTITY USING INDEX t_id;
SELECT pg_create_logical_replication_slot('s', 'wal2json')"
given "INSERT INTO t VALUES (1, 10), (2, 20); UPDATE t SET device = 11 WHERE id = 1; UPDATE t SET id = 3 WHERE id = 2; DELETE FROM t WHERE id = 1; REINDEX INDEX t_id; DELETE FROM t"
is "inserts, updates and deletes with their old keys" \
  "$(sql "SELECT data FROM pg_logical_slot_get_changes('s', NULL, NULL, 'format-version', '2', 'include-types', '0', 'include-transaction', '0')")" \
  '{"action":"I","schema":"public","table":"t","columns":[{"name":"id","value":1},{"name":"device","value":10}]}
{"action":"I","schema":"public","table":"t","columns":[{"name":"id","value":2},{"name":"device","value":20}]}
{"action":"U","schema":"public","table":"t","columns":[{"name":"id","value":1},{"name":"device","value":11}],"identity":[{"name":"id","value":1}]}
{"action":"U","schema":"public","table":"t","columns":[{"name":"id","value":3},{"name":"device","value":20}],"identity":[{"name":"id","value":2}]}
{"action":"D","schema":"public","table":"t","identity":[{"name":"id","value":1}]}
{"action":"D","schema":"public","table":"t","identity":[{"name":"id","value":3}]}'
finish
