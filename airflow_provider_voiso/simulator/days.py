"""The endless calendar: a UTC day's records derive from the seed, the day and the switches."""

from __future__ import annotations

import hashlib
import struct
import threading
from bisect import bisect_left
from collections import OrderedDict
from datetime import date
from typing import TYPE_CHECKING

from .chance import Chance
from .drift import at_step
from .record import DAY_US, DIGITS, EPOCH_ORDINAL, offset_us
from .writing import MIXED_OFFSETS, Writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from .drift import Drift
    from .readings import Readings
    from .record import Record

CACHED_RECORDS = 2_000_000
_CHANCE = struct.Struct(">5Q")
_MS_PER_DAY = 86_400_000
_DAY_SECONDS = 86_400
# Two draws of this range leave two of the 64 bits, for two draws of one in two.
_RANGE = 2**31


class Days:
    """Creates days of records and caches them.

    :param seed: decides every record
    :param records_per_day: average number of records a day; days vary by up to a fifth
    :param exact: give every day exactly that number
    :param readings: the switches that decide how timestamps and ``sla`` are written
    :param drift: what differs between an earlier and a later look, or None
    """

    def __init__(
        self,
        seed: int,
        records_per_day: int,
        *,
        exact: bool,
        readings: Readings,
        drift: Drift | None,
    ) -> None:
        if records_per_day < 0:
            raise ValueError(f"records_per_day is {records_per_day}; it cannot be negative.")
        self.seed = seed
        self.records_per_day = records_per_day
        self.exact = exact
        self.readings = readings
        self.drift = drift
        self._writer = Writer(readings)
        self._cache: OrderedDict[tuple[int, int | str], list[Record]] = OrderedDict()
        self._cached = 0
        self._lock = threading.RLock()

    def between(self, start: int, end: int, step: int) -> list[Record]:
        """Return the records that ended in ``[start, end)``, oldest first.

        :param start: microseconds since 1970 UTC
        :param end: microseconds since 1970 UTC
        :param step: how many steps of the drift have happened
        """
        found: list[Record] = []
        for day in range(start // DAY_US, -(-end // DAY_US)):
            records = self.day(day, step)
            low = bisect_left(records, (start,)) if start > day * DAY_US else 0
            high = bisect_left(records, (end,)) if end < (day + 1) * DAY_US else len(records)
            found += records[low:high]
        return found

    def stayed(self, records: list[Record]) -> list[Record]:
        """Return those of some records that are the same at every step of the drift."""
        drift = self.drift
        if drift is None:
            return records
        return [record for record in records if drift.fate(record.uuid) is None]

    def day(self, day: int, step: int) -> list[Record]:
        """Return one UTC day, oldest first.

        :param day: days since 1970-01-01
        :param step: how many steps of the drift have happened
        """
        drift = self.drift
        if drift is None:
            return self._base(day)
        return self._kept(day, step, lambda: self._drifted(day, drift, step))

    def _base(self, day: int) -> list[Record]:
        return self._kept(day, "base", lambda: self._made(day))

    def _movers(self, day: int, drift: Drift) -> list[Record]:
        """Return a day's records that move at some step, in their first state."""
        base = self._base(day)
        return self._kept(day, "movers", lambda: [r for r in base if drift.fate(r.uuid) == "move"])

    def _drifted(self, day: int, drift: Drift, step: int) -> list[Record]:
        seen = [at_step(record, drift, step) for record in self._base(day)]
        records = [record for record in seen if record and record.at // DAY_US == day]
        if step and drift.move:
            records += self._arrivals(day, drift, step)
        return sorted(records)

    def _arrivals(self, day: int, drift: Drift, step: int) -> list[Record]:
        """Return the records of other days that have moved into this one."""
        earliest, latest = drift.move_range
        first = day - max(0, -(-latest // _DAY_SECONDS))
        last = day + max(0, -(earliest // _DAY_SECONDS))
        arrivals: list[Record] = []
        for near in range(first, last + 1):
            if near == day:
                continue
            for record in self._movers(near, drift):
                landing = record.at + drift.seconds(record.uuid) * 1_000_000
                if landing // DAY_US != day:
                    continue
                moved = at_step(record, drift, step)
                if moved and moved.at == landing:
                    arrivals.append(moved)
        return arrivals

    def _kept(self, day: int, state: int | str, make: Callable[[], list[Record]]) -> list[Record]:
        # Hold the lock while making a day: two requests for it must not both pay.
        with self._lock:
            records = self._cache.get((day, state))
            if records is None:
                records = self._cache[day, state] = make()
                self._cached += len(records)
                while self._cached > CACHED_RECORDS and len(self._cache) > 1:
                    self._cached -= len(self._cache.popitem(last=False)[1])
            self._cache.move_to_end((day, state))
            return records

    def _count(self, name: str) -> int:
        if self.exact:
            return self.records_per_day
        digest = hashlib.sha256(f"count/{name}".encode()).digest()
        percent = 80 + int.from_bytes(digest[:4], "big") % 41
        return self.records_per_day * percent // 100

    def _made(self, day: int) -> list[Record]:
        name = f"{self.seed}/{date.fromordinal(day + EPOCH_ORDINAL).isoformat()}"
        count = self._count(name)
        stream = hashlib.shake_256(name.encode()).digest(_CHANCE.size * count)
        readings = self.readings
        offset = "Z" if readings.timestamps == "z" else readings.offset
        mixed = readings.offsets == "mixed" and offset != "Z"
        fine = DIGITS[readings.timestamps] > 3
        edges = _edges(readings)[: (count + 1) // 2]
        start = day * DAY_US
        records: list[Record] = []
        ms = 0
        for i, (u1, u2, time, c, bits) in enumerate(_CHANCE.iter_unpack(stream)):
            us = 0
            if i < len(edges):
                ms = edges[i]
                us = 999 if fine and ms % 1000 == 999 else 0
            elif not Chance(u1).one_in(64):
                ms = _time_of_day(Chance(time), Chance(u2))
                us = Chance(u2).below(1000) if fine else 0
            # One in 64 ends in the same millisecond as the one drawn before it.
            where = Chance(c).pick(MIXED_OFFSETS) if mixed else offset
            records.append(self._writer.write(start + ms * 1000 + us, where, u1, u2, c, bits))
        records.sort()
        return records


def _time_of_day(chance: Chance, other: Chance) -> int:
    """Return a time of day in milliseconds.

    :param chance: 64 bits of chance
    :param other: chance that decides which times are whole seconds
    """
    first = chance.below(_RANGE)
    second = chance.below(_RANGE)
    may_be_whole = chance.one_in(2)
    # Half of the records crowd around noon, so that halves of a day differ in size.
    evenly_spread = chance.one_in(2)
    share = first / _RANGE if evenly_spread else (first + second) / (2 * _RANGE)
    ms = int(share * _MS_PER_DAY)
    if may_be_whole and other.one_in(8):
        ms -= ms % 1000
    return ms


def _edges(readings: Readings) -> list[int]:
    local = -offset_us(readings.offset) // 1000 % _MS_PER_DAY
    wanted = [
        0,
        _MS_PER_DAY - 1,
        local,
        local - 1,
        999,
        1,
        _MS_PER_DAY - 1000,
        local + 999,
        43_200_000,
        43_199_999,
        43_200_999,
    ]
    return [ms % _MS_PER_DAY for ms in wanted]
