"""`mentorspan doctor`: looks at everything an installation leans on, says what is wrong and what to do."""

import smtplib
import ssl
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg
import redis
from cryptography.hazmat.primitives import serialization

from app import ice, probes, running
from app.core import browser, migrate
from app.core.engines import libpq_url
from app.core.private_places import EngineError, valkey_binary, wheel_binaries
from app.settings import Settings

OLDEST_POSTGRES = 15
TOLERATED_SKEW = 2.0  # seconds; tickets live for 60
TIMEOUT = 5


class Level(StrEnum):
    """How bad it is; only WRONG makes the command fail."""

    GOOD = "good"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    about: str
    level: Level
    text: str
    advice: str = ""


def examine(settings: Settings) -> Iterator[Finding]:
    """Every finding, in the order in which a person would want to put things right."""
    known = running.of_the_run(settings) or running.given(settings)
    checks: list[Callable[[], Iterator[Finding]]] = [
        lambda: database(known.database_url),
        lambda: bus(known.valkey_url),
        lambda: ports(settings),
        lambda: clock(known),
        lambda: keys(settings),
        lambda: https(settings),
        lambda: relays(settings),
        lambda: mail(settings),
        chromium,
    ]
    for check in checks:
        yield from check()


def database(url: str) -> Iterator[Finding]:
    """PostgreSQL answers, is new enough and has the newest schema."""
    about = "database"
    if not url:
        yield _private(about, "PostgreSQL", wheel_binaries, "DATABASE_URL")
        return
    try:
        with psycopg.connect(libpq_url(url), connect_timeout=TIMEOUT) as connection:
            version = connection.info.server_version // 10000
    except psycopg.OperationalError as problem:
        yield Finding(about, Level.WRONG, _first_line(problem), "Start PostgreSQL, or correct DATABASE_URL.")
        return
    if version < OLDEST_POSTGRES:
        advice = f"Move to PostgreSQL {OLDEST_POSTGRES} or newer."
        yield Finding(about, Level.WRONG, f"PostgreSQL {version} is too old.", advice)
    elif migrate.pending(url):
        yield Finding(about, Level.WRONG, "The schema is not the newest.", "Run: mentorspan migrate")
    else:
        yield Finding(about, Level.GOOD, f"PostgreSQL {version} answers and has the newest schema.")


def bus(url: str) -> Iterator[Finding]:
    """Valkey answers and will not throw away what it holds."""
    about = "bus"
    if not url:
        yield _private(about, "Valkey", valkey_binary, "VALKEY_URL")
        return
    client = redis.Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT)
    try:
        client.ping()
        memory = client.info("memory")
        policy = memory.get("maxmemory_policy", "noeviction")
    except (redis.RedisError, OSError) as problem:
        yield Finding(
            about, Level.WRONG, _first_line(problem), "Start Valkey or Redis, or correct VALKEY_URL."
        )
        return
    finally:
        client.close()
    if policy != "noeviction":
        advice = "Set maxmemory-policy to noeviction."
        yield Finding(about, Level.WRONG, f"It may throw away streams when it is full ({policy}).", advice)
    else:
        yield Finding(about, Level.GOOD, "Valkey or Redis answers.")


def ports(settings: Settings) -> Iterator[Finding]:
    """Both services answer there, or could; and media come in, or could."""
    places = [
        ("app", settings.app_host, settings.app_port, probes.app_address(settings)),
        (
            "signalling",
            settings.signalling_host,
            settings.signalling_port,
            probes.signalling_address(settings),
        ),
    ]
    answers = {}
    for name, host, port, address in places:
        about = f"port {port}"
        status, _ = probes.fetch(f"{address}/readyz")
        problem = probes.port_problem(host, port, f"MENTORSPAN_{name.upper()}_PORT")
        answers[name] = bool(status)
        if status == 200:
            yield Finding(about, Level.GOOD, f"{name} answers and is ready.")
        elif status:
            yield Finding(about, Level.WRONG, f"{name} answers, but is not ready ({status}).", "See its log.")
        elif problem:
            yield Finding(about, Level.WRONG, problem)
        else:
            yield Finding(about, Level.GOOD, f"free for {name}.")
    # Otherwise it is signalling that has taken it, ready or not.
    if not answers["signalling"] and (problem := probes.media_problem(settings)):
        yield Finding("UDP port of media", Level.WRONG, problem)


def clock(known: running.Engines) -> Iterator[Finding]:
    """Tickets live for a minute, so the clocks of all machines must agree."""
    for name, ask in (("database", _database_time), ("bus", _bus_time)):
        url = known.database_url if name == "database" else known.valkey_url
        if not url:
            continue
        before = time.time()
        try:
            there = ask(url)
        except (psycopg.Error, redis.RedisError, OSError):
            continue  # that it does not answer has been said already
        skew = there - (before + time.time()) / 2
        if abs(skew) > TOLERATED_SKEW:
            text = f"This machine and the {name} disagree by {skew:+.1f} s."
            yield Finding("clock", Level.WRONG, text, "Run a time service (NTP) on both.")
            return
    yield Finding("clock", Level.GOOD, time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))


def keys(settings: Settings) -> Iterator[Finding]:
    """Private keys exist, can be read, and only by us."""
    about, directory = "keys", settings.keys_dir
    found = sorted(directory.glob("signing-*.pem")) if directory.is_dir() else []
    if not found:
        yield Finding(about, Level.NOTE, f"None yet in {directory}; the first start makes them.")
        return
    for path in [directory, *directory.iterdir()]:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield Finding(about, Level.WRONG, f"Others may read {path}.", f"Run: chmod go= {path}")
            return
    try:
        for path in found:
            serialization.load_pem_private_key(path.read_bytes(), password=None)
    except ValueError:
        advice = "Restore it from a backup, or remove it: everyone then signs in anew."
        yield Finding(about, Level.WRONG, f"{path} is not a private key.", advice)
        return
    yield Finding(about, Level.GOOD, f"{len(found)} signing key{'s' * (len(found) > 1)} in {directory}.")


def https(settings: Settings) -> Iterator[Finding]:
    """Browsers give a page the camera only by HTTPS, or on this very machine."""
    about, address = "https", urlsplit(settings.public_url)
    if settings.tls_cert and settings.tls_key:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
                settings.tls_cert, settings.tls_key
            )
        except (OSError, ssl.SSLError) as problem:
            advice = "Correct MENTORSPAN_TLS_CERT and MENTORSPAN_TLS_KEY."
            yield Finding(about, Level.WRONG, f"The certificate cannot be used: {problem}", advice)
            return
    if address.scheme != "https" and address.hostname not in ("localhost", "127.0.0.1", "::1"):
        advice = "Set MENTORSPAN_PUBLIC_URL to an https:// address, behind a proxy or with a certificate."
        yield Finding(about, Level.WRONG, f"{settings.public_url} gets no camera from browsers.", advice)
    else:
        yield Finding(about, Level.GOOD, settings.public_url)


def relays(settings: Settings) -> Iterator[Finding]:
    """STUN and TURN servers answer; without TURN some people cannot be reached at all."""
    if not settings.turn_urls:
        level = Level.NOTE
        advice = "Set MENTORSPAN_TURN_URLS and MENTORSPAN_TURN_SECRET; docker/coturn.conf is a safe start."
        yield Finding("TURN", level, "None: calls fail for people behind strict firewalls.", advice)
    elif not settings.turn_secret:
        advice = "Set MENTORSPAN_TURN_SECRET to coturn's static-auth-secret."
        yield Finding("TURN", Level.WRONG, "Servers are named, but there is no secret.", advice)
    for url in (*settings.stun_urls, *settings.turn_urls):
        problem = ice.problem_with(url, TIMEOUT)
        level = Level.WRONG if problem else Level.GOOD
        yield Finding(url.split(":")[0].upper(), level, f"{url}: {problem or 'answers'}.")


def mail(settings: Settings) -> Iterator[Finding]:
    """The mail server accepts us; nothing is sent."""
    if not settings.smtp_url:
        if settings.development:
            yield Finding("mail", Level.GOOD, "Development: mail goes to the mailbox page.")
        else:
            advice = "Set MENTORSPAN_SMTP_URL and MENTORSPAN_MAIL_FROM."
            yield Finding("mail", Level.WRONG, "No mail server: nobody can confirm an address.", advice)
        return
    try:
        _greet(settings.smtp_url)
    except (OSError, smtplib.SMTPException) as problem:
        yield Finding("mail", Level.WRONG, f"The mail server: {problem}", "Correct MENTORSPAN_SMTP_URL.")
    else:
        yield Finding("mail", Level.GOOD, f"{urlsplit(settings.smtp_url).hostname} accepts us.")


def chromium() -> Iterator[Finding]:
    """Only the tests need a browser on this machine."""
    if found := browser.find_browser():
        yield Finding("browser", Level.GOOD, f"{found} (for the tests)")
    else:
        advice = f"To run the browser tests: {browser.how_to_install()}"
        yield Finding("browser", Level.NOTE, "No Chromium or Chrome; only tests need one.", advice)


def _private(about: str, engine: str, find: Callable[[], Path], variable: str) -> Finding:
    try:
        find()
    except EngineError as problem:
        return Finding(about, Level.WRONG, str(problem))
    return Finding(about, Level.GOOD, f"`serve` will start a private {engine} ({variable} is not set).")


def _greet(url: str) -> None:
    parts = urlsplit(url)
    kind = smtplib.SMTP_SSL if parts.scheme == "smtps" else smtplib.SMTP
    port = parts.port or (465 if parts.scheme == "smtps" else 587)
    with kind(parts.hostname or "localhost", port, timeout=TIMEOUT) as server:
        if parse_qs(parts.query).get("starttls") == ["1"]:
            server.starttls(context=ssl.create_default_context())
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.noop()


def _database_time(url: str) -> float:
    with psycopg.connect(libpq_url(url), connect_timeout=TIMEOUT) as connection:
        row = connection.execute("SELECT extract(epoch FROM clock_timestamp())").fetchone()
    return float(row[0]) if row else time.time()


def _bus_time(url: str) -> float:
    client = redis.Redis.from_url(url, socket_timeout=TIMEOUT)
    try:
        seconds, microseconds = client.time()
    finally:
        client.close()
    return float(seconds) + float(microseconds) / 1e6


def _first_line(problem: Exception) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0]
