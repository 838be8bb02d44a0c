#!/usr/bin/env bash
# PostgreSQL 15.18 (libpq 15.18)
#
# A cancel request that reaches the server while a statement of the extended protocol (PQexecParams, every driver's statement with
# parameters) is being started may be lost: the statement goes on to its end or to statement_timeout, though PQcancel() said that
# the request was sent. To the server a statement consists of messages, and a request that no step of Bind notices is
# dropped when the next message, Execute, is read, as if nothing ran. That window is as long as the JIT library takes to be loaded
# (some 0.1 s, once in a session): Bind does that last of all. The same request for the same statement in the simple protocol
# (PQexec) is obeyed, as it is one message. Here it is sent as soon as the library is seen in the server process's memory map; each
# of the protocols is tried in up to eight sessions, until a request is lost. (The manual promises no effect of a request, and names
# the case that the statement has ended.) Seen:
#
#     simple protocol: ERROR:  canceling statement due to user request
#     extended protocol: ERROR:  canceling statement due to statement timeout
# shellcheck source=findings/programs.sh
. "$(dirname "${BASH_SOURCE[0]}")/programs.sh"
for tool in gcc pg_config; do command -v "$tool" >/dev/null || cannot "no $tool"; done
[ -r /proc/self/maps ] || cannot "no /proc"
start_server
[ -e "$("$bin/pg_config" --pkglibdir)/llvmjit.so" ] || cannot "the server has no JIT library"

cat >cancel.c <<'END_OF_PROGRAM'
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int loading(const char *maps) {
  char line[4096];
  int found = 0;
  FILE *file = fopen(maps, "r");
  while (file && !found && fgets(line, sizeof line, file)) found = strstr(line, "llvmjit.so") != NULL;
  if (file) fclose(file);
  return found;
}

int main(int argc, char **argv) {
  const char *const value = "3";
  char maps[64], error[256];
  int cancelled = 0;
  PGconn *connection = PQconnectdb("");
  PGcancel *cancel = PQgetCancel(connection);
  (void)argc;
  PQclear(PQexec(connection, "SET statement_timeout = '4s'; SET jit = on; SET jit_above_cost = 0;"
                             "SET max_parallel_workers_per_gather = 0"));
  snprintf(maps, sizeof maps, "/proc/%d/maps", PQbackendPID(connection));
  if (strcmp(argv[1], "simple") == 0)
    PQsendQuery(connection, "SELECT count(*) FROM generate_series(1, 1000000000) i WHERE i % 7 = 3");
  else
    PQsendQueryParams(connection, "SELECT count(*) FROM generate_series(1, 1000000000) i WHERE i % 7 = $1::int", 1, NULL, &value,
                      NULL, NULL, 0);
  while (PQflush(connection) > 0) {}
  for (long i = 0; i < 1000000 && !loading(maps); i++) {}
  cancelled = PQcancel(cancel, error, sizeof error);
  printf("%s", cancelled ? PQresultErrorMessage(PQgetResult(connection)) : error);
  return 0;
}
END_OF_PROGRAM
gcc -I"$(pg_config --includedir)" cancel.c -o cancel -L"$(pg_config --libdir)" -lpq >gcc.log 2>&1 || cannot "the program could not be built"
# Its reader of the memory map has to be allowed to see the server's.
ask() { as_server env "LD_LIBRARY_PATH=$(pg_config --libdir)" ./cancel "$1"; }
seen=$(for protocol in simple extended; do
  for _ in $(seq 8); do
    answer=$(ask "$protocol")
    [ "$answer" = "ERROR:  canceling statement due to user request" ] || break
  done
  echo "$protocol protocol: $answer"
done)
echo "$seen"
[ "$seen" = "simple protocol: ERROR:  canceling statement due to user request
extended protocol: ERROR:  canceling statement due to statement timeout" ] || changed "which cancel requests are obeyed"
