"""Loads one window of records into a SQL table, as one transaction."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_provider_voiso.exceptions import (
    VoisoConfigurationError,
    VoisoDestinationError,
    VoisoReconciliationError,
)
from airflow_provider_voiso.export.columns import COLUMNS, rows
from airflow_provider_voiso.export.sql_dialect import Dialect, TableName
from airflow_provider_voiso.export.sql_postgres import PostgresDialect
from airflow_provider_voiso.export.sql_sqlite import SqliteDialect

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from airflow_provider_voiso.api.window import Window
    from airflow_provider_voiso.export.columns import Page

__all__ = ["Mode", "TableName", "dialect_of", "load_window"]

Mode = Literal["replace_window", "upsert"]

_DIALECTS: dict[str, Dialect] = {"postgresql": PostgresDialect(), "sqlite": SqliteDialect()}

_KEYS = frozenset({"uuid", "ended_at"})

_COUNT_STAGE = "SELECT count(*), count(DISTINCT uuid) FROM {stage}"
_DELETE_WINDOW = "DELETE FROM {table} WHERE ended_at >= {mark} AND ended_at < {mark}"
_DELETE_STAGED = "DELETE FROM {table} WHERE uuid IN (SELECT uuid FROM {stage})"
_INSERT_STAGED = "INSERT INTO {table} ({columns}) SELECT {columns} FROM {stage}"
_COUNT_FOUND = "SELECT count(*) FROM {table} WHERE uuid IN (SELECT uuid FROM {stage})"
_COUNT_TABLE = "SELECT count(*) FROM {table}"
_IN_WINDOW = " WHERE ended_at >= {mark} AND ended_at < {mark}"


def dialect_of(hook: DbApiHook) -> Dialect:
    """Return how to load into a hook's database.

    :raises VoisoConfigurationError: if the database is not supported, with the names of those that are
    """
    # A bridge to PostgreSQL names its dialect, yet its connection can neither copy nor tell a constraint.
    name = hook.conn_type if hook.conn_type in ("jdbc", "odbc") else hook.dialect_name
    if name == "default":
        name = hook.conn_type
    if name not in _DIALECTS:
        raise VoisoConfigurationError(
            f"Cannot load into a database of the kind '{name}' (connection '{hook.get_conn_id()}'). "
            f"Supported: {', '.join(_DIALECTS)}."
        )
    return _DIALECTS[name]


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
    :param pages: records as JSON, no uuid twice; read once, page by page, and no longer than until the table is locked
    :param window: the interval that the records cover
    :param mode: ``replace_window`` removes every row of the window first, so that rows which Voiso no longer
        returns vanish; ``upsert`` adds and updates by uuid only
    :param create_table: create the table, with its key and index, if it does not exist
    :param add_columns: add the columns that an existing table lacks
    :returns: how many of the records the table holds after the load
    :raises VoisoConfigurationError: if the table is missing or does not fit, before any of its rows is touched
    :raises VoisoReconciliationError: if the table would not hold exactly what was read
    :raises VoisoDestinationError: if the database refuses a statement
    """
    if mode not in get_args(Mode):
        raise VoisoConfigurationError(f"mode={mode!r} is not one of {', '.join(get_args(Mode))}.")
    dialect = dialect_of(hook)
    target = dialect.qualified(table)
    refusal = None
    with closing(hook.get_conn()) as connection:
        try:
            dialect.begin(connection)
            cursor = connection.cursor()
            stage = dialect.create_stage(cursor, table)
            load = _Load(dialect, cursor, table, target, stage, window)
            load.fill(pages)
            dialect.lock(cursor, table)
            load.prepare(mode, create_table=create_table, add_columns=add_columns)
            load.write(mode)
            found = load.reconcile(mode)
            connection.commit()
        except BaseException as error:
            with suppress(connection.Error):
                connection.rollback()
            if not isinstance(error, connection.Error):
                raise
            refusal = _failure(error, table, window)
    if refusal:  # raised here, so that the driver's error, which may quote records, is not its context
        raise VoisoDestinationError(refusal)
    return found


@dataclass(frozen=True, slots=True)
class _Load:
    """The steps of one load on an open transaction."""

    dialect: Dialect
    cursor: Any
    table: TableName
    target: str
    stage: str
    window: Window

    def fill(self, pages: Iterable[Page]) -> None:
        """Stage every record and see that each has arrived once."""
        read = 0
        for page in pages:
            read += len(page)
            self.dialect.fill(self.cursor, self.stage, rows(page))
        staged, distinct = self._execute(_COUNT_STAGE).fetchone()
        if not read == staged == distinct:
            raise VoisoReconciliationError(
                f"{read} records were read for {self.window}, {staged} were staged for the table {self.table}, and "
                f"{distinct} of these have a uuid of their own. The table was not touched. Clear the task to try again."
            )

    def prepare(self, mode: Mode, *, create_table: bool, add_columns: bool) -> None:
        """Make sure of a table that holds every value and, for an upsert, has the key."""
        present = self.dialect.columns(self.cursor, self.table)
        if not present and not create_table:
            raise self._refusal("does not exist. Create it, or set create_table=True")
        if not present:
            self.dialect.create(self.cursor, self.table)
            return
        missing = [column for column in COLUMNS if column.name not in present]
        names = ", ".join(column.name for column in missing)
        if any(column.name in _KEYS for column in missing):
            raise self._refusal(f"is not one of call records: it lacks {names}. Name another table")
        if missing and not add_columns:
            raise self._refusal(f"lacks the columns {names}. Add them, or set add_columns=True")
        types = self.dialect.types
        unusable = [
            f"{column.name} is {present[column.name]} and must be {types[column.type]}"
            for column in COLUMNS
            if column.name in present and not self.dialect.accepts(column, present[column.name])
        ]
        if unusable:
            raise self._refusal(f"has columns that cannot hold every value: {'; '.join(unusable)}. Change their types")
        if mode == "upsert" and not self.dialect.has_unique_uuid(self.cursor, self.table):
            raise self._refusal("has no unique key on uuid alone, which mode='upsert' needs. Add one")
        for column in missing:
            self._execute(
                "ALTER TABLE {table} ADD COLUMN " + f"{self.dialect.quoted(column.name)} {types[column.type]}"
            )

    def write(self, mode: Mode) -> None:
        """Move the staged rows into the table."""
        if mode == "upsert":
            self._execute(self.dialect.upsert)
            return
        self._execute(_DELETE_WINDOW, *self._bounds())
        self._execute(_DELETE_STAGED)
        self._execute(_INSERT_STAGED)

    def reconcile(self, mode: Mode) -> int:
        """Return how many staged records the table holds; see that this is all, and nothing else, of them."""
        expected: int = self._execute(_COUNT_STAGE).fetchone()[0]
        found: int = self._execute(_COUNT_FOUND).fetchone()[0]
        if found != expected:
            raise self._mismatch(f"{found} of {expected} records", "after the load")
        if mode == "replace_window":
            expected = self._execute(_COUNT_STAGE + _IN_WINDOW, *self._bounds()).fetchone()[0]
            in_window = self._execute(_COUNT_TABLE + _IN_WINDOW, *self._bounds()).fetchone()[0]
            if in_window != expected:
                raise self._mismatch(f"{in_window} rows in the window", f"in place of {expected}")
        return found

    def _execute(self, template: str, *parameters: Any) -> Any:
        names = [self.dialect.quoted(column.name) for column in COLUMNS]
        statement = template.format(
            table=self.target,
            stage=self.stage,
            columns=", ".join(names),
            assignments=", ".join(f"{name} = excluded.{name}" for name in names[1:]),
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


def _failure(error: Exception, table: TableName, window: Window) -> str:
    codes = (getattr(error, name, None) for name in ("sqlstate", "pgcode", "sqlite_errorname"))
    code = next(filter(None, codes), "no code")
    return (
        f"Loading {window} into the table {table} failed in the database: {type(error).__name__} ({code}). The table "
        "holds all of this load or nothing of it. The database's own words are withheld, as they may quote records; "
        "its log has them."
    )
