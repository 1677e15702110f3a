"""The addresses in invitations: where answers go, and who people are to each other's calendars. Pure.

An answer is believed for the address that it comes to. From can be forged by anybody; a reply address is
known only to whom it was sent, and to their mail servers.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from app.core import crypto

TOKEN: Final = re.compile(r"\+([a-z2-7]{26})@", re.IGNORECASE)
"""As it stands in a reply address; mail servers may change the case of its letters."""
_LABEL: Final = b"mentorspan calendar replies"


def token(secret: bytes, subject: UUID, account_id: UUID) -> str:
    """What one person's answers about one meeting or series must carry. It is the same in every update of it.

    128 bits in letters and digits, because a local part may hold 64 characters and be written in capitals.
    """
    key = hmac.new(secret, _LABEL, hashlib.sha256).digest()
    mac = hmac.new(key, subject.bytes + account_id.bytes, hashlib.sha256).digest()
    return base64.b32encode(mac[:16]).decode().rstrip("=").lower()


def reply_address(calendar: str, token: str) -> str:
    """The installation's calendar address with a token: `calendar+<token>@host`."""
    local, _, host = calendar.rpartition("@")
    return f"{local}+{token}@{host}"


def holder(secret: bytes, subject: UUID, tokens: Iterable[str], account_ids: Iterable[UUID]) -> UUID | None:
    """Whose of these people's answers about the subject one of these tokens is for."""
    given = [one.encode() for one in tokens]
    for account_id in account_ids:
        right = token(secret, subject, account_id).encode()
        if any(crypto.same(right, one) for one in given):
            return account_id
    return None


def opaque(membership_id: UUID, host: str) -> str:
    """Someone in the calendar of another: nobody's mail address."""
    return f"participant-{membership_id.hex}@{host}"


def uid(subject: UUID, host: str) -> str:
    """The name of a meeting or series in every calendar, for ever."""
    return f"{subject}@{host}"


def subject_of(uid: str) -> UUID | None:
    """Which meeting or series that names; the host may be an older one of ours."""
    name = uid.partition("@")[0]
    try:
        return UUID(name) if len(name) == 36 else None
    except ValueError:
        return None


def message_id(meeting_id: UUID, sequence: int, account_id: UUID, host: str) -> str:
    """The Message-ID of what one person is told of one state of a meeting."""
    return f"<{meeting_id}.{sequence}.{account_id}@{host}>"
