# Kill marks are set in pages that others only read, or that are being written out. Under data checksums no page may reach
# the disk with another content than its checksum was made of: a writer, scans that mark and checkpoints at once, on few
# pages. A page that went out wrong stays so until it is changed again, and then goes out right: so, where the server can
# do that (18), pages are thrown out of the buffers all the time, to be read back. In the end pg_checksums reads all files.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use ConcurrentLoad;
use IPC::Run ();
use PostgreSQL::Test::Utils ();
use Test::More;

start_seed();
my $seconds = seconds_setting(12);
my $node = new_node('checksums', extra => ['--data-checksums']);
$node->append_conf('postgresql.conf', "checkpoint_timeout = 1h\nfsync = off\nfull_page_writes = off\nmax_wal_size = 8GB\n");
$node->start;
prepare_database($node);
is(query($node, 'SHOW data_checksums'), 'on', 'there are checksums');

# Rows come and go; what went is found dead, and marked, by the next reader of its stretch of keys.
query($node, qq{
CREATE TABLE worn (k int8, v int4) WITH (fillfactor = 60);
INSERT INTO worn SELECT hashint4(i), i FROM generate_series(1, 3000) i;
CREATE INDEX worn_k ON worn USING $AM (k);
CREATE UNLOGGED TABLE worn_unlogged (LIKE worn);
INSERT INTO worn_unlogged TABLE worn;
CREATE INDEX worn_unlogged_k ON worn_unlogged USING $AM (k);
});
my @scripts = map {
	my ($table) = $_;
	(	[ "renew_$table", 3, qq{
\\set low random(-2147483648, 2130000000)
WITH gone AS (DELETE FROM $table WHERE k BETWEEN :low AND :low + 8000000 RETURNING k, v)
INSERT INTO $table SELECT k, v + 1 FROM gone;
} ],
		[ "scan_$table", 6, qq{
\\set low random(-2147483648, 1740000000)
SET enable_seqscan = off; SET enable_bitmapscan = off;
SELECT count(v) FROM $table WHERE k BETWEEN :low AND :low + 400000000;
} ])
} 'worn', 'worn_unlogged';
my $evicting = query($node, q{SELECT count(*) FROM pg_available_extensions
	WHERE name = 'pg_buffercache' AND current_setting('server_version_num')::int >= 180000});
query($node, 'CREATE EXTENSION pg_buffercache') if $evicting;
my @io = ([ 'checkpoint', 2, "CHECKPOINT;\n" ]);
push @io, [ 'evict', 1, "SELECT pg_buffercache_evict_relation('worn_k'), pg_buffercache_evict_relation('worn_unlogged_k');\n" ] if $evicting;
my $load = start_pgbench($node, 5, $seconds, @scripts);
my $writing = start_pgbench($node, 1, $seconds, @io);
my $done = finish_pgbench($load, 'writers and scans');
ok($done, 'no client met an error');
my $checkpoints = finish_pgbench($writing, 'checkpoints') // 0;
cmp_ok($checkpoints, '>', 20, "$checkpoints checkpoints and evictions meanwhile");
is(query($node, q{SELECT checksum_failures FROM pg_stat_database WHERE datname = 'postgres'}), '0',
	'no page that was read back fails its checksum');
my $rows = 'SELECT count(*), sum(k), sum(v) FROM %s WHERE k > -3e9::int8';
for my $table ('worn', 'worn_unlogged')
{
	is(query($node, 'SET enable_seqscan = off; SET enable_bitmapscan = off; ' . sprintf($rows, $table)),
		query($node, 'SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off; ' . sprintf($rows, $table)),
		"$table: no row is lost");
}
check_indexes($node, 'after the load');
my @dirty = ('SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT count(v) FROM worn WHERE k > 0', 'CHECKPOINT');
query($node, $_) for @dirty;
$node->stop;
my $ok = IPC::Run::run([ 'pg_checksums', '--check', '-D', $node->data_dir ], '>', \my $report, '2>', \my $complaints);
ok($ok && $report =~ /^Bad checksums: +0$/m, 'pg_checksums finds every page sound') or diag(substr($complaints, 0, 2000), $report);

done_testing();
