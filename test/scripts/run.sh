#!/usr/bin/env bash
# Tests of what the scripts decide by themselves: which mirror, which version's source, what counts as skipped; of the
# release's zip; and, by the Perl scripts beside this one, of what the release and the documents say. Needs
# neither a server nor the network. Lines "ok ..." and "not ok ..."; false if one is not ok.
set -uo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
# shellcheck source=scripts/source.sh
. "$ROOT/scripts/source.sh"
# shellcheck source=scripts/roots.sh
. "$ROOT/scripts/roots.sh"
make_workspace
BAD=0

# is NAME EXPECTED FOUND
is() {
  if [ "$2" = "$3" ]; then
    echo "ok $1"
  else
    BAD=1
    printf 'not ok %s\n#   expected: %s\n#   found:    %s\n' "$1" "$2" "$3"
  fi
}

# ---- versions ------------------------------------------------------------------------------------

words() { tr '\n' ' ' | sed 's/ $//'; }
versions() { printf '%s\n' "$@"; }

is 'major version of a release' 15 "$(major_of 15.18)"
is 'major version of a release candidate' 19 "$(major_of 19rc1)"
is 'the exact version comes first, of two neighbours the newer' '15.19 15.20 15.18 15.2' \
  "$(versions 15.2 15.18 17.3 15.20 15.19 15.19 | nearest 15.19 | words)"
is 'without the exact version the nearest' '15.18 15.17' "$(versions 15.17 15.18 17.20 | nearest 15.20 | words)"
is 'release candidates and betas have neighbours, too' '19rc2 19rc1 19.0 19beta3' \
  "$(versions 19.0 19beta3 18.1 19rc1 19rc2 | nearest 19rc2 | words)"
is 'nothing of another major version' '' "$(versions 17.3 18.0 | nearest 15.18 | words)"

# The source: apt knows versions, but not all of them can be downloaded.
CACHE=$WORKSPACE/cache
SERVER_MAJOR=15
# What would go to the network; each is called by the functions under test.
# shellcheck disable=SC2317
private_apt() { :; }
# shellcheck disable=SC2317
known_to_apt() { printf '%s\n' '15.18 15.18-0+deb12u1' '15.20 15.20-0+deb12u1'; }
# shellcheck disable=SC2317
download_source() {
  echo "$2" >>"$WORKSPACE/downloads"
  [ "$2" = "$AVAILABLE" ] && mkdir -p "$3"
}
# shellcheck disable=SC2317
unpack_source() { mkdir -p "$2" && touch "$2/configure"; }

AVAILABLE=none SERVER_VERSION=15.20
find_source configure >/dev/null
is 'no source to be had: false' 1 "$?"
is 'and the reason tells what was tried' \
  'the source package of postgresql-15 could not be downloaded; tried 15.20 15.18' "$REASON"
AVAILABLE=15.18
rm "$WORKSPACE/downloads"
find_source configure >"$WORKSPACE/said"
is 'the exact source cannot be downloaded: the nearest' "$CACHE/source-15.18 15.18" "$SOURCE $SOURCE_VERSION"
is 'exact first' '15.20 15.18' "$(words <"$WORKSPACE/downloads")"
is 'it says so' 1 "$(grep -c 'taking the nearest version, 15.18' "$WORKSPACE/said")"
AVAILABLE=none SOURCE='' SOURCE_VERSION=''
find_source configure >/dev/null
is 'a neighbour that was kept serves without the network' "$CACHE/source-15.18" "$SOURCE"
rm "$WORKSPACE/downloads"
SERVER_VERSION=15.18
find_source configure >/dev/null
is 'what was kept is not fetched again' "$CACHE/source-15.18 no" \
  "$SOURCE $([ -e "$WORKSPACE/downloads" ] && echo yes || echo no)"

# ---- mirrors -------------------------------------------------------------------------------------

# apt NAME: an apt of its own with the sources file NAME, read from the standard input, and lists of all archives
# that the tests speak of; prints the mirrors found
mirrors_of() {
  local apt=$WORKSPACE/apt.$RANDOM release
  mkdir -p "$apt/parts" "$apt/lists/partial"
  cat >"$apt/parts/$1"
  while read -r release origin label; do
    printf 'Origin: %s\nLabel: %s\nSuite: stable\nCodename: bookworm\nDate: Sat, 01 Jan 2022 00:00:00 UTC\nArchitectures: %s\nComponents: main\nSHA256:\n' \
      "$origin" "${label//_/ }" "$(dpkg --print-architecture)" >"$apt/lists/${release}_Release"
    for architecture in $(dpkg --print-architecture); do
      printf ' %064d 1 main/binary-%s/Packages\n' 1 "$architecture" >>"$apt/lists/${release}_Release"
      : >"$apt/lists/${release}_main_binary-${architecture}_Packages"
    done
  done <<LISTS
mirror.example.org_pub_linux_dists_bookworm Debian Debian
mirror.example.org_pub_security_dists_bookworm-security Debian Debian-Security
packages.example.com_debian_dists_bookworm Example Debian
_etc_apt_mirrors_debian.list_dists_bookworm Debian Debian
${apt//\//_}_mirrors.list_dists_bookworm Debian Debian
LISTS
  printf '%s\n' '# a comment' 'https://first.example.org/debian/	priority:1' 'http://second.example.org/debian' \
    >"$apt/mirrors.list"
  sed -i "s|@APT@|$apt|" "$apt/parts/$1"
  printf '%s\n' "Dir::Etc::SourceList \"/dev/null\";" "Dir::Etc::SourceParts \"$apt/parts\";" \
    "Dir::State::Lists \"$apt/lists\";" >"$apt/apt.conf"
  APT_CONFIG=$apt/apt.conf apt_mirrors | words
}

if command -v apt-get >/dev/null; then
  is 'a mirror of any name, from a deb822 file' http://mirror.example.org/pub/linux "$(mirrors_of any.sources <<'S'
Types: deb
URIs: http://packages.example.com/debian
Suites: bookworm
Components: main
Trusted: yes

Types: deb deb-src
URIs: http://mirror.example.org/pub/security
Suites: bookworm-security
Components: main

Enabled: yes
Types: deb deb-src
URIs: http://mirror.example.org/pub/linux/
Suites: bookworm
Components: main
S
)"
  is 'from a file of lines, with options' http://mirror.example.org/pub/linux "$(mirrors_of any.list <<'S'
deb [trusted=yes] http://packages.example.com/debian bookworm main
deb [ arch=amd64,arm64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg ] http://mirror.example.org/pub/linux bookworm main contrib
S
)"
  is 'with https' https://mirror.example.org/pub/linux "$(mirrors_of any.list <<<'deb https://mirror.example.org/pub/linux bookworm main')"
  is 'a list of mirrors' 'https://first.example.org/debian http://second.example.org/debian' \
    "$(mirrors_of any.list <<<'deb mirror+file:@APT@/mirrors.list bookworm main')"
  is 'none that is switched off' '' "$(mirrors_of any.sources <<'S'
Enabled: no
Types: deb
URIs: http://mirror.example.org/pub/linux
Suites: bookworm
Components: main
S
)"
  is 'none of another distribution' '' "$(mirrors_of any.list <<<'deb http://packages.example.com/debian bookworm main')"
fi
DEBIAN_MIRROR=http://chosen.example.org/debian
find_mirror
is 'DEBIAN_MIRROR is taken first' http://chosen.example.org/debian "$MIRROR"
unset DEBIAN_MIRROR
# shellcheck disable=SC2317
apt_mirrors() { :; }
# shellcheck disable=SC2317
apt_update() { :; }
find_mirror
is 'no mirror: false, and the reason names the variable' "1 apt's sources name no mirror of Debian's archive: set DEBIAN_MIRROR" "$? $REASON"
is 'no script names a mirror' '' "$(grep -rnE 'https?://[a-z.]*debian\.(org|net)' "$ROOT/scripts" "$ROOT/.ci" "$ROOT/README.md" "$ROOT/test/README.md" 2>/dev/null | words)"

# ---- root file systems -------------------------------------------------------------------------------

# A new one is made while there is a layer above another: what is done in the new one goes into the new one.
made_root() {
  # What it would call, in place of the real ones: debootstrap makes directories, and what is run over there is told.
  # shellcheck disable=SC2317
  unshare() { mkdir -p "$NEW_ROOT"/etc/apt/apt.conf.d "$NEW_ROOT"/etc/apt/preferences.d "$NEW_ROOT"/usr/sbin; }
  # shellcheck disable=SC2317
  in_root() { echo "${LAYER:-no layer}, ${#BINDS[@]} bound: ${*:2}" >>"$WORKSPACE/told" && [ "$*" != "$1 apt-cache show postgresql-19" ]; }
  # shellcheck disable=SC2317,SC2034
  at_exit() { :; }
  LAYER=$WORKSPACE/layer BINDS=(a b) MIRROR=http://mirror.example/debian
  make_root "$1" "$WORKSPACE/made-$1" clean >/dev/null && echo "$LAYER ${BINDS[*]}"
}
is 'a root that is made: the layer above another is for that one again' "$WORKSPACE/layer a b" "$(made_root 18)"
is 'and had nothing of the new one' 'no layer, 0 bound' "$(sed 's/: .*//' "$WORKSPACE/told" | sort -u)"
made_root 19 >"$WORKSPACE/said"
is 'a server that no suite has: false, and all were asked' '3 3' \
  "$(grep -c 'apt-cache show postgresql-19' "$WORKSPACE/told") $(grep -c . "$WORKSPACE/made-19.new/etc/apt/sources.list")"

# ---- totals --------------------------------------------------------------------------------------

is 'the last line' '3 passed, 0 failed, 2 skipped' "$(totals 3 0 2)"
totals 3 1 0 >/dev/null
is 'a failure fails' 1 "$?"
totals 0 0 0 >/dev/null
is 'nothing at all is no success' 1 "$?"
totals 0 0 1 >/dev/null
is 'what is skipped is no failure' 0 "$?"
printf '%s\n' '== x: 9 passed, 9 failed' '3 passed, 0 failed, 2 skipped' >"$WORKSPACE/log"
is 'totals are read from the last line' '3 0 2' "$(read_totals "$WORKSPACE/log")"
echo 'Segmentation fault' >>"$WORKSPACE/log"
read_totals "$WORKSPACE/log"
is 'and from no other' 1 "$?"

# ---- what the environment says of other servers ------------------------------------------------------

is 'a throw-away server is not mistaken for another one' 'PG_CONFIG=x' "$(
  for name in PGHOST PGHOSTADDR PGPORT PGSERVICE PGSERVICEFILE PGSSLMODE PGTARGETSESSIONATTRS PGCHANNELBINDING PGREQUIREAUTH PGCLIENTENCODING PGTZ PGOPTIONS; do
    export "$name=there"
  done
  unset PG_MAJOR
  export PG_CONFIG=x
  forget_servers
  env | grep '^PG'
)"
# shellcheck disable=SC2016 # expanded there
is 'nor the service asked by way of a proxy' 'proxied.example,127.0.0.1' \
  "$(NO_PROXY=proxied.example no_proxy='' ADDRESS=127.0.0.1 bash -c '. "$0/scripts/lib.sh"; . "$0/examples/service/lib.sh"; echo "$no_proxy"' "$ROOT")"

# ---- the release's zip ---------------------------------------------------------------------------

# dist ARGUMENT...: its exit status, and what it says last
dist() {
  "$ROOT/scripts/dist.sh" "$@" >"$WORKSPACE/dist.log" 2>&1
  echo "$? $(grep -v '^warning: ' "$WORKSPACE/dist.log" | tail -n 1)"
}
if [ "$(git -c safe.directory="$ROOT" -C "$ROOT" rev-parse --show-toplevel 2>/dev/null)" -ef "$ROOT" ]; then
  mkdir "$WORKSPACE/zip1" "$WORKSPACE/zip2"
  version=$(git -c safe.directory="$ROOT" -C "$ROOT" show HEAD:META.json | sed -n 's/^  "version": "\(.*\)",/\1/p')
  zip=learned_index-$version.zip
  is 'make dist: a zip of the version' "0 $WORKSPACE/zip1/$zip" "$(TZ=America/New_York dist "$WORKSPACE/zip1")"
  is 'and again' "0 $WORKSPACE/zip2/$zip" "$(umask 077 && TZ=Asia/Tokyo dist "$WORKSPACE/zip2")"
  is 'the same bytes' 0 "$(cmp "$WORKSPACE/zip1/$zip" "$WORKSPACE/zip2/$zip" >&2; echo $?)"
  # (perl -MArchive::Zip is no part of Perl: names are read where they stand, in the directory at the end.)
  perl -0777 -ne 'while (/PK\x01\x02.{24}(..)(..)(..).{12}/gs) { my $n = unpack "v", $1; print substr($_, pos, $n), "\n" }' \
    "$WORKSPACE/zip1/$zip" >"$WORKSPACE/names"
  is 'everything in it is in one directory' "learned_index-$version" "$(cut -d / -f 1 "$WORKSPACE/names" | sort -u | words)"
  for file in META.json README.md LICENSE CHANGELOG.md Makefile learned_index.control sql/scan.sql expected/scan.out; do
    is "the zip has $file" 1 "$(grep -cx "learned_index-$version/$file" "$WORKSPACE/names")"
  done
  is 'and every script of SQL' "$(git -c safe.directory="$ROOT" -C "$ROOT" ls-tree --name-only HEAD src/sql/ | words)" \
    "$(sed -n 's,^[^/]*/\(src/sql/.*\.sql\)$,\1,p' "$WORKSPACE/names" | LC_ALL=C sort | words)"
  is 'no such commit' '1 error: no such commit: no-such-thing' "$(COMMIT=no-such-thing dist "$WORKSPACE/zip1")"
  is 'no such directory' "1 error: no directory $WORKSPACE/none" "$(dist "$WORKSPACE/none")"
  is 'nothing half is left' "$zip" "$(find "$WORKSPACE/zip1" -mindepth 1 -printf '%f\n' | words)"
fi
mkdir -p "$WORKSPACE/copy/scripts"
cp "$ROOT"/scripts/*.sh "$WORKSPACE/copy/scripts/"
copy_dist() {
  "$WORKSPACE/copy/scripts/dist.sh" "$WORKSPACE/copy" >"$WORKSPACE/dist.log" 2>&1
  echo "$? $(tail -n 1 "$WORKSPACE/dist.log")"
}
is 'not of a clone' "1 error: $WORKSPACE/copy is not a clone of the repository: the zip is made of a commit" "$(copy_dist)"
if command -v git >/dev/null; then
  printf '{\n  "version": "9.0.0",\n}\n' >"$WORKSPACE/copy/META.json"
  echo "default_version = '9.1.0'" >"$WORKSPACE/copy/learned_index.control"
  git -C "$WORKSPACE/copy" init -q && git -C "$WORKSPACE/copy" add . &&
    git -C "$WORKSPACE/copy" -c user.name=test -c user.email=test@example.org commit -q -m test
  is 'not of two versions' '1 error: META.json is of version 9.0.0, learned_index.control of 9.1.0' "$(copy_dist)"
fi

# ---- what a module links to ------------------------------------------------------------------------

# A program for a module: what readelf says, and what the list says of it.
if command -v readelf >/dev/null; then
  program=$(realpath "$(command -v bash)")
  SOURCE_DATE_EPOCH=1000000000 "$ROOT/scripts/sbom.sh" "$program" >"$WORKSPACE/sbom" 2>&1
  is 'a list of libraries' 0 "$?"
  is 'it has those that readelf names' "$(readelf -d "$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p' | sort | words)" \
    "$(sed -n 's/^Relationship: SPDXRef-learned-index DYNAMIC_LINK SPDXRef-//p' "$WORKSPACE/sbom" | sort | words)"
  is 'each of them is a package there' "$(sed -n 's/.* DYNAMIC_LINK //p' "$WORKSPACE/sbom" | sort | words)" \
    "$(sed -n 's/^SPDXID: \(.*\.so.*\)/\1/p' "$WORKSPACE/sbom" | sort | words)"
  is 'it bears the time it was given' 'Created: 2001-09-09T01:46:40Z' "$(grep ^Created: "$WORKSPACE/sbom")"
  is 'and the digest' "$(sha256sum "$program" | cut -d ' ' -f 1)" "$(sed -n 's/^PackageChecksum: SHA256: //p' "$WORKSPACE/sbom")"
  is 'again the same' "$(cat "$WORKSPACE/sbom")" "$(SOURCE_DATE_EPOCH=1000000000 "$ROOT/scripts/sbom.sh" "$program")"
  is 'not of what is no program' "error: $ROOT/README.md is no ELF file" "$("$ROOT/scripts/sbom.sh" "$ROOT/README.md" 2>&1)"
  is 'nor of nothing' 'error: cannot read /nonexistent' "$("$ROOT/scripts/sbom.sh" /nonexistent 2>&1)"
  is 'nor with a build that is none' "error: $WORKSPACE/copy has no *.d files that name headers" \
    "$("$ROOT/scripts/sbom.sh" --build "$WORKSPACE/copy" "$program" 2>&1 >/dev/null)"
fi

# ---- Debian's packages -----------------------------------------------------------------------------

is 'packages are for the versions that are supported' "$SUPPORTED_MAJORS" "$(words <"$ROOT/debian/pgversions")"
is 'their change log has the versions of CHANGELOG.md' "$(sed -nE 's/^## ([0-9][^ ]*) .*/\1-1/p' "$ROOT/CHANGELOG.md" | words)" \
  "$("$ROOT/debian/prepare" --changelog | sed -nE 's/^learned-index \((.*)\) .*/\1/p' | words)"
is 'and the time of the commit, or the one that is given' 'Sun, 09 Sep 2001 01:46:40 +0000' \
  "$(SOURCE_DATE_EPOCH=1000000000 "$ROOT/debian/prepare" --changelog | sed -nE 's/^ -- .*>  //p' | sed 1q)"
if command -v dpkg-parsechangelog >/dev/null; then
  is 'Debian can read it' "$(sed -nE 's/^## ([0-9][^ ]*) .*/\1-1/p' "$ROOT/CHANGELOG.md" | sed 1q)" \
    "$("$ROOT/debian/prepare" --changelog | dpkg-parsechangelog -l- -S Version 2>&1)"
fi
# refuses COMMAND...: its exit status, and what it says
refuses() {
  local said status=0
  said=$("$@" 2>&1) || status=$?
  echo "$status $said"
}
is 'packages: no such server' '1 error: PostgreSQL 14 is not supported; these are: 15 17 18 19' "$(refuses "$ROOT/scripts/package.sh" 18 14)"
if [ "$(id -u)" = 0 ]; then
  is 'packages: not root' '1 error: packages are built and tested in root file systems: root file systems need root' \
    "$(refuses setpriv --reuid=65534 --clear-groups "$WORKSPACE/copy/scripts/package.sh" 18)"
fi
is 'migrate.sh: no client' '1 error: no command no-such-psql: install a PostgreSQL client, or set PSQL' \
  "$(PSQL=no-such-psql refuses "$ROOT/scripts/migrate.sh" learned i)"
is 'migrate.sh: no server' '1 error: the database could not be asked about i' \
  "$(PSQL=false refuses "$ROOT/scripts/migrate.sh" learned i)"
is 'no package of an unknown version' '1 error: debian/pgversions has no PostgreSQL 14' "$(refuses "$ROOT/debian/prepare" 14)"

# ---- what the release and the documents say --------------------------------------------------------

for script in "$ROOT"/test/scripts/*.pl; do
  perl "$script" || BAD=1
done

# What the documents miss is found: each change of a copy, and what is then said to be wrong.
# What it does not change is linked.
mkdir -p "$WORKSPACE/tree/test/scripts"
ln -s "$ROOT"/* "$WORKSPACE/tree/" 2>/dev/null
ln -s "$ROOT"/test/* "$WORKSPACE/tree/test/" 2>/dev/null
cp "$ROOT/test/scripts/docs.pl" "$WORKSPACE/tree/test/scripts/"
# found_by NAME EXPECTED FILE SED-EXPRESSION
found_by() {
  rm -rf "$WORKSPACE"/tree/{src,docs,README.md}
  cp -r "$ROOT/src" "$ROOT/docs" "$ROOT/README.md" "$WORKSPACE/tree/"
  sed -i "$4" "$WORKSPACE/tree/$3"
  is "$1" "$2" "$(perl "$WORKSPACE/tree/test/scripts/docs.pl" | grep -A 1 '^not ok' | sed 's/^#  *//' | words)"
}
# shellcheck disable=SC2016 # code and sed's expressions
document_tests() {
  found_by 'a new message' 'not ok each message is documented index "%s" is odd (src/am/options.cpp)' src/am/options.cpp \
    '$a void f() { ereport(ERROR, (errcode(1), errmsg("index \\"%s\\" " "is odd", name))); }'
  found_by 'a new fault of a page' 'not ok each message is documented page is odd (src/core/page/check.cpp)' src/core/page/check.cpp \
    '$a Fault f() { return "page is odd"; }'
  found_by 'a message that went' 'not ok each message that is documented exists OFFSET must not be negative' src/am/scan/offset_scan.cpp 's/"OFFSET must not be negative"/text/'
  found_by 'a message without advice' 'not ok each has a reason, and what to do OFFSET must not be negative' docs/errors.md \
    's/^\(| `OFFSET must not be negative`[^|]*|[^|]*|\).*/\1  |/'
  found_by 'a new setting' 'not ok each setting is documented learned_index.odd (src/am/options.cpp)' src/am/options.cpp \
    '$a void f() { DefineCustomBoolVariable("learned_index.odd", "Odd.", nullptr, &odd, true, PGC_USERSET, 0, nullptr, nullptr, nullptr); }'
  found_by 'a new option' 'not ok each option of an index is documented odd (src/am/options.cpp)' src/am/options.cpp \
    '$a void f() { add_bool_reloption(kind, "odd", "Odd", true, 0); }'
  found_by 'a new line of EXPLAIN' 'not ok each line of EXPLAIN is documented Odd Pages (src/am/count/counted_leaves.cpp)' src/am/count/counted_leaves.cpp \
    '$a void f() { ExplainPropertyUInteger("Odd Pages", nullptr, 1, es); }'
  found_by 'a setting that went' 'not ok each setting that is documented exists learned_index.read_ahead' src/am/options.cpp 's/"learned_index.read_ahead"/name/'
  found_by 'a new function' 'not ok each function is documented learned_odd (src/sql)' 'src/sql/learned_index--0.1.0.sql' \
    '$a CREATE FUNCTION learned_odd(index regclass) RETURNS void AS $$x$$ LANGUAGE C;'
  found_by 'a new column' 'not ok each parameter and column of a function is documented learned_index_stats: odd' 'src/sql/learned_index--0.1.0.sql' \
    's/OUT height int4,/OUT height int4, OUT odd int4,/'
  found_by 'a new view' 'not ok each view is documented learned_odd (VIEW learned_odd)' 'src/sql/learned_index--0.1.0.sql' '$a CREATE VIEW learned_odd AS SELECT 1;'
  found_by 'a new operator' 'not ok each operator is documented |<> (OPERATOR |<>)' 'src/sql/learned_index--0.1.0.sql' '$a CREATE OPERATOR |<> (LEFTARG = int4);'
  found_by 'a link to nowhere' 'not ok links lead somewhere README.md: docs/reference.md#odd' README.md 's,docs/reference.md#settings,docs/reference.md#odd,'
}
document_tests

exit $BAD
