# scripts/migrate.sh beside a pgbench load that compares, in each of its transactions, what the index says with what the table says to the
# same snapshot, and that no query of it fails: from btree to learned and back. What goes along with an index; what is refused; what is left
# behind when it is stopped.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use IPC::Run ();
use Test::More;
use Time::HiRes qw(sleep);
use PostgreSQL::Test::Utils;

plan skip_all => 'about going from btree to learned' unless $IS_LEARNED;
my $script = "$FindBin::RealBin/../../scripts/migrate.sh";
my $node = new_node('main', lasting => 1, allows_streaming => 1);
$node->start;
my $server = $node->safe_psql('postgres', 'SHOW server_version_num');

# migrate ARGUMENT...: its exit status and what it says; as another user, if that is set.
my $user;
sub migrate
{
	my (@arguments) = @_;
	my ($out, $err) = ('', '');
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	local $ENV{PGDATABASE} = 'postgres';
	local $ENV{PGUSER} = $user // $ENV{PGUSER};
	delete local $ENV{PGUSER} unless defined $ENV{PGUSER};
	IPC::Run::run([ 'bash', $script, @arguments ], '>', \$out, '2>', \$err);
	return ($? >> 8, $out, $err);
}

sub is_refused
{
	my ($name, $pattern, @arguments) = @_;
	my $indexes = indexes();
	my ($status, $out, $err) = migrate(@arguments);
	is($status, 1, "$name: refused");
	like($err, $pattern, "$name: said so");
	is(indexes(), $indexes, "$name: nothing changed");
	return;
}

sub indexes
{
	return $node->safe_psql('postgres', q{SELECT string_agg(indexrelid::regclass || ' ' || indisvalid || ' ' || pg_get_indexdef(indexrelid), E'\n' ORDER BY indexrelid::regclass::text COLLATE "C")
		FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'pg_toast'::regnamespace)});
}

# ---- what is refused -----------------------------------------------------------------------------------------------

$node->safe_psql('postgres', q{
CREATE TABLE t (id int8 PRIMARY KEY, k int8, v int4, note text DEFAULT repeat('x', 50));
INSERT INTO t (id, k, v) SELECT i, i * 3, i % 1000 FROM generate_series(1, 50000) i;
CREATE INDEX t_k ON t (k);
CREATE TABLE other (n numeric, u int4, e int8);
CREATE INDEX other_n ON other (n);
CREATE INDEX other_hash ON other USING hash (u);
CREATE UNIQUE INDEX other_u ON other (u);
CREATE TABLE child (u int4 REFERENCES other (u));
CREATE TABLE parts (k int8) PARTITION BY RANGE (k);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (1000);
CREATE INDEX parts_k ON parts (k);
CREATE ROLE somebody LOGIN;
GRANT SELECT ON t TO somebody;
CREATE VIEW seen AS SELECT 1 AS k;
CREATE INDEX "Upper" ON t (v);
});
is_refused('no extension', qr/t_k is in database postgres, where the extension is missing: CREATE EXTENSION learned_index$/m, 'learned', 't_k');
prepare_database($node);
is_refused('no such index', qr/there is no t_odd in the database/, 'learned', 't_odd');
is_refused('a table', qr/error: t is not an index$/m, 'learned', 't');
is_refused('a view', qr/error: seen is not an index$/m, 'learned', 'seen');
is_refused('a partitioned table', qr/error: parts is not an index$/m, 'learned', 'parts');
is_refused('a name with capitals, without quotes', qr/there is no Upper in the database \(.*quote it as in SQL, '"Name"'\)$/m, 'learned', 'Upper');
is_refused('no name', qr/improper relation name \(too many dotted names\)/, 'learned', 'a.b.c.d');
is_refused('a btree already', qr/t_k is a btree index already/, 'btree', 't_k');
is_refused('another method', qr/other_hash is a hash index/, 'learned', 'other_hash');
is_refused('a primary key', qr/t_pkey is that of a constraint, t_pkey/, 'learned', 't_pkey');
is_refused('a foreign key', qr/other_u is what a foreign key relies on, child_u_fkey of child/, 'learned', 'other_u');
is_refused('a partitioned index', qr/parts_k is partitioned, or part of a partitioned index/, 'learned', 'parts_k');
is_refused('a part of one', qr/parts_1_k_idx is partitioned, or part of/, 'learned', 'parts_1_k_idx');
is_refused('a type without class', qr/data type numeric has no default operator class.*the new index could not be built/s, 'learned', 'other_n');
is_refused('queries file', qr/cannot read/, '--queries', '/nonexistent/file', 'learned', 't_k');
is_refused('a directory of queries', qr/cannot read/, '--queries', $PostgreSQL::Test::Utils::tmp_check, 'learned', 't_k');
is_refused('no query', qr/there is no query in /, '--queries', write_file('none.sql', "\n  -- nothing\n\n"), 'learned', 't_k');
{
	local $ENV{PGOPTIONS} = '-c default_transaction_read_only=on';
	is_refused('a session that reads only', qr/error: t_k is not to be written to by \S+: PGOPTIONS='-c default_transaction_read_only=off' lets this script do it\n\z/, 'learned', 't_k');
	my ($status, $out, $err) = migrate('--dry-run', 'learned', 't_k');
	is("$status $err", '0 ', 'which may see the statements');
}
{
	my $standby = standby_of($node);
	my ($status, $out, $err) = ('', '', '');
	local $ENV{PGHOST} = $standby->host;
	local $ENV{PGPORT} = $standby->port;
	local $ENV{PGDATABASE} = 'postgres';
	IPC::Run::run([ 'bash', $script, 'learned', 't_k' ], '>', \$out, '2>', \$err);
	is(($? >> 8) . " $err", "1 error: t_k is on a standby, which has the indexes of its primary: swap it there\n", 'a standby: refused');
	$standby->stop;
}
$user = 'somebody';
is_refused('another owner', qr/t_k belongs to \S+: only its owner/, 'learned', 't_k');
$user = 'nobody_here';
is_refused('no such role', qr/could not be asked about t_k/, 'learned', 't_k');
undef $user;
$node->safe_psql('postgres', 'CREATE INDEX t_k_new ON t (v)');
is_refused('a name that is taken', qr/t_k has a neighbour t_k_new/, 'learned', 't_k');
$node->safe_psql('postgres', 'DROP INDEX t_k_new');
$node->safe_psql('postgres', 'ALTER TABLE child DROP CONSTRAINT child_u_fkey');
is_refused('unique before 18', qr/other_u is unique, which before PostgreSQL 18/, 'learned', 'other_u') if $server < 180000;
for my $wrong ([], ['learned'], [ 'hash', 't_k' ], [ 'learned', 't_k', 'more' ], [ '--odd', 'learned', 't_k' ], [ 'learned', 't_k', '--queries' ])
{
	my ($status, $out, $err) = migrate(@$wrong);
	is($status, 2, "called with '@$wrong'");
	like($err, qr{scripts/migrate.sh learned INDEX}, 'it says how');
}

# ---- what goes along -----------------------------------------------------------------------------------------------

my $note = "two\nlines, it's \\ odd";
$node->safe_psql('postgres', qq{
CREATE SCHEMA "Odd One";
CREATE TABLE "Odd One"."T" (a int8, b timestamptz, c int4);
INSERT INTO "Odd One"."T" SELECT i, now() + i * interval '1 second', i FROM generate_series(1, 2000) i;
CREATE INDEX "I x" ON "Odd One"."T" USING btree (a DESC NULLS LAST, (c / 2)) INCLUDE (b) WITH (deduplicate_items = off, fillfactor = 70) WHERE c > 5;
COMMENT ON INDEX "Odd One"."I x" IS \$\$$note\$\$;
ALTER INDEX "Odd One"."I x" ALTER COLUMN 2 SET STATISTICS 321;
CREATE INDEX plain ON "Odd One"."T" (a);
ALTER TABLE "Odd One"."T" CLUSTER ON plain;
});
my $facts = q{SELECT replace(pg_get_indexdef(c.oid), ' USING ' || amname, ''), obj_description(c.oid), indisclustered, (SELECT string_agg(attstattarget::text, ',') FROM pg_attribute WHERE attrelid = c.oid AND attstattarget > 0),
  (SELECT count(*) FROM pg_stats WHERE tablename = c.relname) FROM pg_class c JOIN pg_am a ON a.oid = relam JOIN pg_index ON indexrelid = c.oid WHERE relname IN ('I x', 'plain') ORDER BY relname};
$node->safe_psql('postgres', 'ANALYZE');
my $before = $node->safe_psql('postgres', $facts);
for my $index ('"Odd One"."I x"', '"Odd One".plain')
{
	my ($status, $out, $err) = migrate('learned', $index);
	is("$status $err", '0 ', "$index is swapped");
}
(my $expected = $before) =~ s/ WITH \(deduplicate_items=off, fillfactor='70'\)/ WITH (fillfactor='70')/;
is($node->safe_psql('postgres', $facts), $expected, 'columns, options, condition, comment, CLUSTER, statistics are as before');
is($node->safe_psql('postgres', "SELECT string_agg(relname || ' ' || amname, ', ' ORDER BY relname) FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE relkind = 'i' AND relnamespace = '\"Odd One\"'::regnamespace"),
	'I x learned, plain learned', 'no index beside them');
my ($dry_status, $dry) = migrate('--dry-run', 'btree', '"Odd One".plain');
like($dry, qr/^CREATE INDEX CONCURRENTLY plain_new ON "Odd One"\."T" USING btree \(a\);\n.*^BEGIN;\n.*^COMMIT;\nRESET lock_timeout;\nDROP INDEX CONCURRENTLY "Odd One"\.plain_old;$/ms, 'a dry run prints the statements');
like($node->safe_psql('postgres', q{SELECT pg_get_indexdef('"Odd One".plain'::regclass)}), qr/USING learned/, 'and does nothing');

# ---- names, and what a role or a database is set to -------------------------------------------------------------------

# Names with all kinds of signs; of letters of two bytes, so many that there is room for no more, or for one. Back and forth.
$node->safe_psql('postgres', q{
CREATE SCHEMA "S'";
CREATE TABLE "S'"."T "" x.y" ("A.b" int4, "c'd" int8);
INSERT INTO "S'"."T "" x.y" SELECT i, i FROM generate_series(1, 500) i;
});
for my $name ("it's", 'dot.ted', 'q"q', 'back\\slash', 'a:b', q{$x $(id) `id` *[a]?}, "\x{e4}" x 31, 'a' . "\x{e4}" x 31, "\x{4e2d}" x 20 . 'abc', 'x' x 63, 'drop')
{
	(my $quoted = $name) =~ s/"/""/g;
	utf8::encode($quoted);
	my $index = qq{"S'"."$quoted"};
	$node->safe_psql('postgres', qq{CREATE INDEX "$quoted" ON "S'"."T "" x.y" ("A.b" DESC) INCLUDE ("c'd") WHERE "c'd" > 5});
	my $definition = $node->safe_psql('postgres', "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = \$\$\"S'\".\"T \"\" x.y\"\$\$::regclass");
	for my $to ('learned', 'btree')
	{
		my ($status, $out, $err) = migrate($to, $index);
		is("$status $err", '0 ', "$index becomes $to");
		$definition =~ s/ USING \w+ / USING $to /;
		is($node->safe_psql('postgres', "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = \$\$\"S'\".\"T \"\" x.y\"\$\$::regclass"), $definition, 'and nothing else');
	}
	$node->safe_psql('postgres', "DROP INDEX $index");
}
$node->safe_psql('postgres', q{CREATE TABLE bound (k int8); CREATE INDEX bound_k ON bound (k); ALTER INDEX bound_k DEPENDS ON EXTENSION plpgsql});
{
	my ($status, $out, $err) = migrate('learned', 'bound_k');
	is("$status $err", '0 ', 'an index that depends on an extension');
	is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_depend WHERE objid = 'bound_k'::regclass AND deptype = 'x'}), '1', 'still does');
}
# What names no tablespace would go where the session puts what is new.
{
	$node->safe_psql('postgres', q{SET allow_in_place_tablespaces = on; CREATE TABLESPACE fast LOCATION ''});
	$node->safe_psql('postgres', q{CREATE TABLE spaces (k int8); CREATE INDEX spaces_here ON spaces (k); CREATE INDEX spaces_fast ON spaces (k) TABLESPACE fast});
	local $ENV{PGOPTIONS} = '-c default_tablespace=fast';
	for my $to ('learned', 'btree')
	{
		for my $index ('spaces_here', 'spaces_fast')
		{
			my ($status, $out, $err) = migrate($to, $index);
			is("$status $err", '0 ', "$index becomes $to");
		}
		is($node->safe_psql('postgres', q{SELECT string_agg(c.relname || ' ' || coalesce(spcname, '-'), ', ' ORDER BY c.relname) FROM pg_class c LEFT JOIN pg_tablespace s ON s.oid = reltablespace WHERE c.relname LIKE 'spaces_%'}),
			'spaces_fast fast, spaces_here -', 'each is in its tablespace');
	}
}
# The extension is where search_path does not lead, and so is all else; strings are of the old kind.
{
	$node->safe_psql('postgres', q{
CREATE SCHEMA elsewhere;
GRANT USAGE ON SCHEMA elsewhere TO PUBLIC;
ALTER EXTENSION learned_index SET SCHEMA elsewhere;
CREATE TABLE kinds (k int8);
CREATE UNLOGGED TABLE kinds_unlogged (k int8);
CREATE MATERIALIZED VIEW kinds_view AS SELECT 1::int8 AS k;
CREATE TABLE kinds_heir () INHERITS (kinds);
CREATE INDEX kinds_k ON kinds (k);
CREATE INDEX "kinds\unlogged_k" ON kinds_unlogged (k);
CREATE INDEX kinds_view_k ON kinds_view ((k / 2));
CREATE INDEX kinds_heir_k ON kinds_heir (k);
ALTER MATERIALIZED VIEW kinds_view CLUSTER ON kinds_view_k;
});
	my $strings = $server < 190000 ? '-c standard_conforming_strings=off -c escape_string_warning=on' : '';
	local $ENV{PGOPTIONS} = "-c search_path= -c row_security=off -c client_min_messages=warning $strings";
	for my $index ('public.kinds_k', 'public."kinds\unlogged_k"', 'public.kinds_view_k', 'public.kinds_heir_k')
	{
		my ($status, $out, $err) = migrate('learned', $index);
		is("$status $err", '0 ', "$index, with an empty search_path");
	}
	my ($dry_status, $dry) = migrate('--dry-run', 'learned', 'public.t_k');
	like($dry, qr/^SELECT elsewhere\.learned_index_check\('public\.t_k_new', heapallindexed => true\);$/m, 'a dry run says where the function is');
	$node->safe_psql('postgres', 'ALTER EXTENSION learned_index SET SCHEMA public');
}
# An index of that name comes when all has been looked at: it is not this script's to drop.
{
	my $psql = write_file('psql.sh', <<'SH');
#!/bin/sh
case "$*" in *"CREATE INDEX CONCURRENTLY t_k_new"*) psql -X -q -c 'CREATE INDEX t_k_new ON t (v)' ;; esac
exec psql "$@"
SH
	chmod 0755, $psql;
	local $ENV{PSQL} = $psql;
	my ($status, $out, $err) = migrate('learned', 't_k');
	like("$status $err", qr/^1 ERROR:  relation "t_k_new" already exists\nerror: the new index could not be built; t_k is as before\n\z/, 'a name that is taken meanwhile');
	is($node->safe_psql('postgres', q{SELECT pg_get_indexdef('t_k_new'::regclass)}), 'CREATE INDEX t_k_new ON public.t USING btree (v)', 'and who has it keeps it');
	$node->safe_psql('postgres', 'DROP INDEX t_k_new');
}

# ---- partitions, as docs/migrate.md has it --------------------------------------------------------------------------

$node->safe_psql('postgres', q{
INSERT INTO parts SELECT i % 1000 FROM generate_series(1, 3000) i;
CREATE INDEX parts_k_new ON ONLY parts USING learned (k);
CREATE INDEX CONCURRENTLY parts_1_k_new ON parts_1 USING learned (k);
ALTER INDEX parts_k_new ATTACH PARTITION parts_1_k_new;
SET lock_timeout = '2s';
BEGIN;
DROP INDEX parts_k;
ALTER INDEX parts_k_new RENAME TO parts_k;
COMMIT;
RESET lock_timeout;
});
is($node->safe_psql('postgres', q{SELECT string_agg(indexrelid::regclass || ' ' || indisvalid, ', ' ORDER BY indexrelid::regclass::text COLLATE "C") FROM pg_index WHERE indrelid IN ('parts'::regclass, 'parts_1'::regclass)}),
	'parts_1_k_new true, parts_k true', 'a partitioned index is swapped, and valid');
is($node->safe_psql('postgres', 'SET enable_seqscan = off; SELECT count(*) FROM parts WHERE k BETWEEN 10 AND 19'), '30', 'and answers');

# ---- the target of a foreign key, as docs/migrate.md has it ----------------------------------------------------------

if ($server >= 180000)
{
	$node->safe_psql('postgres', q{
CREATE TABLE parent (id int8 NOT NULL);
INSERT INTO parent SELECT generate_series(1, 1000);
CREATE UNIQUE INDEX parent_id ON parent (id);
CREATE TABLE heir (parent int8 CONSTRAINT heir_parent_fkey REFERENCES parent (id));
INSERT INTO heir SELECT generate_series(1, 100);
CREATE UNIQUE INDEX CONCURRENTLY parent_id_new ON parent USING learned (id);
SET lock_timeout = '2s';
BEGIN;
ALTER TABLE heir DROP CONSTRAINT heir_parent_fkey;
DROP INDEX parent_id;
ALTER TABLE heir ADD CONSTRAINT heir_parent_fkey FOREIGN KEY (parent) REFERENCES parent (id) NOT VALID;
ALTER INDEX parent_id_new RENAME TO parent_id;
COMMIT;
RESET lock_timeout;
ALTER TABLE heir VALIDATE CONSTRAINT heir_parent_fkey;
});
	is($node->safe_psql('postgres', q{SELECT conname, convalidated, amname FROM pg_constraint o JOIN pg_class c ON c.oid = conindid JOIN pg_am a ON a.oid = relam WHERE conrelid = 'heir'::regclass AND contype = 'f'}),
		'heir_parent_fkey|t|learned', 'the foreign key relies on the learned index');
	for my $sql ('INSERT INTO heir VALUES (1001)', 'DELETE FROM parent WHERE id = 7')
	{
		my ($status, $out, $err) = $node->psql('postgres', $sql);
		like($err, qr/violates foreign key constraint "heir_parent_fkey"/, "it is kept: $sql");
	}
}

# ---- limits that the role has for its queries: a build takes longer, and waits longer -------------------------------

{
	my $limits = join '', map { "ALTER ROLE CURRENT_USER SET $_ = '1s'; " } qw(statement_timeout lock_timeout), $server >= 170000 ? 'transaction_timeout' : ();
	$node->safe_psql('postgres', "$limits CREATE TABLE slow (k int8); INSERT INTO slow VALUES (1); CREATE INDEX slow_k ON slow (k)");
	my $holder = $node->background_psql('postgres');
	$holder->query_safe("SET statement_timeout = 0; SET lock_timeout = 0;" . ($server >= 170000 ? ' SET transaction_timeout = 0;' : '') . ' BEGIN; INSERT INTO slow VALUES (2); SELECT 1');
	my ($out, $err) = ('', '');
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	local $ENV{PGDATABASE} = 'postgres';
	my $waiting = IPC::Run::start([ 'bash', $script, 'learned', 'slow_k' ], '>', \$out, '2>', \$err);
	local $ENV{PGOPTIONS} = '-c statement_timeout=0';
	$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'});
	sleep 2;
	$holder->query_safe('COMMIT');
	$waiting->finish;
	is(($waiting->full_result(0) >> 8) . " $err", '0 ', 'limits of the role do not end the build');
	like($node->safe_psql('postgres', "SELECT string_agg(pg_get_indexdef(indexrelid), ';') FROM pg_index WHERE indrelid = 'slow'::regclass"),
		qr/^CREATE INDEX slow_k ON public.slow USING learned \(k\)$/, 'and one index is there, the learned one');
	$holder->quit;
	$node->safe_psql('postgres', 'ALTER ROLE CURRENT_USER RESET ALL');
}

# ---- queries that prefer the old one; --keep -----------------------------------------------------------------------

my $queries = write_file('queries.sql', "-- a comment\n\nSELECT sum(v) FROM t WHERE v + 1 = 7 AND id > 0;\nSELECT count(*) FROM t WHERE k = 30\n");
my ($status, $out, $err) = migrate('--queries', $queries, '--keep', 'learned', 't_k');
is("$status $err", '0 ', 'queries do not need the old index');
like($out, qr/does not need the old index: SELECT count\(\*\) FROM t WHERE k = 30\n.*the old one stays as t_k_old/s, 'both are kept');
is(scalar(() = indexes() =~ /^t_k/mg), 2, 'they are there');
$node->safe_psql('postgres', 'DROP INDEX t_k_old');
# (Btree has no counting: the learned one stays preferred.)
$node->safe_psql('postgres', 'VACUUM ANALYZE t');
{
	local $ENV{PGOPTIONS} = '-c learned_index.enable_aggregates=on';
	# (The last line has no end; others end as on Windows.)
	my $counts = write_file('counts.sql', "SELECT 1;\r\nSELECT count(*) FROM t WHERE k BETWEEN 30 AND 120000;");
	is_refused('a query that prefers the old index', qr/1 of the queries prefer the old index, which stays/, '--queries', $counts, 'btree', 't_k');
}

# ---- beside a load -------------------------------------------------------------------------------------------------

$node->safe_psql('postgres', 'DROP INDEX t_k; CREATE INDEX t_k ON t (k)');
my $compare = write_file('compare.sql', q{
\set low random(1, 150000)
BEGIN ISOLATION LEVEL REPEATABLE READ;
SET LOCAL enable_seqscan = off;
SELECT count(*) AS n, coalesce(sum(v), 0) AS s, coalesce(min(k), 0) AS m FROM t WHERE k BETWEEN :low AND :low + 3000 \gset index_
SELECT count(*) AS n FROM t WHERE k = :low \gset point_
SET LOCAL enable_seqscan = on;
SET LOCAL enable_indexscan = off;
SET LOCAL enable_bitmapscan = off;
SET LOCAL enable_indexonlyscan = off;
SELECT count(*) AS n, coalesce(sum(v), 0) AS s, coalesce(min(k), 0) AS m FROM t WHERE k BETWEEN :low AND :low + 3000 \gset table_
SELECT count(*) AS n FROM t WHERE k = :low \gset found_
SELECT 1 / (:index_n = :table_n AND :index_s = :table_s AND :index_m = :table_m AND :point_n = :found_n)::int;
COMMIT;
});
my $write = write_file('write.sql', q{
\set id random(1, 50000)
\set k random(1, 150000)
UPDATE t SET k = :k, v = v + 1 WHERE id = :id;
DELETE FROM t WHERE id = (SELECT id FROM t WHERE k >= :k ORDER BY k LIMIT 1);
INSERT INTO t (id, k, v) VALUES (:id, :k, 1) ON CONFLICT (id) DO UPDATE SET k = excluded.k;
});
my @tables = ('t');
my @loads = ('-f', "$compare\@1", '-f', "$write\@4");
if ($server >= 180000)
{
	# A unique index, which upserts rely on; also the replica identity.
	$node->safe_psql('postgres', 'CREATE TABLE u (k int8 NOT NULL, n int4 NOT NULL); CREATE UNIQUE INDEX u_k ON u (k); ALTER TABLE u REPLICA IDENTITY USING INDEX u_k');
	push @loads, '-f', write_file('upsert.sql', q{
\set k random(1, 300)
INSERT INTO u VALUES (:k, 1) ON CONFLICT (k) DO UPDATE SET n = u.n + 1;
}) . '@4';
}
my ($bench_out, $bench_err) = ('', '');
my $log = "$PostgreSQL::Test::Utils::tmp_check/pgbench";
my $load = IPC::Run::start(
	[ 'pgbench', '-n', '-M', 'prepared', '-c', '4', '-j', '2', '-T', '600', '-h', $node->host, '-p', $node->port, '--max-tries=10', '-P', '1', @loads, 'postgres' ],
	'>', \$bench_out, '2>', \$bench_err);
sleep 2;
my $swaps = 0;
my @targets = ([ 't_k', 'learned' ], [ 't_k', 'btree' ]);
push @targets, [ 'u_k', 'learned' ], [ 'u_k', 'btree' ], [ 'u_k', 'learned' ] if $server >= 180000;
push @targets, [ 't_k', 'learned' ];
for my $target (@targets)
{
	my ($index, $to) = @$target;
	my ($status, $out, $err) = migrate($to, $index);
	$err =~ s/^.*canceling statement due to lock timeout\n//mg;
	is("$status $err", '0 ', "$index becomes $to, beside the load");
	is($node->safe_psql('postgres', "SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE c.oid = '$index'::regclass"), $to, 'it is');
	$swaps++;
	sleep 1;
}

# ---- stopped in the middle: somebody has an old transaction, which the build waits for --------------------------------

{
	my $holder = $node->background_psql('postgres');
	$holder->query_safe('BEGIN; UPDATE t SET v = v WHERE id = 1; SELECT 1');
	my $indexes = indexes();
	my ($out, $err) = ('', '');
	local $ENV{PGHOST} = $node->host;
	local $ENV{PGPORT} = $node->port;
	local $ENV{PGDATABASE} = 'postgres';
	my $waiting = IPC::Run::start([ 'bash', $script, 'btree', 't_k' ], '>', \$out, '2>', \$err);
	$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'});
	$waiting->signal('TERM');
	sleep 1;
	$holder->query_safe('COMMIT');
	$waiting->finish;
	is($waiting->full_result(0) >> 8, 143, 'stopped while it waits');
	is(indexes(), $indexes, 'the index is as before, and no other one is left');
	$holder->quit;
}

# pgbench ends at the first error, by itself.
ok($load->pumpable, 'the load goes on');
$load->signal('INT');
$load->finish;
unlike($bench_err, qr/ERROR|aborted|FATAL/, 'no query failed, and each answer of the index was that of the table');
my $done = () = $bench_err =~ /^progress: /mg;
cmp_ok($done, '>', 5, "the load ran for $done seconds, beside $swaps swaps");
check_indexes($node, 'at the end');
$node->stop;
done_testing();
