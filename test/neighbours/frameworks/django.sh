#!/usr/bin/env bash
# Django with indexes of its own class: migrations made, applied, made again, changed, undone; queries; inspectdb.
# shellcheck source=test/neighbours/frameworks/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
begin django python3-django python3-psycopg python3-psycopg-c
export DJANGO_SETTINGS_MODULE=settings PYTHONPATH=.
admin() { python3 -m django "$@"; }
changed() { CHANGED=1 admin "$@"; }

check "makemigrations" admin makemigrations readings
check "the migration names the class" grep -q 'readings.indexes.LearnedIndex' readings/migrations/0001_initial.py
check "migrate" admin migrate
index_is reading_taken_at "CREATE INDEX reading_taken_at ON public.readings_reading USING learned (taken_at) WITH (fillfactor='100')"
index_is reading_ended_at "CREATE INDEX reading_ended_at ON public.readings_reading USING learned (ended_at DESC NULLS LAST)"
index_is reading_meter "CREATE INDEX reading_meter ON public.readings_reading USING learned (((meter)::bigint))"
index_is reading_device "CREATE INDEX reading_device ON public.readings_reading USING learned (device_id) WHERE (NOT archived)"
holds "an index without a name is made too, and no btree but the primary key" \
  "SELECT count(*) FILTER (WHERE indexdef ~ 'USING learned') = 5 AND count(*) = 6 FROM pg_indexes WHERE tablename = 'readings_reading'"
program python3 use.py
check "makemigrations --check wants nothing" admin makemigrations --check
check "a changed condition makes a migration" changed makemigrations readings --name changed
check "migrate again" changed migrate
index_is reading_device "CREATE INDEX reading_device ON public.readings_reading USING learned (device_id) WHERE archived"
check "makemigrations --check wants nothing then" changed makemigrations --check

mkdir -p readings/migrations
cat >readings/migrations/0003_concurrently.py <<'END'
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations

from readings.indexes import LearnedIndex


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("readings", "0002_changed")]
    operations = [
        AddIndexConcurrently("reading", LearnedIndex(fields=["archived", "id"], name="reading_two")),
    ]
END
sed 's/"archived", "id"/"meter"/; s/reading_two/reading_numeric/' readings/migrations/0003_concurrently.py >numeric.py
sed -i 's/"archived", "id"/"taken_at"/; s/reading_two/reading_again/' readings/migrations/0003_concurrently.py
check "AddIndexConcurrently" changed migrate readings 0003
holds "which is valid" "SELECT indisvalid FROM pg_index WHERE indexrelid = 'reading_again'::regclass"
check "and backwards" changed migrate readings 0002
holds "it is gone" "SELECT to_regclass('reading_again') IS NULL"
cp numeric.py readings/migrations/0003_concurrently.py
refused "a column of type numeric is refused" "numeric" changed migrate readings 0003
rm readings/migrations/0003_concurrently.py
check "inspectdb" admin inspectdb readings_reading
finish
