"""Loading by way of a temporary table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_voiso.exceptions import VoisoReconciliationError

if TYPE_CHECKING:
    from airflow_provider_voiso.destinations.sql.load import Load


class Staged:
    """Fills a temporary table and moves its rows into the table; suits every table and job.

    :param load: the load to carry out
    """

    def __init__(self, load: Load) -> None:
        self._load = load

    def run(self) -> int:
        """Load and return the number of rows; the commit is the caller's.

        :raises VoisoReconciliationError: if a uuid is missing or comes twice
        """
        load = self._load
        load.begin()
        load.stage = load.dialect.create_stage(load.cursor, load.job.table, load.columns)
        load.fill(load.stage, load.blocks())
        staged = self._count_stage()
        if load.lock_table():
            load.dialect.create_keys(load.cursor, load.job.table)
        if load.job.mode == "upsert":
            load.execute(load.dialect.upsert)
        else:
            load.delete_window()
            load.execute(load.dialect.delete_staged)
            load.execute("INSERT INTO {table} ({columns}) SELECT {columns} FROM {stage}")
        load.execute("SELECT count(*) FROM {table} WHERE uuid IN (SELECT uuid FROM {stage})")
        found: int = load.cursor.fetchone()[0]
        if found != staged:
            raise load.mismatch(f"{found} of {staged} records", "after the load")
        if load.job.mode == "replace_window":
            load.reconcile(load.count_in_window(load.stage))
        return found

    def _count_stage(self) -> int:
        """Check that all records were staged, each with its own uuid, and return their number."""
        load = self._load
        load.execute("SELECT count(*), count(DISTINCT uuid) FROM {stage}")
        staged, distinct = load.cursor.fetchone()
        if not load.source.read == staged == distinct:
            raise VoisoReconciliationError(
                f"{load.source.read} records were read for {load.job.window}, {staged} were "
                f"staged for the table {load.job.table}, and {distinct} of these have a uuid of "
                "their own. The table was not touched. Clear the task to try again."
            )
        return int(staged)
