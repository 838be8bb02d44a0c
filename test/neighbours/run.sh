#!/usr/bin/env bash
# Tries the index beside other tools, on PostgreSQL 18 as Debian testing has it, with the tools' Debian packages:
#
#   test/neighbours/run.sh [NAME...]    all scripts beside this one, or pg_repack, pg_squeeze, ...
#   LEARNED_CACHE=..., DEBIAN_MIRROR=...  as for scripts/test-matrix.sh
#
# In the root file system of scripts/test-matrix.sh, to which the packages are added, and which is made if there is none; needs root, and network for the
# packages. Ends with a line "N passed, N failed, N skipped"; a tool that cannot be installed is a skip.
set -uo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
. "$HERE/../../scripts/lib.sh"
# shellcheck source=scripts/roots.sh
. "$HERE/../../scripts/roots.sh"

LOGS=$ROOT/build/neighbours
PASSED=0
SKIPPED=0
FAILED=0

end() {
  printf '\n%d passed, %d failed, %d skipped\n' "$PASSED" "$FAILED" "$SKIPPED"
  [ "$FAILED" = 0 ]
  exit
}

run() {
  local name=$1 log=$LOGS/$1.log status passed failed
  say "$name"
  # (The lock is not for the processes in there to hold. As the first process of a namespace, timeout fails.)
  # shellcheck disable=SC2016 # expanded over there
  (in_root "$root" bash -c 'timeout -k 10 900 bash "$1"; exit $?' bash "$SOURCE/test/neighbours/$name.sh" {LOCK}>&-) \
    >"$log" 2>&1
  status=$?
  passed=$(grep -c '^ok - ' "$log")
  failed=$(grep -c '^not ok - ' "$log")
  if [ "$status" = 77 ]; then
    SKIPPED=$((SKIPPED + 1))
  elif [ "$status" != 0 ] && [ "$failed" = 0 ]; then
    failed=1 # it ended early
    tail -n 20 "$log" | sed 's/^/    /'
  fi
  grep -vE '^ok - |^== ' "$log" | grep -E '^(#|not ok|    |skipped)' | sed 's/^/    /'
  echo "    $passed passed, $failed failed"
  PASSED=$((PASSED + passed))
  FAILED=$((FAILED + failed))
}

if [ $# = 0 ]; then
  for script in "$HERE"/*.sh; do
    name=$(basename "$script" .sh)
    case $name in run | lib) ;; *) set -- "$@" "$name" ;; esac
  done
fi
for name in "$@"; do [ -e "$HERE/$name.sh" ] || fail "there is no script $name.sh"; done
if [ "$(id -u)" != 0 ]; then
  say "skipped: this needs root, for a root file system"
  SKIPPED=$#
  end
fi
mkdir -p "$CACHE" "$LOGS"
require_packages debootstrap debian-archive-keyring
root=$(root_of 18)
lock_root 18
if [ ! -d "$root" ]; then
  say "making $root"
  if ! make_root 18 "$root" >"$LOGS/root.log" 2>&1; then
    say "skipped: no root file system could be made, see $LOGS/root.log"
    SKIPPED=$#
    end
  fi
fi
copy_source "$root" || fail "the source tree could not be copied"
# shellcheck disable=SC2016 # expanded over there
in_root "$root" env PG_MAJOR=18 bash -c '. "$1/scripts/lib.sh" && find_server && install_extension' bash "$SOURCE" \
  >"$LOGS/build.log" 2>&1 || { tail -n 20 "$LOGS/build.log" && fail "the build failed"; }
for name in "$@"; do run "$name"; done
end
