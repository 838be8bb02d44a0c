#!/usr/bin/env bash
# pgtt: a global temporary table with learned indexes; each session has its own rows.
. "$(dirname "$0")/lib.sh"
neighbour postgresql-18-pgtt
server session_preload_libraries=pgtt

given "CREATE EXTENSION pgtt"
given "CREATE /*GLOBAL*/ TEMPORARY TABLE g (id bigint, device int) ON COMMIT PRESERVE ROWS;
CREATE INDEX g_id ON g USING learned (id)" 2>&1
result $? "CREATE INDEX USING learned"
for rows in 1000 2000; do
  output=$(sql "INSERT INTO g SELECT i, i % 7 FROM generate_series(1, $rows) i;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT * FROM g WHERE id = 77;
SELECT count(*) FROM g WHERE id > 0;
SELECT count(learned_index_check(indexrelid, true)) FROM pg_index WHERE indrelid = 'g'::regclass" 2>&1)
  echo "$output" >&2
  grep -q 'Index Scan' <<<"$output" && [ "$(tail -n 2 <<<"$output" | tr '\n' ' ')" = "$rows 1 " ]
  result $? "a session with $rows rows" "$output"
done
finish
