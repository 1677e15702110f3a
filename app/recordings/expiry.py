"""What ends by itself: takes that have been kept for long enough, and folders that nobody knows."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from app.core import clock
from app.core.db import Database
from app.core.errors import Unavailable
from app.recordings import queries, service, storage
from app.settings import Settings

log = structlog.get_logger()


async def end_old(database: Database, settings: Settings) -> None:
    """Delete what is older than `recording_days`; what the disk refuses is left for the next time."""
    if settings.recordings is None:
        return
    before = clock.now() - timedelta(days=settings.recording_days)
    async with database.transaction() as db:
        outdated = await queries.outdated(db, before)
    for recording_id in outdated:
        try:
            async with database.transaction() as db:
                recording = await queries.one(db, recording_id)
                if recording is not None:
                    await service.remove(db, settings, recording, None)
        except Unavailable:
            continue  # logged, and no reason to keep the others
    try:
        await _sweep(database, settings.recordings, before)
    except OSError as error:
        log.warning("recordings_not_swept", error=str(error))


async def _sweep(database: Database, root: Path, before: datetime) -> None:
    """Remove the folders of that age that belong to no take: its call is gone, or a backup put it back."""
    old = await asyncio.to_thread(lambda: list(storage.untouched(root, before)))
    async with database.transaction() as db:
        known = await queries.kept(db, {take.id for take in old})
    for take in old:
        if take.id not in known:
            await asyncio.to_thread(storage.remove, root, take)
            log.info("recording_orphan_removed", call_id=str(take.call_id), recording=str(take.id))
    await asyncio.to_thread(storage.drop_empty, root, before)
