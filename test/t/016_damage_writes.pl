# Damage from outside, then writes: inserts near and far, deletions, VACUUM with its joins.  Nobody may make a checksum
# anew over what he has not verified, or a damaged page would count as sound from then on.  Whatever a query answers
# afterwards is what a sequential scan of the same table answers, or an error that says that the index is damaged.
#
# LEARNED_TEST_ROUNDS times a hundred trials, one unless told otherwise, for an index on one column; a third of that for each of those on
# several.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use DamagedIndexes;
use Test::More;

plan skip_all => 'nbtree promises nothing of the kind' unless $IS_LEARNED;

my $rounds = $ENV{LEARNED_TEST_ROUNDS} || 1;
my $batch_size = 100;
# What a statement may fail with: damage, or (a changed version byte) a format of the future.
my $clear = qr/^(XX00[12] |0A000 .*newer format version)/;

start_seed();
# Without the server's own checksums, which would find most of the damage first.
my @initdb = `initdb --help` =~ /--no-data-checksums/ ? (extra => ['--no-data-checksums']) : ();
my $node = new_node('damage_writes', lasting => 1, @initdb);
$node->append_conf('postgresql.conf', "full_page_writes = off\nmax_locks_per_transaction = 1000\n");
$node->start;
prepare_database($node);
my @pages;

# One change of the file: what was done, and the file.
sub damage
{
	my @changed = @pages;
	my $block = random_int(0, $#pages);
	# Half of the time where a page says what it is.  (Not the page's LSN: the server refuses to write one from the future.)
	my $offset = chance(2) ? random_int(8, $PAGE_SIZE - 1) : $PAGE_SIZE - 1 - random_int(0, chance(2) ? 63 : 600);
	my $length = random_int(1, 64);
	$length = $PAGE_SIZE - $offset if $offset + $length > $PAGE_SIZE;
	my $kind = pick(qw(bit byte bytes zeros zeroed cut swapped copied));
	my $where = sprintf('%s, block %d (%s)', $kind, $block, page_kind($pages[$block], $block));
	if ($kind eq 'bit') { substr($changed[$block], $offset, 1) ^= chr(1 << random_int(0, 7)) }
	elsif ($kind eq 'byte') { substr($changed[$block], $offset, 1) ^= chr(random_int(1, 255)) }
	elsif ($kind eq 'bytes') { substr($changed[$block], $offset, $length) = join('', map { chr(random_int(0, 255)) } 1 .. $length) }
	elsif ($kind eq 'zeros') { substr($changed[$block], $offset, $length) = "\0" x $length }
	elsif ($kind eq 'zeroed') { $changed[$block] = "\0" x $PAGE_SIZE }
	elsif ($kind eq 'cut')
	{
		my $from = 512 * random_int(1, 15);
		substr($changed[$block], $from) = "\0" x ($PAGE_SIZE - $from);
	}
	else
	{
		my $other = random_int(0, $#pages);
		@changed[ $block, $other ] = ($pages[$other], $kind eq 'swapped' ? $pages[$block] : $pages[$other]);
		$where .= " and $other";
	}
	return [ "$where at $offset", join('', @changed) ];
}

my (@wrong, @unclear, @unfinished);
my ($survived, $refused, $trials) = (1, 0, 0);
sub try_round
{
	my ($shape, $files, $count) = @_;
	my @damages = map { damage() } 1 .. $count;
	$trials += $count;
	my ($alive, @outcomes) = write_to_damaged($node, $files, @damages);
	$survived &&= $alive;
	for my $i (0 .. $#damages)
	{
		my ($name, $outcome) = ("$shape: $damages[$i][0]", $outcomes[$i] // {});
		push @unfinished, $name unless exists $outcome->{ends};
		for my $step (sort keys %$outcome)
		{
			my $result = $outcome->{$step};
			if ($result eq 'wrong') { push @wrong, "$name: $step (check: " . ($outcome->{check} // '') . ')' }
			elsif ($result =~ /^\S{5} / && $result !~ $clear) { push @unclear, "$name: $step: $result" }
		}
		$refused++ if grep { /^\S{5} / } values %$outcome;
	}
	return;
}
for my $shape (qw(plain two three four))
{
	my $count = $shape eq 'plain' ? $batch_size : int($batch_size / 3);
	$node->start if $shape ne 'plain';
	create_template($node, $count, $shape);
	create_writer($node);
	my %files = index_files($node);
	$node->stop;
	@pages = template_pages($node, \%files);
	try_round($shape, \%files, $count) for 1 .. $rounds;
}
diag("$trials trials, $refused led to an error somewhere");
ok($survived, 'the server survived');
is(join("\n", @unfinished), '', 'every trial came to its end');
is(join("\n", @unclear), '', 'every error says that the index is damaged');
is(join("\n", @wrong), '', 'no answer is wrong');
cmp_ok($refused, '>', $trials / 3, 'the damage was not all to bytes that mean nothing');
done_testing();
