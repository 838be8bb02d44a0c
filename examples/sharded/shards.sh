# shellcheck shell=bash
# Tables partitioned over three servers; sourced by test.sh.

SHARDS="shard1 shard2 shard3"

# plans SHARD: those that it has executed since mark_logs, as auto_explain logs them.
declare -A LOGGED
mark_logs() {
  local shard
  for shard in $SHARDS; do LOGGED[$shard]=$(wc -c <"$WORKSPACE/$shard/log"); done
}
plans() { tail -c +$((LOGGED[$1] + 1)) "$WORKSPACE/$1/log" | grep -A 40 'plan:$'; }

# pushed_down TEXT QUERY SHARD...: its plan has a foreign scan of an aggregate for each of the shards and none else, asynchronous if there
# are several; the shards count by their learned indexes; and the answer is that of the local table.
pushed_down() {
  local text=$1 query=$2 plan answer shard scans
  shift 2
  plan=$(on coordinator "EXPLAIN (VERBOSE, COSTS OFF) $query")
  scans=$(grep -cE 'Remote SQL: SELECT .*(count|min|max|sum|avg)\(' <<<"$plan")
  check "$text: a remote aggregate for each of $*, and nothing else is fetched" "$plan" \
    [ "$scans $(grep -c 'Remote SQL' <<<"$plan") $(grep -c 'Foreign Scan' <<<"$plan")" = "$# $# $#" ]
  [ $# = 1 ] || check "$text: the shards work at the same time" "$plan" [ "$(grep -c 'Async Foreign Scan' <<<"$plan")" = $# ]
  mark_logs
  answer=$(on coordinator "$query")
  for shard in "$@"; do
    plan=$(plans "$shard")
    check "$text: $shard counts by its learned index" "$plan" contains "$plan" 'Custom Scan \(LearnedAggregate\)'
  done
  is "$text: the answer of the local table" "$answer" "$(on_local "$query")"
}
# The same by the local tables, of which each has all rows.
on_local() { OPTIONS="-c search_path=local" on coordinator "$(sed -E 's/\b(readings|orders)_[123]\b/\1/g' <<<"$1")"; }

answers="
SELECT device, count(*), count(level), min(at), max(at), sum(level) FROM readings WHERE at >= '2026-01-05' GROUP BY device ORDER BY device;
SELECT count(*), min(at), max(level) FROM readings WHERE at < '2026-01-07';
SELECT * FROM readings WHERE device IN (3, 44, 71) AND at BETWEEN '2026-01-02' AND '2026-01-03' ORDER BY at, device;
SELECT tenant, count(*), max(id) FROM orders WHERE id > 20000 GROUP BY tenant ORDER BY tenant;
SELECT placed, count(*) FROM orders GROUP BY placed ORDER BY placed LIMIT 50;
SELECT * FROM orders WHERE tenant = 17 ORDER BY id DESC LIMIT 20;
SELECT r.device, count(*) FROM readings r JOIN orders o ON o.tenant = r.device AND o.placed = r.at::date GROUP BY r.device ORDER BY r.device;"
agree() {
  local output
  output=$(on coordinator "$answers" && echo "done")
  is "$1: seven queries answer as on local tables" "$output" "$(on_local "$answers" && echo "done")"
  contains "$output" '^done$' || fail "a query failed: $output"
}

shards() {
  local shard plan output
  for shard in $SHARDS; do
    server "$shard" session_preload_libraries=auto_explain auto_explain.log_min_duration=0
    by_file "$shard" "$HERE/shard.sql"
  done
  server coordinator
  by_file coordinator "$HERE/coordinator.sql" -v shard1="$WORKSPACE/shard1" -v shard2="$WORKSPACE/shard2" -v shard3="$WORKSPACE/shard3"
  settle
  agree "filled by the coordinator"
  is "each shard has its part" "$(for shard in $SHARDS; do on "$shard" "SELECT count(*), min(device) FROM readings"; done | tr '\n' ' ')" "30000|0 40000|30 30000|70 "

  # shellcheck disable=SC2086 # a list of words
  pushed_down "by device, of ranges" "SELECT device, count(*), max(at) FROM readings WHERE at >= '2026-01-05' GROUP BY device ORDER BY device" $SHARDS
  # shellcheck disable=SC2086
  pushed_down "by tenant, of hashes" "SELECT tenant, count(*), max(id) FROM orders GROUP BY tenant ORDER BY tenant" $SHARDS
  # shellcheck disable=SC2086
  pushed_down "all, as the sum of counts by device" "SELECT sum(n) FROM (SELECT device, count(*) AS n FROM readings WHERE at >= '2026-01-05' GROUP BY device) d" $SHARDS
  pushed_down "one device" "SELECT device, count(*), min(at), max(at) FROM readings WHERE device = 44 AND at >= '2026-01-05' GROUP BY device" shard2
  pushed_down "devices of one shard" "SELECT device, count(*), max(at) FROM readings WHERE device BETWEEN 71 AND 80 GROUP BY device ORDER BY device" shard3
  # (The conditions on the device are there for the local table's sake.)
  # shellcheck disable=SC2086
  pushed_down "all, as the sum of counts by shard" "SELECT sum(n) FROM (SELECT count(*) AS n FROM readings_1 WHERE device < 30 AND at >= '2026-01-05'
    UNION ALL SELECT count(*) FROM readings_2 WHERE device >= 30 AND device < 70 AND at >= '2026-01-05'
    UNION ALL SELECT count(*) FROM readings_3 WHERE device >= 70 AND at >= '2026-01-05') s" $SHARDS
  plan=$(on coordinator "EXPLAIN (VERBOSE, COSTS OFF) SELECT count(*) FROM readings WHERE at >= '2026-01-05'")
  if contains "$plan" 'Remote SQL: SELECT count'; then
    echo "# a count of all without groups is pushed down by PostgreSQL $SERVER_VERSION"
  else
    echo "# a count of all without groups is not pushed down by PostgreSQL $SERVER_VERSION: the rows are fetched (README)"
  fi

  output=$(on coordinator "BEGIN; $writes COMMIT" && on_local "$writes" && echo "done")
  is "rows are written through the coordinator" "$output" "done"
  agree "after writes"
  settle
  agree "after VACUUM"
  for shard in $SHARDS; do is "every learned index of $shard is sound and has every row" "$(sound "$shard")" t; done
  lose_one
}
writes="INSERT INTO readings SELECT i % 110, timestamptz '2026-01-12 15:00+00' + i * interval '1 second', i % 5 FROM generate_series(1, 20000) i;
UPDATE readings SET level = 9 WHERE device IN (5, 35, 75) AND at >= '2026-01-08';
DELETE FROM readings WHERE device % 10 = 3 AND at < '2026-01-03';
UPDATE orders SET placed = placed + 7 WHERE tenant < 20 AND id % 3 = 0;
DELETE FROM orders WHERE placed >= '2026-04-20';"
# What autovacuum does, at once. The coordinator's statistics of foreign tables are its own.
settle() {
  local shard
  for shard in $SHARDS; do given "$shard" "VACUUM ANALYZE"; done
  given coordinator "ANALYZE"
}

# In one session of the coordinator, which has connections to all shards: one is killed, and comes back.
lose_one() {
  local output query="SELECT sum(n) FROM (SELECT device, count(*) AS n FROM readings GROUP BY device) d"
  local before one_shard began
  before=$(on_local "$query")
  one_shard=$(on_local "SELECT count(*) FROM readings WHERE device < 20")
  mkfifo "$WORKSPACE/statements"
  psql -XqAt -h "$WORKSPACE/coordinator" -v VERBOSITY=verbose <"$WORKSPACE/statements" >"$WORKSPACE/answers" 2>&1 &
  exec {TO}>"$WORKSPACE/statements"
  ask() { # SQL; waits for the answer, sets ANSWER
    : >"$WORKSPACE/answers"
    printf '%s;\n\\echo answered\n' "$1" >&"$TO"
    local i
    for ((i = 0; i < 300; i++)); do
      ! grep -q '^answered$' "$WORKSPACE/answers" || break
      sleep 0.2
    done
    ANSWER=$(grep -a -v '^answered$' "$WORKSPACE/answers" | tr -d '\0')
  }
  ask "$query"
  is "a session counts on all shards" "$ANSWER" "$before"
  stop shard2
  ask "$query"
  check "one shard killed: an error of class 08 that names it, within a minute" "$ANSWER" \
    contains "$ANSWER" '^ERROR:  08(000|001|003|006): .*(could not connect to server "shard2"|closed the connection|terminat|no connection)'
  ask "$query"
  check "and again, of a new connection" "$ANSWER" contains "$ANSWER" '^ERROR:  08001: could not connect to server "shard2"'
  ask "SELECT count(*) FROM readings WHERE device < 20"
  is "what lies on the others is answered" "$ANSWER" "$one_shard"
  ask "INSERT INTO readings VALUES (5, '2026-02-01', 1), (55, '2026-02-01', 1)"
  check "a statement that would write to it, too, fails" "$ANSWER" contains "$ANSWER" '^ERROR:  08001: '
  ask "SELECT count(*) FROM readings WHERE device = 5 AND at = '2026-02-01'"
  is "and has written nothing to the others" "$ANSWER" 0
  start shard2 {TO}>&- # (it would keep the session's standard input open)
  ask "$query"
  is "the shard is back: the same session counts on all of them" "$ANSWER" "$before"
  exec {TO}>&-
  wait $!
  # It does not answer, though nobody says that it is gone: new sessions give up after a while.
  as_server_user kill -STOP "$(head -n 1 "$WORKSPACE/shard2/data/postmaster.pid")"
  began=$SECONDS
  output=$(OPTIONS='-c statement_timeout=60s' on coordinator "\set VERBOSITY verbose
$query")
  as_server_user kill -CONT "$(head -n 1 "$WORKSPACE/shard2/data/postmaster.pid")"
  check "a shard that does not answer: the same error, after $((SECONDS - began)) seconds" "$output" contains "$output" '08001: could not connect to server "shard2"'
  agree "after the loss"
  output=$(sound shard2)
  is "every learned index of it is sound and has every row" "$output" t
}
