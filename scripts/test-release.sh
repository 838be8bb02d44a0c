#!/usr/bin/env bash
# Tests the release as somebody gets it: the zip of `make dist` is made twice, unpacked, built by a user who is not root,
# installed into the server, and `make installcheck` is run there against a server that PGHOST and PGPORT name.
#
#   scripts/test-release.sh        also scripts/test.sh release; PG_CONFIG=... and PG_MAJOR=... as ever
#
# Where this tree is no clone (in a root file system of scripts/test-matrix.sh) a copy of it stands for the unpacked zip.
# Some four minutes. Ends with a line "N passed, N failed, N skipped"; the installed extension is what stays.
set -uo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PASSED=0
FAILED=0
SKIPPED=0
# ok STATUS TEXT [LOG]
ok() {
  if [ "$1" = 0 ]; then
    PASSED=$((PASSED + 1))
    echo "ok $2"
  else
    FAILED=$((FAILED + 1))
    echo "not ok $2"
    [ -z "${3:-}" ] || tail -n 40 "$3" | sed 's/^/    /'
  fi
}
skip() {
  SKIPPED=$((SKIPPED + 1))
  echo "skipped: $1"
}

# unpack: the release, to $RELEASE, as the user who will build it
unpack() {
  local zip
  if [ -e "$ROOT/.git" ]; then
    mkdir "$WORKSPACE/first" "$WORKSPACE/second"
    make -s -C "$WORKSPACE/first" -f "$ROOT/Makefile" dist >"$WORKSPACE/dist.log" 2>&1
    zip=$(tail -n 1 "$WORKSPACE/dist.log")
    "$ROOT/scripts/dist.sh" "$WORKSPACE/second" >>"$WORKSPACE/dist.log" 2>&1
    cmp "$zip" "$WORKSPACE/second/${zip##*/}" >>"$WORKSPACE/dist.log" 2>&1
    ok $? "make dist gives the same bytes twice" "$WORKSPACE/dist.log"
    require_packages unzip
    chmod a+r "$zip" && chmod a+x "$WORKSPACE/first"
    as_server_user unzip -q "$zip" -d "$WORKSPACE/unpacked" >"$WORKSPACE/unzip.log" 2>&1
    ok $? "it unpacks" "$WORKSPACE/unzip.log"
    RELEASE=$(find "$WORKSPACE/unpacked" -mindepth 1 -maxdepth 1)
    [ -f "$RELEASE/META.json" ]
    ok $? "into one directory: ${RELEASE##*/}"
  else
    skip "this tree is no clone, so there is no zip: a copy of it is tested"
    RELEASE=$WORKSPACE/unpacked/learned_index
    as_server_user mkdir -p "$RELEASE"
    tar -C "$ROOT" --exclude=./build --exclude='*.o' -cf - . | as_server_user tar -C "$RELEASE" -xf -
  fi
}

# in_release COMMAND...: by a user who is not root (unless this one is no other than root)
in_release() { (cd "$RELEASE" && as_server_user "$@"); }

# regress_results LOG: how many tests passed, of both kinds of pg_regress's lines; false if one did not, or none ran
regress_results() {
  ! grep -qE '\.\.\. +(FAILED|failed)|^not ok [0-9]+' "$1" && grep -cE '(^| )(test)? +[^ ]+ +\.\.\. +ok|^ok [0-9]+' "$1"
}

make_workspace
require_packages make g++
find_server
export PG_CONFIG
unpack
[ "$FAILED" = 0 ] || { totals "$PASSED" "$FAILED" "$SKIPPED"; exit 1; }

! in_release make PG_CONFIG=/nonexistent/pg_config >"$WORKSPACE/none.log" 2>&1 &&
  grep -q 'not found: install the server.s development package' "$WORKSPACE/none.log"
ok $? "no such pg_config: make says what to install" "$WORKSPACE/none.log"

say "building for PostgreSQL $SERVER_VERSION"
in_release make -s -j "$JOBS" PG_CONFIG="$PG_CONFIG" >"$WORKSPACE/build.log" 2>&1
ok $? "it builds" "$WORKSPACE/build.log"
install=(make -s -C "$RELEASE" PG_CONFIG="$PG_CONFIG" install)
if [ -w "$("$PG_CONFIG" --pkglibdir)" ]; then "${install[@]}"; else as_root "${install[@]}"; fi >"$WORKSPACE/install.log" 2>&1
ok $? "it installs" "$WORKSPACE/install.log"

installcheck=(make -s PG_CONFIG="$PG_CONFIG" installcheck TAP_TESTS=)
if [ "$FAILED" = 0 ]; then
  mkdir -p "$WORKSPACE/nowhere"
  ! in_release env PGHOST="$WORKSPACE/nowhere" PGPORT=54321 PGUSER=postgres "${installcheck[@]}" >"$WORKSPACE/nobody.log" 2>&1
  ok $? "make installcheck fails where no server runs" "$WORKSPACE/nobody.log"
  start_server
  say "make installcheck, server in $PGHOST"
  in_release env PGHOST="$PGHOST" PGPORT="$PGPORT" PGUSER=postgres "${installcheck[@]}" >"$WORKSPACE/check.log" 2>&1
  ok $? "make installcheck" "$WORKSPACE/check.log"
  expected=$(find "$RELEASE/sql" "$RELEASE/test/isolation/specs" -name '*.sql' -o -name '*.spec' | wc -l)
  [ -x "$("$PG_CONFIG" --pgxs | sed 's,/makefiles/pgxs.mk$,,')/test/isolation/pg_isolation_regress" ] ||
    expected=$(find "$RELEASE/sql" -name '*.sql' | wc -l)
  [ "$(regress_results "$WORKSPACE/check.log")" = "$expected" ]
  ok $? "all $expected tests ran" "$WORKSPACE/check.log"
  # The TAP tests make servers of their own; one of them, the shortest, by the same Makefile.
  if perl -MIPC::Run -e 1 2>/dev/null && grep -q -- --enable-tap-tests <<<"$("$PG_CONFIG" --configure)"; then
    in_release make -s PG_CONFIG="$PG_CONFIG" installcheck REGRESS= ISOLATION= PROVE_TESTS=test/t/015_vacuum_answers.pl \
      >"$WORKSPACE/tap.log" 2>&1
    ok $? "make installcheck, a TAP test" "$WORKSPACE/tap.log"
    grep -q '^All tests successful' "$WORKSPACE/tap.log"
    ok $? "it ran" "$WORKSPACE/tap.log"
  else
    skip "the server or this machine has no TAP tests"
  fi
fi
totals "$PASSED" "$FAILED" "$SKIPPED"
