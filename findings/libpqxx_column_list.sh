#!/usr/bin/env bash
# libpqxx 6.4.5 (Debian 12; PostgreSQL 15.18)
#
# Whether pqxx::stream_from with a list of columns can read a table depends on what lay in memory before: its constructor leaves
# the flag "take the last line once more" as it finds it, and if that is set, the first row is read from a line that is still empty.
# On a stack, that is as good as chance, and always the same for a program that does the same. The constructor without columns
# sets the flag. Shown with storage of zeros and of ones, in which the same object is made. The headers of 6.4.5 say that they are
# 6.4.4. Seen:
#
#     PQXX_VERSION of 6.4.5: 6.4.4
#     zeros, all columns: 1|2 3|4
#     zeros, columns a and b: 1|2 3|4
#     ones, all columns: 1|2 3|4
#     ones, columns a and b: Too few fields to extract from stream_from line.
# shellcheck source=findings/programs.sh
. "$(dirname "${BASH_SOURCE[0]}")/programs.sh"
for tool in g++ apt-get dpkg; do command -v "$tool" >/dev/null || cannot "no $tool"; done
apt-get download libpqxx-dev=6.4.5-2 libpqxx-6.4=6.4.5-2 >apt.log 2>&1 || cannot "no libpqxx 6.4.5-2 (Debian 12)"
for package in *.deb; do dpkg -x "$package" pqxx || cannot "$package could not be unpacked"; done
start_server

cat >stream.cxx <<'END_OF_PROGRAM'
#include <pqxx/pqxx>

#include <cstring>
#include <iostream>
#include <new>
#include <string>
#include <tuple>
#include <vector>

alignas(pqxx::stream_from) static unsigned char storage[sizeof(pqxx::stream_from)];

static void read(pqxx::stream_from *stream) {
  std::tuple<int, int> row;
  try {
    while (*stream >> row) std::cout << ' ' << std::get<0>(row) << '|' << std::get<1>(row);
  } catch (const std::exception &error) {
    std::cout << ' ' << error.what();
  }
  std::cout << '\n';
  stream->~stream_from();
}

int main() {
  const std::vector<std::string> columns{"a", "b"};
  std::cout << "PQXX_VERSION of 6.4.5: " << PQXX_VERSION << '\n';
  for (const bool ones : {false, true})
    for (const bool list : {false, true}) {
      pqxx::connection connection("");
      pqxx::work work(connection);
      std::memset(storage, ones ? 1 : 0, sizeof storage);
      std::cout << (ones ? "ones, " : "zeros, ") << (list ? "columns a and b:" : "all columns:");
      read(list ? new (storage) pqxx::stream_from(work, "t", columns) : new (storage) pqxx::stream_from(work, "t"));
    }
}
END_OF_PROGRAM
libraries=$(dirname "$(echo pqxx/usr/lib/*/libpqxx.so)")
g++ -std=c++17 -O1 -fno-lifetime-dse -w -isystem pqxx/usr/include stream.cxx -o stream -L"$libraries" -lpqxx >g++.log 2>&1 || cannot "the program could not be built"
sql "CREATE TABLE t (a int, b int); INSERT INTO t VALUES (1, 2), (3, 4)" || cannot "no table"
seen=$(LD_LIBRARY_PATH=$libraries ./stream 2>&1)
echo "$seen"
[ "$seen" = "PQXX_VERSION of 6.4.5: 6.4.4
zeros, all columns: 1|2 3|4
zeros, columns a and b: 1|2 3|4
ones, all columns: 1|2 3|4
ones, columns a and b: Too few fields to extract from stream_from line." ] || changed "what a list of columns does"
