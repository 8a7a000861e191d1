"""Finds the rows of one search: the interval of time, the filters, the order, the duplicates."""

from __future__ import annotations

import threading
import zlib
from bisect import bisect_left
from collections import OrderedDict
from datetime import datetime, time, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from .drift import changed, share
from .filters import DATES, PAGING, RefusedError, day_of, moment_of, select
from .record import DAY_US
from .writing import MAX_DURATION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .days import Days
    from .readings import Readings
    from .record import Record

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
OPEN_START = timedelta(days=31)
MOST_RECORDS = 5_000_000
_KEPT_SEARCHES = 8

OrderKey = tuple["int | str", str]
Bounds = tuple["int | None", "int | None"]


def epoch_us(instant: datetime) -> int:
    """Return an aware datetime as microseconds since 1970 UTC."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def zone(name: str) -> tzinfo:
    """Return a zone by its IANA name; UTC needs no zone database.

    :raises zoneinfo.ZoneInfoNotFoundError: if there is no such zone
    """
    return timezone.utc if name == "UTC" else ZoneInfo(name)


def order_key(order: str, seed: int) -> Callable[[Record], OrderKey]:
    """Return the sort key of an order; no two uuids share one, so a token can name a record."""
    if order == "newest_first":
        return lambda record: (-record.at, record.uuid)
    if order == "oldest_first":
        return lambda record: (record.at, record.uuid)
    if order == "uuid":
        return lambda record: (record.uuid, "")
    return lambda record: (zlib.crc32(record.uuid.encode(), seed), record.uuid)


class Searcher:
    """Answers searches from the calendar; caches the last few, as a client pages through each.

    :param days: the calendar
    :param readings: the switches
    :param now: end of a search that names none, or None for the computer's clock
    """

    def __init__(self, days: Days, readings: Readings, now: datetime | None) -> None:
        if now is not None and now.utcoffset() is None:
            raise ValueError(
                f"now is {now.isoformat()}; it needs an offset, such as {now.isoformat()}+00:00."
            )
        self._days = days
        self._readings = readings
        self._now = now
        self._clock = zone(readings.clock)
        self._kept: OrderedDict[object, list[Record]] = OrderedDict()
        self._lock = threading.Lock()
        self.key = order_key(readings.order, days.seed & 0xFFFFFFFF)

    def rows(
        self, params: Mapping[str, str], team_ids: frozenset[int] | None, per_page: int, step: int
    ) -> list[Record]:
        """Return every row of a search in the order of the answers, duplicates next to originals.

        :param params: request parameters
        :param team_ids: teams that the key may see, or None for all
        :param per_page: records per answer; with duplicates on, the last of each is repeated
        :param step: how many steps of the drift have happened
        :raises RefusedError: if a value is not of the documented type, or the interval is too long
        """
        page_size = per_page if self._readings.duplicates else 0
        asked = tuple(sorted((k, v) for k, v in params.items() if v and k not in PAGING))
        try:
            low, high = self._interval(params)
        except OverflowError as error:
            raise RefusedError("the dates are out of range") from error
        if (high - low) // DAY_US * self._days.records_per_day > MOST_RECORDS:
            raise RefusedError(f"the dates hold more than {MOST_RECORDS} records")
        name = (asked, low, high, team_ids, page_size, step)
        with self._lock:
            rows = self._kept.get(name)
            if rows is None:
                rows = self._kept[name] = self._found(params, team_ids, low, high, step)
                if page_size:
                    rows = self._kept[name] = self._doubled(rows, page_size)
                if len(self._kept) > _KEPT_SEARCHES:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(name)
            return rows

    def truth(
        self,
        start: int,
        end: int,
        params: Mapping[str, str],
        team_ids: frozenset[int] | None,
        step: int | None,
    ) -> list[Record]:
        """Return the records that ended in ``[start, end)`` and pass the filters, oldest first.

        :param start: microseconds since 1970 UTC
        :param end: microseconds since 1970 UTC
        :param params: request parameters; dates and those of paging are passed over
        :param team_ids: teams that the key may see, or None for all
        :param step: how many steps of the drift have happened, or None for those records only that
            are the same at every step
        """
        filters = {k: v for k, v in params.items() if k not in DATES | PAGING}
        records = self._days.between(start, end, step or 0)
        if step is None:
            records = self._days.stayed(records)
        return select(records, filters, team_ids)

    def _found(
        self,
        params: Mapping[str, str],
        team_ids: frozenset[int] | None,
        low: int,
        high: int,
        step: int,
    ) -> list[Record]:
        if low >= high:
            return []
        if self._readings.acts_on == "end":
            records = self._days.between(low, high, step)
        else:
            ended = self._days.between(low, high + MAX_DURATION * 1_000_000, step)
            records = [r for r in ended if low <= r.at - r.duration * 1_000_000 < high]
        records = select(records, params, team_ids)
        return records if self._readings.order == "oldest_first" else sorted(records, key=self.key)

    def _doubled(self, records: list[Record], page_size: int) -> list[Record]:
        rows: list[Record] = []
        for record in records:
            rows.append(record)
            if (
                share(record.uuid, "duplicate") < self._readings.duplicates
                or len(rows) % page_size == 0
            ):
                rows.append(changed(record) if self._readings.duplicates_differ else record)
        return rows

    def _interval(self, params: Mapping[str, str]) -> tuple[int, int]:
        dates, moments = self._date_bounds(params), self._moment_bounds(params)
        chosen = [bounds for bounds in (dates, moments) if bounds != (None, None)]
        if len(chosen) == 2 and self._readings.both_pairs != "intersection":
            chosen = [moments if self._readings.both_pairs == "datetime" else dates]
        lows = [low for low, _ in chosen if low is not None]
        highs = [high for _, high in chosen if high is not None]
        # Cut to the hour: all pages of an open search must belong to one search.
        now = self._now or datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
        high = min(highs) if highs else epoch_us(now)
        return max(lows) if lows else high - epoch_us(EPOCH + OPEN_START), high

    def _date_bounds(self, params: Mapping[str, str]) -> Bounds:
        low = high = None
        if params.get("start_date"):
            low = self._instant(
                datetime.combine(day_of("start_date", params["start_date"]), time())
            )
        if params.get("end_date"):
            last = day_of("end_date", params["end_date"])
            high = self._instant(datetime.combine(last + timedelta(days=1), time()))
        return low, high

    def _moment_bounds(self, params: Mapping[str, str]) -> Bounds:
        low = high = None
        step = 1_000_000 if self._readings.resolution == "second" else 1_000
        if params.get("start_datetime"):
            low = self._instant(moment_of("start_datetime", params["start_datetime"]))
            low += step if self._readings.bounds == "exclusive" else 0
        if params.get("end_datetime"):
            high = self._instant(moment_of("end_datetime", params["end_datetime"]))
            high += step if self._readings.bounds == "inclusive" else 0
        return low, high

    def _instant(self, local: datetime) -> int:
        return epoch_us(local.replace(tzinfo=self._clock))


def position_behind(
    rows: list[Record], key: Callable[[Record], OrderKey], wanted: OrderKey, copy: int
) -> int:
    """Return the index of the first row behind a record.

    :param rows: rows in the order of ``key``
    :param key: sort key of that order
    :param wanted: key of the record, even if it has left the rows
    :param copy: 0 to stand behind the record itself, 1 behind its duplicate
    """
    index = bisect_left(rows, wanted, key=key)
    for _ in range(copy + 1):
        if index < len(rows) and key(rows[index]) == wanted:
            index += 1
    return index
