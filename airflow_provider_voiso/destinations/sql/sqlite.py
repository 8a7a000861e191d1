"""SQLite: instants are text of fixed width, and the database file is locked as a whole."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.destinations.sql.dialect import (
    LOCK_PATIENCE_SECONDS,
    Dialect,
    ExistingColumn,
    ExistingTable,
    SqlType,
    stage_name,
)
from airflow_provider_voiso.destinations.sql.text import instants
from airflow_provider_voiso.exceptions import VoisoConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from airflow_provider_voiso.destinations.columns import Column
    from airflow_provider_voiso.destinations.sql.dialect import Block
    from airflow_provider_voiso.destinations.sql.table_name import TableName

_CACHE_KIB = 32_000
"""Pages beyond it are written before the commit, some of them twice, and keep readers out."""

# A key that SQLite fills by itself needs no value, though it may be NOT NULL.
_COLUMNS = """
    SELECT lower(name), type, NOT "notnull",
        dflt_value IS NOT NULL OR (pk > 0 AND upper(type) = 'INTEGER'), hidden IN (2, 3)
    FROM pragma_table_xinfo(?, 'main')
"""
_UNIQUE_UUID = """
    SELECT 1 FROM pragma_index_list(?, 'main') AS i WHERE i."unique" AND NOT i.partial AND
    (SELECT group_concat(lower(name)) FROM pragma_index_info(i.name, 'main')) = 'uuid'
"""
_IS_STRICT = "SELECT strict FROM pragma_table_list WHERE schema = 'main' AND lower(name) = lower(?)"


class SqliteDialect(Dialect):
    """A database file, by way of Airflow's SqliteHook."""

    # The usable types are affinities, which SQLite derives from the declared types.
    types = {  # noqa: RUF012 - declared as a ClassVar by the base class
        "text": SqlType("TEXT", "TEXT|BLOB"),
        "instant": SqlType("TEXT", "TEXT|BLOB|NUMERIC"),
        "integer": SqlType("INTEGER", "INTEGER|NUMERIC|BLOB"),
        "decimal": SqlType("NUMERIC(12,4)", "NUMERIC|REAL"),
        "json": SqlType("TEXT", "TEXT|BLOB|NUMERIC"),
    }
    placeholder = "?"
    # Not UPDATE FROM, which is younger than some systems' SQLite.
    update = (
        "UPDATE {table} SET ({columns}) = "
        "(SELECT {columns} FROM {stage} AS new WHERE new.uuid = {table}.uuid) "
        "WHERE uuid IN (SELECT new.uuid FROM {stage} AS new JOIN {table} AS old "
        "ON old.uuid = new.uuid WHERE {differs})"
    )

    def begin(self, connection: Any) -> Any:
        """Take transactions under our control; none is open, so that nothing is locked yet."""
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {LOCK_PATIENCE_SECONDS * 1000}")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        return connection.cursor()

    def fill(
        self, cursor: Any, target: str, columns: Sequence[Column], blocks: Iterable[Block]
    ) -> None:
        """Append rows."""
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {target} ({self.names(columns)}) VALUES ({marks})"  # noqa: S608 - identifiers and marks
        for block in blocks:
            bound = [_bound(column, values) for column, values in zip(columns, block, strict=True)]
            cursor.executemany(statement, zip(*bound, strict=True))

    def lock(self, cursor: Any, table: TableName) -> None:  # noqa: ARG002 - there is one lock for all tables
        """End the staging and take the file's write lock; readers go on until the commit."""
        if cursor.connection.in_transaction:
            cursor.execute("COMMIT")
        cursor.execute("BEGIN IMMEDIATE")

    def describe(self, cursor: Any, table: TableName) -> ExistingTable | None:
        """Return the table with columns in lower case: SQLite ignores the case."""
        cursor.execute(_COLUMNS, (table.name,))
        found = cursor.fetchall()
        if not found:
            return None
        is_strict = self._is_strict(cursor, table)
        columns = {}
        for name, declared, *rest in found:
            kind = f"STRICT {declared}" if is_strict and declared in {"BLOB", "ANY"} else declared
            columns[name] = ExistingColumn(kind, *map(bool, rest))
        cursor.execute(_UNIQUE_UUID, (table.name,))
        return ExistingTable(columns, has_unique_uuid=cursor.fetchone() is not None)

    def holds(self, column: Column, declared: str) -> bool:
        """Judge by the affinity that SQLite derives from the declared type."""
        if declared == "STRICT ANY":  # keeps each value as it is
            return column.type != "decimal"  # which is bound as text
        return super().holds(column, _affinity(declared.upper()))

    def needs_stage(self, error: Exception) -> bool:
        """Judge by the class: a row outside of the window may have the uuid."""
        return isinstance(error, sqlite3.IntegrityError)

    @staticmethod
    def _is_strict(cursor: Any, table: TableName) -> bool:
        if sqlite3.sqlite_version_info < (3, 37):  # has no strict tables
            return False
        row = cursor.execute(_IS_STRICT, (table.name,)).fetchone()
        return bool(row and row[0])

    def instant(self, value: datetime) -> str:
        """Return ISO 8601 with six decimals, whose texts sort as instants do."""
        return value.isoformat(timespec="microseconds")

    def qualified(self, table: TableName) -> str:
        """Return the quoted name in the main database, which outlives the connection."""
        if table.schema not in (None, "main"):
            raise VoisoConfigurationError(
                f"SQLite has no schemas, so the table {table} cannot exist. Name it {table.name}."
            )
        return f'"main"."{table.name}"'

    def create_stage(self, cursor: Any, table: TableName, columns: Sequence[Column]) -> str:
        """Create the stage in the connection's temporary database, and start to fill it at once.

        Without a transaction each row would be one; this one locks nothing but the stage.
        """
        cursor.execute("BEGIN")
        super().create_stage(cursor, table, columns)
        return f'"temp"."{stage_name(table)}"'

    def prepare_stage(self, cursor: Any, stage: str) -> None:
        """Add an index, by which updates find the staged record."""
        name = stage.replace('"temp".', "")
        cursor.execute(f'CREATE INDEX "temp"."voiso_staged_uuid" ON {name} (uuid)')

    def differs(self, column: Column) -> str:
        """Compare texts by their bytes, whatever the collation."""
        name = self.quoted(column.name)
        return f"old.{name} IS NOT new.{name} COLLATE BINARY"

    def create(self, cursor: Any, table: TableName) -> None:
        """Create the table with its key and its index.

        An index on a filled table would take 30 MB of memory per million rows, to sort them.
        """
        super().create(cursor, table)
        index = f'"main"."{table.name}_ended_at_idx"'
        cursor.execute(f'CREATE INDEX {index} ON "{table.name}" (ended_at)')


def _bound(column: Column, values: Sequence[Any]) -> Sequence[Any]:
    """Return values as SQLite binds them: instants as text of fixed width, decimals as text."""
    if column.type == "decimal":
        return [None if value is None else str(value) for value in values]
    if column.type != "instant":
        return values
    return [
        value and (text + "+00:00" if "." in text else text + ".000000+00:00")
        for value, text in zip(values, instants(values), strict=True)
    ]


def _affinity(declared: str) -> str:
    if declared.startswith("STRICT"):  # a BLOB that takes no text
        return declared
    if "INT" in declared:
        return "INTEGER"
    if any(part in declared for part in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if "BLOB" in declared or not declared:
        return "BLOB"
    return "REAL" if any(part in declared for part in ("REAL", "FLOA", "DOUB")) else "NUMERIC"
