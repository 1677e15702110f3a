"""What can stand between us and a calendar, in plain words, and what is no calendar at all. Pure."""

import re
from datetime import timedelta
from typing import Final

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
FIRST_WAIT: Final = timedelta(minutes=10)

WORDS: Final = {
    "private_network": "{host} leads into a private network, where calendars are not read. "
    "Whoever runs this server can allow that host.",
    "unknown_host": "There is no server named {host}. Look at the address again.",
    "unreachable": "{host} does not answer.",
    "too_slow": "{host} takes too long to answer.",
    "not_secure": "{host} cannot prove who it is: its certificate does not hold.",
    "bad_redirect": "{host} sends us on to a place where calendars are not read.",
    "too_many_redirects": "{host} sends us from one place to the next without end.",
    "sign_in_wanted": "{host} wants a user name and password. Add the calendar again with them.",
    "sign_in_refused": "{host} does not accept this user name and password. Add the calendar again with the "
    "right ones; some servers want a password made for other programs.",
    "not_allowed": "{host} does not let us see this calendar.",
    "not_found": "{host} has no calendar at this address. Look whether it was moved or is shared no longer.",
    "gone": "{host} says that this calendar is gone for good.",
    "too_often": "{host} wants to be asked less often.",
    "server_fault": "{host} has a fault of its own at the moment (status {status}).",
    "unexpected": "{host} gives an answer that we do not understand (status {status}).",
    "unreadable": "{host} gives an answer that cannot be read.",
    "too_large": "This calendar is larger than {most} MiB. Share a smaller one, or only its free and busy "
    "times.",
    "web_page": "That address answers with a web page, not a calendar. Look for the calendar's own address "
    "(often named iCal or ICS).",
    "not_calendar": "What that address answers with is not a calendar.",
    "too_costly": "This calendar repeats so often that it takes too long to work out.",
    "no_calendars": "{host} shows us no calendar there. Give the address of the calendar itself.",
    "elsewhere": "Your calendars lie on another server, {other}. Add the calendar with an address there.",
    "too_many": "This calendar holds more busy times than we keep; those after {until} do not count.",
    "sealed": "The address of this calendar cannot be opened any more. Add it again.",
    "fault": "Something went wrong on our side while we read this calendar.",
}
STUBBORN: Final = frozenset({"too_costly", "too_large", "gone", "sealed"})
"""What will hardly be otherwise before tomorrow."""


class Trouble(Exception):
    """A calendar could not be read; `str()` is for the person whose calendar it is."""

    def __init__(self, code: str, *, wait: timedelta | None = None, **about: object) -> None:
        self.code = code
        self.wait = wait
        """How long the server asked us to stay away."""
        super().__init__(WORDS[code].format(**about))


def until_next(trouble: Trouble, failures: int) -> timedelta:
    """How long to wait after so many failures in a row, this one included: doubled each time, up to a day."""
    if trouble.code in STUBBORN:
        return DAY
    wait: timedelta = FIRST_WAIT * 2 ** min(failures - 1, 10)
    return min(DAY, max(wait, trouble.wait or wait))


def calendar_text(body: bytes, charset: str | None) -> str:
    """The text of a calendar, whatever it is encoded in. Raises `Trouble` when it is something else."""
    text = _decoded(body, charset)
    start = text[:4096].lstrip().lower()
    if "begin:vcalendar" in start or "\nbegin:vcalendar" in text.lower():
        return text
    if start.startswith("<") or "<html" in start:
        raise Trouble("web_page")
    raise Trouble("not_calendar")


_CHARSET: Final = re.compile(
    r"(iso-8859-\d{1,2}|windows-\d{3,4}|utf-16(le|be)?|koi8-[ru]|shift_jis|euc-(jp|kr)|big5|gb18030|gb2312)",
    re.IGNORECASE,
)
"""Python knows others, in which a text of this size takes hours to read."""


def _decoded(body: bytes, charset: str | None) -> str:
    """By its byte order mark, as UTF-8, as it says of itself, or as what old servers write."""
    for mark, name in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    for name in ("utf-8", charset if charset and _CHARSET.fullmatch(charset) else "cp1252"):
        try:
            return body.decode(name)
        except (ValueError, LookupError):
            continue
    return body.decode("cp1252", "replace")
