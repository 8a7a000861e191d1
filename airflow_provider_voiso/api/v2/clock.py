"""The clock in which the API reads dates, and the dates that request a stretch of time.

Dates carry no offset, and the clock may change with the seasons.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal, Protocol
from zoneinfo import ZoneInfo

from airflow_provider_voiso.api.window import EPOCH, MICROSECOND, Window, epoch_us

_SECOND = timedelta(seconds=1)
_ZERO = timedelta(0)
ActsOn = Literal["end", "start"]
LOWEST, HIGHEST = timedelta(hours=-12), timedelta(hours=14)
"""The lowest and the highest UTC offset of any clock in the world."""
_CHANGE_DISTANCES = tuple(timedelta(hours=hours) for hours in (-25, -3, 0, 3, 25))
"""Distances from an instant at which to look for another offset.

Clocks change by up to three hours, or by a day where a country moved across the date line.
"""


@dataclass(frozen=True, slots=True)
class Span:
    """An inclusive range of local seconds that one search must cover.

    The seconds are counted as if the API's clock showed UTC. A :class:`DateRule` maps them to
    instants.

    :param first: first second, since 1970-01-01T00:00:00 on that clock
    :param last: last second, likewise
    """

    first: int
    last: int

    @property
    def start_datetime(self) -> str:
        """The request's lower bound: a second early, as the API may exclude the bound."""
        return (EPOCH + (self.first - 1) * _SECOND).replace(tzinfo=None).isoformat()

    @property
    def end_datetime(self) -> str:
        """The request's upper bound: the second after the last one has passed.

        The API may exclude the bound, and may compare milliseconds or round them.
        """
        return (EPOCH + (self.last + 2) * _SECOND).replace(tzinfo=None).isoformat()

    @property
    def seconds(self) -> int:
        """Number of seconds in the span."""
        return self.last - self.first + 1

    def halves(self) -> tuple[Span, Span]:
        """Cut a span of at least two seconds in two."""
        middle = (self.first + self.last) // 2
        return Span(self.first, middle), Span(middle + 1, self.last)


class Clock(Protocol):
    """The clock in which the API reads dates without an offset, as far as it is known."""

    def offsets(self, instant: datetime) -> tuple[timedelta, timedelta]:
        """Return the lowest and the highest offset that the clock may have at an instant."""
        ...


@dataclass(frozen=True, slots=True)
class ZoneClock:
    """The clock of a known zone.

    Where it shows an hour twice, the API may mean either.
    """

    zone: ZoneInfo

    def __str__(self) -> str:
        return str(self.zone)

    def offsets(self, instant: datetime) -> tuple[timedelta, timedelta]:
        """Return both offsets of an hour that is shown twice, else the same offset twice."""
        shown = instant.astimezone(self.zone).replace(tzinfo=None)
        first, second = (self.zone.utcoffset(shown.replace(fold=fold)) or _ZERO for fold in (0, 1))
        return min(first, second), max(first, second)


@dataclass(frozen=True, slots=True)
class ProvedClock:
    """A clock with a proved offset at one instant.

    At other instants it may be the clock of any zone that had this offset then.

    :param offset: the proved offset from UTC
    :param instant: the instant at which it was proved
    """

    offset: timedelta
    instant: datetime

    def __str__(self) -> str:
        return offset_text(self.offset)

    def offsets(self, instant: datetime) -> tuple[timedelta, timedelta]:
        """Return the range of the offsets of all zones that had the proved offset."""
        lowest = highest = self.offset
        for clock in _zones_with(self.offset, self.instant):
            low, high = clock.offsets(instant)
            lowest = min(lowest, low)
            highest = max(highest, high)
        return lowest, highest


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """An unknown clock, with the range of offsets that it may have at any time.

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
    """Return all zones whose clocks have differed since 1970; every other zone is an alias."""
    lines = (files("tzdata") / "zoneinfo" / "zone1970.tab").read_text().splitlines()
    names = [line.split("\t")[2] for line in lines if not line.startswith("#")]
    return tuple(ZoneClock(ZoneInfo(name)) for name in names)


def offset_text(offset: timedelta) -> str:
    """Return an offset as ``+hh:mm``."""
    hours, minutes = divmod(abs(offset) // timedelta(minutes=1), 60)
    return f"{'-' if offset < _ZERO else '+'}{hours:02}:{minutes:02}"


@dataclass(frozen=True, slots=True)
class DateRule:
    """How the API applies ``start_datetime`` and ``end_datetime``.

    :param clock: the clock in which the API reads both
    :param acts_on: whether they select by the end of an interaction, which is its ``timestamp``, or
        by its start
    :param longest: the longest interaction to expect; zero if they select by the end
    """

    clock: Clock
    acts_on: ActsOn = "end"
    longest: timedelta = _ZERO

    def __str__(self) -> str:
        return f"{self.clock}, by the {self.acts_on} of the interaction"

    def span(self, window: Window) -> Span:
        """Return the span that selects every record whose ``timestamp`` lies in a window."""
        first = self.first_second(window.start - self.longest)
        return Span(first, self.last_second(window.end - MICROSECOND))

    def first_second(self, instant: datetime) -> int:
        """Return the earliest second that the API's clock may show at an instant."""
        # The bound is a second earlier, where the clock may show a time that does not exist.
        low, _ = self._offsets(instant, -2 * _SECOND, _ZERO)
        return epoch_us(instant + low) // 1_000_000

    def last_second(self, instant: datetime) -> int:
        """Return the latest second that the API's clock may show at an instant."""
        _, high = self._offsets(instant, _ZERO, 3 * _SECOND)
        return epoch_us(instant + high) // 1_000_000

    def timestamps(self, span: Span) -> tuple[datetime, datetime]:
        """Return the bounds ``[earliest, latest)`` of the timestamps that a span can select."""
        first, last = (span.first - 1) * _SECOND, (span.last + 3) * _SECOND
        _, highest = self._offsets_about(span.first)
        lowest, _ = self._offsets_about(span.last)
        return EPOCH + first - highest, EPOCH + last - lowest + self.longest

    def _offsets_about(self, second: int) -> tuple[timedelta, timedelta]:
        """Return the lowest and the highest offset around the instant of a local second."""
        shown = EPOCH + second * _SECOND
        offset, _ = self.clock.offsets(shown)
        return self._offsets(shown - offset, *_CHANGE_DISTANCES)

    def _offsets(self, instant: datetime, *distances: timedelta) -> tuple[timedelta, timedelta]:
        """Return the lowest and the highest offset at some distances from an instant."""
        found = [self.clock.offsets(instant + distance) for distance in distances]
        return min(low for low, _ in found), max(high for _, high in found)
