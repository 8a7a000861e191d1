"""Loading a window that the table holds already: minutes that are the same are skipped."""

from __future__ import annotations

from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import compress
from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.destinations.sql.changes import Changes
from airflow_provider_voiso.destinations.sql.dialect import position
from airflow_provider_voiso.destinations.sql.digests import NoDigestError, RowHash
from airflow_provider_voiso.destinations.sql.load import UnsuitableError
from airflow_provider_voiso.destinations.sql.staged import Kept, Staged

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence
    from datetime import datetime

    from airflow_provider_voiso.destinations.sql.dialect import Block
    from airflow_provider_voiso.destinations.sql.digests import Digest
    from airflow_provider_voiso.destinations.sql.load import Load

_MINUTE = timedelta(minutes=1)
_LONGEST_WINDOW = timedelta(days=62)
"""Some 90,000 digests, which take a few megabytes here."""
_MOST_ROWS = 100_000
"""The database holds the text of one minute's rows in memory."""
_FULLEST_MINUTE = """
    SELECT max(minute_rows) FROM (
        SELECT count(*) AS minute_rows FROM {table}
        WHERE ended_at >= {mark} AND ended_at < {mark} GROUP BY {minute}
    ) AS minutes
"""


class ChangedMinutes:
    """Stages the records of the minutes whose digests differ from those of the table's rows.

    The table is locked while the records are read, as it is for a direct load.

    :param load: the load to carry out
    """

    def __init__(self, load: Load) -> None:
        self._load = load

    def run(self) -> Changes:
        """Load and return what was done; the commit is the caller's.

        :raises UnsuitableError: if all records must be staged
        :raises VoisoShrunkError: if far fewer rows would be left
        :raises VoisoReconciliationError: if the table would not hold what was read
        """
        load = self._load
        window = load.job.window
        if not load.dialect.minute or window.end - window.start > _LONGEST_WINDOW:
            raise UnsuitableError
        # Without the key, a row outside of the window may have the uuid of one that is skipped.
        if load.existing is None or not load.existing.has_unique_uuid:
            raise UnsuitableError
        try:
            return self._merge()
        except (UnsuitableError, NoDigestError):
            pass
        except Exception as error:
            if not load.dialect.lacks_digests(error):
                raise
        load.connection.rollback()
        raise UnsuitableError

    def _merge(self) -> Changes:
        load = self._load
        load.begin()
        load.lock_table()
        self._check_rows()
        records = _Records(load)
        with ThreadPoolExecutor(1) as pool:
            # The database reads its rows while we read the records.
            asked = pool.submit(
                load.dialect.digests, load.cursor, load.target, load.columns, load.bounds()
            )
            read = records.digests()
            held = asked.result()
        same = {minute for minute, digest in read.items() if held.get(minute) == digest}
        changed = sorted((read.keys() | held.keys()) - same)
        rows = sum(read[minute].rows for minute in same)
        if not changed and rows == load.source.read:
            return Changes(rows=rows, before=rows, inserted=0, updated=0, deleted=0)
        staged = Staged(load, Kept(rows, changed))
        staged.fill(records.blocks_without(same))
        return staged.merge()

    def _check_rows(self) -> None:
        """Check that there is something to compare, and that the database has memory for it."""
        load = self._load
        rows = load.count_in_window(load.target)
        if rows > _MOST_ROWS:
            load.execute(_FULLEST_MINUTE, *load.bounds())
            (rows,) = load.cursor.fetchone()
        if not 0 < rows <= _MOST_ROWS:
            raise UnsuitableError


class _Records:
    """The records of a load, minute by minute.

    :param load: the load
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._uuid = position(load.columns, "uuid")
        self._ended_at = position(load.columns, "ended_at")
        self._minutes: list[tuple[datetime | None, ...]] = []
        """The minutes of each block; None stands for records outside of the window."""

    def digests(self) -> dict[datetime, Digest]:
        """Read all records and return the digests of the window's minutes.

        :raises UnsuitableError: if they are not in order, or have no uuid
        :raises NoDigestError: if a text holds a control character
        """
        found: dict[datetime, RowHash] = {}
        for block in self._load.blocks():
            if None in block[self._uuid]:
                raise UnsuitableError
            ends = block[self._ended_at]
            runs = list(self._runs(ends))
            cells = list(block)
            cells[self._ended_at] = [end.second * 1_000_000 + end.microsecond for end in ends]
            rows = list(zip(*cells, strict=True))
            self._minutes.append(tuple(minute for minute, _, _ in runs))
            for minute, first, after in runs:
                if minute is not None:
                    found.setdefault(minute, RowHash()).add(rows[first:after])
        return {minute: rows.digest() for minute, rows in found.items()}

    def blocks_without(self, minutes: Container[datetime | None]) -> Iterator[Block]:
        """Yield the records of all other minutes, and those outside of the window."""
        wanted = [any(each not in minutes for each in some) for some in self._minutes]
        for block in self._load.blocks(wanted):
            taken = [True] * len(block[self._ended_at])
            for minute, first, after in self._runs(block[self._ended_at]):
                if minute in minutes:
                    taken[first:after] = [False] * (after - first)
            yield [list(compress(values, taken)) for values in block]

    def _runs(self, ends: Sequence[Any]) -> Iterator[tuple[datetime | None, int, int]]:
        """Yield minute, first and after of the records of each minute in a block.

        The minute is in UTC, without a zone, and None outside of the window.

        :raises UnsuitableError: if the records are not in order
        """
        if None in ends or list(ends) != sorted(ends):
            raise UnsuitableError
        window = self._load.job.window
        after = 0
        while after < len(ends):
            first, end = after, ends[after]
            if window.start <= end < window.end:
                minute = end.replace(second=0, microsecond=0)
                after = bisect_left(ends, min(minute + _MINUTE, window.end), first)
                yield minute.replace(tzinfo=None), first, after
            else:
                after = bisect_left(ends, window.start, first) if end < window.start else len(ends)
                yield None, first, after
