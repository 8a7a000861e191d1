"""A local Voiso as a Python object."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .days import Days
from .readings import Readings
from .server import Server, tls_context
from .service import Keys, Service

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from types import TracebackType

    from typing_extensions import Self

    from .drift import Drift
    from .faults import Faults
    from .service import Request, State

DEMO_KEY = "demo-key-a387aaf1f101fc"


class Simulator:
    """A local Voiso that serves an endless calendar of records, all derived from the seed.

    It listens within its ``with`` block. ``truth`` needs no server.

    :param seed: decides every record
    :param records_per_day: average number of records a UTC day; days vary by up to a fifth
    :param exact: give every UTC day exactly that number
    :param readings: readings of the open points of the vendor's page; by default the literal ones
    :param drift: records that appear, change, move or leave between two looks
    :param key: key that sees everything
    :param team_keys: ids of teams by key; such a key sees only the records of their agents
    :param forbidden_keys: keys that get a 403
    :param now: end of a search that names none (default: the current hour); a search without a
        start begins 31 days before its end
    :param latency: seconds before each answer
    :param requests_per_second: answer 429 with Retry-After above this rate, or None for no limit
    :param host: address to listen on
    :param port: port to listen on, 0 for a free one
    :param certificate: path of a PEM certificate; turns on TLS
    :param private_key: path of its key, if not in the same file
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        records_per_day: int = 3_000,
        exact: bool = False,
        readings: Readings | None = None,
        drift: Drift | None = None,
        key: str = DEMO_KEY,
        team_keys: Mapping[str, Iterable[int]] | None = None,
        forbidden_keys: Iterable[str] = (),
        now: datetime | None = None,
        latency: float = 0.0,
        requests_per_second: float | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        certificate: str | None = None,
        private_key: str | None = None,
    ) -> None:
        self.key = key
        self.readings = readings or Readings()
        teams = {name: frozenset(ids) for name, ids in (team_keys or {}).items()}
        self._keys = Keys(key, teams, frozenset(forbidden_keys))
        days = Days(seed, records_per_day, exact=exact, readings=self.readings, drift=drift)
        self._service = Service(days, self.readings, self._keys, now, requests_per_second)
        self._address = (host, port)
        self._latency = latency
        self._tls = tls_context(certificate, private_key) if certificate else None
        self._server: Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen in a thread; requests are answered from now on."""
        self._server = Server(self._address, self._service, self._latency, self._tls)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="voiso-simulator",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and end every connection."""
        if self._server and self._thread:
            self._server.stop_listening()
            self._server.close_connections()
            self._thread.join()
            self._server = self._thread = None

    @property
    def port(self) -> int:
        """The port it listens on.

        :raises RuntimeError: if it does not listen
        """
        if self._server is None:
            raise RuntimeError(
                "The simulator is not running: use it in a `with` statement, or call start()."
            )
        return self._server.server_port

    @property
    def url(self) -> str:
        """Scheme, host and port, without a trailing slash."""
        return f"{'https' if self._tls else 'http'}://{self._address[0]}:{self.port}"

    @property
    def faults(self) -> Faults:
        """The faults in waiting; ``faults.add("status", status=429, times=2)`` adds one."""
        return self._service.faults

    @property
    def requests(self) -> tuple[Request, ...]:
        """The last ten thousand requests to the vendor's paths, oldest first, without keys."""
        return tuple(self._service.log)

    def truth(
        self,
        start: datetime,
        end: datetime,
        filters: Mapping[str, object] | None = None,
        *,
        state: State | int = "now",
        key: str | None = None,
    ) -> dict[str, bytes]:
        """Return uuid and bytes of each record of a window, oldest first.

        :param start: first instant of the window, with a time zone
        :param end: first instant after the window, with a time zone
        :param filters: request parameters that narrow the records; lists are joined with commas
        :param state: ``before`` the drift, ``after`` it, as served ``now``, after a number of its
            steps, or ``stayed``: only the records that are the same at every step
        :param key: whose rights apply, if not those of the full key
        :raises RefusedError: if a filter is unknown or its value is not of the documented type
        :raises ValueError: if the drift has no such step
        """
        team_ids = self._keys.rights(key, 401) if key is not None else None
        return self._service.truth(start, end, filters, state, team_ids)

    def drift_now(self, step: int | None = None) -> None:
        """Let the drift happen, whatever its ``after`` says.

        :param step: how many of its steps, or None for all
        :raises ValueError: if the drift has no such step
        """
        self._service.drift_now(step)
