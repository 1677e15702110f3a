"""Recordings: what nodes report, however often and in whatever order, is for those who are in it."""

import shutil
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select

from app.audit.models import AuditEntry
from app.core import clock
from app.recordings import storage
from app.recordings.models import Recording, RecordingFile
from app.scheduling import calls
from app.scheduling.models import Attendance
from signalling.contracts.calls import RecordedPart
from tests.app.studio import Studio, open_circle, open_studio
from tests.logs import capture
from tests.world import World

pytestmark = pytest.mark.database


@pytest.fixture
async def studio(world: World) -> Studio:
    return await open_studio(world)


async def test_what_a_node_recorded_is_listed_for_both(studio: Studio) -> None:
    mentee, mentor = studio.people
    sound = studio.part(mentor, "sound.webm", codecs=("opus",), sources=("microphone",), offset_ms=500)
    other = studio.part(mentor, "screen.mkv", codecs=("h264",), sources=("screen",), offset_ms=900)
    fact = studio.recorded(files=(sound, studio.part(mentee), other), cut=True, ended="interrupted")
    await studio.tell(fact)
    (take,) = await studio.listed(mentee)
    assert (take["id"], take["meeting_id"]) == (str(fact.id), studio.meeting_id)
    assert (take["cut"], take["ended"], take["duration_ms"]) == (True, "interrupted", 60_000)
    kept = clock.now() - timedelta(minutes=1) + timedelta(days=90)
    assert abs(kept.timestamp() - _moment(take["expires_at"])) < 60
    assert [(each["person"], each["is_me"], each["media_type"]) for each in take["files"]] == [
        ("Priya Raman", True, "video/webm"),
        ("Amara Okafor", False, "audio/webm"),
        ("Amara Okafor", False, "video/x-matroska"),
    ]
    (same,) = await studio.listed(mentor)
    assert [each["name"] for each in same["files"]] == [each["name"] for each in take["files"]]


def _moment(text: str) -> float:
    return clock.now().fromisoformat(text).timestamp()


async def test_told_twice_it_is_one(studio: Studio) -> None:
    fact = studio.recorded()
    await studio.tell(fact, fact)
    assert len(await studio.listed(studio.people[0])) == 1
    assert len(await studio.world.rows(select(RecordingFile))) == 2


async def test_a_take_may_be_told_before_who_was_there(studio: Studio) -> None:
    mentee, mentor = studio.people
    await studio.world.run("DELETE FROM attendance")
    await studio.tell(studio.recorded())
    assert await studio.listed(mentee) == []
    await studio.tell(studio.joined(mentor))
    assert await studio.listed(mentee) == []
    assert [file["person"] for file in (await studio.listed(mentor))[0]["files"]] == ["Amara Okafor"]
    await studio.tell(studio.joined(mentee))
    assert len((await studio.listed(mentee))[0]["files"]) == 2


async def test_a_take_of_a_call_that_nobody_knows_is_passed_over(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged = capture(monkeypatch, calls)
    await studio.tell(studio.recorded().model_copy(update={"call_id": uuid4()}))
    assert await studio.world.rows(select(Recording)) == []
    assert [line["event"] for line in logged] == ["fact_about_unknown_call"]


async def test_a_stay_in_another_call_opens_nothing(studio: Studio) -> None:
    """A node that names a stay of another call has not shown that it was recorded here."""
    second = await open_studio(studio.world)
    mine, theirs = studio.people[0], second.people[0]
    part = second.part(theirs)
    await studio.tell(studio.recorded(files=(studio.part(mine), part)))
    (take,) = await studio.listed(mine)
    assert [file["is_me"] for file in take["files"]] == [True]
    assert (await theirs.get(f"/v1/recordings/{take['id']}/files/{part.name}")).status_code == 404
    assert (await theirs.call("DELETE", f"/v1/recordings/{take['id']}")).status_code == 404


async def test_only_those_in_the_take_see_it(world: World) -> None:
    studio = await open_circle(world)
    lead, mia, mo = studio.people
    fact = studio.recorded(lead, mia)
    await studio.tell(fact)
    assert await studio.listed(mo) == []
    assert (await mo.get(f"/v1/recordings/{fact.id}/files/{fact.files[0].name}")).status_code == 404
    assert (await mo.call("DELETE", f"/v1/recordings/{fact.id}")).status_code == 404
    assert len((await studio.listed(mia))[0]["files"]) == 2


async def test_whoever_agreed_and_sent_nothing_sees_it_too(world: World) -> None:
    studio = await open_circle(world)
    lead, mia, mo = studio.people
    await studio.tell(studio.recorded(lead, agreed=(studio.stays["Lena"], studio.stays["Mia"])))
    (take,) = await studio.listed(mia)
    assert [file["person"] for file in take["files"]] == ["Lena"]
    assert await studio.listed(mo) == []
    assert (await mia.call("DELETE", f"/v1/recordings/{take['id']}")).status_code == 204
    assert await studio.listed(lead) == []


async def test_in_a_circle_people_who_are_kept_apart_do_not_see_each_other(world: World) -> None:
    studio = await open_circle(world)
    lead, mia, mo = studio.people
    fact = studio.recorded()
    await studio.tell(fact)
    await mia.ok("POST", "/v1/blocks", {"membership_id": str(mo.membership_id)})
    for person, others in ((mia, {"Lena", "Mia"}), (mo, {"Lena", "Mo"}), (lead, {"Lena", "Mia", "Mo"})):
        (take,) = await studio.listed(person)
        assert {file["person"] for file in take["files"]} == others
    hidden = studio.part(mo).name
    assert (await mia.get(f"/v1/recordings/{fact.id}/files/{hidden}")).status_code == 404
    assert (await lead.get(f"/v1/recordings/{fact.id}/files/{hidden}")).status_code == 200


async def test_whoever_is_in_it_deletes_it_for_everybody(studio: Studio) -> None:
    mentee, mentor = studio.people
    fact, other = studio.recorded(), studio.recorded()
    await studio.tell(fact, other)
    await mentor.ok("DELETE", f"/v1/recordings/{fact.id}")
    assert not studio.folder(fact).exists()
    assert studio.folder(other).is_dir()
    for person in (mentee, mentor):
        assert [take["id"] for take in await studio.listed(person)] == [str(other.id)]
        assert (await person.get(f"/v1/recordings/{fact.id}/files/{fact.files[0].name}")).status_code == 404
    assert (await mentee.call("DELETE", f"/v1/recordings/{fact.id}")).status_code == 404, "it is gone"
    entries = await studio.world.rows(select(AuditEntry).where(AuditEntry.action == "recording.deleted"))
    assert [(entry.actor_id, entry.subject_id) for entry in entries] == [(mentor.account_id, fact.id)]


async def test_a_take_that_was_deleted_does_not_come_back(studio: Studio) -> None:
    fact = studio.recorded()
    await studio.tell(fact)
    await studio.people[0].ok("DELETE", f"/v1/recordings/{fact.id}")
    await studio.tell(fact)
    assert await studio.listed(studio.people[0]) == []
    (tombstone,) = await studio.world.rows(select(Recording))
    assert tombstone.deleted_at is not None
    assert await studio.world.rows(select(RecordingFile)) == [], "it names nobody"


async def test_what_the_disk_refuses_stays_and_can_be_deleted_again(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, fact = studio.people[0], studio.recorded()
    await studio.tell(fact)
    real = shutil.rmtree

    def refuse(folder: object) -> None:
        next(studio.folder(fact).iterdir()).unlink()
        raise PermissionError(13, "not now", str(folder))

    monkeypatch.setattr(shutil, "rmtree", refuse)
    answer = await person.call("DELETE", f"/v1/recordings/{fact.id}")
    assert (answer.status_code, answer.json()["code"]) == (503, "recording_not_deleted")
    assert str(studio.root) not in answer.text
    assert len(await studio.listed(person)) == 1
    assert await studio.world.rows(select(AuditEntry).where(AuditEntry.action == "recording.deleted")) == []
    monkeypatch.setattr(shutil, "rmtree", real)
    await person.ok("DELETE", f"/v1/recordings/{fact.id}")
    assert not studio.folder(fact).exists()
    assert await studio.listed(person) == []


async def test_a_disk_that_is_not_there_is_not_an_empty_one(studio: Studio) -> None:
    person, fact = studio.people[0], studio.recorded()
    await studio.tell(fact)
    away = studio.root.with_name("unmounted")
    studio.root.rename(away)
    assert (await person.call("DELETE", f"/v1/recordings/{fact.id}")).status_code == 503
    away.rename(studio.root)
    assert len(await studio.listed(person)) == 1
    await person.ok("DELETE", f"/v1/recordings/{fact.id}")


async def test_a_take_whose_files_are_gone_can_be_deleted(studio: Studio) -> None:
    person, fact = studio.people[0], studio.recorded()
    await studio.tell(fact)
    storage.remove(studio.root, storage.Take(studio.call_id, fact.id))
    await person.ok("DELETE", f"/v1/recordings/{fact.id}")
    assert await studio.listed(person) == []


async def test_without_a_directory_nothing_is_fetched_or_deleted(studio: Studio) -> None:
    person, fact = studio.people[0], studio.recorded()
    await studio.tell(fact)
    studio.world.door.settings.recordings = None
    for method, rest in (("GET", f"/files/{fact.files[0].name}"), ("DELETE", "")):
        answer = await person.call(method, f"/v1/recordings/{fact.id}{rest}")
        assert (answer.status_code, answer.json()["code"]) == (503, "no_recordings_here")
    assert len(await studio.listed(person)) == 1


PART = {
    "participant_id": uuid4(), "sources": (), "codecs": (), "offset_ms": 0, "duration_ms": 0, "bytes": 0,
}  # fmt: skip


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "", "a\x00b", "x" * 122, "-a", "a\n"])
def test_a_node_cannot_name_a_file_elsewhere(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        RecordedPart(
            name=name, participant_id=uuid4(), sources=(), codecs=(), offset_ms=0, duration_ms=0, bytes=0
        )


async def test_attendance_that_is_gone_takes_its_recording_out_of_sight(studio: Studio) -> None:
    """The negative control of resolving people by their stays."""
    await studio.tell(studio.recorded())
    assert len(await studio.world.rows(select(Attendance))) == 2
    await studio.world.run("DELETE FROM attendance WHERE id = :id", id=studio.stays["Priya Raman"])
    assert await studio.listed(studio.people[0]) == []
    assert len(await studio.listed(studio.people[1])) == 1
