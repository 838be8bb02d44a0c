# shellcheck shell=bash
# shellcheck disable=SC2153 # ROOT comes from lib.sh
# Root file systems, one for each supported server; sourced behind lib.sh, never run. Needs root.
#
#   suite_of MAJOR                  Debian's name for the release with that server; false: there is none
#   root_of MAJOR [clean]           the directory of its root file system; of another one, with nothing in it yet
#   need_root MAJOR LOG [clean]     waits until no other run uses it (LOCK is then the descriptor that holds it) and
#                                   makes it, of today's packages, if there is none; false with a REASON if that
#                                   cannot be, or if nothing could be run in it
#   lock_root MAJOR [clean], make_root MAJOR DIRECTORY [clean]   the two parts of need_root
#   in_root DIRECTORY COMMAND...    runs a command there; BINDS=(SOURCE TARGET ...) is bound into it meanwhile, and
#                                   with LAYER=... nothing is written to it, but to that layer
#   new_layer DIRECTORY             a layer above it, in LAYER; false with a REASON. Removed at exit
#   copy_source DIRECTORY           this source tree, to $SOURCE there

KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
SOURCE=/usr/src/learned_index # in a root file system
PACKAGES="ca-certificates g++ make cmake libgtest-dev libbenchmark-dev libboost-math-dev perl libipc-run-perl"

# Debian's name for the release with that server, and the name of debootstrap's script for it: an older
# debootstrap has none for what testing is called today.
suite_of() {
  case $1 in
    15) echo bookworm bookworm ;;
    17) echo trixie trixie ;;
    18 | 19) echo testing sid ;; # or a later suite, see add_suites
    *) return 1 ;;
  esac
}

root_of() { if [ "${2:-}" = clean ]; then echo "$CACHE/clean-$1"; else echo "$CACHE/root-$1"; fi; }

LOCK=
lock_root() {
  local root
  root=$(root_of "$@")
  LOCK=
  if ! mkdir -p "$CACHE" 2>/dev/null || [ ! -w "$CACHE" ]; then
    REASON="$CACHE cannot be written"
    return 1
  fi
  exec {LOCK}>"$root.lock"
  flock --nonblock "$LOCK" || say "waiting for another run that uses $root"
  flock "$LOCK"
}

# Where apt on this machine gets Debian's archive from, of all the kinds of places and files that it reads; by what the
# archive's Release file says of itself, as a mirror may have any name. (Updates and backports have other labels or
# origins, or are in the same place.)
apt_mirrors() {
  local place
  # shellcheck disable=SC2016 # apt's variables
  apt-get indextargets --format '$(REPO_URI) $(ORIGIN)|$(LABEL)' 'Created-By: Packages' 2>/dev/null |
    sed -n 's/ Debian|Debian$//p' | awk '!seen[$0]++' | while read -r place; do
    case $place in
      http://* | https://*) echo "${place%/}" ;;
      mirror+file:*)
        # A list of mirrors, one on each line, perhaps with more behind it.
        place=${place#mirror+file:}
        place=${place%/}
        sed -nE 's,^(https?:[^[:space:]]+[^/[:space:]])/?([[:space:]].*)?$,\1,p' "$place" 2>/dev/null
        ;;
    esac
  done
}

# Sets MIRROR; false with a REASON.
MIRROR=
find_mirror() {
  MIRROR=${DEBIAN_MIRROR:-}
  [ -n "$MIRROR" ] || MIRROR=$(apt_mirrors | head -n 1)
  if [ -z "$MIRROR" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt_update # without lists apt does not know what is where
    MIRROR=$(apt_mirrors | head -n 1)
  fi
  [ -n "$MIRROR" ] || { REASON="apt's sources name no mirror of Debian's archive: set DEBIAN_MIRROR" && return 1; }
}

# What apt goes through to the mirror, debootstrap and the apt in a root file system have to, too.
use_apt_proxy() {
  local proxy=
  eval "$(apt-config shell proxy Acquire::http::Proxy 2>/dev/null)"
  case $proxy in '' | DIRECT) ;; *) export http_proxy="$proxy" ;; esac
}

# in_root DIRECTORY COMMAND...: in a mount and a process namespace of its own, so that however it ends, neither a
# mounted file system nor a server is left behind.
BINDS=()
LAYER=
in_root() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  unshare --mount --propagation private --pid --fork --kill-child -- sh -c '
    root=$1
    layer=$2
    binds=$3
    shift 3
    if [ -n "$layer" ]; then
      mount -t overlay overlay -o "lowerdir=$root,upperdir=$layer/upper,workdir=$layer/work" "$layer/root" || exit 1
      root=$layer/root
    fi
    while [ "$binds" -gt 0 ]; do
      mkdir -p "$root$2" && mount --bind "$1" "$root$2" || exit 1
      shift 2
      binds=$((binds - 2))
    done
    mount -t proc proc "$root/proc" && mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm" || exit 1
    exec chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
      ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} \
      DEBIAN_FRONTEND=noninteractive "$@"' in_root "$1" "$LAYER" "${#BINDS[@]}" "${BINDS[@]}" "${@:2}"
}

# Above a root file system that is to stay as it is. It is mounted only where in_root needs it, so nothing is ever left
# mounted.
LAYERS=()
remove_layers() { [ ${#LAYERS[@]} = 0 ] || rm -rf "${LAYERS[@]}"; }
new_layer() {
  [ ${#LAYERS[@]} != 0 ] || at_exit remove_layers
  LAYER=$(mktemp -d "$CACHE/layer.XXXXXX") || { REASON="$CACHE cannot be written" && return 1; }
  LAYERS+=("$LAYER")
  chmod 755 "$LAYER"
  mkdir "$LAYER/upper" "$LAYER/work" "$LAYER/root"
  chmod 755 "$LAYER/upper"
  REASON=$(in_root "$1" true 2>&1) && return 0
  REASON="no layer above $1: $(head -n 1 <<<"$REASON")"
  return 1
}

# Could a root file system be used here? A container may have no right to mount.
can_use_roots() {
  local try
  if [ "$(id -u)" != 0 ]; then
    REASON="root file systems need root"
    return 1
  fi
  for try in unshare chroot mount; do
    command -v "$try" >/dev/null || { REASON="no command $try" && return 1; }
  done
  try=$(mktemp -d) || return 1
  # shellcheck disable=SC2016 # expanded by the inner shell
  if ! REASON=$(unshare --mount --propagation private --pid --fork --kill-child -- sh -c '
      mount -t tmpfs tmpfs "$1" && mkdir "$1/proc" && mount -t proc proc "$1/proc"' sh "$try" 2>&1); then
    REASON="no right to mount: $(head -n 1 <<<"$REASON")"
    rmdir "$try"
    return 1
  fi
  rmdir "$try"
}

need_root() {
  local root
  root=$(root_of "$1" "${3:-}")
  LOCK=
  can_use_roots && lock_root "$1" "${3:-}" || return 1
  [ ! -d "$root" ] || return 0
  offer_packages debootstrap debian-archive-keyring && find_mirror || return 1
  command -v debootstrap >/dev/null || { REASON="no command debootstrap" && return 1; }
  say "PostgreSQL $1: making $root"
  make_root "$1" "$root" "${3:-}" >"$2" 2>&1 && return 0
  tail -n 15 "$2" | sed 's/^/    /'
  REASON=$(grep -aE '^(E|error): ' "$2" | tail -n 1 | sed -E 's/^(E|error): //')
  REASON="its root file system could not be made: ${REASON:-$(tail -n 1 "$2")}"
  remove_new_root
  return 1
}

NEW_ROOT=
remove_new_root() { [ -z "$NEW_ROOT" ] || rm -rf "$NEW_ROOT"; }

# Made under another name first: a directory root-<version> or clean-<version> is always a complete one. What is bound, or written to a layer,
# for a root of before is none of this one's.
make_root() {
  local major=$1 suite script LAYER='' BINDS=()
  [ -n "$NEW_ROOT" ] || at_exit remove_new_root
  NEW_ROOT=$2.new
  read -r suite script < <(suite_of "$major")
  use_apt_proxy
  [ -n "$MIRROR" ] || find_mirror || { echo "E: $REASON" && return 1; }
  rm -rf "$NEW_ROOT"
  mkdir -p "$NEW_ROOT"
  unshare --mount --propagation private debootstrap --variant=minbase --include=ca-certificates --keyring="$KEYRING" \
    "$suite" "$NEW_ROOT" "$MIRROR" "$script" || return 1
  # Testing's list of packages expires after a week; a mirror may lag behind.
  echo 'Acquire::Check-Valid-Until "no";' >"$NEW_ROOT/etc/apt/apt.conf.d/90learned-index"
  # The server's package shall neither create a cluster nor start one.
  printf '#!/bin/sh\nexit 101\n' >"$NEW_ROOT/usr/sbin/policy-rc.d"
  chmod 755 "$NEW_ROOT/usr/sbin/policy-rc.d"
  mkdir -p "$NEW_ROOT/etc/postgresql-common/createcluster.d"
  echo "create_main_cluster = false" >"$NEW_ROOT/etc/postgresql-common/createcluster.d/no-cluster.conf"
  cp -L /etc/resolv.conf "$NEW_ROOT/etc/resolv.conf"
  echo "deb $MIRROR $suite main" >"$NEW_ROOT/etc/apt/sources.list"
  in_root "$NEW_ROOT" apt-get -q update || return 1
  [ "$suite" != testing ] || add_suites "$NEW_ROOT" "$major" || return 1
  if [ "${3:-}" != clean ]; then
    # shellcheck disable=SC2086 # a list of words
    in_root "$NEW_ROOT" apt-get -q -y --no-install-recommends install \
      "postgresql-$major" "postgresql-server-dev-$major" $PACKAGES || return 1
  fi
  in_root "$NEW_ROOT" apt-get clean || return 1
  mv "$NEW_ROOT" "$2"
}

# add_suites DIRECTORY MAJOR: a server that testing does not have yet comes from unstable, or from experimental; it and
# the client library that it needs, and nothing else: what they have of the rest may not fit together.
add_suites() {
  local root=$1 major=$2 suite priority=100 preferences=$1/etc/apt/preferences.d/learned-index
  ! has_server "$root" "$major" || return 0
  for suite in unstable experimental; do
    echo "deb $MIRROR $suite main" >>"$root/etc/apt/sources.list"
    printf 'Package: *\nPin: release a=%s\nPin-Priority: %d\n\n' "$suite" "$priority" >>"$preferences"
    priority=1
    in_root "$root" apt-get -q update || return 1
    if has_server "$root" "$major"; then
      printf 'Package: libpq5 libpq-dev postgresql-%d postgresql-client-%d postgresql-server-dev-%d\n' \
        "$major" "$major" "$major" >>"$preferences"
      printf 'Pin: release a=%s\nPin-Priority: 600\n' "$suite" >>"$preferences"
      return 0
    fi
  done
  echo "E: neither testing nor unstable nor experimental has PostgreSQL $major"
  return 1
}
has_server() { in_root "$1" apt-cache show "postgresql-$2" >/dev/null 2>&1; }

# Only build/ stays there from one run to the next.
copy_source() {
  local target=$1$SOURCE
  mkdir -p "$target" &&
    find "$target" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} + &&
    tar -C "$ROOT" --exclude=./build --exclude=./.git --exclude='*.o' --exclude='*.d' --exclude='*.so' \
      --exclude=./.build-flags -cf - . | tar -C "$target" --no-same-owner -xf -
}
