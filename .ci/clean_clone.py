"""The README's promise, kept: in a clean copy of the tracked files, with nothing else, its two commands work.

`make run` is run for real, twice, and interrupted; nothing of it may be left, and the second time it must
serve soon: within three times what loading one of its programs takes here. `make test` has been run
already by whoever calls this, so here only its set-up is.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

FIRST_SECONDS = 240.0
SECOND_RATIO = 3.0
STOP_SECONDS = 30.0


def main() -> None:
    """Say figures as we go; any broken promise ends with exit code 1."""
    place = Path(tempfile.mkdtemp(prefix="mentorspan-clean-"))
    place.chmod(0o755)
    try:
        copy_tracked(place / "checkout")
        checkout = place / "checkout"
        ports = free_ports()
        print(f"first make run:  ready in {serve(checkout, ports, FIRST_SECONDS):.1f} s")
        loading = seconds_to_load(checkout)
        took = serve(checkout, ports, SECOND_RATIO * loading)
        print(f"second make run: ready in {took:.1f} s, {took / loading:.1f} times what loading app takes")
        subprocess.run(["make"], cwd=checkout, check=True, stdout=subprocess.DEVNULL)
    finally:
        elsewhere = place / "checkout" / ".mentorspan" / "postgres-is-elsewhere"
        if elsewhere.exists():
            shutil.rmtree(elsewhere.read_text().strip(), ignore_errors=True)
        shutil.rmtree(place, ignore_errors=True)


def seconds_to_load(checkout: Path) -> float:
    """How long Python takes to import app: the measure of this machine."""
    started = time.monotonic()
    subprocess.run([checkout / ".venv/bin/python", "-c", "import app.main"], cwd=checkout, check=True)
    return time.monotonic() - started


def copy_tracked(target: Path) -> None:
    """What a clone would have: tracked files, and new ones that are not ignored, as they are now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
    )
    for name in listed.stdout.decode().split("\0"):
        if name and Path(name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(name, target / name)


def serve(checkout: Path, ports: tuple[int, int], limit: float) -> float:
    """Run it until it is ready, interrupt it as Ctrl-C does, and look for what is left."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MENTORSPAN_")}
    environment |= {"MENTORSPAN_APP_PORT": str(ports[0]), "MENTORSPAN_SIGNALLING_PORT": str(ports[1])}
    started = time.monotonic()
    # A session of its own stands for a terminal: the interrupt goes to everything in the foreground.
    run = subprocess.Popen(["make", "run"], cwd=checkout, env=environment, start_new_session=True)
    try:
        while not all(is_ready(port) for port in ports):
            if run.poll() is not None:
                sys.exit(f"make run ended with code {run.returncode} before it was ready")
            if time.monotonic() - started > limit:
                sys.exit(f"make run was not ready after {limit:g} s")
            time.sleep(0.05)
        took = time.monotonic() - started
        check_page(ports[0])
    finally:
        os.killpg(run.pid, signal.SIGINT)
        run.wait(STOP_SECONDS)
    left = processes_of(checkout)
    if left:
        sys.exit(f"left running: {left}")
    return took


def is_ready(port: int) -> bool:
    """Whether the service on this port says so."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def check_page(port: int) -> None:
    """A person would see the web client."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Accept": "text/html"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        if b"<html" not in answer.read():
            sys.exit("the address that make run prints does not show the web client")


def processes_of(checkout: Path) -> list[str]:
    """Live processes that mention the copy. The watchdog leaves a moment after its parent."""
    deadline = time.monotonic() + 3
    while True:
        left = []
        for process in psutil.process_iter(["cmdline", "status"]):
            line = " ".join(process.info["cmdline"] or [])
            if str(checkout) in line and process.info["status"] != psutil.STATUS_ZOMBIE:
                left.append(line)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.1)


def free_ports() -> tuple[int, int]:
    """Two that nobody uses."""
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


if __name__ == "__main__":
    main()
