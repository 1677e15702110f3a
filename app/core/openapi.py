"""The contract that front-end developers see: `openapi.yaml`, made from the code."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from fastapi import FastAPI
from fastapi.routing import APIRoute
from typing_extensions import override

from app.core.errors import MEDIA_TYPE, Problem, ProblemDocument
from app.core.examples import add_examples

TAGS = [
    {"name": "accounts", "description": "Who: sign up, verify, sign in, refresh, sign out."},
    {"name": "organisations", "description": "Where: memberships, invitations, partnerships."},
    {"name": "blocks", "description": "Who keeps whom away."},
    {"name": "people", "description": "Who could mentor me: people visible to me."},
    {"name": "pairings", "description": "With whom: ask, agree, goals, circles."},
    {"name": "availability", "description": "When people can: hours, days off, absences, holidays."},
    {"name": "freebusy", "description": "When I am busy elsewhere: calendars that are read in."},
    {"name": "scheduling", "description": "When: slots, holds, meetings, call tickets, attendance."},
    {"name": "series", "description": "When again and again: recurrence rules and their meetings."},
    {"name": "recordings", "description": "Keeping: what was recorded of calls, for those who are in it."},
    {"name": "chat", "description": "Saying: conversations, messages, read marks."},
    {"name": "safeguarding", "description": "Reports to coordinators."},
    {"name": "calendars", "description": "Telling other calendars: feeds and answers to invitations."},
    {"name": "notifications", "description": "Telling: what I am reminded of, and how."},
    {"name": "live", "description": "Hearing: streams of what happens, and catching up with them."},
    {"name": "service", "description": "Configuration, health, and the development mailbox."},
]


def operation_id(route: APIRoute) -> str:
    """The name of the Python function is the name of the operation."""
    return route.name


def describe(app: FastAPI) -> None:
    """Let `app` serve at /openapi.json the very document that openapi.yaml holds."""
    plain = app.openapi

    @cache
    def described() -> dict[str, Any]:
        return _with_problems(plain())

    app.openapi = described  # type: ignore[method-assign]


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI 3.1 document of an application that `describe` was called for."""
    return app.openapi()


def _with_problems(described: dict[str, Any]) -> dict[str, Any]:
    """FastAPI's document, with problem documents in place of its own errors."""
    components = described.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    problem = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["ProblemDocument"] = problem
    for gone in ("HTTPValidationError", "ValidationError"):
        schemas.pop(gone, None)
    components["schemas"] = dict(sorted(schemas.items()))
    add_examples(components["schemas"])
    kinds = {str(kind.status): kind for kind in Problem.__subclasses__() if kind.code != Problem.code}
    components["responses"] = {kind.__name__: _problem(kind()) for _, kind in sorted(kinds.items())}
    for path in described["paths"].values():
        for operation in path.values():
            _describe(operation, kinds)
    return described


def _describe(operation: dict[str, Any], kinds: dict[str, type[Problem]]) -> None:
    """Say in one line what the operation does, and name its problems by reference."""
    first, _, rest = str(operation.pop("description")).partition("\n")
    operation["summary"] = first.rstrip(".")
    if rest.strip():
        operation["description"] = rest.strip()
    statuses = set(operation["responses"])
    if "requestBody" in operation:
        statuses |= {"400", "413"}
    responses = {}
    for status in sorted(statuses):
        if status in kinds:
            responses[status] = {"$ref": f"#/components/responses/{kinds[status].__name__}"}
        else:
            responses[status] = {**operation["responses"][status], "description": _SUCCESS[status]}
    operation["responses"] = responses


_SUCCESS = {
    "200": "As asked.",
    "201": "Created.",
    "202": "Taken up.",
    "204": "Done; there is no body.",
    "206": "The part that was asked for.",
    "304": "What you have is still right.",
}


_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds after which to try again.",
        "schema": {"type": "integer", "minimum": 0},
    }
}


def _problem(example: Problem) -> dict[str, Any]:
    waits = {"headers": _RETRY_AFTER} if example.status == 429 else {}
    return {
        "description": example.title,
        **waits,
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/ProblemDocument"},
                "example": example.document(),
            }
        },
    }


class _Dumper(yaml.SafeDumper):
    """No anchors, and long text in blocks: the file is read by people."""

    @override
    def ignore_aliases(self, data: Any) -> bool:
        return True


def dump(app: FastAPI) -> str:
    """The document as YAML."""
    return yaml.dump(document(app), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def write(app: FastAPI, path: Path) -> None:
    """Write the document to `path`."""
    path.write_text(dump(app), encoding="utf-8")
