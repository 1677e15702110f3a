"""Every stored thing, so that migrations know all of it."""

from app.accounts import models as accounts
from app.audit import models as audit
from app.blocks import models as blocks
from app.core import idempotency, mailbox
from app.organisations import models as organisations
from app.pairings import models as pairings
from app.safeguarding import models as safeguarding
from app.scheduling import models as scheduling

TABLES = (
    accounts.Account,
    accounts.SignInSession,
    accounts.MailedSecret,
    audit.AuditEntry,
    blocks.Block,
    idempotency.IdempotencyKey,
    mailbox.MailboxMessage,
    organisations.Organisation,
    organisations.Membership,
    organisations.Invitation,
    organisations.Partnership,
    pairings.Pairing,
    pairings.Participant,
    pairings.Goal,
    safeguarding.Report,
    scheduling.Meeting,
    scheduling.Booking,
    scheduling.Node,
    scheduling.Call,
    scheduling.Attendance,
    scheduling.CallCommand,
)
