# A load with invariants, shared by the concurrency, crash and standby tests: tables, pgbench scripts
# that keep sums and counts constant, and readers that raise an error when they see anything else.

package ConcurrentLoad;

use strict;
use warnings;
use LearnedTest;
use IPC::Run ();
use Test::More;

use Exporter 'import';
our @EXPORT = qw(create_load_tables writer_scripts reader_scripts start_pgbench finish_pgbench
  final_state_is_right invariant_query);

# account: one row a key, sums of keys and amounts constant.  batch: whole batches of ten rows come
# at the end and go at the front, so that pages are freed and recycled.  pool: few keys, many rows.
# claim: an exclusion constraint that concurrent inserters fight over.  unlogged: as batch, without WAL.
# stock: indexes on several columns; rows move between few values of the first one.
sub create_load_tables
{
	my ($node) = @_;
	$node->safe_psql(
		'postgres', qq{
CREATE TABLE account (k int8 NOT NULL, amount int8 NOT NULL, filler text DEFAULT '');
INSERT INTO account SELECT i * 1000, 100 FROM generate_series(1, 5000) i;
CREATE INDEX account_k ON account USING $AM (k);
CREATE SEQUENCE batch_number;
CREATE TABLE batch (k int8 NOT NULL, member int NOT NULL);
CREATE INDEX batch_k ON batch USING $AM (k DESC);
CREATE TABLE pool (k int4, amount int8 NOT NULL);
INSERT INTO pool SELECT nullif(i % 8, 7), 10 FROM generate_series(1, 4000) i;
CREATE INDEX pool_k ON pool USING $AM (k);
CREATE TABLE claim (k int8, CONSTRAINT claim_k EXCLUDE USING $AM (k WITH =));
CREATE UNLOGGED TABLE unlogged (k int8 NOT NULL, member int NOT NULL);
CREATE INDEX unlogged_k ON unlogged USING $AM (k);
CREATE TABLE stock (k int4, item int8 NOT NULL, amount int8 NOT NULL, u uuid NOT NULL);
INSERT INTO stock SELECT nullif(i % 20, 13), i * 100, 5, md5(i::text)::uuid FROM generate_series(1, 4000) i;
CREATE INDEX stock_k ON stock USING $AM (k DESC NULLS LAST, item);
CREATE INDEX stock_u ON stock USING $AM (k, u) INCLUDE (item);

-- Amounts move between two keys, and the keys themselves move apart by the same distance.
CREATE FUNCTION transfer(a int8, b int8) RETURNS void LANGUAGE plpgsql AS \$\$
DECLARE
  low int8;
  high int8;
  n int;
BEGIN
  -- The rows nearest to the wanted keys, locked in key order.
  SELECT k INTO low FROM account WHERE k >= least(a, b) ORDER BY k LIMIT 1;
  SELECT k INTO high FROM account WHERE k > greatest(a, b, low) ORDER BY k LIMIT 1;
  IF low IS NULL OR high IS NULL THEN RETURN; END IF;
  SELECT count(*) INTO n FROM (SELECT FROM account WHERE k IN (low, high) ORDER BY k FOR UPDATE) s;
  IF n <> 2 THEN RETURN; END IF;
  UPDATE account SET amount = amount - 3, k = k - 1 WHERE k = low;
  GET DIAGNOSTICS n = ROW_COUNT;
  IF n <> 1 THEN RAISE EXCEPTION 'invariant: % rows of key %', n, low; END IF;
  UPDATE account SET amount = amount + 3, k = k + 1 WHERE k = high;
  GET DIAGNOSTICS n = ROW_COUNT;
  IF n <> 1 THEN RAISE EXCEPTION 'invariant: % rows of key %', n, high; END IF;
END \$\$;

-- Reads through the index in three ways; any other answer than the invariant's is an error.
CREATE FUNCTION read_accounts() RETURNS void LANGUAGE plpgsql AS \$\$
DECLARE
  n int8;
  key_sum int8;
  amount_sum int8;
BEGIN
  SET LOCAL enable_seqscan = off;
  SET LOCAL enable_bitmapscan = off;
  SET LOCAL enable_indexscan = on;
  SELECT count(*), sum(k) INTO n, key_sum FROM account WHERE k >= -1000000000;
  IF (n, key_sum) <> (5000, 12502500000) THEN
    RAISE EXCEPTION 'invariant: index-only scan sees % accounts, sum of keys %', n, key_sum;
  END IF;
  SELECT count(*), sum(amount) INTO n, amount_sum FROM (SELECT * FROM account ORDER BY k DESC) s;
  IF (n, amount_sum) <> (5000, 500000) THEN
    RAISE EXCEPTION 'invariant: backward index scan sees % accounts, sum %', n, amount_sum;
  END IF;
  SET LOCAL enable_bitmapscan = on;
  SET LOCAL enable_indexscan = off;
  SELECT count(*), sum(amount) INTO n, amount_sum FROM account WHERE k >= -1000000000;
  IF (n, amount_sum) <> (5000, 500000) THEN
    RAISE EXCEPTION 'invariant: bitmap scan sees % accounts, sum %', n, amount_sum;
  END IF;
END \$\$;

CREATE FUNCTION read_batches(relation text) RETURNS void LANGUAGE plpgsql AS \$\$
DECLARE
  broken text;
  direction text;
BEGIN
  SET LOCAL enable_seqscan = off;
  SET LOCAL enable_bitmapscan = off;
  SET LOCAL enable_indexscan = on;
  SET LOCAL enable_hashagg = off;
  FOREACH direction IN ARRAY '{ASC,DESC}'::text[] LOOP
    EXECUTE format('SELECT string_agg(k || '':'' || n, '' '') FROM
      (SELECT k, count(*) n FROM %I GROUP BY k HAVING count(*) <> 10 ORDER BY k %s LIMIT 5) s', relation, direction)
      INTO broken;
    IF broken IS NOT NULL THEN
      RAISE EXCEPTION 'invariant: batches of % without ten members: %', relation, broken;
    END IF;
  END LOOP;
  IF relation = 'batch' THEN
    -- Not index-only: each batch's members are 1 to 10.
    SELECT string_agg(k || ':' || s, ' ') INTO broken FROM
      (SELECT k, sum(member) s FROM batch WHERE k > 0 GROUP BY k HAVING sum(member) <> 55 ORDER BY k LIMIT 5) t;
    IF broken IS NOT NULL THEN
      RAISE EXCEPTION 'invariant: batches with wrong members: %', broken;
    END IF;
  END IF;
END \$\$;

CREATE FUNCTION read_pool() RETURNS void LANGUAGE plpgsql AS \$\$
DECLARE
  n int8;
  nulls int8;
  amount_sum int8;
BEGIN
  SET LOCAL enable_seqscan = off;
  SET LOCAL enable_bitmapscan = off;
  SET LOCAL enable_indexscan = on;
  SELECT count(*) INTO n FROM pool WHERE k IS NOT NULL;
  SELECT count(*) INTO nulls FROM pool WHERE k IS NULL;
  IF n + nulls <> 4000 AND current_setting('transaction_isolation') = 'repeatable read' THEN
    RAISE EXCEPTION 'invariant: % keys and % NULLs in the pool', n, nulls;
  END IF;
  SELECT count(*), sum(amount) INTO n, amount_sum FROM (SELECT * FROM pool ORDER BY k) s;
  IF (n, amount_sum) <> (4000, 40000) THEN
    RAISE EXCEPTION 'invariant: % rows in the pool, sum %', n, amount_sum;
  END IF;
END \$\$;

-- What indexes on several columns say is what the table says to the same snapshot: conditions on any column, the first row of each group,
-- whole orders. (All settings are as by default afterwards.)
CREATE FUNCTION read_stock() RETURNS void LANGUAGE plpgsql AS \$\$
DECLARE
  low int8 := random() * 400000;
  half uuid := (lpad(to_hex((random() * 255)::int), 2, '0') || '000000-0000-0000-0000-000000000000')::uuid;
  sums text := 'SELECT count(*) || '' '' || coalesce(sum(amount + item), 0) FROM stock WHERE ';
  q text;
  by_index text;
  by_table text;
  bitmaps boolean := random() < 0.3;
BEGIN
  FOREACH q IN ARRAY ARRAY[
    sums || format('item BETWEEN %s AND %s', low, low + 9000),
    sums || format('k IN (2, 5, 17) AND item >= %s', low),
    sums || format('k IS NULL AND item < %s', low),
    sums || format('u > %L', half),
    sums || format('(k, u) > (7, %1\$L) AND (k, u) <= (10, %1\$L)', half),
    'SELECT md5(string_agg(concat_ws('' '', k, item), '','')) FROM (SELECT DISTINCT ON (k) k, item FROM stock ORDER BY k DESC NULLS LAST, item) s',
    'SELECT md5(string_agg(concat_ws('' '', k, u), '','')) FROM (SELECT DISTINCT ON (k) k, u FROM stock ORDER BY k DESC, u DESC) s',
    'SELECT count(*) || md5(string_agg(concat_ws('' '', k, item), '','')) FROM (SELECT k, item FROM stock ORDER BY k NULLS FIRST, item DESC) s',
    'SELECT string_agg(k || '':'' || n, '','') FROM (SELECT k, count(u) AS n FROM stock GROUP BY k ORDER BY k) s']
  LOOP
    PERFORM set_config('enable_' || what, (what = 'indexscan' OR what = 'indexonlyscan' OR (what = 'bitmapscan' AND bitmaps))::text, true)
      FROM unnest('{seqscan,sort,hashagg,bitmapscan,indexscan,indexonlyscan}'::text[]) what;
    EXECUTE q INTO by_index;
    PERFORM set_config('enable_' || what, (what IN ('seqscan', 'sort', 'hashagg'))::text, true)
      FROM unnest('{seqscan,sort,hashagg,bitmapscan,indexscan,indexonlyscan}'::text[]) what;
    EXECUTE q INTO by_table;
    IF by_index IS DISTINCT FROM by_table THEN
      RAISE EXCEPTION 'invariant: by the index %, by the table %: %', by_index, by_table, q;
    END IF;
  END LOOP;
  PERFORM set_config('enable_' || what, 'on', true) FROM unnest('{bitmapscan,indexscan,indexonlyscan}'::text[]) what;
  EXECUTE 'SELECT count(*) || '' '' || sum(amount) FROM stock' INTO by_table;
  IF by_table <> '4000 20000' THEN
    RAISE EXCEPTION 'invariant: count and sum of the stock are %', by_table;
  END IF;
END \$\$;
});
	return;
}

sub writer_scripts
{
	return (
		[ 'transfer', 8, q{
\set a random(0, 5100000)
\set b random(0, 5100000)
SELECT transfer(:a, :b);
} ],
		[ 'batch', 8, q{
BEGIN;
INSERT INTO batch SELECT b, m FROM nextval('batch_number') b, generate_series(1, 10) m;
DELETE FROM batch WHERE k = (SELECT k FROM batch WHERE k < currval('batch_number') - 300 ORDER BY k FOR UPDATE SKIP LOCKED LIMIT 1);
COMMIT;
} ],
		[ 'pool', 4, q{
\set a random(0, 7)
\set b random(0, 7)
\set n random(1, 30)
UPDATE pool SET k = nullif(:b, 7) WHERE ctid = ANY (ARRAY(SELECT ctid FROM pool WHERE k = :a LIMIT :n FOR UPDATE SKIP LOCKED));
UPDATE pool SET k = :b WHERE ctid = ANY (ARRAY(SELECT ctid FROM pool WHERE k IS NULL LIMIT :n FOR UPDATE SKIP LOCKED));
} ],
		[ 'claim', 4, q{
\set k random(1, 3000)
INSERT INTO claim SELECT :k + i FROM generate_series(0, 3) i ON CONFLICT DO NOTHING;
DELETE FROM claim WHERE k = (:k * 7) % 3000;
} ],
		[ 'stock', 6, q{
\set a random(0, 19)
\set b random(0, 19)
\set n random(1, 20)
\set low random(1, 400000)
UPDATE stock SET k = nullif(:b, 13), item = item + 1 WHERE ctid = ANY (ARRAY(SELECT ctid FROM stock WHERE k = :a AND item >= :low ORDER BY item LIMIT :n FOR UPDATE SKIP LOCKED));
UPDATE stock SET k = :b WHERE ctid = ANY (ARRAY(SELECT ctid FROM stock WHERE k IS NULL AND item >= :low ORDER BY item LIMIT :n FOR UPDATE SKIP LOCKED));
WITH gone AS (
  DELETE FROM stock WHERE ctid = ANY (ARRAY(SELECT ctid FROM stock WHERE item BETWEEN :low AND :low + 2000 LIMIT :n FOR UPDATE SKIP LOCKED)) RETURNING *)
INSERT INTO stock SELECT :a, item - 1, amount, gen_random_uuid() FROM gone;
} ],
		[ 'abort', 2, q{
BEGIN;
INSERT INTO account SELECT i, 1000000 FROM generate_series(1, 200) i;
INSERT INTO pool SELECT i % 9, 1 FROM generate_series(1, 200) i;
INSERT INTO stock SELECT i % 20, i, 1, gen_random_uuid() FROM generate_series(1, 100) i;
ROLLBACK;
} ],
		[ 'unlogged', 2, q{
BEGIN;
INSERT INTO unlogged SELECT b, m FROM nextval('batch_number') b, generate_series(1, 10) m;
DELETE FROM unlogged WHERE k = (SELECT k FROM unlogged WHERE k < currval('batch_number') - 500 ORDER BY k FOR UPDATE SKIP LOCKED LIMIT 1);
COMMIT;
} ],
	);
}

sub reader_scripts
{
	return (
		[ 'read_accounts', 3, "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT read_accounts();\nCOMMIT;\n" ],
		[ 'read_batches', 2, "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT read_batches('batch');\nCOMMIT;\n" ],
		[ 'read_pool', 2, "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT read_pool();\nCOMMIT;\n" ],
		[ 'read_stock', 2, "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT read_stock();\nCOMMIT;\n" ],
		# One snapshot used again after others have deleted and vacuumed.
		[ 'read_twice', 1, "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT read_accounts();\n"
			. "SELECT pg_sleep(0.5);\nSELECT read_accounts(), read_batches('batch');\nSELECT read_stock();\nCOMMIT;\n" ],
	);
}

# Starts pgbench in the background over the scripts ([name, weight, text]...); it retries
# serialization failures and deadlocks, and gives up a client at any other error.
sub start_pgbench
{
	my ($node, $clients, $seconds, @scripts) = @_;
	my @files = map {
		my ($name, $weight, $text) = @$_;
		('-f', write_file("$name.pgbench", $text) . "\@$weight")
	} @scripts;
	# pgbench takes whole seconds, of which a part of what is asked for may be none.
	my @command = ('pgbench', '-n', '-c', $clients, '-j', 2, '-T', $seconds < 1 ? 1 : int($seconds), '--max-tries=1000',
		"--random-seed=" . random_int(1, 1_000_000), '-h', $node->host, '-p', $node->port, @files, 'postgres');
	my %run = (output => '', errors => '');
	$run{handle} = IPC::Run::start(\@command, '<', \undef, '>', \$run{output}, '2>', \$run{errors});
	return \%run;
}

# Waits for pgbench; returns the number of transactions, or undef when a client failed.  Where the
# server was killed on purpose, only errors that the server reported before are of interest.
sub finish_pgbench
{
	my ($run, $label, $killed) = @_;
	IPC::Run::finish($run->{handle});
	my $code = $run->{handle}->result(0);
	if ($killed)
	{
		unlike($run->{errors}, qr/ERROR:/, "$label: no error before the kill");
		return undef;
	}
	my ($transactions) = $run->{output} =~ /number of transactions actually processed: (\d+)/;
	if ($code != 0)
	{
		diag("$label: ", substr($run->{errors}, -3000));
		return undef;
	}
	return $transactions;
}

# Row counts and digests of the tables (all, if none is named), read through the indexes or by sequential
# scans: both must be equal.
sub invariant_query
{
	my ($through_index, @tables) = @_;
	@tables = qw(account batch pool claim unlogged stock) unless @tables;
	my $settings = $through_index
	  ? 'SET enable_seqscan = off;'
	  : 'SET enable_indexscan = off; SET enable_indexonlyscan = off; SET enable_bitmapscan = off;';
	return "$settings " . join(' UNION ALL ', map {
		my $of_row = $_ eq 'stock' ? 'hashint8extended(item, coalesce(k, -1))' : 'hashint8extended(coalesce(k::int8, -1), 1)';
		"SELECT '$_', count(*), sum($of_row) FROM $_ WHERE k IS NULL OR k IS NOT NULL"
	} @tables) . ' ORDER BY 1';
}

sub final_state_is_right
{
	my ($node, $label) = @_;
	my $expected = query($node, invariant_query(0));
	is(query($node, invariant_query(1)), $expected, "$label: indexes and sequential scans agree");
	is(query($node, q{SELECT (SELECT count(*) || ' ' || sum(k) || ' ' || sum(amount) FROM account),
		(SELECT count(*) || ' ' || sum(amount) FROM pool), (SELECT count(*) || ' ' || sum(amount) FROM stock), (SELECT count(k) - count(DISTINCT k) FROM claim)}),
		'5000 12502500000 500000|4000 40000|4000 20000|0', "$label: sums are as they were");
	my ($code, $out, $err) = $node->psql('postgres',
		"SELECT read_accounts(); SELECT read_batches('batch'); SELECT read_batches('unlogged'); SELECT read_pool(); SELECT read_stock();");
	is($code, 0, "$label: readers see the invariants") or diag($err);
	check_indexes($node, $label);
	return;
}

1;
