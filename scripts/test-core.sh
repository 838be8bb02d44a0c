#!/usr/bin/env bash
# Runs PostgreSQL's own tests, of the server's version, on learned indexes: what their statements would
# make btree indexes becomes learned ones (test/core/use_learned.c), and every result must be the same as on btrees
# (test/core/compare.pl says what may differ).
#
#   scripts/test-core.sh [PART...]   all parts by default:
#     loaded      the regression tests as they are, the extension loaded: nothing changes, no plan either
#     learned     the regression tests, their indexes learned
#     seqscan     the same without sequential scans, and with a learned index beside each unique one
#     isolation   the isolation tests, with a learned index beside each unique one, hash indexes learned, too
#     unique      from PostgreSQL 18 on: both kinds of tests, unique indexes and constraints learned
#   PG_CONFIG, PG_MAJOR   the server, as for scripts/test.sh
#   LEARNED_CACHE=...     where PostgreSQL's source is kept (~/.cache/learned_index)
#   POSTGRES_SOURCE=...   take it from this directory instead of Debian's source package
#
# Where the source of the server's very version cannot be had, that of the nearest minor version is taken: both sides
# of the comparison run the same tests. Ends with the line "N passed, N failed, N skipped"; without any source all of
# it is one that is skipped, and a line says why.
# shellcheck disable=SC2030,SC2031 # each server has a workspace of its own, in a subshell
set -uo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=scripts/source.sh
. "$(dirname "${BASH_SOURCE[0]}")/source.sh"

PARTS=${*:-loaded learned seqscan isolation unique}
PASSED=0
FAILED=0

# What README promises; on the others learned indexes are made where they can be.
REGRESS_MUST_USE="create_index btree_index index_including select join aggregates limit portals union generated
  generated_stored rowtypes incremental_sort partition_join partition_prune partition_info indexing select_parallel
  cluster"
UNIQUE_MUST_USE="$REGRESS_MUST_USE update equivclass"
ISOLATION_MUST_USE="predicate-hash predicate-lock-hot-tuple index-only-scan read-write-unique read-write-unique-2
  read-write-unique-3 read-write-unique-4 insert-conflict-do-nothing insert-conflict-do-update insert-conflict-do-update-3
  insert-conflict-do-update-4 multiple-cic reindex-concurrently vacuum-no-cleanup-lock serializable-parallel-2"

# The same for indexes on several columns, included ones counted.
REGRESS_SEVERAL="create_index index_including join rowtypes inherit subselect aggregates select_parallel limit cluster
  indexing"
UNIQUE_SEVERAL="$REGRESS_SEVERAL constraints functional_deps"
ISOLATION_SEVERAL=read-write-unique-4

# Tables whose columns change to a type that learned does not have.
EXCEPT=use_learned.except=comment_test,atref
# And those whose unique index becomes a constraint's, which the server grants a btree only.
EXCEPT_UNIQUE=$EXCEPT,cwi_test,concur_reindex_tab,cnn_pk,cnn_uq,testpub_addpk,ataddindex

# ---- servers -------------------------------------------------------------------------------------

# The modules that the tests load, and ours; as shared libraries in $WORKSPACE/lib.
build_modules() {
  local include source
  include=$("$PG_CONFIG" --includedir-server)
  mkdir "$WORKSPACE/lib"
  for source in "$SOURCE"/src/test/regress/regress.c "$SOURCE"/contrib/spi/{refint,autoinc}.c; do
    # (REFINT_VERBOSE: as its own makefile has it.)
    gcc -O2 -w -fPIC -shared -DREFINT_VERBOSE -I"$include" -I"$("$PG_CONFIG" --includedir)" "$source" \
      -o "$WORKSPACE/lib/$(basename "$source" .c).so" || return 1
  done
  gcc -O2 -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare -fPIC -shared -isystem "$include" \
    "$ROOT/test/core/use_learned.c" -o "$WORKSPACE/lib/use_learned.so"
}

# run NAME KIND EXTENSION [SETTING...]: all tests of one KIND, regress or isolation, on a server of its own. Whether
# they match the expected output does not matter here.
run() {
  local name=$1 kind=$2 extension=$3 program=pg_regress schedule=parallel_schedule
  shift 3
  [ "$kind" = regress ] || { program=pg_isolation_regress && schedule=isolation_schedule; }
  (
    CLEANUPS=()
    trap run_cleanups EXIT
    trap 'exit 143' TERM
    WORKSPACE=$WORKSPACE/$name
    mkdir -p "$WORKSPACE/out"
    [ "$(id -u)" != 0 ] || chown -R "$SERVER_USER" "$WORKSPACE"
    cd "$WORKSPACE" || exit 1
    # (jit: what sequential scans cost when they are off is enough to compile every query.)
    start_server max_prepared_transactions=2 jit=off log_line_prefix='%a ' "$@"
    # shellcheck disable=SC2086 # perhaps none
    as_server_user "$PGXS_TEST/$kind/$program" --inputdir="$SUITES/$kind" --outputdir="$WORKSPACE/out" \
      --dlpath="$LIBRARIES" --bindir="$BINDIR" --host="$PGHOST" --port="$PGPORT" --user=postgres \
      --schedule="$SUITES/$kind/$schedule" ${extension:+--load-extension=$extension} >"$WORKSPACE/regress.log" 2>&1
    echo >"$WORKSPACE/done"
  ) >"$WORKSPACE/$name.log" 2>&1
}

wait_for() {
  local name
  wait
  for name in "$@"; do
    [ -e "$WORKSPACE/$name.log" ] || continue # not wanted
    [ -e "$WORKSPACE/$name/done" ] || { tail -n 30 "$WORKSPACE/$name.log" | sed 's/^/    /'; }
    crashes "$name"
  done
}

# A server that died is a failure, whatever the tests say.
crashes() {
  if grep -hE 'PANIC|TRAP|terminated by signal' "$WORKSPACE/$1/server.log" >"$WORKSPACE/crash.log"; then
    head -n 5 "$WORKSPACE/crash.log" | sed 's/^/    /'
    echo "not ok $1: the server crashed"
    FAILED=$((FAILED + 1))
  fi
}

# ---- comparisons ---------------------------------------------------------------------------------

# names SCHEDULE: the tests in it, in order; not those whose outcome is random
names() { awk '$1 == "test:" { for (i = 2; i <= NF; i++) print $i } $1 == "ignore:" { no[$2] = 1 }' "$1"; }

# compare PART KIND BTREE LEARNED OPTION...
compare() {
  local part=$1 kind=$2 btree=$3 learned=$4 log=$WORKSPACE/$1.compared directory=sql schedule=parallel_schedule
  local extension=sql tests passed failed
  shift 4
  [ "$kind" = regress ] || { directory=specs && extension=spec && schedule=isolation_schedule; }
  tests=$(names "$SUITES/$kind/$schedule" | grep -vxE "$UNSTABLE")
  # shellcheck disable=SC2086 # a list of words
  perl "$ROOT/test/core/compare.pl" "$@" "$SUITES/$kind/$directory" "$extension" "$WORKSPACE/$btree/out/results" \
    "$WORKSPACE/$learned/out/results" $tests >"$log" 2>&1
  sed -E "s/^(not )?ok /&$part\\//; s/^# /== $part: /" "$log"
  passed=$(grep -c '^ok ' "$log")
  failed=$(grep -c '^not ok ' "$log")
  # Nothing compared is not nothing found.
  [ $((passed + failed)) = "$(wc -w <<<"$tests")" ] && [ "$passed" -gt 50 ] || failed=$((failed + 1))
  PASSED=$((PASSED + passed))
  FAILED=$((FAILED + failed))
  say "$part: $passed passed, $failed failed ($SECONDS s)"
}

must_use() { printf -- '--must-use=%s ' "$@"; }
several() { printf -- '--several=%s ' "$@"; }

# Their outcome depends on chance, or on when autovacuum comes by.
UNSTABLE='random'

wants() { case " $PARTS " in *" $1 "*) ;; *) return 1 ;; esac; }

# Two servers at a time, for two processors; the servers mostly wait for each other's locks and for psql.
run_all() {
  local preload=shared_preload_libraries=$LIBRARIES/use_learned.so
  if wants loaded || wants learned; then
    run plain regress "" &
    if wants learned; then run learned regress learned_index "$preload" "$EXCEPT" & fi
    wait_for plain learned
  fi
  if wants loaded; then
    run loaded regress learned_index shared_preload_libraries=learned_index &
    wait_for loaded
    compare loaded regress plain loaded --strict
  fi
  # shellcheck disable=SC2046,SC2086 # lists of words
  if wants learned; then
    compare learned regress plain learned --usage="$WORKSPACE/learned/server.log" $(must_use $REGRESS_MUST_USE) \
      $(several $REGRESS_SEVERAL)
  fi
  # shellcheck disable=SC2046,SC2086
  if wants seqscan; then
    set -- "$preload" "$EXCEPT" use_learned.beside=on enable_seqscan=off
    run seqscan_btree regress learned_index "$@" use_learned.instead=btree &
    run seqscan regress learned_index "$@" &
    wait_for seqscan_btree seqscan
    compare seqscan regress seqscan_btree seqscan --usage="$WORKSPACE/seqscan/server.log" $(must_use $UNIQUE_MUST_USE) \
      $(several $UNIQUE_SEVERAL)
  fi
  # shellcheck disable=SC2046,SC2086
  if wants isolation; then
    set -- "$preload" "$EXCEPT" use_learned.beside=on use_learned.hash=on
    run isolation_btree isolation learned_index "$@" use_learned.instead=btree &
    run isolation isolation learned_index "$@" &
    wait_for isolation_btree isolation
    compare isolation isolation isolation_btree isolation --usage="$WORKSPACE/isolation/server.log" \
      $(must_use $ISOLATION_MUST_USE) $(several $ISOLATION_SEVERAL)
  fi
  # SQL has no words for a constraint on a learned index; the server makes and uses one all the same.
  # shellcheck disable=SC2046,SC2086
  if wants unique && [ "$SERVER_MAJOR" -ge 18 ]; then
    set -- "$preload" "$EXCEPT_UNIQUE" use_learned.unique=on
    [ -e "$WORKSPACE/plain" ] || run plain regress "" &
    run unique regress learned_index "$@" &
    wait_for plain unique
    compare unique regress plain unique --usage="$WORKSPACE/unique/server.log" $(must_use $UNIQUE_MUST_USE) \
      $(several $UNIQUE_SEVERAL)
    run unique_btree isolation "" &
    run unique_isolation isolation learned_index "$@" &
    wait_for unique_btree unique_isolation
    compare unique_isolation isolation unique_btree unique_isolation --usage="$WORKSPACE/unique_isolation/server.log"
  fi
}

for part in $PARTS; do
  case $part in loaded | learned | seqscan | isolation | unique) ;; *) fail "no such part: $part" ;; esac
done
make_workspace
find_server
PGXS_TEST=$("$PG_CONFIG" --pgxs)
PGXS_TEST=${PGXS_TEST%/makefiles/pgxs.mk}/test
if ! find_source src/test/regress/parallel_schedule; then
  echo "skipped: PostgreSQL's own tests cannot be had: $REASON"
  totals 0 0 1
  exit
fi
install_extension
SUITES=$WORKSPACE/suites
LIBRARIES=$WORKSPACE/lib
mkdir "$SUITES"
cp -r "$SOURCE/src/test/regress" "$SOURCE/src/test/isolation" "$SUITES/"
build_modules || fail "the modules of PostgreSQL's tests do not compile"
chmod -R a+rX "$SUITES" "$LIBRARIES"
run_all
totals "$PASSED" "$FAILED" 0
