"""HTTP connections with one deadline for a whole answer, its headers included.

A socket's own timeout starts anew with every byte. A server that sends a byte a minute could hold a
worker for days.
"""

from __future__ import annotations

import http.client
import io
import time
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    import socket

    from typing_extensions import Buffer


class DeadlineAdapter(HTTPAdapter):
    """Makes the read timeout the deadline of the whole answer.

    Connecting has the connect timeout of its own.
    """

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Create the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> ProxyManager:
        """Return the pools of connections through a proxy."""
        manager: ProxyManager = super().proxy_manager_for(*args, **kwargs)
        # A SOCKS proxy has another manager, with pool classes of its own.
        if isinstance(manager, ProxyManager):
            manager.pool_classes_by_scheme = _POOLS
        return manager


class _Reader(io.RawIOBase):
    """Sets the time left until the deadline as the timeout of each read."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        super().__init__()
        self._raw = raw
        self._sock = sock
        self._deadline = time.monotonic() + (sock.gettimeout() or 0.0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Reader(self.fp.detach(), sock))


class _HttpConnection(HTTPConnection):
    response_class = _Response
    # Setting it on http.client's class prints whole requests, and with them the key.
    debuglevel = 0


class _HttpsConnection(HTTPSConnection):
    response_class = _Response
    debuglevel = 0


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


_POOLS = {"http": _HttpPool, "https": _HttpsPool}
