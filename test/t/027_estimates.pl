# Row estimates from an index (sql/estimates.sql) that is damaged, with the server's page checksums and without: planning goes on with the
# statistics as they are, also for queries that another index serves. And those on a standby.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'estimates of a btree are the server\'s' unless $IS_LEARNED;

my $PAGE_SIZE = 8192;

# (By a new backend, which knows nothing of the index.)
sub estimate
{
	my ($node, $query) = @_;
	my ($status, $plan, $error) = $node->psql('postgres', "EXPLAIN (FORMAT JSON) $query", fresh => 1);
	return "failed: $error" if $status != 0;
	my ($rows) = $plan =~ /"Plan Rows": (\d+)/;
	return $rows;
}

# 20,000 rows are known to statistics; as many have come since.
my @tables = ([ 'plain', '(k)' ], [ 'two', '(k DESC, other)' ], [ 'wide', '(u)' ]);
sub fill
{
	my ($node) = @_;
	for ([ 'bare', undef ], @tables)
	{
		my ($table, $columns) = @$_;
		my $rows = sub { "INSERT INTO $table SELECT i, i % 1000, lpad(to_hex(i), 32, '0')::uuid FROM generate_series($_[0], $_[1]) i;" };
		$node->safe_psql('postgres', "CREATE TABLE $table (k int8, other int4, u uuid);" . $rows->(1, 20000) . "ANALYZE $table;"
			. (defined $columns ? "CREATE INDEX ${table}_index ON $table USING learned $columns;" : '')
			. "CREATE INDEX ON $table (other);" . $rows->(20001, 40000));
	}
	return;
}

sub column { return $_[0] eq 'wide' ? 'u' : 'k' }
sub value { return $_[0] eq 'wide' ? sprintf("'%032x'::uuid", $_[1]) : $_[1] }
# Conditions: in the known range, and beyond.
sub inside { my ($t) = @_; return column($t) . ' BETWEEN ' . value($t, 7000) . ' AND ' . value($t, 12000) }
sub beyond { my ($t) = @_; return column($t) . ' BETWEEN ' . value($t, 27000) . ' AND ' . value($t, 32000) }

my @checksums = `initdb --help` =~ /--no-data-checksums/ ? ([ 'without checksums', '--no-data-checksums' ], [ 'with checksums', '--data-checksums' ])
  : ([ 'without checksums', undef ], [ 'with checksums', '--data-checksums' ]);
for (@checksums)
{
	my ($name, $option) = @$_;
	my $node = new_node($name =~ s/ /_/r, lasting => 1, defined $option ? (extra => [$option]) : ());
	$node->append_conf('postgresql.conf', "full_page_writes = off\n");
	$node->start;
	prepare_database($node);
	fill($node);
	# (5,000 rows, a histogram of 40,000, of which 20,000 are known.)
	for (map { $_->[0] } @tables)
	{
		cmp_ok(abs(estimate($node, "SELECT FROM $_ WHERE " . beyond($_)) - 5000), '<', 1500, "$name, $_: what is beyond is known");
	}
	my %file = map { $_->[0] => $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('$_->[0]_index')") } @tables;
	my %old = map { $_->[0] => estimate($node, 'SELECT FROM bare WHERE ' . inside($_->[0])) } @tables;
	$node->stop;
	my %sound = map { $_ => slurp_file($file{$_}) } keys %file;

	my $put = sub { my ($table, $bytes) = @_; open my $f, '>:raw', $file{$table} or die $!; print $f $bytes; close $f; return; };
	my $damage = sub {
		my ($bytes, $block, $offset) = @_;
		substr($bytes, $block * $PAGE_SIZE + $offset, 1) ^= "\x40";
		return $bytes;
	};
	my @kinds = (
		[ 'sound', sub { $_[0] } ],
		[ 'metapage', sub { $damage->($_[0], 0, 30) } ],
		[ 'all pages, header', sub { my $b = $_[0]; $b = $damage->($b, $_, 13) for 0 .. length($b) / $PAGE_SIZE - 1; $b } ],
		[ 'all pages, trailer', sub { my $b = $_[0]; $b = $damage->($b, $_, $PAGE_SIZE - 40) for 1 .. length($b) / $PAGE_SIZE - 1; $b } ],
		[ 'zeros behind the metapage', sub { substr($_[0], 0, $PAGE_SIZE) . "\0" x (length($_[0]) - $PAGE_SIZE) } ],
		[ 'metapage only', sub { substr($_[0], 0, $PAGE_SIZE) } ],
		[ 'cut within a page', sub { substr($_[0], 0, $PAGE_SIZE + 100) } ],
		[ 'empty', sub { '' } ]);
	for (@kinds)
	{
		my ($kind, $change) = @$_;
		$put->($_, $change->($sound{$_})) for keys %file;
		$node->start;
		for my $table (map { $_->[0] } @tables)
		{
			for my $time (1, 2)
			{
				my $inside = estimate($node, "SELECT FROM $table WHERE " . inside($table));
				my $other = estimate($node, "SELECT FROM $table WHERE other = 5 AND " . inside($table));
				if ($kind eq 'sound')
				{
					cmp_ok(abs($inside - 5000), '<', 1500, "$name, $kind, $table: what is known is half of all");
				}
				else
				{
					is($inside, $old{$table}, "$name, $kind, $table: the statistics as they are");
				}
				like($other, qr/^\d+$/, "$name, $kind, $table: a query of another index");
			}
			next if $kind eq 'sound';
			my ($status, $rows) = $node->psql('postgres', "SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT count(*) FROM $table WHERE other = 5 AND k BETWEEN 1100 AND 18500");
			is("$status $rows", '0 17', "$name, $kind, $table: and its answer");
		}
		$node->stop;
	}
	$put->($_, $sound{$_}) for keys %file;
	$node->start;
	check_indexes($node, "$name: put back");
	$node->stop;
}

# A standby, which has no statistics of its own; while it replays, too.
my $primary = new_node('primary', lasting => 1, allows_streaming => 1);
$primary->start;
prepare_database($primary);
my $standby = standby_of($primary);
fill($primary);
$primary->wait_for_catchup($standby);
for my $table (map { $_->[0] } @tables)
{
	my $rows = estimate($standby, "SELECT FROM $table WHERE " . beyond($table));
	cmp_ok(abs($rows - 5000), '<', 1500, "standby, $table: what is beyond is known");
}
$primary->safe_psql('postgres', 'INSERT INTO plain SELECT i, i % 1000 FROM generate_series(40001, 80000) i');
$primary->wait_for_catchup($standby);
cmp_ok(abs(estimate($standby, 'SELECT FROM plain WHERE k > 60000') - 20000), '<', 5000, 'standby: after replay');
$primary->safe_psql('postgres', 'DELETE FROM plain WHERE k > 50000; VACUUM plain');
$primary->wait_for_catchup($standby);
cmp_ok(estimate($standby, 'SELECT FROM plain WHERE k > 60000'), '<', 500, 'standby: after VACUUM');

done_testing();
