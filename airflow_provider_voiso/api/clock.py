"""How a stretch of instants is asked for in the API's clock, which has no offset and may change with the seasons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from airflow_provider_voiso.api.window import EPOCH, UTC, Window, epoch_us

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """Whole seconds since the epoch, ``first`` to ``last`` inclusive: what one search is to find at least."""

    first: int
    last: int

    @classmethod
    def covering(cls, window: Window) -> Span:
        """Return the smallest span that holds every instant of a window."""
        return cls(window.start_us // 1_000_000, (window.end_us - 1) // 1_000_000)

    def halves(self) -> tuple[Span, Span]:
        """Cut the span in two; only for spans of two seconds or more."""
        middle = (self.first + self.last) // 2
        return Span(self.first, middle), Span(middle + 1, self.last)


@dataclass(frozen=True, slots=True)
class Bounds:
    """One pair of ``start_datetime`` and ``end_datetime``, and the instants that it may select.

    The bounds are one second wider than the span on both sides, so that it is found whole whether the API includes
    its bounds or not, and compares seconds or milliseconds.

    :param start: text for ``start_datetime``
    :param end: text for ``end_datetime``
    :param earliest_us: no record before this many microseconds since the epoch is asked for
    :param latest_us: no record at or after this many microseconds is asked for
    """

    start: str
    end: str
    earliest_us: int
    latest_us: int

    @classmethod
    def of(cls, span: Span, clock: tzinfo) -> Bounds:
        """Return the bounds that select a span in a clock, even where the clock repeats an hour."""
        start, earliest = _reading(EPOCH + (span.first - 1) * _SECOND, clock, latest=False)
        end, latest = _reading(EPOCH + (span.last + 2) * _SECOND, clock, latest=True)
        return cls(start, end, epoch_us(earliest), epoch_us(latest + _SECOND))


def _reading(instant: datetime, clock: tzinfo, *, latest: bool) -> tuple[str, datetime]:
    """Return what the clock shows at an instant, and the outermost instant at which it shows the same.

    Where the hands show one time twice, the API may mean either; the text then moves outwards to a time that is
    shown once, so that neither meaning cuts the span short.
    """
    shown = instant.astimezone(clock).replace(tzinfo=None)
    twice = _gap(shown, clock)
    if twice > timedelta(0):
        first, second = (shown.replace(tzinfo=clock, fold=fold).astimezone(UTC) for fold in (0, 1))
        if (latest and instant == first + twice) or (not latest and instant == first):
            shown += twice if latest else -twice
            instant = shown.replace(tzinfo=clock).astimezone(UTC)
        else:
            instant = second if latest else first
    return shown.isoformat(timespec="seconds"), instant


def _gap(shown: datetime, clock: tzinfo) -> timedelta:
    earlier, later = (shown.replace(tzinfo=clock, fold=fold).astimezone(UTC) for fold in (0, 1))
    return later - earlier
