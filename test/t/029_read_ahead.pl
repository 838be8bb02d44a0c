# Scans that ask for blocks of the table ahead return what they return without, whatever is done with them: the table is many times larger than shared
# buffers here, and every read is taken for one from a device. The oracle is a sequential scan of the same snapshot, sorted as the index is.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use List::Util qw(min max);
use Test::More;

plan skip_all => 'nbtree asks for nothing ahead' unless $IS_LEARNED;

start_seed();
my $node = new_node('ahead', lasting => 1);
$node->append_conf('postgresql.conf', "shared_buffers = 1MB\nmax_worker_processes = 8\nmax_parallel_workers = 6\n");
$node->start;
prepare_database($node);
$node->safe_psql('postgres', q{
CREATE TABLE wide (id int, k int, g int, pad text);
CREATE FUNCTION fill(first int, last int) RETURNS void LANGUAGE sql AS $$
  INSERT INTO wide SELECT i, CASE WHEN i % 40 <> 0 THEN hashint8(i) % 9000 END, i % 7, repeat('x', 200) FROM generate_series(first, last) i $$;
SELECT fill(1, 30000);
CREATE INDEX wide_k ON wide USING learned (k);
CREATE INDEX wide_gk ON wide USING learned (g, k DESC);
CREATE INDEX wide_id ON wide USING learned (id);
VACUUM ANALYZE wide;
-- Some blocks are not all-visible.
UPDATE wide SET pad = repeat('y', 200) WHERE id % 97 = 0;
});

my @ways = map { "SET learned_index.read_ahead = $_->[0]; SET effective_io_concurrency = $_->[1];" } [ 'off', 32 ], [ 'on', 0 ], [ 'on', 1 ], [ 'on', 5 ], [ 'on', 1000 ], [ 'auto', 32 ];
my $by_index = 'SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; SET enable_incremental_sort = off;';
my $by_table = 'SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off;';

# ---- answers --------------------------------------------------------------------------------------------------------

# Each: the query, in whose rows' order "ties" come as the index has them; and what its plan says.
my @queries = (
	[ 'SELECT k, ctid, length(pad) FROM wide WHERE k BETWEEN -4000 AND 5000 ORDER BY k TIES', qr/Index Scan using wide_k/ ],
	[ 'SELECT k, ctid, length(pad) FROM wide WHERE k > 100 ORDER BY k DESC TIES', qr/Index Scan Backward using wide_k/ ],
	[ 'SELECT k, ctid, length(pad) FROM wide ORDER BY k TIES', qr/Index Scan using wide_k/ ],
	[ 'SELECT k, ctid, length(pad) FROM wide WHERE k IS NULL ORDER BY k TIES', qr/Index Scan using wide_k/ ],
	[ 'SELECT k, ctid, length(pad) FROM wide WHERE k = ANY (ARRAY(SELECT generate_series(-8000, 8000, 13))) ORDER BY k TIES', qr/Index Scan using wide_k/ ],
	[ 'SELECT k FROM wide WHERE k BETWEEN -4000 AND 5000 ORDER BY k', qr/Index Only Scan using wide_k/ ],
	[ 'SELECT k FROM wide WHERE k IN (1, 2, 3, 500, 501, 4000) ORDER BY k DESC', qr/Index Only Scan Backward using wide_k/ ],
	[ 'SELECT g, k, ctid, length(pad) FROM wide WHERE g IN (1, 4) AND k < 3000 ORDER BY g, k DESC TIES', qr/Index Scan using wide_gk/ ],
	[ 'SELECT g, k, ctid, length(pad) FROM wide WHERE k BETWEEN 100 AND 200 AND g >= 0 ORDER BY g, k DESC TIES', qr/Index Scan using wide_gk/ ],
	[ 'SELECT count(*), sum(w.k), sum(length(w.pad)) FROM generate_series(-8000, 8000, 30) s JOIN wide w ON w.k = s', qr/Index Scan using wide_k/ ],
	[ 'SELECT count(*), sum(length(a.pad)), sum(length(b.pad)) FROM wide a JOIN wide b ON a.k = b.k AND a.id <> b.id WHERE a.g = 3', qr/Merge Join/,
		'SET enable_hashjoin = off; SET enable_nestloop = off;' ],
	[ 'SELECT DISTINCT g FROM wide ORDER BY g', qr/LearnedGroups/ ]);
for my $query (@queries)
{
	my ($sql, $plan, $settings) = @$query;
	$settings //= '';
	# (The order of equal keys, which the server does not know of.)
	my ($ours, $theirs) = ($sql =~ s/ TIES//r, $sql =~ s/ TIES/, ctid/r);
	$theirs =~ s/(DESC), ctid/$1 NULLS FIRST, ctid DESC/ if $plan =~ /Backward/;
	my $truth = query($node, "$by_table $theirs");
	isnt($truth, '', "rows of: $sql");
	like(query($node, "$by_index $settings EXPLAIN (COSTS OFF) $ours"), $plan, '... by the index');
	my @wrong = grep { query($node, "$_ $by_index $settings $ours") ne $truth } @ways;
	is("@wrong", '', '... are the same, whatever is asked for ahead');
}
my $parallel = "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_index_scan_size = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 3;";
my $sums = 'SELECT count(*), sum(k), sum(length(pad)), sum(id) FROM wide WHERE k BETWEEN -8000 AND 8500';
like(query($node, "$by_index $parallel EXPLAIN (COSTS OFF) $sums"), qr/Parallel Index Scan using wide_/, 'a parallel scan');
my $truth = query($node, "$by_table $sums");
is(query($node, "$_ $by_index $parallel $sums"), $truth, "... by: $_") for @ways;

# ---- what it costs --------------------------------------------------------------------------------------------------

# The scout is seen by the pages of the index that it reads. It is not counted as a search.
sub pages_and_searches
{
	my ($way, $sql) = @_;
	my $searches = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'wide_k'";
	# (A backend that goes on tells what it has counted once in a while. And pages are counted in a new one, which knows nothing of the index.)
	my $tell = 'DO $$ BEGIN PERFORM pg_stat_force_next_flush(); END $$;';
	my $before = query($node, "$tell $searches");
	my $plan = query($node, "$way $by_index EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF) $sql; $tell", 'postgres', fresh => 1);
	my ($hit, $read) = $plan =~ /Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?/;
	return (($hit // 0) + ($read // 0), query($node, $searches) - $before);
}
my $range = 'SELECT sum(length(pad)) FROM wide WHERE k BETWEEN -4000 AND 5000';
my ($without, $searches) = pages_and_searches($ways[0], $range);
my ($none, $searches_none) = pages_and_searches($ways[1], $range);
my ($with, $searches_with) = pages_and_searches($ways[4], $range);
is($none, $without, 'with effective_io_concurrency at 0 nothing is asked for');
cmp_ok($with, '>', $without + 5, 'leaves are read by the scout, too');
cmp_ok($with, '<', $without * 1.1, '... and that is all');
is("$searches_none $searches_with", "$searches $searches", 'searches are those of the scan');
my $few = 'SELECT length(pad) FROM wide WHERE k > 0 ORDER BY k LIMIT 1';
is((pages_and_searches($ways[4], $few))[0], (pages_and_searches($ways[0], $few))[0], 'one row asks for nothing');

# It crosses no more of the index than a few times what the scan has crossed, be there nothing that the conditions admit, or nothing alive: who asks for the
# first rows only may have them all.
$node->safe_psql('postgres', q{
CREATE TABLE sparse (g int, k int, pad text);
INSERT INTO sparse SELECT i / 100, CASE WHEN i < 200 THEN 5 ELSE 6 + (hashint8(i) & 65535) END, repeat('x', 20) FROM generate_series(0, 150000) i
  ORDER BY hashint8(i);
CREATE INDEX sparse_gk ON sparse USING learned (g, k);
VACUUM ANALYZE sparse;
});
my $first_rows = 'SELECT g, k, length(pad) FROM sparse WHERE g >= 0 AND k = 5 ORDER BY g LIMIT 198';
my $index_pages = query($node, "SELECT pg_relation_size('sparse_gk') / current_setting('block_size')::int");
like(query($node, "$by_index EXPLAIN (COSTS OFF) $first_rows"), qr/Index Scan using sparse_gk/, 'the first rows by an index');
my $pages_without = (pages_and_searches($ways[0], $first_rows))[0];
for my $way (@ways[ 2 .. 4 ])
{
	my $more = (pages_and_searches($way, $first_rows))[0] - $pages_without;
	cmp_ok($more, '>', 0, "the scout runs: $way");
	cmp_ok($more, '<', $index_pages / 2, "... but not to the end of an index of $index_pages pages");
	is(query($node, "$way $by_index $first_rows"), query($node, "$by_table $first_rows"), '... the rows');
}

# Predicate locks are those of the rows that were returned.
sub predicate_locks
{
	my ($way) = @_;
	return query($node, "$way $by_index BEGIN ISOLATION LEVEL SERIALIZABLE;
DECLARE c CURSOR FOR SELECT k, pad FROM wide WHERE k BETWEEN -4000 AND 8000 ORDER BY k;
MOVE 100 IN c;
SELECT string_agg(page::text, ' ' ORDER BY page) FROM pg_locks WHERE mode = 'SIReadLock' AND relation = 'wide_k'::regclass;
ROLLBACK");
}
is(predicate_locks($ways[4]), predicate_locks($ways[0]), 'what is looked at ahead is not locked');

# ---- cursors --------------------------------------------------------------------------------------------------------

sub session
{
	my ($way) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	$session->query($_) for split /; */, "$way $by_index";
	return $session;
}

# An idle cursor keeps VACUUM from nothing, and returns the rows of its snapshot.
for my $way (@ways[ 0, 4 ])
{
	my $session = session($way);
	my $select = 'SELECT k, id, length(pad) FROM wide WHERE k BETWEEN -3000 AND 6000 ORDER BY k';
	$session->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
	my $before = $session->query("$by_table SELECT string_agg(id::text, ' ' ORDER BY k, ctid) FROM wide WHERE k BETWEEN -3000 AND 6000");
	$session->query($_) for split /; */, $by_index =~ s/^/SET enable_indexscan = on; /r;
	$session->query("DECLARE c CURSOR FOR $select");
	my @ids = $session->query('FETCH 500 FROM c') =~ /^-?\d+\|(\d+)\|/mg;
	$node->safe_psql('postgres', $_)
	  for 'DELETE FROM wide WHERE id % 3 = 0', "SET statement_timeout = '30s'; VACUUM (INDEX_CLEANUP ON) wide",
	  'SELECT fill(30001, 31000)', 'UPDATE wide SET k = k + 1 WHERE id % 5 = 0', "SET statement_timeout = '30s'; VACUUM (INDEX_CLEANUP ON) wide";
	push @ids, $session->query('FETCH ALL FROM c') =~ /^-?\d+\|(\d+)\|/mg;
	is("@ids", $before, "a cursor, while rows come and go: $way");
	$session->quit;
	$node->safe_psql('postgres', 'TRUNCATE wide; SELECT fill(1, 30000)');
	$node->safe_psql('postgres', 'VACUUM ANALYZE wide');
}

# To and fro.
for my $select ('SELECT id, length(pad) FROM wide WHERE k > -5000 ORDER BY k', 'SELECT k FROM wide WHERE k > -5000 ORDER BY k')
{
	my $session = session($ways[3]);
	my @rows = split /\n/, query($node, "$by_index SET learned_index.read_ahead = off; $select");
	$session->query('BEGIN');
	$session->query("DECLARE c SCROLL CURSOR FOR $select");
	my $at = 0;
	my @wrong;
	for (1 .. 60)
	{
		my $n = random_int(1, chance(4) ? 5000 : 60);
		my $back = chance(2);
		my @found = split /\n/, $session->query(($back ? 'FETCH BACKWARD' : 'FETCH FORWARD') . " $n FROM c");
		my @expected;
		if ($back)
		{
			my $to = max(0, $at - $n);
			@expected = reverse @rows[ max(0, $to - 1) .. $at - 2 ] if $at > 1;
			$to == 0 and $at > 1 and @expected = reverse @rows[ 0 .. $at - 2 ];
			$at = $to;
		}
		else
		{
			my $to = min(scalar(@rows) + 1, $at + $n);
			@expected = @rows[ $at .. min($to, scalar @rows) - 1 ];
			$at = $to;
		}
		push @wrong, "$at: $n" if "@found" ne "@expected";
	}
	is("@wrong", '', "to and fro: $select");
	$session->quit;
}

# ---- keys of C callers ------------------------------------------------------------------------------------------------

# Who scans may use the keys for something else once it has the first row: what is looked at ahead goes by what they were.
my $late_keys = build_module('late_keys');
$node->safe_psql('postgres', qq{
CREATE FUNCTION late_keys_scan(index regclass, kind text, strategies int[], subtype regtype, arguments int8[], script text)
  RETURNS text STRICT LANGUAGE c AS '$late_keys';
CREATE TABLE late (k int8, pad text);
INSERT INTO late SELECT hashint8(i) % 3000, repeat('x', 300) FROM generate_series(1, 20000) i;
CREATE INDEX late_k ON late USING learned (k);
CREATE INDEX late_kd ON late USING learned (k DESC);
});
$node->safe_psql('postgres', 'VACUUM ANALYZE late');
my $list = "'{3}', 'int8[]', (SELECT array_agg(i * 17) FROM generate_series(-100, 100) i)";
my $ranges = "'{4,2}', 'int8', '{-900,1000,5,7}'";
# Each: what late_keys_scan() is told; its script; the condition of the rows that it is to find.
for my $case ([ $list, 'r0fxF', 'k % 17 = 0 AND abs(k) <= 1700' ], [ $ranges, 'r0f1F', 'k BETWEEN -900 AND 1000' ])
{
	my ($told, $script, $condition) = @$case;
	for my $index ('late_k', 'late_kd')
	{
		my $descending = $index eq 'late_kd' ? 'DESC' : '';
		my $expected = query($node, "$by_table SELECT string_agg(k || '\@' || ctid || ' ', '' ORDER BY k $descending, ctid $descending) || '. ' FROM late WHERE $condition");
		for my $kind ('plain', 'only')
		{
			my @wrong = grep { query($node, "$_ SELECT late_keys_scan('$index', '$kind', $told, '$script')") ne $expected } @ways;
			is("@wrong", '', "$index, $kind: $script, whatever is asked for ahead");
		}
	}
}

# ---- other tables ---------------------------------------------------------------------------------------------------

my $temporary = "SET temp_buffers = '800kB'; CREATE TEMP TABLE t AS SELECT * FROM wide; CREATE INDEX t_k ON t USING learned (k); ANALYZE t;";
my $ordered = 'SELECT k, id FROM t WHERE k > 77 AND length(pad) > 1 ORDER BY k';
is(query($node, "$temporary $ways[4] $by_index $ordered"), query($node, "$temporary $by_table $ordered, ctid"), 'a temporary table');
check_indexes($node, 'at the end');
$node->stop;
done_testing();
