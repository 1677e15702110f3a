"""Rows of the visibility matrix: recordings are for those who are in them, and for nobody else."""

from typing import Final

from app.pairings.models import Part
from app.recordings.models import Recording
from app.recordings.storage import Take
from app.scheduling import queries as meetings
from tests.app.house import CONTENT, House, member
from tests.app.visibility import Expect, Principal, Scene
from tests.app.visibility_rows import H, S, cells, row_with, shown
from tests.world import Person

PAIR: Final = {**cells(H, H, blocked=H), Principal.WRONG_SIDE: H}
"""Coordinators do not see the recordings of the people they look after."""
CIRCLE: Final = cells(H, H, left=H)


async def _file(house: House, recording: Recording, *, of: Person) -> str:
    """The name of somebody's file; all that the take holds is put on disk."""
    root = house.world.door.settings.recordings
    assert root is not None
    folder = Take(recording.call_id, recording.id).below(root)
    folder.mkdir(parents=True, exist_ok=True)
    names = {}
    meeting = house.circle_booked if recording is house.circle_recorded else house.booked
    async with house.world.database.transaction() as db:
        for stay in await meetings.attendance(db, meeting.id):
            names[stay.membership_id] = f"{stay.id}-camera-1.webm"
            (folder / names[stay.membership_id]).write_bytes(CONTENT)
    return names[member(of)]


async def _scene(house: House, which: str, *, of: Person | None = None, side: Person | None = None) -> Scene:
    """The mentee with a recording of the pair or of the circle."""
    recording: Recording = getattr(house, which)
    name = await _file(house, recording, of=of or house.mentee)
    return Scene(house.mentee, {"recording_id": recording.id, "name": name}, other=house.mentor, side=side)


async def _list(house: House) -> Scene:
    scene = await _scene(house, "recorded", side=house.coordinator)
    scene.path = {"meeting_id": house.booked.id}
    scene.hidden = shown(house.recorded.id)
    return scene


async def _circle_list(house: House) -> Scene:
    scene = await _scene(house, "circle_recorded")
    scene.path = {"meeting_id": house.circle_booked.id}
    scene.hidden = shown(house.mentor.name, house.mentor.membership_id)
    return scene


async def _beside(house: House) -> None:
    """A colleague is in the circle, as on every stage, and was not in its call."""
    await house.world.run(
        "INSERT INTO participant (id, pairing_id, membership_id, role, joined_at) "
        "SELECT gen_random_uuid(), :circle, :member, :role, now() WHERE NOT EXISTS "
        "(SELECT 1 FROM participant WHERE pairing_id = :circle AND membership_id = :member)",
        circle=house.circle.id,
        member=house.colleague.membership_id,
        role=Part.MENTEE.value,
    )


async def _list_beside(house: House) -> Scene:
    await _beside(house)
    scene = await _circle_list(house)
    scene.hidden = shown(house.circle_recorded.id)
    return scene


row_with("read_recordings", PAIR, _list)
row_with("read_recordings", cells(H, H, blocked=S, left=H), _circle_list, "circle")
row_with("read_recordings", cells(H, S, left=H), _list_beside, "not in the take")


async def _pair_file(house: House) -> Scene:
    return await _scene(house, "recorded", side=house.coordinator)


async def _circle_file(house: House) -> Scene:
    await _beside(house)
    return await _scene(house, "circle_recorded", side=house.coordinator)


async def _others_file(house: House) -> Scene:
    """The file of someone else in the take."""
    return await _scene(house, "circle_recorded", of=house.mentor)


for _operation in ("read_recording_file", "delete_recording"):
    row_with(_operation, PAIR, _pair_file)
    row_with(_operation, {**CIRCLE, Principal.WRONG_SIDE: Expect.HIDDEN}, _circle_file, "circle")
row_with("read_recording_file", cells(H, H, blocked=H, left=H), _others_file, "of someone kept apart")
