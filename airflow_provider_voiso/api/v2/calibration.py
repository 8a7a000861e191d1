"""Finding out how the API applies dates, by searching for the second of a known record."""

from __future__ import annotations

import logging
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

from airflow_provider_voiso.api.v2.clock import (
    HIGHEST,
    LOWEST,
    ActsOn,
    Clock,
    DateRule,
    ProvedClock,
    Span,
    offset_text,
)
from airflow_provider_voiso.api.v2.evidence import Evidence
from airflow_provider_voiso.api.v2.paging import Walk
from airflow_provider_voiso.api.v2.record_times import (
    CLEAR_DISTANCE_US,
    RecordTimes,
    probe_records,
)
from airflow_provider_voiso.api.window import MICROSECOND
from airflow_provider_voiso.exceptions import VoisoClockError, VoisoConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_voiso.api.page import Page
    from airflow_provider_voiso.api.v2.answer_size import AnswerSize
    from airflow_provider_voiso.api.v2.search import Search

log = logging.getLogger(__name__)

_SECOND = timedelta(seconds=1)
_TIGHT_PROBES = 2
"""Probes of a single offset before ranges of offsets are halved."""
_MOST_PROBES = 24
_MOST_PAGES = 20
"""Answers to read at most in search of an interaction with a duration."""


class Calibration:
    """Finds the rule of dates under which a search returns a known record.

    :param clock: the clock to prove
    :param size: how many records an answer can hold
    :param auto: whether any other clock is accepted
    :param longest: the longest interaction to expect, or None if that is unknown
    """

    def __init__(
        self, clock: Clock, size: AnswerSize, *, auto: bool, longest: timedelta | None
    ) -> None:
        self._clock = clock
        self._size = size
        self._auto = auto
        self._longest = longest
        self._tried: list[tuple[ActsOn, timedelta]] = []
        self.probes = 0

    def run(self, search: Search, span: Span, page: Page) -> DateRule | None:
        """Prove how the API applies dates.

        The proof is a record of the first answer. If none is conclusive, it is a record of the days
        around the span, without filters.

        :param search: the search of the window
        :param span: the seconds of the first answer, in the clock to prove
        :param page: the first answer
        :return: the rule, or None if there is no record under any clock: then nothing can be proved
            and nothing is missing
        :raises VoisoClockError: if no rule finds the record, or another than that of the clock set
            in the connection
        :raises VoisoConfigurationError: if the API selects by the start and the longest interaction
            is unknown
        """
        evidence = Evidence()
        evidence.take(page, span)
        records = probe_records(page, self._clock)
        proved = None
        if self._has_conclusive(records):
            proved = self._try_all(records, search, evidence)
        if proved is None:
            anywhere = search.unfiltered()
            others = self._records_of_days_around(anywhere, span, evidence)
            if not (others or records):
                return None
            if self._has_conclusive(others) or not records:
                proved = self._try_all(others, anywhere, evidence)
            elif not self._tried:
                proved = self._try_all(records, search, evidence)
        if proved is None:
            raise self._not_found()
        rule = self._rule(*proved)
        log.info("The API reads dates in %s, as a record's own timestamp proves.", rule)
        return rule

    def _has_conclusive(self, records: list[RecordTimes]) -> bool:
        return any(record.is_conclusive(self._clock) for record in records)

    def _records_of_days_around(
        self, search: Search, span: Span, evidence: Evidence
    ) -> list[RecordTimes]:
        """Return the best records to search for, of the days around a span."""
        around = Span(span.first + LOWEST // _SECOND, span.last + HIGHEST // _SECOND)
        best: list[RecordTimes] = []
        for page in islice(self._pages(search, around), _MOST_PAGES):
            evidence.take(page, around)
            best = probe_records(page, self._clock) or best
            if best and best[0].is_conclusive(self._clock):
                break
        return best

    def _pages(self, search: Search, span: Span) -> Iterator[Page]:
        before = self._size.probes
        try:
            for answer in Walk(search, self._size).answers(span):
                self.probes += 1
                yield answer.page
        finally:
            self.probes += self._size.probes - before

    def _rule(self, record: RecordTimes, offset: timedelta, acts_on: ActsOn) -> DateRule:
        clock = self._clock
        if self._auto:
            clock = ProvedClock(offset, record.ended)
        elif offset not in clock.offsets(record.ended):
            raise VoisoClockError(
                f"The API reads dates at {offset_text(offset)} from UTC, as a record's own "
                f"timestamp proves, which is not the time in {clock}. Set the connection's extra "
                "'timezone' to 'auto' or to the right zone."
            )
        if acts_on == "end":
            return DateRule(clock)
        if self._longest is None:
            raise VoisoConfigurationError(
                "The API selects interactions by their start, as a record's own timestamp and "
                "duration prove, so that long ones must be looked for before the window. Set the "
                "connection's extra 'longest_interaction' to the hours that the longest one may "
                "last."
            )
        return DateRule(clock, "start", self._longest)

    def _not_found(self) -> VoisoClockError:
        tried = dict.fromkeys(
            f"{offset_text(offset)} by the {acts_on}" for acts_on, offset in self._tried
        )
        return VoisoClockError(
            "A record that the API returned is not found in the second of its own timestamp, so it "
            f"cannot be proved in which clock the API reads dates. Tried: {', '.join(tried)}. Set "
            "the connection's extra 'timezone' to the zone of the contact centre or of the key's "
            "owner, and check that nothing between here and the API changes dates."
        )

    def _try_all(
        self, records: list[RecordTimes], search: Search, evidence: Evidence
    ) -> tuple[RecordTimes, timedelta, ActsOn] | None:
        for record in records:
            expected = list(dict.fromkeys(self._clock.offsets(record.ended)))
            likely = [*expected, record.offset] if self._auto else expected
            proved = self._try(record, likely, search, evidence.copy())
            if proved:
                return record, *proved
        return None

    def _try(
        self, record: RecordTimes, likely: list[timedelta], search: Search, evidence: Evidence
    ) -> tuple[timedelta, ActsOn] | None:
        """Search for the seconds of one record under different offsets, until it is found.

        :return: the offset, and whether searches act on the end or on the start
        """
        trial = _Trial(record, likely, evidence)
        before = len(self._tried)
        for low, high, acts_on in trial.questions():
            if low == high:
                self._tried.append((acts_on, low))
            instant = record.instant_us(acts_on) * MICROSECOND
            span = Span((instant + low) // _SECOND, (instant + high) // _SECOND)
            trial.is_found = False
            for page in self._pages(search, span):
                evidence.take(page, span)
                if record.uuid in page.uuids:
                    trial.is_found = True
                    break
            if trial.is_found and low == high:
                return low, acts_on
            if len(self._tried) - before > _MOST_PROBES:
                break
        return None


class _Trial:
    """Chooses the offsets under which to search for a record.

    :param record: the record
    :param likely: offsets to try first
    :param evidence: offsets that answers leave open; every answer narrows them
    """

    def __init__(self, record: RecordTimes, likely: list[timedelta], evidence: Evidence) -> None:
        self._likely = likely
        self._evidence = evidence
        self._tried: set[tuple[ActsOn, timedelta]] = set()
        has_duration = record.duration_us >= CLEAR_DISTANCE_US
        self._kinds: tuple[ActsOn, ...] = ("end", "start") if has_duration else ("end",)
        self._asked = 0
        self.is_found = False
        """Whether the last search returned the record; set by the caller."""

    def questions(self) -> Iterator[tuple[timedelta, timedelta, ActsOn]]:
        """Yield what to search for next: a range of offsets, and the end or the start.

        The range is a single offset or, once guesses have failed, half of those left.
        """
        for acts_on in self._kinds:
            yield from self._narrowing(acts_on)
        # A single absurd timestamp makes the evidence contradict itself and exclude every offset.
        for acts_on in self._kinds:
            for offset in self._likely:
                if (acts_on, offset) not in self._tried:
                    yield offset, offset, acts_on

    def _narrowing(self, acts_on: ActsOn) -> Iterator[tuple[timedelta, timedelta, ActsOn]]:
        offsets = self._evidence.of(acts_on)
        tight = 0
        while self._asked < _MOST_PROBES:
            left = self._untried(acts_on, offsets.quarters())
            guesses = [
                each for each in self._untried(acts_on, self._likely) if offsets.allows(each)
            ]
            if not left and not guesses:
                return
            self._asked += 1
            if not guesses and tight >= _TIGHT_PROBES and len(left) > 2:
                middle = left[(len(left) - 1) // 2]
                yield left[0], middle, acts_on
                if self.is_found:
                    offsets.high = min(offsets.high, middle)
                else:
                    offsets.low = max(offsets.low, middle + _SECOND)
                continue
            hints = [each for each in self._evidence.hints[acts_on] if each in left]
            guess = [*guesses, *hints, *left][0]
            tight += 1
            self._tried.add((acts_on, guess))
            yield guess, guess, acts_on

    def _untried(self, acts_on: ActsOn, offsets: list[timedelta]) -> list[timedelta]:
        return [offset for offset in offsets if (acts_on, offset) not in self._tried]
