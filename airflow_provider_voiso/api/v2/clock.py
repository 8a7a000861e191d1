"""How a stretch of instants is asked for in the API's clock, which has no offset and may change with the seasons."""

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
"""The offsets between which every clock of the world lies."""
_AROUND = tuple(timedelta(hours=hours) for hours in (-25, -3, 0, 3, 25))
"""Clocks have turned by up to a day, when a country changed sides of the date line."""


@dataclass(frozen=True, slots=True)
class Span:
    """An inclusive range of local seconds that one search must cover.

    The seconds are counted as if the API's clock showed UTC. A :class:`DateRule` tells which
    instants they mean.

    :param first: seconds since 1970-01-01T00:00:00 on that clock
    :param last: likewise
    """

    first: int
    last: int

    @property
    def start_datetime(self) -> str:
        """The request's lower bound: a second before, so that it does not matter whether bounds are included."""
        return (EPOCH + (self.first - 1) * _SECOND).replace(tzinfo=None).isoformat()

    @property
    def end_datetime(self) -> str:
        """The request's upper bound: a second behind, so that milliseconds and rounding do not matter either."""
        return (EPOCH + (self.last + 2) * _SECOND).replace(tzinfo=None).isoformat()

    @property
    def seconds(self) -> int:
        """Number of seconds in the span."""
        return self.last - self.first + 1

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
        return min([self.offset, *(low for low, _ in both)]), max(
            [self.offset, *(high for _, high in both)]
        )


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
    """Return the zones of the world whose clocks have differed since 1970; every other is an alias of one of them."""
    lines = (files("tzdata") / "zoneinfo" / "zone1970.tab").read_text().splitlines()
    return tuple(
        ZoneClock(ZoneInfo(line.split("\t")[2])) for line in lines if not line.startswith("#")
    )


def offset_text(offset: timedelta) -> str:
    """Return an offset as ``+hh:mm``."""
    hours, minutes = divmod(abs(offset) // timedelta(minutes=1), 60)
    return f"{'-' if offset < _ZERO else '+'}{hours:02}:{minutes:02}"


@dataclass(frozen=True, slots=True)
class DateRule:
    """How the API applies ``start_datetime`` and ``end_datetime``.

    :param clock: the clock of both
    :param acts_on: whether they select by the end of an interaction, which is its ``timestamp``, or
        by its start
    :param longest: the longest interaction to expect; only if they select by the start
    """

    clock: Clock
    acts_on: ActsOn = "end"
    longest: timedelta = _ZERO

    def __str__(self) -> str:
        return f"{self.clock}, by the {self.acts_on} of the interaction"

    def span(self, window: Window) -> Span:
        """Return the span in which the API finds every record whose ``timestamp`` lies in a window."""
        first = self.first_second(window.start - self.longest)
        return Span(first, self.last_second(window.end - MICROSECOND))

    def first_second(self, instant: datetime) -> int:
        """Return the earliest second that the API's clock may show at an instant."""
        # The text of a bound lies a little outside, where the clock may show a time that does not
        # exist.
        low, _ = self._offsets(instant, -2 * _SECOND, _ZERO)
        return epoch_us(instant + low) // 1_000_000

    def last_second(self, instant: datetime) -> int:
        """Return the latest second that the API's clock may show at an instant."""
        _, high = self._offsets(instant, _ZERO, 3 * _SECOND)
        return epoch_us(instant + high) // 1_000_000

    def timestamps(self, span: Span) -> tuple[datetime, datetime]:
        """Return the bounds ``[earliest, latest)`` of all timestamps that a span can select."""
        first, last = (span.first - 1) * _SECOND, (span.last + 3) * _SECOND
        _, highest = self._offsets_about(span.first)
        lowest, _ = self._offsets_about(span.last)
        return EPOCH + first - highest, EPOCH + last - lowest + self.longest

    def _offsets_about(self, second: int) -> tuple[timedelta, timedelta]:
        """Return the lowest and the highest offset of the clock about the time when it shows a second."""
        instant = EPOCH + second * _SECOND
        return self._offsets(instant - self.clock.offsets(instant)[0], *_AROUND)

    def _offsets(self, instant: datetime, *distances: timedelta) -> tuple[timedelta, timedelta]:
        found = [self.clock.offsets(instant + distance) for distance in distances]
        return min(low for low, _ in found), max(high for _, high in found)
