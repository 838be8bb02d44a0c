# The server is killed under load, several times and in several settings; after each recovery the
# index must hold exactly what the table holds.

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
my $seconds = seconds_setting(3);
my $node = new_node('crash');
$node->append_conf('postgresql.conf', "shared_buffers = 4MB\ncheckpoint_timeout = 30s\nwal_level = replica\n");
$node->start;
prepare_database($node);
create_load_tables($node);

# Kills the postmaster and every process of its own at once: no chance to write anything more.
sub kill_server
{
	my @pids = split /\n/, query($node, 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()');
	$node->kill9;
	kill 'KILL', @pids;
	# The next start fails while a process is still attached to the old shared memory.
	for (1 .. 100)
	{
		last unless grep { kill 0, $_ } @pids;
		sleep(0.1);
	}
	return;
}

sub start_after_crash
{
	my $started = 0;
	for (1 .. 20)
	{
		last if $started = $node->start(fail_ok => 1);
		sleep(0.5);
	}
	return $started;
}

# Load, checkpoints and VACUUM for a random time, then the kill.
sub crash_under_load
{
	my ($label) = @_;
	my $load = start_pgbench($node, 6, 600, writer_scripts(), [ 'rebuild', 1, "REINDEX INDEX pool_k;\n" ]);
	my $end = time() + $seconds * (0.5 + rand(1));
	while (time() < $end)
	{
		$node->psql('postgres', pick(
			'CHECKPOINT', 'VACUUM (INDEX_CLEANUP ON) batch', 'VACUUM (INDEX_CLEANUP ON) account',
			'VACUUM (INDEX_CLEANUP ON) pool', 'VACUUM (INDEX_CLEANUP ON) claim', 'VACUUM (INDEX_CLEANUP ON) stock'));
		sleep(rand(0.3));
	}
	kill_server();
	finish_pgbench($load, $label, 1);
	return;
}

sub verify_recovered
{
	my ($label) = @_;
	is(query($node, 'SELECT count(*) FROM unlogged'), '0', "$label: the unlogged table is empty");
	$node->safe_psql('postgres', q{INSERT INTO unlogged SELECT b, m FROM generate_series(1, 400) b, generate_series(1, 10) m});
	final_state_is_right($node, $label);
	return;
}

my $resource_manager = $IS_LEARNED ? 'generic' : 'btree';
my @rounds = (
	[ 'default settings', '' ],
	[ 'WAL replay compared with every page', "wal_consistency_checking = '$resource_manager'\n" ],
	[ 'no full page writes', "wal_consistency_checking = ''\nfull_page_writes = off\n" ],
	[ 'hot inserts logged by the server', "full_page_writes = on\nwal_consistency_checking = '$resource_manager'\nlearned_index.generic_wal = on\n" ],
	[ 'small checkpoints', "wal_consistency_checking = ''\nlearned_index.generic_wal = off\nmax_wal_size = 32MB\ncheckpoint_timeout = 30s\n" ],
);
for my $round (@rounds)
{
	my ($label, $settings) = @$round;
	$node->append_conf('postgresql.conf', $settings);
	$node->restart;
	crash_under_load($label);
	ok(start_after_crash(), "$label: recovers") or BAIL_OUT('no recovery: see ' . $node->logfile);
	verify_recovered($label);
}

crash_under_load('library absent');
# (The server looks for libraries beside its program.)
my $program = server_elsewhere('no_library', qr/^(learned_index|amcheck)\.so$/);
my @control = ('pg_ctl', '-w', '-D', $node->data_dir, '-l', $node->logfile);
ok(system_log(@control, '-p', $program, 'start') == 0, 'recovers without the library')
  or BAIL_OUT('no recovery: see ' . $node->logfile);
like(query_error($node, $IS_LEARNED ? 'SELECT * FROM account WHERE k = 1' : "SELECT bt_index_check('account_k')"),
	qr/58P01.*could not access file/, 'the library is indeed absent');
is(query($node, 'SELECT count(*) FROM pg_class WHERE relname = \'account_k\''), '1', 'the server serves');
ok(system_log(@control, '-m', 'fast', 'stop') == 0, 'the server without the library stops');
$node->start;
verify_recovered('recovered without the library');

# A table and index made in one transaction under wal_level minimal are not logged but synced.
$node->append_conf('postgresql.conf', "wal_level = minimal\nmax_wal_senders = 0\n");
$node->restart;
$node->safe_psql('postgres', qq{
BEGIN;
CREATE TABLE fresh (k int8);
CREATE INDEX fresh_k ON fresh USING $AM (k);
INSERT INTO fresh SELECT i FROM generate_series(1, 50000) i;
COMMIT;
CREATE TABLE built (k int8);
INSERT INTO built SELECT i FROM generate_series(1, 50000) i;
BEGIN;
TRUNCATE built;
INSERT INTO built SELECT hashint8(i) FROM generate_series(1, 50000) i;
CREATE INDEX built_k ON built USING $AM (k);
COMMIT;
BEGIN;
CREATE TABLE wide (k int8, g int4, u uuid);
CREATE INDEX wide_k ON wide USING $AM (g, u) INCLUDE (k);
INSERT INTO wide SELECT i, i % 7, md5(i::text)::uuid FROM generate_series(1, 20000) i;
CREATE INDEX wide_g ON wide USING $AM (g DESC, k);
COMMIT;
INSERT INTO wide SELECT i, i % 7, md5(i::text)::uuid FROM generate_series(1, 1000) i;
INSERT INTO fresh SELECT i FROM generate_series(1, 1000) i;
INSERT INTO built SELECT i FROM generate_series(1, 1000) i;
});
kill_server();
ok(start_after_crash(), 'wal_level minimal: recovers');
is(query($node, "SET enable_seqscan = off; SELECT (SELECT count(*) FROM fresh WHERE k > 0), (SELECT count(*) FROM built WHERE k IS NOT NULL), (SELECT count(k) FROM wide WHERE u IS NOT NULL), (SELECT count(k) FROM wide WHERE k > 0)"),
	'51000|51000|21000|21000', 'wal_level minimal: all rows are found');
verify_recovered('wal_level minimal');

$node->stop;
done_testing();
