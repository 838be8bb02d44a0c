#!/usr/bin/env bash
# Alembic 1.18.4 (SQLAlchemy 2.0.52, psycopg 3.3.5, PostgreSQL 18.6)
#
# `alembic check`, and so `revision --autogenerate`, compares columns and expressions of an index with those in the
# database, and nothing else: a change of the access method, of WITH, the operator class, INCLUDE or WHERE is no change.
# Nor is another cast in an expression (casts are taken away on both sides before they are compared), though it makes
# the index useless to the queries that the model then writes. Seen for each of the six:
#
#     No new upgrade operations detected.
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
version() { python3 -c 'import alembic; print(alembic.__version__)' 2>/dev/null; }
if [ "$(version)" != 1.18.4 ]; then
  python3 -m pip install -q --target "$work/python" "alembic==1.18.4" "sqlalchemy==2.0.52" "psycopg[binary]==3.3.5" >pip.log 2>&1 ||
    cannot "neither python3-alembic 1.18.4 nor pip's package"
  export PYTHONPATH=$work/python
fi
python3 -c 'import psycopg' 2>/dev/null || cannot "no python3-psycopg"
as_server "$bin/initdb" -D "$work/server/data" -U postgres -A trust >/dev/null 2>&1 || cannot "initdb failed"
as_server "$bin/pg_ctl" -D "$work/server/data" -w -l "$work/server/log" \
  -o "-c listen_addresses='' -c unix_socket_directories='$work/server'" start >/dev/null || cannot "the server does not start"
export PGHOST=$work/server PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
sql() { psql -XqAt -v ON_ERROR_STOP=1 -c "$1"; }

mkdir versions
printf '[alembic]\nscript_location = .\n' >alembic.ini
cat >env.py <<'END'
import os

import sqlalchemy as sa
from alembic import context

change = os.environ.get("CHANGE")
metadata = sa.MetaData()
t = sa.Table("t", metadata, *(sa.Column(name, sa.BigInteger) for name in "abc"), sa.Column("d", sa.Numeric), sa.Column("e", sa.Text))
sa.Index("t_method", t.c.a, postgresql_using="hash" if change == "method" else "btree")
sa.Index("t_with", t.c.a, postgresql_with={"fillfactor": 50 if change == "with" else 90})
sa.Index("t_class", t.c.e, postgresql_ops={"e": "text_pattern_ops"} if change == "class" else {})
sa.Index("t_include", t.c.a, postgresql_include=["b"] if change == "include" else [])
sa.Index("t_where", t.c.a, postgresql_where=t.c.b > (9 if change == "where" else 0))
sa.Index("t_cast", sa.cast(t.c.d, sa.Integer if change == "cast" else sa.BigInteger))
sa.Index("t_column", t.c.b if change == "column" else t.c.a)
engine = sa.create_engine("postgresql+psycopg://postgres@/postgres?host=%s" % os.environ["PGHOST"])
with engine.connect() as connection:
    if change is None:
        metadata.create_all(connection)
        connection.commit()
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()
END
check() { python3 -m alembic.config check 2>&1; }
first=$(check) || { echo "$first"; cannot "the models cannot be compared"; }
for change in method with class include where cast; do
  output=$(CHANGE=$change check) || { echo "$output"; changed "a change is seen: $change"; }
  echo "$change: $output"
done
# What it does see, to know that the comparison works.
! output=$(CHANGE=column check) || changed "a changed column is not seen"
echo "column: $output"
