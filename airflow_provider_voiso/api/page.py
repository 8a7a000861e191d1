"""The records of one answer, and records as lines of JSON."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import compress, islice
from operator import eq
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

Json = bytes | msgspec.Raw
"""JSON text. Both types can be joined and decoded; only bytes can be sliced and compared."""


@dataclass(frozen=True, slots=True)
class Page:
    """The records of one answer, column by column, and the token that came with them.

    :param uuids: the records' ``uuid``
    :param ended: the records' ``timestamp``, with a time zone
    :param raws: the records' JSON, byte for byte, without line breaks
    :param token: ``search_token``; None if it was null, absent or empty
    :param unfinished: ``uuid`` of the conversations that are not over; their end may still move
    """

    uuids: list[str]
    ended: list[datetime]
    raws: Sequence[Json]
    token: str | None = None
    unfinished: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.uuids)

    def in_order(self) -> Page:
        """Return the records ordered by ``timestamp``, then ``uuid``."""
        # Indices are sorted, not tuples: creating ten thousand tuples triggers garbage collection.
        order = sorted(range(len(self)), key=self.ended.__getitem__)
        ended = [self.ended[index] for index in order]
        uuids = self.uuids
        for first, after in _ties(ended):
            if after - first > 2:
                order[first:after] = sorted(order[first:after], key=uuids.__getitem__)
            elif uuids[order[first]] > uuids[order[first + 1]]:  # nearly all ties are pairs
                order[first], order[first + 1] = order[first + 1], order[first]
        return self._at(order)

    def between(self, first: int, after: int) -> Page:
        """Return the records from one index to before another."""
        return Page(
            self.uuids[first:after],
            self.ended[first:after],
            self.raws[first:after],
            self.token,
            self.unfinished,
        )

    def joined(self, middle: Page, last: Page) -> Page:
        """Return the records of this page and of two others, in sequence."""
        return Page(
            [*self.uuids, *middle.uuids, *last.uuids],
            [*self.ended, *middle.ended, *last.ended],
            [*self.raws, *middle.raws, *last.raws],
            self.token,
            self.unfinished | middle.unfinished | last.unfinished,
        )

    def without(self, other: Page) -> Page:
        """Return the page without the records that another page holds unchanged.

        :param other: a page; both are ordered by ``timestamp``
        """
        if not self.ended or not other.ended:
            return self
        # Only the part that overlaps is compared: consecutive answers share a few seconds.
        earliest = max(self.ended[0], other.ended[0])
        latest = min(self.ended[-1], other.ended[-1])
        if earliest > latest:
            return self
        first = bisect_left(self.ended, earliest)
        after = bisect_right(self.ended, latest)
        known = other.between(bisect_left(other.ended, earliest), bisect_right(other.ended, latest))
        seen = dict(zip(known.uuids, known.raws, strict=True))
        kept = []
        for index in range(first, after):
            before = seen.get(self.uuids[index])
            if before is None or bytes(before) != bytes(self.raws[index]):
                kept.append(index)
        if len(kept) == after - first:
            return self
        return self.between(0, first).joined(self._at(kept), self.between(after, len(self)))

    def _at(self, indices: list[int]) -> Page:
        return Page(
            [self.uuids[index] for index in indices],
            [self.ended[index] for index in indices],
            [self.raws[index] for index in indices],
            self.token,
            self.unfinished,
        )


@dataclass(frozen=True, slots=True)
class Lines:
    """Records as the API sent them, one a line, each line ended.

    :param count: number of records
    :param text: their JSON
    """

    count: int
    text: bytes

    @classmethod
    def of(cls, records: Sequence[Json]) -> Lines:
        """Return records as lines."""
        return cls(len(records), b"\n".join([*records, b""]))

    def split(self) -> list[bytes]:
        """Return the records one by one."""
        return self.text.split(b"\n")[:-1]


def _ties(ordered: list[datetime]) -> Iterator[tuple[int, int]]:
    """Yield the bounds ``[first, after)`` of each run of equal values."""
    is_tie = [*map(eq, ordered, islice(ordered, 1, None)), False]
    after = 0
    for first in compress(range(len(ordered)), is_tie):
        if first < after:
            continue
        after = first + 2
        while is_tie[after - 1]:
            after += 1
        yield first, after
