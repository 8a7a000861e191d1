"""Loading by way of a temporary table, so that only the rows that differ are touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_voiso.destinations.sql.changes import Changes
from airflow_provider_voiso.destinations.sql.load import UnsuitableError
from airflow_provider_voiso.exceptions import VoisoReconciliationError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from airflow_provider_voiso.destinations.sql.dialect import Block
    from airflow_provider_voiso.destinations.sql.load import Load

_COUNT_STAGE = """
    SELECT count(*), (SELECT count(*) FROM (
        SELECT uuid FROM {stage} WHERE uuid IS NOT NULL GROUP BY uuid
    ) AS uuids) FROM {stage}
"""
_COMPARE = """
    SELECT count(*), coalesce(sum(CASE WHEN {differs} THEN 1 ELSE 0 END), 0),
        coalesce(sum(
            CASE WHEN old.ended_at >= {mark} AND old.ended_at < {mark} THEN 1 ELSE 0 END
        ), 0)
    FROM {stage} AS new JOIN {table} AS old ON old.uuid = new.uuid
"""
_DOUBLES = """
    SELECT old.uuid, count(*) AS times
    FROM {table} AS old JOIN {stage} AS new ON old.uuid = new.uuid
    GROUP BY old.uuid HAVING count(*) > 1
"""
_COUNT_DOUBLES = f"SELECT coalesce(sum(times), 0) FROM ({_DOUBLES}) AS doubles"  # noqa: S608 - no values
# Through a derived table, as MySQL reads no table that a statement deletes from.
_DELETE_DOUBLES = f"DELETE FROM {{table}} WHERE uuid IN (SELECT uuid FROM ({_DOUBLES}) AS doubles)"  # noqa: S608
_DELETE_GONE = """
    DELETE FROM {table} WHERE ended_at >= {mark} AND ended_at < {mark}
    AND NOT EXISTS (SELECT 1 FROM {stage} AS new WHERE new.uuid = {table}.uuid)
"""
_IN_CHANGED_MINUTES = " AND {minute} = ANY({mark})"
_INSERT_NEW = """
    INSERT INTO {table} ({columns}) SELECT {columns} FROM {stage} AS new
    WHERE NOT EXISTS (SELECT 1 FROM {table} AS old WHERE old.uuid = new.uuid)
"""


class _Met(NamedTuple):
    """Rows of the table with a staged uuid: all, those that differ, those in the window."""

    rows: int
    differing: int
    in_window: int


class Kept(NamedTuple):
    """What needs no stage.

    :param rows: number of records whose rows stand in the window unchanged
    :param changed_minutes: the minutes in which none of these rows are, in UTC without a zone
    """

    rows: int
    changed_minutes: list[datetime]


class Staged:
    """Fills a temporary table and moves what differs into the table; suits every table and job.

    :param load: the load to carry out
    :param kept: what is known to stand in the table already
    """

    def __init__(self, load: Load, kept: Kept | None = None) -> None:
        self._load = load
        self._kept = kept
        self._kept_rows = kept.rows if kept else 0

    def run(self) -> Changes:
        """Load and return what was done; the commit is the caller's.

        :raises UnsuitableError: if a second attempt may succeed
        :raises VoisoShrunkError: if far fewer rows would be left
        :raises VoisoReconciliationError: if a uuid is missing or comes twice
        """
        try:
            self._load.begin()
            self.fill(self._load.blocks())
            if self._load.lock_table():
                self._load.dialect.create_keys(self._load.cursor, self._load.job.table)
            return self.merge()
        except Exception as error:
            if not self._load.dialect.can_retry(error):
                raise
        self._load.connection.rollback()
        raise UnsuitableError

    def fill(self, blocks: Iterable[Block]) -> None:
        """Stage records.

        :raises VoisoReconciliationError: if not all of them were staged, each with its own uuid
        """
        load = self._load
        load.stage = load.dialect.create_stage(load.cursor, load.job.table, load.columns)
        load.fill(load.stage, blocks)
        load.dialect.prepare_stage(load.cursor, load.stage)
        self._staged = self._count_stage()

    def merge(self) -> Changes:
        """Bring the table, which is locked, to the state of the stage; return what was done.

        :raises VoisoShrunkError: if far fewer rows would be left
        :raises VoisoReconciliationError: if the table does not hold each record once
        """
        load = self._load
        before = load.count_in_window(load.target)
        if load.job.mode == "replace_window":
            load.check_not_shrunk(before, self._expected_in_window())
        doubles = self._delete_doubles()
        standing = load.count_in_window(load.target) if doubles else before
        met = self._compare()
        gone = 0
        if load.job.mode == "replace_window":
            gone = standing - self._kept_rows - met.in_window
        changes = Changes(
            rows=load.source.read,
            before=before,
            inserted=self._staged - met.rows,
            updated=met.differing,
            deleted=gone + doubles,
        )
        # If nothing differs, the comparison has found every row where it must be.
        if changes.changed:
            self._apply(changes)
        return changes

    def _count_stage(self) -> int:
        """Check that all records were staged, each with its own uuid, and return their number."""
        load = self._load
        load.execute(_COUNT_STAGE)
        staged, distinct = load.cursor.fetchone()
        expected = load.source.read - self._kept_rows
        if not expected == staged == distinct:
            raise VoisoReconciliationError(
                f"{expected} records were read for {load.job.window}, {staged} were "
                f"staged for the table {load.job.table}, and {distinct} of these have a uuid of "
                "their own. The table was not touched. Clear the task to try again."
            )
        return int(staged)

    def _delete_doubles(self) -> int:
        """Delete staged uuids that the table holds twice, and return the number of rows.

        They are inserted anew. Only a table without a unique key can hold any.
        """
        load = self._load
        existing = load.existing
        if existing is None or (existing.has_unique_uuid and load.dialect.has_keys):
            return 0
        load.execute(_COUNT_DOUBLES)
        doubles = int(load.cursor.fetchone()[0])
        if doubles:
            load.execute(_DELETE_DOUBLES)
        return doubles

    def _compare(self) -> _Met:
        load = self._load
        load.execute(_COMPARE, *load.bounds())
        return _Met(*map(int, load.cursor.fetchone()))

    def _apply(self, changes: Changes) -> None:
        """Write what differs, and check that the table holds each record once.

        :raises VoisoReconciliationError: if it does not
        """
        load = self._load
        if changes.deleted and load.job.mode == "replace_window":
            self._delete_gone()
        if changes.updated:
            load.update(changes.updated)
        if changes.inserted:
            load.execute(_INSERT_NEW)
        load.execute("SELECT count(*) FROM {table} WHERE uuid IN (SELECT uuid FROM {stage})")
        found: int = load.cursor.fetchone()[0]
        if found != self._staged:
            raise load.mismatch(f"{found} of {self._staged} records", "after the load")
        if load.job.mode == "replace_window":
            load.reconcile(self._expected_in_window())

    def _delete_gone(self) -> None:
        if self._kept is None:
            self._load.execute(_DELETE_GONE, *self._load.bounds())
        else:
            self._load.execute(
                _DELETE_GONE + _IN_CHANGED_MINUTES,
                *self._load.bounds(),
                self._kept.changed_minutes,
            )

    def _expected_in_window(self) -> int:
        return self._kept_rows + self._load.count_in_window(self._load.stage)
