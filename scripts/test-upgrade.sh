#!/usr/bin/env bash
# Tests pg_upgrade from PostgreSQL 15 to 17 to 18 to 19, with the files of learned indexes kept: by copies at the first
# step, by hard links at the second, and at the third by moving the directories (--swap).
#
#   scripts/test-upgrade.sh         in the root file systems of test-matrix.sh, which are made if there are none
#   LEARNED_CACHE=..., DEBIAN_MIRROR=... as for scripts/test-matrix.sh
#
# pg_upgrade runs the old server's programs beside the new one's: they are bound into the new release's root file
# system, with those of the old release's shared libraries that the new one does not have. Needs root. Ends with a
# line "N passed, N failed, N skipped"; logs are in build/test-upgrade. A step whose root file system cannot be made is
# skipped, with those after it.
set -uo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/roots.sh
. "$(dirname "${BASH_SOURCE[0]}")/roots.sh"

LOGS=$ROOT/build/test-upgrade
PASSED=0
FAILED=0

# ok STATUS TEXT [LOG]
ok() {
  if [ "$1" = 0 ]; then
    PASSED=$((PASSED + 1))
    echo "    ok: $2"
  else
    FAILED=$((FAILED + 1))
    echo "    FAILED: $2"
    [ -z "${3:-}" ] || tail -n 30 "$3" | sed 's/^/      /'
  fi
}

# A root file system with the extension of this source tree in its server; nobody else's until the end.
prepare_root() {
  local root
  root=$(root_of "$1")
  # shellcheck disable=SC2016 # expanded over there
  copy_source "$root" && in_root "$root" env PG_MAJOR="$1" bash -c \
    '. "$1/scripts/lib.sh" && find_server && install_extension' bash "$SOURCE"
}

# on MAJOR OLD COMMAND...: in the root of one server, with the older one's programs at hand (0: none), as the
# server's user and in the work directory, which is /srv/upgrade there.
on() {
  local major=$1 old=$2 root old_root owner
  root=$(root_of "$major")
  shift 2
  BINDS=("$WORKSPACE/shared" /srv/upgrade)
  if [ "$old" != 0 ]; then
    old_root=$(root_of "$old")
    BINDS+=("$old_root/usr/lib/postgresql/$old" "/usr/lib/postgresql/$old"
      "$old_root/usr/share/postgresql/$old" "/usr/share/postgresql/$old")
  fi
  owner=$(awk -F: '$1 == "postgres" { print $3 ":" $4 }' "$root/etc/passwd")
  chown -R "$owner" "$WORKSPACE/shared"
  in_root "$root" env LC_ALL=C LD_LIBRARY_PATH="/srv/upgrade/libraries-$old" setpriv --reuid="${owner%:*}" --regid="${owner#*:}" \
    --clear-groups env HOME=/srv/upgrade bash -c 'cd /srv/upgrade && "$@"' bash "$@"
}

# What in_root made to bind to, empty now.
remove_mount_points() {
  local root major old
  for major in "${MAJORS[@]}"; do
    root=$(root_of "$major")
    rmdir "$root/srv/upgrade"
    for old in "${MAJORS[@]}"; do
      [ "$old" = "$major" ] || rmdir "$root"/usr/{lib,share}/postgresql/"$old"
    done
  done 2>/dev/null
}

# Those shared libraries of the old server's programs that the new release does not have, and what they need in turn.
gather_libraries() {
  local major=$1 old=$2 to="$WORKSPACE/shared/libraries-$2" old_root missing name
  old_root=$(root_of "$old")
  mkdir -p "$to"
  while :; do
    # shellcheck disable=SC2016 # expanded over there
    missing=$(on "$major" "$old" sh -c 'cd "$1" && ldd bin/postgres bin/pg_dump bin/psql lib/learned_index.so' sh \
      "/usr/lib/postgresql/$old" | awk '/not found/ { print $1 }' | sort -u)
    [ -n "$missing" ] || return 0
    for name in $missing; do
      cp -L "$old_root"/usr/lib/*-linux-gnu/"$name" "$to/" || return 1
    done
  done
}

# What runs over there: the argument says what, MAJOR which server, its cluster is /srv/upgrade/data-MAJOR.
write_driver() {
  cat >"$WORKSPACE/shared/driver.sh" <<'DRIVER'
set -euo pipefail
action=$1 major=$2
bin=/usr/lib/postgresql/$major/bin
export PGHOST=/srv/upgrade PGPORT=54321 PGUSER=postgres PGDATABASE=postgres
data=/srv/upgrade/data-$major
start() { "$bin/pg_ctl" -D "$data" -l "/srv/upgrade/server-$major.log" -w start \
  -o "-c listen_addresses= -c unix_socket_directories=/srv/upgrade -c port=54321 -c autovacuum=off" >/dev/null; }
stop() { "$bin/pg_ctl" -D "$data" -m fast -w stop >/dev/null; }
psql() { "$bin/psql" -X -q -v ON_ERROR_STOP=1 "$@"; }
note_paths() {
  psql -At -F ' ' -c "SELECT c.oid::regclass, pg_relation_filepath(c.oid) FROM pg_class c JOIN pg_am a ON a.oid = c.relam
    WHERE amname = 'learned' AND relkind = 'i' ORDER BY 1" >/srv/upgrade/paths
  test "$(wc -l </srv/upgrade/paths)" -ge 11
}
# The files of learned indexes, all forks, and the digests of their contents; for a server that is stopped. The
# init fork is the one that pg_upgrade leaves to the new server to make: there all but the pages' LSNs and checksums.
digests() {
  cd "$data"
  while read -r name path; do
    for file in "$path" "$path"_*; do
      case $file in
        *_\*) ;;
        *_init) echo "$name $file $(perl -e '$/ = \8192; print substr $_, 10 while <>' "$file" | md5sum)" ;;
        *) echo "$name $file $(md5sum <"$file")" ;;
      esac
    done
  done </srv/upgrade/paths
}
version() { psql -At -c "SELECT $1 FROM pg_available_extensions WHERE name = 'learned_index'"; }
# answers index|table FILE: the same queries through the indexes and by sequential scans.
answers() {
  local file=$2
  if [ "$1" = index ]; then set -- off on; else set -- on off; fi
  PGOPTIONS="-c enable_seqscan=$1 -c enable_sort=$1 -c enable_indexscan=$2 -c enable_indexonlyscan=$2 -c enable_bitmapscan=$2 -c timezone=UTC -c max_parallel_workers_per_gather=0" \
    psql -At -f "$file"
}
compare_answers() {
  answers index /srv/upgrade/answers.sql >/srv/upgrade/by-index
  answers table /srv/upgrade/answers.sql >/srv/upgrade/by-table
  cmp /srv/upgrade/by-index /srv/upgrade/by-table
  test "$(wc -l </srv/upgrade/by-table)" = "$(wc -l </srv/upgrade/answers.sql)"
  # Every index has its query, and the judge uses none.
  sed 's/^SELECT/EXPLAIN (COSTS OFF) &/' /srv/upgrade/answers.sql >/srv/upgrade/plans.sql
  answers index /srv/upgrade/plans.sql >/srv/upgrade/plans
  while read -r name path; do
    grep -Eqw "(using|Index Scan on) $name" /srv/upgrade/plans || { echo "$name is in no plan"; cat /srv/upgrade/plans; exit 1; }
  done </srv/upgrade/paths
  answers table /srv/upgrade/plans.sql >/srv/upgrade/plans
  if grep Index /srv/upgrade/plans; then exit 1; fi
}
# Every index that is noted is valid, and has every row of its table.
check() {
  test "$(psql -At -c "SELECT count(learned_index_check(c.oid, true)) FROM pg_class c JOIN pg_am a ON a.oid = c.relam JOIN pg_index i ON i.indexrelid = c.oid
    WHERE amname = 'learned' AND relkind = 'i' AND indisvalid AND indisready")" = "$(wc -l </srv/upgrade/paths)"
}
case $action in
  create)
    "$bin/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C -k --no-sync >/dev/null
    ;;
  fill)
    start
    psql -f /srv/upgrade/fill.sql
    note_paths
    test "$(version installed_version)" = 0.1.0
    check
    compare_answers
    psql -c CHECKPOINT
    stop
    ;;
  digests) digests ;;
  answers) start; answers index /srv/upgrade/answers.sql; stop ;;
  use)
    start
    test "$(version installed_version)" = "$3"
    check
    psql -c 'ALTER EXTENSION learned_index UPDATE'
    test "$(version installed_version)" = "$(version default_version)"
    check
    compare_answers
    psql -f /srv/upgrade/change.sql
    check
    compare_answers
    psql -c 'REINDEX INDEX CONCURRENTLY u_random' -c 'VACUUM ANALYZE' -c CHECKPOINT
    check
    # A crash empties the unlogged table, its index by the init fork.
    "$bin/pg_ctl" -D "$data" -m immediate -w stop >/dev/null
    start
    test "$(psql -At -c 'SELECT count(*) FROM l')" = 0
    check
    psql -c 'INSERT INTO l SELECT generate_series(1, 1000)' -c 'ANALYZE l'
    check
    compare_answers
    note_paths
    stop
    ;;
  upgrade)
    old=$3 mode=$4
    cd /srv/upgrade
    "$bin/pg_upgrade" -U postgres -b "/usr/lib/postgresql/$old/bin" -B "$bin" -d "/srv/upgrade/data-$old" -D "$data" --socketdir=/srv/upgrade "--$mode" -j 2
    ;;
esac
DRIVER
  # Every way of filling pages: bulk load, deltas, splits, dead entries, NULLs; and every kind of index.
  cat >"$WORKSPACE/shared/fill.sql" <<'SQL'
CREATE EXTENSION learned_index VERSION '0.1.0';
CREATE TABLE u (id int8, random int8, ts timestamptz, f float8, few int2);
INSERT INTO u SELECT i, hashint8extended(i, 0) % 1000000000, timestamptz '2024-01-01 00:00+00' + i * interval '7 seconds', nullif(sqrt(i), 10), i % 10
  FROM generate_series(1, 150000) i;
CREATE INDEX u_id ON u USING learned (id);
CREATE INDEX u_random ON u USING learned (random) WITH (fillfactor = 70);
CREATE INDEX u_ts ON u USING learned (ts DESC);
CREATE INDEX u_f ON u USING learned (f DESC NULLS LAST);
CREATE INDEX u_few ON u USING learned (few);
CREATE INDEX u_part ON u USING learned (id) WHERE few = 3;
CREATE INDEX u_expression ON u USING learned ((id / 7));
INSERT INTO u SELECT i, hashint8extended(i, 0) % 1000000000, timestamptz '2023-06-01 00:00+00' + i * interval '11 seconds', NULL, NULL
  FROM generate_series(150001, 160000) i;
DELETE FROM u WHERE id % 3 = 0;
VACUUM u;
INSERT INTO u SELECT i, i, now(), -i, 3 FROM generate_series(160001, 160500) i;
DELETE FROM u WHERE id % 50 = 0;
CREATE TABLE p (id int4) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (1000);
CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (1000) TO (2000);
INSERT INTO p SELECT generate_series(0, 1999);
CREATE INDEX p_id ON p USING learned (id);
CREATE UNLOGGED TABLE l (id int8);
INSERT INTO l SELECT generate_series(1, 1000);
CREATE INDEX l_id ON l USING learned (id);
CREATE TABLE x (id int8, EXCLUDE USING learned (id WITH =));
INSERT INTO x SELECT generate_series(1, 1000);
COMMENT ON INDEX u_id IS 'kept';
VACUUM ANALYZE;
SQL
  cat >"$WORKSPACE/shared/answers.sql" <<'SQL'
SELECT count(*), sum(random) FROM u WHERE id BETWEEN 1000 AND 90000;
SELECT md5(string_agg(id::text, ' ')) FROM (SELECT id FROM u ORDER BY id) s;
SELECT md5(string_agg(random::text, ' ')) FROM (SELECT random FROM u WHERE random > 1000 ORDER BY random) s;
SELECT count(*), sum(id) FROM u WHERE random = ANY (ARRAY(SELECT hashint8extended(i, 0) % 1000000000 FROM generate_series(1, 5000) i));
SELECT md5(string_agg(ts::text, ' ')) FROM (SELECT ts FROM u ORDER BY ts DESC LIMIT 5000 OFFSET 1000) s;
SELECT count(*), sum(id) FROM u WHERE ts < '2023-06-02';
SELECT count(*), sum(id) FROM u WHERE f IS NULL;
SELECT md5(string_agg(f::text, ' ')) FROM (SELECT f FROM u WHERE f < 100 ORDER BY f DESC NULLS LAST) s;
SELECT count(*), sum(id) FROM u WHERE few = 3;
SELECT count(*), sum(id) FROM u WHERE few IN (1, 4);
SELECT count(*), sum(id) FROM u WHERE id > 100000 AND few = 3;
SELECT count(*), sum(id) FROM u WHERE id / 7 = 1000;
SELECT count(*), sum(id) FROM p WHERE id >= 500;
SELECT count(*), sum(id) FROM l WHERE id < 500;
SELECT count(*), min(id), max(id) FROM x WHERE id > 7;
SQL
  cat >"$WORKSPACE/shared/change.sql" <<'SQL'
INSERT INTO u SELECT max_id + i, hashint8extended(i, 5) % 1000000000, now() + i * interval '1 second', i, i % 10
  FROM generate_series(1, 20000) i, (SELECT max(id) AS max_id FROM u) m;
UPDATE u SET random = random + 1, f = NULL WHERE id % 11 = 0;
DELETE FROM u WHERE id % 7 = 0 OR ts < '2023-06-01 12:00+00';
VACUUM (INDEX_CLEANUP ON) u;
INSERT INTO u SELECT i, i * 5, NULL, 0, 3 FROM generate_series(1, 3000) i;
INSERT INTO p SELECT i % 2000 FROM generate_series(1, 500) i;
INSERT INTO l SELECT generate_series(1, 100);
DO $$
BEGIN
  INSERT INTO x VALUES (5);
  RAISE 'the exclusion constraint let a duplicate in';
EXCEPTION WHEN exclusion_violation THEN NULL;
END $$;
INSERT INTO x SELECT COALESCE(max(id), 0) + 1 FROM x;
SQL
}

# step OLD NEW MODE VERSION: the last is the extension's in the old cluster.
step() {
  local old=$1 new=$2 mode=$3 version=$4 log=$LOGS/$1-$2.log
  say "PostgreSQL $old to $new, --$mode"
  gather_libraries "$new" "$old" >"$log" 2>&1
  ok $? "the old server's programs find their libraries" "$log"
  # In this order: a scan may mark the entries of dead rows.
  on "$old" 0 bash /srv/upgrade/driver.sh answers "$old" >"$LOGS/answers-$old" 2>>"$log" &&
    on "$old" 0 bash /srv/upgrade/driver.sh digests "$old" >"$LOGS/digests-$old" 2>>"$log" && [ -s "$LOGS/digests-$old" ]
  ok $? "files and answers of the old server are noted" "$log"
  on "$new" "$old" bash /srv/upgrade/driver.sh create "$new" >>"$log" 2>&1 &&
    on "$new" "$old" bash /srv/upgrade/driver.sh upgrade "$new" "$old" "$mode" >>"$log" 2>&1
  ok $? "pg_upgrade" "$log"
  on "$new" 0 bash /srv/upgrade/driver.sh digests "$new" >"$LOGS/digests-$new-upgraded" 2>>"$log" &&
    diff "$LOGS/digests-$old" "$LOGS/digests-$new-upgraded" >>"$log" 2>&1
  ok $? "the indexes' files have the same names and contents" "$log"
  on "$new" 0 bash /srv/upgrade/driver.sh answers "$new" >"$LOGS/answers-$new" 2>>"$log" &&
    diff "$LOGS/answers-$old" "$LOGS/answers-$new" >>"$log" 2>&1
  ok $? "the new server answers like the old one" "$log"
  on "$new" 0 bash /srv/upgrade/driver.sh use "$new" "$version" >>"$log" 2>&1
  ok $? "checked, extension updated, read, written, vacuumed, built anew, crashed" "$log"
}

SKIPPED=0
MAJORS=()
rm -rf "$LOGS"
mkdir -p "$LOGS"
make_workspace
mkdir "$WORKSPACE/shared"
for major in $SUPPORTED_MAJORS; do
  if ! need_root "$major" "$LOGS/root-$major.log"; then
    echo "skipped: PostgreSQL $major and later: $REASON"
    SKIPPED=1
    break
  fi
  MAJORS+=("$major")
done
at_exit remove_mount_points
for major in "${MAJORS[@]}"; do
  prepare_root "$major" >"$LOGS/install-$major.log" 2>&1
  ok $? "the extension is installed on PostgreSQL $major" "$LOGS/install-$major.log"
done
if [ "$FAILED" = 0 ] && [ ${#MAJORS[@]} -gt 1 ]; then
  write_driver
  on 15 0 bash /srv/upgrade/driver.sh create 15 >"$LOGS/fill.log" 2>&1 && on 15 0 bash /srv/upgrade/driver.sh fill 15 >>"$LOGS/fill.log" 2>&1
  ok $? "a cluster of PostgreSQL 15 is filled" "$LOGS/fill.log"
  version=0.1.0 # of the extension in the old cluster
  modes=(copy link swap)
  for ((i = 1; i < ${#MAJORS[@]}; i++)); do
    [ "$FAILED" != 0 ] || step "${MAJORS[i - 1]}" "${MAJORS[i]}" "${modes[i - 1]}" "$version"
    version=$(sed -n "s/^default_version = '\(.*\)'/\1/p" "$ROOT/learned_index.control")
  done
fi
totals "$PASSED" "$FAILED" "$SKIPPED"
