#!/usr/bin/env bash
# Runs those of the core's unit tests that start threads under ThreadSanitizer.
#
#   scripts/test-tsan.sh     TEST_LOGS=...: logs of what failed (build/test-logs)
#
# Ends with the line "N passed, N failed, N skipped".
set -uo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

TEST_LOGS=${TEST_LOGS:-$ROOT/build/test-logs}

skip() {
  echo "skipped: ThreadSanitizer: $*"
  totals 0 0 1
  exit
}

show_log() {
  tail -n "$2" "$1" | sed 's/^/    /'
  mkdir -p "$TEST_LOGS" 2>/dev/null && cp "$1" "$TEST_LOGS/" 2>/dev/null
}

# Kernels that spread addresses further than the sanitizer's run-time library expects make it give up at the start;
# without address randomization it runs. Sets RUN to what to put before a program.
RUN=()
sanitizer_works() {
  local source=$WORKSPACE/probe.cpp
  echo 'int main() { return 0; }' >"$source"
  g++ -fsanitize=thread -o "$WORKSPACE/probe" "$source" 2>/dev/null || return 1
  "$WORKSPACE/probe" 2>/dev/null && return 0
  RUN=(setarch "$(uname -m)" -R)
  "${RUN[@]}" "$WORKSPACE/probe" 2>/dev/null
}

# Two threads that write without a lock: if that is not reported, nothing would be.
race_is_reported() {
  cat >"$WORKSPACE/race.cpp" <<'RACE'
#include <thread>
int shared;
int main() {
  std::thread other([] { for (int i = 0; i < 100000; i++) shared++; });
  for (int i = 0; i < 100000; i++) shared++;
  other.join();
}
RACE
  g++ -O1 -g -fsanitize=thread -o "$WORKSPACE/race" "$WORKSPACE/race.cpp" -pthread &&
    ! "${RUN[@]}" "$WORKSPACE/race" >"$WORKSPACE/race.log" 2>&1 && grep -q 'data race' "$WORKSPACE/race.log"
}

make_workspace
offer_packages g++ make cmake libgtest-dev || skip "$REASON"
sanitizer_works || skip "its programs do not run on this machine"
passed=0
failed=0
if race_is_reported; then
  passed=1
else
  echo "not ok: a data race is not reported"
  failed=1
fi

build=$ROOT/build/tsan
mkdir -p "$build" 2>/dev/null && [ -w "$build" ] || build=$WORKSPACE/tsan
log=$WORKSPACE/tsan-build.log
# (CMake runs each test program once, to learn what is in it.)
if ! { cmake -S "$ROOT" -B "$build" -DLEARNED_SANITIZE=thread -DLEARNED_FUZZERS=OFF -DLEARNED_BENCHMARKS=OFF &&
  "${RUN[@]}" cmake --build "$build" -j "$JOBS" -- -k; } >"$log" 2>&1; then
  grep -E 'error|Error' "$log" | head -40 | sed 's/^/    /'
  show_log "$log" 20
  failed=$((failed + 1))
fi
# An option that means something else would pass everything.
if [ "$(grep -c '"command":.*-fsanitize=thread' "$build/compile_commands.json")" != \
  "$(grep -c '"command":' "$build/compile_commands.json")" ]; then
  echo "not ok: not everything is compiled with -fsanitize=thread"
  failed=$((failed + 1))
fi
log=$WORKSPACE/tsan.log
(cd "$build" && LC_ALL=C TSAN_OPTIONS="halt_on_error=1 ${TSAN_OPTIONS:-}" \
  "${RUN[@]}" ctest -j "$JOBS" --output-on-failure --timeout 1200) >"$log" 2>&1
total=$(sed -nE 's/.* tests failed out of ([0-9]+)$/\1/p' "$log")
bad=$(sed -nE 's/.* ([0-9]+) tests failed out of [0-9]+$/\1/p' "$log")
if [ -z "$total" ]; then
  show_log "$log" 60
  failed=$((failed + 1))
else
  [ "$bad" = 0 ] || show_log "$log" 120
  passed=$((passed + total - bad))
  failed=$((failed + bad))
fi
totals "$passed" "$failed" 0
