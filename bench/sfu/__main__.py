"""What forwarding a packet costs the server: the embedded engine, next to Janus in the same run.

`python -m bench.sfu` prints one JSON object per run, and one with the medians at the end.
"""

import argparse
import json
import shlex
import statistics
import subprocess
import sys
from typing import Any, Final

from bench.sfu import janus

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
LATE_MS: Final = 50
"""A run whose load was later than that was disturbed by something else on the machine."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.sfu", description=__doc__)
    parser.add_argument("--backend", choices=("ours", "janus", "both"), default="both")
    parser.add_argument("--shape", choices=("room", "rooms", "both"), default="both")
    parser.add_argument("--subscribers", type=int, default=100, help="in the one room")
    parser.add_argument("--rooms", type=int, default=40, help=f"with {ROOM_OF} subscribers each")
    parser.add_argument("--seconds", type=float, default=5.0, help="that are measured in each run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", help="where to write a cProfile of our server; slows it down")
    return parser.parse_args()


def _run(backend: str, rooms: int, subscribers: int, chosen: argparse.Namespace) -> dict[str, Any]:
    """One run in a process of its own."""
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
    medians = {name: round(statistics.median(run[name] for run in good), 4) for name in FIGURES}
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
    shapes = {"room": (1, chosen.subscribers), "rooms": (chosen.rooms, ROOM_OF)}
    for name, (rooms, subscribers) in shapes.items():
        if chosen.shape in (name, "both"):
            found[f"{rooms}x{subscribers}"] = _compare(rooms, subscribers, backends, chosen)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
