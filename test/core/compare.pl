# Compares what PostgreSQL's own tests print on two servers of one version: one where indexes are btrees, one where
# test/core/use_learned.c has made learned indexes of them.
#
#   compare.pl [OPTION...] SOURCES EXTENSION BTREE LEARNED NAME...
#
# SOURCES has the files NAME.EXTENSION (sql or spec), BTREE and LEARNED the files NAME.out. Prints one line for each
# name, "ok NAME" or "not ok NAME", and beside it how many results differ in which way; then the differences of those
# that are not ok.
#
#   --strict           the same, byte for byte, but for what is known
#   --usage=LOG        the log of the second server: tells for each name how many learned indexes were made and
#                      scanned
#   --must-use=NAME    with it: not ok if none was; may be repeated
#   --several=NAME     the same for those on several columns
#
# Results must be the same, byte for byte, except for:
#
#   name    the access method's name in an index's definition, and the width of its column
#   plan    EXPLAIN's output: costs, and so plans, may differ
#   order   the order of the rows of a query that has no ORDER BY
#   known   what is listed below, each with its reason
#
# A few results must be those that PostgreSQL expects, not btree's; they are listed below as well.
use strict;
use warnings;

use File::Temp 'tempdir';
use Getopt::Long 'GetOptions';

my ($strict, $usage, @must_use, @several) = (0);

# ---- what may differ otherwise ---------------------------------------------------------------------

# [test, pattern of the statement, what is done to both results before they are compared]; isolation tests have no
# pattern
my @KNOWN = (
	# The catalogs have the extension's rows as well.
	['opr_sanity', qr/SELECT DISTINCT amopmethod, amopstrategy, oprname/, without(qr/^ +\d{5,} \|/)],
	['amutils', qr/where amtype = 'i'/, without(qr/^ learned +\|/)],
	['psql', qr/^\\dA/m, without(qr/^ learned +\|/)],
	# An index depends on its operator class, unless that is one of initdb's.
	['create_index', qr/pg_describe_object/, without(qr/ operator class \w+ for access method learned /)],
	# An empty learned index has three pages, a metapage and two empty leaves; an empty btree one.
	['stats_import', qr/^-- starting stats$/m, sub { map { s/^( +)[13] /$1 /r } @_ }],
	# CLUSTER sorts where that is cheaper, but only for a btree's sake; then it evaluates the expression once more.
	['namespace', qr/^CLUSTER .* USING test_maint_idx;$/m, \&without_repetitions],
	# Equal keys come in the order of the rows' places; a learned index is stored ascending, and DESC is that backwards.
	['create_index', qr/FROM onek_with_null\s+ORDER BY unique2/, sub { sort @_ }],
	# By a btree CLUSTER sorts, and equal keys may come in any order, with any of their rows cut off by LIMIT: but for the id.
	['tuplesort', qr/FROM abbrev_abort_uuids\s+ORDER BY ctid/, sub { sort map { s/^ +\d+ \|//r } @_ }],
	# Scans mark the entries of dead rows and pass over them, but only VACUUM removes them: the index grows.
	['mvcc', qr/FROM clean_aborted_self|clean_aborted_self_key_before/, without(qr/^ +\d+ +\| +\d+$/)],
	# A constraint's index is a btree; one on a partition that is learned differs from it in that, too.
	['indexing', qr/^alter index idxpart_pkey attach partition idxpart1_a_idx;/m, without(qr/^DETAIL:/)],
	# count(*) of a table reads no row of it where a learned index can count; statistics of reading the table do not rise.
	['stats', qr/seq_scan >= pr\.seq_scan \+ 1|heap_blks >= |heap_blks_read \+/, sub { map { /^ [tf]( +\| [tf])+ *$/ ? s/\b[tf]\b/?/gr : $_ } @_ }],
	# A learned index of 10,000 ascending numbers is too small for a parallel VACUUM.
	['vacuum_parallel', qr/trigger_parallel_vacuum_nindexes/, without(qr/^ +[02]$/)],
);

# Tests of what a hash index spares that a btree does not: read/write conflicts of keys in different buckets. A small
# learned index locks keys, too, and the hash indexes are learned ones there: nothing but what PostgreSQL expects of a
# hash index will do.
my %AS_EXPECTED = ('predicate-hash' => 1);

# Without the lines that match; the number of rows and the width of columns change with them.
sub without {
	my ($pattern) = @_;
	return sub { narrow(grep { $_ !~ $pattern && !/^\(\d+ rows?\)$/ } @_) };
}

sub without_repetitions {
	my @lines;
	for my $line (@_) {
		push @lines, $line unless @lines && $lines[-1] eq $line;
	}
	return @lines;
}

# ---- reading ---------------------------------------------------------------------------------------

sub lines {
	my ($path) = @_;
	open my $file, '<:raw', $path or return;
	my @lines = <$file>;
	chomp @lines;
	return \@lines;
}

# The lines of a script as psql echoes them: all but the data of COPY.
sub echoed {
	my ($script) = @_;
	my @echoed;
	for my $line (@$script) {
		if ($line eq '\\.') {
			my $start = $#echoed;
			$start-- while $start >= 0 && $echoed[$start] !~ /from\s+stdin/i;
			$#echoed = $start if $start >= 0;
		}
		else {
			push @echoed, $line;
		}
	}
	return @echoed;
}

# An output cut into blocks: [line of the script before it, statement, result lines].
sub blocks {
	my ($script, $output) = @_;
	my @echoed = echoed($script);
	my ($next, @blocks, @statement) = (0);
	my $in_result = 0;
	for my $line (@$output) {
		my $match = $next;
		$match++ while $match < @echoed && $echoed[$match] ne $line && $echoed[$match] =~ /^\s*$/;
		if ($match < @echoed && $echoed[$match] eq $line) {
			@statement = () if $in_result;
			$in_result = 0;
			push @statement, $line;
			$next = $match + 1;
		}
		elsif ($next > 0 && $next < @echoed && $echoed[$next - 1] =~ /^\\q?echo -n/ &&
			$echoed[$next] eq substr($line, -length $echoed[$next])) {
			# No newline: the echo of the next line is at the end of the result.
			push @blocks, [$next, $echoed[$next - 1], [$line]];
			@statement = ($echoed[$next++]);
		}
		else {
			push @blocks, [$next, join("\n", @statement), []] if !$in_result;
			$in_result = 1;
			push @{ $blocks[-1][2] }, $line;
		}
	}
	return ($next, @blocks);
}

# ---- comparing -------------------------------------------------------------------------------------

sub without_name {
	my @lines = @_;
	my $changed = 0;
	for (@lines) {
		$changed += s/\bUSING learned \(/USING btree (/g;
		$changed += s/^((?:unique(?: nulls not distinct)?, )?)learned, for table /$1btree, for table /;
		$changed += s/^(    "[^"]+"(?: UNIQUE,| PRIMARY KEY,| UNIQUE CONSTRAINT,)*) learned \(/$1 btree (/;
	}
	return ($changed, @lines);
}

sub narrow {
	my @lines = @_;
	for (@lines) {
		s/ +/ /g;
		s/-+/-/g;
		s/ $//;
		s/^ //;
	}
	return @lines;
}

sub explains {
	my ($statement) = @_;
	$statement =~ s/^\s*--.*//mg;
	return $statement =~ /^\s*explain\b|\bexplain_\w+\s*\(/mi;
}

# What must be put aside to make two results the same: '' nothing, undef if they are different.
sub difference {
	my ($test, $statement, $btree, $learned) = @_;
	my @a = @$btree;
	my @b = @$learned;
	return '' if "@a" eq "@b" && @a == @b;
	for my $known (@KNOWN) {
		my ($where, $what, $how) = @$known;
		next unless $where eq $test && defined $what && $statement =~ $what;
		return 'known' if join("\n", $how->(@a)) eq join("\n", $how->(@b));
	}
	return undef if $strict;
	return 'plan' if explains($statement) || grep { /^ *QUERY PLAN *$/ } @a, @b;
	my $renamed;
	($renamed, @b) = without_name(@b);
	if ($renamed) {
		@a = narrow(@a);
		@b = narrow(@b);
		return 'name' if join("\n", @a) eq join("\n", @b);
	}
	if ($statement !~ /\border\s+by\b/i) {
		return 'order' if join("\n", sort @a) eq join("\n", sort @b);
	}
	return undef;
}

# The lines that differ, "-" those of btree, "+" those of learned.
sub changes {
	my ($btree, $learned) = @_;
	my $directory = tempdir(CLEANUP => 1);
	my $index = 0;
	for my $lines ($btree, $learned) {
		open my $file, '>:raw', "$directory/" . $index++ or die "$directory: $!";
		print $file map { "$_\n" } @$lines;
		close $file or die "$directory: $!";
	}
	my @changes = split /\n/, `diff -U 1 $directory/0 $directory/1`;
	return join "\n", @changes[2 .. $#changes];
}

# An output of the isolation tester has no echo to go by: all of it is compared, but for the results of EXPLAIN.
sub without_plans {
	my ($lines) = @_;
	my ($plans, $in_plan, @rest) = (0, 0);
	for my $line (@$lines) {
		if (!$in_plan && $line =~ /^ *QUERY PLAN *$/) {
			$in_plan = 1;
			$plans++;
		}
		push @rest, $line unless $in_plan;
		$in_plan = 0 if $line =~ /^\(\d+ rows?\)$/;
	}
	return ($plans, \@rest);
}

sub compare_spec {
	my ($test, $btree, $learned) = @_;
	my ($plans_a, $a) = without_plans($btree);
	my ($plans_b, $b) = without_plans($learned);
	my %aside;
	for my $known (@KNOWN) {
		my ($where, $what, $how) = @$known;
		next if $where ne $test || defined $what || join("\n", @$a) eq join("\n", @$b);
		($a, $b) = ([$how->(@$a)], [$how->(@$b)]);
		$aside{known}++;
	}
	return ({}, ['', changes($a, $b)]) if $plans_a != $plans_b || join("\n", @$a) ne join("\n", @$b);
	$aside{plan} = $plans_a if $plans_a && join("\n", @$btree) ne join("\n", @$learned);
	return (\%aside, []);
}

sub compare {
	my ($test, $script, $btree, $learned) = @_;
	my ($end_a, @a) = blocks($script, $btree);
	my ($end_b, @b) = blocks($script, $learned);
	my (%aside, @different, %other);
	$other{ $_->[0] } = $_ for @b;
	push @different, "one of them ends early: at line $end_a and $end_b of the statements" if $end_a != $end_b;
	for my $block (@a) {
		my $twin = delete $other{ $block->[0] } || [0, '', []];
		my $difference = difference($test, $block->[1], $block->[2], $twin->[2]);
		if (!defined $difference) {
			push @different, $block->[1], changes($block->[2], $twin->[2]);
		}
		elsif ($difference ne '') {
			$aside{$difference}++;
		}
	}
	for my $block (sort { $a->[0] <=> $b->[0] } values %other) {
		my $difference = difference($test, $block->[1], [], $block->[2]);
		if (!defined $difference) {
			push @different, $block->[1], changes([], $block->[2]);
		}
		else {
			$aside{$difference}++;
		}
	}
	return (\%aside, \@different);
}

# What sessions said at their end about learned indexes, by test.
sub used {
	my ($log) = @_;
	my %used;
	for my $line (@{ lines($log) }) {
		next unless $line =~ m{(?:pg_regress|isolation)/([^/ ]+).* use_learned: (.*)};
		my ($name, $numbers) = ($1, $2);
		my @numbers = $numbers =~ /\d+/g;
		$used{$name}[$_] += $numbers[$_] for 0 .. $#numbers;
	}
	return %used;
}

GetOptions('strict' => \$strict, 'usage=s' => \$usage, 'must-use=s' => \@must_use,
	'several=s' => \@several) or exit 2;
my ($sources, $extension, $btree, $learned, @names) = @ARGV;
my %used = defined $usage ? used($usage) : ();
my %must_use = map { $_ => 1 } @must_use;
my %several = map { $_ => 1 } @several;
my $failed = 0;
my (%total, @used_in_all);
for my $name (@names) {
	my $script = lines("$sources/$name.$extension");
	my $a = lines($AS_EXPECTED{$name} ? "$sources/../expected/$name.out" : "$btree/$name.out");
	my $b = lines("$learned/$name.out");
	my ($aside, $different) =
		!$script || !$a || !$b ? ({}, ['no output'])
		: $extension eq 'spec' ? compare_spec($name, $a, $b)
		: compare($name, $script, $a, $b);
	$total{$_} += $aside->{$_} for keys %$aside;
	$used_in_all[$_] += ($used{$name} || [])->[$_] || 0 for 0 .. 6;
	my @remarks = map { "$aside->{$_} $_" } sort keys %$aside;
	push @remarks, sprintf('%d learned, scanned %d plain %d index-only %d bitmap %d groups, of several columns %d and %d',
		@{ $used{$name} }) if $used{$name};
	push @$different, 'no learned index was made or scanned' if $must_use{$name} && !$used{$name};
	push @$different, 'no learned index on several columns was made or scanned'
		if $several{$name} && !($used{$name} && $used{$name}[5] + $used{$name}[6]);
	$failed += @$different > 0;
	print @$different ? 'not ok ' : 'ok ', $name, @remarks ? ' (' . join(', ', @remarks) . ')' : '', "\n";
	print map { "    $_\n" } split /\n/, $_ for @$different;
}
print '# put aside: ', join(', ', map { "$total{$_} $_" } sort keys %total) || 'nothing', "\n";
printf "# %d learned indexes, scanned: %d plain, %d index-only, %d bitmap, %d groups, of several columns: %d and %d\n",
	@used_in_all if defined $usage;
exit($failed != 0);
