"""Loading an empty window into the table itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_voiso.destinations.sql.changes import Changes
from airflow_provider_voiso.destinations.sql.dialect import position
from airflow_provider_voiso.destinations.sql.load import UnsuitableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_voiso.destinations.sql.dialect import Block
    from airflow_provider_voiso.destinations.sql.load import Load


class Direct:
    """Appends to the table itself, the fastest way into a window without rows.

    The table's unique key, or the dialect, sees to it that each uuid is there once. So this suits
    only ``replace_window``, with records that all lie in the window.

    :param load: the load to carry out
    """

    def __init__(self, load: Load) -> None:
        self._load = load

    def run(self) -> Changes:
        """Load and return what was done; the commit is the caller's.

        :raises UnsuitableError: if the rows must be staged
        """
        load = self._load
        if load.job.mode != "replace_window":
            raise UnsuitableError
        try:
            self._look_without_lock()
            return self._append()
        except UnsuitableError:
            pass
        except Exception as error:
            if not load.dialect.needs_stage(error):
                raise
        load.connection.rollback()
        raise UnsuitableError

    def _look_without_lock(self) -> None:
        """Give up early, as a load that must stage does so before it keeps others out."""
        load = self._load
        if load.existing is not None:
            load.begin()
            self._check_empty()
            load.connection.rollback()

    def _append(self) -> Changes:
        load = self._load
        load.begin()
        is_new = load.lock_table()
        if not is_new:
            self._check_empty()
        load.fill(load.target, self._blocks_in_window())
        if is_new:
            load.dialect.create_keys(load.cursor, load.job.table)
        rows = load.source.read
        if not load.dialect.holds_each_uuid_once(load.cursor, load.target, load.bounds(), rows):
            raise UnsuitableError
        load.reconcile(rows)
        return Changes(rows=rows, before=0, inserted=rows, updated=0, deleted=0)

    def _check_empty(self) -> None:
        existing = self._load.existing
        if existing is not None and not existing.has_unique_uuid:
            raise UnsuitableError
        if self._load.count_in_window(self._load.target):
            raise UnsuitableError

    def _blocks_in_window(self) -> Iterator[Block]:
        """Yield the records while counting the window's rows shows that all of them are there."""
        window = self._load.job.window
        uuid = position(self._load.columns, "uuid")
        ended_at = position(self._load.columns, "ended_at")
        for block in self._load.blocks():
            uuids, ends = block[uuid], block[ended_at]
            if None in uuids or None in ends:
                raise UnsuitableError
            if ends and (min(ends) < window.start or max(ends) >= window.end):
                raise UnsuitableError
            yield block
