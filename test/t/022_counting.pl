# What counts in an index is exact under MVCC: in every snapshot it counts what a sequential scan of the same snapshot finds, step by
# step through what transactions, VACUUM and changes of tables can do before, between and in the middle of counts.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use CountingTest;
use Test::More;

start_seed();
my $node = new_node('counting', lasting => 1);
$node->append_conf('postgresql.conf', "learned_index.enable_aggregates = on\nmax_prepared_transactions = 20\nmax_locks_per_transaction = 500\n");
$node->start;
prepare_database($node);
prepare_counting($node);

# (To cut off the table's end it would wait for those who read the table.)
sub vacuum { return "VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) $_[0]" }

# ---- every state in every snapshot ----------------------------------------------------------------------------------

# One step after the other, on tables of every shape, and between them sessions whose snapshots are from before: each sees what it
# saw. $kept of them stay open: with none, VACUUM may remove what the steps leave behind.
my @STEPS = (
	[ 'all visible', 'VACUUM T' ],
	[ 'rows more', 'INSERT(6001, 6400)' ],
	[ 'aborted rows', 'BEGIN; INSERT(6401, 6900) ROLLBACK' ],
	[ 'their removal', vacuum('T') ],
	[ 'HOT updates', q{UPDATE T SET v = v || 'y' WHERE id % 7 = 0} ],
	[ 'aborted updates', q{BEGIN; UPDATE T SET k = k + 1 WHERE id % 9 = 0; UPDATE T SET v = 'a' WHERE id % 5 = 0; ROLLBACK} ],
	[ 'keys that change', 'UPDATE T SET k = -k, g = nullif(g + 1, 16) WHERE id % 6 = 1' ],
	[ 'keys that change to NULL and back', 'UPDATE T SET k = CASE WHEN k IS NULL THEN id END WHERE id % 10 = 0' ],
	[ 'VACUUM after updates', vacuum('T') ],
	[ 'rows less', 'DELETE FROM T WHERE id % 4 = 0 OR g = 2' ],
	[ 'aborted deletion', 'BEGIN; DELETE FROM T WHERE id % 3 = 0; ROLLBACK' ],
	[ 'VACUUM after deletions', vacuum('T') ],
	[ 'places used again', 'INSERT(7001, 7900)' ],
	[ 'subtransactions',
		'BEGIN; INSERT(8001, 8100) SAVEPOINT a; INSERT(8101, 8200) DELETE FROM T WHERE id % 5 = 1; SAVEPOINT b; UPDATE T SET k = k + 3 WHERE id % 5 = 2; '
		  . 'ROLLBACK TO b; RELEASE b; SAVEPOINT c; DELETE FROM T WHERE id % 5 = 3; RELEASE c; ROLLBACK TO a; INSERT(8201, 8300) COMMIT' ],
	[ 'VACUUM after them', vacuum('T') ],
	[ 'prepared', q{BEGIN; INSERT(9001, 9100) DELETE FROM T WHERE id % 13 = 0; UPDATE T SET k = k - 1 WHERE id % 13 = 1; PREPARE TRANSACTION 'one T'} ],
	[ 'prepared, to be aborted', q{BEGIN; INSERT(9101, 9500) DELETE FROM T WHERE id % 13 = 2; PREPARE TRANSACTION 'two T'} ],
	[ 'VACUUM beside them', vacuum('T') ],
	[ 'commit prepared', q{COMMIT PREPARED 'one T'} ],
	[ 'rollback prepared', q{ROLLBACK PREPARED 'two T'} ],
	[ 'VACUUM and FREEZE', 'VACUUM (INDEX_CLEANUP ON, FREEZE) T' ],
	[ 'VACUUM that leaves the index', 'DELETE FROM T WHERE id % 11 = 5; VACUUM (INDEX_CLEANUP OFF) T' ],
	[ 'a range away', 'DELETE FROM T WHERE k BETWEEN 10000 AND 7000000000000000000 OR g BETWEEN 6 AND 12; ' . vacuum('T') . '; ' . vacuum('T') ],
	[ 'leaves used again', 'INSERT(10001, 12000)' ],
	[ 'all away', 'DELETE FROM T; ' . vacuum('T') . '; ' . vacuum('T') ],
	[ 'the file shorter', 'VACUUM T' ],
	[ 'all anew', 'INSERT(1, 3000)' ],
);

sub go_through
{
	my ($label, $prefix, $kind, $kept, $each) = @_;
	$node->safe_psql('postgres', make_tables($prefix, $kind, 6000));
	my @sessions;
	# (Of a table that VACUUM saw empty the planner expects so little that it may take any index scan.)
	my $empty = 0;
	for my $step (@STEPS)
	{
		my ($name, $script) = @$step;
		next if $name =~ /file/ && $kept;
		$empty ||= $name eq 'all away';
		my @bad;
		$node->safe_psql('postgres', join '; ', of_shapes($prefix, $script));
		push @sessions, [ $name, open_session($node, 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT FROM pg_am') ];
		for my $old (@sessions)
		{
			my $bad = same_in($old->[1], !$empty, questions($prefix));
			push @bad, "since \"$old->[0]\": $bad" if $bad;
		}
		is(join("\n", @bad), '', "$label: $name");
		(shift @sessions)->[1]->quit while @sessions > $kept;
	}
	$_->[1]->quit for @sessions;
	return;
}
go_through('old snapshots', 'old_', '', 5);
go_through('new snapshots', 'new_', '', 0);
go_through('unlogged, old snapshots', 'unlogged_', 'UNLOGGED', 2);
go_through('unlogged, new snapshots', 'unlogged_new_', 'UNLOGGED', 0);
check_indexes($node, 'after these steps');

# ---- one's own rows -------------------------------------------------------------------------------------------------

# In one transaction, after each change; cursors see what was there when they were opened, whichever way they are moved.
for my $case ([ 'own_', '', 'READ COMMITTED' ], [ 'own_', '', 'REPEATABLE READ' ], [ 'own_', '', 'SERIALIZABLE' ],
	[ 'fleeting_', 'TEMP', 'READ COMMITTED' ], [ 'fleeting_', 'TEMP', 'REPEATABLE READ' ])
{
	my ($prefix, $kind, $isolation) = @$case;
	my $label = "$kind table, $isolation";
	my $session = open_session($node);
	is(run_in($session, "DROP TABLE IF EXISTS " . join(', ', of_shapes($prefix, 'T')) . ';' . make_tables($prefix, $kind, 3000)), '', "$label: tables");
	is(run_in($session, $_), '', "$label: VACUUM") for of_shapes($prefix, 'VACUUM T');
	run_in($session, "BEGIN ISOLATION LEVEL $isolation");
	my (@cursors, @moved, @bad);
	my @groups = of_shapes($prefix, 'T');
	my $grouped = "SELECT g, count(*), sum(g) FROM $groups[2] GROUP BY g ORDER BY g";
	my $ranges = "SELECT a, (SELECT count(*) FROM $groups[1] WHERE k BETWEEN a AND a + 3000000000000000000) FROM generate_series(-9000000000000000000, 6000000000000000000, 1000000000000000000) a";
	my $number = 0;
	for my $script ('SELECT 1', 'INSERT(3001, 3300)', 'DELETE FROM T WHERE id % 5 = 0', q{UPDATE T SET v = 'w' WHERE id % 5 = 1},
		'UPDATE T SET k = k + 7, g = 5 WHERE id % 5 = 2', 'SAVEPOINT a; INSERT(3301, 3600) DELETE FROM T WHERE id % 2 = 0',
		'ROLLBACK TO a', 'RELEASE a; SAVEPOINT b; INSERT(3601, 3900)', 'RELEASE b; DELETE FROM T WHERE id > 3700; INSERT(3901, 4000)')
	{
		my @statements = of_shapes($prefix, $script);
		# One savepoint for all.
		if ($script =~ /SAVEPOINT|ROLLBACK|RELEASE/)
		{
			my ($control, $rest) = $script =~ /^((?:(?:SAVEPOINT|ROLLBACK|RELEASE)[^;]*;? ?)+)(.*)$/;
			@statements = ($control, $rest ? of_shapes($prefix, $rest) : ());
		}
		for my $q (map { s/;\s*$//r } @statements)
		{
			my $answer = run_in($session, $q);
			push @bad, "$q: $answer" if $answer =~ /ERROR|FATAL|lost/;
		}
		my $bad = same_in($session, $isolation ne 'SERIALIZABLE', questions($prefix));
		push @bad, "$script: $bad" if $bad;
		$number++;
		# (Those that a savepoint makes end with it.)
		next if $script =~ /SAVEPOINT a|RELEASE a/;
		for my $q ($grouped, $ranges)
		{
			my $cursor = 'c' . @cursors;
			run_in($session, $_) for $BY_TABLE, "DECLARE ${cursor}t SCROLL CURSOR FOR $q", $BY_COUNT, "DECLARE ${cursor}c SCROLL CURSOR FOR $q";
			push @cursors, $cursor;
			# Some are asked for a part at once, the others when all has changed.
			push @moved, map { run_in($session, "FETCH 3 FROM $cursor$_") } 't', 'c' if $number % 2;
		}
	}
	is(join("\n", @bad), '', "$label: after every change");
	my ($opened, $different) = (scalar @cursors, '');
	for my $cursor (@cursors)
	{
		for my $move ('FETCH 2', 'MOVE 2', 'FETCH 3', 'FETCH BACKWARD 2', 'MOVE ABSOLUTE 5', 'FETCH NEXT', 'FETCH LAST', 'FETCH ABSOLUTE -3', 'MOVE FIRST', 'FETCH ALL')
		{
			my ($truth, $found) = map { run_in($session, $move =~ /MOVE/ ? "$move IN $cursor$_" : "$move FROM $cursor$_") } 't', 'c';
			$different .= "$cursor, $move: $found for $truth\n" if $found ne $truth || $truth =~ /ERROR|lost/;
		}
	}
	while (my ($truth, $found) = splice @moved, 0, 2) { $different .= "$found for $truth\n" if $truth ne $found }
	is($different, '', "$label: $opened cursors");
	run_in($session, $_) for $BY_TABLE, "DECLARE ht CURSOR WITH HOLD FOR $grouped", $BY_COUNT, "DECLARE hc CURSOR WITH HOLD FOR $grouped";
	run_in($session, "DELETE FROM $groups[2] WHERE g > 5");
	is(run_in($session, 'COMMIT'), '', "$label: commit");
	run_in($session, "DELETE FROM $groups[2] WHERE g < 5");
	my ($truth, $found) = map { run_in($session, "FETCH ALL FROM $_") } 'ht', 'hc';
	is($found, $truth, "$label: a cursor that outlives its transaction");
	like($truth, qr/^0\|\d+.*\n15\|/s, "$label: has what was there");
	is(same_in($session, 1, questions($prefix)), '', "$label: after it");
	$session->quit;
}

# ---- between two counts of one query --------------------------------------------------------------------------------

# A cursor counts a range a row; between the rows others insert, abort, and VACUUM removes. The snapshot stays.
$node->safe_psql('postgres', make_tables('between_', '', 6000));
$node->safe_psql('postgres', join '; ', of_shapes('between_', 'VACUUM T'));
for my $shape (0, 1, 3)
{
	my $table = (of_shapes('between_', 'T'))[$shape];
	my @range = $table =~ /serial/ ? (0, 70000) : ('-9000000000000000000', '9000000000000000000');
	my $condition = ($table =~ /pair/ ? 'g = n AND ' : '') . 'k BETWEEN a AND b';
	my $q = "SELECT n, a, (SELECT count(*) FROM $table WHERE $condition), (SELECT sum(k) FROM $table WHERE $condition) FROM "
	  . "(SELECT n, $range[0] + n * 1000 AS a, $range[1] - n * 1000 AS b FROM generate_series(1, 12) n) v";
	my $session = open_session($node, 'BEGIN ISOLATION LEVEL REPEATABLE READ', $BY_TABLE, "DECLARE truth CURSOR FOR $q",
		$BY_COUNT, "DECLARE counts CURSOR FOR $q");
	like(run_in($session, "EXPLAIN (COSTS OFF) $q"), qr/LearnedAggregate/, "$table: the plan counts for each row") if $PLANS_COUNT;
	my @found = run_in($session, 'FETCH 1 FROM counts');
	my ($insert) = (of_shapes('between_', 'INSERT(6001, 6500)'))[$shape];
	for my $change ("BEGIN; $insert ROLLBACK", vacuum($table), "BEGIN; $insert ROLLBACK", vacuum($table), $insert, vacuum($table),
		"DELETE FROM $table WHERE id % 3 = 0", vacuum($table), "UPDATE $table SET k = k + 1", vacuum($table), "DELETE FROM $table")
	{
		$node->safe_psql('postgres', $change);
		push @found, run_in($session, 'FETCH 1 FROM counts');
	}
	is(join("\n", @found), run_in($session, 'FETCH ALL FROM truth'), "$table: counts of one query, between which others change the table");
	# One's own aborted rows, which anybody's VACUUM removes at once.
	run_in($session, $_) for 'COMMIT', vacuum($table), 'BEGIN ISOLATION LEVEL REPEATABLE READ', $BY_TABLE, "DECLARE truth CURSOR FOR $q", $BY_COUNT,
	  "DECLARE counts CURSOR FOR $q";
	@found = run_in($session, 'FETCH 1 FROM counts');
	for my $round (1 .. 3)
	{
		run_in($session, $_) for 'SAVEPOINT s', $insert =~ s/;$//r;
		push @found, run_in($session, 'FETCH 2 FROM counts');
		run_in($session, 'ROLLBACK TO s');
		push @found, run_in($session, 'FETCH 1 FROM counts');
		$node->safe_psql('postgres', vacuum($table));
	}
	push @found, run_in($session, 'FETCH ALL FROM counts');
	is(join("\n", @found), run_in($session, 'FETCH ALL FROM truth'), "$table: and between which subtransactions abort");
	$session->quit;
}

# ---- in the middle of a count ---------------------------------------------------------------------------------------

# A count stops before the leaf in the middle: it has read those before, not those behind, and has looked at the visibility map. (An OFFSET of more
# than half of the rows gets there.)
for my $kind ($IS_LEARNED ? ('', 'UNLOGGED') : ())
{
	my $prefix = $kind ? 'stop_unlogged_' : 'stop_';
	for my $shape (grep { $SHAPES[$_]{name} =~ /random|pair/ } 0 .. $#SHAPES)
	{
		my $of = $SHAPES[$shape];
		my $table = "$prefix$of->{name}";
		my ($first, $words) = $of->{name} eq 'pair' ? ('g', 2) : ('k', 1);
		my ($low, $high) = $first eq 'g' ? ('g < 4', 'g > 12') : ('k < -5000000000000000000', 'k > 5000000000000000000');
		my @to = $first eq 'g' ? ('g = 14', 'g = 1') : ("k = 7000000000000000000 + id", "k = -7000000000000000000 - id");
		# Nothing goes to the leaf that is held, nor to the one on its left, which could be divided: whoever wanted to change it would wait.
		my $rows = sub { return fill($of, $table, @_) =~ s/FROM (generate_series.*);/FROM $1 WHERE ELSEWHERE;/r };
		my %changes = (
			'nothing' => [],
			'rows before and behind, committed' => [ $rows->(20001, 23000) ],
			'rows before and behind, aborted' => [ 'BEGIN; ' . $rows->(20001, 23000) . ' ROLLBACK' ],
			'rows that go' => ["DELETE FROM $table WHERE id % 3 = 0"],
			'updates' => ["UPDATE $table SET v = v || 'z' WHERE id % 3 = 0 AND ELSEWHERE"],
			'updates in place' => ["UPDATE $table SET v = v || 'z' WHERE id % 50 = 0"],
			'keys that move from before to behind' => ["UPDATE $table SET $to[0] WHERE $low"],
			'keys that move from behind to before' => ["UPDATE $table SET $to[1] WHERE $high"],
			'subtransactions' => [
				'BEGIN; SAVEPOINT a; ' . $rows->(30001, 31000) . " DELETE FROM $table WHERE id % 2 = 0; ROLLBACK TO a; " . $rows->(31001, 31500) . ' COMMIT' ],
			'the same place twice' =>
			  [ 'BEGIN; ' . $rows->(20001, 20200) . ' ROLLBACK', 'BEGIN; ' . $rows->(21001, 21200) . ' ROLLBACK', $rows->(22001, 22200) ],
		);
		my @q = $first eq 'g' ? ("SELECT g, count(*), min(k), max(k), sum(k) FROM $table WHERE g >= 0 GROUP BY g ORDER BY g",
			"SELECT g, k FROM $table ORDER BY g, k OFFSET 6000 LIMIT 5", "SELECT g, k FROM $table ORDER BY g, k OFFSET " . random_int(4200, 5000) . ' LIMIT 5')
		  : ("SELECT k FROM $table ORDER BY k OFFSET 6000 LIMIT 5", "SELECT k FROM $table WHERE k IS NOT NULL ORDER BY k OFFSET " . random_int(4200, 5000) . ' LIMIT 5',
			"SELECT count(*), sum(k), min(k), max(k) FROM $table WHERE k IS NOT NULL", "SELECT count(*) FROM $table WHERE k > -9000000000000000000");
		for my $change (sort keys %changes)
		{
			$node->safe_psql('postgres', "DROP TABLE IF EXISTS $table;" . make_tables($prefix, $kind, 8000, $of->{name}));
			query($node, $change =~ /place/ ? "VACUUM $table" : "DELETE FROM $table WHERE id % 200 = 7");
			query($node, vacuum($table)) if $change !~ /nothing/;
			my @leaves = leaves($node, "${table}_k", $words);
			cmp_ok(scalar(@leaves), '>', 5, "$table: " . @leaves . ' leaves');
			my ($from, $to) = map { unpack('q', pack('Q', $leaves[ @leaves / 2 + $_ ][1] ^ 1 << 63)) } -1, 1;
			my $values = $first eq 'k' ? $of->{key} : 'nullif(hashint4(i) & 15, 3)';
			while_stopped(
				$node, "$table, $change", pick(@q), "${table}_k", $leaves[ @leaves / 2 ][0],
				sub {
					for my $script (@{ $changes{$change} })
					{
						# (Of an update, by the column; of new rows, by what comes into it.)
						my $of_rows = $script =~ /UPDATE/ ? $first : $values;
						$node->safe_psql('postgres', $script =~ s/ELSEWHERE/(($of_rows) BETWEEN $from AND $to) IS FALSE/gr);
					}
				});
			is(query($node, "SELECT compare(\$q\$$_\$q\$)") // '', $PLANS_COUNT ? 1 : 0, "$table: after $change") for $q[0];
		}
	}
}
check_indexes($node, 'after stops');

# All visible before and after, and not in between: a row whose transaction aborts comes behind the place where a count stopped, the
# count sees its entry; VACUUM removes it and makes its block all-visible again before the count ends. That end is held up at a
# block of the table that is new, so that VACUUM does not come to it. (An index-only scan would have its leaf pinned there, and
# VACUUM wait for it.)
for my $kind ($PLANS_COUNT ? ('', 'UNLOGGED') : ())
{
	my $table = $kind ? 'counter_unlogged' : 'counter';
	query($node, qq{
CREATE $kind TABLE $table (k int8, v text);
ALTER TABLE $table ALTER v SET STORAGE PLAIN;
INSERT INTO $table SELECT hashint8extended(i, 1), 'x' FROM generate_series(1, 8000) i;
CREATE INDEX ${table}_k ON $table USING $AM (k);});
	query($node, "VACUUM $table");
	my $blocks = query($node, "SELECT pg_relation_size('$table') / 8192");
	is(query($node, "SELECT relallvisible FROM pg_class WHERE relname = '$table'"), $blocks, "$table: all visible before");
	my @leaves = leaves($node, "${table}_k", 1);
	my ($vacuum, $heap, $place);
	while_stopped(
		$node, "$table: aborted row, VACUUM in between", "SELECT count(*) FROM $table WHERE k IS NOT NULL", "${table}_k", $leaves[2][0],
		sub {
			my ($pid) = @_;
			# (Their place is in the last block; VACUUM makes room there, but not enough for what comes then.)
			my $behind = ($leaves[5][1] ^ (1 << 63)) + 1;
			$place = query($node, "BEGIN; INSERT INTO $table SELECT $behind + i, 'x' FROM generate_series(1, 7) i RETURNING split_part(ctid::text, ',', 1); ROLLBACK");
			like($place, qr/^(\(@{[$blocks - 1]}\n?)+$/, "$table: the rows came to a block that was all-visible");
			$vacuum = open_session($node);
			my $other = run_in($vacuum, 'SELECT pg_backend_pid()');
			start_in($vacuum, vacuum($table));
			ok(wait_until_stopped($node, $other), "$table: VACUUM waits, too");
			is(query($node, "INSERT INTO $table SELECT 9000000000000000000, repeat('u', 8000) RETURNING split_part(ctid::text, ',', 1)"),
				"($blocks", "$table: a block more");
			$heap = hold_page($node, $table, $blocks);
		},
		then => sub {
			my ($pid) = @_;
			is(finish_in($vacuum), '', "$table: VACUUM ends");
			$vacuum->quit;
			is(query($node, "SELECT relallvisible FROM pg_class WHERE relname = '$table'"), $blocks, "$table: all visible after");
			ok(wait_until_stopped($node, $pid), "$table: before the count has ended");
			ok(release_page($heap), "$table: which ends then");
		});
}
$node->stop;

# ---- rows that VACUUM removed although an old snapshot sees them -----------------------------------------------------

# (Through 16 it may, where old_snapshot_threshold allows it.) Their leaves have changed: no number.
if ($node->pg_version < 17)
{
	$node->append_conf('postgresql.conf', 'old_snapshot_threshold = 0');
	$node->start;
	my %changes = (
		deleted => 'DELETE FROM T WHERE k % 2 = 0',
		added => 'INSERT INTO T SELECT generate_series(5001, 6000)',
		moved => 'UPDATE T SET k = -k');
	my @tables = sort keys %changes;
	for my $table (@tables)
	{
		query($node, "CREATE TABLE $table AS SELECT generate_series(1, 5000)::int8 AS k; CREATE INDEX ${table}_k ON $table USING $AM (k)");
		query($node, "VACUUM ANALYZE $table");
	}
	my %old = map { $_ => open_session($node, 'SET enable_seqscan = off', 'BEGIN ISOLATION LEVEL REPEATABLE READ') } @tables;
	for my $table (@tables)
	{
		is(run_in($old{$table}, "SELECT count(*) FROM $table"), 5000, "$table: before");
		like(run_in($old{$table}, "EXPLAIN (COSTS OFF) SELECT count(*) FROM $table"), qr/LearnedAggregate/, 'in the index') if $PLANS_COUNT;
	}
	# (A snapshot is old after five seconds, whatever the setting, and later transactions have been.)
	sleep(6);
	my $too_old = 0;
	for my $table (@tables)
	{
		query($node, $changes{$table} =~ s/\bT\b/$table/r);
		query($node, 'SELECT txid_current()') for 1 .. 3;
		query($node, "VACUUM (TRUNCATE OFF) $table") for 1, 2;
		my $answer = run_in($old{$table}, "SELECT count(*) FROM $table");
		like($answer, qr/^5000$|^ERROR:  72000: snapshot too old/, "$table: after VACUUM");
		$too_old += $answer =~ /too old/;
		$old{$table}->quit;
	}
	cmp_ok($too_old, '>', 1, 'rows were removed early');
	$node->stop;
}
report_calls();
done_testing();
