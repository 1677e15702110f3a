"""What every refusal must look like."""

import re
from typing import Any, Final

import httpx2

CANARY: Final = "kanarienvogel"
"""What tests send where it must not come back."""


def problem(answer: httpx2.Response, *statuses: int) -> dict[str, Any]:
    """The problem document of an answer, whole and discreet."""
    assert answer.status_code in statuses, (answer.status_code, answer.text[:300])
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    document: dict[str, Any] = answer.json()
    assert set(document) == {"type", "title", "status", "code", "detail", "errors"}
    assert document["status"] == answer.status_code
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", document["code"])
    assert len(document["detail"]) > 10
    for error in document["errors"]:
        assert set(error) == {"pointer", "detail"}
    for betraying in (CANARY, "Traceback", "psycopg", "sqlalchemy", "pydantic", ".py"):
        assert betraying not in answer.text
    return document
