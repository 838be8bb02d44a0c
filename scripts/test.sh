#!/usr/bin/env bash
# Runs all tests: installs what is missing, builds, then unit tests and fuzzers of the core (under ASan and
# UBSan), pg_regress, isolation and TAP tests against throw-away servers, PostgreSQL's own tests on learned indexes
# (scripts/test-core.sh), and a small quick start.
#
#   scripts/test.sh [SUITE...]     module unit fuzz regress isolation tap core quickstart; all of them by default
#   PG_CONFIG=...                  use this server instead of Debian's PostgreSQL 15
#   FUZZ_SECONDS=20                for each fuzzer
#   TAP_TIMEOUT=400                seconds for each TAP file
#
# As root or with sudo at hand. Ends with the line "N passed, N failed"; what failed is in build/test-logs.
set -uo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

FUZZ_SECONDS=${FUZZ_SECONDS:-20}
TAP_TIMEOUT=${TAP_TIMEOUT:-400}
PASSED=0
FAILED=0
SUMMARY=()
SUITES=${*:-module unit fuzz regress isolation tap core quickstart}

# ---- results -------------------------------------------------------------------------------------

# result SUITE PASSED FAILED
result() {
  PASSED=$((PASSED + $2))
  FAILED=$((FAILED + $3))
  SUMMARY+=("$(printf '%-12s %4d passed, %d failed' "$1" "$2" "$3")")
  say "$1: $2 passed, $3 failed ($SECONDS s)"
}

# A failed step's output: the end of it now, all of it in build/test-logs.
show_log() {
  tail -n "${2:-60}" "$1" | sed 's/^/    /'
  mkdir -p "$ROOT/build/test-logs" 2>/dev/null && cp "$1" "$ROOT/build/test-logs/" 2>/dev/null
}

# A build directory that stays, or one in the workspace where the clone cannot be written.
build_directory() {
  local directory="$ROOT/build/$1"
  mkdir -p "$directory" 2>/dev/null && [ -w "$directory" ] || directory="$WORKSPACE/$1"
  mkdir -p "$directory" && echo "$directory"
}

# ---- suites --------------------------------------------------------------------------------------

# What the compiled module may not do: need C++'s run-time library, or show more than SQL calls. And the other
# compiler accepts the code, warnings being errors.
suite_module() {
  local library passed=0 failed=0 log="$WORKSPACE/module.log" clang
  library="$("$PG_CONFIG" --pkglibdir)/learned_index.so"
  if nm -D --undefined-only "$library" | grep -E ' (_Z|__cxa_(throw|guard|begin|pure)|__gxx)' >"$log"; then
    echo "    the module needs C++'s run-time library:"
    show_log "$log"
    failed=$((failed + 1))
  else
    passed=$((passed + 1))
  fi
  if nm -D --defined-only "$library" | awk '{ print $3 }' |
    grep -vE '^(Pg_magic_func|_PG_init|(pg_finfo_)?learned_[a-z0-9_]+)$' >"$log"; then
    echo "    the module exports more than its SQL functions:"
    show_log "$log"
    failed=$((failed + 1))
  else
    passed=$((passed + 1))
  fi
  clang=$(compgen -c clang++ | grep -xE 'clang\+\+(-[0-9]+)?' | sort -V | tail -n 1)
  if [ -n "$clang" ]; then
    log="$WORKSPACE/clang.log"
    if make -s -C "$(build_directory clang)" -f "$ROOT/Makefile" -j "$JOBS" PG_CONFIG="$PG_CONFIG" CXX="$clang" all \
      >"$log" 2>&1; then
      passed=$((passed + 1))
    else
      show_log "$log"
      failed=$((failed + 1))
    fi
  fi
  result module "$passed" "$failed"
}

# One build for unit tests and fuzzers; sets CORE to its directory. What does not compile counts as one failure,
# the rest is run all the same.
CORE=
build_core() {
  local log="$WORKSPACE/core-build.log"
  [ -z "$CORE" ] || return 0
  require_packages cmake libgtest-dev
  CORE=$(build_directory core)
  say "building unit tests and fuzzers"
  if cmake -S "$ROOT" -B "$CORE" -DLEARNED_SANITIZE=ON -DLEARNED_BENCHMARKS=OFF >"$log" 2>&1 &&
    cmake --build "$CORE" -j "$JOBS" -- -k >>"$log" 2>&1; then
    result core-build 1 0
  else
    grep -E 'error|Error' "$log" | head -40 | sed 's/^/    /'
    show_log "$log" 20
    result core-build 0 1
  fi
}

suite_unit() {
  local log="$WORKSPACE/ctest.log" failed total
  build_core
  (cd "$CORE" && LC_ALL=C ctest -j "$JOBS" --output-on-failure --timeout 300) >"$log" 2>&1
  total=$(sed -nE 's/.* tests failed out of ([0-9]+)$/\1/p' "$log")
  failed=$(sed -nE 's/.* ([0-9]+) tests failed out of [0-9]+$/\1/p' "$log")
  if [ -z "$total" ]; then
    show_log "$log"
    result unit 0 1
    return
  fi
  if [ "$failed" != 0 ]; then
    grep -vE '^ +Start +[0-9]+:|   Passed  ' "$log" >"$log.short"
    show_log "$log.short" 120
    show_log "$log" 0
  fi
  result unit $((total - failed)) "$failed"
}

suite_fuzz() {
  local fuzzer log passed=0 failed=0
  build_core
  for fuzzer in "$CORE"/fuzz/*_fuzz; do
    [ -x "$fuzzer" ] || continue
    log="$WORKSPACE/$(basename "$fuzzer").log"
    if timeout $((FUZZ_SECONDS + 120)) "$fuzzer" -max_total_time="$FUZZ_SECONDS" >"$log" 2>&1; then
      passed=$((passed + 1))
      echo "    $(basename "$fuzzer"): $(tail -n 1 "$log")"
    else
      failed=$((failed + 1))
      show_log "$log"
    fi
  done
  result fuzz "$passed" "$failed"
}

# Tests run as the server's user, who need not be able to read the clone.
TESTS=
copy_tests() {
  local part
  [ -z "$TESTS" ] || return 0
  TESTS="$WORKSPACE/tests"
  mkdir "$TESTS"
  for part in sql expected test data bench scripts; do
    [ ! -e "$ROOT/$part" ] || cp -r "$ROOT/$part" "$TESTS/"
  done
  chmod -R a+rX "$TESTS"
}

# Lines of pg_regress up to version 15 ("test name ... ok") and since 16 ("ok 1 - name").
count_regress() { grep -cE "$1" "$2"; }
OK_LINE='(^| )(test)? +[^ ]+ +\.\.\. +ok|^ok [0-9]+'
BAD_LINE='\.\.\. +(FAILED|failed)|^not ok [0-9]+'

# run_regress SUITE PROGRAM INPUTDIR NAME...
run_regress() {
  local suite=$1 program=$2 input=$3 output="$WORKSPACE/$1" log passed failed
  shift 3
  log="$WORKSPACE/$suite.log"
  copy_tests
  [ -e "$WORKSPACE/data" ] || start_server autovacuum=off
  mkdir "$output"
  [ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$output"
  as_server_user "$program" --inputdir="$input" --outputdir="$output" --bindir="$BINDIR" --host="$PGHOST" \
    --port="$PGPORT" --user=postgres --dbname="learned_$suite" "$@" >"$log" 2>&1
  passed=$(count_regress "$OK_LINE" "$log")
  failed=$(count_regress "$BAD_LINE" "$log")
  [ $((passed + failed)) = $# ] || failed=$(($# - passed)) # it ended early
  if [ "$failed" != 0 ]; then
    show_log "$log"
    cp "$WORKSPACE/server.log" "$WORKSPACE/$suite.server.log"
    [ ! -e "$output/regression.diffs" ] || {
      cp "$output/regression.diffs" "$WORKSPACE/$suite.diffs"
      head -n 200 "$output/regression.diffs" | sed 's/^/    /'
      show_log "$WORKSPACE/$suite.diffs" 0
    }
    grep -E 'PANIC|TRAP|terminated by signal' "$WORKSPACE/server.log" | head -5 | sed 's/^/    /'
    show_log "$WORKSPACE/$suite.server.log" 0
  fi
  result "$suite" "$passed" "$failed"
}

# names DIRECTORY EXTENSION: the files' names without the extension, in order
names() { find "$1" -maxdepth 1 -name "*.$2" -exec basename {} ".$2" \; 2>/dev/null | LC_ALL=C sort; }

suite_regress() {
  local tests
  tests=$(names "$ROOT/sql" sql)
  [ -n "$tests" ] || return 0
  # shellcheck disable=SC2086 # a list of words
  run_regress regress "$PGXS_TEST/regress/pg_regress" "$WORKSPACE/tests" $tests
}

suite_isolation() {
  local tests
  tests=$(names "$ROOT/test/isolation/specs" spec)
  [ -n "$tests" ] || return 0
  # shellcheck disable=SC2086
  run_regress isolation "$PGXS_TEST/isolation/pg_isolation_regress" "$WORKSPACE/tests/test/isolation" $tests
}

suite_tap() {
  local name log directory ok bad passed=0 failed=0 status
  copy_tests
  require_packages perl libipc-run-perl
  for name in $(names "$ROOT/test/t" pl); do
    log="$WORKSPACE/tap_$name.log"
    directory="$WORKSPACE/tap_$name"
    mkdir "$directory"
    [ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$directory"
    as_server_user env -u PGHOST -u PGPORT -u PGUSER -u PGDATABASE PATH="$BINDIR:$PATH" LC_ALL=C \
      TESTDIR="$directory" TESTDATADIR="$directory/tmp_check" TESTLOGDIR="$directory/tmp_check/log" \
      PG_REGRESS="$PGXS_TEST/regress/pg_regress" PERL5LIB="$PERL_MODULES:$TESTS/test/t" \
      timeout "$TAP_TIMEOUT" prove -v "$TESTS/test/t/$name.pl" >"$log" 2>&1
    status=$?
    ok=$(grep -cE '^ok [0-9]+' "$log")
    bad=$(grep -cE '^not ok [0-9]+' "$log")
    if [ "$status" != 0 ]; then
      [ "$bad" != 0 ] || bad=1 # it died, hung or ended early
      echo "    $name:"
      grep -E '^not ok ' "$log" | sed 's/^/    /'
      grep -vE '^ok ' "$log" >"$log.short"
      show_log "$log.short"
      show_log "$log" 0
      grep -hE 'PANIC|TRAP|terminated by signal' "$directory"/tmp_check/log/*.log 2>/dev/null | head -5 | sed 's/^/    /'
      mkdir -p "$ROOT/build/test-logs/$name" 2>/dev/null &&
        cp -r "$directory"/tmp_check/log/. "$ROOT/build/test-logs/$name/" 2>/dev/null
    fi
    echo "    $name: $ok passed, $bad failed ($SECONDS s)"
    passed=$((passed + ok))
    failed=$((failed + bad))
    rm -rf "$directory"
  done
  result tap "$passed" "$failed"
}

# PostgreSQL's own tests on learned indexes; passed over only if their source cannot be had.
suite_core() {
  local log="$WORKSPACE/core.log" passed failed
  PG_CONFIG="$PG_CONFIG" PG_MAJOR="$PG_MAJOR" "$ROOT/scripts/test-core.sh" >"$log" 2>&1
  read -r passed failed < <(sed -nE '$s/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$log")
  if grep -q '^skipped: ' "$log"; then
    grep '^skipped: ' "$log" | sed 's/^/    /'
    result core 0 0
    return
  fi
  grep '^== ' "$log" | sed 's/^== /    /'
  if [ "${failed:-1}" != 0 ]; then
    grep -vE '^ok |^== ' "$log" >"$log.short"
    show_log "$log.short" 200
    show_log "$log" 0
  fi
  result core "${passed:-0}" "${failed:-1}"
}

# The first command of the README, with little data.
suite_quickstart() {
  local log="$WORKSPACE/quickstart.log"
  if ROWS=200000 PROBES=20000 PG_CONFIG="$PG_CONFIG" "$ROOT/scripts/quickstart.sh" >"$log" 2>&1; then
    result quickstart 1 0
  else
    show_log "$log"
    result quickstart 0 1
  fi
}

# ---- all of it -----------------------------------------------------------------------------------

finish() {
  printf '\n'
  printf '%s\n' "${SUMMARY[@]}"
  printf '%d passed, %d failed\n' "$PASSED" "$FAILED"
  [ "$FAILED" = 0 ] && [ "$PASSED" != 0 ]
}

needs_server() { case " $SUITES " in *\ module\ * | *\ regress\ * | *\ isolation\ * | *\ tap\ * | *\ core\ * | *\ quickstart\ *) ;; *) return 1 ;; esac; }

require_packages make g++
make_workspace
rm -rf "$ROOT/build/test-logs" 2>/dev/null
if needs_server; then
  find_server
  PGXS_TEST=$("$PG_CONFIG" --pgxs)
  PGXS_TEST=${PGXS_TEST%/makefiles/pgxs.mk}/test
  # A server built without TAP tests lacks the modules; those of Debian's server do as well.
  PERL_MODULES=$PGXS_TEST/perl
  [ -e "$PERL_MODULES/PostgreSQL/Test/Cluster.pm" ] ||
    PERL_MODULES=/usr/lib/postgresql/$PG_MAJOR/lib/pgxs/src/test/perl
  if ! (install_extension) >"$WORKSPACE/build.log" 2>&1; then
    show_log "$WORKSPACE/build.log" 40
    result build 0 1
    SUITES=$(for suite in $SUITES; do case $suite in unit | fuzz) echo "$suite" ;; esac done)
  else
    result build 1 0
  fi
fi
for suite in $SUITES; do
  declare -F "suite_$suite" >/dev/null || fail "no such suite: $suite"
  "suite_$suite"
done
finish
