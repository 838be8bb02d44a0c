# learned_index_check beside writers, VACUUM, splits and joins: in its default mode nobody waits for it, it raises no
# false alarm, and finds what the strict one finds.
#
# LEARNED_TEST_SECONDS   how long the load runs (default 20)

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use ConcurrentLoad;
use DamagedIndexes;
use Test::More;
use Time::HiRes qw(time sleep);
use PostgreSQL::Test::Utils;

plan skip_all => 'about learned_index_check' unless $IS_LEARNED;
start_seed();
my $seconds = seconds_setting(20);
# Without the server's checksums, which would find damage first.
my @initdb = `initdb --help` =~ /--no-data-checksums/ ? (extra => ['--no-data-checksums']) : ();
my $node = new_node('check', @initdb);
$node->append_conf('postgresql.conf', "shared_buffers = 4MB\nfull_page_writes = off\nmax_locks_per_transaction = 1000\n");
$node->start;
prepare_database($node);

# ---- locks --------------------------------------------------------------------------------------------------------

$node->safe_psql('postgres', qq{
CREATE TABLE busy (k int8);
INSERT INTO busy SELECT generate_series(1, 1000);
CREATE INDEX busy_k ON busy USING $AM (k);
});
my $writer = $node->background_psql('postgres', on_error_die => 1);
$writer->query_safe('BEGIN; INSERT INTO busy VALUES (0);');
my $patience = "SET lock_timeout = '300ms';";
query($node, "$patience SELECT learned_index_check('busy_k'), learned_index_check('busy_k', true)");
pass('the check does not wait for a writer');
like(query_error($node, "$patience SELECT learned_index_check('busy_k', strict => true)"),
	qr/ERROR:  55P03: canceling statement due to lock timeout/, 'the strict one does, and lock_timeout ends that');
# A check that is over but whose transaction goes on, and one that waits.
my $checker = $node->background_psql('postgres', on_error_die => 1);
$checker->query_safe("BEGIN; SELECT learned_index_check('busy_k', true);");
query($node, "$patience INSERT INTO busy VALUES (-1)");
pass('writers do not wait for a transaction that has checked');
$checker->query_safe('COMMIT');
my $pid = $checker->query_safe('SELECT pg_backend_pid()');
$checker->{stdin} .= "SET lock_timeout = 0; SELECT learned_index_check('busy_k', strict => true);\n\\echo over\n";
$checker->{run}->pump_nb();
$node->poll_query_until('postgres', "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $pid");
query($node, "$patience SELECT learned_index_check('busy_k', true)");
pass('nor does the check wait for a strict one that waits');
like(query_error($node, "$patience INSERT INTO busy VALUES (-2)"), qr/55P03/, 'but a writer does');
$writer->query_safe('COMMIT');
$checker->{run}->pump() until $checker->{stdout} =~ /over/;
query($node, "$patience INSERT INTO busy VALUES (-2)");
pass('until it is through');
$_->quit for $writer, $checker;

# Another session's temporary index: both functions refuse it in the same words.
my $owner = $node->background_psql('postgres', on_error_die => 1);
$owner->query_safe("CREATE TEMP TABLE theirs (k int8); CREATE INDEX theirs_k ON theirs USING $AM (k);");
my $theirs = $owner->query_safe("SELECT 'theirs_k'::regclass::oid");
my @refusals = map { query_error($node, "SELECT learned_index_$_") =~ s{LOCATION: .*}{}r } "check($theirs)", "stats($theirs)",
  "check($theirs, true)", "check($theirs, strict => true)";
like($refusals[0], qr/ERROR:  0A000: cannot access temporary tables of other sessions/, "another session's temporary index is refused");
is($_, $refusals[0], 'with the same error') for @refusals[ 1 .. 3 ];
$owner->quit;

# ---- a load -------------------------------------------------------------------------------------------------------

create_load_tables($node);
# Three levels; ranges of keys are filled and emptied again, so that leaves are split and joined everywhere.
for my $kind ('', 'unlogged')
{
	$node->safe_psql('postgres', qq{
CREATE $kind TABLE churn$kind (k int8, v int) WITH (autovacuum_enabled = off);
INSERT INTO churn$kind SELECT hashint8extended(i, 1), i FROM generate_series(1, 120000) i;
INSERT INTO churn$kind SELECT NULL, i FROM generate_series(1, 1000) i;
CREATE INDEX churn${kind}_k ON churn$kind USING $AM (k) WITH (fillfactor = 50);
CREATE INDEX churn${kind}_kw ON churn$kind USING $AM (k DESC, v) WITH (fillfactor = 50);
});
}
my @churners = map {
	[ "churn$_", 6, qq{
\\set base random(-4600, 4560)
\\set n random(1, 400)
BEGIN;
INSERT INTO churn$_ SELECT (:base + (hashint8(i) % 4)) * 2000000000000000 + hashint8extended(i, :n) % 2000000000000000, i FROM generate_series(1, :n) i;
INSERT INTO churn$_ SELECT NULL, i FROM generate_series(1, 20) i;
COMMIT;
} ], [ "clear$_", 3, qq{
\\set base random(-4600, 4560)
DELETE FROM churn$_ WHERE k BETWEEN :base * 2000000000000000 AND (:base + 40) * 2000000000000000;
DELETE FROM churn$_ WHERE ctid = ANY (ARRAY(SELECT ctid FROM churn$_ WHERE k IS NULL LIMIT 100));
} ]
} '', 'unlogged';
my $writers = start_pgbench($node, 5, $seconds, writer_scripts(), @churners);
my @names = qw(account_k batch_k pool_k claim_k unlogged_k stock_k stock_u churn_k churnunlogged_k churn_kw);
my $checks = start_pgbench($node, 3, $seconds, map {
	([ "structure_$_", 2, "SELECT learned_index_check('$_');\n" ], [ "rows_$_", 1, "SELECT learned_index_check('$_', true);\n" ])
} @names);
my $end = time() + $seconds;
my $vacuums = 0;
my ($deleted, $deleted_of_two) = (0, 0);
while (time() < $end - 1)
{
	$node->safe_psql('postgres', join('', map { "VACUUM (INDEX_CLEANUP ON) $_;\n" } qw(account batch pool claim unlogged stock churn churnunlogged)));
	$vacuums++;
	my $now = query($node, "SELECT (SELECT deleted_pages FROM learned_index_stats('churn_k')) + (SELECT deleted_pages FROM learned_index_stats('churnunlogged_k'))");
	$deleted = $now if $now > $deleted;
	$now = query($node, "SELECT deleted_pages FROM learned_index_stats('churn_kw')");
	$deleted_of_two = $now if $now > $deleted_of_two;
}
my $written = finish_pgbench($writers, 'writers');
my $checked = finish_pgbench($checks, 'checks');
ok(defined $written, 'writers ran without an error');
ok(defined $checked, 'the check raised no false alarm');
cmp_ok($checked // 0, '>', $seconds, 'it ran all the time');
cmp_ok($deleted, '>', 0, 'leaves were joined meanwhile');
cmp_ok($deleted_of_two, '>', 0, 'those of two columns, too');
diag('transactions ', $written // 'none', ', checks ', $checked // 'none', ", rounds of VACUUM $vacuums, most deleted pages $deleted");
final_state_is_right($node, 'after the load');

# Few leaves, which change all the time, and checks that are stopped for some milliseconds wherever they are: so the
# next page is seldom what the last one said.
$node->safe_psql('postgres', qq{
CREATE TABLE hot (k int8) WITH (autovacuum_enabled = off);
INSERT INTO hot SELECT hashint8extended(i, 1) FROM generate_series(1, 4000) i;
CREATE INDEX hot_k ON hot USING $AM (k) WITH (fillfactor = 50);
CREATE INDEX hot_kw ON hot USING $AM (k, (k % 100)) WITH (fillfactor = 50);
CREATE UNLOGGED TABLE warm (k int8) WITH (autovacuum_enabled = off);
INSERT INTO warm SELECT hashint8extended(i, 1) FROM generate_series(1, 4000) i;
CREATE INDEX warm_k ON warm USING $AM (k) WITH (fillfactor = 50);
CREATE INDEX warm_kw ON warm USING $AM (k, (k % 100)) WITH (fillfactor = 50);
});
$writers = start_pgbench($node, 4, $seconds, map {
	([ "fill_$_", 3, qq{
\\set n random(1, 1000000)
INSERT INTO $_ SELECT hashint8extended(i, :n) FROM generate_series(1, 400) i;
} ], [ "drain_$_", 2, qq{
\\set base random(-9, 7)
DELETE FROM $_ WHERE k BETWEEN :base * 1000000000000000000 AND (:base + 2) * 1000000000000000000;
} ])
} qw(hot warm));
my $vacuum = start_pgbench($node, 1, $seconds, [ 'vacuum', 1, "VACUUM (INDEX_CLEANUP ON) hot;\nVACUUM (INDEX_CLEANUP ON) warm;\n" ]);
$checks = start_pgbench($node, 3, $seconds, map {
	[ "stopped_$_", 1, "SELECT count(learned_index_check('${_}', i % 8 = 0)) FROM generate_series(1, 40) i;\n" ]
} qw(hot_k warm_k hot_kw warm_kw));
$end = time() + $seconds;
my @checkers;
while (@checkers < 3 && time() < $end - 2)
{
	@checkers = split /\n/, query($node, q{SELECT pid FROM pg_stat_activity WHERE query LIKE '%learned_index_check(%generate_series%' AND pid <> pg_backend_pid()});
}
my $stops = 0;
while (time() < $end - 2)
{
	$stops += kill 'STOP', @checkers;
	sleep(0.001 * random_int(2, 20));
	kill 'CONT', @checkers;
	sleep(0.001 * random_int(1, 4));
}
($written, $vacuums, $checked) = (finish_pgbench($writers, 'writers'), finish_pgbench($vacuum, 'VACUUM'), finish_pgbench($checks, 'checks'));
ok(defined $written && defined $vacuums, 'writers and VACUUM ran without an error');
ok(defined $checked, 'checks that were stopped on their way raised no false alarm');
cmp_ok($stops, '>', 10 * $seconds, 'and they were stopped often');
diag('transactions ', $written // 'none', ', checks ', 40 * ($checked // 0), ", rounds of VACUUM ", $vacuums // 'none', ", stops $stops");
check_indexes($node, 'after the stops');

# ---- damage -------------------------------------------------------------------------------------------------------

# What one page alone does not show: pages that are sound by themselves, but of another time or at another place.
# (On two columns, a smaller number.)
# Everything but what the server itself keeps.
sub content { return substr($_[0], 10) }
for my $case ([ '(k)', 160 ], [ '(k DESC, v)', 80 ])
{
	my ($index, $copies) = @$case;
	$node->safe_psql('postgres', join('', map { "DROP TABLE $_;\n" } split /\n/, query($node, q{SELECT relname FROM pg_class WHERE relname ~ '^(old|damaged_[0-9]+)$'})));
	$node->safe_psql('postgres', qq{
	CREATE TABLE old (k int8, v int GENERATED ALWAYS AS (hashint8(k) & 7) STORED) WITH (autovacuum_enabled = off);
	INSERT INTO old SELECT hashint8extended(i, 7) FROM generate_series(1, 30000) i;
	INSERT INTO old SELECT NULL FROM generate_series(1, 20000) i;
	CREATE INDEX old_k ON old USING $AM $index WITH (fillfactor = 100);
	DELETE FROM old WHERE k BETWEEN 0 AND 2000000000000000000;
	VACUUM (INDEX_CLEANUP ON) old;
	});
	$node->safe_psql('postgres', join('', map { "CREATE TABLE damaged_$_ (k int8, v int) WITH (autovacuum_enabled = off); CREATE INDEX damaged_${_}_k ON damaged_$_ USING $AM $index;\n" } 0 .. $copies - 1));
	my %files = map { split /\|/ } split /\n/,
	  query($node, q{SELECT relname, pg_relation_filepath(oid) FROM pg_class WHERE relname ~ '^(old|damaged_[0-9]+)_k$'});
	my $pages_now = sub {
		$node->safe_psql('postgres', 'CHECKPOINT');
		my $bytes = slurp_file($node->data_dir . "/$files{old_k}");
		return map { substr($bytes, $_ * $PAGE_SIZE, $PAGE_SIZE) } 0 .. length($bytes) / $PAGE_SIZE - 1;
	};
	my @before = $pages_now->();
	$node->safe_psql('postgres', q{
	INSERT INTO old SELECT hashint8extended(i, 8) FROM generate_series(1, 9000) i;
	DELETE FROM old WHERE k BETWEEN 4000000000000000000 AND 7000000000000000000;
	VACUUM (INDEX_CLEANUP ON) old;
	INSERT INTO old SELECT hashint8extended(i, 9) FROM generate_series(1, 3000) i;
	});
	my @after = $pages_now->();
	$node->stop;

	my @damages = ([ 'undamaged', join('', @after) ]);
	my %first_of;
	push @{ $first_of{ page_kind($after[$_], $_) } }, $_ for 0 .. $#after;
	for my $block (0 .. $#before)
	{
		next if content($before[$block]) eq content($after[$block]);
		my @changed = @after;
		$changed[$block] = $before[$block];
		push @damages, [ "block $block (" . page_kind($after[$block], $block) . ') as it was', join('', @changed) ];
	}
	# Some of them, of every kind; the few inner pages all, or it would be chance whether one is there that does not fit its children.
	while (@damages > $copies * 3 / 8)
	{
		my $i = random_int(1, $#damages);
		splice @damages, $i, 1 unless $damages[$i][0] =~ /inner/;
	}
	ok((grep { $damages[$_][0] =~ /inner/ } 1 .. $#damages), "$index: an inner page as it was is among them");
	for my $kind (sort keys %first_of)
	{
		next if $kind eq 'meta';
		my @blocks = @{ $first_of{$kind} };
		for (1 .. $copies / 13)
		{
			# Another page in its place; two changed places; lost.
			my $block = pick(@blocks);
			my $other = random_int(1, $#after);
			next if $other == $block;
			my @changed = @after;
			my $how = random_int(0, 2);
			@changed[ $block, $other ] = @after[ $how ? ($other, $block) : ($other, $other) ];
			$changed[$block] = "\0" x $PAGE_SIZE if $how == 2;
			push @damages, [ "block $block ($kind), other $other (" . page_kind($after[$other], $other) . "), way $how", join('', @changed) ];
		}
	}
	splice @damages, $copies if @damages > $copies;
	for my $i (0 .. $#damages)
	{
		open my $file, '>:raw', $node->data_dir . '/' . $files{"damaged_${i}_k"} or die;
		print $file $damages[$i][1];
		close $file;
	}
	$node->start;
	my ($code, $out, $err) = $node->psql('postgres', q{
	SET statement_timeout = '60s';
	CREATE OR REPLACE FUNCTION verdict(index regclass, strict boolean) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
	  PERFORM learned_index_check(index, false, strict);
	  RETURN 'sound';
	EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
	END $$;
	SELECT i, verdict(('damaged_' || i || '_k')::regclass, false), verdict(('damaged_' || i || '_k')::regclass, true)
	FROM generate_series(0, } . $#damages . q{) i ORDER BY i;
	});
	is($code, 0, "$index: all damaged indexes were checked") or diag($err);
	my (%noticed, @differ, @unclear);
	for my $line (split /\n/, $out)
	{
		my ($i, $verdict, $strict) = split /\|/, $line;
		is("$verdict, $strict", 'sound, sound', "$index: the undamaged one is sound") if $i == 0;
		push @differ, "$damages[$i][0]: $verdict, strict: $strict" if ($verdict eq 'sound') != ($strict eq 'sound');
		for ($verdict, $strict)
		{
			push @unclear, "$damages[$i][0]: $_" unless $_ eq 'sound' || /^XX00[12] /;
		}
		$noticed{ $verdict =~ s/.*block \d+: //r }++;
	}
	is(join("\n", @differ), '', "$index: the check finds damage wherever the strict one does");
	is(join("\n", @unclear), '', "$index: all errors are clear");
	my $found = 0;
	$found += $noticed{$_} for grep { $_ ne 'sound' } keys %noticed;
	cmp_ok($found, '>', $copies / 4, "$index: most damage is found without a look at the table");
	diag("$noticed{$_} times: $_") for sort keys %noticed;
	for my $fault ($index eq '(k)' ? ('left link does not lead to the left sibling', 'low fence is not the high fence of the left sibling') : ())
	{
		ok($noticed{$fault}, "$index: among it: $fault");
	}
	ok(scalar(grep { /downlink|separator/ } keys %noticed), "$index: and parents that do not fit their children");
	$node->stop('immediate');
	$node->start if $index eq '(k)';
}
done_testing();
