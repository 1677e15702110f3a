"""What the rooms above may react to."""

from uuid import UUID

from app.core.db import Event


class ProfileEdited(Event):
    """Someone looks different to those who are shown them: name, headline or zone."""

    membership_id: UUID
    account_id: UUID


class Rejoined(Event):
    """Someone whose membership had ended is there again."""

    membership_id: UUID
    account_id: UUID


class PartnershipProposed(Event):
    partnership_id: UUID
    organisation_id: UUID
    partner_id: UUID
