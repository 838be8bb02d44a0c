# learned_index_histogram() and learned_index_sample() beside writers and VACUUM, on a primary and on its standby: a row that the
# snapshot does not see, one twice, too few; borders out of order or rows that no bucket has. And with damaged pages: no answer.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use ConcurrentLoad;
use DamagedIndexes;
use Test::More;
use Time::HiRes qw(time sleep);
use PostgreSQL::Test::Utils;

plan skip_all => 'about functions of the extension' unless $IS_LEARNED;
start_seed();
my $seconds = seconds_setting(8);

# ---- beside writers -------------------------------------------------------------------------------------------------

my $primary = new_node('primary', lasting => 1, allows_streaming => 1);
$primary->start;
prepare_database($primary);
create_load_tables($primary);
$primary->safe_psql('postgres', q{
-- All of it in one snapshot.
CREATE FUNCTION sampled(relation text, wanted int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  there int8;
  rows int8;
  different int8;
  found int8;
BEGIN
  EXECUTE format('SELECT count(*) FROM %I', relation) INTO there;
  EXECUTE format('SELECT count(*), count(DISTINCT x), count(ctid) FROM learned_index_sample(%L, %s) x LEFT JOIN (SELECT ctid FROM %I) t ON ctid = x', relation || '_k', wanted, relation)
    INTO rows, different, found;
  IF (rows, different, found) <> (least(wanted, there), rows, rows) THEN
    RAISE EXCEPTION 'invariant: of % rows of %, % were wanted: %, % different, % seen', there, relation, wanted, rows, different, found;
  END IF;
END $$;
CREATE FUNCTION divided(relation text, buckets int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  there int8;
  entries int8;
  ascending bool;
  follow bool;
BEGIN
  EXECUTE format('SELECT count(k) FROM %I', relation) INTO there;
  EXECUTE format('SELECT sum(entries), bool_and(CASE WHEN %L IN (''batch'', ''stock'') THEN l >= u ELSE l <= u END), bool_and(lower_key IS NOT DISTINCT FROM last)
                    FROM (SELECT *, lower_key[1]::int8 AS l, upper_key[1]::int8 AS u, lag(upper_key, 1, lower_key) OVER (ORDER BY bucket) AS last
                            FROM learned_index_histogram(%L, %s)) h', relation, relation || '_k', buckets)
    INTO entries, ascending, follow;
  IF NOT (entries >= there AND ascending AND follow) THEN
    RAISE EXCEPTION 'invariant: of % rows of %, buckets have %, ascending: %, one behind the other: %', there, relation, entries, ascending, follow;
  END IF;
END $$;
});
my $standby = standby_of($primary, "hot_standby_feedback = on\nmax_standby_streaming_delay = 60s\n");
$primary->poll_query_until('postgres', 'SELECT count(backend_xmin) > 0 FROM pg_stat_replication');

my @logged = qw(account batch pool stock);
sub readers
{
	return map {
		my $table = $_;
		(
			map { [ "${table}_$_->[0]", 1, "BEGIN ISOLATION LEVEL REPEATABLE READ;\nSELECT $_->[1];\nCOMMIT;\n" ] }
			  [ one => "sampled('$table', 1)" ], [ some => "sampled('$table', 100)" ], [ many => "sampled('$table', 3000)" ], [ all => "sampled('$table', 1000000)" ],
			  [ divided => "divided('$table', 20)" ])
	} @_;
}
my $writers = start_pgbench($primary, 4, $seconds, writer_scripts());
my $readers = start_pgbench($primary, 3, $seconds, readers(@logged, 'unlogged'));
my $standby_readers = start_pgbench($standby, 3, $seconds, readers(@logged));
my $end = time() + $seconds;
while (time() < $end - 1)
{
	$primary->safe_psql('postgres', join('', map { "VACUUM (INDEX_CLEANUP ON) $_;\n" } @logged, 'unlogged'));
	sleep(0.2);
}
my @done = map { finish_pgbench(@$_) // 0 } [ $writers, 'writers' ], [ $readers, 'readers' ], [ $standby_readers, 'readers on the standby' ];
cmp_ok($done[0], '>', 0, 'there were writers');
cmp_ok($done[1], '>', 0, 'the primary samples what is there');
cmp_ok($done[2], '>', 0, 'the standby samples what is there');
diag("written $done[0], read $done[1], on the standby $done[2]");
$primary->wait_for_catchup($standby);
for my $table (@logged)
{
	my $borders = "SELECT string_agg(h::text, ' ') FROM learned_index_histogram('${table}_k', 50) h";
	is(query($standby, $borders), query($primary, $borders), "$table: the standby has the same borders");
}
like(query_error($standby, "SELECT learned_index_$_"), qr/ERROR:  0A000: cannot access temporary or unlogged/, "$_: not of an unlogged index")
  for "histogram('unlogged_k', 10)", "sample('unlogged_k', 10)";
$standby->stop;

# Pages of a temporary table are its session's.
my $session = $primary->background_psql('postgres');
$session->query_safe('CREATE TEMP TABLE mine (k int8); CREATE INDEX mine_k ON mine USING learned (k); INSERT INTO mine VALUES (1)');
my $oid = query($primary, q{SELECT oid FROM pg_class WHERE relname = 'mine_k'});
like(query_error($primary, "SELECT learned_index_$_"), qr/ERROR:  0A000: cannot access temporary tables of other sessions/, "$_: not of another session's table")
  for "histogram($oid, 10)", "sample($oid, 10)";
$session->quit;

# What is sampled under SERIALIZABLE has been read.
query($primary, 'CREATE TABLE serial (k int8); INSERT INTO serial SELECT generate_series(1, 1000); CREATE INDEX serial_k ON serial USING learned (k)');
my ($one, $other) = map { $primary->background_psql('postgres', on_error_stop => 0) } 1 .. 2;
for my $turn ([ $one, 1001 ], [ $other, 1002 ])
{
	my ($who, $k) = @$turn;
	$who->query("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM learned_index_sample('serial_k', 10);");
}
$one->query('INSERT INTO serial VALUES (1001)');
$other->query('INSERT INTO serial VALUES (1002)');
$_->query('COMMIT') for $one, $other;
is(query($primary, 'SELECT count(*) FROM serial'), '1001', 'of two that sampled and inserted, one had to go');
eval { $_->quit } for $one, $other;

# A split that has no downlink yet: a standby stops before that record.
query($primary, q{CREATE TABLE splits (k int8); INSERT INTO splits SELECT hashint8extended(i, 1) FROM generate_series(1, 3000) i; CREATE INDEX splits_k ON splits USING learned (k)});
$primary->backup('splits');
my $from = query($primary, 'SELECT pg_current_wal_lsn()');
query($primary, q{
DO $$
DECLARE
  leaves int8 := (SELECT leaf_pages FROM learned_index_stats('splits_k'));
  i int := 0;
BEGIN
  WHILE (SELECT leaf_pages FROM learned_index_stats('splits_k')) < leaves + 3 LOOP
    INSERT INTO splits SELECT hashint8extended(n, 2) FROM generate_series(i, i + 9) n;
    i := i + 10;
  END LOOP;
END $$});
my $file = query($primary, q{SELECT pg_relation_filenode('splits_k')});
my ($records) = run_command([ 'pg_waldump', '-p', $primary->data_dir . '/pg_wal', '-s', $from, '-r', 'Generic' ]);
my (@pages, $target);
for my $record (split /\n/, $records)
{
	my ($lsn) = $record =~ m{lsn: ([0-9A-F]+/[0-9A-F]+),};
	push @pages, scalar(() = $record =~ m{blkref #\d+: rel \d+/\d+/$file }g);
	# Left page, new page, its neighbour to the right; then left page and parent.
	$target //= $lsn if @pages > 1 && $pages[-2] == 3 && $pages[-1] == 2;
}
isnt($target, undef, 'a split and its downlink are in the WAL');
my $halfway = PostgreSQL::Test::Cluster->new('halfway');
$halfway->init_from_backup($primary, 'splits', has_streaming => 1);
$halfway->append_conf('postgresql.conf', "recovery_target_lsn = '$target'\nrecovery_target_inclusive = off\nrecovery_target_action = pause\n");
$halfway->start;
ok($halfway->poll_query_until('postgres', q{SELECT pg_get_wal_replay_pause_state() = 'paused'}), 'replay stops between the two');
is(query($halfway, q{SELECT sum(h.entries) - (SELECT entries FROM learned_index_stats('splits_k')) FROM learned_index_histogram('splits_k', 10) h}), '0', 'no entry is missed then');
query($halfway, q{SELECT sampled('splits', n) FROM unnest('{1, 1000, 3000, 5000}'::int[]) n});
$halfway->stop;
$primary->stop;

# ---- damage ---------------------------------------------------------------------------------------------------------

# Bytes are flipped in copies of one index; what looks at each leaf must not answer.
my @initdb = `initdb --help` =~ /--no-data-checksums/ ? (extra => ['--no-data-checksums']) : ();
my $node = new_node('damage', lasting => 1, @initdb);
$node->append_conf('postgresql.conf', "full_page_writes = off\n");
$node->start;
prepare_database($node);
$node->safe_psql('postgres', q{
CREATE FUNCTION try(relation text, wanted int) RETURNS TABLE (step text, outcome text) LANGUAGE plpgsql AS $$
DECLARE
  call text;
BEGIN
  FOR step, call IN VALUES ('borders', format('learned_index_histogram(%L, 1000)', relation || '_k')), ('sample', format('learned_index_sample(%L, 500)', relation || '_k')),
                           ('rows', format('learned_index_sample(%L, 100000)', relation || '_k')) LOOP
    BEGIN
      EXECUTE 'SELECT count(*) FROM ' || call INTO outcome;
    EXCEPTION WHEN OTHERS THEN
      outcome := SQLSTATE || ' ' || SQLERRM;
    END;
    RETURN NEXT;
  END LOOP;
END $$});
my $copies = 120;
for my $name ('plain', 'four')
{
	create_template($node, $copies, $name);
	my $rows = query($node, 'SELECT count(*) FROM template');
	my %files = index_files($node);
	$node->stop;
	my @pages = template_pages($node, \%files);
	my @used = grep { page_kind($pages[$_], $_) =~ /^(key|null) (leaf|inner)/ } 1 .. $#pages;
	my @flips = random_flips(\@pages, \@used, $copies);
	my @damages = flipped_pages(\@pages, @flips);
	$damages[0][1] = join('', @pages);
	my ($alive, @outcomes) = DamagedIndexes::try_damaged($node, \%files, sub { "SELECT * FROM try('damaged_$_[0]', $rows);\n" }, @damages);
	ok($alive, "$name: the server survived");
	is_deeply($outcomes[0], { borders => 1000, sample => 500, rows => $rows }, "$name: an undamaged copy is read");
	my @answers;
	for my $i (1 .. $#flips)
	{
		my $kind = page_kind($pages[ $flips[$i][0] ], $flips[$i][0]);
		my $label = sprintf('%s, block %d offset %d mask 0x%02x', $kind, @{ $flips[$i] });
		# (Borders are of the tree of keys alone.)
		push @answers, map { my $o = $outcomes[$i]{$_} // 'nothing'; $o =~ /^(XX00[12] |0A000 .*newer format)/ ? () : "$label, $_: $o" }
		  grep { $_ ne 'borders' || $kind !~ /null/ } qw(borders sample rows);
	}
	is(join("\n", @answers), '', "$name: every flip led to an error that says so");
	$node->start;
}
$node->stop;
done_testing();
