# A server whose psql() and safe_psql() use one session for each database (LearnedSession) in place of a new process for each call.
# They return what they always do; errors are those of psql, which ends at the first one. A new backend, where caches are what is
# looked at, is asked for by fresh => 1. Sessions are closed before the server stops or a database is made, changed
# or dropped. Where something else than this class does so, close_sessions() comes first.

package LearnedNode;

use strict;
use warnings;
use LearnedSession;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils ();
use Test::More ();
use Time::HiRes qw(sleep);

use parent -norequire, 'PostgreSQL::Test::Cluster';

# What is asked of a process of its own: another connection, a time limit, to go on after errors; and scripts with psql's own
# commands, whose settings would stay.
sub psql
{
	my ($self, $database, $sql, %params) = @_;
	my %own = %params;
	delete @own{qw(stdout stderr on_error_die on_error_stop fresh)};
	if (%own || $sql =~ /\\/ || ($params{on_error_stop} // 1) == 0 || (!wantarray && !ref $params{stdout}))
	{
		delete $params{fresh};
		return $self->SUPER::psql($database, $sql, %params);
	}
	# (Which want nobody in them, or in their template.)
	$self->close_sessions if $sql =~ /\b(?:CREATE|ALTER|DROP)\s+DATABASE\b/i;
	my $session = $self->{lasting}{$database} //= LearnedSession->new($self, $database, stop => 1);
	my ($status, $out, $err) = $session->script($sql, fresh => $params{fresh});
	delete $self->{lasting}{$database} if defined $session->{status};
	die "psql exited with signal @{[$status & 127]}: '$err' while running '$sql'" if $status & 127;
	$status >>= 8;
	if ($status && $params{on_error_die})
	{
		die "connection error: '$err'\nwhile running '$session->{command}'" if $status == 2;
		die "error running SQL: '$err'\nwhile running '$session->{command}' with sql '$sql'";
	}
	${ $params{stdout} } = $out if ref $params{stdout};
	${ $params{stderr} } = $err if ref $params{stderr};
	return wantarray ? ($status, $out, $err) : $status;
}

# The same, by the session: this is asked over and over. (Ten times a second, as often as the timeout has it.)
sub poll_query_until
{
	my ($self, $database, $sql, $expected) = @_;
	$expected //= 't';
	my ($out, $err);
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		(undef, $out, $err) = $self->psql($database, $sql);
		return 1 if $out eq $expected && $err eq '';
		sleep(0.1);
	}
	Test::More::diag("poll_query_until timed out executing this query:\n$sql\nexpecting this output:\n$expected\nlast actual query output:\n$out\nwith stderr:\n$err");
	return 0;
}

# For what goes on while others do something: query(), query_until(), quit() as of background_psql(), which goes on after errors.
sub session
{
	my ($self, $database) = @_;
	my $pool = $self->{pools}{$database} //= [];
	my $session = pop @$pool // LearnedSession->new($self, $database);
	$session->{pool} = $pool;
	return $session;
}

sub close_sessions
{
	my ($self) = @_;
	$_->close_session for values %{ $self->{lasting} // {} }, map { @$_ } values %{ $self->{pools} // {} };
	delete $self->{lasting};
	@$_ = () for values %{ $self->{pools} // {} };
	return;
}

for my $method (qw(start stop restart kill9))
{
	no strict 'refs';
	my $of_server = PostgreSQL::Test::Cluster->can($method);
	*$method = sub {
		my ($self) = @_;
		$self->close_sessions;
		goto &$of_server;
	};
}

1;
