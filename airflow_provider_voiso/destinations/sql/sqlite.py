"""SQLite: instants are text of fixed width, and the database file is locked as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.destinations.columns import COLUMNS
from airflow_provider_voiso.destinations.sql.dialect import LOCK_PATIENCE_SECONDS, Dialect, TableName, stage_name
from airflow_provider_voiso.destinations.sql.text import instants
from airflow_provider_voiso.exceptions import VoisoConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from airflow_provider_voiso.destinations.columns import Column
    from airflow_provider_voiso.destinations.sql.dialect import Block

_CACHE_KIB = 32_000
"""Pages beyond it are written before the commit, many of them more than once, and keep readers out meanwhile."""
_USABLE_AFFINITIES = {
    "text": {"TEXT", "BLOB"},
    "instant": {"TEXT", "BLOB", "NUMERIC"},
    "integer": {"INTEGER", "NUMERIC", "BLOB"},
    "decimal": {"NUMERIC", "REAL"},
    "json": {"TEXT", "BLOB", "NUMERIC"},
}


class SqliteDialect(Dialect):
    """A database file, by way of Airflow's SqliteHook."""

    types = {  # noqa: RUF012 - declared as a ClassVar by the base class
        "text": "TEXT",
        "instant": "TEXT",
        "integer": "INTEGER",
        "decimal": "NUMERIC(12,4)",
        "json": "TEXT",
    }
    placeholder = "?"

    def begin(self, connection: Any) -> Any:
        """Take transactions under our control and start one that locks nothing but the stage."""
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {LOCK_PATIENCE_SECONDS * 1000}")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("BEGIN")
        return connection.cursor()

    def fill(self, cursor: Any, target: str, blocks: Iterable[Block]) -> None:
        """Append rows."""
        marks = ", ".join("?" * len(COLUMNS))
        statement = f"INSERT INTO {target} ({self.names()}) VALUES ({marks})"  # noqa: S608 - identifiers and marks
        for block in blocks:
            cursor.executemany(statement, zip(*map(self._bound, COLUMNS, block), strict=True))

    def lock(self, cursor: Any, table: TableName) -> None:  # noqa: ARG002 - there is one lock for all tables
        """End the staging and take the file's write lock; readers go on until the commit."""
        cursor.execute("COMMIT")
        cursor.execute("BEGIN IMMEDIATE")

    def columns(self, cursor: Any, table: TableName) -> dict[str, str]:
        """Return the declared types by lower-case name: SQLite ignores the case."""
        cursor.execute("SELECT lower(name), type FROM pragma_table_info(?, 'main')", (table.name,))
        return dict(cursor.fetchall())

    def accepts(self, column: Column, declared: str) -> bool:
        """Judge by the affinity that SQLite derives from the declared type."""
        return _affinity(declared.upper()) in _USABLE_AFFINITIES[column.type]

    def has_unique_uuid(self, cursor: Any, table: TableName) -> bool:
        """Look for a complete unique index on the one column."""
        cursor.execute(
            "SELECT 1 FROM pragma_index_list(?, 'main') AS i WHERE i.\"unique\" AND NOT i.partial AND "
            "(SELECT group_concat(lower(name)) FROM pragma_index_info(i.name, 'main')) = 'uuid'",
            (table.name,),
        )
        return cursor.fetchone() is not None

    def instant(self, value: datetime) -> str:
        """Return ISO 8601 with six decimals, so that the order of texts is the order of instants."""
        return value.isoformat(timespec="microseconds")

    def qualified(self, table: TableName) -> str:
        """Return the quoted name in the main database, the only one that outlives the connection."""
        if table.schema not in (None, "main"):
            raise VoisoConfigurationError(
                f"SQLite has no schemas, so the table {table} cannot exist. Name it {table.name}."
            )
        return f'"main"."{table.name}"'

    def create_stage(self, cursor: Any, table: TableName) -> str:
        """Create the stage in the connection's temporary database."""
        super().create_stage(cursor, table)
        return f'"temp"."{stage_name(table)}"'

    def create(self, cursor: Any, table: TableName) -> None:
        """Create the table with its key and its index; to sort a million rows for the index takes 30 MB later."""
        super().create(cursor, table)
        cursor.execute(f'CREATE INDEX "main"."{table.name}_ended_at_idx" ON "{table.name}" (ended_at)')

    def create_keys(self, cursor: Any, table: TableName) -> None:
        """Do nothing: the table has them."""

    def _bound(self, column: Column, values: Sequence[Any]) -> Iterable[Any]:
        if column.type == "instant":
            return [
                value and (text + "+00:00" if "." in text else text + ".000000+00:00")
                for value, text in zip(values, instants(values), strict=True)
            ]
        if column.type == "decimal":
            return [None if value is None else str(value) for value in values]
        return values


def _affinity(declared: str) -> str:
    if "INT" in declared:
        return "INTEGER"
    if any(part in declared for part in ("CHAR", "CLOB", "TEXT")):
        return "TEXT"
    if "BLOB" in declared or not declared:
        return "BLOB"
    return "REAL" if any(part in declared for part in ("REAL", "FLOA", "DOUB")) else "NUMERIC"
