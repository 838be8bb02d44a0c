"""The models; the environment's variable MODEL says what has been changed in them."""
import os

from sqlalchemy import BigInteger, Boolean, DateTime, Index, Integer, Numeric, cast
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import DeclarativeBase, mapped_column

MODEL = os.environ.get("MODEL", "")


class Base(DeclarativeBase):
    pass


class Reading(Base):
    __tablename__ = "reading"
    id = mapped_column(BigInteger, primary_key=True)
    device = mapped_column(Integer)
    taken_at = mapped_column(DateTime(timezone=True))
    ended_at = mapped_column(DateTime(timezone=True))
    meter = mapped_column(Numeric(18, 0))
    serial = mapped_column(BigInteger)
    archived = mapped_column(Boolean)
    if MODEL != "unconstrained":
        __table_args__ = (ExcludeConstraint(("serial", "="), using="learned", name="reading_serial"),)


Index(
    "reading_taken_at",
    Reading.taken_at,
    postgresql_using="btree" if MODEL == "method" else "learned",
    postgresql_with={"fillfactor": 70 if MODEL == "with" else 100},
)
if MODEL == "renamed":
    Index("reading_taken_at_2", Reading.taken_at, postgresql_using="learned")
Index(
    "reading_ended_at",
    Reading.ended_at if MODEL == "order" else Reading.ended_at.desc().nulls_last(),
    postgresql_using="learned",
)
whole = cast(Reading.meter, Integer if MODEL == "cast" else BigInteger)
Index("reading_meter", whole / 1000 if MODEL == "expression" else whole, postgresql_using="learned")
Index(
    "reading_device",
    Reading.device,
    postgresql_using="learned",
    postgresql_where=Reading.archived if MODEL == "where" else ~Reading.archived,
)
