"""The one switchboard: which event makes which room above act, inside the same transaction."""

from app.accounts.events import SessionEnded, ZoneChanged
from app.blocks import queries as blocks
from app.blocks import service as blocking
from app.blocks.events import Blocked, Unblocked
from app.chat import service as chat
from app.core.db import Reactions
from app.core.outbox import read_with
from app.notifications import reminding
from app.notifications import service as notifications
from app.organisations import queries as organisations
from app.organisations.events import PartnershipProposed, ProfileEdited, Rejoined
from app.pairings import news as pairing_news
from app.pairings import queries as pairing_queries
from app.pairings import service as pairings
from app.pairings.events import (
    PairingAccepted,
    PairingDeclined,
    PairingEnded,
    PairingProposed,
    ParticipantWentAway,
)
from app.recordings import service as recordings
from app.safeguarding import service as safeguarding
from app.safeguarding.events import ReportFiled
from app.scheduling import calls
from app.scheduling import service as scheduling
from app.scheduling.events import (
    CallWasRecorded,
    MeetingBooked,
    MeetingCancelled,
    MeetingDeclined,
    MeetingEdited,
    MeetingMoved,
    MeetingMoveDeclined,
    MeetingMoveProposed,
    MeetingProposed,
)
from app.series import service as series
from app.series.events import SeriesAccepted, SeriesCancelled, SeriesDeclined, SeriesProposed

REACTIONS: Reactions = {
    SessionEnded: [calls.session_ended],
    ZoneChanged: [reminding.zone_changed],
    Blocked: [pairings.keep_apart, pairing_news.show_anew, scheduling.keep_apart, chat.keep_apart],
    Unblocked: [pairing_news.show_anew, chat.keep_apart],
    ProfileEdited: [blocking.profile_edited, pairing_news.profile_edited, safeguarding.profile_edited],
    Rejoined: [chat.rejoined],
    PartnershipProposed: [notifications.partnership_proposed],
    PairingProposed: [notifications.pairing_proposed],
    PairingAccepted: [chat.pairing_accepted, notifications.pairing_accepted],
    PairingDeclined: [notifications.pairing_declined],
    PairingEnded: [series.pairing_ended, scheduling.pairing_ended, chat.pairing_ended],
    ParticipantWentAway: [scheduling.participant_left, chat.participant_left, reminding.participant_left],
    MeetingProposed: [notifications.meeting_changed],
    MeetingBooked: [chat.meeting_booked, notifications.meeting_changed, reminding.meeting_booked],
    MeetingDeclined: [notifications.meeting_changed],
    MeetingMoveProposed: [notifications.meeting_changed],
    MeetingMoveDeclined: [notifications.meeting_changed],
    MeetingMoved: [chat.meeting_shown_anew, notifications.meeting_changed, reminding.meeting_booked],
    MeetingEdited: [chat.meeting_shown_anew],
    MeetingCancelled: [chat.meeting_cancelled, notifications.meeting_changed, reminding.meeting_cancelled],
    SeriesProposed: [notifications.series_changed],
    SeriesAccepted: [notifications.series_changed],
    SeriesDeclined: [notifications.series_changed],
    SeriesCancelled: [notifications.series_changed],
    CallWasRecorded: [recordings.take_in],
    ReportFiled: [notifications.report_filed],
}

# People one deals with can be blocked and reported even when they can no longer be found.
blocks.also_known(pairing_queries.counterparts)
# Colleagues who are kept apart do not meet in the list of their organisation either.
organisations.also_apart(blocks.kept_apart)
# Events about messages carry the whole message.
for kind in (chat.POSTED, chat.EDITED, chat.DELETED):
    read_with(kind, chat.told)
