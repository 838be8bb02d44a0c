# Planner hooks of other extensions, beside ours for row comparisons and for statistics: what another one does with a table's paths, or gives as
# statistics, stands, whichever library was loaded first.

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

# Statistics of a table that has grown: 10,000 rows are known, 10,000 have come.
my $statistics = build_module('other_statistics');
$node->safe_psql('postgres', qq{
CREATE TABLE grown (k int8) WITH (autovacuum_enabled = off);
INSERT INTO grown SELECT i FROM generate_series(1, 10000) i;
CREATE INDEX ON grown USING $AM (k);
ANALYZE grown;
INSERT INTO grown SELECT i FROM generate_series(10001, 20000) i;
});
my $explain = 'EXPLAIN SELECT * FROM grown WHERE k > 15000';
for my $order ([ 'before', "LOAD '$statistics'; LOAD 'learned_index';" ], [ 'behind', "LOAD 'learned_index'; LOAD '$statistics';" ])
{
	my ($where, $load) = @$order;
	my $rows = sub
	{
		my ($before) = @_;
		my ($status, $plan, $error) = $node->psql('postgres', "$load $before $explain", on_error_stop => 0);
		return $plan =~ /rows=(\d+)/ ? $1 : "failed: $error";
	};
	my $near = $IS_LEARNED ? sub { $_[0] =~ /^\d+$/ && abs($_[0] - 5000) < 500 } : sub { $_[0] =~ /^\d+$/ };
	ok($near->($rows->('')), "a hook that was set $where ours and leaves all as it is");
	# (Without statistics a third is what an inequality is taken for.)
	cmp_ok(abs($rows->("SET other_statistics.mode = 'nothing';") - 20000 / 3), '<', 100, "one that knows of no statistics, $where ours");
	# In the midst of a question of ours, if it comes first.
	ok($near->($rows->("SET other_statistics.mode = 'error'; $explain; $explain; SET other_statistics.mode = 'pass';")),
		"one that has raised an error, $where ours");
}

$node->stop;
done_testing();
