#!/usr/bin/env bash
# Tries the index under frameworks, on PostgreSQL 18 as Debian testing has it: each makes tables and learned indexes in
# its own way, reads by them, and is asked again what it would change.
#
#   test/neighbours/frameworks/run.sh [NAME...]   all scripts beside this one, or django, sqlalchemy, alembic, sequelize, ...
#   LEARNED_CACHE=..., DEBIAN_MIRROR=...          as for scripts/test-matrix.sh
#
# In the root file system of scripts/test-matrix.sh, which is made if there is none; needs root, and network for the
# packages: Debian's for Python (their versions are printed), npm's in the versions that the line "# npm:" of a script names,
# fetched by this machine's npm; nothing of them is run outside. Ends with a line "N passed, N failed, N skipped"; a
# framework that cannot be installed is a skip.
set -uo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
. "$HERE/../../../scripts/lib.sh"
# shellcheck source=scripts/roots.sh
. "$HERE/../../../scripts/roots.sh"

LOGS=$ROOT/build/neighbours
MODULES=/opt/learned_index-npm # in the root file system; lib.sh knows it too
BEFORE=2026-11-28              # what the packages depend on is taken as it was then
PASSED=0
SKIPPED=0
FAILED=0

end() {
  printf '\n%d passed, %d failed, %d skipped\n' "$PASSED" "$FAILED" "$SKIPPED"
  [ "$FAILED" = 0 ]
  exit
}

# Made under another name first, so that node_modules is always complete.
fetch_npm() {
  local directory=$root$MODULES/$1 packages
  packages=$(sed -n 's/^# npm: //p' "$HERE/$1.sh")
  [ -n "$packages" ] || return 0
  [ "$(cat "$directory/packages" 2>/dev/null)" != "$packages" ] || return 0
  command -v npm >/dev/null || return 1
  rm -rf "$directory" "$directory.new"
  mkdir -p "$directory.new"
  # shellcheck disable=SC2086 # a list of words
  npm install --prefix "$directory.new" --no-audit --no-fund --no-package-lock --ignore-scripts --before="$BEFORE" \
    $packages >"$LOGS/$1.npm.log" 2>&1 || return 1
  echo "$packages" >"$directory.new/packages"
  mv "$directory.new" "$directory"
}

run() {
  local name=$1 log=$LOGS/$1.log status passed failed
  say "$name"
  if ! fetch_npm "$name"; then
    echo "    skipped: npm could not install its packages"
    SKIPPED=$((SKIPPED + 1))
    return
  fi
  # (The lock is not for the processes in there to hold. As the first process of a namespace, timeout fails.)
  # shellcheck disable=SC2016 # expanded over there
  (in_root "$root" bash -c 'timeout -k 10 600 bash "$1"; exit $?' bash \
    "$SOURCE/test/neighbours/frameworks/$name.sh" {LOCK}>&-) >"$log" 2>&1
  status=$?
  passed=$(grep -c '^ok - ' "$log")
  failed=$(grep -c '^not ok - ' "$log")
  if [ "$status" = 77 ]; then
    SKIPPED=$((SKIPPED + 1))
  elif { [ "$status" != 0 ] || [ "$passed" = 0 ]; } && [ "$failed" = 0 ]; then
    failed=1 # it ended early
    tail -n 20 "$log" | sed 's/^/    /'
  fi
  grep -E '^(# |#  |not ok|skipped)' "$log" | sed 's/^/    /'
  echo "    $passed passed, $failed failed"
  PASSED=$((PASSED + passed))
  FAILED=$((FAILED + failed))
}

if [ $# = 0 ]; then
  for script in "$HERE"/*.sh; do
    case ${script##*/} in run.sh | lib.sh) ;; *) set -- "$@" "$(basename "$script" .sh)" ;; esac
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
for name in "$@"; do run "$name"; done
end
