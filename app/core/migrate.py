"""Bringing a database to the newest schema, by Alembic, without a file of settings.

Alembic takes most of a second to load, and nearly every start has nothing to migrate: it is loaded if needed.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from app.core.engines import libpq_url

if TYPE_CHECKING:
    from alembic.config import Config

SCRIPTS = Path(__file__).resolve().parents[2] / "migrations"
REVISION = re.compile(r'^(revision|down_revision)\b[^=]*= *"([^"]+)"', re.MULTILINE)
# Two processes that start together must not migrate together; the number only has to be our own.
ADVISORY_LOCK = 0x6D656E746F72


def config(url: str) -> "Config":
    """Alembic's settings; `migrations/env.py` reads `sqlalchemy.url` from them."""
    from alembic.config import Config  # noqa: PLC0415

    settings = Config()
    settings.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    settings.set_main_option("path_separator", "os")
    settings.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return settings


def upgrade(url: str, revision: str = "head") -> bool:
    """Migrate to `revision`; returns whether anything had to be done. Safe to call from many processes."""
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (ADVISORY_LOCK,))
        if revision == "head" and not pending(url):
            return False
        from alembic import command  # noqa: PLC0415

        command.upgrade(config(url), revision)
    return True


def heads() -> set[str]:
    """The revisions that no other one follows, read from the scripts themselves."""
    named: dict[str, set[str]] = {"revision": set(), "down_revision": set()}
    for script in (SCRIPTS / "versions").glob("*.py"):
        for word, revision in REVISION.findall(script.read_text()):
            named[word].add(revision)
    return named["revision"] - named["down_revision"]


def pending(url: str) -> bool:
    """Whether the database is behind the scripts."""
    newest = heads()
    with psycopg.connect(libpq_url(url)) as connection:
        table = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
        if table is None or table[0] is None:
            return bool(newest)
        there = {row[0] for row in connection.execute("SELECT version_num FROM alembic_version")}
    return there != newest


def is_empty(url: str) -> bool:
    """Whether nobody has an account yet; only then may a demo world be put there."""
    with psycopg.connect(libpq_url(url)) as connection:
        table = connection.execute("SELECT to_regclass('account')").fetchone()
        if table is None or table[0] is None:
            return True
        return connection.execute("SELECT 1 FROM account LIMIT 1").fetchone() is None
