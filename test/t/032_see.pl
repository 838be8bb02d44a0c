# The functions that show an index, and the view learned_indexes: an answer from a damaged page; a damaged, locked or vanishing index that makes the
# view fail, or wait; a standby or a temporary table that is shown otherwise than it is; entries that are missing or there twice beside writers;
# what cannot be cancelled.

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
my $seconds = seconds_setting(6);
my $patience = 1.5;

# All that the functions show of an index.
sub shown
{
	my ($index) = @_;
	return qq{SELECT md5(string_agg(t, ' ')) FROM (SELECT learned_index_metapage('$index')::text AS t UNION ALL (SELECT p::text FROM learned_index_pages('$index') p ORDER BY block) UNION ALL
 (SELECT s::text FROM learned_index_pages('$index') p, learned_index_segments('$index', block) s WHERE kind IN ('leaf', 'inner') ORDER BY block, segment) UNION ALL
 (SELECT e::text FROM learned_index_pages('$index') p, learned_index_entries('$index', block) e WHERE kind IN ('leaf', 'inner') ORDER BY block, entry)) s};
}

# ---- beside writers, and on a standby -------------------------------------------------------------------------------

my $primary = new_node('primary', lasting => 1, allows_streaming => 1);
$primary->start;
prepare_database($primary);
create_load_tables($primary);
$primary->safe_psql('postgres', q{
CREATE UNLOGGED TABLE not_logged AS SELECT generate_series(1, 1000) AS a;
CREATE INDEX not_logged_a ON not_logged USING learned (a);
-- Beside others, pages are of different moments: what is counted may be any number, but nothing fails, and the index is in the view.
CREATE FUNCTION looked(relation text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  n int8;
  rows text;
BEGIN
  SELECT count(*) INTO n FROM learned_index_pages((relation || '_k')::regclass) p, learned_index_segments((relation || '_k')::regclass, p.block) s WHERE p.kind IN ('leaf', 'inner');
  SELECT count(*) INTO n FROM learned_index_pages((relation || '_k')::regclass) p, learned_index_entries((relation || '_k')::regclass, p.block) e WHERE p.kind IN ('leaf', 'inner');
  -- (VACUUM locks a table, for a moment, whose last pages it gives back.)
  SELECT coalesce(string_agg(i::text, ' '), 'nothing'), count(*) FILTER (WHERE entries >= 0 AND size > 0 OR advice = 'locked by another session: ask again')
    INTO rows, n FROM learned_indexes i WHERE indexname = relation || '_k';
  IF n <> 1 THEN RAISE EXCEPTION 'invariant: % is in the view as %', relation, rows; END IF;
END $$;
});
my $standby = standby_of($primary, "hot_standby_feedback = on\nmax_standby_streaming_delay = 60s\n");
my @logged = qw(account batch pool stock);
sub readers { return map { [ "look_$_", 1, "SELECT looked('$_');\n" ] } @_ }
my $writers = start_pgbench($primary, 4, $seconds, writer_scripts());
my $readers = start_pgbench($primary, 2, $seconds, readers(@logged, 'unlogged'));
# Indexes come and go while the view is read.
my $makers = start_pgbench($primary, 2, $seconds,
	[ 'make', 1, "CREATE TABLE come_:client_id (a int); INSERT INTO come_:client_id VALUES (1); CREATE INDEX ON come_:client_id USING learned (a);\nDROP TABLE come_:client_id;\n" ]);
my $viewers = start_pgbench($primary, 2, $seconds, [ 'view', 1, "SELECT count(advice) FROM learned_indexes;\n" ]);
my $standby_readers = start_pgbench($standby, 2, $seconds, readers(@logged));
my $end = time() + $seconds;
while (time() < $end - 1)
{
	$primary->safe_psql('postgres', join('', map { "VACUUM (INDEX_CLEANUP ON) $_;\n" } @logged, 'unlogged'));
	sleep(0.2);
}
my %done = map { $_->[1] => finish_pgbench(@$_) // 0 } [ $writers, 'writers' ], [ $readers, 'readers' ], [ $makers, 'makers' ], [ $viewers, 'viewers' ],
  [ $standby_readers, 'readers on the standby' ];
cmp_ok($done{$_}, '>', 0, "$_ had no error") for sort keys %done;
diag(join(', ', map { "$_ $done{$_}" } sort keys %done));
# Kill marks are the primary's own; the entry of a row that was updated in place names the first of its chain: both are gone after this.
$primary->safe_psql('postgres', join('', map { "VACUUM FULL $_;\n" } @logged));
$primary->wait_for_catchup($standby);
for my $table (@logged)
{
	is(query($standby, shown("${table}_k")), query($primary, shown("${table}_k")), "$table: the standby shows what the primary does");
	# (Rows that the standby may still have seen have entries, too.)
	is(query($primary, qq{SELECT count(*) FROM (SELECT ctid, ARRAY[k::text] FROM $table EXCEPT
			SELECT ctid, key[1:1] FROM learned_index_pages('${table}_k') p, learned_index_entries('${table}_k', block) e WHERE kind = 'leaf') s}),
		'0', "$table: each row has its entry");
	my $row = "SELECT * FROM learned_indexes WHERE indexname = '${table}_k'";
	is(query($standby, $row), query($primary, $row), "$table: and the view");
}
like(query_error($standby, "SELECT learned_index_$_"), qr/ERROR:  0A000: cannot access temporary or unlogged/, "$_: not of an unlogged index")
  for "metapage('not_logged_a')", "pages('not_logged_a')", "segments('not_logged_a', 1)", "entries('not_logged_a', 1)";
is(query($standby, q{SELECT advice FROM learned_indexes WHERE indexname = 'not_logged_a'}), 'cannot access temporary or unlogged relations during recovery', 'the view says so');
$standby->stop;

# Pages of a temporary table are its session's.
my $session = $primary->background_psql('postgres');
$session->query_safe('CREATE TEMP TABLE mine (k int8); CREATE INDEX mine_k ON mine USING learned (k); INSERT INTO mine VALUES (1)');
my $oid = query($primary, q{SELECT oid FROM pg_class WHERE relname = 'mine_k'});
like(query_error($primary, "SELECT learned_index_$_"), qr/ERROR:  0A000: cannot access temporary tables of other sessions/, "$_: not of another session's table")
  for "metapage($oid)", "pages($oid)", "segments($oid, 1)", "entries($oid, 1)";
is(query($primary, q{SELECT count(*) FROM learned_indexes WHERE indexname = 'mine_k'}), '0', 'nor is it in the view');
like($session->query(q{SELECT entries, advice IS NULL FROM learned_indexes WHERE indexname = 'mine_k'}), qr/^1\|t$/m, 'but in its own');

# Who has locked an index is not waited for, in front of it or of its table.
for my $lock ('REINDEX INDEX account_k', 'LOCK TABLE account IN ACCESS EXCLUSIVE MODE')
{
	$session->query_safe("BEGIN; $lock;");
	my $start = time();
	is(query($primary, q{SELECT entries, advice FROM learned_indexes WHERE indexname = 'account_k'}), '|locked by another session: ask again', "$lock: the view does not wait");
	is(query($primary, q{SELECT count(DISTINCT tablename) FROM learned_indexes WHERE tablename IN ('batch', 'pool', 'stock') AND entries > 0}), '3', "$lock: the others are there");
	cmp_ok(time() - $start, '<', 10, "$lock: at once");
	$session->query_safe('ROLLBACK');
}
$session->quit;

# ---- cancelling -----------------------------------------------------------------------------------------------------

$primary->safe_psql('postgres', q{
CREATE TABLE large (k int8, u uuid) WITH (autovacuum_enabled = off);
INSERT INTO large SELECT hashint8extended(i, 1), md5(i::text)::uuid FROM generate_series(1, 300000) i;
CREATE INDEX large_k ON large USING learned (k);
CREATE INDEX large_uk ON large USING learned (u, k);
});
for my $case ([ entries => q{SELECT count(*) FROM generate_series(1, 1000), learned_index_pages('large_uk') p, learned_index_entries('large_uk', p.block) e WHERE p.kind = 'leaf'} ],
	[ pages => q{SELECT count(*) FROM generate_series(1, 100000) i, learned_index_pages(CASE WHEN i > 0 THEN 'large_k'::regclass END) p} ],
	[ segments => q{SELECT count(*) FROM generate_series(1, 100000), learned_index_pages('large_k') p, learned_index_segments('large_k', p.block) e WHERE p.kind = 'leaf'} ],
	[ view => q{SELECT count(*) FROM generate_series(1, 100000) i, learned_index_health(CASE WHEN i > 0 THEN 'large_k'::regclass END) h} ],
	[ check => q{SELECT count(learned_index_check(CASE WHEN i > 0 THEN 'large_k'::regclass END, true, verbose => true)) FROM generate_series(1, 1000) i} ])
{
	my ($name, $query) = @$case;
	for my $milliseconds (100, 700)
	{
		my $start = time();
		my ($code, $out, $err) = $primary->psql('postgres', "SET statement_timeout = '${milliseconds}ms';\n$query;");
		like($err, qr/canceling statement due to statement timeout/, "$name: cancelled after $milliseconds ms");
		cmp_ok(time() - $start, '<', $milliseconds / 1000 + $patience, "$name: in time");
	}
}
# What the check says on its way.
my ($code, $out, $err) = $primary->psql('postgres', q{SELECT learned_index_check('large_k', true, verbose => true)});
my $blocks = query($primary, q{SELECT pg_relation_size('large_k') / 8192});
like($err, qr/INFO:  checking index "large_k": structure, $blocks pages\n.*INFO:  checking index "large_k": whether it has the rows of its table\n.*INFO:  checking index "large_k": no fault found/s,
	'the check says how far it is');
# And in between, when it takes long: it is made to.
my $checker = $primary->background_psql('postgres', on_error_stop => 0);
my $victim = $checker->query('SELECT pg_backend_pid()');
$checker->{stdin} .= "SELECT count(learned_index_check(CASE WHEN i > 0 THEN 'large_k'::regclass END, true, verbose => true)) FROM generate_series(1, 40) i;\n\\echo over\n";
$checker->{run}->pump() until $checker->{stderr} =~ /whether it has the rows/;
kill 'STOP', $victim;
sleep(5.2);
kill 'CONT', $victim;
$checker->{run}->pump() until $checker->{stderr} =~ /INFO:  checking index "large_k": \d+ (of $blocks pages|rows)\n/ || $checker->{stdout} =~ /over/;
like($checker->{stderr}, qr/INFO:  checking index "large_k": \d+ (of $blocks pages|rows)\n/, 'and tells it again when seconds have passed');
$primary->safe_psql('postgres', "SELECT pg_terminate_backend($victim)");
eval { $checker->quit };
$primary->stop;

# ---- damage ---------------------------------------------------------------------------------------------------------

# Bytes are flipped in copies of one index. What is checked by a page's own checksum must lead to an error that says where.
my @initdb = `initdb --help` =~ /--no-data-checksums/ ? (extra => ['--no-data-checksums']) : ();
my $node = new_node('damage', lasting => 1, @initdb);
$node->append_conf('postgresql.conf', "full_page_writes = off\nmax_locks_per_transaction = 1000\n");
$node->start;
prepare_database($node);
$node->safe_psql('postgres', q{
CREATE FUNCTION try(index text) RETURNS TABLE (step text, outcome text) LANGUAGE plpgsql AS $$
DECLARE
  call text;
BEGIN
  FOR step, call IN VALUES ('metapage', 'learned_index_metapage(%1$L)'), ('pages', 'learned_index_pages(%1$L)'),
      ('segments', 'generate_series(1, pg_relation_size(%1$L) / 8192 - 1) b, learned_index_segments(%1$L, b)'),
      ('entries', 'generate_series(1, pg_relation_size(%1$L) / 8192 - 1) b, learned_index_entries(%1$L, b)') LOOP
    BEGIN
      EXECUTE 'SELECT count(*) FROM ' || format(call, index) INTO outcome;
    EXCEPTION WHEN OTHERS THEN
      outcome := SQLSTATE || ' ' || SQLERRM;
    END;
    RETURN NEXT;
  END LOOP;
  step := 'view';
  SELECT coalesce(max(coalesce(entries::text, advice)), 'not there') INTO outcome FROM learned_indexes WHERE indexname = index;
  RETURN NEXT;
END $$});
my $copies = 100;
for my $name ('plain', 'four')
{
	create_template($node, $copies, $name);
	my %files = index_files($node);
	$node->stop;
	my @pages = template_pages($node, \%files);
	my @used = grep { page_kind($pages[$_], $_) ne 'meta' && page_kind($pages[$_], $_) ne 'new' } 0 .. $#pages;
	my @flips = random_flips(\@pages, \@used, $copies);
	# The metapage, too.
	$flips[$_] = [ 0, 24 + $_, 1 ] for 1 .. 8;
	my @damages = flipped_pages(\@pages, @flips);
	$damages[0][1] = join('', @pages);
	my ($alive, @outcomes) = DamagedIndexes::try_damaged($node, \%files, sub { "SELECT * FROM try('damaged_$_[0]_k');\n" }, @damages);
	ok($alive, "$name: the server survived");
	my %sound = %{ $outcomes[0] };
	is(join(' ', map { $sound{$_} =~ /^\d+$/ ? 'read' : $sound{$_} } sort keys %sound), 'read read read read read', "$name: an undamaged copy is read");
	my (@answers, $found);
	for my $i (1 .. $#flips)
	{
		my ($block, $offset, $mask) = @{ $flips[$i] };
		my $kind = page_kind($pages[$block], $block);
		my $label = sprintf('%s, block %d offset %d mask 0x%02x', $kind, $block, $offset, $mask);
		for my $step (qw(metapage pages segments entries view))
		{
			my $o = $outcomes[$i]{$step} // 'nothing';
			# (A page whose header makes no sense is refused by the server, in its own words.)
			next if $step eq 'view' ? $o =~ /^\d+$|^index ".*" block $block: .*REINDEX|^invalid page in block $block of relation / : $o eq $sound{$step};
			$found++ if $step eq 'entries';
			push @answers, "$label, $step: $o" unless $step eq 'view' ? 0 : $o =~ /^(XX002 index "damaged_\d+_k" block $block: |XX001 |0A000 .*newer format)/;
		}
		# (Kill marks are hints; checked as such.)
		push @answers, "$label: nobody noticed" if byte_is_checked($pages[$block], $offset) && ($outcomes[$i]{entries} // '') eq $sound{entries} && $kind ne 'meta' && $kind !~ /deleted|new/;
		push @answers, "$label: nobody noticed" if $kind eq 'meta' && ($outcomes[$i]{metapage} // '') eq $sound{metapage};
	}
	is(join("\n", @answers), '', "$name: every flip led to an error that names index and block");
	cmp_ok($found, '>', $copies / 2, "$name: most were met");
	$node->start;
}

# The view lists the sound ones beside those that are damaged, lost or, with the server's own checksums, refused by the server.
$node->safe_psql('postgres', q{
CREATE TABLE three (a int, b int, c int) WITH (autovacuum_enabled = off);
INSERT INTO three SELECT i, i, i FROM generate_series(1, 10000) i;
CREATE INDEX three_a ON three USING learned (a);
CREATE INDEX three_b ON three USING learned (b);
CREATE INDEX three_c ON three USING learned (c);
CHECKPOINT;
});
my %file = map { $_ => $node->data_dir . '/' . query($node, "SELECT pg_relation_filepath('three_$_')") } qw(a b c);
$node->stop;
open(my $handle, '+<', $file{a}) or die;
binmode $handle;
seek($handle, 8192 + 8150, 0);
print $handle "\x55\xaa\x55\xaa";
close $handle;
unlink $file{b};
$node->start;
my $all = q{SELECT indexname || ' ' || coalesce(entries::text, '-') || ' ' || coalesce(regexp_replace(advice, '"base/[^"]*"', 'FILE'), '-') FROM learned_indexes WHERE tablename = 'three' ORDER BY 1};
like(query($node, $all), qr/^three_a - index "three_a" block 1: .*\. Rebuild the index with REINDEX\.\nthree_b - could not open file FILE: No such file or directory\nthree_c 10000 -$/,
	'the view says of each what it is');
$node->stop;
done_testing();
