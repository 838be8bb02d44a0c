# shellcheck shell=bash
# shellcheck disable=SC2034 # much is set here for those who source this
# Shared by the scripts beside it; sourced, never run. Needs bash.
#
#   require_packages PACKAGE...   Debian packages, installed only when one is missing
#   offer_packages PACKAGE...     the same, but false where that cannot be; REASON says why
#   find_server                   sets PG_CONFIG, BINDIR, SERVER_VERSION and SERVER_MAJOR; installs server and headers
#                                 if missing
#   install_extension             builds in build/pg-<version>, installs into the server's directories
#   make_workspace [DIRECTORY]    sets WORKSPACE, a new directory (a temporary one) that goes away at exit
#   start_server [NAME=VALUE]...  a throw-away server in the workspace; sets PGHOST, PGPORT, PGUSER, PGDATABASE
#   forget_servers                unsets libpq's variables (start_server does)
#   as_server_user COMMAND...     runs it as the user that owns the throw-away server
#   totals PASSED FAILED SKIPPED  the last line of every script that tests; read_totals LOG reads it
#   say TEXT, fail TEXT
#
# A server that is installed already is used as it is: never upgraded, restarted or connected to.
# PG_CONFIG in the environment chooses another server than Debian's, PG_MAJOR another version of Debian's (one of
# SUPPORTED_MAJORS). Otherwise it is one that is installed, or the one that belongs to this release of Debian.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
JOBS=$(nproc 2>/dev/null || echo 2)
SUPPORTED_MAJORS="15 17 18 19"
CACHE=${LEARNED_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/learned_index}

say() { printf '== %s\n' "$*"; }
fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

default_major() {
  local major
  for major in $SUPPORTED_MAJORS; do
    if [ -x "/usr/lib/postgresql/$major/bin/postgres" ]; then
      echo "$major"
      return
    fi
  done
  case $(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release 2>/dev/null) in
    trixie) echo 17 ;;
    forky | sid) echo 18 ;;
    *) echo 15 ;;
  esac
}
PG_MAJOR=${PG_MAJOR:-$(default_major)}

# Of "15.18", and of "19rc1".
major_of() { echo "${1%%[!0-9]*}"; }

# ---- results -------------------------------------------------------------------------------------

# What could not be run is counted, too: a run that leaves something out shall not look like one that did not.
# False if something failed, or if there was nothing at all.
totals() {
  printf '%d passed, %d failed, %d skipped\n' "$1" "$2" "$3"
  [ "$2" = 0 ] && [ $(($1 + $3)) != 0 ]
}

# The three numbers of the last line of a log; nothing and false if it does not end so.
read_totals() {
  tail -n 1 "$1" 2>/dev/null | sed -nE 's/^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped$/\1 \2 \3/p' | grep .
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "this needs root or sudo: $*"
  fi
}

# ---- clean-up ------------------------------------------------------------------------------------

CLEANUPS=()
at_exit() { CLEANUPS=("$1" "${CLEANUPS[@]}"); }
run_cleanups() {
  local status=$? action
  trap - EXIT INT TERM
  for action in "${CLEANUPS[@]}"; do $action || true; done
  CLEANUPS=()
  exit "$status"
}
trap run_cleanups EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- packages ------------------------------------------------------------------------------------

package_version() {  # of an installed package, nothing otherwise
  dpkg-query -W -f '${db:Status-Status} ${Version}\n' "$1" 2>/dev/null | sed -n 's/^installed //p'
}

missing_packages() {
  local package
  for package in "$@"; do
    [ -n "$(package_version "${package%%=*}")" ] || printf '%s ' "$package"
  done
}

APT_UPDATED=
apt_update() {
  [ -n "$APT_UPDATED" ] || as_root apt-get -qq update ||
    printf 'warning: apt-get update failed; trying with the package lists at hand\n' >&2
  APT_UPDATED=yes
}

# Silent unless it fails. NEEDRESTART_SUSPEND: no restart of services by the needrestart hook.
apt_install() {
  local output
  output=$(as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
    apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends --no-remove install "$@" 2>&1) && return 0
  tail -n 20 <<<"$output" >&2
  return 1
}

# apt_leaves_alone REGEX PACKAGE...: would apt install the packages without removing anything or changing an
# installed package whose name begins with REGEX? A simulation says "Inst name [old version] (new version ...)".
apt_leaves_alone() {
  local names=$1 plan
  shift
  plan=$(apt-get -s --no-install-recommends --no-remove install "$@" 2>/dev/null) || return 1
  ! grep -qE "^(Inst ($names)[^ ]* \\[|Remv )" <<<"$plan"
}
apt_can_install() { apt_leaves_alone 'postgresql|libpq5' "$@"; }

require_packages() {
  local missing
  if ! command -v dpkg-query >/dev/null; then return 0; fi # not Debian: the commands are looked for later
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  say "installing packages: $missing"
  apt_update
  # shellcheck disable=SC2086 # a list of words
  apt_can_install $missing || fail "cannot install this without touching the installed server: $missing"
  # shellcheck disable=SC2086
  apt_install $missing || fail "apt-get could not install: $missing"
}

REASON=
offer_packages() {
  local missing output
  if ! command -v dpkg-query >/dev/null; then return 0; fi
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
    REASON="not installed, and this is not root: $missing"
    return 1
  fi
  if ! output=$( (require_packages "$@") 2>&1); then
    REASON=$(tail -n 1 <<<"$output" | sed 's/^error: //; s/ *$//')
    return 1
  fi
  APT_UPDATED=yes
}

# Headers in the very version of the server: the module is checked against the major version only, but the
# inline functions and structures compiled into it are those of the headers. libpq-dev, which the headers'
# package depends on, demands its own version of libpq5.
install_server_headers() {
  local server libpq choice
  [ -z "$(package_version "postgresql-server-dev-$PG_MAJOR")" ] || return 0
  server=$(package_version "postgresql-$PG_MAJOR")
  libpq=$(package_version libpq5)
  say "installing postgresql-server-dev-$PG_MAJOR, version $server"
  apt_update
  for choice in \
    "postgresql-server-dev-$PG_MAJOR=$server libpq-dev=$libpq libpq5=$libpq" \
    "postgresql-server-dev-$PG_MAJOR=$server" \
    "postgresql-server-dev-$PG_MAJOR libpq-dev=$libpq libpq5=$libpq"; do
    # shellcheck disable=SC2086
    if apt_can_install $choice; then
      # shellcheck disable=SC2086
      apt_install $choice && return 0
    fi
  done
  # The last resort: headers of another minor version, and libpq5 (a client library) moves along.
  printf 'warning: no headers of version %s to be had, taking those of the newest minor version\n' "$server" >&2
  if ! apt_leaves_alone 'postgresql' "postgresql-server-dev-$PG_MAJOR" ||
    ! apt_install "postgresql-server-dev-$PG_MAJOR"; then
    fail "cannot install postgresql-server-dev-$PG_MAJOR beside postgresql-$PG_MAJOR $server"
  fi
}

# forbid_services and allow_services: while these two files exist, installing creates no cluster and starts no service.
NO_CLUSTER=/etc/postgresql-common/createcluster.d/zz-learned-index-quiet.conf
POLICY=/usr/sbin/policy-rc.d
POLICY_IS_OURS=
allow_services() {
  as_root rm -f "$NO_CLUSTER"
  as_root rmdir --ignore-fail-on-non-empty "$(dirname "$NO_CLUSTER")" 2>/dev/null || true
  [ -z "$POLICY_IS_OURS" ] || as_root rm -f "$POLICY"
  POLICY_IS_OURS=
}
forbid_services() {
  at_exit allow_services
  if [ ! -e "$POLICY" ]; then
    POLICY_IS_OURS=yes
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null
    as_root chmod 755 "$POLICY"
  fi
  as_root mkdir -p "$(dirname "$NO_CLUSTER")"
  echo "create_main_cluster = false" | as_root tee "$NO_CLUSTER" >/dev/null
}
install_server() {
  say "installing postgresql-$PG_MAJOR (no cluster is created, none is started)"
  apt_update
  forbid_services
  apt_can_install "postgresql-$PG_MAJOR" ||
    fail "cannot install postgresql-$PG_MAJOR beside the servers that are here; choose one with PG_CONFIG=..."
  apt_install "postgresql-$PG_MAJOR" || fail "apt-get could not install postgresql-$PG_MAJOR"
  allow_services
}

# ---- the server to use ---------------------------------------------------------------------------

find_server() {
  local standard=/usr/lib/postgresql/$PG_MAJOR/bin
  if [ -z "${PG_CONFIG:-}" ]; then
    if command -v dpkg-query >/dev/null; then
      [ -n "$(package_version "postgresql-$PG_MAJOR")" ] || install_server
      install_server_headers
    fi
    if [ -x "$standard/pg_config" ]; then PG_CONFIG=$standard/pg_config; else PG_CONFIG=pg_config; fi
  fi
  command -v "$PG_CONFIG" >/dev/null || fail "$PG_CONFIG not found: install PostgreSQL $PG_MAJOR with its headers"
  BINDIR=$("$PG_CONFIG" --bindir)
  SERVER_VERSION=$("$PG_CONFIG" --version | sed 's/^PostgreSQL //; s/ .*//')
  # shellcheck disable=SC2034 # for those who source this
  SERVER_MAJOR=$(major_of "$SERVER_VERSION")
  [ -x "$BINDIR/postgres" ] || fail "no server in $BINDIR"
  [ -e "$("$PG_CONFIG" --includedir-server)/postgres.h" ] || fail "no server headers for $PG_CONFIG"
}

# ---- the extension -------------------------------------------------------------------------------

# Built apart from the sources, one directory for each server, by the user who runs the script.
install_extension() {
  local build="$ROOT/build/pg-$SERVER_VERSION" pkglibdir file
  pkglibdir=$("$PG_CONFIG" --pkglibdir)
  # An assert-enabled server of the same version has other headers.
  ! grep -qs '^#define USE_ASSERT_CHECKING 1' "$("$PG_CONFIG" --includedir-server)/pg_config.h" || build+=-assert
  mkdir -p "$build" 2>/dev/null
  if [ ! -w "$build" ]; then # root built here before
    make_workspace
    build=$WORKSPACE/build
    mkdir -p "$build"
  fi
  say "building for PostgreSQL $SERVER_VERSION"
  make -s -C "$build" -f "$ROOT/Makefile" -j "$JOBS" PG_CONFIG="$PG_CONFIG" all || fail "the build failed"
  # Installed already, byte for byte: nothing to do, and no root needed.
  if cmp -s "$build/learned_index.so" "$pkglibdir/learned_index.so"; then
    for file in "$ROOT/learned_index.control" "$ROOT"/src/sql/*.sql; do
      cmp -s "$file" "$("$PG_CONFIG" --sharedir)/extension/${file##*/}" || break
      file=
    done
    [ -n "$file" ] || return 0
  fi
  if [ -w "$pkglibdir" ]; then
    make -s -C "$build" -f "$ROOT/Makefile" PG_CONFIG="$PG_CONFIG" install >/dev/null
  else
    as_root make -s -C "$build" -f "$ROOT/Makefile" PG_CONFIG="$PG_CONFIG" install >/dev/null
  fi || fail "make install failed"
}

# ---- a throw-away server -------------------------------------------------------------------------

# The server refuses to run as root: then it is the user postgres, who comes with Debian's package.
as_server_user() {
  if [ "$(id -u)" != 0 ]; then
    "$@"
  else
    runuser -u "$SERVER_USER" -- env HOME="$WORKSPACE" "$@"
  fi
}

WORKSPACE=
make_workspace() {
  [ -z "$WORKSPACE" ] || return 0
  if id postgres >/dev/null 2>&1; then SERVER_USER=postgres; else SERVER_USER=nobody; fi
  if [ -z "${1:-}" ]; then
    WORKSPACE=$(mktemp -d "${TMPDIR:-/tmp}/learned.XXXXXX")
  else
    mkdir "$1" || fail "cannot make the directory $1"
    WORKSPACE=$1
  fi
  at_exit remove_workspace
  chmod 755 "$WORKSPACE"
  [ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$WORKSPACE"
  # What runs as that user finds no unreadable working directory (a clone in root's home, say).
  cd "$WORKSPACE" || exit 1
}
remove_workspace() {
  cd /
  rm -rf "$WORKSPACE"
}

# What the environment has for libpq (an address, a service, a mode of TLS, ...) is about another server. Its variables are PG and capitals.
forget_servers() {
  local name
  for name in $(compgen -e | grep -E '^PG[A-Z]+$'); do unset "$name"; done
}

start_server() {
  local setting
  make_workspace
  mkdir -p "$WORKSPACE/socket"
  [ "$(id -u)" != 0 ] || chown "$SERVER_USER" "$WORKSPACE/socket"
  forget_servers
  # Only the socket in the workspace is listened on, so that the port's number meets nobody else's.
  export PGHOST="$WORKSPACE/socket" PGPORT=54321 PGUSER=postgres PGDATABASE=postgres
  export PATH="$BINDIR:$PATH"
  as_server_user "$BINDIR/initdb" -D "$WORKSPACE/data" -U postgres -A trust -E UTF8 --locale=C --no-sync \
    >"$WORKSPACE/initdb.log" 2>&1 || {
    cat "$WORKSPACE/initdb.log" >&2
    fail "initdb failed"
  }
  at_exit stop_server
  printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$PGHOST'" "port = $PGPORT" \
    "fsync = off" >>"$WORKSPACE/data/postgresql.conf"
  for setting in "$@"; do
    printf "%s = '%s'\n" "${setting%%=*}" "${setting#*=}" >>"$WORKSPACE/data/postgresql.conf"
  done
  as_server_user "$BINDIR/pg_ctl" -D "$WORKSPACE/data" -l "$WORKSPACE/server.log" -w -t 60 start >/dev/null || {
    cat "$WORKSPACE/server.log" >&2
    fail "the throw-away server did not start"
  }
}
stop_server() {
  [ -e "$WORKSPACE/data/postmaster.pid" ] || return 0
  as_server_user "$BINDIR/pg_ctl" -D "$WORKSPACE/data" -m immediate -w stop >/dev/null 2>&1
}
