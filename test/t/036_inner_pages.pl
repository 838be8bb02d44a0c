# VACUUM joins inner pages, and somebody is in the middle of something: a check or a histogram that has read the page above and waits for one that
# is joined meanwhile, a session that remembers the pages as they were, a standby, writers; and a server that is killed between two joins. Each must find what a
# sequential scan finds.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use ConcurrentLoad;
use IPC::Run ();
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'the pages are learned\'s' unless $IS_LEARNED;

start_seed();
my $seconds = seconds_setting(5);
my $library = build_module('pages');
my $node = new_node('inner', lasting => 1, allows_streaming => 1);
$node->append_conf('postgresql.conf', "autovacuum = off\nwal_consistency_checking = 'generic'\n");
$node->start;
prepare_database($node);

# Separators need all four columns, and no two of them lie on a line: a page has but two hundred children.
query($node, qq{
CREATE FUNCTION hold_page(relation regclass, block int, path text) RETURNS bool LANGUAGE c AS '$library';
CREATE FUNCTION read_page(index regclass, block int) RETURNS bytea LANGUAGE c AS '$library';
CREATE FUNCTION write_pages_before(index regclass, block int, pid int, pages bytea[]) RETURNS bool LANGUAGE c AS '$library';
CREATE TABLE state (number int, pages bytea[]);
CREATE TABLE wide (id int, a int8, b int8, c int8, d int8);
CREATE PROCEDURE fill(first int, last int) LANGUAGE sql AS \$\$
  INSERT INTO wide
  SELECT i, (g::int8 << 40) + (hashint8extended(g, 1) & ((1::int8 << 40) - 1)), hashint8extended(g, 2), hashint8extended(g, 3),
         (i % 4)::int8 << 60 | hashint8extended(i, 4) & ((1::int8 << 60) - 1)
    FROM generate_series(first, last) i, LATERAL (SELECT i / 4 AS g) v
\$\$;
CALL fill(1, 170000);
CREATE INDEX wide_k ON wide USING learned (a, b, c, d) WITH (fillfactor = 50);
});

# Rows that are looked up one by one, and whether they are what a sequential scan finds.
my $look_up = q{SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = on; SET enable_bitmapscan = off; SET enable_material = off;
SELECT count(DISTINCT s.id) = (SELECT count(DISTINCT id) FROM wide WHERE id % 41 = 0), count(*) > 50
  FROM (SELECT * FROM wide WHERE id % 41 = 0 OFFSET 0) s JOIN wide w ON (w.a, w.b, w.c, w.d, w.id) = (s.a, s.b, s.c, s.d, s.id)};
sub answers_are_right
{
	my ($server, $label) = @_;
	is(query($server, q{SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off;
SELECT count(*), sum(hashint8extended(d, id)) FROM (SELECT d, id FROM wide ORDER BY a, b, c, d) s}),
		query($server, 'SET enable_indexscan = off; SET enable_bitmapscan = off; SELECT count(*), sum(hashint8extended(d, id)) FROM wide'),
		"$label: the index has the rows of the table");
	return;
}

# Pages of level 1 from left to right, and the root above them.
sub level_1
{
	my %page = map { my @p = split /\|/; ($p[0] => $p[1]) }
	  split /\n/, query($node, q{SELECT block, coalesce(left_block, -1) FROM learned_index_pages('wide_k') WHERE kind = 'inner' AND tree = 'keys' AND level = 1});
	my %right = reverse %page;
	my @blocks;
	for (my $at = $right{-1}; defined $at; $at = $right{$at}) { push @blocks, $at; }
	return @blocks;
}

sub first_leaf
{
	my ($index) = @_;
	return query($node, qq{SELECT block FROM learned_index_pages('$index') WHERE kind = 'leaf' AND tree = 'keys' AND left_block IS NULL});
}

# A session that does something in the background.
sub in_background
{
	my ($sql) = @_;
	my %run = (out => '', err => '');
	$run{handle} = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres'), '-c', $sql ], '>', \$run{out}, '2>', \$run{err});
	return \%run;
}

# Holds a page of the index until it is let go.
sub hold
{
	my ($block) = @_;
	my $path = $node->basedir . "/page_$block";
	unlink $path, "$path.held";
	my $run = in_background("SELECT hold_page('wide_k', $block, '$path')");
	for (1 .. 1000) { last if -e "$path.held"; sleep(0.02); }
	ok(-e "$path.held", 'the page is held');
	$run->{path} = $path;
	return $run;
}
sub let_go
{
	my ($run) = @_;
	open my $file, '>', $run->{path} or die;
	close $file;
	$run->{handle}->finish;
	is($run->{out}, "t\n", 'the page was held until then');
	return;
}
# Waits until VACUUM waits for a page, for longer than it would for a moment's sake.
sub vacuum_waits
{
	my $looks = 0;
	for (1 .. 600)
	{
		my $event = query($node, q{SELECT max(wait_event) FROM pg_stat_activity WHERE query LIKE 'VACUUM%' AND (wait_event_type LIKE 'Buffer%' OR wait_event LIKE 'Buffer%')});
		$looks = $event eq '' ? 0 : $looks + 1;
		if ($looks == 5) { note("waits for $event"); return 1; }
		sleep(0.05);
	}
	return 0;
}
sub keep
{
	my ($number, $index) = @_;
	query($node, qq{INSERT INTO state SELECT $number, array_agg(substr(read_page('$index', b), 11) ORDER BY b)
FROM generate_series(1, (pg_relation_size('$index') / 8192)::int - 1) b});
	return;
}

my ($left, $gone, $behind, $last) = level_1();
ok(defined $last, 'there are four inner pages below the root') or BAIL_OUT('another shape of the index');
my $root = query($node, q{SELECT root FROM learned_index_metapage('wide_k')});
my ($seam, $end) = split /\n/, query($node, qq{SELECT min(w.id) FROM learned_index_entries('wide_k', $root) e, wide w
WHERE e.child IN ($gone, $behind) AND w.a >= e.key[1]::int8 GROUP BY e.child ORDER BY 1});

my $standby = standby_of($node);
my $remembers = $standby->background_psql('postgres');
my $also_remembers = $node->background_psql('postgres');
$_->set_query_timer_restart() for $remembers, $also_remembers;
is($remembers->query_safe($look_up), 't|t', 'a session of the standby has seen the pages');
is($also_remembers->query_safe($look_up), 't|t', 'and one of the primary');

# The first two lose most of their children, the second one not so many that it would be joined with the third. While the third is held, they cannot be joined: its left link would change.
query($node, "DELETE FROM wide WHERE id < $seam - 3000 OR id BETWEEN $seam AND $end - 26000 OR id = 170000");
my $holder = hold($behind);
my $vacuum = in_background('VACUUM (INDEX_CLEANUP ON, PARALLEL 0) wide');
ok(vacuum_waits(), 'VACUUM comes to the third');
let_go($holder);
$vacuum->{handle}->finish;
is($vacuum->{err}, '', 'VACUUM ends');
is((level_1())[1], $gone, 'nothing was joined');
check_indexes($node, 'before');
keep(1, 'wide_k');

# The next VACUUM joins them, and is killed before it comes to the end.
# (A row of its first leaves: nothing is to be done at the end of the index.)
query($node, "DELETE FROM wide WHERE id = $seam - 1");
$holder = hold($last);
$vacuum = in_background('VACUUM (INDEX_CLEANUP ON, PARALLEL 0) wide');
ok(vacuum_waits(), 'VACUUM comes to the fourth');
query($node, 'CREATE TABLE flushed ()');
my @pids = split /\n/, query($node, 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()');
$node->kill9;
kill 'KILL', @pids;
for (1 .. 100) { last unless grep { kill 0, $_ } @pids; sleep(0.1); }
eval { $_->{handle}->finish } for $holder, $vacuum;
eval { $also_remembers->quit };
my $started = 0;
for (1 .. 20) { last if $started = $node->start(fail_ok => 1); sleep(0.5); }
ok($started, 'the server recovers') or BAIL_OUT('no recovery: see ' . $node->logfile);
is(join(' ', (level_1())[0, 1]), "$left $behind", 'the first two are one');
is(query($node, "SELECT kind FROM learned_index_pages('wide_k') WHERE block = $gone"), 'deleted', 'and the second is free');
check_indexes($node, 'after recovery');
answers_are_right($node, 'after recovery');

# (Pages in the free space map, and what the last VACUUM left to do.)
$also_remembers = $node->background_psql('postgres');
$also_remembers->set_query_timer_restart();
is($also_remembers->query_safe($look_up), 't|t', 'after recovery: rows are found one by one');
query($node, 'VACUUM (INDEX_CLEANUP ON) wide');
keep(2, 'wide_k');
my @joined = level_1();
my $entries = query($node, q{SELECT count(*) FROM wide});
is(query($node, q{SELECT sum(entries), bool_and(exact) FROM learned_index_histogram('wide_k', 200)}), "$entries|t", 'a histogram counts all rows');
is(query($node, q{SELECT count(DISTINCT cardinality(pages)) FROM state}), 1, 'no block was added');

# Leaves only.
query($node, q{CREATE TABLE few AS SELECT hashint8extended(i, 1) AS a FROM generate_series(1, 5000) i;
CREATE INDEX few_k ON few USING learned (a);
DELETE FROM few WHERE a & 3 <> 0});
my $leaves = q{SELECT count(*) FILTER (WHERE kind = 'leaf') FROM learned_index_pages('few_k')};
my $leaves_before = query($node, $leaves);
keep(4, 'few_k');
query($node, 'VACUUM (INDEX_CLEANUP ON) few');
keep(5, 'few_k');
cmp_ok(query($node, $leaves), '<', $leaves_before - 3, 'leaves were joined');
my $few_entries = query($node, 'SELECT count(*) FROM few');

# Others have read the root as it was before, and wait for the first page; when they get it, it has become one with the second. Or the first one was divided, the root
# does not know of the second yet, and they wait for that: when they get it, both are one again.
query($node, qq{INSERT INTO state
SELECT 3, before.pages[:$root - 1] || after.pages[$root] || before.pages[$root + 1:] FROM state before, state after WHERE (before.number, after.number) = (1, 2)});
my $histogram = q{SELECT sum(entries), bool_and(exact) FROM learned_index_histogram('%s', 200)};
sub meets
{
	my ($index, $sql, $right_answer, $what, $first, $second, $awaited) = @_;
	my $write = "write_pages_before('$index', $awaited, %s, (SELECT pages FROM state WHERE number = %d))";
	my $reader = $node->background_psql('postgres', on_error_die => 0, on_error_stop => 0);
	my $pid = $reader->query_safe('SELECT pg_backend_pid()');
	my $writer = $node->background_psql('postgres', on_error_die => 1);
	is($writer->query_safe('SELECT ' . sprintf($write, -1, $first)), 't', "$what: the first state is back");
	is((level_1())[1], $gone, "$what: with the second page") if $first == 1;
	my $writer_pid = $writer->query_safe('SELECT pg_backend_pid()');
	$writer->{stdin} .= 'SELECT ' . sprintf($write, $pid, $second) . ";\n\\echo over\n";
	$writer->{run}->pump_nb();
	$node->poll_query_until('postgres', qq{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND pid = $writer_pid});
	is($reader->query("SET statement_timeout = '60s'; " . sprintf($sql, $index) . ';'), $right_answer, "$what: goes on from what is there now") or diag($reader->{stderr});
	$writer->{run}->pump() until $writer->{stdout} =~ /over/;
	like($writer->{stdout}, qr/^t\n/, "$what: was waiting for that page");
	is(join(' ', level_1()), join(' ', @joined), "$what: the second state is there") if $second == 2;
	$_->quit for $reader, $writer;
	# (What sessions remember of pages that were written so is of no history that there could be.)
	$node->close_sessions;
	return;
}
meets('wide_k', $histogram, "$entries|t", 'a histogram', 1, 2, $left);
meets('wide_k', q{SELECT learned_index_check('%s') IS NOT NULL}, 't', 'a check', 1, 2, $left);
meets('wide_k', $histogram, "$entries|t", 'a histogram between two halves', 3, 2, $gone);
meets('few_k', $histogram, "$few_entries|t", 'a histogram of leaves', 4, 5, first_leaf('few_k'));
check_indexes($node, 'after the states');

# What was freed becomes leaves and inner pages again, under sessions that remember what it was.
my $size = query($node, q{SELECT pg_relation_size('wide_k')});
query($node, "CALL fill(1, 60000)");
is($also_remembers->query_safe($look_up), 't|t', 'filled again: rows are found by who has seen the pages before');
is(query($node, "SELECT kind <> 'deleted' FROM learned_index_pages('wide_k') WHERE block = $gone"), 't', 'filled again: the freed page is in use');
check_indexes($node, 'filled again');
answers_are_right($node, 'filled again');
$node->wait_for_catchup($standby);
is($remembers->query_safe($look_up), 't|t', 'standby: rows are found by who has seen the pages before');
answers_are_right($standby, 'standby');
is(query($standby, q{SELECT learned_index_check('wide_k', heapallindexed => true)}), '', 'standby: the check finds no fault');
$_->quit for $remembers, $also_remembers;

# A page above has fewer leaves, when it is read again, than numbers were given out.
keep(6, 'wide_k');
query($node, 'DELETE FROM wide WHERE id % 4 <> 0');
query($node, 'VACUUM (INDEX_CLEANUP ON) wide');
keep(7, 'wide_k');
$entries = query($node, 'SELECT count(*) FROM wide');
meets('wide_k', $histogram, "$entries|t", 'a histogram of fewer leaves', 6, 7, first_leaf('wide_k'));
check_indexes($node, 'after more states');

# A queue, with readers, checks and VACUUM: each transaction moves as many rows as it takes away.
query($node, q{CREATE SEQUENCE behind START 400001; DELETE FROM wide; CALL fill(398001, 400000)});
my $rows = 2000;
my $load = start_pgbench($node, 3, $seconds,
	[ 'move', 3, q{BEGIN;
SELECT pg_advisory_xact_lock(7), nextval('behind') AS n \gset
CALL fill((400001 + (:n - 400001) * 200)::int, (400200 + (:n - 400001) * 200)::int);
DELETE FROM wide WHERE id <= 398200 + (:n - 400001) * 200;
COMMIT;
} ],
	[ 'look', 1, qq{BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off;
SELECT 1 / (count(*) = $rows)::int FROM (SELECT d FROM wide ORDER BY a, b, c, d) s;
COMMIT;
} ]);
my $until = time() + $seconds;
while (time() < $until)
{
	query($node, pick('VACUUM (INDEX_CLEANUP ON) wide', q{SELECT learned_index_check('wide_k', heapallindexed => true)},
		q{SELECT count(*) FROM learned_index_histogram('wide_k', 5)}));
	sleep(0.05);
}
my $moved = finish_pgbench($load, 'queue');
ok(defined $moved && $moved > 0, 'queue: nobody fails') and note("$moved transactions");
query($node, 'VACUUM (INDEX_CLEANUP ON) wide') for 1 .. 2;
cmp_ok(scalar(level_1()), '<=', 2, 'queue: no inner pages are left behind');
check_indexes($node, 'queue');
answers_are_right($node, 'queue');
$node->wait_for_catchup($standby);
answers_are_right($standby, 'queue, standby');
is(query($standby, q{SELECT learned_index_check('wide_k', heapallindexed => true)}), '', 'queue, standby: the check finds no fault');

$standby->stop;
$node->stop;
done_testing();
