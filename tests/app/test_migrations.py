"""Migrations: one line of them, from nothing to the models and back again."""

import re
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy.engine import make_url

from app.core import migrate
from app.core.engines import libpq_url

pytestmark = pytest.mark.database


@pytest.fixture
def empty(server_url: str) -> Iterator[str]:
    """A database without anything in it."""
    name = f"empty_{uuid4().hex[:12]}"
    administer = libpq_url(
        make_url(server_url).set(database="postgres").render_as_string(hide_password=False)
    )
    with psycopg.connect(administer, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


OURS = """
    WITH public AS (SELECT oid FROM pg_namespace WHERE nspname = 'public'),
    extensions AS (SELECT objid FROM pg_depend WHERE deptype = 'e')
    SELECT format('%s %s', relkind, relname) FROM pg_class WHERE relnamespace IN (TABLE public)
    UNION ALL
    SELECT format('function %s', oid::regprocedure) FROM pg_proc
    WHERE pronamespace IN (TABLE public) AND oid NOT IN (TABLE extensions)
    UNION ALL
    SELECT format('type %s', typname) FROM pg_type
    WHERE typnamespace IN (TABLE public) AND typtype IN ('e', 'c') AND oid NOT IN (TABLE extensions)
"""
ALEMBICS = {"r alembic_version", "i alembic_version_pkc", "type alembic_version"}


def things(url: str) -> set[str]:
    """Everything in the schema that is neither an extension's nor Alembic's own."""
    with psycopg.connect(libpq_url(url)) as connection:
        return {row[0] for row in connection.execute(OURS)} - ALEMBICS


def test_there_is_one_line_and_its_names_sort() -> None:
    scripts = ScriptDirectory.from_config(migrate.config("postgresql+psycopg://"))
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1
    revisions = [script.revision for script in scripts.walk_revisions()][::-1]
    assert revisions == sorted(revisions)
    for script in scripts.walk_revisions():
        name = Path(script.path).name
        assert re.fullmatch(r"\d{4}_\d\d_\d\d_\d{4}_[a-z0-9_]+\.py", name)
        assert name.startswith(script.revision)


def test_up_from_nothing_down_to_nothing_and_up_again(empty: str) -> None:
    assert migrate.pending(empty)
    assert migrate.is_empty(empty)
    assert migrate.upgrade(empty) is True
    assert migrate.upgrade(empty) is False, "nothing to do the second time"
    assert not migrate.pending(empty)
    assert migrate.is_empty(empty)
    there = things(empty)
    assert {"r account", "r booking", "r procrastinate_jobs"} <= there
    command.downgrade(migrate.config(empty), "base")
    assert things(empty) == set()
    assert migrate.pending(empty)
    migrate.upgrade(empty)
    assert things(empty) == there


def test_the_models_are_the_schema(empty: str) -> None:
    migrate.upgrade(empty)
    command.check(migrate.config(empty))


@pytest.mark.parametrize(
    "difference",
    [
        "ALTER TABLE account ADD COLUMN shoe_size integer",
        "ALTER TABLE membership ALTER COLUMN capacity TYPE bigint",
        "ALTER TABLE meeting ALTER COLUMN zone DROP NOT NULL",
        "DROP INDEX ix_node_command_open",
        "DROP TABLE mailbox_message",
    ],
)
def test_a_difference_would_be_noticed(empty: str, difference: str) -> None:
    migrate.upgrade(empty)
    with psycopg.connect(libpq_url(empty)) as connection:
        connection.execute(difference.encode())
    with pytest.raises(CommandError):
        command.check(migrate.config(empty))


def test_what_no_comparison_sees_is_there_too(empty: str) -> None:
    """Alembic compares neither exclusion constraints nor checks."""
    migrate.upgrade(empty)
    with psycopg.connect(libpq_url(empty)) as connection:
        rows = connection.execute(
            "SELECT conname FROM pg_constraint "
            "WHERE contype IN ('x', 'c') AND connamespace = 'public'::regnamespace"
        ).fetchall()
    assert {
        "ex_booking_nobody_twice",
        "ck_booking_half_open",
        "ck_meeting_takes_time",
        "ck_block_two_people",
        "ck_partnership_two_organisations",
        "ck_pairing_circle_has_organisation",
        "ck_membership_capacity_range",
    } <= {row[0] for row in rows}
