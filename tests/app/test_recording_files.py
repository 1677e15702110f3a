"""Files of recordings: in parts, by names that are known only, and gone when their time is over."""

import os
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from app import worker
from app.audit.models import AuditEntry
from app.core import clock
from app.recordings import expiry, storage
from app.recordings.ranges import Unsatisfiable, part_of
from app.recordings.storage import Take
from signalling.contracts.calls import CallRecorded
from tests.app.at_work import running, until
from tests.app.house import CONTENT
from tests.app.problems import problem
from tests.app.studio import Studio, open_studio
from tests.logs import capture
from tests.world import World

pytestmark = pytest.mark.database


@pytest.fixture
async def studio(world: World) -> Studio:
    return await open_studio(world)


@pytest.fixture
async def fact(studio: Studio) -> CallRecorded:
    made = studio.recorded()
    await studio.tell(made)
    return made


async def fetch(studio: Studio, fact: CallRecorded, name: str = "", **headers: str) -> httpx2.Response:
    path = f"/v1/recordings/{fact.id}/files/{name or fact.files[0].name}"
    return await studio.people[1].get(path, headers=headers)


async def test_a_whole_file(studio: Studio, fact: CallRecorded) -> None:
    answer = await fetch(studio, fact)
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["content-type"] == "video/webm"
    assert answer.headers["content-disposition"] == f'attachment; filename="{fact.files[0].name}"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["x-content-type-options"] == "nosniff"


PARTS = {
    "bytes=0-0": (0, 0),
    "bytes=10-19": (10, 19),
    "Bytes=1000-": (1000, 1023),
    "bytes=-24": (1000, 1023),
    "bytes=1000-99999": (1000, 1023),
    "bytes=-99999": (0, 1023),
    "bytes= 5-6 ": (5, 6),
}


async def test_a_part_of_a_file(studio: Studio, fact: CallRecorded) -> None:
    for asked, (first, last) in PARTS.items():
        answer = await fetch(studio, fact, Range=asked)
        assert (answer.status_code, answer.content) == (206, CONTENT[first : last + 1]), asked
        assert answer.headers["content-range"] == f"bytes {first}-{last}/1024"
        assert answer.headers["content-length"] == str(last - first + 1)


async def test_a_part_that_is_not_there(studio: Studio, fact: CallRecorded) -> None:
    for asked in ("bytes=1024-", "bytes=5000-6000", "bytes=-0"):
        answer = await fetch(studio, fact, Range=asked)
        assert problem(answer, 416)["code"] == "range_not_satisfiable"
        assert answer.headers["content-range"] == "bytes */1024"


NO_PARTS = (
    "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=9-2", "lines=1-2", "bytes=0-1,4-5", "bytes=1-2x",
    "bytes=" + "9" * 400 + "-", "bytes=0x1-2", "-5", "bytes=--5",
)  # fmt: skip


async def test_what_is_no_range_that_we_know_is_passed_over(studio: Studio, fact: CallRecorded) -> None:
    for asked in NO_PARTS:
        answer = await fetch(studio, fact, Range=asked)
        assert (answer.status_code, answer.content) == (200, CONTENT), asked


async def test_a_part_of_what_may_have_changed_is_all_of_it(studio: Studio, fact: CallRecorded) -> None:
    answer = await fetch(studio, fact, Range="bytes=0-1", **{"If-Range": '"something"'})
    assert (answer.status_code, len(answer.content)) == (200, 1024)


@given(size=st.integers(0, 5000), header=st.from_regex(r"bytes=[0-9]{0,5}-[0-9]{0,5}", fullmatch=True))
def test_a_part_lies_in_the_file(size: int, header: str) -> None:
    try:
        part = part_of(size, header)
    except Unsatisfiable:
        return
    if part is not None:
        start, length = part
        assert 0 <= start < start + length <= size


HOSTILE = (
    "manifest.json", "..", ".", "../manifest.json", "%2e%2e%2fmanifest.json", "..%2f..%2f..%2fetc%2fpasswd",
    "%2Fetc%2Fpasswd", "a%00b", "x" * 122, "%5c..%5cmanifest.json", ".manifest", "nothing.webm", "%0a", "*",
)  # fmt: skip


async def test_only_names_that_are_known_lead_to_files(studio: Studio, fact: CallRecorded) -> None:
    for name in HOSTILE:
        answer = await fetch(studio, fact, name)
        assert answer.status_code in (404, 405, 422), name
        assert CONTENT not in answer.content
        answer = await fetch(studio, fact, f"{name}%2f{fact.files[0].name}")
        assert answer.status_code in (404, 405, 422), name


async def test_links_and_folders_are_no_files(studio: Studio, fact: CallRecorded, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("not yours")
    place = studio.folder(fact) / fact.files[0].name
    place.unlink()
    place.symlink_to(secret)
    assert problem(await fetch(studio, fact), 503)["code"] == "recording_unreadable"
    place.unlink()
    place.mkdir()
    assert problem(await fetch(studio, fact), 404)["code"] == "file_missing"
    place.rmdir()
    os.mkfifo(place)
    assert problem(await fetch(studio, fact), 404)["code"] == "file_missing"
    place.unlink()
    assert problem(await fetch(studio, fact), 404)["code"] == "file_missing"


# The end of their time


def _age(place: Path, days: float) -> None:
    then = clock.now().timestamp() - days * 86_400
    os.utime(place, (then, then))


async def _expire(studio: Studio) -> None:
    await expiry.end_old(studio.world.database, studio.world.door.settings)


async def test_what_has_been_kept_for_long_enough_is_deleted(studio: Studio) -> None:
    now = clock.now()
    old, young = (studio.recorded(at=now - timedelta(days=days)) for days in (90.1, 89.9))
    await studio.tell(old, young)
    await _expire(studio)
    assert [take["id"] for take in await studio.listed(studio.people[0])] == [str(young.id)]
    assert not studio.folder(old).exists()
    assert studio.folder(young).is_dir()
    entries = await studio.world.rows(select(AuditEntry).where(AuditEntry.action == "recording.deleted"))
    assert [(entry.actor_id, entry.subject_id) for entry in entries] == [(None, old.id)]
    studio.world.door.settings.recording_days = 1
    await _expire(studio)
    assert await studio.listed(studio.people[0]) == []


async def test_the_worker_does_so_by_itself(studio: Studio) -> None:
    old = studio.recorded(at=clock.now() - timedelta(days=91))
    await studio.tell(old)

    async def gone() -> bool:
        return await studio.listed(studio.people[0]) == []

    async with running(worker.end_recordings(studio.world.database, studio.world.door.settings)):
        await until(gone)
    assert not studio.folder(old).exists()


async def test_one_that_cannot_be_deleted_keeps_no_other(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    when = clock.now() - timedelta(days=100)
    stuck, other = (studio.recorded(at=when + timedelta(hours=each)) for each in (1, 2))
    await studio.tell(stuck, other)
    real = storage.remove

    def refuse(root: Path, take: Take) -> None:
        if take.id == stuck.id:
            raise PermissionError("not now")
        real(root, take)

    monkeypatch.setattr(storage, "remove", refuse)
    await _expire(studio)
    assert [take["id"] for take in await studio.listed(studio.people[0])] == [str(stuck.id)]
    monkeypatch.setattr(storage, "remove", real)
    await _expire(studio)
    assert await studio.listed(studio.people[0]) == []


async def test_folders_that_belong_to_nothing_go_when_they_are_old(
    studio: Studio, fact: CallRecorded, tmp_path: Path
) -> None:
    lost, fresh = (Take(uuid4(), uuid4()).below(studio.root) for _ in range(2))
    foreign = studio.root / "lost+found" / str(uuid4())
    inner = studio.root / str(uuid4()) / "notes"
    outside = tmp_path / "outside"
    for place in (lost, fresh, foreign, inner, outside):
        place.mkdir(parents=True)
        (place / "file").write_text("x")
    link = studio.root / str(studio.call_id) / str(uuid4())
    link.symlink_to(outside)
    for place in (lost, foreign, inner, outside, studio.folder(fact), lost.parent):
        _age(place, 91)
    _age(fresh, 89)
    await _expire(studio)
    assert not lost.exists()
    for place in (fresh, foreign, inner, outside / "file", studio.folder(fact) / fact.files[0].name):
        assert place.exists(), place
    _age(lost.parent, 91)
    await _expire(studio)
    assert not lost.parent.exists(), "the folder of its call goes, too"


async def test_a_directory_that_is_away_is_said_in_the_log(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged = capture(monkeypatch, expiry)
    studio.world.door.settings.recordings = studio.root / "nowhere"
    await _expire(studio)
    assert [line["event"] for line in logged] == ["recordings_not_swept"]
    studio.world.door.settings.recordings = None
    await _expire(studio)
    assert len(logged) == 1
