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
# shellcheck source=findings/programs.sh
. "$(dirname "${BASH_SOURCE[0]}")/programs.sh"
python_packages sqlalchemy 2.0.52 sqlalchemy==2.0.52 "psycopg[binary]==3.3.5"
start_server

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
