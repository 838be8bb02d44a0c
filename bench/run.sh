#!/usr/bin/env bash
# Compares the learned index with btree, brin and hash on the same tables in one run:
# builds and installs the extension, starts a throw-away server, measures, and writes
# a Markdown table, JSON and plots. `bench/run.sh --help` lists the options;
# bench/README.md says what is measured and what is asserted.
set -euo pipefail

bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib.sh
. "$bench/../scripts/lib.sh"

require_packages python3
export PYTHONDONTWRITEBYTECODE=1 # no byte-code files in the source tree
plots=yes
for argument in "$@"; do
  case $argument in
    -h | --help | --list) exec python3 "$bench/run.py" "$@" ;;
    --no-plots) plots= ;;
  esac
done

# What the options ask for: a line "build" unless the extension is not needed or not to be
# built, a line "floor" if that method takes part, then the server's settings.
plan=$(python3 "$bench/run.py" --plan "$@") || exit 2
mapfile -t settings < <(grep '=' <<<"$plan")

# The plots need matplotlib; without it the run is as good. In a subshell, where a failure ends nothing else.
has_matplotlib() { "$1" -c 'import matplotlib' 2>/dev/null; }
plotter=
if [ -n "$plots" ]; then
  has_matplotlib python3 || has_matplotlib /usr/bin/python3 || (require_packages python3-matplotlib) || true
  for candidate in python3 /usr/bin/python3; do # the package belongs to Debian's Python
    if [ -z "$plotter" ] && has_matplotlib "$candidate"; then plotter=$candidate; fi
  done
  [ -n "$plotter" ] || say "no plots: python3-matplotlib is not installed and could not be"
fi

export BENCH_CALLED_FROM=$PWD
find_server
if grep -q '^build$' <<<"$plan"; then install_extension; fi
if grep -q '^floor$' <<<"$plan"; then # a yardstick, not part of the extension: nothing is installed
  make_workspace
  export BENCH_FLOOR=$WORKSPACE/floor.so
  "${CC:-cc}" -O2 -fwrapv -fno-strict-aliasing -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
    -Wno-missing-field-initializers -fPIC -shared -isystem "$("$PG_CONFIG" --includedir-server)" \
    "$bench/floor/floor.c" -o "$BENCH_FLOOR" || fail "bench/floor/floor.c does not compile"
  chmod a+r "$BENCH_FLOOR"
fi
start_server "${settings[@]}"

export BENCH_BINDIR=$BINDIR BENCH_DATA=$WORKSPACE/data BENCH_SERVER_LOG=$WORKSPACE/server.log
export BENCH_PLOTTER=$plotter BENCH_SERVER_USER=
[ "$(id -u)" != 0 ] || BENCH_SERVER_USER=$SERVER_USER

# In the background, because only `wait` lets bash act on a signal at once.
python3 "$bench/run.py" "$@" &
driver=$!
# shellcheck disable=SC2317 # called at exit
stop_driver() { kill "$driver" 2>/dev/null; }
at_exit stop_driver
status=0
wait "$driver" || status=$?
exit "$status"
