"""The few REST calls that lead to a call, as openapi.yaml describes them."""

import uuid
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, cast

import httpx2


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
