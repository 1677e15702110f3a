"""The rules of the house that no off-the-shelf linter knows. Each is shown to catch its own violation."""

import ast
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "app"
DOORS = {"__init__", "routes", "schemas", "service", "queries", "models", "events", "news"}
OTHER_DOORS = {
    "accounts/auth": "the dependency that says who is calling",
    "accounts/tokens": "what access and refresh tokens look like",
    "accounts/passwords": "argon2, off the event loop",
    "accounts/expiry": "what ends by itself: the worker's verb, not a caller's",
    "availability/hours": "from wall time to instants: pure",
    "availability/intervals": "stretches of time as arithmetic: pure",
    "scheduling/slots": "when people can meet: pure",
    "scheduling/diaries": "queries of bookings and holds; queries.py holds the meetings and calls",
    "scheduling/known": "what is known of people's time, one query per kind: only reads",
    "scheduling/openings": "what stands against a time: only reads",
    "scheduling/offers": "the slots in those diaries: only reads",
    "scheduling/slot_schemas": "what travels about slots and holds; schemas.py is full of meetings",
    "scheduling/in_series": "verbs on meetings of a series, many at once",
    "scheduling/holds": "times that are about to be booked: a verb file of its own beside service",
    "freebusy/addresses": "where on the net one may go: pure",
    "freebusy/troubles": "what can stand in the way, in words: pure",
    "freebusy/pieces": "a calendar's text, taken apart: pure",
    "freebusy/busy_times": "from the text of a calendar to intervals: pure",
    "freebusy/expander": "the same in a process of its own, with limits",
    "freebusy/fetching": "going to an address that a person named",
    "freebusy/caldav": "what CalDAV servers are asked",
    "freebusy/refreshing": "what happens by itself: the worker's verb, not a caller's",
    "scheduling/calls": "tickets and commands out, facts in: a verb file of its own beside service",
    "scheduling/moves": "verbs on moves of meetings, beside service, which propose and decide meetings",
    "scheduling/outcomes": "verbs on how meetings went: what people say, and what attendance shows",
    "scheduling/noshows": "what attendance shows of meetings: the worker's verbs, not a caller's",
    "scheduling/history": "what happened to a meeting: pure",
    "scheduling/policy": "verbs on what an organisation calls late and absent",
    "scheduling/particulars": "queries of what hangs on a meeting; queries.py holds the meetings and calls",
    "recordings/expiry": "what ends by itself: the worker's verb, not a caller's",
    "recordings/ranges": "parts of files: pure",
    "recordings/storage": "the files of takes, on disk",
    "series/making": "makes the meetings of a series ahead: also the worker's verb",
    "series/recurrence": "what a rule means in a zone: pure",
    "series/rules": "which recurrence rules are taken: pure",
    "chat/access": "who may write, hear and be named",
    "notifications/due": "when reminders are due: pure",
    "notifications/words": "what mails say: pure",
    "notifications/reminding": "what is to be reminded of: a verb file of its own beside service",
    "notifications/sending": "what is due: the worker's verb, not a caller's",
    "notifications/nudging": "what has gone quiet: the worker's verb, not a caller's",
    "calendars/ics": "what calendars are told: pure",
    "calendars/vavailability": "one's own hours for other calendars: pure",
    "calendars/replies": "what calendars answer: pure",
    "calendars/addresses": "the addresses in both: pure",
    "calendars/invitations": "who is told what when something happens: a verb file of its own beside service",
    "live/standing": "what nodes ask, behind a door that is not for the world",
}
STATEMENTS = {"select", "update", "delete", "insert"}
# Files outside `queries.py` that make statements, and why they may.
STATEMENT_FILES = {
    "scheduling/particulars.py": "the second half of the queries of meetings",
    "scheduling/diaries.py": "a second file of queries, for searches and holds",
    "core/idempotency.py": "plumbing: its own table, claimed in one statement",
    "core/locks.py": "plumbing: selects an advisory lock, no row",
    "core/mailbox.py": "plumbing: its own table, read by the mailbox page",
    "core/nodes.py": "plumbing: nodes and what each must still do",
    "core/streams.py": "plumbing: numbers events, under locks in one order",
    "core/outbox.py": "plumbing: publishes events, marks and forgets them",
}
# `moves.py` and `in_series.py` are verb files like `calls.py`: what happens to meetings is told from there.
EMITTERS = {"service.py", "calls.py", "moves.py", "in_series.py", "expiry.py"}
TELLERS = {"service.py", "news.py"}
# Operations that someone who is not signed in may call; everything else names its actor.
PUBLIC = {
    "sign_up", "verify_email", "resend_verification", "sign_in", "refresh_session",
    "fetch_calendar", "receive_mail",
}  # fmt: skip
LATE_IMPORTS = {
    "app/cli.py": "a command loads only what it runs",
    "app/core/migrate.py": "Alembic takes most of a second to load, and mostly there is nothing to migrate",
    "signalling/main.py": "uvloop is not on every platform",
}

CLOCK_FILES = {
    "core/clock.py": "the one place",
    "doctor.py": "compares the clocks of machines, so it must not be moved with ours",
}

Fault = tuple[int, str]
Lint = Callable[[ast.Module, str], Iterator[Fault]]


def rooms() -> list[Path]:
    """Folders of app except the plumbing."""
    return sorted(path.parent for path in APP.glob("*/__init__.py") if path.parent.name != "core")


def called(node: ast.AST) -> str:
    """The bare name of what a call calls."""
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def method(node: ast.AST) -> str:
    """The name of the method that a call calls."""
    return node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""


def statements(tree: ast.Module, path: str) -> Iterator[Fault]:
    """Only `queries.py` reads and changes rows by statement."""
    if path.endswith("/queries.py") or path in STATEMENT_FILES:
        return
    for node in ast.walk(tree):
        name = called(node) or (method(node) if _of_sqlalchemy(node) else "")
        if name in STATEMENTS and isinstance(node, ast.Call):
            yield node.lineno, f"{name}() belongs in queries.py"
        if isinstance(node, ast.Call) and method(node) in ("get", "get_one", "refresh") and _on_db(node):
            yield node.lineno, f"db.{method(node)}() belongs in queries.py"


def _of_sqlalchemy(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in ("sa", "sqlalchemy", "postgresql")
    )


def _on_db(node: ast.Call) -> bool:
    return (
        isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in ("db", "session")
    )


def emitting(tree: ast.Module, path: str) -> Iterator[Fault]:
    """Events leave by the verbs."""
    if Path(path).name in EMITTERS:
        return
    for node in ast.walk(tree):
        if called(node) == "emit" and isinstance(node, ast.Call):
            yield node.lineno, "emit() belongs in service.py"


def telling(tree: ast.Module, path: str) -> Iterator[Fault]:
    """Who is told of what stands where it happens, or in news.py."""
    if Path(path).name in TELLERS:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (method(node) or called(node)) in ("announce", "change_roster"):
            yield node.lineno, "streams are told by service.py and news.py"


def clocks(tree: ast.Module, path: str) -> Iterator[Fault]:
    """One place reads the time."""
    if path in CLOCK_FILES:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            where = (node.value.id, node.attr)
            if where in {("datetime", name) for name in ("now", "utcnow", "today")} | {
                ("date", "today"), ("time", "time"), ("time", "time_ns"),
            }:  # fmt: skip
                yield node.lineno, f"{'.'.join(where)} reads the time; use core/clock.py"


def commits(tree: ast.Module, path: str) -> Iterator[Fault]:
    """A request is one transaction, and rooms do not end it."""
    del path
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and method(node) in ("commit", "rollback", "begin", "begin_nested"):
            yield node.lineno, f"{method(node)}() is the request's business"


def routes(tree: ast.Module, path: str) -> Iterator[Fault]:
    """Every operation has its transaction and its actor in its signature, and no decision in its body."""
    if not path.endswith("/routes.py"):
        return
    for node in tree.body:
        if not isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef) or not _is_route(node):
            continue
        kinds = {ast.unparse(each.annotation) for each in node.args.args if each.annotation}
        if "Db" not in kinds:
            yield node.lineno, f"{node.name} declares no Db"
        if ("CurrentActor" in kinds) is (node.name in PUBLIC):
            yield node.lineno, f"{node.name} must name its actor, or be on the public list, and not both"


def _is_route(node: ast.AsyncFunctionDef | ast.FunctionDef) -> bool:
    return any(method(each) in ("get", "post", "put", "patch", "delete") for each in node.decorator_list)


def late_imports(tree: ast.Module, path: str) -> Iterator[Fault]:
    """Imports stand at the top."""
    if path in LATE_IMPORTS:
        return
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    yield node.lineno, "an import inside a function"


def faults(lint: Lint, paths: Iterable[Path], base: Path) -> list[str]:
    """What a lint finds in files, in words."""
    return [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in paths
        for line, what in lint(ast.parse(path.read_text()), path.relative_to(base).as_posix())
    ]


def of_rooms() -> list[Path]:
    return sorted(path for room in rooms() for path in room.glob("*.py"))


def of_app() -> list[Path]:
    return sorted(path for path in APP.rglob("*.py"))


def of_both() -> list[Path]:
    return of_app() + sorted((ROOT / "signalling").rglob("*.py"))


CASES: list[tuple[Lint, Callable[[], list[Path]], Path]] = [
    (statements, of_app, APP),
    (emitting, of_app, APP),
    (telling, of_rooms, APP),
    (clocks, of_app, APP),
    (commits, of_rooms, APP),
    (routes, of_rooms, APP),
    (late_imports, of_both, ROOT),
]


@pytest.mark.parametrize(("lint", "files", "base"), CASES, ids=lambda value: getattr(value, "__name__", ""))
def test_the_house_keeps_its_rules(lint: Lint, files: Callable[[], list[Path]], base: Path) -> None:
    found = files()
    assert len(found) > 30
    assert faults(lint, found, base) == []


ROUTE = "@router.post('/x')\nasync def {name}({signature}) -> None: ...\n"


@pytest.mark.parametrize(
    ("lint", "path", "violation"),
    [
        (statements, "pairings/service.py", "async def f(db): await db.scalar(select(Pairing))"),
        (statements, "pairings/service.py", "update(Pairing).values(x=1)"),
        (statements, "pairings/routes.py", "delete(Goal)"),
        (statements, "scheduling/calls.py", "insert(Node)"),
        (statements, "demo.py", "sa.select(1)"),
        (statements, "pairings/service.py", "async def f(db): await db.get(Pairing, 1)"),
        (statements, "pairings/service.py", "async def f(db): await db.refresh(row)"),
        (emitting, "pairings/queries.py", "emit(db, Happened())"),
        (telling, "pairings/routes.py", "streams.announce(db, stream, 'pairing.changed')"),
        (telling, "chat/queries.py", "change_roster(db, stream)"),
        (clocks, "pairings/models.py", "datetime.now(UTC)"),
        (clocks, "pairings/models.py", "instant(default_factory=datetime.utcnow)"),
        (clocks, "core/limits.py", "time.time()"),
        (commits, "pairings/service.py", "async def f(db): await db.commit()"),
        (commits, "pairings/service.py", "async def f(db): await db.rollback()"),
        (routes, "pairings/routes.py", ROUTE.format(name="peek", signature="actor: CurrentActor")),
        (routes, "pairings/routes.py", ROUTE.format(name="peek", signature="db: Db")),
        (routes, "x/routes.py", ROUTE.format(name="sign_in", signature="db: Db, actor: CurrentActor")),
        (late_imports, "app/front.py", "def f():\n    import json"),
        (late_imports, "signalling/hub.py", "async def f():\n    from json import loads"),
    ],
)
def test_each_rule_catches_its_violation(lint: Lint, path: str, violation: str) -> None:
    assert list(lint(ast.parse(violation), path)) != []


@pytest.mark.parametrize(
    ("lint", "path", "fine"),
    [
        (statements, "pairings/queries.py", "select(Pairing)"),
        (statements, "pairings/service.py", "some.get('key')"),
        (emitting, "pairings/service.py", "emit(db, Happened())"),
        (telling, "pairings/news.py", "streams.announce(db, stream, 'pairing.changed')"),
        (clocks, "core/clock.py", "datetime.now(UTC)"),
        (clocks, "core/watchdog.py", "time.monotonic()"),
        (routes, "pairings/routes.py", ROUTE.format(name="peek", signature="db: Db, actor: CurrentActor")),
        (routes, "accounts/routes.py", ROUTE.format(name="sign_in", signature="db: Db")),
    ],
)
def test_no_rule_cries_wolf(lint: Lint, path: str, fine: str) -> None:
    assert list(lint(ast.parse(fine), path)) == []


def strange_doors(files: Iterable[str]) -> list[str]:
    """Files of rooms that are no door, by `room/name`."""
    return [file for file in files if file.partition("/")[2] not in DOORS and file not in OTHER_DOORS]


def test_every_room_has_the_same_doors() -> None:
    files = {path.relative_to(APP).with_suffix("").as_posix() for path in of_rooms()}
    assert strange_doors(files) == []
    assert set(OTHER_DOORS) <= files, "an exception that is needed no more"
    assert strange_doors(["pairings/helpers", "pairings/service"]) == ["pairings/helpers"]


def test_no_exception_outlives_its_reason() -> None:
    for path in STATEMENT_FILES:
        source = ast.parse((APP / path).read_text())
        assert list(statements(source, "elsewhere.py")), path
    for path in CLOCK_FILES:
        source = ast.parse((APP / path).read_text())
        assert list(clocks(source, "elsewhere.py")), path
    for path in LATE_IMPORTS:
        source = ast.parse((ROOT / path).read_text())
        assert list(late_imports(source, "elsewhere.py")), path
    names = {
        node.name
        for path in of_rooms()
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.AsyncFunctionDef) and _is_route(node)
    }
    assert names >= PUBLIC
