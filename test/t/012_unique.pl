# Unique indexes under fire: sessions that fight for the same keys with plain inserts, ON CONFLICT and changes of keys,
# foreign keys that cascade, VACUUM and rebuilds beside them, a kill -9; and logical replication that finds rows
# by such an index.  Each transaction logs what it believes to have done; at the end the log and the tables
# must agree, and no key be there twice.  Learned indexes can be unique from PostgreSQL 18 on; over btree
# (LEARNED_TEST_AM) the test runs on any.
#
# LEARNED_TEST_SECONDS   how long the load runs (default 15)

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use ConcurrentLoad qw(start_pgbench finish_pgbench);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my ($major) = `pg_config --version` =~ /PostgreSQL (\d+)/;
plan skip_all => "indexes other than btree can be unique from PostgreSQL 18 on, this is $major"
  if $IS_LEARNED && $major < 18;

start_seed();
my $seconds = seconds_setting(15);
my $node = new_node('unique', lasting => 1, allows_streaming => 'logical');
# Little memory: locks are held while pages are read.
$node->append_conf('postgresql.conf', "shared_buffers = 8MB\ndeadlock_timeout = 100ms\nmax_wal_size = 2GB\n");
$node->start;
prepare_database($node);

$node->safe_psql(
	'postgres', qq{
-- n is indexed, so that no update is HOT: of few keys there are many versions, on several pages.
CREATE TABLE counter (k int8 NOT NULL, n int8 NOT NULL);
CREATE UNIQUE INDEX counter_k ON counter USING $AM (k);
CREATE INDEX counter_n ON counter USING $AM (n);
CREATE TABLE counted (k int8, delta int8);
-- Won once, never given back.
CREATE TABLE ticket (k int4);
CREATE UNIQUE INDEX ticket_k ON ticket USING $AM (k DESC);
CREATE TABLE won (k int4);
-- Keys that are equal and do not look so; NULL is a key.
CREATE TABLE zero (k float8, who int);
CREATE UNIQUE INDEX zero_k ON zero USING $AM (k) NULLS NOT DISTINCT;
-- Two columns, a NULL in either is a key; n is in the index, so that there are many versions of a pair, in the order of n.
CREATE TABLE pair (a int4, b int8, n int8 NOT NULL);
CREATE UNIQUE INDEX pair_ab ON pair USING $AM (a, b DESC NULLS LAST) INCLUDE (n) NULLS NOT DISTINCT;
CREATE TABLE pair_log (a int4, b int8, delta int8);
-- As tickets.
CREATE TABLE name (id uuid);
CREATE UNIQUE INDEX name_id ON name USING $AM (id);
CREATE TABLE named (id uuid);
-- Keys that are taken, moved and freed; what fails to be unique is refused.
CREATE TABLE slot (k int4 NOT NULL, v int4);
CREATE UNIQUE INDEX slot_k ON slot USING $AM (k);
CREATE TABLE slot_log (change int4, k int4);
CREATE TABLE parent (id int8 NOT NULL, v int4 DEFAULT 0);
CREATE UNIQUE INDEX parent_id ON parent USING $AM (id);
INSERT INTO parent SELECT i FROM generate_series(1, 500) i;
CREATE TABLE child (parent int4 REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE, v int4);
CREATE INDEX child_parent ON child USING $AM (parent);
-- Deleted and built again while others write.
CREATE TABLE parts (k int8, v int4) PARTITION BY RANGE (k);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (50);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (50) TO (101);
CREATE UNIQUE INDEX parts_k ON parts USING $AM (k);

CREATE FUNCTION take(key int4) RETURNS void LANGUAGE plpgsql AS \$\$
BEGIN
  INSERT INTO slot VALUES (key, pg_backend_pid());
  INSERT INTO slot_log VALUES (1, key);
EXCEPTION WHEN unique_violation THEN
  -- A concurrent rebuild has two indexes for a while, and either may be the one that says so.
  IF SQLERRM !~ '^duplicate key value violates unique constraint "slot_k(_cc(new|old))?"\$' THEN RAISE; END IF;
END \$\$;
CREATE FUNCTION move(a int4, b int4) RETURNS void LANGUAGE plpgsql AS \$\$
DECLARE
  done int;
BEGIN
  UPDATE slot SET k = b WHERE k = a;
  GET DIAGNOSTICS done = ROW_COUNT;
  IF done > 1 THEN RAISE EXCEPTION 'key % was there % times', a, done; END IF;
  INSERT INTO slot_log SELECT * FROM (VALUES (-1, a), (1, b)) v WHERE done = 1;
EXCEPTION WHEN unique_violation THEN NULL;
END \$\$;
CREATE FUNCTION adopt(p int4) RETURNS void LANGUAGE plpgsql AS \$\$
BEGIN
  INSERT INTO child SELECT p, i FROM generate_series(1, 3) i;
EXCEPTION WHEN foreign_key_violation THEN NULL;
END \$\$;
CREATE FUNCTION rename(a int8, b int8) RETURNS void LANGUAGE plpgsql AS \$\$
BEGIN
  UPDATE parent SET id = b WHERE id = a;
EXCEPTION WHEN unique_violation THEN NULL;
END \$\$;
});

my @scripts = (
	[ 'upsert', 8, q{
\set k random(1, 12)
BEGIN;
INSERT INTO counter VALUES (:k, 1) ON CONFLICT (k) DO UPDATE SET n = counter.n + 1;
INSERT INTO counted VALUES (:k, 1);
COMMIT;
} ],
	[ 'upsert_wide', 6, q{
\set k random(13, 3000)
WITH up AS (INSERT INTO counter VALUES (:k, 1) ON CONFLICT (k) DO UPDATE SET n = counter.n + 1 RETURNING k)
INSERT INTO counted SELECT k, 1 FROM up;
} ],
	[ 'forget', 6, q{
\set k random(1, 40)
WITH gone AS (DELETE FROM counter WHERE k = :k RETURNING k, n) INSERT INTO counted SELECT k, -n FROM gone;
} ],
	[ 'undo', 3, q{
\set k random(1, 100)
BEGIN;
INSERT INTO counter VALUES (:k, 1000) ON CONFLICT (k) DO UPDATE SET n = counter.n + 1000;
ROLLBACK;
} ],
	[ 'grab', 6, q{
\set k random(1, 100000)
WITH mine AS (INSERT INTO ticket SELECT i % 7919 FROM generate_series(:k, :k + 9) i ORDER BY 1 ON CONFLICT DO NOTHING RETURNING k)
INSERT INTO won SELECT k FROM mine;
} ],
	[ 'zero', 5, q{
\set sign random(0, 4)
INSERT INTO zero VALUES ((ARRAY[0.0, '-0', 'NaN', -'NaN'::float8, NULL])[:sign + 1], :client_id) ON CONFLICT (k) DO UPDATE SET who = zero.who;
DELETE FROM zero WHERE who = :client_id;
} ],
	[ 'pair', 6, q{
\set a random(0, 3)
\set b random(0, 3)
BEGIN;
INSERT INTO pair VALUES (NULLIF(:a, 0), NULLIF(:b, 0), 1) ON CONFLICT (a, b) DO UPDATE SET n = pair.n + 1;
INSERT INTO pair_log VALUES (:a, :b, 1);
COMMIT;
} ],
	[ 'part', 2, q{
\set a random(0, 3)
\set b random(0, 3)
WITH gone AS (DELETE FROM pair WHERE coalesce(a, 0) = :a AND coalesce(b, 0) = :b RETURNING n) INSERT INTO pair_log SELECT :a, :b, -n FROM gone;
} ],
	[ 'name', 4, q{
\set k random(1, 100000)
WITH mine AS (INSERT INTO name SELECT md5((i % 7919)::text)::uuid FROM generate_series(:k, :k + 9) i ORDER BY 1 ON CONFLICT DO NOTHING RETURNING id)
INSERT INTO named SELECT id FROM mine;
} ],
	[ 'take', 6, "\\set k random(1, 300)\nSELECT take(:k);\n" ],
	[ 'move', 6, "\\set a random(1, 300)\n\\set b random(1, 300)\nSELECT move(:a, :b);\n" ],
	[ 'free', 5, q{
\set k random(1, 300)
WITH gone AS (DELETE FROM slot WHERE k = :k RETURNING k) INSERT INTO slot_log SELECT -1, k FROM gone;
} ],
	[ 'adopt', 5, "\\set p random(1, 600)\nSELECT adopt(:p);\n" ],
	[ 'orphan', 3, "\\set p random(1, 600)\nDELETE FROM parent WHERE id = :p;\n" ],
	[ 'rename', 3, "\\set a random(1, 600)\n\\set b random(1, 600)\nSELECT rename(:a, :b);\n" ],
	[ 'found', 3, "\\set p random(1, 600)\nINSERT INTO parent VALUES (:p) ON CONFLICT DO NOTHING;\n" ],
	[ 'parts', 4, q{
\set k random(0, 100)
INSERT INTO parts VALUES (:k, 1) ON CONFLICT (k) DO UPDATE SET v = parts.v + 1;
DELETE FROM parts WHERE k = 100 - :k;
} ],
);

my $scan_all = 'SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off;';
sub everything_adds_up
{
	my ($label) = @_;
	for my $key (qw(counter.k ticket.k zero.k slot.k parent.id parts.k))
	{
		my ($table, $column) = split /\./, $key;
		my $number = $column =~ /^k$/ && $table eq 'zero' ? "coalesce(k + 0.0, -1)" : $column;
		is(query($node, "$scan_all SELECT count(*) - count(DISTINCT $number) FROM $table"), '0', "$label: every key of $table is there once");
	}
	is(query($node, "$scan_all SELECT count(*) FROM (SELECT k, n FROM counter) c FULL JOIN (SELECT k, sum(delta) AS n FROM counted GROUP BY k HAVING sum(delta) <> 0) l USING (k) WHERE c.n IS DISTINCT FROM l.n"),
		'0', "$label: no upsert was lost or done twice");
	is(query($node, "$scan_all SELECT count(*), count(DISTINCT k), (SELECT count(*) FROM ticket) = count(*) FROM won") =~ /^(\d+)\|\1\|t$/ ? 'yes' : 'no',
		'yes', "$label: each ticket was won by one");
	is(query($node, "$scan_all SELECT count(*) - count(DISTINCT (coalesce(a, 0), coalesce(b, 0))) FROM pair"), '0', "$label: every pair is there once");
	is(query($node, "$scan_all SELECT count(*) FROM (SELECT coalesce(a, 0) AS a, coalesce(b, 0) AS b, n FROM pair) p FULL JOIN (SELECT a, b, sum(delta) AS n FROM pair_log GROUP BY a, b HAVING sum(delta) <> 0) l USING (a, b) WHERE p.n IS DISTINCT FROM l.n"),
		'0', "$label: no upsert of a pair was lost or done twice");
	is(query($node, "$scan_all SELECT count(*), count(DISTINCT id), (SELECT count(*) FROM name) = count(*) FROM named") =~ /^(\d+)\|\1\|t$/ ? 'yes' : 'no',
		'yes', "$label: each name was given once");
	is(query($node, "$scan_all SELECT count(*) FROM slot s FULL JOIN (SELECT k, sum(change) AS c FROM slot_log GROUP BY k HAVING sum(change) <> 0) l USING (k) WHERE s.k IS NULL OR l.c IS DISTINCT FROM 1"),
		'0', "$label: slots are taken as logged");
	is(query($node, "$scan_all SELECT count(*) FROM child WHERE NOT EXISTS (SELECT FROM parent WHERE id = child.parent)"), '0', "$label: no child without a parent");
	check_indexes($node, $label);
	return;
}

sub vacuum_all
{
	return $node->psql('postgres', join('', map { "VACUUM (INDEX_CLEANUP ON) $_;\n" } qw(counter ticket zero pair name slot parent child parts)));
}

my $load = start_pgbench($node, 8, $seconds, @scripts);
my $end = time() + $seconds;
my ($rounds, $rebuilds, $errors) = (0, 0, '');
while (time() < $end - 1)
{
	# Not too often: versions are to pile up.
	sleep(0.7);
	my ($code, $out, $err) = vacuum_all();
	$errors .= $err if $code != 0;
	$rounds++;
	# (With ON CONFLICT a concurrent rebuild may itself be reported as a duplicate before version 19.)
	my $statement = pick('REINDEX INDEX CONCURRENTLY slot_k', 'REINDEX INDEX slot_k', 'REINDEX INDEX counter_k', 'REINDEX INDEX pair_ab', 'REINDEX INDEX parts_1_k_idx',
		"CREATE UNIQUE INDEX CONCURRENTLY extra ON slot USING $AM (k);\nSELECT learned_index_check('extra', true);\nDROP INDEX CONCURRENTLY extra");
	($code, $out, $err) = $node->psql('postgres', "SET statement_timeout = '20s';\n$statement;");
	if ($code == 0) { $rebuilds++ }
	else
	{
		$errors .= $err unless $err =~ /deadlock detected|lock timeout|statement timeout/;
		$node->psql('postgres', 'DROP INDEX IF EXISTS extra, slot_k_ccnew, slot_k_ccold');
	}
}
my $transactions = finish_pgbench($load, 'load');
ok(defined $transactions, 'no client met an error');
cmp_ok($transactions // 0, '>', 10 * $seconds, 'the load ran');
is($errors, '', 'VACUUM and rebuilds ran without errors');
cmp_ok($rebuilds, '>', 0, 'there were rebuilds');
diag('transactions ', $transactions // 'none', ", rounds of VACUUM $rounds, rebuilds $rebuilds");
cmp_ok(query($node, 'SELECT count(*) FROM counted WHERE k <= 12'), '>', $seconds, 'few keys, many versions');
everything_adds_up('after the load');

# A key with so many versions that they fill several pages: an old snapshot keeps them all. New ones belong to another page
# than the first of the key, the one that is locked.
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM counter');
$node->safe_psql('postgres', qq{
CREATE TABLE hot (k int8 NOT NULL, n int8 NOT NULL);
CREATE TABLE hot_log (k int8, delta int8);
BEGIN;
INSERT INTO hot SELECT CASE WHEN random() < 0.3 THEN 6 ELSE i + 100 END, 0 FROM generate_series(1, 60000) i;
DELETE FROM hot;
CREATE UNIQUE INDEX hot_k ON hot USING $AM (k);
CREATE INDEX hot_n ON hot USING $AM (n);
COMMIT;
CREATE FUNCTION push(key int8) RETURNS void LANGUAGE plpgsql AS \$\$
BEGIN
  INSERT INTO hot VALUES (key, 1);
  INSERT INTO hot_log SELECT 6, 1 WHERE key = 6;
EXCEPTION WHEN unique_violation THEN NULL;
END \$\$;
});
$load = start_pgbench($node, 6, $seconds / 3,
	[ 'hot', 4, q{
BEGIN;
INSERT INTO hot VALUES (6, 1) ON CONFLICT (k) DO UPDATE SET n = hot.n + 1;
INSERT INTO hot_log VALUES (6, 1);
COMMIT;
} ],
	[ 'cool', 3, q{
\set k random(1, 8)
BEGIN;
DELETE FROM hot WHERE k = :k AND k <> 6;
INSERT INTO hot VALUES (:k, 1) ON CONFLICT (k) DO UPDATE SET n = hot.n + 1;
INSERT INTO hot_log SELECT 6, 1 WHERE :k = 6;
COMMIT;
} ],
	[ 'push', 3, "\\set k random(4, 8)\nSELECT push(:k);\n" ],
	[ 'freeze', 1, "WITH gone AS (DELETE FROM hot WHERE k = 6 RETURNING n) INSERT INTO hot_log SELECT 6, -n FROM gone;\n" ]);
while ($load->{handle}->pumpable)
{
	$node->psql('postgres', 'VACUUM hot');
	sleep(0.3);
	$load->{handle}->pump_nb;
}
my $hot = finish_pgbench($load, 'many versions');
cmp_ok($hot // 0, '>', 3 * $seconds, 'many versions: the load ran without errors');
cmp_ok(query($node, "SELECT learned_index_check('hot_k', true), leaf_pages FROM learned_index_stats('hot_k')") =~ s/^.*\|//r, '>', 3, 'many versions: on several pages')
  if $IS_LEARNED;
sub hot_adds_up
{
	my ($label) = @_;
	is(query($node, "$scan_all SELECT count(*) - count(DISTINCT k), coalesce(sum(n) FILTER (WHERE k = 6), 0) = (SELECT sum(delta) FROM hot_log) FROM hot"),
		'0|t', "$label: every key is there once, no upsert was lost");
	return;
}
hot_adds_up('many versions');
$holder->quit;
$node->safe_psql('postgres', 'VACUUM (INDEX_CLEANUP ON) hot');
hot_adds_up('many versions, vacuumed');

# The same across a crash.
$load = start_pgbench($node, 8, 30, @scripts);
sleep(3);
$node->stop('immediate');
finish_pgbench($load, 'crash', 1);
$node->start;
everything_adds_up('after a crash');

# ---- logical replication ---------------------------------------------------------------------------

# The publisher names rows by the unique index, the subscriber finds them by its own; or by any index that fits, where
# whole rows are published.  Twins with btree indexes get the same changes.
my $subscriber = new_node('subscriber', lasting => 1, allows_streaming => 'logical');
$subscriber->start;
prepare_database($subscriber);
my @twins = map { [ "keyed_$_", $_ ], [ "whole_$_", $_ ] } ($AM, 'btree');
for my $server ($node, $subscriber)
{
	for my $twin (@twins)
	{
		my ($table, $am) = @$twin;
		$server->safe_psql('postgres', qq{
CREATE TABLE IF NOT EXISTS $table (k int8 NOT NULL, v text);
CREATE UNIQUE INDEX IF NOT EXISTS ${table}_k ON $table USING $am (k);
ALTER TABLE $table REPLICA IDENTITY } . ($table =~ /^keyed/ ? "USING INDEX ${table}_k" : 'FULL'));
	}
}
my %seen;
my $tables = join(', ', grep { !$seen{$_}++ } map { $_->[0] } @twins);
my $connection = $node->connstr . ' dbname=postgres';
$node->safe_psql('postgres', "CREATE PUBLICATION all_twins FOR TABLE $tables");
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION twins CONNECTION '$connection' PUBLICATION all_twins");
$subscriber->wait_for_subscription_sync($node, 'twins');
for my $table (split /, /, $tables)
{
	$node->safe_psql('postgres', qq{
INSERT INTO $table SELECT i * 3, 'first' FROM generate_series(1, 4000) i;
UPDATE $table SET v = 'second' WHERE k % 7 = 0;
UPDATE $table SET k = k + 1 WHERE k % 5 = 0 AND k > 6000;
DELETE FROM $table WHERE k % 11 = 0;
INSERT INTO $table SELECT k, 'conflict' FROM generate_series(1, 100) k ON CONFLICT (k) DO UPDATE SET v = excluded.v;
});
}
$node->wait_for_catchup('twins');
my $digest = 'SELECT count(*), sum(hashtextextended(k || v, 1)) FROM %s';
my $expected = query($node, sprintf($digest, "keyed_$AM"));
like($expected, qr/^\d{4}\|/, 'there are rows to compare');
for my $table (split /, /, $tables)
{
	is(query($subscriber, sprintf("$scan_all $digest", $table)), $expected, "$table: the subscriber has the publisher's rows");
	# (The worker reports its scans only now and then.)
	ok($subscriber->poll_query_until('postgres', "SELECT idx_scan > 1000 FROM pg_stat_user_indexes WHERE indexrelname = '${table}_k'"),
		"$table: they were found by the index")
	  if $table =~ /^keyed/ || $major >= 18;
}
check_indexes($subscriber, 'subscriber');

# A row that the subscriber has already: applied again once it is out of the way.
$subscriber->safe_psql('postgres', "INSERT INTO keyed_$AM VALUES (-1, 'local')");
my $log_start = -s $subscriber->logfile;
$node->safe_psql('postgres', "INSERT INTO keyed_$AM VALUES (-1, 'published')");
$subscriber->wait_for_log(qr/ERROR: .*(conflict detected on relation "public.keyed_$AM": conflict=insert_exists|duplicate key value violates unique constraint "keyed_${AM}_k")/, $log_start);
$subscriber->safe_psql('postgres', "DELETE FROM keyed_$AM WHERE k = -1");
$node->wait_for_catchup('twins');
is(query($subscriber, "SELECT v FROM keyed_$AM WHERE k = -1"), 'published', 'after a conflict the row is applied');

$subscriber->stop;
$node->stop;
done_testing();
