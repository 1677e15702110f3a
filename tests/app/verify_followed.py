"""What a client that is open shows, and what it reads again when an event says so.

Every GET of openapi.yaml is here: followed live, or read when somebody opens it, with the reason.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

from typing_extensions import override

from tests.app.visibility import operations

Params = Mapping[str, str]
Read = Callable[[str], Awaitable[Any]]
"""GET a path; None when it is not there (any more)."""


class Told(NamedTuple):
    """An event as its hearer got it, or that a stream is to be read afresh (`reset.…`)."""

    stream: str
    kind: str
    subject: str
    data: Mapping[str, Any]
    seq: int


def path_of(operation: str, params: Params) -> str:
    """Where that is read."""
    return operations()[operation][1].format(**params)


@dataclass(slots=True)
class State:
    """What one person's client shows, by path: the rows of a list by id, or anything else as it came."""

    shown: dict[str, Any] = field(default_factory=dict)

    def rows(self, operation: str) -> dict[str, Any]:
        """The rows of a list that there is once."""
        found: dict[str, Any] = self.shown.get(path_of(operation, {})) or {}
        return found

    def memberships(self) -> list[Any]:
        """My own."""
        me = self.shown.get(path_of("read_me", {}))
        return list(me["memberships"]) if me else []

    def organisation_of(self, membership_id: str) -> str:
        """Where one of my memberships is."""
        return next(
            (row["organisation"]["id"] for row in self.memberships() if row["id"] == membership_id), ""
        )


class Renewal(Protocol):
    """How a client that was told something makes what it shows true again."""

    def part(self, state: State, path: str, params: Params, told: Told) -> object:
        """What of the state it is about; None when nothing."""

    async def renew(self, read: Read, state: State, path: str, params: Params, told: Told) -> None:
        """Read that again."""


@dataclass(frozen=True, slots=True)
class Afresh(Renewal):
    """Read all of it, where it concerns the event."""

    concerns: Callable[[State, Params, Told], bool] = lambda state, params, told: True

    @override
    def part(self, state: State, path: str, params: Params, told: Told) -> object:
        return state.shown.get(path) if self.concerns(state, params, told) else None

    @override
    async def renew(self, read: Read, state: State, path: str, params: Params, told: Told) -> None:
        if self.concerns(state, params, told):
            state.shown[path] = by_id(await read(path))


@dataclass(frozen=True, slots=True)
class One(Renewal):
    """Read the row that the event names, by itself, and put it in its place."""

    operation: str
    name: str

    @override
    def part(self, state: State, path: str, params: Params, told: Told) -> object:
        return (state.shown.get(path) or {}).get(told.subject)

    @override
    async def renew(self, read: Read, state: State, path: str, params: Params, told: Told) -> None:
        await put(read, state.shown[path], told.subject, path_of(self.operation, {self.name: told.subject}))


@dataclass(frozen=True, slots=True)
class OfPairing(Renewal):
    """Read the rows that belong to the mentorship that the event names: in one list, or one by one."""

    operation: str
    name: str
    together: bool

    @override
    def part(self, state: State, path: str, params: Params, told: Told) -> object:
        rows = (state.shown.get(path) or {}).values()
        return [row for row in rows if row["pairing_id"] == told.subject] or None

    @override
    async def renew(self, read: Read, state: State, path: str, params: Params, told: Told) -> None:
        shown = state.shown[path]
        ids = [identity for identity, row in shown.items() if row["pairing_id"] == told.subject]
        if not self.together:
            for identity in ids:
                await put(read, shown, identity, path_of(self.operation, {self.name: identity}))
            return
        for identity in ids:
            del shown[identity]
        shown.update(by_id(await read(path_of(self.operation, {self.name: told.subject}))) or {})


async def put(read: Read, shown: dict[str, Any], identity: str, path: str) -> None:
    """Show this one as it is now, or not at all."""
    row = await read(path)
    if row is None:
        shown.pop(identity, None)
    else:
        shown[identity] = row


def by_id(answer: Any) -> Any:
    """A page as rows by id; anything else as it is."""
    if isinstance(answer, dict) and "next_cursor" in answer:
        assert answer["next_cursor"] is None, "these scenes fit on one page"
        return {row["id"]: row for row in answer["items"]}
    return answer


def the(name: str) -> Afresh:
    """The one that the event names."""
    return Afresh(lambda state, params, told: params[name] == told.subject)


ALL: Final = Afresh()
HERE: Final = Afresh(
    lambda state, params, told: params["organisation_id"] == state.organisation_of(told.stream)
)
"""That of the organisation of the membership that was told."""
ATTENDED: Final = Afresh(
    lambda state, params, told: (
        state.rows("list_meetings").get(params["meeting_id"], {}).get("pairing_id") == told.subject
    )
)
"""That of the meetings of the mentorship that the event names."""


@dataclass(frozen=True, slots=True)
class Live:
    """Something that is followed: which instances, and what is done when an event of a kind comes."""

    operation: str
    renewed_by: Mapping[str, Renewal]
    each: Callable[[State], Iterable[Params]] = lambda state: [{}]

    def instances(self, state: State) -> list[tuple[str, Params]]:
        """Those that the state names, by path."""
        return [(path_of(self.operation, params), params) for params in self.each(state)]


def for_each(operation: str, name: str) -> Callable[[State], Iterable[Params]]:
    """One for each row of a list."""
    return lambda state: [{name: identity} for identity in state.rows(operation)]


def _where_i_coordinate(state: State) -> Iterable[Params]:
    coordinating = {"coordinator", "administrator"}
    return [
        {"organisation_id": row["organisation"]["id"]}
        for row in state.memberships()
        if coordinating & set(row["roles"])
    ]


_mine: Final = {"memberships.changed": ALL, "reset.membership": ALL}
_role: Final = {**_mine, "membership.changed": HERE}
_talk: Final = One("read_conversation", "conversation_id")

LIVE: Final = (
    Live("read_me", {**_mine, "account.changed": ALL, "membership.changed": ALL}),
    Live("read_reminder_preferences", {"account.changed": ALL}),
    Live("list_organisations", _mine),
    Live("list_invitations", {**_role, "invitation.changed": HERE}, _where_i_coordinate),
    Live("list_partnerships", {**_role, "partnership.changed": HERE}, _where_i_coordinate),
    Live("list_reports", {**_role, "report.changed": HERE}, _where_i_coordinate),
    Live("list_my_reports", {"report.changed": ALL}),
    Live("list_schedules", {"availability.changed": ALL}),
    Live("list_absences", {"availability.changed": ALL}),
    Live("list_blocks", {"blocks.changed": ALL}),
    Live("list_imported_calendars", {"imported_calendar.changed": ALL}),
    Live(
        "list_pairings",
        {**_mine, "membership.changed": ALL, "pairing.changed": One("read_pairing", "pairing_id")},
    ),
    Live(
        "list_meetings",
        {
            **_mine,
            "meeting.changed": One("read_meeting", "meeting_id"),
            "pairing.changed": OfPairing("list_pairing_meetings", "pairing_id", together=True),
        },
    ),
    Live(
        "read_meeting_history",
        {**_mine, "meeting.changed": the("meeting_id"), "pairing.changed": ATTENDED},
        for_each("list_meetings", "meeting_id"),
    ),
    Live(
        "read_attendance",
        {**_mine, "call.changed": the("meeting_id"), "pairing.changed": ATTENDED},
        for_each("list_meetings", "meeting_id"),
    ),
    Live(
        "read_recordings",
        {**_mine, "call.changed": the("meeting_id"), "pairing.changed": ATTENDED},
        for_each("list_meetings", "meeting_id"),
    ),
    Live(
        "read_meeting_replies",
        {
            **_mine,
            "meeting.replied": the("meeting_id"),
            "meeting.changed": the("meeting_id"),
            "pairing.changed": ATTENDED,
        },
        for_each("list_meetings", "meeting_id"),
    ),
    Live(
        "list_conversations",
        {
            **_mine,
            "conversation.changed": _talk,
            "conversation.read": _talk,
            "reset.conversation": _talk,
            "pairing.changed": OfPairing("read_conversation", "conversation_id", together=False),
        },
    ),
    Live(
        "read_messages",
        {
            **_mine,
            "conversation.changed": the("conversation_id"),
            "reset.conversation": the("conversation_id"),
        },
        for_each("list_conversations", "conversation_id"),
    ),
)
"""In an order in which a list comes before what it names. `message.*` is applied from what it says."""

IN_A_LIST: Final = {
    "read_organisation": ("list_organisations", "organisation_id"),
    "read_schedule": ("list_schedules", "schedule_id"),
    "read_pairing": ("list_pairings", "pairing_id"),
    "read_meeting": ("list_meetings", "meeting_id"),
    "read_conversation": ("list_conversations", "conversation_id"),
    "list_pairing_meetings": ("list_meetings", "pairing_id"),
}
"""Followed by way of a list in which the same rows stand (a test reads both)."""

ON_DEMAND: Final = {
    "list_memberships": "a directory: there may be thousands of people, whose profiles change daily",
    "read_membership": "opened from that directory; one's own stand in read_me, which is followed",
    "search_people": "a search: its answer is for the moment in which somebody looks",
    "read_person": "opened from a search; whoever one deals with stands in pairings, which are followed",
    "read_slots": "its answer is for the moment in which somebody looks; a time is held, then booked",
    "read_my_slots": "the same",
    "read_holidays": "written once a year; opened where it is written, and slots heed it by themselves",
    "read_recording_file": "does not change; that there is one stands in read_recordings, which is followed",
    "read_meeting_policy": "a setting: read where somebody opens the settings of their organisation",
    "read_calendar_settings": "one's own, on the page where they are set",
    "read_calendar_feed": "one's own, on the page where it is made",
    "fetch_calendar": "for calendar programs, which ask again by themselves",
    "read_config": "the same until the server starts anew",
    "list_mailbox": "in development only",
    "healthz": "for machines",
    "readyz": "for machines",
}
"""Besides these, plain members read the partnerships of their organisation when they open them."""

FROM_CONTENT: Final = ("message.posted", "message.edited", "message.deleted")


def apply_message(state: State, told: Told) -> None:
    """Show what an event in a conversation says, without reading anything."""
    talk = state.rows("list_conversations")[told.stream]
    history = state.shown[path_of("read_messages", {"conversation_id": told.stream})]["items"]
    if told.kind in FROM_CONTENT:
        message = dict(told.data)
        places = [place for place, row in enumerate(history) if row["id"] == message["id"]]
        if places:
            history[places[0]] = message
        elif told.kind == "message.posted":
            history.append(message)
    mine = {row["id"] for row in state.memberships()}
    waiting = [
        row
        for row in history
        if row["seq"] > talk["read_up_to"] and row["author_id"] not in mine and not row["deleted"]
    ]
    talk["head"] = told.seq
    talk["last_message"] = history[-1] if history else None
    talk["unread"] = len(waiting)
    talk["unread_mentions"] = sum(bool(mine & set(row["mentions"])) for row in waiting)
