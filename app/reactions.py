"""The one switchboard: which event makes which room above act, inside the same transaction."""

from app.accounts.events import SessionEnded
from app.blocks import queries as blocks
from app.blocks.events import Blocked
from app.core.db import Reactions
from app.notifications import service as notifications
from app.organisations import queries as organisations
from app.organisations.events import PartnershipProposed
from app.pairings import queries as pairing_queries
from app.pairings import service as pairings
from app.pairings.events import (
    PairingAccepted,
    PairingDeclined,
    PairingEnded,
    PairingProposed,
    ParticipantWentAway,
)
from app.safeguarding.events import ReportFiled
from app.scheduling import calls
from app.scheduling import service as scheduling
from app.scheduling.events import MeetingBooked, MeetingCancelled, MeetingDeclined, MeetingProposed

REACTIONS: Reactions = {
    SessionEnded: [calls.session_ended],
    Blocked: [pairings.keep_apart, scheduling.keep_apart],
    PartnershipProposed: [notifications.partnership_proposed],
    PairingProposed: [notifications.pairing_proposed],
    PairingAccepted: [notifications.pairing_accepted],
    PairingDeclined: [notifications.pairing_declined],
    PairingEnded: [scheduling.pairing_ended],
    ParticipantWentAway: [scheduling.participant_left],
    MeetingProposed: [notifications.meeting_changed],
    MeetingBooked: [notifications.meeting_changed],
    MeetingDeclined: [notifications.meeting_changed],
    MeetingCancelled: [notifications.meeting_changed],
    ReportFiled: [notifications.report_filed],
}

# People one deals with can be blocked and reported even when they can no longer be found.
blocks.also_known(pairing_queries.counterparts)
# Colleagues who are kept apart do not meet in the list of their organisation either.
organisations.also_apart(blocks.kept_apart)
