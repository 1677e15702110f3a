"""How migrations run: on the database that `mentorspan migrate` names, each in a transaction of its own."""

from alembic import context
from sqlalchemy import create_engine, pool, text

from app.core.db import Base
from app.tables import TABLES

assert TABLES  # importing them is what fills the metadata
config = context.config


def include(name: str | None, kind: str, parents: object) -> bool:
    """Leave the job library's own tables out of comparisons."""
    del parents
    return not (kind == "table" and name is not None and name.startswith("procrastinate_"))


def run() -> None:
    """Run what is asked for; a lock that cannot be had soon fails the migration instead of the service."""
    url = config.get_main_option("sqlalchemy.url")
    assert url
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.execute(text("SET lock_timeout = '5s'"))
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            compare_type=True,
            include_name=include,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run()
