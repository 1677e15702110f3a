"""Private engines: real ones, started, killed, found again and stopped."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from app.core import engines, private_places
from app.core.engines import PrivatePostgres, PrivateValkey, libpq_url, normalise_database_url
from app.core.private_places import EngineError, make_state, socket_directory

AS_ROOT = os.geteuid() == 0


def ask(url: str, question: str) -> str:
    with psycopg.connect(libpq_url(url), autocommit=True) as connection:
        cursor = connection.execute(question.encode())
        row = cursor.fetchone() if cursor.description else None
    return str(row[0]) if row else ""


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[PrivatePostgres]:
    engine = PrivatePostgres(tmp_path / "state")
    yield engine
    engine.stop()
    engines._remove(engine._home, engine._sockets)


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[PrivateValkey]:
    engine = PrivateValkey(tmp_path / "state")
    yield engine
    engine.stop()
    engines._remove(engine._sockets)


def test_postgres_keeps_data_and_speaks_only_on_a_private_socket(postgres: PrivatePostgres) -> None:
    url = postgres.start()
    ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert ask(url, "SHOW listen_addresses") == ""
    assert ask(url, "SHOW data_checksums") == "on"
    assert ask(url, "SHOW server_encoding") == "UTF8"
    assert ask(url, "SHOW fsync") == "on"
    assert ask(url, "SELECT lower('ÄÖÜ')") == "äöü"
    sockets = Path(ask(url, "SHOW unix_socket_directories"))
    assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert stat.S_IMODE((postgres._home / "data").stat().st_mode) == 0o700
    postgres.stop()
    assert not postgres.alive()
    assert ask(postgres.start(), "SELECT answer FROM kept") == "42"


@pytest.mark.skipif(not AS_ROOT, reason="only root becomes somebody else")
def test_root_runs_postgres_as_somebody_else(postgres: PrivatePostgres) -> None:
    url = postgres.start()
    pid = (postgres._home / "data" / "postmaster.pid").read_text().split()[0]
    status = Path(f"/proc/{pid}/status").read_text()
    uid = next(line.split()[1] for line in status.splitlines() if line.startswith("Uid:"))
    assert uid != "0"
    assert ask(url, "SELECT current_user") == "mentorspan"


@pytest.mark.skipif(not AS_ROOT, reason="another user is needed to be refused")
def test_another_user_is_refused_by_postgres_itself(postgres: PrivatePostgres) -> None:
    url = postgres.start()
    sockets = ask(url, "SHOW unix_socket_directories")
    # Even somebody who gets past the directory is not who the map of callers names.
    Path(sockets).chmod(0o755)
    Path(sockets, ".s.PGSQL.5432").chmod(0o777)
    assert _knocks_as_daemon(sockets) == REFUSED


REFUSED, LET_IN, UNCLEAR = 3, 4, 5


def _knocks_as_daemon(sockets: str) -> int:
    """Connect as another user, in a copy of this process, as that user may reach no program of ours."""
    copy = os.fork()
    if copy:
        return os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1])
    answer = UNCLEAR
    try:
        os.setgroups([])
        os.setgid(1)
        os.setuid(1)
        psycopg.connect(host=sockets, user="mentorspan", dbname="mentorspan").close()
        answer = LET_IN
    except psycopg.OperationalError as refusal:
        answer = REFUSED if "authentication failed" in str(refusal) else UNCLEAR
    finally:
        os._exit(answer)


def test_a_killed_postgres_is_started_again_with_its_data(postgres: PrivatePostgres) -> None:
    ask(postgres.start(), "CREATE TABLE kept AS SELECT 42 AS answer")
    assert postgres._process is not None
    postgres._process.kill()
    postgres._process.wait()
    assert not postgres.alive()
    postgres.stop()
    assert ask(postgres.start(), "SELECT answer FROM kept") == "42"


def test_a_stale_pid_file_that_names_a_living_stranger_is_no_obstacle(postgres: PrivatePostgres) -> None:
    postgres.start()
    postgres.stop()
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        data = postgres._home / "data"
        (data / "postmaster.pid").write_text(f"{stranger.pid}\n{data}\n0\n5432\n\n\n\n")
        assert ask(postgres.start(), "SELECT 1") == "1"
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_an_interrupted_first_start_is_begun_again(postgres: PrivatePostgres) -> None:
    home = private_places.postgres_home(make_state(postgres.state))
    (home / "data-half-made").mkdir()
    (home / "data-half-made" / "PG_VERSION").write_text("half")
    assert ask(postgres.start(), "SELECT 1") == "1"
    assert not (postgres._home / "data-half-made").exists()


def test_data_of_another_major_release_are_refused_in_words(postgres: PrivatePostgres) -> None:
    postgres.start()
    postgres.stop()
    (postgres._home / "data" / "PG_VERSION").write_text("14\n")
    with pytest.raises(EngineError, match="written by PostgreSQL 14"):
        postgres.start()
    assert not postgres.alive()


def test_a_second_user_of_the_same_data_is_refused(postgres: PrivatePostgres, valkey: PrivateValkey) -> None:
    postgres.start()
    valkey.start()
    with pytest.raises(EngineError, match=str(os.getpid())):
        PrivatePostgres(postgres.state).start()
    with pytest.raises(EngineError, match=str(os.getpid())):
        PrivateValkey(valkey.state).start()
    assert postgres.alive()
    assert valkey.alive()


def test_valkey_keeps_data_and_speaks_only_on_a_private_socket(valkey: PrivateValkey) -> None:
    client = redis.Redis.from_url(valkey.start())
    client.set("answer", 42)
    assert str(client.config_get("port")).count("0") == 1, "no TCP port"
    client.close()
    assert stat.S_IMODE((valkey._sockets / "valkey.sock").stat().st_mode) == 0o700
    valkey.stop()
    client = redis.Redis.from_url(valkey.start())
    assert client.get("answer") == b"42"
    client.close()


def test_a_valkey_left_by_an_earlier_run_is_stopped(valkey: PrivateValkey) -> None:
    valkey.start()
    left, valkey._process = valkey._process, None
    assert left is not None
    assert valkey._lock is not None
    valkey._lock.release()
    valkey.start()
    assert left.wait(10) is not None


def test_throw_away_engines_leave_nothing(tmp_path: Path) -> None:
    postgres, valkey = PrivatePostgres(tmp_path, durable=False), PrivateValkey(tmp_path, durable=False)
    assert ask(postgres.start(), "SHOW fsync") == "off"
    valkey.start()
    homes = [postgres._home, postgres._sockets, valkey._home, valkey._sockets]
    postgres.stop()
    valkey.stop()
    assert not [home for home in homes if home.exists()]
    assert list(tmp_path.iterdir()) == []


def test_a_long_path_gets_a_short_private_socket_directory(tmp_path: Path) -> None:
    me = private_places.myself()
    home = tmp_path / ("long" * 25)
    home.mkdir()
    short = socket_directory(home, me, "valkey.sock")
    try:
        assert len(str(short / "valkey.sock")) <= private_places.LONGEST_SOCKET_PATH
        assert stat.S_IMODE(short.stat().st_mode) == 0o700
        assert socket_directory(home, me, "valkey.sock") == short
    finally:
        short.rmdir()


def test_a_socket_directory_that_somebody_planted_is_refused(tmp_path: Path) -> None:
    me = private_places.myself()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "planted").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EngineError, match="somebody else"):
        private_places.make_private(tmp_path / "planted", me)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql://h/d?sslmode=require", "postgresql+psycopg://h/d?sslmode=require"),
        (" postgresql+asyncpg://h/d", "postgresql+psycopg://h/d"),
        ("postgresql+psycopg://@/d?host=/s", "postgresql+psycopg://@/d?host=/s"),
    ],
)
def test_every_spelling_of_an_address_is_understood(given: str, expected: str) -> None:
    assert normalise_database_url(given) == expected
    assert libpq_url(given) == expected.replace("+psycopg", "")


@pytest.mark.parametrize("given", ["", "sqlite:///x", "mysql://h/d", "localhost:5432", "postgresfoo://h"])
def test_other_databases_are_refused(given: str) -> None:
    with pytest.raises(ValueError, match="postgresql"):
        normalise_database_url(given)


def test_stop_signals_are_postgres_own_words() -> None:
    assert [number for number, _ in engines.POSTGRES_STOP] == [signal.SIGINT, signal.SIGQUIT]
