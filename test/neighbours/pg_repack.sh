#!/usr/bin/env bash
# pg_repack: a whole table, its indexes only, and one index, with writes before; the table's only unique index is learned.
. "$(dirname "$0")/lib.sh"
neighbour postgresql-18-repack
server

given "CREATE EXTENSION pg_repack;
CREATE TABLE t (id bigint NOT NULL, at timestamptz, device int, note text);
INSERT INTO t SELECT i, timestamptz '2026-01-01' + i * interval '7 s', i % 100, repeat('x', 50) FROM generate_series(1, 50000) i;
CREATE UNIQUE INDEX t_id ON t USING learned (id);
CREATE INDEX t_at ON t USING learned (at DESC NULLS LAST) WITH (fillfactor = 80);
CREATE INDEX t_device ON t USING learned (device) WHERE id > 1000;
CREATE INDEX t_hour ON t USING learned ((id / 3600));
DELETE FROM t WHERE id % 3 = 0;
UPDATE t SET device = device + 1 WHERE id % 7 = 0"
before=$(definitions public.t)
all_agree() {
  for key in id "at DESC NULLS LAST" "id / 3600"; do agrees "rows by $key" t "$key"; done
  agrees "rows by device" t device "id > 1000"
}
file() { sql "SELECT pg_relation_filenode('$1')"; }

tool() { as_server_user pg_repack --no-kill-backend -d postgres "$@" 2>&1; }
old=$(file t)
start_writer t
output=$(tool -t t)
result $? "pg_repack -t t, identified by a learned unique index" "$output"
stop_writer t
[ "$old" != "$(file t)" ]
result $? "the table is a new file"
is "the definitions are what they were" "$(definitions public.t)" "$before"
all_agree

given "DELETE FROM t WHERE id % 5 = 0; INSERT INTO t SELECT i, now(), 7 FROM generate_series(60001, 61000) i"
old=$(file t_at)
output=$(tool -t t --only-indexes)
result $? "pg_repack -t t --only-indexes" "$output"
[ "$old" != "$(file t_at)" ]
result $? "the index is a new file"
is "the definitions are what they were" "$(definitions public.t)" "$before"
all_agree

old=$(file t_id)
output=$(tool --index t_id)
result $? "pg_repack --index t_id" "$output"
[ "$old" != "$(file t_id)" ]
result $? "the index is a new file"
agrees "rows by id" t id

output=$(tool -t t --order-by 'at DESC')
result $? "pg_repack --order-by" "$output"
all_agree
uses "a plan reads the index" t_at "SELECT * FROM t WHERE at > '2026-01-02' ORDER BY at DESC LIMIT 1"
finish
