"""create_all, rows in and out by the ORM under two drivers, reflection and a table made from what was reflected."""
import datetime
import os

from sqlalchemy import BigInteger, MetaData, cast, create_engine, func, insert, inspect, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models import Base, Reading
from tap import check

ROWS = 20000
START = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
URL = "://postgres@/postgres?host=%s&port=%s" % (os.environ["PGHOST"], os.environ["PGPORT"])
engine = create_engine("postgresql+psycopg" + URL)


def at(second):
    return START + datetime.timedelta(seconds=second)


def definitions(connection):
    return sorted(connection.scalars(text("SELECT indexdef FROM pg_indexes WHERE tablename = 'reading'")))


Base.metadata.create_all(engine)
Base.metadata.create_all(engine)
with Session(engine) as session:
    session.execute(
        insert(Reading),
        [
            {
                "id": i,
                "device": i * 37 % 200,
                "taken_at": at(i * 10 + i % 7),
                "ended_at": None if i % 50 == 0 else at(i * 10 + 9),
                "meter": 10**12 + i * 3,
                "serial": i * 5,
                "archived": i % 4 == 0,
            }
            for i in range(ROWS)
        ],
    )
    session.commit()
    session.execute(text("ANALYZE reading"))
    session.commit()


def by(driver, session, index, query, expected, what):
    compiled = query.compile(session.bind, compile_kwargs={"literal_binds": True})
    plan = "\n".join(session.scalars(text("EXPLAIN (COSTS OFF) " + str(compiled).replace(":", "\\:"))))
    check(index in plan and "Seq Scan" not in plan, "%s: %s: the plan uses %s" % (driver, what, index), plan)
    found = [row.id for row in session.scalars(query)]
    check(found == expected, "%s: %s: the rows are right" % (driver, what), found[:20])


for driver in "psycopg", "psycopg2":
    with Session(create_engine("postgresql+" + driver + URL)) as session:
        span = select(Reading).where(Reading.taken_at >= at(1000), Reading.taken_at < at(2000))
        by(driver, session, "reading_taken_at", span.order_by(Reading.taken_at), list(range(100, 200)), "range in order")
        latest = select(Reading).order_by(Reading.ended_at.desc().nulls_last()).limit(5)
        by(driver, session, "reading_ended_at", latest, list(range(ROWS - 1, ROWS - 6, -1)), "DESC NULLS LAST")
        meter = select(Reading).where(cast(Reading.meter, BigInteger) == 10**12 + 3 * 777)
        by(driver, session, "reading_meter", meter, [777], "numeric by an expression")
        device = select(Reading).where(Reading.device == 185, ~Reading.archived).order_by(Reading.id)
        expected = [i for i in range(ROWS) if i * 37 % 200 == 185 and i % 4]
        by(driver, session, "reading_device", device, expected, "partial index")
        by(driver, session, "reading_serial", select(Reading).where(Reading.serial == 500), [100], "exclusion constraint")

with Session(engine) as session:
    try:
        session.add(Reading(id=-1, device=1, taken_at=START, meter=1, serial=500, archived=False))
        session.commit()
        check(False, "the exclusion constraint refuses a value twice")
    except IntegrityError as error:
        check("reading_serial" in str(error), "the exclusion constraint refuses a value twice", error)
with Session(engine) as session:
    session.execute(update(Reading).where(Reading.id < 50).values(taken_at=at(10**7)))
    session.commit()
    number = session.scalar(select(func.count()).where(Reading.taken_at == at(10**7)))
    check(number == 50, "after UPDATE", number)

methods = {i["name"]: i["dialect_options"].get("postgresql_using") for i in inspect(engine).get_indexes("reading")}
check(
    all(method == "learned" for method in methods.values()) and len(methods) >= 4,
    "reflection gives the access method",
    methods,
)
reflected = MetaData()
reflected.reflect(engine, only=["reading"])
with engine.begin() as connection:
    wanted = definitions(connection)
    reflected.drop_all(connection)
    reflected.create_all(connection)
    got = definitions(connection)
    rest = [definition for definition in wanted if "reading_serial" not in definition]
    check(got == rest, "a table made from what was reflected has the same indexes", "%s\n%s" % (got, rest))
    # No fault of the access method: it is so with GiST.
    check(len(got) == len(wanted) - 1, "but not the exclusion constraint")
