#!/usr/bin/perl
# What a release says of itself: META.json keeps the rules of PGXN's meta-spec 1.0 that matter, and every file that names
# the version names the same. Lines "ok ..." and "not ok ..."; false if one is not ok.
use strict;
use warnings;
use File::Basename qw(basename dirname);
use JSON::PP ();

my $root = dirname(__FILE__) . '/../..';
my $bad = 0;

sub is
{
	my ($name, $expected, $found) = @_;
	$_ = defined $_ ? $_ : '' for $expected, $found;
	if ($expected eq $found) { print "ok $name\n"; return; }
	$bad = 1;
	print "not ok $name\n#   expected: $expected\n#   found:    $found\n";
	return;
}

sub slurp
{
	my ($file) = @_;
	open(my $in, '<', "$root/$file") or return '';
	local $/;
	return scalar <$in>;
}

# ---- the meta-spec -------------------------------------------------------------------------------

my $SEMVER = qr/(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*)){2}(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?/;
my $RANGE = qr/(?:(?:[=!]=|[<>]=?)\s*)?(?:$SEMVER|0)/;
my %LICENSES = map { $_ => 1 } qw(agpl_3 apache_1_1 apache_2_0 artistic_1 artistic_2 bsd freebsd gfdl_1_2 gfdl_1_3
  gpl_1 gpl_2 gpl_3 lgpl_2_1 lgpl_3_0 mit mozilla_1_0 mozilla_1_1 openssl perl_5 postgresql qpl_1_0 ssleay sun zlib
  open_source restricted unrestricted unknown);
my %KEYS = map { $_ => 1 } qw(name version abstract maintainer license provides meta-spec description generated_by
  no_index prereqs release_status resources tags);

sub is_text { my ($value) = @_; return defined $value && !ref $value && $value =~ /\S/; }
sub is_map { return ref $_[0] eq 'HASH'; }
# A word for a name: two characters or more, nothing that a path or a URL would take for something else.
sub is_term { my ($value) = @_; return is_text($value) && $value =~ /^[^\s\/\\\x00-\x1f]{2,}$/; }
sub unknown_keys { my ($map, $known) = @_; return grep { !$known->{$_} && !/^x_/i } sort keys %$map; }

sub provides_fault
{
	my ($provides) = @_;
	return 'provides is no map with an extension' unless is_map($provides) && %$provides;
	for my $name (sort keys %$provides)
	{
		my $of = $provides->{$name};
		return "provides: $name is no name of an extension" unless is_term($name);
		return "provides: $name is no map" unless is_map($of);
		return "provides: $name has the key $_" for unknown_keys($of, { map { $_ => 1 } qw(file version abstract docfile) });
		return "provides: $name has no semantic version" unless ($of->{version} // '') =~ /^$SEMVER$/;
		for my $key (qw(file docfile))
		{
			next if $key eq 'docfile' && !exists $of->{docfile};
			return "provides: $name has no $key" unless is_text($of->{$key});
			return "provides: $key of $name is not here" if $of->{$key} =~ m{^/|(^|/)\.\.(/|$)} || !-f "$root/$of->{$key}";
		}
		return "provides: abstract of $name is empty" if exists $of->{abstract} && !is_text($of->{abstract});
	}
	return '';
}

sub prereqs_fault
{
	my ($prereqs) = @_;
	my %phases = map { $_ => 1 } qw(configure build test runtime develop);
	my %relations = map { $_ => 1 } qw(requires recommends suggests conflicts);
	return 'prereqs is no map' unless is_map($prereqs);
	return "prereqs: no such phase: $_" for unknown_keys($prereqs, \%phases);
	for my $phase (values %$prereqs)
	{
		return 'prereqs: a phase is no map' unless is_map($phase);
		return "prereqs: no such relation: $_" for unknown_keys($phase, \%relations);
		for my $relation (values %$phase)
		{
			return 'prereqs: a relation is no map' unless is_map($relation);
			for my $name (sort keys %$relation)
			{
				return "prereqs: $name is no name" unless is_term($name);
				return "prereqs: $name has no range of versions" unless $relation->{$name} =~ /^$RANGE(\s*,\s*$RANGE)*$/;
			}
		}
	}
	return '';
}

sub license_fault
{
	my ($license) = @_;
	my @all = ref $license eq 'ARRAY' ? @$license : ($license);
	# A map is of names and addresses.
	return (grep { !is_text($_) || !/^https?:/ } values %$license) || !%$license ? 'license has no address' : ''
	  if is_map($license);
	return 'license is none that PGXN knows' if !@all || grep { !is_text($_) || !$LICENSES{$_} } @all;
	return '';
}

# What is wrong with it; nothing: ''.
sub meta_fault
{
	my ($meta) = @_;
	return 'no object' unless is_map($meta);
	for my $key (qw(name version abstract maintainer license provides meta-spec))
	{
		return "no $key" unless exists $meta->{$key};
	}
	return "unknown key $_" for unknown_keys($meta, \%KEYS);
	return 'name is no name of a distribution' unless is_term($meta->{name});
	return 'version is no semantic version' unless !ref $meta->{version} && $meta->{version} =~ /^$SEMVER$/;
	for my $key (qw(abstract description generated_by))
	{
		return "$key is empty" if exists $meta->{$key} && !is_text($meta->{$key});
	}
	my @maintainers = ref $meta->{maintainer} eq 'ARRAY' ? @{ $meta->{maintainer} } : ($meta->{maintainer});
	return 'no maintainer' if !@maintainers || grep { !is_text($_) } @maintainers;
	return 'meta-spec is not 1.0.x' unless is_map($meta->{'meta-spec'}) && ($meta->{'meta-spec'}{version} // '') =~ /^1\.0\.\d+$/;
	return 'release_status is none of stable, testing, unstable'
	  if exists $meta->{release_status} && ($meta->{release_status} // '') !~ /^(stable|testing|unstable)$/;
	if (exists $meta->{tags})
	{
		return 'tags is no list' unless ref $meta->{tags} eq 'ARRAY' && @{ $meta->{tags} };
		return 'a tag is empty, too long or has a slash'
		  if grep { !is_text($_) || length > 255 || m{[/\\\x00-\x1f]} } @{ $meta->{tags} };
	}
	my $fault = license_fault($meta->{license}) || provides_fault($meta->{provides});
	$fault ||= prereqs_fault($meta->{prereqs}) if exists $meta->{prereqs};
	return $fault;
}

my $json = slurp('META.json');
my $meta = eval { JSON::PP->new->utf8->decode($json) };
is('META.json is JSON', '', $@);
$meta = {} unless is_map($meta);
is('META.json keeps the rules of PGXN', '', meta_fault($meta));

# The rules are looked at: each of these breaks one.
my @broken = (
	[ 'no version', sub { delete $_[0]{version} } ],
	[ 'no meta-spec', sub { delete $_[0]{'meta-spec'} } ],
	[ 'unknown key extra', sub { $_[0]{extra} = 1 } ],
	[ 'name is no name of a distribution', sub { $_[0]{name} = 'a/b' } ],
	[ 'version is no semantic version', sub { $_[0]{version} = '0.5' } ],
	[ 'version is no semantic version', sub { $_[0]{version} = '0.05.0' } ],
	[ 'abstract is empty', sub { $_[0]{abstract} = ' ' } ],
	[ 'no maintainer', sub { $_[0]{maintainer} = [] } ],
	[ 'meta-spec is not 1.0.x', sub { $_[0]{'meta-spec'} = { version => '2.0.0' } } ],
	[ 'release_status is none of stable, testing, unstable', sub { $_[0]{release_status} = 'beta' } ],
	[ 'a tag is empty, too long or has a slash', sub { $_[0]{tags} = ['index/btree'] } ],
	[ 'license is none that PGXN knows', sub { $_[0]{license} = 'PostgreSQL License' } ],
	[ 'provides is no map with an extension', sub { $_[0]{provides} = {} } ],
	[ 'provides: learned_index has no file', sub { delete $_[0]{provides}{learned_index}{file} } ],
	[ 'provides: file of learned_index is not here', sub { $_[0]{provides}{learned_index}{file} = 'sql/none.sql' } ],
	[ 'provides: file of learned_index is not here', sub { $_[0]{provides}{learned_index}{file} = '../pkg/README.md' } ],
	[ 'provides: learned_index has no semantic version', sub { $_[0]{provides}{learned_index}{version} = '1' } ],
	[ 'prereqs: no such phase: run', sub { $_[0]{prereqs}{run} = {} } ],
	[ 'prereqs: no such relation: needs', sub { $_[0]{prereqs}{runtime}{needs} = {} } ],
	[ 'prereqs: PostgreSQL has no range of versions', sub { $_[0]{prereqs}{runtime}{requires}{PostgreSQL} = '15' } ],
);
for my $case (@broken)
{
	my $copy = eval { JSON::PP->new->utf8->decode($json) } || {};
	$case->[1]->($copy);
	is("refused: $case->[0]", $case->[0], meta_fault($copy));
}

# Debian's packages are of the same people; for an address there has to be something.
my ($debian) = slurp('debian/control.in') =~ /^Maintainer: (.*?) <[^@<>]+@[^@<>]+>$/m;
is('the maintainer of the packages', $meta->{maintainer} =~ s/ <.*//r, $debian);
is('no address looks like one and is none', '', join(' ', (slurp('debian/control.in') . $json) =~ /\S+@\S*\bexample\.\w+/g));

# ---- one version ---------------------------------------------------------------------------------

my $version = $meta->{version} // '';
my $control = slurp('learned_index.control');
is('version of the control file', $version, $control =~ /^default_version = '([^']*)'/m ? $1 : '');
is('version of what META.json provides', $version, $meta->{provides}{learned_index}{version});
my ($newest) = slurp('CHANGELOG.md') =~ /^## (\S+)/m;
is('the newest version in the change log', $version, $newest);
my @told = slurp('CHANGELOG.md') =~ /^## (\S+)/mg;

# Scripts: one that installs, then one update after the other, each told of in the change log.
my @scripts = map { basename($_) } sort glob("$root/src/sql/*.sql");
my ($first) = grep { /^learned_index--[^-]+\.sql$/ } @scripts;
my ($at) = ($first // '') =~ /^learned_index--([^-]+)\.sql$/;
my @way = ($at // '');
my %left = map { $_ => 1 } @scripts;
delete $left{ $first // '' };
while (my ($next) = grep { /^learned_index--\Q$way[-1]\E--[^-]+\.sql$/ } sort keys %left)
{
	delete $left{$next};
	my ($to) = $next =~ /--([^-]+)\.sql$/;
	is("script to $to says so", $to, slurp("src/sql/$next") =~ /ALTER EXTENSION learned_index UPDATE TO '([^']*)'/ ? $1 : '');
	push @way, $to;
}
is('updates lead to this version', $version, $way[-1]);
is('no script lies beside the way', '', join(' ', sort keys %left));
is('the change log tells of each step', join(' ', @way), join(' ', reverse @told));
is('what META.json names is the last script', $version, ($meta->{provides}{learned_index}{file} // '') =~ /--([^-]+)\.sql$/ ? $1 : '');

my ($minor) = $version =~ /^(\d+\.\d+)\./;
is('version in the README', $minor, slurp('README.md') =~ /This is version (\d+(?:\.\d+)+):/ ? $1 : '');
is('the licence in LICENSE', 'PostgreSQL License', (split /\n/, slurp('LICENSE'))[0]);

exit $bad;
