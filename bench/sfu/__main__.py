"""What forwarding a packet costs the server: the embedded engine, next to Janus in the same run.

`python -m bench.sfu` prints one JSON object per run, and one with the medians at the end.
"""

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

from bench.sfu import janus
from bench.sfu.neighbour import Neighbour
from bench.sfu.server import machine_busy_seconds

FIGURES: Final = (
    "microseconds_per_packet",
    "server_cpu_share",
    "packets_per_second",
    "loss_by_number",
    "latency_ms_p50",
    "latency_ms_p99",
    "kilobytes_per_subscriber",
    "others_cpu_share",
    "load_late_ms",
)
ROOM_OF: Final = 4
"""Subscribers in each of many rooms."""
LOST: Final = 0.005
QUIET_SHARE: Final = 0.15
"""Of one processor."""
LATE_MS: Final = 50
"""A run whose load was later than that was disturbed by something else on the machine."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.sfu", description=__doc__)
    parser.add_argument("--backend", choices=("ours", "janus", "both", "relay"), default="both")
    parser.add_argument("--shape", choices=("room", "rooms", "both"), default="both")
    parser.add_argument("--subscribers", type=int, default=100, help="in the one room")
    parser.add_argument("--rooms", type=int, default=40, help=f"with {ROOM_OF} subscribers each")
    parser.add_argument("--seconds", type=float, default=5.0, help="that are measured in each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--patience", type=float, default=0.0, help="so many seconds to wait for quiet")
    parser.add_argument(
        "--beside-load", action="store_true", help="while a whole Mentorspan answers REST on both cores"
    )
    parser.add_argument("--search", action="store_true", help="more and more, until 0.5 %% are lost")
    parser.add_argument("--profile", help="where to write a cProfile of our server; slows it down")
    return parser.parse_args()


def _wait_for_quiet(patience: float) -> None:
    """Others may be at work on the machine: wait until they are not, but not for ever."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        busy = machine_busy_seconds()
        time.sleep(1)
        if machine_busy_seconds() - busy < QUIET_SHARE:
            return


def _run(backend: str, rooms: int, subscribers: int, chosen: argparse.Namespace) -> dict[str, Any]:
    """One run in a process of its own."""
    _wait_for_quiet(chosen.patience)
    shape = {
        "backend": backend,
        "rooms": rooms,
        "subscribers": subscribers,
        "seconds": chosen.seconds,
        "profile": chosen.profile,
    }
    command = [sys.executable, "-m", "bench.sfu.load", json.dumps(shape)]
    done = subprocess.run(command, capture_output=True, text=True)
    line = {"command": shlex.join(command)}
    if done.returncode:
        return {**shape, **line, "failed": done.stderr.strip()[-400:]}
    return {**json.loads(done.stdout), **line}


def _medians(runs: list[dict[str, Any]]) -> dict[str, Any]:
    good = [run for run in runs if "failed" not in run]
    if not good:
        return {"failed": len(runs)}
    medians = {
        name: round(statistics.median(found), 4)
        for name in FIGURES
        if (found := [run[name] for run in good if run[name] is not None])
    }
    disturbed = sum(run["load_late_ms"] > LATE_MS for run in good)
    return {"runs": len(good), "failed": len(runs) - len(good), "disturbed": disturbed, **medians}


def _compare(rooms: int, subscribers: int, backends: list[str], chosen: argparse.Namespace) -> dict[str, Any]:
    """Each in turn, so that whatever else the machine does hits all of them."""
    runs: dict[str, list[dict[str, Any]]] = {backend: [] for backend in backends}
    for _ in range(chosen.rounds):
        for backend in backends:
            run = _run(backend, rooms, subscribers, chosen)
            runs[backend].append(run)
            print(json.dumps(run), flush=True)
    return {backend: _medians(each) for backend, each in runs.items()}


def _search(rooms: int, subscribers: int, backend: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """The largest load of which less than 0.5 % is lost, in steps of a quarter; each has two tries."""
    best: dict[str, Any] = {"streams": 0}
    while True:
        runs = [_run(backend, rooms, subscribers, chosen) for _ in range(2)]
        print(json.dumps(runs), flush=True)
        good = [run for run in runs if run.get("loss_by_number", 1.0) < LOST]
        if not good:
            return best
        best = {"streams": rooms * subscribers, **{name: good[0][name] for name in FIGURES}}
        rooms, subscribers = (rooms, subscribers * 5 // 4) if rooms == 1 else (rooms * 5 // 4, subscribers)


def _measured(backends: list[str], chosen: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    shapes = {"room": (1, chosen.subscribers), "rooms": (chosen.rooms, ROOM_OF)}
    for name, (rooms, subscribers) in shapes.items():
        if chosen.shape not in (name, "both"):
            continue
        if chosen.search:
            found = {backend: _search(rooms, subscribers, backend, chosen) for backend in backends}
            yield f"most, from {rooms}x{subscribers}", found
        else:
            yield f"{rooms}x{subscribers}", _compare(rooms, subscribers, backends, chosen)


def main() -> None:
    """Make all runs."""
    chosen = _arguments()
    backends = ["ours", "janus"] if chosen.backend == "both" else [chosen.backend]
    found: dict[str, Any] = {
        "bench": "sfu",
        "command": shlex.join(["python", "-m", "bench.sfu", *sys.argv[1:]]),
    }
    if "janus" in backends and (why := janus.missing()):
        backends.remove("janus")
        found["janus_skipped"] = why
    neighbour = Neighbour() if chosen.beside_load else None
    began = time.monotonic()
    try:
        found.update(_measured(backends, chosen))
    finally:
        if neighbour is not None:
            found["requests_per_second_beside"] = round(neighbour.stop() / (time.monotonic() - began))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
