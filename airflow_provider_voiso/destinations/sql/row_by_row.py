"""Replacing rows by their uuid, for databases of which nothing is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_voiso.destinations.sql.changes import Changes
from airflow_provider_voiso.destinations.sql.dialect import position

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_voiso.destinations.sql.dialect import Block
    from airflow_provider_voiso.destinations.sql.load import Load


class RowByRow:
    """Lets the dialect replace rows by their uuid, without a temporary table.

    :param load: the load to carry out
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._in_window = 0

    def run(self) -> Changes:
        """Load and return what was done; the commit is the caller's.

        :raises VoisoShrunkError: if far fewer rows would be left
        """
        load = self._load
        load.begin()
        if load.lock_table():
            load.dialect.create_keys(load.cursor, load.job.table)
        before = load.count_in_window(load.target)
        if load.job.mode == "replace_window" and before:
            # Counted ahead, as some databases commit each statement by itself.
            for _ in self._counted_blocks():
                pass
            load.check_not_shrunk(before, self._in_window)
            load.delete_window()
        load.fill(load.target, self._counted_blocks())
        if load.job.mode == "replace_window":
            load.reconcile(self._in_window)
        return Changes(rows=load.source.read, before=before)

    def _counted_blocks(self) -> Iterator[Block]:
        """Yield the records and count those that lie in the window."""
        self._in_window = 0
        window = self._load.job.window
        ended_at = position(self._load.columns, "ended_at")
        for block in self._load.blocks():
            for end in block[ended_at]:
                if end is not None and window.start <= end < window.end:
                    self._in_window += 1
            yield block
