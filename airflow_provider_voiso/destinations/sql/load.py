"""What all ways to load a window share: the table, its columns, statements and counts."""

from __future__ import annotations

from contextlib import suppress
from itertools import repeat
from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.destinations.columns import COLUMNS
from airflow_provider_voiso.destinations.shrinking import check_not_shrunk
from airflow_provider_voiso.destinations.sql.fit import check_fit, missing_columns
from airflow_provider_voiso.destinations.sql.overflow import ExtraNeededError
from airflow_provider_voiso.exceptions import VoisoDestinationError, VoisoReconciliationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_voiso.destinations.columns import Column
    from airflow_provider_voiso.destinations.sql.dialect import Block, Dialect, ExistingTable
    from airflow_provider_voiso.destinations.sql.job import Job
    from airflow_provider_voiso.destinations.sql.source import Source

_DELETE_WINDOW = "DELETE FROM {table} WHERE ended_at >= {mark} AND ended_at < {mark}"
_IN_WINDOW = "WHERE ended_at >= {mark} AND ended_at < {mark}"


class UnsuitableError(Exception):
    """A strategy does not suit the table, the job or the records, and has undone what it did."""


class Load:
    """One load over one connection.

    :param dialect: kind of the database
    :param connection: a connection that belongs to this load
    :param job: what to do
    :param source: the records
    """

    def __init__(self, dialect: Dialect, connection: Any, job: Job, source: Source) -> None:
        self.dialect = dialect
        self.connection = connection
        self.job = job
        self.source = source
        self.target = dialect.qualified(job.table)
        self.cursor: Any = None
        self.stage = ""
        self.existing: ExistingTable | None = None
        self.missing: tuple[Column, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that are loaded: all but those that the table lacks."""
        return tuple(column for column in COLUMNS if column not in self.missing)

    def look(self) -> None:
        """Look at the table in a transaction of its own.

        :raises VoisoConfigurationError: if the table does not fit
        """
        self.begin()
        self.existing, self.missing = self._inspect()
        with suppress(Exception):  # some drivers have no transactions to roll back
            self.connection.rollback()

    def begin(self) -> None:
        """Start the transaction."""
        self.cursor = self.dialect.begin(self.connection)

    def lock_table(self) -> bool:
        """Lock the table, look at it again, create it or add columns to it.

        :returns: whether it is new, so that its keys are still to be created
        :raises VoisoDestinationError: if others changed its columns since :meth:`look`
        """
        self.dialect.lock(self.cursor, self.job.table)
        self.existing, missing = self._inspect()
        if missing != self.missing:
            raise VoisoDestinationError(
                f"The columns of the table {self.job.table} changed while {self.job.window} was "
                "loaded, so the load was rolled back. Run the task again."
            )
        if self.existing is None:
            self.dialect.create(self.cursor, self.job.table)
            return True
        if self.job.add_columns:
            for column in missing_columns(self.existing):
                definition = f"{self.dialect.quoted(column.name)} {self.dialect.declared(column)}"
                self.execute("ALTER TABLE {table} ADD COLUMN " + definition)
        return False

    def fill(self, target: str, blocks: Iterable[Block]) -> None:
        """Append blocks to the table or the stage."""
        self.dialect.fill(self.cursor, target, self.columns, blocks)

    def blocks(self, wanted: Iterable[bool] = repeat(True)) -> Iterator[Block]:
        """Yield the records as values of :attr:`columns`.

        :param wanted: which of the blocks to yield
        :raises VoisoConfigurationError: if the table lacks ``extra``, and a record needs it
        """
        with suppress(ExtraNeededError):
            yield from self.source.blocks(self.missing, wanted)
            return
        error = self.job.refusal(
            "lacks the column extra, which a record needs for a field without a column of its own. "
            "Add it, or set add_columns=True"
        )
        self.source.error = error
        raise error

    def check_extra(self) -> None:
        """Read all records once if the table has no ``extra``, so that none is found too late."""
        if any(column.name == "extra" for column in self.missing):
            for _ in self.blocks():
                pass

    def check_not_shrunk(self, before: int, now: int) -> None:
        """Compare the number of the window's rows before and after the load.

        :raises VoisoShrunkError: if far fewer would be left
        """
        job = self.job
        check_not_shrunk(before, now, job.fail_if_fewer_than, f"The table {job.table}", job.window)

    def update(self, expected: int) -> None:
        """Update the rows that differ from their staged records.

        :param expected: how many differ
        :raises VoisoReconciliationError: if the database left some as they were
        """
        self.execute(self.dialect.update)
        if self.dialect.counts_updates and self.cursor.rowcount < expected:
            raise self.mismatch(
                f"{self.cursor.rowcount} of {expected} changed records", "after the update"
            )

    def delete_window(self) -> None:
        """Delete the rows of the window."""
        self.execute(_DELETE_WINDOW, *self.bounds())

    def count_in_window(self, target: str) -> int:
        """Count the rows of the window in the table or the stage.

        :param target: its quoted name
        """
        self.execute(f"SELECT count(*) FROM {target} {_IN_WINDOW}", *self.bounds())  # noqa: S608 - an identifier
        found: int = self.cursor.fetchone()[0]
        return found

    def reconcile(self, expected: int) -> None:
        """Check that the table holds as many rows of the window as it must.

        :raises VoisoReconciliationError: if it holds more or less
        """
        in_window = self.count_in_window(self.target)
        if in_window < expected:
            raise self.mismatch(f"{in_window} of {expected} records", "after the load")
        if in_window > expected:
            raise self.mismatch(f"{in_window} rows in the window", f"in place of {expected}")

    def execute(self, template: str, *parameters: Any) -> Any:
        """Execute a statement of this package and return the cursor.

        :param template: may name table, stage, columns, mark (of a parameter), minute (of a row),
            and, where the table is ``old`` and the stage ``new``: assignments, and differs (a
            condition)
        """
        dialect = self.dialect
        names = [dialect.quoted(column.name) for column in self.columns]
        compared = [column for column in self.columns if column.name != "uuid"]
        statement = template.format(
            table=self.target,
            stage=self.stage,
            columns=", ".join(names),
            assignments=", ".join(
                dialect.assignment.format(column=dialect.quoted(column.name)) for column in compared
            ),
            differs=" OR ".join(map(dialect.differs, compared)),
            mark=dialect.placeholder,
            minute=dialect.minute,
        )
        self.cursor.execute(statement, parameters)
        return self.cursor

    def bounds(self) -> tuple[Any, Any]:
        """Return start and end of the window as the database compares them."""
        window = self.job.window
        return self.dialect.instant(window.start), self.dialect.instant(window.end)

    def mismatch(self, found: str, compared: str) -> VoisoReconciliationError:
        """Return the error for a table that does not hold what was read."""
        return VoisoReconciliationError(
            f"The table {self.job.table} would hold {found} {compared} for {self.job.window}, so "
            "the load was rolled back. Look for a trigger, rule or policy of the database that "
            "changes or drops rows of this table."
        )

    def _inspect(self) -> tuple[ExistingTable | None, tuple[Column, ...]]:
        """Return the table as it is, and the columns whose values must go to ``extra``."""
        existing = self.dialect.describe(self.cursor, self.job.table)
        check_fit(existing, self.dialect, self.job)
        return existing, () if self.job.add_columns else missing_columns(existing)
