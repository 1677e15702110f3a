"""Rows of the visibility matrix: calendars, their answers, and the secret addresses of feeds."""

from app.calendars.models import CalendarFeed, MeetingInvitation, MeetingReply
from app.core import clock, crypto
from app.scheduling.models import Meeting
from tests.app.house import House
from tests.app.visibility import Principal, Scene
from tests.app.visibility_rows import OWN, PUBLIC, H, S, cells, row, row_with, shown
from tests.world import Person


async def feed_of(house: House, person: Person) -> str:
    """The secret of a feed that someone has."""
    secret = crypto.new_secret()
    await house.world.save(CalendarFeed(account_id=person.account_id, digest=crypto.digest(secret)))
    return secret


async def said(house: House, meeting: Meeting, person: Person, status: str = "accepted") -> None:
    """Someone's calendar has answered."""
    ids = {"meeting_id": meeting.id, "account_id": person.account_id}
    reply = MeetingReply(**ids, status=status, sequence=0, at=clock.now())
    await house.world.save(MeetingInvitation(**ids, sequence=0, asked=0), reply)


def _mine(house: House) -> Scene:
    return Scene(house.mentee, other=house.mentor)


async def _my_feed(house: House) -> Scene:
    await feed_of(house, house.mentee)
    return _mine(house)


async def _fetch(house: House) -> Scene:
    return Scene(house.mentee, {"secret": await feed_of(house, house.mentee)}, other=house.mentor)


async def _replies(house: House) -> Scene:
    await said(house, house.booked, house.mentor)
    return Scene(
        house.mentee,
        {"meeting_id": house.booked.id},
        other=house.mentor,
        side=house.coordinator,
        hidden=shown(house.mentor.name, house.mentor.membership_id),
    )


async def _circle_replies(house: House) -> Scene:
    scene = await _replies(house)
    await said(house, house.circle_booked, house.mentor)
    scene.path = {"meeting_id": house.circle_booked.id}
    return scene


row("read_calendar_settings", OWN, _mine)
row(
    "edit_calendar_settings",
    OWN,
    lambda house: Scene(house.mentee, body={"invitations": False}, other=house.mentor),
)
row_with("read_calendar_feed", OWN, _my_feed)
row_with("make_calendar_feed", OWN, _my_feed)
row_with("end_calendar_feed", OWN, _my_feed)
row_with("fetch_calendar", PUBLIC, _fetch)
row_with("read_meeting_replies", {**cells(H, H, blocked=H), Principal.WRONG_SIDE: H}, _replies)
row_with("read_meeting_replies", cells(H, H, blocked=S, left=H), _circle_replies, "circle")
