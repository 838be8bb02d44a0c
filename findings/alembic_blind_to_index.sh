#!/usr/bin/env bash
# Alembic 1.18.4 (SQLAlchemy 2.0.52, psycopg 3.3.5, PostgreSQL 18.6)
#
# `alembic check`, and so `revision --autogenerate`, compares columns and expressions of an index with those in the
# database, and nothing else: a change of the access method, of WITH, the operator class, INCLUDE or WHERE is no change.
# Nor is another cast in an expression (casts are taken away on both sides before they are compared), though it makes
# the index useless to the queries that the model then writes. Seen for each of the six:
#
#     No new upgrade operations detected.
# shellcheck source=findings/programs.sh
. "$(dirname "${BASH_SOURCE[0]}")/programs.sh"
python_packages alembic 1.18.4 alembic==1.18.4 sqlalchemy==2.0.52 "psycopg[binary]==3.3.5"
start_server

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
