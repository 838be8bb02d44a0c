#!/usr/bin/env bash
# From PostgreSQL 16 on the planner has rows sorted in front of an aggregate with ORDER BY whenever it can (enable_presorted_aggregate), and compares no
# costs. What is sorted is the input, not what the aggregate is given: digests of a megabyte's 128 pages, in order, take twice 128 MB of temporary
# files, as each row has the megabyte that its digest is yet to be made of. 15 sorts the digests, and so does 18 with that setting off.
. "$(dirname "$0")/common.sh"
in_debian
server
given "CREATE FUNCTION temporary(presorted bool) RETURNS text LANGUAGE plpgsql AS \$\$
DECLARE
  plan json;
BEGIN
  PERFORM set_config('enable_presorted_aggregate', presorted::text, true);
  EXECUTE \$sql\$EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)
    SELECT string_agg(md5(substr(bytes, p * 8192 + 1, 8192)), '' ORDER BY p)
      FROM (SELECT convert_to(repeat('some text', 116509), 'UTF8') AS bytes OFFSET 0) file, generate_series(0, 127) p\$sql\$ INTO plan;
  RETURN plan #>> '{0,Plan,Temp Written Blocks}';
END \$\$"
seen "presorted, more than 128 MB are written to temporary files (32,881 blocks where it was seen: runs, and their merge)" "$(sql "SELECT temporary(true)::int * 8192 > 128 * 1048576")" t
seen "blocks written if not" "$(sql "SELECT temporary(false)")" 0
