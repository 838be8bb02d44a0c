# shellcheck shell=bash
# Root file systems, one for each supported server; sourced behind lib.sh, never run. Needs root.
#
#   suite_of MAJOR                  Debian's name for the release with that server; false: there is none
#   root_of MAJOR                   the directory of its root file system
#   lock_root MAJOR                 waits until no other run uses it; LOCK is then the descriptor that holds it
#   make_root MAJOR DIRECTORY       makes one, of today's packages
#   in_root DIRECTORY COMMAND...    runs a command there; BINDS=(SOURCE TARGET ...) is bound into it meanwhile
#   copy_source DIRECTORY           this source tree, to $SOURCE there

CACHE=${LEARNED_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/learned_index}
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
SOURCE=/usr/src/learned_index # in a root file system
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

root_of() { echo "$CACHE/root-$1"; }

lock_root() {
  local root
  root=$(root_of "$1")
  exec {LOCK}>"$root.lock"
  flock --nonblock "$LOCK" || say "PostgreSQL $1: waiting for another run that uses $root"
  flock "$LOCK"
}

mirror() {
  local found=${DEBIAN_MIRROR:-}
  [ -n "$found" ] ||
    found=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/debian.sources 2>/dev/null | head -n 1)
  echo "${found:-http://deb.debian.org/debian}"
}

# in_root DIRECTORY COMMAND...: in a mount and a process namespace of its own, so that however it ends, neither a
# mounted file system nor a server is left behind.
BINDS=()
in_root() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  unshare --mount --propagation private --pid --fork --kill-child -- sh -c '
    root=$1
    binds=$2
    shift 2
    while [ "$binds" -gt 0 ]; do
      mkdir -p "$root$2" && mount --bind "$1" "$root$2" || exit 1
      shift 2
      binds=$((binds - 2))
    done
    mount -t proc proc "$root/proc" && mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm" || exit 1
    exec chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
      DEBIAN_FRONTEND=noninteractive "$@"' in_root "$1" "${#BINDS[@]}" "${BINDS[@]}" "${@:2}"
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
