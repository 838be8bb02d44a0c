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

CACHE=${LEARNED_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/learned_index}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
SOURCE=/usr/src/learned_index # in a root file system
LOGS=$ROOT/build/test-matrix
PACKAGES="ca-certificates g++ make cmake libgtest-dev libbenchmark-dev libboost-math-dev perl libipc-run-perl"

# Debian's name for the release with that server, and the name of debootstrap's script for it: an older
# debootstrap has none for what testing is called today.
suite_of() {
  case $1 in
    15) echo bookworm bookworm ;;
    17) echo trixie trixie ;;
    18) echo testing sid ;;
    *) return 1 ;;
  esac
}

mirror() {
  local found=${DEBIAN_MIRROR:-}
  [ -n "$found" ] ||
    found=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1)
  echo "${found:-http://deb.debian.org/debian}"
}

# in_root DIRECTORY COMMAND...: in a mount and a process namespace of its own, so that however it ends, neither a
# mounted file system nor a server is left behind.
in_root() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  unshare --mount --propagation private --pid --fork --kill-child -- sh -c '
    root=$1
    shift
    mount -t proc proc "$root/proc" && mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm" || exit 1
    exec chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
      DEBIAN_FRONTEND=noninteractive "$@"' in_root "$@"
}

# Made under another name first: a directory root-<version> is always a complete one.
make_root() {
  local major=$1 new=$2.new suite script
  read -r suite script < <(suite_of "$major")
  rm -rf "$new"
  mkdir -p "$new"
  unshare --mount --propagation private debootstrap --variant=minbase --keyring="$KEYRING" "$suite" "$new" \
    "$(mirror)" "$script" || return 1
  # Testing's list of packages expires after a week; a mirror may lag behind.
  echo 'Acquire::Check-Valid-Until "no";' >"$new/etc/apt/apt.conf.d/90learned-index"
  # The server's package shall neither create a cluster nor start one.
  printf '#!/bin/sh\nexit 101\n' >"$new/usr/sbin/policy-rc.d"
  chmod 755 "$new/usr/sbin/policy-rc.d"
  mkdir -p "$new/etc/postgresql-common/createcluster.d"
  echo "create_main_cluster = false" >"$new/etc/postgresql-common/createcluster.d/no-cluster.conf"
  cp -L /etc/resolv.conf "$new/etc/resolv.conf"
  in_root "$new" apt-get -q update || return 1
  # shellcheck disable=SC2086 # a list of words
  in_root "$new" apt-get -q -y --no-install-recommends install \
    "postgresql-$major" "postgresql-server-dev-$major" $PACKAGES || return 1
  in_root "$new" apt-get clean || return 1
  mv "$new" "$2"
}

# Only build/ stays there from one run to the next.
copy_source() {
  local target=$1$SOURCE
  mkdir -p "$target" &&
    find "$target" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} + &&
    tar -C "$ROOT" --exclude=./build --exclude=./.git --exclude='*.o' --exclude='*.d' --exclude='*.so' \
      --exclude=./.build-flags -cf - . | tar -C "$target" --no-same-owner -xf -
}

test_on() {
  local major=$1 root=$CACHE/root-$1 log=$LOGS/$1.log status
  shift
  exec 9>"$root.lock"
  flock --nonblock 9 || say "PostgreSQL $major: waiting for another run that uses $root"
  flock 9
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
    "$SOURCE/scripts/test.sh" "$@" 2>&1 9>&- | tee "$log"
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
done
printf '\n'
printf '%s\n' "${SUMMARY[@]}"
exit "$failed"
