# shellcheck shell=bash
# shellcheck disable=SC2034 # much is set here for those who source this
# PostgreSQL's source, from Debian's source package; sourced behind lib.sh, never run.
#
#   find_source FILE    sets SOURCE to a source tree that has FILE, and SOURCE_VERSION: the version of the server
#                       (SERVER_VERSION) or, where that cannot be had, the nearest minor version that can; false with
#                       a REASON if there is none
#
# POSTGRES_SOURCE=...   take it from this directory instead
#
# Trees are kept in $CACHE as source-<version>; postgresql-<version>, of earlier days, has only some of the files.

SOURCE=
SOURCE_VERSION=

# minor_of VERSION: a number that orders the versions of one major version; 19beta2 < 19rc1 < 19.0
minor_of() {
  case $1 in
    *alpha*) echo $((${1##*alpha} - 300)) ;;
    *beta*) echo $((${1##*beta} - 200)) ;;
    *rc*) echo $((${1##*rc} - 100)) ;;
    *.*) echo "${1#*.}" ;;
    *) echo 0 ;;
  esac
}

# nearest VERSION: of the versions on the standard input those of the same major version, the nearest one first; of
# two at the same distance the newer one
nearest() {
  local own version minor distance
  own=$(minor_of "$1")
  while read -r version; do
    [ "$(major_of "$version")" = "$(major_of "$1")" ] || continue
    minor=$(minor_of "$version")
    distance=$((minor - own))
    echo "${distance#-} $((-minor)) $version"
  done | sort -k 1,1n -k 2,2n -u | cut -d ' ' -f 3
}

# This machine's sources of packages as sources of source packages, in a directory of their own: the machine's apt is
# left as it is.
write_apt_sources() {
  local file
  mkdir -p "$1/sources" "$1/lists/partial" "$1/archives/partial"
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ ! -e "$file" ] || sed -nE 's/^[[:space:]]*deb[[:space:]]/deb-src /p' "$file" >"$1/sources/$(basename "$file" .list).list"
  done
  for file in /etc/apt/sources.list.d/*.sources; do
    [ ! -e "$file" ] || sed -E 's/^Types:.*/Types: deb-src/' "$file" >"$1/sources/$(basename "$file")"
  done
}

private_apt() {
  local program=$1 apt=$2
  shift 2
  "$program" -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$apt/sources" \
    -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt" -o Dir::Cache::Archives="$apt/archives" \
    -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 "$@"
}

# What apt knows of the server's source package, a line for each: PostgreSQL's version, Debian's version. Debian writes
# 19~rc1 for 19rc1.
known_to_apt() {
  private_apt apt-cache "$1" showsrc --only-source "postgresql-$SERVER_MAJOR" 2>/dev/null |
    sed -nE 's/^Version: (([^-]*)-.*|[^-]*)$/\2 \1/p' | sed -E 's/^([^ ]*)~/\1/' | sort -u
}

# download_source APT VERSION DIRECTORY: the upstream tarball, checked by apt against its lists
download_source() {
  local debian
  debian=$(known_to_apt "$1" | awk -v version="$2" '$1 == version { print $2 }' | sort -V | tail -n 1)
  [ -n "$debian" ] && mkdir -p "$3" &&
    (cd "$3" && private_apt apt-get "$1" source --download-only --tar-only "postgresql-$SERVER_MAJOR=$debian")
}

# unpack_source DIRECTORY TREE: all but the documentation
unpack_source() {
  local tarball
  tarball=$(find "$1" -name '*.orig.tar.*' ! -name '*.asc' | head -n 1)
  case $tarball in
    *.bz2) offer_packages bzip2 ;;
    *.xz) offer_packages xz-utils ;;
  esac || return 1
  rm -rf "$2.new" && mkdir -p "$2.new" &&
    tar -C "$2.new" --strip-components=1 --no-same-owner --exclude='*/doc/src' --exclude='*/po/*.po' -xf "$tarball" &&
    mv "$2.new" "$2"
}

# cached_source VERSION FILE
cached_source() {
  local tree
  for tree in "$CACHE/source-$1" "$CACHE/postgresql-$1"; do
    if [ -e "$tree/$2" ]; then
      SOURCE=$tree
      SOURCE_VERSION=$1
      return 0
    fi
  done
  return 1
}

find_source() {
  local lock found
  if [ -n "${POSTGRES_SOURCE:-}" ]; then
    [ -e "$POSTGRES_SOURCE/$1" ] || fail "no $1 in $POSTGRES_SOURCE"
    SOURCE=$POSTGRES_SOURCE
    SOURCE_VERSION=$SERVER_VERSION
    return 0
  fi
  if ! mkdir -p "$CACHE" 2>/dev/null || [ ! -w "$CACHE" ]; then
    REASON="$CACHE cannot be written"
    return 1
  fi
  # One run fetches, the others wait for it.
  exec {lock}>"$CACHE/source.lock"
  flock "$lock"
  find_nearest_source "$1"
  found=$?
  exec {lock}>&-
  [ $found = 0 ] || return 1
  [ "$SOURCE_VERSION" = "$SERVER_VERSION" ] ||
    say "the source of PostgreSQL $SERVER_VERSION cannot be had, taking the nearest version, $SOURCE_VERSION"
}

find_nearest_source() {
  local apt=$WORKSPACE/apt log=$WORKSPACE/apt.log version tries=0 tried=
  cached_source "$SERVER_VERSION" "$1" && return 0
  if command -v apt-get >/dev/null; then
    say "fetching the source of PostgreSQL $SERVER_VERSION"
    write_apt_sources "$apt"
    private_apt apt-get "$apt" update >"$log" 2>&1
  fi
  for version in $({ known_to_apt "$apt" | cut -d ' ' -f 1 && cached_versions; } 2>/dev/null | nearest "$SERVER_VERSION"); do
    cached_source "$version" "$1" && return 0
    [ $((tries += 1)) -le 5 ] || break
    if download_source "$apt" "$version" "$WORKSPACE/download-$version" >>"$log" 2>&1 &&
      unpack_source "$WORKSPACE/download-$version" "$CACHE/source-$version" >>"$log" 2>&1; then
      rm -rf "$WORKSPACE/download-$version"
      cached_source "$version" "$1" && return 0
    fi
    tried+=" $version"
  done
  tail -n 5 "$log" 2>/dev/null | sed 's/^/    /'
  REASON="no source package of postgresql-$SERVER_MAJOR is known to apt"
  [ -z "$tried" ] || REASON="the source package of postgresql-$SERVER_MAJOR could not be downloaded; tried$tried"
  return 1
}

cached_versions() { find "$CACHE" -maxdepth 1 \( -name 'source-*' -o -name 'postgresql-*' \) ! -name '*.new' | sed 's/.*-//'; }
