-- As pooled.sql; then one device's readings: as many as the btrees beside say, whose rows are the same.
\set length random(1, 3600)
\set begin random(0, :seconds - :length)
\set device random(0, 999)
SELECT count(*) AS found FROM readings
 WHERE ts >= timestamptz '2026-01-01 00:00:00+00' + :begin::int * interval '1 second'
   AND ts < timestamptz '2026-01-01 00:00:00+00' + (:begin::int + :length::int) * interval '1 second' \gset
\if :found <> 10 * :length
SELECT 1 / :nothing; -- an error: a wrong answer
\endif
SELECT count(*) AS found, (SELECT count(*) FROM twin.readings
                            WHERE device = :device::int AND ts < timestamptz '2026-01-01 00:00:00+00' + :begin::int * interval '1 second') AS right
  FROM readings
 WHERE device = :device::int AND ts < timestamptz '2026-01-01 00:00:00+00' + :begin::int * interval '1 second' \gset
\if :found <> :right
SELECT 1 / :nothing; -- an error: a wrong answer
\endif
