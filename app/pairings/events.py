"""What the rooms above may react to."""

from uuid import UUID

from app.core.db import Event


class PairingProposed(Event):
    pairing_id: UUID
    proposed_by_id: UUID


class PairingAccepted(Event):
    pairing_id: UUID
    proposed_by_id: UUID


class PairingDeclined(Event):
    pairing_id: UUID
    proposed_by_id: UUID


class PairingEnded(Event):
    """Ended or withdrawn; whatever hangs on it ends too."""

    pairing_id: UUID


class ParticipantWentAway(Event):
    """Someone left a circle, with all the memberships they were in it by."""

    pairing_id: UUID
    account_id: UUID
    membership_ids: tuple[UUID, ...]
