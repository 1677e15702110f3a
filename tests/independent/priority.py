"""Who goes first, where a whole call shares a machine of two cores."""

import contextlib
import os
from pathlib import Path
from typing import Final

FIRST: Final = -15
"""As in setpriority(2)."""


def goes_first(pid: int) -> None:
    """This process, the first of a session of its own, goes before others; only root may say so.

    Linux shares the cores out among sessions first (sched(7), "The autogroup feature"): the priority of a
    process alone counts among those of its own session only.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, FIRST)
        Path(f"/proc/{pid}/autogroup").write_text(str(FIRST))
