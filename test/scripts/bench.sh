#!/usr/bin/env bash
# Tests of the benchmarks and tools beside them: pictures of indexes; what the advisor says of one column, of several, of a uuid, and of what cannot be an index; and
# that the lines on several columns, on uuids, on ranges and on counting can all be measured. Needs the extension installed (scripts/test.sh does
# that) and PG_CONFIG. Lines "ok ..." and "not ok ..."; false if one is not ok.
# shellcheck disable=SC2317 # functions that ok() calls
set -uo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
BAD=0

# ok NAME COMMAND...: its output is shown if it is false.
ok() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then
    echo "ok $name"
  else
    BAD=1
    echo "not ok $name"
    printf '%s\n' "$output" | sed 's/^/#   /'
  fi
}

find_server
make_workspace

# ---- the advisor ---------------------------------------------------------------------------------

start_server shared_buffers=128MB wal_level=minimal max_wal_senders=0 autovacuum=off
psql -X -q -v ON_ERROR_STOP=1 <<'S' || fail "no test data"
CREATE TABLE reports (device int4, ts timestamptz, value int4, id uuid, note text, "odd Name" timetz);
INSERT INTO reports SELECT i % 100, timestamptz '2026-01-01' + i * interval '1 second', i % 7, md5(i::text)::uuid, 'n', '12:00+01'
  FROM generate_series(1, 50000) i;
INSERT INTO reports VALUES (NULL, NULL, NULL, NULL, NULL, NULL), (1, NULL, 1, NULL, NULL, NULL);
CREATE INDEX reports_more ON reports (device, ts, value);
CREATE TABLE keyed (a int4, b int4, PRIMARY KEY (a, b));
INSERT INTO keyed SELECT i / 10, i % 10 FROM generate_series(1, 50000) i;
CREATE TABLE nothing (a int4, b int4);
INSERT INTO nothing SELECT nullif(i % 2, 0), nullif((i + 1) % 2, 0) FROM generate_series(1, 100) i;
VACUUM ANALYZE;
S
relations() { psql -X -At -c "SELECT count(*) FROM pg_class" -c "SELECT count(*) FROM pg_extension"; }
before=$(relations)

OUTPUT=$WORKSPACE/advice
# advises 'WORD|WORD...' ARGUMENT...: the advice has each of these texts, and both methods' figures.
advises() {
  local words=$1 word
  shift
  "$ROOT/bench/advise.sh" "$@" >"$OUTPUT" 2>&1 || { cat "$OUTPUT"; return 1; }
  cat "$OUTPUT"
  while read -rd '|' word; do
    grep -qF -- "$word" "$OUTPUT" || { echo "missing: $word"; return 1; }
  done <<<"$words|index size |CREATE INDEX |one probe, |index pages per probe |bits a row for keys|recommendation: |"
}
# refuses TEXT ARGUMENT...: just this, and false.
refuses() {
  local text=$1
  shift
  if "$ROOT/bench/advise.sh" "$@" >"$OUTPUT" 2>&1 || [ "$(cat "$OUTPUT")" != "$text" ]; then
    cat "$OUTPUT"
    return 1
  fi
}

# The first line alone.
refuses_with() {
  local text=$1
  shift
  if "$ROOT/bench/advise.sh" "$@" >"$OUTPUT" 2>&1 || [ "$(head -n 1 "$OUTPUT")" != "$text" ]; then
    cat "$OUTPUT"
    return 1
  fi
}

ok 'one column' advises 'reports.ts (timestamp with time zone), about 50,002 rows|use learned: ' postgres reports ts
ok 'two columns, and the index that has more' advises 'reports (device, ts) (integer, timestamp with time zone), about|one probe, 1 row fetched|use learned: |there is: reports_more (btree|reports_more has 3 columns: to replace it, try them all, unless the first 2 are enough' \
  postgres public.reports device,ts
ok 'included columns' advises 'reports (device, ts) INCLUDE (value) (integer, timestamp with time zone, integer), about|use learned: ' \
  --include value postgres reports device,ts
ok 'a uuid' advises 'reports.id (uuid), about|one probe, 1 row fetched|use learned: ' postgres reports id
ok 'a name in quotes, and a part of the rows' advises 'reports (id, "odd Name") (uuid, time with time zone), about|a sample, blocks ' \
  --rows 20000 postgres reports 'id,odd Name'
ok 'a primary key of two columns' advises 'keep btree: keyed_pkey is a primary key|EXCLUDE USING learned (a WITH =, b WITH =)' postgres keyed a,b
WORDS='access method "learned" does not support keys of more than 4 words
DETAIL:  These columns, included ones among them, take 5: a uuid, timetz or type of another extension takes two, any other type one.
HINT:  Leave out columns, or use a btree index.'
ok 'five words' refuses "error: reports (id, device, ts, value): $WORDS" postgres reports id,device,ts,value
ok 'five words, with included ones' refuses "error: reports (id, device) INCLUDE (value, ts): $WORDS" \
  --include value,ts postgres reports id,device
ok 'a type that has no words' refuses 'error: reports (device, note): data type text has no default operator class for access method "learned"
HINT:  You must specify an operator class for the index or define a default operator class for the data type.' \
  postgres reports device,note
ok 'an included one' refuses_with 'error: reports (device) INCLUDE (note): access method "learned" does not support included columns of type text' \
  --include note postgres reports device
ok 'no such column' refuses 'error: reports has no column x' postgres reports device,x
ok 'only NULLs' refuses 'error: nothing (a, b): no row has a value in each of a, b' postgres nothing a,b
psql -X -q -d postgres -c 'CREATE DATABASE elsewhere'
psql -X -q -d elsewhere -v ON_ERROR_STOP=1 <<'S' || fail "no test data"
CREATE SCHEMA ext;
CREATE EXTENSION learned_index SCHEMA ext;
CREATE TABLE reports AS SELECT timestamptz '2026-01-01' + i * interval '1 second' AS ts FROM generate_series(1, 50000) i;
CREATE INDEX reports_ts ON reports USING learned (ts);
ANALYZE reports;
S
PGOPTIONS='-c search_path=' ok 'an extension that search_path does not lead to' advises 'use learned: ' elsewhere public.reports ts
ok 'nothing is left' test "$(relations)" = "$before"

# ---- a picture of an index -------------------------------------------------------------------------

# (Where there is no matplotlib, that is what it says.)
has_matplotlib() { python3 -c 'import matplotlib' 2>/dev/null || /usr/bin/python3 -c 'import matplotlib' 2>/dev/null; }
# draws FILE 'WORD|WORD...' ARGUMENT...: both files are there, and the SVG has each of these texts.
draws() {
  local name=$WORKSPACE/plots/$1 words=$2 word
  shift 2
  "$ROOT/bench/plot_index.sh" --output "$WORKSPACE/plots" "$@" >"$OUTPUT" 2>&1 || { cat "$OUTPUT"; return 1; }
  [ "$(cat "$OUTPUT")" = "$name.svg
$name.png" ] || { cat "$OUTPUT"; return 1; }
  [ "$(head -c 8 "$name.png" | od -An -tx1 | tr -d ' ')" = 89504e470d0a1a0a ] || return 1
  while read -rd '|' word; do
    grep -qF -- "$word" "$name.svg" || { echo "missing: $word"; return 1; }
  done <<<"$words|keys and the lines through them|bits for each entry|deltas|dead|"
}
# refuses_to_draw TEXT ARGUMENT...: just this, and false; no file.
refuses_to_draw() {
  local text=$1
  shift
  if "$ROOT/bench/plot_index.sh" --output "$WORKSPACE/no_plots" "$@" >"$OUTPUT" 2>&1 || [ "$(head -n 1 "$OUTPUT")" != "$text" ] || [ -e "$WORKSPACE/no_plots" ]; then
    cat "$OUTPUT"
    return 1
  fi
}
if has_matplotlib; then
  psql -X -q -v ON_ERROR_STOP=1 <<'S' || fail "no test data"
CREATE EXTENSION learned_index;
CREATE TABLE drawn (id int8, ts timestamptz, d date, f float8, r float4, u uuid, b bool, t timetz) WITH (autovacuum_enabled = off);
INSERT INTO drawn SELECT hashint8(i), timestamptz '2026-01-01' + (i * 10 + hashint8(i) % 5) * interval '1 second', date '2026-01-01' + i / 100, hashint8(i) / 7.0, i / 3.0, md5(i::text)::uuid, i % 3 = 0, '12:00+01'
  FROM generate_series(1, 30000) i;
INSERT INTO drawn VALUES (NULL, 'infinity', '-infinity', 'NaN', '-infinity', NULL, NULL, NULL);
CREATE INDEX drawn_id ON drawn USING learned (id);
CREATE INDEX drawn_ts ON drawn USING learned (ts);
CREATE INDEX "drawn Date" ON drawn USING learned (d DESC, ts) INCLUDE (b);
CREATE INDEX drawn_f ON drawn USING learned (f);
CREATE INDEX drawn_r ON drawn USING learned (r DESC, u);
CREATE INDEX drawn_b ON drawn USING learned (b, t);
CREATE INDEX drawn_btree ON drawn (id);
CREATE TABLE drawn_empty (id int8);
CREATE INDEX drawn_none ON drawn_empty USING learned (id);
DELETE FROM drawn WHERE id % 10 = 0;
VACUUM (INDEX_CLEANUP ON) drawn;
INSERT INTO drawn SELECT hashint8(-i), timestamptz '2026-01-02' + i * interval '1 second', '2026-01-03', i, i, md5((-i)::text)::uuid, true, '12:00' FROM generate_series(1, 500) i;
S
  ok 'integers' draws drawn_id 'drawn_id, column id (bigint)' postgres drawn_id
  ok 'moments, a few leaves' draws drawn_ts 'drawn_ts, column ts (timestamp with time zone)|2 of ' --leaves 2 postgres public.drawn_ts
  ok 'the second of two columns' draws drawn_Date 'column ts (timestamp with time zone)' --column 2 postgres '"drawn Date"'
  ok 'days, descending' draws drawn_Date 'column d (date)' postgres '"drawn Date"'
  ok 'floats' draws drawn_f 'column f (double precision)' postgres drawn_f
  ok 'floats of four bytes' draws drawn_r 'column r (real)' postgres drawn_r
  ok 'uuids' draws drawn_r 'column u (uuid)' --column 2 postgres drawn_r
  ok 'two values' draws drawn_b 'column b (boolean)' postgres drawn_b
  PGOPTIONS='-c search_path= -c datestyle=German -c timezone=Asia/Tokyo' ok 'an extension that search_path does not lead to, and what the environment tells psql' \
    draws public.reports_ts 'column ts (timestamp with time zone)' elsewhere public.reports_ts
  ok 'no such column of an index' refuses_to_draw 'error: index drawn_id has no key column 2' --column 2 postgres drawn_id
  ok 'a btree' refuses_to_draw 'error: "drawn_btree" is not a learned index' postgres drawn_btree
  ok 'no such index' refuses_to_draw 'error: relation "drawn_nowhere" does not exist' postgres drawn_nowhere
  ok 'nothing in it' refuses_to_draw 'error: index drawn_none has no entries to draw' postgres drawn_none
  ok 'no such database' refuses_to_draw 'error: connection to server on socket "'"$PGHOST/.s.PGSQL.$PGPORT"'" failed: FATAL:  database "nowhere" does not exist' nowhere drawn_id
else
  ok 'no matplotlib' refuses_to_draw 'error: python3 with matplotlib is needed (Debian: apt-get install python3-matplotlib)' postgres drawn_id
fi

# ---- the lines -----------------------------------------------------------------------------------

# At this size targets are missed; no line may fail to be measured.
# measures PATTERN: those whose name contains it.
measures() {
  BENCH_METHODS=learned,btree,brin,hash "$ROOT/bench/run.sh" --no-build --no-plots --rows 100000 --repeat 1 \
    --only "$1" --output "$WORKSPACE/results" >"$WORKSPACE/bench.log" 2>&1
  grep -E 'results in .*: [0-9]+ pass, [0-9]+ fail, 0 not measured$' "$WORKSPACE/bench.log" ||
    { cat "$WORKSPACE/bench.log"; return 1; }
}
ok 'lines on several columns and uuids can be measured' measures 'devices|tenants|uuid|included'
ok 'lines on ranges can be measured, by index scans' measures '^range'
ok 'lines that count can be measured' measures '^count'

# grows: by both sizes, each cell of the table with a ratio but for the models that only one of them has.
grows() {
  local table="$WORKSPACE/results/growth.md"
  "$ROOT/bench/run.sh" --no-build --no-plots --methods learned,btree --scale 100000,200000 --repeat 1 \
    --output "$WORKSPACE/results" >"$WORKSPACE/bench.log" 2>&1
  if ! grep -E 'results in .*: [0-9]+ pass, [0-9]+ fail, 0 not measured$' "$WORKSPACE/bench.log" ||
    [ "$(head -n 1 "$table")" != '| table | cost | 0.1M | 0.2M |' ] ||
    [ "$(grep -cE '^\| (serial|timestamps|random) \| .*x\*\* \| .*x\*\* \|$' "$table")" != 22 ] ||
    [ "$(grep -cE '^\| .* \| models of a session, kB \| [0-9.]+ \| [0-9.]+ \|$' "$table")" != 3 ]; then
    cat "$WORKSPACE/bench.log" "$table"
    return 1
  fi
}
ok 'growth can be measured' grows

exit $BAD
