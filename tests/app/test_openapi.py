"""openapi.yaml is what the code serves, valid, complete, and keeps our own rules; each is shown to bite."""

import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
import yaml
from fastapi import FastAPI
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from app.core.errors import MEDIA_TYPE
from app.core.openapi import dump
from app.main import create_app
from app.settings import Settings

OPENAPI: Final = Path(__file__).resolve().parents[2] / "openapi.yaml"
NOT_DOCUMENTED: Final = {
    "/openapi.json": "the document itself",
    "/.well-known/jwks.json": "described by RFC 7517, read by signalling",
    "/v1/inbound-mail": "for the operator's mail server, described in docs/operating.md",
    "/web": "the web client's files",
    "/{path:path}": "the web client's one page",
}
NO_TOKEN: Final = {
    "sign_up", "verify_email", "resend_verification", "sign_in", "refresh_session",
    "read_config", "list_mailbox", "healthz", "readyz", "fetch_calendar",
}  # fmt: skip
FORBIDDEN_TO_SOME: Final = {
    "sign_in", "sign_up", "refresh_session", "edit_profile", "set_roles", "invite", "list_invitations",
    "propose_partnership", "accept_partnership", "decline_partnership", "end_partnership", "create_circle",
    "accept_pairing", "decline_pairing", "withdraw_pairing", "end_pairing", "leave_circle", "edit_agreement",
    "add_goal", "propose_meeting", "accept_meeting", "decline_meeting", "edit_message", "delete_message",
    "list_reports", "choose_schedule", "set_holidays", "read_slots", "hold_slot",
    "accept_move", "decline_move", "set_meeting_policy",
}  # fmt: skip
"""Where seeing is more than doing: everywhere else a 403 could only be a leak."""
IN_STATES: Final = {
    "set_roles", "revoke_invitation", "accept_invitation", "propose_partnership", "accept_partnership",
    "decline_partnership", "end_partnership", "ask_for_pairing", "accept_pairing", "decline_pairing",
    "withdraw_pairing", "end_pairing", "leave_circle", "edit_agreement", "add_goal", "edit_goal",
    "remove_goal", "propose_meeting", "accept_meeting", "decline_meeting", "cancel_meeting",
    "issue_ticket", "send_message", "edit_message", "file_report", "resolve_report",
    "create_schedule", "replace_schedule", "delete_schedule", "choose_schedule", "create_absence",
    "read_slots", "hold_slot",
    "edit_meeting",
    "reschedule_meeting", "accept_move", "decline_move", "tell_outcome",
    "add_imported_calendar",
}  # fmt: skip
"""What the state of things can stand against: 409."""
ON_A_CONDITION: Final = {
    "edit_meeting", "accept_meeting", "decline_meeting", "cancel_meeting", "reschedule_meeting",
    "accept_move", "decline_move", "tell_outcome",
}  # fmt: skip
"""They heed `If-Match`: 412."""
LIMITED: Final = {
    "sign_up", "sign_in", "verify_email", "resend_verification", "refresh_session", "invite", "send_message",
    "edit_message", "add_imported_calendar", "refresh_imported_calendar",
    "edit_message", "fetch_calendar",
}  # fmt: skip
SHOWS_A_SECRET: Final = {"sign_in", "refresh_session", "verify_email"}
"""They need no access token and answer 401 all the same."""
AT_TIMES: Final = {
    "sign_in", "sign_up", "verify_email", "issue_ticket", "issue_events_ticket", "readyz",
    "read_recording_file", "delete_recording",
}  # fmt: skip
FILES: Final = {"read_recording_file", "fetch_calendar"}
"""They answer with files."""
Document = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Document:
    found: Document = yaml.safe_load(OPENAPI.read_text(encoding="utf-8"))
    return found


def _app() -> FastAPI:
    return create_app(Settings(database_url="postgresql+psycopg://nowhere/none"))


def _operations(document: Document) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            yield path, operation


def test_the_file_is_what_the_code_says() -> None:
    assert OPENAPI.read_text(encoding="utf-8") == dump(_app()), "run `make openapi`"


async def test_the_served_document_is_the_file(document: Document) -> None:
    app = _app()
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://x") as client:
        for _ in range(2):
            assert (await client.get("/openapi.json")).json() == document


def test_it_is_valid_openapi_3_1(document: Document) -> None:
    assert document["openapi"].startswith("3.1.")
    validate(document, cls=OpenAPIV31SpecValidator)


def test_every_route_is_documented(document: Document) -> None:
    app = _app()
    documented = {(path, method.upper()) for path, methods in document["paths"].items() for method in methods}
    routed: set[tuple[str, str]] = set()
    for route in _routes(app):
        path = str(getattr(route, "path", ""))
        if path not in NOT_DOCUMENTED:
            routed |= {(path, method) for method in set(route.methods) - {"HEAD"}}
    assert routed == documented


def _routes(app: FastAPI) -> Iterator[Any]:
    """Every route, also where FastAPI keeps an included router whole."""
    pending: list[Any] = list(app.routes)
    while pending:
        route = pending.pop()
        inner = getattr(route, "effective_route_contexts", None)
        if inner is not None:
            pending += list(inner())
        else:
            yield route


# The rules. Each returns what breaks it.


def tags(document: Document) -> list[str]:
    known = {tag["name"] for tag in document["tags"]}
    return [
        operation["operationId"]
        for _, operation in _operations(document)
        if len(operation.get("tags", [])) != 1 or not set(operation["tags"]) <= known
    ]


def summaries(document: Document) -> list[str]:
    """One line that a person can read in a list, without a full stop."""
    good = re.compile(r"[A-Z][^\n]{1,119}[^.\s]")
    return [
        operation["operationId"]
        for _, operation in _operations(document)
        if not good.fullmatch(operation.get("summary", ""))
    ]


def operation_ids(document: Document) -> list[str]:
    ids = [operation.get("operationId", "") for _, operation in _operations(document)]
    return [one for one in ids if ids.count(one) > 1 or not re.fullmatch(r"[a-z]+(_[a-z]+)*", one)]


def refusals(document: Document) -> list[str]:
    """Exactly the problems that the operation can answer with."""
    found = []
    for path, operation in _operations(document):
        name = operation["operationId"]
        expected = {
            "400": "requestBody" in operation,
            "401": name not in NO_TOKEN or name in SHOWS_A_SECRET,
            "403": name in FORBIDDEN_TO_SOME,
            "409": name in IN_STATES,
            "412": name in ON_A_CONDITION,
            "413": "requestBody" in operation,
            "422": "requestBody" in operation or bool(operation.get("parameters")),
            "428": name == "edit_meeting",
            "429": name in LIMITED,
            "503": name in AT_TIMES,
        }
        wanted = {status for status, is_expected in expected.items() if is_expected}
        given = set(operation["responses"]) & set(expected)
        if given != wanted or ("{" in path and "404" not in operation["responses"]):
            found.append(f"{name} {sorted(given ^ wanted)}")
    return found


def problem_documents(document: Document) -> list[str]:
    """Every refusal is a shared problem document with an example of the same status."""
    found = []
    for _, operation in _operations(document):
        for status, response in operation["responses"].items():
            if status.startswith(("2", "304")):
                continue
            _, _, name = response.get("$ref", "").rpartition("/")
            content = document["components"]["responses"].get(name, {}).get("content", {})
            if str(content.get(MEDIA_TYPE, {}).get("example", {}).get("status")) != status:
                found.append(f"{operation['operationId']} {status}")
    return found


def security(document: Document) -> list[str]:
    return [
        operation["operationId"]
        for _, operation in _operations(document)
        if bool(operation.get("security")) is (operation["operationId"] in NO_TOKEN)
    ]


def examples(document: Document) -> list[str]:
    """Every field that travels shows what it looks like."""
    found = []
    for schema, content in document["components"]["schemas"].items():
        for name, field in content.get("properties", {}).items():
            shapes = [field, *field.get("anyOf", [])]
            told = {"$ref", "examples", "enum", "const"}
            shown = any(told & {*shape, *shape.get("items", {})} for shape in shapes)
            if not shown and not any(shape.get("type") == "boolean" for shape in shapes):
                found.append(f"{schema}.{name}")
    return found


def bodies(document: Document) -> list[str]:
    """Bodies are JSON of a named schema; those that are sent to us refuse what they do not know."""
    found = []
    schemas = document["components"]["schemas"]
    for _, operation in _operations(document):
        contents = [(operation["requestBody"], True)] if "requestBody" in operation else []
        contents += [
            (one, False)
            for status, one in operation["responses"].items()
            if status in ("200", "201") and operation["operationId"] not in FILES
        ]
        for content, is_sent in contents:
            _, _, name = content["content"]["application/json"]["schema"].get("$ref", "").rpartition("/")
            if name not in schemas or (is_sent and schemas[name].get("additionalProperties") is not False):
                found.append(operation["operationId"])
    return found


def bounds(document: Document) -> list[str]:
    """What is sent to us has a greatest length, at every depth."""
    sent = {
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for _, operation in _operations(document)
        if "requestBody" in operation
    }
    return [
        f"{schema}.{name}"
        for schema in sorted(sent)
        for name, field in document["components"]["schemas"][schema]["properties"].items()
        if not all(_bounded(shape) for shape in field.get("anyOf", [field]))
    ]


def _bounded(shape: dict[str, Any]) -> bool:
    if shape.get("type") == "array":
        return "maxItems" in shape and _bounded(shape["items"])
    if shape.get("type") == "string":
        bounded = {"maxLength", "enum", "const", "format"} & shape.keys()
        return bool(bounded) or re.search(r"\{\d+,\d+\}\$$", shape.get("pattern", "")) is not None
    return shape.get("type") != "integer" or bool({"maximum", "enum"} & shape.keys())


def pages(document: Document) -> list[str]:
    """Lists of things come in pages."""
    found = []
    for path, operation in _operations(document):
        if not operation["operationId"].startswith(("list_", "search_")):
            continue
        names = {parameter["name"] for parameter in operation.get("parameters", [])}
        reference = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
        if not {"limit", "cursor"} <= names or "Page_" not in reference:
            found.append(path)
    return found


def _operation(document: Document, name: str) -> dict[str, Any]:
    return next(one for _, one in _operations(document) if one["operationId"] == name)


def _field(document: Document, schema: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"][schema]["properties"][name]
    return found


Rule = Callable[[Document], list[str]]
RULES: tuple[tuple[Rule, Callable[[Document], object]], ...] = (
    (tags, lambda d: _operation(d, "read_me").update(tags=["nowhere"])),
    (summaries, lambda d: _operation(d, "read_me").update(summary="me.")),
    (operation_ids, lambda d: _operation(d, "read_me").update(operationId="edit_me")),
    (refusals, lambda d: _operation(d, "read_pairing")["responses"].update({"403": {}})),
    (refusals, lambda d: _operation(d, "read_pairing")["responses"].pop("404")),
    (problem_documents, lambda d: _operation(d, "read_me")["responses"].update({"401": {"description": ""}})),
    (security, lambda d: _operation(d, "read_me").pop("security")),
    (security, lambda d: _operation(d, "sign_in").update(security=[{"access_token": []}])),
    (examples, lambda d: _field(d, "GoalCreate", "text").pop("examples")),
    (bodies, lambda d: d["components"]["schemas"]["GoalCreate"].pop("additionalProperties")),
    (bounds, lambda d: _field(d, "GoalCreate", "text").pop("maxLength")),
    (pages, lambda d: _operation(d, "list_meetings")["parameters"].clear()),
)


@pytest.mark.parametrize("rule", dict(RULES), ids=lambda rule: rule.__name__)
def test_a_rule_is_kept(document: Document, rule: Rule) -> None:
    assert rule(document) == []


@pytest.mark.parametrize(("rule", "spoil"), RULES, ids=lambda one: one.__name__)
def test_a_rule_bites(document: Document, rule: Rule, spoil: Callable[[Document], object]) -> None:
    spoiled = copy.deepcopy(document)
    spoil(spoiled)
    assert rule(spoiled)


def test_an_undocumented_route_is_found(document: Document) -> None:
    app = _app()
    app.add_api_route("/v1/secret", lambda: None, include_in_schema=False)
    known = {*document["paths"], *NOT_DOCUMENTED}
    assert {getattr(route, "path", "") for route in _routes(app)} - known == {"/v1/secret"}
