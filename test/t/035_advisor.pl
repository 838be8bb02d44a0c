# learned_index_advisor(): a session that waits for it, or that it waits for; a thousand indexes that take more than a minute, or memory without bound; what
# cannot be cancelled; a damaged, lost or vanishing index that ends it; sizes that are far from those of the indexes built, beside writers, on a standby.

use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use LearnedTest;
use Test::More;
use Time::HiRes qw(time sleep);
use PostgreSQL::Test::Utils;

plan skip_all => 'about a function of the extension' unless $IS_LEARNED;
start_seed();
my $patience = 1.5;

my $node = new_node('advisor', lasting => 1, allows_streaming => 1);
$node->append_conf('postgresql.conf', "autovacuum = off\nmax_locks_per_transaction = 200\n");
$node->start;
prepare_database($node);
$node->safe_psql('postgres', q{
CREATE SCHEMA few;
CREATE TABLE few.a (k int8, r int8, t text);
INSERT INTO few.a SELECT i, hashint8extended(i, 1), 'text ' || i FROM generate_series(1, 200000) i;
CREATE INDEX a_k ON few.a (k);
CREATE INDEX a_r ON few.a (r);
CREATE INDEX a_t ON few.a (t);
CREATE TABLE few.b (k int8);
INSERT INTO few.b SELECT generate_series(1, 10000);
CREATE INDEX b_k ON few.b (k);
CREATE UNLOGGED TABLE few.u AS SELECT generate_series(1, 1000) AS k;
CREATE INDEX u_k ON few.u (k);
});
my $advice = q{SELECT indexname || ' ' || coalesce(expected_size::text, '-') || ' ' || coalesce(note, '-') FROM learned_index_advisor('few') ORDER BY indexname};
my $sound = query($node, $advice);
like($sound, qr/^a_k \d+ -\na_r \d+ -\na_t - column "t" is of type text, which has no operator class for learned\nb_k \d+ -\nu_k \d+ -$/, 'each index has a row');
my ($expected) = $sound =~ /^a_r (\d+)/m;
$node->safe_psql('postgres', 'CREATE INDEX a_r_learned ON few.a USING learned (r)');
my $real = query($node, q{SELECT pg_relation_size('few.a_r_learned')});
cmp_ok(abs($expected / $real - 1), '<', 0.15, "random keys: $expected bytes expected, $real built");
$node->safe_psql('postgres', 'DROP INDEX few.a_r_learned');

# ---- locks ------------------------------------------------------------------------------------------------------------------

# A table that somebody else has locked is said to be; nobody waits.
my $other = $node->background_psql('postgres');
for my $lock ('LOCK TABLE few.b IN ACCESS EXCLUSIVE MODE', 'REINDEX INDEX few.b_k')
{
	$other->query_safe("BEGIN; $lock");
	my $answer;
	my $took = elapsed(sub { $answer = query($node, "SET lock_timeout = '10ms'; $advice") });
	(my $without = $sound) =~ s/^b_k .*$/b_k - locked by another session: ask again/m;
	is($answer, $without, "$lock: said so");
	$other->query_safe('ROLLBACK');
}
is(query($node, $advice), $sound, 'and looked at when it is free');
# Nobody waits for a session that has called it, and has not ended its transaction.
$other->query_safe('BEGIN; SELECT count(*) FROM learned_index_advisor()');
$node->safe_psql('postgres', q{SET lock_timeout = '1s'; BEGIN; LOCK TABLE few.a, few.b IN ACCESS EXCLUSIVE MODE; DROP INDEX few.b_k; ROLLBACK});
pass('locks are given back before the transaction ends');
$other->query_safe('COMMIT');

# ---- on a standby -------------------------------------------------------------------------------------------------------------

my $standby = standby_of($node, "max_standby_streaming_delay = 60s\n");
$node->wait_for_catchup($standby);
(my $there = $sound) =~ s/^u_k .*$/u_k - unlogged: not to be read during recovery/m;
is(query($standby, $advice), $there, 'a standby says the same, but of what it cannot read');
$standby->stop;

# ---- a thousand indexes, beside writers and while they come and go --------------------------------------------------------------

$node->safe_psql('postgres', q{
CREATE SCHEMA many;
DO $$
BEGIN
  FOR i IN 1 .. 125 LOOP
    EXECUTE format('CREATE TABLE many.t%1$s (a int8, b int8, c timestamptz, d int4, u uuid, t text) WITH (autovacuum_enabled = off)', i);
    EXECUTE format('INSERT INTO many.t%1$s SELECT i, hashint8extended(i, %1$s), now() + i * interval ''1 s'', i %% 100, md5(i::text)::uuid, i FROM generate_series(1, 2000) i', i);
    EXECUTE format('CREATE INDEX ON many.t%1$s (a); CREATE INDEX ON many.t%1$s (b); CREATE INDEX ON many.t%1$s (c); CREATE INDEX ON many.t%1$s (d); CREATE INDEX ON many.t%1$s (u);
      CREATE INDEX ON many.t%1$s (d, a); CREATE INDEX ON many.t%1$s (a) INCLUDE (d); CREATE INDEX ON many.t%1$s (t)', i);
  END LOOP;
END $$;
});
my ($count, $took);
$took = elapsed(sub { $count = query($node, q{SELECT count(*) || ' ' || count(expected_size) FROM learned_index_advisor('many')}) });
is($count, '1000 875', 'a thousand indexes have a row each');
note("a thousand small indexes: $took s");
cmp_ok($took, '<', 60, 'in less than a minute');
# Large ones: 256 and more pages each, again and again the same.
my $one = elapsed(sub { query($node, q{SELECT count(*) FROM generate_series(1, 10) i, LATERAL (SELECT * FROM learned_index_advisor('few') WHERE i > 0) a}) });
note(sprintf('a large index: %.3f s', $one / 10 / 3));
# What one index takes is given back before the next.
my $memory = query($node, q{
SET client_min_messages = error;
CREATE TEMP TABLE said AS SELECT * FROM learned_index_advisor('many') LIMIT 1;
CREATE TEMP TABLE before AS SELECT sum(total_bytes) AS bytes FROM pg_backend_memory_contexts WHERE name NOT LIKE 'Cache%' AND name NOT LIKE '%index info%';
SELECT count(*) FROM learned_index_advisor();
SELECT sum(total_bytes) - (SELECT bytes FROM before) < 4000000 FROM pg_backend_memory_contexts WHERE name NOT LIKE 'Cache%' AND name NOT LIKE '%index info%'}, 'postgres', fresh => 1);
like($memory, qr/\nt$/, 'no memory is left behind');

# Indexes come and go, and rows, while it looks.
my $advise = $node->background_psql('postgres');
$advise->{stdin} .= "DO \$\$ BEGIN FOR i IN 1 .. 5 LOOP PERFORM count(*) FROM learned_index_advisor('many'); END LOOP; END \$\$;\n\\echo over\n";
$advise->{run}->pump_nb();
for my $i (1 .. 40)
{
	my $t = 1 + random_int(125);
	$t = 125 if $t > 125;
	$node->safe_psql('postgres', "SET lock_timeout = '5s'; DROP INDEX many.t${t}_b_idx; INSERT INTO many.t$t (a, b) SELECT i, i FROM generate_series(1, 3000) i; CREATE INDEX t${t}_b_idx ON many.t$t (b)");
}
$advise->{run}->pump() until $advise->{stdout} =~ /over/ || $advise->{timeout}->is_expired;
is($advise->{stderr}, '', 'it goes on while indexes come and go');
$advise->{stdout} = '';
$advise->quit;

# ---- cancelling ---------------------------------------------------------------------------------------------------------------

# At several moments: in the midst of many indexes, and of a large one.
my $hits = 0;
for my $milliseconds (5, 20, 100, 300, 1000)
{
	my ($code, $out, $err);
	my $waited = elapsed(sub {
		($code, $out, $err) = $node->psql('postgres',
			"SET statement_timeout = '${milliseconds}ms'; SELECT count(*) FROM generate_series(1, 20) i, LATERAL (SELECT * FROM learned_index_advisor() WHERE i > 0) a");
	});
	next if $code == 0;
	$hits++;
	like($err, qr/canceling statement due to statement timeout/, "cancelled after $milliseconds ms");
	cmp_ok($waited, '<', $milliseconds / 1000 + $patience, 'in time');
}
cmp_ok($hits, '>=', 3, 'most were cancelled on the way');

# ---- damage -------------------------------------------------------------------------------------------------------------------

# A page that is none, a link that leads nowhere, line pointers that point anywhere, a lost file: each is that index's note, and nothing crashes.
$node->safe_psql('postgres', q{
CREATE SCHEMA bad;
DO $$
BEGIN
  FOR i IN 1 .. 40 LOOP
    EXECUTE format('CREATE TABLE bad.t%1$s (k int8, d int4); INSERT INTO bad.t%1$s SELECT i, i %% 10 FROM generate_series(1, 3000) i; CREATE INDEX t%1$s_k ON bad.t%1$s (k); CREATE INDEX t%1$s_d ON bad.t%1$s (d)', i);
  END LOOP;
END $$;
CHECKPOINT;
});
my @files = map { my ($name, $file) = split /\|/; [ $name, $node->data_dir . "/$file" ] }
  split /\n/, query($node, q{SELECT c.relname, pg_relation_filepath(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'bad' AND relkind = 'i' ORDER BY 1});
$node->stop;
my $lost = shift @files;
unlink $lost->[1];
for my $entry (@files)
{
	my $blocks = (-s $entry->[1]) / 8192;
	open(my $handle, '+<', $entry->[1]) or die;
	binmode $handle;
	for (1 .. 1 + random_int(30))
	{
		# Headers, line pointers, tuples, links.
		my $offset = pick(random_int(24), 24 + random_int(400), random_int(8191), 8176 + random_int(15));
		seek($handle, (random_int($blocks) % $blocks) * 8192 + $offset % 8192, 0);
		print $handle pack('C', random_int(255));
	}
	close $handle;
}
$node->start;
my @answers = split /\n/, query($node, q{SELECT indexname || ' ' || coalesce(expected_size::text, '-') || ' ' || coalesce(note, '-') FROM learned_index_advisor('bad')});
is(scalar @answers, 80, 'damaged indexes have a row each');
my @others = grep { !/^t\d+_[kd] (\d+ -|- (index ".*" contains corrupted page at block \d+\. Please REINDEX it\.|could not open file .*|invalid page in block .*|could not read block.*))$/ } @answers;
is(join("\n", @others), '', 'which says what there is to say');
note(scalar(grep { / - \w/ } @answers), ' of them are known to be damaged');
like(join("\n", @answers), qr/^\Q$lost->[0]\E - could not open file/m, 'a lost file does');
is(query($node, $advice), $sound, 'the others are as before');
$node->stop;
done_testing();
