"""Questions about a running installation that the supervisor and the doctor both ask."""

import contextlib
import errno
import json
import socket
import ssl
import urllib.error
import urllib.request
from typing import Any

from app.settings import Settings


def app_address(settings: Settings) -> str:
    """Where this machine reaches the REST service."""
    return _address(settings, settings.app_host, settings.app_port)


def signalling_address(settings: Settings) -> str:
    """Where this machine reaches the signalling service by HTTP."""
    return _address(settings, settings.signalling_host, settings.signalling_port)


def _address(settings: Settings, host: str, port: int) -> str:
    near = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    near = f"[{near}]" if ":" in near else near
    return f"{'https' if settings.tls_cert else 'http'}://{near}:{port}"


def fetch(url: str, seconds: float = 2.0) -> tuple[int, Any]:
    """GET a JSON document of our own services; status 0 when nobody answers."""
    # The certificate is for the public name, and this asks the process next door by its address.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        with opener.open(url, timeout=seconds) as answer:
            return answer.status, _json(answer.read())
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, _json(refusal.read())
    except (OSError, ValueError):
        return 0, None


def _json(body: bytes) -> Any:
    with contextlib.suppress(ValueError):
        return json.loads(body)
    return None


def media_problem(settings: Settings) -> str | None:
    """Why media could not come in, in words, or None when they can."""
    port = settings.signalling_port + 2 if settings.media_port is None else settings.media_port
    if port > 65535:
        return f"There is no port {port}. Choose one with MENTORSPAN_MEDIA_PORT."
    return port_problem(settings.media_host, port, "MENTORSPAN_MEDIA_PORT", socket.SOCK_DGRAM)


def port_problem(
    host: str, port: int, variable: str, kind: socket.SocketKind = socket.SOCK_STREAM
) -> str | None:
    """Why we cannot listen there, in words, or None when we can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as problem:
            if problem.errno == errno.EADDRINUSE:
                return f"Port {port} is taken by another program. Stop it, or choose another with {variable}."
            return f"Cannot listen on {host}:{port} ({problem.strerror}). Choose another with {variable}."
    return None


def port_problems(settings: Settings) -> list[str]:
    """What stands in the way of the services."""
    if settings.app_port == settings.signalling_port and settings.app_host == settings.signalling_host:
        return ["MENTORSPAN_APP_PORT and MENTORSPAN_SIGNALLING_PORT are the same."]
    if settings.internal_port in (settings.app_port, settings.signalling_port):
        return ["MENTORSPAN_INTERNAL_PORT is the same as another port."]
    found = [
        port_problem(settings.internal_host, settings.internal_port, "MENTORSPAN_INTERNAL_PORT"),
        port_problem(settings.app_host, settings.app_port, "MENTORSPAN_APP_PORT"),
        port_problem(settings.signalling_host, settings.signalling_port, "MENTORSPAN_SIGNALLING_PORT"),
        media_problem(settings),
    ]
    return [problem for problem in found if problem]
