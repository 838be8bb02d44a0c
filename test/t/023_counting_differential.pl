# Random counts in an index, each beside a sequential scan of the same snapshot, while others insert, delete, change keys or not, abort,
# set savepoints and VACUUM: on a primary and on its standby. Conditions, lists, groups, what is added up and what is left out are random; tables have
# keys in a row, anywhere, few, pairs, NULLs; two are partitioned, one by ranges of its keys, from one into another of which rows move, one by another
# column.
#
# LEARNED_TEST_SECONDS (default 20)   how long; 3600 for an hour
# LEARNED_TEST_SEED                   repeats the questions of a run (what they meet is up to chance)

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use ConcurrentLoad;
use CountingTest;
use Test::More;
use Time::HiRes qw(time sleep);

my $seed = start_seed();
my $seconds = seconds_setting(20);
my $primary = new_node('primary', allows_streaming => 1);
# Little memory: pages come and go. Conflicts on the standby are few where its transactions are short.
$primary->append_conf('postgresql.conf',
	"learned_index.enable_aggregates = on\nshared_buffers = 8MB\nwal_keep_size = 2GB\nmax_standby_streaming_delay = 3s\nsynchronous_commit = off\n");
$primary->append_conf('postgresql.conf', "wal_log_hints = on\n") if $seed % 2;
$primary->start;
prepare_database($primary);
prepare_counting($primary);
my $standby = standby_of($primary);

# Every table has the same columns. Keys come from: a sequence; two million numbers, or NULL; a thousand numbers.
my %KEYS = (
	ends => q{nextval('key_number')},
	anywhere => q{CASE WHEN random() < 0.95 THEN (random() * 2000000 - 1000000)::int8 END},
	pairs => q{CASE WHEN random() < 0.95 THEN (random() * 2000 - 1000)::int8 END});
$KEYS{$_} = $KEYS{anywhere} for qw(ranges hashes);
my %INDEXES = (
	ends => ['(k)'],
	anywhere => [ '(k DESC)', '(g)' ],
	pairs => [ '(g, k)', '(k DESC NULLS LAST, g DESC) INCLUDE (id)', '(k) WHERE g IS NOT NULL' ],
	ranges => [ '(k)', '(g)' ],
	hashes => [ '(k DESC)', '(g)' ]);
# (The first partition has its columns in another order.)
my %PARTITIONS = (
	ranges => q{PARTITION BY RANGE (k);
CREATE TABLE ranges_1 (v text DEFAULT '', gone int, g int4, k int8, id int) WITH (fillfactor = 85);
ALTER TABLE ranges_1 DROP COLUMN gone;
ALTER TABLE ranges ATTACH PARTITION ranges_1 FOR VALUES FROM (MINVALUE) TO (-300000);
CREATE TABLE ranges_2 PARTITION OF ranges FOR VALUES FROM (-300000) TO (0);
CREATE TABLE ranges_3 PARTITION OF ranges FOR VALUES FROM (0) TO (700000);
CREATE TABLE ranges_4 PARTITION OF ranges DEFAULT},
	hashes => q{PARTITION BY HASH (id);
CREATE TABLE hashes_1 PARTITION OF hashes FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE hashes_2 PARTITION OF hashes FOR VALUES WITH (MODULUS 2, REMAINDER 1)});
my @tables = map { ($_, $PARTITIONS{$_} ? () : "unlogged_$_") } sort keys %KEYS;
sub of { return $_[0] =~ s/unlogged_//r }
$primary->safe_psql('postgres', 'CREATE SEQUENCE key_number;' . join '', map {
	my $table = $_;
	my $kind = $table =~ /unlogged/ ? 'UNLOGGED' : '';
	qq{
CREATE $kind TABLE $table (id int, k int8, g int4, v text DEFAULT '') @{[ $PARTITIONS{$table} // 'WITH (fillfactor = 85)' ]};
INSERT INTO $table SELECT random() * 20000, $KEYS{ of($table) }, nullif((random() * 12)::int, 3) FROM generate_series(1, 5000) i;
} . join '', map { "CREATE INDEX ON $table USING $AM $_;\n" } @{ $INDEXES{ of($table) } };
} @tables);

# ---- those who write ------------------------------------------------------------------------------------------------

# About as many rows come as go.
my @writers;
for my $table (@tables)
{
	my $new = sub { my ($n) = @_; "INSERT INTO $table SELECT random() * 20000, $KEYS{ of($table) }, nullif((random() * 12)::int, 3) FROM generate_series(1, $n) i;\n" };
	my $some = '\set low random(1, 20000)' . "\n" . '\set at random(0, 19)' . "\n";
	my $weight = $table =~ /unlogged/ ? 1 : 2;
	push @writers, map { [ "${table}_$_->[0]", $_->[1] * $weight, $some . $_->[2] ] } (
		[ 'more', 6, $new->(30) ],
		[ 'less', 6, "DELETE FROM $table WHERE id BETWEEN :low AND :low + 120;\n" ],
		[ 'in_place', 3, "UPDATE $table SET v = CASE WHEN v = '' THEN 'x' ELSE '' END WHERE id BETWEEN :low AND :low + 60;\n" ],
		[ 'keys', 4, "UPDATE $table SET k = $KEYS{ of($table) } WHERE id BETWEEN :low AND :low + 60;\nUPDATE $table SET k = k + 1, g = nullif(g, 5) WHERE id BETWEEN :low - 100 AND :low - 80;\n" ],
		[ 'abort', 6, "BEGIN;\n" . $new->(40) . "UPDATE $table SET k = k - 1 WHERE id BETWEEN :low AND :low + 40;\nROLLBACK;\n" ],
		[ 'savepoints', 4, "BEGIN;\n" . $new->(10) . "SAVEPOINT a;\n" . $new->(20) . "DELETE FROM $table WHERE id BETWEEN :low AND :low + 100;\nROLLBACK TO a;\nUPDATE $table SET v = 'y' WHERE id BETWEEN :low AND :low + 20;\nCOMMIT;\n" ],
		[ 'range', 1, "DELETE FROM $table WHERE k BETWEEN :low * 100 - 1000000 AND :low * 100 - 950000 OR (g = :at AND id < 3000);\n" ],
		[ 'vacuum', 3, "VACUUM (INDEX_CLEANUP ON, SKIP_LOCKED) $table;\n" ],
		[ 'vacuum_heap', 1, "VACUUM (INDEX_CLEANUP OFF, TRUNCATE OFF, SKIP_LOCKED) $table;\n" ]);
}

# ---- those who ask --------------------------------------------------------------------------------------------------

my $last_key = 30000;

sub key
{
	my ($table) = @_;
	return random_int($last_key - 40000, $last_key + 1000) if of($table) eq 'ends';
	return of($table) eq 'pairs' ? random_int(-1100, 1100) : random_int(-1100000, 1100000);
}

sub condition
{
	my ($table, $column) = @_;
	my $value = sub { $column eq 'g' ? random_int(-1, 14) : key($table) };
	my ($a, $b) = sort { $a <=> $b } $value->(), $value->();
	my $choice = random_int(1, 12);
	return "$column BETWEEN $a AND $b" if $choice <= 5;
	return "$column " . pick(qw(< <= > >=)) . " $a" if $choice <= 7;
	return "$column > $a AND $column < $b" if $choice == 8;
	return "$column = $a" if $choice == 9;
	return "$column IN (" . join(', ', map { $value->() } 1 .. random_int(1, 9)) . ')' if $choice == 10;
	return "$column IS " . pick('NULL', 'NOT NULL', 'NOT NULL') if $choice == 11;
	return "$column BETWEEN $a AND $b AND $column IS NOT NULL";
}

sub question
{
	my ($only_logged) = @_;
	my $table = pick(grep { !$only_logged || !/unlogged/ } @tables);
	my @indexed = @{ { ends => ['k'], pairs => [qw(gk kg part)] }->{ of($table) } // [qw(k g)] };
	my $index = pick(@indexed);
	my @columns = $index eq 'part' ? ('k') : split //, $index;
	my @where = $index eq 'part' ? 'g IS NOT NULL' : ();
	push @where, condition($table, $columns[0]) unless chance(4);
	push @where, condition($table, $columns[1]) if @columns > 1 && chance(2);
	if (chance(4))
	{
		# (Ties are among equal columns.)
		my @order = $index eq 'kg' ? ('k DESC NULLS LAST', 'g DESC') : @columns;
		@order = map { /NULLS/ ? 'k NULLS FIRST' : / DESC/ ? 'g' : "$_ DESC" } @order if chance(2);
		return 'SELECT ' . join(', ', @columns) . " FROM $table" . (@where ? ' WHERE ' . join(' AND ', @where) : '') . ' ORDER BY ' . join(', ', @order)
		  . ' OFFSET ' . pick(random_int(201, 700), random_int(201, 6000)) . ' LIMIT ' . pick(1, 7, 1000);
	}
	my $c = pick(@columns);
	my @measures = ('count(*)', map { chance(2) ? "$_($c)" : () } qw(count min max sum avg));
	my ($group, $by) = ('', '');
	if (chance(3))
	{
		$by = $columns[0];
		$by = "$columns[0], $columns[1]" if @columns > 1 && chance(3);
		$by = "$columns[0] / " . pick(3, 100, 7777) if @columns == 1 && chance(3);
		$group = " GROUP BY $by";
	}
	# Values that differ, of the column behind those that are grouped by.
	my $next = $by eq '' ? 0 : $by eq $columns[0] ? 1 : 2;
	if ($next < @columns && chance(3))
	{
		push @measures, chance(4) ? "count(DISTINCT $columns[$next] / " . pick(3, 100, 7777) . ')' : map { "$_(DISTINCT $columns[$next])" } qw(count sum avg);
	}
	# Percentiles of the same column.
	if ($next < @columns && $by !~ /\// && chance(3))
	{
		my $order = "WITHIN GROUP (ORDER BY $columns[$next]" . pick('', ' DESC') . ')';
		my @fractions = map { random_int(0, 1000) / 1000 } 1 .. random_int(1, 5);
		push @measures, "percentile_" . pick(qw(disc cont)) . '(' . pick($fractions[0], 'ARRAY[' . join(', ', @fractions) . "]::float8[]") . ") $order";
		push @measures, "percentile_disc(0.5) $order" if chance(2);
	}
	return "SELECT " . join(', ', ($by ? $by : ()), @measures) . " FROM $table" . (@where ? ' WHERE ' . join(' AND ', @where) : '') . $group;
}

# One or several snapshots; some are held while others go on.
sub script
{
	my ($only_logged) = @_;
	my $script = '';
	for (1 .. random_int(1, 3))
	{
		$script .= "BEGIN ISOLATION LEVEL REPEATABLE READ;\n" . pick('', 'SET LOCAL work_mem = 64;', 'SET LOCAL learned_index.model_cache = 0;', 'SET LOCAL learned_index.model_cache = 64;') . "\n";
		for my $part (1 .. pick(1, 1, 2))
		{
			$script .= 'SELECT pg_sleep(' . rand($part > 1 ? 0.4 : 0.02) . ");\n" if chance(2) || $part > 1;
			$script .= join("\nUNION ALL ", map { "SELECT compare(\$q\$" . question($only_logged) . "\$q\$)" } 1 .. random_int(2, 10)) . ";\n";
		}
		$script .= "COMMIT;\n";
	}
	return $script;
}

my %total = map { ($_ => { counted => 0, others => 0, cancelled => 0 }) } qw(primary standby);
my @wrong;

# Takes the answers of a script.
sub judge
{
	my ($where, $script, $output) = @_;
	if ($output =~ /^(ERROR|FATAL|lost)/)
	{
		if ($where eq 'standby' && $output =~ /conflict with recovery|lost/) { $total{$where}{cancelled}++ }
		else { push @wrong, "$where: $output" }
		return;
	}
	for my $line (split /\n/, $output)
	{
		if ($line eq '1') { $total{$where}{counted}++ }
		elsif ($line eq '0') { $total{$where}{others}++ }
		elsif ($line ne '') { push @wrong, "$where: $line" }
	}
	return;
}

my @readers = (map({ { node => $primary, where => 'primary' } } 1 .. 2), map({ { node => $standby, where => 'standby' } } 1 .. 2));
my $written = 0;
# Again if a busy machine has not counted enough.
for my $round (1 .. 6)
{
	my $load = start_pgbench($primary, 6, $seconds, @writers);
	my $end = time() + $seconds;
	while (time() < $end && !@wrong)
	{
		$last_key = query($primary, 'SELECT last_value FROM key_number');
		for my $reader (@readers)
		{
			$reader->{session} //= open_session($reader->{node});
			$reader->{script} = script($reader->{where} eq 'standby');
			start_in($reader->{session}, $reader->{script});
		}
		for my $reader (@readers)
		{
			my $output = finish_in($reader->{session});
			judge($reader->{where}, $reader->{script}, $output);
			if ($output =~ /^(FATAL|lost)/)
			{
				eval { $reader->{session}->quit };
				delete $reader->{session};
			}
			else { run_in($reader->{session}, 'ROLLBACK') if $output =~ /^ERROR/ }
		}
	}
	my $done = finish_pgbench($load, 'writers');
	$written = defined $done && defined $written ? $written + $done : undef;
	last if @wrong || !defined $written || !$PLANS_COUNT || !grep { $_->{counted} <= 10 * $seconds } values %total;
}
$_->{session}->quit for grep { $_->{session} } @readers;
is(join("\n", @wrong[ 0 .. ($#wrong > 9 ? 9 : $#wrong) ]), '', 'every count is what the table of its snapshot has');
ok($written, 'the tables were written');
diag("transactions written ", $written // 'none', join '', map { ", $_: $total{$_}{counted} counts, $total{$_}{others} by other plans, $total{$_}{cancelled} cancelled" } sort keys %total);
for my $where (sort keys %total)
{
	cmp_ok($total{$where}{counted}, '>', 10 * $seconds, "$where: enough was counted") if $PLANS_COUNT;
	cmp_ok($total{$where}{counted}, '>', 2 * $total{$where}{others}, "$where: most plans count") if $PLANS_COUNT;
	cmp_ok($total{$where}{cancelled}, '<', 5 + $total{$where}{counted} / 10, "$where: few were cancelled");
}

# At rest: the same on both.
$primary->wait_for_catchup($standby);
my @questions = map { question(1) } 1 .. 60;
for my $case ([ $primary, 'primary' ], [ $standby, 'standby' ])
{
	my $session = open_session($case->[0]);
	is(same_in($session, 0, @questions), '', "$case->[1]: at rest");
	$session->quit;
}
$primary->safe_psql('postgres', join '', map { "VACUUM (INDEX_CLEANUP ON) $_;\n" } @tables);
check_indexes($primary, 'afterwards');
$primary->wait_for_catchup($standby);
my $session = open_session($standby);
is(same_in($session, 0, @questions), '', 'standby: after VACUUM');
$session->quit;
$_->stop for $primary, $standby;
report_calls();
done_testing();
