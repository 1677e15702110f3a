"""The books themselves: each kind of breakage is found, and a faithful log is not blamed."""

import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest

from tests.streams.actors import Acknowledged, Leaver, Visitor, Writer
from tests.streams.cast import Device
from tests.streams.ledger import Findings, Ledger, Row, Said, check_leavers, check_visitors
from tests.streams.readers import Closed, Reader
from tests.streams.sight import Cursor, Seen
from tests.streams.topology import Topology

STREAM = "stream"
IDS = [f"message-{number}" for number in range(4)]


def _ledger() -> Ledger:
    rows = [Row(number + 1, "message.posted", name) for number, name in enumerate(IDS)]
    said = {
        f"client-{name}": Said(name, STREAM, row.seq, name, False)
        for name, row in zip(IDS, rows, strict=True)
    }
    return Ledger({STREAM: rows}, said, 0)


async def _reader() -> Reader:
    reader = Reader(cast(Device, None), [], random.Random(1))
    reader.sight.begun[STREAM] = Cursor("e", 0)
    reader.sight.logs[STREAM] = [
        Seen(row.seq, row.kind, row.subject, row.subject) for row in _ledger().events[STREAM]
    ]
    return reader


def _writer() -> Writer:
    writer = Writer(cast(Device, None), [], random.Random(1), [], 0.0)
    for client_id, said in _ledger().messages.items():
        writer.acknowledged[client_id] = Acknowledged(said.id, STREAM, said.seq, said.text)
    return writer


Harm = Callable[[list[Seen], Reader], Any]
HARMS: dict[str, Harm] = {
    "lost": lambda log, _: log.pop(2),
    "phantom": lambda log, _: log.append(Seen(5, "message.posted", "nobody", "")),
    "duplicated": lambda log, _: log.append(log[-1]._replace(seq=5)),
    "out_of_order": lambda log, _: log.reverse(),
    "altered": lambda log, _: log.__setitem__(0, log[0]._replace(text="something else")),
    "reset": lambda _, reader: reader.sight.resets.append((STREAM, Cursor("e", 2), Cursor("f", 4))),
    "unheard": lambda _, reader: reader.sight.begun.clear(),
    "overheard": lambda _, reader: reader.sight.logs.update({"not theirs": []}),
}


async def test_a_faithful_run_is_not_blamed() -> None:
    found, ledger = Findings(), _ledger()
    ledger.check_numbers(found)
    ledger.check_writers([_writer()], found)
    ledger.check_reader("reader", await _reader(), [STREAM], found)
    assert not found.counts


@pytest.mark.parametrize("kind", HARMS)
async def test_what_a_reader_saw_wrongly_is_found(kind: str) -> None:
    found, reader = Findings(), await _reader()
    HARMS[kind](reader.sight.logs[STREAM], reader)
    _ledger().check_reader("reader", reader, [STREAM], found)
    assert kind in found.counts


def test_what_writers_were_told_wrongly_is_found() -> None:
    found, ledger, writer = Findings(), _ledger(), _writer()
    del ledger.messages["client-message-0"]
    del writer.acknowledged["client-message-1"]
    writer.acknowledged["client-message-3"] = writer.acknowledged["client-message-3"]._replace(seq=1)
    ledger.check_writers([writer], found)
    assert set(found.counts) == {"lost_acknowledged", "never_acknowledged", "out_of_order"}


def test_holes_and_doubles_in_the_database_are_found() -> None:
    found, ledger = Findings(), _ledger()
    del ledger.events[STREAM][1]
    ledger.twice = 1
    ledger.check_numbers(found)
    assert set(found.counts) == {"hole", "misplaced", "twice"}


async def test_stays_sign_outs_and_commands_that_got_lost_are_found() -> None:
    found = Findings()
    visitor = Visitor(cast(Device, None), uuid4(), [], random.Random(1), joined=["a", "b"], parted=["a"])
    database = SimpleNamespace(rows=lambda _: [("a", None)])
    assert check_visitors(cast(Topology, database), [visitor], found) == 2
    assert found.counts == {"attendance_lost": 1, "leaving_lost": 1}
    reader = Reader(Device(cast(Topology, None), uuid4(), uuid4(), uuid4()), [], random.Random(1))
    leaver = Leaver(reader, [], random.Random(1), signed_out_at=1.0)
    found, database = Findings(), SimpleNamespace(rows=lambda _: [(uuid4(), "signalling-1", {})])
    assert check_leavers(cast(Topology, database), [leaver], found) == []
    assert found.counts == {"still_in": 1, "command_not_done": 1}
    reader.signed_out, reader.closes = True, [Closed(4503, 1.5)]
    found, database = Findings(), SimpleNamespace(rows=lambda _: [])
    assert check_leavers(cast(Topology, database), [leaver], found) == [0.5]
    assert not found.counts
