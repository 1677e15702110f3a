"""Mail through a port: SMTP, or in development a mailbox that anyone at the machine can read."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import make_msgid, parseaddr
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
import procrastinate
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.core import clock
from app.core.jobs import defer, jobs

log = structlog.get_logger()
SEND = "mail.send"


class Postbox(Protocol):
    """Where mail goes."""

    async def deliver(self, *, to: str, subject: str, text: str) -> None:
        """Hand one message over, or raise, in which case it is tried again."""


class Smtp:
    """Sends by SMTP: `smtp://user:password@host:587` (STARTTLS) or `smtps://host:465` (TLS from the start).

    Only `?starttls=0`, or a server on this machine, is spoken to in clear.
    """

    def __init__(self, url: str, sender: str) -> None:
        parts = urlsplit(url)
        self._sender = sender
        self._tls = parts.scheme == "smtps"
        self._host = parts.hostname or "localhost"
        default = "0" if self._tls or self._host in ("localhost", "127.0.0.1", "::1") else "1"
        self._starttls = parse_qs(parts.query).get("starttls", [default]) == ["1"]
        self._port = parts.port or (465 if self._tls else 587)
        self._username = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None

    async def deliver(self, *, to: str, subject: str, text: str) -> None:
        message = EmailMessage()
        name, address = parseaddr(self._sender)
        message["From"] = Address(display_name=name, addr_spec=address)
        message["To"] = Address(addr_spec=to)
        message["Subject"] = subject
        message["Date"] = clock.now()
        message["Message-ID"] = make_msgid(domain=address.rpartition("@")[2])
        message.set_content(text)
        await aiosmtplib.send(
            message,
            hostname=self._host,
            port=self._port,
            use_tls=self._tls,
            start_tls=self._starttls,
            username=self._username,
            password=self._password,
            timeout=20,
        )


class Nowhere:
    """No way to send mail is configured: each attempt fails, and for about three days there is another."""

    async def deliver(self, *, to: str, subject: str, text: str) -> None:
        raise RuntimeError("MENTORSPAN_SMTP_URL is not set: no mail can be sent")


_postbox: list[Postbox] = [Nowhere()]


def use_postbox(postbox: Postbox) -> None:
    """Choose where this process's mail jobs deliver."""
    _postbox[0] = postbox


async def send(db: AsyncSession, *, to: str, subject: str, text: str) -> None:
    """Mail `to` once this transaction has committed."""
    one_line = " ".join(subject.split())
    await defer(db, SEND, to=to, subject=one_line[:200], text=text)


@jobs.task(
    name=SEND,
    queue="mail",
    retry=procrastinate.RetryStrategy(max_attempts=12, exponential_wait=3),
)
async def deliver(*, to: str, subject: str, text: str) -> None:
    """The job behind `send`. After twelve tries, about three days, a mail is given up."""
    try:
        await _postbox[0].deliver(to=to, subject=subject, text=text)
    except Exception as error:
        # Never the address or the text: links in mails open accounts.
        log.warning("mail_not_delivered", error=type(error).__name__)
        raise
