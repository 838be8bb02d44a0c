# The model serves: over a million probes of a freshly built index, a warm look-up reads one index page.
# The same probes without the model cache read more, so a model that is bypassed fails this test.
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
$node->safe_psql('postgres', "SELECT learned_index_check('probed_serial'), learned_index_check('probed_random')");
$node->stop;
done_testing();
