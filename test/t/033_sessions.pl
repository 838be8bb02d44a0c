# A session that stays (LearnedNode, LearnedSession) answers and fails as a psql of its own for each script does, and nothing of
# one script is there for the next one.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use CountingTest;
use LearnedTest;
use PostgreSQL::Test::Cluster;
use Test::More;

my $node = new_node('sessions', lasting => 1);
$node->start;
my $pid = query($node, 'SELECT pg_backend_pid()');
is(query($node, 'SELECT pg_backend_pid()'), $pid, 'one backend');
isnt(query($node, 'SELECT pg_backend_pid()', 'postgres', fresh => 1), $pid, 'another one, if it is asked for');
isnt(query($node, 'SELECT pg_backend_pid()', 'template1'), query($node, 'SELECT pg_backend_pid()'), 'another one in another database');

# ---- as psql by itself ----------------------------------------------------------------------------------------------

# Status, output, errors (but for the number of the line). What is wrong in a script ends with a semicolon: here one would be added.
sub both_ways
{
	my ($sql) = @_;
	return map { join "\n--\n", map { s/^psql:<stdin>:\d+: //gmr } @$_ } [ $node->psql('postgres', $sql) ], [ PostgreSQL::Test::Cluster::psql($node, 'postgres', $sql) ];
}
for my $sql ('', ';', 'SELECT 1', "SELECT 1;\n", 'SELECT 1 -- one', "/* none */", 'SELECT 1; SELECT 2', 'SELECT NULL', "SELECT ''; SELECT ''", 'SELECT 1 WHERE false', "SELECT E'a\nb\n', 'c|'",
	"SELECT E'\n'; SELECT E'\n'", "SELECT 'end of script 1'", 'VALUES (1, 2), (3, NULL)', 'CREATE TABLE made (a int); INSERT INTO made VALUES (1) RETURNING a; DROP TABLE made',
	'SELECT 3; SELECT 1 / 0; SELECT 4', 'SELECT 1 +;', 'nonsense;', 'BEGIN; SELECT 1 / 0; COMMIT', 'SELECT * FROM nothing_there', "DO 'BEGIN RAISE WARNING ''heard''; END'; SELECT 5",
	'COMMIT', 'VACUUM', 'BEGIN; VACUUM; COMMIT', q{SELECT $$a;b$$, 'c;d', "e;f" FROM (VALUES (1)) v("e;f")}, 'SELECT pg_terminate_backend(pg_backend_pid())')
{
	my ($found, $expected) = both_ways($sql);
	is($found, $expected, "as psql by itself: $sql");
}
is(query($node, "SELECT repeat('x', 3000000)"), 'x' x 3000000, 'a long answer');
is(query($node, "SELECT length('" . 'y' x 3000000 . "')"), 3000000, 'a long statement');
is(query($node, "SELECT repeat('x', 100000);\n" x 30), join("\n", ('x' x 100000) x 30), 'many answers while statements are still written');
my $ended = eval { query($node, 'SELECT 1 / 0'); 1 };
ok(!$ended, 'safe_psql() dies of an error');
like($@, qr/^error running SQL: 'psql:<stdin>:\d+: ERROR:  division by zero'/, 'which it tells');
like(query_error($node, 'SELECT 1 / 0'), qr/^ERROR:  22012: division by zero/, 'scripts with commands of psql');

# ---- nothing stays --------------------------------------------------------------------------------------------------

my $state = q{SELECT current_setting('work_mem'), (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_cursors), to_regclass('pg_temp.fleeting'), to_regclass('left_over'),
(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), current_user, (SELECT count(*) FROM pg_listening_channels()), pg_current_xact_id_if_assigned()};
my $none = '4MB|0|0|||0|' . query($node, 'SELECT current_user') . '|0|';
query($node, 'CREATE ROLE other');
is(query($node, $state), $none, 'at first');
my $leave = q{SET work_mem = '77MB'; SET ROLE other; PREPARE p AS SELECT 1; RESET ROLE; CREATE TEMP TABLE fleeting (a int); SELECT FROM pg_advisory_lock(1); LISTEN news;
DECLARE c CURSOR WITH HOLD FOR SELECT 1; SET SESSION AUTHORIZATION other};
for my $script ($leave, "BEGIN; CREATE TABLE left_over (a int); $leave", 'BEGIN; CREATE TABLE left_over (a int)', "SET client_min_messages = debug1; BEGIN; SELECT 1", 'BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY; SELECT 1',
	"$leave; SELECT 1 / 0", "BEGIN; CREATE TABLE left_over (a int); SELECT 1 / 0", 'SET default_transaction_read_only = on')
{
	$node->psql('postgres', $script);
	ok($node->poll_query_until('postgres', $state, $none), "nothing is left of: $script");
	is(query($node, $state), $none, 'and in the next script, too');
}

# ---- sessions beside others -----------------------------------------------------------------------------------------

my $session = open_session($node);
my $first = run_in($session, 'SELECT pg_backend_pid()');
is(run_in($session, 'SELECT 1'), 1, 'an answer');
like(run_in($session, 'SELECT 1 / 0'), qr/^ERROR:  22012: division by zero/, 'an error');
is(run_in($session, 'SELECT 2'), 2, 'after which it goes on');
run_in($session, $_) for 'BEGIN', 'CREATE TABLE left_over (a int)', "SET work_mem = '77MB'";
start_in($session, 'SELECT 8 FROM pg_sleep(0.2)');
is(finish_in($session), 8, 'what has been waited for');
$session->quit;
ok($node->poll_query_until('postgres', "SELECT to_regclass('left_over') IS NULL AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $first)"), 'its end');
$session = open_session($node);
isnt(run_in($session, 'SELECT pg_backend_pid()'), $first, 'the next one is another');
is(run_in($session, $state), $none, 'with nothing of it');
my $second = run_in($session, 'SELECT pg_backend_pid()');
query($node, "SELECT pg_terminate_backend($second)");
like(run_in($session, 'SELECT 1'), qr/FATAL|lost/, 'one that is ended');
$session->quit;

$session = $node->session('template1');
is($session->query('SELECT 1'), 1, 'in another database');
$session->quit;
query($node, 'CREATE DATABASE brief');
is(query($node, 'SELECT current_database()', 'brief'), 'brief', 'a new database');
query($node, 'DROP DATABASE brief');
is(query($node, q{SELECT count(*) FROM pg_database WHERE datname = 'brief'}), 0, 'is dropped');

# ---- the server goes and comes --------------------------------------------------------------------------------------

$session = open_session($node, 'SELECT 1');
$session->quit;
$node->restart;
is(query($node, 'SELECT 1'), 1, 'after a restart');
$session = open_session($node);
is(run_in($session, 'SELECT 1'), 1, 'and beside');
$session->quit;
$node->stop('immediate');
my ($code, $out, $err) = $node->psql('postgres', 'SELECT 1');
is($code, 2, 'there is no server');
like($err, qr/connection to server .* failed/, 'which psql tells');
$node->start;
is(query($node, 'SELECT 1'), 1, 'after a crash');
$node->stop;
done_testing();
