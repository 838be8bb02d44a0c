# Counts by the index beside counts by the table, in the same snapshot: what the tests of counting share. A session asks both
# within a transaction that sees one snapshot; another one holds a page, so that a count stops in its middle.

package CountingTest;

use strict;
use warnings;
use LearnedTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

use Exporter 'import';
our @EXPORT = qw($BY_TABLE $BY_COUNT prepare_counting open_session run_in start_in finish_in same_in leaves leaf_of hold_page
  release_page wait_until_stopped while_stopped report_calls $PLANS_COUNT @SHAPES make_tables fill of_shapes questions);

# One of two ways to answer: from the table, or by a plan that counts. (Per row the server's own plans are made expensive.)
our $BY_TABLE = 'SET LOCAL learned_index.enable_aggregates = off; SET LOCAL learned_index.enable_groups = off; '
  . 'SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off; SET LOCAL enable_bitmapscan = off; '
  . 'SET LOCAL enable_seqscan = on; RESET cpu_tuple_cost;';
our $BY_COUNT = 'SET LOCAL learned_index.enable_aggregates = on; SET LOCAL enable_indexscan = on; SET LOCAL enable_indexonlyscan = on; '
  . 'SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off; SET LOCAL cpu_tuple_cost = 1;';

# Whether a plan that counts is asked for. With nbtree there is none: then the server's own plans answer.
our $PLANS_COUNT = $IS_LEARNED;
my ($library, $holds, $answers, $others) = ('', 0, 0, 0);

# compare(q) says what differs, or whether the plan was one that counts. A query without ORDER BY
# may answer in any order.
sub prepare_counting
{
	my ($node) = @_;
	$library ||= build_module('pages');
	my $settings = sub { return join ' ', map { /SET LOCAL (.*?);/ ? "SET $1" : () } split /(?<=;) /, $_[0] };
	my ($by_table, $by_count) = map { $settings->($_) } $BY_TABLE, $BY_COUNT;
	$node->safe_psql('postgres', qq{
CREATE FUNCTION hold_page(relation regclass, block int, path text) RETURNS bool LANGUAGE c AS '$library';
CREATE FUNCTION read_page(index regclass, block int) RETURNS bytea LANGUAGE c AS '$library';
CREATE FUNCTION write_page(index regclass, block int, at int, bytes bytea) RETURNS void LANGUAGE c AS '$library';
CREATE FUNCTION all_rows(q text) RETURNS text LANGUAGE sql IMMUTABLE AS \$\$
  SELECT 'SELECT coalesce(string_agg(s::text, '' '' ' || CASE WHEN q ~ 'ORDER BY [^)]*\$' THEN '' ELSE 'ORDER BY s::text' END || '), ''nothing'') FROM (' || q || ') s'
\$\$;
CREATE FUNCTION by_table(q text) RETURNS text LANGUAGE plpgsql $by_table AS \$\$
DECLARE answer text; BEGIN EXECUTE all_rows(q) INTO answer; RETURN answer; END \$\$;
CREATE FUNCTION by_count(q text) RETURNS text LANGUAGE plpgsql $by_count AS \$\$
DECLARE answer text; BEGIN EXECUTE all_rows(q) INTO answer; RETURN answer; END \$\$;
CREATE FUNCTION counted(q text) RETURNS boolean LANGUAGE plpgsql $by_count AS \$\$
DECLARE line text; plan text := '';
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || all_rows(q) LOOP plan := plan || line; END LOOP;
  RETURN plan ~ 'Learned(Aggregate|Offset)' AND plan !~ 'Seq Scan';
END \$\$;
-- Rows of the one answer that the other has not.
CREATE FUNCTION differs(a text, b text) RETURNS text LANGUAGE sql AS \$\$
  SELECT coalesce(string_agg(r, ' '), 'the same rows') FROM (SELECT regexp_split_to_table(a, ' (?=[(])') EXCEPT SELECT regexp_split_to_table(b, ' (?=[(])')) s(r)
\$\$;
CREATE FUNCTION compare(q text) RETURNS text LANGUAGE plpgsql AS \$\$
DECLARE
  expected text;
  found text;
BEGIN
  -- Whatever comes first has the younger snapshot.
  IF random() < 0.5 THEN found := by_count(q); expected := by_table(q);
  ELSE expected := by_table(q); found := by_count(q);
  END IF;
  RETURN CASE WHEN found IS NOT DISTINCT FROM expected THEN counted(q)::int::text
    ELSE format('counted %s, in the table %s, by %s', left(differs(found, expected), 400), left(differs(expected, found), 400), q) END;
END \$\$;
});
	return;
}

# ---- sessions ------------------------------------------------------------------------------------------

sub open_session
{
	my ($node, @statements) = @_;
	my $session;
	if ($node->can('session')) { $session = $node->session('postgres') }
	else
	{
		$session = $node->background_psql('postgres', on_error_stop => 0);
		# (Time runs out for each query, not for what may take an hour.)
		$session->set_query_timer_restart;
	}
	run_in($session, $_) for "\\set VERBOSITY verbose\nSET client_min_messages = error", @statements;
	return $session;
}

# What the statements answer; or the error.
sub run_in
{
	my ($session, $sql) = @_;
	# (It would note every statement, of which there are many.)
	no warnings qw(redefine once);
	local *PostgreSQL::Test::BackgroundPsql::note = sub { };
	my $output = eval { $session->query($sql) };
	my $error = defined $output ? $session->{stderr} : "lost: $@";
	$session->{stderr} = '';
	return defined $error && $error =~ /((?:ERROR|FATAL|PANIC|lost):.*)/s ? $1 : $output;
}

# Without waiting for the answer, which finish_in() returns.
sub start_in
{
	my ($session, $sql) = @_;
	$session->query_until(qr/begins/, "\\echo begins\n$sql;\n");
	return;
}

sub finish_in
{
	my ($session) = @_;
	my $output = run_in($session, '');
	$output =~ s/^\s+//;
	return $output;
}

# Both answers to each query are the same in this session, whatever transaction it is in. Returns what differs or fails. Of which
# queries the plan does not count is remembered for report_calls(), or they fail, where $all.
sub same_in
{
	my ($session, $all, @queries) = @_;
	my @bad;
	my $results = run_in($session, join(' UNION ALL ', map { "SELECT compare(\$q\$$_\$q\$)" } @queries));
	for my $result (split /\n/, $results)
	{
		my $q = shift @queries;
		if ($result !~ /^[01]$/) { push @bad, $result }
		elsif ($result) { $answers++ }
		elsif ($all && $PLANS_COUNT) { push @bad, "$q: its plan does not count" }
		else { $others++ }
	}
	push @bad, 'not all of them ran' if @queries && !@bad;
	return join("\n", @bad);
}

# At the end: there were comparisons of plans that count, and of how many the plan was another.
sub report_calls
{
	cmp_ok($answers, '>', $others, 'most of what was compared was counted in an index') if $PLANS_COUNT;
	diag("$answers comparisons of plans that count, $others of others");
	return;
}

# ---- tables --------------------------------------------------------------------------------------------

# Tables of the same rows but for k, each with an index, and what is asked of it (T: the table): keys in a row, anywhere, few of
# them, pairs, descending ones with a column included, and a part of the rows.
my $scattered = 'CASE WHEN i % 50 <> 0 THEN hashint8extended(i, 1) END';
our @SHAPES = (
	{
		name => 'serial', key => 'CASE WHEN i % 50 <> 0 THEN i * 10 END', index => '(k)',
		ask => [
			'SELECT count(*) FROM T',
			'SELECT count(*), count(k), min(k), max(k), sum(k), avg(k) FROM T WHERE k BETWEEN 333 AND 41234',
			'SELECT count(*) FROM T WHERE k > 20005',
			'SELECT percentile_disc(ARRAY[0.1, 0.5, 0.93]) WITHIN GROUP (ORDER BY k), percentile_cont(0.5) WITHIN GROUP (ORDER BY k DESC), count(*) FROM T',
			'SELECT count(DISTINCT k / 70), count(*) FROM T WHERE k > 5000',
			'SELECT count(*) FROM T WHERE k IS NULL',
			'SELECT k FROM T ORDER BY k OFFSET 3000 LIMIT 9',
			'SELECT k FROM T WHERE k > 2000 ORDER BY k DESC OFFSET 1111 LIMIT 9' ]
	},
	{
		name => 'random', key => $scattered, index => '(k)',
		ask => [
			'SELECT count(*), min(k), max(k) FROM T WHERE k > 0',
			'SELECT count(*), sum(k), avg(k) FROM T',
			'SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY k), percentile_disc(0.01) WITHIN GROUP (ORDER BY k) FROM T WHERE k < 4000000000000000000',
			'SELECT count(*), sum(k) FROM T WHERE k = ANY (ARRAY(SELECT hashint8extended(i, 1) FROM generate_series(1, 6000, 7) i))',
			'SELECT k FROM T ORDER BY k DESC OFFSET 2500 LIMIT 9',
			'SELECT k FROM T WHERE k > 0 ORDER BY k OFFSET 999 LIMIT 9' ]
	},
	{
		name => 'few', key => $scattered, index => '(g)',
		ask => [
			'SELECT g, count(*) FROM T GROUP BY g',
			'SELECT g, count(*), sum(g), min(g), max(g) FROM T WHERE g BETWEEN 2 AND 9 GROUP BY g ORDER BY g',
			'SELECT count(DISTINCT g), sum(DISTINCT g), sum(g) FROM T',
			'SELECT count(g), count(*) FROM T',
			'SELECT g FROM T ORDER BY g OFFSET 777 LIMIT 500' ]
	},
	{
		name => 'pair', key => $scattered, index => '(g, k)',
		ask => [
			'SELECT g, count(*), count(k), min(k), max(k), sum(k) FROM T GROUP BY g',
			'SELECT g, count(DISTINCT k), sum(DISTINCT k), avg(k) FROM T GROUP BY g ORDER BY g',
			'SELECT count(*), sum(k) FROM T WHERE g = 5 AND k > 0',
			'SELECT g, k, count(*) FROM T WHERE g = 7 GROUP BY g, k',
			'SELECT g, k FROM T ORDER BY g DESC, k DESC OFFSET 1800 LIMIT 9',
			'SELECT k FROM T WHERE g = 5 ORDER BY k OFFSET 220 LIMIT 9',
			'SELECT g, k FROM T WHERE g IN (1, 4, 9) AND k > 0 ORDER BY g, k OFFSET 250 LIMIT 9' ]
	},
	{
		name => 'down', key => $scattered, index => '(g DESC NULLS LAST, k DESC) INCLUDE (id)',
		ask => [
			'SELECT g, count(*), max(k) FROM T WHERE g >= 4 GROUP BY g ORDER BY g DESC',
			'SELECT count(*), avg(k) FROM T WHERE g IN (1, 2, 15) AND k < 0',
			'SELECT g, percentile_disc(0.5) WITHIN GROUP (ORDER BY k), percentile_cont(0.95) WITHIN GROUP (ORDER BY k), count(k) FROM T GROUP BY g',
			'SELECT count(*), count(k) FROM T WHERE g IS NULL',
			'SELECT g, k FROM T ORDER BY g DESC NULLS LAST, k DESC OFFSET 2345 LIMIT 9' ]
	},
	{
		name => 'part', key => $scattered, index => '(k) WHERE g IS NOT NULL',
		ask => [ 'SELECT count(*), sum(k) FROM T WHERE g IS NOT NULL AND k > 0', 'SELECT count(*) FROM T WHERE g IS NOT NULL',
			'SELECT k FROM T WHERE g IS NOT NULL ORDER BY k OFFSET 1000 LIMIT 9' ]
	});

# Rows number $from to $to, for the table of a shape.
sub fill
{
	my ($shape, $table, $from, $to) = @_;
	return "INSERT INTO $table SELECT i, $shape->{key}, nullif(hashint4(i) & 15, 3), 'x' FROM generate_series($from, $to) i;";
}

sub make_tables
{
	my ($prefix, $kind, $rows, $only) = @_;
	return join '', map { my $table = "$prefix$_->{name}"; qq{
CREATE $kind TABLE $table (id int, k int8, g int4, v text) WITH (fillfactor = 90);
ALTER TABLE $table ALTER v SET STORAGE PLAIN;
} . fill($_, $table, 1, $rows) . qq{
CREATE INDEX ${table}_k ON $table USING $AM $_->{index};
} } grep { !defined $only || $_->{name} eq $only } @SHAPES;
}

# A script for each table in turn: T is its name, INSERT(a, b) are rows.
sub of_shapes
{
	my ($prefix, $script) = @_;
	return map {
		my ($shape, $table) = ($_, "$prefix$_->{name}");
		$script =~ s/\bT\b/$table/gr =~ s/\bINSERT\((\d+), (\d+)\)/fill($shape, $table, $1, $2)/gre
	} @SHAPES;
}

sub questions
{
	my ($prefix) = @_;
	return map { my $table = "$prefix$_->{name}"; map { s/\bT\b/$table/gr } @{ $_->{ask} } } @SHAPES;
}

# ---- pages ---------------------------------------------------------------------------------------------

# The leaves of a tree (0: keys, 1: NULLs) in their order: [block, first word of the low fence].
sub leaves
{
	my ($node, $index, $words, $tree) = @_;
	my @pages = split /\n/, query($node, "SELECT encode(read_page('$index', b), 'hex') FROM generate_series(1, pg_relation_size('$index')::int / 8192 - 1) b");
	my (%right, %low, %seen);
	for my $block (1 .. @pages)
	{
		my $page = pack('H*', $pages[ $block - 1 ]);
		my ($level, $of, $flags) = unpack('x6 C C v', substr($page, unpack('x16 v', $page)));
		next if $level != 0 || $of != ($tree // 0) || $flags & 2;
		($right{$block}, $low{$block}) = unpack('x20 V x8 Q<', substr($page, -32 - 2 * (8 * $words + 8)));
		$seen{ $right{$block} } = 1;
	}
	my @order = grep { !$seen{$_} } keys %right;
	push @order, $right{ $order[-1] } while @order && exists $right{ $right{ $order[-1] } } && @order < keys %right;
	return map { [ $_, $low{$_} ] } @order;
}

# Holds a page of any relation by a session of its own.
sub hold_page
{
	my ($node, $relation, $block) = @_;
	my $path = "$PostgreSQL::Test::Utils::tmp_check/hold_" . ++$holds;
	my $session = open_session($node);
	start_in($session, "SELECT hold_page('$relation', $block, '$path')");
	my $end = time() + 30;
	sleep(0.005) until -e "$path.held" || time() > $end;
	die "block $block of $relation is not held\n" unless -e "$path.held";
	return { session => $session, path => $path };
}

sub release_page
{
	my ($hold) = @_;
	open my $file, '>', $hold->{path} or die "cannot write $hold->{path}: $!\n";
	close $file;
	my $answer = finish_in($hold->{session});
	$hold->{session}->quit;
	return $answer eq 't';
}

# Whether a session waits for a page, and seems to stay there: for more than a tenth of a second.
sub wait_until_stopped
{
	my ($node, $pid) = @_;
	my ($waits, $end) = (0, time() + 30);
	while ($waits < 3 && time() < $end)
	{
		my $event = query($node, "SELECT wait_event_type || ' ' || wait_event FROM pg_stat_activity WHERE pid = $pid");
		$waits = $event =~ /^(LWLock BufferContent|Buffer)/ ? $waits + 1 : 0;
		sleep(0.06);
	}
	return $waits >= 3;
}

# A query counts in a repeatable-read snapshot and stops where it needs a page of an index; the code runs; then it goes on. What it
# answers is what the table says to a cursor of the same snapshot. The query must be one row or ordered.
sub while_stopped
{
	my ($node, $label, $q, $index, $block, $code, %more) = @_;
	my $session = open_session($node, 'BEGIN ISOLATION LEVEL REPEATABLE READ', $BY_TABLE, "DECLARE truth CURSOR FOR $q");
	# (What may cancel the count may cancel the cursor behind it.)
	my $before = $more{either} ? run_in($session, $q) : undef;
	run_in($session, $_) for $BY_COUNT, "PREPARE counts AS $q";
	my $pid = run_in($session, 'SELECT pg_backend_pid()');
	# (Planned before it stops: the planner, too, looks into indexes.)
	my $plan = run_in($session, 'EXPLAIN (COSTS OFF) EXECUTE counts');
	like($plan, qr/Learned(Aggregate|Offset)/, "$label: the plan counts") if $PLANS_COUNT;
	my $hold = hold_page($node, $index, $block);
	start_in($session, 'EXECUTE counts');
	ok(wait_until_stopped($node, $pid), "$label: the count stops") or diag($plan);
	$code->($pid);
	# (A conflict that may cancel the one may cancel the other.)
	ok(release_page($hold) || $more{either}, "$label: and goes on");
	$more{then}->($pid) if $more{then};
	my $answer = finish_in($session);
	my $truth = run_in($session, 'FETCH ALL FROM truth');
	$truth = $before if $more{either} && $truth =~ $more{either};
	is($answer, $truth, "$label: it counts what the table has") unless $more{either} && $answer =~ $more{either};
	run_in($session, 'COMMIT');
	$session->quit;
	return $answer;
}

1;
