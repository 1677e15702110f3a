"""Examples for the fields of openapi.yaml whose own definition gives none, by the name of the field.

A name that means something else in one schema has an entry `Schema.field` there.
"""

from collections.abc import Iterator
from typing import Any, Final

ID: Final = "0192f3c0-5a4e-7b1c-9d2e-3f4a5b6c7d8e"
INSTANT: Final = "2026-11-24T18:00:00Z"
TOKEN: Final = "wq3mB0Yw3h5dQe7sJz1kTtX9uVbN2cLfRgPoAiEyHsM"

BY_FORMAT: Final = {"uuid": ID, "date-time": INSTANT}
BY_NAME: Final[dict[str, Any]] = {
    "agenda": "How the first case conference went; what to prepare for the next one.",
    "access_token": "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIwMTkyIn0.c2lnbmF0dXJl",
    "busy_times": 112,
    "bio": "Twelve years in child protection; I like to think aloud with people who are new to it.",
    "capacity": 2,
    "credential": "bG9uZyBsaXZlZCBubw==",
    "detail": "There is nothing here that you can see.",
    "duration_minutes": 45,
    "email": "priya@example.org",
    "epoch": "q3xV9w2a",
    "head": 42,
    "host": "calendar.example.org",
    "headline": "Team lead, family support",
    "invitation_token": TOKEN,
    "late_cancel_hours": 24,
    "languages": ["en", "pt-BR"],
    "name": "Priya Raman",
    "no_show_minutes": 10,
    "note": "I am new in child protection and would like to learn from you.",
    "password": "a long sentence works well",
    "places_left": 1,
    "problem": "calendar.example.org has no calendar at this address.",
    "problem_code": "not_found",
    "read_up_to": 40,
    "reason": "left",
    "refresh_token": TOKEN,
    "resolution": "Spoke with both of them.",
    "seq": 41,
    "skills_offered": ["Safeguarding", "Court reports"],
    "skills_wanted": ["Supervision"],
    "skipped": 0,
    "slug": "northside-family-trust",
    "subject": "Confirm your address for Mentorspan",
    "text": "Prepare for my first case conference",
    "ticket": "eyJhbGciOiJFZERTQSJ9.eyJqdGkiOiIwMTkyIn0.c2lnbmF0dXJl",
    "title": "Rural practice circle",
    "to": "priya@example.org",
    "token": TOKEN,
    "unread": 1,
    "unread_mentions": 0,
    "urls": ["turn:turn.example.org:3478"],
    "username": "1795543200:0192f3c0",
    "version": 3,
    "what": "A mentee who has asked for a mentor",
    "zone": "Europe/London",
    "AgreementEdit.text": "We meet every other week and keep what we say between us.",
    "AgreementRead.text": "We meet every other week and keep what we say between us.",
    "MailRead.text": "Hello Priya Raman, please confirm that this is your address.",
    "MessageEdit.text": "Shall we begin with the court report on Tuesday?",
    "MessageRead.text": "Shall we begin with the court report?",
    "MessageSend.text": "Shall we begin with the court report?",
    "HappenedRead.reason": "I have to travel.",
    "MeetingEdit.title": "First meeting",
    "ImportedCalendarAdd.name": "Work",
    "ImportedCalendarAdd.username": "priya",
    "ImportedCalendarRead.name": "Work",
    "MeetingPropose.title": "First meeting",
    "MeetingRead.reason": "I have to travel.",
    "MeetingRead.title": "First meeting",
    "MoveRead.reason": "I have to travel.",
    "OutcomeRead.note": "We spoke by telephone.",
    "OutcomeTell.note": "We spoke by telephone.",
    "OrganisationBrief.name": "Northside Family Trust",
    "OrganisationRead.name": "Northside Family Trust",
    "ReportFile.text": "I was asked for my private address, twice.",
    "ReportRead.text": "I was asked for my private address, twice.",
    "ReportReceipt.text": "I was asked for my private address, twice.",
    "ReportResolve.note": "Spoke with both of them.",
    "SyncAsk.limit": 100,
}


def add_examples(schemas: dict[str, Any]) -> None:
    """Give every field that says nothing about its values an example."""
    for schema, properties in schemas.items():
        for name, field in properties.get("properties", {}).items():
            if _speaks_for_itself(field):
                continue
            example = BY_NAME.get(f"{schema}.{name}", BY_NAME.get(name))
            example = next((BY_FORMAT[one] for one in _formats(field) if one in BY_FORMAT), example)
            if example is not None:
                is_list = any(shape.get("type") == "array" for shape in _shapes(field))
                field["examples"] = [[example] if is_list and not isinstance(example, list) else example]


def _shapes(field: dict[str, Any]) -> list[dict[str, Any]]:
    return [field, *field.get("anyOf", [])]


def _speaks_for_itself(field: dict[str, Any]) -> bool:
    told = {"$ref", "examples", "enum", "const"}
    return any(told & {*shape, *shape.get("items", {})} for shape in _shapes(field)) or any(
        shape.get("type") == "boolean" for shape in _shapes(field)
    )


def _formats(field: dict[str, Any]) -> Iterator[str]:
    for shape in _shapes(field):
        for part in (shape, shape.get("items", {})):
            if "format" in part:
                yield part["format"]
