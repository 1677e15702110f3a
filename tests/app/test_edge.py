"""The edge: how deep a document is nested is found out without nesting ourselves."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.edge import MAX_NESTING, nesting

_documents: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.text() | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=40,
)


def depth(document: Any) -> int:
    """The oracle."""
    if isinstance(document, dict):
        return 1 + max(map(depth, document.values()), default=0)
    return 1 + max(map(depth, document), default=0) if isinstance(document, list) else 0


@given(_documents, st.booleans())
def test_nesting_is_as_deep_as_the_document(document: Any, ascii_only: bool) -> None:
    assert nesting(json.dumps(document, ensure_ascii=ascii_only).encode()) == depth(document)


@given(st.binary() | st.text(alphabet='[]{}"\\,: a').map(str.encode))
def test_nesting_of_anything_is_found(document: bytes) -> None:
    assert 0 <= nesting(document) <= len(document)


def test_closed_brackets_in_between_hide_nothing() -> None:
    assert nesting(b"[[]," * 20_000) > MAX_NESTING
    assert nesting(b"[" + b"[]," * 20_000) <= MAX_NESTING
    assert nesting(b'"' + b'\\"[' * 20_000) == 0
    assert nesting(b'["\\\\",[[1]]]') == 3
