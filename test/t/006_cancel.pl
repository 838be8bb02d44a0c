# Cancelling build, scan, VACUUM, check and sample returns within a second or so and leaves nothing broken; so
# does a build that runs out of temporary files or of disk space.
#
# LEARNED_TEST_ROWS   rows of the large table (default 1.2 million)

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use Test::More;
use Time::HiRes qw(time sleep);
use PostgreSQL::Test::Utils;

start_seed();
my $rows = $ENV{LEARNED_TEST_ROWS} || 1_200_000;
# How long a statement may go on after it was asked to stop; generous to a loaded machine.
my $patience = 1.5;

my $node = new_node('cancel', lasting => 1, extra => ['--wal-segsize=1']);
$node->append_conf('postgresql.conf', "shared_buffers = 256MB\nmax_wal_size = 4GB\nautovacuum = off\n");
$node->start;
prepare_database($node);
$node->safe_psql('postgres', qq{
CREATE TABLE large (k int8, id int8) WITH (autovacuum_enabled = off);
INSERT INTO large SELECT hashint8extended(i, 1), i FROM generate_series(1, $rows) i;
VACUUM (FREEZE, ANALYZE) large;
CHECKPOINT;
});

my $build = "CREATE INDEX large_k ON large USING $AM (k)";
my %setting = (
	'in memory' => "SET max_parallel_maintenance_workers = 0; SET maintenance_work_mem = '256MB';",
	'spilling to disk' => "SET max_parallel_maintenance_workers = 0; SET maintenance_work_mem = '1MB';",
	'in parallel' => "SET max_parallel_maintenance_workers = 2; SET maintenance_work_mem = '256MB';",
	'in parallel, spilling to disk' => "SET max_parallel_maintenance_workers = 2; SET maintenance_work_mem = '1MB';",
);
# Workers whatever the memory.
$node->safe_psql('postgres', 'ALTER TABLE large SET (parallel_workers = 2)');

sub indexes_of_large
{
	return query($node, "SELECT count(*) FROM pg_index WHERE indrelid = 'large'::regclass");
}

# Every file of the database directory has its entry in pg_class, and there are no temporary files.
sub no_litter
{
	my ($label) = @_;
	my $database = query($node, "SELECT oid FROM pg_database WHERE datname = 'postgres'");
	my $directory = $node->data_dir . "/base/$database";
	# Files of dropped relations go at the next checkpoint.
	$node->safe_psql('postgres', 'CHECKPOINT');
	my %known = map { $_ => 1 } split /\n/, query($node, "SELECT pg_relation_filenode(oid) FROM pg_class WHERE pg_relation_filenode(oid) IS NOT NULL");
	my %stray = map { $_ => 1 } grep { !$known{$_} } map { m{/(\d+)(?:_\w+)?(?:\.\d+)?$} ? $1 : () } glob("$directory/*");
	is(join(' ', sort keys %stray), '', "$label: no file is left behind");
	my @temporary = glob($node->data_dir . '/base/pgsql_tmp/*');
	is(scalar(@temporary), 0, "$label: no temporary file is left behind");
	return;
}

# Runs a statement with a timeout; it must be cancelled, and soon.  One that ended before is fast enough.
sub cancelled
{
	my ($label, $settings, $statement, $milliseconds) = @_;
	my ($code, $out, $err);
	my $start = time();
	($code, $out, $err) = $node->psql('postgres', "$settings\nSET statement_timeout = '${milliseconds}ms';\n$statement;");
	my $took = time() - $start;
	if ($code == 0)
	{
		note("$label: ended before it could be cancelled");
		return 0;
	}
	like($err, qr/canceling statement due to statement timeout/, "$label: cancelled after $milliseconds ms");
	cmp_ok($took, '<', $milliseconds / 1000 + $patience, "$label: in time");
	return 1;
}

# Building: at several moments, so that heap scan, sort and writing are all met. Keys of several words, in two of the ways.
my $build_of_two = "CREATE INDEX large_k ON large USING $AM (k, id)";
for my $case ((map { [ $_, $_, $build ] } sort keys %setting),
	map { [ "$_, of two columns", $_, $build_of_two ] } 'in memory', 'in parallel, spilling to disk')
{
	my ($kind, $way, $build) = @$case;
	local $setting{$kind} = $setting{$way};
	my $whole = elapsed(sub { $node->safe_psql('postgres', "$setting{$kind} $build") });
	note("build $kind takes $whole s");
	check_indexes($node, "built $kind");
	$node->safe_psql('postgres', 'DROP INDEX large_k');
	my $hits = 0;
	for my $part (0.05, 0.3, 0.6, 0.75, 0.9)
	{
		$hits += cancelled("build $kind", $setting{$kind}, $build, 1 + int($whole * $part * 1000));
		$node->safe_psql('postgres', 'DROP INDEX IF EXISTS large_k');
	}
	cmp_ok($hits, '>=', 2, "build $kind: some were cancelled on the way");
	is(indexes_of_large(), '0', "build $kind: no index remains");
	no_litter("build $kind");
}

# A backend that is told to by another one; concurrently built, it leaves an invalid index that can be dropped.
# (A fast machine may be done before it is asked to stop: then once more.)
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query($setting{'spilling to disk'});
my $victim = $session->query('SELECT pg_backend_pid()');
my $cancelled_at;
for my $attempt (1 .. 20)
{
	$session->{stdin} .= "CREATE INDEX CONCURRENTLY large_k ON large USING $AM (k);\n\\echo over\n";
	$session->{run}->pump_nb();
	$node->poll_query_until('postgres', qq{
SELECT EXISTS (SELECT FROM pg_stat_progress_create_index WHERE pid = $victim AND blocks_done > 100)
	OR EXISTS (SELECT FROM pg_index WHERE indrelid = 'large'::regclass AND indisvalid)});
	$cancelled_at = time();
	$node->safe_psql('postgres', "SELECT pg_cancel_backend($victim)");
	$session->{run}->pump() until $session->{stdout} =~ /over/ || time() - $cancelled_at > 30;
	last if indexes_of_large() ne query($node, "SELECT count(*) FROM pg_index WHERE indrelid = 'large'::regclass AND indisvalid");
	note("attempt $attempt: built before it could be cancelled");
	$session->{stdout} = '';
	$node->safe_psql('postgres', 'DROP INDEX large_k');
}
cmp_ok(time() - $cancelled_at, '<', $patience, 'pg_cancel_backend: concurrent build stops in time');
$session->quit;
is(query($node, "SELECT count(*) FROM pg_index WHERE indrelid = 'large'::regclass AND NOT indisvalid"), '1',
	'a cancelled concurrent build leaves an invalid index, as with any access method');
$node->safe_psql('postgres', 'DROP INDEX large_k');
no_litter('concurrent build');

# A build that may not use the disk it needs.
my ($code, $out, $err);
for my $kind ('spilling to disk', 'in parallel, spilling to disk')
{
	($code, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$setting{$kind} SET temp_file_limit = '4MB'; $build;");
	isnt($code, 0, "$kind: temp_file_limit stops the build");
	like($err, qr/53400: temporary file size exceeds "?temp_file_limit"?/, "$kind: with the error of the server");
	is(indexes_of_large(), '0', "$kind: no index remains");
	no_litter("$kind, temp_file_limit");
}

# A server that cannot write files beyond a size: the build fails as on a full disk.
$node->stop;
{
	my $pages = 8 * 1024;    # the index would be larger than 8 MB, WAL segments are smaller
	my $start = 'ulimit -f ' . $pages . ' && exec pg_ctl -w -D "$0" -l "$1" -o "--wal-level=minimal --max-wal-senders=0" start';
	local $ENV{PGAPPNAME} = 'cancel';
	$node->append_conf('postgresql.conf', "logging_collector = off\n");
	my $small_log = $node->logfile . '.limited';
	is(system('bash', '-c', $start, $node->data_dir, $small_log), 0, 'the server starts with a limit on file sizes');
	($code, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$setting{'in memory'} BEGIN; $build; COMMIT;");
	isnt($code, 0, 'a full disk stops the build');
	like($err, qr/ERROR:  \w{5}: could not (extend|write)/, 'with the error of the server');
	is(indexes_of_large(), '0', 'full disk: no index remains');
	is(query($node, 'SELECT 1'), '1', 'full disk: the server is up');
	$node->close_sessions;
	is(system_log('pg_ctl', '-w', '-D', $node->data_dir, '-m', 'fast', 'stop'), 0, 'full disk: the server stops');
}
$node->start;
no_litter('full disk');

$node->safe_psql('postgres', "$setting{'in memory'} $build");
check_indexes($node, 'built after all');

# Scans that stay inside the index for long.
my %scan = (
	'index-only scan' => [ 'SET enable_seqscan = off; SET enable_bitmapscan = off;', 'SELECT count(*) FROM large WHERE k IS NOT NULL' ],
	'backward scan' => [ 'SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off;', 'SELECT sum(k) FROM (SELECT k FROM large ORDER BY k DESC OFFSET 0) s' ],
	'bitmap scan' => [ 'SET enable_seqscan = off; SET enable_indexscan = off; SET enable_indexonlyscan = off;', 'SELECT count(*) FROM large WHERE k > -9000000000000000000' ],
	'large array' => [ 'SET enable_seqscan = off; SET enable_bitmapscan = off;', "SELECT count(*) FROM large WHERE k = ANY (ARRAY(SELECT hashint8extended(i, 1) FROM generate_series(1, $rows, 3) i))" ],
	'check' => [ '', "SELECT learned_index_check('large_k', true)" ],
	'strict check' => [ '', "SELECT learned_index_check('large_k', true, true)" ],
	'stats' => [ '', "SELECT learned_index_stats('large_k')" ],
);
# Conditions that leave out the first column step through all of its values, and here nothing is found on the way.
$node->safe_psql('postgres', $build_of_two =~ s/large_k/large_two/r);
$scan{'skipping scan'} = [ 'SET enable_seqscan = off; SET enable_bitmapscan = off;', 'SELECT count(*) FROM large WHERE id IN (-1, -5, -7)' ];
$scan{'skipping bitmap scan'} = [ 'SET enable_seqscan = off; SET enable_indexscan = off; SET enable_indexonlyscan = off;', 'SELECT count(*) FROM large WHERE id < 0 AND k > -9000000000000000000' ];
$scan{'first rows of groups'} = [ 'SET enable_seqscan = off; SET enable_sort = off; SET enable_hashagg = off;', 'SELECT count(id) FROM (SELECT DISTINCT ON (k) k, id FROM large ORDER BY k, id) s' ];
$scan{'counting groups'} = [ 'SET learned_index.enable_aggregates = on; SET enable_seqscan = off; SET cpu_index_tuple_cost = 1;', 'SELECT count(*) FROM (SELECT k, count(*), sum(k) FROM large GROUP BY k OFFSET 0) s' ] if $IS_LEARNED;
$scan{'rows by their numbers'} = [ 'SET learned_index.enable_aggregates = on; SET enable_seqscan = off;', 'SELECT count(k) FROM generate_series(1, 3000) g, LATERAL (SELECT k FROM large ORDER BY k OFFSET 100000 + g LIMIT 1) s' ] if $IS_LEARNED;
$scan{'check of two columns'} = [ '', "SELECT learned_index_check('large_two', true)" ];
if ($IS_LEARNED)
{
	$scan{"sample of $_->[0]"} = [ '', "SELECT count(*) FROM learned_index_sample('large_k', $_->[1])" ] for [ many => int($rows / 4) ], [ all => $rows ];
	$scan{histograms} = [ '', "SELECT count(*) FROM generate_series(1, 20) i, learned_index_histogram('large_two', 10000 + 0 * i)" ];
}
delete $scan{stats} unless $IS_LEARNED;
for my $name (sort keys %scan)
{
	my ($settings, $statement) = @{ $scan{$name} };
	my $whole = elapsed(sub { $node->safe_psql('postgres', "$settings $statement") });
	note("$name takes $whole s");
	cancelled($name, $settings, $statement, 1 + int($whole * $_ * 1000)) for 0.3, 0.7;
}
$node->safe_psql('postgres', 'DROP INDEX large_two');
is(query($node, 'SET enable_seqscan = off; SELECT count(*) FROM large WHERE k IS NOT NULL'), $rows, 'all rows are found after cancelled scans');

# Groups of several tables are sorted to be merged, which takes a good part of the time that counting them does: it stops at once, whenever.
if ($IS_LEARNED)
{
	my $many = 3 * $rows / 2;
	$node->safe_psql('postgres', qq{
CREATE TABLE halves (k int8) WITH (autovacuum_enabled = off);
CREATE TABLE other_half () INHERITS (halves) WITH (autovacuum_enabled = off);
INSERT INTO halves SELECT hashint8extended(i, 2) FROM generate_series(1, $many) i;
INSERT INTO other_half SELECT hashint8extended(i, 3) FROM generate_series(1, $many) i;
CREATE INDEX halves_k ON halves USING $AM (k);
CREATE INDEX other_half_k ON other_half USING $AM (k);
VACUUM halves, other_half;
});
	my $settings = "SET learned_index.enable_aggregates = on; SET enable_seqscan = off; SET cpu_index_tuple_cost = 1; SET max_parallel_workers_per_gather = 0; SET jit = off; SET work_mem = '2GB';";
	my $statement = 'SELECT count(*) FROM (SELECT k, count(*) FROM halves GROUP BY k OFFSET 0) s';
	like(query($node, "$settings EXPLAIN $statement"), qr/LearnedAggregate/, 'groups of two tables are merged');
	my $whole = elapsed(sub { $node->safe_psql('postgres', "$settings $statement") });
	note("merging groups takes $whole s");
	my $longest = 0;
	my $cancelled = 0;
	for my $part (0.4, 0.5, 0.6, 0.7, 0.8)
	{
		my $milliseconds = 1 + int($whole * $part * 1000);
		my ($code, $out, $err);
		my $took = elapsed(sub { ($code, $out, $err) = $node->psql('postgres', "$settings SET statement_timeout = $milliseconds; $statement") });
		next if $code == 0;
		$cancelled++;
		my $late = $took - $milliseconds / 1000;
		$longest = $late if $late > $longest;
	}
	cmp_ok($cancelled, '>=', 2, 'merging groups: some were cancelled on the way');
	cmp_ok($longest, '<', 0.15 + 0.1 * $whole, 'merging groups: in time');
	$node->safe_psql('postgres', 'DROP TABLE halves CASCADE');
}

# VACUUM: cancelled while it works and while it sleeps; it must not sleep with a page locked.
$node->safe_psql('postgres', 'DELETE FROM large WHERE id % 10 = 0');
my $delay = 'SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1; SET vacuum_cost_page_hit = 1;';
my $vacuum = 'VACUUM (INDEX_CLEANUP ON) large';
cancelled('VACUUM', '', $vacuum, $_) for 30, 300;
# Heap pages are scanned at full speed before; make the index the part that waits.
my $sleeper = $node->background_psql('postgres', on_error_stop => 0);
$victim = $sleeper->query('SELECT pg_backend_pid()');
$sleeper->{stdin} .= "$vacuum;\n\\echo over\n";
$sleeper->{run}->pump_nb();
$node->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM pg_stat_progress_vacuum WHERE pid = $victim AND phase = 'vacuuming indexes') OR NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $victim AND state = 'active')");
$cancelled_at = time();
$node->safe_psql('postgres', "SELECT pg_cancel_backend($victim)");
$sleeper->{run}->pump() until $sleeper->{stdout} =~ /over/ || time() - $cancelled_at > 30;
cmp_ok(time() - $cancelled_at, '<', $patience, 'VACUUM of the index stops in time');
$sleeper->quit;
cancelled('VACUUM with delays', $delay, $vacuum, 1500);
check_indexes($node, 'after cancelled VACUUMs');
$node->safe_psql('postgres', $vacuum);
check_indexes($node, 'after a complete VACUUM');
is(query($node, 'SET enable_seqscan = off; SELECT count(*) FROM large WHERE k IS NOT NULL'), $rows - $rows / 10, 'the right rows remain');

# Inserts in bulk.
cancelled('insert', '', "INSERT INTO large SELECT hashint8extended(i, 2), i FROM generate_series(1, $rows) i", 300);
cancelled('insert of one key', '', "INSERT INTO large SELECT 42, i FROM generate_series(1, $rows) i", 300);
check_indexes($node, 'after cancelled inserts');

$node->stop;
done_testing();
