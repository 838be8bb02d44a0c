# A psql process that stays, over pipes of its own: to start psql and a backend for each statement is most of what a test of many
# small statements costs. What one caller leaves behind the next one does not find: settings, temporary tables, prepared statements,
# cursors, locks and an open transaction go at the end of each script, or the whole backend does.

package LearnedSession;

use strict;
use warnings;
use Errno qw(EAGAIN EINTR);
use IO::Handle;
use IO::Select;
use IPC::Open3 qw(open3);
use PostgreSQL::Test::Utils ();
use Symbol qw(gensym);
use Time::HiRes qw(time);

# What ends a transaction that a script left open, and forgets what is of the session, without a word. (BEGIN, as there may be none to end.)
my $QUIET = 'SET client_min_messages = error';
my $FORGET = "$QUIET\\; BEGIN\\; ROLLBACK\\; $QUIET;\nDISCARD ALL;\n";

# A session of a node, which must run; with stop => 1 psql ends at the first error, as that of safe_psql() does.
sub new
{
	my ($class, $node, $database, %how) = @_;
	local %ENV = $node->_get_env();
	my @command = ($node->installed_command('psql'), '-XAtq', '-d', $node->connstr($database), '-f', '-');
	push @command, '-v', 'ON_ERROR_STOP=1' if $how{stop};
	my $self = bless { stderr => '', stdout => '', asked => 0, command => "@command" }, $class;
	$self->{pid} = open3($self->{to}, $self->{from}, $self->{errors} = gensym, @command);
	$_->blocking(0) for @$self{qw(to from errors)};
	return $self;
}

# Writes all of the input, and reads until what is asked for has come; false if psql has ended before.
sub pump
{
	my ($self, $input, $timeout, $done) = @_;
	my $end = defined $timeout ? time() + $timeout : undef;
	# (psql may have ended.)
	local $SIG{PIPE} = 'IGNORE';
	my $reads = IO::Select->new(grep { !$self->{ended}{$_} } @$self{qw(from errors)});
	until ($input eq '' && $done->())
	{
		return 0 unless $reads->count;
		die "psql timed out: $self->{command}\n" if defined $end && time() > $end;
		my $writes = $input ne '' ? IO::Select->new($self->{to}) : undef;
		my ($readable, $writable) = IO::Select->select($reads, $writes, undef, defined $end ? 1 : undef);
		for my $handle (@{ $readable // [] })
		{
			my $text = \$self->{ $handle == $self->{from} ? 'stdout' : 'stderr' };
			my $got = sysread($handle, $$text, 65536, length $$text);
			next if !defined $got && ($! == EAGAIN || $! == EINTR);
			next if $got;
			$self->{ended}{$handle} = 1;
			$reads->remove($handle);
		}
		for my $handle (@{ $writable // [] })
		{
			my $written = syswrite($handle, $input);
			if (defined $written) { substr($input, 0, $written) = '' }
			elsif ($! != EAGAIN && $! != EINTR) { $input = '' }
		}
	}
	return 1;
}

# Runs a script to its end. Returns psql's exit status if that ended with it, or nothing; what was written is in stdout and stderr.
sub run
{
	my ($self, $script, $timeout) = @_;
	my $mark = 'end of script ' . ++$self->{asked};
	my $over = qr/(?:^|\n)\Q$mark\E\n\z/;
	# (The script's last statement may have no semicolon.)
	return undef if $self->pump("$script\n;\n\\echo '$mark'\n\\warn '$mark'\n", $timeout,
		sub { return $self->{stdout} =~ $over && $self->{stderr} =~ $over });
	return $self->wait_for;
}

# What the last script wrote, without the marks and the last line's end.
sub take_output
{
	my ($self) = @_;
	my $mark = "end of script $self->{asked}";
	my ($out, $err) = @$self{qw(stdout stderr)};
	s/\Q$mark\E\n\z// for $out, $err;
	chomp($out, $err);
	@$self{qw(stdout stderr)} = ('', '');
	return ($out, $err);
}

# Runs a script as psql of its own would: (exit status, output, errors). With fresh => 1 in a new backend.
sub script
{
	my ($self, $sql, %how) = @_;
	my $before = $how{fresh} ? "\\connect\n" : '';
	my $status = $self->run("$before$sql");
	my ($out, $err) = $self->take_output;
	return ($status, $out, $err) if defined $status;
	my $failed = $self->run($FORGET);
	my ($more, $why) = $self->take_output;
	die "psql could not end a script: $why\n$self->{command}\n$sql\n" if defined $failed || "$more$why" ne '';
	return (0, $out, $err);
}

# ---- as PostgreSQL::Test::BackgroundPsql has it --------------------------------------------------------

# The answer; the errors are in stderr.
sub query
{
	my ($self, $sql) = @_;
	my $status = $self->run($sql, $PostgreSQL::Test::Utils::timeout_default);
	(my $out, $self->{stderr}) = $self->take_output;
	die "psql has ended: $self->{stderr}\n" if defined $status;
	return $out;
}

sub query_until
{
	my ($self, $until, $sql) = @_;
	$self->pump($sql, $PostgreSQL::Test::Utils::timeout_default, sub { return $self->{stdout} =~ $until })
	  or die "psql has ended: $self->{stderr}\n";
	# (What has come behind it belongs to the next answer.)
	$self->{stdout} =~ s/^(.*?$until)//s;
	return $1;
}

# When what runs is over, the session is left to whoever opens one next, with a new backend.
sub quit
{
	my ($self) = @_;
	return 1 if defined $self->{status};
	my $status = $self->run("\\set VERBOSITY default\n\\connect", $PostgreSQL::Test::Utils::timeout_default);
	my ($out, $err) = $self->take_output;
	push @{ $self->{pool} }, $self if $self->{pool} && !defined $status && $err !~ /connect/;
	return 1;
}

# ---- its end -------------------------------------------------------------------------------------------

sub wait_for
{
	my ($self) = @_;
	return $self->{status} if defined $self->{status};
	close $self->{to};
	# (Whoever calls this at the program's end has its own status.)
	local ($?, $!);
	waitpid($self->{pid}, 0);
	return $self->{status} = $?;
}

# What comes from psql now is of no interest to anybody. (Nor is what it still waits for.)
sub close_session
{
	my ($self) = @_;
	return if defined $self->{status};
	close $self->{to};
	eval { $self->pump('', 30, sub { return 0 }); 1 } or kill 'TERM', $self->{pid};
	$self->wait_for;
	return;
}

sub DESTROY
{
	my ($self) = @_;
	local $@;
	$self->close_session if ${^GLOBAL_PHASE} eq 'RUN' && defined $self->{pid};
	return;
}

1;
