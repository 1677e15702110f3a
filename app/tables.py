"""Every stored thing, so that migrations know all of it."""

from app.accounts import models as accounts
from app.audit import models as audit
from app.availability import models as availability
from app.blocks import models as blocks
from app.calendars import models as calendars
from app.chat import models as chat
from app.core import idempotency, mailbox, nodes, streams
from app.freebusy import models as freebusy
from app.notifications import models as notifications
from app.organisations import models as organisations
from app.pairings import models as pairings
from app.recordings import models as recordings
from app.safeguarding import models as safeguarding
from app.scheduling import models as scheduling
from app.series import models as series

TABLES = (
    accounts.Account,
    accounts.SignInSession,
    accounts.MailedSecret,
    audit.AuditEntry,
    availability.Schedule,
    availability.PairingSchedule,
    availability.Absence,
    availability.Holiday,
    blocks.Block,
    chat.Conversation,
    chat.Message,
    chat.ReadMark,
    idempotency.IdempotencyKey,
    mailbox.MailboxMessage,
    nodes.Node,
    nodes.NodeCommand,
    streams.Stream,
    streams.StreamEvent,
    organisations.Organisation,
    organisations.Membership,
    organisations.Invitation,
    organisations.Partnership,
    pairings.Pairing,
    pairings.Participant,
    pairings.Goal,
    safeguarding.Report,
    freebusy.ImportedCalendar,
    freebusy.BusyTime,
    scheduling.Meeting,
    scheduling.MeetingOption,
    scheduling.MeetingMove,
    scheduling.MeetingPolicy,
    scheduling.Booking,
    scheduling.Hold,
    scheduling.HeldTime,
    scheduling.Call,
    scheduling.Attendance,
    scheduling.AttendanceQuality,
    series.Series,
    series.SeriesOccurrence,
    recordings.Recording,
    recordings.RecordingFile,
    notifications.ReminderPreferences,
    notifications.Reminder,
    notifications.Nudge,
    calendars.CalendarSettings,
    calendars.CalendarFeed,
    calendars.MeetingInvitation,
    calendars.MeetingReply,
)
