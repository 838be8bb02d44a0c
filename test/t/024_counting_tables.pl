# Counting in an index under what happens to transactions and tables as a whole: serializable transactions, rows checked again after a
# wait, statements that change what they count, definitions that come and go, files made anew, nothing logged; and damage, of which
# no count may come.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use CountingTest;
use DamagedIndexes;
use Test::More;

start_seed();
# (Without the server's checksums, which would find damage first.)
my @initdb = `initdb --help` =~ /--no-data-checksums/ ? (extra => ['--no-data-checksums']) : ();
my $node = new_node('counting', lasting => 1, @initdb);
$node->append_conf('postgresql.conf', "learned_index.enable_aggregates = on\nmax_locks_per_transaction = 1000\nfull_page_writes = off\n");
$node->start;
prepare_database($node);
prepare_counting($node);
my $by_count = $BY_COUNT =~ s/SET LOCAL/SET/gr;

sub plan_counts
{
	my ($plan, $label) = @_;
	like($plan, qr/Learned(Aggregate|Offset)/, "$label: the plan counts") if $PLANS_COUNT;
	return;
}

# ---- serializable ---------------------------------------------------------------------------------------------------

# Each of two transactions counts in one table and changes the other so that the other's count is no longer right: one of them
# fails, as over nbtree. (A deletion touches no page of the index.) Where neither sees what the other changes, none fails.
sub failures
{
	my ($am, $prepared, $range, $change) = @_;
	$node->safe_psql('postgres', join '', map { qq{
DROP TABLE IF EXISTS skew_$_;
CREATE TABLE skew_$_ (k int8, v int8) WITH (fillfactor = 50);
INSERT INTO skew_$_ SELECT i, 0 FROM generate_series(1, 5000) i;
CREATE INDEX skew_${_}_k ON skew_$_ USING $am (k);
} } 1, 2);
	query($node, "VACUUM ANALYZE skew_$_") for 1, 2;
	my @sessions = map { open_session($node, $by_count, 'SET plan_cache_mode = force_generic_plan') } 1, 2;
	my @results;
	my $seen = '';
	for my $i (0, 1)
	{
		my $count = "SELECT count(*), max(k) FROM skew_" . ($i + 1) . " WHERE k BETWEEN $range";
		# Planned before it is known how isolated it will be.
		run_in($sessions[$i], "PREPARE counts AS $count");
		run_in($sessions[$i], 'EXECUTE counts') if $prepared;
		run_in($sessions[$i], 'BEGIN ISOLATION LEVEL SERIALIZABLE');
		$seen .= run_in($sessions[$i], 'EXPLAIN (COSTS OFF) EXECUTE counts') . "\n";
		push @results, run_in($sessions[$i], 'EXECUTE counts');
	}
	push @results, run_in($sessions[$_], $change =~ s/\bT\b/"skew_" . (2 - $_)/ger) for 0, 1;
	push @results, run_in($sessions[$_], 'COMMIT') for 0, 1;
	$_->quit for @sessions;
	my @failed = grep { /ERROR/ } @results;
	return (scalar(grep { /ERROR:  40001/ } @failed), scalar(@failed), $seen);
}
for my $range ('10 AND 20', '1 AND 4000')
{
	for my $change ([ 'a deletion', 'DELETE FROM T WHERE k = 15', 1 ],
		[ 'an update in place', 'UPDATE T SET v = 1 WHERE k = 15', 1 ],
		[ 'a key that goes', 'UPDATE T SET k = 4900 WHERE k = 15', 1 ],
		[ 'a key that comes', 'UPDATE T SET k = 15 WHERE k = 4950', 1 ],
		[ 'a row that comes', 'INSERT INTO T VALUES (15, 1)', 1 ],
		$range eq '10 AND 20' ? [ 'a deletion elsewhere', 'DELETE FROM T WHERE k = 4800', 0 ] : ())
	{
		my ($name, $sql, $expected) = @$change;
		my ($reference) = failures('btree', 0, $range, $sql);
		cmp_ok($reference, $expected ? '>=' : '==', $expected, "$range, $name: with nbtree $expected of the two fails") or next;
		for my $prepared (0, 1)
		{
			my ($serialization, $all, $plan) = failures($AM, $prepared, $range, $sql);
			is("$serialization of $all", "$reference of $reference", "$range, $name" . ($prepared ? ', prepared before' : '') . ': as many as with nbtree');
			plan_counts($plan, "$range, $name");
		}
	}
}

# ---- statements that count what they change -------------------------------------------------------------------------

$node->safe_psql('postgres', make_tables('', '', 6000));
$node->safe_psql('postgres', join '; ', of_shapes('', 'VACUUM ANALYZE T'));
{
	my $session = open_session($node, $by_count);
	my $truth = sub { return query($node, "SELECT by_table(\$q\$SELECT count(*), min(k), max(k) FROM random WHERE k > 0\$q\$)") =~ s/[()]//gr =~ tr/,/|/r };
	my $counts = 'SELECT count(*), min(k), max(k) FROM random WHERE k > 0';
	my $before = $truth->();
	is(run_in($session, "WITH gone AS (DELETE FROM random WHERE id % 7 = 0 RETURNING k) $counts"), $before, 'a count beside a deletion of the same statement');
	isnt($truth->(), $before, 'which took place');
	$before = $truth->();
	is(run_in($session, "WITH more AS (INSERT INTO random SELECT id, k - 1, g, v FROM random WHERE id % 3 = 0 RETURNING k), n AS (SELECT count(*) FROM more) SELECT s.* FROM n, ($counts) s"),
		$before, 'a count behind an insertion of the same statement');
	isnt($truth->(), $before, 'which took place');
	my $n = query($node, 'SELECT by_table($q$SELECT count(*) FROM random WHERE k < 0$q$)') =~ s/[()]//gr;
	run_in($session, 'INSERT INTO random (id, k) SELECT count(*), -1 FROM random WHERE k < 0');
	is(run_in($session, 'SELECT count(*), min(id), max(id) FROM random WHERE k = -1'), "1|$n|$n", 'an insertion of what was counted');

	# A function that changes the table: what it counts are its own rows, too; the query around it goes on in its snapshot.
	run_in($session, q{
CREATE FUNCTION change_and_count(n int) RETURNS int8 LANGUAGE plpgsql AS $$
DECLARE counted int8;
BEGIN
  INSERT INTO random SELECT i, i, 1, 'f' FROM generate_series(1, n) i;
  DELETE FROM random WHERE k BETWEEN 1 AND n / 2;
  SELECT count(*) INTO counted FROM random WHERE k BETWEEN 1 AND n;
  RETURN counted;
END $$;
CREATE FUNCTION outer_count(a int8, b int8) RETURNS int8 LANGUAGE sql STABLE AS 'SELECT count(*) FROM random WHERE k BETWEEN a AND b'});
	is(run_in($session, 'SELECT n, change_and_count(n), (SELECT count(*) FROM random WHERE k BETWEEN 1 AND n), outer_count(1, n) FROM generate_series(1000, 3000, 1000) n'),
		"1000|500|0|0\n2000|1000|0|0\n3000|2000|0|0", 'a function changes and counts');
	is(run_in($session, 'SELECT count(*) FROM random WHERE k BETWEEN 1 AND 3000'), 2000, 'after it');

	# A snapshot taken over from another transaction.
	my $exporter = open_session($node, 'BEGIN ISOLATION LEVEL REPEATABLE READ');
	my $snapshot = run_in($exporter, 'SELECT pg_export_snapshot()');
	query($node, 'DELETE FROM random WHERE k BETWEEN 1 AND 2000');
	query($node, 'VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) random');
	run_in($session, $_) for 'BEGIN ISOLATION LEVEL REPEATABLE READ', "SET TRANSACTION SNAPSHOT '$snapshot'";
	is(run_in($session, 'SELECT count(*) FROM random WHERE k BETWEEN 1 AND 3000'), 2000, 'a snapshot of another transaction');
	is(same_in($session, 0, questions('')), '', 'and all else in it');
	run_in($session, 'COMMIT');
	$exporter->quit;
	is(same_in($session, 1, questions('')), '', 'and in a new one');

	# A row for which one has waited is looked at again: the count beside it is of the statement's snapshot.
	query($node, 'CREATE TABLE shelf (a int8, b int8, n int8); INSERT INTO shelf SELECT i, i + 3000, 0 FROM generate_series(2001, 2003) i');
	my $first = open_session($node, 'BEGIN', 'UPDATE shelf SET b = b + 1 WHERE a = 2002');
	my $pid = run_in($session, 'SELECT pg_backend_pid()');
	start_in($session, 'UPDATE shelf SET n = (SELECT count(*) FROM random WHERE k BETWEEN a AND b) WHERE (SELECT count(*) FROM random WHERE k BETWEEN a AND b) > 0');
	ok($node->poll_query_until('postgres', "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $pid"), 'an update waits for a row');
	run_in($first, 'DELETE FROM random WHERE k BETWEEN 2501 AND 3000');
	run_in($first, 'COMMIT');
	$first->quit;
	is(finish_in($session), '', 'and goes on');
	is(query($node, 'SELECT a, b, n FROM shelf ORDER BY a'), "2001|5001|1000\n2002|5003|999\n2003|5003|998", 'it counted in its snapshot');
	plan_counts(run_in($session, 'EXPLAIN (COSTS OFF) UPDATE shelf SET n = (SELECT count(*) FROM random WHERE k BETWEEN a AND b)'), 'update');
	$session->quit;
}

# ---- definitions and files that change ------------------------------------------------------------------------------

$node->safe_psql('postgres', 'DROP TABLE ' . join(', ', of_shapes('', 'T')) . ';' . make_tables('', '', 6000));
$node->safe_psql('postgres', join '; ', of_shapes('', 'VACUUM ANALYZE T'));
{
	# One session with plans that it keeps. (While another one has a snapshot, nothing is made concurrently.)
	my $session = open_session($node, $by_count, 'SET plan_cache_mode = force_generic_plan');
	my @counts = ('SELECT count(*), sum(k) FROM random WHERE k > 0', 'SELECT g, count(*), max(k) FROM pair GROUP BY g ORDER BY g', 'SELECT count(*) FROM serial');
	run_in($session, "PREPARE p$_ AS $counts[$_]") for 0 .. $#counts;
	my $same = sub {
		my ($label) = @_;
		my @found = map { run_in($session, "EXECUTE p$_") } 0 .. $#counts;
		my @truth = map { my $q = $_; query($node, "BEGIN; $BY_TABLE $q; COMMIT") } @counts;
		is_deeply(\@found, \@truth, $label);
		is(same_in($session, 0, questions('')), '', "$label: all questions");
		return;
	};
	$same->('plans kept, at first');
	for my $script ('REINDEX TABLE T', 'REINDEX TABLE CONCURRENTLY T', 'DELETE FROM T WHERE id % 10 = 0; VACUUM FULL T', 'DELETE FROM T WHERE id % 10 = 1; REINDEX TABLE CONCURRENTLY T',
		'BEGIN; TRUNCATE T; INSERT(1, 100) ROLLBACK', 'BEGIN; DROP INDEX random_k; DELETE FROM T; ROLLBACK', 'DELETE FROM T WHERE id % 10 = 2; ALTER TABLE T SET UNLOGGED', 'INSERT(6001, 6500)',
		'ALTER TABLE T SET LOGGED', 'TRUNCATE T', 'INSERT(1, 5000)', 'BEGIN; DELETE FROM T WHERE id % 2 = 0; TRUNCATE T; INSERT(1, 700) COMMIT', 'ALTER TABLE T ALTER k TYPE int8 USING k + 1')
	{
		$node->safe_psql('postgres', join '; ', of_shapes('', $script));
		$same->("after $script");
	}
	# Indexes that come and go beside writers. An insertion that is not over holds the build up.
	query($node, 'DROP INDEX random_k');
	$same->('without an index');
	my $writer = open_session($node, 'BEGIN', fill($SHAPES[1], 'random', 5001, 5500) =~ s/;$//r, 'SAVEPOINT a', fill($SHAPES[1], 'random', 5501, 5700) =~ s/;$//r, 'ROLLBACK TO a');
	my $builder = open_session($node);
	my $pid = run_in($builder, 'SELECT pg_backend_pid()');
	start_in($builder, "CREATE INDEX CONCURRENTLY random_k ON random USING $AM (k)");
	my $held_up = "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $pid";
	ok($node->poll_query_until('postgres', $held_up), 'a build waits for a writer');
	$same->('an index that is being built');
	my $second = open_session($node, 'BEGIN', 'DELETE FROM random WHERE id % 9 = 0', 'UPDATE random SET k = k + 1 WHERE id % 9 = 1');
	query($node, 'BEGIN; ' . fill($SHAPES[1], 'random', 8001, 8300) . ' ROLLBACK');
	run_in($writer, 'COMMIT');
	ok($node->poll_query_until('postgres', $held_up), 'and for the next one');
	query($node, fill($SHAPES[1], 'random', 9001, 9200));
	$same->('an index that is being built, with some rows');
	run_in($second, 'COMMIT');
	is(finish_in($builder), '', 'it is built');
	$same->('an index that was built beside writers');
	$_->quit for $writer, $second, $builder;
	query($node, 'VACUUM random');
	$same->('and VACUUM');
	$session->quit;

	# Chains of versions with several keys: an old snapshot may not use an index that was made afterwards.
	query($node, "CREATE TABLE chains (k int8, v int8) WITH (fillfactor = 30); INSERT INTO chains SELECT i, i FROM generate_series(1, 3000) i");
	my $old = open_session($node, 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT count(*) FROM pg_am');
	query($node, 'UPDATE chains SET k = k + 5000 WHERE v % 2 = 0; UPDATE chains SET k = k + 5000 WHERE v % 4 = 0; DELETE FROM chains WHERE v % 5 = 1');
	query($node, "CREATE INDEX chains_k ON chains USING $AM (k)");
	query($node, 'UPDATE chains SET v = -v WHERE v % 3 = 0');
	my @questions = ('SELECT count(*), sum(k) FROM chains WHERE k BETWEEN 1 AND 6000', 'SELECT count(*) FROM chains WHERE k > 5000', 'SELECT count(*) FROM chains');
	is(same_in($old, 0, @questions), '', 'an index that is younger than the snapshot');
	is(run_in($old, $questions[2]), 3000, 'of all rows');
	my $new = open_session($node);
	is(same_in($new, 0, @questions), '', 'and a new snapshot');
	$_->quit for $old, $new;
	# Rows that only an old snapshot sees go into a new index.
	query($node, "CREATE TABLE late (k int8); INSERT INTO late SELECT generate_series(1, 5000)");
	$old = open_session($node, 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT count(*) FROM pg_am');
	query($node, 'DELETE FROM late WHERE k % 3 = 0');
	query($node, 'INSERT INTO late SELECT generate_series(6000, 6100)');
	query($node, "CREATE INDEX late_k ON late USING $AM (k)");
	query($node, 'VACUUM (TRUNCATE OFF) late');
	@questions = map { s/chains/late/r } @questions;
	is(same_in($old, 0, @questions), '', 'rows deleted before the index was made');
	is(run_in($old, 'SELECT count(*), max(k) FROM late WHERE k > 10'), '4990|5000', 'are there for the old snapshot');
	$old->quit;
	query($node, 'VACUUM late');
	$new = open_session($node);
	is(same_in($new, 1, @questions), '', 'and not for a new one');
	$new->quit;
}

# Leaves that are emptied, joined and used again for other keys, below a snapshot and between the counts of a cursor.
for my $kind ('', 'UNLOGGED')
{
	my $table = $kind ? 'reuse_unlogged' : 'reuse';
	query($node, qq{
CREATE $kind TABLE $table (id int, k int8);
INSERT INTO $table SELECT i, hashint8extended(i, 1) FROM generate_series(1, 20000) i;
CREATE INDEX ${table}_k ON $table USING $AM (k);
DELETE FROM $table WHERE k BETWEEN -7000000000000000000 AND 7000000000000000000 AND id % 100 <> 0;});
	query($node, "VACUUM (INDEX_CLEANUP ON) $table") for 1, 2;
	my $size = query($node, "SELECT pg_relation_size('${table}_k')");
	my $q = "SELECT n, (SELECT count(*) FROM $table WHERE k BETWEEN a AND a + 8000000000000000000) FROM (SELECT n, -9200000000000000000 + n * 500000000000000000 AS a FROM generate_series(0, 18) n) s";
	my $session = open_session($node, 'BEGIN ISOLATION LEVEL REPEATABLE READ', $BY_TABLE, "DECLARE truth CURSOR FOR $q", $BY_COUNT, "DECLARE counts CURSOR FOR $q");
	my @questions = ("SELECT count(*), min(k), max(k), sum(k) FROM $table WHERE k IS NOT NULL", "SELECT count(*) FROM $table WHERE k > 0", "SELECT count(*) FROM $table WHERE k < 6000000000000000000");
	my ($bad, $found) = ('', '');
	for my $round (1 .. 6)
	{
		$found .= run_in($session, 'FETCH 3 FROM counts') . "\n";
		my $base = 10**18 * ($round - 4);
		query($node, "INSERT INTO $table SELECT i, $base + hashint4(i) * 1000::int8 FROM generate_series(1, 3000) i");
		$bad .= same_in($session, 1, @questions);
		query($node, "DELETE FROM $table WHERE k BETWEEN $base - 2147483649000 AND $base + 2147483648000 AND k % 50 <> 0");
		query($node, "VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) $table");
		$bad .= same_in($session, 1, @questions);
	}
	is($bad, '', "$table: in an old snapshot");
	$found .= run_in($session, 'FETCH ALL FROM counts');
	is($found, run_in($session, 'FETCH ALL FROM truth'), "$table: between the counts of a cursor");
	$session->quit;
	# (What the snapshot kept goes only now.)
	query($node, "VACUUM (INDEX_CLEANUP ON) $table");
	cmp_ok(query($node, "SELECT pg_relation_size('${table}_k')"), '<', $size * 3, "$table: blocks were used again");
	my $fresh = open_session($node);
	is(same_in($fresh, 1, @questions), '', "$table: in a new snapshot");
	$fresh->quit;
}
check_indexes($node, 'after all that');

# A count that is cancelled leaves nothing locked or pinned.
if ($IS_LEARNED)
{
	my $q = 'SELECT count(*), sum(k) FROM reuse WHERE k IS NOT NULL';
	my @leaves = leaves($node, 'reuse_k', 1);
	my $answer = while_stopped($node, 'a count is cancelled', $q, 'reuse_k', $leaves[ @leaves / 2 ][0],
		sub { query($node, "DELETE FROM reuse WHERE id % 3 = 0"); query($node, "SELECT pg_cancel_backend($_[0])") }, either => qr/ERROR:  57014/);
	like($answer, qr/ERROR:  57014|^\d+\|/, 'cancelled');
	is(query($node, "SET statement_timeout = '20s'; VACUUM (FREEZE, INDEX_CLEANUP ON) reuse"), '', 'VACUUM need not wait for it');
}

# ---- damage ---------------------------------------------------------------------------------------------------------

# Bytes of leaves are flipped, in copies of one index; a count over all of it reads each leaf, and must not give a number.
if ($IS_LEARNED)
{
	my $copies = 120;
	query($node, 'DROP TABLE IF EXISTS ' . join(', ', of_shapes('', 'T')) . ', reuse, reuse_unlogged');
	for my $name ('plain', 'two')
	{
		create_template($node, $copies, $name);
		my @counts = $name eq 'plain' ? ('SELECT count(*) FROM T', 'SELECT count(*), min(k), max(k), sum(k) FROM T', 'SELECT k FROM T ORDER BY k OFFSET 1000000')
		  : ('SELECT g, count(*), sum(k), max(k) FROM T GROUP BY g', 'SELECT g, k FROM T ORDER BY g DESC NULLS LAST, k OFFSET 1000000');
		my @truth = map { query($node, "SELECT by_table(\$q\$$_\$q\$)") } map { s/\bT\b/template/r } @counts;
		plan_counts(query($node, "$by_count EXPLAIN (COSTS OFF) " . s/\bT\b/template/r), $_) for @counts;
		# Each answer, or the error in its place.
		query($node, q{
CREATE OR REPLACE FUNCTION try_count(relation text, step text, q text) RETURNS TABLE (s text, outcome text) LANGUAGE plpgsql AS $$
BEGIN
  s := step;
  outcome := by_count(q) || CASE WHEN counted(q) THEN '' ELSE ' not counted' END;
  RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
  outcome := SQLSTATE || ' ' || SQLERRM;
  RETURN NEXT;
END $$});
		my %files = index_files($node);
		$node->stop;
		my @pages = template_pages($node, \%files);
		my @leaves = grep { page_kind($pages[$_], $_) =~ ($name eq 'plain' ? qr{^(key|null) leaf} : qr{^key leaf}) } 1 .. $#pages;
		my @flips = random_flips(\@pages, \@leaves, $copies);
		# One among the entries, of which it is known where it will be found.
		$flips[1] = [ (grep { page_kind($pages[$_], $_) =~ /^key leaf/ } @leaves)[0], 200, 0x55 ];
		my @damages = flipped_pages(\@pages, @flips);
		$damages[0][1] = join('', @pages);
		my ($alive, @outcomes) = DamagedIndexes::try_damaged(
			$node, \%files,
			sub { my ($i) = @_; return join '', map { "SELECT * FROM try_count('damaged_$i', 'count_$_', \$q\$" . $counts[$_] =~ s/\bT\b/damaged_$i/r . "\$q\$);\n" } 0 .. $#counts },
			@damages);
		ok($alive, "$name: the server survived");
		is_deeply($outcomes[0], { map { +"count_$_" => $truth[$_] } 0 .. $#counts }, "$name: an undamaged copy is counted");
		my @numbers;
		for my $i (1 .. $#flips)
		{
			my $label = sprintf('%s, block %d offset %d mask 0x%02x', page_kind($pages[ $flips[$i][0] ], $flips[$i][0]), @{ $flips[$i] });
			push @numbers, map { my $o = $outcomes[$i]{"count_$_"} // 'nothing'; $o =~ /^(XX00[12] |0A000 .*newer format)/ ? () : "$label, $counts[$_]: $o" } 0 .. $#counts;
		}
		is(join("\n", @numbers), '', "$name: every flip led to an error that says so");
		$node->start;
		like(query_error($node, "$by_count SELECT count(*) FROM damaged_1"), qr/XX00[12]: index "damaged_1_k" block $flips[1][0]: .*HINT: .*REINDEX/s, "$name: with index, block and a hint")
		  if $name eq 'plain' && $outcomes[1]{count_0} =~ /^XX/;
	}
}

# A leaf that is sound, but not the one whose rows were counted: between counting and finding somebody puts back what it was some time ago.
if ($IS_LEARNED)
{
	my $groups = 'SELECT g, percentile_disc(0.5) WITHIN GROUP (ORDER BY k) FROM old_leaf GROUP BY g';
	like(query_error($node, qq{
CREATE TABLE old_leaf (g int4, k int4);
INSERT INTO old_leaf SELECT i % 5, i FROM generate_series(1, 200) i;
CREATE INDEX old_leaf_g_k ON old_leaf USING $AM (g, k);
CREATE TABLE old_page AS SELECT substr(read_page('old_leaf_g_k', 1), 11) AS bytes;
INSERT INTO old_leaf SELECT 4, i FROM generate_series(201, 260) i;
$by_count
BEGIN;
DECLARE c CURSOR FOR $groups;
FETCH 1 FROM c;
SELECT write_page('old_leaf_g_k', 1, 10, bytes) FROM old_page;
FETCH ALL FROM c;
}), qr/XX002: index "old_leaf_g_k" block 1: entries that were counted are gone.*HINT: .*REINDEX/s, 'a row that was counted and is not found');
	plan_counts(query($node, "$by_count EXPLAIN (COSTS OFF) $groups"), 'percentiles of groups');
}
$node->stop;

# ---- nothing logged -------------------------------------------------------------------------------------------------

# Where a table is made in the transaction that fills it, the WAL may know nothing of it: the LSNs of its pages say nothing.
$node = new_node('minimal', lasting => 1);
$node->append_conf('postgresql.conf', "learned_index.enable_aggregates = on\nwal_level = minimal\nmax_wal_senders = 0\nwal_skip_threshold = 0\n");
$node->start;
prepare_database($node);
prepare_counting($node);
{
	my $session = open_session($node, 'BEGIN', make_tables('made_', '', 5000) =~ s/;\s*$//r);
	my $table = (of_shapes('made_', 'T'))[1];
	my $all = sub { is(same_in($session, 1, questions('made_')), '', "minimal WAL: $_[0]"); return };
	my $each = sub { run_in($session, $_) for map { s/;\s*$//r } of_shapes('made_', $_[0]); return };
	$all->('made in the same transaction');
	my $q = "SELECT n, (SELECT count(*) FROM $table WHERE k >= -9000000000000000000 + n) FROM generate_series(1, 12) n";
	run_in($session, $_) for $BY_TABLE, "DECLARE truth CURSOR FOR $q", $BY_COUNT, "DECLARE counts CURSOR FOR $q";
	my @found = run_in($session, 'FETCH 1 FROM counts');
	run_in($session, 'SAVEPOINT a');
	$each->('INSERT(6001, 9000)');
	$all->('and a subtransaction');
	push @found, run_in($session, 'FETCH 2 FROM counts');
	run_in($session, 'ROLLBACK TO a');
	$all->('that aborts');
	$each->('DELETE FROM T WHERE id % 3 = 0');
	push @found, run_in($session, 'FETCH 2 FROM counts');
	$each->('UPDATE T SET k = k + 1 WHERE id % 3 = 1');
	$each->('INSERT(9001, 9500)');
	$all->('and changes');
	push @found, run_in($session, 'FETCH ALL FROM counts');
	is(join("\n", @found), run_in($session, 'FETCH ALL FROM truth'), 'minimal WAL: a cursor');
	run_in($session, 'COMMIT');
	$all->('after commit');
	query($node, "VACUUM $_") for of_shapes('made_', 'T');
	$all->('after VACUUM');
	# Frozen rows, visible at once.
	run_in($session, $_) for 'BEGIN', "CREATE TABLE frozen (LIKE $table); CREATE INDEX frozen_k ON frozen USING $AM (k)";
	my $copy = write_file('frozen.copy', join '', map { "$_\t" . $_ * 7 . "\t1\tx\n" } 1 .. 4000);
	is(run_in($session, "COPY frozen FROM '$copy' (FREEZE)"), '', 'frozen rows');
	my @questions = ('SELECT count(*), sum(k) FROM frozen WHERE k > 700', 'SELECT count(*) FROM frozen');
	is(same_in($session, 1, @questions), '', 'minimal WAL: frozen rows');
	# (Their blocks are all-visible; the last one has room.)
	$q = 'SELECT n, (SELECT count(*) FROM frozen WHERE k > n) FROM generate_series(1, 8) n';
	run_in($session, $_) for $BY_TABLE, "DECLARE truth CURSOR FOR $q", $BY_COUNT, "DECLARE counts CURSOR FOR $q";
	@found = run_in($session, 'FETCH 2 FROM counts');
	run_in($session, $_) for 'SAVEPOINT b', 'INSERT INTO frozen SELECT i, 500 + i, 1 FROM generate_series(1, 20) i';
	push @found, run_in($session, 'FETCH 2 FROM counts');
	run_in($session, 'ROLLBACK TO b');
	push @found, run_in($session, 'FETCH ALL FROM counts');
	is(join("\n", @found), run_in($session, 'FETCH ALL FROM truth'), 'minimal WAL: rows among frozen ones, between the counts of a cursor');
	run_in($session, $_) for 'SAVEPOINT b', 'DELETE FROM frozen WHERE id % 2 = 0';
	is(same_in($session, 1, @questions), '', 'minimal WAL: frozen rows, some of them deleted');
	run_in($session, $_) for 'ROLLBACK TO b', 'INSERT INTO frozen SELECT i, i, 1 FROM generate_series(1, 100) i';
	is(same_in($session, 1, @questions), '', 'minimal WAL: and some more');
	run_in($session, 'COMMIT');
	is(same_in($session, 1, @questions), '', 'minimal WAL: after commit');
	# An index alone.
	run_in($session, $_) for 'BEGIN', 'DROP INDEX frozen_k', "CREATE INDEX frozen_k ON frozen USING $AM (k)", 'INSERT INTO frozen SELECT i, -i, 1 FROM generate_series(1, 3000) i';
	is(same_in($session, 1, @questions), '', 'minimal WAL: a new index');
	run_in($session, 'COMMIT');
	$session->quit;
	$node->stop('immediate');
	$node->start;
	$session = open_session($node);
	is(same_in($session, 1, @questions, questions('made_')), '', 'minimal WAL: after a crash');
	$session->quit;
}
$node->stop;

# ---- names of time zones that are abbreviations ---------------------------------------------------------------------

# The server looks for abbreviations first, and a file may call any word one; since 18 those of the session's zone come before these: it is one
# that has no "utc". The zone that these stand for jumped back by a day in 1969.
if ($IS_LEARNED)
{
	my $program = server_elsewhere('abbreviations', qr/^$/, sub {
		my ($shared) = @_;
		open my $file, '>', "$shared/timezonesets/Jumps" or die "cannot write abbreviations: $!\n";
		print $file "\@INCLUDE Default\n\@OVERRIDE\npacific/ap Pacific/Kwajalein\nutc Pacific/Kwajalein\n";
		close $file;
	});
	my @control = ('pg_ctl', '-w', '-D', $node->data_dir, '-l', $node->logfile);
	ok(PostgreSQL::Test::Utils::system_log(@control, '-p', $program, 'start') == 0, 'a server with other abbreviations');
	query($node, "CREATE TABLE jumps (ts timestamptz);
INSERT INTO jumps SELECT t FROM generate_series(timestamptz '1969-09-01', '1969-11-01', '7 minutes') t;
CREATE INDEX jumps_ts ON jumps USING $AM (ts)");
	query($node, 'VACUUM ANALYZE jumps');
	for my $zone ('Pacific/Apia', 'utc')
	{
		my $ask = "SELECT (ts AT TIME ZONE '$zone')::date AS d, count(*) FROM jumps GROUP BY 1";
		my $other = "SET timezone_abbreviations = 'Jumps'; SET timezone = 'Asia/Tokyo';";
		my $truth = query($node, "$other SET learned_index.enable_aggregates = off; SELECT * FROM ($ask) q ORDER BY d");
		is(query($node, "$other $by_count SELECT * FROM ($ask) q ORDER BY d"), $truth, "$zone is an abbreviation");
		plan_counts(query($node, "$by_count EXPLAIN $ask"), "$zone is none that changes");
		like(query_error($node, "$by_count SET timezone = 'Asia/Tokyo'; PREPARE p AS $ask; SET plan_cache_mode = force_generic_plan; EXECUTE p; $other EXECUTE p"),
			qr/55000.*stands for another than when it was planned/, "$zone becomes one after the query was planned");
	}
	ok(PostgreSQL::Test::Utils::system_log(@control, '-m', 'fast', 'stop') == 0, 'the server with other abbreviations stops');
}
report_calls();
done_testing();
