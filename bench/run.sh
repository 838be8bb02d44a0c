#!/usr/bin/env bash
# Compares the learned index with a B-tree on the same tables in one run:
# builds and installs the extension, starts a throw-away server, measures,
# and writes a Markdown table and JSON. `bench/run.sh --help` lists the options;
# bench/README.md says what is measured and what is asserted.
set -euo pipefail

bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=../scripts/lib.sh
. "$bench/../scripts/lib.sh"

require_packages python3
export PYTHONDONTWRITEBYTECODE=1 # no byte-code files in the source tree
for argument in "$@"; do
  case $argument in
    -h | --help | --list) exec python3 "$bench/run.py" "$@" ;;
  esac
done

# What the options ask for: a line "build" unless the extension is not needed or not to be
# built, then the server's settings.
plan=$(python3 "$bench/run.py" --plan "$@") || exit 2
mapfile -t settings < <(grep -v '^build$' <<<"$plan")

export BENCH_CALLED_FROM=$PWD
find_server
if grep -q '^build$' <<<"$plan"; then install_extension; fi
start_server "${settings[@]}"

# In the background, because only `wait` lets bash act on a signal at once.
BENCH_PSQL=$BINDIR/psql BENCH_SERVER_LOG=$WORKSPACE/server.log python3 "$bench/run.py" "$@" &
driver=$!
# shellcheck disable=SC2317 # called at exit
stop_driver() { kill "$driver" 2>/dev/null; }
at_exit stop_driver
status=0
wait "$driver" || status=$?
exit "$status"
