#!/usr/bin/env bash
# pg_cron: maintenance of learned indexes as jobs, those included that cannot run in a transaction.
. "$(dirname "$0")/lib.sh"
neighbour postgresql-18-cron
server shared_preload_libraries=pg_cron cron.use_background_workers=on cron.database_name=postgres max_worker_processes=16

given "CREATE EXTENSION pg_cron;
CREATE TABLE t (id bigint, device int);
INSERT INTO t SELECT i, i % 100 FROM generate_series(1, 20000) i;
CREATE INDEX t_id ON t USING learned (id);
DELETE FROM t WHERE id % 3 = 0"
old=$(sql "SELECT pg_relation_filenode('t_id')")
job() { # One after another: rebuilds beside each other may end in a deadlock, with any index.
  given "SELECT cron.schedule('job', '1 seconds', '$1')"
  wait_until "job: $1" "SELECT count(*) > 0 FROM cron.job_run_details WHERE command = '$1' AND status = 'succeeded'"
  given "SELECT cron.unschedule('job')"
  wait_until "it has ended" "SELECT count(*) = 0 FROM cron.job_run_details WHERE status NOT IN ('succeeded', 'failed')"
}
job "VACUUM t"
job "REINDEX INDEX CONCURRENTLY t_id"
job "CREATE INDEX CONCURRENTLY IF NOT EXISTS t_device ON t USING learned (device)"
job "SELECT learned_index_check(indexrelid, true) FROM pg_index WHERE indrelid = to_regclass(\$\$t\$\$)"
is "no job failed" "$(sql "SELECT return_message FROM cron.job_run_details WHERE status = 'failed'")" ""
[ "$old" != "$(sql "SELECT pg_relation_filenode('t_id')")" ]
result $? "the index is a new file"
agrees "rows by id" t id
agrees "rows by device" t device
finish
