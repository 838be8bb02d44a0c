#!/usr/bin/env bash
# Makes the release zip for PGXN, learned_index-<version>.zip, of what is committed: the same commit gives the same bytes.
#
#   make dist                          scripts/dist.sh, into the clone's directory
#   scripts/dist.sh [DIRECTORY]        into that directory
#   COMMIT=...                         of another commit than HEAD
#
# Needs git and a clone. The version is that of META.json in the commit, which the control file must have, too.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

target=${1:-$ROOT}
commit=${COMMIT:-HEAD}
command -v git >/dev/null || fail "no command git: the zip is made of a commit"
# (A clone of somebody else, as for who builds with sudo, is one all the same.)
repository() { git -c safe.directory="$ROOT" -C "$ROOT" "$@"; }
[ "$(repository rev-parse --show-toplevel 2>/dev/null)" -ef "$ROOT" ] ||
  fail "$ROOT is not a clone of the repository: the zip is made of a commit"
repository rev-parse --quiet --verify "$commit^{commit}" >/dev/null || fail "no such commit: $commit"
[ -d "$target/" ] || fail "no directory $target"
[ -w "$target" ] || fail "cannot write in $target"

# of_commit FILE EXPRESSION: what sed finds there first
of_commit() { repository show "$commit:$1" | sed -nE "$2" | sed 1q; }
version=$(of_commit META.json 's/^  "version": "([^"]+)",?$/\1/p')
control=$(of_commit learned_index.control "s/^default_version = '([^']+)'.*/\1/p")
[ -n "$version" ] || fail "META.json has no version"
[ "$version" = "$control" ] || fail "META.json is of version $version, learned_index.control of $control"
if [ "$commit" = HEAD ] && [ -n "$(repository status --porcelain)" ]; then
  printf 'warning: changes that are not committed are not in the zip\n' >&2
fi

name=learned_index-$version
# Under another name first: a zip of that name is a complete one. Its times are those of the commit, in UTC.
trap 'rm -f "$target/$name.zip.new"; run_cleanups' EXIT
TZ=UTC repository -c core.autocrlf=false archive --format=zip -9 --prefix="$name/" \
  --output="$target/$name.zip.new" "$commit"
mv "$target/$name.zip.new" "$target/$name.zip"
echo "$target/$name.zip"
