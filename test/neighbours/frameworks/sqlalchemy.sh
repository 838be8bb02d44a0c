#!/usr/bin/env bash
# SQLAlchemy, with psycopg and psycopg2: create_all, an exclusion constraint, queries by the ORM, reflection.
# shellcheck source=test/neighbours/frameworks/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin sqlalchemy python3-sqlalchemy python3-psycopg python3-psycopg-c python3-psycopg2
program python3 use.py
index_is reading_taken_at "CREATE INDEX reading_taken_at ON public.reading USING learned (taken_at) WITH (fillfactor='100')"
index_is reading_ended_at "CREATE INDEX reading_ended_at ON public.reading USING learned (ended_at DESC NULLS LAST)"
index_is reading_meter "CREATE INDEX reading_meter ON public.reading USING learned (((meter)::bigint))"
index_is reading_device "CREATE INDEX reading_device ON public.reading USING learned (device) WHERE (NOT archived)"
# A setting for every session of a role, whoever opens it; the library is loaded by the first look at an index.
psql -qXc "ALTER ROLE postgres SET learned_index.model_cache = '1MB'"
holds "a role's setting reaches its sessions" "SELECT setting = '1024' FROM (SELECT learned_index_check('reading_device')) c,
  LATERAL (SELECT setting FROM pg_settings WHERE name = 'learned_index.model_cache') s"
finish
