#!/usr/bin/env bash
# Runs the tests on every supported server, each in a Debian of its own:
#
#   15: Debian 12 (bookworm)    17: Debian 13 (trixie)    18: Debian testing
#
#   scripts/test-matrix.sh [15|17|18]... [SUITE...]   all servers, and all suites of scripts/test.sh by default
#   LEARNED_CACHE=...    where the root file systems are kept (~/.cache/learned_index, 2 GB each); remove a
#                        directory root-<version> there to have it made anew, of today's packages
#   DEBIAN_MIRROR=...    instead of the one that this machine's apt uses
#   FUZZ_SECONDS, TAP_TIMEOUT as for scripts/test.sh
#
# Needs root, and on a machine that is not a Debian the commands debootstrap and unshare. The source tree is
# copied in; here only build/test-matrix is written, with the logs. Ends with one line for each server.
set -uo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/roots.sh
. "$(dirname "${BASH_SOURCE[0]}")/roots.sh"

LOGS=$ROOT/build/test-matrix

test_on() {
  local major=$1 root log=$LOGS/$1.log status
  shift
  root=$(root_of "$major")
  lock_root "$major"
  if [ ! -d "$root" ]; then
    say "PostgreSQL $major: making $root"
    if ! make_root "$major" "$root" >"$LOGS/$major.root.log" 2>&1; then
      tail -n 30 "$LOGS/$major.root.log" | sed 's/^/    /'
      SUMMARY+=("PostgreSQL $major: no root file system could be made")
      return 1
    fi
  fi
  if ! copy_source "$root"; then
    SUMMARY+=("PostgreSQL $major: the source tree could not be copied")
    return 1
  fi
  say "PostgreSQL $major in $root"
  # (The lock is not for the processes in there to hold.)
  in_root "$root" env PG_MAJOR="$major" FUZZ_SECONDS="${FUZZ_SECONDS:-20}" TAP_TIMEOUT="${TAP_TIMEOUT:-400}" \
    "$SOURCE/scripts/test.sh" "$@" 2>&1 {LOCK}>&- | tee "$log"
  status=${PIPESTATUS[0]}
  rm -rf "${LOGS:?}/$major"
  [ ! -d "$root$SOURCE/build/test-logs" ] || cp -r "$root$SOURCE/build/test-logs" "$LOGS/$major"
  SUMMARY+=("PostgreSQL $major: $(tail -n 1 "$log")")
  return "$status"
}

[ "$(id -u)" = 0 ] || fail "this needs root, to make root file systems"
MAJORS=()
while [[ ${1:-} =~ ^[0-9]+$ ]]; do
  suite_of "$1" >/dev/null || fail "PostgreSQL $1 is not supported; 15, 17 and 18 are"
  MAJORS+=("$1")
  shift
done
[ ${#MAJORS[@]} != 0 ] || MAJORS=(15 17 18)
require_packages debootstrap debian-archive-keyring
mkdir -p "$CACHE" "$LOGS"
SUMMARY=()
failed=0
for major in "${MAJORS[@]}"; do
  test_on "$major" "$@" || failed=1
  exec {LOCK}>&-
done
printf '\n'
printf '%s\n' "${SUMMARY[@]}"
exit "$failed"
