# Writers, VACUUM, REINDEX and readers at the same time: every transaction keeps the sums constant,
# so every reader, through any kind of index scan, must see them.
#
# LEARNED_TEST_SECONDS   how long the load runs (default 30)

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use ConcurrentLoad;
use Test::More;
use Time::HiRes qw(time sleep);

start_seed();
my $seconds = seconds_setting(30);
my $node = new_node('concurrent');
# Little memory: pages are evicted, and their locks and pins meet real reads.
$node->append_conf('postgresql.conf', "shared_buffers = 4MB\ndeadlock_timeout = 100ms\n");
$node->start;
prepare_database($node);
create_load_tables($node);

my $load = start_pgbench($node, 8, $seconds, writer_scripts(), reader_scripts());
my $end = time() + $seconds;

# In the meantime: VACUUM all the time, and now and then a rebuild beside the running load.
my ($vacuums, $rebuilds, $maintenance_errors) = (0, 0, '');
while (time() < $end - 1)
{
	my ($code, $out, $err) = $node->psql('postgres',
		join('', map { "VACUUM (INDEX_CLEANUP ON) $_;\n" } qw(account batch pool claim unlogged stock)));
	$maintenance_errors .= $err if $code != 0;
	$vacuums++;
	if ($vacuums % 5 == 0)
	{
		my $index = pick(qw(account_k batch_k pool_k stock_k stock_u));
		my $statement = pick("REINDEX INDEX CONCURRENTLY $index", "REINDEX INDEX $index",
			map { "CREATE INDEX CONCURRENTLY extra ON $_;\nSELECT learned_index_check('extra', true);\nDROP INDEX CONCURRENTLY extra" }
				"account USING $AM (k DESC)", "stock USING $AM (item, k DESC)");
		($code, $out, $err) = $node->psql('postgres', "SET statement_timeout = '20s';\n$statement;");
		# A rebuild may lose a deadlock against the load; anything else is a fault.
		if ($code != 0 && $err =~ /deadlock detected|lock timeout|statement timeout/)
		{
			$node->psql('postgres', 'DROP INDEX IF EXISTS extra');
		}
		elsif ($code != 0) { $maintenance_errors .= $err }
		else { $rebuilds++ }
	}
	sleep(0.05);
}

my $transactions = finish_pgbench($load, 'load');
ok(defined $transactions, 'no client saw a broken invariant or an error');
cmp_ok($transactions // 0, '>', 10 * $seconds, 'the load ran');
cmp_ok($vacuums, '>', $seconds / 6, 'VACUUM ran beside it');
is($maintenance_errors, '', 'maintenance ran without errors');
diag("transactions ", $transactions // 'none', ", rounds of VACUUM $vacuums, rebuilds $rebuilds");

$node->safe_psql('postgres',
	'DROP INDEX IF EXISTS ' . join(', ', map { ("${_}_ccnew", "${_}_ccold") } qw(account_k batch_k pool_k stock_k stock_u)));
final_state_is_right($node, 'after the load');
$node->safe_psql('postgres', 'VACUUM (INDEX_CLEANUP ON) account; VACUUM (INDEX_CLEANUP ON) batch; VACUUM (INDEX_CLEANUP ON) pool; VACUUM (INDEX_CLEANUP ON) stock');
final_state_is_right($node, 'after a last VACUUM');

# A cursor of an index-only scan keeps its leaf pinned: VACUUM must wait for it, and go on when the
# cursor closes.  A cursor of a plain index scan must not be in its way.
sub vacuum_beside_cursor
{
	my ($columns, $timeout) = @_;
	my $session = $node->background_psql('postgres', on_error_die => 1);
	$session->query_safe("SET enable_seqscan = off; SET enable_bitmapscan = off;");
	$session->query_safe("BEGIN; DECLARE c CURSOR FOR SELECT $columns FROM account WHERE k > 0 ORDER BY k; FETCH 5 FROM c;");
	my ($code, $out, $err) =
	  $node->psql('postgres', "SET statement_timeout = '$timeout';\nVACUUM (INDEX_CLEANUP ON) account;");
	my $rest = $session->query_safe('MOVE FORWARD ALL IN c;');
	$session->query_safe('COMMIT;');
	$session->quit;
	return ($code, $err);
}
# All-visible pages, so that the index-only scan needs no heap, then something to remove.
$node->safe_psql('postgres', 'VACUUM account; UPDATE account SET k = k WHERE k % 2 = 0;');
my ($code, $err) = vacuum_beside_cursor('k', '1s');
isnt($code, 0, 'VACUUM waits for the pin of an index-only scan');
like($err, qr/statement timeout/, 'and can be interrupted while it waits');
$node->safe_psql('postgres', 'UPDATE account SET filler = filler || 1, k = k WHERE k % 3 = 0;');
($code, $err) = vacuum_beside_cursor('k, amount', '20s');
is($code, 0, 'VACUUM does not wait for a plain index scan') or diag($err);
check_indexes($node, 'at the end');

$node->stop;
done_testing();
