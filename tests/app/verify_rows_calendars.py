"""What is played for everybody about calendars: their answers come in by mail."""

from typing import Final

from app.calendars import addresses, service
from app.calendars.models import MeetingInvitation
from tests.app.letters import reply
from tests.app.verify_action import Stage
from tests.app.verify_rows import PLAYS, Act, block, first, play


def invited(which: str, *names: str) -> Act:
    """The calendars of these people know a meeting of the house."""

    async def act(s: Stage) -> None:
        await s.world.save(
            *(
                MeetingInvitation(
                    meeting_id=getattr(s.house, which).id,
                    account_id=s.person(name).account_id,
                    sequence=0,
                    asked=0,
                )
                for name in names
            )
        )

    return act


def answers(which: str, name: str, status: str) -> Act:
    """Somebody's calendar answers by mail."""

    async def act(s: Stage) -> None:
        person, meeting, keys = s.person(name), getattr(s.house, which), s.world.door.keys
        token = addresses.token(keys.refresh, meeting.id, person.account_id)
        raw = reply(f"{meeting.id}@localhost", person.email, f"calendar+{token}@localhost", status)
        async with s.world.database.transaction() as db:
            assert (await service.take_in(db, raw, keys)).taken

    return act


PAIR: Final = invited("booked", "mentee", "mentor")
CIRCLE: Final = invited("circle_booked", "mentee", "mentor", "colleague")
play("mail", "a calendar declines", answers("booked", "mentor", "DECLINED"), before=PAIR)
play("mail", "in a circle", answers("circle_booked", "colleague", "ACCEPTED"), before=CIRCLE)
play(
    "mail",
    "in a circle, kept apart",
    answers("circle_booked", "colleague", "TENTATIVE"),
    before=first(CIRCLE, block("colleague", "mentor")),
)
play(
    "mail",
    "another answer",
    answers("booked", "mentor", "ACCEPTED"),
    before=first(PAIR, answers("booked", "mentor", "DECLINED")),
)
play(
    "block_person",
    "whose calendar answered",
    block("colleague", "mentor"),
    before=first(CIRCLE, answers("circle_booked", "colleague", "ACCEPTED")),
)
ANSWERED: Final = [str(each) for each in PLAYS if each.name == "mail"]
