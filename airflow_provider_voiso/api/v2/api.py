"""Version 2 of the API: windows and counts of records, reference lists, a check of the key."""

from __future__ import annotations

import itertools
import logging
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from airflow_provider_voiso.api.json import UNREADABLE_JSON
from airflow_provider_voiso.api.settings import AUTO
from airflow_provider_voiso.api.spool import Spool
from airflow_provider_voiso.api.v2.answer import error_answer, not_json
from airflow_provider_voiso.api.v2.answer_size import BATCH, AnswerSize
from airflow_provider_voiso.api.v2.belonging import Belonging
from airflow_provider_voiso.api.v2.calibration import Calibration
from airflow_provider_voiso.api.v2.clock import DateRule, ProvedClock, Span, ZoneClock
from airflow_provider_voiso.api.v2.evidence import Proof
from airflow_provider_voiso.api.v2.paging import Walk
from airflow_provider_voiso.api.v2.search import CDR_PATH, Search
from airflow_provider_voiso.api.window import UTC, Window
from airflow_provider_voiso.exceptions import VoisoOutOfWindowError, VoisoResponseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_voiso.api.page import Page
    from airflow_provider_voiso.api.read import OnAnswer, OutOfWindow
    from airflow_provider_voiso.api.settings import Settings
    from airflow_provider_voiso.api.spool import SpooledRecords
    from airflow_provider_voiso.api.transport import Transport

log = logging.getLogger(__name__)

REFERENCE_LISTS = ("agents", "campaigns", "deleted_agents", "queues", "teams", "wrapup_codes")
_COUNTED_AT_ONCE = 1_000
_PARTS_PER_CONNECTION = 3
"""More parts than connections, as a busy hour holds many times the records of a quiet one."""


@dataclass(frozen=True, slots=True)
class Content:
    """The records of a window as one version of the API gave them.

    :param records: the records; the caller closes them
    :param out_of_window: number of records outside of what was asked for
    :param clock: in which clock the API reads dates
    """

    records: SpooledRecords
    out_of_window: int
    clock: str


@dataclass(frozen=True, slots=True)
class _First:
    """The first answer, which the walk need not ask for again."""

    page: Page
    span: Span


class _Tally:
    """Tells how far a read is, after each of its answers; safe to use from several threads.

    :param seconds: length of what is read
    :param on_answer: is told
    """

    def __init__(self, seconds: int, on_answer: OnAnswer | None) -> None:
        self._seconds = seconds
        self._on_answer = on_answer
        self._lock = threading.Lock()
        self._records = self._done = 0

    def note(self, records: int, seconds: int) -> None:
        """Add an answer's records, and the seconds that it finishes."""
        if self._on_answer is None:
            return
        with self._lock:
            self._records += records
            self._done += seconds
            self._on_answer(self._records, self._done / self._seconds)


class _DisprovedError(Exception):
    """An answer speaks against the clock that is assumed."""


class ApiV2:
    """Reads records by ``/api/v2/cdr``.

    :param transport: sends the requests
    :param settings: how to ask
    :param batch: records that one search returns without a token
    """

    def __init__(self, transport: Transport, settings: Settings, *, batch: int = BATCH) -> None:
        self._transport = transport
        self._settings = settings
        self._assumed = DateRule(
            ZoneClock(ZoneInfo("UTC" if settings.timezone == AUTO else settings.timezone))
        )
        self._proved: DateRule | None = None
        self._size = AnswerSize(settings.per_page, batch=batch)
        self._size_of_counts = AnswerSize(min(settings.per_page, _COUNTED_AT_ONCE), batch=batch)
        self._calibration_probes = 0

    @property
    def probes(self) -> int:
        """Number of requests sent so far to prove something, not to read."""
        return self._calibration_probes + self._size.probes + self._size_of_counts.probes

    def read(
        self,
        window: Window,
        params: Mapping[str, str],
        policy: OutOfWindow,
        on_answer: OnAnswer | None = None,
    ) -> Content:
        """Read every record whose ``timestamp`` lies in a window.

        :param window: the window
        :param params: filters as request parameters
        :param policy: what to do with a record that lies outside of what was asked for
        :param on_answer: gets to know how far the read is
        :raises VoisoError: of the class that tells why the window could not be read whole
        """
        search = Search(self._transport, params)
        first = None
        if self._proved is None:
            first = self._first(search, self._middle(window), self._size)
            content = self._read_and_prove(window, search, policy, first, on_answer)
            if content is not None:
                return content
        return self._read(window, search, self._proved or self._assumed, policy, on_answer, first)

    def count(self, window: Window, params: Mapping[str, str], at_least: int) -> int:
        """Count a window's records in small answers, stopping once ``at_least`` are found."""
        search = Search(self._transport, params)
        size = self._size_of_counts
        first = None
        if self._proved is None:
            first = self._first(search, self._assumed.span(window), size)
            proof = self._proof(window, first)
            self._proved = (
                self._rule_of(proof) if proof.is_done else self._calibrated(search, first, size)
            )
        rule = self._proved or self._assumed
        search = _limited(search, rule)
        belonging = Belonging(window, rule, "drop")
        uuids: set[str] = set()
        span = rule.span(window)
        kept = first.page if first is not None and first.span == span else None
        for answer in Walk(search, size, rule).answers(span, kept):
            uuids.update(belonging.keep(answer.page, answer.span).uuids)
            if len(uuids) >= at_least:
                break
        return len(uuids)

    def list_reference(self, name: str) -> list[dict[str, Any]]:
        """Return one of the six reference lists.

        :param name: one of :data:`REFERENCE_LISTS`
        """
        return self._transport.get(f"{CDR_PATH}/{name}", {}, _parse_reference)

    def check(self) -> None:
        """Ask for one record of the last hour.

        :raises VoisoError: of the class that tells why that failed
        """
        now = datetime.now(UTC).replace(microsecond=0)
        span = self._assumed.span(Window(now - timedelta(hours=1), now))
        Search(self._transport, {})(span, per_page=1)

    def _read_and_prove(
        self,
        window: Window,
        search: Search,
        policy: OutOfWindow,
        first: _First,
        on_answer: OnAnswer | None,
    ) -> Content | None:
        """Read a window in the assumed clock and prove that clock; None if it must be read again.

        The proof is free where the window's own records are dense enough; else it takes a few small
        requests. Answers that leave the clock open are no reason to stop, as the last one may
        decide.
        """
        proof = self._proof(window, first)
        content = None
        if proof.is_open:
            try:
                content = self._read(window, search, self._assumed, policy, on_answer, first, proof)
            except (_DisprovedError, VoisoOutOfWindowError):
                log.debug("The records speak against the clock that was assumed; asking for it.")
        if proof.is_done and content is not None:
            self._proved = self._rule_of(proof)
            log.info(
                "The API reads dates in %s, as the records' own timestamps prove.", self._proved
            )
        else:
            self._proved = self._calibrated(search, first, self._size)
        if content is None:
            return None
        if self._proved is not None and not self._is_confirmed(proof):
            content.records.close()
            return None
        return Content(content.records, content.out_of_window, self._clock_text())

    def _is_confirmed(self, proof: Proof) -> bool:
        """Tell whether what was proved is what was assumed."""
        rule = self._proved
        if rule is None or rule.acts_on != "end":
            return False
        return rule.clock == self._assumed.clock or (
            isinstance(rule.clock, ProvedClock) and rule.clock.offset == proof.offset
        )

    def _clock_text(self) -> str:
        return "unproved, as nothing was found" if self._proved is None else str(self._proved)

    def _rule_of(self, proof: Proof) -> DateRule:
        if self._settings.timezone != AUTO or proof.offset is None:
            return self._assumed
        return DateRule(ProvedClock(proof.offset, proof.instant))

    def _first(self, search: Search, span: Span, size: AnswerSize) -> _First:
        page = search(span, per_page=size.asked)
        size.note(page)
        return _First(page, span)

    def _proof(self, window: Window, first: _First) -> Proof:
        proof = Proof(self._assumed.clock, window)
        proof.take(first.page.in_order(), first.span)
        return proof

    def _calibrated(self, search: Search, first: _First, size: AnswerSize) -> DateRule | None:
        """Return how the API applies dates; None where nothing is found.

        Then nothing is there in a window wider by the greatest possible error of the clock either.
        """
        hours = self._settings.longest_interaction
        calibration = Calibration(
            self._assumed.clock,
            size,
            auto=self._settings.timezone == AUTO,
            longest=None if hours is None else timedelta(hours=hours),
        )
        before = size.probes
        try:
            return calibration.run(search, first.span, first.page)
        finally:
            self._calibration_probes += calibration.probes - (size.probes - before)

    def _middle(self, window: Window) -> Span:
        spans = self._spans(self._assumed, window)
        return spans[len(spans) // 2]

    def _spans(self, rule: DateRule, window: Window) -> list[Span]:
        connections = self._settings.max_connections
        return _cut(
            rule.span(window), connections * _PARTS_PER_CONNECTION if connections > 1 else 1
        )

    def _read(
        self,
        window: Window,
        search: Search,
        rule: DateRule,
        policy: OutOfWindow,
        on_answer: OnAnswer | None,
        first: _First | None = None,
        proof: Proof | None = None,
    ) -> Content:
        walk = Walk(_limited(search, rule), self._size, rule)
        belonging = Belonging(window, rule, policy)
        spool = Spool(window)
        tally = _Tally(rule.span(window).seconds, on_answer)
        stop = threading.Event()

        def read_span(span: Span) -> None:
            kept = first.page if first is not None and first.span == span else None
            before: Page | None = None
            for answer in walk.answers(span, kept):
                page = answer.page
                if proof is not None:
                    proof.take(page, answer.span)
                    if not proof.is_open:
                        raise _DisprovedError
                if answer.is_final:
                    page = belonging.keep(page, answer.span)
                    added = page if before is None else page.without(before)
                    spool.add(added)
                    tally.note(len(added), answer.done)
                    before = page
                if stop.is_set():
                    return

        try:
            self._read_all(self._spans(rule, window), read_span, stop)
            records = spool.seal()
        except BaseException:
            spool.close()
            raise
        return Content(records, belonging.outside, self._clock_text())

    def _read_all(
        self, spans: list[Span], read_span: Callable[[Span], None], stop: threading.Event
    ) -> None:
        if len(spans) == 1:
            read_span(spans[0])
            return
        with ThreadPoolExecutor(self._settings.max_connections, thread_name_prefix="voiso") as pool:
            # The part in the middle was asked for already, so that one is read first.
            middle = len(spans) // 2
            walks = [pool.submit(read_span, span) for span in (*spans[middle:], *spans[:middle])]
            try:
                done, _ = wait(walks, return_when=FIRST_EXCEPTION)
            finally:
                stop.set()
                pool.shutdown(cancel_futures=True)
            for each in done:
                each.result()


def _limited(search: Search, rule: DateRule) -> Search:
    return search.limited_to(rule.longest) if rule.acts_on == "start" else search


def _cut(span: Span, parts: int) -> list[Span]:
    """Cut a span into at most ``parts`` of about the same length."""
    seconds = span.last - span.first + 1
    edges = [span.first + seconds * part // parts for part in range(parts + 1)]
    return [Span(first, after - 1) for first, after in itertools.pairwise(edges) if first < after]


def _parse_reference(body: bytes) -> list[dict[str, Any]]:
    try:
        answer = msgspec.json.decode(body)
    except UNREADABLE_JSON:
        raise VoisoResponseError(not_json(body)) from None
    if isinstance(answer, dict):
        if "error" in answer:
            raise error_answer(answer["error"])
        lists = [value for value in answer.values() if isinstance(value, list)]
        answer = lists[0] if len(lists) == 1 else None
    if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
        raise VoisoResponseError(
            "The API's answer is neither a list of objects nor an object that wraps one."
        )
    return answer
