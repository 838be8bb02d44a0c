# shellcheck shell=bash
# A streaming standby and a logical subscriber; sourced by test.sh.

tables="CREATE EXTENSION IF NOT EXISTS learned_index;
CREATE TABLE readings (id bigint PRIMARY KEY, device int NOT NULL, at timestamptz NOT NULL, level int);
CREATE INDEX readings_device_at ON readings USING learned (device, at) INCLUDE (level);
CREATE INDEX readings_at ON readings USING learned (at);"
reads="SELECT count(*), min(at), max(at) FROM readings WHERE at >= '2026-01-03' AND at < '2026-01-09';
SELECT device, count(*), sum(level), max(at) FROM readings GROUP BY device ORDER BY device;
SELECT * FROM readings WHERE device = 42 ORDER BY at DESC LIMIT 100;
SELECT at FROM readings ORDER BY at OFFSET 30000 LIMIT 5;
SELECT count(*), count(DISTINCT device) FROM readings WHERE device BETWEEN 10 AND 60;"

# agree_with TEXT SERVER ORACLE: five reads by the indexes of the one are what sequential scans of the other say.
agree_with() {
  local by_index of_table
  by_index=$(OPTIONS='-c enable_seqscan=off -c enable_bitmapscan=off' on "$2" "$reads" && echo "done")
  of_table=$(OPTIONS="$BY_TABLE" on "$3" "$reads" && echo "done")
  is "$1" "$by_index" "$of_table"
  contains "$by_index" '^done$' || fail "a query failed: $by_index"
}
# (By which of them the planner decides.)
counts_by_index() { # TEXT SERVER
  local plan
  plan=$(on "$2" "EXPLAIN (COSTS OFF) SELECT count(*), max(at) FROM readings WHERE at >= '2026-01-03'")
  check "$1" "$plan" contains "$plan" 'Custom Scan \(LearnedAggregate\)' 'using readings_(device_)?at '
}
# caught_up TEXT SERVER NAME: it has got all that the primary has written, within a minute; NAME as the primary knows it.
caught_up() {
  local to i state
  to=$(on primary "SELECT pg_current_wal_lsn()")
  for ((i = 0; i < 300; i++)); do
    state=$(on primary "SELECT bool_or(replay_lsn >= '$to') FROM pg_stat_replication WHERE application_name = '$3'")
    [ "$state" != t ] || break
    sleep 0.2
  done
  is "$1" "$state" t
}
change="INSERT INTO readings SELECT i, i % 97, timestamptz '2026-01-01' + i * interval '9 seconds', i % 5 FROM generate_series(100001, 120000) i;
UPDATE readings SET level = 8 WHERE device = 42 AND id % 2 = 0;
UPDATE readings SET at = at + interval '1 day' WHERE id % 50 = 0;
DELETE FROM readings WHERE device % 10 = 3 AND at < '2026-01-04';
VACUUM readings;"

replicas() {
  server primary wal_level=logical max_wal_senders=5
  given primary "$tables INSERT INTO readings SELECT i, i % 100, timestamptz '2026-01-01' + i * interval '10 seconds', nullif(i % 7, 3) FROM generate_series(1, 100000) i"
  given primary "VACUUM ANALYZE"
  standby
  subscriber
  load
  promotion
}

standby() {
  empty standby
  as_server_user "$BINDIR/pg_basebackup" -h "$WORKSPACE/primary" -U postgres -D "$WORKSPACE/standby/data" -c fast -X stream -R --no-sync \
    -d "application_name=standby" >"$WORKSPACE/basebackup.log" 2>&1 || fail "pg_basebackup: $(tail -n 1 "$WORKSPACE/basebackup.log")"
  start standby
  caught_up "the standby follows" standby standby
  holds "it is a standby" standby "SELECT pg_is_in_recovery()"
  counts_by_index "the standby counts by its learned index" standby
  agree_with "the standby reads by its indexes what the primary has" standby primary
  given primary "$change"
  caught_up "the standby follows changes and VACUUM" standby standby
  agree_with "and reads by its indexes what the primary has" standby primary
  check "it refuses writes with 25006" "" contains "$(psql -Xq -h "$WORKSPACE/standby" -v VERBOSITY=sqlstate -c 'DELETE FROM readings' 2>&1)" 25006
}

subscriber() {
  server subscriber wal_level=logical
  given subscriber "$tables"
  given primary "CREATE PUBLICATION changes FOR TABLE readings"
  given subscriber "CREATE SUBSCRIPTION subscriber CONNECTION 'host=$WORKSPACE/primary port=54321 user=postgres dbname=postgres' PUBLICATION changes"
  local i
  for ((i = 0; i < 300; i++)); do
    [ "$(on subscriber "SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel")" != t ] || break
    sleep 0.2
  done
  caught_up "the subscriber follows" subscriber subscriber
  given subscriber "VACUUM ANALYZE readings"
  counts_by_index "the subscriber counts by its learned index" subscriber
  agree_with "the subscriber reads by its indexes what the primary has" subscriber primary
}

# While the primary is written to, both compare in one snapshot what the index counts and what the table has.
load() {
  local writer server round output bad
  while [ ! -e "$WORKSPACE/stop" ]; do
    on primary "INSERT INTO readings SELECT (SELECT max(id) FROM readings) + i, i % 90, now() + i * interval '1 ms', 1 FROM generate_series(1, 300) i;
      DELETE FROM readings WHERE id % 331 = floor(random() * 331); UPDATE readings SET at = at + interval '1 hour' WHERE id % 501 = floor(random() * 501)" >/dev/null || break
    sleep 0.1
  done &
  writer=$!
  for server in standby subscriber; do
    bad=
    for ((round = 0; round < 5; round++)); do
      output=$(on "$server" "BEGIN ISOLATION LEVEL REPEATABLE READ;
        SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;
        SELECT device, count(*), max(at) FROM readings GROUP BY device ORDER BY device;
        SELECT count(*) FROM readings WHERE at >= '2026-01-05'; SELECT '|'; SET LOCAL enable_seqscan = on;
        SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off; SET LOCAL learned_index.enable_aggregates = off;
        SELECT device, count(*), max(at) FROM readings GROUP BY device ORDER BY device;
        SELECT count(*) FROM readings WHERE at >= '2026-01-05'; COMMIT" | tr '\n' ' ')
      same_text "${output%% | *}" "$(sed -E 's/^ +| +$//g' <<<"${output##* | }")" || bad=$output
    done
    check "beside writers, the $server counts by index what its table has in the same snapshot" "${bad:0:600}" [ -z "$bad" ]
  done
  : >"$WORKSPACE/stop"
  check "and the writers have written on" "" wait "$writer"
  caught_up "the standby has followed" standby standby
  caught_up "the subscriber has followed" subscriber subscriber
  agree_with "the standby, after the load, has what the primary has" standby primary
  agree_with "the subscriber, after the load, has what the primary has" subscriber primary
}

promotion() {
  local before
  before=$(OPTIONS="$BY_TABLE" on primary "$reads")
  stop primary
  promote standby
  holds "the primary killed, the standby is promoted" standby "SELECT NOT pg_is_in_recovery()"
  is "it reads by its indexes what the primary had" "$(OPTIONS='-c enable_seqscan=off -c enable_bitmapscan=off' on standby "$reads")" "$before"
  given standby "INSERT INTO readings SELECT (SELECT max(id) FROM readings) + i, i % 90, timestamptz '2026-03-01' + i * interval '1 s', 1 FROM generate_series(1, 5000) i"
  given standby "DELETE FROM readings WHERE id % 7 = 0"
  given standby "VACUUM ANALYZE readings"
  counts_by_index "the promoted standby counts by its learned index" standby
  agree_with "it is written to, and reads by its indexes what its table has" standby standby
  is "every learned index of it is sound and has every row" "$(sound standby)" t
  is "every learned index of the subscriber is sound and has every row" "$(sound subscriber)" t
  is "the subscriber still reads what the primary had" "$(on subscriber "$reads")" "$before"
}
