"""What the load needs of a server under test, and what the system says of its process."""

import os
from pathlib import Path
from typing import Protocol

SERVER_CORE = 0
LOAD_CORE = 1


class Server(Protocol):
    """A server in a process of its own, on a core of its own."""

    pid: int
    host: str
    """Where the load's sockets are bound."""

    async def publish(self, room: int, offer: str) -> str:
        """Take a publisher's offer; returns the answer."""

    async def subscribe(self, room: int) -> tuple[str, str]:
        """Let in a subscriber of what the room's publisher sends; returns who they are, and the offer."""

    async def answer(self, who: str, sdp: str) -> None:
        """Take a subscriber's answer."""

    async def measuring(self, *, on: bool) -> None:
        """What is measured begins or ends."""

    async def close(self) -> None:
        """End the process."""


def cpu_seconds(pid: int) -> float:
    """What the process has used of the processor, all threads, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kilobytes(pid: int) -> int:
    """What the process holds of the memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


def machine_busy_seconds() -> float:
    """What everything on the machine has used of all processors, and what others took of them."""
    fields = [int(each) for each in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")
