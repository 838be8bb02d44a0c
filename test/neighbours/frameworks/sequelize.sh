#!/usr/bin/env bash
# Sequelize: sync, sync again with alter, a migration's addIndex, queries, showIndex.
# npm: sequelize@6.37.8 pg@8.23.1
# shellcheck source=test/neighbours/frameworks/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin sequelize nodejs
program node use.cjs
index_is reading_taken_at "CREATE INDEX reading_taken_at ON public.reading USING learned (taken_at)"
index_is reading_ended_at "CREATE INDEX reading_ended_at ON public.reading USING learned (ended_at DESC NULLS LAST)"
index_is reading_meter "CREATE INDEX reading_meter ON public.reading USING learned (((meter)::bigint))"
index_is reading_device "CREATE INDEX reading_device ON public.reading USING learned (device) WHERE (archived = false)"
index_is reading_later "CREATE INDEX reading_later ON public.reading USING learned (serial)"
index_is reading_serial "CREATE UNIQUE INDEX reading_serial ON public.reading USING learned (serial)"
only_learned reading
finish
