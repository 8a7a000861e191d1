"""Records that differ between two looks: they appear, change, move in time, or leave."""

from __future__ import annotations

import json
import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .account import OPEN_DISPOSITIONS, WRAPUP_CODES
from .chance import Chance
from .record import dumps, stamp

if TYPE_CHECKING:
    from .record import Record

MOST_SECONDS = 7 * 86_400
Fate = Literal["appear", "change", "move", "leave"]

_CODES = tuple(WRAPUP_CODES)


@dataclass(frozen=True)
class Drift:
    """Records that differ between an earlier and a later look at the same search.

    A record meets at most one fate, at one step. Its uuid decides which fate, at which step and how
    far it moves, and uuids derive from the simulator's seed.

    :param appear: share of records that cannot be seen before their step
    :param change: share whose wrap-up code and cost differ from their step on
    :param move: share whose timestamp differs from their step on; such a record goes out of one
        window and comes into another, or moves within one
    :param move_seconds: how far timestamps move, later or (below 0) earlier: one number for all, or
        the lowest and the highest; within these bounds seconds are as frequent as hours or days.
        At most seven days
    :param after: number of answered ``/api/v2/cdr`` requests after which the first step happens,
        and again before each later one, or None to wait for ``Simulator.drift_now()`` or ``POST
        /_simulator/drift``
    :param leave: share of records that cannot be seen from their step on
    :param steps: number of moments among which the records' steps are spread
    """

    appear: float = 0.0
    change: float = 0.0
    move: float = 0.0
    move_seconds: int | tuple[int, int] = 3600
    after: int | None = None
    leave: float = 0.0
    steps: int = 1

    def __post_init__(self) -> None:
        low, high = self.move_range
        if low > high:
            raise ValueError(f"move_seconds is {self.move_seconds}; the lower number comes first.")
        if max(-low, high) > MOST_SECONDS:
            raise ValueError(
                f"move_seconds is {self.move_seconds}; records can move by at most {MOST_SECONDS} "
                "seconds."
            )
        if self.steps < 1:
            raise ValueError(f"steps is {self.steps}; it must be 1 or more.")
        shares = (self.appear, self.change, self.move, self.leave)
        if min(shares) < 0 or sum(shares) > 1.000001:
            raise ValueError("appear, change, move and leave are shares: from 0 to 1, also in sum.")

    @property
    def move_range(self) -> tuple[int, int]:
        """The lowest and the highest number of seconds that records move."""
        if isinstance(self.move_seconds, tuple):
            return self.move_seconds
        return self.move_seconds, self.move_seconds

    def step_after(self, answers: int) -> int:
        """Return how many steps have happened after a number of answers."""
        if self.after is None:
            return 0
        if self.after <= 0:
            return self.steps
        return min(self.steps, answers // self.after)

    def fate(self, uuid: str) -> Fate | None:
        """Return what happens to a record, or None if nothing ever does."""
        chance = share(uuid, "drift")
        if chance < self.appear:
            return "appear"
        chance -= self.appear
        if chance < self.change:
            return "change"
        chance -= self.change
        if chance < self.move:
            return "move"
        return "leave" if chance - self.move < self.leave else None

    def step(self, uuid: str) -> int:
        """Return the step at which a record meets its fate, from 1."""
        if self.steps == 1:
            return 1
        return 1 + Chance.of(f"step/{uuid}").below(self.steps)

    def seconds(self, uuid: str) -> int:
        """Return by how many seconds a record moves."""
        low, high = self.move_range
        if low == high:
            return low
        chance = Chance.of(f"move/{uuid}")
        earlier = high <= 0 or (low < 0 and chance.one_in(2))
        if earlier:
            low, high = -high, -low
        nearest = max(1, low)
        # Even on a logarithmic scale: otherwise hardly any record would move by mere seconds.
        exponent = chance.below(1 << 32) / (1 << 32)
        distance = round(nearest * math.pow(high / nearest, exponent))
        return -distance if earlier else distance


def share(uuid: str, purpose: str) -> float:
    """Return a number in [0, 1) that depends on nothing but the uuid and the purpose."""
    return zlib.crc32(f"{purpose}/{uuid}".encode()) / 2**32


def at_step(record: Record, drift: Drift, step: int) -> Record | None:
    """Return a record as it is seen after a number of steps, or None if it cannot be seen."""
    fate = drift.fate(record.uuid)
    if fate is None:
        return record
    if step < drift.step(record.uuid):
        return None if fate == "appear" else record
    if fate == "leave":
        return None
    if fate == "change":
        return changed(record)
    return moved(record, drift.seconds(record.uuid)) if fate == "move" else record


def changed(record: Record) -> Record:
    """Return the record with another wrap-up code and another cost."""
    fields = json.loads(record.raw)
    code = fields.get("wrapup_code")
    known = code in _CODES
    fields["wrapup_code"] = _CODES[(_CODES.index(code) + 1) % len(_CODES)] if known else _CODES[0]
    fields["cpc"] = round((fields.get("cpc") or 0.0) + 0.0101, 4)
    return record._replace(raw=dumps(fields).encode())


def moved(record: Record, seconds: int) -> Record:
    """Return the record with its end moved; offset and number of digits stay as they were.

    A conversation that was not over is archived then.
    """
    fields = json.loads(record.raw)
    if fields["disposition"] in OPEN_DISPOSITIONS:
        fields["disposition"] = "archived"
    text = fields["timestamp"]
    offset = "Z" if text.endswith("Z") else text[-6:]
    digits = len(text) - len(offset) - len("2024-07-31T12:43:09.")
    at = record.at + seconds * 1_000_000
    fields["timestamp"] = stamp(at, offset, digits)
    return record._replace(at=at, raw=dumps(fields).encode())
