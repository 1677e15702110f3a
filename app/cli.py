"""The command `mentorspan`."""

import asyncio
import json
import os
import sys
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

import psycopg
import typer
import uvicorn
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app import probes, running
from app.core import migrate as migrations
from app.core.private_places import EngineError
from app.core.processes import Busy
from app.settings import Settings
from app.supervisor import CannotServe, Supervisor

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Run and look after a Mentorspan installation.",
)
demo = typer.Typer(no_args_is_help=True, help="The demo world.")
cli.add_typer(demo, name="demo")
mail = typer.Typer(no_args_is_help=True, help="Mail that comes in.")
cli.add_typer(mail, name="mail")
recurrence = typer.Typer(no_args_is_help=True, help="Recurrence rules.")
cli.add_typer(recurrence, name="recurrence")
console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

DRAIN_SECONDS = 8  # requests in progress get this long when we are asked to stop
LOOK = {"good": "green", "note": "yellow", "wrong": "bold red"}


def main() -> None:
    """The entry point: problems that a person can solve are told in words, not in a stack trace."""
    try:
        cli()
    except (CannotServe, EngineError, Busy) as problem:
        errors.print(f"[bold red]Mentorspan cannot go on.[/] {escape(str(problem))}", soft_wrap=True)
        sys.exit(1)
    except psycopg.OperationalError as problem:
        errors.print(f"[bold red]The database does not answer.[/] {escape(str(problem))}", soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


@cli.command()
def serve(
    development: Annotated[
        bool, typer.Option("--development", help="Demo data, the mailbox page and open registration.")
    ] = False,
    with_parent: Annotated[
        int, typer.Option("--with-parent", metavar="PID", help="Stop when this parent process is gone.")
    ] = 0,
) -> None:
    """Run everything on this machine: engines if none are named, app, worker and signalling."""
    settings = _settings("development" if development else None)
    supervisor = Supervisor(settings, lambda line: console.print(f"[dim]{line}[/]"), parent=with_parent)
    with supervisor.running():
        _welcome(settings)
        supervisor.watch()


@cli.command()
def app() -> None:
    """Serve REST and the web client."""
    settings = _settings()
    public = uvicorn.Config(
        "app.main:create_app",
        factory=True,
        host=settings.app_host,
        port=settings.app_port,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        # The address of a client is believed from a proxy only when the operator names the proxy.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        server_header=False,
        ws="none",
        log_config=None,
        access_log=False,  # paths of feeds are secrets
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    from app.internal import serve_both  # noqa: PLC0415

    with asyncio.Runner(loop_factory=public.get_loop_factory()) as runner:
        runner.run(serve_both(public, settings))


@cli.command()
def worker() -> None:
    """Run jobs: mail, reminders, attendance."""
    from app.worker import main as work  # noqa: PLC0415

    work()


@cli.command()
def signalling() -> None:
    """Serve the sockets of calls."""
    # By becoming that program, not by importing it: the wall between the two is real in every process.
    os.execv(sys.executable, [sys.executable, "-m", "signalling"])


@cli.command()
def migrate() -> None:
    """Bring the database to the newest schema."""
    with running.engines(_settings(), bus=False) as engines:
        changed = migrations.upgrade(engines.database_url)
    console.print("The schema is the newest now." if changed else "The schema was the newest already.")


@cli.command()
def restored() -> None:
    """Run once after a backup was put back: clients that know newer numbers read everything afresh."""
    from app.core import streams  # noqa: PLC0415 - `serve` starts faster without what the rooms need

    with running.engines(_settings(), bus=False) as engines:
        count = asyncio.run(streams.renew_epochs(engines.database_url))
    console.print(f"{count} streams have a new epoch.")


@demo.command("seed")
def seed() -> None:
    """Fill an empty database with two organisations and their people (development only)."""
    settings = _settings()
    if not settings.development:
        raise CannotServe("Demo data belong to development: set MENTORSPAN_MODE=development.")
    from app import demo as world  # noqa: PLC0415

    with running.engines(settings, bus=False) as engines:
        migrations.upgrade(engines.database_url)
        if not migrations.is_empty(engines.database_url):
            console.print("There are accounts in this database; nothing was added.")
            return
        asyncio.run(world.seed(engines.database_url))
    console.print("The demo world is there.")


@mail.command("ingest")
def ingest() -> None:
    """Take in the mail on standard input, as a mail server's pipe gives it; exit codes of sysexits.h."""
    from app.calendars.replies import MOST_BYTES, Unreadable  # noqa: PLC0415
    from app.core import logging  # noqa: PLC0415
    from app.worker import take_in_mail  # noqa: PLC0415

    try:
        settings = _settings()
        logging.configure(settings.log_level, pretty=settings.development)
        raw = sys.stdin.buffer.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise Unreadable("too large")
        with running.engines(settings, bus=False) as engines:
            taken = asyncio.run(take_in_mail(settings, engines.database_url, raw))
    except Unreadable as problem:
        errors.print(f"This is not a mail that can be read: {problem}", markup=False)
        raise typer.Exit(os.EX_DATAERR) from None
    except Exception as problem:
        # Whatever stands in the way, the mail server keeps the mail and tries again.
        errors.print(f"Not now: {type(problem).__name__}", markup=False)
        raise typer.Exit(os.EX_TEMPFAIL) from None
    console.print("Taken." if taken.taken else f"Ignored: {taken.reason}.")


@recurrence.command("preview")
def preview(
    dtstart: Annotated[str, typer.Option(help="The first local time, such as 1997-09-02T09:00:00.")],
    zone: Annotated[str, typer.Option(help="An IANA time zone, such as America/New_York.")],
    rule: Annotated[str, typer.Option(help="An RRULE of RFC 5545, such as FREQ=WEEKLY;COUNT=10.")],
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many times at most.")] = 10,
    exdate: Annotated[list[str], typer.Option(help="A local time to leave out; may be given again.")] = [],  # noqa: B006
) -> None:
    """Print the next times of a rule as a JSON list; exit code 2 and a reason when it is not supported."""
    from app.series.recurrence import Recurrence  # noqa: PLC0415
    from app.series.rules import Refused  # noqa: PLC0415

    try:
        found = list(islice(Recurrence.of(rule, dtstart, zone, exdate).occurrences(), limit))
    except Refused as problem:
        typer.echo(str(problem), err=True)
        raise typer.Exit(2) from None
    if not found:
        typer.echo("There is no such time.", err=True)
    typer.echo(json.dumps([each.local.isoformat() for each in found]))


@cli.command()
def openapi(
    path: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("openapi.yaml"),
) -> None:
    """Write openapi.yaml from the code."""
    # Here, in `app`, `worker` and `seed`: no other command should wait for the whole application to load.
    from app.core.openapi import write  # noqa: PLC0415
    from app.main import create_app  # noqa: PLC0415

    write(create_app(), path)
    console.print(f"Wrote {path}.")


@cli.command()
def doctor() -> None:
    """Look at everything an installation leans on; exit code 1 when something is wrong."""
    from app import doctor as doctors  # noqa: PLC0415 - it knows the libraries of every engine

    table = Table(box=None, pad_edge=False, show_header=False)
    wrong = 0
    for finding in doctors.examine(_settings()):
        wrong += finding.level is doctors.Level.WRONG
        text = f"{finding.text}\n[dim]{finding.advice}[/]" if finding.advice else finding.text
        table.add_row(f"[{LOOK[finding.level]}]{finding.level}[/]", finding.about, text)
    console.print(table)
    if wrong:
        raise typer.Exit(1)


def _settings(mode: Literal["production", "development"] | None = None) -> Settings:
    """The settings, or words about what in the environment makes no sense."""
    if mode is not None:
        os.environ["MENTORSPAN_MODE"] = mode
    try:
        return Settings()
    except ValidationError as problem:
        lines = [f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in problem.errors()]
        raise CannotServe("The environment has settings that make no sense.\n" + "\n".join(lines)) from None


def _welcome(settings: Settings) -> None:
    """What a person needs next: the address, and in development who they can be."""
    console.print(f"\n  Mentorspan is ready:  [bold green]{settings.public_url}[/]\n")
    _, config = probes.fetch(f"{probes.app_address(settings)}/v1/config")
    people = (config or {}).get("demo") or []
    if people:
        table = Table(box=None, pad_edge=False, padding=(0, 2))
        for heading in ("Sign in as", "", "Password"):
            table.add_column(heading)
        for person in people:
            table.add_row(f"  {person['email']}", person.get("what", ""), person["password"])
        console.print(table)
        console.print(f"\n  Mail that is sent shows at {settings.public_url}/mailbox")
    if settings.development:
        console.print(f"  Logs: {settings.state_dir / 'log'}    Stop with Ctrl-C\n")


if __name__ == "__main__":
    main()
