"""Networks of their own: namespaces and the links between them, which nothing else on the machine can see."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, NoReturn

import pytest

SERVER: Final = "10.99.0.1"
"""Where the server is, whichever way one comes."""

_NEW_NETWORK: Final = 0x40000000
"""`CLONE_NEWNET`: of the kinds of namespaces, the network."""


class Place:
    """A network namespace.

    A process holds it: with that it ends, and its links with it, even when the test is killed.
    """

    def __init__(self) -> None:
        """Raises `OSError` where that is not allowed."""
        # What waits for the end of its input ends with whoever has the other end, too.
        command = ("unshare", "--net", "sh", "-c", "echo; exec cat")
        self._holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._holder.stdout is not None
        if not self._holder.stdout.readline():
            self.close()
            raise PermissionError("network namespaces may not be made")
        self.number = str(self._holder.pid)
        """Of that process: `ip` takes it for a name."""
        self._path = f"/proc/{self.number}/ns/net"
        self.ip("link", "set", "lo", "up")

    def close(self) -> None:
        """Let go of it."""
        self._holder.communicate(timeout=20)

    def ip(self, *words: str) -> None:
        """Raises `CalledProcessError`."""
        subprocess.run(self.command("ip", *words), check=True, capture_output=True, text=True, timeout=20)

    def command(self, *words: str) -> list[str]:
        """What starts this command here."""
        return ["nsenter", f"--net={self._path}", *words]

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Sockets that this thread makes meanwhile are here, and stay here."""
        with open("/proc/thread-self/ns/net", "rb") as back, open(self._path, "rb") as here:
            _enter(here.fileno())
            try:
                yield
            finally:
                _enter(back.fileno())


@dataclass(frozen=True, slots=True)
class Link:
    """One of the ways from a place to the server."""

    place: Place
    server: Place
    name: str
    address: str

    def down(self) -> None:
        """It is gone, and the place knows: the routes over it are gone, too."""
        self.place.ip("link", "set", self.name, "down")

    def forget_address(self) -> None:
        """It is there, but its address is none of the place's any more."""
        self.place.ip("addr", "del", f"{self.address}/24", "dev", self.name)

    def lose_carrier(self) -> None:
        """Its other end is out of reach; addresses and routes stay."""
        self.server.ip("link", "set", self.name, "down")

    def swallow(self) -> None:
        """What is sent towards the place gets lost on the way, and nobody is told."""
        self.server.ip("route", "add", "blackhole", f"{self.address}/32")

    def up(self) -> None:
        """It can be used, from here on."""
        self.server.ip("link", "set", self.name, "up")
        self.place.ip("link", "set", self.name, "up")
        towards = ("via", self.address.rpartition(".")[0] + ".1", "dev", self.name)
        preference = self.address.split(".")[2]
        self.place.ip("route", "replace", SERVER, *towards, "metric", preference, "src", self.address)
        self.place.ip("route", "replace", "default", *towards, "table", f"10{preference}")


class Internet:
    """A server, and places that are linked with it."""

    def __init__(self) -> None:
        """Raises `OSError` where that is not allowed."""
        self._places: list[Place] = []
        self.server = self._made()
        self.server.ip("addr", "add", f"{SERVER}/32", "dev", "lo")

    def _made(self) -> Place:
        self._places.append(Place())
        return self._places[-1]

    def close(self) -> None:
        """Nothing of it is left."""
        for place in self._places:
            place.close()

    def place(self, *names: str) -> tuple[Place, list[Link]]:
        """Somewhere, with links of these names; the first is preferred. None is up yet."""
        place = self._made()
        net = len(self._places)
        links = []
        for number, name in enumerate(names, start=1):
            device = f"{name}{net}"
            peer = ("type", "veth", "peer", "name", device, "netns", place.number)
            self.server.ip("link", "add", "name", device, *peer)
            link = Link(place, self.server, device, f"10.{net}.{number}.2")
            self.server.ip("addr", "add", f"10.{net}.{number}.1/24", "dev", device)
            place.ip("addr", "add", f"{link.address}/24", "dev", device)
            # What is sent from this address goes over this link or nowhere.
            place.ip("rule", "add", "from", link.address, "table", f"10{number}")
            place.ip("route", "add", "unreachable", "default", "metric", "9999", "table", f"10{number}")
            links.append(link)
        return place, links


@contextmanager
def internet() -> Iterator[Internet]:
    """Made anew, and removed afterwards whatever happens. Skips the test where that is not allowed."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "unshare", "nsenter"))):
        _refuse("network namespaces need root, `ip` (of iproute2), `unshare` and `nsenter` (of util-linux)")
    try:
        made = Internet()
    except (OSError, subprocess.CalledProcessError) as error:
        _refuse(f"no network namespaces here: {error}")
    try:
        yield made
    finally:
        made.close()


def _refuse(words: str) -> NoReturn:
    if os.environ.get("MENTORSPAN_FORBID_SKIPS") == "1":
        pytest.fail(words)
    pytest.skip(words)


def _enter(network: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(network, _NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
