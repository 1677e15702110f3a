"""What the rooms above may react to."""

from uuid import UUID

from app.core.db import Event


class ReportFiled(Event):
    report_id: UUID
    organisation_id: UUID
    subject_account_id: UUID | None
