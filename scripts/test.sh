#!/usr/bin/env bash
# Runs all tests: installs what is missing, builds, then
#
#   format       the C++ sources are as clang-format 14 (Debian 12's) would have them
#   scripts      shellcheck on all shell scripts, and tests of the scripts beside this one
#   module       what the module may not do, built and in its sources; the other compiler
#   unit, fuzz   unit tests and fuzzers of the core, under ASan and UBSan
#   regress, isolation, tap    pg_regress, isolation and TAP tests against throw-away servers
#   quickstart   the first command of the README
#   bench        the advisor, and lines of the benchmarks, with little data
#   core         PostgreSQL's own tests on learned indexes (scripts/test-core.sh)
#   tsan         unit tests that start threads, under ThreadSanitizer (scripts/test-tsan.sh)
#   assert       regress and isolation on a server with assertions (scripts/test-assert.sh)
#   matrix       regress, isolation and short TAP tests on other servers (scripts/test-matrix.sh)
#   release      not by itself: the release's zip, built, installed and checked (scripts/test-release.sh)
#
#   scripts/test.sh [SUITE...]     all of them by default, but release
#   PG_CONFIG=...                  use this server instead of Debian's PostgreSQL 15
#   FUZZ_SECONDS=20                for each fuzzer
#   REGRESS="scan vacuum"          only these of pg_regress's tests
#   TAP_TIMEOUT=400                seconds for each TAP file
#   MATRIX="18 19"                 the other servers
#   MATRIX_SHARES=yes              each TAP file runs on one of them only, but for those about what differs between servers
#   LEARNED_TEST_SHARE=0/2         every second TAP file, the first one included, and those
#   DEADLINE=...                   seconds after which what is left of the last four counts as skipped or failed
#   TEST_LOGS=...                  logs of what failed (build/test-logs)
#
# As root or with sudo at hand. The last four run beside the others. Ends with the line
# "N passed, N failed, N skipped"; what cannot run counts as skipped, and a line before that one says why.
set -uo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

FUZZ_SECONDS=${FUZZ_SECONDS:-20}
TAP_TIMEOUT=${TAP_TIMEOUT:-400}
MATRIX=${MATRIX:-18 19}
SUITES=${*:-format scripts module unit fuzz regress isolation tap quickstart bench core tsan assert matrix}
TEST_LOGS=${TEST_LOGS:-$ROOT/build/test-logs}

# ---- results -------------------------------------------------------------------------------------

# In files, as not all of it happens in this process: a line for each suite, and one for each thing skipped.
RESULTS=
SKIPS=

# result SUITE PASSED FAILED SKIPPED
result() {
  echo "$1 $2 $3 $4" >>"$RESULTS"
  say "$1: $2 passed, $3 failed, $4 skipped ($SECONDS s)"
}

# skipped SUITE REASON: said now and at the end; the caller counts it.
skipped() {
  echo "    skipped: $2"
  echo "$1: $2" >>"$SKIPS"
}
skip_suite() {
  skipped "$1" "$2"
  result "$1" 0 0 1
}

# sum COLUMN of the results
sum() { awk -v column="$1" '{ sum += $column } END { print sum + 0 }' "$RESULTS"; }

# Whatever happens, the last line is there; also if it was a signal, while the output went to a log.
exec {OUT}>&1
ENDED=
finish() {
  [ -z "$ENDED" ] || return 0
  ENDED=yes
  exec >&"$OUT"
  [ "${1:-}" != early ] || result ended-early 0 1 0
  printf '\n'
  [ ! -s "$SKIPS" ] || sed 's/^/skipped: /' "$SKIPS"
  awk '{ printf "%-12s %4d passed, %d failed, %d skipped\n", $1, $2, $3, $4 }' "$RESULTS"
  totals "$(sum 2)" "$(sum 3)" "$(sum 4)"
}
finish_early() { finish early; }

# A failed step's output: the end of it now, all of it in build/test-logs.
show_log() {
  tail -n "${2:-60}" "$1" | sed 's/^/    /'
  mkdir -p "$TEST_LOGS" 2>/dev/null && cp "$1" "$TEST_LOGS/" 2>/dev/null
}

# A build directory that stays, or one in the workspace where the clone cannot be written.
build_directory() {
  local directory="$ROOT/build/$1"
  mkdir -p "$directory" 2>/dev/null && [ -w "$directory" ] || directory="$WORKSPACE/$1"
  mkdir -p "$directory" && echo "$directory"
}

# ---- suites --------------------------------------------------------------------------------------

suite_format() {
  local log="$WORKSPACE/format.log" program file passed=0 failed=0
  for program in clang-format-14 clang-format; do
    # (Each version has its own opinion.)
    "$program" --version 2>/dev/null | grep -q ' version 14\.' && break
    program=
  done
  if [ -z "$program" ]; then
    skip_suite format "no clang-format 14: ${NO_PACKAGES[format]:-not installed}"
    return
  fi
  while read -r file; do
    if "$program" --dry-run --Werror "$file" >"$log" 2>&1; then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
      echo "    not formatted: ${file#"$ROOT/"}, $(grep -c 'error: ' "$log") places"
    fi
  done < <(sources -name '*.cpp' -o -name '*.hpp')
  [ "$passed" != 0 ] || failed=$((failed + 1))
  result format "$passed" "$failed" 0
}

# sources FIND-EXPRESSION: files of this source tree, be it a clone or a copy
sources() {
  find "$ROOT" \( -name build -o -name 'build-*' -o -name .git \) -prune -o -type f \( "$@" \) -print | LC_ALL=C sort
}

suite_scripts() {
  local log="$WORKSPACE/shellcheck.log" file ok passed=0 failed=0 skipped=0
  if command -v shellcheck >/dev/null; then
    while read -r file; do
      if (cd "$ROOT" && shellcheck -P "$ROOT" "$file") >"$log" 2>&1; then
        passed=$((passed + 1))
      else
        failed=$((failed + 1))
        show_log "$log"
      fi
    done < <(sources -perm -u+x -o -name '*.sh' | xargs grep -lE '^#!.*[/ ](ba|da)?sh\b|^# shellcheck shell=')
    [ "$passed" != 0 ] || failed=$((failed + 1))
  else
    skipped scripts "no shellcheck: ${NO_PACKAGES[scripts]:-not installed}"
    skipped=1
  fi
  log="$WORKSPACE/scripts.log"
  if ! "$ROOT/test/scripts/run.sh" >"$log" 2>&1; then
    show_log "$log"
    grep -q '^not ok ' "$log" || failed=$((failed + 1))
  fi
  ok=$(grep -c '^ok ' "$log")
  [ "$ok" != 0 ] || failed=$((failed + 1))
  result scripts $((passed + ok)) $((failed + $(grep -c '^not ok ' "$log"))) "$skipped"
}

# What the compiled module may not do: need C++'s run-time library, or show more than SQL calls. And the other
# compiler accepts the code, warnings being errors.
suite_module() {
  local library passed=0 failed=0 skipped=0 log="$WORKSPACE/module.log" clang
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
  # The server's errors jump over frames: nothing there may have to be destroyed.
  if grep -rnE --include='*.[ch]pp' '(^|[^[:alnum:]_])~[A-Z][[:alnum:]_]*\(' "$ROOT/src" >"$log"; then
    echo "    a destructor is declared:"
    show_log "$log"
    failed=$((failed + 1))
  else
    passed=$((passed + 1))
  fi
  clang=$(compgen -c clang++ | grep -xE 'clang\+\+(-[0-9]+)?' | sort -V | tail -n 1)
  if [ -n "$clang" ]; then
    log="$WORKSPACE/clang.log"
    # (clang warns before it optimizes.)
    if make -s -C "$(build_directory clang)" -f "$ROOT/Makefile" -j "$JOBS" PG_CONFIG="$PG_CONFIG" CXX="$clang" \
      MORE_CXXFLAGS=-O0 all >"$log" 2>&1; then
      passed=$((passed + 1))
    else
      show_log "$log"
      failed=$((failed + 1))
    fi
  else
    skipped module "no clang++ here to compile with, too"
    skipped=1
  fi
  result module "$passed" "$failed" "$skipped"
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
    result core-build 1 0 0
  else
    grep -E 'error|Error' "$log" | head -40 | sed 's/^/    /'
    show_log "$log" 20
    result core-build 0 1 0
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
    result unit 0 1 0
    return
  fi
  if [ "$failed" != 0 ]; then
    grep -vE '^ +Start +[0-9]+:|   Passed  ' "$log" >"$log.short"
    show_log "$log.short" 120
    show_log "$log" 0
  fi
  result unit $((total - failed)) "$failed" 0
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
  [ $((passed + failed)) != 0 ] || failed=1 # there are some
  result fuzz "$passed" "$failed" 0
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

CRASH='PANIC|TRAP|terminated by signal'

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
  # A crash that no test saw (of a background process, say) is one all the same.
  if [ "$failed" = 0 ] && grep -qE "$CRASH" "$WORKSPACE/server.log"; then failed=1; fi
  if [ "$failed" != 0 ]; then
    show_log "$log"
    cp "$WORKSPACE/server.log" "$WORKSPACE/$suite.server.log"
    [ ! -e "$output/regression.diffs" ] || {
      cp "$output/regression.diffs" "$WORKSPACE/$suite.diffs"
      head -n 200 "$output/regression.diffs" | sed 's/^/    /'
      show_log "$WORKSPACE/$suite.diffs" 0
    }
    grep -E "$CRASH" "$WORKSPACE/server.log" | head -5 | sed 's/^/    /'
    show_log "$WORKSPACE/$suite.server.log" 0
  fi
  result "$suite" "$passed" "$failed" 0
}

# names DIRECTORY EXTENSION: the files' names without the extension, in order
names() { find "$1" -maxdepth 1 -name "*.$2" -exec basename {} ".$2" \; 2>/dev/null | LC_ALL=C sort; }

suite_regress() {
  local tests
  tests=${REGRESS:-$(names "$ROOT/sql" sql)}
  # shellcheck disable=SC2086 # a list of words
  run_regress regress "$PGXS_TEST/regress/pg_regress" "$WORKSPACE/tests" $tests
}

suite_isolation() {
  local tests
  tests=$(names "$ROOT/test/isolation/specs" spec)
  if [ ! -x "$PGXS_TEST/isolation/pg_isolation_regress" ]; then
    skip_suite isolation "the server was installed without pg_isolation_regress"
    return
  fi
  # shellcheck disable=SC2086
  run_regress isolation "$PGXS_TEST/isolation/pg_isolation_regress" "$WORKSPACE/tests/test/isolation" $tests
}

# Those about what differs between servers: WAL records that the server makes, unique indexes, statistics and tools.
TAP_EVERYWHERE='000_wal_record|012_unique|026_tools|027_estimates'
tap_files() {
  local share=${LEARNED_TEST_SHARE:-0/1}
  names "$ROOT/test/t" pl |
    awk -v which="${share%/*}" -v of="${share#*/}" -v everywhere="^($TAP_EVERYWHERE)$" '(NR - 1) % of == which || $0 ~ everywhere'
}

suite_tap() {
  local name log directory templates ok bad left_out reason passed=0 failed=0 skipped=0 status
  copy_tests
  templates="$WORKSPACE/tap_templates"
  mkdir "$templates"
  [ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$templates"
  for name in $(tap_files); do
    log="$WORKSPACE/tap_$name.log"
    directory="$WORKSPACE/tap_$name"
    mkdir "$directory"
    [ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$directory"
    as_server_user env -u PGHOST -u PGPORT -u PGUSER -u PGDATABASE PATH="$BINDIR:$PATH" LC_ALL=C \
      TESTDIR="$directory" TESTDATADIR="$directory/tmp_check" TESTLOGDIR="$directory/tmp_check/log" \
      LEARNED_TEST_TEMPLATES="$templates" \
      PG_REGRESS="$PGXS_TEST/regress/pg_regress" PERL5LIB="$PERL_MODULES:$TESTS/test/t" \
      timeout "$TAP_TIMEOUT" prove -v "$TESTS/test/t/$name.pl" >"$log" 2>&1
    status=$?
    ok=$(grep -E '^ok [0-9]+' "$log" | grep -vciE ' # skip\b')
    # Single tests, and whole files.
    left_out=$(grep -ciE '^ok [0-9]+.* # skip\b|^[^ ]*\.pl \.\. skipped: ' "$log")
    while read -r reason; do
      skipped tap "$name: $reason"
    done < <(sed -nE 's/^ok [0-9]+.* # [Ss][Kk][Ii][Pp][Pp]?[Ee]?[Dd]? *//p; s/^[^ ]*\.pl \.\. skipped: //p' "$log" | sort -u)
    bad=$(grep -cE '^not ok [0-9]+' "$log")
    if [ "$status" != 0 ]; then
      [ "$bad" != 0 ] || bad=1 # it died, hung or ended early
      echo "    $name:"
      grep -vE '^ok ' "$log" >"$log.short"
      # What a test says of its failure stands around it, which may be far from the end.
      grep -E -B 12 -A 6 '^not ok ' "$log.short" | head -n 120 | sed 's/^/    /'
      show_log "$log.short"
      show_log "$log" 0
      grep -hE "$CRASH" "$directory"/tmp_check/log/*.log 2>/dev/null | head -5 | sed 's/^/    /'
      mkdir -p "$TEST_LOGS/$name" 2>/dev/null &&
        cp -r "$directory"/tmp_check/log/. "$TEST_LOGS/$name/" 2>/dev/null
    elif [ $((ok + left_out)) = 0 ]; then
      echo "    $name: no tests"
      bad=1
    fi
    echo "    $name: $ok passed, $bad failed, $left_out skipped ($SECONDS s)"
    passed=$((passed + ok))
    failed=$((failed + bad))
    skipped=$((skipped + left_out))
    rm -rf "$directory"
  done
  rm -rf "$templates"
  result tap "$passed" "$failed" "$skipped"
}

# The release as somebody gets it.
suite_release() { run_script release "$ROOT/scripts/test-release.sh"; }

# run_script SUITE COMMAND...: a script that ends with its totals
run_script() {
  local suite=$1 log="$WORKSPACE/$1.log" passed failed skips status reason
  shift
  # (A group of its own, for stop_jobs to end.)
  TEST_LOGS="$TEST_LOGS/$suite" setsid "$@" >"$log" 2>&1 &
  echo $! >"$WORKSPACE/job-$suite"
  wait $!
  status=$?
  rm -f "$WORKSPACE/job-$suite"
  grep -E '^== .*(: |taking the nearest)' "$log" | sed 's/^== /    /'
  if ! read -r passed failed skips < <(read_totals "$log"); then
    [ "$status" != 124 ] || echo "    no time left"
    passed=0
    failed=1
    skips=0
  fi
  while read -r reason; do skipped "$suite" "$reason"; done < <(sed -n 's/^skipped: //p' "$log" | sort -u)
  if [ "$failed" != 0 ]; then
    grep -vE '^ok |^== ' "$log" >"$log.short"
    show_log "$log.short" 200
    show_log "$log" 0
  fi
  result "$suite" "$passed" "$failed" "$skips"
}

# The first command of the README, with little data.
suite_quickstart() {
  local log="$WORKSPACE/quickstart.log"
  if ROWS=200000 PROBES=20000 PG_CONFIG="$PG_CONFIG" "$ROOT/scripts/quickstart.sh" >"$log" 2>&1 &&
    grep -q 'All answers agree: 8 questions' "$log"; then
    result quickstart 1 0 0
  else
    show_log "$log"
    result quickstart 0 1 0
  fi
}

# The advisor, and lines of the benchmarks, with little data.
suite_bench() {
  local log="$WORKSPACE/bench.log" failed=0
  if ! command -v python3 >/dev/null; then
    skip_suite bench "no python3: ${NO_PACKAGES[bench]:-not installed}"
    return
  fi
  if ! "$ROOT/test/scripts/bench.sh" >"$log" 2>&1; then
    show_log "$log"
    grep -q '^not ok ' "$log" || failed=1 # it ended early
  fi
  result bench "$(grep -c '^ok ' "$log")" $((failed + $(grep -c '^not ok ' "$log"))) 0
}

# ---- beside the others ---------------------------------------------------------------------------

# Scripts that have servers, root file systems or build directories of their own run in a second lane: a process that
# takes one after the other while this one is busy with the rest, and then takes its share. (More would disturb the
# tests that measure time. Root file systems, which mostly wait for the network while they are made, are made beside both.)
run_job() {
  local left=${DEADLINE:+$((DEADLINE - SECONDS))}
  if [ -n "$left" ] && [ "$left" -lt 60 ]; then
    skip_suite "$1" "no time left"
    return
  fi
  set -- "$1" ${left:+timeout --kill-after=60 "$left"}
  case $1 in
    tsan) run_script "$@" "$ROOT/scripts/test-tsan.sh" ;;
    assert) run_script "$@" "$ROOT/scripts/test-assert.sh" ;;
    core) if built; then run_script "$@" "$ROOT/scripts/test-core.sh"; fi ;;
    matrix-*)
      local share=${LEARNED_TEST_SHARE:-}
      [ -z "${MATRIX_SHARES:-}" ] || share=$(share_of "${1#matrix-}")
      LEARNED_TEST_SHARE=$share LEARNED_TEST_SECONDS=${MATRIX_TEST_SECONDS:-${LEARNED_TEST_SECONDS:-10}} run_script "$@" "$ROOT/scripts/test-matrix.sh" "${1#matrix-}" \
        regress isolation tap
      ;;
  esac
}

# Whoever needs one waits for its lock; if it cannot be made, he tries again, and says why.
ROOTS=
make_roots() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  setsid bash -c '. "$1/scripts/lib.sh" && . "$1/scripts/roots.sh" || exit
    for major in $3; do
      need_root "$major" "$2/root-$major.log"
      [ -z "$LOCK" ] || exec {LOCK}>&-
    done' make_roots "$ROOT" "$WORKSPACE" "$MATRIX" >/dev/null 2>&1 &
  ROOTS=$!
  echo "$ROOTS" >"$WORKSPACE/job-roots"
}

# built: the extension is installed, which the first lane does meanwhile; if it does not compile, that is its one failure.
built() {
  while [ ! -e "$WORKSPACE/built" ]; do sleep 1; done
  [ "$(cat "$WORKSPACE/built")" = yes ]
}

# share_of MAJOR: of the TAP files, on that server of MATRIX
share_of() { awk -v major="$1" '{ for (i = 1; i <= NF; i++) if ($i == major) print i - 1 "/" NF }' <<<"$MATRIX"; }

# lane [second]: its output is not to be mixed with the first one's.
lane() {
  local job
  for job in $JOBS_BESIDE; do
    [ ! -e "$WORKSPACE/stop" ] || return
    mkdir "$WORKSPACE/taken-$job" 2>/dev/null || continue
    if [ "${1:-}" = second ]; then
      run_job "$job" >"$WORKSPACE/$job.out" 2>&1
      cat "$WORKSPACE/$job.out"
    else
      run_job "$job"
    fi
  done
}

# At the end nothing is left to stop, unless it is an early one: each script then cleans up behind itself.
stop_jobs() {
  local job pid tries
  touch "$WORKSPACE/stop"
  [ -z "$SECOND_LANE" ] || { kill "$SECOND_LANE" && wait "$SECOND_LANE"; } 2>/dev/null
  for job in "$WORKSPACE"/job-*; do
    pid=$(cat "$job" 2>/dev/null) || continue
    kill -TERM -- "-$pid" 2>/dev/null || continue
    for ((tries = 0; tries < 1200; tries++)); do
      kill -0 -- "-$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL -- "-$pid" 2>/dev/null
  done
}

# ---- all of it -----------------------------------------------------------------------------------

wants() { case " $SUITES " in *" $1 "*) ;; *) return 1 ;; esac; }

needs_server() {
  local suite
  for suite in module regress isolation tap core quickstart bench assert release; do
    if wants "$suite"; then return 0; fi
  done
  return 1
}

# All packages at once and before anything runs beside something else: apt is for one at a time. Without those of the
# first group nothing can be built; those of the second only make their suites possible.
declare -A NO_PACKAGES=()
install_packages() {
  local packages="make g++"
  if wants unit || wants fuzz; then packages+=" cmake libgtest-dev"; fi
  if wants tap || wants release; then packages+=" perl libipc-run-perl"; fi
  # shellcheck disable=SC2086 # a list of words
  require_packages $packages
  offer format clang-format-14
  offer scripts shellcheck git perl
  offer bench python3
  offer tsan cmake libgtest-dev
  offer core bzip2 xz-utils
  offer assert gcc bzip2 xz-utils bison flex perl
  [ "$(id -u)" != 0 ] || offer matrix debootstrap debian-archive-keyring
}
offer() {
  wants "$1" || return 0
  offer_packages "${@:2}" || NO_PACKAGES[$1]=$REASON
}

JOBS_BESIDE=
SECOND_LANE=
SUITES=" $SUITES "
# In this order: the longest first, but that one while the root file systems are made.
for suite in assert matrix core tsan; do
  wants "$suite" || continue
  if [ "$suite" = matrix ]; then
    for major in $MATRIX; do JOBS_BESIDE+=" matrix-$major"; done
  else
    JOBS_BESIDE+=" $suite"
  fi
done
for suite in $SUITES; do
  case $suite in
    tsan | core | assert | matrix) ;;
    *) declare -F "suite_$suite" >/dev/null || fail "no such suite: $suite" ;;
  esac
done
make_workspace
RESULTS=$WORKSPACE/results
SKIPS=$WORKSPACE/skips
touch "$RESULTS" "$SKIPS"
at_exit finish_early
at_exit stop_jobs
rm -rf "$TEST_LOGS" 2>/dev/null
install_packages
if needs_server; then
  find_server
  export PG_CONFIG PG_MAJOR
  PGXS_TEST=$("$PG_CONFIG" --pgxs)
  PGXS_TEST=${PGXS_TEST%/makefiles/pgxs.mk}/test
  # A server built without TAP tests lacks the modules; those of Debian's server do as well.
  PERL_MODULES=$PGXS_TEST/perl
  [ -e "$PERL_MODULES/PostgreSQL/Test/Cluster.pm" ] ||
    PERL_MODULES=/usr/lib/postgresql/$PG_MAJOR/lib/pgxs/src/test/perl
fi
if wants matrix; then make_roots; fi
lane second &
SECOND_LANE=$!
if needs_server; then
  if ! (install_extension) >"$WORKSPACE/build.log" 2>&1; then
    show_log "$WORKSPACE/build.log" 40
    result build 0 1 0
    # What needs it has not run; that is part of the one failure.
    SUITES=$(for suite in $SUITES; do case $suite in format | scripts | unit | fuzz) echo "$suite" ;; esac done)
    echo no >"$WORKSPACE/built"
  else
    result build 1 0 0
    echo yes >"$WORKSPACE/built"
  fi
fi
for suite in $SUITES; do
  case $suite in tsan | core | assert | matrix) continue ;; esac
  "suite_$suite"
done
lane
wait "$SECOND_LANE"
# (Still at it, it is of no use to anybody.)
jobs -pr | grep -qx "$ROOTS" || rm -f "$WORKSPACE/job-roots"
finish
