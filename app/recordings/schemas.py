"""What travels about recordings."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Path
from pydantic import Field

from app.core.schemas import Read

FileName = Annotated[
    str,
    Path(max_length=121, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="As it stands in the list."),
]


class RecordingFileRead(Read):
    """One file of a recording, of one person."""

    name: str = Field(examples=["0192f3c0-5a4e-7b1c-9d2e-3f4a5b6c7d8e-camera-1.webm"])
    membership_id: UUID
    person: str = Field(description="Who is heard or seen in it.", examples=["Priya Raman"])
    is_me: bool
    sources: list[str] = Field(examples=[["camera", "microphone"]])
    media_type: str = Field(examples=["video/webm"])
    offset_ms: int = Field(
        description="When it begins, from the beginning of the recording.", examples=[1200]
    )
    duration_ms: int = Field(examples=[1_380_000])
    bytes: int = Field(examples=[104_857_600])
    sha256: str | None = Field(
        description="In hexadecimal.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )


class RecordingRead(Read):
    """What was recorded of a meeting's call at one go."""

    id: UUID
    meeting_id: UUID
    started_at: datetime
    duration_ms: int = Field(examples=[1_380_000])
    ended: str = Field(
        description="Why: `stopped`, `call_ended`, `too_long`, `disk_full`, `disk_slow`, `disk_failed` or "
        "`interrupted`.",
        examples=["stopped"],
    )
    cut: bool = Field(description="The last seconds are missing, as the server that wrote it stopped.")
    expires_at: datetime = Field(description="It is deleted by itself soon after.")
    files: list[RecordingFileRead]


class RecordingsRead(Read):
    items: list[RecordingRead]
