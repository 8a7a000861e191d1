"""Servers that run in a thread of this process."""

from __future__ import annotations

import threading
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

LOOPBACK = "127.0.0.1"


class BackgroundServer(ThreadingTCPServer):
    """Serves on a free port of the loopback interface as long as it is entered."""

    daemon_threads = True
    request_queue_size = 32

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """The address on which it listens."""
        return f"http://{LOOPBACK}:{self.port}"

    def __enter__(self) -> Self:
        serve = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        serve.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown()
        self.server_close()
