# Index files that earlier versions of the extension made are read and written as they are: those in test/data, of each
# version, as test/data/make.sh makes them. The tables are made anew, row by row in the same
# places; their indexes' files are then exchanged for the old ones while the server is stopped.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use IO::Uncompress::Gunzip qw(gunzip $GunzipError);
use JSON::PP;
use PostgreSQL::Test::Utils ();
use Test::More;

plan skip_all => 'the files are of learned indexes' unless $IS_LEARNED;

my $data = "$FindBin::RealBin/../data";
my $page_size = 8192;
my @versions = ('0.1.0', '0.2.0', '0.3.0', '0.4.0');
my @plain_indexes = qw(kept_id kept_device kept_code kept_ts kept_temperature bare_k);
# Of keys of several words, which 0.4 brought.
my @wide_indexes = qw(wide_u wide_pair wide_code);
sub is_wide { my ($version) = @_; return $version ge '0.4.0' }
sub indexes_of { my ($version) = @_; return (@plain_indexes, is_wide($version) ? @wide_indexes : ()) }

my $node = new_node('old_files', lasting => 1);
# (From 18 on a new server has checksums.)
my ($control) = PostgreSQL::Test::Utils::run_command([ 'pg_controldata', '-D', $node->data_dir ]);
PostgreSQL::Test::Utils::system_or_bail('pg_checksums', '--disable', '-D', $node->data_dir) if $control =~ /checksum version: *[1-9]/;
$node->start;

sub kept_file
{
	my ($version, $name) = @_;
	gunzip("$data/$version/$name.gz" => \my $bytes) or die "$version, $name: $GunzipError\n";
	return $bytes;
}

# ---- tables as they were ---------------------------------------------------------------------------------

# A database for each version, and each way to keep checksums.
my %databases = map {
	my $round = $_;
	($round => [ map { { version => $_, name => "v${_}_$round" =~ s/\./_/gr } } @versions ])
} 'plain', 'checksums';
for my $database (map { @$_ } @databases{qw(plain checksums)})
{
	my ($version, $name) = @$database{qw(version name)};
	query($node, "CREATE DATABASE $name");
	query($node, "CREATE EXTENSION learned_index VERSION '$version'", $name);
	# In one session: settings of the first are those of the second.
	my @scripts = ('old_files.sql', is_wide($version) ? 'old_wide_files.sql' : ());
	$node->safe_psql($name, join('', map { PostgreSQL::Test::Utils::slurp_file("$data/$_") } @scripts));
	chomp(my $content = PostgreSQL::Test::Utils::slurp_file("$data/$version/content"));
	is(query($node, 'TABLE content', $name), $content, "$name: each row is where it was when the files were made")
	  or BAIL_OUT('the tables are other ones');
	$database->{$_} = query($node, "SELECT pg_relation_filepath('$_')", $name) for indexes_of($version);
}

# Pages must not be younger than the log. (Their LSNs are those of the server that made them.)
my ($youngest) = sort { $b cmp $a } map {
	my $bytes = kept_file(@$_);
	map { sprintf('%08X%08X', unpack('L L', substr($bytes, $_ * $page_size, 8))) } 0 .. length($bytes) / $page_size - 1
} map { my $version = $_; map { [ $version, $_ ] } indexes_of($version) } @versions;
my $lsn = substr($youngest, 0, 8) . '/' . substr($youngest, 8);
for (my $i = 0; $i < 50 && query($node, "SELECT pg_current_wal_insert_lsn() <= '$lsn'") eq 't'; $i++)
{
	query($node, 'CREATE TABLE logged (); DROP TABLE logged; SELECT pg_switch_wal()');
}

# ---- what they must be able to do ------------------------------------------------------------------------

my @questions = (
	'SELECT count(*), sum(id), sum(hashint4(id) * row_number) FROM (SELECT id, row_number() OVER () FROM (SELECT id FROM kept ORDER BY id) a) b',
	'SELECT sum(id), min(pad), max(pad) FROM kept WHERE id BETWEEN 700 AND 2950',
	'SELECT count(*), sum(device), bool_and(device <= previous IS NOT FALSE) FROM (SELECT device, lag(device) OVER () AS previous FROM (SELECT device FROM kept ORDER BY device DESC) a) b',
	'SELECT sum(id) FROM kept WHERE device IN (1, 20, 37, 51, 60, 70, 74, 200)',
	'SELECT sum(id), count(*) FROM kept WHERE device = 55',
	'SELECT count(*), sum(code::int8), bool_and(code >= previous IS NOT FALSE) FROM (SELECT code, lag(code) OVER () AS previous FROM (SELECT code FROM kept ORDER BY code NULLS FIRST) a) b',
	'SELECT sum(id), count(*) FROM kept WHERE code IS NULL',
	'SELECT sum(id) FROM kept WHERE code < -50000',
	'SELECT sum(k.id) FROM generate_series(1, 8000, 3) i CROSS JOIN LATERAL (SELECT id FROM kept WHERE code = hashint4(i) % 100000) k',
	q{SELECT sum(id), count(*) FROM kept WHERE id % 10 <> 0 AND ts BETWEEN '2024-01-01 10:00+00' AND '2024-01-03 01:00+00'},
	'SELECT md5(string_agg(id::text, chr(32))) FROM (SELECT id FROM kept WHERE id % 10 <> 0 ORDER BY ts DESC NULLS LAST) s',
	q{SELECT count(*), sum(id) FROM kept WHERE id % 50 < 12 AND temperature = 0},
	q{SELECT count(*), sum(id) FROM kept WHERE id % 50 < 12 AND temperature = 'NaN'},
	q{SELECT count(*), sum(id) FROM kept WHERE id % 50 < 12 AND temperature < -5},
	'SELECT md5(string_agg(float8send(temperature)::text, chr(32))) FROM (SELECT temperature FROM kept WHERE id % 50 < 12 AND temperature <> 0 ORDER BY temperature DESC) s',
	'SELECT count(*), min(k), max(k), sum(k) FROM bare WHERE k > -5');
my @wide_questions = (
	'SELECT count(*), md5(string_agg(u::text, chr(32))) FROM (SELECT u FROM wide ORDER BY u) s',
	'SELECT sum(w.id), count(*) FROM generate_series(1, 6000, 7) i CROSS JOIN LATERAL (SELECT id FROM wide WHERE u = md5(i::text)::uuid) w',
	q{SELECT count(*), sum(id) FROM wide WHERE u BETWEEN '30000000-0000-0000-0000-000000000000' AND 'a0000000-0000-0000-0000-000000000000'},
	'SELECT md5(string_agg(concat_ws(chr(32), device, ts, id), chr(10))) FROM (SELECT device, ts, id FROM wide ORDER BY device NULLS FIRST, ts DESC) s',
	q{SELECT sum(id), count(*) FROM wide WHERE device IN (3, 7, 11, 29) AND ts > '2024-01-01 12:00+00'},
	'SELECT sum(id), count(*) FROM wide WHERE device IS NULL',
	'SELECT md5(string_agg(concat_ws(chr(32), code, device), chr(10))) FROM (SELECT code, device FROM wide ORDER BY code DESC, device) s',
	'SELECT sum(w.id), count(*) FROM generate_series(1, 6000, 5) i CROSS JOIN LATERAL (SELECT id FROM wide WHERE code = hashint8(i / 3) * 1000003::int8) w');
my $plain = 'SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off;';
my %forced = (
	'index scans' => 'SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off;',
	'bitmap scans' => 'SET enable_seqscan = off; SET enable_indexscan = off; SET enable_indexonlyscan = off;');

sub check_all
{
	my ($name, $label) = @_;
	check_indexes($node, "$name, $label", $name);
	my $wide = query($node, q{SELECT to_regclass('wide') IS NOT NULL}, $name) eq 't';
	my $all = join(";\n", @questions, $wide ? @wide_questions : ());
	my $truth = query($node, "$plain $all", $name);
	is(query($node, "$forced{$_} $all", $name), $truth, "$name, $label: $_") for sort keys %forced;
	return;
}

sub stats
{
	my ($name, $index) = @_;
	return decode_json(query($node, "SELECT row_to_json(s) FROM learned_index_stats('$index') s", $name));
}

# (By a new backend, which knows nothing of the index.)
sub pages
{
	my ($name, $sql) = @_;
	my $plan = decode_json(query($node,
		"SET learned_index.read_ahead = off; $forced{'index scans'} EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF, FORMAT JSON) $sql", $name, fresh => 1))->[0]{Plan};
	return $plan->{'Shared Hit Blocks'} + $plan->{'Shared Read Blocks'};
}

# In place of what today's version has made.
sub exchange_files
{
	my ($database) = @_;
	for my $index (indexes_of($database->{version}))
	{
		my $path = $node->data_dir . "/$database->{$index}";
		unlink "${path}_fsm", "${path}_vm";
		open my $file, '>:raw', $path or die "$path: $!\n";
		print $file kept_file($database->{version}, $index);
		close $file or die "$path: $!\n";
	}
	return;
}

# Before anything else reads or changes the files.
sub look_at_files
{
	my ($database) = @_;
	my ($version, $name) = @$database{qw(version name)};
	# Kill marks are among what was kept: those of 0.3 are believed; those of 0.2 mean nothing any more, and do no harm.
	my $file = kept_file($version, 'kept_id');
	my @holes = map {
		my $page = substr($file, $_ * $page_size, $page_size);
		my ($lower, $upper) = unpack('x12 v v', $page);
		substr($page, $lower, $upper - $lower)
	} 1 .. length($file) / $page_size - 1;
	is((grep { /[^\0]/ } @holes) > 0, $version ne '0.1.0', "$name: whether there are kill marks");
	my $dead = pages($name, 'SELECT pad FROM kept WHERE id BETWEEN 2900 AND 2950 ORDER BY id');
	my $again = pages($name, 'SELECT pad FROM kept WHERE id BETWEEN 2900 AND 2950 ORDER BY id');
	if ($version lt '0.3.0')
	{
		cmp_ok($again, '<', $dead, "$name: rows that are dead get marked");
	}
	else
	{
		is($dead, $again, "$name: rows that were marked as dead are not visited ($again pages)");
	}
	for my $index (indexes_of($version))
	{
		my $relative = $database->{$index};
		is(-s $node->data_dir . "/$relative", length(kept_file($version, $index)), "$name, $index: the old file");
		is(query($node, "SELECT learned_index_check('$index', true)", $name), '', "$name, $index: is sound");
		my $format = (grep { $_ eq $index } @wide_indexes) ? 2 : 1;
		is(stats($name, $index)->{format_version}, $format, "$name, $index: format $format");
	}
	my %all = map { ($_ => stats($name, $_)) } indexes_of($version);
	cmp_ok($all{kept_code}{height}, '>', 1, "$name: there are inner pages");
	cmp_ok($all{kept_code}{nulls}, '>', 300, "$name: there are NULLs");
	cmp_ok($all{kept_id}{dead_entries}, '>', 0, "$name: there are entries that VACUUM removed");
	cmp_ok($all{kept_code}{delta_entries}, '>', 0, "$name: there are entries that no model covers yet");
	return unless is_wide($version);
	cmp_ok($all{wide_u}{delta_entries}, '>', 0, "$name: so there are of uuids");
	cmp_ok($all{wide_u}{dead_entries}, '>', 0, "$name: and such that VACUUM removed");
	cmp_ok($all{wide_pair}{nulls}, '>', 100, "$name: there are NULLs in one column of two");
	cmp_ok($all{wide_u}{height}, '>', 1, "$name: there are inner pages of uuids");
	return;
}

# Until no page is what it was.
sub write_to
{
	my ($database) = @_;
	my $name = $database->{name};
	my $before = stats($name, 'kept_code')->{leaf_pages};
	query($node, 'INSERT INTO kept SELECT * FROM new_rows WHERE id > 3040 AND id <= 9000; INSERT INTO bare SELECT generate_series(1, 500)', $name);
	check_all($name, 'rows inserted');
	cmp_ok(stats($name, 'kept_code')->{leaf_pages}, '>', $before, "$name: leaves were divided");
	query($node, 'DELETE FROM kept WHERE id % 3 = 1; UPDATE kept SET device = device + 3 WHERE id % 5 = 0', $name);
	check_all($name, 'rows deleted and changed');
	query($node, 'VACUUM (INDEX_CLEANUP ON) kept', $name);
	check_all($name, 'VACUUM');
	query($node, 'INSERT INTO kept SELECT * FROM new_rows WHERE id > 1000; DELETE FROM kept WHERE id < 1500; DELETE FROM bare WHERE k < 400', $name);
	$node->stop('immediate');
	$node->start;
	check_all($name, 'crash');
	query($node, 'VACUUM (INDEX_CLEANUP ON) kept; VACUUM (INDEX_CLEANUP ON) bare', $name);
	check_all($name, 'VACUUM of whole pages');
	write_wide($name) if is_wide($database->{version});
	return;
}

# The same of keys of several words: pages of old segments take in new ones, which are stored otherwise.
sub write_wide
{
	my ($name) = @_;
	my $before = stats($name, 'wide_u');
	query($node, 'INSERT INTO wide SELECT * FROM new_wide_rows WHERE id > 1730', $name);
	check_all($name, 'uuids inserted');
	my $after = stats($name, 'wide_u');
	cmp_ok($after->{leaf_pages}, '>', $before->{leaf_pages}, "$name: leaves of uuids were divided");
	query($node, 'DELETE FROM wide WHERE id % 3 = 1; UPDATE wide SET device = device + 3 WHERE id % 5 = 0', $name);
	check_all($name, 'rows with uuids deleted and changed');
	query($node, 'VACUUM (INDEX_CLEANUP ON) wide; INSERT INTO wide SELECT * FROM new_wide_rows WHERE id > 3000', $name);
	$node->stop('immediate');
	$node->start;
	check_all($name, 'a crash after uuids');
	query($node, 'DELETE FROM wide WHERE id < 3500; VACUUM (INDEX_CLEANUP ON) wide', $name);
	check_all($name, 'VACUUM of whole pages of uuids');
	query($node, 'REINDEX TABLE wide', $name);
	check_all($name, 'uuids built anew');
	return;
}

# What the old version could not do goes beside it.
sub add_indexes
{
	my ($name) = @_;
	query($node, q{
CREATE INDEX kept_pair ON kept USING learned (device, ts DESC) INCLUDE (id);
CREATE TABLE named (u uuid, k int);
INSERT INTO named SELECT md5(i::text)::uuid, i FROM generate_series(1, 2000) i;
CREATE INDEX named_u ON named USING learned (u);}, $name);
	check_all($name, 'indexes of several words beside them');
	is(stats($name, $_)->{format_version}, 2, "$name, $_: format 2") for 'kept_pair', 'named_u';
	my $sql = q{SELECT sum(k) FROM named WHERE u < '80000000-0000-0000-0000-000000000000';
SELECT sum(id) FROM (SELECT id FROM kept WHERE device = 33 AND ts > '2024-01-01 20:00+00' ORDER BY ts DESC LIMIT 7) s};
	is(query($node, "$forced{'index scans'} $sql", $name), query($node, "$plain $sql", $name), "$name: their answers");
	query($node, 'REINDEX TABLE kept', $name);
	check_all($name, 'built anew');
	return;
}

for my $round ('plain', 'checksums')
{
	$node->stop;
	exchange_files($_) for @{ $databases{$round} };
	# (The files have no checksums; this gives them some.)
	PostgreSQL::Test::Utils::system_or_bail('pg_checksums', '--enable', '-D', $node->data_dir) if $round eq 'checksums';
	$node->start;
	is(query($node, 'SHOW data_checksums'), $round eq 'checksums' ? 'on' : 'off', "$round: checksums of the server");
	for my $database (@{ $databases{$round} })
	{
		my $name = $database->{name};
		look_at_files($database);
		query($node, 'ALTER EXTENSION learned_index UPDATE', $name);
		is(query($node, q{SELECT extversion = default_version FROM pg_extension JOIN pg_available_extensions ON name = extname WHERE extname = 'learned_index'}, $name),
			't', "$name: the extension is updated");
		check_all($name, 'updated');
		write_to($database);
		add_indexes($name);
	}
}
is(query($node, q{SELECT sum(checksum_failures) FROM pg_stat_database}), '0', 'no checksum failed');
$node->stop;

done_testing();
