#!/usr/bin/env bash
# The service end to end: what is wrongly asked for, each part by its own clients, the page in a browser, the alerts; and that
# nothing is left.
#
#   examples/service/test.sh [PART...]    all by default, or some of refused_starts, interrupted_start, loaded, closed_to_others,
#                                         pooling, caching, rest, writing, limits, outage, monitoring, compared, page
#   TEST_LOGS=...                         screenshots, and the parts' logs if something failed (build/service)
#
# Needs what run.sh needs, and Chromium; takes ten minutes where two cores are busy. Uses other ports and another directory
# than run.sh does by itself. Ends with the line "N passed, N failed, N skipped".
set -uo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
. "$HERE/../../scripts/lib.sh"
export SERVICE_DIR=${SERVICE_DIR:-${TMPDIR:-/tmp}/learned-service-test.$$}
export PORT_BASE=${PORT_BASE:-17130} ROWS=${ROWS:-200000} RATE_LIMIT=100 RATE_SECONDS=20 CACHE_SECONDS=20 SCRAPE_SECONDS=2
# shellcheck source=examples/service/settings.sh
. "$HERE/settings.sh"
# shellcheck source=examples/service/lib.sh
. "$HERE/lib.sh"

TEST_LOGS=${TEST_LOGS:-$ROOT/build/service}
RESULTS=$(mktemp)
OUTPUT=$(mktemp)
at_exit end_test

end_test() {
  "$HERE/run.sh" stop >/dev/null 2>&1
  rm -f "$RESULTS" "$OUTPUT"
}

# ---- results -------------------------------------------------------------------------------------

# refuses NAME STATUS REGEX COMMAND...: it ends with this status, says so, and leaves nothing
refuses() {
  local name=$1 status=$2 message=$3 found
  shift 3
  "$@" >"$OUTPUT" 2>&1
  found=$?
  if [ "$found" = "$status" ] && grep -qE "$message" "$OUTPUT" && [ ! -e "$SERVICE_DIR" ] && ! running; then
    ok "$name"
  else
    not_ok "$name" "status $found, expected $status and: $message"$'\n'"$(cat "$OUTPUT")"
  fi
}

section() {
  say "$1 ($SECONDS s)"
  # Clients are told apart by their addresses: each section is another one, with a limit of its own.
  CLIENT=127.0.0.$((SECTION = SECTION + 1))
}
SECTION=10

# http PATH CURL-OPTION...: sets STATUS, BODY and HEADERS
http() {
  local path=$1
  shift
  STATUS=$(curl -s -m 90 --path-as-is --interface "$CLIENT" -D "$OUTPUT.headers" -o "$OUTPUT" -w '%{http_code}' "$@" "http://$ADDRESS:$GATEWAY_PORT$path")
  BODY=$(cat "$OUTPUT")
  HEADERS=$(cat "$OUTPUT.headers" 2>/dev/null)
  rm -f "$OUTPUT.headers"
}
managed() {
  local path=$1
  shift
  http "$path" -H "Authorization: Bearer $(secret token)" "$@"
}
json() { jq -r "$1" <<<"$BODY"; }
# answers NAME STATUS REGEX: about the last request
answers() {
  if [ "$STATUS" = "$2" ] && grep -qE -- "$3" <<<"$BODY"; then ok "$1"; else not_ok "$1" "expected $2 and: $3"$'\n'"found $STATUS: $BODY"; fi
}
sql() { ask gateway "$POSTGRES_PORT" service -At -c "$1" 2>&1; }

# ---- what is wrongly asked for -----------------------------------------------------------------------

refused_starts() {
  local bin listener
  section "bad input to run.sh"
  refuses "without a word: usage" 2 '^usage: ' "$HERE/run.sh"
  refuses "with a wrong word: usage" 2 '^usage: ' "$HERE/run.sh" restart
  refuses "status of what does not run" 3 'not running' "$HERE/run.sh" status
  refuses "stop of what does not run" 0 'not running' "$HERE/run.sh" stop
  refuses "a directory that is no path" 1 'absolute path' env SERVICE_DIR='x y' "$HERE/run.sh" start
  refuses "a directory in none" 1 'no directory /nowhere' env SERVICE_DIR=/nowhere/x "$HERE/run.sh" start
  refuses "a port that is none" 1 'PGPOOL_PORT is a port' env PGPOOL_PORT=80 "$HERE/run.sh" start
  refuses "a first port that is none" 1 'PORT_BASE is the first of eight ports' env PORT_BASE=seventeen "$HERE/run.sh" start
  refuses "ports that are none, of the first one" 1 'EXPORTER_PORT is a port' env PORT_BASE=65531 "$HERE/run.sh" start
  refuses "a port in another way of writing" 1 'PCP_PORT is a port' env PCP_PORT=017205 "$HERE/run.sh" start
  refuses "one port for two" 1 'cannot have one port: 17200' env PGPOOL_PORT=17200 PCP_PORT=17200 "$HERE/run.sh" start
  refuses "a number that is none" 1 'ROWS is a number' env ROWS=many "$HERE/run.sh" start
  node -e 'require("net").createServer().listen(+process.argv[1], process.argv[2], () => console.log("listening"))' \
    "$PROMETHEUS_PORT" "$ADDRESS" >"$OUTPUT.listener" &
  listener=$!
  until grep -q listening "$OUTPUT.listener"; do sleep 0.1; done
  refuses "a port that is taken" 1 "port $PROMETHEUS_PORT of $ADDRESS is taken" "$HERE/run.sh" start
  kill "$listener"
  wait "$listener" 2>/dev/null
  rm -f "$OUTPUT.listener"

  # Programs that say what they would say if it were so.
  bin=$(mktemp -d)
  printf '#!/bin/sh\necho v18.20.4\n' >"$bin/node"
  chmod +x "$bin/node"
  refuses "node is too old" 1 'node 20 or later is needed, and .* is v18.20.4' env PATH="$bin:$PATH" "$HERE/run.sh" start
  rm "$bin/node"
  # shellcheck disable=SC2016 # the script's own
  printf '#!/bin/sh\ncase "$*" in *pgbouncer) exit 1 ;; esac\nexec /usr/bin/dpkg-query "$@"\n' >"$bin/dpkg-query"
  # shellcheck disable=SC2016
  printf '#!/bin/sh\ncase "$*" in *" -s "* | "-s "* | *update) exit 0 ;; esac\necho "E: Unable to locate package"\nexit 100\n' >"$bin/apt-get"
  chmod +x "$bin"/*
  refuses "a package that is not to be had" 1 'apt-get could not install: pgbouncer=' env PATH="$bin:$PATH" "$HERE/run.sh" start
  is "and the policy that kept services from starting is as before" "$POLICY_BEFORE" "$(policy)"
  rm -r "$bin"

  mkdir "$SERVICE_DIR"
  "$HERE/run.sh" start >"$OUTPUT" 2>&1
  is "a directory that is there already" "1 yes" "$? $(grep -q 'is there already' "$OUTPUT" && [ -d "$SERVICE_DIR" ] && echo yes)"
  "$HERE/run.sh" stop >"$OUTPUT" 2>&1
  is "a directory of somebody else's is not removed" "1 yes" "$? $([ -d "$SERVICE_DIR" ] && echo yes)"
  rmdir "$SERVICE_DIR"
  if [ "$(id -u)" = 0 ]; then
    bin=$(mktemp -d) # which only root may enter, as /root
    printf '#!/bin/sh\necho v20.1.0\n' >"$bin/node"
    chmod +x "$bin/node"
    refuses "a node that the server's user cannot run" 1 "the user $SERVER_USER, who runs the parts, has no right to $bin/node" env PATH="$bin:$PATH" "$HERE/run.sh" start
    refuses "a directory that the server's user cannot enter" 1 "the user $SERVER_USER, who runs the parts, has no right to enter $bin;" env SERVICE_DIR="$bin/service" "$HERE/run.sh" start
    rm -r "$bin"
    # As somebody without rights, who can read neither root's files nor make a directory there.
    bin=$(mktemp -d)
    mkdir -p "$bin/examples"
    cp -r "$ROOT/scripts" "$bin/"
    cp -r "$HERE" "$bin/examples/"
    chmod -R a+rX "$bin"
    cd /
    refuses "no right to the directory" 1 'no right to make /root/service' \
      runuser -u nobody -- env SERVICE_DIR=/root/service "$bin/examples/service/run.sh" start
    rm -r "$bin"
  fi
}
policy() { cat "$POLICY" 2>&1; }

# Interrupted while the database is made, when the server runs.
interrupted_start() {
  local starter
  section "a start that is interrupted"
  setsid "$HERE/run.sh" start >"$OUTPUT" 2>&1 &
  starter=$!
  until grep -q 'the database: ' "$OUTPUT" || ! kill -0 "$starter" 2>/dev/null; do sleep 0.2; done
  sleep 2
  kill -TERM "$starter"
  wait "$starter"
  is "ends with the signal's status, and leaves nothing" "143, no directory, no process" \
    "$?, $([ -e "$SERVICE_DIR" ] || echo no directory), $(running || echo no process)"
}

# The short form of load.sh, which starts a service of its own.
loaded() {
  section "load, and each part killed"
  refuses "a time that is none" 1 'SECONDS is a number' "$HERE/load.sh" ten
  refuses "two of them" 2 '^usage: ' "$HERE/load.sh" 60 60
  refuses "readings that are none" 1 'ROWS is a number' env ROWS=many "$HERE/load.sh"
  refuses "a share that is none" 1 'PERCENT is a number' env PERCENT=all "$HERE/load.sh"
  PERCENT="${PERCENT:-30}" BACK_SECONDS="${BACK_SECONDS:-60}" TEST_LOGS="$TEST_LOGS/load" "$HERE/load.sh" 60 | tee "$OUTPUT"
  sed -nE 's/^(not ok|ok) - /&load: /p' "$OUTPUT" >>"$RESULTS"
  like "the load's last line" '^[1-9][0-9]* passed, 0 failed, 0 skipped$' "$(tail -n 1 "$OUTPUT")"
}

# ---- what is open ------------------------------------------------------------------------------------

closed_to_others() {
  local name file others=
  section "who may come in"
  for name in "${PORTS[@]}"; do
    # In /proc/net: addresses in hexadecimal, 0A is LISTEN.
    awk -v port="$(printf '%04X' "${!name}")" '$4 == "0A" && $2 ~ ":" port "$" && $2 !~ "^0100007F:" { bad = 1 } END { exit !bad }' \
      /proc/net/tcp /proc/net/tcp6 && others+="$name "
  done
  is "all parts listen on loopback only" "" "$others"
  is "the directory is for its user only" "700" "$(stat -c %a "$SERVICE_DIR")"
  others=$(find "$SERVICE_DIR/secret" "$SERVICE_DIR/config" "$SERVICE_DIR/gateway/env" -type f ! -perm 600)
  is "what has a password in it is so, too" "" "$others"
  others=$(for file in $(processes); do
    [ "$(stat -c %U "/proc/$file")" = "$SERVER_USER" ] || echo "$file is of another user"
    cp "/proc/$file/cmdline" "$OUTPUT" && grep -qaF -f <(cat "$SERVICE_DIR"/secret/{gateway,manager,monitor,cached,token}) "$OUTPUT" && echo "$file tells a password"
  done)
  is "all run as $SERVER_USER, and no password is in a command line" "" "$others"
  like "the superuser does not come by TCP" 'pg_hba.conf rejects' "$(psql -X -w -h "$ADDRESS" -p "$POSTGRES_PORT" -U postgres -d service -c 'SELECT 1' 2>&1)"
  for name in POSTGRES_PORT PGBOUNCER_PORT PGPOOL_PORT; do
    like "a wrong password does not do, $name" 'authentication failed' \
      "$(PGPASSWORD=wrong psql -X -h "$ADDRESS" -p "${!name}" -U cached -d service -c 'SELECT 1' 2>&1)"
  done
  like "the gateway's role may not write to what it shows" 'permission denied' "$(sql 'DELETE FROM readings')"
  like "nor run the check" 'permission denied' "$(sql "SELECT learned_index_check('readings_ts')")"
}

# ---- the parts ---------------------------------------------------------------------------------------

pooling() {
  section "PgBouncer"
  (cd "$MODULES" && cp "$HERE/test/pooling.js" . &&
    PGPASSWORD=$(secret gateway) timeout 120 node pooling.js "$ADDRESS" "$PGBOUNCER_PORT" "$POSTGRES_PORT") | tee -a "$RESULTS"
  like "PgBouncer: says how often it was asked" '^service\|[1-9]' "$(ask monitor "$PGBOUNCER_PORT" pgbouncer -At -c 'SHOW STATS_TOTALS')"
}

cached() { ask cached "$PGPOOL_PORT" service -At 2>&1; }
cache_figure() { cached <<<'SHOW POOL_CACHE' | cut -d'|' -f"$1"; }
HITS=1
SELECTS=2
ENTRIES=6
caching() {
  local threshold='SELECT high FROM thresholds WHERE device = 7' before after count i
  section "pgpool's query cache"
  count="SELECT count(*) FROM ranges WHERE first_ip BETWEEN 1000000000 AND 2000000000"
  before=$(cache_figure $HITS)
  after=$(printf '%s;\n%s;\n%s;\n' "$count" "$count" "$count" | cached | sort -u)
  is "three times the same answer, that of the server" "$(sql "$count")" "$after"
  is "two of them were hits" $((before + 2)) "$(cache_figure $HITS)"
  like "hits and selects are told" '^[0-9]+ [0-9]+$' "$(cache_figure $HITS) $(cache_figure $SELECTS)"

  is "an UPDATE by way of pgpool makes it ask again" "25 25 30" \
    "$(printf '%s;\n%s;\nUPDATE thresholds SET high = 30 WHERE device = 7;\n%s;\n' "$threshold" "$threshold" "$threshold" | cached | words)"
  echo "# what it must not be used for:"
  is "stale: a write inside a function" "30 30" \
    "$(printf '%s;\nSELECT set_threshold(7, 31);\n%s;\n' "$threshold" "$threshold" | cached | words)"
  is "stale: a write inside DO" "25 25" "$(cached <<'SQL' | words
SELECT high FROM thresholds WHERE device = 8;
DO $$ BEGIN UPDATE thresholds SET high = 40 WHERE device = 8; END $$;
SELECT high FROM thresholds WHERE device = 8;
SQL
)"
  admin 'UPDATE thresholds SET high = 50 WHERE device = 9' >/dev/null
  is "stale: a write past it" "50 50" \
    "$(printf '%s;\n' 'SELECT high FROM thresholds WHERE device = 9' | cached | words) $(admin 'UPDATE thresholds SET high = 51 WHERE device = 9' >/dev/null
      printf '%s;\n' 'SELECT high FROM thresholds WHERE device = 9' | cached)"
  is "wrong: answers are kept by the text of the query, and SET is none of it" \
    "2026-01-01 00:00:00.408+00 2026-01-01 00:00:00.408+00" "$(cached <<'SQL' | words
SET timezone = 'UTC';
SELECT ts FROM readings WHERE id = 5;
SET timezone = 'Asia/Tokyo';
SELECT ts FROM readings WHERE id = 5;
SQL
)"
  say "waiting for the answers to expire"
  sleep $((CACHE_SECONDS + 1))
  is "after $CACHE_SECONDS seconds all are asked for again" "31 40 51 2026-01-01 09:00:00.408+09" "$(cached <<'SQL' | words
SELECT high FROM thresholds WHERE device = 7;
SELECT high FROM thresholds WHERE device = 8;
SELECT high FROM thresholds WHERE device = 9;
SET timezone = 'Asia/Tokyo';
SELECT ts FROM readings WHERE id = 5;
SQL
)"
  # 4 MB of cache, and answers of 50 kB: room for 64.
  for i in $(seq 80); do echo "SELECT repeat(chr(64 + $i % 26), 50000), $i FROM thresholds WHERE device = $i;"; done | cached >/dev/null
  before=$(cache_figure $HITS)
  echo "SELECT repeat(chr(64 + 80 % 26), 50000), 80 FROM thresholds WHERE device = 80;" | cached >/dev/null
  is "the newest of many answers is there" $((before + 1)) "$(cache_figure $HITS)"
  echo "SELECT repeat(chr(64 + 1 % 26), 50000), 1 FROM thresholds WHERE device = 1;" | cached >/dev/null
  is "the oldest has made room for it" $((before + 1)) "$(cache_figure $HITS)"
  like "no more are kept than there is room for" '^([0-9]|[1-9][0-9])$' "$(cache_figure $ENTRIES)"
}
words() { tr '\n' ' ' | sed 's/UPDATE 1 //g; s/DO //g; s/ *$//; s/  */ /g'; }

rest() {
  local oracle
  section "REST"
  http '/readings?where.ts.gte=2026-01-01T01:00:00Z&where.ts.lt=2026-01-01T01:00:01Z&orderby.ts=asc'
  oracle=$(sql "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off;
    SELECT string_agg(id || ' ' || device, ',' ORDER BY ts) FROM readings
     WHERE ts >= '2026-01-01 01:00:00+00' AND ts < '2026-01-01 01:00:01+00'" | tail -n 1)
  is "readings of a second, as a sequential scan has them" "$oracle" "$(json '[.[] | "\(.id) \(.device)"] | join(",")')"
  like "by the learned index" 'using readings_ts' \
    "$(sql "EXPLAIN SELECT id FROM public.readings WHERE ts >= '2026-01-01 01:00:00+00' AND ts < '2026-01-01 01:00:01+00' ORDER BY ts LIMIT 10")"
  http '/ranges?where.firstIp.lte=134744072&orderby.firstIp=desc&limit=1'
  is "the country of 8.8.8.8" us "$(json '.[0].country')"
  http '/readings/17'
  is "one reading" "$(sql 'SELECT device FROM readings WHERE id = 17')" "$(json .device)"
  http /documentation/json
  is "OpenAPI tells of all that there is" \
    "3.0.3 /demo/compare/addresses /demo/compare/readings /demo/data /management/check /management/indexes /ranges/ /ranges/{id} /readings/ /readings/{id} /status" \
    "$(json '.openapi, (.paths | keys[])' | words)"
  http /status
  answers "health" 200 '"ok"'

  http '/readings?where.ts.gte=yesterday-ish'
  answers "a time that is none" 400 'invalid input syntax'
  http '/readings?where.ts.gte=2026-99-99T00:00:00Z'
  answers "a time out of all bounds" 400 'out of range'
  http '/ranges?where.firstIp.gte=99999999999999999999999'
  answers "a number that is too large" 400 .
  http '/readings?limit=1000000'
  answers "more rows than one may have" 400 'Max accepted value 100'
  http '/readings?fields=password'
  answers "a column that is not there" 400 'allowed values'
  http '/readings?where.tss.gte=2026-01-01T00:00:00Z'
  answers "a slip in a condition" 400 'no property ."where.tss.gte'
  http '/readings?orderby.tss=asc'
  answers "and in an order" 400 'no property ."orderby.tss'
  http '/demo/compare/addresses?question=count&from=1.0.0.0&to=2.0.0.0&device=7'
  answers "a parameter that there is not" 400 'no property ."device'
  http '/readings/999999999'
  answers "a reading that is not there" 404 .
  http '/thresholds'
  answers "a table that is not shown" 404 .
  http '/demo/../env'
  answers "a file outside the page's directory" 403 Forbidden
  http '/readings?where.ts.gte=2026-01-02T00:00:00Z&where.ts.lt=2026-01-01T00:00:00Z'
  answers "an empty range has no rows" 200 '^\[\]$'
}

writing() {
  local body='{"device": 7, "ts": "2026-01-01T12:00:00.5Z", "value": 21.5}' before value
  section "writing, and management, with a token"
  before=$(sql "SELECT count(*) FROM readings WHERE ts = '2026-01-01 12:00:00.5+00'")
  http /readings -H 'content-type: application/json' -d "$body"
  answers "no token" 401 'missing authorization header'
  like "the answer says what is missing" '^www-authenticate: Bearer' "$HEADERS"
  http /readings -H 'Authorization: Bearer 0123456789abcdef' -H 'content-type: application/json' -d "$body"
  answers "a wrong token" 401 'invalid authorization header'
  is "nothing was written" "$before" "$(sql "SELECT count(*) FROM readings WHERE ts = '2026-01-01 12:00:00.5+00'")"
  managed /readings -H 'content-type: application/json' -d "$body"
  answers "with the token a reading is written" 200 '"device":7'
  is "and found by its index" $((before + 1)) "$(sql "SELECT count(*) FROM readings WHERE ts = '2026-01-01 12:00:00.5+00'")"
  managed /readings -H 'content-type: application/json' -d '{"device": 7, "ts":'
  answers "malformed JSON" 400 'not valid JSON'
  managed /readings -H 'content-type: text/plain' -d 'device=7'
  answers "no JSON at all" 400 'must be object'
  managed /readings -H 'content-type: application/json' -d '{"device": "seven", "ts": "2026-01-01T12:00:00Z", "value": 1}'
  answers "a device that is none" 400 'must be integer'
  for value in null true '"7"' 7.5 '[7]'; do
    managed /readings -H 'content-type: application/json' -d "{\"device\": $value, \"ts\": \"2026-01-01T12:00:00.5Z\", \"value\": 1}"
    answers "a device that is $value" 400 'body/device must be integer'
  done
  managed /readings -H 'content-type: application/json' -d '{"device": 7, "ts": "2026-01-01T12:00:00.5Z", "value": 1, "valeu": 2}'
  answers "a slip in what is written" 400 'no property ."valeu'
  for value in infinity 292277-01-01T00:00:00Z 0001-01-01T00:00:00Z; do
    managed /readings -H 'content-type: application/json' -d "{\"device\": 7, \"ts\": \"$value\", \"value\": 1}"
    answers "a time that no reading has, $value" 409 'readings_ts_check'
  done
  managed /readings -H 'content-type: application/json' -d '{"id": "5", "device": 7, "ts": "2026-01-01T12:00:00.5Z", "value": 1}'
  answers "a number for the reading, which the database gives" 400 '"id'
  is "of all that, nothing was written" $((before + 1)) "$(sql "SELECT count(*) FROM readings WHERE ts = '2026-01-01 12:00:00.5+00'")"
  managed /readings -H 'content-type: application/json' -d '{"device": 100000, "ts": "2026-01-01T12:00:00Z", "value": 1}'
  answers "a device that there cannot be" 409 'readings_device_check'
  managed /readings -H 'content-type: application/json' -d "{\"device\": 1, \"x\": \"$(printf '%070000d' 0)\"}"
  answers "too much" 413 .
  managed /readings/1 -X DELETE
  answers "deleting is not offered" 404 .

  for path in /management/indexes /management/../management/indexes '/%6Danagement/indexes' '/management/indexes?token=x'; do
    http "$path"
    case $STATUS in 401 | 404) ok "no token, no $path" ;; *) not_ok "no token, no $path" "$STATUS $BODY" ;; esac
  done
  managed /management/indexes
  is "the view learned_indexes" "ranges_first_ip readings_device_ts readings_ts" "$(json '.[].indexname' | words)"
  is "says that all are smaller than btrees" true "$(json 'map(.times_smaller > 2) | all')"
  check() { managed /management/check -H 'content-type: application/json' -d "$1"; }
  check '{"index": "readings_device_ts", "heapallindexed": true}'
  answers "the check of a sound index" 200 '"sound":true'
  check '{"index": "twin.readings_ts"}'
  answers "an index that is not learned" 422 'is not a learned index'
  check '{"index": "readings"}'
  answers "what is no index" 422 'is not an index'
  check '{"index": "nowhere"}'
  answers "what is not there" 404 'does not exist'
  check "{\"index\": \"x'; DROP TABLE ranges; --\"}"
  answers "what would be more than a name" 400 'invalid name syntax'
  check '{"index": "a.b.c.d"}'
  answers "a name of too many parts" 400 'too many dotted names'
  check '{"index": "elsewhere.public.readings_ts"}'
  answers "one in another database" 400 'cross-database references'
  check '{"indexes": 1}'
  answers "the wrong key" 400 'no property ."indexes'
  check '{}'
  answers "no key" 400 "required property 'index'"
  check '{"index": 7}'
  answers "a name that is none" 400 'body/index must be string'
  check '{"index": "readings_ts"'
  answers "malformed JSON" 400 'not valid JSON'
  damaged_check
}

# A page of an index is overwritten while the server does not look: an answer, and no failure.
damaged_check() {
  local file
  admin 'CREATE TABLE damaged AS SELECT generate_series(1, 10000) AS i' >/dev/null
  admin 'CREATE INDEX damaged_i ON damaged USING learned (i)' >/dev/null
  file=$SERVICE_DIR/data/$(admin "SELECT pg_relation_filepath('damaged_i')")
  admin 'CHECKPOINT' >/dev/null
  as_server_user supervisorctl -c "$SERVICE_DIR/config/supervisord.conf" stop postgres >/dev/null
  printf '\377\377\377\377' | dd of="$file" bs=1 seek=$((8192 + 600)) conv=notrunc status=none
  as_server_user supervisorctl -c "$SERVICE_DIR/config/supervisord.conf" start postgres >/dev/null
  until_works postgres gateway
  check '{"index": "damaged_i"}'
  answers "a damaged index" 200 '"sound":false.*"message"'
  admin 'DROP TABLE damaged' >/dev/null
}

until_works() {
  local part i
  for part in "$@"; do
    for i in $(seq 150); do
      ! part_works "$part" || break
      sleep 0.2
    done
    part_works "$part" || not_ok "$part came back" "$(curl -s -m 20 "http://$ADDRESS:$GATEWAY_PORT/status" 2>&1)"
  done
}

limits() {
  local burst wait
  section "limits"
  # One process, many requests; whoever writes another address into a header is the same client.
  burst=$(curl -s --interface "$CLIENT" -H 'X-Forwarded-For: 10.1.1.1' -o /dev/null -w '%{http_code}\n' "http://$ADDRESS:$GATEWAY_PORT/ranges/[1-300]" | sort | uniq -c | words)
  like "of a burst of 300 a hundred are served, the rest are not" '^ ?100 200 200 429$' "$burst"
  echo "# $burst"
  http /ranges/1
  answers "429 says what is the matter" 429 'Rate limit exceeded'
  wait=$(sed -nE 's/^retry-after: ([0-9]+).*/\1/p' <<<"$HEADERS")
  like "and when to come back" '^(20|1?[0-9])$' "$wait"
  http /management/indexes -H 'Authorization: Bearer guess'
  answers "who guesses tokens is limited, too" 429 .
  http /status
  answers "health is not limited" 200 ok
  CLIENT=127.0.0.9 http /ranges/1
  answers "another client is not concerned" 200 '"country"'
  sleep $((wait + 1))
  http /ranges/1
  answers "after that time it is served again" 200 '"country"'
}

# The server is killed: clients hear of it, and it comes back by itself.
outage() {
  local i supervisor
  section "the server is killed"
  supervisor=$(cat "$SERVICE_DIR/supervisord.pid")
  managed /readings -H 'content-type: application/json' -d '{"device": 9, "ts": "2026-01-01T13:00:00.5Z", "value": 1}'
  answers "a reading is written" 200 '"device":9'
  # (Who starts it again is held until it has been seen that it is gone.)
  kill -STOP "$supervisor"
  kill -9 "$(head -n 1 "$SERVICE_DIR/data/postmaster.pid")"
  for i in $(seq 100); do
    http /status
    [ "$STATUS" = 200 ] || break
    sleep 0.1
  done
  answers "health says so" 503 .
  like "and when to ask again" '^retry-after: [0-9]+' "$HEADERS"
  kill -CONT "$supervisor"
  until_works "${PARTS[@]}"
  http '/ranges/1'
  answers "it is served again" 200 '"country"'
  is "what was written is there" 1 "$(sql "SELECT count(*) FROM readings WHERE ts = '2026-01-01 13:00:00.5+00'")"
  pgpool_killed
  # (The gateway's own pool says so when all of its connections have been in use for long.)
  is "when no connection gets free, the answer is 503" '[503,"the database is busy"]' \
    "$(node -p 'JSON.stringify(require(process.argv[1]).statusOf({ code: "CONNECTION_POOL:QUEUE_TIMEOUT", message: "" }))' "$HERE/gateway/errors.js")"
}

# Without its first process pgpool goes on to serve, so that it is not enough that it does.
pgpool_killed() {
  local before now i
  before=$(cat "$SERVICE_DIR/pgpool/group")
  kill -9 "$before"
  for i in $(seq 150); do
    now=$(cat "$SERVICE_DIR/pgpool/group")
    [ "$now" = "$before" ] || ! part_works pgpool || break
    sleep 0.2
  done
  sleep 3
  is "pgpool is killed: another one serves, and goes on to" "another, $now, yes" \
    "$([ "$now" = "$before" ] || echo another), $(cat "$SERVICE_DIR/pgpool/group"), $(part_works pgpool && echo yes)"
  is "and nothing is left of the one before" "no process, no memory" \
    "$(pgrep -g "$before" -l || echo no process), $(ipcs -m -p | awk -v pid="$before" '$3 == pid' | grep . || echo no memory)"
}

# query PROMQL: how many series
query() { curl -s --data-urlencode "query=$1" "http://$ADDRESS:$PROMETHEUS_PORT/api/v1/query" | jq -r 'if .status == "success" then .data.result | length else .error end'; }
monitoring() {
  local i expression
  section "monitoring"
  like "the configuration of Prometheus" SUCCESS "$(cd "$SERVICE_DIR/config" && promtool check config prometheus.yml 2>&1)"
  like "the alerts do what their tests say" SUCCESS "$(cd "$HERE/monitoring" && promtool test rules alerts_test.yml 2>&1)"
  for i in $(seq 100); do
    [ "$(query 'up == 1')" != 2 ] || [ "$(query 'count(learned_index_entries) == 3')" != 1 ] || break
    sleep 0.3
  done
  is "both targets are scraped" 2 "$(query 'up == 1')"
  is "three learned indexes are watched" 3 "$(query 'learned_index_bytes')"
  is "the figures are the view's" "$(ask manager "$POSTGRES_PORT" service -At -c "SELECT size FROM learned_indexes WHERE indexname = 'ranges_first_ip'")" \
    "$(curl -s --data-urlencode 'query=learned_index_bytes{indexname="ranges_first_ip"}' "http://$ADDRESS:$PROMETHEUS_PORT/api/v1/query" | jq -r '.data.result[0].value[1]')"
  is "all alerts are loaded and sound" "ok 7" \
    "$(curl -s "http://$ADDRESS:$PROMETHEUS_PORT/api/v1/rules" | jq -r '[.data.groups[].rules[].health] | "\(unique | join(",")) \(length)"')"
  # Requests must have been seen twice for a rate.
  http /ranges/1
  sleep $((2 * SCRAPE_SECONDS + 1))
  while read -r expression; do
    like "the dashboard's: $expression" '^[1-9][0-9]*$' "$(query "$expression")"
  done < <(jq -r '.panels[].targets[].expr' "$HERE/monitoring/dashboard.json")
}

compared() {
  section "the demo's questions"
  local question
  for question in count first groups average device; do
    http "/demo/compare/readings?question=$question&from=2026-01-01T01:00:00Z&to=2026-01-01T04:00:00Z&device=3"
    is "readings, $question: both agree" true "$(json .agree)"
  done
  for question in count first groups lookup; do
    http "/demo/compare/addresses?question=$question&from=1.0.0.0&to=99.255.255.255"
    is "addresses, $question: both agree" true "$(json .agree)"
  done
  http '/demo/compare/readings?question=count&from=2026-01-01T04:00:00Z&to=2026-01-01T01:00:00Z'
  answers "an empty range" 400 'the range is empty'
  http '/demo/compare/readings?question=count&from=9999-12-31T00:00:00Z&to=9999-12-31T00:00:01Z'
  answers "a range where nothing is" 200 '"readings":0'
  http '/demo/compare/readings?question=count&from=2026-13-41T00:00:00Z&to=2026-01-01T01:00:00Z'
  answers "an absurd one" 400 'out of range'
  http '/demo/compare/addresses?question=count&from=1.2.3.4&to=999.1.1.1'
  answers "an address that is none" 400 '999'
  http '/demo/compare/readings?question=drop&from=2026-01-01T04:00:00Z&to=2026-01-01T01:00:00Z'
  answers "a question that there is not" 400 'allowed values'
  http '/demo/compare/readings?question=device&device=5000&from=2026-01-01T01:00:00Z&to=2026-01-01T02:00:00Z'
  answers "a device that there is not" 400 'must be <= 999'
}

page() {
  local browser
  section "the page in a browser"
  browser=$(command -v chromium-headless-shell || command -v chromium)
  mkdir -p "$TEST_LOGS"
  # A page asks a question after the other: the limit of its client is not what is tested here.
  (cd "$MODULES" && cp "$HERE/test/browser.js" . &&
    timeout 300 node browser.js "http://$ADDRESS:$GATEWAY_PORT/demo/" "$browser" "$TEST_LOGS") | tee -a "$RESULTS"
  echo "# screenshots in $TEST_LOGS"
}

ending() {
  section "the end"
  # (What the page asked last may still keep a slow machine busy.)
  until_works "${PARTS[@]}"
  # (What the environment has of other servers, and of proxies on the way to them, is about others.)
  PGHOSTADDR=192.0.2.1 PGSSLMODE=require PGTARGETSESSIONATTRS=standby http_proxy=http://192.0.2.1:9 "$HERE/run.sh" status >"$OUTPUT" 2>&1
  is "status: all work" "0 6" "$? $(grep -c ' works$' "$OUTPUT")"
  like "and hits are told" 'num_cache_hits' "$(cat "$OUTPUT")"
  "$HERE/run.sh" start >"$OUTPUT" 2>&1
  is "a second start is refused, and the first goes on" "1 yes" "$? $(grep -q 'running already' "$OUTPUT" && part_works gateway && echo yes)"
  cd /
  "$HERE/run.sh" stop >"$OUTPUT" 2>&1
  is "stop" "0, no directory, no process" "$?, $([ -e "$SERVICE_DIR" ] || echo no directory), $(running || echo no process)"
  is "no port is open" "" "$(for name in "${PORTS[@]}"; do ! listening "${!name}" || echo "$name"; done)"
}

POLICY_BEFORE=$(policy)
BEFORE=(refused_starts interrupted_start loaded)
RUNNING=(closed_to_others pooling caching rest writing limits outage monitoring compared page)
CHOSEN=" ${*:-${BEFORE[*]} ${RUNNING[*]}} "
for part in "$@"; do
  [[ " ${BEFORE[*]} ${RUNNING[*]} " == *" $part "* ]] || fail "there is no part $part"
done
chosen() { [[ $CHOSEN == *" $1 "* ]]; }

[ ! -e "$SERVICE_DIR" ] || fail "$SERVICE_DIR is there already"
require_packages "${TEST_PACKAGES[@]}"
for part in "${BEFORE[@]}"; do ! chosen "$part" || "$part"; done
section "start"
if "$HERE/run.sh" start >"$OUTPUT" 2>&1; then
  ok "start"
  recall_settings
  fetch_modules
  WORKSPACE=$SERVICE_DIR
  PATH=$(dirname "$(psql_command)"):$PATH
  for part in "${RUNNING[@]}"; do ! chosen "$part" || "$part"; done
  if grep -q '^not ok' "$RESULTS"; then
    mkdir -p "$TEST_LOGS/logs"
    cp "$SERVICE_DIR"/log/* "$TEST_LOGS/logs/"
    echo "# logs of the parts in $TEST_LOGS/logs"
  fi
  ending
else
  not_ok "start" "$(cat "$OUTPUT")"
fi
totals "$(grep -c '^ok ' "$RESULTS")" "$(grep -c '^not ok ' "$RESULTS")" 0
