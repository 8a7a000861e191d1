"""The files of the coverage page, served as they are.

They hold no data: the page asks Airflow's REST API from the browser, with the rights of whoever is
signed in there. So nothing here reads a cookie, a connection or the metadata database.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PREFIX = "/voiso"
"""Path below Airflow's own under which the files are found."""
_FOLDER = Path(__file__).with_name("static")
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "connect-src": "'self'",
    "img-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'self'",
}
_HEADERS = {
    "content-security-policy": "; ".join(f"{name} {value}" for name, value in _POLICY.items()),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    # A browser asks each time whether a file has changed, so that a new release is seen at once.
    "cache-control": "no-cache",
}


@cache
def _app() -> ASGIApp:
    # Imported when the page is first asked for: every process of Airflow loads plugins.
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.responses import FileResponse  # noqa: PLC0415
    from starlette.routing import Mount, Route  # noqa: PLC0415
    from starlette.staticfiles import StaticFiles  # noqa: PLC0415

    async def page(_: Request) -> Response:
        return FileResponse(_FOLDER / "coverage.html")

    return Starlette(
        routes=[
            Route("/coverage", page),
            Mount("/static", StaticFiles(directory=_FOLDER)),
        ]
    )


async def serve(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request, as an ASGI application; every answer carries the security headers."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            added = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
            message["headers"] = [*message.get("headers", ()), *added]
        await send(message)

    await _app()(scope, receive, send_with_headers)
