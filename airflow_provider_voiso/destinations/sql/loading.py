"""Loads one window of records into a SQL table, as one transaction."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_provider_voiso.destinations.base import Written
from airflow_provider_voiso.destinations.columns import COLUMNS, columns, in_blocks
from airflow_provider_voiso.destinations.sql.dialect import Dialect, RefusedError, TableName
from airflow_provider_voiso.destinations.sql.duckdb import DuckdbDialect
from airflow_provider_voiso.destinations.sql.mysql import MysqlDialect
from airflow_provider_voiso.destinations.sql.portable import PortableDialect
from airflow_provider_voiso.destinations.sql.postgres import PostgresDialect
from airflow_provider_voiso.destinations.sql.sqlite import SqliteDialect
from airflow_provider_voiso.exceptions import (
    VoisoConfigurationError,
    VoisoDestinationError,
    VoisoError,
    VoisoReconciliationError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from airflow_provider_voiso.api.read import WindowRead
    from airflow_provider_voiso.api.window import Window
    from airflow_provider_voiso.destinations.columns import Page
    from airflow_provider_voiso.destinations.sql.dialect import Block

__all__ = ["Mode", "SqlTable", "TableName", "dialect_of", "load_window"]

Mode = Literal["replace_window", "upsert"]

_DIALECTS: dict[str, type[Dialect]] = {
    "duckdb": DuckdbDialect,
    "mysql": MysqlDialect,
    "postgresql": PostgresDialect,
    "sqlite": SqliteDialect,
}

_KEYS = frozenset({"uuid", "ended_at"})
_UUID, _ENDED_AT = (next(i for i, column in enumerate(COLUMNS) if column.name == key) for key in ("uuid", "ended_at"))

_COUNT_STAGE = "SELECT count(*), count(DISTINCT uuid) FROM {stage}"
_DELETE_WINDOW = "DELETE FROM {table} WHERE ended_at >= {mark} AND ended_at < {mark}"
_INSERT_STAGED = "INSERT INTO {table} ({columns}) SELECT {columns} FROM {stage}"
_COUNT_FOUND = "SELECT count(*) FROM {table} WHERE uuid IN (SELECT uuid FROM {stage})"
_COUNT_TABLE = "SELECT count(*) FROM {table}"
_IN_WINDOW = " WHERE ended_at >= {mark} AND ended_at < {mark}"


# The latter are faults of code, which quote no values and would be hard to find without their traceback.
_NO_FAILURE_OF_THE_DATABASE = (VoisoError, AttributeError, ImportError, NameError)
# A row outside of the window may have the uuid, the table may take no bulk load at all, or DuckDB needs more memory.
_NOT_DIRECT = frozenset({"IntegrityError", "NotSupportedError", "OutOfMemoryException"})


def dialect_of(hook: DbApiHook) -> Dialect:
    """Return how to load into a hook's database: its own way where there is one, else the portable way.

    What the portable way does not guarantee stands in :mod:`airflow_provider_voiso.destinations.sql.portable`.
    """
    # A bridge to PostgreSQL names its dialect, yet its connection can neither copy nor tell a constraint.
    name = hook.conn_type if hook.conn_type in ("jdbc", "odbc") else hook.dialect_name
    if name == "default":
        name = hook.conn_type
    return _DIALECTS.get(name, PortableDialect)()


class SqlTable:
    """A table that is brought to the state of one window in one transaction.

    :param hook: connection to the database
    :param table: where the rows go
    :param window: the window of the run, whose rows are replaced
    :param mode: see :func:`load_window`
    :param create_table: see :func:`load_window`
    :param add_columns: see :func:`load_window`
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
    ) -> None:
        self._hook = hook
        self._table = table
        self._window = window
        self._mode: Mode = mode
        self._create_table = create_table
        self._add_columns = add_columns

    @property
    def address(self) -> str:
        """The table's name."""
        return str(self._table)

    def check(self) -> None:
        """See that the database is one that can be loaded into."""
        dialect_of(self._hook)

    def write(self, read: WindowRead) -> Written:
        """Load the rows: see :func:`load_window`."""
        load_window(
            self._hook,
            table=self._table,
            pages=read,
            window=self._window,
            mode=self._mode,
            create_table=self._create_table,
            add_columns=self._add_columns,
        )
        return Written(bytes=read.size, table=self.address)


def load_window(
    hook: DbApiHook,
    *,
    table: TableName,
    pages: Iterable[Page],
    window: Window,
    mode: Mode,
    create_table: bool,
    add_columns: bool,
) -> int:
    """Bring a table to the state of one window: all of it is committed at once, or nothing.

    Loads of one table wait for each other. Columns that the table has beyond ours are left alone.

    :param hook: connection to the database; the load opens one of its own from it
    :param table: where the rows go
    :param pages: records as JSON, no uuid twice, from local storage: the table may be locked meanwhile. What can be
        iterated again goes straight into the table where possible, an iterator by way of a temporary one
    :param window: the interval that the records cover
    :param mode: ``replace_window`` removes every row of the window first, so that rows which Voiso no longer
        returns vanish; ``upsert`` adds and updates by uuid only
    :param create_table: create the table if it does not exist, with its key and index (in DuckDB without)
    :param add_columns: add the columns that an existing table lacks
    :returns: how many of the records the table holds after the load
    :raises VoisoConfigurationError: if the table is missing or does not fit, before any of its rows is touched
    :raises VoisoReconciliationError: if the table would not hold exactly what was read
    :raises VoisoDestinationError: if the database cannot be reached or refuses a statement
    """
    if mode not in get_args(Mode):
        raise VoisoConfigurationError(f"mode={mode!r} is not one of {', '.join(get_args(Mode))}.")
    dialect = dialect_of(hook)
    target = dialect.qualified(table)
    source = _Source(pages)
    connected = False
    try:
        with dialect.connect(hook) as connection:
            connected = True
            load = _Load(dialect, connection, table, target, source, window, mode, create_table, add_columns)
            try:
                return load.run()
            except BaseException as error:
                if isinstance(error, Exception) or dialect.can_roll_back_amid_an_answer:
                    with suppress(Exception):
                        connection.rollback()
                raise
    except Exception as error:
        if error is source.error or isinstance(error, _NO_FAILURE_OF_THE_DATABASE):
            raise
        failure = _failure(error, table, window) if connected else _no_connection(error, hook, window)
    # Not from within the handler: the context of the error would hold the driver's, whose words quote values.
    raise VoisoDestinationError(failure)


class _NotDirectError(Exception):
    """The records cannot go straight into the table."""


@dataclass(slots=True)
class _Source:
    """The records, and what went wrong while they were read."""

    pages: Iterable[Page]
    read: int = 0
    error: BaseException | None = None

    def __iter__(self) -> Iterator[Block]:
        self.read = 0
        try:
            for page in self.pages:
                self.read += len(page)
                yield from map(columns, in_blocks(page))
        except BaseException as error:
            self.error = error
            raise


@dataclass(slots=True)
class _Load:
    """The ways of one load over a connection."""

    dialect: Dialect
    connection: Any
    table: TableName
    target: str
    source: _Source
    window: Window
    mode: Mode
    create_table: bool
    add_columns: bool
    cursor: Any = field(init=False, default=None)
    stage: str = field(init=False, default="")

    def run(self) -> int:
        """Load and commit."""
        if not self.dialect.stages:
            return self._in_place()
        if self.mode == "replace_window" and iter(self.source.pages) is not self.source.pages:
            try:
                return self._directly()
            except _NotDirectError:
                pass
            except Exception as error:
                kinds = {kind.__name__ for kind in type(error).__mro__}
                if kinds.isdisjoint(_NOT_DIRECT) and not isinstance(error, RefusedError):
                    raise
            self.connection.rollback()
        return self._staged()

    def _directly(self) -> int:
        """Replace the window's rows without a stage; the table's own key or the dialect sees that each comes once."""
        self.cursor = self.dialect.begin(self.connection)
        self.dialect.lock(self.cursor, self.table)
        is_new = self.prepare()
        if not is_new:
            if not self.dialect.has_unique_uuid(self.cursor, self.table):
                raise _NotDirectError
            self._execute(_DELETE_WINDOW, *self._bounds())
        self.dialect.fill(self.cursor, self.target, self._blocks_in_window())
        if is_new:
            self.dialect.create_keys(self.cursor, self.table)
        if not self.dialect.keep_each_uuid_once(self.cursor, self.target, self._bounds(), self.source.read):
            raise _NotDirectError
        self.reconcile(self.source.read)
        self.connection.commit()
        return self.source.read

    def _in_place(self) -> int:
        """Replace row by row, without a stage."""
        self.cursor = self.dialect.begin(self.connection)
        self.dialect.lock(self.cursor, self.table)
        if self.prepare():
            self.dialect.create_keys(self.cursor, self.table)
        in_window = 0

        def counted() -> Iterator[Block]:
            nonlocal in_window
            for block in self.source:
                in_window += sum(1 for end in block[_ENDED_AT] if end and self.window.start <= end < self.window.end)
                yield block

        if self.mode == "replace_window":
            self._execute(_DELETE_WINDOW, *self._bounds())
        self.dialect.fill(self.cursor, self.target, counted())
        if self.mode == "replace_window":
            self.reconcile(in_window)
        self.connection.commit()
        return self.source.read

    def _staged(self) -> int:
        self.cursor = self.dialect.begin(self.connection)
        self.stage = self.dialect.create_stage(self.cursor, self.table)
        self.dialect.fill(self.cursor, self.stage, self.source)
        staged, distinct = self._execute(_COUNT_STAGE).fetchone()
        if not self.source.read == staged == distinct:
            raise VoisoReconciliationError(
                f"{self.source.read} records were read for {self.window}, {staged} were staged for the table "
                f"{self.table}, and {distinct} of these have a uuid of their own. The table was not touched. Clear the "
                "task to try again."
            )
        self.dialect.lock(self.cursor, self.table)
        if self.prepare():
            self.dialect.create_keys(self.cursor, self.table)
        if self.mode == "upsert":
            self._execute(self.dialect.upsert)
        else:
            self._execute(_DELETE_WINDOW, *self._bounds())
            self._execute(self.dialect.delete_staged)
            self._execute(_INSERT_STAGED)
        found: int = self._execute(_COUNT_FOUND).fetchone()[0]
        if found != staged:
            raise self._mismatch(f"{found} of {staged} records", "after the load")
        if self.mode == "replace_window":
            self.reconcile(self._execute(_COUNT_STAGE + _IN_WINDOW, *self._bounds()).fetchone()[0])
        self.connection.commit()
        return found

    def _blocks_in_window(self) -> Iterator[Block]:
        """Yield the records as long as a count of the window's rows tells that all of them are there."""
        for block in self.source:
            uuids, ended_at = block[_UUID], block[_ENDED_AT]
            if uuids and (
                None in uuids
                or None in ended_at
                or min(ended_at) < self.window.start
                or max(ended_at) >= self.window.end
            ):
                raise _NotDirectError
            yield block

    def prepare(self) -> bool:
        """Make sure of a table that holds every value and, for an upsert, has the key.

        :returns: whether it is new, and its keys are still to be created
        """
        present = self.dialect.columns(self.cursor, self.table)
        if not present and not self.create_table:
            raise self._refusal("does not exist. Create it, or set create_table=True")
        if not present:
            self.dialect.create(self.cursor, self.table)
            return True
        missing = [column for column in COLUMNS if column.name not in present]
        names = ", ".join(column.name for column in missing)
        if any(column.name in _KEYS for column in missing):
            raise self._refusal(f"is not one of call records: it lacks {names}. Name another table")
        if missing and not self.add_columns:
            raise self._refusal(f"lacks the columns {names}. Add them, or set add_columns=True")
        unusable = [
            f"{column.name} is {present[column.name]} and must be {self.dialect.declared(column)}"
            for column in COLUMNS
            if column.name in present and not self.dialect.accepts(column, present[column.name])
        ]
        if unusable:
            raise self._refusal(f"has columns that cannot hold every value: {'; '.join(unusable)}. Change their types")
        flaw = self.dialect.flaw(self.cursor, self.table)
        if flaw:
            raise self._refusal(flaw)
        if self.mode == "upsert" and not self.dialect.has_unique_uuid(self.cursor, self.table):
            raise self._refusal("has no unique key on uuid alone, which mode='upsert' needs. Add one")
        for column in missing:
            definition = f"{self.dialect.quoted(column.name)} {self.dialect.declared(column)}"
            self._execute("ALTER TABLE {table} ADD COLUMN " + definition)
        return False

    def reconcile(self, expected: int) -> None:
        """See that the table holds as many rows of the window as it must."""
        in_window: int = self._execute(_COUNT_TABLE + _IN_WINDOW, *self._bounds()).fetchone()[0]
        if in_window < expected:
            raise self._mismatch(f"{in_window} of {expected} records", "after the load")
        if in_window > expected:
            raise self._mismatch(f"{in_window} rows in the window", f"in place of {expected}")

    def _execute(self, template: str, *parameters: Any) -> Any:
        names = [self.dialect.quoted(column.name) for column in COLUMNS]
        statement = template.format(
            table=self.target,
            stage=self.stage,
            columns=", ".join(names),
            assignments=", ".join(self.dialect.assignment.format(column=name, stage=self.stage) for name in names[1:]),
            mark=self.dialect.placeholder,
        )
        self.cursor.execute(statement, parameters)
        return self.cursor

    def _bounds(self) -> tuple[Any, Any]:
        return self.dialect.instant(self.window.start), self.dialect.instant(self.window.end)

    def _refusal(self, what: str) -> VoisoConfigurationError:
        return VoisoConfigurationError(f"The table {self.table} {what}. Nothing of {self.window} was loaded.")

    def _mismatch(self, found: str, compared: str) -> VoisoReconciliationError:
        return VoisoReconciliationError(
            f"The table {self.table} would hold {found} {compared} for {self.window}, so the load was rolled back. "
            "Look for a trigger, rule or policy of the database that changes or drops rows of this table."
        )


def _no_connection(error: Exception, hook: DbApiHook, window: Window) -> str:
    return (
        f"The database of the connection '{hook.get_conn_id()}' cannot be reached: {type(error).__name__} "
        f"({_code(error)}). Nothing of {window} was loaded. Check the connection's host, port, login and database."
    )


def _failure(error: Exception, table: TableName, window: Window) -> str:
    return (
        f"Loading {window} into the table {table} failed in the database: {type(error).__name__} ({_code(error)}). The "
        "table holds all of this load or nothing of it. Look the code up, then run the task again. The database's own "
        "words are withheld, as they may quote records; its log has them."
    )


def _code(error: Exception) -> str:
    """Return what a driver gives as a code: no driver gives it in the same place."""
    names = ("sqlstate", "pgcode", "sqlite_errorname", "errno")
    found = [str(getattr(error, name)) for name in names if getattr(error, name, None)]
    if not found and error.args and isinstance(error.args[0], int):
        found = [str(error.args[0])]
    return " ".join(found) or "no code"
