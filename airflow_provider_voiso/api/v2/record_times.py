"""The times of records: their end, their start and the UTC offset that they carry.

They prove how the API reads dates.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from airflow_provider_voiso.api.json import UNREADABLE_JSON
from airflow_provider_voiso.api.window import EPOCH, MICROSECOND, epoch_us

if TYPE_CHECKING:
    from airflow_provider_voiso.api.page import Json, Page
    from airflow_provider_voiso.api.v2.clock import ActsOn, Clock

_SAMPLES = 64
_OUTER_RECORDS = 32
_CROWD_RADIUS = timedelta(seconds=3)
_HOURS_APART = timedelta(hours=3)
_QUARTER_US = 900_000_000
CLEAR_DISTANCE_US = 5_000_000
"""Microseconds by which start and end must differ for a search to tell them apart.

A search covers its second and up to three more, as bounds may be rounded or excluded.
"""
_DURATION = re.compile(r"(\d{1,6}):([0-5]\d):([0-5]\d)")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)$")


class _Times(msgspec.Struct):
    timestamp: str
    duration: str | None = None


@dataclass(frozen=True, slots=True)
class RecordTimes:
    """The times of one record.

    :param uuid: identifies the record in another answer; no message shows it
    :param ended_us: its ``timestamp``, in microseconds since the epoch
    :param duration_us: microseconds from its start to its end
    :param offset: the UTC offset that its ``timestamp`` carries
    """

    uuid: str
    ended_us: int
    duration_us: int
    offset: timedelta

    @property
    def ended(self) -> datetime:
        """The end of the interaction."""
        return EPOCH + self.ended_us * MICROSECOND

    def instant_us(self, acts_on: ActsOn) -> int:
        """Return the end or the start, in microseconds since the epoch.

        :param acts_on: whether searches select by the end or by the start
        """
        return self.ended_us - (self.duration_us if acts_on == "start" else 0)

    def is_conclusive(self, clock: Clock) -> bool:
        """Tell whether finding this record proves both the clock and what searches act on.

        The clock must show its hour once. Offsets are whole quarters of an hour, so its duration
        must not be one: else its start at one offset looks like its end at another.
        """
        low, high = clock.offsets(self.ended)
        beyond_quarter = self.duration_us % _QUARTER_US
        is_off_quarter = CLEAR_DISTANCE_US <= beyond_quarter <= _QUARTER_US - CLEAR_DISTANCE_US
        return low == high and is_off_quarter


def probe_records(page: Page, clock: Clock) -> list[RecordTimes]:
    """Return the one or two records of an answer that prove most when searched for.

    Conclusive records come first, then those with few others within seconds. The second lies hours
    away from the first, as an hour that the true clock shows twice proves nothing.

    :param page: an answer
    :param clock: the clock to prove
    """
    ended = sorted(page.ended)

    def rank(record: RecordTimes) -> tuple[bool, int]:
        first = bisect_left(ended, record.ended - _CROWD_RADIUS)
        after = bisect_right(ended, record.ended + _CROWD_RADIUS)
        return not record.is_conclusive(clock), after - first

    ranked = sorted(sampled_times(page), key=rank)
    for second in ranked:
        if abs(second.ended - ranked[0].ended) > _HOURS_APART:
            return [ranked[0], second]
    return ranked[:1]


def sampled_times(page: Page) -> list[RecordTimes]:
    """Return the times of some records, spread evenly over an answer."""
    step = -(-len(page) // _SAMPLES) or 1
    return [_times_at(page, index) for index in range(0, len(page), step)]


def outer_times(page: Page) -> list[RecordTimes]:
    """Return the times of the first and the last records of an answer."""
    indices = range(len(page))
    # A dict drops those that are among the first and the last at once, and keeps the order.
    outer = dict.fromkeys([*indices[:_OUTER_RECORDS], *indices[-_OUTER_RECORDS:]])
    return [_times_at(page, index) for index in outer]


def longest_duration(page: Page) -> timedelta:
    """Return the longest duration in an answer."""
    durations = [_times_at(page, index).duration_us for index in range(len(page))]
    return max(durations, default=0) * MICROSECOND


def search_instants(page: Page, acts_on: ActsOn) -> list[datetime]:
    """Return the end or the start of every record, whichever searches act on."""
    if acts_on == "end":
        return page.ended
    times = [_times_at(page, index) for index in range(len(page))]
    return [EPOCH + each.instant_us(acts_on) * MICROSECOND for each in times]


def _times_at(page: Page, index: int) -> RecordTimes:
    return _times(page.uuids[index], page.ended[index], page.raws[index])


def _times(uuid: str, ended: datetime, raw: Json) -> RecordTimes:
    ended_us, offset, duration_us = epoch_us(ended), timedelta(0), 0
    try:
        texts = msgspec.json.decode(raw, type=_Times)
    except UNREADABLE_JSON:
        return RecordTimes(uuid, ended_us, duration_us, offset)
    if match := _OFFSET.search(texts.timestamp):
        sign = -1 if match[1] == "-" else 1
        offset = timedelta(hours=int(match[2]), minutes=int(match[3])) * sign
    if match := _DURATION.fullmatch(texts.duration or ""):
        hours, minutes, seconds = map(int, match.groups())
        duration_us = (hours * 3600 + minutes * 60 + seconds) * 1_000_000
    return RecordTimes(uuid, ended_us, duration_us, offset)
