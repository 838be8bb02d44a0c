# learned_index_check beside a VACUUM that joins the next leaf with the one that the check has just read, and a split that
# uses the block again at once: the link is as it was, the fence is not. The check must go on from what is there now.
#
# The two states of the index are made first; the second is put in place while the check waits for the block.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use Test::More;

plan skip_all => 'the pages are learned\'s' unless $IS_LEARNED;

my $library = build_module('pages');

my $node = new_node('reuse');
$node->append_conf('postgresql.conf', 'autovacuum = off');
$node->start;
prepare_database($node);
query($node, qq{
CREATE FUNCTION read_page(index regclass, block int) RETURNS bytea LANGUAGE c AS '$library';
CREATE FUNCTION write_pages_before(index regclass, block int, pid int, pages bytea[]) RETURNS bool LANGUAGE c AS '$library';
CREATE TABLE state (number int, pages bytea[]);
});

sub keep
{
	my ($index, $number) = @_;
	query($node, qq{INSERT INTO state SELECT $number, array_agg(substr(read_page('$index', b), 11) ORDER BY b)
FROM generate_series(1, (pg_relation_size('$index') / 8192)::int - 1) b});
}

# Right link and fences of a page in a state. (With keys of several words, the trailer is longer.)
sub place
{
	my ($number, $block, $words) = @_;
	my $page = pack('H*', query($node, "SELECT encode(pages[$block], 'hex') FROM state WHERE number = $number"));
	my $fence = 8 * $words + 8;
	my ($right, $low, $high) = unpack("x20 V x8 a$fence a$fence", substr($page, -32 - 2 * $fence));
	return { right => $right, low => $low, high => $high };
}

my $states = 0;
for my $case ([ '', 'logged', '(k)', 1 ], [ 'UNLOGGED', 'unlogged', '(k)', 1 ], [ '', 'two_columns', '(k, (k % 10))', 2 ])
{
	my ($kind, $table, $columns, $words) = @$case;
	my $index = "${table}_k";
	# Leaves 1 to 4. The two in the middle lose nearly all rows and become one, which is then split.
	query($node, qq{
CREATE $kind TABLE $table (k int8);
INSERT INTO $table SELECT hashint8extended(i, 1) FROM generate_series(1, 2600) i;
CREATE INDEX $index ON $table USING learned $columns;
INSERT INTO $table SELECT 8200000000000000000 + i FROM generate_series(1, 500) i;
DELETE FROM $table WHERE k BETWEEN -3300000000000000000 AND 8000000000000000000 AND hashint8extended(k, 9) % 20 <> 0;
});
	my ($before, $after) = ($states + 1, $states + 2);
	$states += 2;
	keep($index, $before);
	$node->safe_psql('postgres', "VACUUM (INDEX_CLEANUP ON) $table");
	query($node, "INSERT INTO $table SELECT -3200000000000000000 + (hashint8extended(i, 5) & ((1::int8 << 61) - 1)) FROM generate_series(1, 900) i");
	keep($index, $after);
	my ($left, $then, $now) = (2, place($before, 2, $words), place($after, 2, $words));
	my $reused = $then->{right};
	is($now->{right}, $reused, "$table: the leaf to the right is in the same block");
	ok($now->{high} ne $then->{high} && place($after, $reused, $words)->{low} eq $now->{high}, "$table: but begins elsewhere");
	is(query($node, "SELECT count(DISTINCT cardinality(pages)) FROM state WHERE number IN ($before, $after)"), 1, "$table: no block was added");

	my $checker = $node->background_psql('postgres', on_error_die => 0, on_error_stop => 0);
	my $pid = $checker->query_safe('SELECT pg_backend_pid()');
	my $holder = $node->background_psql('postgres', on_error_die => 1);
	my $write = "write_pages_before('$index', $reused, %s, (SELECT pages FROM state WHERE number = %d))";
	# Back to the first state. (Of nobody, it does not wait.)
	is($holder->query_safe('SELECT ' . sprintf($write, -1, $before)), 't', "$table: the first state is back");
	is(query($node, "SELECT learned_index_check('$index', strict => true)"), '', "$table: which is sound");
	my $holder_pid = $holder->query_safe('SELECT pg_backend_pid()');
	$holder->{stdin} .= 'SELECT ' . sprintf($write, $pid, $after) . ";\n\\echo over\n";
	$holder->{run}->pump_nb();
	$node->poll_query_until('postgres', qq{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND pid = $holder_pid});
	my $answer = $checker->query("SET statement_timeout = '20s'; SELECT learned_index_check('$index') IS NOT NULL;");
	$holder->{run}->pump() until $holder->{stdout} =~ /over/;
	like($holder->{stdout}, qr/^t\n/, "$table: the check was waiting for that block");
	is($answer, 't', "$table: it goes on from what is there now and comes to its end") or diag($checker->{stderr});
	is(query($node, "SELECT learned_index_check('$index', strict => true)"), '', "$table: the index is sound");
	$_->quit for $holder, $checker;
}
$node->stop;
done_testing();
