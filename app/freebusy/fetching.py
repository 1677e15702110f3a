"""Going to an address that a person named, and to nowhere else: no private network, no detour, no end.

The name is resolved here and the connection made to exactly the address that was looked at, so that a name
which answers otherwise a moment later leads nowhere. There are no cookies, no proxies, and no connection that
is used twice: one that was made for another name would be trusted in its place.
"""

import asyncio
import contextlib
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import Message
from functools import cache
from typing import Final

import httpx2

from app.freebusy.addresses import is_named, is_public, refusal
from app.freebusy.troubles import DAY, Trouble

MOST_BYTES: Final = 5 * 1024 * 1024
MOST_REDIRECTS: Final = 5
SECONDS: Final = 20.0
"""For one request with all its redirects."""
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_TIMEOUTS: Final = {"connect": 8.0, "read": 10.0, "write": 10.0, "pool": 5.0}

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


async def resolved(host: str, port: int) -> Sequence[str]:
    """The IP addresses of a name, as this machine knows them."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@cache
def _public_trust() -> ssl.SSLContext:
    return httpx2.create_ssl_context(trust_env=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Told to the one origin that the person named them for."""

    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole."""

    url: httpx2.URL
    status: int
    headers: httpx2.Headers
    body: bytes

    @property
    def charset(self) -> str | None:
        """What the answer says its text is encoded in."""
        message = Message()
        message["content-type"] = self.headers.get("content-type", "")
        return message.get_content_charset()


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Asks servers of others."""

    allowed_hosts: Collection[str] = ()
    resolve: Resolve = resolved
    trust: ssl.SSLContext | None = None
    seconds: float = SECONDS
    most_bytes: int = MOST_BYTES
    _extra: Mapping[str, str] = field(
        default_factory=lambda: {
            "Accept-Encoding": "gzip",
            "Connection": "close",
            "User-Agent": "Mentorspan (reads calendars)",
        }
    )

    async def ask(
        self,
        method: str,
        url: httpx2.URL,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        credentials: Credentials | None = None,
    ) -> Answer:
        """One request, with its redirects. Raises `Trouble` unless it is answered with 2xx, 304 or 207."""
        first = _origin(url)
        try:
            async with asyncio.timeout(self.seconds):
                for _ in range(MOST_REDIRECTS + 1):
                    known = credentials if _origin(url) == first else None
                    request = httpx2.Request(
                        method, url, headers={**self._extra, **(headers or {})}, content=content
                    )
                    answer = await self._once(request, known)
                    if answer.status not in _REDIRECTS or "location" not in answer.headers:
                        _must_be_fine(answer, known)
                        return answer
                    url = self._onward(url, answer.headers["location"])
        except TimeoutError:
            raise Trouble("too_slow", host=url.host) from None
        raise Trouble("too_many_redirects", host=url.host)

    def _onward(self, url: httpx2.URL, location: str) -> httpx2.URL:
        """Where a redirect leads, if one may go there."""
        try:
            there = url.join(location)
        except (httpx2.InvalidURL, ValueError):
            raise Trouble("bad_redirect", host=url.host) from None
        lower = url.scheme == "https" and there.scheme != "https"
        if there.scheme not in ("https", "http") or lower or there.userinfo:
            raise Trouble("bad_redirect", host=url.host)
        return there.copy_with(fragment=None)

    async def _once(self, request: httpx2.Request, credentials: Credentials | None) -> Answer:
        host = request.url.host
        if credentials is not None:
            basic = httpx2.BasicAuth(credentials.username, credentials.password)
            request = next(basic.auth_flow(request))
        with _in_words(host):
            async with self._connected(request) as response:
                body = await self._read(response, host)
                return Answer(request.url, response.status_code, response.headers, body)

    @contextlib.asynccontextmanager
    async def _connected(self, request: httpx2.Request) -> AsyncIterator[httpx2.Response]:
        """The answer's head, from the first of the host's addresses that takes a connection."""
        host = request.url.host
        addresses = await self._addresses(request.url)
        trust = self.trust or _public_trust()
        async with contextlib.AsyncExitStack() as stack:
            for last, address in enumerate(addresses, start=1 - len(addresses)):
                transport = await stack.enter_async_context(
                    httpx2.AsyncHTTPTransport(verify=trust, trust_env=False, http2=False)
                )
                try:
                    response = await transport.handle_async_request(_pinned(request, address))
                except (httpx2.ConnectError, httpx2.ConnectTimeout):
                    if last == 0:
                        raise
                    continue
                stack.push_async_callback(response.aclose)
                yield response
                return
        raise Trouble("unknown_host", host=host)

    async def _addresses(self, url: httpx2.URL) -> Sequence[str]:
        """Where the host is; one forbidden address among them spoils all."""
        host, port = url.host, url.port or (443 if url.scheme == "https" else 80)
        if not host or refusal(host, url.port, self.allowed_hosts) is not None:
            raise Trouble("private_network", host=host or "That address")
        try:
            addresses = await self.resolve(host, port)
        except (OSError, UnicodeError):
            raise Trouble("unknown_host", host=host) from None
        if not is_named(host, self.allowed_hosts) and not all(map(is_public, addresses)):
            raise Trouble("private_network", host=host)
        return addresses

    async def _read(self, response: httpx2.Response, host: str) -> bytes:
        """The body, unpacked, and never more of it than the limit."""
        coding = response.headers.get("content-encoding", "identity").strip().lower()
        too_large = Trouble("too_large", most=self.most_bytes // 1024 // 1024)
        if coding not in ("identity", "", "gzip", "x-gzip"):
            raise Trouble("unreadable", host=host)
        length = response.headers.get("content-length", "0")
        if length.isdigit() and len(length) < 20 and int(length) > self.most_bytes:
            raise too_large
        unpack = zlib.decompressobj(wbits=31) if "gzip" in coding else None
        body = bytearray()
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        async for chunk in response.stream:
            body += unpack.decompress(chunk, self.most_bytes - len(body) + 1) if unpack else chunk
            if len(body) > self.most_bytes:
                raise too_large
        return bytes(body)


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return (url.scheme, url.host, url.port)


def _pinned(request: httpx2.Request, address: str) -> httpx2.Request:
    """The same request, to this very address; the host keeps its name in `Host` and in TLS."""
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={"timeout": _TIMEOUTS, "sni_hostname": request.url.raw_host.decode("ascii")},
    )


@contextlib.contextmanager
def _in_words(host: str) -> Iterator[None]:
    """What goes wrong on the way, as the person should hear it."""
    try:
        yield
    except httpx2.TimeoutException:
        raise Trouble("too_slow", host=host) from None
    except httpx2.NetworkError as error:
        secure = _is_about_trust(error)
        raise Trouble("not_secure" if secure else "unreachable", host=host) from None
    except (httpx2.HTTPError, zlib.error, ValueError):
        raise Trouble("unreadable", host=host) from None
    except OSError:
        raise Trouble("unreachable", host=host) from None


def _is_about_trust(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _must_be_fine(answer: Answer, credentials: Credentials | None) -> None:
    """Turn a refusal into words."""
    status, host = answer.status, answer.url.host
    if 200 <= status < 300 or status == 304:
        return
    if status == 401:
        raise Trouble("sign_in_wanted" if credentials is None else "sign_in_refused", host=host)
    code = {403: "not_allowed", 404: "not_found", 410: "gone", 429: "too_often"}.get(status)
    if code is None:
        code = "server_fault" if status >= 500 else "unexpected"
    raise Trouble(code, host=host, status=status, wait=_retry_after(answer))


def _retry_after(answer: Answer) -> timedelta | None:
    value = answer.headers.get("retry-after", "")
    if value.isdigit() and len(value) < 10:
        return min(DAY, timedelta(seconds=int(value)))
    return None


__all__ = ["MOST_BYTES", "Answer", "Credentials", "Fetcher"]
