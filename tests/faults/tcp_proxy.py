"""A proxy before a database server that can break a connection when chosen bytes pass through it."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

PIECE = 65_536


class TcpProxy(ThreadingTCPServer):
    """Forwards connections; its ``break_at`` names bytes of the client at which the connection is broken.

    :param target: host and port of the server, or the path of its socket
    """

    daemon_threads = True

    def __init__(self, target: tuple[str, int] | str) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.target = target
        self.break_at: bytes | None = None
        self.when: Literal["before", "after"] = "before"
        self.broken = 0

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()
        self.server_close()


class _Connection(BaseRequestHandler):
    server: TcpProxy

    def handle(self) -> None:
        proxy = self.server
        with socket.socket(socket.AF_UNIX if isinstance(proxy.target, str) else socket.AF_INET) as behind:
            behind.connect(proxy.target)
            self._lost = threading.Event()
            answers = threading.Thread(target=self._forward_answers, args=(behind,), daemon=True)
            answers.start()
            with suppress(OSError):
                while data := self.request.recv(PIECE):
                    if proxy.break_at is not None and proxy.break_at in data:
                        proxy.broken += 1
                        if proxy.when == "after":
                            # The server gets it and its answer is lost.
                            self._lost.set()
                            behind.sendall(data)
                            answers.join()
                        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        break
                    behind.sendall(data)
            self.request.close()
            with suppress(OSError):
                behind.shutdown(socket.SHUT_RDWR)
            answers.join()

    def _forward_answers(self, behind: socket.socket) -> None:
        with suppress(OSError):
            while data := behind.recv(PIECE):
                if self._lost.is_set():
                    return
                self.request.sendall(data)
