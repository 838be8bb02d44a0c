# The hot insert writes its WAL record by hand, in the format of generic WAL, which is no contract of the server. So this
# comes first: such records, taken apart byte by byte, say the same as those of the server's own interface, and the server
# replays both to the very page, on pages without a full image. In a server that is newer than the newest of which that is
# known, the interface is used, and the log says so once.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use IPC::Run ();
use PostgreSQL::Test::Utils ();
use Test::More;

plan skip_all => 'the record is learned\'s' unless $IS_LEARNED;

my $BLOCK = 8192;
my $node = new_node('record', lasting => 1);
# Without full page images every record is replayed as it is.
$node->append_conf('postgresql.conf', "full_page_writes = off\nwal_level = replica\ncheckpoint_timeout = 1h\n");
$node->start;
prepare_database($node);

# ---- bytes of the log and of the index ---------------------------------------------------------------------

my $segment_size = query($node, q{SELECT setting FROM pg_settings WHERE name = 'wal_segment_size'});

sub number_of
{
	my ($high, $low) = split m{/}, $_[0];
	return (hex($high) << 32) | hex($low);
}

# Bytes of the log from a position on, without the headers of its pages.
sub wal_bytes
{
	my ($at, $length) = @_;
	my $bytes = '';
	while (length($bytes) < $length)
	{
		$at += $at % $segment_size == 0 ? 40 : 24 if $at % $BLOCK == 0;
		my $segment = int($at / $segment_size);
		my $per_name = int(2**32 / $segment_size);
		my $name = sprintf('%08X%08X%08X', 1, int($segment / $per_name), $segment % $per_name);
		my $take = $BLOCK - $at % $BLOCK;
		$take = $length - length($bytes) if $take > $length - length($bytes);
		open my $file, '<:raw', $node->data_dir . "/pg_wal/$name" or die "cannot read $name: $!\n";
		seek $file, $at % $segment_size, 0;
		read($file, my $part, $take) == $take or die "$name is too short\n";
		close $file;
		$bytes .= $part;
		$at += $take;
	}
	return $bytes;
}

# Pages of an index as they are on disk.
sub pages_of
{
	my ($index) = @_;
	query($node, 'CHECKPOINT');
	my $path = $node->data_dir . '/' . query($node, "SELECT pg_relation_filepath('$index')");
	open my $file, '<:raw', $path or die "cannot read $path: $!\n";
	local $/;
	my $all = <$file>;
	close $file;
	return [ unpack("(a$BLOCK)*", $all) ];
}

# A page without what replay does not restore byte by byte: LSN, server's checksum, hole.
sub essence
{
	my ($page) = @_;
	my ($lower, $upper) = unpack('x12 vv', $page);
	substr($page, 0, 10) = "\0" x 10;
	substr($page, $lower, $upper - $lower) = "\0" x ($upper - $lower);
	return $page;
}

# What a statement has logged for indexes of ours: one hash for each record.
sub records_of
{
	my ($sql) = @_;
	my $from = query($node, 'SELECT pg_current_wal_insert_lsn()');
	query($node, $sql);
	my $to = query($node, 'SELECT pg_switch_wal()');
	my $listing = '';
	my $ok = IPC::Run::run(
		[ 'pg_waldump', '--path', $node->data_dir . '/pg_wal', '--start', $from, '--end', $to, '--rmgr', 'Generic' ],
		'>', \$listing, '2>', \my $complaints);
	ok($ok, 'pg_waldump reads the log') or diag($complaints);
	my @records;
	for my $line (split /\n/, $listing)
	{
		my ($length, $lsn, $relation, $block) =
		  $line =~ m{^rmgr: Generic .*len \(rec/tot\): +\d+/ *(\d+),.* lsn: ([0-9A-F/]+),.*blkref #0: rel \d+/\d+/(\d+) blk (\d+)}
		  or next;
		push @records, { length => $length, lsn => $lsn, relation => $relation, block => $block };
	}
	return @records;
}

# Takes a record apart: header (24 bytes), one block reference (id, flags, length of its data; file; block), the data. These
# are fragments (offset, length, bytes).
sub fragments_of
{
	my ($record, $label) = @_;
	my $bytes = wal_bytes(number_of($record->{lsn}), $record->{length});
	my ($total, undef, undef, undef, $manager) = unpack('V V Q< C C', $bytes);
	my ($id, $flags, $size, undef, undef, $file, $block) = unpack('x24 C C v V V V V', $bytes);
	is($total, $record->{length}, "$label: the record has the length that pg_waldump says");
	is_deeply([ $id, $flags, $file, $block ], [ 0, 0x20, $record->{relation}, $record->{block} ],
		"$label: one reference, to the page, with data and without an image");
	is($total, 44 + $size, "$label: nothing else is in the record");
	my $data = substr($bytes, 44);
	my @fragments;
	while (length($data) >= 4)
	{
		my ($offset, $length) = unpack('vv', $data);
		push @fragments, [ $offset, $length, substr($data, 4, $length) ];
		$data = length($data) >= 4 + $length ? substr($data, 4 + $length) : 'cut';
	}
	ok($data eq '' && @fragments > 0 && !grep({ $_->[0] + $_->[1] > $BLOCK } @fragments), "$label: whole fragments, within a page");
	return @fragments;
}

sub apply
{
	my ($page, @fragments) = @_;
	$_->[0] + $_->[1] <= $BLOCK and substr($page, $_->[0], $_->[1]) = $_->[2] for @fragments;
	return $page;
}

# The last bytes of the hole.
sub hole_before
{
	my ($page, $length) = @_;
	my ($upper) = unpack('x14 v', $page);
	return substr($page, $upper - $length, $length);
}

# Where and how long the fragments are.
sub shape { return [ map { [ $_->[0], $_->[1] ] } @_ ] }

# ---- the same insertion, logged in both ways ---------------------------------------------------------------

# Keys of one word and of several: columns of the table, their values in row i, the index on them, bytes of a delta entry.
my %shape = (
	one => { columns => 'k int8', row => '%s', index => '(k)', entry => 16 },
	two => { columns => 'a int4, k int8', row => '7, %s', index => '(a DESC, k)', entry => 25 },
	three => { columns => 'u uuid, k int8', row => q{'00112233-4455-4677-8899-aabbccddeeff'::uuid, %s}, index => '(u, k)', entry => 33 },
	four => { columns => 'a int4, b bool, k int8, c date', row => q{NULL::int4, true, %s, date '2024-02-29'},
		index => '(a NULLS FIRST, b, k) INCLUDE (c)', entry => 41 });
my @shapes = qw(one two three four);

# An entry for the delta; one for a page whose hole is full of kill marks, across which its bytes come to lie (of several words, it is no
# multiple of 8 long); one that the page's line predicts. (The fields of the latter begin with the number of entries, 36 bytes
# before the end of the checksum.)
my @cases = map {
	my $shape = $_;
	([ $shape, 'delta', 'hashint4(i)', 2000, '12345' ], [ $shape, 'killed', 'i', 48500, '48400' ],
		[ $shape, 'predicted', 'i', 2000, '2001' ])
} @shapes;
for my $case (@cases)
{
	my ($shape, $kind, $key, $rows, $inserted) = @$case;
	my $name = "${shape}_$kind";
	my ($columns, $row, $index, $entry) = @{ $shape{$shape} }{qw(columns row index entry)};
	my %after;
	my %fragments;
	for my $way ('hand', 'server')
	{
		my $label = "$name, by the $way";
		my $table = "${name}_$way";
		query($node, qq{
CREATE TABLE $table ($columns, x int DEFAULT 1);
INSERT INTO $table SELECT } . sprintf($row, $key) . qq{ FROM generate_series(1, $rows) i;
CREATE INDEX ${table}_k ON $table USING learned $index WITH (fillfactor = 50);});
		if ($kind eq 'killed')
		{
			query($node, "DELETE FROM $table WHERE k % 2 = 0");
			is(query($node, "SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT sum(x) FROM (SELECT x FROM $table ORDER BY "
						. ($index =~ /^\((.*?)\)/)[0] . ' OFFSET 0) s'),
				$rows / 2, "$label: rows that are left");
		}
		my $before = pages_of("${table}_k");
		my @records = records_of('SET learned_index.generic_wal = ' . ($way eq 'hand' ? 'auto' : 'on')
			  . "; INSERT INTO $table VALUES (" . sprintf($row, $inserted) . ')');
		is(scalar(@records), 1, "$label: one record");
		my @fragments = fragments_of($records[0], $label);
		my $block = $records[0]{block};
		my $page = pages_of("${table}_k")->[$block];
		isnt(essence($before->[$block]), essence($page), "$label: the page changed");
		is(essence(apply($before->[$block], @fragments)), essence($page), "$label: the record makes one page the other");
		if ($kind eq 'killed')
		{
			isnt(hole_before($before->[$block], $entry + 16), "\0" x ($entry + 16), "$label: kill marks were where the entry is");
			is(hole_before($page, 8), "\0" x 8, "$label: and none are left in front of it");
			isnt(hole_before($page, 1000), "\0" x 1000, "$label: but others") if $way eq 'hand';
			is(query($node, "SELECT learned_index_check('${table}_k', true)"), '', "$label: the page is sound");
		}
		$after{$way} = essence($page);
		$fragments{$way} = \@fragments;
	}
	is($after{hand}, $after{server}, "$name: both ways lead to the same page");
	my ($upper) = unpack('x14 v', $after{hand});
	# (Unless both bytes of `upper` have changed, and nothing else has by chance not.)
	isnt(join(' ', map { "@$_[0, 1]" } @{ $fragments{hand} }), join(' ', map { "@$_[0, 1]" } @{ $fragments{server} }),
		"$name: what the server finds by comparing bytes is cut otherwise")
	  if $kind eq 'predicted' || $upper >> 8 == ($upper + $entry) >> 8;
	if ($kind eq 'predicted') { is(scalar(@{ $fragments{hand} }), 1, "$name: one fragment") }
	else { is_deeply(shape(@{ $fragments{hand} }), [ [ 14, 2 ], [ $upper, $entry ] ], "$name: `upper` and the entry") }
}

# ---- replay ------------------------------------------------------------------------------------------------

# Every page that replay changes is compared with the page that the primary had.
$node->append_conf('postgresql.conf', "wal_consistency_checking = 'generic'\n");
$node->restart;
# Entries into deltas, merges, splits, joins; predicted ones, one by one; an index that grows from nothing to a root above leaves; in the
# first tables, entries over kill marks.
my @grown = map {
	my ($shape, $row) = ($_, $shape{$_}{row});
	query($node, "CREATE TABLE grown_$shape ($shape{$shape}{columns}); CREATE INDEX grown_${shape}_k ON grown_$shape USING learned $shape{$shape}{index}");
	for my $way ('auto', 'on')
	{
		my $many = $shape eq 'one' ? 3000 : 1000;
		query($node, join("\n", "SET learned_index.generic_wal = $way;",
				"INSERT INTO ${shape}_delta_hand SELECT " . sprintf($row, 'hashint4(-i)') . " FROM generate_series(1, $many) i;",
				"INSERT INTO ${shape}_killed_hand SELECT " . sprintf($row, '2 * i') . " FROM generate_series(1, 100) i;",
				"INSERT INTO ${shape}_predicted_hand SELECT " . sprintf($row, 'max(k) + 1') . " FROM ${shape}_predicted_hand;",
				"INSERT INTO ${shape}_predicted_hand SELECT " . sprintf($row, 'max(k) + i') . " FROM ${shape}_predicted_hand, generate_series(1, 200) i GROUP BY i;",
				"INSERT INTO grown_$shape SELECT " . sprintf($row, 'hashint8(i)') . ' FROM generate_series(' . ($way eq 'on' ? '1001, 2000' : '1, 1000') . ') i;',
				"DELETE FROM ${shape}_delta_hand WHERE k BETWEEN -1800000000 AND 900000000;"));
		query($node, "VACUUM (INDEX_CLEANUP ON) ${shape}_delta_hand");
	}
	("${shape}_delta_hand", "${shape}_killed_hand", "${shape}_predicted_hand", "grown_$shape")
} @shapes;
cmp_ok(query($node, "SELECT min(height) FROM pg_class, learned_index_stats(oid) WHERE relname ~ '^grown_.*_k\$'"), '>', 1, 'indexes have grown');
cmp_ok(query($node, "SELECT min(deleted_pages) FROM pg_class, learned_index_stats(oid) WHERE relname ~ '_delta_hand_k\$'"), '>', 0, 'leaves were joined');
# By the index: every one has a condition for its first column.
my $sums = 'SELECT ' . join(', ', map { "(SELECT sum(k) || ' ' || count(*) FROM $_ WHERE " . (/one/ ? 'k IS NOT NULL' : /four/ ? 'a IS NULL' : /two/ ? 'a = 7' : 'u IS NOT NULL') . ')' } @grown);
my $expected = query($node, "SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off; $sums");
$node->stop('immediate');
ok($node->start(fail_ok => 1), 'the server replays the records as we mean them')
  or BAIL_OUT('this server reads the hand-made record otherwise: see ' . $node->logfile);
is(query($node, "SET enable_seqscan = off; $sums"), $expected, 'all rows are found after replay');
check_indexes($node, 'after replay');

# ---- a server newer than the tests -------------------------------------------------------------------------

$node->append_conf('postgresql.conf', "wal_consistency_checking = ''\n");
$node->restart;
my $message = 'logging insertions into learned indexes through the generic WAL interface';
my $newer = 'SET learned_index.debug_newest_tested = 14';
for my $case (
	[ '', 'auto', 'hand', 0 ],
	[ $newer, 'auto', 'server', 1 ],
	[ $newer, 'off', 'hand', 0 ],
	[ $newer, 'on', 'server', 0 ])
{
	my ($version, $setting, $way, $messages) = @$case;
	my $label = ($version ? 'newer' : 'tested') . " server, generic_wal = $setting";
	my $table = "newer_$way" . ($version ? '1' : '0') . $setting;
	query($node, qq{
CREATE TABLE $table (k int8);
INSERT INTO $table SELECT hashint4(i) FROM generate_series(1, 2000) i;
CREATE INDEX ON $table USING learned (k) WITH (fillfactor = 50);});
	my $start = -s $node->logfile;
	my @records = records_of("$version; SET learned_index.generic_wal = $setting; "
		  . join(' ', map { "INSERT INTO $table VALUES ($_);" } 12345, 12346, 12347));
	is(scalar(@records), 3, "$label: three records");
	my $hand_made = shape(fragments_of($records[0], $label));
	$hand_made = "@{ $hand_made->[0] }" eq '14 2' && @$hand_made == 2 && $hand_made->[1][1] == 16;
	is($hand_made ? 'hand' : 'server', $way, "$label: written by the $way");
	my $log = substr(PostgreSQL::Test::Utils::slurp_file($node->logfile), $start);
	is(scalar(() = $log =~ /LOG:  \Q$message\E/g), $messages, "$label: $messages message in the log of the process");
}

$node->stop;
done_testing();
