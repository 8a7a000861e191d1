"""A TCP proxy that breaks a connection, or swallows the rest, when chosen bytes pass."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from socketserver import BaseRequestHandler
from typing import Literal

from tests.servers.background import LOOPBACK, BackgroundServer

PIECE = 65_536


class TcpProxy(BackgroundServer):
    """Forwards connections to a server.

    ``break_at`` names bytes of the client at which the connection is broken: ``before`` the server
    gets them, or ``after``, so that only its answer is lost. From :meth:`halt_after` to
    :meth:`go_on` the server gets only the first bytes of each connection.

    :param target: host and port of the server, or the path of its socket
    """

    def __init__(self, target: tuple[str, int] | str) -> None:
        super().__init__((LOOPBACK, 0), _Connection)
        self.target = target
        self.break_at: bytes | None = None
        self.when: Literal["before", "after"] = "before"
        self.broken = 0
        self.limit: int | None = None
        self.halted = threading.Event()

    def halt_after(self, limit: int) -> None:
        """Swallow everything after ``limit`` bytes; ``halted`` is set once that happens."""
        self.limit = limit

    def go_on(self) -> None:
        """Forward everything again."""
        self.limit = None


class _Connection(BaseRequestHandler):
    server: TcpProxy

    def handle(self) -> None:
        target = self.server.target
        family = socket.AF_UNIX if isinstance(target, str) else socket.AF_INET
        with socket.socket(family) as behind:
            behind.connect(target)
            self._answer_is_lost = threading.Event()
            answers = threading.Thread(target=self._forward_answers, args=(behind,), daemon=True)
            answers.start()
            with suppress(OSError):
                self._forward_requests(behind, answers)
            with suppress(OSError):
                behind.shutdown(socket.SHUT_RDWR)
            answers.join()

    def _forward_requests(self, behind: socket.socket, answers: threading.Thread) -> None:
        proxy = self.server
        passed = 0
        while data := self.request.recv(PIECE):
            if proxy.break_at is not None and proxy.break_at in data:
                self._break(data, behind, answers)
                return
            if proxy.limit is not None and passed >= proxy.limit:
                proxy.halted.set()
                continue
            behind.sendall(data)
            passed += len(data)

    def _break(self, data: bytes, behind: socket.socket, answers: threading.Thread) -> None:
        self.server.broken += 1
        if self.server.when == "after":
            self._answer_is_lost.set()
            behind.sendall(data)
            answers.join()
        reset(self.request)

    def _forward_answers(self, behind: socket.socket) -> None:
        with suppress(OSError):
            while data := behind.recv(PIECE):
                if self._answer_is_lost.is_set():
                    return
                self.request.sendall(data)


def reset(connection: socket.socket) -> None:
    """Close a connection as a crash does, so that the other end gets a reset, not an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
