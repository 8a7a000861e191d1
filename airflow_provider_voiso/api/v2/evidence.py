"""What answers tell of the clock in which the API reads dates, without a request that asks for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_voiso.api.v2.clock import HIGHEST, LOWEST, ActsOn, ProvedClock
from airflow_provider_voiso.api.v2.witness import all_witnesses, outer_witnesses
from airflow_provider_voiso.api.window import EPOCH, MICROSECOND

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from airflow_provider_voiso.api.page import Page
    from airflow_provider_voiso.api.v2.clock import Clock, Span
    from airflow_provider_voiso.api.window import Window

QUARTER = timedelta(minutes=15)
"""Every clock of the world is a whole number of quarters of an hour from UTC."""
SLACK = timedelta(seconds=2)
"""Bounds may be rounded, and be part of what is selected or not."""
SLACK_OF_LONG_SPANS = timedelta(hours=1)
"""The clock may change by an hour within a span, so its answers tell the offset only so far."""
_LONGEST_STEADY = timedelta(days=8)
_DAY = timedelta(days=1)
_HALF_DAY = timedelta(hours=12)


@dataclass(slots=True)
class Offsets:
    """A range of offsets from UTC that is narrowed by what answers hold.

    :param low: the lowest offset left
    :param high: the highest offset left
    """

    low: timedelta = LOWEST
    high: timedelta = HIGHEST

    def narrow(self, low: timedelta, high: timedelta) -> None:
        """Leave only the offsets that also lie in another range."""
        self.low = max(self.low, low)
        self.high = min(self.high, high)

    def quarters(self) -> list[timedelta]:
        """Return the whole quarters of an hour that are left, in order."""
        first = -(-self.low // QUARTER)
        return [QUARTER * number for number in range(first, self.high // QUARTER + 1)]

    def allows(self, offset: timedelta) -> bool:
        """Tell whether an offset is left, a whole quarter of an hour or not."""
        return self.low <= offset <= self.high


@dataclass(slots=True)
class Evidence:
    """UTC offsets consistent with all answers so far, if searches act on the end and if they act on the start."""

    end: Offsets = field(default_factory=Offsets)
    start: Offsets = field(default_factory=Offsets)
    hints: dict[ActsOn, list[timedelta]] = field(default_factory=lambda: {"end": [], "start": []})

    def copy(self) -> Evidence:
        """Return what is known so far, to be narrowed apart."""
        return Evidence(replace(self.end), replace(self.start), dict(self.hints))

    def of(self, acts_on: ActsOn) -> Offsets:
        """Return the offsets for one kind of search."""
        return self.end if acts_on == "end" else self.start

    def take(self, page: Page, span: Span) -> None:
        """Narrow the offsets to those under which every record of an answer lies within its span."""
        if not page:
            return
        slack = SLACK if span.last - span.first < 60 else SLACK_OF_LONG_SPANS
        starts = [EPOCH + each.point_us("start") * MICROSECOND for each in all_witnesses(page)]
        for acts_on, instants in (("end", page.ended), ("start", starts)):
            low, high = offsets_of(instants, span)
            self.of(acts_on).narrow(low - slack, high + slack)  # type: ignore[arg-type]
            # Where records are dense, the first and the last of them hint at the offset.
            self.hints[acts_on] = [QUARTER * round(edge / QUARTER) for edge in (high, low)]  # type: ignore[index]


def offsets_of(instants: Iterable[datetime], span: Span) -> tuple[timedelta, timedelta]:
    """Return the lowest and the highest offset under which a span selects all of some instants."""
    found = list(instants)
    first = timedelta(seconds=span.first - 1)
    last = timedelta(seconds=span.last + 2)
    return first - (min(found) - EPOCH), last - (max(found) - EPOCH)


class Proof:
    """Whether the answers of a window alone prove the clock that is assumed.

    A record in the first quarter of an hour that was asked for, and one in the last, leave one
    offset. A record that began before what was asked for, and one that began near its end, rule out
    a search by the start. Several threads may add answers.

    :param clock: the clock that is assumed
    :param window: the window that is read
    """

    def __init__(self, clock: Clock, window: Window) -> None:
        self.instant = window.start
        """An instant at which the offset holds."""
        self._offset = _steady_offset(clock, window)
        self._end = Offsets()
        self._start = Offsets()
        self._lock = threading.Lock()

    def take(self, page: Page, span: Span) -> None:
        """Add an answer whose records are in the order of time."""
        if not page or self._offset is None:
            return
        starts = [EPOCH + each.point_us("start") * MICROSECOND for each in outer_witnesses(page)]
        by_end = offsets_of((page.ended[0], page.ended[-1]), span)
        by_start = offsets_of(starts, span)
        with self._lock:
            self._end.narrow(by_end[0] - SLACK, by_end[1] + SLACK)
            self._start.narrow(by_start[0] - SLACK, by_start[1] + SLACK)

    @property
    def offset(self) -> timedelta | None:
        """The offset that is to be proved; None if it may change near the window, so that no answer proves it."""
        return self._offset

    @property
    def is_open(self) -> bool:
        """Whether answers so far speak for the offset, from one side at least, and not against it."""
        left = self._end.quarters()
        return self._offset is not None and self._offset in left[:1] + left[-1:]

    @property
    def is_done(self) -> bool:
        """Whether nothing but the offset and a search by the end is left."""
        return self._end.quarters() == [self._offset] and not self._start.quarters()


def _steady_offset(clock: Clock, window: Window) -> timedelta | None:
    """Return the one offset of a clock, unless a zone that may be meant changes its clock in or near the window."""
    low, high = clock.offsets(window.start)
    if low != high or window.end - window.start > _LONGEST_STEADY:
        return None
    clocks = [clock, ProvedClock(low, window.start), ProvedClock(low, window.end)]
    instant = window.start - _DAY
    while instant < window.end + _DAY + _HALF_DAY:
        if any(each.offsets(instant) != (low, low) for each in clocks):
            return None
        instant += _HALF_DAY
    return low
