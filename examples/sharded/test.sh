#!/usr/bin/env bash
# More than one server with learned indexes, all throw-away ones on sockets in a temporary directory:
#
#   examples/sharded/test.sh [PART...]     both parts by default
#     shards      tables partitioned over three servers by postgres_fdw: counts on the shards, one server lost and back
#     replicas    a streaming standby and a logical subscriber: reads, counts, promotion
#   PG_CONFIG=..., PG_MAJOR=...            another server, as for scripts/test.sh
#
# Prints a line for each check; the last one is "N passed, N failed, N skipped".
set -uo pipefail
# shellcheck source=examples/sharded/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=examples/sharded/shards.sh
. "$HERE/shards.sh"
# shellcheck source=examples/sharded/replicas.sh
. "$HERE/replicas.sh"

[ $# != 0 ] || set -- shards replicas
for part in "$@"; do
  case $part in shards | replicas) ;; *) fail "there is no part $part; there are shards and replicas" ;; esac
done

begin
for part in "$@"; do
  say "$part"
  "$part"
  stop_all
done
totals "$PASSED" "$FAILED" 0
