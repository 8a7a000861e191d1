"""A TCP proxy that can swallow the rest of whatever is being sent through it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

PIECE = 65_536


class HaltingProxy(ThreadingTCPServer):
    """Forwards connections to a server; from :meth:`halt_after` to :meth:`go_on` only their first bytes."""

    daemon_threads = True
    request_queue_size = 32

    def __init__(self, target: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.target = target
        self.limit: int | None = None
        self.halted = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def halt_after(self, limit: int) -> None:
        self.limit = limit

    def go_on(self) -> None:
        self.limit = None

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self.server_close()


class _Connection(BaseRequestHandler):
    server: HaltingProxy

    def handle(self) -> None:
        with socket.create_connection(self.server.target) as behind:
            answers = threading.Thread(target=_forward, args=(behind, self.request), daemon=True)
            answers.start()
            passed = 0
            with suppress(OSError):
                while data := self.request.recv(PIECE):
                    if self.server.limit is not None and passed >= self.server.limit:
                        self.server.halted.set()
                        continue
                    behind.sendall(data)
                    passed += len(data)
            with suppress(OSError):
                behind.shutdown(socket.SHUT_RDWR)
            answers.join()


def _forward(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(PIECE):
            target.sendall(data)
