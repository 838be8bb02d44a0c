# Planner hooks of other extensions, beside ours for row comparisons: what another one does with a table's paths stands,
# whichever library was loaded first.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use Test::More;

# The module, for the server under test.
my $library = build_module('replaced_paths');

my $node = new_node('main');
$node->start;
prepare_database($node);
$node->safe_psql('postgres', qq{
CREATE TABLE t AS SELECT i AS ts, i % 10 AS id FROM generate_series(1, 10000) i;
CREATE INDEX ON t USING $AM (ts);
ANALYZE t;
});

my %conditions = ('a row comparison' => '(ts, id) > (9990, 5)', 'a comparison' => 'ts > 9990');
for my $what (sort keys %conditions)
{
	my $explain = "EXPLAIN (COSTS OFF) SELECT * FROM t WHERE $conditions{$what}";
	like(query($node, $explain), qr/Index Scan using t_ts_idx/, "$what: the index, without another hook");
	for my $order ([ 'before', "LOAD '$library'; LOAD 'learned_index';" ], [ 'behind', "LOAD 'learned_index'; LOAD '$library';" ])
	{
		like(query($node, "$order->[1] $explain"), qr/^Seq Scan on t/m, "$what: the path of a hook that was set $order->[0] ours");
	}
}

$node->stop;
done_testing();
