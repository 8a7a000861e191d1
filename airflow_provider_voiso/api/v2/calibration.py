"""Finding out how the API applies dates, by asking for the second of a record that it returned."""

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
from airflow_provider_voiso.api.v2.witness import Witness, find_witnesses
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
_MOST_PROBES = 24
_MOST_PAGES = 20
"""Answers to look through for an interaction with a duration, before it is believed that there is none."""


class Calibration:
    """Looks for the one rule of dates under which a record is found where it must be.

    :param clock: the clock to be proved
    :param auto: whether any other clock will do as well
    :param longest: the longest interaction to expect, or None if that is unknown
    :param size: what is known of answers' sizes
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
        """Prove how the API applies dates, by a record of an answer or, if there is none, of the days around it.

        :param search: asks for records
        :param span: the seconds that were asked for, in the clock that is to be proved
        :param page: the first answer
        :return: None if no record is there under any clock, so that nothing can be proved and
            nothing is missing
        :raises VoisoClockError: if no rule finds the record, or not the one of the clock that is
            set
        :raises VoisoConfigurationError: if the API selects by the start and the longest interaction
            is unknown
        """
        evidence = Evidence()
        evidence.take(page, span)
        witnesses = find_witnesses(page, self._clock)
        proved = None
        if self._prove_all(witnesses):
            proved = self._try_all(witnesses, search, evidence)
        if proved is None:
            anywhere = search.unfiltered()
            others = self._witnesses_around(anywhere, span, evidence)
            if not (others or witnesses):
                return None
            if self._prove_all(others) or not witnesses:
                proved = self._try_all(others, anywhere, evidence)
            elif not self._tried:
                proved = self._try_all(witnesses, search, evidence)
        if proved is None:
            raise self._not_found()
        rule = self._rule(*proved)
        log.info("The API reads dates in %s, as a record's own timestamp proves.", rule)
        return rule

    def _prove_all(self, witnesses: list[Witness]) -> bool:
        return any(witness.proves_all(self._clock) for witness in witnesses)

    def _witnesses_around(self, search: Search, span: Span, evidence: Evidence) -> list[Witness]:
        """Return the best witnesses of the days around a span."""
        around = Span(span.first + LOWEST // _SECOND, span.last + HIGHEST // _SECOND)
        best: list[Witness] = []
        for page in islice(self._pages(search, around), _MOST_PAGES):
            evidence.take(page, around)
            best = find_witnesses(page, self._clock) or best
            if best and best[0].proves_all(self._clock):
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

    def _rule(self, witness: Witness, offset: timedelta, acts_on: ActsOn) -> DateRule:
        clock = self._clock
        if self._auto:
            clock = ProvedClock(offset, witness.ended)
        elif offset not in clock.offsets(witness.ended):
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
        self, witnesses: list[Witness], search: Search, evidence: Evidence
    ) -> tuple[Witness, timedelta, ActsOn] | None:
        for witness in witnesses:
            expected = list(dict.fromkeys(self._clock.offsets(witness.ended)))
            likely = [*expected, witness.offset] if self._auto else expected
            proved = self._try(witness, likely, search, evidence.copy())
            if proved:
                return witness, *proved
        return None

    def _try(
        self, witness: Witness, likely: list[timedelta], search: Search, evidence: Evidence
    ) -> tuple[timedelta, ActsOn] | None:
        """Ask for the seconds of one witness until it comes back; return the offset and what the search acts on."""
        trial = _Trial(witness, likely, evidence)
        before = len(self._tried)
        for low, high, acts_on in trial.questions():
            if low == high:
                self._tried.append((acts_on, low))
            point = witness.point_us(acts_on) * MICROSECOND
            span = Span((point + low) // _SECOND, (point + high) // _SECOND)
            trial.came_back = False
            for page in self._pages(search, span):
                evidence.take(page, span)
                if witness.uuid in page.uuids:
                    trial.came_back = True
                    break
            if trial.came_back and low == high:
                return low, acts_on
            if len(self._tried) - before > _MOST_PROBES:
                break
        return None


class _Trial:
    """Chooses the offsets under which to ask for a witness.

    :param witness: the record that is asked for
    :param likely: offsets to try first
    :param evidence: what answers tell; it is narrowed while questions are asked
    """

    def __init__(self, witness: Witness, likely: list[timedelta], evidence: Evidence) -> None:
        self._likely = likely
        self._evidence = evidence
        self._tried: set[tuple[ActsOn, timedelta]] = set()
        has_duration = witness.duration_us >= 5_000_000
        self._kinds: tuple[ActsOn, ...] = ("end", "start") if has_duration else ("end",)
        self._asked = 0
        self.came_back = False
        """Whether the answer to the last question held the witness; set by the one who asks."""

    def questions(self) -> Iterator[tuple[timedelta, timedelta, ActsOn]]:
        """Yield the lowest and the highest offset to ask for at once, and what the search is to act on."""
        for acts_on in self._kinds:
            yield from self._narrowing(acts_on)
        for (
            acts_on
        ) in self._kinds:  # one absurd timestamp is enough to make evidence contradict itself
            for offset in self._likely:
                if (acts_on, offset) not in self._tried:
                    yield offset, offset, acts_on

    def _narrowing(self, acts_on: ActsOn) -> Iterator[tuple[timedelta, timedelta, ActsOn]]:
        offsets = self._evidence.of(acts_on)
        tight = 0
        while self._asked < _MOST_PROBES:
            left = [each for each in offsets.quarters() if (acts_on, each) not in self._tried]
            guesses = [
                each
                for each in self._likely
                if (acts_on, each) not in self._tried and offsets.allows(each)
            ]
            if not left and not guesses:
                return
            self._asked += 1
            if not guesses and tight >= _TIGHT_PROBES and len(left) > 2:
                middle = left[(len(left) - 1) // 2]
                yield left[0], middle, acts_on
                if self.came_back:
                    offsets.high = min(offsets.high, middle)
                else:
                    offsets.low = max(offsets.low, middle + _SECOND)
                continue
            hints = [each for each in self._evidence.hints[acts_on] if each in left]
            guess = [*guesses, *hints, *left][0]
            tight += 1
            self._tried.add((acts_on, guess))
            yield guess, guess, acts_on
