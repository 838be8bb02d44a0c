#!/usr/bin/env bash
# Knex: migrations up and down, the method as the third argument and as an option, queries.
# npm: knex@3.3.0 pg@8.23.1
# shellcheck source=test/neighbours/frameworks/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin knex nodejs
program node use.cjs
index_is reading_taken_at "CREATE INDEX reading_taken_at ON public.reading USING learned (taken_at)"
index_is reading_ended_at "CREATE INDEX reading_ended_at ON public.reading USING learned (ended_at DESC NULLS LAST) WITH (fillfactor='100')"
index_is reading_meter "CREATE INDEX reading_meter ON public.reading USING learned (((meter)::bigint))"
index_is reading_device "CREATE INDEX reading_device ON public.reading USING learned (device) WHERE (NOT archived)"
only_learned reading
finish
