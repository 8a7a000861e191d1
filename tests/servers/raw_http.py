"""An HTTP server whose answers are given byte by byte, so that they can be wrong."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

Answer = Sequence[bytes | float | None]
"""The steps of one response: bytes to send, seconds to wait, None to end the connection."""


def http(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """Return an HTTP/1.1 answer; ``length`` announces another length than the body has."""
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Length: {len(body) if length is None else length}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class RawServer:
    """Sends prepared bytes, keeps what it was sent, and counts connections.

    :param answer: given the number of the request, from 0, returns what to do
    """

    def __init__(self, answer: Callable[[int], Answer]) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self.connections = 0
        self.requests: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as reader, suppress(OSError):
            while head := self._read_head(reader.readline):
                with self._lock:
                    self.requests.append(head)
                    number = len(self.requests) - 1
                for part in self._answer(number):
                    if part is None:
                        return
                    if isinstance(part, bytes):
                        connection.sendall(part)
                    elif self._stopped.wait(part):
                        return

    @staticmethod
    def _read_head(readline: Callable[[], bytes]) -> bytes:
        lines = []
        while line := readline():
            lines.append(line)
            if line == b"\r\n":
                return b"".join(lines)
        return b""
