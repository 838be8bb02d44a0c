#!/usr/bin/env bash
# Builds Debian's packages, postgresql-<version>-learned-index, and tests them: each version in a Debian of its own.
#
#   scripts/package.sh [15|17|18|19]...      all by default; the packages are then in build/packages/<version>
#   LEARNED_CACHE=..., DEBIAN_MIRROR=...     as for scripts/test-matrix.sh
#   QUICK=yes                                builds and installs only: not twice, no tests of it, no upgrade
#   TEST_ONLY=yes                            tests the packages that are there from the last time, and builds none: no upgrade
#   OLDER=0.2.0                              the version that is upgraded from, in place of the one before this one
#
# Built twice, in two places, at two times, for the same bytes; looked at by lintian; installed in a root file system that has nothing
# but Debian's base in it; tested there as Debian would (debian/tests); and installed over the package of an older version, made
# of this repository's history, whose indexes are then read and written. Nothing is kept of all that but the root file systems,
# root-<version> and clean-<version>. Needs root, and network for Debian's packages; ten minutes for each version.
# Ends with a line "N passed, N failed, N skipped"; logs are in build/package.
set -uo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/roots.sh
. "$(dirname "${BASH_SOURCE[0]}")/roots.sh"

LOGS=$ROOT/build/package
QUICK=${QUICK:-}
TEST_ONLY=${TEST_ONLY:-}
OLDER=${OLDER:-}
PASSED=0
FAILED=0
SKIPPED=0

# ok STATUS TEXT [LOG]; false if STATUS is not 0
ok() {
  if [ "$1" = 0 ]; then
    PASSED=$((PASSED + 1))
    echo "    ok: $2"
    return
  fi
  FAILED=$((FAILED + 1))
  echo "    FAILED: $2"
  [ -z "${3:-}" ] || tail -n 40 "$3" 2>/dev/null | sed 's/^/      /'
  return 1
}
skip() {
  SKIPPED=$((SKIPPED + 1))
  echo "    skipped: $1"
}

# ---- building ------------------------------------------------------------------------------------

# install_in ROOT PACKAGE...: by today's lists if those in the root are too old for what they name
install_in() {
  in_root "$1" apt-get -q -y --no-install-recommends install "${@:2}" ||
    { in_root "$1" apt-get -q update && in_root "$1" apt-get -q -y --no-install-recommends install "${@:2}"; }
}

# A layer is thrown away, so dpkg need not wait for the disk in it.
new_work_layer() {
  new_layer "$1" && mkdir -p "$LAYER/upper/etc/dpkg/dpkg.cfg.d" && echo force-unsafe-io >"$LAYER/upper/etc/dpkg/dpkg.cfg.d/thrown-away"
}

# This tree as it is now, to $TREE: who works on it meanwhile changes no second build.
take_tree() {
  TREE=$WORKSPACE/tree
  mkdir "$TREE" &&
    tar -C "$ROOT" --exclude=./build --exclude=./.git --exclude='*.o' --exclude='*.d' --exclude='*.so' --exclude=./.build-flags \
      --exclude='./learned_index-*.zip' -cf - . | tar -C "$TREE" --no-same-owner -xf -
}

# copy_tree DIRECTORY [COMMIT]: that tree there; or what it was at a commit, with the packaging of today
copy_tree() {
  mkdir -p "$1" || return 1
  if [ -n "${2:-}" ]; then
    history archive "$2" | tar -C "$1" --no-same-owner -xf - &&
      rm -rf "$1/debian" "$1/scripts" "$1/docs" && cp -r "$TREE/debian" "$TREE/scripts" "$TREE/docs" "$1/" &&
      # (The change log was of the next version already, whose number the package would have; and of headers, old versions named their own only.)
      sed -i "0,/^## $OLDER_VERSION /{/^## $OLDER_VERSION /!d}" "$1/CHANGELOG.md" && sed -i 's/ -MMD / -MD /' "$1/Makefile" || return 1
  else
    cp -r "$TREE/." "$1/" || return 1
  fi
  chmod -R go=rX,u+w "$1"
}
history() { git -c safe.directory="$ROOT" -C "$ROOT" "$@"; }

# build MAJOR PLACE: in LAYER above the root with the compilers, the tree in /PLACE/source; packages are then in /PLACE
build() {
  local major=$1 place=$2 root
  root=$(root_of "$major")
  # shellcheck disable=SC2016 # expanded over there
  in_root "$root" env SOURCE_DATE_EPOCH="$EPOCH" PG_SUPPORTED_VERSIONS="$major" TZ="${3:-UTC}" DEB_BUILD_OPTIONS="parallel=$JOBS" \
    bash -c 'cd "/$1/source" && umask "$3" && debian/prepare "$2" && dpkg-buildpackage -b -us -uc -d' bash "$place" "$major" "${4:-022}"
}

# The last commit of version $OLDER, or of the one before this one: behind it the next one began. To OLDER_COMMIT and OLDER_VERSION.
find_older() {
  local commit version next=
  OLDER_VERSION=
  [ "$(history rev-parse --show-toplevel 2>/dev/null)" -ef "$ROOT" ] || { REASON="this is no clone, so there is no history" && return 1; }
  for commit in $(history log --format=%H -- learned_index.control); do
    version=$(history show "$commit:learned_index.control" | sed -n "s/^default_version = '\(.*\)'.*/\1/p")
    if [ -n "$next" ] && [ "$version" != "$VERSION" ] && [ "$version" = "${OLDER:-$version}" ]; then
      OLDER_COMMIT=$next^
      OLDER_VERSION=$version
      return
    fi
    next=$commit
  done
  REASON="the history has no version ${OLDER:-before $VERSION}"
  return 1
}

# Leaves the packages in $BUILT, and that of the older version in $BUILT/older.
build_packages() {
  local major=$1 root log=$LOGS/$1-build.log deb
  root=$(root_of "$major")
  new_work_layer "$root" || { ok 1 "a layer above $root: $REASON" && return 1; }
  # (What has pg_buildext: in newer releases postgresql-common-dev, which the other one needs as well.)
  install_in "$root" debhelper lintian fakeroot postgresql-server-dev-all >"$log" 2>&1 ||
    install_in "$root" debhelper lintian fakeroot postgresql-common-dev >>"$log" 2>&1
  ok $? "what a build needs is installed" "$log" || return 1
  copy_tree "$LAYER/upper/srv/one/source" && build "$major" srv/one >>"$log" 2>&1
  ok $? "the package builds" "$log" || return 1
  deb=$(find "$LAYER/upper/srv/one" -maxdepth 1 -name "postgresql-$major-learned-index_${VERSION}-1_*.deb" -printf '%f\n')
  [ -n "$deb" ]
  ok $? "it is postgresql-$major-learned-index ${VERSION}-1" || return 1
  cp "$LAYER"/upper/srv/one/*.deb "$BUILT/"
  look_at_sbom "$root" "srv/one/$deb"
  if [ -z "$QUICK" ]; then
    in_root "$root" lintian --allow-root --fail-on error,warning "/srv/one/$deb" \
      >"$LOGS/$major-lintian.log" 2>&1
    ok $? "lintian finds no error and no warning" "$LOGS/$major-lintian.log"
    # Who has no place to build it in gets told so.
    ! in_root "$root" bash -c 'cd /srv/one/source && debian/prepare 14' >"$LOGS/$major-unknown.log" 2>&1 &&
      grep -q 'debian/pgversions has no PostgreSQL 14' "$LOGS/$major-unknown.log"
    ok $? "an unknown version is refused" "$LOGS/$major-unknown.log"
    copy_tree "$LAYER/upper/srv/elsewhere/and/two/source" && build "$major" srv/elsewhere/and/two Asia/Tokyo 077 >"$LOGS/$major-again.log" 2>&1 &&
      same_packages "$LAYER/upper/srv/one" "$LAYER/upper/srv/elsewhere/and/two" >>"$LOGS/$major-again.log" 2>&1
    ok $? "built again, elsewhere: the same bytes" "$LOGS/$major-again.log"
    if find_older; then
      copy_tree "$LAYER/upper/srv/older/source" "$OLDER_COMMIT" && build "$major" srv/older >"$LOGS/$major-older.log" 2>&1 &&
        mkdir "$BUILT/older" && cp "$LAYER"/upper/srv/older/postgresql-"$major"-learned-index_*.deb "$BUILT/older/"
      ok $? "version $OLDER_VERSION builds, for an upgrade" "$LOGS/$major-older.log"
    else
      skip "no upgrade: $REASON"
    fi
  fi
}

same_packages() {
  local deb bad=0
  for deb in "$1"/*.deb; do cmp "$deb" "$2/${deb##*/}" || bad=1; done
  return $bad
}

# What the package says of its module is what readelf says; and it is printed.
look_at_sbom() {
  local root=$1 deb=$2 log=$LOGS/sbom.log
  # shellcheck disable=SC2016 # expanded over there
  in_root "$root" bash -c 'dpkg-deb -x "/$1" /srv/unpacked && readelf -d /srv/unpacked/usr/lib/postgresql/*/lib/learned_index.so' bash "$deb" >"$log" 2>&1
  sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p' "$log" | LC_ALL=C sort >"$WORKSPACE/needed"
  find "$LAYER/upper/srv/unpacked" -name learned_index.spdx -exec cat {} + >"$WORKSPACE/spdx"
  sed -n 's/^Relationship: SPDXRef-learned-index DYNAMIC_LINK SPDXRef-//p' "$WORKSPACE/spdx" | LC_ALL=C sort >"$WORKSPACE/listed"
  [ -s "$WORKSPACE/needed" ] && cmp "$WORKSPACE/needed" "$WORKSPACE/listed" >>"$log" 2>&1
  ok $? "its list names the libraries that readelf names: $(paste -s -d ' ' "$WORKSPACE/needed")" "$log"
  grep -q "$(sha256sum "$LAYER"/upper/srv/unpacked/usr/lib/postgresql/*/lib/learned_index.so | cut -d ' ' -f 1)" "$WORKSPACE/spdx"
  ok $? "and is of that very file"
  grep -q 'BUILD_DEPENDENCY_OF' "$WORKSPACE/spdx"
  ok $? "it names the packages of headers"
  grep -qE 'Compiled by .*(GCC|clang)' "$WORKSPACE/spdx"
  ok $? "and the compiler"
  sed 's/^/      /' "$WORKSPACE/spdx"
}

# ---- in a clean Debian ---------------------------------------------------------------------------

# in_clean COMMAND...: in LAYER above the root that has nothing
in_clean() { in_root "$(root_of "$MAJOR" clean)" "$@"; }
# As the server's user, with a shell's words
as_postgres() { in_clean runuser -u postgres -- bash -c "$@"; }

# The older version is installed and used; then this one, over it.
upgrade() {
  local major=$1 log=$LOGS/$1-upgrade.log status
  new_work_layer "$(root_of "$major" clean)" || { ok 1 "$REASON" && return 1; }
  mkdir -p "$LAYER/upper/srv/packages" && cp -r "$BUILT"/. "$LAYER/upper/srv/packages/" && chmod -R a+rX "$LAYER/upper/srv"
  write_upgrade "$LAYER/upper/srv/upgrade.sh"
  # In one call, for the server that runs while packages come: with the last process of a namespace all others end.
  in_clean bash /srv/upgrade.sh "$major" "${OLDER_VERSION:-}" "$VERSION" >"$log" 2>&1
  status=$?
  while read -r line; do ok 0 "$line"; done < <(sed -n 's/^ok: //p' "$log")
  [ $status = 0 ]
  ok $? "installed over ${OLDER_VERSION:-nothing}, used, and removed again" "$log"
}
write_upgrade() {
  cat >"$1" <<'DRIVER'
set -euo pipefail
major=$1 older=$2 version=$3
cd /srv
export DEBIAN_FRONTEND=noninteractive
step() { echo "ok: $*"; }
install() { apt-get -q -y --no-install-recommends install "$@" || { apt-get -q update && apt-get -q -y --no-install-recommends install "$@"; }; }
psql() { runuser -u postgres -- psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"; }
package() { echo /srv/packages/$1postgresql-$major-learned-index_$2-1_*.deb; }
is() { [ "$2" = "$3" ] || { printf 'not ok: %s\n  expected: %s\n  found: %s\n' "$1" "$2" "$3"; exit 1; }; step "$1"; }
installed_version() { psql -c "SELECT installed_version FROM pg_available_extensions WHERE name = 'learned_index'"; }
# Answers by the indexes, and those of sequential scans; the first are to be by indexes.
ask="SELECT count(*), sum(id), min(ts), max(u::text) FROM t WHERE ts >= '2026-01-01 01:00+00' AND ts < '2026-01-02'
UNION ALL SELECT count(*), sum(id), min(ts), max(u::text) FROM t WHERE device = 7 AND ts > '2026-01-01 05:00+00'
UNION ALL SELECT count(*), sum(id), min(ts), max(u::text) FROM t WHERE id BETWEEN 500 AND 1500 ORDER BY 1"
export PGTZ=UTC
answers() {
  PGOPTIONS="-c enable_seqscan=off" psql -c "$ask" >by-index
  PGOPTIONS="-c enable_indexscan=off -c enable_bitmapscan=off -c enable_indexonlyscan=off" psql -c "$ask" >by-table
  is "$1: the index answers as the table does" "$(cat by-table)" "$(cat by-index)"
  test "$(wc -l <by-table)" = 3
  test "$(PGOPTIONS="-c enable_seqscan=off" psql -c "EXPLAIN (COSTS OFF) $ask" | grep -cE 'Index (Only )?Scan (using|on) t_')" -ge 3
}
check() {
  is "$1: every index is sound and complete" 3 "$(psql -c "SELECT count(learned_index_check(c.oid, true)) FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE amname = 'learned'")"
}
chmod 777 /srv
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d
if [ -n "$older" ]; then
  install $(package older/ "$older")
  step "version $older is installed, with the server that it depends on"
else
  install $(package '' "$version")
  step "version $version is installed, with the server that it depends on"
fi
[ -d "/etc/postgresql/$major/main" ] || pg_createcluster "$major" main >/dev/null
pg_ctlcluster "$major" main start
trap 'pg_ctlcluster "$major" main stop -m immediate || true' EXIT
psql -c 'CREATE EXTENSION learned_index'
is 'the extension is of the package' "${older:-$version}" "$(installed_version)"
# (One column was all, once.)
device='device, ts) INCLUDE (id'
case $older in 0.[123].*) device=device ;; esac
psql <<SQL
CREATE TABLE t (id int8, device int4, ts timestamptz, u uuid);
INSERT INTO t SELECT i, i % 50, timestamptz '2026-01-01 00:00+00' + i * interval '3 seconds', md5(i::text)::uuid FROM generate_series(1, 60000) i;
CREATE INDEX t_id ON t USING learned (id) WITH (fillfactor = 80);
CREATE INDEX t_ts ON t USING learned (ts DESC);
CREATE INDEX t_device ON t USING learned ($device);
DELETE FROM t WHERE id % 9 = 0;
VACUUM ANALYZE t;
INSERT INTO t SELECT i, i % 50, timestamptz '2026-01-01 00:00+00' + i * interval '2 seconds', md5(i::text)::uuid FROM generate_series(1, 9000) i;
SQL
answers 'as made'
if [ -n "$older" ]; then
  install $(package '' "$version")
  step "the package of $version is installed over it"
  is 'the extension in the database is the old one' "$older" "$(installed_version)"
  answers 'the new library, the old SQL objects'
  psql -c 'ALTER EXTENSION learned_index UPDATE'
  is 'and then the new one' "$version" "$(installed_version)"
fi
check 'after the update'
answers 'after the update'
psql -c "UPDATE t SET ts = ts + interval '1 hour' WHERE id % 4 = 1" -c 'DELETE FROM t WHERE id % 7 = 0' -c 'VACUUM t' \
  -c "INSERT INTO t SELECT i, 7, timestamptz '2026-01-01 06:00+00' + i * interval '1 second', md5(i::text)::uuid FROM generate_series(1, 20000) i"
check 'after writes'
answers 'after writes'
pg_ctlcluster "$major" main stop -m immediate
pg_ctlcluster "$major" main start
check 'after a crash'
psql -c 'REINDEX TABLE t'
answers 'built anew'
psql -c 'DROP TABLE t' -c 'DROP EXTENSION learned_index'
dpkg -L "postgresql-$major-learned-index" | while read -r file; do [ -d "$file" ] || echo "$file"; done >files
apt-get -q -y purge "postgresql-$major-learned-index"
is 'purged, it leaves no file' '' "$(while read -r file; do [ ! -e "$file" ] || echo "$file"; done <files)"
is 'and the server runs on' 1 "$(psql -c 'SELECT 1')"
DRIVER
}

# The tests of debian/tests, as autopkgtest runs them: in a copy of the source, with what they name installed, by its user root.
autopkgtest() {
  local major=$1 log=$LOGS/$1-autopkgtest.log
  new_work_layer "$(root_of "$major" clean)" || { ok 1 "$REASON" && return 1; }
  mkdir -p "$LAYER/upper/srv/packages" && cp "$BUILT"/postgresql-"$major"-learned-index_*.deb "$LAYER/upper/srv/packages/" &&
    copy_tree "$LAYER/upper/srv/source" && chmod a+rx "$LAYER/upper/srv" "$LAYER/upper/srv/packages"
  printf '#!/bin/sh\nexit 101\n' >"$LAYER/upper/srv/policy"
  # shellcheck disable=SC2016 # expanded over there
  in_clean bash -c '
    set -e
    export DEBIAN_FRONTEND=noninteractive
    major=$1
    install -m 755 /srv/policy /usr/sbin/policy-rc.d
    all="$(sed -n "s/^Depends: *@, *//p" /srv/source/debian/tests/control | tr -d ,)"
    # (A server that the release does not have yet comes without that package; its own is enough.)
    some="${all//postgresql-server-dev-all/postgresql-common-dev} postgresql-server-dev-$major"
    install() { apt-get -q -y --no-install-recommends install "$@"; }
    install $all "postgresql-server-dev-$major" /srv/packages/*.deb || { apt-get -q update && install $all "postgresql-server-dev-$major" /srv/packages/*.deb; } || install $some /srv/packages/*.deb
    useradd -m tester
    mkdir -p /srv/tmp && chown -R tester /srv/tmp /srv/source
    cd /srv/source
    for name in $(sed -n "s/^Tests: //p" debian/tests/control | tr -d ,); do
      runuser -u tester -- env AUTOPKGTEST_TMP=/srv/tmp "debian/tests/$name"
    done' bash "$major" >"$log" 2>&1
  ok $? "autopkgtest passes against the installed package" "$log"
  # SQL tests, and isolation tests: both of pg_regress's programs say how many.
  [ "$(grep -acE 'All [0-9]+ tests passed' "$log")" = 2 ]
  ok $? "of SQL and isolation tests: $(grep -aoE 'All [0-9]+ tests passed' "$log" | paste -s -d ';' | sed 's/;/; /g')" "$log"
}

# ---- each version --------------------------------------------------------------------------------

package() {
  MAJOR=$1
  BUILT=$WORKSPACE/built-$1
  mkdir "$BUILT"
  say "PostgreSQL $1: postgresql-$1-learned-index $VERSION"
  if [ -n "$TEST_ONLY" ]; then
    cp "$ROOT/build/packages/$1/postgresql-$1-learned-index_$VERSION-1"_*.deb "$BUILT/" 2>/dev/null
    ok $? "its package is there, in build/packages/$1" || return
  else
    if ! need_root "$1" "$LOGS/$1-root.log"; then
      skip "PostgreSQL $1: $REASON"
      return
    fi
    build_packages "$1" || return
    mkdir -p "$ROOT/build/packages" && rm -rf "$ROOT/build/packages/$1" && cp -r "$BUILT" "$ROOT/build/packages/$1" && rm -rf "$ROOT/build/packages/$1/older"
    exec {LOCK}>&-
  fi
  if ! need_root "$1" "$LOGS/$1-clean.log" clean; then
    skip "PostgreSQL $1, a clean root file system: $REASON"
    return
  fi
  upgrade "$1"
  [ -n "$QUICK" ] || autopkgtest "$1"
}

MAJORS=()
for word in "$@"; do
  suite_of "$word" >/dev/null || fail "PostgreSQL $word is not supported; these are: $SUPPORTED_MAJORS"
  MAJORS+=("$word")
done
[ ${#MAJORS[@]} != 0 ] || read -ra MAJORS <<<"$SUPPORTED_MAJORS"
can_use_roots || fail "packages are built and tested in root file systems: $REASON"
command -v dpkg >/dev/null || fail "no command dpkg: this needs a Debian"
VERSION=$(sed -n "s/^default_version = '\(.*\)'.*/\1/p" "$ROOT/learned_index.control")
EPOCH=$(history log -1 --format=%ct 2>/dev/null || stat -c %Y "$ROOT/CHANGELOG.md")
OLDER_VERSION=
OLDER_COMMIT=
rm -rf "$LOGS"
mkdir -p "$LOGS" || fail "cannot write in $ROOT/build"
make_workspace
take_tree || fail "this tree could not be copied"
use_apt_proxy
for major in "${MAJORS[@]}"; do
  package "$major"
  [ -z "$LOCK" ] || exec {LOCK}>&-
  LOCK=
  remove_layers
  LAYERS=()
  LAYER=
done
printf '\n'
totals "$PASSED" "$FAILED" "$SKIPPED"
