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
my $node = new_node('record');
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

# Where and how long the fragments are.
sub shape { return [ map { [ $_->[0], $_->[1] ] } @_ ] }

# ---- the same insertion, logged in both ways ---------------------------------------------------------------

# An entry for the delta; one that the page's line predicts. (The fields of the latter begin with the number of entries, 36
# bytes before the end of the checksum.)
for my $case (
	[ 'delta', 'hashint4(i)', 1, '12345' ],
	[ 'predicted', 'i', 0, '2001' ])
{
	my ($name, $key, $delta, $inserted) = @$case;
	my %after;
	my %fragments;
	for my $way ('hand', 'server')
	{
		my $label = "$name, by the $way";
		my $table = "${name}_$way";
		query($node, qq{
CREATE TABLE $table (k int8);
INSERT INTO $table SELECT $key FROM generate_series(1, 2000) i;
CREATE INDEX ${table}_k ON $table USING learned (k) WITH (fillfactor = 50);});
		my $before = pages_of("${table}_k");
		my @records = records_of('SET learned_index.generic_wal = ' . ($way eq 'hand' ? 'auto' : 'on')
			  . "; INSERT INTO $table VALUES ($inserted)");
		is(scalar(@records), 1, "$label: one record");
		my @fragments = fragments_of($records[0], $label);
		my $block = $records[0]{block};
		my $page = pages_of("${table}_k")->[$block];
		isnt(essence($before->[$block]), essence($page), "$label: the page changed");
		is(essence(apply($before->[$block], @fragments)), essence($page), "$label: the record makes one page the other");
		$after{$way} = essence($page);
		$fragments{$way} = \@fragments;
	}
	is($after{hand}, $after{server}, "$name: both ways lead to the same page");
	isnt(join(' ', map { "@$_[0, 1]" } @{ $fragments{hand} }), join(' ', map { "@$_[0, 1]" } @{ $fragments{server} }),
		"$name: what the server finds by comparing bytes is cut otherwise");
	my ($upper) = unpack('x14 v', $after{hand});
	is_deeply(shape(@{ $fragments{hand} }), [ [ 14, 2 ], [ $upper, 16 ] ], "$name: `upper` and the entry") if $delta;
	is(scalar(@{ $fragments{hand} }), 1, "$name: one fragment") unless $delta;
}

# ---- replay ------------------------------------------------------------------------------------------------

# Every page that replay changes is compared with the page that the primary had.
$node->append_conf('postgresql.conf', "wal_consistency_checking = 'generic'\n");
$node->restart;
for my $way ('auto', 'on')
{
	query($node, qq{
SET learned_index.generic_wal = $way;
INSERT INTO delta_hand SELECT hashint4(-i) FROM generate_series(1, 3000) i;
INSERT INTO predicted_hand SELECT max(k) + 1 FROM predicted_hand;
INSERT INTO predicted_hand SELECT max(k) + i FROM predicted_hand, generate_series(1, 500) i GROUP BY i;});
}
my $sums = 'SET enable_seqscan = off; SELECT (SELECT sum(k) FROM delta_hand WHERE k <> 0), (SELECT sum(k) FROM predicted_hand WHERE k > 0)';
my $expected = query($node, 'SELECT (SELECT sum(k) FROM delta_hand), (SELECT sum(k) FROM predicted_hand)');
$node->stop('immediate');
ok($node->start(fail_ok => 1), 'the server replays the records as we mean them')
  or BAIL_OUT('this server reads the hand-made record otherwise: see ' . $node->logfile);
is(query($node, $sums), $expected, 'all rows are found after replay');
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
