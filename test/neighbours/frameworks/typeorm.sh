#!/usr/bin/env bash
# TypeORM: indexes by a migration, kept by synchronize: false in the entity; what synchronize does to the others.
# npm: typeorm@1.1.1 pg@8.23.1 reflect-metadata@0.2.2
# shellcheck source=test/neighbours/frameworks/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin typeorm nodejs
program node use.cjs
index_is reading_taken_at "CREATE INDEX reading_taken_at ON public.reading USING learned (taken_at)"
index_is reading_ended_at "CREATE INDEX reading_ended_at ON public.reading USING learned (ended_at DESC NULLS LAST)"
index_is reading_device "CREATE INDEX reading_device ON public.reading USING learned (device) WHERE (NOT archived)"
index_is reading_serial "CREATE UNIQUE INDEX reading_serial ON public.reading USING learned (serial)"
only_learned reading
finish
