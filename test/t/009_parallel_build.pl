# CREATE INDEX with parallel workers: the same bytes as without them, for all kinds of columns and little memory;
# rows of other processes' HOT chains, old snapshots, failures here and there, and what must be built serially.
#
# LEARNED_TEST_ROWS   rows of the large table (default 150,000)

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use ConcurrentLoad;
use Test::More;
use Time::HiRes qw(time sleep);
use PostgreSQL::Test::Utils;

start_seed();
my $rows = $ENV{LEARNED_TEST_ROWS} || 150_000;
my $node = new_node('parallel', lasting => 1);
$node->append_conf('postgresql.conf', "max_worker_processes = 8\nmax_parallel_workers = 8\nsynchronize_seqscans = on\nautovacuum = on\nautovacuum_naptime = 1d\n");
$node->start;
prepare_database($node);
my $version = query($node, 'SHOW server_version_num');

my $parallel = "SET max_parallel_maintenance_workers = 2; SET client_min_messages = debug1;";
my $serial = "SET max_parallel_maintenance_workers = 0; SET client_min_messages = debug1;";

# Runs a statement and returns its error output, which has the server's debug messages.
sub messages
{
	my ($label, $statement) = @_;
	my ($code, $out, $err) = $node->psql('postgres', $statement);
	is($code, 0, "$label: no error") or diag($err);
	return $err;
}

# How many workers took part in the builds that the messages tell of. Of nbtree only the request is known.
sub workers
{
	my ($err) = @_;
	return join(' ', $err =~ /building learned index "\w+" with (\d+) of \d+ parallel workers/g) if $IS_LEARNED;
	return join(' ', $err =~ /with request for (\d+) parallel worker/g);
}

# The files of two indexes differ in nothing but LSN and checksum. (nbtree deduplicates by the order of arrival.)
sub same_files
{
	my ($label, $one, $other) = @_;
	return unless $IS_LEARNED;
	# (Summed up before they are sorted: from 16 on whatever an aggregate is made of is sorted, here the whole file once for each page.)
	my $digest = q{(SELECT string_agg(m, '' ORDER BY p)
	  FROM (SELECT p, md5(substring(f FROM p * 8192 + 11 FOR 8182)) AS m
	    FROM pg_read_binary_file(pg_relation_filepath('%s')) f, generate_series(0, length(f) / 8192 - 1) p OFFSET 0) s)};
	$node->safe_psql('postgres', 'CHECKPOINT');
	is(query($node, sprintf("SELECT md5($digest) = md5($digest)", $one, $other)), 't', "$label: byte for byte the serial one");
	return;
}

# ---- the same index as a serial build's ---------------------------------------------------------------

# Autovacuum is on, for 18 counts the rows of a table only then, but has nothing to do.
$node->safe_psql('postgres', qq{
CREATE TABLE large (sorted int8, shuffled int8, late timestamptz, few int2, half_null float8, all_null int, id uuid)
  WITH (parallel_workers = 2, autovacuum_vacuum_threshold = 2147483647, autovacuum_analyze_threshold = 2147483647,
    autovacuum_vacuum_insert_threshold = -1);
INSERT INTO large
SELECT i, hashint8extended(i, 1), timestamptz '2020-01-01' + (i + CASE WHEN i % 100 = 0 THEN -50 ELSE 0 END) * interval '10 ms',
       i % 7, CASE WHEN i % 2 = 0 THEN sin(i) END, NULL, md5(i::text)::uuid
FROM generate_series(1, $rows) i;
DELETE FROM large WHERE sorted % 11 = 0;
});
my $live = query($node, 'SELECT count(*) FROM large');

for my $memory ('256MB', '1MB')
{
	# Entries of all sizes, sorted, or not, or nearly.
	for my $columns ('(sorted)', '(shuffled)', '(late)', '(few)', '(half_null)', '(all_null)', '((shuffled % 1000))',
		'(few, late DESC)', '(id)', '(all_null, sorted) INCLUDE (few)', '(few DESC NULLS LAST, half_null NULLS FIRST, shuffled)',
		'(id DESC) INCLUDE (half_null, sorted)')
	{
		my $label = "$columns, $memory";
		my $settings = "SET maintenance_work_mem = '$memory';";
		my $err = messages($label, "$settings $serial CREATE INDEX large_serial ON large USING $AM $columns");
		is(workers($err), '', "$label: built serially");
		$err = messages($label, "$settings $parallel CREATE INDEX large_parallel ON large USING $AM $columns");
		is(workers($err), '2', "$label: built by two workers");
		same_files($label, 'large_serial', 'large_parallel');
		is(query($node, "SELECT reltuples FROM pg_class WHERE relname = 'large_parallel'"), $live, "$label: entries were counted");
		is(query($node, "SELECT reltuples FROM pg_class WHERE relname = 'large'"), $live, "$label: rows were counted");
		check_indexes($node, $label);
		$node->safe_psql('postgres', 'DROP INDEX large_serial, large_parallel');
	}
}

# Partial, with rows in one corner of the table only: workers without any entry.
messages('partial', "$serial CREATE INDEX large_serial ON large USING $AM (shuffled) WHERE sorted < 100");
is(workers(messages('partial', "$parallel CREATE INDEX large_parallel ON large USING $AM (shuffled) WHERE sorted < 100")),
	'2', 'partial: built by two workers');
same_files('partial', 'large_serial', 'large_parallel');
check_indexes($node, 'partial');
$node->safe_psql('postgres', 'DROP INDEX large_serial, large_parallel');

# What the index answers, against a sequential scan; also after a rebuild, of all kinds.
sub answers
{
	my ($label) = @_;
	my $sql = 'SELECT count(*), sum(hashtext(ctid::text || shuffled)) FROM large WHERE shuffled BETWEEN -4000000000000000000 AND 5000000000000000000';
	my $index_only = 'SET enable_seqscan = off;';
	like(query($node, "$index_only EXPLAIN $sql"), qr/large_shuffled/, "$label: the index is used");
	is(query($node, "$index_only $sql"), query($node, "SET enable_indexscan = off; SET enable_bitmapscan = off; $sql"), "$label: right answer");
	check_indexes($node, $label);
	return;
}
for my $statement ("CREATE INDEX large_shuffled ON large USING $AM (shuffled)", 'REINDEX INDEX large_shuffled', 'REINDEX TABLE large')
{
	is(workers(messages($statement, "$parallel $statement")), '2', "$statement: by two workers");
	answers($statement);
}
# Concurrent builds, beside a transaction that began before and rows that come meanwhile.
for my $statement ('REINDEX INDEX CONCURRENTLY large_shuffled', 'DROP INDEX large_shuffled', "CREATE INDEX CONCURRENTLY large_shuffled ON large USING $AM (shuffled)")
{
	my $load = IPC::Run::start([ 'pgbench', '-n', '-T', '3', '-c', '2', '-h', $node->host, '-p', $node->port, '-f',
		write_file('insert.pgb', "\\set k random(-4000000000000000000, 5000000000000000000)\n"
			. "INSERT INTO large (sorted, shuffled) VALUES (-1, :k);\nUPDATE large SET shuffled = :k + 1 WHERE ctid = '(7,7)';\n"
			. "DELETE FROM large WHERE ctid = '(9,9)';\n"), 'postgres' ],
		'<', \undef, '>', \my $out, '2>', \my $err);
	my $messages = messages($statement, "$parallel $statement");
	IPC::Run::finish($load);
	next if $statement =~ /^DROP/;
	like(workers($messages), qr/^2( 2)*$/, "$statement: by two workers");
	is(query($node, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'large_shuffled'::regclass"), 't', "$statement: valid");
	answers($statement);
}
# In the transaction that makes the table; then the table is emptied in place.
is(workers(messages('new table', "$parallel BEGIN; CREATE TABLE fresh WITH (parallel_workers = 2) AS SELECT * FROM large;
  CREATE INDEX fresh_shuffled ON fresh USING $AM (shuffled); SAVEPOINT s; TRUNCATE fresh; ROLLBACK TO s; COMMIT")),
	$IS_LEARNED ? '2' : '2 2', 'new table: by two workers, and TRUNCATE asks for none');
check_indexes($node, 'new table');
# A constraint: its index is built, then each row looked up in it.
like(query_error($node, "$parallel ALTER TABLE fresh ADD CONSTRAINT one EXCLUDE USING $AM (few WITH =)"),
	qr/23P01: could not create exclusion constraint "one"/, 'a constraint that does not hold is refused');
$node->safe_psql('postgres', "DELETE FROM fresh WHERE sorted < 0");
is(workers(messages('constraint', "$parallel ALTER TABLE fresh ADD CONSTRAINT one EXCLUDE USING $AM (sorted WITH =)")), '2',
	'constraint: built by two workers');
like(query_error($node, "INSERT INTO fresh (sorted) VALUES (5)"), qr/23P01: conflicting key value/, 'constraint: enforced');

# Uniqueness is checked where the streams meet: twins lie far apart, and dead rows may have any key.
if ($version >= 180000 || !$IS_LEARNED)
{
	$node->safe_psql('postgres', "INSERT INTO fresh (shuffled) SELECT shuffled FROM fresh WHERE sorted = 10");
	like(query_error($node, "$parallel CREATE UNIQUE INDEX twins ON fresh USING $AM (shuffled)"),
		qr/23505: could not create unique index "twins"/, 'unique: twins are refused');
	$node->safe_psql('postgres', 'DELETE FROM fresh WHERE sorted IS NULL');
	is(workers(messages('unique', "$parallel CREATE UNIQUE INDEX twins ON fresh USING $AM (shuffled)")), '2',
		'unique: built by two workers beside a dead twin');
	check_indexes($node, 'unique');
	like(query_error($node, 'INSERT INTO fresh (shuffled) SELECT shuffled FROM fresh WHERE sorted = 10'), qr/23505: duplicate key/,
		'unique: enforced');
	$node->safe_psql('postgres', 'DROP INDEX twins');

	# The same of two columns, and of one that others are included beside; NULLs are not distinct.
	$node->safe_psql('postgres', 'INSERT INTO fresh (few, shuffled, sorted) SELECT few, shuffled, -sorted FROM fresh WHERE sorted IN (10, 20)');
	for my $columns ('(few, shuffled)', '(shuffled) INCLUDE (sorted)')
	{
		like(query_error($node, "$parallel CREATE UNIQUE INDEX twins ON fresh USING $AM $columns"),
			qr/23505: could not create unique index "twins"\nDETAIL:  Key \((few, )?shuffled\)=\(.*\) is duplicated\./, "unique $columns: twins are refused");
	}
	$node->safe_psql('postgres', 'UPDATE fresh SET few = NULL WHERE sorted IN (-20, 20); DELETE FROM fresh WHERE sorted = -10');
	like(query_error($node, "$parallel CREATE UNIQUE INDEX twins ON fresh USING $AM (few, shuffled) NULLS NOT DISTINCT"),
		qr/23505: .*\nDETAIL:  Key \(few, shuffled\)=\(null, -?\d+\) is duplicated\./, 'unique, NULLs not distinct: twins are refused');
	is(workers(messages('unique of two columns', "$parallel CREATE UNIQUE INDEX twins ON fresh USING $AM (few, shuffled)")), '2',
		'unique of two columns: built by two workers beside twins with a NULL');
	check_indexes($node, 'unique of two columns');
	$node->safe_psql('postgres', 'DROP INDEX twins; DELETE FROM fresh WHERE sorted = -20');
	is(workers(messages('unique, included', "$parallel CREATE UNIQUE INDEX twins ON fresh USING $AM (shuffled) INCLUDE (sorted)")), '2',
		'unique, included columns: built by two workers beside dead twins');
	check_indexes($node, 'unique, included columns');
	like(query_error($node, 'INSERT INTO fresh (shuffled, sorted) SELECT shuffled, -5 FROM fresh WHERE sorted = 10'), qr/23505: duplicate key/,
		'unique, included columns: enforced');
	$node->safe_psql('postgres', 'DROP INDEX twins');
}

# ---- what is built serially ---------------------------------------------------------------------------

$node->safe_psql('postgres', q{
CREATE FUNCTION unsafe(k int8) RETURNS int8 IMMUTABLE PARALLEL RESTRICTED LANGUAGE plpgsql AS 'BEGIN RETURN k; END';
});
my %alone = (
	'restricted expression' => "CREATE INDEX alone ON fresh USING $AM (unsafe(sorted))",
	'restricted predicate' => "CREATE INDEX alone ON fresh USING $AM (sorted) WHERE unsafe(sorted) > 5",
	'temporary table' => "CREATE TEMP TABLE brief WITH (parallel_workers = 2) AS SELECT * FROM fresh; CREATE INDEX alone ON brief USING $AM (sorted)",
	'small table' => "CREATE TABLE small AS SELECT 1::int8 AS sorted; CREATE INDEX alone ON small USING $AM (sorted)",
);
for my $name (sort keys %alone)
{
	is(workers(messages($name, "$parallel $alone{$name}")), '', "$name: built serially");
	$node->safe_psql('postgres', 'DROP INDEX IF EXISTS alone');
}
is(workers(messages('no worker to be had', "SET max_parallel_workers = 0; $parallel CREATE INDEX alone ON fresh USING $AM (shuffled)")),
	$IS_LEARNED ? '0' : '2', 'no worker to be had: built alone');
check_indexes($node, 'no worker to be had');
is(query($node, "SELECT reltuples FROM pg_class WHERE relname = 'alone'"), query($node, 'SELECT count(*) FROM fresh'),
	'no worker to be had: all rows');

# ---- processes ----------------------------------------------------------------------------------------

# A function of the leader's and the workers' own ways: what it does is chosen by settings, which workers inherit.
# Between them the leader hardly gets beyond its first rows, or the workers hardly to theirs.
$node->safe_psql('postgres', q{
CREATE FUNCTION staged(k int8) RETURNS int8 IMMUTABLE PARALLEL SAFE LANGUAGE plpgsql AS $$
DECLARE
  role text := CASE WHEN pg_backend_pid()::text = current_setting('test.leader', true) THEN 'leader' ELSE 'worker' END;
BEGIN
  IF current_setting('test.slow', true) IN (role, 'all') THEN
    PERFORM pg_sleep(0.03);
  END IF;
  IF current_setting('test.fails', true) = role THEN
    RAISE EXCEPTION 'the % fails', role USING ERRCODE = 'P4242', DETAIL = 'On purpose.';
  END IF;
  RETURN k;
END $$;
CREATE TABLE staged_rows (id int8, k int8, note text) WITH (parallel_workers = 2, fillfactor = 50, autovacuum_enabled = off);
INSERT INTO staged_rows SELECT i, i % 100, 'note' FROM generate_series(1, 5000) i;
});
sub staging
{
	my ($slow, $fails) = @_;
	return "$parallel SELECT set_config('test.leader', pg_backend_pid()::text, false), "
	  . "set_config('test.slow', '$slow', false), set_config('test.fails', '$fails', false);";
}

sub no_litter
{
	my ($label) = @_;
	is(query($node, "SELECT count(*) FROM pg_class WHERE relname LIKE 'stage\\_%'"), '0', "$label: no index remains");
	ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'parallel worker'"),
		"$label: no worker remains");
	is(join(' ', glob($node->data_dir . '/base/pgsql_tmp/*')), '', "$label: no temporary file remains");
	return;
}

my $staged = "CREATE INDEX stage_k ON staged_rows USING $AM (staged(k))";
for my $role ('worker', 'leader')
{
	my $other = $role eq 'worker' ? 'leader' : 'worker';
	my $start = time();
	my $error = query_error($node, staging($other, $role) . $staged);
	like($error, qr/P4242: the $role fails/, "an error of the $role reaches the user");
	like($error, qr/DETAIL:  On purpose\./, "an error of the $role reaches the user with its detail");
	like($error, $role eq 'worker' ? qr/CONTEXT:.*\nparallel worker/s : qr/CONTEXT:  PL\/pgSQL/, "an error of the $role has its context");
	cmp_ok(time() - $start, '<', 10, "an error of the $role ends the build");
	no_litter("the $role fails");
}

# A worker that is told to end, and a leader that is: in the scan, where all sleep most of the time.
for my $victim ('parallel worker', 'client backend')
{
	for my $function ($victim eq 'client backend' ? qw(pg_cancel_backend pg_terminate_backend) : ('pg_terminate_backend'))
	{
		my ($out, $err) = ('', '');
		my $session = IPC::Run::start([ 'psql', '-X', '-d', $node->connstr('postgres'), '-v', 'VERBOSITY=verbose', '-c',
			staging('all', ''), '-c', $staged ], '<', \undef, '>', \$out, '2>', \$err);
		$node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = '$victim' AND query ~ 'stage_k' AND wait_event = 'PgSleep'");
		my $asked = time();
		$node->safe_psql('postgres', "SELECT $function(pid) FROM pg_stat_activity WHERE backend_type = '$victim' AND query ~ 'stage_k' AND pid <> pg_backend_pid() LIMIT 1");
		IPC::Run::finish($session);
		cmp_ok(time() - $asked, '<', 3, "$function of a $victim: the build ends soon");
		like($err, $function =~ /cancel/ ? qr/57014: canceling statement/ : qr/57P01: terminating (background worker|connection|parallel worker)/,
			"$function of a $victim: the user is told");
		no_litter("$function of a $victim");
	}
}
is(query($node, 'SELECT count(*) FROM staged_rows'), '5000', 'the server is up');

# HOT chains whose members have different keys: the index must not be used by snapshots that see the old ones.
# Whoever finds them, the leader or a worker.
for my $finder ('leader', 'worker', 'nobody')
{
	my $slow = $finder eq 'leader' ? 'worker' : 'leader';
	$node->safe_psql('postgres', 'VACUUM staged_rows');
	my $old = $node->background_psql('postgres', on_error_stop => 0);
	$old->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
	my $sql = 'SELECT count(*), sum(id) FROM staged_rows WHERE staged(k) = 7';
	my $before = $old->query($sql);
	# The last blocks; the slow process will not get there. Removing rows breaks no chain.
	$node->safe_psql('postgres', $finder eq 'nobody' ? 'DELETE FROM staged_rows WHERE id > 4950'
		: 'UPDATE staged_rows SET k = k + 1 WHERE id > 4900');
	is(workers(messages("chains found by $finder", staging($slow, '') . $staged)), '2', "chains found by $finder: built by two workers");
	is(query($node, "SELECT indcheckxmin FROM pg_index WHERE indexrelid = 'stage_k'::regclass"),
		$finder eq 'nobody' ? 'f' : 't', "chains found by $finder: the index waits for old snapshots");
	$old->query('SET enable_seqscan = off');
	my $plan = $old->query("EXPLAIN $sql");
	if ($finder eq 'nobody')
	{
		like($plan, qr/stage_k/, 'deleted rows: an old snapshot may use the index');
	}
	else
	{
		unlike($plan, qr/stage_k/, "chains found by $finder: an old snapshot does not use the index");
	}
	is($old->query($sql), $before, "chains found by $finder: an old snapshot sees what it saw");
	$old->query('COMMIT');
	$old->quit;
	check_indexes($node, "chains found by $finder");
	is(query($node, "SET enable_seqscan = off; $sql"), query($node, "SET enable_indexscan = off; SET enable_bitmapscan = off; $sql"),
		"chains found by $finder: a new snapshot sees the new keys");
	$node->safe_psql('postgres', 'DROP INDEX stage_k');
}

# Progress is the leader's to report, for all.
{
	my ($out, $err) = ('', '');
	my $session = IPC::Run::start([ 'psql', '-X', '-d', $node->connstr('postgres'), '-c', staging('leader', ''), '-c', $staged ],
		'<', \undef, '>', \$out, '2>', \$err);
	ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_progress_create_index
		WHERE phase = 'building index: scanning table' AND blocks_total = pg_relation_size('staged_rows') / 8192 AND blocks_done > 0"),
		'progress: the scan is reported') if $IS_LEARNED;
	IPC::Run::finish($session);
	$node->safe_psql('postgres', 'DROP INDEX stage_k');
}

$node->stop;
done_testing();
