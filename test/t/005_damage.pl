# Damaged index files: any byte flipped, pages zeroed, swapped, cut off, of a newer format.  The outcome
# of every query must be the right answer or an error of class "data corrupted" or "index corrupted";
# the server never goes down; learned_index_check notices every change of a byte that means anything. All this of an index on
# one column in full, and of indexes on several with fewer trials; for these, also the files and pages of others.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use DamagedIndexes;
use List::Util qw(shuffle);
use Test::More;

# What a query may fail with: damage, or (a flipped version byte) a format of the future.
my $clear = qr/^(XX00[12] |0A000 .*newer format version)/;

start_seed();
my $batch_size = 200;
my $batch_of_several = 120;
# Without the server's checksums, which version 18 turns on by default and which would find most of the damage first.
my @initdb = `initdb --help` =~ /--no-data-checksums/ ? (extra => ['--no-data-checksums']) : ();
my $node = new_node('damage', lasting => 1, @initdb);
$node->append_conf('postgresql.conf', "shared_buffers = 64MB\nfull_page_writes = off\nmax_locks_per_transaction = 1000\n");
$node->start;
prepare_database($node);

sub none
{
	my ($list, $name) = @_;
	is(scalar(@$list), 0, $name) or diag(join("\n", map { "  $_" } @$list[ 0 .. ($#$list > 39 ? 39 : $#$list) ]));
	return;
}

# One kind of index: flips, and damage in the large, to copies of a template, so many at a time.
sub damage_of_shape
{
	my ($name, $copies) = @_;
	create_template($node, $copies, $name);
	check_indexes($node, "$name: before any damage");

	my %files = index_files($node);
	$node->stop;
	my @pages = template_pages($node, \%files);
	my %kinds;
	push @{ $kinds{ page_kind($pages[$_], $_) } }, $_ for 0 .. $#pages;
	diag("$name: ", scalar(@pages), ' pages: ', join(', ', map { "$_ " . scalar(@{ $kinds{$_} }) } sort keys %kinds));
	if ($IS_LEARNED)
	{
		ok($kinds{$_}, "$name: the template has a page of kind \"$_\"") for @{ $SHAPES{$name}{kinds} };
	}

	# Every byte of header, trailer, directory and delta of one or two pages of each kind, some bytes of the
	# packed entries and of the hole, and random bytes anywhere.
	my @flips;
	my $flip = sub {
		my ($block, $offset) = @_;
		push @flips, { block => $block, offset => $offset, mask => chance(2) ? 1 << random_int(0, 7) : random_int(1, 255) };
	};
	for my $kind (sort keys %kinds)
	{
		my @blocks = @{ $kinds{$kind} };
		for my $block ($kind =~ /leaf/ && @blocks > 2 ? @blocks[ 0, int(rand(@blocks - 1)) + 1 ] : $blocks[0])
		{
			my %offsets;
			push @{ $offsets{ byte_region($pages[$block], $_) } }, $_ for 0 .. $PAGE_SIZE - 1;
			$flip->($block, $_) for @{ $offsets{header} }, @{ $offsets{trailer} };
			for my $region (qw(entries directory hole))
			{
				my @all = @{ $offsets{$region} // [] };
				my $wanted = $region eq 'hole' ? 3 : $kind eq 'meta' ? 64 : 40;
				$flip->($block, $_) for @all <= $wanted ? @all : map { pick(@all) } 1 .. $wanted;
			}
		}
	}
	$flip->(random_int(0, $#pages), random_int(0, $PAGE_SIZE - 1)) for 1 .. 150;
	# Of several words, some of them.
	@flips = (shuffle(@flips))[ 0 .. $copies - 1 ] if $name ne 'plain';

	my (%count, @unnoticed, @disagree, @wrong, @unclear, @unfinished);
	my $survived = 1;
	my %first_steps;
	while (my @batch = splice @flips, 0, $copies)
	{
		my @damages = map {
			my @changed = @pages;
			substr($changed[ $_->{block} ], $_->{offset}, 1) ^= chr($_->{mask});
			# A page LSN from the future makes the server itself refuse to write the page.
			[ "block $_->{block} offset $_->{offset}", join('', @changed), $_->{offset} >= 8 ];
		} @batch;
		my ($alive, @outcomes) = examine_damaged($node, \%files, @damages);
		$survived &&= $alive;
		for my $i (0 .. $#batch)
		{
			my ($flip, $outcome) = ($batch[$i], $outcomes[$i] // {});
			my $page = $pages[ $flip->{block} ];
			my $label = sprintf('%s, %s, block %d offset %d mask 0x%02x', page_kind($page, $flip->{block}),
				byte_region($page, $flip->{offset}), @$flip{qw(block offset mask)});
			$count{flips}++;
			push @unfinished, $label unless exists $outcome->{check} && exists $outcome->{ends};
			my $check = $outcome->{check} // '';
			push @unnoticed, $label if $check eq 'passed' && byte_is_checked($page, $flip->{offset});
			push @disagree, "$label: $check, strict: $outcome->{strict}" if ($check eq 'passed') ne (($outcome->{strict} // '') eq 'passed');
			for my $step (sort keys %$outcome)
			{
				my $result = $outcome->{$step};
				if ($result eq 'wrong') { push @wrong, "$label: $step (check: $check)" }
				elsif ($result =~ /^\S{5} /) { push @unclear, "$label: $step: $result" unless $result =~ $clear }
			}
			$count{refused}++ if grep { /^\S{5} / } values %$outcome;
		}
	}

	diag("$name: $count{flips} flips, $count{refused} led to an error somewhere");
	SKIP:
	{
		skip 'nbtree does not promise this', 6 unless $IS_LEARNED;
		ok($survived, "$name: the server survived all flips");
		none(\@unfinished, "$name: every examination came to its end");
		none(\@unclear, "$name: every error says that the index is damaged");
		none(\@wrong, "$name: no query gave a wrong answer");
		none(\@disagree, "$name: both modes of the check notice the same flips");
		none(\@unnoticed, "$name: learned_index_check noticed every flip of a byte that counts");
	}

	# Damage in the large.
	my $last = $#pages;
	# The last one that something is lost with.
	my ($in_use) = grep { page_kind($pages[$_], $_) !~ /^deleted/ } reverse 1 .. $last;
	my @large = (
		[ 'undamaged', join('', @pages), 1 ],
		[ 'last page cut off', join('', @pages[ 0 .. $in_use - 1 ]), 1 ],
		[ 'half of the file cut off', join('', @pages[ 0 .. $last / 2 ]), 1 ],
		[ 'cut within a page', substr(join('', @pages), 0, $last * $PAGE_SIZE - 4096), 1 ],
		[ 'metapage only', $pages[0], 1 ],
		[ 'empty file', '', 1 ],
		[ 'all zeros', "\0" x ($PAGE_SIZE * @pages), 1 ],
		[ 'metapage zeroed', join('', "\0" x $PAGE_SIZE, @pages[ 1 .. $last ]), 1 ],
		[ 'random bytes', join('', map { chr(int(rand(256))) } 1 .. $PAGE_SIZE * 3), 1 ],
		[ 'metapage twice', join('', $pages[0], $pages[0], @pages[ 2 .. $last ]), 1 ],
		[ 'order of pages reversed', join('', $pages[0], reverse @pages[ 1 .. $last ]), 1 ],
		map {
			my $block = $_;
			my $kind = page_kind($pages[$block], $block);
			my @zeroed = @pages;
			$zeroed[$block] = "\0" x $PAGE_SIZE;
			my @repeated = @pages;
			$repeated[$block] = $pages[ $block > 1 ? $block - 1 : $last ];
			my @torn = @pages;
			substr($torn[$block], 4096, 4096) = "\0" x 4096;
			([ "$kind zeroed", join('', @zeroed), 1 ], [ "$kind replaced by another page", join('', @repeated), 1 ],
				[ "second half of $kind zeroed", join('', @torn), 1 ]);
		} map { $kinds{$_}[0] } grep { $_ ne 'meta' } sort keys %kinds,
	);
	my ($alive, @outcomes) = examine_damaged($node, \%files, @large);
	ok($alive, "$name: the server survived damage in the large") if $IS_LEARNED;
	for my $i (0 .. $#large)
	{
		my ($what, $outcome) = ($large[$i][0], $outcomes[$i] // {});
		my @bad = grep { my $o = $outcome->{$_}; $o eq 'wrong' || ($o =~ /^\S{5} / && $o !~ $clear) } sort keys %$outcome;
		my $noticed = ($outcome->{check} // '') =~ /^XX00[12] /;
		my $strictly = ($outcome->{strict} // '') =~ /^XX00[12] /;
		if ($what eq 'undamaged' && ($alive || $IS_LEARNED))
		{
			my @all_right = grep { $outcome->{$_} !~ /^(right|passed)$/ } keys %$outcome;
			is("@all_right", '', "$name: an undamaged copy passes everything") or diag(explain($outcome));
			next;
		}
		next unless $IS_LEARNED;
		# A zeroed deleted page is what a crash during extension leaves: nothing is lost.
		ok($noticed || $what =~ /^deleted/, "$name, $what: noticed by the check") or diag($outcome->{check} // 'no answer');
		is($strictly, $noticed, "$name, $what: and by the strict one") or diag($outcome->{strict} // 'no answer');
		is(join(', ', map { "$_: $outcome->{$_}" } @bad), '', "$name, $what: right answers or clear errors");
	}
	return (\@pages, \%files);
}

# (The server is stopped.)
my ($pages, $files) = damage_of_shape('plain', $batch_size);

# A format that only a newer library reads, of metapage and pages; and one that this library knows, but not of such keys.
if ($IS_LEARNED)
{
	my $version_at = sub { my ($block, $offset, $version) = @_; my @changed = @$pages; substr($changed[$block], $offset, 1) = chr($version); return join('', @changed) };
	my $leaf = (grep { page_kind($pages->[$_], $_) =~ /^key leaf/ } 0 .. $#$pages)[0];
	my @versions = (
		[ $version_at->(0, 28, 3), qr/ERROR:  0A000: index "damaged_\d_k" block 0: index has a newer format version\nDETAIL:  This version of learned_index reads formats up to 2\.\nHINT:  Install / ],
		[ $version_at->(0, 28, 2), qr/ERROR:  XX002: index "damaged_\d_k" block 0: metapage checksum does not match\nHINT:  Rebuild the index with REINDEX/ ],
		[ $version_at->($leaf, $PAGE_SIZE - 60, 3), qr/ERROR:  0A000: index "damaged_\d_k" block $leaf: page has a newer format version\nDETAIL: .*\nHINT:  Install / ],
		[ $version_at->($leaf, $PAGE_SIZE - 60, 2), qr/ERROR:  XX002: index "damaged_\d_k" block $leaf: page has another format version\nHINT:  Rebuild / ]);
	examine_damaged($node, $files, map { [ 'version', $_->[0], 0 ] } @versions);
	$node->start;
	for my $i (0 .. $#versions)
	{
		for my $statement ("SELECT learned_index_check('damaged_${i}_k')",
			"SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT count(k) FROM damaged_$i WHERE k IS NOT NULL",
			"INSERT INTO damaged_$i SELECT 1, hashint8extended(i, 12) FROM generate_series(1, 1000) i")
		{
			like(query_error($node, $statement), $versions[$i][1], "version $i: clear error with a hint: $statement");
		}
	}
	# REINDEX is the way out, whatever the damage.
	$node->safe_psql('postgres', 'REINDEX INDEX damaged_0_k; INSERT INTO damaged_0 VALUES (1, 1);');
	$node->safe_psql('postgres', "SELECT learned_index_check('damaged_0_k', true)");
	my $error = query_error($node, "SELECT learned_index_check('damaged_1_k', true)");
	like($error, qr/XX00[12]: .*"damaged_1_k".*HINT: .*REINDEX/s, 'an error names the index and hints at REINDEX');
}

# Indexes on several columns.
for my $name (qw(two three four))
{
	$node->start if $name ne 'two';
	damage_of_shape($name, $batch_of_several);
}

# The file of another index, or its first page, in the place of ours: what the check says, and whether scans and inserts say the
# same. The file of an index with as many words is sound in itself; what its keys cannot be for these columns, the check tells.
if ($IS_LEARNED)
{
	my $rows = q{g int4, k int8, s int2, h int4, u uuid, z timetz, f float8, b bool};
	my $domain = qr/XX002: index "(\w+)" block 1: key is outside the domain of its type\nHINT:  Rebuild/;
	my $columns = qr/XX002: index "\w+" block 0: metapage is not that of an index on these columns\nHINT:  Rebuild/;
	my $page = qr/XX002: index "\w+" block 1: page is not that of an index on these columns\nHINT:  Rebuild/;
	my @foreign = (
		[ 'an index on one column', '(k)', '(g, k)', 'file', $columns, 1 ],
		[ 'one on several in the place of one', '(k, g)', '(k)', 'file', $columns, 1 ],
		[ 'three words for two', '(g, u)', '(g, k)', 'file', $columns, 1 ],
		[ 'a page of one word', '(k)', '(g, k)', 'page', $page, 1 ],
		[ 'a page of several in the place of one', '(k, g)', '(k)', 'page', $page, 1 ],
		[ 'a page of three words for two', '(g, u)', '(g, k)', 'page', $page, 1 ],
		[ 'a page of two words for four', '(g, k)', '(u, k, g)', 'page', $page, 1 ],
		[ 'another first column', '(k, g)', '(g, k)', 'file', qr/XX002: index "\w+" block 0: metapage names another key type than the catalog\nHINT:  Rebuild/, 0 ],
		[ 'a wider type', '(g, k)', '(g, s)', 'file', $domain, 0 ],
		[ 'a wider type, included', '(g) INCLUDE (k)', '(g) INCLUDE (s)', 'file', $domain, 0 ],
		[ 'numbers for booleans, descending', '(g, k DESC)', '(g, b DESC)', 'file', $domain, 0 ],
		[ 'NULLs on the other side: their words are not 0', '(g NULLS FIRST, k)', '(g, k)', 'file', $domain, 0 ],
		[ 'a flag on the second word', '(g, k, h)', '(g, u)', 'file', $domain, 0 ],
		[ 'a zone that is none', '(g, k, k)', '(g, z)', 'file', $domain, 0 ],
		[ 'a float that was not merged', '(f) INCLUDE (k)', '(f, k)', 'file', $domain, 0 ],
		[ 'another direction', '(g, s DESC NULLS LAST)', '(g, s)', 'file', qr/XX002: index "\w+" has no entry for row \(\d+,\d+\) of table "foreign_\d+"\nHINT:  Rebuild/, 0 ],
		[ 'the same keys, included', '(g, k)', '(g) INCLUDE (k)', 'file', qr/^$/, 0 ]);
	$node->start;
	drop_template($node);
	$node->safe_psql('postgres', join('', map { qq{
CREATE TABLE foreign_$_ ($rows);
INSERT INTO foreign_$_ SELECT nullif(i % 9, 4), i::int8 * 10000000000 + 7, i % 100, nullif(i % 3, 0), md5(i::text)::uuid,
  ('10:00' || CASE WHEN i % 2 = 0 THEN '+02' ELSE '-03:30' END)::timetz, CASE i % 5 WHEN 0 THEN float8 '-0' ELSE i END, i % 2 = 0 FROM generate_series(1, 200) i;
CREATE INDEX source_$_ ON foreign_$_ USING learned $foreign[$_][1];
CREATE INDEX target_$_ ON foreign_$_ USING learned $foreign[$_][2];
} } 0 .. $#foreign));
	check_indexes($node, 'indexes of others, in their places');
	my %files = index_files($node);
	my ($check, $read, $write) = map { my $statement = $_; sub { query_error($node, sprintf($statement, $_[0])) } }
	  'SELECT learned_index_check(\'target_%1$s\', true)',
	  'DROP INDEX source_%1$s; SET enable_seqscan = off; SELECT count(*) FROM foreign_%1$s WHERE g > 2 OR k > 5 OR u IS NOT NULL OR f IS NOT NULL; SELECT count(*) FROM (SELECT * FROM foreign_%1$s ORDER BY g, k) s',
	  'INSERT INTO foreign_%1$s SELECT i % 10, -i, i, i, md5(i::text)::uuid, \'11:00+01\', i, true FROM generate_series(1, 300) i';
	$node->stop;
	for my $i (0 .. $#foreign)
	{
		my ($source, $target) = map { $node->data_dir . "/$files{$_}" } "source_$i", "target_$i";
		my ($from, $to) = map { PostgreSQL::Test::Utils::slurp_file($_) } $source, $target;
		substr($to, $PAGE_SIZE, $PAGE_SIZE) = substr($from, $PAGE_SIZE, $PAGE_SIZE);
		open my $file, '>:raw', $target or die "cannot write $target: $!\n";
		print $file $foreign[$i][3] eq 'page' ? $to : $from;
		close $file;
	}
	$node->start;
	for my $i (0 .. $#foreign)
	{
		my ($name, $from, $to, $how, $error, $everywhere) = @{ $foreign[$i] };
		my $label = "$name: $from as $to";
		like($check->($i), $error, "$label: the check");
		my ($reading, $writing) = ($read->($i), $write->($i));
		like($writing, $error, "$label: an insert") if $everywhere;
		unlike($_, qr/ERROR:  (?!XX00[12]|22)|FATAL|PANIC|server closed/, "$label: no other error") for $reading, $writing;
	}
	is(query($node, 'SELECT 1'), '1', 'the server survived the files of others');
	$node->stop;
}
done_testing();
