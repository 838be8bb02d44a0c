#!/usr/bin/env bash
# SQLAlchemy 2.0.52 (psycopg 3.3.5, PostgreSQL 18.6)
#
# A table that is reflected (MetaData.reflect, autoload_with) has lost its exclusion constraints: neither the constraint nor
# its index is in the Table, and no warning is given. The inspector lists the index among get_indexes(), so that it was
# known. A schema copied by reflect() and create_all() lets in what the original refuses. Seen:
#
#     inspector: ['room_during_excl']
#     reflected: indexes [] constraints ['PrimaryKeyConstraint']
#     the copy accepts overlapping rows
set -u

cannot() {
  echo "cannot run: $*"
  exit 77
}
changed() {
  echo "changed: $*"
  exit 1
}
bin=$(for directory in "$(pg_config --bindir 2>/dev/null)" /usr/lib/postgresql/*/bin; do
  [ ! -x "$directory/initdb" ] || echo "$directory"
done | tail -n 1)
[ -n "$bin" ] || cannot "no PostgreSQL server"
as_server() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }

work=$(mktemp -d)
trap 'as_server "$bin/pg_ctl" -D "$work/server/data" -m immediate stop >/dev/null 2>&1; cd /; rm -rf "$work"' EXIT
chmod 755 "$work"
mkdir "$work/server" "$work/program"
[ "$(id -u)" != 0 ] || chown postgres "$work/server"
cd "$work/program" || exit 1
# Debian's package, if it has the version; otherwise pip's.
version() { python3 -c 'import sqlalchemy; print(sqlalchemy.__version__)' 2>/dev/null; }
if [ "$(version)" != 2.0.52 ]; then
  python3 -m pip install -q --target "$work/python" "sqlalchemy==2.0.52" "psycopg[binary]==3.3.5" >pip.log 2>&1 ||
    cannot "neither python3-sqlalchemy 2.0.52 nor pip's package"
  export PYTHONPATH=$work/python
fi
python3 -c 'import psycopg' 2>/dev/null || cannot "no python3-psycopg"
as_server "$bin/initdb" -D "$work/server/data" -U postgres -A trust >/dev/null 2>&1 || cannot "initdb failed"
as_server "$bin/pg_ctl" -D "$work/server/data" -w -l "$work/server/log" \
  -o "-c listen_addresses='' -c unix_socket_directories='$work/server'" start >/dev/null || cannot "the server does not start"
export PGHOST=$work/server PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
sql() { psql -XqAt -v ON_ERROR_STOP=1 -c "$1"; }

sql "CREATE TABLE room (id int PRIMARY KEY, during int4range, EXCLUDE USING gist (during WITH &&))"
cat >reflect.py <<'END'
import os
import sys
import warnings

import sqlalchemy as sa

warnings.simplefilter("error", sa.exc.SAWarning)
engine = sa.create_engine("postgresql+psycopg://postgres@/postgres?host=%s" % os.environ["PGHOST"])
metadata = sa.MetaData()
metadata.reflect(engine)
room = metadata.tables["room"]
listed = [index["name"] for index in sa.inspect(engine).get_indexes("room")]
print("inspector:", listed)
print("reflected: indexes", list(room.indexes), "constraints", [type(c).__name__ for c in room.constraints])
metadata.drop_all(engine)
metadata.create_all(engine)
sys.exit(0 if listed == ["room_during_excl"] and not room.indexes and len(room.constraints) == 1 else 1)
END
python3 reflect.py || changed "the table is reflected otherwise"
sql "INSERT INTO room VALUES (1, '[1,5)'), (2, '[2,6)')" || changed "the copy refuses overlapping rows"
echo "the copy accepts overlapping rows"
