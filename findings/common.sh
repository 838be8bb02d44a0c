# shellcheck shell=bash
# Shared by the scripts beside it; sourced, never run.
#
#   in_debian PACKAGE=VERSION...   continues the script as root in a throw-away copy of the root file system of PostgreSQL 18
#                                  (made by scripts/roots.sh if there is none), with those packages; exits with 77 if it cannot
#   server [NAME=VALUE]...         a throw-away server; our extension is in none of its databases
#   sql TEXT                       rows, unaligned; DATABASE=name chooses another database than postgres
#   given TEXT                     the same, and the script ends if it fails
#   seen WHAT GOT EXPECTED         prints what is seen; exits with 1 if it is something else

FINDINGS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PG_MAJOR=18
# shellcheck source=scripts/lib.sh
. "$FINDINGS/../scripts/lib.sh"
# shellcheck source=scripts/roots.sh
. "$FINDINGS/../scripts/roots.sh"
cannot() {
  echo "cannot run: $*"
  exit 77
}

unmount() { umount -l "$OVERLAY/root" "$OVERLAY" 2>/dev/null; rmdir "$OVERLAY"; }
in_debian() {
  local root
  if [ -n "${IN_FINDING:-}" ]; then
    [ $# = 0 ] || apt_install "$@" 2>/dev/null || { apt_update && apt_install --allow-downgrades "$@" 2>/dev/null; } ||
      cannot "Debian testing no longer has $*"
    echo "PostgreSQL $(package_version postgresql-18)${1:+, $*}"
    return
  fi
  [ "$(id -u)" = 0 ] || cannot "this needs root, for a root file system"
  root=$(root_of 18)
  lock_root 18
  if [ ! -d "$root" ]; then
    require_packages debootstrap debian-archive-keyring
    make_root 18 "$root" >/dev/null 2>&1 || cannot "no root file system could be made (network?)"
  fi
  OVERLAY=$(mktemp -d)
  at_exit unmount
  # shellcheck disable=SC2015 # whatever of it fails
  mount -t tmpfs tmpfs "$OVERLAY" && mkdir "$OVERLAY"/{root,upper,work} &&
    mount -t overlay overlay -o "lowerdir=$root,upperdir=$OVERLAY/upper,workdir=$OVERLAY/work" "$OVERLAY/root" || cannot "no overlay"
  copy_source "$OVERLAY/root" || cannot "the source tree could not be copied"
  # shellcheck disable=SC2016 # expanded over there
  in_root "$OVERLAY/root" env IN_FINDING=yes bash -c 'bash "$1"; exit $?' bash "$SOURCE/findings/$(basename "$0")" {LOCK}>&-
  exit
}

server() {
  find_server
  start_server "$@"
}
sql() { PGOPTIONS="-c client_min_messages=warning" psql -XqAt -v ON_ERROR_STOP=1 -d "${DATABASE:-postgres}" <<<"$1" 2>&1; }
given() {
  local output
  output=$(sql "$1") || cannot "what this stands on failed: $output"
}
seen() {
  # shellcheck disable=SC2001 # of several lines
  printf '%s:\n%s\n' "$1" "$(sed 's/^/    /' <<<"$2")"
  [ "$2" = "$3" ] || {
    # shellcheck disable=SC2001
    printf 'which is no longer what was seen:\n%s\n' "$(sed 's/^/    /' <<<"$3")"
    exit 1
  }
}
