#!/usr/bin/env bash
# pgloader 3.6.9 (Debian 12; SQLite's library 3.40.1, PostgreSQL 15.18)
#
# Of an index in SQLite pgloader brings over table, columns and UNIQUE, without a word of what else there was. An index that is unique for some of the
# rows, WHERE NOT deleted, thus is unique for all: the report has no error if no two of the rows that are there have one key, and what
# SQLite takes the next day PostgreSQL refuses. (If two have, this index is not made, and the row in the report has an error; pgloader ends with
# status 0 in either case.) DESC is lost as well, and the primary key of a table WITHOUT ROWID is a unique index, its columns may be NULL. Seen:
#
#     SQLite: one more row
#     pgloader: status 0, "Create Indexes" has 0 errors
#     CREATE UNIQUE INDEX users_email ON users (email)
#     CREATE INDEX users_newest ON users (born, id)
#     PostgreSQL: duplicate key value violates unique constraint
#     with that row from the start: status 0, "Create Indexes" has 1 errors
# shellcheck source=findings/programs.sh
. "$(dirname "${BASH_SOURCE[0]}")/programs.sh"
for tool in apt-get dpkg; do command -v "$tool" >/dev/null || cannot "no $tool"; done
python3 -c 'import sqlite3' 2>/dev/null || cannot "no sqlite3 for Python"
apt-get download pgloader=3.6.9-1 libsybdb5=1.3.17+ds-2 >apt.log 2>&1 || cannot "no pgloader 3.6.9-1 (Debian 12)"
for package in *.deb; do dpkg -x "$package" root || cannot "$package could not be unpacked"; done
libraries=$(dirname "$(echo "$work"/program/root/usr/lib/*/libsybdb.so.5)")
start_server

sqlite() { python3 -c 'import sqlite3, sys; sqlite3.connect("users.db").executescript(sys.argv[1])' "$1"; }
row="INSERT INTO users VALUES (3, 'ann@example.com', 2001, 1)"
load() { # prints status and errors of "Create Indexes"
  HOME=$work LD_LIBRARY_PATH=$libraries root/usr/bin/pgloader --root-dir "$work/pgloader" users.db "postgresql://postgres@unix:$work/server:5432/postgres" >pgloader.log 2>&1
  echo "status $?, \"Create Indexes\" has $(awk '/^ *Create Indexes/ { print $3 }' pgloader.log) errors"
}
sqlite "CREATE TABLE users (id integer PRIMARY KEY, email text, born integer, deleted integer);
CREATE UNIQUE INDEX users_email ON users (email) WHERE NOT deleted;
CREATE INDEX users_newest ON users (born DESC, id);
INSERT INTO users VALUES (1, 'ann@example.com', 2001, 0), (2, 'bob@example.com', 2002, 1)" || cannot "no SQLite database"
loaded=$(load)
seen="SQLite: $(sqlite "$row" && echo "one more row")
pgloader: $loaded
$(sql "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'users'::regclass AND NOT indisprimary ORDER BY 1 DESC" |
  sed -E 's/idx_[0-9]+_//; s/public\.//; s/ USING btree//')
PostgreSQL: $(sql "$row" 2>&1 | sed -n 's/^ERROR:  //; s/ ".*//; 1p')"
sql "DROP TABLE users"
seen+="
with that row from the start: $(load)"
echo "$seen"
[ "$seen" = 'SQLite: one more row
pgloader: status 0, "Create Indexes" has 0 errors
CREATE UNIQUE INDEX users_email ON users (email)
CREATE INDEX users_newest ON users (born, id)
PostgreSQL: duplicate key value violates unique constraint
with that row from the start: status 0, "Create Indexes" has 1 errors' ] || { cat pgloader.log; changed "what becomes of the indexes"; }
