"""Version 2 of the API: windows and counts of records, reference lists, a check of the key."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from airflow_provider_voiso.api.json import UNREADABLE_JSON
from airflow_provider_voiso.api.read import Content
from airflow_provider_voiso.api.settings import AUTO
from airflow_provider_voiso.api.v2.answer import error_answer, not_json
from airflow_provider_voiso.api.v2.answer_size import BATCH, AnswerSize
from airflow_provider_voiso.api.v2.belonging import Belonging
from airflow_provider_voiso.api.v2.calibration import Calibration
from airflow_provider_voiso.api.v2.clock import DateRule, ProvedClock, ZoneClock
from airflow_provider_voiso.api.v2.evidence import Proof
from airflow_provider_voiso.api.v2.paging import Walk
from airflow_provider_voiso.api.v2.reader import (
    DisprovedError,
    FirstAnswer,
    Reader,
    middle_part,
)
from airflow_provider_voiso.api.v2.search import CDR_PATH, Search
from airflow_provider_voiso.api.window import UTC, Window
from airflow_provider_voiso.exceptions import VoisoOutOfWindowError, VoisoResponseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_voiso.api.read import OnAnswer, OutOfWindow
    from airflow_provider_voiso.api.settings import Settings
    from airflow_provider_voiso.api.transport import Transport
    from airflow_provider_voiso.api.v2.clock import Span

log = logging.getLogger(__name__)

REFERENCE_LISTS = ("agents", "campaigns", "deleted_agents", "queues", "teams", "wrapup_codes")
_COUNTED_AT_ONCE = 1_000


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
            first = self._first(search, self._first_span(window), self._size)
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
        known = None if first is None else first.to(span)
        for answer in Walk(search, size, rule).answers(span, known):
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
        first: FirstAnswer,
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
            except (DisprovedError, VoisoOutOfWindowError):
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

    def _first(self, search: Search, span: Span, size: AnswerSize) -> FirstAnswer:
        page = search(span, per_page=size.asked)
        size.note(page)
        return FirstAnswer(page, span)

    def _proof(self, window: Window, first: FirstAnswer) -> Proof:
        proof = Proof(self._assumed.clock, window)
        proof.take(first.page.in_order(), first.span)
        return proof

    def _calibrated(self, search: Search, first: FirstAnswer, size: AnswerSize) -> DateRule | None:
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

    def _first_span(self, window: Window) -> Span:
        return middle_part(self._assumed.span(window), self._settings.max_connections)

    def _read(
        self,
        window: Window,
        search: Search,
        rule: DateRule,
        policy: OutOfWindow,
        on_answer: OnAnswer | None,
        first: FirstAnswer | None = None,
        proof: Proof | None = None,
    ) -> Content:
        walk = Walk(_limited(search, rule), self._size, rule)
        belonging = Belonging(window, rule, policy)
        reader = Reader(window, walk, belonging, first=first, proof=proof, on_answer=on_answer)
        records = reader.read(rule.span(window), self._settings.max_connections)
        return Content(records, belonging.outside, self._clock_text())


def _limited(search: Search, rule: DateRule) -> Search:
    return search.limited_to(rule.longest) if rule.acts_on == "start" else search


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
