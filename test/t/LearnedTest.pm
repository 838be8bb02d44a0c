# Common ground of the TAP tests: finds the server's Perl modules, makes nodes, installs the
# extension and gives every test a seeded random generator.
#
# The access method under test is LEARNED_TEST_AM (default "learned").  With LEARNED_TEST_AM=btree
# the same tests run over nbtree, with stand-ins for the extension's functions: a test that fails
# there is itself wrong.

package LearnedTest;

use strict;
use warnings;

# PostgreSQL::Test::* live in the development package of some server version, not in @INC; an
# assert-enabled build on the PATH may lack them, so any installed version's copy will do.
BEGIN
{
	chomp(my $bindir = `pg_config --bindir`);
	chomp(my $pgxs = `pg_config --pgxs`);
	die "pg_config is not on the PATH\n" if $bindir eq '' || $pgxs eq '';
	$ENV{PATH} = "$bindir:$ENV{PATH}";

	(my $tree = $pgxs) =~ s{/src/makefiles/pgxs\.mk$}{};
	my @trees = ($tree, reverse sort glob('/usr/lib/postgresql/*/lib/pgxs'));
	my ($modules) = grep { -e "$_/PostgreSQL/Test/Cluster.pm" }
	  (defined $ENV{PG_TEST_PERL} ? $ENV{PG_TEST_PERL} : ()),
	  map { "$_/src/test/perl" } @trees;
	die "PostgreSQL::Test::Cluster not found; set PG_TEST_PERL\n" unless defined $modules;
	unshift @INC, $modules;

	# Cluster.pm asks pg_regress to write pg_hba.conf.
	($ENV{PG_REGRESS}) = grep { -x $_ } map { "$_/src/test/regress/pg_regress" } @trees
	  unless defined $ENV{PG_REGRESS};

	# The checkout may belong to somebody else: data directories go where we may write.
	if (!defined $ENV{TESTDIR})
	{
		require File::Temp;
		$ENV{TESTDIR} = our $own_directory = File::Temp::tempdir('learned-tap-XXXXXX', TMPDIR => 1);
	}
	# Recovery takes its time where the machine has much else to do.
	$ENV{PGCTLTIMEOUT} //= 300;
	die "run these tests as a user other than root: initdb refuses root\n" if $> == 0;
}

use LearnedNode;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

use Digest::MD5 qw(md5_hex);
use File::Copy qw(copy);
use File::Path qw(make_path remove_tree);

use Exporter 'import';
our @EXPORT = qw($AM $IS_LEARNED new_node standby_of prepare_database check_indexes query
  build_module query_error start_seed random_int pick chance elapsed seconds_setting write_file server_elsewhere);

# What a failed test leaves behind is evidence; the rest is litter.
END
{
	our $own_directory;
	if (defined $own_directory && $? == 0 && Test::More->builder->is_passing)
	{
		remove_tree($own_directory);
	}
}

our $AM = $ENV{LEARNED_TEST_AM} || 'learned';
our $IS_LEARNED = $AM ne 'btree';

# Settings that every node gets after those of Cluster.pm: no statement log (tests run
# thousands), enough memory for the tables, no background activity that is not asked for; and what is counted is read
# by scans, but in tests of counting.
my $NODE_SETTINGS = q{
log_statement = none
log_replication_commands = off
shared_buffers = 64MB
max_connections = 40
max_wal_size = 1GB
autovacuum = off
jit = off
max_parallel_workers_per_gather = 0
lock_timeout = 60s
learned_index.enable_aggregates = off
};

# A new initialized node; not started, so that the caller may add settings. With lasting => 1 its psql() is that of LearnedNode.
sub new_node
{
	my ($name, %init) = @_;
	my $lasting = delete $init{lasting};
	my $node = ($lasting ? 'LearnedNode' : 'PostgreSQL::Test::Cluster')->new($name);
	init_node($node, %init);
	$node->append_conf('postgresql.conf', $NODE_SETTINGS);
	return $node;
}

# initdb takes two seconds, a copy of what it made a tenth of one. What is copied lies in a directory that whoever runs many tests with one
# server names (LEARNED_TEST_TEMPLATES): for each list of options what the first test that had them made.
sub init_node
{
	my ($node, %init) = @_;
	my $templates = $ENV{LEARNED_TEST_TEMPLATES};
	return $node->init(%init) unless defined $templates;
	my $run = \&PostgreSQL::Test::Utils::system_or_bail;
	no warnings 'redefine';
	local *PostgreSQL::Test::Utils::system_or_bail = sub {
		my @command = @_;
		my ($place) = grep { $command[$_] eq $node->data_dir } 0 .. $#command;
		return $run->(@command) unless $command[0] eq 'initdb' && defined $place;
		my $template = "$templates/" . md5_hex(join "\0", map { $_ == $place ? () : $command[$_] } 0 .. $#command);
		if (!-d $template)
		{
			my $made = $command[$place] = "$template.$$";
			$run->(@command);
			# (Another test may have been faster.)
			rename $made, $template or remove_tree($made);
		}
		return $run->('cp', '-RPp', $template, $node->data_dir);
	};
	return $node->init(%init);
}

# A standby of a node as it is now, started, with settings of its own. The backup has the standby's name.
sub standby_of
{
	my ($primary, $settings, $name) = @_;
	$name //= 'standby';
	$primary->backup($name);
	my $standby = (ref $primary)->new($name);
	$standby->init_from_backup($primary, $name, has_streaming => 1);
	$standby->append_conf('postgresql.conf', $settings) if defined $settings;
	$standby->start;
	return $standby;
}

# The extension, or stand-ins with the same names when nbtree is the subject.
sub prepare_database
{
	my ($node, $database) = @_;
	$database //= 'postgres';
	if ($IS_LEARNED)
	{
		$node->safe_psql($database, 'CREATE EXTENSION learned_index');
		return;
	}
	$node->safe_psql(
		$database, q{
CREATE EXTENSION IF NOT EXISTS amcheck;
CREATE FUNCTION learned_index_check(index regclass, heapallindexed boolean DEFAULT false, strict boolean DEFAULT false)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF strict THEN
    PERFORM bt_index_parent_check(index, heapallindexed);
  ELSE
    PERFORM bt_index_check(index, heapallindexed);
  END IF;
END $$;
});
	return;
}

# Every index of the access method under test must pass the check, in both modes, with all heap rows found.
sub check_indexes
{
	my ($node, $label, $database) = @_;
	my ($code, $out, $err) = $node->psql(
		$database // 'postgres', qq{
SET client_min_messages = warning;
SELECT count(*) FROM (
  SELECT learned_index_check(c.oid, true), learned_index_check(c.oid, strict => true)
    FROM pg_class c JOIN pg_am a ON a.oid = c.relam JOIN pg_index i ON i.indexrelid = c.oid
   WHERE a.amname = '$AM' AND c.relkind = 'i' AND i.indisvalid
     AND c.relnamespace = 'public'::regnamespace) s;
});
	ok($code == 0 && $out > 0, "$label: learned_index_check finds no fault")
	  or diag($err, " rows: $out");
	return;
}

# (With fresh => 1 in a new backend, whatever the node.)
sub query
{
	my ($node, $sql, $database, %how) = @_;
	return $node->safe_psql($database // 'postgres', $sql, %how);
}

# Runs a statement that must fail and returns "SQLSTATE: message" with detail and hint lines.
sub query_error
{
	my ($node, $sql, $database) = @_;
	my ($code, $out, $err) =
	  $node->psql($database // 'postgres', "\\set VERBOSITY verbose\n$sql", on_error_stop => 1);
	return '' if $code == 0;
	$err =~ s/^psql:<stdin>:\d+: //gm;
	return $err;
}

# Compiles test/modules/NAME.c for the server under test; returns the library to load.
sub build_module
{
	my ($name) = @_;
	(my $sources = __FILE__) =~ s{[^/]+/[^/]+$}{modules};
	my $library = "$PostgreSQL::Test::Utils::tmp_check/$name.so";
	chomp(my $include = `pg_config --includedir-server`);
	chomp(my $compiler = `pg_config --cc`);
	mkdir $PostgreSQL::Test::Utils::tmp_check;
	my $command = "$compiler -O1 -Wall -Werror -fPIC -shared -isystem $include $sources/$name.c -o $library";
	is(system($command), 0, 'the module compiles') or BAIL_OUT("no module: $command");
	return $library;
}

# One seed rules a run; it is printed so that the run can be repeated.
sub start_seed
{
	my $seed = $ENV{LEARNED_TEST_SEED};
	$seed = int(time() * 1000) % 2_000_000_000 unless defined $seed && $seed ne '';
	srand($seed);
	diag("LEARNED_TEST_SEED=$seed");
	return $seed;
}

# A uniform integer of [low, high]; enough bits for 64-bit spans is the caller's affair.
sub random_int
{
	my ($low, $high) = @_;
	return $low + int(rand($high - $low + 1));
}

sub pick
{
	return $_[ int(rand(@_)) ];
}

# True once in n.
sub chance
{
	my ($n) = @_;
	return rand($n) < 1;
}

# Seconds that a code reference took.
sub elapsed
{
	my ($code) = @_;
	my $start = time();
	$code->();
	return time() - $start;
}

sub seconds_setting
{
	my ($default) = @_;
	my $seconds = $ENV{LEARNED_TEST_SECONDS};
	return defined $seconds && $seconds ne '' ? $seconds : $default;
}

# A copy of the server's program, and its files but for libraries of some names, in the test's temporary directory: the program looks for all
# others beside itself. $tell, if there is one, is told the copied directory of shared files, to change it.
sub server_elsewhere
{
	my ($name, $without, $tell) = @_;
	my %config;
	for my $kind (qw(bindir pkglibdir sharedir))
	{
		chomp($config{$kind} = `pg_config --$kind`);
	}
	my $tree = "$PostgreSQL::Test::Utils::tmp_check/$name";
	make_path("$tree$config{bindir}", "$tree$config{pkglibdir}", "$tree$config{sharedir}");
	copy("$config{bindir}/postgres", "$tree$config{bindir}/postgres") or die "cannot copy the server: $!\n";
	chmod 0755, "$tree$config{bindir}/postgres";
	system('cp', '-R', "$config{sharedir}/.", "$tree$config{sharedir}") == 0 or die "cannot copy shared files\n";
	for my $file (glob("$config{pkglibdir}/*"))
	{
		my ($library) = $file =~ m{([^/]+)$};
		symlink $file, "$tree$config{pkglibdir}/$library" unless $library =~ $without;
	}
	$tell->("$tree$config{sharedir}") if $tell;
	return "$tree$config{bindir}/postgres";
}

# A file in the test's temporary directory (pgbench scripts, psql batches).
sub write_file
{
	my ($name, $content) = @_;
	my $path = "$PostgreSQL::Test::Utils::tmp_check/$name";
	open my $file, '>', $path or die "cannot write $path: $!\n";
	print $file $content;
	close $file;
	return $path;
}

1;
