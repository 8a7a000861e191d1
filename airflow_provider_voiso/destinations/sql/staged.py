"""Loading by way of a temporary table, so that only the rows that differ are touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_voiso.destinations.sql.changes import Changes
from airflow_provider_voiso.destinations.sql.load import UnsuitableError
from airflow_provider_voiso.exceptions import VoisoReconciliationError

if TYPE_CHECKING:
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
_INSERT_NEW = """
    INSERT INTO {table} ({columns}) SELECT {columns} FROM {stage} AS new
    WHERE NOT EXISTS (SELECT 1 FROM {table} AS old WHERE old.uuid = new.uuid)
"""


class _Met(NamedTuple):
    """Rows of the table with a staged uuid: all, those that differ, those in the window."""

    rows: int
    differing: int
    in_window: int


class Staged:
    """Fills a temporary table and moves what differs into the table; suits every table and job.

    :param load: the load to carry out
    """

    def __init__(self, load: Load) -> None:
        self._load = load

    def run(self) -> Changes:
        """Load and return what was done; the commit is the caller's.

        :raises UnsuitableError: if a second attempt may succeed
        :raises VoisoShrunkError: if far fewer rows would be left
        :raises VoisoReconciliationError: if a uuid is missing or comes twice
        """
        try:
            return self._merge()
        except Exception as error:
            if not self._load.dialect.can_retry(error):
                raise
        self._load.connection.rollback()
        raise UnsuitableError

    def _merge(self) -> Changes:
        load = self._load
        load.begin()
        load.stage = load.dialect.create_stage(load.cursor, load.job.table, load.columns)
        load.fill(load.stage, load.blocks())
        load.dialect.prepare_stage(load.cursor, load.stage)
        staged = self._count_stage()
        if load.lock_table():
            load.dialect.create_keys(load.cursor, load.job.table)
        before = load.count_in_window(load.target)
        if load.job.mode == "replace_window":
            load.check_not_shrunk(before, load.count_in_window(load.stage))
        doubles = self._delete_doubles()
        standing = load.count_in_window(load.target) if doubles else before
        met = self._compare()
        gone = standing - met.in_window if load.job.mode == "replace_window" else 0
        changes = Changes(
            rows=staged,
            before=before,
            inserted=staged - met.rows,
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
        if not load.source.read == staged == distinct:
            raise VoisoReconciliationError(
                f"{load.source.read} records were read for {load.job.window}, {staged} were "
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
            load.execute(_DELETE_GONE, *load.bounds())
        if changes.updated:
            load.update(changes.updated)
        if changes.inserted:
            load.execute(_INSERT_NEW)
        load.execute("SELECT count(*) FROM {table} WHERE uuid IN (SELECT uuid FROM {stage})")
        found: int = load.cursor.fetchone()[0]
        if found != changes.rows:
            raise load.mismatch(f"{found} of {changes.rows} records", "after the load")
        if load.job.mode == "replace_window":
            load.reconcile(load.count_in_window(load.stage))
