# Randomized differential test: random rows, DML, aborts, savepoints, VACUUM and REINDEX on a table
# with one index; between the steps, random queries under every forced kind of index scan must
# answer as a sequential scan of the same table does.
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
use Test::More;
use Time::HiRes qw(time);
use PostgreSQL::Test::Utils;

my $seed = start_seed();
my $node = new_node('differential');
$node->append_conf('postgresql.conf', "shared_buffers = 16MB\n") if $seed % 2;
$node->start;
prepare_database($node);
my $version = query($node, 'SHOW server_version_num');
$node->safe_psql('postgres', slurp_file("$FindBin::RealBin/differential.sql"));

my ($type, $key, $generate, @seen, $rows, $restriction, $norm);

# Remembers some of the keys in the table, for use as query constants.
sub remember
{
	my ($pair) = @_;
	if (@seen < 400) { push @seen, $pair }
	elsif (chance(4)) { $seen[ int(rand(@seen)) ] = $pair }
	return $pair;
}

sub new_key
{
	return remember(
		chance(60)
		? [ undef, key_literal(pick(@{ $key->{extremes} })) ]
		: $generate->());
}

# A constant for a query: a key that exists or existed, its neighbour, an extreme, or anything;
# of the key's type or of another type of its family.
sub constant
{
	my ($as) = @_;
	my $pair = @seen && !chance(4) ? pick(@seen) : $generate->();
	my $other = $KEY_TYPES{$as};
	my $literal;
	if (chance(12)) { $literal = key_literal(pick(@{ $other->{extremes} })) }
	elsif (chance(15)) { $literal = key_literal($other->{wild}->()) }
	elsif (defined $pair->[0] && ($as ne $type || chance(3)))
	{
		$literal = $other->{literal}->(convert_number($pair->[0], $type, $as));
	}
	elsif ($as eq $type) { $literal = $pair->[1] }
	else { $literal = key_literal(pick(@{ $other->{extremes} })) }
	return $literal;
}

sub constant_type { return chance(3) ? pick(@{ $key->{family} }) : $type }

sub array_of
{
	my ($count) = @_;
	my $as = constant_type();
	my @items = map { chance(20) ? 'NULL' : '"' . constant($as) . '"' } 1 .. $count;
	push @items, $items[0] if @items && chance(2);
	return "'{" . join(',', @items) . "}'::$as\[]";
}

sub condition
{
	my $as = constant_type();
	my $value = "'" . constant($as) . "'::$as";
	my $choice = random_int(1, 20);
	return "k = $value" if $choice <= 4;
	return 'k ' . pick(qw(< <= >= >)) . " $value" if $choice <= 9;
	return "k BETWEEN $value AND '" . constant($as) . "'::$as" if $choice <= 11;
	return 'k = ANY (' . array_of(pick(0, 1, 3, 10, chance(10) ? 3000 : 40)) . ')' if $choice <= 14;
	return 'k ' . pick(qw(< <= >= >)) . ' ANY (' . array_of(pick(0, 1, 2, 5)) . ')' if $choice == 15;
	return 'k IS NULL' if $choice == 16;
	return 'k IS NOT NULL' if $choice == 17;
	return 'k ' . pick(qw(= < >=)) . " (SELECT NULL::$as)" if $choice == 18 && chance(2);
	return 'k ' . pick(qw(= < >)) . " (SELECT $value)";
}

sub where
{
	my ($least) = @_;
	my @conditions = map { condition() } 1 .. pick($least, 1, 1, 1, 2, 2, 3);
	push @conditions, $restriction if $restriction;
	return @conditions ? ' WHERE ' . join(' AND ', @conditions) : '';
}

sub quoted
{
	my ($text) = @_;
	$text =~ s/'/''/g;
	return "'$text'";
}

sub ordered_query
{
	my $direction = pick('', 'DESC', 'DESC NULLS LAST', 'NULLS FIRST');
	my $limit = chance(2) ? ' LIMIT ' . random_int(0, 200) : '';
	$limit .= ' OFFSET ' . random_int(0, 300) if chance(5);
	return "SELECT $norm AS x FROM t" . where(0) . " ORDER BY k $direction$limit";
}

# One statement that compares answers.
sub comparison
{
	my $choice = random_int(1, 20);
	if ($choice <= 9)
	{
		return "SELECT compare('rows', " . quoted('SELECT id, k FROM t' . where(1)) . ", '{index,bitmap}');";
	}
	if ($choice <= 12)
	{
		return "SELECT compare('keys', " . quoted('SELECT k FROM t' . where(0)) . ", '{only,bitmap}');";
	}
	if ($choice <= 15)
	{
		return "SELECT compare('ordered', " . quoted(ordered_query()) . ", '{index,only}');";
	}
	if ($choice == 16)
	{
		my $query = "SELECT concat_ws(' ', min($norm), max($norm)) FROM t" . where(0);
		$query = "SELECT concat_ws(' ', min(k), max(k)) FROM t" . where(0) if $norm eq 'k';
		$query = "SELECT k AS x FROM t" . where(0) . ' ORDER BY k ' . pick('', 'DESC') . ' LIMIT 1' if $key->{ends};
		return "SELECT compare('ordered', " . quoted($query) . ", '{index,only}');";
	}
	if ($choice == 17)
	{
		my $as = constant_type();
		my $values =
		  join(', ', map { "('" . constant($as) . "'::$as, '" . constant($as) . "'::$as)" } 1 .. 8);
		my $join = pick('k = v.a', 'k >= v.a AND k < v.b', 'k > v.a AND k <= v.b');
		$join .= " AND $restriction" if $restriction;
		return "SELECT compare('rows', "
		  . quoted("SELECT id, k FROM (VALUES $values) v(a, b) JOIN t ON $join") . ", '{index}');";
	}
	if ($choice == 18)
	{
		# About 300 rows a side, so that even one key everywhere stays small.
		my $part = 1 + int($rows / 300);
		my $where = where(0);
		$where =~ s/\bk\b/a.k/g;
		$where =~ s/\bid\b/a.id/g;
		$where .= ($where ? ' AND' : ' WHERE') . " a.id % $part = 0 AND b.id % $part = 0";
		$where .= " AND $restriction" =~ s/\bid\b/b.id/r if $restriction;
		return "SELECT compare('ordered', "
		  . quoted("SELECT concat_ws(' ', count(*), sum(a.id * 31 + b.id)) FROM t a JOIN t b ON a.k = b.k$where")
		  . ", '{merge}');";
	}
	my @moves = map { pick(1, 1, -1, -1, 2, -2, 0, 30, -30, random_int(-700, 700)) } 1 .. 25;
	my $query = "SELECT $norm AS x FROM t" . where(0) . ' ORDER BY k ' . pick('', 'DESC');
	return "SELECT compare_cursor(" . quoted($query) . ", '" . pick(qw(index only)) . "', '{"
	  . join(',', @moves) . "}');";
}

sub copy_rows
{
	my ($count, $null_every) = @_;
	return '' if $count == 0;
	my @lines = map {
		$null_every && chance($null_every) ? '\N' : new_key()->[1]
	} 1 .. $count;
	$rows += $count;
	return "COPY t (k) FROM stdin;\n" . join("\n", @lines) . "\n\\.\n";
}

sub key_or_null
{
	return chance(15) ? 'NULL' : "'" . new_key()->[1] . "'";
}

# One change, without transaction control.
sub change
{
	my $choice = random_int(1, 16);
	my $part = pick(2, 3, 10, 50);
	my $some = "id % $part = " . random_int(0, $part - 1);
	if ($choice <= 4)
	{
		$rows += 5;
		return 'INSERT INTO t (k) VALUES ' . join(', ', map { '(' . key_or_null() . ')' } 1 .. 5) . ';';
	}
	return copy_rows($rows > 20_000 ? 50 : pick(20, 200, 2000), pick(0, 0, 10)) if $choice <= 6;
	if ($choice == 7)
	{
		# Many entries of one key.
		my $count = $rows > 20_000 ? 30 : pick(10, 500, 1500);
		$rows += $count;
		return 'INSERT INTO t (k) SELECT ' . key_or_null() . "::$type FROM generate_series(1, $count);";
	}
	return 'UPDATE t SET k = ' . key_or_null() . " WHERE $some;" if $choice == 8;
	return "UPDATE t SET filler = filler || 'x' WHERE $some;" if $choice == 9;
	return 'UPDATE t SET k = ' . key_or_null() . " WHERE k = '" . constant($type) . "';" if $choice == 10;
	return "DELETE FROM t WHERE $some;" if $choice == 11;
	return "DELETE FROM t WHERE k BETWEEN '" . constant($type) . "' AND '" . constant($type) . "';"
	  if $choice == 12;
	return 'DELETE FROM t WHERE k ' . pick('IS NULL', "<= '" . constant($type) . "'",
		">= '" . constant($type) . "'") . ';'
	  if $choice == 13 && chance(2);
	return 'DELETE FROM t;' if $choice == 14 && chance(4);
	return 'UPDATE t SET k = (SELECT k FROM t u WHERE u.id > t.id ORDER BY u.id LIMIT 1) '
	  . 'WHERE id IN (SELECT id FROM t ORDER BY id LIMIT 20);'
	  if $choice == 15;
	# Negation makes zeros and NaNs whose bits differ from those that literals have.
	return "UPDATE t SET k = -k WHERE $some;" if $choice == 16 && $type =~ /^float/;
	return 'INSERT INTO t (k) VALUES (' . key_or_null() . ');';
}

# A change inside some transaction shape, or maintenance.
sub step
{
	my ($name) = @_;
	my $choice = random_int(1, 24);
	return change() . "\n" if $choice <= 10;
	return "BEGIN;\n" . change() . "\nROLLBACK;\n" if $choice <= 12;
	return "BEGIN;\n" . change() . "\nSAVEPOINT a;\n" . change() . "\nROLLBACK TO a;\n" . change()
	  . "\nRELEASE a;\n" . pick('COMMIT', 'COMMIT', 'ROLLBACK') . ";\n"
	  if $choice <= 15;
	return 'VACUUM (' . pick('INDEX_CLEANUP ON', 'INDEX_CLEANUP ON, FREEZE', 'ANALYZE, INDEX_CLEANUP ON') . ") t;\n"
	  if $choice <= 20;
	return "SELECT learned_index_check('t_k', true);\n" if $choice == 21;
	return "REINDEX INDEX t_k;\n" if $choice == 22 && chance(2);
	return pick("VACUUM FULL t;\n", $restriction ? "VACUUM t;\n" : "CLUSTER t USING t_k;\n", "TRUNCATE t;\n", "ANALYZE t;\n",
		$name eq 'TEMP' ? "ANALYZE t;\n" : "REINDEX INDEX CONCURRENTLY t_k;\n")
	  if $choice == 23 && chance(2);
	return "DELETE FROM t WHERE id % 2 = 0;\nVACUUM (INDEX_CLEANUP ON) t;\n" . change() . "\n";
}

sub round_script
{
	$type = pick(sort grep { $version >= ($KEY_TYPES{$_}{since} // 0) } keys %KEY_TYPES);
	$key = $KEY_TYPES{$type};
	(my $shape, $generate) = distribution($type);
	$norm = $key->{norm} // 'k';
	@seen = ();
	$rows = 0;
	my $persistence = pick('', '', '', '', 'UNLOGGED', 'TEMP');
	$restriction = chance(8) ? 'id % 5 <> 0' : '';
	my $definition = "USING $AM (k " . pick('', '', 'DESC', 'NULLS FIRST', 'DESC NULLS LAST') . ')';
	$definition .= ' WITH (fillfactor = ' . random_int(50, 100) . ')' if chance(3);
	$definition .= " WHERE $restriction" if $restriction;

	my $zone = pick("'UTC'", "'<+0545>-05:45'", "'<-12>+12'");
	my $script = "SET client_min_messages = warning;\nSET extra_float_digits = 3;\nSET timezone = $zone;\n";
	$script .= 'SET learned_index.model_cache = ' . pick(0, 64, 8192, 8192) . ";\n";
	$script .= 'SET learned_index.generic_wal = ' . pick('on', 'off') . ";\n" if chance(3);
	$script .= 'SET maintenance_work_mem = ' . pick("'1MB'", "'64MB'") . ";\n";
	$script .= "CREATE $persistence TABLE t (id int GENERATED ALWAYS AS IDENTITY, k $type, filler text DEFAULT '');\n";
	my $load = copy_rows(pick(0, 1, 100, 3000, 3000, chance(6) ? 80_000 : 20_000), pick(0, 0, 20, 2));
	my $concurrently = $persistence eq '' && chance(6) ? 'CONCURRENTLY' : '';
	my $create = "CREATE INDEX $concurrently t_k ON t $definition;\n";
	$script .= chance(3) ? $create . $load : $load . $create;

	for (1 .. random_int(3, 9))
	{
		$script .= step($persistence) for 1 .. random_int(1, 4);
		$script .= comparison() . "\n" for 1 .. ($rows > 10_000 ? 6 : 14);
	}
	$script .= "VACUUM (INDEX_CLEANUP ON) t;\n" if chance(2);
	$script .= "SELECT learned_index_check('t_k', true);\n";
	$script .= comparison() . "\n" for 1 .. 4;
	$script .= "DROP TABLE t;\n";
	return ("$type $shape $definition $persistence", $script);
}

my $end = time() + seconds_setting(60);
my ($round, $comparisons, $failed, %used, %tried) = (0, 0, 0);
my $only = $ENV{LEARNED_TEST_ROUND};
while (time() < $end && !$failed)
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
		my $path = write_file("failed_round_$round.sql", $script);
		diag("round $round ($label) failed; repeat with "
			  . "LEARNED_TEST_SEED=$seed LEARNED_TEST_ROUND=$round; script kept in $path\n"
			  . substr($err, 0, 4000));
	}
	while ($out =~ /\b(index|only|bitmap|merge)=([01])/g)
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
	skip 'one round only', 4 if defined $only || $failed;
	# Conditions that the planner proves false or constant have no scan: not all plans match. Of merge joins, of which there are few, under
	# equalities nothing is left to merge: 61 % match in the long run.
	for my $mode (qw(index only bitmap merge))
	{
		ok($used{$mode} > ($mode eq 'merge' ? 0.25 : 0.6) * $tried{$mode}, "forced plans of kind \"$mode\" did read the index")
		  or diag("$used{$mode} of $tried{$mode}");
	}
}
$node->stop;
done_testing();
