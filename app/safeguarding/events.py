"""What the rooms above may react to."""

from uuid import UUID

from app.core.db import Event


class ReportFiled(Event):
    report_id: UUID
    organisation_id: UUID
    about: frozenset[UUID]
    """The accounts that it is about, or may be: they are not told."""
