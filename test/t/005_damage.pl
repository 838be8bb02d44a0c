# Damaged index files: any byte flipped, pages zeroed, swapped, cut off, of a newer format.  The outcome
# of every query must be the right answer or an error of class "data corrupted" or "index corrupted";
# the server never goes down; learned_index_check notices every change of a byte that means anything.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use DamagedIndexes;
use Test::More;

# What a query may fail with: damage, or (a flipped version byte) a format of the future.
my $clear = qr/^(XX00[12] |0A000 .*newer format version)/;

start_seed();
my $batch_size = 200;
# Without the server's checksums, which version 18 turns on by default and which would find most of the damage first.
my @initdb = `initdb --help` =~ /--no-data-checksums/ ? (extra => ['--no-data-checksums']) : ();
my $node = new_node('damage', @initdb);
$node->append_conf('postgresql.conf', "shared_buffers = 64MB\nfull_page_writes = off\nmax_locks_per_transaction = 1000\n");
$node->start;
prepare_database($node);
create_template($node, $batch_size);
check_indexes($node, 'before any damage');

my %files = index_files($node);
$node->stop;
my @pages = template_pages($node, \%files);
my %kinds;
push @{ $kinds{ page_kind($pages[$_], $_) } }, $_ for 0 .. $#pages;
diag(scalar(@pages), ' pages: ', join(', ', map { "$_ " . scalar(@{ $kinds{$_} }) } sort keys %kinds));
if ($IS_LEARNED)
{
	ok($kinds{$_}, "the template has a page of kind \"$_\"") for 'meta', 'key leaf', 'key leaf with dead', 'key inner', 'null leaf', 'deleted';
}

# Every byte of header, trailer, directory and delta of one or two pages of each kind, some bytes of the
# packed entries and of the hole, and random bytes anywhere.
my @flips;
sub flip
{
	my ($block, $offset) = @_;
	push @flips, { block => $block, offset => $offset, mask => chance(2) ? 1 << random_int(0, 7) : random_int(1, 255) };
	return;
}
for my $kind (sort keys %kinds)
{
	my @blocks = @{ $kinds{$kind} };
	for my $block ($kind =~ /leaf/ && @blocks > 2 ? @blocks[ 0, int(rand(@blocks - 1)) + 1 ] : $blocks[0])
	{
		my %offsets;
		push @{ $offsets{ byte_region($pages[$block], $_) } }, $_ for 0 .. $PAGE_SIZE - 1;
		flip($block, $_) for @{ $offsets{header} }, @{ $offsets{trailer} };
		for my $region (qw(entries directory hole))
		{
			my @all = @{ $offsets{$region} // [] };
			my $wanted = $region eq 'hole' ? 3 : $kind eq 'meta' ? 64 : 40;
			flip($block, $_) for @all <= $wanted ? @all : map { pick(@all) } 1 .. $wanted;
		}
	}
}
flip(random_int(0, $#pages), random_int(0, $PAGE_SIZE - 1)) for 1 .. 150;

my (%count, @unnoticed, @disagree, @wrong, @unclear, @unfinished);
my $survived = 1;
my %first_steps;
while (my @batch = splice @flips, 0, $batch_size)
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

sub none
{
	my ($list, $name) = @_;
	is(scalar(@$list), 0, $name) or diag(join("\n", map { "  $_" } @$list[ 0 .. ($#$list > 39 ? 39 : $#$list) ]));
	return;
}
diag("$count{flips} flips, $count{refused} led to an error somewhere");
SKIP:
{
	skip 'nbtree does not promise this', 6 unless $IS_LEARNED;
	ok($survived, 'the server survived all flips');
	none(\@unfinished, 'every examination came to its end');
	none(\@unclear, 'every error says that the index is damaged');
	none(\@wrong, 'no query gave a wrong answer');
	none(\@disagree, 'both modes of the check notice the same flips');
	none(\@unnoticed, 'learned_index_check noticed every flip of a byte that counts');
}

# Damage in the large.
my $last = $#pages;
my @large = (
	[ 'undamaged', join('', @pages), 1 ],
	[ 'last page cut off', join('', @pages[ 0 .. $last - 1 ]), 1 ],
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
ok($alive, 'the server survived damage in the large') if $IS_LEARNED;
for my $i (0 .. $#large)
{
	my ($name, $outcome) = ($large[$i][0], $outcomes[$i] // {});
	my @bad = grep { my $o = $outcome->{$_}; $o eq 'wrong' || ($o =~ /^\S{5} / && $o !~ $clear) } sort keys %$outcome;
	my $noticed = ($outcome->{check} // '') =~ /^XX00[12] /;
	my $strictly = ($outcome->{strict} // '') =~ /^XX00[12] /;
	if ($name eq 'undamaged' && ($alive || $IS_LEARNED))
	{
		my @all_right = grep { $outcome->{$_} !~ /^(right|passed)$/ } keys %$outcome;
		is("@all_right", '', 'an undamaged copy passes everything') or diag(explain($outcome));
		next;
	}
	next unless $IS_LEARNED;
	# A zeroed deleted page is what a crash during extension leaves: nothing is lost.
	ok($noticed || $name =~ /^deleted/, "$name: noticed by the check") or diag($outcome->{check} // 'no answer');
	is($strictly, $noticed, "$name: and by the strict one") or diag($outcome->{strict} // 'no answer');
	is(join(', ', map { "$_: $outcome->{$_}" } @bad), '', "$name: right answers or clear errors");
}

# A format that only a newer library reads.
if ($IS_LEARNED)
{
	my @newer = @pages;
	substr($newer[0], 28, 1) = chr(3);  # (one more than the newest)
	examine_damaged($node, \%files, [ 'newer', join('', @newer), 0 ]);
	$node->start;
	for my $statement ("SELECT learned_index_check('damaged_0_k')",
		'SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT * FROM damaged_0 WHERE k = 5',
		'INSERT INTO damaged_0 VALUES (1, 1)')
	{
		my $error = query_error($node, $statement);
		like($error, qr/ERROR:  (0A000|XX002): .*version.*HINT: /s, "newer format: clear error with a hint: $statement");
	}
	# REINDEX is the way out, whatever the damage.
	$node->safe_psql('postgres', 'REINDEX INDEX damaged_0_k; INSERT INTO damaged_0 VALUES (1, 1);');
	$node->safe_psql('postgres', "SELECT learned_index_check('damaged_0_k', true)");
	my $error = query_error($node, "SELECT learned_index_check('damaged_1_k', true)");
	like($error, qr/XX00[12]: .*"damaged_1_k".*HINT: .*REINDEX/s, 'an error names the index and hints at REINDEX');
	$node->stop;
}
done_testing();
