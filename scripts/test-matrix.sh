#!/usr/bin/env bash
# Runs the tests on every supported server, each in a Debian of its own:
#
#   15: Debian 12 (bookworm)    17: Debian 13 (trixie)    18, 19: Debian testing; what it does not have yet is taken
#                                                         from unstable or experimental
#
#   scripts/test-matrix.sh [15|17|18|19]... [SUITE...]   all servers by default, and all those suites of scripts/test.sh
#                                                        that are about a server
#   LEARNED_CACHE=...    where the root file systems are kept (~/.cache/learned_index, 2 GB each); remove a
#                        directory root-<version> there to have it made anew, of today's packages
#   DEBIAN_MIRROR=...    instead of the one that this machine's apt uses
#   FUZZ_SECONDS, TAP_TIMEOUT as for scripts/test.sh, LEARNED_TEST_... as for the TAP tests
#
# Needs root, and on a machine that is not a Debian the commands debootstrap and unshare. The source tree is
# copied in; here only build/test-matrix is written, with the logs. Ends with one line for each server and the line
# "N passed, N failed, N skipped"; a server whose root file system cannot be made counts as skipped, a line says why.
set -uo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/roots.sh
. "$(dirname "${BASH_SOURCE[0]}")/roots.sh"

LOGS=$ROOT/build/test-matrix

PASSED=0
FAILED=0
SKIPPED=0
SUMMARY=()

# count MAJOR PASSED FAILED SKIPPED TEXT
count() {
  PASSED=$((PASSED + $2))
  FAILED=$((FAILED + $3))
  SKIPPED=$((SKIPPED + $4))
  SUMMARY+=("PostgreSQL $1: $5")
}

test_on() {
  local major=$1 root log=$LOGS/$1.log passed failed skipped settings
  shift
  root=$(root_of "$major")
  if ! need_root "$major" "$LOGS/$major.root.log"; then
    echo "skipped: PostgreSQL $major: $REASON"
    count "$major" 0 0 1 "skipped: $REASON"
    return
  fi
  if ! copy_source "$root"; then
    count "$major" 0 1 0 "the source tree could not be copied"
    return
  fi
  say "PostgreSQL $major in $root"
  mapfile -t settings < <(env | grep -E '^LEARNED_TEST_[A-Z]+=')
  # (The lock is not for the processes in there to hold.)
  in_root "$root" env PG_MAJOR="$major" FUZZ_SECONDS="${FUZZ_SECONDS:-20}" TAP_TIMEOUT="${TAP_TIMEOUT:-400}" \
    "${settings[@]}" "$SOURCE/scripts/test.sh" "$@" 2>&1 {LOCK}>&- | tee "$log"
  rm -rf "${LOGS:?}/$major"
  [ ! -d "$root$SOURCE/build/test-logs" ] || cp -r "$root$SOURCE/build/test-logs" "$LOGS/$major"
  if read -r passed failed skipped < <(read_totals "$log"); then
    count "$major" "$passed" "$failed" "$skipped" "$(tail -n 1 "$log")"
  else
    count "$major" 0 1 0 "ended early"
  fi
}

MAJORS=()
while [[ ${1:-} =~ ^[0-9]+$ ]]; do
  suite_of "$1" >/dev/null || fail "PostgreSQL $1 is not supported; these are: $SUPPORTED_MAJORS"
  MAJORS+=("$1")
  shift
done
[ ${#MAJORS[@]} != 0 ] || read -ra MAJORS <<<"$SUPPORTED_MAJORS"
[ $# != 0 ] || set -- module unit fuzz regress isolation tap core quickstart
mkdir -p "$LOGS"
for major in "${MAJORS[@]}"; do
  test_on "$major" "$@"
  [ -z "$LOCK" ] || exec {LOCK}>&-
done
printf '\n'
printf '%s\n' "${SUMMARY[@]}"
totals "$PASSED" "$FAILED" "$SKIPPED"
