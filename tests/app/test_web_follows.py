"""The web client reads again after every event that changes what it read, as the service's own tests say."""

import json
import re
from pathlib import Path

import pytest

from tests.app.verify_followed import IN_A_LIST, LIVE, Live
from tests.app.visibility import operations

CLIENT = Path(__file__).resolve().parents[2] / "web" / "client"
ROW = re.compile(r'^  "(/v1/[^"]+)": (\[.*\]),$', re.MULTILINE)
FOLLOWED = {path: set(json.loads(kinds)) for path, kinds in ROW.findall((CLIENT / "followed.js").read_text())}
ALWAYS = {"memberships.changed"}
"""Heard whatever a page reads; so is a stream that begins anew."""
BY_ITSELF = ("list_conversations", "read_messages")
"""`Conversations` and `History` follow these."""
NOT_SHOWN = ("list_organisations", "list_my_reports")


def needed(live: Live) -> set[str]:
    """The kinds after which it may read otherwise."""
    return {kind for kind in live.renewed_by if not kind.startswith("reset.")} - ALWAYS


@pytest.mark.parametrize(
    "live",
    [live for live in LIVE if live.operation not in (*BY_ITSELF, *NOT_SHOWN)],
    ids=lambda live: live.operation,
)
def test_what_pages_read_is_followed(live: Live) -> None:
    same = [operation for operation, (listing, _) in IN_A_LIST.items() if listing == live.operation]
    for operation in (live.operation, *same):
        path = operations()[operation][1]
        if path not in FOLLOWED:
            assert operation in same, f"{path} is nowhere in followed.js"
            continue
        assert FOLLOWED[path] >= needed(live)


def test_conversations_follow_what_changes_them() -> None:
    text = (CLIENT / "conversations.js").read_text()
    for live in LIVE:
        if live.operation in BY_ITSELF:
            assert needed(live) <= set(re.findall(r'events\.on\("([^"]+)"', text))
