# Counting in the indexes of a standby: in every snapshot, while replay inserts, aborts, VACUUMs and uses pages again, before and in the
# middle of a count; where a conflict cancels it or makes replay wait; through promotion, and behind it. Each count is compared with a
# sequential scan of the same snapshot.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use CountingTest;
use Test::More;

plan skip_all => 'the pages are learned\'s' unless $IS_LEARNED;

start_seed();
my $primary = new_node('primary', lasting => 1, allows_streaming => 1);
$primary->append_conf('postgresql.conf', qq{
learned_index.enable_aggregates = on
wal_keep_size = 1GB
max_standby_streaming_delay = -1
hot_standby_feedback = off
wal_receiver_status_interval = 1s
});
$primary->start;
prepare_database($primary);
prepare_counting($primary);
my $standby = standby_of($primary);

sub vacuum { return "VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) $_[0]" }

sub on_primary
{
	my (@scripts) = @_;
	$primary->safe_psql('postgres', $_) for @scripts;
	$primary->wait_for_catchup($standby);
	return;
}

sub configure
{
	my ($settings) = @_;
	$standby->append_conf('postgresql.conf', $settings);
	$standby->reload;
	# (A reload is seen some time later.)
	for my $setting ($settings =~ /^(\w+ = -?\w+)/mg)
	{
		my ($name, $value) = split / = /, $setting;
		$standby->poll_query_until('postgres', "SELECT current_setting('$name') = '$value'");
	}
	return;
}

# ---- step by step ---------------------------------------------------------------------------------------------------

my @STEPS = (
	[ 'all visible', 'VACUUM T' ],
	[ 'rows more', 'INSERT(6001, 6400)' ],
	[ 'aborted rows', 'BEGIN; INSERT(6401, 6900) ROLLBACK' ],
	[ 'their removal', vacuum('T') ],
	[ 'HOT updates', q{UPDATE T SET v = v || 'y' WHERE id % 7 = 0} ],
	[ 'keys that change', 'UPDATE T SET k = -k, g = nullif(g + 1, 16) WHERE id % 6 = 1' ],
	[ 'rows less', 'DELETE FROM T WHERE id % 4 = 0 OR g = 2' ],
	[ 'VACUUM', vacuum('T') ],
	[ 'places used again', 'INSERT(7001, 7900)' ],
	[ 'a range away', 'DELETE FROM T WHERE k BETWEEN 10000 AND 7000000000000000000 OR g BETWEEN 6 AND 12; ' . vacuum('T') . '; ' . vacuum('T') ],
	[ 'leaves used again', 'INSERT(10001, 12000)' ],
	[ 'VACUUM and FREEZE', 'VACUUM (INDEX_CLEANUP ON, FREEZE, TRUNCATE OFF) T' ]);

# With feedback VACUUM leaves what an old snapshot of the standby may see; without, there is none.
for my $feedback ('on', 'off')
{
	my $prefix = "${feedback}_";
	configure("hot_standby_feedback = $feedback\n");
	on_primary(make_tables($prefix, '', 6000));
	my @old;
	for my $step (@STEPS)
	{
		my ($name, $script) = @$step;
		on_primary(join '; ', of_shapes($prefix, $script));
		my @bad;
		push @old, [ $name, open_session($standby, 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT FROM pg_am') ];
		for my $session (@old)
		{
			my $bad = same_in($session->[1], 1, questions($prefix));
			push @bad, "since \"$session->[0]\": $bad" if $bad;
		}
		is(join("\n", @bad), '', "feedback $feedback: $name");
		(shift @old)->[1]->quit while @old > ($feedback eq 'on' ? 4 : 0);
		$primary->poll_query_until('postgres', 'SELECT count(backend_xmin) > 0 FROM pg_stat_replication') if $feedback eq 'on';
	}
	$_->[1]->quit for @old;
}

# ---- in the middle of a count ---------------------------------------------------------------------------------------

my $number = 0;

# A table with all rows visible, as many blocks as it has, and its leaves.
sub fresh_table
{
	my $table = 'middle_' . ++$number;
	on_primary(qq{
CREATE TABLE $table (k int8, v text);
INSERT INTO $table SELECT hashint8extended(i, 1), 'x' FROM generate_series(1, 8000) i;
CREATE INDEX ${table}_k ON $table USING $AM (k);
VACUUM $table;
});
	return ($table, query($primary, "SELECT pg_relation_size('$table') / 8192"), leaves($standby, "${table}_k", 1));
}

# Keys of a leaf that are no row's.
sub keys_of
{
	my ($leaf, $n) = @_;
	return '(' . unpack('q', pack('Q', ($leaf->[1] ^ 1 << 63) + 1)) . '::int8 + generate_series(1, ' . $n . '))';
}
my $whole = 'SELECT count(*), min(k), max(k), sum(k) FROM %s WHERE k IS NOT NULL';

# All visible before and after, and not in between: the count stops before a leaf; an aborted row comes behind it; the count reads its
# entry, and stops again; VACUUM removes it, and its block is all-visible once more before the count ends.
{
	my ($table, $blocks, @leaves) = fresh_table();
	my $later;
	while_stopped(
		$standby, 'aborted row, VACUUM in between', sprintf($whole, $table), "${table}_k", $leaves[2][0],
		sub {
			my $place = query($primary, "BEGIN; INSERT INTO $table SELECT " . keys_of($leaves[4], 7) . ", 'x' RETURNING split_part(ctid::text, ',', 1); ROLLBACK");
			like($place, qr/^(\(@{[$blocks - 1]}\n?)+$/, 'the rows came to a block that was all-visible');
			$primary->wait_for_catchup($standby);
			$later = hold_page($standby, "${table}_k", $leaves[6][0]);
		},
		then => sub {
			my ($pid) = @_;
			ok(wait_until_stopped($standby, $pid), 'the count has read their entries and stops again');
			on_primary(vacuum($table));
			is(query($standby, "SELECT relallvisible FROM pg_class WHERE relname = '$table'"), $blocks, 'all is visible again');
			ok(release_page($later), 'the count goes on');
		});
}

# Replay changes leaves before and behind the place where a count has stopped. (Nothing removes versions that it sees, or finds rows
# that came later to be visible to all: replay of that would wait for the count.)
for my $case (
	[ 'aborted rows behind', sub { ("BEGIN; INSERT INTO T SELECT BEHIND, 'x'; ROLLBACK") } ],
	[ 'aborted rows behind and VACUUM', sub { ("BEGIN; INSERT INTO T SELECT BEHIND, 'x'; ROLLBACK", vacuum('T')) } ],
	[ 'aborted rows, VACUUM, and other rows in their places',
		sub { ("BEGIN; INSERT INTO T SELECT BEHIND, 'x'; ROLLBACK", vacuum('T'), "INSERT INTO T SELECT FAR, 'x'", "BEGIN; INSERT INTO T SELECT BEHIND, 'x'; ROLLBACK") } ],
	[ 'rows before and behind', sub { ("INSERT INTO T SELECT BEHIND, 'x'", "INSERT INTO T SELECT BEFORE, 'x'") } ],
	[ 'many rows, leaves that are divided', sub { ("INSERT INTO T SELECT BEHIND - 1 + i, 'x' FROM generate_series(1, 30) i") } ],
	[ 'keys that move', sub { 'UPDATE T SET k = CASE WHEN k > 0 THEN -k ELSE k / 2 + 4611686018427387904 END WHERE k < -7000000000000000000 OR k > 8000000000000000000' } ],
	[ 'updates in place', sub { "UPDATE T SET v = 'y' WHERE k > BOUND" } ],
	[ 'deletions', sub { 'DELETE FROM T WHERE hashint8(k) % 3 = 1' } ])
{
	my ($name, $scripts) = @$case;
	my ($table, $blocks, @leaves) = fresh_table();
	while_stopped(
		$standby, $name, sprintf($whole, $table), "${table}_k", $leaves[3][0],
		sub {
			my %at = (BOUND => unpack('q', pack('Q', $leaves[5][1] ^ 1 << 63)), BEHIND => keys_of($leaves[5], 50), FAR => keys_of($leaves[7], 50), BEFORE => keys_of($leaves[0], 50));
			for my $script ($scripts->())
			{
				on_primary($script =~ s/\bT\b/$table/gr =~ s/\b(BEHIND|FAR|BEFORE|BOUND)\b/$at{$1}/gr);
			}
		});
}

# What VACUUM removes the snapshot may see: replay waits for the count, or cancels it.
for my $delay (-1, 0)
{
	my ($table, $blocks, @leaves) = fresh_table();
	configure("max_standby_streaming_delay = $delay\n") if $delay == 0;
	my $from = unpack('q', pack('Q', $leaves[5][1] ^ 1 << 63));
	my $waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'startup' AND wait_event LIKE 'RecoveryConflict%'";
	my $answer = while_stopped(
		$standby, "conflict, delay $delay", sprintf($whole, $table), "${table}_k", $leaves[3][0],
		sub {
			$primary->safe_psql('postgres', "DELETE FROM $table WHERE k > $from");
			$primary->safe_psql('postgres', vacuum($table));
			ok($standby->poll_query_until('postgres', $waits), 'replay waits for the count') if $delay == -1;
		},
		either => $delay == 0 ? qr/ERROR:  40001: canceling statement due to conflict with recovery|FATAL|lost/ : undef);
	like($answer, qr/^8000\|/, 'the count is of all rows') if $delay == -1;
	# (Without delay whatever the primary prunes, of its catalogs too, would cancel what is asked now.)
	configure("max_standby_streaming_delay = -1\n") if $delay == 0;
	$primary->wait_for_catchup($standby);
	my $session = open_session($standby);
	is(same_in($session, 1, sprintf($whole, $table)), '', "conflict, delay $delay: afterwards");
	$session->quit;
}

# ---- promotion ------------------------------------------------------------------------------------------------------

# One count has stopped, one has its snapshot, a cursor has counted in part, plans are kept; then the server is no standby any more, and
# is written to.
my ($table, $blocks, @leaves) = fresh_table();
on_primary(make_tables('unlogged_', 'UNLOGGED', 3000, 'random'));
my $q = "SELECT n, (SELECT count(*) FROM $table WHERE k > -9000000000000000000 + n) FROM generate_series(1, 6) n";
my @questions = (sprintf($whole, $table), questions('on_'));
my $old = open_session($standby, 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT FROM pg_am');
my $cursor = open_session($standby, 'BEGIN ISOLATION LEVEL REPEATABLE READ', $BY_TABLE, "DECLARE truth CURSOR FOR $q", $BY_COUNT, "DECLARE counts CURSOR FOR $q");
my $plans = open_session($standby, $BY_COUNT =~ s/SET LOCAL/SET/gr, "PREPARE counts AS SELECT count(*), sum(k) FROM $table WHERE k > 0", 'EXECUTE counts');
my @found = run_in($cursor, 'FETCH 2 FROM counts');
is(same_in($old, 1, @questions), '', 'before promotion');
$primary->wait_for_catchup($standby);
while_stopped(
	$standby, 'promotion', sprintf($whole, $table), "${table}_k", $leaves[3][0],
	sub {
		$primary->stop;
		$standby->promote;
		$standby->safe_psql('postgres', $_) for "BEGIN; INSERT INTO $table SELECT " . keys_of($leaves[5], 50) . ", 'x'; ROLLBACK",
		  "INSERT INTO $table SELECT " . keys_of($leaves[6], 50) . ", 'x'", "DELETE FROM $table WHERE hashint8(k) % 5 = 0";
	},
	# (19 does not end the promotion while a page is held: it is let go after a time, then. The answer must be right.)
	either => qr/(?!)/);
push @found, run_in($cursor, 'FETCH 2 FROM counts');
is(same_in($old, 1, @questions), '', 'after promotion, in a snapshot from before it');
$standby->safe_psql('postgres', $_) for vacuum($table), join('; ', of_shapes('on_', 'INSERT(20001, 20500)')), "BEGIN; INSERT INTO $table SELECT generate_series(1, 300); ROLLBACK", vacuum($table);
push @found, run_in($cursor, 'FETCH ALL FROM counts');
is(join("\n", @found), run_in($cursor, 'FETCH ALL FROM truth'), 'a cursor that counted before and after');
is(same_in($old, 1, @questions), '', 'after VACUUM, in a snapshot from before promotion');
$_->quit for $old, $cursor;
$standby->safe_psql('postgres', vacuum($table));
is(run_in($plans, 'EXECUTE counts'), query($standby, "BEGIN; $BY_TABLE SELECT count(*), sum(k) FROM $table WHERE k > 0; COMMIT"), 'a plan from before promotion');
is(same_in($plans, 1, @questions), '', 'after promotion');
is(run_in($plans, 'SELECT count(*) FROM unlogged_random'), 0, 'an unlogged table begins empty');
run_in($plans, fill($SHAPES[1], 'unlogged_random', 1, 2000) =~ s/;$//r);
is(same_in($plans, 0, map { s/\bT\b/unlogged_random/r } @{ $SHAPES[1]{ask} }), '', 'and is counted');
$plans->quit;
check_indexes($standby, 'promoted');
$standby->stop;
report_calls();
done_testing();
