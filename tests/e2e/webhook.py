"""A webhook that keeps what is posted to it."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.servers.background import LOOPBACK, BackgroundServer


class Webhook(BackgroundServer):
    """Listens while it is entered.

    :ivar texts: the text of each post so far
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        super().__init__((LOOPBACK, 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        """Keep the text."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.texts.append(json.loads(body)["text"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Be quiet."""
