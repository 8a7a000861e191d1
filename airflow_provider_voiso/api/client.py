"""A Voiso account as this package uses it: windows of records, reference lists, a check of the key."""

from __future__ import annotations

import itertools
import logging
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from airflow_provider_voiso.api.read import WindowRead
from airflow_provider_voiso.api.records import error_answer, not_json
from airflow_provider_voiso.api.selection import Selection
from airflow_provider_voiso.api.settings import AUTO
from airflow_provider_voiso.api.spool import OutOfWindow, Spool
from airflow_provider_voiso.api.transport import Transport
from airflow_provider_voiso.api.v2.authorization import key_in_query
from airflow_provider_voiso.api.v2.calibration import Calibration
from airflow_provider_voiso.api.v2.clock import (
    Reading,
    Span,
    ZoneClock,
)
from airflow_provider_voiso.api.v2.filters import filter_params
from airflow_provider_voiso.api.v2.paging import BATCH, Pager
from airflow_provider_voiso.api.v2.search import CDR_PATH, Search
from airflow_provider_voiso.api.window import UTC, Window
from airflow_provider_voiso.exceptions import VoisoError, VoisoResponseError, VoisoUnsettledError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_voiso.api.settings import Settings

log = logging.getLogger(__name__)

REFERENCE_LISTS = ("agents", "campaigns", "deleted_agents", "queues", "teams", "wrapup_codes")
_LOOK_SIZE = 1_000
_PARTS_PER_CONNECTION = 3
"""More parts than connections, as a busy hour holds many times the records of a quiet one."""
_MOST_READINGS = 5


class CdrClient:
    """Reads from one Voiso account.

    :param settings: the account and how to ask it
    :param batch: records that one search returns without a token, 10,000 by the vendor's page
    :param name: tells accounts on one host apart; the id of the Airflow connection
    """

    def __init__(self, settings: Settings, *, batch: int = BATCH, name: str = "") -> None:
        self._settings = settings
        self._name = name
        self._batch = batch
        zone = ZoneInfo("UTC" if settings.timezone == AUTO else settings.timezone)
        self._assumed = Reading(ZoneClock(zone))
        self.reading: Reading | None = None
        self._extra_requests = 0
        self._transport = Transport(settings, key_in_query(settings.key))
        self._pager = Pager(per_page=settings.per_page, batch=batch)

    def close(self) -> None:
        """Close kept-alive connections."""
        self._transport.close()

    @property
    def _parts(self) -> int:
        connections = self._settings.max_connections
        return connections * _PARTS_PER_CONNECTION if connections > 1 else 1

    @property
    def requests(self) -> int:
        """Number of requests sent so far, retries included."""
        return self._transport.requests

    @property
    def probes(self) -> int:
        """Number of requests sent so far to prove something, not to read."""
        return self._extra_requests + self._pager.extra_requests

    def read(
        self, window: Window, filters: Mapping[str, Any] | None = None, *, out_of_window: OutOfWindow = "fail"
    ) -> WindowRead:
        """Read every record whose ``timestamp`` lies in a window; the caller closes what is returned.

        :param window: the window, cut to the microsecond
        :param filters: request filters of the vendor's parameter table
        :param out_of_window: what to do with a record that lies outside of what was asked for
        :raises ValueError: for a wrong filter
        :raises VoisoError: of the class that tells why the window could not be read whole
        """
        params = filter_params(filters)
        requests, probes = self.requests, self.probes
        try:
            search = Search(self._transport, params)
            reading = self._calibrated(window, search, self._pager, self._parts)
            if reading.acts_on == "start":
                search = search.limited_to(reading.longest)
            spool = self._read_settled(window, search, reading, out_of_window)
        except VoisoError as error:
            error.args = (f"The window {window} could not be read. {error}",)
            raise
        return WindowRead(
            window=window,
            selection=Selection.of(self._settings.base_url, self._name, params),
            spool=spool,
            clock="unproved, as nothing was found" if self.reading is None else str(self.reading),
            requests=self.requests - requests,
            probes=self.probes - probes,
        )

    def count(self, window: Window, filters: Mapping[str, Any] | None, *, at_least: int) -> int:
        """Count a window's records, in small answers, until it is known whether there are ``at_least`` so many.

        :raises ValueError: for a wrong filter
        :raises VoisoError: of the class that tells why the window could not be read
        """
        pager = Pager(per_page=min(self._settings.per_page, _LOOK_SIZE), batch=self._batch)
        search = Search(self._transport, filter_params(filters))
        reading = self._calibrated(window, search, pager, 1)
        with Spool(window, reading, out_of_window="drop") as spool:
            for _ in pager.walk(search, reading.span(window), spool):
                spool.seal()
                if spool.records >= at_least:
                    break
            return spool.records

    def list_reference(self, name: str) -> list[dict[str, Any]]:
        """Return one of the six reference lists.

        :param name: ``agents``, ``campaigns``, ``deleted_agents``, ``queues``, ``teams`` or ``wrapup_codes``
        :raises ValueError: for any other name
        """
        if name not in REFERENCE_LISTS:
            raise ValueError(f"Unknown reference list {name!r}. The API has: {', '.join(REFERENCE_LISTS)}.")
        return self._transport.get(f"{CDR_PATH}/{name}", {}, _parse_reference)

    def check(self) -> None:
        """Ask for one record of the last hour.

        :raises VoisoError: of the class that tells why that failed
        """
        now = datetime.now(UTC).replace(microsecond=0)
        span = self._assumed.span(Window(now - timedelta(hours=1), now))
        Search(self._transport, {})(span, token=None, page=1, per_page=1)

    def _calibrated(self, window: Window, search: Search, pager: Pager, parts: int) -> Reading:
        """Return how the API reads dates, once it is proved.

        Where nothing is found, nothing is there in a window wider by the greatest possible error of the clock either.
        """
        if self.reading is not None:
            return self.reading
        hours = self._settings.longest_interaction
        calibration = Calibration(
            self._assumed.clock,
            auto=self._settings.timezone == AUTO,
            longest=None if hours is None else timedelta(hours=hours),
        )
        try:
            spans = _cut(self._assumed.span(window), parts)
            self.reading = calibration.run(search, spans[len(spans) // 2], pager)
        finally:
            self._extra_requests += calibration.extra_requests
        return self.reading or self._assumed

    def _read_settled(self, window: Window, search: Search, reading: Reading, out_of_window: OutOfWindow) -> Spool:
        """Read a window, again until two readings agree if there are signs that records moved from page to page."""
        digest: bytes | None = None
        for _ in range(_MOST_READINGS):
            spool = self._read_once(window, search, reading, out_of_window)
            if not (spool.duplicates or self._pager.shifted):
                return spool
            before, digest = digest, spool.digest()
            if digest == before:
                return spool
            spool.close()
            log.info("Records came twice or moved from page to page; reading %s again to be sure of all.", window)
        raise VoisoUnsettledError(
            f"Its records were read {_MOST_READINGS} times and kept changing. Export it later, or put a VoisoCdrSensor "
            "with 'settle' before the export."
        )

    def _read_once(self, window: Window, search: Search, reading: Reading, out_of_window: OutOfWindow) -> Spool:
        self._pager.shifted = False
        spool = Spool(window, reading, out_of_window=out_of_window)
        try:
            self._fill(spool, search, _cut(reading.span(window), self._parts))
            spool.seal()
        except BaseException:
            spool.close()
            raise
        return spool

    def _fill(self, spool: Spool, search: Search, spans: list[Span]) -> None:
        stop = threading.Event()

        def walk(span: Span) -> None:
            for _ in self._pager.walk(search, span, spool):
                if stop.is_set():
                    return

        if len(spans) == 1:
            walk(spans[0])
            return
        with ThreadPoolExecutor(self._settings.max_connections, thread_name_prefix="voiso") as pool:
            # The calibration has asked for the part in the middle already, so that one is read first.
            middle = len(spans) // 2
            walks = [pool.submit(walk, span) for span in (*spans[middle:], *spans[:middle])]
            try:
                done, _ = wait(walks, return_when=FIRST_EXCEPTION)
            finally:
                stop.set()
                pool.shutdown(cancel_futures=True)
            for each in done:
                each.result()


def _cut(span: Span, parts: int) -> list[Span]:
    """Cut a span into at most ``parts`` of about the same length."""
    seconds = span.last - span.first + 1
    edges = [span.first + seconds * part // parts for part in range(parts + 1)]
    return [Span(first, after - 1) for first, after in itertools.pairwise(edges) if first < after]


def _parse_reference(body: bytes) -> list[dict[str, Any]]:
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise VoisoResponseError(not_json(body)) from None
    if isinstance(answer, dict):
        if "error" in answer:
            raise error_answer(answer["error"])
        lists = [value for value in answer.values() if isinstance(value, list)]
        answer = lists[0] if len(lists) == 1 else None
    if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
        raise VoisoResponseError("The API's answer is neither a list of objects nor an object that wraps one.")
    return answer
