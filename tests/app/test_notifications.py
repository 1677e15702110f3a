"""Mail: a job of the transaction that caused it, carried by a worker, through either kind of postbox."""

import asyncio
import contextlib
import email
import email.policy
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import select

from app.core import mail
from app.core.db import Database
from app.core.mail import Mail
from app.core.mailbox import Mailbox, MailboxMessage
from app.settings import Settings
from app.worker import postbox, run_jobs
from tests.world import World

pytestmark = pytest.mark.database

MESSAGE_ID = "<one@mentorspan.example>"


@dataclass
class Letter:
    """A message as its reader gets it."""

    to: str
    subject: str
    text: str


@dataclass
class Keeper:
    """The receiving end of a real SMTP server."""

    messages: list[EmailMessage] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    refuse: int = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        del server, session
        if self.refuse:
            self.refuse -= 1
            return "451 Not now"
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        self.envelopes.append((envelope.mail_from or "", list(envelope.rcpt_tos)))
        return "250 Kept"


@pytest.fixture
async def keeper() -> AsyncIterator[tuple[Keeper, mail.Smtp]]:
    """An SMTP server, and the adapter that sends to it."""
    kept = Keeper()
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(kept, enable_SMTPUTF8=True, hostname="localhost"), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    yield kept, mail.Smtp(f"smtp://127.0.0.1:{port}", "Mentorspan Nørd <no-reply@mentorspan.example>")
    server.close()
    await server.wait_closed()


Port = tuple[mail.Postbox, Callable[[], Any]]


@pytest.fixture(params=["mailbox", "smtp"])
def port(request: pytest.FixtureRequest, database: Database, keeper: tuple[Keeper, mail.Smtp]) -> Port:
    """Each adapter of the port, and how to read what it delivered."""
    kept, smtp = keeper

    async def from_mailbox() -> list[Letter]:
        async with database.transaction() as db:
            rows = await db.scalars(select(MailboxMessage).order_by(MailboxMessage.id))
            return [Letter(row.to, row.subject, row.text) for row in rows]

    async def from_smtp() -> list[Letter]:
        return [
            Letter(str(row["To"]), str(row["Subject"]), row.get_content().replace("\r\n", "\n"))
            for row in kept.messages
        ]

    return (smtp, from_smtp) if request.param == "smtp" else (Mailbox(database), from_mailbox)


@pytest.mark.parametrize(
    ("to", "subject", "text"),
    [
        ("priya@example.org", "Plain", "One line.\n"),
        ("priya@example.org", "Ünïcode, Ōtautahi 社会", "Kia ora, Whānau!\n\n社会福祉\n"),
        ("o'neil+mentor@sub.example.org", "S" * 200, "x" * 3000 + "\n"),
        ("priya@example.org", "A dot on its own line", "before\n.\nafter\n..\n"),
        ("priya@example.org", "From the start", "From here on\nTo: someone@example.org\n"),
    ],
)
async def test_a_postbox_delivers_what_it_is_given(port: Port, to: str, subject: str, text: str) -> None:
    box, read = port
    await box.deliver(Mail(to, subject, text, MESSAGE_ID))
    assert await read() == [Letter(to, subject, text)]


async def test_an_smtp_message_has_what_a_message_needs(keeper: tuple[Keeper, mail.Smtp]) -> None:
    kept, smtp = keeper
    await smtp.deliver(Mail("priya@example.org", "Hello", "Text\n", MESSAGE_ID))
    (message,) = kept.messages
    assert message["From"].addresses[0].addr_spec == "no-reply@mentorspan.example"
    assert message["From"].addresses[0].display_name == "Mentorspan Nørd"
    assert message["Message-ID"] == MESSAGE_ID
    assert message["Date"].datetime is not None, "RFC 5322 demands it"
    assert message.get_content_type() == "text/plain"
    assert kept.envelopes == [("no-reply@mentorspan.example", ["priya@example.org"])]


@pytest.mark.parametrize(
    ("to", "subject"),
    [
        ("priya@example.org", "Hello\nBcc: everyone@example.org"),
        ("priya@example.org", "Hello\r\n\r\nA body of my own"),
        ("priya@example.org\nBcc: everyone@example.org", "Hello"),
        ("priya@example.org, everyone@example.org", "Hello"),
        ("priya@example.org> <everyone@example.org", "Hello"),
    ],
)
async def test_nothing_can_be_smuggled_into_the_headers(
    keeper: tuple[Keeper, mail.Smtp], to: str, subject: str
) -> None:
    kept, smtp = keeper
    with contextlib.suppress(Exception):
        await smtp.deliver(Mail(to, subject, "Text\n", MESSAGE_ID))
    for message, (_, receivers) in zip(kept.messages, kept.envelopes, strict=True):
        assert message["Bcc"] is None
        assert receivers == ["priya@example.org"]


async def test_a_subject_is_one_short_line_whatever_it_was(world: World) -> None:
    async with world.database.transaction() as db:
        await mail.send(db, to="a@example.org", subject="Hello\r\nBcc: x@example.org " + "y" * 300, text="T")
    (row,) = await world.mails()
    assert row["subject"].startswith("Hello Bcc: x@example.org yyy")
    assert len(row["subject"]) == 200


async def test_mail_is_part_of_the_transaction(world: World) -> None:
    async def fail() -> None:
        async with world.database.transaction() as db:
            await mail.send(db, to="a@example.org", subject="Never", text="T")
            raise RuntimeError("no, after all")

    with pytest.raises(RuntimeError, match="no, after all"):
        await fail()
    assert await world.mails() == []
    async with world.database.transaction() as db:
        await mail.send(db, to="a@example.org", subject="Sent", text="T")
        assert await world.mails() == [], "others see it once it is committed"
    assert [row["subject"] for row in await world.mails()] == ["Sent"]


@pytest.fixture
def default_postbox() -> Any:
    yield
    mail.use_postbox(mail.Nowhere())


@contextlib.asynccontextmanager
async def working(url: str) -> AsyncIterator[None]:
    """A worker that runs jobs."""
    task = asyncio.create_task(run_jobs(url))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0.05)


async def test_the_worker_delivers_and_keeps_no_secret_afterwards(
    world: World, database_url: str, default_postbox: None
) -> None:
    mail.use_postbox(Mailbox(world.database))
    world.door.settings.mode = "development"
    body = {"email": "priya@example.org", "password": "a long sentence", "name": "Priya"}
    assert (await world.client.post("/v1/accounts", json=body)).status_code == 202

    async def arrived() -> bool:
        return bool((await world.client.get("/v1/mailbox")).json()["items"])

    async def forgotten() -> bool:
        return not await world.run("SELECT 1 FROM procrastinate_jobs")

    async with working(database_url):
        await until(arrived)
        await until(forgotten)
        async with world.database.transaction() as db:
            await mail.send(db, to="ben@example.org", subject="Later", text="T")
        await until(forgotten)
    shown = (await world.client.get("/v1/mailbox")).json()["items"]
    assert [row["to"] for row in shown] == ["ben@example.org", "priya@example.org"]


async def test_mail_that_was_refused_is_tried_again(
    world: World, database_url: str, keeper: tuple[Keeper, mail.Smtp], default_postbox: None
) -> None:
    kept, smtp = keeper
    kept.refuse = 1
    mail.use_postbox(smtp)
    async with world.database.transaction() as db:
        await mail.send(db, to="priya@example.org", subject="Hello", text="Text\n")

    async def waits() -> Any:
        return await world.run(
            "SELECT 1 FROM procrastinate_jobs WHERE status = 'todo' AND attempts = 1 AND scheduled_at > now()"
        )

    async with working(database_url):
        await until(waits)
    await world.run("UPDATE procrastinate_jobs SET scheduled_at = now()")

    async def arrived() -> bool:
        return bool(kept.messages)

    async with working(database_url):
        await until(arrived)
    assert [str(message["Subject"]) for message in kept.messages] == ["Hello"]


async def test_where_mail_goes_follows_from_the_settings(database: Database, settings: Settings) -> None:
    assert isinstance(postbox(settings, database), mail.Nowhere)
    with pytest.raises(RuntimeError, match="MENTORSPAN_SMTP_URL"):
        await postbox(settings, database).deliver(Mail("a@example.org", "S", "T", MESSAGE_ID))
    settings.mode = "development"
    assert isinstance(postbox(settings, database), Mailbox)
    settings.smtp_url = "smtp://mail.example.org"
    assert isinstance(postbox(settings, database), mail.Smtp)
