"""The endless calendar: the records of a UTC day derive from the seed, that day and the switches, nothing else."""

from __future__ import annotations

import hashlib
import struct
import threading
from bisect import bisect_left
from collections import OrderedDict
from datetime import date
from typing import TYPE_CHECKING

from .drift import after_drift, exists_before
from .record import DAY_US, DIGITS, EPOCH_ORDINAL, offset_us
from .writing import MIXED_OFFSETS, Writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from .readings import Drift, Readings
    from .record import Record

CACHED_RECORDS = 2_000_000
_CHANCE = struct.Struct(">5Q")
_MS_PER_DAY = 86_400_000
_M31 = 0x7FFFFFFF


class Days:
    """Makes and keeps days of records.

    :param seed: other seeds give other records
    :param records_per_day: about how many records a day has; days vary by up to a fifth
    :param exact: every day has exactly that many
    :param readings: the switches that decide how timestamps and ``sla`` are written
    :param drift: what differs between an earlier and a later look, or None
    """

    def __init__(
        self, seed: int, records_per_day: int, *, exact: bool, readings: Readings, drift: Drift | None
    ) -> None:
        if records_per_day < 0:
            raise ValueError(f"records_per_day is {records_per_day}; it cannot be negative.")
        self.seed = seed
        self.records_per_day = records_per_day
        self.exact = exact
        self.readings = readings
        self.drift = drift
        self._writer = Writer(readings)
        self._cache: OrderedDict[tuple[int, str], list[Record]] = OrderedDict()
        self._cached = 0
        self._lock = threading.RLock()

    def between(self, start: int, end: int, *, drifted: bool) -> list[Record]:
        """Return the records that ended in ``[start, end)``, oldest first.

        :param start: microseconds since 1970 UTC
        :param end: microseconds since 1970 UTC
        :param drifted: whether to look after the drift instead of before it
        """
        found: list[Record] = []
        for day in range(start // DAY_US, -(-end // DAY_US)):
            records = self.day(day, drifted=drifted)
            low = bisect_left(records, (start,)) if start > day * DAY_US else 0
            high = bisect_left(records, (end,)) if end < (day + 1) * DAY_US else len(records)
            found += records[low:high]
        return found

    def day(self, day: int, *, drifted: bool) -> list[Record]:
        """Return one UTC day, oldest first.

        :param day: days since 1970-01-01
        :param drifted: whether to look after the drift instead of before it
        """
        drift = self.drift
        if drift is None:
            return self._kept(day, "base", lambda: self._made(day))
        if not drifted:
            return self._kept(day, "before", lambda: [r for r in self._base(day) if exists_before(r, drift)])
        return self._kept(day, "after", lambda: self._drifted(day, drift))

    def _base(self, day: int) -> list[Record]:
        return self._kept(day, "base", lambda: self._made(day))

    def _drifted(self, day: int, drift: Drift) -> list[Record]:
        reach = (day - 1, day, day + 1) if drift.move else (day,)
        moved = (after_drift(record, drift) for near in reach for record in self._base(near))
        return sorted(record for record in moved if record.at // DAY_US == day)

    def _kept(self, day: int, state: str, make: Callable[[], list[Record]]) -> list[Record]:
        # One lock for making as well: two requests for the same new day must not both pay for it.
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
        chance = int.from_bytes(hashlib.sha256(f"count/{name}".encode()).digest()[:4], "big")
        return self.records_per_day * (80 + chance % 41) // 100

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
        write = self._writer.write
        ms = 0
        for i, (u1, u2, time, c, bits) in enumerate(_CHANCE.iter_unpack(stream)):
            us = 0
            if i < len(edges):
                ms = edges[i]
                us = 999 if fine and ms % 1000 == 999 else 0
            elif u1 & 63:
                a, b = time & _M31, time >> 31 & _M31
                # Half of the records crowd around noon, so that halves of a day differ in size.
                ms = (a + b) * _MS_PER_DAY >> 32 if time >> 63 else a * _MS_PER_DAY >> 31
                if not time >> 62 & 1 and not u2 & 7:
                    ms -= ms % 1000
                us = u2 % 1000 if fine else 0
            where = MIXED_OFFSETS[c % len(MIXED_OFFSETS)] if mixed else offset
            records.append(write(start + ms * 1000 + us, where, u1, u2, c, bits))
        records.sort()
        return records


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
