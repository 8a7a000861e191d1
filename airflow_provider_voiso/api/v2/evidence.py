"""What ordinary answers prove about the clock in which the API reads dates."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_voiso.api.v2.clock import HIGHEST, LOWEST, ActsOn, ProvedClock
from airflow_provider_voiso.api.v2.record_times import outer_times, sampled_times
from airflow_provider_voiso.api.window import EPOCH, MICROSECOND

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from airflow_provider_voiso.api.page import Page
    from airflow_provider_voiso.api.v2.clock import Clock, Span
    from airflow_provider_voiso.api.window import Window

QUARTER = timedelta(minutes=15)
"""The UTC offset of every clock in the world is a whole number of these."""
SLACK = timedelta(seconds=2)
"""The API may round bounds, and include or exclude them."""
SLACK_OF_LONG_SPANS = timedelta(hours=1)
"""The clock may change by an hour within a span, so its records prove the offset no closer."""
_LONGEST_STEADY = timedelta(days=8)
_DAY = timedelta(days=1)
_HALF_DAY = timedelta(hours=12)


@dataclass(slots=True)
class Offsets:
    """A range of offsets from UTC, which answers narrow.

    :param low: the lowest offset left
    :param high: the highest offset left
    """

    low: timedelta = LOWEST
    high: timedelta = HIGHEST

    def narrow(self, low: timedelta, high: timedelta) -> None:
        """Keep only the offsets that also lie in another range."""
        self.low = max(self.low, low)
        self.high = min(self.high, high)

    def quarters(self) -> list[timedelta]:
        """Return the whole quarters of an hour in the range, in order."""
        first = -(-self.low // QUARTER)
        return [QUARTER * number for number in range(first, self.high // QUARTER + 1)]

    def allows(self, offset: timedelta) -> bool:
        """Tell whether an offset lies in the range."""
        return self.low <= offset <= self.high


@dataclass(slots=True)
class Evidence:
    """UTC offsets consistent with all answers so far.

    :param end: those left if searches act on the end of interactions
    :param start: those left if searches act on the start
    :param hints: offsets to try first in either case
    """

    end: Offsets = field(default_factory=Offsets)
    start: Offsets = field(default_factory=Offsets)
    hints: dict[ActsOn, list[timedelta]] = field(default_factory=lambda: {"end": [], "start": []})

    def copy(self) -> Evidence:
        """Return a copy that is narrowed independently."""
        return Evidence(replace(self.end), replace(self.start), dict(self.hints))

    def of(self, acts_on: ActsOn) -> Offsets:
        """Return the offsets left if searches act on the end, or on the start."""
        return self.end if acts_on == "end" else self.start

    def take(self, page: Page, span: Span) -> None:
        """Narrow the offsets to those that place every record of an answer within its span."""
        if not page:
            return
        slack = SLACK if span.last - span.first < 60 else SLACK_OF_LONG_SPANS
        starts = [EPOCH + each.instant_us("start") * MICROSECOND for each in sampled_times(page)]
        for acts_on, instants in (("end", page.ended), ("start", starts)):
            low, high = offsets_of(instants, span)
            self.of(acts_on).narrow(low - slack, high + slack)  # type: ignore[arg-type]
            # Where records are dense, the first and the last lie close to the ends of the span.
            self.hints[acts_on] = [QUARTER * round(edge / QUARTER) for edge in (high, low)]  # type: ignore[index]


def offsets_of(instants: Iterable[datetime], span: Span) -> tuple[timedelta, timedelta]:
    """Return the lowest and the highest offset under which a span selects all the instants."""
    found = list(instants)
    first = timedelta(seconds=span.first - 1)
    last = timedelta(seconds=span.last + 2)
    return first - (min(found) - EPOCH), last - (max(found) - EPOCH)


class Proof:
    """Whether the answers of a window alone prove the assumed clock.

    A record in the first quarter of an hour of the span and one in the last leave a single offset.
    A record that began before the span and one that began near its end show that searches do not
    act on the start. Several threads may add answers.

    :param clock: the assumed clock
    :param window: the window
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
        starts = [EPOCH + each.instant_us("start") * MICROSECOND for each in outer_times(page)]
        by_end = offsets_of((page.ended[0], page.ended[-1]), span)
        by_start = offsets_of(starts, span)
        with self._lock:
            self._end.narrow(by_end[0] - SLACK, by_end[1] + SLACK)
            self._start.narrow(by_start[0] - SLACK, by_start[1] + SLACK)

    @property
    def offset(self) -> timedelta | None:
        """The offset to prove, or None if it may change near the window and cannot be proved."""
        return self._offset

    @property
    def is_open(self) -> bool:
        """Whether the offset is the lowest or the highest one that answers so far leave."""
        left = self._end.quarters()
        return self._offset is not None and self._offset in left[:1] + left[-1:]

    @property
    def is_done(self) -> bool:
        """Whether only the offset is left, and only searches that act on the end."""
        return self._end.quarters() == [self._offset] and not self._start.quarters()


def _steady_offset(clock: Clock, window: Window) -> timedelta | None:
    """Return the offset of a clock, None if a zone with this offset changes it near the window."""
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
