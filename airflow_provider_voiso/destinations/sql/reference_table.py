"""A SQL table that holds one reference list, replaced as a whole in one transaction."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.destinations.base import Written
from airflow_provider_voiso.destinations.reference import reference_columns
from airflow_provider_voiso.destinations.shrinking import check_not_emptied
from airflow_provider_voiso.destinations.sql.dialect import BusyError
from airflow_provider_voiso.destinations.sql.fit import check_columns
from airflow_provider_voiso.destinations.sql.job import TableJob
from airflow_provider_voiso.destinations.sql.session import in_session
from airflow_provider_voiso.exceptions import VoisoReconciliationError

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from airflow_provider_voiso.destinations.columns import Column
    from airflow_provider_voiso.destinations.reference import ReferenceList
    from airflow_provider_voiso.destinations.sql.dialect import Dialect, ExistingTable
    from airflow_provider_voiso.destinations.sql.table_name import TableName

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Job(TableJob):
    reference: str

    @property
    def subject(self) -> str:
        return f"the list {self.reference}"

    @property
    def key(self) -> str:
        return reference_columns(self.reference)[0].name


class ReferenceTable:
    """A table that holds one list and nothing else; it has no key, as the API promises none.

    :param hook: connection to the database
    :param table: the table
    :param reference: name of the list
    :param create_table: create the table if it does not exist
    :param add_columns: add the columns that an existing table lacks; without it, their values go
        to ``extra``
    :param allow_empty: let an empty list replace one with items
    """

    def __init__(
        self,
        *,
        hook: DbApiHook,
        table: TableName,
        reference: str,
        create_table: bool,
        add_columns: bool,
        allow_empty: bool,
    ) -> None:
        self._hook = hook
        self._job = _Job(
            table=table, reference=reference, create_table=create_table, add_columns=add_columns
        )
        self._allow_empty = allow_empty

    @property
    def address(self) -> str:
        """The table's name."""
        return str(self._job.table)

    def check(self) -> None:
        """Connect, look at the table, and close the connection again.

        :raises VoisoConfigurationError: if the table does not fit, or the hook fails
        :raises VoisoDestinationError: if the database cannot be reached or refuses a statement
        """

        def look(dialect: Dialect, connection: Any) -> None:
            self._described(dialect, dialect.begin(connection))
            with suppress(Exception):  # some drivers have no transactions to roll back
                connection.rollback()

        with suppress(BusyError):
            in_session(self._hook, self._job, look, wait=False)

    def write(self, found: ReferenceList) -> Written:
        """Replace all rows by the items of a list; others see the old rows until the commit.

        :raises VoisoConfigurationError: if the table does not fit
        :raises VoisoShrunkError: if the list is empty and the table is not
        :raises VoisoReconciliationError: if the table would not hold exactly the list
        :raises VoisoDestinationError: if the database refuses a statement
        """
        return in_session(
            self._hook,
            self._job,
            lambda dialect, connection: self._replace(dialect, connection, found),
            wait=True,
        )

    def _replace(self, dialect: Dialect, connection: Any, found: ReferenceList) -> Written:
        cursor = dialect.begin(connection)
        dialect.lock(cursor, self._job.table)
        existing, columns = self._described(dialect, cursor)
        missing = self._without(columns)
        if missing and "extra" in missing and any(found.extras(columns)):
            raise self._job.refusal(
                "lacks the column extra, which an item needs for a field without a column of its "
                "own. Add it, or set add_columns=True"
            )
        # Before any row is touched: on MySQL, what changes a table commits.
        self._prepare(dialect, cursor, existing)
        target = dialect.qualified(self._job.table)
        before = _count(cursor, target)
        check_not_emptied(
            found.name,
            before,
            len(found.items),
            f"the table {self.address}",
            allow_empty=self._allow_empty,
        )
        cursor.execute(f"DELETE FROM {target}")  # noqa: S608 - an identifier
        if found.items:
            dialect.fill(cursor, target, columns, [found.block(columns)])
        self._reconcile(_count(cursor, target), len(found.items))
        connection.commit()
        return Written(
            bytes=found.size,
            table=self.address,
            columns_missing=missing or None,
            records_before=before,
        )

    def _described(
        self, dialect: Dialect, cursor: Any
    ) -> tuple[ExistingTable | None, tuple[Column, ...]]:
        """Return the table as it is, and the columns to load.

        :raises VoisoConfigurationError: if the table does not fit
        """
        job = self._job
        columns = reference_columns(job.reference)
        existing = dialect.describe(cursor, job.table)
        if existing is None:
            if not job.create_table:
                raise job.refusal("does not exist. Create it, or set create_table=True")
            return None, columns
        if job.key not in existing.columns:
            raise job.refusal(
                f"is not one of {job.reference}: it lacks {job.key}. Name another table"
            )
        check_columns(existing, dialect, job, columns, keys=())
        if not job.add_columns:
            columns = tuple(column for column in columns if column.name in existing.columns)
        return existing, columns

    def _without(self, columns: tuple[Column, ...]) -> tuple[str, ...]:
        names = [column.name for column in reference_columns(self._job.reference)]
        loaded = {column.name for column in columns}
        missing = tuple(name for name in names if name not in loaded)
        if missing:
            log.warning(
                "The table %s lacks the columns %s. What the API returned for them goes to extra. "
                "Add the columns, or set add_columns=True.",
                self.address,
                ", ".join(missing),
            )
        return missing

    def _prepare(self, dialect: Dialect, cursor: Any, existing: ExistingTable | None) -> None:
        columns = reference_columns(self._job.reference)
        if existing is None:
            dialect.create_without_keys(cursor, self._job.table, columns)
            return
        if not self._job.add_columns:
            return
        target = dialect.qualified(self._job.table)
        for column in columns:
            if column.name not in existing.columns:
                definition = f"{dialect.quoted(column.name)} {dialect.declared(column)}"
                cursor.execute(f"ALTER TABLE {target} ADD COLUMN {definition}")

    def _reconcile(self, held: int, expected: int) -> None:
        if held != expected:
            raise VoisoReconciliationError(
                f"The table {self.address} would hold {held} rows in place of {expected} "
                f"{self._job.reference}, so the load was rolled back. Look for a trigger, rule or "
                "policy of the database that changes or drops rows of this table."
            )


def _count(cursor: Any, target: str) -> int:
    cursor.execute(f"SELECT count(*) FROM {target}")  # noqa: S608 - an identifier
    rows: int = cursor.fetchone()[0]
    return rows
