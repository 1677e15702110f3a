"""What a piece of work costs."""

from typing import Any

from sqlalchemy import event

from tests.world import World


class Statements:
    """Counts what a piece of work asks of the database."""

    def __init__(self, world: World) -> None:
        self.engine = world.database.engine.sync_engine
        self.seen: list[str] = []

    def _note(self, *said: Any) -> None:
        self.seen.append(said[2])

    def __enter__(self) -> "Statements":
        event.listen(self.engine, "before_cursor_execute", self._note)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self.engine, "before_cursor_execute", self._note)

    def of_requests(self) -> int:
        """Without those by which the relay notes in the background what has left."""
        return len([one for one in self.seen if "SET relayed_at" not in one])
