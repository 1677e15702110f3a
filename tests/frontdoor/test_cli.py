"""The command `mentorspan`, as a person meets it."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from alembic.script import ScriptDirectory

from app import running
from app.core import migrate
from app.core.engines import PrivatePostgres
from app.core.processes import FileLock
from app.settings import Settings
from tests.frontdoor.house import ROOT


def mentorspan(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command without anything of ours in its environment but what is given."""
    ours = ("MENTORSPAN_", "DATABASE_URL", "VALKEY_URL")
    base = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    command = [sys.executable, "-m", "app.cli", *words]
    return subprocess.run(
        command, cwd=ROOT, env={**base, "COLUMNS": "200", **environment}, capture_output=True, text=True
    )


def test_help_names_every_command() -> None:
    answer = mentorspan("--help")
    assert answer.returncode == 0
    for name in (
        "serve",
        "app",
        "worker",
        "signalling",
        "migrate",
        "demo",
        "openapi",
        "doctor",
        "recurrence",
    ):
        assert f" {name} " in answer.stdout


@pytest.mark.parametrize(
    ("name", "value"),
    [("MENTORSPAN_APP_PORT", "eighty"), ("MENTORSPAN_MODE", "testing"), ("MENTORSPAN_LOG_LEVEL", "loud")],
)
def test_a_setting_without_sense_is_told_in_words(name: str, value: str) -> None:
    answer = mentorspan("doctor", **{name: value})
    assert answer.returncode == 1
    assert name.removeprefix("MENTORSPAN_").lower() in answer.stderr
    assert "Traceback" not in answer.stderr


def test_openapi_writes_the_document(tmp_path: Path) -> None:
    answer = mentorspan("openapi", str(tmp_path / "openapi.yaml"))
    assert answer.returncode == 0, answer.stderr
    assert yaml.safe_load((tmp_path / "openapi.yaml").read_text())["openapi"].startswith("3.1")


def preview(rule: str, *more: str, dtstart: str = "1997-09-02T09:00:00") -> subprocess.CompletedProcess[str]:
    named = {"--dtstart": dtstart, "--zone": "America/New_York", "--rule": rule}
    return mentorspan("recurrence", "preview", *(word for pair in named.items() for word in pair), *more)


def test_the_next_times_of_a_rule_are_a_json_list() -> None:
    answer = preview("FREQ=MONTHLY;BYDAY=1TU", "--limit", "3", "--exdate", "1997-10-07T09:00:00")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert json.loads(answer.stdout) == ["1997-09-02T09:00:00", "1997-11-04T09:00:00", "1997-12-02T09:00:00"]
    never = preview("FREQ=DAILY;INTERVAL=7;BYDAY=MO")
    assert (never.returncode, never.stdout, never.stderr) == (0, "[]\n", "There is no such time.\n")


@pytest.mark.parametrize(
    ("rule", "more", "reason"),
    [
        ("FREQ=YEARLY", (), "FREQ is DAILY, WEEKLY or MONTHLY"),
        ("FREQ=DAILY", ("--dtstart", "yesterday"), "Give a local time"),
        ("FREQ=DAILY", ("--zone", "Europe/Atlantis"), "Give an IANA time zone"),
    ],
)
def test_a_rule_outside_the_subset_is_refused_with_a_reason(
    rule: str, more: tuple[str, ...], reason: str
) -> None:
    answer = preview(rule, *more)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith(reason)


def test_previewing_loads_no_web_framework() -> None:
    script = (
        "import sys; from app.cli import cli; cli(['recurrence', 'preview', '--dtstart', '1997-09-02T09:00', "
        "'--zone', 'UTC', '--rule', 'FREQ=DAILY'], standalone_mode=False); "
        "print({'fastapi', 'sqlalchemy', 'starlette'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "set()"


def test_demo_data_are_refused_in_production(tmp_path: Path) -> None:
    answer = mentorspan("demo", "seed", MENTORSPAN_STATE_DIR=str(tmp_path))
    assert answer.returncode == 1
    assert "development" in answer.stderr


def test_the_newest_revision_is_found_as_alembic_finds_it() -> None:
    scripts = ScriptDirectory.from_config(migrate.config("postgresql://nobody@nowhere/nothing"))
    assert migrate.heads() == set(scripts.get_heads()) != set()


@pytest.mark.database
def test_migrate_says_whether_there_was_anything_to_do(database_url: str) -> None:
    answer = mentorspan("migrate", DATABASE_URL=database_url)
    assert answer.returncode == 0, answer.stderr
    assert "was the newest already" in answer.stdout


@pytest.mark.database
def test_the_demo_world_is_made_once(database_url: str) -> None:
    assert migrate.is_empty(database_url)
    environment = {"DATABASE_URL": database_url, "MENTORSPAN_MODE": "development"}
    assert "demo world is there" in mentorspan("demo", "seed", **environment).stdout
    assert not migrate.is_empty(database_url)
    assert "nothing was added" in mentorspan("demo", "seed", **environment).stdout


def test_serving_on_a_taken_port_starts_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        port = str(squatter.getsockname()[1])
        answer = mentorspan("serve", MENTORSPAN_APP_PORT=port, MENTORSPAN_STATE_DIR=str(tmp_path))
    assert answer.returncode == 1
    assert f"Port {port} is taken" in answer.stderr
    assert "MENTORSPAN_APP_PORT" in answer.stderr
    assert not (tmp_path / "postgres").exists()


def test_a_database_that_does_not_answer_is_told_in_words(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/d"
    answer = mentorspan("migrate", DATABASE_URL=url, MENTORSPAN_STATE_DIR=str(tmp_path))
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr


def test_engines_of_a_run_in_progress_are_used(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    assert running.of_the_run(settings) is None
    engines = running.Engines("postgresql+psycopg://a/b", "unix:///c")
    running.leave_note(tmp_path, engines)
    assert running.of_the_run(settings) is None, "the note of a run that is over"
    lock = FileLock(tmp_path / "lock")
    lock.acquire()
    try:
        with running.engines(settings) as found:
            assert found == engines
    finally:
        lock.release()


def test_without_a_run_private_engines_serve_one_command(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "state")
    with running.engines(settings, bus=False) as found:
        assert migrate.is_empty(found.database_url)
        assert found.valkey_url == ""
    again = PrivatePostgres(tmp_path / "state", durable=False)
    again.start()
    again.stop()
