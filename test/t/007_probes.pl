# The model serves: over a million probes of a freshly built index, a warm look-up reads one index page, be the key one column, a
# pair or a uuid. The same probes without the model cache read more, so a model that is bypassed fails this test. And a scan
# whose condition leaves the first column free, or gives it a list or a range, reads about a page for each of its values.
#
# LEARNED_TEST_ROWS   rows of the table (default 20 million)

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use JSON::PP;
use Test::More;

plan skip_all => 'nbtree reads a page for each level' unless $IS_LEARNED;

my $rows = $ENV{LEARNED_TEST_ROWS} || 20_000_000;
my $node = new_node('probes');
$node->append_conf('postgresql.conf', "shared_buffers = 2GB\nmaintenance_work_mem = 512MB\nmax_wal_size = 8GB\n");
$node->start;
prepare_database($node);
# Keys in table order, and random ones.
$node->safe_psql('postgres', qq{
CREATE UNLOGGED TABLE probed (serial int8, random int8);
INSERT INTO probed SELECT i, hashint8extended(i, 1) FROM generate_series(1, $rows) i;
CREATE INDEX probed_serial ON probed USING learned (serial);
CREATE INDEX probed_random ON probed USING learned (random);
VACUUM (FREEZE, ANALYZE) probed;
});

# Pages of the inner index-only scan of a nested loop, per probe, in the second of two runs.
sub pages_per_probe
{
	my ($column, $key, $probes, $settings) = @_;
	my $explain = qq{EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, FORMAT JSON)
SELECT count(p.$column) FROM generate_series(1::int8, $probes) i LEFT JOIN probed p ON p.$column = $key;};
	my $output = query($node, "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_memoize = off;
SET enable_seqscan = off; SET enable_bitmapscan = off; SET max_parallel_workers_per_gather = 0; $settings
$explain
\\echo second
$explain");
	my ($second) = $output =~ /second\n(.*)/s;
	my $scan = decode_json($second)->[0]{Plan}{Plans}[0]{Plans}[1];
	is($scan->{'Index Name'}, "probed_$column", "$column: the plan reads the index");
	is("$scan->{'Node Type'} $scan->{'Actual Loops'} $scan->{'Actual Rows'} $scan->{'Heap Fetches'}",
		"Index Only Scan $probes 1 0", "$column: $probes probes, each with its row, without the table");
	return ($scan->{'Shared Hit Blocks'} + $scan->{'Shared Read Blocks'}) / $probes;
}

for my $case ([ 'serial', "(i * 7919) % $rows + 1" ], [ 'random', "hashint8extended((i * 7919) % $rows + 1, 1)" ])
{
	my ($column, $key) = @$case;
	my $pages = pages_per_probe($column, $key, 1_000_000, '');
	cmp_ok($pages, '>=', 1, "$column: every probe reads a page");
	cmp_ok($pages, '<=', 1.05, "$column: and one only");
	my $without = pages_per_probe($column, $key, 100_000, 'SET learned_index.model_cache = 0;');
	cmp_ok($without, '>=', 1.5, "$column: without the model cache, more");
	diag("$column: $pages pages a probe, $without without the model cache");
}

# Devices that report by turns, and a uuid for each row, so that a device has several leaves: a tenth of the rows will do.
my $pairs = int($rows / 10000) * 1000;
$node->safe_psql('postgres', qq{
CREATE UNLOGGED TABLE readings (device int4, ts timestamptz, id uuid);
INSERT INTO readings SELECT i % 1000, timestamptz '2024-01-01' + i / 1000 * interval '1 min' + (hashint4(i) & 262143) * interval '1 us', md5(i::text)::uuid
  FROM generate_series(0, $pairs - 1) i;
CREATE INDEX readings_device_ts ON readings USING learned (device, ts) INCLUDE (id);
CREATE INDEX readings_id ON readings USING learned (id);
VACUUM (FREEZE, ANALYZE) readings;
CREATE UNLOGGED TABLE asked AS SELECT device, ts, id FROM readings ORDER BY id LIMIT 200000;
ANALYZE asked;
});
my $settings = 'SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_memoize = off; SET enable_seqscan = off;'
  . 'SET enable_bitmapscan = off; SET max_parallel_workers_per_gather = 0; SET learned_index.enable_groups = on;';

# The scan of an index in the second of two runs.
sub index_scan
{
	my ($index, $sql) = @_;
	my $explain = "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, FORMAT JSON) $sql;";
	my ($second) = query($node, "$settings\n$explain\n\\echo second\n$explain") =~ /second\n(.*)/s;
	my @nodes = (decode_json($second)->[0]{Plan});
	while (my $plan = shift @nodes)
	{
		return $plan if ($plan->{'Index Name'} // '') eq $index;
		push @nodes, @{ $plan->{Plans} // [] };
	}
	fail("$sql reads $index");
	return {};
}
sub pages { my ($scan) = @_; return $scan->{'Shared Hit Blocks'} + $scan->{'Shared Read Blocks'} }

for my $case ([ 'readings_device_ts', 'r.device = a.device AND r.ts = a.ts' ], [ 'readings_id', 'r.id = a.id' ])
{
	my ($index, $condition) = @$case;
	my $columns = $index =~ /ts/ ? 'r.ts' : 'r.id';
	my $scan = index_scan($index, "SELECT count($columns) FROM asked a JOIN readings r ON $condition");
	my $probes = $scan->{'Actual Loops'};
	is("$scan->{'Node Type'} $probes $scan->{'Actual Rows'}", 'Index Only Scan 200000 1', "$index: each probe with its row");
	my $pages = pages($scan) / ($probes || 1);
	cmp_ok($pages, '>=', 1, "$index: every probe reads a page");
	cmp_ok($pages, '<=', 1.05, "$index: and one only");
	diag("$index: $pages pages a probe");
}

my $minute = "timestamptz '2024-01-01 05:00'";
my $leaves = query($node, q{SELECT leaf_pages FROM learned_index_stats('readings_device_ts')});
# Condition, rows expected (a row a device and minute), devices.
for my $case (
	[ "ts >= $minute AND ts < $minute + interval '1 min'", 1000, 1000 ],
	[ "device BETWEEN 100 AND 299 AND ts >= $minute AND ts < $minute + interval '1 min'", 200, 200 ],
	[ "device = ANY ('{7,300,301,650,999,2000}') AND ts >= $minute AND ts < $minute + interval '1 min'", 5, 6 ],
	[ "device IS NOT NULL AND ts < '2023-01-01'", 0, 1000 ])
{
	my ($condition, $expected, $devices) = @$case;
	my $scan = index_scan('readings_device_ts', "SELECT device, ts FROM readings WHERE $condition");
	is($scan->{'Actual Rows'}, $expected, "$condition: all rows");
	cmp_ok(pages($scan), '<=', $devices * 1.1 + 10, "$condition: a page a device");
	my $back = index_scan('readings_device_ts', "SELECT device, ts FROM readings WHERE $condition ORDER BY device DESC, ts DESC");
	is($back->{'Actual Rows'}, $expected, "$condition, backward: all rows");
	cmp_ok(pages($back), '<=', $devices * 1.1 + 10, "$condition, backward: a page a device");
	diag("$condition: ", pages($scan), ' and ', pages($back), " of $leaves pages");
}
cmp_ok($leaves, '>', 2500, 'which is not all of them') if $pairs >= 2_000_000;
$node->safe_psql('postgres', "SELECT learned_index_check('probed_serial'), learned_index_check('probed_random'),
  learned_index_check('readings_device_ts'), learned_index_check('readings_id')");
$node->stop;
done_testing();
