"""Messages on their way: docs/protocol.md section 19. What was written is kept until it is answered."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.independent.rest import Refused, Rest, Unreachable

NOT_FINAL = {401, 408, 429}


@dataclass
class Draft:
    """One message from its writing to its answer."""

    conversation_id: str
    text: str
    client_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    tries: int = 0
    message: dict[str, Any] | None = None
    refused: Refused | None = None


class Outbox:
    """Sends one after the other, in the order of writing, each until it is answered."""

    def __init__(self, rest: Rest, backoff: Callable[[int], float], changed: Callable[[], None]) -> None:
        self._rest = rest
        self._backoff = backoff
        self._changed = changed
        self._waiting: asyncio.Queue[Draft] = asyncio.Queue()

    def say(self, conversation_id: str, text: str) -> Draft:
        draft = Draft(conversation_id, text)
        self._waiting.put_nowait(draft)
        return draft

    async def run(self) -> None:
        while True:
            draft = await self._waiting.get()
            while draft.message is None and draft.refused is None:
                await self._try(draft)
            self._changed()

    async def _try(self, draft: Draft) -> None:
        draft.tries += 1
        try:
            draft.message = await self._rest.say(draft.conversation_id, draft.text, draft.client_id)
        except (Unreachable, Refused) as error:
            if isinstance(error, Refused) and error.status < 500 and error.status not in NOT_FINAL:
                draft.refused = error
            else:
                await asyncio.sleep(self._backoff(draft.tries - 1))
