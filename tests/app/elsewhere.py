"""Servers of others, as bad as they can be: they answer what a test says and note what they hear."""

import asyncio
import contextlib
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.core import clock

Reply = bytes | Callable[["Heard", asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Heard:
    """One request, as it came over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Elsewhere:
    """A server on this machine."""

    port: int = 0
    replies: dict[str, Reply] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)
    sent: int = 0
    """Bytes of bodies that could be sent before the other side had enough."""

    def url(self, path: str = "/", *, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            method, path, _ = head[0].split(" ")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in head[1:] if line)
            }
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            heard = Heard(method, path, headers, body)
            self.heard.append(heard)
            reply = self.replies.get(path, answer(b"", status="404 Not Found"))
            if isinstance(reply, bytes):
                writer.write(reply)
            else:
                await reply(heard, writer)
            await writer.drain()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            writer.close()
            await writer.wait_closed()

    async def endless(self, _: Heard, writer: asyncio.StreamWriter) -> None:
        """200 MB, as fast as they are taken."""
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\n")
        for _ in range(200):
            writer.write(b"X" * 1024 * 1024)
            await writer.drain()
            self.sent += 1024 * 1024

    async def slow(self, _: Heard, writer: asyncio.StreamWriter) -> None:
        """A byte now and then, for ever."""
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/calendar\r\n\r\n")
        while True:
            writer.write(b"B")
            await writer.drain()
            await asyncio.sleep(0.05)


def answer(body: bytes, *, status: str = "200 OK", kind: str = "text/calendar", **headers: str) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def onward(where: str, status: str = "302 Found") -> bytes:
    return answer(b"", status=status, Location=where)


def bomb(megabytes: int) -> bytes:
    """Much of nothing, in few bytes."""
    packed = gzip.compress(b"\0" * megabytes * 1024 * 1024)
    return answer(packed, Content_Encoding="gzip")


@contextlib.asynccontextmanager
async def elsewhere(tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[Elsewhere]:
    """A server, for as long as it is needed."""
    made = Elsewhere()
    server = await asyncio.start_server(made.serve, host, 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


def identity(directory: str, *names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server of these names shows, and what trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "elsewhere")])
    alternatives: list[x509.GeneralName] = []
    for one in names:
        with contextlib.suppress(ValueError):
            alternatives.append(x509.IPAddress(ip_address(one)))
            continue
        alternatives.append(x509.DNSName(one))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(clock.now() - timedelta(days=1))
        .not_valid_after(clock.now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = f"{directory}/identity.pem"
    with open(path, "wb") as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        file.write(certificate.public_bytes(serialization.Encoding.PEM))
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(path)
    trusting = ssl.create_default_context(cafile=path)
    return shown, trusting
