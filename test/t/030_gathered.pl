# Entries that an INSERT of many rows, or a COPY, holds back. One that is cancelled in the middle of inserting them, where a function catches that, has each of them in once; and
# sessions that insert many rows in any way, read in the middle of it, fail and go on, beside VACUUM, with other extensions' hooks
# around ours: at any time a session's snapshot finds by the index what it finds in the table, on a standby, too.
#
# LEARNED_TEST_SECONDS   how long the load runs (default 15)

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use ConcurrentLoad qw(start_pgbench finish_pgbench);
use CountingTest qw(prepare_counting open_session run_in start_in finish_in leaves hold_page release_page wait_until_stopped);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

plan skip_all => 'nbtree holds nothing back' unless $IS_LEARNED;
start_seed();
my $seconds = seconds_setting(15);

# Hooks of others around ours, or within.
chomp(my $libraries = `pg_config --pkglibdir`);
my @others = grep { -e "$libraries/$_.so" } qw(auto_explain pg_stat_statements);
my @preloaded = chance(2) ? ('learned_index', @others) : (@others, 'learned_index');
note("preloaded: @preloaded");
my $node = new_node('primary', lasting => 1, allows_streaming => 1);
$node->append_conf('postgresql.conf', "shared_preload_libraries = '" . join(', ', @preloaded) . "'\nshared_buffers = 16MB\nmax_wal_size = 2GB\n"
	  . "deadlock_timeout = 100ms\nautovacuum = off\n");
$node->append_conf('postgresql.conf', "auto_explain.log_min_duration = 0\nauto_explain.log_analyze = on\nauto_explain.log_wal = on\n"
	  . "auto_explain.log_nested_statements = on\nauto_explain.sample_rate = 0.1\n") if grep { $_ eq 'auto_explain' } @others;
$node->append_conf('postgresql.conf', "pg_stat_statements.track = all\n") if grep { $_ eq 'pg_stat_statements' } @others;
$node->start;
prepare_database($node);
prepare_counting($node);

# By the index alone, and by the table alone.
my $settings = join(' ', map { "PERFORM set_config('enable_$_', %s, true);" } qw(seqscan indexscan indexonlyscan bitmapscan));
my $by_index = sprintf($settings, "'off'", "'on'", "(random() < 0.5)::text", "(random() < 0.2)::text");
my $by_table = sprintf($settings, "'on'", "'off'", "'off'", "'off'");
$node->safe_psql('postgres', qq{
CREATE FUNCTION rows_by_index(q text) RETURNS text STABLE LANGUAGE plpgsql AS \$\$
DECLARE answer text; BEGIN $by_index EXECUTE q INTO answer; RETURN answer; END \$\$;
CREATE FUNCTION rows_by_table(q text) RETURNS text STABLE LANGUAGE plpgsql AS \$\$
DECLARE answer text; BEGIN $by_table EXECUTE q INTO answer; RETURN answer; END \$\$;
-- How many rows; an error if not by both. Their snapshot is that of the query that asks both.
CREATE FUNCTION same_rows(relation text, condition text) RETURNS int VOLATILE LANGUAGE plpgsql AS \$\$
DECLARE
  q text := format('SELECT count(n) || '' '' || coalesce(sum(hashint8extended(n, coalesce(k, 0))), 0) FROM %I WHERE %s', relation, condition);
  found text;
  expected text;
BEGIN
  SELECT rows_by_index(q), rows_by_table(q) INTO found, expected;
  IF found IS DISTINCT FROM expected THEN RAISE EXCEPTION 'by the index %, in the table %: %', found, expected, q; END IF;
  RETURN split_part(found, ' ', 1);
END \$\$;
CREATE FUNCTION caught_at(last int, i int) RETURNS int LANGUAGE plpgsql AS \$\$
BEGIN
  IF i = last THEN
    BEGIN
      -- A query: what has been gathered is inserted before it.
      PERFORM 1;
    EXCEPTION WHEN query_canceled THEN
      RETURN 1;
    END;
  END IF;
  RETURN 0;
END \$\$;
CREATE FUNCTION caught_at_row() RETURNS trigger LANGUAGE plpgsql AS \$\$
BEGIN
  NEW.caught := caught_at(NEW.caught, (NEW.n - 1000000)::int);
  RETURN NEW;
END \$\$;
});
my $copied = PostgreSQL::Test::Utils::tempdir_short();
chmod(0777, $copied);

# ---- cancelled in the middle ---------------------------------------------------------------------------

for my $case (map { ([ $_, 0 ], [ $_, 1 ]) } 'k', 'k DESC, n', 'k) WHERE (k % 2 = 1')
{
	my ($columns, $is_copy) = @$case;
	my $label = ($is_copy ? 'COPY' : 'INSERT') . " on ($columns)";
	my $words = $columns =~ /,/ ? 2 : 1;
	$node->safe_psql('postgres', qq{
DROP TABLE IF EXISTS cancelled;
CREATE TABLE cancelled (k int8, n int8, caught int);
INSERT INTO cancelled SELECT hashint4(i) & 131071 | 1, i, 0 FROM generate_series(1, 100001) i;
CREATE INDEX cancelled_k ON cancelled USING $AM ($columns);
});
	$node->safe_psql('postgres', 'CREATE TRIGGER caught BEFORE INSERT ON cancelled FOR EACH ROW EXECUTE FUNCTION caught_at_row()') if $is_copy;
	my @leaves = leaves($node, 'cancelled_k', $words);
	cmp_ok(scalar @leaves, '>', 4, "$label: there are some leaves");
	for my $caught (1, 0)
	{
		my $hold = hold_page($node, 'cancelled_k', $leaves[ @leaves / 2 ][0]);
		my $session = open_session($node);
		my $pid = run_in($session, 'SELECT pg_backend_pid()');
		my $last = $caught ? 5000 : 7000;
		my $rows = "SELECT (i * 7919 % 100000) * 2 + 1, 1000000 + i, %s FROM generate_series(1, 6000) i";
		query($node, sprintf("COPY ($rows) TO '$copied/cancelled'", $last)) if $is_copy;
		start_in($session, $is_copy ? "COPY cancelled FROM '$copied/cancelled'" : sprintf("INSERT INTO cancelled $rows", "caught_at($last, i)"));
		ok(wait_until_stopped($node, $pid), "$label: it stops in the middle");
		# Behind its last row, too, where a COPY has closed its indexes: ALTER INDEX ... SET TABLESPACE would lock nothing else.
		is(query($node, "SELECT mode FROM pg_locks WHERE pid = $pid AND relation = 'cancelled_k'::regclass"), 'RowExclusiveLock', "$label: its index stays where it is");
		is(query($node, "SELECT pg_cancel_backend($pid)"), 't', "$label: it is asked to end");
		ok(release_page($hold), "$label: it goes on");
		my $answer = finish_in($session);
		if ($caught)
		{
			is($answer, '', "$label: and to its end");
		}
		else
		{
			like($answer, qr/canceling statement due to user request/, "$label: or ends");
		}
		$session->quit;
		is(query($node, "SELECT sum(caught), count(*) FROM cancelled"), '1|106001', "$label: rows");
		is(query($node, "SELECT entries FROM learned_index_stats('cancelled_k')"), '106001', "$label: each entry is in once") if $caught;
		query($node, "SELECT same_rows('cancelled', 'k % 2 = 1 AND k BETWEEN ' || i * 10000 || ' AND ' || i * 10000 + 9999) FROM generate_series(0, 20) i");
		check_indexes($node, $label);
	}
	$node->safe_psql('postgres', 'DROP TRIGGER caught ON cancelled') if $is_copy;
	# What was left of the statement that ended is another's place.
	$node->safe_psql('postgres', "VACUUM cancelled; INSERT INTO cancelled SELECT i * 2 + 1, -i, 0 FROM generate_series(1, 6000) i");
	is(query($node, "SELECT entries FROM learned_index_stats('cancelled_k')"), '112001', "$label: and nothing else");
	query($node, "SELECT same_rows('cancelled', 'k % 2 = 1 AND k BETWEEN ' || i * 10000 || ' AND ' || i * 10000 + 9999) FROM generate_series(0, 20) i");
}
$node->safe_psql('postgres', 'DROP TABLE cancelled');

# ---- under load ----------------------------------------------------------------------------------------

$node->safe_psql('postgres', qq{
CREATE TABLE load (k int8, n int8, said int);
CREATE INDEX load_k ON load USING $AM (k);
CREATE INDEX load_kn ON load USING $AM (k DESC, n) INCLUDE (said);
CREATE INDEX load_of ON load USING $AM ((k / 10)) WHERE mod(n, 2) = 0;
CREATE TABLE load_parts (k int8, n int8, said int) PARTITION BY HASH (n);
SELECT format('CREATE TABLE load_parts_%1\$s PARTITION OF load_parts FOR VALUES WITH (MODULUS 9, REMAINDER %1\$s)', i) FROM generate_series(0, 8) i \\gexec
CREATE INDEX ON load_parts USING $AM (k);
CREATE INDEX ON load_parts USING $AM (k, n DESC);

CREATE FUNCTION some_condition() RETURNS text LANGUAGE sql AS \$\$
  SELECT format(CASE (random() * 4)::int WHEN 0 THEN 'k >= %1\$s' WHEN 1 THEN 'k BETWEEN %1\$s AND %1\$s + 500' WHEN 2 THEN 'k / 10 = %1\$s / 10 AND mod(n, 2) = 0'
    WHEN 3 THEN 'k < %1\$s AND n > %1\$s' ELSE 'k IN (%1\$s, %1\$s + 1, %1\$s + 7)' END, (random() * 10000)::int)
\$\$;
-- What a statement may do in its middle, once in a while.
CREATE FUNCTION meddle(relation text, i int, often float8) RETURNS int VOLATILE LANGUAGE plpgsql AS \$\$
DECLARE
  fetched int8;
  c refcursor;
BEGIN
  IF random() >= often THEN RETURN 0; END IF;
  CASE (random() * 7)::int
  WHEN 0, 1 THEN
    RETURN same_rows(relation, some_condition());
  WHEN 2 THEN
    BEGIN
      EXECUTE format('INSERT INTO %I SELECT (random() * 10000)::int, j, 1 / (20 - j) FROM generate_series(1, 20) j', relation);
    EXCEPTION WHEN division_by_zero THEN
      RETURN same_rows(relation, some_condition());
    END;
  WHEN 3 THEN
    EXECUTE format('INSERT INTO %I SELECT (random() * 10000)::int, j, meddle(%L, j, 0.05) FROM generate_series(1, 20) j', relation, relation);
  WHEN 4 THEN
    OPEN c FOR EXECUTE format('SELECT n FROM %I WHERE k >= %s ORDER BY k', relation, (random() * 10000)::int);
    FETCH c INTO fetched;
    EXECUTE format('INSERT INTO %I SELECT (random() * 10000)::int, j, -1 FROM generate_series(1, 5) j', relation);
    FETCH c INTO fetched;
    CLOSE c;
  WHEN 5 THEN
    EXECUTE format('WITH new AS (INSERT INTO %I SELECT (random() * 10000)::int, j, -2 FROM generate_series(1, 5) j RETURNING 1) SELECT 1', relation);
  WHEN 6 THEN
    BEGIN
      EXECUTE format('UPDATE %I SET said = said + 1 WHERE k = %s', relation, (random() * 10000)::int);
    EXCEPTION WHEN deadlock_detected OR lock_not_available THEN
      RETURN -3;
    END;
  ELSE
    EXECUTE format('DELETE FROM %I WHERE ctid IN (SELECT ctid FROM %I WHERE k = %s FOR UPDATE SKIP LOCKED)', relation, relation, (random() * 10000)::int);
  END CASE;
  RETURN 1;
END \$\$;
CREATE FUNCTION meddle_before() RETURNS trigger LANGUAGE plpgsql AS \$\$
BEGIN
  IF random() < 0.01 THEN NEW.said := same_rows(TG_TABLE_NAME, some_condition()); END IF;
  RETURN CASE WHEN random() < 0.99 THEN NEW END;
END \$\$;
CREATE TRIGGER meddle BEFORE INSERT ON load FOR EACH ROW EXECUTE FUNCTION meddle_before();
CREATE FUNCTION look_after() RETURNS trigger LANGUAGE plpgsql AS \$\$
BEGIN
  PERFORM same_rows(TG_ARGV[0], format('k BETWEEN %s AND %s', min(k), max(k))) FROM new_rows HAVING count(k) > 0;
  RETURN NULL;
END \$\$;
CREATE TRIGGER look AFTER INSERT ON load REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION look_after('load');
CREATE TRIGGER look AFTER INSERT ON load_parts REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION look_after('load_parts');
-- Deletes and changes, bounded, in an order that cannot deadlock.
CREATE FUNCTION thin_out(relation text) RETURNS void LANGUAGE plpgsql AS \$\$
BEGIN
  EXECUTE format('DELETE FROM %I t USING (SELECT tableoid AS t, ctid AS c FROM %I WHERE k BETWEEN %s AND %3\$s + 1500 ORDER BY n LIMIT 5000 FOR UPDATE SKIP LOCKED) d '
    'WHERE t.tableoid = d.t AND t.ctid = d.c', relation, relation, (random() * 10000)::int);
END \$\$;
});

query($node, "COPY (SELECT " . ($_ == 8 ? 'i * 3' : '(random() * 10000)::int') . ", i, 0 FROM generate_series(1, $_ * 100) i) TO '$copied/rows_$_'") for 1 .. 8;
my @tables = qw(load load_parts);
my @scripts = map {
	my $table = $_;
	my $rows = 'SELECT (random() * 10000)::int, i';
	(
		[ "$table", 4, "\\set n random(2, 400)\nBEGIN;\nSET LOCAL work_mem = '64kB';\nINSERT INTO $table $rows, meddle('$table', i, 0.02) FROM generate_series(1, :n) i;\n"
			. "SELECT same_rows('$table', some_condition());\nCOMMIT;\n" ],
		[ "${table}_serial", 3, "\\set n random(2, 2000)\n\\set from random(1, 10000)\nINSERT INTO $table SELECT :from + i / 10, i, 0 FROM generate_series(1, :n) i;\n" ],
		[ "${table}_itself", 2, "\\set from random(1, 10000)\nINSERT INTO $table SELECT k + 1, -n, said FROM $table WHERE k BETWEEN :from AND :from + 50 LIMIT 300;\n" ],
		[ "${table}_back", 3, "\\set n random(2, 400)\nBEGIN;\nSAVEPOINT a;\nINSERT INTO $table $rows, 0 FROM generate_series(1, :n) i;\nROLLBACK TO a;\n"
			. "INSERT INTO $table $rows, meddle('$table', i, 0.01) FROM generate_series(1, :n) i;\nSELECT same_rows('$table', some_condition());\nROLLBACK;\n" ],
		[ "${table}_copy", 3, "\\set f random(1, 8)\nBEGIN;\nSAVEPOINT a;\nCOPY $table FROM '$copied/rows_:f' WHERE meddle('$table', 1, 0.01) IS NOT NULL;\n"
			. "SELECT same_rows('$table', some_condition());\nROLLBACK TO a;\nCOPY $table FROM '$copied/rows_:f';\nCOMMIT;\n" ],
		[ "${table}_values", 1, "INSERT INTO $table VALUES (1, 1, 0), (5000, 2, 0), (3, 3, 0), (NULL, 4, 0);\n" ],
		[ "${table}_thin", 3, "SELECT thin_out('$table');\n" ],
		[ "${table}_vacuum", 1, "VACUUM (INDEX_CLEANUP on, TRUNCATE off) $table;\n" ],
		[ "${table}_read", 3, "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT same_rows('$table', some_condition());\nSELECT same_rows('$table', some_condition());\nCOMMIT;\n" ],
	)
} @tables;
my $everything = join(' UNION ALL ', map { "SELECT same_rows('$_', 'k IS NOT NULL')" } @tables);
my $standby = standby_of($node, "max_standby_streaming_delay = -1\nhot_standby_feedback = on\n");
my $run = start_pgbench($node, 4, $seconds, @scripts);
my ($end, $looks, $failed) = (time() + $seconds, 0, '');
while (time() < $end && $failed eq '')
{
	my ($code, $out, $err) = $standby->psql('postgres', "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT same_rows('load', 'k >= 0'), same_rows('load_parts', 'k >= 0'); COMMIT;");
	$failed = $err if $code != 0;
	$looks++;
	sleep(0.2);
}
is($failed, '', "the standby finds by the index what is in the table, $looks times");
my $transactions = finish_pgbench($run, 'load');
ok($transactions, 'no session finds by the index anything else than in the table') and note("$transactions transactions");
query($node, $everything);
check_indexes($node, 'after the load');
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($standby->safe_psql('postgres', "BEGIN ISOLATION LEVEL REPEATABLE READ; $everything; COMMIT;"), query($node, $everything), 'the standby has all of it');
$standby->safe_psql('postgres', "SELECT learned_index_check(c.oid, true) FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE a.amname = '$AM' AND c.relkind = 'i'");
unlike(slurp_file($_->logfile), qr/reference leak|TRAP:|PANIC/, $_->name . ': nothing is left open') for $node, $standby;

$standby->stop;
$node->stop;
done_testing();
