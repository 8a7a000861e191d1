"""Finding out how the API reads dates, by asking for the second of a record that it returned."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

from airflow_provider_voiso.api.v2.clock import (
    HIGHEST,
    LOWEST,
    Clock,
    ProvedClock,
    Reading,
    Span,
    offset_text,
)
from airflow_provider_voiso.api.v2.witness import ActsOn, Witness, all_witnesses, find_witnesses
from airflow_provider_voiso.api.window import MICROSECOND, epoch_us
from airflow_provider_voiso.exceptions import VoisoClockError, VoisoConfigurationError

if TYPE_CHECKING:
    from airflow_provider_voiso.api.records import Page
    from airflow_provider_voiso.api.v2.paging import Pager
    from airflow_provider_voiso.api.v2.search import Search

log = logging.getLogger(__name__)

_SECOND = timedelta(seconds=1)
_QUARTER = timedelta(minutes=15)
_SLACK = timedelta(seconds=2)
_SLACK_OF_LONG_SPANS = timedelta(hours=1)
"""The clock may change by an hour within a window, so its answers tell the offset only so far."""
_TIGHT_PROBES = 2
_MOST_PROBES = 24
_MOST_PAGES = 20
"""Answers to look through for an interaction with a duration, before it is believed that there is none."""


@dataclass(slots=True)
class Evidence:
    """What answers so far allow of offsets, for a search by the end and for one by the start."""

    lows: dict[ActsOn, timedelta] = field(default_factory=lambda: {"end": LOWEST, "start": LOWEST})
    highs: dict[ActsOn, timedelta] = field(default_factory=lambda: {"end": HIGHEST, "start": HIGHEST})

    edges: dict[ActsOn, tuple[timedelta, ...]] = field(default_factory=lambda: {"end": (), "start": ()})

    def copy(self) -> Evidence:
        """Return what is known so far, to be narrowed apart."""
        return Evidence(dict(self.lows), dict(self.highs), dict(self.edges))

    def take(self, page: Page, span: Span) -> None:
        """Narrow the offsets to those under which every record of an answer lies within what was asked for."""
        if not page:
            return
        first, last = (span.first - 1) * 1_000_000, (span.last + 2) * 1_000_000
        slack = _SLACK if last - first < 60_000_000 else _SLACK_OF_LONG_SPANS
        ends = [epoch_us(min(page.ended)), epoch_us(max(page.ended))]
        starts = [each.point_us("start") for each in all_witnesses(page)]
        points: tuple[tuple[ActsOn, list[int]], ...] = (("end", ends), ("start", starts))
        for acts_on, instants in points:
            low, high = (first - min(instants)) * MICROSECOND, (last - max(instants)) * MICROSECOND
            self.lows[acts_on] = max(self.lows[acts_on], low - slack)
            self.highs[acts_on] = min(self.highs[acts_on], high + slack)
            self.edges[acts_on] = high, low

    def guesses(self, acts_on: ActsOn) -> list[timedelta]:
        """Return the whole quarters of an hour at which the last answer's edges hint, where records are dense."""
        return [_QUARTER * round(edge / _QUARTER) for edge in self.edges[acts_on]]

    def offsets(self, acts_on: ActsOn) -> list[timedelta]:
        """Return the whole quarters of an hour that are left, in order."""
        first = -(-self.lows[acts_on] // _QUARTER)
        return [_QUARTER * number for number in range(first, self.highs[acts_on] // _QUARTER + 1)]

    def allows(self, acts_on: ActsOn, offset: timedelta) -> bool:
        """Tell whether an offset is left, a whole quarter of an hour or not."""
        return self.lows[acts_on] <= offset <= self.highs[acts_on]


class Calibration:
    """Looks for the one reading of dates under which a record is found where it must be.

    :param clock: the clock to be proved
    :param auto: whether any other clock will do as well
    :param longest: the longest interaction to expect, or None if that is unknown
    """

    def __init__(self, clock: Clock, *, auto: bool, longest: timedelta | None) -> None:
        self._clock = clock
        self._auto = auto
        self._longest = longest
        self._tried: list[tuple[ActsOn, timedelta]] = []
        self.extra_requests = 0

    def run(self, search: Search, span: Span, pager: Pager) -> Reading | None:
        """Prove how the API reads dates, by a record from ``span`` or, if there is none, from the days around it.

        :param search: asks for records, and keeps the first answer
        :param span: the seconds to look at, in the clock that is to be proved
        :param pager: reads the answers
        :return: None if no record is there under any clock, so that nothing can be proved and nothing is missing
        :raises VoisoClockError: if no reading finds the record, or not the one of the clock that is set
        :raises VoisoConfigurationError: if the API selects by the start and the longest interaction is unknown
        """
        page = search.first(span, pager.size)
        evidence = Evidence()
        evidence.take(page, span)
        witnesses = find_witnesses(page, self._clock)
        proved = None
        if any(witness.proves_all(self._clock) for witness in witnesses):
            proved = self._try_all(witnesses, search, pager, evidence)
        if proved is None:
            anywhere = search.unfiltered()
            around = Span(span.first + LOWEST // _SECOND, span.last + HIGHEST // _SECOND)
            others: list[Witness] = []
            self.extra_requests += 1
            for number, page in enumerate(islice(anywhere.pages(around, pager), _MOST_PAGES)):
                self.extra_requests += number > 0
                evidence.take(page, around)
                others = find_witnesses(page, self._clock) or others
                if others and others[0].proves_all(self._clock):
                    break
            if not (others or witnesses):
                return None
            if any(witness.proves_all(self._clock) for witness in others) or not witnesses:
                proved = self._try_all(others, anywhere, pager, evidence)
            elif not self._tried:
                proved = self._try_all(witnesses, search, pager, evidence)
        if proved is None:
            tried = dict.fromkeys(f"{offset_text(offset)} by the {acts_on}" for acts_on, offset in self._tried)
            raise VoisoClockError(
                "A record that the API returned is not found in the second of its own timestamp, so it cannot be "
                f"proved in which clock the API reads dates. Tried: {', '.join(tried)}. Set the connection's extra "
                "'timezone' to the zone of the contact centre or of the key's owner, and check that nothing between "
                "here and the API changes dates."
            )
        reading = self._reading(*proved)
        log.info("The API reads dates in %s, as a record's own timestamp proves.", reading)
        return reading

    def _reading(self, witness: Witness, offset: timedelta, acts_on: ActsOn) -> Reading:
        clock = self._clock
        if self._auto:
            clock = ProvedClock(offset, witness.ended)
        elif offset not in clock.offsets(witness.ended):
            raise VoisoClockError(
                f"The API reads dates at {offset_text(offset)} from UTC, as a record's own timestamp proves, which is "
                f"not the time in {clock}. Set the connection's extra 'timezone' to 'auto' or to the right zone."
            )
        if acts_on == "end":
            return Reading(clock)
        if self._longest is None:
            raise VoisoConfigurationError(
                "The API selects interactions by their start, as a record's own timestamp and duration prove, so that "
                "long ones must be looked for before the window. Set the connection's extra 'longest_interaction' to "
                "the hours that the longest one may last."
            )
        return Reading(clock, "start", self._longest)

    def _try_all(
        self, witnesses: list[Witness], search: Search, pager: Pager, evidence: Evidence
    ) -> tuple[Witness, timedelta, ActsOn] | None:
        for witness in witnesses:
            expected = list(dict.fromkeys(self._clock.offsets(witness.ended)))
            likely = [*expected, witness.offset] if self._auto else expected
            trial = _Trial(witness, likely, search, pager, evidence.copy())
            try:
                if proved := trial.prove():
                    return witness, *proved
            finally:
                self.extra_requests += trial.probes
                self._tried += trial.tried
        return None


class _Trial:
    """Asks for the seconds of one witness until it comes back."""

    def __init__(
        self, witness: Witness, likely: list[timedelta], search: Search, pager: Pager, evidence: Evidence
    ) -> None:
        self._witness = witness
        self._likely = likely
        self._search = search
        self._pager = pager
        self._evidence = evidence
        self.tried: list[tuple[ActsOn, timedelta]] = []
        self.probes = 0

    def prove(self) -> tuple[timedelta, ActsOn] | None:
        """Return the offset, and what a search acts on, by which the witness came back."""
        kinds: tuple[ActsOn, ...] = ("end", "start") if self._witness.duration_us >= 5_000_000 else ("end",)
        for acts_on in kinds:
            offset = self._prove(acts_on)
            if offset is not None:
                return offset, acts_on
        for acts_on in kinds:  # one absurd timestamp is enough to make evidence contradict itself
            for offset in self._likely:
                if (acts_on, offset) not in self.tried and self._comes_back(acts_on, offset, offset):
                    return offset, acts_on
        return None

    def _prove(self, acts_on: ActsOn) -> timedelta | None:
        tight = 0
        while self.probes < _MOST_PROBES:
            tried = {offset for kind, offset in self.tried if kind == acts_on}
            left = [offset for offset in self._evidence.offsets(acts_on) if offset not in tried]
            guesses = [each for each in self._likely if each not in tried and self._evidence.allows(acts_on, each)]
            if not left and not guesses:
                return None
            if not guesses and tight >= _TIGHT_PROBES and len(left) > 2:
                self._halve(acts_on, left)
                continue
            hints = [each for each in self._evidence.guesses(acts_on) if each in left]
            guess = [*guesses, *hints, *left][0]
            tight += 1
            if self._comes_back(acts_on, guess, guess):
                return guess
        return None

    def _halve(self, acts_on: ActsOn, left: list[timedelta]) -> None:
        """Rule out half of the offsets that are left."""
        middle = left[(len(left) - 1) // 2]
        if self._comes_back(acts_on, left[0], middle):
            self._evidence.highs[acts_on] = min(self._evidence.highs[acts_on], middle)
        else:
            self._evidence.lows[acts_on] = max(self._evidence.lows[acts_on], middle + _SECOND)

    def _comes_back(self, acts_on: ActsOn, low: timedelta, high: timedelta) -> bool:
        if low == high:
            self.tried.append((acts_on, low))
        self.probes += 1
        point = self._witness.point_us(acts_on) * MICROSECOND
        span = Span((point + low) // _SECOND, (point + high) // _SECOND)
        for page in self._search.pages(span, self._pager):
            self._evidence.take(page, span)
            if self._witness.uuid in page.uuids:
                return True
        return False
