# shellcheck shell=bash
# Shared by the scripts beside it that try programs (npm's or Python's packages) on a throw-away server of whatever version
# is installed; sourced, never run.
#
#   cannot TEXT                 the script cannot run here: ends with 77
#   changed TEXT                what was seen is seen no more: ends with 1
#   npm_packages NAME@VERSION...            in a temporary directory, which is then the working directory
#   python_packages MODULE VERSION NAME==VERSION...  the same; Debian's package if it has that version of the module
#   start_server                            and lets libpq's variables lead to it
#   sql TEXT                                rows, unaligned

set -u

cannot() {
  echo "cannot run: $*"
  exit 77
}
changed() {
  echo "changed: $*"
  exit 1
}
as_server() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }

bin=
clean_up() {
  [ -z "$bin" ] || as_server "$bin/pg_ctl" -D "$work/server/data" -m immediate stop >/dev/null 2>&1
  cd /
  rm -rf "$work"
}
work=$(mktemp -d)
trap clean_up EXIT
chmod 755 "$work"
mkdir "$work/server" "$work/program"
cd "$work/program" || exit 1

# What the packages depend on is taken as it was then.
npm_packages() {
  local tool
  for tool in node npm; do command -v "$tool" >/dev/null || cannot "no $tool"; done
  npm install --no-audit --no-fund --ignore-scripts --before=2026-11-28 "$@" >npm.log 2>&1 || cannot "npm install failed"
}

python_packages() {
  local module=$1 version=$2
  shift 2
  if [ "$(python3 -c "import $module; print($module.__version__)" 2>/dev/null)" != "$version" ]; then
    python3 -m pip install -q --target "$work/python" "$@" >pip.log 2>&1 ||
      cannot "neither Debian's package of $module $version nor pip's"
    export PYTHONPATH=$work/python
  fi
  python3 -c 'import psycopg' 2>/dev/null || cannot "no psycopg for Python"
}

start_server() {
  local directory found=
  for directory in "$(pg_config --bindir 2>/dev/null)" /usr/lib/postgresql/*/bin; do
    [ ! -x "$directory/initdb" ] || found=$directory
  done
  [ -n "$found" ] || cannot "no PostgreSQL server"
  [ "$(id -u)" != 0 ] || chown postgres "$work/server"
  as_server "$found/initdb" -D "$work/server/data" -U postgres -A trust >/dev/null 2>&1 || cannot "initdb failed"
  bin=$found
  as_server "$bin/pg_ctl" -D "$work/server/data" -w -l "$work/server/log" \
    -o "-c listen_addresses='' -c unix_socket_directories='$work/server'" start >/dev/null || cannot "the server does not start"
  local name
  for name in $(compgen -e | grep -E '^PG[A-Z]+$'); do unset "$name"; done # what libpq is told of another server
  export PGHOST=$work/server PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
}
sql() { psql -XqAt -v ON_ERROR_STOP=1 -c "$1"; }
