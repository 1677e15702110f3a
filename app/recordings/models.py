"""What is stored of recordings; their files lie on disk, in `<call>/<take>/` (see storage)."""

from datetime import datetime
from pathlib import PurePath
from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, instant

_OTHER: Final = "application/octet-stream"
_TYPES: Final = {".webm": "video/webm", ".mkv": "video/x-matroska"}
SOUND_ONLY: Final = "audio/webm"
MEDIA_TYPES: Final = (*_TYPES.values(), SOUND_ONLY, _OTHER)


class Recording(Base):
    """One take of a call. It stays as a tombstone when it is deleted: the news of it may come again."""

    __tablename__ = "recording"
    __table_args__ = (Index("ix_recording_call_id", "call_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    call_id: Mapped[UUID] = mapped_column(ForeignKey("call.id", ondelete="CASCADE"))
    started_at: Mapped[datetime] = instant()
    duration_ms: Mapped[int] = mapped_column(BigInteger)
    ended: Mapped[str]
    """Why, in the words of `CallRecorded`."""
    cut: Mapped[bool]
    stay_ids: Mapped[list[UUID]]
    """Of those who said yes to it: `attendance.id`. Stays may come to be known later."""
    deleted_at: Mapped[datetime | None] = instant(default=None)


class RecordingFile(Base):
    """One file of a take. Whose it is says the stay, which may come to be known later."""

    __tablename__ = "recording_file"

    recording_id: Mapped[UUID] = mapped_column(
        ForeignKey("recording.id", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    participant_id: Mapped[UUID]
    """The id of the stay, `attendance.id`."""
    sources: Mapped[list[str]]
    codecs: Mapped[list[str]]
    offset_ms: Mapped[int] = mapped_column(BigInteger)
    duration_ms: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(default=None)

    @property
    def media_type(self) -> str:
        """For browsers: sound alone is not called video."""
        found = _TYPES.get(PurePath(self.name).suffix, _OTHER)
        return SOUND_ONLY if found == "video/webm" and self.codecs == ["opus"] else found
