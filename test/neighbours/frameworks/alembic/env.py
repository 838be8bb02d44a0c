import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from alembic import context  # noqa: E402
from sqlalchemy import create_engine  # noqa: E402

from models import Base  # noqa: E402

url = "postgresql+psycopg://postgres@/postgres?host=%s&port=%s" % (os.environ["PGHOST"], os.environ["PGPORT"])
with create_engine(url).connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()
