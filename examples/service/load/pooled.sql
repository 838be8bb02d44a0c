-- Ten readings a second: a count of seconds in the readings' time is known.
\set length random(1, 3600)
\set begin random(0, :seconds - :length)
SELECT count(*) AS found FROM readings
 WHERE ts >= timestamptz '2026-01-01 00:00:00+00' + :begin::int * interval '1 second'
   AND ts < timestamptz '2026-01-01 00:00:00+00' + (:begin::int + :length::int) * interval '1 second' \gset
\if :found <> 10 * :length
SELECT 1 / :nothing; -- an error: a wrong answer
\endif
