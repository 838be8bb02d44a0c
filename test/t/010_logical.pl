# Copies that do not copy files: dump and restore, and logical replication into tables with indexes of their own.
# Definitions, options and comments must come back, and rows must be the source's, by index and without.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use PostgreSQL::Test::Utils;
use Test::More;

start_seed();
my $publisher = new_node('publisher', lasting => 1, allows_streaming => 'logical');
$publisher->start;
prepare_database($publisher);
my $version = query($publisher, 'SHOW server_version_num');
# Unique indexes of ours from 18 on: then the identity of rows may be one, on two columns.
my $unique = $version >= 180000 || !$IS_LEARNED;
$publisher->safe_psql('postgres', qq{
CREATE TABLE pk (id int8 PRIMARY KEY, k int8, ts timestamptz);
CREATE TABLE full_identity (k int8, note text);
ALTER TABLE full_identity REPLICA IDENTITY FULL;
CREATE TABLE parted (id int8, k int8) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (500);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (500) TO (100000);
INSERT INTO pk SELECT i, i * 7919 % 2000, timestamptz '2024-01-01 00:00+00' + i * interval '1 hour' FROM generate_series(1, 3000) i;
INSERT INTO full_identity SELECT i, 'x' FROM generate_series(1, 500) i;
INSERT INTO parted SELECT i, -i FROM generate_series(1, 1000) i;
CREATE INDEX pk_k ON pk USING $AM (k DESC NULLS LAST) WITH (fillfactor = 77);
CREATE INDEX pk_ts ON pk USING $AM (ts) WHERE k > 100;
CREATE INDEX pk_expression ON pk USING $AM ((k / 2));
ALTER INDEX pk_expression ALTER COLUMN 1 SET STATISTICS 321;
COMMENT ON INDEX pk_k IS 'a comment';
CREATE INDEX full_k ON full_identity USING $AM (k);
ALTER TABLE full_identity CLUSTER ON full_k;
CREATE INDEX parted_k ON parted USING $AM (k);
ALTER TABLE pk ADD CONSTRAINT pk_once EXCLUDE USING $AM (id WITH =) DEFERRABLE;
CREATE OPERATOR FAMILY own_ops USING $AM;
CREATE OPERATOR CLASS own8_ops FOR TYPE int8 USING $AM FAMILY own_ops AS
  OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
  FUNCTION 1 (int8, int8) btint8cmp(int8, int8), FUNCTION 2 (int8, int8) btint8sortsupport(internal);
ALTER OPERATOR FAMILY own_ops USING $AM ADD
  OPERATOR 1 < (int8, int4), OPERATOR 2 <= (int8, int4), OPERATOR 3 = (int8, int4), OPERATOR 4 >= (int8, int4),
  OPERATOR 5 > (int8, int4), FUNCTION 1 (int8, int4) btint84cmp(int8, int4),
  FUNCTION 3 (int8, int8) in_range(int8, int8, int8, bool, bool);
CREATE INDEX pk_own ON pk USING $AM (k own8_ops) WHERE id > 5;
CREATE TABLE full_two (a int4, b int8, note text);
ALTER TABLE full_two REPLICA IDENTITY FULL;
INSERT INTO full_two SELECT nullif(i % 20, 7), nullif(i, 40), 'x' FROM generate_series(1, 500) i;
CREATE INDEX full_two_ab ON full_two USING $AM (a DESC NULLS LAST, b) INCLUDE (b);
COMMENT ON INDEX full_two_ab IS 'two columns';
});
$publisher->safe_psql('postgres', qq{
CREATE TABLE by_two (a int4 NOT NULL, b int8 NOT NULL, note text);
INSERT INTO by_two SELECT i % 20, i, 'x' FROM generate_series(1, 1000) i;
CREATE UNIQUE INDEX by_two_ab ON by_two USING $AM (a, b DESC);
ALTER TABLE by_two REPLICA IDENTITY USING INDEX by_two_ab;
}) if $unique;

# What the catalogs say of all indexes and their access method.
my $definitions = q{
SELECT pg_get_indexdef(i.indexrelid), c.reloptions, i.indisclustered, i.indisvalid, obj_description(c.oid, 'pg_class'), n.condeferrable,
       h.inhparent::regclass, (SELECT array_agg(to_jsonb(a) ->> 'attstattarget') FROM pg_attribute a WHERE attrelid = c.oid), o.opcname
  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_opclass o ON o.oid = i.indclass[0]
       LEFT JOIN pg_constraint n ON n.conindid = c.oid LEFT JOIN pg_inherits h ON h.inhrelid = c.oid
 WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1};
sub rows_of
{
	my ($node, $database, $indexed) = @_;
	my $setting = $indexed ? 'SET enable_seqscan = off; SET enable_sort = off;' : 'SET enable_indexscan = off; SET enable_bitmapscan = off;';
	return join("\n", map { query($node, "$setting $_", $database) }
		  'SELECT count(*), sum(hashint8extended(coalesce(k, 0), id)), count(k) FROM pk',
		'SELECT count(*), sum(id) FROM pk WHERE k > 100 AND ts > \'2024-02-01\'',
		'SELECT count(*), sum(id) FROM pk WHERE k / 2 = 7', 'SELECT count(*), sum(id) FROM pk WHERE k BETWEEN 5 AND 700',
		'SELECT count(*), sum(k) FROM full_identity WHERE k > -100000 AND k < 100000',
		'SELECT count(*), sum(id) FROM parted WHERE k < 5',
		'SELECT count(*), sum(hashint8extended(coalesce(b, 0), a)), string_agg(note, \',\' ORDER BY note) FROM full_two WHERE a > -1000',
		'SELECT count(*), sum(b) FROM full_two WHERE a IS NULL',
		'SELECT count(*), sum(a) FROM full_two WHERE b BETWEEN 10 AND 400 OR b IS NULL',
		($unique ? 'SELECT count(*), sum(hashint8extended(b, a)), string_agg(DISTINCT note, \',\') FROM by_two WHERE a >= -100' : ()));
}
my $expected = query($publisher, $definitions);
my $rows = rows_of($publisher, 'postgres', 0);
is(rows_of($publisher, 'postgres', 1), $rows, 'rows of the source by index and without');
cmp_ok(scalar(() = $expected =~ /USING $AM/g), '==', $unique ? 11 : 10, 'indexes of the source');

# Dump and restore, in every format; and a dump of the copy says the same.
my $directory = $PostgreSQL::Test::Utils::tmp_check;
my @connection = ('-h', $publisher->host, '-p', $publisher->port);
my $dump_of = sub {
	my ($database) = @_;
	my ($out, $err) = run_command([ 'pg_dump', @connection, '--schema-only', $database ]);
	$out =~ s/^\\(un)?restrict .*$//gm;
	return $out;
};
for my $format (qw(plain custom directory))
{
	my $copy = "copy_$format";
	$publisher->safe_psql('postgres', "CREATE DATABASE $copy");
	command_ok([ 'pg_dump', @connection, "--format=$format", "--file=$directory/$copy", 'postgres' ], "$format: dumped");
	command_ok($format eq 'plain'
		? [ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', @connection, '-f', "$directory/$copy", '-o', '/dev/null', $copy ]
		: [ 'pg_restore', @connection, '--exit-on-error', '-j', 2, '-d', $copy, "$directory/$copy" ], "$format: restored");
	is(query($publisher, $definitions, $copy), $expected, "$format: definitions, options, comments");
	is(rows_of($publisher, $copy, 1), $rows, "$format: rows by index");
	is($dump_of->($copy), $dump_of->('postgres'), "$format: a dump of the copy is the same");
	check_indexes($publisher, "$format: restored", $copy);
}

# A subscriber whose tables have such indexes applies inserts, updates and deletes, single and many, by primary key and by whole row.
my $subscriber = new_node('subscriber', lasting => 1, allows_streaming => 'logical');
$subscriber->start;
$subscriber->safe_psql('postgres', $dump_of->('postgres'));
is(query($subscriber, $definitions), $expected, 'definitions on the subscriber');
$publisher->safe_psql('postgres', 'CREATE PUBLICATION pub FOR ALL TABLES');
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION sub CONNECTION '" . $publisher->connstr . " dbname=postgres' PUBLICATION pub");
$subscriber->wait_for_subscription_sync($publisher, 'sub');
is(rows_of($subscriber, 'postgres', 1), $rows, 'rows after the first synchronisation');
for my $round (1 .. 3)
{
	$publisher->safe_psql('postgres', qq{
INSERT INTO pk SELECT i, random() * 3000, now() FROM generate_series($round * 10000, $round * 10000 + 500) i;
UPDATE pk SET k = k + 1, ts = NULL WHERE id % 10 = $round;
UPDATE pk SET id = -id WHERE id > 0 AND id % 100 = $round;
DELETE FROM pk WHERE id % 17 = $round;
UPDATE full_identity SET k = -k - $round WHERE k % 7 = $round;
DELETE FROM full_identity WHERE k % 11 = $round;
INSERT INTO full_identity SELECT 1000 * $round + i, 'new' FROM generate_series(1, 50) i;
INSERT INTO full_identity VALUES (NULL, 'null'), (7, NULL);
UPDATE full_identity SET note = 'changed' WHERE k IS NULL;
UPDATE full_two SET b = b + 1, note = 'moved $round' WHERE a = $round OR b % 10 = $round;
UPDATE full_two SET a = coalesce(a, 3) + $round WHERE b % 9 = $round;
DELETE FROM full_two WHERE b % 11 = $round;
INSERT INTO full_two SELECT nullif(i % 5, 2), 1000 * $round + i, 'new' FROM generate_series(1, 50) i;
INSERT INTO full_two VALUES (NULL, NULL, 'null'), (7, NULL, NULL), (NULL, 7, NULL);
UPDATE full_two SET note = 'changed' WHERE a IS NULL OR b IS NULL;
});
	$publisher->safe_psql('postgres', qq{
INSERT INTO by_two SELECT i % 7, $round * 10000 + i, 'new' FROM generate_series(1, 200) i;
UPDATE by_two SET a = a + 20, note = 'moved' WHERE b % 10 = $round;
UPDATE by_two SET b = -b WHERE b % 13 = $round;
UPDATE by_two SET note = 'changed $round' WHERE a = $round;
DELETE FROM by_two WHERE b % 17 = $round;
}) if $unique;
	$publisher->wait_for_catchup('sub');
	$rows = rows_of($publisher, 'postgres', 0);
	is(rows_of($subscriber, 'postgres', 1), $rows, "round $round: rows of the subscriber by index");
	is(rows_of($subscriber, 'postgres', 0), $rows, "round $round: rows of the subscriber without");
	$subscriber->safe_psql('postgres', 'VACUUM');
}
# From 18 on the whole row is looked for by the index.
if ($version >= 180000)
{
	# (The worker reports its scans only now and then.)
	ok($subscriber->poll_query_until('postgres', q{SELECT idx_scan > 50 FROM pg_stat_all_indexes WHERE indexrelname = 'full_k'}),
		'scans of the index of the table with full identity');
	ok($subscriber->poll_query_until('postgres', q{SELECT idx_scan > 50 FROM pg_stat_all_indexes WHERE indexrelname = 'full_two_ab'}),
		'and of the one on two columns');
	ok($subscriber->poll_query_until('postgres', q{SELECT idx_scan > 50 FROM pg_stat_all_indexes WHERE indexrelname = 'by_two_ab'}),
		'scans of the index on two columns that is the identity');
}
$subscriber->safe_psql('postgres', 'TRUNCATE parted');
check_indexes($subscriber, 'subscriber');
my $log = slurp_file($subscriber->logfile);
unlike($log, qr/ERROR|PANIC|FATAL:.*corrupt/, 'the log of the subscriber is clean');
$subscriber->stop;
$publisher->stop;
done_testing();
