"""Rows in and out by the models that Alembic has migrated to."""
import datetime
import os

from sqlalchemy import create_engine, insert, select, text
from sqlalchemy.orm import Session

from models import Reading
from tap import check

START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
URL = "postgresql+psycopg://postgres@/postgres?host=%s&port=%s" % (os.environ["PGHOST"], os.environ["PGPORT"])
with Session(create_engine(URL)) as session:
    rows = [
        {"id": i, "taken_at": START + datetime.timedelta(seconds=i), "device": i % 200, "archived": False}
        for i in range(20000)
    ]
    session.execute(insert(Reading), rows)
    session.execute(text("ANALYZE reading"))
    query = select(Reading.id).where(Reading.taken_at == START + datetime.timedelta(seconds=777))
    compiled = query.compile(session.bind, compile_kwargs={"literal_binds": True})
    plan = "\n".join(session.scalars(text("EXPLAIN (COSTS OFF) " + str(compiled).replace(":", "\\:"))))
    check("reading_taken_at" in plan, "the plan uses the index", plan)
    check(session.scalars(query).all() == [777], "the row is found")
    session.commit()
