"""The REST calls that lead to a call or make up a chat, as openapi.yaml describes them."""

import uuid
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, cast

import httpx2

Unreachable = httpx2.TransportError


class Refused(Exception):
    """An answer that is a problem document (RFC 9457)."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.code: str = problem.get("code", "")
        super().__init__(f"{status} {self.code}: {problem.get('detail', '')} {problem.get('errors', '')}")


class Rest:
    """One person's way to the REST interface."""

    def __init__(self, url: str) -> None:
        self._http = httpx2.AsyncClient(base_url=url, timeout=10, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def _call(self, method: str, path: str, body: object = None, **query: str) -> dict[str, Any]:
        headers = {"Idempotency-Key": uuid.uuid4().hex} if method == "POST" else {}
        answer = await self._http.request(method, path, json=body, params=query, headers=headers)
        if answer.is_error:
            raise Refused(answer.status_code, cast("dict[str, Any]", answer.json()))
        return cast("dict[str, Any]", answer.json()) if answer.content else {}

    async def config(self) -> dict[str, Any]:
        return await self._call("GET", "/v1/config")

    async def sign_in(self, email: str, password: str) -> dict[str, Any]:
        """Signs in as programs do: the refresh token comes in the answer, not in a cookie."""
        body = {"email": email, "password": password, "refresh": "body"}
        session = await self._call("POST", "/v1/sessions", body)
        self._http.headers["Authorization"] = f"Bearer {session['access_token']}"
        return session

    async def active_pairing_with(self, name: str) -> dict[str, Any]:
        """My active pairing of two with the person of that name (or of a name that begins so)."""
        page = await self._call("GET", "/v1/pairings", status="active")
        for pairing in page["items"]:
            people = [p["person"]["name"] for p in pairing["participants"] if not p["is_me"]]
            if len(people) == 1 and people[0].startswith(name):
                return cast("dict[str, Any]", pairing)
        raise LookupError(f"no active pairing with {name}")

    async def propose(self, pairing_id: str, starts_at: datetime, minutes: int = 30) -> dict[str, Any]:
        body = {
            "starts_at": starts_at.astimezone(UTC).isoformat(),
            "duration_minutes": minutes,
            "zone": "Europe/London",
            "title": "A call",
        }
        return await self._call("POST", f"/v1/pairings/{pairing_id}/meetings", body)

    async def accept(self, meeting_id: str) -> dict[str, Any]:
        return await self._call("POST", f"/v1/meetings/{meeting_id}/accept")

    async def cancel(self, meeting_id: str) -> dict[str, Any]:
        return await self._call("POST", f"/v1/meetings/{meeting_id}/cancel")

    async def ticket(self, meeting_id: str) -> dict[str, Any]:
        return await self._call("POST", f"/v1/meetings/{meeting_id}/ticket")

    async def attendance(self, meeting_id: str) -> list[dict[str, Any]]:
        answer = await self._call("GET", f"/v1/meetings/{meeting_id}/attendance")
        return cast("list[dict[str, Any]]", answer["items"])

    async def sign_out(self) -> None:
        await self._call("DELETE", "/v1/sessions/current")

    async def me(self) -> dict[str, Any]:
        return await self._call("GET", "/v1/me")

    async def show_presence(self, shown: bool) -> None:
        await self._call("PATCH", "/v1/me", {"show_presence": shown})

    async def ask(self, membership_id: str, counterpart_id: str) -> dict[str, Any]:
        body = {"membership_id": membership_id, "counterpart_id": counterpart_id, "kind": "peers"}
        return await self._call("POST", "/v1/pairings", body)

    async def accept_pairing(self, pairing_id: str) -> dict[str, Any]:
        return await self._call("POST", f"/v1/pairings/{pairing_id}/accept")

    async def read_meeting(self, meeting_id: str) -> dict[str, Any]:
        return await self._call("GET", f"/v1/meetings/{meeting_id}")

    async def read_pairing(self, pairing_id: str) -> dict[str, Any]:
        return await self._call("GET", f"/v1/pairings/{pairing_id}")

    async def block(self, membership_id: str) -> dict[str, Any]:
        return await self._call("POST", "/v1/blocks", {"membership_id": membership_id})

    async def events_ticket(self) -> dict[str, Any]:
        return await self._call("POST", "/v1/events/ticket")

    async def sync(self, cursors: list[dict[str, Any]], limit: int = 100) -> dict[str, Any]:
        return await self._call("POST", "/v1/sync", {"cursors": cursors, "limit": limit})

    async def conversations(self, **of: str) -> list[dict[str, Any]]:
        """All of them; or the one of a mentorship, a meeting: `pairing_id=…`, `meeting_id=…`."""
        page = await self._call("GET", "/v1/conversations", **of)
        items: list[dict[str, Any]] = page["items"]
        while page["next_cursor"]:
            page = await self._call("GET", "/v1/conversations", cursor=page["next_cursor"], **of)
            items += page["items"]
        return items

    async def conversation(self, conversation_id: str) -> dict[str, Any]:
        return await self._call("GET", f"/v1/conversations/{conversation_id}")

    async def history(self, conversation_id: str, **place: int) -> dict[str, Any]:
        """The newest messages; or those `before=…` or `after=…` a place, `limit=…` of them."""
        query = {name: str(value) for name, value in place.items()}
        return await self._call("GET", f"/v1/conversations/{conversation_id}/messages", **query)

    async def say(self, conversation_id: str, text: str, client_id: str = "") -> dict[str, Any]:
        body = {"client_id": client_id or str(uuid.uuid4()), "text": text}
        return await self._call("POST", f"/v1/conversations/{conversation_id}/messages", body)

    async def reword(self, message_id: str, text: str) -> dict[str, Any]:
        return await self._call("PATCH", f"/v1/messages/{message_id}", {"text": text})

    async def take_back(self, message_id: str) -> None:
        await self._call("DELETE", f"/v1/messages/{message_id}")

    async def mark_read(self, conversation_id: str, seq: int) -> dict[str, Any]:
        return await self._call("POST", f"/v1/conversations/{conversation_id}/read", {"seq": seq})

    # Coming into an organisation, and into a circle.

    async def invite(self, organisation_id: str, email: str) -> dict[str, Any]:
        return await self._call("POST", f"/v1/organisations/{organisation_id}/invitations", {"email": email})

    async def sign_up(self, email: str, password: str, name: str, invitation_token: str) -> None:
        body = {"email": email, "password": password, "name": name, "invitation_token": invitation_token}
        await self._call("POST", "/v1/accounts", body)

    async def verify(self, token: str, password: str) -> None:
        await self._call("POST", "/v1/accounts/verify", {"token": token, "password": password})

    async def accept_invitation(self, token: str) -> dict[str, Any]:
        return await self._call("POST", "/v1/invitations/accept", {"token": token})

    async def mails(self, address: str) -> list[dict[str, Any]]:
        """What was sent to an address, as development mode shows it."""
        page = await self._call("GET", "/v1/mailbox", limit="100")
        return [mail for mail in page["items"] if mail["to"] == address]

    async def create_circle(
        self, organisation_id: str, title: str, lead_ids: list[str], mentee_ids: list[str]
    ) -> dict[str, Any]:
        body = {"title": title, "lead_ids": lead_ids, "mentee_ids": mentee_ids}
        return await self._call("POST", f"/v1/organisations/{organisation_id}/circles", body)
