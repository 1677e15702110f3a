"""What the rooms above may react to."""

from uuid import UUID

from app.core.db import Event


class PartnershipProposed(Event):
    partnership_id: UUID
    organisation_id: UUID
    partner_id: UUID
