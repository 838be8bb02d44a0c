# A streaming standby: replay is compared with the primary page by page, queries give what the primary
# gives, VACUUM on the primary breaks no query on the standby, and the promoted standby goes on.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use ConcurrentLoad;
use Test::More;
use Time::HiRes qw(time sleep);

start_seed();
my $seconds = seconds_setting(12);
my $primary = new_node('primary', lasting => 1, allows_streaming => 1);
# Without full page writes nothing but the index's own full images brings a new page to the standby, where
# no block is there beforehand.
my $resource_manager = $IS_LEARNED ? 'generic' : 'btree';
$primary->append_conf('postgresql.conf', qq{
wal_consistency_checking = '$resource_manager'
shared_buffers = 8MB
max_standby_streaming_delay = 2s
wal_keep_size = 4GB
full_page_writes = off
});
$primary->start;
prepare_database($primary);
my $standby = standby_of($primary);

create_load_tables($primary);
# Built in bulk, grown row by row, updated, emptied in part: every kind of record goes to the standby.
$primary->safe_psql('postgres', qq{
CREATE TABLE kinds (id int, i int4, d float8, t timestamptz, x int8);
INSERT INTO kinds SELECT i, i, i * 0.5, timestamptz '2024-01-01' + i * interval '1 minute', hashint8(i) FROM generate_series(1, 20000) i;
CREATE INDEX kinds_i ON kinds USING $AM (i);
CREATE INDEX kinds_d ON kinds USING $AM (d DESC);
CREATE INDEX kinds_t ON kinds USING $AM (t);
CREATE INDEX kinds_x ON kinds USING $AM (x);
INSERT INTO kinds SELECT i, nullif(i % 1000, 5), -i, timestamptz '2023-01-01' + i * interval '1 second', i * 7919 FROM generate_series(1, 10000) i;
DELETE FROM kinds WHERE id % 3 = 0;
VACUUM (INDEX_CLEANUP ON) kinds;
INSERT INTO kinds SELECT i, i, i, now(), i FROM generate_series(1, 5000) i;
UPDATE kinds SET i = i + 1 WHERE id % 10 = 0;
DELETE FROM kinds WHERE i BETWEEN 5000 AND 9000;
VACUUM (INDEX_CLEANUP ON) kinds;
SET learned_index.generic_wal = on;
INSERT INTO kinds SELECT i, i, i, now(), i FROM generate_series(1, 2000) i;
REINDEX INDEX kinds_x;
-- The same on several columns.
CREATE TABLE wides (id int, g int4, i int8, u uuid);
INSERT INTO wides SELECT i, nullif(i % 20, 3), hashint8(i), md5(i::text)::uuid FROM generate_series(1, 10000) i;
CREATE INDEX wides_gi ON wides USING $AM (g DESC NULLS LAST, i);
CREATE INDEX wides_gu ON wides USING $AM (g, u);
CREATE INDEX wides_u ON wides USING $AM (u DESC) INCLUDE (i, g);
INSERT INTO wides SELECT i, i / 500, i, md5(i::text)::uuid FROM generate_series(1, 5000) i;
DELETE FROM wides WHERE id % 3 = 0 OR g = 5;
VACUUM (INDEX_CLEANUP ON) wides;
INSERT INTO wides SELECT i, 5, nullif(i, 7), md5((-i)::text)::uuid FROM generate_series(1, 2000) i;
UPDATE wides SET i = i + 1, u = md5(i::text)::uuid WHERE id % 10 = 0;
DELETE FROM wides WHERE g BETWEEN 10 AND 12;
VACUUM (INDEX_CLEANUP ON) wides;
SET learned_index.generic_wal = off;
INSERT INTO wides SELECT i, 11, i, md5(i::text)::uuid FROM generate_series(1, 1000) i;
REINDEX INDEX wides_gu;
INSERT INTO wides SELECT i, 12, i, md5(i::text)::uuid FROM generate_series(1, 1000) i;
-- A table of whose rows a third came after the statistics.
CREATE TABLE grown (k int8);
INSERT INTO grown SELECT generate_series(1, 20000);
CREATE INDEX grown_k ON grown USING $AM (k);
ANALYZE grown;
INSERT INTO grown SELECT generate_series(20001, 30000);
-- The rest of a cursor in short: rows, sums, and whether they came in order.
CREATE FUNCTION rest_of(cur refcursor) RETURNS text LANGUAGE plpgsql AS \$\$
DECLARE
  r record;
  n int := 0;
  total int8 := 0;
  last int8;
  sorted boolean := true;
BEGIN
  LOOP
    FETCH cur INTO r;
    EXIT WHEN NOT FOUND;
    n := n + 1;
    total := total + r.k * 3 + r.v;
    sorted := sorted AND (last < r.k) IS NOT FALSE;
    last := r.k;
  END LOOP;
  RETURN n || ' rows, sum ' || total || CASE WHEN sorted THEN ', in order' ELSE ', out of order' END;
END \$\$;
});
$primary->wait_for_catchup($standby);

my $forced = 'SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off; SET timezone = \'UTC\';';
my @queries = (
	'SELECT count(*), sum(id) FROM kinds WHERE i = 77',
	'SELECT count(*), sum(id) FROM kinds WHERE i BETWEEN 100 AND 700',
	'SELECT count(*), sum(id) FROM kinds WHERE i IS NULL',
	'SELECT count(*), sum(id) FROM kinds WHERE i = ANY (ARRAY(SELECT generate_series(1, 20000, 7)))',
	'SELECT string_agg(d::text, \' \') FROM (SELECT d FROM kinds ORDER BY d DESC LIMIT 50) s',
	'SELECT string_agg(d::text, \' \') FROM (SELECT d FROM kinds WHERE d > 100 ORDER BY d LIMIT 50) s',
	'SELECT min(t), max(x), min(d) FROM kinds WHERE t < \'2024-01-02\'',
	'SELECT count(*), sum(hashint8(x)) FROM (SELECT x FROM kinds ORDER BY x) s',
	'SELECT count(*), min(x), max(x) FROM kinds WHERE x > 0::int2',
	'SELECT count(*), sum(i) FROM wides WHERE g = 5',
	'SELECT count(*), sum(id) FROM wides WHERE g = 11 AND i BETWEEN 100 AND 700',
	'SELECT count(*), sum(id) FROM wides WHERE i BETWEEN -10000000 AND 50000000',
	'SELECT count(*), sum(id) FROM wides WHERE u BETWEEN \'10000000-0000-0000-0000-000000000000\' AND \'1fffffff-0000-0000-0000-000000000000\' AND g > 3',
	'SELECT count(*), sum(i), count(g) FROM wides WHERE u > \'e0000000-0000-0000-0000-000000000000\'',
	'SELECT count(*), sum(id) FROM wides WHERE g IS NULL OR (g = 5 AND i IS NULL)',
	'SELECT count(*), sum(id) FROM wides WHERE (g, u) > (4, \'80000000-0000-0000-0000-000000000000\') AND g < 7',
	'SELECT md5(string_agg(concat_ws(\' \', g, i), \',\')) FROM (SELECT g, i FROM wides ORDER BY g DESC NULLS LAST, i) s',
	'SELECT string_agg(concat_ws(\' \', g, u), \',\') FROM (SELECT DISTINCT ON (g) g, u FROM wides ORDER BY g, u) s',
);
sub same_answers
{
	my ($label) = @_;
	my @different = grep { query($primary, "$forced $_") ne query($standby, "$forced $_") } @queries;
	is_deeply(\@different, [], "$label: the standby answers as the primary");
	return;
}
same_answers('after changes of every kind');

# Generic WAL takes no cleanup locks on replay: index-only scans would be unsafe, so there are none.
my $plan = query($standby, "$forced EXPLAIN (COSTS OFF) SELECT i FROM kinds WHERE i > 10 ORDER BY i");
like($plan, $IS_LEARNED ? qr/Index Scan using kinds_i/ : qr/Index Only Scan using kinds_i/, 'plan on the standby');
unlike($plan, qr/Index Only/, 'no index-only scan on the standby') if $IS_LEARNED;
like(query($primary, "$forced EXPLAIN (COSTS OFF) SELECT i FROM kinds WHERE i > 10 ORDER BY i"),
	qr/Index Only Scan using kinds_i/, 'the same query on the primary');
for my $case ([ 'g, i', 'g DESC NULLS LAST, i', 'wides_gi' ], [ 'u, i', 'u DESC', 'wides_u' ])
{
	my ($columns, $order, $index) = @$case;
	my $explain = "$forced EXPLAIN (COSTS OFF) SELECT $columns FROM wides ORDER BY $order";
	like(query($primary, $explain), qr/Index Only Scan using $index/, "$index: the plan on the primary");
	like(query($standby, $explain), qr/Index Scan using $index/, "$index: the plan on the standby") if $IS_LEARNED;
}
check_indexes($primary, 'primary');
# Unlogged relations cannot be read on a standby.
my $check_logged = q{
SELECT count(*) FROM (SELECT learned_index_check(c.oid, true) FROM pg_class c JOIN pg_am a ON a.oid = c.relam
 WHERE a.amname = '} . $AM . q{' AND c.relkind = 'i' AND c.relpersistence = 'p' AND c.relnamespace = 'public'::regnamespace) s};
cmp_ok(query($standby, $check_logged), '>=', 8, 'learned_index_check works on the standby and finds no fault');

if ($IS_LEARNED)
{
	like(query_error($standby, "SELECT learned_index_check('kinds_i', strict => true)"),
		qr/ERROR:  55000: recovery is in progress\nHINT:  Strict checks cannot be executed during recovery/,
		'a strict check is refused on the standby');
	like(query_error($standby, "SELECT learned_index_check('unlogged_k')"), qr/ERROR:  0A000: cannot access temporary or unlogged/,
		'and so is the check of an unlogged index');
	is(query_error($standby, "SELECT learned_index_stats('unlogged_k')"), query_error($standby, "SELECT learned_index_check('unlogged_k')"),
		'with the words of learned_index_stats');
}

# The planner looks up the end of a column in the index, on a standby as well.
my @rows = map { query($_, 'EXPLAIN SELECT FROM grown WHERE k > 25000', 'postgres', fresh => 1) =~ /rows=(\d+)/ ? $1 : -1 } ($primary, $standby);
is($rows[1], $rows[0], 'rows expected beyond the statistics on the standby and on the primary');
cmp_ok($rows[1], '>', 50, 'more than nothing is expected there');

# A query of the standby goes on over pages that the primary vacuums and recycles meanwhile.  With
# feedback VACUUM leaves what the query may still see; without, the query is either right or cancelled.
for my $feedback ('on', 'off')
{
	$standby->append_conf('postgresql.conf', "hot_standby_feedback = $feedback\nwal_receiver_status_interval = 1s\n");
	$standby->reload;
	$primary->safe_psql('postgres', qq{
DROP TABLE IF EXISTS moving;
CREATE TABLE moving (k int8, v int8);
INSERT INTO moving SELECT i, i FROM generate_series(1, 20000) i;
CREATE INDEX moving_k ON moving USING $AM (k);
VACUUM moving;
});
	$primary->wait_for_catchup($standby);
	my $session = $standby->background_psql('postgres', on_error_stop => 0);
	$session->query($forced);
	$session->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
	$session->query('DECLARE c CURSOR FOR SELECT k, v FROM moving WHERE k > 0 ORDER BY k');
	is($session->query('FETCH 1 FROM c'), '1|1', "feedback $feedback: the cursor starts");
	# Let the primary hear of the snapshot.
	if ($feedback eq 'on')
	{
		$primary->poll_query_until('postgres', 'SELECT count(backend_xmin) > 0 FROM pg_stat_replication');
	}
	$primary->safe_psql('postgres', q{
DELETE FROM moving WHERE k % 5 <> 0;
VACUUM (INDEX_CLEANUP ON) moving;
INSERT INTO moving SELECT -i, i FROM generate_series(1, 20000) i;
INSERT INTO moving SELECT i, -1 FROM generate_series(10, 20000, 10) i;
VACUUM (INDEX_CLEANUP ON) moving;
});
	$primary->wait_for_catchup($standby);
	# Without feedback the session may have been terminated by now.
	my $rest = eval { $session->query("SELECT rest_of('c')") } // '';
	my $complete = '19999 rows, sum ' . 4 * (20000 * 20001 / 2 - 1) . ', in order';
	if ($feedback eq 'on')
	{
		is($rest, $complete, 'feedback on: the query sees every row of its snapshot');
	}
	else
	{
		ok($rest eq $complete || $rest eq '', 'feedback off: the query is right or cancelled');
	}
	eval { $session->quit };
	$primary->wait_for_catchup($standby);
	is(query($standby, "$forced SELECT count(*), sum(v) FROM moving WHERE k > 0"),
		query($primary, "$forced SELECT count(*), sum(v) FROM moving WHERE k > 0"), "feedback $feedback: same rows afterwards");
}

# Readers with an invariant on the standby, writers and VACUUM on the primary.  Feedback and a long
# delay let the readers live: it is what they see that counts here.
$standby->append_conf('postgresql.conf', "hot_standby_feedback = on\nmax_standby_streaming_delay = 60s\n");
$standby->reload;
$primary->poll_query_until('postgres', 'SELECT count(backend_xmin) > 0 FROM pg_stat_replication');
my @standby_readers = map { [ "standby_$_->[0]", $_->[1], $_->[2] ] } reader_scripts();
my $writers = start_pgbench($primary, 4, $seconds, writer_scripts());
my $readers = start_pgbench($standby, 3, $seconds, @standby_readers);
# Structure and rows, while replay changes both.
my $checkers = start_pgbench($standby, 2, $seconds,
	map { [ "check_$_", 1, "SELECT learned_index_check('${_}_k', random() < 0.5);\n" ] } qw(account batch pool claim stock));
my $end = time() + $seconds;
while (time() < $end - 1)
{
	$primary->safe_psql('postgres', join('', map { "VACUUM (INDEX_CLEANUP ON) $_;\n" } qw(account batch pool claim stock)));
	sleep(0.2);
}
my $written = finish_pgbench($writers, 'writers');
my $read = finish_pgbench($readers, 'readers on the standby');
my $checked = finish_pgbench($checkers, 'checks on the standby');
ok($checked, 'checks on the standby raised no false alarm');
ok($written, 'the primary was written');
ok($read, 'readers on the standby saw the invariants');
diag('transactions written ', $written // 'none', ', read on the standby ', $read // 'none', ', checked ', $checked // 'none');
$primary->wait_for_catchup($standby);
same_answers('after the load');
my @logged = qw(account batch pool claim stock);
is(query($standby, invariant_query(1, @logged)), query($primary, invariant_query(0, @logged)),
	'indexes of the standby hold what the tables of the primary hold');
cmp_ok(query($standby, $check_logged), '>=', 8, 'learned_index_check on the standby after the load');

# The promoted standby writes to the indexes it replayed, and may scan them index-only again.
$primary->stop;
$standby->promote;
$standby->safe_psql('postgres', q{
INSERT INTO kinds SELECT i, i, i, now(), i FROM generate_series(1, 3000) i;
INSERT INTO wides SELECT i, i % 7, i, md5(i::text)::uuid FROM generate_series(1, 3000) i;
DELETE FROM account WHERE k < 0; DELETE FROM kinds WHERE id % 2 = 0; DELETE FROM wides WHERE id % 2 = 0;
VACUUM (INDEX_CLEANUP ON) kinds;
VACUUM (INDEX_CLEANUP ON) wides;
INSERT INTO unlogged SELECT b, m FROM generate_series(1, 100) b, generate_series(1, 10) m;
});
like(query($standby, "$forced EXPLAIN (COSTS OFF) SELECT i FROM kinds WHERE i > 10 ORDER BY i"),
	qr/Index Only Scan using kinds_i/, 'index-only scans after promotion');
like(query($standby, "$forced EXPLAIN (COSTS OFF) SELECT g, i FROM wides ORDER BY g DESC NULLS LAST, i"),
	qr/Index Only Scan using wides_gi/, 'on several columns, too');
my $truth = 'SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off; SET timezone = \'UTC\';';
is_deeply([ grep { query($standby, "$forced $_") ne query($standby, "$truth $_") } @queries[ -9 .. -1 ] ], [],
	'the promoted standby answers by its indexes on several columns as by its tables');
check_indexes($standby, 'promoted');
my $log = PostgreSQL::Test::Utils::slurp_file($standby->logfile);
unlike($log, qr/inconsistent page|PANIC|FATAL:.*(corrupt|invalid)/, 'the log of the standby is clean');
$standby->stop;
done_testing();
