#!/usr/bin/perl
# Is everything in docs/ that a user meets, and nothing there that is gone? Messages, settings, options and lines of EXPLAIN
# are found in the sources, SQL objects in the extension's scripts. Lines "ok ..." and "not ok ..."; false if one is not ok.
#
#   test/scripts/docs.pl           of this source tree
#   test/scripts/docs.pl list      what it finds in the sources, for who writes documents
use strict;
use warnings;
use File::Basename qw(dirname);
use File::Find qw(find);

my $root = dirname(__FILE__) . '/../..';
my $bad = 0;

# is_none NAME PLACE...: nothing is missing
sub is_none
{
	my ($name, @missing) = @_;
	if (!@missing) { print "ok $name\n"; return; }
	$bad = 1;
	print "not ok $name\n", map { "#   $_\n" } @missing;
	return;
}

sub slurp
{
	my ($file) = @_;
	open(my $in, '<', $file) or return '';
	local $/;
	return scalar <$in>;
}

# ---- what the sources have -----------------------------------------------------------------------

# Everything found: kind => { text => place }.
my %found;
sub note { my ($kind, $text, $place) = @_; $found{$kind}{$text} //= $place; return; }

# Literals that no user reads, or that stand below a message (details and hints may be as they like), by the call they are in.
my $SILENT = qr/^(AllocSetContextCreate|hash_create|static_assert|target|errdetail|errdetail_internal|errdetail_plural|errhint|
  errcontext|DefineCustom\w+Variable|add_\w+_reloption|MarkGUCPrefixReserved|psprintf|appendStringInfo\w*|__attribute__)$/x;
# Texts of functions that give details, constants of hints, values of results and parts of messages.
my $DETAIL_FUNCTIONS = qr/\b(mapping_fault|kHint|kOrderHint|kTypes)\b|\blearned::\s*put\b|\bprogress\.\s*begin\b/;

# scan FILE: each string literal, neighbours joined, with the calls around it.
sub scan
{
	my ($file) = @_;
	my $place = substr($file, length("$root/"));
	my $text = slurp($file);
	$text =~ s{^\s*#\s*(include|error).*$}{}mg;
	$text =~ s{\\\n}{ \n}g;    # a macro's lines
	my (@calls, $last_word, $statement);
	$last_word = '';
	$statement = '';
	while ($text =~ m{\G(?: (//[^\n]*|/\*.*?\*/) | ((?:"(?:[^"\\]|\\.)*"(?:\s|//[^\n]*\n)*)+) | ('(?:[^'\\]|\\.)+') | ([A-Za-z_]\w*) | (\s+) | (.) )}gcsx)
	{
		my ($comment, $literal, $word, $space, $sign) = ($1, $2, $4, $5, $6);
		next if defined $comment || defined $space;
		if (defined $literal)
		{
			my $joined = join '', $literal =~ /"((?:[^"\\]|\\.)*)"/g;
			$joined =~ s/\\(["\\])/$1/g;
			my $number = @calls ? ++$calls[-1][1] : 1;
			literal($joined, $place, $number, $statement, map { $_->[0] } @calls);
			$last_word = '';
			next;
		}
		if (defined $word) { $last_word = $word; $statement .= " $word"; next; }
		if (defined $sign)
		{
			if ($sign eq '(') { push @calls, [ $last_word, 0 ]; }
			elsif ($sign eq ')') { pop @calls; }
			# (A brace within parentheses is that of a list or a lambda.)
			$statement = '' if $sign =~ /[;{}]/ && !@calls;
			$statement .= $sign;
			# A function's name stays with its body.
			$last_word = '' unless $sign =~ /[<>*&]/;
		}
	}
	return;
}

sub literal
{
	my ($text, $place, $literal_number, $statement, @calls) = @_;
	my $call = @calls ? $calls[-1] : '';
	if ($call =~ /^DefineCustom\w+Variable$/) { note(setting => $text, $place) if $text =~ /^[a-z_]+\.[a-z_]+$/; return; }
	if ($call =~ /^add_\w+_reloption$/) { note(option => $text, $place) if $text =~ /^[a-z_]+$/; return; }
	if ($call =~ /^ExplainProperty/) { note(explain => $text, $place); return; }
	if ($statement =~ /\bkName\b/ && $text =~ /^Learned[A-Z]\w+$/) { note(node => $text, $place); return; }
	return if grep { /$SILENT/ } @calls;
	return if $statement =~ $DETAIL_FUNCTIONS;
	# Phases of a build, in the words of pg_stat_progress_create_index.
	if ($statement =~ /\breturn\s+const_cast\s*<\s*char\b[^;]*$/)
	{
		note(phase => $text, $place);
		return;
	}
	# DEBUG messages are for developers.
	return if grep({ $_ eq 'ereport' || $_ eq 'elog' } @calls) && $statement =~ /\b(ereport|elog)\s*\(\s*DEBUG\d/;
	# Values of a message, not the message; and sentences, which are details.
	return if $literal_number > 1 && $call =~ /^errmsg/;
	return if $text =~ /^[A-Z].*\.$/;
	return unless $text =~ /[a-z%] [a-z%"\\(]/i;
	note(message => $text, $place);
	return;
}

find({ no_chdir => 1, wanted => sub { scan($_) if /\.[ch]pp$/ } }, "$root/src");
if (@ARGV)
{
	for my $kind (sort keys %found) { print "$kind\t$_\t$found{$kind}{$_}\n" for sort keys %{ $found{$kind} }; }
	exit 0;
}

# ---- what the scripts of SQL make ----------------------------------------------------------------

my (%functions, %others);
for my $file (sort glob("$root/src/sql/*.sql"))
{
	my $sql = slurp($file);
	$sql =~ s/--[^\n]*//g;
	while ($sql =~ /\b(CREATE(?:\s+OR\s+REPLACE)?|DROP)\s+(FUNCTION|VIEW|OPERATOR\s+CLASS|OPERATOR\s+FAMILY|OPERATOR)\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?([^\s(;]+)\s*(?=(\([^;]*)?)/gi)
	{
		my ($verb, $kind, $name, $rest) = (uc $1, uc $2, $3, $4 // '');
		$kind =~ s/\s+/ /g;
		if ($verb eq 'DROP') { delete $functions{$name} if $kind eq 'FUNCTION'; delete $others{"$kind $name"}; next; }
		if ($kind ne 'FUNCTION') { $others{"$kind $name"} = $name; next; }
		# Names of parameters and of the result's columns: what stands before a type.
		my ($list) = $rest =~ /^\((.*?)\)\s*(?:RETURNS|AS|LANGUAGE)/s;
		my ($table) = $rest =~ /RETURNS\s+TABLE\s*\((.*?)\)\s*(?:AS|LANGUAGE)/s;
		$functions{$name} = [];
		for my $parameter (split /,/, join(',', grep { defined } $list, $table))
		{
			push @{ $functions{$name} }, $1 if $parameter =~ /^\s*(?:(?:IN|OUT|INOUT|VARIADIC)\s+)?([a-z_]+)\s+["a-z]/;
		}
	}
	# A function that another one gave its parameters to (0.3.0).
	if ($sql =~ /UPDATE\s+pg_catalog\.pg_proc\s+AS\s+old.*?old\.oid\s*=\s*'(\w+)\(/s && $sql =~ /CREATE\s+FUNCTION\s+\Q$1\E_\w+\s*\(([^;]*?)\)\s*RETURNS/s)
	{
		my ($list) = $sql =~ /CREATE\s+FUNCTION\s+learned_index_check_\w+\s*\(([^;]*?)\)\s*RETURNS/s;
		$functions{learned_index_check} = [ map { /^\s*([a-z_]+)\s/ ? $1 : () } split /,/, $list ];
	}
}

# ---- what the documents have ---------------------------------------------------------------------

# Rows of tables: the cells, and the section. A bar in a cell is written \|.
sub rows_of
{
	my ($text) = @_;
	my ($section, @rows) = ('');
	for my $line (split /\n/, $text)
	{
		if ($line =~ /^#+ (.*)/) { $section = $1; next; }
		next unless $line =~ /^\| (.*) \|\s*$/;
		my @cells = map { s/\\\|/|/g; s/^\s+|\s+$//g; $_ } split /(?<!\\)\|/, $1;
		next if $cells[0] =~ /^-+$/;
		push @rows, { section => $section, cells => \@cells };
	}
	return @rows;
}
sub code_in { return $_[0] =~ /`([^`]+)`/g; }
sub section_of
{
	my ($text, $heading) = @_;
	return $text =~ /^(#+) \Q$heading\E\n(.*?)(?=^#{1,3} |\z)/ms ? $2 : '';
}

my $reference = slurp("$root/docs/reference.md");
my $errors = slurp("$root/docs/errors.md");
my @reference = rows_of($reference);
my @errors = rows_of($errors);

# both NAME { FOUND } [ DOCUMENTED ]: the one is the other
sub both
{
	my ($name, $there, @documented) = @_;
	my %documented = map { $_ => 1 } @documented;
	is_none("each $name is documented", map { "$_ ($there->{$_})" } grep { !$documented{$_} } sort keys %$there);
	is_none("each $name that is documented exists", grep { !exists $there->{$_} } sort keys %documented);
	return;
}
sub first_codes { my ($section) = @_; return map { code_in($_->{cells}[0]) } grep { $_->{section} eq $section } @reference; }

is_none('the sources were read', grep { !%{ $found{$_} // {} } } qw(message setting option explain node phase));
is_none('the scripts of SQL were read', %functions && %others ? () : 'no function');
both('option of an index', $found{option}, first_codes('Options of an index'));
both('setting', $found{setting}, first_codes('Settings'));
is_none('options and settings have values, default and meaning',
	map { $_->{cells}[0] } grep { $_->{section} =~ /^(Options of an index|Settings)$/ && grep({ $_ eq '' } @{ $_->{cells} }) } @reference);
my @explained = first_codes('EXPLAIN');
both('node of EXPLAIN', { map { ("Custom Scan ($_)" => $found{node}{$_}) } keys %{ $found{node} } }, grep { /^Custom Scan/ } @explained);
both('line of EXPLAIN', $found{explain}, grep { !/^Custom Scan/ } @explained);
both('phase of a build', $found{phase}, first_codes('Progress of a build'));
both('operator', { map { ($others{$_} => $_) } grep { /^OPERATOR \W/ } keys %others }, map { code_in($_->{cells}[0]) } grep { $_->{section} eq 'Operators' } @reference);
both('operator class', { map { ($others{$_} => $_) } grep { /^OPERATOR CLASS/ } keys %others },
	map { code_in($_->{cells}[1]) } grep { $_->{section} eq 'Operator classes' } @reference);
both('view', { map { ($others{$_} => $_) } grep { /^VIEW/ } keys %others }, map { /^(\w+)/ } $reference =~ /^### view `([^`]+)`/gm);

# Functions: a section of its own, with all parameters and columns, or a row where nobody calls it.
my @headings = $reference =~ /^### `([^`]+)`$/mg;
my %by_hand = map { /^(\w+)\(/ ? ($1 => $_) : () } @headings;
my @not_by_hand = map { /^(\w+)/ } first_codes('Not to be called by hand');
both('function', { map { ($_ => 'src/sql') } keys %functions }, keys %by_hand, @not_by_hand);
my @missing;
for my $name (sort keys %by_hand)
{
	my $text = $by_hand{$name} . ' ' . join(' ', code_in(section_of($reference, "`$by_hand{$name}`")));
	push @missing, map { "$name: $_" } grep { $text !~ /\b\Q$_\E\b/ } @{ $functions{$name} // [] };
}
is_none('each parameter and column of a function is documented', @missing);

# Messages: %s and the like are words in capitals there.
sub pattern
{
	my ($message) = @_;
	return join '[A-Z][A-Z_]*', map { quotemeta } split /%[-+ #0-9.*]*[lzhjt]*[a-zA-Z]/, $message, -1;
}
# (What the server says is not in the sources here.)
my $FOREIGN = qr/^In the server's words$/;
my @told = map { my $row = $_; map { { text => $_, row => $row } } (code_in($row->{cells}[0]))[0] // () }
  grep { $_->{section} !~ /^Messages|$FOREIGN/ } @errors;
my (@untold, %used);
for my $message (sort keys %{ $found{message} })
{
	my $pattern = pattern($message);
	my @hits = grep { $_->{text} =~ /^$pattern$/ } @told;
	push @untold, "$message ($found{message}{$message})" unless @hits;
	$used{ $_->{text} } = 1 for @hits;
}
is_none('each message is documented', @untold);
is_none('each message that is documented exists', grep { !$used{$_} } map { $_->{text} } @told);
my %seen;
is_none('none is there twice', grep { $seen{$_}++ } map { $_->{text} } @told);
my %advice = map { ($_ => 1) } grep { section_of($errors, $_) =~ /\*\*What to do\*\*|what to do \|$/m } map { $_->{section} } @errors;
is_none('each has a reason, and what to do', map { $_->{text} }
	grep { !$advice{ $_->{row}{section} } || grep({ $_ eq '' } @{ $_->{row}{cells} }) || @{ $_->{row}{cells} } < 2 } @told);

my @foreign = grep { $_->{section} =~ $FOREIGN && $_->{cells}[0] ne 'message' } @errors;
is_none('what the server says has a code, a reason, and what to do',
	@foreign ? map { $_->{cells}[0] } grep { my $row = $_; $row->{cells}[0] !~ /^`[^`]+` \([0-9A-Z]{5}\)/ || @{ $row->{cells} } != 3 || grep({ $_ eq '' } @{ $row->{cells} }) } @foreign : 'no row');

# Links from one document to another lead somewhere.
my @lost;
for my $file ('README.md', map { substr($_, length("$root/")) } sort glob("$root/docs/*.md"))
{
	my $text = slurp("$root/$file");
	while ($text =~ /\]\(([^)\s#:]*)(?:#([^)\s]+))?\)/g)
	{
		my ($to, $anchor) = ($1, $2);
		my $path = $to eq '' ? $file : dirname($file) . "/$to";
		if (!-e "$root/$path") { push @lost, "$file: $to"; next; }
		next unless defined $anchor && $path =~ /\.md$/;
		my $target = slurp("$root/$path");
		my %anchors = map { my $a = lc; $a =~ s/[^\w\- ]//g; $a =~ s/ /-/g; ($a => 1) } $target =~ /^#+ (.*)$/mg;
		push @lost, "$file: $to#$anchor" unless $anchors{$anchor} || $target =~ /<a id="\Q$anchor\E">/;
	}
}
is_none('links lead somewhere', @lost);

exit $bad;
