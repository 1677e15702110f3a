"""Mail through a port: SMTP, or in development a mailbox that anyone at the machine can read."""

from dataclasses import asdict, dataclass
from datetime import datetime
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
from app.settings import get_settings

log = structlog.get_logger()
SEND = "mail.send"


@dataclass(frozen=True, slots=True)
class Calendar:
    """A calendar object that travels with a mail (iMIP, RFC 6047)."""

    method: str
    """REQUEST, CANCEL: METHOD of iTIP, which the part's content type repeats."""
    text: str


@dataclass(frozen=True, slots=True)
class Mail:
    """One message. Its id is given when it is written, so a repeated delivery is the same mail."""

    to: str
    subject: str
    text: str
    message_id: str
    calendar: Calendar | None = None
    reply_to: str | None = None


class Postbox(Protocol):
    """Where mail goes."""

    async def deliver(self, mail: Mail) -> None:
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

    async def deliver(self, mail: Mail) -> None:
        message = written(mail, self._sender)
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


def written(mail: Mail, sender: str) -> EmailMessage:
    """The message as it travels (RFC 5322), with its calendar object as an alternative (RFC 6047)."""
    message = EmailMessage()
    name, address = parseaddr(sender)
    message["From"] = Address(display_name=name, addr_spec=address)
    message["To"] = Address(addr_spec=mail.to)
    if mail.reply_to:
        message["Reply-To"] = Address(addr_spec=mail.reply_to)
    message["Subject"] = mail.subject
    message["Date"] = clock.now()
    message["Message-ID"] = mail.message_id
    message.set_content(mail.text)
    if mail.calendar is not None:
        message.add_alternative(
            mail.calendar.text, subtype="calendar", params={"method": mail.calendar.method}
        )
    return message


class Nowhere:
    """No way to send mail is configured: each attempt fails, and for about three days there is another."""

    async def deliver(self, mail: Mail) -> None:
        raise RuntimeError("MENTORSPAN_SMTP_URL is not set: no mail can be sent")


_postbox: list[Postbox] = [Nowhere()]


def use_postbox(postbox: Postbox) -> None:
    """Choose where this process's mail jobs deliver."""
    _postbox[0] = postbox


async def send(
    db: AsyncSession,
    *,
    to: str,
    subject: str,
    text: str,
    calendar: Calendar | None = None,
    message_id: str | None = None,
    reply_to: str | None = None,
    until: datetime | None = None,
) -> int:
    """Mail `to` once this transaction has committed; returns the id of the job that carries it.

    `message_id` (RFC 5322, with its angle brackets) names the occasion where one occasion may be written
    about only once; without it the mail gets one of its own. After `until` nobody wants to read it any more.
    """
    one_line = " ".join(subject.split())[:200]
    mail = Mail(to, one_line, text, message_id or make_msgid(domain=_domain()), calendar, reply_to)
    more = {"until": until.isoformat()} if until else {}
    return await defer(db, SEND, **asdict(mail), **more)


def message_id(name: str) -> str:
    """The one id that a mail about what is named so ever has."""
    return f"<{name}@{_domain()}>"


def _domain() -> str:
    return parseaddr(get_settings().mail_from)[1].rpartition("@")[2]


@jobs.task(
    name=SEND,
    queue="mail",
    retry=procrastinate.RetryStrategy(max_attempts=12, exponential_wait=3),
)
async def deliver(
    *, calendar: dict[str, str] | None = None, until: str | None = None, **arguments: str
) -> None:
    """The job behind `send`. After twelve tries, about three days, a mail is given up."""
    if until is not None and clock.now() >= datetime.fromisoformat(until):
        log.info("mail_outdated")
        return
    # A job that waited from before mails had ids is given one here.
    arguments.setdefault("message_id", make_msgid())
    try:
        await _postbox[0].deliver(Mail(**arguments, calendar=Calendar(**calendar) if calendar else None))
    except Exception as error:
        # Never the address or the text: links in mails open accounts.
        log.warning("mail_not_delivered", error=type(error).__name__)
        raise
