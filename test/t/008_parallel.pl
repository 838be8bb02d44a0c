# Parallel index scans among writers that empty leaves and fill others, and VACUUM that joins and recycles them: every
# row of the snapshot comes once, from one of the processes, and each process gives its rows in order.
#
# LEARNED_TEST_SECONDS   how long the load runs (default 25)

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use ConcurrentLoad;
use Test::More;
use Time::HiRes qw(time sleep);

start_seed();
my $seconds = seconds_setting(25);
my $node = new_node('parallel');
$node->append_conf('postgresql.conf',
	"shared_buffers = 4MB\ndeadlock_timeout = 100ms\nmax_worker_processes = 16\nmax_parallel_workers = 12\n");
$node->start;
prepare_database($node);

# Random keys, so that a leaf has some hundred rows, and a transaction empties or fills a few; and around zero dense ones
# in large leaves, which are shared out in pieces. Rows move, none comes or goes: the sum over v stays.
my $rows = 80000;
my $sum = $rows * ($rows + 1) / 2;
$node->safe_psql('postgres', qq{
CREATE TABLE moving (k int8, v int8, g int4);
INSERT INTO moving SELECT hashint8extended(i, 1), i FROM generate_series(1, 40000) i;
INSERT INTO moving SELECT (i - 60000) * 64, i FROM generate_series(40001, $rows) i;
UPDATE moving SET g = nullif(v % 7, 0) * 1000;
VACUUM FULL moving;
CREATE INDEX moving_k ON moving USING $AM (k);
CREATE INDEX moving_g_k ON moving USING $AM (g DESC, k);
VACUUM ANALYZE moving;

CREATE FUNCTION lingers(k int8) RETURNS boolean VOLATILE PARALLEL SAFE LANGUAGE plpgsql AS \$\$
BEGIN
  IF k % 500 = 0 THEN PERFORM pg_sleep(0.002); END IF;
  RETURN true;
END \$\$;

-- Plans with as many processes as there can be, and in order where the query has an order.
CREATE PROCEDURE choose_parallel() LANGUAGE plpgsql AS \$\$
BEGIN
  PERFORM set_config(name, setting, true) FROM (VALUES
    ('enable_seqscan', 'off'), ('enable_bitmapscan', 'off'), ('enable_indexscan', 'on'), ('enable_sort', 'off'),
    ('max_parallel_workers_per_gather', '3'), ('parallel_setup_cost', '0'), ('parallel_tuple_cost', '0'),
    ('min_parallel_table_scan_size', '0'), ('min_parallel_index_scan_size', '0'),
    ('cpu_tuple_cost', '1'), ('cpu_operator_cost', '0.0001')) s(name, setting);
END \$\$;

-- Of all rows in the order of the index: how many, their sum, and whether they are in order.
CREATE FUNCTION whole_index(condition text, direction text) RETURNS text LANGUAGE plpgsql AS \$\$
BEGIN
  RETURN format('SELECT count(*), sum(v), bool_and(in_order) FROM (
    SELECT v, (k IS NULL, k) %s (lag(k IS NULL) OVER (), lag(k) OVER ()) IS NOT FALSE AS in_order
      FROM (SELECT k, v FROM moving WHERE %s ORDER BY k %s) s) t',
    CASE WHEN direction = 'ASC' THEN '>=' ELSE '<=' END, condition, direction);
END \$\$;
-- The same of two columns.
CREATE FUNCTION groups_in_order(direction text) RETURNS text LANGUAGE plpgsql AS \$\$
BEGIN
  RETURN format('SELECT count(*), sum(v), bool_and(in_order) FROM (
    SELECT v, (-coalesce(g, 10000), k IS NULL, coalesce(k, 0)) %s
              (lag(-coalesce(g, 10000)) OVER (), lag(k IS NULL) OVER (), lag(coalesce(k, 0)) OVER ()) IS NOT FALSE AS in_order
      FROM (SELECT g, k, v FROM moving ORDER BY g %s, k %s) s) t',
    CASE WHEN direction = 'ASC' THEN '>=' ELSE '<=' END, CASE WHEN direction = 'ASC' THEN 'DESC' ELSE 'ASC' END, direction);
END \$\$;
CREATE FUNCTION read_all(condition text) RETURNS void LANGUAGE plpgsql AS \$\$
DECLARE
  direction text;
  n int8;
  total int8;
  in_order boolean;
BEGIN
  CALL choose_parallel();
  FOREACH direction IN ARRAY '{ASC,DESC}'::text[] LOOP
    EXECUTE whole_index(condition, direction) INTO n, total, in_order;
    IF (n, total) <> ($rows, $sum) OR NOT in_order THEN
      RAISE EXCEPTION 'invariant: % rows, sum %, in order: % (%)', n, total, in_order, direction;
    END IF;
  END LOOP;
END \$\$;
CREATE FUNCTION read_groups() RETURNS void LANGUAGE plpgsql AS \$\$
DECLARE
  direction text;
  n int8;
  total int8;
  in_order boolean;
BEGIN
  CALL choose_parallel();
  FOREACH direction IN ARRAY '{ASC,DESC}'::text[] LOOP
    EXECUTE groups_in_order(direction) INTO n, total, in_order;
    IF (n, total) <> ($rows, $sum) OR NOT in_order THEN
      RAISE EXCEPTION 'invariant: % rows of groups, sum %, in order: % (%)', n, total, in_order, direction;
    END IF;
  END LOOP;
END \$\$;

-- Ranges and lists, on one column and on two, compared with a sequential scan of the same snapshot.
CREATE FUNCTION read_some(low int8, high int8) RETURNS void LANGUAGE plpgsql AS \$\$
DECLARE
  condition text;
  result text;
  expected text;
BEGIN
  FOREACH condition IN ARRAY ARRAY[
    format('k BETWEEN %s AND %s', low, high),
    format('g BETWEEN 2000 AND 5000 AND k BETWEEN %s AND %s', low, high),
    format('g = ANY (''{1000,4000,4001,6000}'') AND k < %s', low),
    format('g IS NULL AND k >= %s', high),
    format('k = ANY (%L::int8[])', (SELECT array_agg(k) FROM moving WHERE v % 7 = 0)),
    'k IS NULL']
  LOOP
    CALL choose_parallel();
    EXECUTE 'SELECT count(*) || '' '' || coalesce(sum(hashint8extended(k, 5)::numeric), 0) FROM moving WHERE ' || condition INTO result;
    SET LOCAL enable_seqscan = on;
    SET LOCAL enable_indexscan = off;
    SET LOCAL enable_indexonlyscan = off;
    SET LOCAL max_parallel_workers_per_gather = 0;
    EXECUTE 'SELECT count(*) || '' '' || coalesce(sum(hashint8extended(k, 5)::numeric), 0) FROM moving WHERE ' || condition INTO expected;
    SET LOCAL enable_indexonlyscan = on;
    IF result <> expected THEN
      RAISE EXCEPTION 'invariant: parallel scan has %, the table %, for %', result, expected, left(condition, 100);
    END IF;
  END LOOP;
END \$\$;
});

# The plans are what this test is about.
my $plan = query($node, q{BEGIN; CALL choose_parallel();
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT k, v FROM moving ORDER BY k;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT count(k) FROM moving WHERE k BETWEEN 0 AND 1000000000000000000;
EXPLAIN (COSTS OFF) SELECT g, k, v FROM moving ORDER BY g, k DESC;
EXPLAIN (COSTS OFF) SELECT count(k) FROM moving WHERE g BETWEEN 2000 AND 5000 AND k BETWEEN 0 AND 200000000000000000;
EXPLAIN (COSTS OFF) SELECT count(k) FROM moving WHERE g = ANY ('{1000,4000,4001,6000}') AND k < 0; COMMIT;});
my $wanted = join('.*',
	'Gather Merge', 'Workers Launched: 3', 'Parallel Index Scan using moving_k', 'Gather ', 'Parallel Index Only Scan using moving_k',
	'Gather Merge', 'Parallel Index Scan Backward using moving_g_k', ("Gather\n", 'Parallel Index Only Scan using moving_g_k') x 2);
like($plan, qr/$wanted/s, 'parallel plans are used');

my @writers = (
	# A twentieth of the range of keys becomes empty, and crowds into a thousandth.
	[ 'move', 4, q{
\set from random(-1000, 950) * 9000000000000000
\set to random(-1000, 1000) * 9000000000000000
\set salt random(1, 1000000)
WITH gone AS (DELETE FROM moving WHERE k BETWEEN :from AND :from + 500000000000000000
  AND k NOT BETWEEN -10000000 AND 10000000 RETURNING v)
INSERT INTO moving SELECT :to + (hashint8extended(v, :salt) & 18014398509481983), v FROM gone;
} ],
	# And crowds spread again.
	[ 'spread', 3, q{
\set from random(-1000, 950) * 9000000000000000
\set salt random(1, 1000000)
UPDATE moving SET k = hashint8extended(v, :salt) WHERE k BETWEEN :from AND :from + 100000000000000000
  AND k NOT BETWEEN -10000000 AND 10000000;
} ],
	[ 'shake', 3, q{
\set from random(-1300000, 1300000)
\set by random(-100, 100)
UPDATE moving SET k = k + :by WHERE k BETWEEN :from AND :from + 64000;
} ],
	[ 'to_null', 1, q{
\set from random(-1000, 950) * 9000000000000000
UPDATE moving SET k = NULL WHERE k BETWEEN :from AND :from + 10000000000000000
  AND k NOT BETWEEN -10000000 AND 10000000;
} ],
	[ 'from_null', 1, q{
\set salt random(1, 1000000)
UPDATE moving SET k = hashint8extended(v, :salt) WHERE k IS NULL AND v % 2 = :salt % 2;
} ]);
my @readers = (
	[ 'read_all', 3, "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT read_all('true');\nCOMMIT;\n" ],
	[ 'read_groups', 3, "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT read_groups();\nCOMMIT;\n" ],
	# Slowly, so that more happens meanwhile.
	[ 'read_slowly', 2, "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT read_all('lingers(v)');\nCOMMIT;\n" ],
	[ 'read_some', 3, "\\set low random(-1000, 950) * 9000000000000000\nBEGIN ISOLATION LEVEL REPEATABLE READ;\n"
		. "SELECT read_some(:low, :low + 200000000000000000);\nCOMMIT;\n" ]);

my ($reads, $writes, $vacuums, $deleted, $errors) = (0, 0, 0, 0, '');
my %sizes;
# Again if the machine was too busy for leaves to be joined.
for my $round (1 .. 6)
{
	my $write_load = start_pgbench($node, 3, $seconds, @writers);
	my $read_load = start_pgbench($node, 3, $seconds, @readers);
	my $end = time() + $seconds;
	while (time() < $end - 1)
	{
		my ($code, $out, $err) = $node->psql('postgres', 'VACUUM (INDEX_CLEANUP ON) moving');
		$errors .= $err if $code != 0;
		$vacuums++;
		if ($IS_LEARNED)
		{
			my ($leaves, $free) = split /\|/, query($node, q{SELECT leaf_pages, deleted_pages FROM learned_index_stats('moving_k')});
			$sizes{$leaves} = 1;
			$deleted = $free if $free > $deleted;
		}
		sleep(0.05);
	}
	my @done = (finish_pgbench($read_load, 'readers'), finish_pgbench($write_load, 'writers'));
	$reads = defined $reads && defined $done[0] ? $reads + $done[0] : undef;
	$writes = defined $writes && defined $done[1] ? $writes + $done[1] : undef;
	last if !$IS_LEARNED || $deleted > 5 || !defined $reads || !defined $writes;
}
ok(defined $reads, 'no reader saw a broken invariant or an error');
ok(defined $writes, 'writers met no error');
is($errors, '', 'VACUUM met no error');
cmp_ok($reads // 0, '>', $seconds / 5, 'readers ran');
cmp_ok($writes // 0, '>', $seconds, 'writers ran');
cmp_ok($vacuums, '>', $seconds / 10, 'VACUUM ran beside them');
if ($IS_LEARNED)
{
	cmp_ok(scalar keys %sizes, '>', 1, 'the number of leaves changed');
	cmp_ok($deleted, '>', 5, 'leaves were joined');
}
diag('reads ', $reads // 'none', ', writes ', $writes // 'none', ", rounds of VACUUM $vacuums, joined pages at most $deleted");
is(query($node, 'SELECT count(*), sum(v) FROM moving'), "$rows|$sum", 'the table is as it should be');
check_indexes($node, 'at the end');
$node->stop;
done_testing();
