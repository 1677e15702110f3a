"""Who listens here: the events sockets of each account and sign-in session, and what lets a lost one back."""

import secrets
from dataclasses import dataclass, field
from uuid import UUID

from signalling.admissions import REMEMBER_SECONDS
from signalling.connection import Connection
from signalling.protocol.codes import CloseCode, ErrorCode
from signalling.protocol.events import Error, Shown, text

# More sockets than this of one account: the oldest goes.
MOST_OF_ACCOUNT = 20


@dataclass(frozen=True, slots=True)
class Pass:
    """What lets a socket in: which account, by which sign-in session, and whether it wants to be hidden."""

    account_id: UUID
    session_id: UUID
    hidden: bool = False
    """The person chose to be hidden on this device."""


@dataclass(slots=True, eq=False)
class Listener:
    """One open events socket."""

    account_id: UUID
    session_id: UUID
    link: Connection
    token: str
    state: Shown
    strikes: int = 0
    watched: frozenset[UUID] = frozenset()
    typed: dict[UUID, tuple[float, bool]] = field(default_factory=dict)

    def refuse(self, code: ErrorCode, detail: str, about: str | None) -> None:
        """Say that something was not carried out."""
        self.link.push(text(Error(code=code, detail=detail, about=about)))


@dataclass(frozen=True, slots=True)
class _Veil:
    """What app last said of whether an account is hidden, and until when that is remembered at least."""

    version: int
    veiled: bool
    until: float


class Listeners:
    """All events sockets of this node, and the tokens of those that were lost a moment ago."""

    def __init__(self, grace_seconds: float) -> None:
        self.census = 0
        """Changes whenever a socket comes or goes."""
        self._grace = grace_seconds
        self._accounts: dict[UUID, list[Listener]] = {}
        self._sessions: dict[UUID, set[Listener]] = {}
        self._lost: dict[str, tuple[float, Pass]] = {}
        self._awaited: dict[UUID, int] = {}
        self._open: dict[str, Listener] = {}
        self._veils: dict[UUID, _Veil] = {}

    def __len__(self) -> int:
        return len(self._open)

    def has(self, listener: Listener) -> bool:
        """Whether this socket still counts."""
        return listener.token in self._open

    def everyone(self) -> list[Listener]:
        """Every open socket."""
        return list(self._open.values())

    def of(self, account_id: UUID) -> list[Listener]:
        """The open sockets of an account, the oldest first."""
        return self._accounts.get(account_id, [])

    def accounts(self) -> list[UUID]:
        """Accounts with an open socket."""
        return list(self._accounts)

    def sessions(self) -> set[UUID]:
        """Every sign-in session that has a socket or could resume one."""
        return {*self._sessions, *(known.session_id for _, known in self._lost.values())}

    def add(self, entry: Pass, link: Connection, state: Shown) -> Listener:
        """A socket is in; an account with too many loses its oldest."""
        listener = Listener(entry.account_id, entry.session_id, link, secrets.token_urlsafe(32), state)
        here = self._accounts.setdefault(entry.account_id, [])
        if len(here) >= MOST_OF_ACCOUNT:
            self.end(here[0], CloseCode.REPLACED)
            here = self._accounts.setdefault(entry.account_id, [])
        here.append(listener)
        self._sessions.setdefault(entry.session_id, set()).add(listener)
        self._open[listener.token] = listener
        self.census += 1
        return listener

    def lose(self, listener: Listener, now: float) -> None:
        """A socket is gone without a goodbye: it may come back."""
        if self._remove(listener):
            known = Pass(listener.account_id, listener.session_id, listener.state == "hidden")
            self._lost[listener.token] = (now + self._grace, known)
            self._awaited[known.account_id] = self._awaited.get(known.account_id, 0) + 1

    def end(self, listener: Listener, code: CloseCode | None = None) -> None:
        """A socket is gone, or goes now, for good."""
        self._remove(listener)
        if code is not None:
            listener.link.cut(code)

    def veil(self, account_id: UUID, version: int, *, veiled: bool, now: float) -> None:
        """App says whether the account never shows that it is there, unless something newer is known."""
        known = self._veils.get(account_id)
        if known is None or version >= known.version:
            self._veils[account_id] = _Veil(version, veiled, now + REMEMBER_SECONDS)

    def veiled(self, account_id: UUID) -> bool:
        """Whether the account never shows that it is there."""
        veil = self._veils.get(account_id)
        return veil is not None and veil.veiled

    def resume(self, token: str, now: float) -> Pass | None:
        """What a token proves, which it does once. The socket that it is from is cut, if it is still open."""
        listener = self._open.get(token)
        if listener is not None:
            self.lose(listener, now)
            listener.link.cut(CloseCode.REPLACED)
        if token not in self._lost:
            return None
        until = self._lost[token][0]
        known = self._void(token)
        return known if now < until else None

    def revoke(self, session_id: UUID) -> tuple[list[Listener], list[UUID]]:
        """A sign-in session has ended: its sockets go, and its tokens.

        Returns the sockets, and the accounts that are not awaited any more.
        """
        gone = list(self._sessions.get(session_id, ()))
        for listener in gone:
            self._remove(listener)
            listener.link.cut_off(CloseCode.REMOVED)
        lost = [token for token, (_, known) in self._lost.items() if known.session_id == session_id]
        return gone, [self._void(token).account_id for token in lost]

    def lapse(self, now: float) -> list[UUID]:
        """Forget the tokens whose time is over. Returns their accounts."""
        over = [token for token, (until, _) in self._lost.items() if until <= now]
        return [self._void(token).account_id for token in over]

    def tidy(self, now: float) -> None:
        """Forget who is veiled when nobody of theirs is here, and no ticket from before is about any more."""
        for account_id, veil in list(self._veils.items()):
            if veil.until <= now and account_id not in self._accounts and not self.awaited(account_id):
                del self._veils[account_id]

    def awaited(self, account_id: UUID) -> bool:
        """Whether a lost socket of the account may come back."""
        return account_id in self._awaited

    def _void(self, token: str) -> Pass:
        known = self._lost.pop(token)[1]
        self._awaited[known.account_id] -= 1
        if not self._awaited[known.account_id]:
            del self._awaited[known.account_id]
        return known

    def _remove(self, listener: Listener) -> bool:
        if self._open.pop(listener.token, None) is None:
            return False
        self.census += 1
        _discard(self._sessions, listener.session_id, listener)
        here = self._accounts[listener.account_id]
        here.remove(listener)
        if not here:
            del self._accounts[listener.account_id]
        return True


def _discard(groups: dict[UUID, set[Listener]], key: UUID, listener: Listener) -> None:
    group = groups[key]
    group.discard(listener)
    if not group:
        del groups[key]
