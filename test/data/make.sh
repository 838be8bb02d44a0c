#!/usr/bin/env bash
# Makes the index files of one old version of the extension again, as they lie in the folder of its number beside this script:
#
#   PG_CONFIG=... test/data/make.sh VERSION
#
# The server of PG_CONFIG (PostgreSQL 15 made those that are here) has that version installed, built from its commit; as a
# user other than root. test/t/021_old_files.pl reads them; test/README.md says what they are for.
set -euo pipefail
version=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=$("${PG_CONFIG:-pg_config}" --bindir)
scratch=$(mktemp -d)
trap '"$bin/pg_ctl" -D "$scratch/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$scratch"' EXIT

"$bin/initdb" -D "$scratch/data" -A trust -U postgres --no-locale -E UTF8 >/dev/null
printf '%s\n' "unix_socket_directories = '$scratch'" "listen_addresses = ''" 'autovacuum = off' >>"$scratch/data/postgresql.conf"
"$bin/pg_ctl" -D "$scratch/data" -w -l "$scratch/log" start >/dev/null
run() { "$bin/psql" -h "$scratch" -U postgres -d postgres -v ON_ERROR_STOP=1 -XAtq "$@"; }
run -c "CREATE EXTENSION learned_index VERSION '$version'"
run -f "$here/old_files.sql" >/dev/null
[[ $version < 0.4.0 ]] || run -f "$here/old_wide_files.sql" >/dev/null
run -c 'TABLE content' >"$scratch/content"
run -c "SELECT relname, pg_relation_filepath(oid) FROM pg_class WHERE relkind = 'i' AND relname ~ '^(kept|bare|wide)_'" >"$scratch/files"
"$bin/pg_ctl" -D "$scratch/data" -w -m fast stop >/dev/null

mkdir -p "$here/$version"
cp "$scratch/content" "$here/$version/content"
while IFS='|' read -r name path; do
  gzip -9n <"$scratch/data/$path" >"$here/$version/$name.gz"
done <"$scratch/files"
