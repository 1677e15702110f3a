"""Janus with its VideoRoom plugin, as Debian packages it; driven over its WebSocket."""

import asyncio
import json
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect

from bench.sfu.server import SERVER_CORE

EVENT_LOOPS = 2
_PLUGINS = Path("/usr/lib/x86_64-linux-gnu/janus/plugins")
_TRANSPORTS = Path("/usr/lib/x86_64-linux-gnu/janus/transports")


def missing() -> str | None:
    """Why it cannot be run here, if it cannot."""
    return None if shutil.which("janus") else "Janus is not installed: apt-get install janus."


def _others(folder: Path, kept: str) -> str:
    return ",".join(sorted(each.name for each in folder.glob("*.so") if kept not in each.name))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _configure(folder: Path, port: int) -> None:
    (folder / "janus.jcfg").write_text(
        f"""general: {{ debug_level = 2 event_loops = {EVENT_LOOPS} session_timeout = 0 }}
        nat: {{ ice_lite = true full_trickle = false ice_enforce_list = "ADDRESS" ignore_mdns = true }}
        media: {{ ipv6 = false }}
        plugins: {{ disable = "{_others(_PLUGINS, "videoroom")}" }}
        transports: {{ disable = "{_others(_TRANSPORTS, "websockets")}" }}
        """.replace("ADDRESS", address())
    )
    (folder / "janus.transport.websockets.jcfg").write_text(
        f'general: {{ json = "compact" ws = true ws_port = {port} ws_ip = "127.0.0.1" }}\n'
    )
    (folder / "janus.plugin.videoroom.jcfg").write_text("general: { }\n")


def address() -> str:
    """Janus takes no loopback address; packets to the machine's own go over loopback all the same."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        host: str = probe.getsockname()[0]
        return host


class Janus:
    """The load's side of the WebSocket."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        talk: ClientConnection,
        folder: "tempfile.TemporaryDirectory[str]",
    ) -> None:
        self._process, self._talk, self._folder = process, talk, folder
        self.pid = process.pid
        self.host = address()
        self._session = 0

    @classmethod
    async def open(cls) -> Self:
        """Start the process."""
        folder, port = tempfile.TemporaryDirectory(), _free_port()
        _configure(Path(folder.name), port)
        with (Path(folder.name) / "log").open("w") as log:
            process = await asyncio.create_subprocess_exec(
                *("taskset", "-c", str(SERVER_CORE), "janus", "-o", "-F", folder.name),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            made = cls(process, await _reach(port), folder)
            made._session = (await made._ask({"janus": "create"}))["data"]["id"]
        except BaseException:
            process.kill()
            raise
        return made

    async def publish(self, room: int, offer: str) -> str:
        handle = await self._attach()
        settings = {
            "request": "create",
            "room": room + 1,
            "publishers": 1,
            "audiocodec": "opus",
            "videocodec": "vp8",
            "bitrate": 10_000_000,
            "fir_freq": 0,
            "audiolevel_event": False,
        }
        await self._message(handle, settings)
        await self._message(
            handle, {"request": "join", "ptype": "publisher", "room": room + 1, "id": room + 1}
        )
        said = await self._message(handle, {"request": "publish"}, {"type": "offer", "sdp": offer})
        sdp: str = said["jsep"]["sdp"]
        return sdp

    async def subscribe(self, room: int) -> tuple[str, str]:
        handle = await self._attach()
        wish = {"request": "join", "ptype": "subscriber", "room": room + 1, "streams": [{"feed": room + 1}]}
        said = await self._message(handle, wish)
        assert "jsep" in said, said
        return str(handle), said["jsep"]["sdp"]

    async def answer(self, who: str, sdp: str) -> None:
        await self._message(int(who), {"request": "start"}, {"type": "answer", "sdp": sdp})

    async def measuring(self, *, on: bool) -> None:
        pass

    async def close(self) -> None:
        self._process.kill()
        await self._process.wait()
        await self._talk.close()
        self._folder.cleanup()

    async def _attach(self) -> int:
        said = await self._ask(
            {"janus": "attach", "plugin": "janus.plugin.videoroom", "session_id": self._session}
        )
        handle: int = said["data"]["id"]
        return handle

    async def _message(
        self, handle: int, body: dict[str, Any], jsep: dict[str, str] | None = None
    ) -> dict[str, Any]:
        request = {"janus": "message", "session_id": self._session, "handle_id": handle, "body": body}
        said = await self._ask(request | ({"jsep": jsep} if jsep else {}))
        data = said.get("plugindata", {}).get("data", {})
        assert "error" not in data, said
        return said

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        transaction = uuid4().hex
        await self._talk.send(json.dumps(request | {"transaction": transaction}))
        while True:
            said: dict[str, Any] = json.loads(await asyncio.wait_for(self._talk.recv(), 10))
            assert said["janus"] != "error", said
            if said.get("transaction") == transaction and said["janus"] != "ack":
                return said


async def _reach(port: int) -> ClientConnection:
    protocol: Any = ["janus-protocol"]
    for _ in range(100):
        try:
            return await connect(f"ws://127.0.0.1:{port}", subprotocols=protocol, ping_interval=None)
        except OSError:
            await asyncio.sleep(0.1)
    raise RuntimeError("Janus does not listen.")
