# Keys whose arguments are filled in after the rescan, as some extensions do it (they rebuild a table while it is
# written, and look for each changed row by its identity index): a scan that has read its keys too early looks for
# others than it was asked for. A C module plays such a caller: plain, index-only, bitmap and parallel scans, both
# directions, marks, rescans without keys. What it finds must be what it finds by nbtree, and what a query finds.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use Test::More;

start_seed();

# The module, for the server under test.
my $library = build_module('late_keys');

my $node = new_node('main', lasting => 1);
$node->start;
prepare_database($node);
$node->safe_psql('postgres', qq{
CREATE FUNCTION late_keys_scan(index regclass, kind text, strategies int[], subtype regtype, arguments int8[], script text)
  RETURNS text STRICT LANGUAGE c AS '$library';
CREATE TABLE t (id int, k int8);
-- Key 0, which a key without its argument looks for, is there; some keys are there more than once.
INSERT INTO t SELECT i, CASE WHEN i % 10 = 0 THEN i / 100 ELSE i * 2654435761 % 2147483648 END FROM generate_series(0, 40000) i;
INSERT INTO t SELECT -i, NULL FROM generate_series(1, 10) i;
-- (Of a posting list nbtree returns the TIDs in ascending order also where it goes backward.)
CREATE INDEX reference ON t USING btree (k) WITH (deduplicate_items = off);
CREATE INDEX subject ON t USING $AM (k);
});
$node->safe_psql('postgres', 'VACUUM (FREEZE, ANALYZE) t');
my $version = $node->safe_psql('postgres', 'SHOW server_version_num') + 0;

# What a scan by one index finds.
sub scan
{
	my ($index, $kind, $strategies, $subtype, $arguments, $script) = @_;
	return query($node, "SELECT late_keys_scan('$index', '$kind', '$strategies', '$subtype', '$arguments', '$script')");
}

# The same by query.
sub rows_where
{
	my ($condition, $order) = @_;
	$order //= '';
	return query($node, qq{SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off;
SELECT coalesce(string_agg(k || '\@' || ctid || ' ', '' ORDER BY k $order, ctid $order), '') FROM t WHERE $condition});
}

# A row is looked for by its key, and it is not row 0.
for my $kind ('plain', 'only')
{
	for my $subtype ('int8', 'int4')
	{
		is(scan('subject', $kind, '{3}', $subtype, '{77}', 'r0F'), rows_where('k = 77') . '. ', "$kind, $subtype: the key filled in");
		is(scan('subject', $kind, '{3}', $subtype, '{77}', 'r0B'), rows_where('k = 77', 'DESC') . '. ', "$kind, $subtype: backward");
	}
	is(scan('subject', $kind, '{4,2}', 'int8', '{100,300}', 'r0F'), rows_where('k BETWEEN 100 AND 300') . '. ', "$kind: a range");
	is(scan('subject', $kind, '{3}', 'int8', '{77,78,79}', 'r0Fr1Fn2F'),
		join('', map { rows_where("k = $_") . '. ' } 77, 78, 79), "$kind: one after another, rescans with and without keys");
	is(scan('subject', $kind, '{3}', 'int8', '{77}', 'r0Fn0Fr0iFrF'),
		join('', map { rows_where($_) . '. ' } 'k = 77', 'k = 77', 'k = NULL', 'k = 0'), "$kind: NULL, and as it was");
	is(scan('subject', $kind, '{3}', 'int8', '{77,78}', 'r0f1F'), rows_where('k = 77') . '. ', "$kind: not while rows are read");
	is(scan('subject', $kind, '{3}', 'int8', '{77,78}', 'rm0fzFmr1mF'),
		(rows_where('k = 77') =~ s/ .*//r) . ' ' . rows_where('k = 77') . '. ' . rows_where('k = 78') . '. ',
		"$kind: a mark before the first row");
	is(scan('subject', $kind, '{3}', 'int8[]', '{5,77,400000,300}', 'r0F'), rows_where('k IN (5, 77, 300)') . '. ',
		"$kind: a list of keys filled in");
	is(scan('subject', $kind, '{4,2}', 'int8', '{300,100}', 'r0F'), '. ', "$kind: a contradiction filled in");
}
is(scan('subject', 'bitmap', '{3}', 'int8', '{77,78}', 'r0Fn1Fr1F'),
	join('', map { query($node, "SELECT count(*) FROM t WHERE k = $_") . ' ' } 77, 78, 78), 'bitmap');
sub sorted { return join(' ', sort split / /, $_[0]); }
is(sorted(scan('subject', 'parallel', '{4,2}', 'int8', '{100,200000000}', 'r0F')), sorted(rows_where('k BETWEEN 100 AND 200000000') . '. '),
	'parallel: all rows, each once');
is(sorted(scan('subject', 'parallel', '{4,2}', 'int8', '{100,200000000,5,9000}', 'r0Fr1F')),
	sorted(rows_where('k BETWEEN 100 AND 200000000') . rows_where('k BETWEEN 5 AND 9000') . '. . '), 'parallel, again with other keys');
is(scan('subject', 'parallel', '{3}', 'int8', '{77}', 'r0iFr0F'), '. ' . rows_where('k = 77') . '. ', 'parallel: NULL, then a key');

# Random callers. Beside the one above: marks in the middle of a scan that only goes forward; turning round; and, as
# nbtree does it in this version, going on after the end, where old versions read keys again. (New ones do so where
# the keys contradict one another; there nothing is filled in without a rescan.)
sub random_script
{
	my ($groups, $refill) = @_;
	my $script = '';
	for (1 .. random_int(1, 4))
	{
		$script .= ($script eq '' ? 'r' : pick('r', 'n')) . random_int(0, $groups - 1);
		if (chance(2))
		{
			my $steps = random_int(1, 12);
			$script .= pick('f', 'f', 'm', 'z', 'f' x random_int(1, 60), 'F') for 1 .. $steps;
		}
		else
		{
			my $steps = random_int(1, 12);
			$script .= pick('f', 'b', 'f' x random_int(1, 60), 'b' x random_int(1, 60), 'F', 'B', $refill ? random_int(0, $groups - 1) : 'f') for 1 .. $steps;
		}
	}
	return $script;
}

sub random_key
{
	return chance(3) ? random_int(0, 2147483647) : random_int(0, 420);
}

my @cases;
for (1 .. 400)
{
	my $strategies = pick('3', '3', '4,2', '5,1', '3,5', '2,4,1');
	my $nkeys = () = $strategies =~ /\d/g;
	my $groups = random_int(1, 4);
	my @arguments;
	for (1 .. $groups)
	{
		my $low = random_key();
		my $high = $low + pick(0, 3, 20, $low < 500 ? 60 : 10_000_000);
		push @arguments, $strategies eq '2,4,1' ? ($high, $low, $high + random_int(-3, 3)) : $nkeys == 2 ? ($low, $high) : $low;
		$arguments[-1] = $arguments[-2] - random_int(-2, 2) if $strategies eq '3,5';
	}
	my $kind = pick('plain', 'plain', 'only', 'bitmap');
	my $script = $kind eq 'bitmap' ? join('', 'r0F', map { pick('r', 'n') . random_int(0, $groups - 1) . 'F' } 1 .. 3) : random_script($groups, $strategies ne '3,5');
	push @cases, "('$kind', '{$strategies}'::int[], '" . pick('int8', 'int4') . "'::regtype, '{" . join(',', map { $_ > 2147483647 ? 2147483647 : $_ } @arguments) . "}'::int8[], '$script')";
}
my $sql = 'SELECT kind, strategies, subtype, arguments, script, r, s FROM (SELECT *, '
  . join(', ', map { "late_keys_scan('$_->[0]', kind, strategies, subtype, arguments, script) AS $_->[1]" } [ 'reference', 'r' ], [ 'subject', 's' ])
  . ' FROM (VALUES ' . join(",\n", @cases) . ') c(kind, strategies, subtype, arguments, script) OFFSET 0) x';
is(query($node, "$sql WHERE r <> s LIMIT 3"), '', 'random callers find by this index what they find by btree');
cmp_ok(query($node, "SELECT count(*) FROM ($sql) y WHERE length(r) > 20"), '>', 150, '... which is something');

$node->stop;
done_testing();
