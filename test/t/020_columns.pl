# Randomized differential test of indexes on several columns: random types, directions, places of NULLs, included columns; random DML,
# aborts, VACUUM and REINDEX; between them, random conditions on any of the columns under every forced kind of index scan
# must answer as a sequential scan of the same table does.
#
# LEARNED_TEST_SECONDS (default 60)   how long; set it to hours for a soak
# LEARNED_TEST_SEED                   repeats a run
# LEARNED_TEST_ROUND                  with the seed: runs this round only

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use DifferentialKeys;
use List::Util qw(sum shuffle);
use Test::More;
use Time::HiRes qw(time);
use PostgreSQL::Test::Utils;

my $seed = start_seed();
my $node = new_node('columns');
$node->append_conf('postgresql.conf', "max_worker_processes = 8\nmax_parallel_workers = 6\n");
$node->append_conf('postgresql.conf', "shared_buffers = 16MB\n") if $seed % 2;
$node->start;
prepare_database($node);
my $version = query($node, 'SHOW server_version_num');
$node->safe_psql('postgres', slurp_file("$FindBin::RealBin/differential.sql"));

# Columns of the table, each {name, type, key, generate, seen, nulls, option}: those that the index is ordered by, in its order; those
# that it includes; both.
my (@keys, @included, @columns, $rows);

sub words { return $KEY_TYPES{ $_[0] }{words} // 1 }

sub new_column
{
	my ($number, $type) = @_;
	my $key = $KEY_TYPES{$type};
	my (undef, $generate) = distribution($type);
	# Columns in front of others mostly have few values.
	if (!chance(3))
	{
		my @few = map { $generate->() } 1 .. pick(1, 2, 5, 20, 200);
		$generate = sub { pick(@few) };
	}
	return {
		name => "c$number", type => $type, key => $key, generate => $generate, seen => [],
		nulls => pick(0, 0, 10, 3), option => pick('', '', 'DESC', 'NULLS FIRST', 'DESC NULLS LAST')
	};
}

sub choose_columns
{
	my @types = sort grep { $version >= ($KEY_TYPES{$_}{since} // 0) } keys %KEY_TYPES;
	# (Values that are equal and not the same.)
	push @types, qw(float4 float8);
	my $count = pick(1, 2, 2, 2, 2, 3, 3, 4);
	my $left = 4;
	@columns = ();
	for my $number (1 .. $count)
	{
		my $type = $count == 1 ? pick(qw(uuid timetz)) : pick(chance(3) ? qw(int4 int8 timestamptz) : @types);
		$type = 'int4' if words($type) > $left - ($count - $number);
		$left -= words($type);
		push @columns, new_column($number, $type);
	}
	@keys = shuffle(@columns);
	@included = ();
	if ($left > 0 && chance(4)) { push @included, pick(grep { words($_->{type}) <= $left } @columns) // () }
	elsif (@keys > 1 && chance(3)) { push @included, pop @keys }
	return;
}

sub key_names { return join(', ', map { "$_->{name} $_->{option}" } @keys) }

sub definition
{
	my $definition = "USING $AM (" . key_names() . ')';
	$definition .= ' INCLUDE (' . join(', ', map { $_->{name} } @included) . ')' if @included;
	$definition .= ' WITH (fillfactor = ' . random_int(50, 100) . ')' if chance(3);
	return $definition;
}

sub new_value
{
	my ($column) = @_;
	return undef if $column->{nulls} && chance($column->{nulls});
	my $pair = chance(25) ? [ undef, key_literal(pick(@{ $column->{key}{extremes} })) ] : $column->{generate}->();
	my $seen = $column->{seen};
	if (@$seen < 200) { push @$seen, $pair }
	elsif (chance(4)) { $seen->[ int(rand(@$seen)) ] = $pair }
	return $pair->[1];
}

sub sql_value
{
	my ($column) = @_;
	my $value = new_value($column);
	return defined $value ? "'$value'" : 'NULL';
}

# A constant for a condition, of a type of the column's family.
sub constant
{
	my ($column, $as) = @_;
	my $seen = $column->{seen};
	my $pair = @$seen && !chance(5) ? pick(@$seen) : $column->{generate}->();
	my $other = $KEY_TYPES{$as};
	return key_literal(pick(@{ $other->{extremes} })) if chance(15);
	return $pair->[1] if $as eq $column->{type};
	return $other->{literal}->(convert_number($pair->[0], $column->{type}, $as)) if defined $pair->[0];
	return key_literal(pick(@{ $other->{extremes} }));
}

sub constant_type { my ($column) = @_; return chance(4) ? pick(@{ $column->{key}{family} }) : $column->{type} }

sub array_of
{
	my ($column, $count) = @_;
	my $as = constant_type($column);
	my @items = map { chance(20) ? 'NULL' : '"' . constant($column, $as) . '"' } 1 .. $count;
	return "'{" . join(',', @items) . "}'::$as\[]";
}

sub condition
{
	my ($column) = @_;
	my $name = $column->{name};
	my $as = constant_type($column);
	my $value = "'" . constant($column, $as) . "'::$as";
	my $choice = random_int(1, 20);
	return "$name = $value" if $choice <= 7;
	return "$name " . pick(qw(< <= >= >)) . " $value" if $choice <= 10;
	return "$name BETWEEN $value AND '" . constant($column, $as) . "'::$as" if $choice <= 13;
	return "$name = ANY (" . array_of($column, pick(0, 1, 3, 10, 40, chance(6) ? 1000 : 5)) . ')' if $choice <= 16;
	return "$name " . pick(qw(< >=)) . ' ANY (' . array_of($column, pick(0, 1, 3)) . ')' if $choice == 17 && chance(3);
	return "$name IS NULL" if $choice == 18;
	return "$name IS NOT NULL" if $choice == 19;
	return "$name " . pick(qw(= >=)) . " (SELECT $value)";
}

# A comparison of rows, of the first columns of the index or of any.
sub row_condition
{
	my @some = @keys[ 0 .. random_int(0, $#keys) ];
	@some = (shuffle(@columns))[ 0 .. random_int(0, $#columns) ] if chance(4);
	my $row = sub { 'ROW(' . join(', ', @_) . ')' };
	my @values = map {
		my $as = constant_type($_);
		chance(25) ? "NULL::$as" : "'" . constant($_, $as) . "'::$as"
	} @some;
	return $row->(map { $_->{name} } @some) . ' ' . pick(qw(< <= >= >)) . ' ' . $row->(@values);
}

sub where
{
	my ($least) = @_;
	my @conditions;
	for my $column (chance(5) ? @columns : @keys)
	{
		push @conditions, condition($column) if chance(2);
		push @conditions, condition($column) if chance(6);
	}
	push @conditions, row_condition() if chance(5);
	push @conditions, condition(pick(@keys)) if @conditions < $least;
	return @conditions ? ' WHERE ' . join(' AND ', shuffle(@conditions)) : '';
}

sub quoted
{
	my ($text) = @_;
	$text =~ s/'/''/g;
	return "'$text'";
}

# Values as text, of which equal ones are the same.
sub normal_row
{
	return 'concat_ws(\'|\', ' . join(', ', map {
		my $value = $_->{type} =~ /^float/ ? "$_->{name} + 0::$_->{type}" : $_->{name};
		"coalesce(($value)::text, 'null')"
	} @_) . ')';
}

sub plain_row { return 'ROW(' . join(', ', map { $_->{name} } @_) . ')::text' }

# The index's order of its first columns, or the reverse.
sub order
{
	my ($count, $reverse) = @_;
	return join(', ', map {
		my $descends = $_->{option} =~ /DESC/ ? 1 : 0;
		my $first = $_->{option} =~ /NULLS FIRST/ || $_->{option} eq 'DESC' ? 1 : 0;
		"$_->{name} " . ($descends != $reverse ? 'DESC' : 'ASC') . ' NULLS ' . ($first != $reverse ? 'FIRST' : 'LAST')
	} @keys[ 0 .. $count - 1 ]);
}

sub ordered_query
{
	my ($least) = @_;
	my $count = random_int(1, scalar @keys);
	my $limit = chance(3) ? ' LIMIT ' . random_int(0, 200) : '';
	$limit .= ' OFFSET ' . random_int(0, 300) if chance(6);
	return 'SELECT ' . normal_row(@keys[ 0 .. $count - 1 ]) . ' AS x FROM t' . where($least) . ' ORDER BY '
	  . order($count, pick(0, 1)) . $limit;
}

sub groups_query
{
	my $count = random_int(1, scalar @keys);
	my $groups = random_int(1, $count);
	my @group = map { $_->{name} } @keys[ 0 .. $groups - 1 ];
	my $row = normal_row(@keys[ 0 .. $count - 1 ]);
	return 'SELECT x FROM (SELECT DISTINCT ON (' . join(', ', @group) . ") $row AS x, " . join(', ', @group)
	  . ' FROM t' . where(0) . ' ORDER BY ' . order($count, pick(0, 1)) . ') g';
}

# One statement that compares answers.
sub comparison
{
	my $choice = random_int(1, 22);
	if ($choice <= 9)
	{
		return "SELECT compare('rows', " . quoted('SELECT id, ' . plain_row(@columns) . ' AS k FROM t' . where(1))
		  . ", '{index,bitmap}');";
	}
	if ($choice <= 12)
	{
		my @some = chance(2) ? @columns : (pick(@columns));
		return "SELECT compare('keys', " . quoted('SELECT ' . plain_row(@some) . ' AS k FROM t' . where(0)) . ", '{only,bitmap}');";
	}
	return "SELECT compare('ordered', " . quoted(ordered_query(0)) . ", '{index,only}');" if $choice <= 15;
	return "SELECT compare('ordered', " . quoted(groups_query()) . ", '{index,only}');" if $choice == 16;
	if ($choice <= 18)
	{
		return "SELECT compare('rows', " . quoted('SELECT id, ' . plain_row(@columns) . ' AS k FROM t' . where(0))
		  . ", '{parallel}');";
	}
	if ($choice == 19)
	{
		my @some = @keys[ 0 .. random_int(0, $#keys) ];
		@some = @keys if chance(2);
		my @fields = map { "v$_" } 1 .. @some;
		my $values = join(', ', map {
			'(' . join(', ', map { chance(20) ? "NULL::$_->{type}" : "'" . constant($_, $_->{type}) . "'::$_->{type}" } @some) . ')'
		} 1 .. 8);
		my $join = join(' AND ', map { "$some[$_]{name} = $fields[$_]" } 0 .. $#some);
		$join =~ s/ = (v\d+)$/pick(" = $1", " >= $1")/e;
		return "SELECT compare('rows', "
		  . quoted('SELECT id, ' . plain_row(@columns) . " AS k FROM (VALUES $values) v(" . join(', ', @fields) . ") JOIN t ON $join")
		  . ", '{index}');";
	}
	if ($choice == 20)
	{
		my $part = 1 + int($rows / 300);
		my $join = join(' AND ', map { "a.$_->{name} = b.$_->{name}" } @keys);
		return "SELECT compare('ordered', "
		  . quoted("SELECT concat_ws(' ', count(*), sum(a.id * 31 + b.id)) FROM t a JOIN t b ON $join"
			  . " WHERE a.id % $part = 0 AND b.id % $part = 0") . ", '{merge}');";
	}
	my @moves = map { pick(1, 1, -1, -1, 2, -2, 0, 30, -30, random_int(-700, 700)) } 1 .. 25;
	return 'SELECT compare_cursor(' . quoted(ordered_query(0) =~ s/ (LIMIT|OFFSET) .*//r) . ", '" . pick(qw(index only)) . "', '{"
	  . join(',', @moves) . "}');";
}

sub names { return join(', ', map { $_->{name} } @columns) }

sub copy_rows
{
	my ($count) = @_;
	return '' if $count == 0;
	$rows += $count;
	return 'COPY t (' . names() . ") FROM stdin;\n"
	  . join("\n", map { join("\t", map { new_value($_) // '\N' } @columns) } 1 .. $count) . "\n\\.\n";
}

sub insert_rows
{
	my ($count) = @_;
	$rows += $count;
	return 'INSERT INTO t (' . names() . ') VALUES '
	  . join(', ', map { '(' . join(', ', map { sql_value($_) } @columns) . ')' } 1 .. $count) . ';';
}

# One change, without transaction control.
sub change
{
	my $choice = random_int(1, 12);
	my $part = pick(2, 3, 10, 50);
	my $some = "id % $part = " . random_int(0, $part - 1);
	my $column = pick(@columns);
	return insert_rows(5) if $choice <= 4;
	return copy_rows($rows > 20_000 ? 50 : pick(20, 200, 2000)) if $choice <= 6;
	if ($choice == 7)
	{
		# Many entries of one key.
		my $count = $rows > 20_000 ? 30 : pick(10, 500);
		$rows += $count;
		return 'INSERT INTO t (' . names() . ') SELECT ' . join(', ', map { sql_value($_) . "::$_->{type}" } @columns)
		  . " FROM generate_series(1, $count);";
	}
	return "UPDATE t SET $column->{name} = " . sql_value($column) . " WHERE $some;" if $choice == 8;
	return "UPDATE t SET filler = filler || 'x' WHERE $some;" if $choice == 9;
	return "DELETE FROM t WHERE $some;" if $choice == 10;
	return 'DELETE FROM t WHERE ' . condition($column) . ';' if $choice == 11 && chance(2);
	return 'UPDATE t SET ' . join(', ', map { "$_->{name} = " . sql_value($_) } @columns) . ' WHERE ' . condition($column) . ';';
}

# A change inside some transaction shape, or maintenance.
sub step
{
	my $choice = random_int(1, 20);
	return change() . "\n" if $choice <= 10;
	return "BEGIN;\n" . change() . "\nROLLBACK;\n" if $choice == 11;
	return "BEGIN;\n" . change() . "\nSAVEPOINT a;\n" . change() . "\nROLLBACK TO a;\n" . change() . "\nCOMMIT;\n" if $choice == 12;
	return 'VACUUM (' . pick('INDEX_CLEANUP ON', 'INDEX_CLEANUP ON, FREEZE', 'ANALYZE, INDEX_CLEANUP ON') . ") t;\n"
	  if $choice <= 16;
	return "SELECT learned_index_check('t_k', true);\n" if $choice == 17;
	return pick("REINDEX INDEX t_k;\n", "VACUUM FULL t;\n", "CLUSTER t USING t_k;\n", "ANALYZE t;\n") if $choice == 18 && chance(2);
	return "DELETE FROM t WHERE id % 2 = 0;\nVACUUM (INDEX_CLEANUP ON) t;\n" . change() . "\n";
}

sub round_script
{
	choose_columns();
	$rows = 0;
	my $persistence = pick('', '', '', '', 'UNLOGGED', 'TEMP');
	my $definition = definition();
	my $zone = pick("'UTC'", "'<+0545>-05:45'", "'<-12>+12'");
	my $script = "SET client_min_messages = warning;\nSET extra_float_digits = 3;\nSET timezone = $zone;\n";
	$script .= 'SET learned_index.model_cache = ' . pick(0, 64, 8192, 8192) . ";\n";
	$script .= 'SET learned_index.generic_wal = ' . pick('on', 'off') . ";\n" if chance(3);
	$script .= "CREATE $persistence TABLE t (id int GENERATED ALWAYS AS IDENTITY, "
	  . join(', ', map { "$_->{name} $_->{type}" } @columns) . ", filler text DEFAULT '');\n";
	my $load = copy_rows(pick(0, 1, 100, 3000, 3000, chance(6) ? 60_000 : 15_000));
	my $create = "CREATE INDEX t_k ON t $definition;\n";
	$script .= chance(3) ? $create . $load : $load . $create;
	$script .= "VACUUM (ANALYZE) t;\n" if chance(2);
	for (1 .. random_int(3, 8))
	{
		$script .= step() for 1 .. random_int(1, 4);
		$script .= comparison() . "\n" for 1 .. ($rows > 10_000 ? 8 : 16);
	}
	$script .= "VACUUM (INDEX_CLEANUP ON) t;\nSELECT learned_index_check('t_k', true);\n";
	$script .= comparison() . "\n" for 1 .. 4;
	$script .= "DROP TABLE t;\n";
	return (join(', ', map { "$_->{name} $_->{type}" } @columns) . " $definition $persistence", $script);
}

# What chance would take long to find: equal values that differ, in front of others and behind them; bounds of rows whose first field
# lies between values, or is equal to several.
sub fixed_script
{
	my $numbers = "(ARRAY['-0', '0', 'NaN', 'Infinity', '-Infinity', '1', '-1', NULL]::float8[])[i % 8 + 1]";
	my $script = qq{SET timezone = '<+0545>-05:45'; SET extra_float_digits = 3;
CREATE TABLE t (id int, f float8, d date, n int4);
INSERT INTO t SELECT i, CASE WHEN i % 3 = 0 THEN -$numbers ELSE $numbers END, date '2024-01-01' + i % 10, nullif(i % 31, 0)
  FROM generate_series(1, 500) i;
ANALYZE t;
};
	my @conditions = (
		'f = 0 AND n = 5', "f = '-0' AND n = 5", 'f >= 0 AND n < 7', 'f > 0 AND n = 7', "f < '-0' AND n BETWEEN 3 AND 9",
		"f = 'NaN' AND n = 6", "f >= 'NaN' AND n > 20", "f < 'NaN' AND n = 20", "f = ANY ('{-0,NaN,7}') AND n = ANY ('{1,3,30}')",
		'f IS NULL AND n = 9', 'f = 0 AND n IS NULL', "f = 0::float4 AND n = 5::int8", 'n = 5 AND f = 0', "n = ANY ('{5,6}') AND f >= 0 AND f <= 'NaN'",
		'(f, n) > (0, 5)', "(f, n) <= ('-0', 5)", "(f, n) >= ('NaN', 9)", "(f, n) < ('NaN', 9)", '(n, f) >= (5, 0)', "(n, f) > (5, '-0')", '(n, f) <= (5, 0)',
		"(n, f) < (5, 'NaN')");
	for my $operator (qw(< <= >= >))
	{
		for my $first ("timestamp '2024-01-05 00:00'", "timestamp '2024-01-05 12:00'", "timestamptz '2024-01-05 03:00+00'", "date '2024-01-05'")
		{
			push @conditions, "(d, n) $operator ($first, 15)", "(d, n) $operator ($first, 15) AND d = '2024-01-06'",
			  "(d, n, f) $operator ($first, 15, 0)";
		}
		push @conditions, "(n, d) $operator (5.5::float8::int8, timestamp '2024-01-05 12:00')", "(n, d) $operator (2147483648, date '2024-01-05')",
		  "(n, d) $operator (-2147483648, date '2024-01-05')";
	}
	for my $columns ('f, n', 'f DESC, n NULLS FIRST', 'n, f', 'n DESC, f DESC', 'd, n, f', 'd DESC, n DESC', 'd, n DESC', 'd, f, n', 'n, d', 'f, n) INCLUDE (d',
		'n, f) INCLUDE (d, id', 'f, n) INCLUDE (d, id')
	{
		$script .= "CREATE INDEX t_k ON t USING $AM ($columns);\n";
		$script .= "SELECT compare('rows', " . quoted("SELECT id, ROW(f, d, n)::text AS k FROM t WHERE $_") . ", '{index,only,bitmap}');\n"
		  for @conditions;
		$script .= "DROP INDEX t_k;\n";
	}
	return $script . "DROP TABLE t;\n";
}

my ($fixed, undef, $fault) = $node->psql('postgres', fixed_script(), on_error_stop => 1);
is($fixed, 0, 'equal values that differ, and bounds of rows') or diag($fault);

my $end = time() + seconds_setting(60);
my ($round, $comparisons, $failed, %used, %tried) = (0, 0, 0);
my $only = $ENV{LEARNED_TEST_ROUND};
# (Of fewer rounds, each of which has a table of its own, nothing can be said of shares.)
while ((time() < $end || $round < 20) && !$failed)
{
	$round++;
	$round = $only if defined $only;
	srand($seed + $round * 1_000_003);
	my ($label, $script) = round_script();
	my ($code, $out, $err) =
	  $node->psql('postgres', $script, on_error_stop => 1, timeout => 600, timed_out => \my $late);
	if ($code != 0)
	{
		$failed = 1;
		my $path = write_file("failed_columns_$round.sql", $script);
		diag("round $round ($label) failed; repeat with "
			  . "LEARNED_TEST_SEED=$seed LEARNED_TEST_ROUND=$round; script kept in $path\n"
			  . substr($err, 0, 4000));
	}
	while ($out =~ /\b(index|only|bitmap|merge|parallel)=([01])/g)
	{
		$comparisons++;
		$tried{$1}++;
		$used{$1} += $2;
	}
	last if defined $only;
}

ok(!$failed, 'every forced plan answers as the sequential scan does');
diag("$round rounds, $comparisons comparisons");
SKIP:
{
	skip 'one round only', 5 if defined $only || $failed;
	# Conditions that the planner proves false or constant have no scan; columns that an index does not have, or cannot return, make no
	# index-only scan; temporary tables have no parallel plans.
	my %least = (index => 0.6, only => 0.3, bitmap => 0.6, merge => 0.6, parallel => 0.4);
	for my $mode (sort keys %least)
	{
		ok($used{$mode} > $least{$mode} * $tried{$mode}, "forced plans of kind \"$mode\" did read the index")
		  or diag("$used{$mode} of $tried{$mode}");
	}
}
$node->stop;
done_testing();
