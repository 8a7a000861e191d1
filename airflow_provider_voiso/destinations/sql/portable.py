"""Any other database behind a ``DbApiHook``, with nothing but standard SQL and DB-API 2.0.

What is not guaranteed there, as no standard names it:

- Locking: two loads of one window at once may meet; the count after the load notices rows that
  stand there twice.
- One transaction: if the connection commits each statement by itself (Trino does), a load that dies
  leaves a window half replaced until the task runs again.
- Creating the table inside the transaction: it is committed before, and stays if the load fails.
- Column types: they are not compared with what the values need; a created table gets them from
  SQLAlchemy's dialect.
"""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_voiso.destinations.columns import COLUMNS
from airflow_provider_voiso.destinations.sql.dialect import (
    Dialect,
    ExistingColumn,
    ExistingTable,
    RefusedError,
    SqlType,
    position,
)
from airflow_provider_voiso.exceptions import VoisoConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from airflow_provider_voiso.destinations.columns import Column
    from airflow_provider_voiso.destinations.sql.dialect import Block
    from airflow_provider_voiso.destinations.sql.table_name import TableName

_ROWS_AT_ONCE = 500


class PortableDialect(Dialect):
    """A database of which nothing is known."""

    can_roll_back_amid_an_answer = False
    strategies = ("row by row",)
    types: ClassVar[Mapping[str, SqlType]] = {}  # see `declared` and `holds`

    def connect(self, hook: DbApiHook, *, wait: bool = True) -> AbstractContextManager[Any]:  # noqa: ARG002 - it never waits
        """Open a connection; the hook tells how its statements name parameters."""
        self._hook = hook
        self.placeholder = hook.placeholder
        return closing(hook.get_conn())

    def begin(self, connection: Any) -> Any:
        """Leave the start of the transaction to the driver, as DB-API asks."""
        self._connection = connection
        if self._hook.supports_autocommit:
            self._hook.set_autocommit(connection, autocommit=False)
        return connection.cursor()

    def fill(
        self, cursor: Any, target: str, columns: Sequence[Column], blocks: Iterable[Block]
    ) -> None:
        """Replace rows by their uuid, and check that each is there once; append those without."""
        names, marks = self.names(columns), self._marks(len(columns))
        insert = f"INSERT INTO {target} ({names}) VALUES ({marks})"  # noqa: S608 - no values
        for block in blocks:
            rows = list(zip(*block, strict=True))
            if not any(column.name == "uuid" for column in columns):
                cursor.executemany(insert, rows)
                continue
            uuid = position(columns, "uuid")
            for first in range(0, len(rows), _ROWS_AT_ONCE):
                some = rows[first : first + _ROWS_AT_ONCE]
                uuids = [row[uuid] for row in some]
                these = f"FROM {target} WHERE uuid IN ({self._marks(len(uuids))})"
                cursor.execute(f"DELETE {these}", uuids)
                cursor.executemany(insert, some)
                cursor.execute(f"SELECT count(*) {these}", uuids)
                if cursor.fetchone()[0] != len(some):
                    raise RefusedError("rows missing or doubled after their insert")

    def _marks(self, count: int) -> str:
        return ", ".join([self.placeholder] * count)

    def describe(self, cursor: Any, table: TableName) -> ExistingTable | None:
        """Return the names of the columns in lower case, without types.

        A table that cannot be read counts as missing. No key is asked for, as rows are deleted by
        their uuid before they are inserted.
        """
        try:
            cursor.execute(f"SELECT * FROM {self.qualified(table)} WHERE 1 = 0")  # noqa: S608 - an identifier
            names = [column[0].lower() for column in cursor.description]
            cursor.fetchall()
        except Exception:  # noqa: BLE001 - each driver has its own
            with suppress(Exception):
                self._connection.rollback()
            return None
        columns = {name: ExistingColumn("unknown") for name in names}
        return ExistingTable(columns, has_unique_uuid=True)

    def holds(self, column: Column, declared: str) -> bool:  # noqa: ARG002 - types are not known
        """Take every column."""
        return True

    def quoted(self, identifier: str) -> str:
        """Leave identifiers as they are: quoted ones mean other tables where the case counts."""
        return identifier

    def declared(self, column: Column) -> str:
        """Return the type that SQLAlchemy's dialect of the database gives.

        :raises RefusedError: if there is no such dialect
        """
        import sqlalchemy as sa  # noqa: PLC0415 - other databases do without

        types: dict[str, Any] = {
            "text": sa.String(255) if column.name == "uuid" else sa.Unicode(),
            "instant": sa.DateTime(timezone=True),
            "integer": sa.BigInteger(),
            "decimal": sa.Numeric(12, 4),
            "json": sa.Unicode(),
        }
        try:
            return str(
                types[column.type].compile(dialect=self._hook.get_sqlalchemy_engine().dialect)
            )
        except Exception:  # noqa: BLE001 - drivers that are not installed, addresses that SQLAlchemy cannot read
            raise RefusedError("no SQLAlchemy dialect") from None

    def create(self, cursor: Any, table: TableName) -> None:
        """Create the table with its key."""
        definitions = self._known_definitions(table, COLUMNS)
        keyed = definitions.replace(",", " NOT NULL,", 1)
        cursor.execute(f"CREATE TABLE {self.qualified(table)} ({keyed}, PRIMARY KEY (uuid))")

    def create_without_keys(self, cursor: Any, table: TableName, columns: Sequence[Column]) -> None:
        """Create a table of any columns."""
        definitions = self._known_definitions(table, columns)
        cursor.execute(f"CREATE TABLE {self.qualified(table)} ({definitions})")

    def _known_definitions(self, table: TableName, columns: Sequence[Column]) -> str:
        try:
            return self.definitions(columns)
        except RefusedError:
            raise VoisoConfigurationError(
                f"The table {table} does not exist or cannot be read, and it is not known which "
                f"types the database of the connection '{self._hook.get_conn_id()}' has. Create "
                "the table with the columns of docs/columns.md."
            ) from None

    def create_keys(self, cursor: Any, table: TableName) -> None:
        """Add the index on ``ended_at``, if the database has such things."""
        self._connection.commit()
        with suppress(Exception):
            cursor.execute(
                f"CREATE INDEX {table.name}_ended_at ON {self.qualified(table)} (ended_at)"
            )
        self._connection.commit()
