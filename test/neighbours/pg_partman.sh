#!/usr/bin/env bash
# pg_partman: learned indexes of the parent reach every partition that it makes; of its template only unique ones do.
. "$(dirname "$0")/lib.sh"
neighbour postgresql-18-partman
server

given "CREATE SCHEMA partman; CREATE EXTENSION pg_partman SCHEMA partman;
CREATE TABLE t (id bigint NOT NULL, at timestamptz NOT NULL, device int) PARTITION BY RANGE (id);
CREATE INDEX t_at ON t USING learned (at DESC) WITH (fillfactor = 80);
CREATE UNIQUE INDEX t_id ON t USING learned (id);
CREATE TABLE template (LIKE t);
CREATE UNIQUE INDEX ON template USING learned (at);
CREATE INDEX ON template USING learned (device);
CREATE INDEX ON template USING btree (device);
SELECT partman.create_parent('public.t', 'id', '1000', p_premake := 2, p_template_table := 'public.template', p_start_partition := '0')"
given "INSERT INTO t SELECT i, timestamptz '2026-01-01' + i * interval '7 s', i % 50 FROM generate_series(0, 2900) i;
SELECT partman.run_maintenance('public.t')"
partitions=$(sql "SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 't'::regclass AND inhrelid::regclass::text <> 't_default' ORDER BY 1")
[ "$(wc -w <<<"$partitions")" -ge 5 ]
result $? "maintenance makes partitions" "$partitions"
for table in $partitions; do
  is "$table: the parent's indexes, and the unique one of the template" "$(definitions "public.$table" | sed 's/INDEX [^ ]* ON/INDEX ON/' | sort)" \
    "CREATE INDEX ON public.$table USING learned (at DESC) WITH (fillfactor='80')
CREATE UNIQUE INDEX ON public.$table USING learned (at)
CREATE UNIQUE INDEX ON public.$table USING learned (id)"
done
agrees "rows by id" t_p0 id
agrees "rows by at" t_p0 at
finish
