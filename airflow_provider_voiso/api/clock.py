"""How a stretch of instants is asked for in the API's clock, which has no offset and may change with the seasons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Literal, Protocol
from zoneinfo import ZoneInfo, available_timezones

from airflow_provider_voiso.api.window import EPOCH, UTC, Window, epoch_us

_SECOND = timedelta(seconds=1)
_ZERO = timedelta(0)
LOWEST, HIGHEST = timedelta(hours=-12), timedelta(hours=14)
"""The offsets between which every clock of the world lies."""


@dataclass(frozen=True, slots=True)
class Span:
    """Whole seconds since the epoch, ``first`` to ``last`` inclusive: what one search is to find at least."""

    first: int
    last: int

    @classmethod
    def covering(cls, window: Window) -> Span:
        """Return the smallest span that holds every instant of a window."""
        return cls(window.start_us // 1_000_000, (window.end_us - 1) // 1_000_000)

    def reaching_back(self, length: timedelta) -> Span:
        """Return the span with as much before it."""
        return Span(self.first - length // _SECOND, self.last)

    def halves(self) -> tuple[Span, Span]:
        """Cut the span in two; only for spans of two seconds or more."""
        middle = (self.first + self.last) // 2
        return Span(self.first, middle), Span(middle + 1, self.last)


class Clock(Protocol):
    """What is known of the clock in which the API reads dates without an offset."""

    def offsets(self, instant: datetime) -> tuple[timedelta, timedelta]:
        """Return the lowest and the highest offset that the API may use for what the clock shows at an instant."""
        ...


@dataclass(frozen=True, slots=True)
class ZoneClock:
    """The clock of a known zone; where it shows one time twice, the API may mean either."""

    zone: ZoneInfo

    def __str__(self) -> str:
        return str(self.zone)

    def offsets(self, instant: datetime) -> tuple[timedelta, timedelta]:
        """Return both offsets of an hour that is shown twice, else the one offset twice."""
        shown = instant.astimezone(self.zone).replace(tzinfo=None)
        first, second = (self.zone.utcoffset(shown.replace(fold=fold)) or _ZERO for fold in (0, 1))
        return min(first, second), max(first, second)


@dataclass(frozen=True, slots=True)
class ProvedClock:
    """A clock of which the offset at one instant is proved; elsewhere it may be any zone's that had this offset then.

    :param offset: the proved offset from UTC
    :param instant: when it held
    """

    offset: timedelta
    instant: datetime

    def __str__(self) -> str:
        return offset_text(self.offset)

    def offsets(self, instant: datetime) -> tuple[timedelta, timedelta]:
        """Return the proved offset, or a wider range within a day of some zone's change to or from it."""
        both = [clock.offsets(instant) for clock in _zones_with(self.offset, self.instant)]
        return min([self.offset, *(low for low, _ in both)]), max([self.offset, *(high for _, high in both)])


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """A clock of which nothing is known but the range of its offset, at any time.

    :param low: the lowest offset it may have
    :param high: the highest offset it may have
    """

    low: timedelta = LOWEST
    high: timedelta = HIGHEST

    def __str__(self) -> str:
        return f"{offset_text(self.low)} to {offset_text(self.high)}"

    def offsets(self, instant: datetime) -> tuple[timedelta, timedelta]:  # noqa: ARG002 - as the protocol has it
        """Return the range."""
        return self.low, self.high


@lru_cache(maxsize=8)
def _zones_with(offset: timedelta, instant: datetime) -> tuple[ZoneClock, ...]:
    return tuple(clock for clock in _zones() if offset in clock.offsets(instant))


@cache
def _zones() -> tuple[ZoneClock, ...]:
    names = (name for name in available_timezones() if "/" in name and not name.startswith(("Etc/", "SystemV/")))
    return tuple(ZoneClock(ZoneInfo(name)) for name in sorted(names))


def offset_text(offset: timedelta) -> str:
    """Return an offset as ``+hh:mm``."""
    hours, minutes = divmod(abs(offset) // timedelta(minutes=1), 60)
    return f"{'-' if offset < _ZERO else '+'}{hours:02}:{minutes:02}"


@dataclass(frozen=True, slots=True)
class Reading:
    """How the API reads ``start_datetime`` and ``end_datetime``.

    :param clock: the clock of both
    :param acts_on: whether they select by the end of an interaction, which is its ``timestamp``, or by its start
    :param longest: the longest interaction to expect; only if they select by the start
    """

    clock: Clock
    acts_on: Literal["end", "start"] = "end"
    longest: timedelta = _ZERO

    def __str__(self) -> str:
        return f"{self.clock}, by the {self.acts_on} of the interaction"


@dataclass(frozen=True, slots=True)
class Bounds:
    """One pair of ``start_datetime`` and ``end_datetime``, and the timestamps that it may select.

    The bounds are one second wider than the span on both sides, so that it is found whole whether the API includes
    its bounds or not, and compares seconds or milliseconds.

    :param start: text for ``start_datetime``
    :param end: text for ``end_datetime``
    :param earliest_us: no timestamp before this many microseconds since the epoch is asked for
    :param latest_us: no timestamp at or after this many microseconds is asked for
    """

    start: str
    end: str
    earliest_us: int
    latest_us: int

    @classmethod
    def of(cls, span: Span, reading: Reading) -> Bounds:
        """Return the bounds that select every record whose end, or start if the API acts on that, lies in a span."""
        first = EPOCH + (span.first - 1) * _SECOND
        last = EPOCH + (span.last + 2) * _SECOND
        low, high = reading.clock.offsets(first)
        start, earliest = first + low, first + low - high
        low, high = reading.clock.offsets(last)
        end, latest = last + high, last + high - low
        return cls(clock_text(start), clock_text(end), epoch_us(earliest), epoch_us(latest + _SECOND + reading.longest))


def clock_text(shown: datetime) -> str:
    """Return what a clock shows, as the API wants it; the offset is already in the hands."""
    return shown.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
