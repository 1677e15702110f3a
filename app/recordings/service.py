"""What can be done with recordings."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.accounts.auth import Actor, Doorkeeper
from app.audit import service as audit
from app.core import clock
from app.core.errors import NotFound, NotSatisfiable, Unavailable
from app.organisations.models import Membership
from app.recordings import news, queries, storage
from app.recordings.models import Recording, RecordingFile
from app.recordings.ranges import Unsatisfiable, part_of
from app.recordings.schemas import RecordingFileRead, RecordingRead, RecordingsRead
from app.recordings.storage import Take
from app.scheduling import queries as meetings
from app.scheduling.events import CallWasRecorded
from app.settings import Settings

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class FilePart:
    """What is sent of a file that is open; whoever sends it closes it."""

    file: BinaryIO
    name: str
    media_type: str
    size: int
    """Of the whole file, in bytes."""
    start: int
    length: int
    is_whole: bool


async def of_meeting(db: AsyncSession, actor: Actor, door: Doorkeeper, meeting_id: UUID) -> RecordingsRead:
    """What was recorded of a meeting's call while the actor was in it."""
    await meetings.get(db, actor, meeting_id, lock=False)
    takes = await queries.of_meeting(db, actor, meeting_id)
    files = await queries.files(db, actor, {take.id for take in takes})
    return RecordingsRead(
        items=[
            RecordingRead(
                id=take.id,
                meeting_id=meeting_id,
                started_at=take.started_at,
                duration_ms=take.duration_ms,
                ended=take.ended,
                cut=take.cut,
                expires_at=take.started_at + timedelta(days=door.settings.recording_days),
                files=[_read(*each, actor) for each in files if each[0].recording_id == take.id],
            )
            for take in takes
        ]
    )


def _read(file: RecordingFile, person: Membership, actor: Actor) -> RecordingFileRead:
    return RecordingFileRead(
        name=file.name,
        membership_id=person.id,
        person=person.name,
        is_me=person.account_id == actor.account_id,
        sources=file.sources,
        media_type=file.media_type,
        offset_ms=file.offset_ms,
        duration_ms=file.duration_ms,
        bytes=file.bytes,
        sha256=file.sha256,
    )


async def fetch(
    db: AsyncSession, actor: Actor, door: Doorkeeper, recording_id: UUID, name: str, asked: str | None
) -> FilePart:
    """Open a file; `asked` is the `Range` header. Raises `NotFound`, `NotSatisfiable`, `Unavailable`."""
    recording = await queries.get(db, actor, recording_id, lock=False)
    row = await queries.file(db, actor, recording, name)
    root = _root(door.settings)
    try:
        file, size = await asyncio.to_thread(storage.open_file, root, _take(recording), row.name)
    except FileNotFoundError:
        log.warning("recording_file_missing", recording=str(recording.id), name=row.name)
        raise NotFound("file_missing", "This file is not on the server any more.") from None
    except OSError as error:
        log.warning("recording_unreadable", recording=str(recording.id), error=str(error))
        raise Unavailable("recording_unreadable", "The file cannot be read now. Try again later.") from None
    try:
        part = part_of(size, asked)
    except Unsatisfiable:
        file.close()
        raise NotSatisfiable(headers={"Content-Range": f"bytes */{size}"}) from None
    start, length = part or (0, size)
    return FilePart(file, row.name, row.media_type, size, start, length, part is None)


def _root(settings: Settings) -> Path:
    if settings.recordings is None:
        raise Unavailable("no_recordings_here", "This server has no access to recordings. Tell who runs it.")
    return settings.recordings


def _take(recording: Recording) -> Take:
    return Take(recording.call_id, recording.id)


async def delete(db: AsyncSession, actor: Actor, door: Doorkeeper, recording_id: UUID) -> None:
    """Delete a take for everybody in it, files first: what cannot be removed stays listed. `Unavailable`."""
    recording = await queries.get(db, actor, recording_id)
    await remove(db, door.settings, recording, actor.account_id)


async def remove(
    db: AsyncSession, settings: Settings, recording: Recording, by_account_id: UUID | None
) -> None:
    """Remove the files of a take, then what is known of it. Raises `Unavailable`; it can be repeated."""
    root = _root(settings)
    try:
        await asyncio.to_thread(storage.remove, root, _take(recording))
    except OSError as error:
        log.warning("recording_not_deleted", recording=str(recording.id), error=str(error))
        raise Unavailable(
            "recording_not_deleted",
            "The recording could not be deleted completely. It is still listed: delete it again, and if that "
            "does not help, tell who runs this server.",
        ) from None
    await news.tell(db, recording)
    await queries.forget(db, recording, clock.now())
    audit.record(db, by_account_id, "recording.deleted", recording.id)


async def take_in(db: AsyncSession, event: CallWasRecorded) -> None:
    """A take is over. Told twice, or told again after it was deleted, it changes nothing."""
    fact = event.fact
    recording = Recording(
        id=fact.id,
        call_id=fact.call_id,
        started_at=fact.started_at,
        duration_ms=fact.duration_ms,
        ended=fact.ended,
        cut=fact.cut,
        stay_ids=sorted({*fact.agreed, *(part.participant_id for part in fact.files)}),
    )
    files = [
        RecordingFile(
            recording_id=fact.id,
            **part.model_dump(exclude={"sources", "codecs"}),
            sources=list(part.sources),
            codecs=list(part.codecs),
        )
        for part in fact.files
    ]
    if await queries.add(db, recording, files):
        await news.tell(db, recording)
