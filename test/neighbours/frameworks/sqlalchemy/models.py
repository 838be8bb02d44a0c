"""The models of the programs of SQLAlchemy."""
from sqlalchemy import BigInteger, Boolean, DateTime, Integer, MetaData, Numeric, cast
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy import Index


class Base(DeclarativeBase):
    metadata = MetaData()


class Reading(Base):
    __tablename__ = "reading"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    device: Mapped[int] = mapped_column(Integer)
    taken_at = mapped_column(DateTime(timezone=True))
    ended_at = mapped_column(DateTime(timezone=True), nullable=True)
    meter = mapped_column(Numeric(18, 0))
    serial: Mapped[int] = mapped_column(BigInteger)
    archived = mapped_column(Boolean)
    __table_args__ = (ExcludeConstraint(("serial", "="), using="learned", name="reading_serial"),)


Index("reading_taken_at", Reading.taken_at, postgresql_using="learned", postgresql_with={"fillfactor": 100})
Index("reading_ended_at", Reading.ended_at.desc().nulls_last(), postgresql_using="learned")
Index("reading_meter", cast(Reading.meter, BigInteger), postgresql_using="learned")
Index("reading_device", Reading.device, postgresql_using="learned", postgresql_where=~Reading.archived)
