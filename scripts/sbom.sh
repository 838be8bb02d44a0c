#!/usr/bin/env bash
# Lists, in SPDX 2.3, what a module links to and was compiled with: libraries by readelf, Debian's packages that they and the
# headers came from by dpkg, the compiler by what it left in the file.
#
#   scripts/sbom.sh [--build DIRECTORY] [--pg-config PG_CONFIG] LIBRARY
#     --build DIRECTORY       where it was built: the headers that its *.d files name
#     --pg-config PG_CONFIG   the server that it is for
#   SOURCE_DATE_EPOCH=...     the time it bears, else that of the library
#
# The same library in the same place gives the same list.
set -euo pipefail
export LC_ALL=C

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=
PG_CONFIG=
while [ $# -gt 1 ]; do
  case $1 in
    --build) BUILD=$2 ;;
    --pg-config) PG_CONFIG=$2 ;;
    *) break ;;
  esac
  shift 2
done
[ $# = 1 ] || fail "usage: scripts/sbom.sh [--build DIRECTORY] [--pg-config PG_CONFIG] LIBRARY"
LIBRARY=$1
[ -r "$LIBRARY" ] || fail "cannot read $LIBRARY"
[ -z "$BUILD" ] || [ -d "$BUILD" ] || fail "no directory $BUILD"
for tool in readelf sha256sum; do command -v $tool >/dev/null || fail "no command $tool: install binutils and coreutils"; done
readelf -h "$LIBRARY" >/dev/null 2>&1 || fail "$LIBRARY is no ELF file"

version=$(sed -n "s/^default_version = '\(.*\)'.*/\1/p" "$ROOT/learned_index.control")
digest=$(sha256sum "$LIBRARY" | cut -d ' ' -f 1)
created=$(date -u -d "@${SOURCE_DATE_EPOCH:-$(stat -c %Y "$LIBRARY")}" +%Y-%m-%dT%H:%M:%SZ)
# What the linker was told, and the compilers' own words.
needed=$(readelf -d "$LIBRARY" | sed -n 's/.*(NEEDED).*\[\(.*\)\]$/\1/p')
# (Of a library that was stripped the objects that it was made of tell.)
compilers_of() {
  [ $# = 0 ] || readelf -p .comment "$@" 2>/dev/null | sed -nE 's/^ *\[ *[0-9a-f]+\] +(.+)$/\1/p' | sort -u | paste -s -d ';' | sed 's/;/; /g'
}
compilers=$(compilers_of "$LIBRARY")
if [ -z "$compilers" ] && [ -n "$BUILD" ]; then
  mapfile -t objects < <(find "$BUILD" -name '*.o')
  compilers=$(compilers_of "${objects[@]}")
fi

# package_of FILE...: Debian's packages that have them, each once. (What dpkg has as /lib/... may be /usr/lib/... here.)
packages_of() {
  command -v dpkg-query >/dev/null || return 0
  for file in "$@"; do printf '%s\n' "$file" "${file#/usr}"; done | sort -u |
    { xargs -r dpkg-query -S 2>/dev/null || true; } |
    sed -E '/^diversion /d; s/: .*//; s/, /\n/g' | sed -E 's/:[a-z0-9]+$//' | sort -u
}
package_version() { dpkg-query -W -f '${Version}\n' "$1" 2>/dev/null | sed 1q; }
id_of() { printf 'SPDXRef-%s' "${1//[^A-Za-z0-9.-]/-}"; }

# package NAME VERSION COMMENT RELATIONSHIP
package() {
  printf '\nPackageName: %s\nSPDXID: %s\n' "$1" "$(id_of "$1")"
  [ -z "$2" ] || printf 'PackageVersion: %s\n' "$2"
  printf 'PackageDownloadLocation: NOASSERTION\nFilesAnalyzed: false\n'
  [ -z "$3" ] || printf 'PackageComment: <text>%s</text>\n' "$3"
  printf 'Relationship: %s\n' "$4"
}

cat <<SPDX
SPDXVersion: SPDX-2.3
DataLicense: CC0-1.0
SPDXID: SPDXRef-DOCUMENT
DocumentName: learned_index-$version
DocumentNamespace: urn:learned_index:$version:$digest
Creator: Tool: scripts/sbom.sh-$version
Created: $created

PackageName: learned_index
SPDXID: SPDXRef-learned-index
PackageVersion: $version
PackageFileName: ${LIBRARY##*/}
PackageChecksum: SHA256: $digest
PackageDownloadLocation: NOASSERTION
FilesAnalyzed: false
PackageLicenseDeclared: PostgreSQL
PackageComment: <text>Compiled by ${compilers:-a compiler that left no name}</text>
Relationship: SPDXRef-DOCUMENT DESCRIBES SPDXRef-learned-index
SPDX

for name in $needed; do
  path=$(ldd "$LIBRARY" 2>/dev/null | awk -v name="$name" '$1 == name && $2 == "=>" { print $3 }')
  # (Where ldd finds none, of another architecture, say, the name is all there is.)
  from=
  [ -z "$path" ] || from=$(packages_of "$path" "$(realpath "$path")" | sed 1q)
  package "$name" "${from:+$(package_version "$from")}" "${from:+Debian package $from}" \
    "SPDXRef-learned-index DYNAMIC_LINK $(id_of "$name")"
done
if [ -n "$PG_CONFIG" ]; then
  server=$("$PG_CONFIG" --version) || fail "$PG_CONFIG does not say its version"
  package postgresql "${server#PostgreSQL }" "the server that loads it, whose functions it calls" \
    "SPDXRef-learned-index DEPENDS_ON SPDXRef-postgresql"
fi
if [ -n "$BUILD" ]; then
  # Headers of neither this source tree nor the build.
  mapfile -t headers < <(find "$BUILD" -name '*.d' -exec cat {} + | sed -E 's/[ \\]+/\n/g' | sed -n 's,^\(/.*[^:]\):*$,\1,p' | sort -u |
    xargs -r realpath -s | grep -v "^$ROOT/" | sort -u)
  [ ${#headers[@]} != 0 ] || fail "$BUILD has no *.d files that name headers"
  for from in $(packages_of "${headers[@]}"); do
    package "$from" "$(package_version "$from")" "headers that it was compiled with" \
      "$(id_of "$from") BUILD_DEPENDENCY_OF SPDXRef-learned-index"
  done
  printf '\nAnnotator: Tool: scripts/sbom.sh-%s\nAnnotationDate: %s\nAnnotationType: OTHER\n' "$version" "$created"
  printf 'SPDXREF: SPDXRef-learned-index\nAnnotationComment: <text>%d headers from outside, of Boost: %d</text>\n' \
    "${#headers[@]}" "$(printf '%s\n' "${headers[@]}" | sed -n '\,/boost/,p' | wc -l)"
fi
