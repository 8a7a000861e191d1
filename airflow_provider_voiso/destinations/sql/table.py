"""A SQL table as a destination: one window in one transaction."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_voiso.destinations.base import Written
from airflow_provider_voiso.destinations.sql.changed_minutes import ChangedMinutes
from airflow_provider_voiso.destinations.sql.dialect import BusyError
from airflow_provider_voiso.destinations.sql.direct import Direct
from airflow_provider_voiso.destinations.sql.job import Job
from airflow_provider_voiso.destinations.sql.load import Load, UnsuitableError
from airflow_provider_voiso.destinations.sql.row_by_row import RowByRow
from airflow_provider_voiso.destinations.sql.session import in_session
from airflow_provider_voiso.destinations.sql.source import Source
from airflow_provider_voiso.destinations.sql.staged import Staged
from airflow_provider_voiso.exceptions import VoisoDestinationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from airflow_provider_voiso.api.read import WindowRead
    from airflow_provider_voiso.api.window import Window
    from airflow_provider_voiso.destinations.columns import Page
    from airflow_provider_voiso.destinations.sql.changes import Changes
    from airflow_provider_voiso.destinations.sql.dialect import StrategyName
    from airflow_provider_voiso.destinations.sql.job import Mode
    from airflow_provider_voiso.destinations.sql.table_name import TableName

log = logging.getLogger(__name__)

_T = TypeVar("_T")

_Strategy = Direct | ChangedMinutes | Staged | RowByRow
_STRATEGIES: dict[StrategyName, type[_Strategy]] = {
    "direct": Direct,
    "changed minutes": ChangedMinutes,
    "staged": Staged,
    "row by row": RowByRow,
}


class SqlTable:
    """A table that is brought to the state of one window in one transaction.

    :param hook: connection to the database; each load opens one of its own from it
    :param table: table to load into
    :param window: window of the run
    :param mode: see :class:`~airflow_provider_voiso.destinations.sql.job.Job`
    :param create_table: likewise
    :param add_columns: likewise
    :param fail_if_fewer_than: likewise
    """

    def __init__(
        self,
        *,
        hook: DbApiHook,
        table: TableName,
        window: Window,
        mode: Mode,
        create_table: bool,
        add_columns: bool,
        fail_if_fewer_than: float | None = None,
    ) -> None:
        self._hook = hook
        self._job = Job(
            table=table,
            window=window,
            mode=mode,
            create_table=create_table,
            add_columns=add_columns,
            fail_if_fewer_than=fail_if_fewer_than,
        )

    @property
    def address(self) -> str:
        """The table's name."""
        return str(self._job.table)

    def check(self) -> None:
        """Connect, look at the table, and close the connection again.

        A database that is busy (a DuckDB file that another process has open) is not waited for.

        :raises VoisoConfigurationError: if the table does not fit, or the hook fails
        :raises VoisoDestinationError: if the database cannot be reached or refuses a statement
        """
        with suppress(BusyError):
            _run(self._hook, self._job, Source([]), Load.look, wait=False)

    def write(self, read: WindowRead) -> Written:
        """Load the records: see :func:`load_window`."""
        loaded = load_window(self._hook, self._job, read)
        return Written(
            bytes=read.size,
            table=self.address,
            columns_missing=loaded.columns_missing or None,
            inserted=loaded.changes.inserted,
            updated=loaded.changes.updated,
            deleted=loaded.changes.deleted,
            changed=loaded.changes.changed,
            records_before=loaded.changes.before,
        )


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load did.

    :param changes: what it did to the table
    :param columns_missing: columns that the table lacks; their values went to ``extra``
    """

    changes: Changes
    columns_missing: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Number of the load's records that the table holds."""
        return self.changes.rows


def load_window(hook: DbApiHook, job: Job, pages: Iterable[Page]) -> Loaded:
    """Bring a table to the state of one window: all of it is committed at once, or nothing.

    Loads of one table wait for each other. Columns that only the table has are left alone.

    :param hook: connection to the database
    :param job: what to do
    :param pages: records as JSON, no uuid twice, from local storage, as the table may be locked
        meanwhile; they are iterated several times
    :raises VoisoConfigurationError: if the table is missing or does not fit, before any of its
        rows is touched, or the hook fails
    :raises VoisoShrunkError: if the window would hold far fewer rows than ``fail_if_fewer_than``
        allows
    :raises VoisoReconciliationError: if the table would not hold exactly what was read
    :raises VoisoDestinationError: if the database cannot be reached or refuses a statement
    """
    return _run(hook, job, Source(pages), _load, wait=True)


def _load(load: Load) -> Loaded:
    load.look()
    names = tuple(column.name for column in load.missing)
    if names:
        log.warning(
            "The table %s lacks the columns %s, so their values go to extra. Add the columns, or "
            "set add_columns=True.",
            load.job.table,
            ", ".join(names),
        )
    load.check_extra()
    changes = _load_by_first_suitable(load)
    load.connection.commit()
    return Loaded(changes, names)


def _load_by_first_suitable(load: Load) -> Changes:
    for name in load.dialect.strategies:
        changes = _attempt(_STRATEGIES[name](load))
        if changes is not None:
            return changes
    raise VoisoDestinationError(
        f"No way to load suits the table {load.job.table}. Nothing of {load.job.window} was loaded."
    )


def _attempt(strategy: _Strategy) -> Changes | None:
    try:
        return strategy.run()
    except UnsuitableError:
        return None


def _run(
    hook: DbApiHook, job: Job, source: Source, work: Callable[[Load], _T], *, wait: bool
) -> _T:
    return in_session(
        hook,
        job,
        lambda dialect, connection: work(Load(dialect, connection, job, source)),
        is_own=lambda error: error is source.error,
        wait=wait,
    )
