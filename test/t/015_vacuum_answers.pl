# VACUUM asks which rows are dead for many leaves at a time, ahead of its walk, and uses the answers for leaves that have
# not changed since. The checksum and `upper` of a page cannot tell for sure: two contents may have the same. Such a
# pair is forged: while VACUUM waits for a leaf before it, two entries of a leaf's delta (which the checksum leaves out)
# change places, one of a deleted row, one of a living. Whoever believes the answers then removes the wrong one.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use IPC::Run ();
use Test::More;

plan skip_all => 'the pages are learned\'s' unless $IS_LEARNED;

my $library = build_module('pages');

my $node = new_node('answers');
$node->start;
prepare_database($node);
query($node, qq{
CREATE FUNCTION read_page(index regclass, block int) RETURNS bytea LANGUAGE c AS '$library';
CREATE FUNCTION write_page(index regclass, block int, at int, bytes bytea) RETURNS void LANGUAGE c AS '$library';
CREATE FUNCTION same_routine(handler regproc) RETURNS bool LANGUAGE c AS '$library';
});

my $newest = query($node, q{SELECT current_setting('server_version_num')::int >= 190000});
is(query($node, q{SELECT same_routine('learned_handler')}), $newest,
	'the handler returns one lasting routine where the server keeps it, and a copy where it frees it');

sub page
{
	my ($index, $block) = @_;
	return pack('H*', query($node, "SELECT encode(read_page('$index', $block), 'hex')"));
}

# What stands for a key, in pages.
sub code { return $_[0] | (1 << 63) }

for my $kind ('', 'UNLOGGED')
{
	my $label = $kind eq '' ? 'logged' : 'unlogged';
	my $index = "${label}_k";
	# Two rows whose keys lie in one leaf, not the first one, get into its delta; the first of them dies.
	query($node, qq{
CREATE $kind TABLE $label (k int8);
INSERT INTO $label SELECT i * 1000 + hashint4(i) % 400 FROM generate_series(1, 20000) i;
CREATE INDEX $index ON $label USING learned (k) WITH (fillfactor = 50);
INSERT INTO $label VALUES (15000500), (15000501);
DELETE FROM $label WHERE k = 15000500;
});
	my $blocks = query($node, "SELECT pg_relation_size('$index') / 8192");
	my ($target, $upper, $first);
	for my $block (1 .. $blocks - 1)
	{
		my $page = page($index, $block);
		($upper) = unpack('x14 v', $page);
		# Entries of 16 bytes, newest first: code, TID and check.
		my @codes = unpack('Q< x8 Q<', substr($page, $upper, 32));
		next unless $codes[1] == code(15000500) && $codes[0] == code(15000501);
		($target, $first) = ($block, substr($page, $upper, 32));
		last;
	}
	ok(defined $target, "$label: both rows are in the delta of block " . ($target // '?')) or next;

	# An index-only scan keeps the leaf pinned that it is on: one in the middle between the first and that one.
	my $reader = $node->background_psql('postgres');
	$reader->query_safe(qq{
SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_indexscan = off;
BEGIN;
DECLARE c CURSOR FOR SELECT k FROM $label WHERE k >= 7000000 ORDER BY k;
FETCH 3 FROM c;});
	my ($out, $err) = ('', '');
	my $vacuum = IPC::Run::start(
		[ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-c', "VACUUM (INDEX_CLEANUP ON, PARALLEL 0) $label" ],
		'>', \$out, '2>', \$err);
	ok($node->poll_query_until('postgres', q{
SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'VACUUM%' AND wait_event_type LIKE 'Buffer%'}),
		"$label: VACUUM waits for the pinned leaf");

	my $before = page($index, $target);
	query($node, sprintf("SELECT write_page('$index', $target, $upper, decode('%s', 'hex'))",
		unpack('H*', substr($first, 16, 16) . substr($first, 0, 16))));
	my $after = page($index, $target);
	isnt($after, $before, "$label: the page was changed");
	# (LSN and the server's checksum; the delta.)
	is(substr($after, 10, $upper - 10) . substr($after, $upper + 32), substr($before, 10, $upper - 10) . substr($before, $upper + 32),
		"$label: but for the order in the delta it is the same");

	$reader->query_safe('COMMIT');
	$reader->quit;
	IPC::Run::finish($vacuum);
	is($err, '', "$label: VACUUM went through");
	is(query($node, "SET enable_seqscan = off; SELECT k FROM $label WHERE k BETWEEN 15000500 AND 15000501"), '15000501',
		"$label: the living row is found");
	my ($left) = unpack('x14 v', page($index, $target));
	is($left, $upper + 16, "$label: one entry was removed");
	my $rest = unpack('Q<', substr(page($index, $target), $left, 8));
	is($rest, code(15000501), "$label: the dead row's");
}
check_indexes($node, 'every living row has its entry');

$node->stop;
done_testing();
