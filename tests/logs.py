"""What a module logs, however an earlier test has set logging up."""

from types import ModuleType

import pytest
import structlog
from structlog.testing import LogCapture
from structlog.typing import EventDict


def capture(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> list[EventDict]:
    """The entries that `module` logs from now on, instead of what it would have written."""
    entries = LogCapture()
    monkeypatch.setattr(module, "log", structlog.wrap_logger(None, [entries], structlog.BoundLogger))
    return entries.entries
