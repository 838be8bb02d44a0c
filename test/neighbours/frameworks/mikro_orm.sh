#!/usr/bin/env bash
# MikroORM: indexes by an expression or by type, migrations made by comparison, and made again.
# npm: @mikro-orm/core@7.2.1 @mikro-orm/postgresql@7.2.1 @mikro-orm/migrations@7.2.1
# shellcheck source=test/neighbours/frameworks/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin mikro_orm nodejs
program node use.mjs
index_is reading_taken_at "CREATE INDEX reading_taken_at ON public.reading USING learned (taken_at) WITH (fillfactor='100')"
index_is reading_ended_at "CREATE INDEX reading_ended_at ON public.reading USING learned (ended_at DESC NULLS LAST)"
index_is reading_device "CREATE INDEX reading_device ON public.reading USING learned (device) WHERE (NOT archived)"
index_is reading_meter "CREATE INDEX reading_meter ON public.reading USING learned (((meter)::bigint))"
only_learned reading
finish
