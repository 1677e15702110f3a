"""The stays of this node: which socket each has now, and which token resumes it."""

import secrets
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from signalling.media.port import Admission
from signalling.protocol.codes import CloseCode


class Link(Protocol):
    """A socket, as the hub sees it."""

    def push(self, frame: bytes) -> None:
        """Write a frame without waiting."""

    def cut(self, code: CloseCode) -> None:
        """Close without waiting."""


@dataclass(slots=True)
class Stay:
    """What this node holds about one participant besides the protocol's own state."""

    terms: Admission
    link: Link
    token: str
    # The token that the present socket resumed with: good until we hear that its welcome arrived.
    spent: str | None = None

    @property
    def call_id(self) -> UUID:
        return self.terms.call_id

    @property
    def participant_id(self) -> UUID:
        return self.terms.participant_id


class Stays:
    """All stays, by participant and by resume token."""

    def __init__(self) -> None:
        self._stays: dict[UUID, Stay] = {}
        self._tokens: dict[str, Stay] = {}

    @staticmethod
    def new_token() -> str:
        """A resume token: 256 bits that nobody can guess."""
        return secrets.token_urlsafe(32)

    def get(self, participant_id: UUID) -> Stay | None:
        """The stay of a participant."""
        return self._stays.get(participant_id)

    def resumable(self, token: str) -> Stay | None:
        """The stay that this token resumes."""
        return self._tokens.get(token)

    def begin(self, stay: Stay) -> None:
        """Remember a stay."""
        self._stays[stay.participant_id] = self._tokens[stay.token] = stay

    def move(self, stay: Stay, link: Link, used: str, token: str) -> None:
        """A stay goes on at another socket, which came with the token `used` and is given `token`."""
        self._forget_tokens(stay, but=used)
        stay.link, stay.token, stay.spent = link, token, used
        self._tokens[token] = stay

    def heard(self, stay: Stay) -> None:
        """The socket's welcome has arrived, so the token that it came with is spent."""
        if stay.spent is not None:
            self._tokens.pop(stay.spent, None)
            stay.spent = None

    def end(self, participant_id: UUID) -> Stay | None:
        """Forget a stay and everything that resumes it."""
        stay = self._stays.pop(participant_id, None)
        if stay is not None:
            self._forget_tokens(stay)
        return stay

    def _forget_tokens(self, stay: Stay, but: str | None = None) -> None:
        for token in (stay.token, stay.spent):
            if token is not None and token != but:
                self._tokens.pop(token, None)
