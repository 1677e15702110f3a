"""Recordings over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Header, Response
from fastapi.responses import StreamingResponse

from app.accounts.auth import CurrentActor, Door
from app.core.db import Db
from app.core.errors import NotFound, NotSatisfiable, Unauthenticated, Unavailable, problems
from app.recordings import service
from app.recordings.models import MEDIA_TYPES
from app.recordings.schemas import FileName, RecordingsRead
from app.recordings.service import FilePart

router = APIRouter(prefix="/v1", tags=["recordings"])
CHUNK_BYTES: Final = 256 * 1024
_BYTES: Final[dict[str, Any]] = {
    "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES}
}
_FILE: Final[dict[int | str, dict[str, Any]]] = {200: _BYTES, 206: _BYTES}


@router.get(
    "/meetings/{meeting_id}/recordings",
    response_model=RecordingsRead,
    responses=problems(Unauthenticated, NotFound),
)
async def read_recordings(meeting_id: UUID, actor: CurrentActor, door: Door, db: Db) -> RecordingsRead:
    """What was recorded of the meeting's call while I was in it."""
    return await service.of_meeting(db, actor, door, meeting_id)


@router.get(
    "/recordings/{recording_id}/files/{name}",
    response_class=Response,
    responses=_FILE | problems(Unauthenticated, NotFound, NotSatisfiable, Unavailable),
)
async def read_recording_file(
    recording_id: UUID,
    name: FileName,
    actor: CurrentActor,
    door: Door,
    db: Db,
    range_: Annotated[
        str | None, Header(alias="Range", description="One part of the file, as `bytes=0-1023`.")
    ] = None,
    if_range: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """A file of a recording, or a part of it."""
    # We give no validators, so none that is named here can be ours, and all of the file is sent.
    asked = None if if_range else range_
    return _sent(await service.fetch(db, actor, door, recording_id, name, asked))


@router.delete(
    "/recordings/{recording_id}",
    status_code=204,
    responses=problems(Unauthenticated, NotFound, Unavailable),
)
async def delete_recording(recording_id: UUID, actor: CurrentActor, door: Door, db: Db) -> None:
    """Delete a recording with all its files, for everybody who is in it; there is no way back."""
    await service.delete(db, actor, door, recording_id)


def _sent(part: FilePart) -> Response:
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{part.name}"',
        "Content-Length": str(part.length),
    }
    if not part.is_whole:
        last = part.start + part.length - 1
        headers["Content-Range"] = f"bytes {part.start}-{last}/{part.size}"
    status = 200 if part.is_whole else 206
    return StreamingResponse(_chunks(part), status, headers, part.media_type)


async def _chunks(part: FilePart) -> AsyncIterator[bytes]:
    """A little at a time, however fast the disk is: what nobody takes is not read."""
    left = part.length
    with part.file as file:
        await asyncio.to_thread(file.seek, part.start)
        while left:
            chunk = await asyncio.to_thread(file.read, min(left, CHUNK_BYTES))
            if not chunk:
                raise EOFError(f"{part.name} is shorter than it was")
            left -= len(chunk)
            yield chunk
