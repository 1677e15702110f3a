"""What can go wrong on the sockets: error codes, and close codes that say come back or stay away."""

from enum import IntEnum, StrEnum


class ErrorCode(StrEnum):
    """The `code` of an `error` message."""

    # The socket stays open.
    INVALID_MESSAGE = "invalid_message"
    UNEXPECTED_MESSAGE = "unexpected_message"
    UNKNOWN_PARTICIPANT = "unknown_participant"
    UNKNOWN_GENERATION = "unknown_generation"
    WRONG_CONNECTION = "wrong_connection"
    INVALID_DESCRIPTION = "invalid_description"
    INVALID_CANDIDATE = "invalid_candidate"
    TOO_MANY_CANDIDATES = "too_many_candidates"
    NOT_PERMITTED = "not_permitted"
    RECORDING_UNAVAILABLE = "recording_unavailable"
    TOO_MUCH_MEDIA = "too_much_media"
    UNKNOWN_STREAM = "unknown_stream"

    # The hello was refused; a close code follows.
    UNSUPPORTED_VERSION = "unsupported_version"
    TICKET_REFUSED = "ticket_refused"
    RESUME_REFUSED = "resume_refused"
    CALL_FULL = "call_full"
    CALL_ENDED = "call_ended"
    REMOVED = "removed"
    NOT_READY = "not_ready"


class CloseCode(IntEnum):
    """Why the server closed: 44xx come back, 45xx stay away."""

    NORMAL = 1000

    GOING_AWAY = 4400
    TOO_SLOW = 4408
    HEARTBEAT_MISSED = 4409
    RESUME_REFUSED = 4410
    NOT_READY = 4411
    INTERNAL_ERROR = 4412

    TICKET_REFUSED = 4501
    CALL_FULL = 4502
    REMOVED = 4503
    REPLACED = 4504
    CALL_ENDED = 4505
    PROTOCOL_ERROR = 4506
    TOO_LARGE = 4507
    NO_HELLO = 4508
    FLOODING = 4509

    @property
    def come_back(self) -> bool:
        """Whether a client should connect again by itself."""
        return 4400 <= self < 4500

    @property
    def reason(self) -> str:
        """The text that travels in the close frame."""
        return self.name.lower()
