"""Serves ready-made records as the vendor's page says, at the cost of sending them.

Dates are read in UTC and by the second, both ends included; a token stands behind the last record
of its answer and comes with every full answer, so that the last answer of a search that ends with a
full one is empty.
"""

from __future__ import annotations

import argparse
import base64
import json
import socketserver
import time
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from benchmarks.data import Day

_BATCH = 10_000
_REASONS = {200: "OK", 401: "Unauthorized", 404: "Not Found", 422: "Unprocessable Content"}


class _RefusedError(Exception):
    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status


class BenchServer(socketserver.ThreadingTCPServer):
    """Answers on one port of the loopback interface.

    :param port: where to listen
    :param day: the records
    :param latency: seconds to wait before each answer
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, day: Day, latency: float) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.day = day
        self.latency = latency


class _Connection(socketserver.StreamRequestHandler):
    server: BenchServer
    disable_nagle_algorithm = True

    def handle(self) -> None:
        while line := self.rfile.readline():
            close = False
            while header := self.rfile.readline().strip():
                close |= header.lower() == b"connection: close"
            url = urlsplit(line.split()[1].decode())
            try:
                status, parts = 200, self._answer(url.path, dict(parse_qsl(url.query)))
            except _RefusedError as error:
                status, parts = error.status, [json.dumps({"error": str(error)}).encode()]
            head = (
                f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {sum(map(len, parts))}\r\n\r\n"
            )
            try:
                for part in (head.encode(), *parts):
                    self.connection.sendall(part)
            except OSError:
                return
            if close:
                return

    def _answer(self, path: str, params: dict[str, str]) -> list[bytes | memoryview]:
        if path == "/health":
            return [b"{}"]
        if path != "/api/v2/cdr":
            raise _RefusedError(404, "Not found")
        if not params.get("key"):
            raise _RefusedError(401, "Invalid User API Key")
        page, per_page = int(params.get("page", "1")), int(params.get("per_page", "1000"))
        if page < 1 or per_page < 1 or page * per_page > _BATCH:
            raise _RefusedError(422, "Invalid page or per_page")
        if self.server.latency:
            time.sleep(self.server.latency)
        day = self.server.day
        first, after = day.find(
            _second(params.get("start_datetime"), 0), _second(params.get("end_datetime"), 2**40)
        )
        start = max(first, _position(params["search_token"])) if "search_token" in params else first
        start = min(start + (page - 1) * per_page, after)
        stop = min(start + per_page, after)
        tail = {
            "total": after - first,
            "page": page,
            "search_token": _token(stop) if stop - start == per_page else None,
        }
        return [b'{"records":[', day.body(start, stop), b"]," + json.dumps(tail).encode()[1:]]


def _second(text: str | None, otherwise: int) -> int:
    if text is None:
        return otherwise
    return int(
        datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc).timestamp()
    )


def _token(position: int) -> str:
    return base64.urlsafe_b64encode(f'[{position},"cdr_item"]'.encode()).decode()


def _position(token: str) -> int:
    return int(json.loads(base64.urlsafe_b64decode(token))[0])


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--odd", default="none")
    options = parser.parse_args()
    day = Day(options.directory, options.records, options.odd)
    with BenchServer(options.port, day, options.latency) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
