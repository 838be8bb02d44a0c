-- What pgpool is for: the same few questions again and again. One time of twenty, a row is changed by way of it, and must be seen changed.
\set hour random(0, :hours - 1)
\set change random(1, 20)
\if :change = 1
\set value random(1, 1000000)
UPDATE thresholds SET high = :value WHERE device = :client;
SELECT high::int AS found FROM thresholds WHERE device = :client \gset
\if :found <> :value
SELECT 1 / :nothing; -- an error: a wrong answer
\endif
\else
SELECT count(*) AS found FROM readings
 WHERE ts >= timestamptz '2026-01-01 00:00:00+00' + :hour::int * interval '1 hour'
   AND ts < timestamptz '2026-01-01 00:00:00+00' + (:hour::int + 1) * interval '1 hour' \gset
\if :found <> 36000
SELECT 1 / :nothing; -- an error: a wrong answer
\endif
\endif
