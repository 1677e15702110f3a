"""People who do things while the house burns: they write, sign out, and visit calls."""

import asyncio
import contextlib
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.streams.cast import Device
from tests.streams.readers import Reader
from tests.streams.rest import Answer, NoAnswer, Rest

EDITS, DELETIONS, READS = 0.04, 0.01, 0.03
_TROUBLE = (OSError, WebSocketException, TimeoutError, NoAnswer)


class Acknowledged(NamedTuple):
    """A message of which the server said that it is kept."""

    id: str
    conversation: str
    seq: int
    text: str


async def insist(
    apps: list[Rest], device: Device, dice: random.Random, method: str, path: str, body: Any = None
) -> tuple[Answer, list[str]]:
    """Ask until there is an answer that is no failure of the server; also what went wrong until then."""
    trail: list[str] = []
    while True:
        app, began = dice.choice(apps), time.monotonic()
        try:
            answer = await app.call(device.token, method, path, body)
            if answer.status < 500 and answer.status != 429:
                return answer, trail
            words = str(answer.status)
        except NoAnswer as no_answer:
            words = str(no_answer)
        trail.append(f"{app.url[-5:]} after {time.monotonic() - began:.1f} s: {words}")
        await asyncio.sleep(dice.uniform(0.02, 0.3))


@dataclass
class Writer:
    """Writes one message after the other; each is sent until it is acknowledged, always as the same one."""

    device: Device
    apps: list[Rest]
    dice: random.Random
    places: list[UUID]
    pace: float
    acknowledged: dict[str, Acknowledged] = field(default_factory=dict)
    edited: int = 0
    deleted: int = 0
    repeated: int = 0
    slowest: float = 0.0
    slowest_trail: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    async def run(self, until: asyncio.Event) -> None:
        """Write until told to stop; a message that was begun is finished."""
        number = 0
        while not until.is_set():
            number += 1
            await self._write(self.dice.choice(self.places), f"{self.device.membership_id} says {number}")
            chance = self.dice.random()
            if chance < EDITS:
                await self._change("PATCH")
            elif chance < EDITS + DELETIONS:
                await self._change("DELETE")
            elif chance < EDITS + DELETIONS + READS:
                await self._read()
            await asyncio.sleep(self.dice.uniform(0.5, 1.5) * self.pace)

    async def _write(self, place: UUID, text: str) -> None:
        client_id = str(uuid4())
        body = {"client_id": client_id, "text": text, "mentions": []}
        answer = await self._insist("POST", f"/v1/conversations/{place}/messages", body)
        if answer is not None:
            said = answer.body
            self.acknowledged[client_id] = Acknowledged(said["id"], str(place), said["seq"], text)

    async def _change(self, method: str) -> None:
        if not self.acknowledged:
            return
        message = self.dice.choice(list(self.acknowledged.values())[-5:])
        body = {"text": f"{message.text}, or rather not"} if method == "PATCH" else None
        answer = await self._insist(method, f"/v1/messages/{message.id}", body, also=409)
        if answer is not None and answer.ok:
            self.edited += method == "PATCH"
            self.deleted += method == "DELETE"

    async def _read(self) -> None:
        if self.acknowledged:
            message = self.dice.choice(list(self.acknowledged.values())[-5:])
            path = f"/v1/conversations/{message.conversation}/read"
            await self._insist("POST", path, {"seq": message.seq})

    async def _insist(self, method: str, path: str, body: Any = None, also: int = 200) -> Answer | None:
        began = time.monotonic()
        answer, trail = await insist(self.apps, self.device, self.dice, method, path, body)
        self.repeated += len(trail)
        if (took := time.monotonic() - began) > self.slowest:
            self.slowest, self.slowest_trail = took, trail
        if answer.ok or answer.status == also:
            return answer
        self.refused.append(f"{method} {path}: {answer}")
        return None


@dataclass
class Leaver:
    """A device that is signed out in the middle of everything."""

    reader: Reader
    apps: list[Rest]
    dice: random.Random
    signed_out_at: float = 0.0

    async def sign_out(self) -> None:
        """Sign out until it is acknowledged; a session that is over already was ended by an earlier try."""
        answer, _ = await insist(self.apps, self.reader.device, self.dice, "DELETE", "/v1/sessions/current")
        assert answer.ok or answer.status == 401, answer
        self.signed_out_at = time.time()


class _Gone(Exception):
    """The stay cannot be gone on with."""


@dataclass
class Visitor:
    """Joins a call, stays a while, leaves in one way or another, and comes again."""

    device: Device
    meeting_id: UUID
    apps: list[Rest]
    dice: random.Random
    joined: list[str] = field(default_factory=list)
    """The stays that were acknowledged by a welcome."""
    parted: list[str] = field(default_factory=list)
    """Those whose leaving was acknowledged, too."""
    resumed: int = 0
    turned_away: int = 0

    async def run(self, until: asyncio.Event) -> None:
        """Come and go until told to stop."""
        token: tuple[str, str, int] | None = None
        while not until.is_set():
            try:
                token = await self._visit(token)
            except _Gone:
                token = None
            except _TROUBLE:
                self.turned_away += 1
                token = None
            await asyncio.sleep(self.dice.uniform(0.1, 1.0))

    async def _visit(self, earlier: tuple[str, str, int] | None) -> tuple[str, str, int] | None:
        if earlier is not None:
            url = earlier[0]
            entry: dict[str, Any] = {"resume": {"token": earlier[1], "last_seq": earlier[2]}}
        else:
            answer, _ = await insist(
                self.apps, self.device, self.dice, "POST", f"/v1/meetings/{self.meeting_id}/ticket"
            )
            assert answer.ok, answer
            url, entry = answer.body["socket_url"], {"ticket": answer.body["ticket"]}
        async with asyncio.timeout(6):
            socket = await connect(url, compression=None, ping_interval=None, proxy=None, open_timeout=None)
        try:
            return await self._stay(socket, url, entry)
        finally:
            socket.transport.abort()

    async def _stay(
        self, socket: ClientConnection, url: str, entry: dict[str, Any]
    ) -> tuple[str, str, int] | None:
        await socket.send(
            json.dumps({"type": "hello", "version": 1, "media": {"audio": True, "video": False}, **entry})
        )
        async with asyncio.timeout(6):
            welcome = json.loads(await socket.recv())
        if welcome["type"] != "welcome":
            raise _Gone(welcome)
        if welcome["participant_id"] not in self.joined:
            self.joined.append(welcome["participant_id"])
        self.resumed += welcome["resumed"]
        seq = await self._listen(socket, welcome["seq"], self.dice.uniform(0.3, 4.0))
        way = self.dice.random()
        if way < 0.5:
            await socket.send('{"type":"leave"}')
            async with asyncio.timeout(3):
                with contextlib.suppress(ConnectionClosed):
                    while json.loads(await socket.recv())["type"] != "ended":
                        pass
                    self.parted.append(welcome["participant_id"])
            return None
        # Half of those whose connection is lost come back to the same stay.
        return (url, welcome["resume_token"], seq) if way < 0.75 else None

    async def _listen(self, socket: ClientConnection, seq: int, seconds: float) -> int:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    message = json.loads(await socket.recv())
                    seq = message.get("seq", seq)
        return seq
