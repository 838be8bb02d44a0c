#!/usr/bin/env bash
# Runs tests on a server with assertions: built from the source package of the server at hand (PG_CONFIG, PG_MAJOR as
# for scripts/test.sh), the nearest minor version where that one cannot be had, with --enable-cassert; of the extension, an operation whose
# behaviour is undefined (UBSan) ends the session, too.
#
#   scripts/test-assert.sh [SUITE...]   of scripts/test.sh; regress and isolation by default
#   VALGRIND=yes            the server is told of valgrind, and runs under it: an error is, too, what reads a page without a pin, memory that
#                           is free in its context, or a value that nobody set. Some fifty times as slow; regress by default
#   LEARNED_CACHE=...       where source and server are kept (~/.cache/learned_index)
#   POSTGRES_SOURCE=...     take the source from this directory instead
#   TEST_LOGS=...           logs of what failed (build/test-logs)
#
# Ends with the line "N passed, N failed, N skipped".
set -uo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/source.sh
. "$(dirname "${BASH_SOURCE[0]}")/source.sh"

TEST_LOGS=${TEST_LOGS:-$ROOT/build/test-logs}
VALGRIND=${VALGRIND:-}

# Only what the tests need, and fast to build: no ICU, no LLVM, no readline, little optimization.
CONFIGURE="--enable-cassert --without-readline --without-zlib --without-icu CFLAGS=-O1 CXXFLAGS=-O1"
[ -z "$VALGRIND" ] || CONFIGURE+=" --enable-debug CPPFLAGS=-DUSE_VALGRIND"
PARTS="common port timezone backend backend/utils/mb/conversion_procs backend/snowball include fe_utils interfaces/libpq
  bin/initdb bin/pg_ctl bin/psql bin/pg_config pl/plpgsql/src makefiles test/regress test/isolation"

# build_server DIRECTORY: installs it there, under another name first
build_server() {
  local part build=$WORKSPACE/build new=$1.new
  mkdir -p "$build" && cd "$build" || return 1
  rm -rf "$new"
  # shellcheck disable=SC2086 # a list of words
  "$SOURCE/configure" --quiet --prefix="$1" $CONFIGURE || return 1
  # (Without this a part's makefile would make the headers, once for each of the parallel jobs.)
  make -s -C src/backend generated-headers || return 1
  for part in $PARTS; do
    make -s -j "$JOBS" -C "src/$part" all && make -s -C "src/$part" DESTDIR="$new" install || return 1
  done
  make -s -C src DESTDIR="$new" install-local && make -s -C config DESTDIR="$new" install || return 1
  mv "$new$1" "$1" && rm -rf "$new"
}

# copy_server DIRECTORY: where everybody can read it, and this run's extension is its own
copy_server() {
  cp -a "$1" "$WORKSPACE/server" && chmod -R a+rX "$WORKSPACE/server" || return 1
  [ -z "$VALGRIND" ] || put_under_valgrind || return 1
  PG_CONFIG=$WORKSPACE/server/bin/pg_config
  export PG_CONFIG LD_LIBRARY_PATH="$WORKSPACE/server/lib"
  find_server
}

# UBSan in its form without a run-time library, which the server would have to load. (vptr needs type information.)
UNDEFINED="-fsanitize=undefined -fno-sanitize=vptr -fsanitize-undefined-trap-on-error"
undefined_traps() {
  echo 'int main(int argc, char **) { return 1 << (argc + 40) & 1; }' >"$WORKSPACE/undefined.cpp"
  # shellcheck disable=SC2086 # a list of words
  g++ -O1 -w $UNDEFINED -o "$WORKSPACE/undefined" "$WORKSPACE/undefined.cpp" && ! { "$WORKSPACE/undefined"; } 2>/dev/null
}

# Backends are forked, so it is enough to start the first process so; not the short ones of initdb and pg_ctl.
put_under_valgrind() {
  mkdir "$WORKSPACE/valgrind" && chmod 777 "$WORKSPACE/valgrind" && cp "$SOURCE/src/tools/valgrind.supp" "$WORKSPACE" &&
    chmod a+r "$WORKSPACE/valgrind.supp" && mv "$WORKSPACE/server/bin/postgres" "$WORKSPACE/server/bin/postgres.real" || return 1
  cat >"$WORKSPACE/server/bin/postgres" <<WRAPPER
#!/bin/sh
case \$1 in
  -V | --boot | --single | --check) exec "$WORKSPACE/server/bin/postgres.real" "\$@" ;;
esac
exec valgrind --quiet --leak-check=no --trace-children=yes --suppressions="$WORKSPACE/valgrind.supp" \
  --error-markers=ERROR-BEGIN,ERROR-END --log-file="$WORKSPACE/valgrind/%p" "$WORKSPACE/server/bin/postgres.real" "\$@"
WRAPPER
  chmod 755 "$WORKSPACE/server/bin/postgres"
}

# A value that nobody set decides: if that is not reported, nothing would be.
unset_value_is_reported() {
  echo 'int main(void) { int unset[2]; return *(volatile int *)&unset[1] > 7 ? 1 : 2; }' >"$WORKSPACE/unset.c"
  gcc -O0 -w -o "$WORKSPACE/unset" "$WORKSPACE/unset.c" && valgrind --quiet "$WORKSPACE/unset" 2>"$WORKSPACE/unset.log"
  grep -q uninitialised "$WORKSPACE/unset.log"
}

skip() {
  echo "skipped: the assert-enabled server: $*"
  totals 0 0 1
  exit
}

find_server
make_workspace
find_source configure || skip "$REASON"
# (Tarballs are without the products of bison, flex and perl from 17 on.)
offer_packages gcc make bison flex perl ${VALGRIND:+valgrind} || skip "$REASON"
server=$CACHE/${VALGRIND:+valgrind-}assert-$SOURCE_VERSION
exec {lock}>"$server.lock"
flock "$lock"
if [ ! -x "$server/bin/postgres" ]; then
  say "building PostgreSQL $SOURCE_VERSION with assertions"
  if ! (build_server "$server") >"$WORKSPACE/server-build.log" 2>&1; then
    tail -n 30 "$WORKSPACE/server-build.log" | sed 's/^/    /'
    echo "not ok: PostgreSQL $SOURCE_VERSION with assertions does not build"
    totals 0 1 0
    exit
  fi
  rm -rf "$WORKSPACE/build"
fi
copy_server "$server" || fail "the server could not be copied to $WORKSPACE"
exec {lock}>&-

# A build whose assertions are off would pass everything.
passed=0
failed=0
start_server autovacuum=off
if [ "$(psql -XAtc 'SHOW debug_assertions')" = on ]; then
  echo "ok: debug_assertions is on"
  passed=1
else
  echo "not ok: debug_assertions is not on"
  failed=1
fi
stop_server
if [ -z "$VALGRIND" ]; then
  suites=${*:-regress isolation}
  export MORE_CXXFLAGS="$UNDEFINED ${MORE_CXXFLAGS:-}"
  if undefined_traps; then
    echo "ok: undefined behaviour ends a program"
    passed=$((passed + 1))
  else
    echo "not ok: undefined behaviour does not end a program"
    failed=$((failed + 1))
  fi
else
  suites=${*:-regress}
  if unset_value_is_reported && [ -n "$(ls "$WORKSPACE/valgrind")" ]; then
    echo "ok: valgrind reports a value that nobody set, and has seen the server"
    passed=$((passed + 1))
  else
    echo "not ok: valgrind reports nothing"
    failed=$((failed + 1))
  fi
fi
# shellcheck disable=SC2086 # a list of words
TEST_LOGS=$TEST_LOGS "$ROOT/scripts/test.sh" $suites 2>&1 | tee "$WORKSPACE/test.log"
if [ -n "$VALGRIND" ]; then
  if cat "$WORKSPACE"/valgrind/* | grep -A 40 ERROR-BEGIN >"$WORKSPACE/errors.log"; then
    echo "not ok: valgrind reports $(grep -c ERROR-BEGIN "$WORKSPACE/errors.log") errors"
    head -n 120 "$WORKSPACE/errors.log" | sed 's/^/    /'
    failed=$((failed + 1))
  else
    echo "ok: valgrind reports no error in $(find "$WORKSPACE/valgrind" -type f | wc -l) processes"
    passed=$((passed + 1))
  fi
fi
if read -r p f s < <(read_totals "$WORKSPACE/test.log"); then
  totals $((passed + p)) $((failed + f)) "$s"
else
  totals "$passed" $((failed + 1)) 0
fi
