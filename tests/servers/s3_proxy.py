"""A proxy in front of an S3 server that makes chosen operations fail in chosen ways."""

from __future__ import annotations

import http.client
import socket
import threading
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import parse_qs, urlsplit

from tests.servers.background import LOOPBACK, BackgroundServer
from tests.servers.tcp_proxy import reset

if TYPE_CHECKING:
    from collections.abc import Callable

Operation = Literal["put", "create", "part", "complete", "abort", "list", "head", "get", "delete"]


class S3Fault(NamedTuple):
    """A fault of one operation.

    :param operation: the operation; ``create``, ``part``, ``complete``, ``abort`` and ``list``
        belong to multipart uploads
    :param kind: ``status`` answers with an error; ``late_error`` with status 200 and an error, as
        S3 does when it finds out late; ``reset`` breaks the connection within the request;
        ``reset_after`` once S3 has done it
    :param status: status of the answer
    :param code: S3's name of the error
    :param times: number of requests that fail, or None for all
    :param spared: number of requests before them that pass
    """

    operation: Operation
    kind: Literal["status", "late_error", "reset", "reset_after"]
    status: int = 503
    code: str = "SlowDown"
    times: int | None = None
    spared: int = 0


class S3Proxy(BackgroundServer):
    """Forwards requests to an S3 server, with the client's own signature.

    :param target: host and port of the server

    From the first operation ``lost_at`` on, the server cannot be reached. A function in
    ``just_before`` is called once, before its operation reaches the server.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.target = target
        self.faults: list[S3Fault] = []
        self.lost_at: Operation | None = None
        self.lost = False
        self.just_before: dict[Operation, Callable[[], object]] = {}
        self._lock = threading.Lock()

    def take(self, operation: Operation) -> S3Fault | None:
        """Return the fault that hits an operation, and count it."""
        with self._lock:
            self.lost = self.lost_at is not None and (self.lost or operation == self.lost_at)
            for index, fault in enumerate(self.faults):
                if fault.operation != operation:
                    continue
                if fault.spared:
                    self.faults[index] = fault._replace(spared=fault.spared - 1)
                    return None
                if fault.times is not None:
                    self.faults[index : index + 1] = [fault._replace(times=fault.times - 1)] * (
                        fault.times > 1
                    )
                return fault
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: S3Proxy

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Write nothing."""

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        operation = _operation(self.command, self.path)
        if interlude := self.server.just_before.pop(operation, None):
            interlude()
        fault = self.server.take(operation)
        if self.server.lost or (fault and fault.kind == "reset"):
            self.rfile.read(length // 2)
            self._reset()
            return
        body = self.rfile.read(length)
        if fault and fault.kind in {"status", "late_error"}:
            status = 200 if fault.kind == "late_error" else fault.status
            self._answer(
                status,
                [],
                f"<Error><Code>{fault.code}</Code><Message>{fault.code}</Message></Error>".encode(),
            )
            return
        behind = http.client.HTTPConnection(*self.server.target, timeout=120)
        behind.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() != "expect":
                behind.putheader(name, value)
        behind.endheaders(body)
        answer = behind.getresponse()
        content = answer.read()
        behind.close()
        if fault:
            self._reset()
            return
        kept = [
            (k, v)
            for k, v in answer.getheaders()
            if k.lower() not in {"content-length", "transfer-encoding"}
        ]
        size = answer.headers.get("Content-Length") if self.command == "HEAD" else None
        self._answer(answer.status, kept, content, size)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve  # noqa: N815 - as the base class wants them

    def _answer(
        self, status: int, headers: list[tuple[str, str]], body: bytes, size: str | None = None
    ) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", size or str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _reset(self) -> None:
        self.close_connection = True
        # The files of the handler keep the socket open, so its descriptor is taken from them.
        reset(socket.socket(fileno=self.connection.detach()))


def _operation(method: str, target: str) -> Operation:
    query = parse_qs(urlsplit(target).query, keep_blank_values=True)
    if "uploadId" in query:
        return {"PUT": "part", "POST": "complete", "DELETE": "abort"}[method]  # type: ignore[return-value]
    if "uploads" in query:
        return "create" if method == "POST" else "list"
    return method.lower()  # type: ignore[return-value]
