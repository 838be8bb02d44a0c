#!/usr/bin/env bash
# Alembic: revisions by autogenerate, up, down, and what autogenerate sees of a changed index: nothing but columns.
# shellcheck source=test/neighbours/frameworks/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin alembic alembic python3-psycopg python3-psycopg-c
model() { MODEL=$1 alembic "${@:2}"; }
defined() {
  index_is reading_taken_at "CREATE INDEX reading_taken_at ON public.reading USING learned (taken_at) WITH (fillfactor='100')"
  index_is reading_ended_at "CREATE INDEX reading_ended_at ON public.reading USING learned (ended_at DESC NULLS LAST)"
  index_is reading_meter "CREATE INDEX reading_meter ON public.reading USING learned (((meter)::bigint))"
  index_is reading_device "CREATE INDEX reading_device ON public.reading USING learned (device) WHERE (NOT archived)"
  holds "the exclusion constraint is a learned one" "SELECT pg_get_constraintdef(oid) = 'EXCLUDE USING learned (serial WITH =)'
    FROM pg_constraint WHERE conname = 'reading_serial'"
}

check "revision --autogenerate" alembic revision --autogenerate -m first
check "upgrade" alembic upgrade head
defined
check "check wants nothing" alembic check
program python3 use.py
for what in method with where cast unconstrained; do
  check "check sees no change of: $what" model $what check
done
for what in order expression; do
  refused "check sees a change of: $what" "New upgrade operations" model $what check
done
refused "check sees a new name" "New upgrade operations" model renamed check
check "a revision of it" model renamed revision --autogenerate -m renamed
check "upgrade" model renamed upgrade head
index_is reading_taken_at_2 "CREATE INDEX reading_taken_at_2 ON public.reading USING learned (taken_at)"
check "check wants nothing" model renamed check
check "downgrade" alembic downgrade base
check "upgrade again" alembic upgrade head
defined
finish
