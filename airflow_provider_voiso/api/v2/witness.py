"""Records as witnesses of how the API reads dates: their end, their start and the offset that they carry."""

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

_LOOKED_AT = 64
_OUTER = 32
_NEAR = timedelta(seconds=3)
_DURATION = re.compile(r"(\d{1,6}):([0-5]\d):([0-5]\d)")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)$")


class _Times(msgspec.Struct):
    timestamp: str
    duration: str | None = None


@dataclass(frozen=True, slots=True)
class Witness:
    """A record whose whereabouts prove how the API reads dates.

    :param uuid: by which it is known again; never said
    :param ended_us: its timestamp
    :param duration_us: what lies between its start and its end
    :param offset: the offset that its own timestamp carries
    """

    uuid: str
    ended_us: int
    duration_us: int
    offset: timedelta

    @property
    def ended(self) -> datetime:
        """The end of the interaction."""
        return EPOCH + self.ended_us * MICROSECOND

    def point_us(self, acts_on: ActsOn) -> int:
        """Return the instant by which a search finds it."""
        return self.ended_us - (self.duration_us if acts_on == "start" else 0)

    def proves_all(self, clock: Clock) -> bool:
        """Tell whether its start cannot be taken for its end elsewhere, and the clock shows its hour once."""
        low, high = clock.offsets(self.ended)
        return low == high and 5_000_000 <= self.duration_us % 900_000_000 <= 895_000_000


def find_witnesses(page: Page, clock: Clock) -> list[Witness]:
    """Return the one or two records of an answer that prove most.

    Those are records with a duration, in an hour that the clock shows once, and with few others
    beside them; the second is hours away from the first, as an hour that the true clock shows twice
    proves nothing.

    :param page: an answer
    :param clock: the clock that is to be proved
    """
    ended = sorted(page.ended)

    def rank(witness: Witness) -> tuple[bool, int]:
        crowd = bisect_right(ended, witness.ended + _NEAR) - bisect_left(
            ended, witness.ended - _NEAR
        )
        return not witness.proves_all(clock), crowd

    ranked = sorted(all_witnesses(page), key=rank)
    far = (each for each in ranked if abs(each.ended_us - ranked[0].ended_us) > 3 * 3_600_000_000)
    return [*ranked[:1], *([second] if (second := next(far, None)) else [])]


def all_witnesses(page: Page) -> list[Witness]:
    """Return what some records tell that lie far apart in an answer."""
    step = -(-len(page) // _LOOKED_AT) or 1
    return [_witness_at(page, index) for index in range(0, len(page), step)]


def outer_witnesses(page: Page) -> list[Witness]:
    """Return what the first and the last records of an answer tell."""
    indices = dict.fromkeys([*range(len(page))[:_OUTER], *range(len(page))[-_OUTER:]])
    return [_witness_at(page, index) for index in indices]


def longest_duration(page: Page) -> timedelta:
    """Return the longest duration in an answer."""
    durations = [_witness_at(page, index).duration_us for index in range(len(page))]
    return max(durations, default=0) * MICROSECOND


def points(page: Page, acts_on: ActsOn) -> list[datetime]:
    """Return the instants by which a search finds the records."""
    if acts_on == "end":
        return page.ended
    return [
        EPOCH + _witness_at(page, index).point_us(acts_on) * MICROSECOND
        for index in range(len(page))
    ]


def _witness_at(page: Page, index: int) -> Witness:
    return _witness(page.uuids[index], page.ended[index], page.raws[index])


def _witness(uuid: str, ended: datetime, raw: Json) -> Witness:
    ended_us, offset, duration_us = epoch_us(ended), timedelta(0), 0
    try:
        times = msgspec.json.decode(raw, type=_Times)
    except UNREADABLE_JSON:
        return Witness(uuid, ended_us, duration_us, offset)
    if match := _OFFSET.search(times.timestamp):
        offset = timedelta(hours=int(match[2]), minutes=int(match[3])) * (
            -1 if match[1] == "-" else 1
        )
    if match := _DURATION.fullmatch(times.duration or ""):
        hours, minutes, seconds = map(int, match.groups())
        duration_us = (hours * 3600 + minutes * 60 + seconds) * 1_000_000
    return Witness(uuid, ended_us, duration_us, offset)
