#!/usr/bin/env bash
# drizzle-kit and drizzle-orm: generate, migrate, push onto what is there, changes; what .op() loses.
# npm: drizzle-kit@0.31.11 drizzle-orm@0.45.4 pg@8.23.1
# shellcheck source=test/neighbours/frameworks/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin drizzle_kit nodejs
kit() { node node_modules/drizzle-kit/bin.cjs "$@"; }
changed() { CHANGED=$1 kit "${@:2}"; }
files() { psql -qXAtc "SELECT relname, oid, relfilenode FROM pg_class WHERE relname LIKE 'reading%' ORDER BY 1"; }

check "generate" kit generate --name first
program node use.mjs
before=$(files)
check "generate wants nothing" grep -q "nothing to migrate" <(kit generate)
check "push" kit push --force
check "push leaves the indexes alone" test "$(files)" = "$before"
check "push with fillfactor as a number" changed number push --force
check "push makes that index anew" test "$(files)" != "$before"
before=$(files)
check "and again" changed number push --force
check "each time" test "$(files)" != "$before"
check "push" changed method push --force
holds "push sees another method" "SELECT amname = 'btree' FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE relname = 'reading_taken_at'"
check "push" kit push --force
before=$(files)
check "push" changed where push --force
check "push sees no other condition" test "$(files)" = "$before"
index_is reading_taken_at "CREATE INDEX reading_taken_at ON public.reading USING learned (taken_at) WITH (fillfactor='100')"
index_is reading_ended_at "CREATE INDEX reading_ended_at ON public.reading USING learned (ended_at DESC NULLS LAST)"
index_is reading_meter "CREATE INDEX reading_meter ON public.reading USING learned (((meter)::bigint))"
index_is reading_device "CREATE INDEX reading_device ON public.reading USING learned (device) WHERE (NOT archived)"
only_learned reading
for what in method where; do
  rm -rf again && cp -r drizzle again
  check "generate sees a changed $what" grep -q "DROP INDEX" <(OUT=again changed $what generate --name "$what" && cat again/*_"$what".sql)
done
rm -rf again
OUT=again changed op generate --name op >generate.log 2>&1
check "with .op() it loses DESC NULLS LAST" grep -qF '("ended_at" timestamptz_ops);' again/0000_op.sql
finish
