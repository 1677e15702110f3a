"""A calendar's text in pieces, each of which can be read, or not, without the others. Pure."""

import re
from dataclasses import dataclass, field
from typing import Final


@dataclass(slots=True)
class Pieces:
    """A calendar's text in pieces, each of which can be read, or not, by itself."""

    zones: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    free_busy: list[str] = field(default_factory=list)
    zone_name: str | None = None
    unfinished: int = 0


_LINE_ENDS: Final = re.compile(r"\r\n|\n|\r")


def pieces(text: str) -> Pieces:
    """Take a calendar apart without understanding more of it than BEGIN and END."""
    found = Pieces()
    kinds = {"VTIMEZONE": found.zones, "VEVENT": found.events, "VFREEBUSY": found.free_busy}
    kind, lines = "", list[str]()
    for line in _LINE_ENDS.split(text):
        bare = line.rstrip().upper() if len(line) < 80 else ""
        if not kind:
            begun = bare.removeprefix("BEGIN:")
            if bare.startswith("BEGIN:") and begun in kinds:
                kind, lines = begun, [line]
            elif bare.startswith("X-WR-TIMEZONE:"):
                found.zone_name = line.partition(":")[2].strip()
        elif bare == f"BEGIN:{kind}":
            # The one before has no end; this may have one.
            found.unfinished += 1
            lines = [line]
        elif bare == f"END:{kind}":
            kinds[kind].append("\r\n".join([*lines, line, ""]))
            kind, lines = "", []
        else:
            lines.append(line)
    found.unfinished += bool(kind)
    return found


def mended(block: str) -> str:
    """Without the spaces that some put between the days of a rule."""
    lines = (line.replace(" ", "") if line[:6].upper() == "RRULE:" else line for line in unfolded(block))
    return "\r\n".join(lines)


def unfolded(block: str) -> list[str]:
    return re.sub(r"\r\n[ \t]", "", block).split("\r\n")
