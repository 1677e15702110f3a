"""`docs/protocol.md` says what is true: every sample parses, and nothing that exists is missing."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

from signalling import connection, gateway
from signalling.protocol import bucket, events, messages, parts, peer
from signalling.protocol.codes import CloseCode, ErrorCode

DOCUMENT = Path(__file__).parent.parent / "docs" / "protocol.md"
DIRECTIONS: dict[str, TypeAdapter[Any]] = {
    "Client to server": messages.client_adapter,
    "Server to client": messages.server_adapter,
    "Client to events socket": events.client_adapter,
    "Events socket to client": events.server_adapter,
}


def types_of(union: Any) -> set[str]:
    """The `type` of every message in a union."""
    return {model.model_fields["type"].default for model in get_args(get_args(union)[0])}


TYPES = {
    "Client to server": types_of(messages.ClientMessage),
    "Server to client": types_of(messages.ServerMessage),
    "Client to events socket": types_of(events.ClientMessage),
    "Events socket to client": types_of(events.ServerMessage),
}


def samples(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Every JSON sample with its direction, which the last such line before it names."""
    found = []
    direction = ""
    for line_or_block in re.findall(r"(?ms)^```json\n.*?^```|^[^\n]*$", text):
        if line_or_block.startswith("```json"):
            found.append((direction, json.loads(line_or_block[8:-3])))
        for name in DIRECTIONS:
            if line_or_block.startswith(name):
                direction = name
    return found


def faults(text: str) -> list[str]:
    """What is wrong with a protocol document."""
    found = []
    shown: dict[str, set[str]] = {name: set() for name in DIRECTIONS}
    for direction, sample in samples(text):
        try:
            DIRECTIONS[direction].validate_json(json.dumps(sample))
        except ValueError as error:
            found.append(f"the {direction} sample {sample} is wrong: {error}")
        shown[direction].add(sample["type"])
        numbered = (direction == "Server to client" and sample["type"] != "pong") or sample["type"] == "event"
        if numbered != ("seq" in sample):
            found.append(f"the sample {sample} has a seq and should not, or the other way round")
    for direction, types in TYPES.items():
        found += [f"{direction}: {type_} has no sample" for type_ in types - shown[direction]]
    rows = re.findall(r"(?m)^\| `?(\w+)`? \|(.*)$", text)
    codes = {first for first, _ in rows}
    found += [f"error code {code} is missing" for code in ErrorCode if code not in codes]
    for close in CloseCode:
        if not any(first == str(int(close)) and f"`{close.reason}`" in rest for first, rest in rows):
            found.append(f"close code {int(close)} {close.reason} is missing")
    known = {str(int(close)) for close in CloseCode}
    found += [
        f"close code {code} does not exist"
        for code in codes
        if re.match(r"4\d{3}$", code) and code not in known
    ]
    return found


def test_the_document_is_true() -> None:
    assert faults(DOCUMENT.read_text()) == []


@pytest.mark.parametrize(
    ("direction", "type_"),
    [(direction, name) for direction, types in TYPES.items() for name in sorted(types)],
)
def test_a_missing_message_is_noticed(direction: str, type_: str) -> None:
    text = DOCUMENT.read_text()
    for found in re.findall(r"(?ms)^```json\n.*?^```\n", text):
        sample = json.loads(found[8:-4])
        if sample["type"] == type_ and (direction, sample) in samples(text):
            text = text.replace(found, "")
    assert f"{direction}: {type_} has no sample" in faults(text)


@pytest.mark.parametrize("code", [*ErrorCode])
def test_a_missing_error_code_is_noticed(code: ErrorCode) -> None:
    text = re.sub(rf"(?m)^\| `{code}` \|.*\n", "", DOCUMENT.read_text())
    assert f"error code {code} is missing" in faults(text)


@pytest.mark.parametrize("code", [*CloseCode])
def test_a_missing_close_code_is_noticed(code: CloseCode) -> None:
    text = re.sub(rf"(?m)^\| {int(code)} \|.*\n", "", DOCUMENT.read_text())
    assert f"close code {int(code)} {code.reason} is missing" in faults(text)


def test_a_wrong_sample_is_noticed() -> None:
    text = DOCUMENT.read_text().replace('"type": "leave"}', '"type": "leave", "extra": 1}')
    assert any("is wrong" in fault for fault in faults(text))


def test_close_codes_say_what_their_number_says() -> None:
    """44xx come back, 45xx stay away: the table's last column agrees."""
    for line in DOCUMENT.read_text().splitlines():
        row = re.match(r"\| (4\d{3}) \|.*\| ([^|]+) \|$", line)
        if row:
            assert CloseCode(int(row[1])).come_back != row[2].startswith("stay away"), line


def test_the_limits_are_the_ones_in_force() -> None:
    text = DOCUMENT.read_text()
    stalled = connection.STALLED_SECONDS
    assert parts.MAX_FRAME_BYTES == 128 * 1024
    assert "| one message | 128 KiB |" in text
    sections = parts.MAX_MEDIA_SECTIONS
    said = [
        f"{parts.MAX_SDP_CHARACTERS // 1024} Ki characters, at most "
        f"{sections['publish']} media sections ({sections['subscribe']} on",
        f"{parts.MAX_CANDIDATE_CHARACTERS} characters",
        f"after one offer or answer | {parts.MAX_CANDIDATES} |",
        f"{parts.MAX_GENERATION:,}".replace(",", " "),
        f"{gateway.HELLO_SECONDS:g} s",
        f"{bucket.PER_SECOND:g} messages a second, bursts of {bucket.BURST:g}",
        f"every {bucket.BYTES_PER_TOKEN // 1024} KiB",
        f"{connection.OUTBOX_BYTES // 1024**2} MiB waiting, or nothing read for {stalled:g} s",
        f"{peer.KEPT_MESSAGES} messages, {peer.KEPT_BYTES // 1024} KiB",
    ]
    assert [phrase for phrase in said if phrase not in text] == []


def test_the_web_client_waits_as_long_as_the_document_says() -> None:
    client = DOCUMENT.parent.parent / "web" / "client"
    text = " ".join(DOCUMENT.read_text().split())
    for file, name, said in (
        ("direct.js", "PATIENCE_MS", "does not come** within {} s"),
        ("link.js", "ANSWER_MS", "and {} s later your `signalingState`"),
    ):
        found = re.search(rf"const {name} = ([\d_]+);", (client / file).read_text())
        assert found, name
        assert said.format(f"{int(found[1]) / 1000:g}") in text
