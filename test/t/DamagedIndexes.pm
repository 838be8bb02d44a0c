# Makes many damaged copies of one index at once: tables whose files are overwritten, while the server
# is stopped, by copies of a template with one change each; then looks at all of them.

package DamagedIndexes;

use strict;
use warnings;
use LearnedTest;
use Test::More;
use PostgreSQL::Test::Utils;

use Exporter 'import';
our @EXPORT = qw($PAGE_SIZE %SHAPES create_template drop_template create_writer index_files template_pages page_kind byte_is_checked byte_region
  random_flips flipped_pages examine_damaged write_to_damaged);

our $PAGE_SIZE = 8192;
my $PAGE_HEADER = 24;

# Indexes of one word and of several: their columns; rows whose entries are next to one another, and go; the
# kinds of pages that there must be; what is asked: [name, how, query].
our %SHAPES = (
	plain => {
		index => '(k)', clear => 'k BETWEEN -8000000000000000000 AND -4000000000000000000',
		kinds => [ 'meta', 'key leaf', 'key leaf with dead', 'key inner', 'null leaf', 'deleted' ],
		questions => [
			[ 'forward', 'only', q{SELECT count(*) || ' ' || sum(hashint8(k)) || ' ' || bool_and(k >= previous IS NOT FALSE) FROM (SELECT k, lag(k) OVER () AS previous FROM (SELECT k FROM %I ORDER BY k) s) t} ],
			[ 'backward', 'index', q{SELECT count(*) || ' ' || sum(id) FROM (SELECT id FROM %I ORDER BY k DESC) s} ],
			[ 'points', 'index', q{SELECT count(*) || ' ' || coalesce(sum(t.id), 0) FROM generate_series(1, 2600, 25) i CROSS JOIN LATERAL (SELECT id FROM %1$I WHERE k = hashint8extended(i, 3) UNION ALL SELECT id FROM %1$I WHERE k = i * 10) t} ],
			[ 'list', 'bitmap', q{SELECT count(*) || ' ' || sum(id) FROM %I WHERE k = ANY (ARRAY(SELECT i * 10 FROM generate_series(-5, 2600, 7) i))} ],
			[ 'range', 'bitmap', q{SELECT count(*) || ' ' || sum(id) FROM %I WHERE k BETWEEN 1000 AND 4000000000000000000} ],
			[ 'descending', 'index', q{SELECT string_agg(k::text, ' ') FROM (SELECT k FROM %I WHERE k < 5000 ORDER BY k DESC LIMIT 100) s} ],
			[ 'nulls', 'index', q{SELECT count(*) || ' ' || sum(id) FROM %I WHERE k IS NULL} ],
			[ 'ends', 'only', q{SELECT min(k) || ' ' || max(k) FROM %I} ] ]
	},
	two => {
		index => '(g DESC NULLS LAST, k)', clear => 'g IN (4, 5, 6)',
		kinds => [ 'meta', 'key leaf', 'key leaf with dead', 'key inner', 'deleted' ],
		questions => [
			[ 'forward', 'only', q{SELECT count(*) || ' ' || sum(hashint8(k)) || ' ' || sum(g) || ' ' || bool_and((g <= h) IS NOT FALSE AND (g = h AND k < l) IS NOT TRUE) FROM (SELECT g, k, lag(g) OVER () AS h, lag(k) OVER () AS l FROM (SELECT g, k FROM %I ORDER BY g DESC NULLS LAST, k) s) t} ],
			[ 'backward', 'index', q{SELECT count(*) || ' ' || sum(id) FROM (SELECT id FROM %I ORDER BY g NULLS FIRST, k DESC) s} ],
			[ 'points', 'index', q{SELECT count(*) || ' ' || coalesce(sum(t.id), 0) FROM generate_series(1, 5000, 40) i CROSS JOIN LATERAL (SELECT id FROM %I WHERE g = hashint4(i) & 15 AND k = hashint8extended(i, 3)) t} ],
			[ 'list', 'bitmap', q{SELECT count(*) || ' ' || sum(id) FROM %I WHERE g = ANY ('{1,2,9,15}') AND k = ANY (ARRAY(SELECT i * 10 FROM generate_series(-5, 2600, 3) i))} ],
			[ 'range', 'bitmap', q{SELECT count(*) || ' ' || sum(id) FROM %I WHERE g = 9 AND k BETWEEN 1000 AND 4000000000000000000} ],
			[ 'skipping', 'index', q{SELECT count(*) || ' ' || sum(id) FROM %I WHERE k BETWEEN 1000 AND 9000} ],
			[ 'groups', 'only', q{SELECT string_agg(concat_ws(':', g, k), ' ') FROM (SELECT DISTINCT ON (g) g, k FROM %I ORDER BY g DESC NULLS LAST, k) s} ],
			[ 'nulls', 'index', q{SELECT count(*) || ' ' || sum(id) FROM %I WHERE g IS NULL AND k > 0} ],
			[ 'nulls_behind', 'index', q{SELECT count(*) || ' ' || sum(id) FROM %I WHERE k IS NULL} ],
			[ 'ends', 'only', q{SELECT min(g) || ' ' || max(g) FROM %I} ] ]
	},
	three => {
		index => '(g, u)', clear => 'g IN (4, 5, 6)',
		kinds => [ 'meta', 'key leaf with dead', 'key inner', 'deleted' ],
		questions => [
			[ 'forward', 'only', q{SELECT md5(string_agg(concat_ws(' ', g, u), ',')) FROM (SELECT g, u FROM %I ORDER BY g, u) s} ],
			[ 'backward', 'index', q{SELECT count(*) || ' ' || sum(id) FROM (SELECT id FROM %I ORDER BY g DESC, u DESC) s} ],
			[ 'points', 'index', q{SELECT count(*) || ' ' || coalesce(sum(t.id), 0) FROM generate_series(1, 5000, 40) i CROSS JOIN LATERAL (SELECT id FROM %I WHERE g = hashint4(i) & 15 AND u = md5(hashint8extended(i, 3)::text)::uuid) t} ],
			[ 'rows', 'index', q{SELECT count(*) || ' ' || sum(id) FROM %I WHERE (g, u) > (7, '80000000-0000-0000-0000-000000000000') AND (g, u) <= (9, '20000000-0000-0000-0000-000000000000')} ],
			[ 'skipping', 'bitmap', q{SELECT count(*) || ' ' || sum(id) FROM %I WHERE u > 'f0000000-0000-0000-0000-000000000000'} ],
			[ 'groups', 'only', q{SELECT string_agg(concat_ws(':', g, u), ' ') FROM (SELECT DISTINCT ON (g) g, u FROM %I ORDER BY g, u) s} ],
			[ 'nulls', 'index', q{SELECT count(*) || ' ' || sum(id) FROM %I WHERE g IS NULL} ],
			[ 'ends', 'only', q{SELECT min(g) || ' ' || max(g) FROM %I} ] ]
	},
	four => {
		index => '(u, g NULLS FIRST) INCLUDE (k)', clear => q{u < '30000000-0000-0000-0000-000000000000'},
		kinds => [ 'meta', 'key leaf', 'key leaf with dead', 'key inner', 'deleted' ],
		questions => [
			[ 'forward', 'only', q{SELECT md5(string_agg(concat_ws(' ', u, g, k), ',' ORDER BY u, g, k)) FROM (SELECT u, g, k FROM %I ORDER BY u, g NULLS FIRST) s} ],
			[ 'backward', 'index', q{SELECT count(*) || ' ' || sum(id) FROM (SELECT id FROM %I ORDER BY u DESC, g DESC NULLS LAST) s} ],
			[ 'points', 'only', q{SELECT count(*) || ' ' || sum(t.k / 100) FROM generate_series(1, 5000, 40) i CROSS JOIN LATERAL (SELECT k FROM %I WHERE u = md5(hashint8extended(i, 3)::text)::uuid) t} ],
			[ 'list', 'bitmap', q{SELECT count(*) || ' ' || sum(id) FROM %I WHERE u = ANY (ARRAY(SELECT md5((i * 10)::text)::uuid FROM generate_series(1, 2600, 7) i)) AND g > 3} ],
			[ 'range', 'only', q{SELECT count(*) || ' ' || sum(hashint8(k)) FROM %I WHERE u BETWEEN '28000000-0000-0000-0000-000000000000' AND 'b0000000-0000-0000-0000-000000000000' AND g IS NOT NULL} ],
			[ 'nulls', 'index', q{SELECT count(*) || ' ' || sum(id) FROM %I WHERE u = md5('77')::uuid AND g IS NULL} ],
			[ 'ends', 'index', q{SELECT (SELECT u FROM %1$I ORDER BY u LIMIT 1) || ' ' || (SELECT u FROM %1$I ORDER BY u DESC LIMIT 1)} ] ]
	},
);
my $shape;

# What create_template() and create_writer() made.
sub drop_template
{
	my ($node) = @_;
	my @tables = split /\n/, query($node, q{SELECT relname FROM pg_class WHERE relname ~ '^(damaged_[0-9]+|template|question)$'});
	$node->safe_psql('postgres', join('', map { "DROP TABLE $_;\n" } @tables) . 'DROP FUNCTION IF EXISTS ask, examine, write_to, compare;');
	return;
}

# A template with every kind of page: bulk-built and later-split leaves, delta entries, dead entries,
# NULLs, deleted pages, an inner level; and the answers that its copies must give.
sub create_template
{
	my ($node, $copies, $name) = @_;
	$shape = $SHAPES{ $name // 'plain' };
	my $columns = q{id int, k int8, g int4 GENERATED ALWAYS AS (nullif(hashint4(id) & 15, 3)) STORED,
 u uuid GENERATED ALWAYS AS (md5(coalesce(k, -1)::text)::uuid) STORED};
	drop_template($node);
	my $questions = join(', ', map {
		my ($step, $mode, $q) = @$_;
		"(\$q\$$step\$q\$, \$q\$$mode\$q\$, \$q\$$q\$q\$)"
	} @{ $shape->{questions} });
	# The copies come first: their catalog entries must not claim to be younger than the rows they get.
	$node->safe_psql('postgres', join('', map {
		"CREATE TABLE damaged_$_ ($columns) WITH (autovacuum_enabled = off); CREATE INDEX damaged_${_}_k ON damaged_$_ USING $AM $shape->{index};\n"
	} 0 .. $copies - 1));
	$node->safe_psql(
		'postgres', qq{
CREATE TABLE template ($columns) WITH (autovacuum_enabled = off);
INSERT INTO template SELECT i, hashint8extended(i, 3) FROM generate_series(1, 5000) i;
INSERT INTO template SELECT i, i * 10 FROM generate_series(1, 4000) i;
INSERT INTO template SELECT i, 77 FROM generate_series(1, 200) i;
INSERT INTO template SELECT i, NULL FROM generate_series(1, 200) i;
CREATE INDEX template_k ON template USING $AM $shape->{index} WITH (fillfactor = 100);
DELETE FROM template WHERE k IS NOT NULL AND hashint4(id) % 20 = 0;
VACUUM (INDEX_CLEANUP ON) template;
INSERT INTO template SELECT i, hashint8extended(i, 4) FROM generate_series(1, 300) i;
INSERT INTO template SELECT i, NULL FROM generate_series(1, 20) i;
DELETE FROM template WHERE k IS NOT NULL AND hashint4(id) % 11 = 0 OR $shape->{clear};
VACUUM (FREEZE, INDEX_CLEANUP ON) template;
INSERT INTO template SELECT i, i * 100 + 5 FROM generate_series(1, 40) i;
CHECKPOINT;

CREATE TABLE question (name text, mode text, q text, answer text);
INSERT INTO question (name, mode, q) VALUES $questions;
CREATE FUNCTION ask(relation text, mode text, q text) RETURNS text LANGUAGE plpgsql AS \$\$
DECLARE
  answer text;
BEGIN
  PERFORM set_config('enable_seqscan', (mode = 'seq')::text, true), set_config('enable_sort', (mode = 'seq')::text, true),
          set_config('enable_indexonlyscan', (mode = 'only')::text, true),
          set_config('enable_indexscan', (mode IN ('index', 'only'))::text, true),
          set_config('enable_bitmapscan', (mode = 'bitmap')::text, true);
  EXECUTE format(q, relation) INTO answer;
  RETURN answer;
END \$\$;
UPDATE question SET answer = ask('template', 'seq', q);

-- What the check says, what each query does, and whether changes are refused cleanly.
CREATE FUNCTION examine(relation text, change boolean) RETURNS TABLE (step text, outcome text) LANGUAGE plpgsql AS \$\$
DECLARE
  r record;
BEGIN
  step := 'check';
  BEGIN
    PERFORM learned_index_check((relation || '_k')::regclass, true);
    outcome := 'passed';
  EXCEPTION WHEN OTHERS THEN
    outcome := SQLSTATE || ' ' || SQLERRM;
  END;
  RETURN NEXT;
  step := 'strict';
  BEGIN
    PERFORM learned_index_check((relation || '_k')::regclass, true, true);
    outcome := 'passed';
  EXCEPTION WHEN OTHERS THEN
    outcome := SQLSTATE || ' ' || SQLERRM;
  END;
  RETURN NEXT;
  IF to_regprocedure('learned_index_stats(regclass)') IS NOT NULL THEN
    step := 'stats';
    BEGIN
      EXECUTE format('SELECT learned_index_stats(%L)', relation || '_k');
      outcome := 'right';
    EXCEPTION WHEN OTHERS THEN
      outcome := SQLSTATE || ' ' || SQLERRM;
    END;
    RETURN NEXT;
  END IF;
  FOR r IN SELECT * FROM question LOOP
    step := r.name;
    BEGIN
      outcome := ask(relation, r.mode, r.q);
      outcome := CASE WHEN outcome IS NOT DISTINCT FROM r.answer THEN 'right' ELSE 'wrong' END;
    EXCEPTION WHEN OTHERS THEN
      outcome := SQLSTATE || ' ' || SQLERRM;
    END;
    RETURN NEXT;
  END LOOP;
  IF change THEN
    FOR i IN 1..12 LOOP
      step := 'insert';
      BEGIN
        EXECUTE format('INSERT INTO %I SELECT %s, CASE %s WHEN 0 THEN NULL ELSE hashint8extended(%2\$s * 1000 + j, 9) / (1 + %3\$s * 1000000) END FROM generate_series(1, 20) j', relation, i, i % 3);
        outcome := 'right';
      EXCEPTION WHEN OTHERS THEN
        outcome := SQLSTATE || ' ' || SQLERRM;
      END;
      RETURN NEXT;
    END LOOP;
  END IF;
END \$\$;
});
	# Each of them is answered by the index.
	for my $question (@{ $shape->{questions} })
	{
		my ($step, $mode, $q) = @$question;
		$q =~ s/%(?:1\$)?I/template/g;
		my $plan = $node->safe_psql('postgres', "BEGIN; SELECT ask('template', '$mode', 'SELECT 1'); EXPLAIN (COSTS OFF) $q");
		like($plan, $step eq 'groups' && $IS_LEARNED ? qr/LearnedGroups/ : qr/template_k/, ($name // 'plain') . ": \"$step\" reads the index");
	}
	return;
}

# The template index's pages, once the server is stopped.
sub template_pages
{
	my ($node, $files) = @_;
	my $bytes = slurp_file($node->data_dir . '/' . $files->{template_k});
	return map { substr($bytes, $_ * $PAGE_SIZE, $PAGE_SIZE) } 0 .. length($bytes) / $PAGE_SIZE - 1;
}

sub header_fields
{
	my ($page) = @_;
	return unpack('x12 v v v', $page);
}

sub page_kind
{
	my ($page, $block) = @_;
	return 'meta' if $block == 0;
	return 'page' unless $IS_LEARNED;
	my ($lower, $upper, $special) = header_fields($page);
	my ($level, $tree, $flags) = unpack('x6 C C v', substr($page, $special));
	return 'deleted' if $flags & 2;
	return join(' ', $tree ? 'null' : 'key', $level ? 'inner' : 'leaf', $flags & 4 ? 'with dead' : ());
}

sub byte_region
{
	my ($page, $offset) = @_;
	my ($lower, $upper, $special) = header_fields($page);
	return 'header' if $offset < $PAGE_HEADER;
	return 'trailer' if $offset >= $special;
	return 'entries' if $offset < $lower;
	return 'hole' if $offset < $upper;
	return 'directory';
}

# Bytes that mean nothing to the index: LSN, checksum and flags of the page header, its pd_prune_xid,
# and the hole.
sub byte_is_checked
{
	my ($page, $offset) = @_;
	return 0 if $offset < 12 || ($offset >= 20 && $offset < $PAGE_HEADER);
	return byte_region($page, $offset) ne 'hole';
}

# So many flips, [block, offset, mask], of bytes of these blocks that something covers; one in three lies near the page's end, where the trailer is. (The
# version of the server's page layout has no bearing on what a page of ours holds: that the check looks at.)
sub random_flips
{
	my ($pages, $blocks, $count) = @_;
	my @flips;
	while (@flips < $count)
	{
		my ($block, $offset) = (pick(@$blocks), chance(3) ? random_int($PAGE_SIZE - 120, $PAGE_SIZE - 1) : random_int(12, $PAGE_SIZE - 1));
		push @flips, [ $block, $offset, random_int(1, 255) ] if byte_is_checked($pages->[$block], $offset) && ($offset < 18 || $offset > 19);
	}
	return @flips;
}

# For try_damaged(): a file for each flip.
sub flipped_pages
{
	my ($pages, @flips) = @_;
	return map {
		my ($block, $offset, $mask) = @$_;
		my @changed = @$pages;
		substr($changed[$block], $offset, 1) ^= chr($mask);
		[ 'flip', join('', @changed) ];
	} @flips;
}

# Functions that write to a table whose index is damaged, each row by itself, and compare what the index answers with
# what the table has.
sub create_writer
{
	my ($node) = @_;
	$node->safe_psql(
		'postgres', q{
CREATE FUNCTION write_to(relation text, round int) RETURNS TABLE (step text, outcome text) LANGUAGE plpgsql AS $$
DECLARE
  key text;
BEGIN
  step := 'insert';
  FOR i IN 1..120 LOOP
    -- Far apart, near one another, at the end of the dense ones, equal, NULL.
    key := (ARRAY['hashint8extended(%1$s, 11)', '5000 + mod(%1$s, 40)', '40000 + %1$s', '77', 'NULL'])[1 + i % 5];
    BEGIN
      EXECUTE format('INSERT INTO %I SELECT %s, ' || format(key, 'j') || ' FROM generate_series(%3$s, %4$s) j',
        relation, i, round * 10000 + i * 8, round * 10000 + i * 8 + CASE WHEN i % 5 < 2 THEN 7 ELSE 0 END);
      outcome := 'right';
    EXCEPTION WHEN OTHERS THEN
      outcome := SQLSTATE || ' ' || SQLERRM;
    END;
    RETURN NEXT;
  END LOOP;
  -- By the table: the rows go, whatever the index says.
  SET LOCAL enable_indexscan = off;
  SET LOCAL enable_bitmapscan = off;
  SET LOCAL enable_indexonlyscan = off;
  EXECUTE format('DELETE FROM %I WHERE hashint4(id) %% 7 = %s OR g = %s OR k BETWEEN %4$s AND %4$s + 3000000000000000000',
    relation, round, round + 8, round * 1000000000000000000);
END $$;
CREATE FUNCTION compare(relation text) RETURNS TABLE (step text, outcome text) LANGUAGE plpgsql AS $$
DECLARE
  r record;
BEGIN
  FOR r IN SELECT * FROM question LOOP
    step := r.name;
    BEGIN
      outcome := CASE WHEN ask(relation, r.mode, r.q) IS NOT DISTINCT FROM ask(relation, 'seq', r.q) THEN 'right' ELSE 'wrong' END;
    EXCEPTION WHEN OTHERS THEN
      outcome := SQLSTATE || ' ' || SQLERRM;
    END;
    RETURN NEXT;
  END LOOP;
  step := 'check';
  BEGIN
    PERFORM learned_index_check((relation || '_k')::regclass, true);
    outcome := 'passed';
  EXCEPTION WHEN OTHERS THEN
    outcome := SQLSTATE || ' ' || SQLERRM;
  END;
  RETURN NEXT;
END $$;
});
	return;
}

# Where the files of all tables and indexes are, by name.
sub index_files
{
	my ($node) = @_;
	return map { split /\|/ } split /\n/,
	  query($node,
		q{SELECT relname, pg_relation_filepath(oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')});
}

# damages: list of [name, changed index file, may change].  Returns one hash of step => outcome a
# damage; an absent one means that the server did not survive or that a query did not end.
sub examine_damaged
{
	my ($node, $files, @damages) = @_;
	return try_damaged(
		$node, $files,
		sub {
			my ($i) = @_;
			my $change = $damages[$i][2];
			return "SELECT * FROM examine('damaged_$i', " . ($change ? 'true' : 'false') . ");\n"
			  . ($change ? "VACUUM (INDEX_CLEANUP ON) damaged_$i;\n" : '');
		},
		@damages);
}

# The same for list of [name, changed index file]: the tables are written to and vacuumed, then compared.
sub write_to_damaged
{
	my ($node, $files, @damages) = @_;
	return try_damaged(
		$node, $files,
		sub {
			my ($i) = @_;
			my $vacuum = "VACUUM (INDEX_CLEANUP ON) damaged_$i;\n";
			return join('', map { "SELECT * FROM write_to('damaged_$i', $_);\n$vacuum" } 1 .. 2) . "SELECT * FROM compare('damaged_$i');\n";
		},
		@damages);
}

# Puts the damaged files in place, starts the server and runs script($i) for each; stops it again.
sub try_damaged
{
	my ($node, $files, $script_of, @damages) = @_;
	my $directory = $node->data_dir;
	my %content;
	for my $fork ('', '_vm', '_fsm')
	{
		my $path = "$directory/$files->{template}$fork";
		$content{$fork} = slurp_file($path) if -e $path;
	}
	my $index_map = "$directory/$files->{template_k}_fsm";
	for my $i (0 .. $#damages)
	{
		unlink map { "$directory/" . $files->{"damaged_$i"} . $_ } '_vm', '_fsm';
		write_bytes("$directory/" . $files->{"damaged_$i"} . $_, $content{$_}) for keys %content;
		write_bytes("$directory/" . $files->{"damaged_${i}_k"}, $damages[$i][1]);
		write_bytes("$directory/" . $files->{"damaged_${i}_k"} . '_fsm', slurp_file($index_map)) if -e $index_map;
	}
	$node->start;
	my $script = "SET statement_timeout = '20s';\n\\set VERBOSITY verbose\n\\pset fieldsep '\\t'\n";
	$script .= "\\echo index $_\n\\warn index $_\n" . $script_of->($_) for 0 .. $#damages;
	my ($code, $out, $err) =
	  $node->psql('postgres', $script, on_error_stop => 0, timeout => 900, timed_out => \my $late);
	my @outcomes;
	my $current;
	for my $line (split /\n/, $out)
	{
		if ($line =~ /^index (\d+)$/) { $current = $outcomes[$1] = {} }
		elsif ($line =~ /^(\w+)\t(.*)$/)
		{
			$current->{$1} = $2 unless defined $current->{$1} && $current->{$1} ne 'right';
		}
	}
	for my $line (split /\n/, $err)
	{
		if ($line =~ /index (\d+)$/) { $current = $outcomes[$1] }
		elsif ($line =~ /(?:ERROR|FATAL|PANIC):\s+(\w{5}: .*)/) { $current->{vacuum} = $1 =~ s/: / /r }
	}
	# A server that died says so here; one that lives must also be able to stop.
	my $alive = eval { query($node, 'SELECT 1') } // '';
	$node->stop($alive eq '1' ? 'fast' : 'immediate', fail_ok => 1);
	return ($alive eq '1', @outcomes);
}

sub write_bytes
{
	my ($path, $bytes) = @_;
	open my $file, '>:raw', $path or die "cannot write $path: $!\n";
	print $file $bytes;
	close $file;
	return;
}

1;
