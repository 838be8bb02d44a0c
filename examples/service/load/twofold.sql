-- How many there are from some time on, those that are written meanwhile among them: by the index, and by a sequential scan of the same
-- snapshot.
\set begin random(0, :seconds)
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) AS found FROM readings WHERE ts >= timestamptz '2026-01-01 00:00:00+00' + :begin::int * interval '1 second' \gset
SET LOCAL enable_indexscan = off;
SET LOCAL enable_indexonlyscan = off;
SET LOCAL enable_bitmapscan = off;
SET LOCAL learned_index.enable_aggregates = off;
SELECT count(*) AS right FROM readings WHERE ts >= timestamptz '2026-01-01 00:00:00+00' + :begin::int * interval '1 second' \gset
COMMIT;
\if :found <> :right
SELECT 1 / :nothing; -- an error: a wrong answer
\endif
