"""The web client: its files under /web, and its one page wherever a person may have bookmarked it."""

from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, Response
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send
from typing_extensions import override

from app.core.errors import NotFound, answer
from app.settings import Settings

WEB: Final = Path(__file__).resolve().parent.parent / "web"
SERVED: Final = (
    "main.js",
    "theme.js",
    "client/",
    "pages/",
    "view/",
    "style/",
    "node_modules/htm/",
    "node_modules/lucide-static/icons/",
)
"""What of web/ is for browsers; the rest (tools, types, lock files) is not."""


class _Files(StaticFiles):
    """The client's files, asked about again each time: a new release must not meet old modules."""

    @override
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = self.get_path(scope).replace("\\", "/")
        if not path.startswith(SERVED):
            await answer(NotFound())(scope, receive, send)
            return

        async def send_asked_again(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"cache-control", b"no-cache")]
            await send(message)

        await super().__call__(scope, receive, send_asked_again)


def serve_web(app: FastAPI, settings: Settings) -> None:
    """Serve the web client from `app`, if it is there."""
    if not (WEB / "index.html").exists():
        return
    app.mount("/web", GZipMiddleware(_Files(directory=WEB), minimum_size=1024), name="web")
    headers = page_headers(settings)

    @app.get("/{path:path}", include_in_schema=False)
    async def page(path: str, request: Request) -> Response:
        wants_page = "text/html" in request.headers.get("accept", "")
        if path.startswith(("v1/", "web/", ".well-known/")) or not wants_page:
            return answer(NotFound())
        return FileResponse(WEB / "index.html", headers=headers)


def page_headers(settings: Settings) -> dict[str, str]:
    """What a browser may do on our pages: run our own files, and talk to us and to signalling."""
    socket = settings.signalling_public_url
    sockets = {socket, socket.replace("//localhost", "//127.0.0.1")} if settings.development else {socket}
    policy = {
        "default-src": "'self'",
        "img-src": "'self' data: blob:",
        "media-src": "'self' blob: mediastream:",
        "connect-src": " ".join(["'self'", *sorted(sockets)]),
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self)",
        "Cache-Control": "no-cache",
    }
