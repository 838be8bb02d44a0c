#!/usr/bin/env bash
# Days of timestamptz values need not be in the order of the values: where clocks are set back across midnight (St. John's did so at 00:01
# until 2011), the last minutes of a day come after the first ones of the next. So ts::date and date_trunc('day', ts) are not monotone, and the rows of a
# day do not lie together in the order of ts: whoever goes over them and begins a new group when the day changes has two groups of one
# day. And in those first minutes date_trunc gives an instant that is later than its argument: of the two midnights it takes the second.
. "$(dirname "$0")/common.sh"
in_debian
server timezone=America/St_Johns
given "CREATE TABLE t AS SELECT generate_series(timestamptz '2010-11-07 02:00+00', '2010-11-07 04:00+00', '10 minutes') AS ts"
seen "days in the order of ts, and how many instants each lasts" "$(sql "SELECT day, count(*) FROM
  (SELECT ts::date AS day, ts, count(*) FILTER (WHERE changed) OVER (ORDER BY ts) AS run FROM
    (SELECT ts, ts::date IS DISTINCT FROM lag(ts::date) OVER (ORDER BY ts) AS changed FROM t) a) b GROUP BY day, run ORDER BY min(ts)")" '2010-11-06|3
2010-11-07|1
2010-11-06|5
2010-11-07|4'
seen "date_trunc('day') of the same, in UTC" "$(sql "SELECT DISTINCT date_trunc('day', ts) AT TIME ZONE 'UTC' AS day, count(*) OVER (PARTITION BY date_trunc('day', ts)) FROM t ORDER BY 1")" '2010-11-06 02:30:00|8
2010-11-07 03:30:00|5'
seen "date_trunc('day') is later than what it was given" "$(sql "SELECT ts AT TIME ZONE 'UTC' FROM t WHERE date_trunc('day', ts) > ts")" '2010-11-07 02:30:00'
