"""People are taken out of streams that are being written to; what still reaches them is recorded."""

import asyncio
import contextlib
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self
from uuid import UUID, uuid4

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.streams.actors import insist
from tests.streams.cast import Cast, Device, Person
from tests.streams.rest import NoAnswer, Rest
from tests.streams.topology import Topology

BOUND_SECONDS = 1.0
Work = Callable[[], Coroutine[Any, Any, None]]
WATCH_SECONDS = 2.5
"""How long the writing goes on after the last change of a scene."""
BEFORE_SECONDS = 3.0


class Frame(NamedTuple):
    """Something that a socket was sent about a stream."""

    at: float
    type: str
    stream: str
    kind: str
    author: str | None


class Ear:
    """One events socket that writes down what it is sent, and when. It is never opened again."""

    def __init__(self, device: Device, socket: ClientConnection) -> None:
        self.device = device
        self.frames: list[Frame] = []
        self.closed_at = 0.0
        self.code: int | None = None
        self._socket = socket
        self._task = asyncio.create_task(self._listen())

    @classmethod
    async def open(cls, apps: list[Rest], device: Device, dice: random.Random) -> "Ear":
        """Get a ticket, connect and be welcomed; a node that has just begun may want a newer ticket."""
        while True:
            answer = (await insist(apps, device, dice, "POST", "/v1/events/ticket"))[0].body
            socket = await connect(
                answer["socket_url"], compression=None, ping_interval=None, max_queue=None, proxy=None
            )
            await socket.send(json.dumps({"type": "hello", "version": 1, "ticket": answer["ticket"]}))
            welcome = json.loads(await socket.recv())
            if welcome["type"] == "welcome":
                return cls(device, socket)
            assert welcome["code"] == "not_ready", welcome
            await socket.close()
            await asyncio.sleep(0.5)

    async def say(self, **message: Any) -> None:
        """Send a message, if the socket is open still."""
        with contextlib.suppress(ConnectionClosed):
            await self._socket.send(json.dumps(message))

    def close(self) -> None:
        """Close the socket from here."""
        self._task.cancel()
        self._socket.transport.abort()

    async def _listen(self) -> None:
        try:
            while True:
                message = json.loads(await self._socket.recv(decode=False))
                if message["type"] in ("event", "typing"):
                    author = message.get("data", message).get("author_id") or message.get("membership_id")
                    frame = (message["type"], message["stream"], message.get("kind", "typing"), author)
                    self.frames.append(Frame(time.time(), *frame))
        except ConnectionClosed:
            self.code = self._socket.close_code
            self.closed_at = time.time()


@dataclass
class Trial:
    """One change, and what must not reach one ear any more."""

    kind: str
    ear: Ear
    stream: str
    author: str | None = None
    """Only what this membership said is concerned."""
    final: bool = False
    """Nothing can be said there afterwards, so nothing has to go on."""
    changed_at: float = 0.0

    def concerns(self, frame: Frame) -> bool:
        """Whether a frame is of what was taken away."""
        if frame.stream != self.stream:
            return False
        return self.author is None or (frame.author == self.author and frame.kind != "hidden")

    def late(self) -> list[Frame]:
        """What came too late."""
        after = self.changed_at + BOUND_SECONDS
        return [frame for frame in self.ear.frames if frame.at > after and self.concerns(frame)]

    def latest(self) -> float:
        """How long after the change the last concerned frame came."""
        return max((0.0, *(f.at - self.changed_at for f in self.ear.frames if self.concerns(f))))

    def was_flowing(self) -> bool:
        """Whether such frames came until shortly before the change."""
        since = self.changed_at - BEFORE_SECONDS
        return any(since < f.at < self.changed_at and self.concerns(f) for f in self.ear.frames)


@dataclass
class Scene:
    """A conversation that is written to, and everybody's sockets in it."""

    pairing: UUID
    conversation: UUID
    people: list[Person]
    ears: dict[UUID, Ear]
    """By account: the socket of each one's first device."""
    writers: list[Person]


@dataclass
class Outcome:
    """What all trials came to."""

    trials: Counter[str] = field(default_factory=Counter)
    idle: Counter[str] = field(default_factory=Counter)
    """Trials in which nothing was flowing before, or nothing went on after: they prove nothing."""
    late: list[str] = field(default_factory=list)
    latest: dict[str, list[float]] = field(default_factory=dict)
    posted: int = 0
    seconds: float = 0.0

    def summary(self) -> dict[str, Any]:
        """Figures."""
        longest = {kind: round(max(took) * 1000) for kind, took in self.latest.items() if took}
        middle = {
            kind: round(sorted(took)[len(took) // 2] * 1000) for kind, took in self.latest.items() if took
        }
        return {
            "trials": dict(self.trials),
            "idle": dict(self.idle),
            "late": len(self.late),
            "last_frame_after_change_ms": {"median": middle, "longest": longest},
            "posts_per_second": round(self.posted / self.seconds) if self.seconds else None,
        }


class Revocations:
    """Plays scenes on a running topology."""

    def __init__(self, topology: Topology, seed: int, *, rate: float = 60.0, pace: float = 16.0) -> None:
        self.topology = topology
        self.dice = random.Random(seed)
        self.apps = [Rest(url) for url in topology.urls]
        self.cast = Cast(topology)
        self.outcome = Outcome()
        self._ears: list[Ear] = []
        self._playing, self._began = 0, 0.0
        self._few = asyncio.Semaphore(6)
        self._rate = rate
        self._pace = pace

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for ear in self._ears:
            ear.close()
        for app in self.apps:
            app.close()

    async def scenes(
        self, leads: Sequence[Person], mentees: Sequence[Person], count: int = 1, *, all_write: bool = False
    ) -> list[Scene]:
        """Circles of the same people, with one socket for everyone."""
        people = [*leads, *mentees]
        circles = [await self.cast.circle(leads, mentees) for _ in range(count)]
        ears = {ear.device.account_id: ear for ear in await self.listen([who.devices[0] for who in people])}
        return [Scene(*ids, people, ears, people if all_write else list(leads)) for ids in circles]

    async def listen(self, devices: Sequence[Device]) -> list[Ear]:
        """A socket for each device."""
        found = []
        for start in range(0, len(devices), 8):
            some = devices[start : start + 8]
            found += await asyncio.gather(*(Ear.open(self.apps, each, self.dice) for each in some))
        self._ears += found
        return found

    async def play(
        self,
        scenes: Sequence[Scene],
        changes: Sequence[tuple[Work, Sequence[Trial]]],
        meanwhile: Work | None = None,
    ) -> None:
        """Write to all scenes, make the changes one after the other, write on a while, and judge."""
        over = asyncio.Event()
        if not self._playing:
            self._began = time.monotonic()
        self._playing += 1
        writing = [asyncio.create_task(self._write(scenes, over)) for _ in range(12)]
        writing.append(asyncio.create_task(self._type(scenes, over)))
        await asyncio.sleep(1.5)
        other = asyncio.create_task(meanwhile()) if meanwhile else None
        waiting: set[asyncio.Task[None]] = set()
        for change, trials in changes:
            waiting.add(asyncio.create_task(self._change(change, trials)))
            await asyncio.sleep(self.dice.uniform(0.5, 1.5) / self._pace)
        await asyncio.gather(*waiting, *([other] if other else []))
        await asyncio.sleep(BOUND_SECONDS + WATCH_SECONDS)
        over.set()
        await asyncio.gather(*writing)
        self._playing -= 1
        if not self._playing:
            self.outcome.seconds += time.monotonic() - self._began
        self._judge(scenes, [trial for _, trials in changes for trial in trials])

    async def _change(self, change: Work, trials: Sequence[Trial]) -> None:
        async with self._few:
            await change()
            now = time.time()
        for trial in trials:
            trial.changed_at = now

    async def _write(self, scenes: Sequence[Scene], over: asyncio.Event) -> None:
        while not over.is_set():
            began = time.monotonic()
            scene = self.dice.choice(scenes)
            writer = self.dice.choice(scene.writers).devices[0]
            body = {"client_id": str(uuid4()), "text": "We could meet on Thursday.", "mentions": []}
            path = f"/v1/conversations/{scene.conversation}/messages"
            try:
                answer = await self.dice.choice(self.apps).call(writer.token, "POST", path, body)
                self.outcome.posted += answer.ok
            except NoAnswer:
                pass
            await asyncio.sleep(max(0.0, 12 / self._rate - (time.monotonic() - began)))

    async def _type(self, scenes: Sequence[Scene], over: asyncio.Event) -> None:
        while not over.is_set():
            scene = self.dice.choice(scenes)
            ear = scene.ears[self.dice.choice(scene.writers).account_id]
            await ear.say(type="typing", stream=str(scene.conversation), typing=self.dice.random() < 0.7)
            await asyncio.sleep(0.1)

    def _judge(self, scenes: Sequence[Scene], trials: Sequence[Trial]) -> None:
        ears = {id(ear): ear for scene in scenes for ear in scene.ears.values()}.values()
        said: dict[str, list[Frame]] = {}
        for ear in ears:
            for frame in ear.frames:
                if frame.kind == "message.posted":
                    said.setdefault(frame.stream, []).append(frame)
        for trial in trials:
            after = trial.changed_at + BOUND_SECONDS
            went_on = trial.final or any(
                f.at > after and trial.concerns(f) for f in said.get(trial.stream, ())
            )
            if not (went_on and trial.was_flowing()) and not trial.late():
                self.outcome.idle[trial.kind] += 1
                continue
            self.outcome.trials[trial.kind] += 1
            self.outcome.latest.setdefault(trial.kind, []).append(trial.latest())
            for frame in trial.late()[:1]:
                words = f"{trial.kind}: {frame} came {frame.at - trial.changed_at:.2f} s after the change"
                self.outcome.late.append(words)

    # Changes

    def leaving(self, scene: Scene, person: Person, kind: str = "leave") -> tuple[Work, list[Trial]]:
        """Someone leaves a circle."""

        async def change() -> None:
            await self._insist(
                person.devices[0], "POST", f"/v1/pairings/{scene.pairing}/leave", also=(403, 404)
            )

        return change, [Trial(kind, scene.ears[person.account_id], str(scene.conversation))]

    def blocking(
        self, scene: Scene, one: Person, other: Person, kind: str = "block"
    ) -> tuple[Work, list[Trial]]:
        """Someone blocks someone of the same circle: neither hears the other any more."""

        async def change() -> None:
            body = {"membership_id": str(other.membership_id)}
            await self._insist(one.devices[0], "POST", "/v1/blocks", body)

        stream = str(scene.conversation)
        return change, [
            Trial(kind, scene.ears[one.account_id], stream, str(other.membership_id)),
            Trial(kind, scene.ears[other.account_id], stream, str(one.membership_id)),
        ]

    def signing_out(self, scene: Scene, ear: Ear, kind: str = "sign_out") -> tuple[Work, list[Trial]]:
        """A device is signed out."""

        async def change() -> None:
            await self._insist(ear.device, "DELETE", "/v1/sessions/current", also=(401,))

        return change, [Trial(kind, ear, str(scene.conversation))]

    async def _insist(
        self, device: Device, method: str, path: str, body: Any = None, also: tuple[int, ...] = ()
    ) -> None:
        answer, _ = await insist(self.apps, device, self.dice, method, path, body)
        assert answer.ok or answer.status in also, (method, path, answer)
