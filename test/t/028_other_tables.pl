# Tables of other access methods than heap: "far" (test/modules/far_rows.c), whose TIDs are no places in a file, and a second name of heap. Scans, counts, samples, statistics of
# rows that have come since and checks ask the table for its rows, by its own functions. A sequential scan is the judge.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use Test::More;

plan skip_all => 'what is tested is ours' unless $IS_LEARNED;

my $library = build_module('far_rows');
my $node = new_node('main', lasting => 1);
$node->start;
prepare_database($node);
query($node, qq{
CREATE FUNCTION far_handler(internal) RETURNS table_am_handler LANGUAGE c AS '$library';
CREATE ACCESS METHOD far TYPE TABLE HANDLER far_handler;
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
});

# The answer of a query, of the table or by the index; "node: " in front, of the node that is asked for.
my $by_table = 'SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off;';
my $by_index = 'SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off; SET learned_index.enable_aggregates = on; SET cpu_tuple_cost = 1;';
sub same_answer
{
	my ($node_type, $query, $label) = @_;
	my $plan = query($node, "$by_index EXPLAIN (COSTS OFF) $query");
	like($plan, qr/$node_type/, "$label: the plan");
	is(query($node, "$by_index $query"), query($node, "$by_table $query"), "$label: the answer");
	return;
}

for my $am ('far', 'heap2')
{
	# 20,000 rows are known to statistics; 20,000 have come since, 5,000 were deleted or never committed, the last ones among them.
	query($node, qq{
CREATE TABLE t (k int8, g int4, u uuid) USING $am;
INSERT INTO t SELECT i, i % 7, md5(i::text)::uuid FROM generate_series(1, 20000) i;
ANALYZE t;
CREATE INDEX t_k ON t USING learned (k);
CREATE INDEX t_g_k ON t USING learned (g, k);
INSERT INTO t SELECT i, i % 7, md5(i::text)::uuid FROM generate_series(20001, 40000) i;
CREATE INDEX t_u ON t USING learned (u);
DELETE FROM t WHERE k % 20 = 3 OR k > 39000;
BEGIN;
INSERT INTO t SELECT i, i % 7, md5(i::text)::uuid FROM generate_series(40001, 42000) i;
ROLLBACK;
});
	is(query($node, "SELECT a.amname FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE relname = 't'"), $am, "$am: the table's access method");

	same_answer('Index Scan', 'SELECT count(*), sum(k), min(u::text) FROM (SELECT * FROM t WHERE k BETWEEN 1000 AND 41000 OFFSET 0) s', "$am, rows of a range");
	same_answer('Index Only Scan', 'SELECT count(*), sum(k) FROM (SELECT k FROM t WHERE k BETWEEN 1000 AND 41000 OFFSET 0) s', "$am, keys of a range");
	same_answer('LearnedAggregate', 'SELECT count(*), sum(k), min(k), max(k) FROM t WHERE k > 100', "$am, a count");
	same_answer('LearnedAggregate', 'SELECT g, count(*), sum(k) FROM t GROUP BY g ORDER BY g', "$am, groups");
	same_answer('LearnedAggregate', 'SELECT count(*), count(DISTINCT u) FROM t', "$am, a count of uuids");
	same_answer('LearnedAggregate', 'SELECT percentile_disc(0.9) WITHIN GROUP (ORDER BY k) FROM t', "$am, a percentile");
	same_answer('LearnedOffset', 'SELECT k FROM t ORDER BY k OFFSET 20000 LIMIT 5', "$am, an offset");

	# Planning looks at rows of both ends.
	my ($rows) = query($node, 'EXPLAIN SELECT * FROM t WHERE k > 30000') =~ /rows=(\d+)/;
	my $actual = query($node, "$by_table SELECT count(*) FROM t WHERE k > 30000");
	cmp_ok(abs($rows - $actual), '<', $actual / 3, "$am: rows that are expected beyond what was known");

	is(query($node, 'SELECT sum(entries) >= 36000, min(lower_key[1])::int FROM learned_index_histogram(\'t_k\', 10)'), 't|1', "$am: a histogram");
	for my $n (500, 30000)
	{
		is(query($node, "SELECT count(*), count(DISTINCT ctid) FROM learned_index_sample('t_k', $n) ctid WHERE ctid::text IN (SELECT ctid::text FROM t)"),
			"$n|$n", "$am: a sample of $n rows");
	}
	check_indexes($node, $am);
	query($node, 'DROP TABLE t');
}

$node->stop;
done_testing();
