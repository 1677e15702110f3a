"""Runs a command with MENTORSPAN_TEST_DATABASE_URL naming a private cluster of Debian's PostgreSQL 15.

The cluster is made in a temporary directory, listens on a Unix socket only, and is gone afterwards.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BINARIES = Path("/usr/lib/postgresql/15/bin")
PACKAGES = ["postgresql-15", "postgresql-contrib"]
START_SECONDS = 30


def main() -> int:
    """The exit code of the command, or of whatever stood in its way."""
    if not (BINARIES / "postgres").exists():
        install()
    place = Path(tempfile.mkdtemp(prefix="mentorspan-pg15-"))
    owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    try:
        return with_cluster(place, owner, sys.argv[1:])
    finally:
        shutil.rmtree(place, ignore_errors=True)


def install() -> None:
    """Debian's own package, without the cluster that it would start by itself."""
    if os.geteuid() != 0:
        sys.exit(f"PostgreSQL 15 is missing. Install it: sudo apt-get install {' '.join(PACKAGES)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    no_cluster = Path("/etc/postgresql-common/createcluster.conf")
    no_cluster.parent.mkdir(exist_ok=True)
    if not no_cluster.exists():
        no_cluster.write_text("create_main_cluster = false\n")
    subprocess.run(["apt-get", "update", "-qq"], env=environment, check=True)
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
    subprocess.run([*command, "-o", "Dpkg::Options::=--force-confold"], env=environment, check=True)


def with_cluster(place: Path, owner: pwd.struct_passwd, command: list[str]) -> int:
    """Start it, run the command, stop it."""
    data, sockets = place / "data", place / "s"
    for directory in (place, data, sockets):
        directory.mkdir(mode=0o700, exist_ok=True)
        os.chown(directory, owner.pw_uid, owner.pw_gid)
    who: dict[str, Any] = {"user": owner.pw_uid, "group": owner.pw_gid} if os.geteuid() == 0 else {}
    me = pwd.getpwuid(os.geteuid()).pw_name
    initdb = [str(BINARIES / "initdb"), "-D", str(data), "-U", "mentorspan", "--encoding=UTF8", "--no-sync"]
    initdb += ["--locale=C.UTF-8", "--auth-local=peer", "--auth-host=reject"]
    subprocess.run(initdb, cwd="/", check=True, stdout=subprocess.DEVNULL, **who)
    (data / "pg_hba.conf").write_text("local all mentorspan peer map=me\n")
    (data / "pg_ident.conf").write_text(f"me {me} mentorspan\n")
    settings = ["listen_addresses=", f"unix_socket_directories={sockets}", "unix_socket_permissions=0700"]
    settings += ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=200"]
    options = [word for setting in settings for word in ("-c", setting)]
    server = subprocess.Popen(
        [BINARIES / "postgres", "-D", data, *options], cwd="/", stderr=subprocess.DEVNULL, **who
    )
    try:
        wait(server, sockets / ".s.PGSQL.5432")
        url = f"postgresql://mentorspan@/postgres?host={sockets}"
        return subprocess.run(command, env={**os.environ, "MENTORSPAN_TEST_DATABASE_URL": url}).returncode
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)


def wait(server: "subprocess.Popen[bytes]", socket: Path) -> None:
    """Until it listens; a little longer than that is the tests' own business."""
    deadline = time.monotonic() + START_SECONDS
    ready = [str(BINARIES / "pg_isready"), "-q", "-h", str(socket.parent), "-U", "mentorspan"]
    while subprocess.run(ready).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline:
            sys.exit("PostgreSQL 15 did not start.")
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
