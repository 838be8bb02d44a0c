#!/usr/bin/env bash
# The service under load, and each of its parts killed once meanwhile: what clients see, that nothing which was acknowledged is lost, that
# all comes back by itself.
#
#   examples/service/load.sh [SECONDS]    600 by default, 60 at least
#   ROWS=..., PORT_BASE=...               as for run.sh; other ports and another directory than it has by itself
#   PERCENT=100                           of the load, for a machine that is slow or busy
#   BACK_SECONDS=60                       within which each part, and all that needs it, must be back; more for such a machine
#   TEST_LOGS=...                         what there was to see, and the parts' logs, if something failed (build/service-load)
#
# Asked are: REST by twenty clients and one that asks too often (load/client.js), with readings that are written; PgBouncer, the server
# and pgpool's cache by pgbench; figures and health. In the first two thirds of the time, SIGKILL gets one server process, then
# the server, and each other part; supervisord, which nothing starts again, at the very end. Prints tables and a line for each check, the
# last one is "N passed, N failed, N skipped".
set -uo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
. "$HERE/../../scripts/lib.sh"
export SERVICE_DIR=${SERVICE_DIR:-${TMPDIR:-/tmp}/learned-service-load.$$}
export PORT_BASE=${PORT_BASE:-17230}
PERCENT=${PERCENT:-100}
BACK_SECONDS=${BACK_SECONDS:-60}
[[ $BACK_SECONDS =~ ^[1-9][0-9]{0,3}$ ]] || fail "BACK_SECONDS is a number from 1 to 9999: $BACK_SECONDS"
[[ $PERCENT =~ ^[1-9][0-9]{1,3}$ ]] || fail "PERCENT is a number from 10 to 9999: $PERCENT"
# More than anybody needs but the one who asks too often.
export RATE_LIMIT=$((PERCENT * 6 / 10)) RATE_SECONDS=10
# shellcheck source=examples/service/settings.sh
. "$HERE/settings.sh"
# shellcheck source=examples/service/lib.sh
. "$HERE/lib.sh"

TEST_LOGS=${TEST_LOGS:-$ROOT/build/service-load}
KILLS=("a server process" postgres pgbouncer pgpool gateway exporter prometheus)
LOAD= # where clients and watchers write
CLIENTS=() # those that are told to end
SQL_CLIENTS=()

end_load() {
  [ -z "$LOAD" ] || touch "$LOAD/stop"
  local pid
  for pid in "${CLIENTS[@]}" "${SQL_CLIENTS[@]}"; do
    pkill -TERM -P "$pid" 2>/dev/null
    kill "$pid" 2>/dev/null
  done
  wait
  ! is_ours || "$HERE/run.sh" stop >/dev/null 2>&1
  [ -z "$LOAD" ] || rm -rf "$LOAD"
}

milliseconds() { echo "$((${EPOCHREALTIME/[.,]/} / 1000))"; }
ended() { [ -e "$LOAD/stop" ]; }

# ---- clients -----------------------------------------------------------------------------------------

# sql_client NAME NUMBER USER PORT MODE RATE: pgbench with one connection, for twenty seconds at a time; anew when it has failed, as any
# client would
sql_client() {
  local name=$1 number=$2 user=$3 port=$4 mode=$5 rate run=0 began output
  rate=$(awk -v rate="$6" -v percent="$PERCENT" 'BEGIN { print rate * percent / 100 }')
  until ended; do
    run=$((run + 1))
    began=$(milliseconds)
    if ! output=$(PGPASSWORD=$(secret "$user") PGCONNECT_TIMEOUT=5 timeout -k 5 90 "$BINDIR/pgbench" -n -c 1 -M "$mode" -R "$rate" -T 20 \
      -f "$HERE/load/$name.sql" -D seconds=$((ROWS / 10)) -D hours=$((ROWS / 36000)) -D client="$number" -D nothing=0 \
      -l --log-prefix="$LOAD/sql/$name.$number.$run" -h "$ADDRESS" -p "$port" -U "$user" service 2>&1 >/dev/null); then
      printf '%s\n' "$output" >>"$LOAD/pgbench.log"
      began=$(cat "$LOAD/sql/$name.$number.$run".* 2>/dev/null | tail -n 1 | awk -v began="$began" '{ began = $5 * 1000 + $6 / 1000 } END { printf "%.0f", began }')
      printf '%s\t%s\t%s\n' "$began" $(($(milliseconds) - began)) "$(what_failed <<<"$output")" >>"$LOAD/sql/$name.$number.errors"
      sleep 0.2
    fi
  done
}
# Of what pgbench says, the reason: the server's or the library's words. (A division by zero is how its scripts tell a wrong answer.)
what_failed() {
  tr '\n\t' '  ' | sed -E 's/.*division by zero.*/wrong answer/
    s/.*port [0-9]+ failed: (FATAL: +)?(.*)/cannot connect: \2/; t shorten
    s/.*(terminating connection because of crash of another server process).*/\1/
    s/.*(server closed the connection unexpectedly).*/\1/
    s/.*(ERROR|FATAL|WARNING): +/\1: /
    : shorten
    s/ *(pgbench:|DETAIL:|HINT:|Is the server running|This probably means).*//
    s/^cannot connect: *$/cannot connect, no reason given/; s/^ *$/connection lost, no reason given/
    s/^(.{120}).*/\1/; s/ +$//'
}

# Lines as client.js writes them. pgbench's have the end of each transaction, and its time since it was to begin. What failed did so since
# the last success: a connection that was cut while nobody used it is missed when it is used next.
sql_results() {
  local name file
  for name in pooled twofold direct cached; do
    find "$LOAD/sql" -name "$name.*" ! -name '*.errors' -exec cat {} + |
      awk -v name="$name" '{ printf "%s\t%.1f\t%.2f\tok\n", name, $5 * 1000 + ($6 - $3) / 1000, $3 / 1000 }'
    find "$LOAD/sql" -name "$name.*.errors" -exec cat {} + | sed "s/^/$name\t/"
  done | titled
}
titled() {
  node -e '
    const { SQL_STREAMS } = require(process.argv[1])
    for (const line of require("node:fs").readFileSync(0, "utf8").split("\n").filter(Boolean)) {
      const [name, ...rest] = line.split("\t")
      console.log([SQL_STREAMS[name].title, ...rest].join("\t"))
    }' "$HERE/load/streams.js"
}

start_clients() {
  local number
  mkdir "$LOAD/sql"
  SERVICE_TOKEN=$(secret token) node "$HERE/load/client.js" "$LOAD" "$ROWS" "$ADDRESS" "$GATEWAY_PORT" "$GATEWAY_METRICS_PORT" \
    "$EXPORTER_PORT" "$PROMETHEUS_PORT" "$PERCENT" >>"$LOAD/client.log" 2>&1 &
  HTTP_CLIENT=$!
  node "$HERE/load/memory.js" "$LOAD" "$SERVICE_DIR" >>"$LOAD/client.log" 2>&1 &
  WATCHER=$!
  CLIENTS+=("$HTTP_CLIENT" "$WATCHER")
  for number in 1 2 3 4; do sql_client pooled "$number" gateway "$PGBOUNCER_PORT" extended 15 & SQL_CLIENTS+=($!); done
  for number in 1 2; do sql_client direct "$number" gateway "$POSTGRES_PORT" prepared 10 & SQL_CLIENTS+=($!); done
  for number in 1 2 3 4; do sql_client cached "$number" cached "$PGPOOL_PORT" simple 15 & SQL_CLIENTS+=($!); done
  sql_client twofold 1 gateway "$PGBOUNCER_PORT" extended 0.5 & SQL_CLIENTS+=($!)
}

# ---- killing -----------------------------------------------------------------------------------------

# The process of a part that supervisord started.
declare -A PROGRAMS=([postgres]=postgres [pgbouncer]=pgbouncer [pgpool]=pgpool [gateway]=node [exporter]=prometheus-postgres-exporter [prometheus]=prometheus)
main_process() {
  local pid
  for pid in $(pgrep -P "$(cat "$SERVICE_DIR/supervisord.pid")"); do
    [[ $(readlink "/proc/$pid/exe") != */"${PROGRAMS[$1]}" ]] || echo "$pid"
  done
}

all_work() {
  local part
  for part in "${PARTS[@]}"; do part_works "$part" || return 1; done
}

# late SINCE: for what should be back by now
late() { [ $(($(milliseconds) - $1)) -gt $((BACK_SECONDS * 1000)) ]; }

# kill_one NAME: a part, or one of the server's processes that answers clients; leaves a line in kills.tsv
kill_one() {
  local name=$1 part=$1 pid began back now=
  if [ "$name" = "a server process" ]; then
    part=postgres
    pid=$(admin "SELECT pid FROM pg_stat_activity WHERE usename = 'gateway' ORDER BY state = 'active' DESC, query_start DESC LIMIT 1")
  else
    pid=$(main_process "$name")
  fi
  [[ $pid =~ ^[0-9]+$ ]] || { not_ok "killed: $name" "no process: $pid"; return; }
  began=$(milliseconds)
  kill -9 "$pid" || { not_ok "killed: $name"; return; }
  while kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
  until { now=$(main_process "$part") && [[ $now =~ ^[0-9]+$ ]] && [ "$now" != "$pid" ] && part_works "$part"; } || late "$began"; do sleep 0.05; done
  back=$(($(milliseconds) - began))
  until all_work || late "$began"; do sleep 0.1; done
  printf '%s\t%s\t%s\t%s\t%s\n' "$name" "$part" "$began" "$back" "$(($(milliseconds) - began))" >>"$LOAD/kills.tsv"
  say "killed: $name, $pid; all works $(($(milliseconds) - began)) ms later ($(($(date +%s) - BEGIN)) s)"
}

# One after the other, in the first two thirds; the next one no sooner than the one before is over. Where that takes longer, so does the load.
kill_all() {
  local i due
  for i in "${!KILLS[@]}"; do
    due=$((BEGIN + (i + 1) * DURATION * 2 / 3 / (${#KILLS[@]} + 1)))
    while [ "$(date +%s)" -lt "$due" ]; do sleep 0.2; done
    kill_one "${KILLS[i]}"
    sleep 2
  done
}

# ---- afterwards --------------------------------------------------------------------------------------

# By sequential scans.
nothing_lost() {
  local sent found
  sent=$(cat "$LOAD/sent" 2>/dev/null || echo 0)
  admin 'CREATE TABLE acknowledged (n float8, id bigint)' >/dev/null
  admin "COPY acknowledged FROM STDIN" <"$LOAD/acknowledged.tsv" >/dev/null
  found=$(admin "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off; SET learned_index.enable_aggregates = off;
    CREATE TEMP TABLE written AS SELECT id, device, ts, value FROM readings WHERE ts >= '2027-01-01 00:00:00+00';
    SELECT 'acknowledged ' || count(*) || ', of these missing ' ||
           count(*) FILTER (WHERE NOT EXISTS (SELECT FROM written w WHERE (w.id, w.value) = (a.id, a.n) AND w.device = a.n::int % 1000
             AND w.ts = timestamptz '2027-01-01 00:00:00+00' + a.n * interval '100 ms')) FROM acknowledged a;
    SELECT 'written ' || count(*) || ', twice ' || count(*) - count(DISTINCT value) || ', never asked for ' ||
           count(*) FILTER (WHERE value >= $sent OR value < 0 OR value <> trunc(value)) FROM written;
    SELECT 'not acknowledged, but written ' || count(*) FROM written WHERE value NOT IN (SELECT n FROM acknowledged);" | grep -vE '^(SET|SELECT) ?' )
  echo "# sent $sent; $(tr '\n' ';' <<<"$found")"
  like "readings were written, and acknowledged" '^acknowledged [1-9][0-9]*,' "$found"
  like "each that was acknowledged is there" 'of these missing 0$' "$found"
  like "none is there twice, or was never asked for" 'twice 0, never asked for 0$' "$found"
}

indexes_are_right() {
  local index
  for index in readings_ts readings_device_ts ranges_first_ip; do
    is "learned_index_check finds every row in $index" "" "$(admin "SELECT learned_index_check('$index', true)")"
  done
  like "counts are made by the learned index" 'LearnedAggregate' "$(admin "EXPLAIN SELECT count(*) FROM readings WHERE ts >= '2026-01-01 01:00:00+00'")"
  is "they are those of a sequential scan, for every hour" "0" "$(admin "SET learned_index.enable_aggregates = on;
    CREATE TEMP TABLE counted AS SELECT date_trunc('hour', ts) AS hour, count(*) AS n FROM readings WHERE ts > '2020-01-01' GROUP BY 1;
    SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off; SET learned_index.enable_aggregates = off;
    CREATE TEMP TABLE seen AS SELECT date_trunc('hour', ts) AS hour, count(*) AS n FROM readings GROUP BY 1;
    SELECT count(*) FROM ((TABLE counted EXCEPT TABLE seen) UNION ALL (TABLE seen EXCEPT TABLE counted)) d" | tail -n 1)"
  is "the table and its twin with btrees have the same rows" "0" \
    "$(admin 'SELECT count(*) FROM ((TABLE readings EXCEPT TABLE twin.readings) UNION ALL (TABLE twin.readings EXCEPT TABLE readings)) d')"
}

# Only what was killed has ended: supervisord wrote down each end of a part.
ended_once() {
  local part ends
  for part in "${PARTS[@]}"; do
    ends=$(grep -E " exited: $part " "$SERVICE_DIR/log/supervisord.log" | sed 's/.*exited: //')
    is "$part ended by its kill only" "$part (terminated by SIGKILL; not expected)" "$ends"
  done
  is "the server had no reason to panic" "" "$(grep -hE 'PANIC|TRAP|invalid page|could not read block' "$SERVICE_DIR"/log/postgres.log* | head -n 5)"
}

# Nobody minds the parts any more: they go on, and can be ended.
without_supervisor() {
  kill -9 "$(cat "$SERVICE_DIR/supervisord.pid")"
  sleep 2
  is "supervisord is killed: all parts go on" yes "$(all_work && echo yes)"
  cd /
  "$HERE/run.sh" stop >"$LOAD/stop.log" 2>&1
  is "and run.sh ends them" "0, no directory, no process" "$?, $([ -e "$SERVICE_DIR" ] || echo no directory), $(running || echo no process)"
  is "no port is open" "" "$(for name in "${PORTS[@]}"; do ! listening "${!name}" || echo "$name"; done)"
  # (The numbers of processes come again: what was there before is nobody's of these.)
  is "no shared memory is left" "" "$(ipcs -m -p | awk -v before="$SEGMENTS" 'NR == FNR { of_it[$1] = 1; next } $3 in of_it && !index(before, " " $1 " ")' "$LOAD/pids" -)"
}

[ $# -le 1 ] || { echo "usage: ${0##*/} [SECONDS]" >&2; exit 2; }
DURATION=${1:-600}
if ! [[ $DURATION =~ ^[1-9][0-9]{1,5}$ ]] || [ "$DURATION" -lt 60 ]; then fail "SECONDS is a number from 60 to 999999: $DURATION"; fi
[[ $ROWS =~ ^[1-9][0-9]{5,8}$ ]] || fail "ROWS is a number from 100000 to 999999999: $ROWS"
[ ! -e "$SERVICE_DIR" ] || fail "$SERVICE_DIR is there already"
SEGMENTS=" $(ipcs -m | awk '{ print $2 }' | tr '\n' ' ') "
"$HERE/run.sh" start || exit 1
at_exit end_load
recall_settings
LOAD=$(mktemp -d)
RESULTS=$LOAD/results
WORKSPACE=$SERVICE_DIR
BINDIR=$(sed -nE 's/^BINDIR=(.*)$/\1/p' "$SERVICE_DIR/settings")
PATH=$BINDIR:$PATH
[ -x "$BINDIR/pgbench" ] || fail "there is no pgbench in $BINDIR"

say "$DURATION s of load: $("$BINDIR/postgres" --version), $(nproc) cores, load average before $(cut -d' ' -f1-3 /proc/loadavg), $ROWS readings"
BEGIN=$(date +%s)
start_clients
kill_all
END=$((BEGIN + DURATION))
KILLED=$(($(date +%s) - BEGIN))
[ $((KILLED * 3 / 2)) -le "$DURATION" ] || END=$((BEGIN + KILLED * 3 / 2))
while [ "$(date +%s)" -lt "$END" ]; do sleep 0.2; done
touch "$LOAD/stop"
wait "${SQL_CLIENTS[@]}"
kill "$HTTP_CLIENT"
wait "$HTTP_CLIENT"
kill "$WATCHER"
wait "$WATCHER"
say "it lasted $(($(date +%s) - BEGIN)) s, the kills $KILLED s of it"
CLIENTS=()
SQL_CLIENTS=()
is "the clients had no trouble of their own" "" "$(cat "$LOAD/client.log")"
echo "# load average after: $(cut -d' ' -f1-3 /proc/loadavg)"

sql_results >"$LOAD/sql.tsv"
node "$HERE/load/report.js" "$LOAD" "$RATE_LIMIT" "$RATE_SECONDS" "$BACK_SECONDS" | tee -a "$RESULTS"
is "all parts work" yes "$(all_work && echo yes)"
nothing_lost
indexes_are_right
ended_once
if grep -q '^not ok' "$RESULTS"; then
  mkdir -p "$TEST_LOGS/logs"
  cp "$SERVICE_DIR"/log/* "$TEST_LOGS/logs/"
fi
without_supervisor
if grep -q '^not ok' "$RESULTS"; then
  mkdir -p "$TEST_LOGS"
  cp -r "$LOAD"/. "$TEST_LOGS/"
  echo "# what was seen is in $TEST_LOGS"
fi
totals "$(grep -c '^ok ' "$RESULTS")" "$(grep -c '^not ok ' "$RESULTS")" 0
