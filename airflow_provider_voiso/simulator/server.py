"""The HTTP server: real sockets, HTTP/1.1 with keep-alive, one daemon thread per connection."""

from __future__ import annotations

import json
import os
import socket
import ssl
import struct
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .control import CONTROL_PATH, control

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .faults import Response
    from .service import Service

_PIECE = 256
_BLANKS = b" " * 65_536


class Server(ThreadingHTTPServer):
    """Listens on one address.

    :param address: host and port; port 0 picks a free one
    :param service: answers the requests
    :param latency: seconds before each answer
    :param tls: context for TLS, or None for plain HTTP
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], service: Service, latency: float, tls: ssl.SSLContext | None
    ) -> None:
        self.service = service
        self.latency = latency
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        """Bind without looking up the host's name, which can take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection, in its own thread; the TLS handshake belongs to it."""
        with closing(
            self._tls.wrap_socket(request, server_side=True) if self._tls else request
        ) as connection:
            with self._guard:
                self._open.add(connection)
            try:
                super().finish_request(connection, client_address)
            finally:
                with self._guard:
                    self._open.discard(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print errors, but not those of clients that hang up."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError, ssl.SSLError)):
            super().handle_error(request, client_address)

    def stop_listening(self) -> None:
        """Refuse new connections; open ones go on."""
        self.shutdown()
        self.server_close()

    def close_connections(self) -> None:
        """End every open connection, also in the middle of an answer."""
        with self._guard:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Drip(BufferedIOBase):
    def __init__(self, target: BufferedIOBase, size: int, delay: float) -> None:
        self._target = target
        self._size = size
        self._delay = delay

    def write(self, data: Any) -> int:
        for start in range(0, len(data), self._size):
            self._target.write(data[start : start + self._size])
            time.sleep(self._delay)
        return len(data)


class Handler(BaseHTTPRequestHandler):
    """Reads requests off one connection and writes the answers."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def handle_one_request(self) -> None:
        """Serve one request, whatever its method."""
        self.raw_requestline = self.rfile.readline(65_537)
        if not self.raw_requestline or len(self.raw_requestline) > 65_536:
            self.close_connection = True
            return
        if self.parse_request():
            self._serve()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Write nothing: the request line holds the key."""

    def version_string(self) -> str:
        """Return the Server header."""
        return "voiso-simulator"

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else b""
        path = urlsplit(self.path).path
        if path.startswith(CONTROL_PATH):
            response = control(self.server.service, self.command, self.path, body)
        else:
            if self.server.latency:
                time.sleep(self.server.latency)
            accepts_gzip = "gzip" in (self.headers.get("Accept-Encoding") or "")
            response = self.server.service.respond(self.command, self.path, accepts_gzip)
        self._write(response)

    def _write(self, response: Response) -> None:
        if response.gone:
            self.server.stop_listening()
        if response.cut == "before":
            self._reset()
            return
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.endless:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(response.body)))
        with self._dripping(1, response.drip_headers):
            self.end_headers()
        if self.command != "HEAD":
            self._write_body(response)

    def _write_body(self, response: Response) -> None:
        body = response.body
        if response.cut:
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            if response.cut == "within":
                self._reset()
            return
        with self._dripping(_PIECE, response.drip):
            self.wfile.write(body)
        while response.endless:
            self.wfile.write(_BLANKS)

    @contextmanager
    def _dripping(self, size: int, delay: float) -> Iterator[None]:
        """Send in small pieces with a pause after each, if there is a delay."""
        whole = self.wfile
        if delay:
            self.wfile = _Drip(whole, size, delay)
        try:
            yield
        finally:
            self.wfile = whole

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Reader and writer hold the socket: only closing its descriptor sends the reset now.
        os.close(self.connection.detach())


def tls_context(certificate: str, private_key: str | None) -> ssl.SSLContext:
    """Return the context of a server.

    :param certificate: path of the certificate chain, PEM
    :param private_key: path of its key, or None if the same file holds it
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private_key)
    return context


def ready_line(url: str) -> str:
    """Return the line that says where the server listens."""
    return json.dumps({"url": url})
