# Kill marks: entries of deleted rows are marked by the scan that meets them and passed over by the next one, whatever
# the kind of scan and table; a queue stays fast between vacuums; no mark ever hides a row. Pages visited are counted by
# EXPLAIN and compared with nbtree's, answers with those of a sequential scan.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use JSON::PP;
use Test::More;

start_seed();
my $primary = new_node('primary', lasting => 1, allows_streaming => 1);
# Replay compares every page of an index with its image: marks must not get into the comparison. That makes much WAL, but no checkpoint
# shall come by chance: what is merged when an image is due lies otherwise in its page, with another number of marks.
my $resource_manager = $IS_LEARNED ? 'generic' : 'btree';
$primary->append_conf('postgresql.conf',
	"wal_consistency_checking = '$resource_manager'\nautovacuum = off\nmax_wal_size = 8GB\ncheckpoint_timeout = 1h\n");
$primary->start;
prepare_database($primary);

my $indexed = 'SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off;';
my $bitmap = 'SET enable_seqscan = off; SET enable_indexscan = off; SET enable_indexonlyscan = off;';
my $plain = 'SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off;';

# Pages that a query reads, by EXPLAIN; the plan must have the node.
sub pages
{
	my ($node, $settings, $sql, $kind) = @_;
	# (Whoever asks ahead, where reading takes long, reads leaves more. By a new backend, which knows nothing of the index.)
	my $json = $node->safe_psql('postgres',
		"SET learned_index.read_ahead = off; $settings EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF, FORMAT JSON) $sql", fresh => 1);
	my $plan = decode_json($json)->[0]{Plan};
	like($json, qr/"Node Type": "$kind"/, "$kind: $sql") if defined $kind;
	return $plan->{'Shared Hit Blocks'} + $plan->{'Shared Read Blocks'} + $plan->{'Local Hit Blocks'} +
	  $plan->{'Local Read Blocks'};
}

# The same table twice, with an index of each kind.
sub make_tables
{
	my ($kind, $name, $rows, $key, $columns) = @_;
	$columns //= 'k';
	for my $am ($AM, 'btree')
	{
		$primary->safe_psql('postgres', qq{
CREATE $kind TABLE ${name}_$am (id int, k int8, pad text DEFAULT repeat('x', 60));
CREATE INDEX ${name}_${am}_k ON ${name}_$am USING $am ($columns);
INSERT INTO ${name}_$am SELECT i, $key FROM generate_series(1, $rows) i;
});
	}
	return;
}

sub same_answers
{
	my ($node, $table, $label) = @_;
	my $sql = "SELECT count(*), sum(k), sum(id) FROM $table WHERE k >= -9e18::int8";
	my $truth = $node->safe_psql('postgres', "$plain $sql");
	is($node->safe_psql('postgres', "$indexed $sql"), $truth, "$label: index scan");
	is($node->safe_psql('postgres', "$bitmap $sql"), $truth, "$label: bitmap scan");
	my $keys = "SELECT count(*), sum(k) FROM $table WHERE k IS NOT NULL";
	is($node->safe_psql('postgres', "$indexed $keys"), $node->safe_psql('postgres', "$plain $keys"),
		"$label: index-only scan");
	return;
}

# ---- a queue: in at one end, out at the other ----------------------------------------------------------

for my $shape (
	[ 'serial', 'i' ],
	[ 'jitter', 'i * 1000 + hashint4(i) % 900' ],
	[ 'null', 'CASE WHEN i % 10 = 0 THEN NULL ELSE i END' ],
	[ 'pair', 'CASE WHEN i % 10 = 0 THEN NULL ELSE i END', 'k, id DESC' ])
{
	my ($name, $key, $columns) = @$shape;
	my $rows = 3000;
	make_tables('', "queue_$name", $rows, $key, $columns);
	my %sum = ($AM => 0, btree => 0);
	my $next = $rows + 1;
	for my $round (1 .. 12)
	{
		my $last = $next + 2499;
		for my $am ($AM, 'btree')
		{
			my $table = "queue_${name}_$am";
			# What is taken out is looked for as a worker does: the oldest first. (Rows come as in the first statement of a session, each
			# entry by itself, and gathered.)
			my $fresh = $round % 2;
			my $load = !$fresh && $IS_LEARNED ? q{LOAD 'learned_index';} : '';
			$primary->safe_psql('postgres', qq{
$load INSERT INTO $table SELECT i, $key FROM generate_series($next, $last) i;
$indexed DELETE FROM $table WHERE ctid = ANY (ARRAY(SELECT ctid FROM $table ORDER BY k LIMIT 2500));
SELECT k FROM $table ORDER BY k LIMIT 1;
}, fresh => $fresh);
			$sum{$am} += pages($primary, $indexed, "SELECT id FROM $table ORDER BY k LIMIT 1");
		}
		$next = $last + 1;
	}
	cmp_ok($sum{$AM}, '<', $sum{btree} / 3,
		"$name queue: the head costs $sum{$AM} pages in 12 rounds, $sum{btree} with nbtree");
	same_answers($primary, "queue_${name}_$AM", "$name queue");
}

# On (priority, number): what comes goes behind the others of its priority, so that dead entries are in front of each priority's.
{
	my ($rows, %sum) = (3000, $AM => 0, btree => 0);
	my $values = 'i, 1 + i % 3, i';
	for my $am ($AM, 'btree')
	{
		$primary->safe_psql('postgres', qq{
CREATE TABLE jobs_$am (id int, p int4, k int8, pad text DEFAULT repeat('x', 60));
CREATE INDEX jobs_${am}_k ON jobs_$am USING $am (p, k);
INSERT INTO jobs_$am SELECT $values FROM generate_series(1, $rows) i;
});
	}
	for my $round (1 .. 8)
	{
		my ($from, $to) = ($rows + 1, $rows + 2400);
		$rows = $to;
		my $p = 1 + $round % 3;
		for my $am ($AM, 'btree')
		{
			# (By a new backend, whose first INSERT gathers nothing: merged otherwise, one page is too full for all the marks that are counted below.)
			$primary->safe_psql('postgres', qq{
INSERT INTO jobs_$am SELECT $values FROM generate_series($from, $to) i;
$indexed DELETE FROM jobs_$am WHERE ctid = ANY (ARRAY(SELECT ctid FROM jobs_$am ORDER BY p, k LIMIT 1200));
DELETE FROM jobs_$am WHERE ctid = ANY (ARRAY(SELECT ctid FROM jobs_$am WHERE p = $p ORDER BY k LIMIT 700));
SELECT k FROM jobs_$am ORDER BY p, k LIMIT 1;
SELECT id FROM jobs_$am WHERE p = $p ORDER BY k LIMIT 1;
}, fresh => 1);
			$sum{$am} += pages($primary, $indexed, "SELECT id FROM jobs_$am ORDER BY p, k LIMIT 1", 'Index Scan')
			  + pages($primary, $indexed, "SELECT id FROM jobs_$am WHERE p = $p ORDER BY k LIMIT 1", 'Index Scan');
		}
	}
	cmp_ok($sum{$AM}, '<', $sum{btree} / 2, "queue of two columns: the heads cost $sum{$AM} pages in 8 rounds, $sum{btree} with nbtree");
	same_answers($primary, "jobs_$AM", 'queue of two columns');

	# Scans that step through the first column, and first rows of groups: what they find dead, they pass over the next time.
	my ($low, $high) = ($rows - 3000, $rows - 1000);
	$primary->safe_psql('postgres', "DELETE FROM jobs_$AM WHERE id % 8 <> 0 OR k BETWEEN $low AND $high - 100");
	my $narrow = "SELECT id FROM jobs_$AM WHERE k BETWEEN $low AND $high";
	my $first = pages($primary, $indexed, $narrow, 'Index Scan');
	my $second = pages($primary, $indexed, $narrow);
	cmp_ok($second, '<', $first / 3, "a scan that steps through priorities: $second pages after the marks, $first before");
	is($primary->safe_psql('postgres', "$indexed SELECT count(*), sum(k) FROM ($narrow) s, jobs_$AM j WHERE j.id = s.id"),
		$primary->safe_psql('postgres', "$plain SELECT count(*), sum(k) FROM ($narrow) s, jobs_$AM j WHERE j.id = s.id"), 'and finds the same');
	my $groups = "SELECT DISTINCT ON (p) p, k, id FROM jobs_$AM ORDER BY p, k";
	is($primary->safe_psql('postgres', "$indexed SET enable_hashagg = off; $groups; $groups"),
		join("\n", ($primary->safe_psql('postgres', "$plain $groups")) x 2), 'first rows of priorities, twice');
	same_answers($primary, "jobs_$AM", 'queue of two columns, thinned');
}

# ---- every kind of scan, table and order ---------------------------------------------------------------

# The last ones step from value to value of the first column of their index.
my $stepping = 'SELECT id FROM %s WHERE id %% 7 BETWEEN 1 AND 5 AND k BETWEEN 0 AND 200000000000';
for my $table (
	[ '', 'logged' ],
	[ 'UNLOGGED', 'unlogged' ],
	[ '', 'pairs', 'k DESC, id' ],
	[ '', 'steps', '((id % 7)), k', [ 'Index Scan', $indexed, $stepping ], [ 'Bitmap Heap Scan', $bitmap, $stepping ] ])
{
	my ($kind, $label, $columns, @scans) = @$table;
	make_tables($kind, "scattered_$label", 20000, 'hashint8(i)::int8 * 1000', $columns);
	for my $am ($AM, 'btree')
	{
		$primary->safe_psql('postgres', "DELETE FROM scattered_${label}_$am WHERE id % 10 <> 0");
	}
	@scans = (
		[ 'Index Scan', $indexed, 'SELECT pad FROM %s ORDER BY k' ],
		[ 'Index Scan', $indexed, 'SELECT pad FROM %s ORDER BY k DESC' ],
		[ 'Index Scan', $indexed, 'SELECT pad FROM %s WHERE k BETWEEN 0 AND 200000000000' ],
		[ 'Index Only Scan', $indexed, 'SELECT k FROM %s ORDER BY k' ],
		[ 'Bitmap Heap Scan', $bitmap, 'SELECT pad FROM %s WHERE k > 0' ]) if !@scans;
	for my $scan (@scans)
	{
		my ($node, $settings, $sql) = @$scan;
		my %second;
		for my $am ($AM, 'btree')
		{
			my $query = sprintf($sql, "scattered_${label}_$am");
			$primary->safe_psql('postgres', "$settings $query");
			$second{$am} = pages($primary, $settings, $query, $node);
		}
		# What had no room for a mark is visited again, but not much.
		cmp_ok($second{$AM}, '<=', $second{btree} * 1.5 + 20,
			"$label, $node: $second{$AM} pages after the marks, $second{btree} with nbtree");
	}
	same_answers($primary, "scattered_${label}_$AM", "$label table");
}

is($primary->safe_psql('postgres', qq{
SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_nestloop = off; SET enable_sort = off; SET enable_bitmapscan = off;
SELECT count(*) FROM scattered_logged_$AM a JOIN scattered_unlogged_$AM b USING (k)}),
	$primary->safe_psql('postgres', qq{
SET enable_mergejoin = off; SET enable_nestloop = off; $plain
SELECT count(*) FROM scattered_logged_$AM a JOIN scattered_unlogged_$AM b USING (k)}),
	'merge join over killed entries');

is($primary->safe_psql('postgres', qq{
CREATE TEMP TABLE fleeting (k int8);
CREATE INDEX ON fleeting USING $AM (k);
INSERT INTO fleeting SELECT generate_series(1, 30000);
DELETE FROM fleeting WHERE k <= 29000;
$indexed
SELECT k FROM fleeting ORDER BY k LIMIT 1;
SELECT k FROM fleeting ORDER BY k LIMIT 1;
INSERT INTO fleeting SELECT generate_series(100, 200);
SELECT count(*), min(k), max(k) FROM fleeting WHERE k > 0}), "29001\n29001\n1101|100|30000", 'temporary table');

# ---- marks and rows that come to the same place --------------------------------------------------------

make_tables('', 'reused', 5000, 'i');
make_tables('UNLOGGED', 'reused_unlogged', 5000, 'i');
for my $round (1 .. 6)
{
	my $low = 700 * $round;
	for my $table ("reused_$AM", "reused_unlogged_$AM")
	{
		# Rows go; scans mark; VACUUM frees their places; the same keys come back there, and some are marked meanwhile.
		$primary->safe_psql('postgres', qq{
DELETE FROM $table WHERE k BETWEEN $low AND $low + 600;
$indexed SELECT count(*) FROM (SELECT id FROM $table ORDER BY k) q;
SELECT count(*) FROM (SELECT id FROM $table ORDER BY k DESC) q;
});
		$primary->safe_psql('postgres', "VACUUM (INDEX_CLEANUP ON) $table") if $round % 2 == 0;
		$primary->safe_psql('postgres', qq{
INSERT INTO $table SELECT i, i FROM generate_series($low, $low + 600, 2) i;
UPDATE $table SET k = k + 1 WHERE k % 50 = 0;
$indexed SELECT count(*) FROM (SELECT id FROM $table ORDER BY k) q;
});
		same_answers($primary, $table, "$table, round $round");
		check_indexes($primary, "$table, round $round");
	}
}
# So few rows that no page is ever packed: VACUUM takes entries out of the middle of the unsorted ones.
for my $kind ('', 'UNLOGGED')
{
	my $table = "few_$kind";
	$primary->safe_psql('postgres', qq{
CREATE $kind TABLE $table (id int, k int8);
CREATE INDEX ON $table USING $AM (k);
INSERT INTO $table SELECT i, i FROM generate_series(1, 40) i;
DELETE FROM $table WHERE k % 3 = 0;
$indexed SELECT count(*) FROM (SELECT id FROM $table ORDER BY k) q;
});
	$primary->safe_psql('postgres', "DELETE FROM $table WHERE k IN (1, 2, 5)");
	$primary->safe_psql('postgres', "VACUUM (INDEX_CLEANUP ON) $table");
	$primary->safe_psql('postgres', "INSERT INTO $table SELECT i, i FROM generate_series(1, 40) i WHERE i % 3 = 0");
	same_answers($primary, $table, "$table, after VACUUM");
}
check_indexes($primary, 'every visible row has an entry that is not marked');

# ---- crash ---------------------------------------------------------------------------------------------

$primary->safe_psql('postgres', "DELETE FROM scattered_logged_$AM WHERE id % 20 = 0; $indexed SELECT count(*) FROM (SELECT id FROM scattered_logged_$AM ORDER BY k) q");
$primary->stop('immediate');
$primary->start;
same_answers($primary, "$_", 'after a crash') for "scattered_logged_$AM", "queue_serial_$AM", "reused_$AM", "jobs_$AM";
check_indexes($primary, 'after a crash');

# ---- a standby does not believe marks ------------------------------------------------------------------

my $head = "SELECT id FROM queue_serial_$AM ORDER BY k LIMIT 1";
$primary->safe_psql('postgres', "$indexed $head");
my $marked = pages($primary, $indexed, $head);
cmp_ok($marked, '<', 10, "primary: the head of the queue costs $marked pages");
$primary->safe_psql('postgres', 'CHECKPOINT');
# Marks go with the files.
my $standby = standby_of($primary);
$primary->wait_for_catchup($standby);
my $ignored = pages($standby, $indexed, $head);
cmp_ok($ignored, '>', 10 * $marked, "standby: $ignored pages, as it looks at every row");
is(pages($standby, $indexed, $head), $ignored, 'standby: nor does it set any');
$primary->safe_psql('postgres', qq{
DELETE FROM jobs_$AM WHERE id % 16 = 0;
$indexed SELECT count(*) FROM (SELECT id FROM jobs_$AM ORDER BY p, k) q;
INSERT INTO jobs_$AM SELECT i, i % 4, i FROM generate_series(1, 500) i;
DELETE FROM scattered_logged_$AM WHERE id % 40 = 10;
$indexed SELECT count(*) FROM (SELECT id FROM scattered_logged_$AM ORDER BY k) q;
INSERT INTO scattered_logged_$AM SELECT i, hashint8(i)::int8 FROM generate_series(1, 3000) i;
});
$primary->wait_for_catchup($standby);
same_answers($standby, $_, "standby: $_") for "scattered_logged_$AM", "jobs_$AM";
$primary->stop;
$standby->promote;
$standby->safe_psql('postgres', "$indexed $head");
cmp_ok(pages($standby, $indexed, $head), '<', 10, 'after promotion marks are set and believed');
same_answers($standby, $_, "promoted standby: $_") for "scattered_logged_$AM", "jobs_$AM";
check_indexes($standby, 'promoted standby');
$standby->stop;

done_testing();
