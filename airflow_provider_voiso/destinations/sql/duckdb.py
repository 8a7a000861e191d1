"""DuckDB: one process at a time has the file open, so a load waits for the file, not for a table.

Tables that a load creates have no key and no index. DuckDB would hold either whole in memory, and a
key takes more than twice the space of the rows in the file. It finds a window without: it keeps the
lowest and highest ``ended_at`` of each group of rows. So the load itself ensures that no uuid is
there twice.

A window that holds rows is staged and compared as in other databases, within the same little
memory: DuckDB moves what does not fit, of the stage and of the joins, to files beside its own.
"""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_voiso.destinations.sql.dialect import (
    LOCK_PATIENCE_SECONDS,
    BusyError,
    Dialect,
    ExistingColumn,
    ExistingTable,
    SqlType,
)
from airflow_provider_voiso.exceptions import VoisoDestinationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from airflow_provider_voiso.destinations.columns import Column
    from airflow_provider_voiso.destinations.sql.dialect import Block
    from airflow_provider_voiso.destinations.sql.table_name import TableName

_BETWEEN_TRIES_SECONDS = 0.2
_JSON_AT_ONCE = 1 << 19
_MEMORY = 48_000_000
_UUIDS_AT_ONCE = 1 << 17
_COLUMNS = """
    SELECT * FROM duckdb_columns() WHERE database_name = current_database()
    AND schema_name = coalesce(?, current_schema()) AND lower(table_name) = lower(?)
"""
_in_this_process = threading.Lock()


class DuckdbDialect(Dialect):
    """A DuckDB file, by way of the hook of airflow-provider-duckdb."""

    types = {  # noqa: RUF012 - declared as a ClassVar by the base class
        "text": SqlType("VARCHAR", "VARCHAR"),
        "instant": SqlType("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"),
        "integer": SqlType("BIGINT", "BIGINT|HUGEINT"),
        "decimal": SqlType("DECIMAL(12,4)", r"DECIMAL\((?P<precision>\d+),(?P<scale>\d+)\)"),
        "json": SqlType("VARCHAR", "VARCHAR|JSON"),
    }
    placeholder = "?"
    # A second time with all the memory, if little was not enough.
    strategies = ("direct", "staged", "staged")
    counts_updates = False
    has_keys = False

    def __init__(self) -> None:
        self._takes_memory = False

    @contextmanager
    def connect(self, hook: DbApiHook, *, wait: bool = True) -> Iterator[Any]:
        """Open the file once no other process has it; threads of this process wait likewise.

        :raises BusyError: if it is open elsewhere and ``wait`` is false
        :raises VoisoDestinationError: if it stays open elsewhere
        """
        patience = LOCK_PATIENCE_SECONDS if wait else 0
        deadline = time.monotonic() + patience
        if not _in_this_process.acquire(timeout=patience):
            raise _never_free(hook, wait=wait)
        try:
            connection = _opened(hook, deadline, wait=wait)
            try:
                # The bar would be printed into the task's log.
                connection.execute("SET enable_progress_bar = false")
                # Each thread takes memory of its own, and one loads as fast.
                connection.execute("SET threads = 1")
                _remove_rows_of_killed_loads(connection)
                self._limit = _setting(connection, "memory_limit")
                yield connection
            finally:
                connection.close()
        finally:
            _in_this_process.release()

    def begin(self, connection: Any) -> Any:
        """Start a transaction in which rows leave memory soon.

        Indexes cannot leave it, so the limit stays as it was if there are any.
        """
        connection.begin()
        connection.execute(f"SET memory_limit = '{self._limit}'")
        used, has_indexes = connection.execute(
            "SELECT (SELECT sum(memory_usage_bytes) FROM duckdb_memory()), "
            "EXISTS (FROM duckdb_indexes()) OR EXISTS (FROM duckdb_constraints() "
            "WHERE constraint_type IN ('PRIMARY KEY', 'UNIQUE', 'FOREIGN KEY'))"
        ).fetchone()
        if not has_indexes and not self._takes_memory:
            connection.execute(f"SET memory_limit = '{used + _MEMORY} bytes'")
        return connection

    def fill(
        self, cursor: Any, target: str, columns: Sequence[Column], blocks: Iterable[Block]
    ) -> None:
        """Append rows, some blocks at a time as one JSON text.

        DuckDB reads that faster than it binds Python's values.
        """
        names = [column.name for column in columns]
        shape = json.dumps([{column.name: [self.declared(column)] for column in columns}])
        values = ", ".join(f"unnest(block.{self.quoted(name)})" for name in names)
        statement = (
            f"INSERT INTO {target} ({self.names(columns)}) "  # noqa: S608 - identifiers and types
            f"SELECT {values} "
            f"FROM (SELECT unnest(from_json_strict(?, '{shape}')) AS block)"
        )
        waiting: list[bytes] = []
        for block in blocks:
            waiting.append(msgspec.json.encode(dict(zip(names, block, strict=True))))
            if sum(map(len, waiting)) >= _JSON_AT_ONCE:
                cursor.execute(statement, [_array(waiting)])
                waiting = []
        cursor.execute(statement, [_array(waiting)])

    def describe(self, cursor: Any, table: TableName) -> ExistingTable | None:
        """Return the table with columns in lower case: DuckDB ignores the case.

        No key is asked for: see :meth:`holds_each_uuid_once`.
        """
        cursor.execute(_COLUMNS, (table.schema, table.name))
        names = [field[0] for field in cursor.description]
        columns = {}
        for values in cursor.fetchall():
            told = dict(zip(names, values, strict=True))
            columns[told["column_name"].lower()] = ExistingColumn(
                told["data_type"],
                takes_null=told["is_nullable"],
                has_default=told["column_default"] is not None,
                is_generated=told.get("is_generated", False),  # not told before DuckDB 2.0
            )
        return ExistingTable(columns, has_unique_uuid=True) if columns else None

    def needs_stage(self, error: Exception) -> bool:
        """Judge by the class: a key of the table met another row, or the memory was not enough."""
        import duckdb  # noqa: PLC0415 - only there if it is used

        return isinstance(error, (duckdb.ConstraintException, duckdb.OutOfMemoryException))

    def can_retry(self, error: Exception) -> bool:
        """Retry once with all the memory, for rows that little memory cannot update."""
        import duckdb  # noqa: PLC0415 - only there if it is used

        is_first = not self._takes_memory
        self._takes_memory = True
        return is_first and isinstance(error, duckdb.OutOfMemoryException)

    def holds_each_uuid_once(
        self, cursor: Any, target: str, bounds: tuple[Any, Any], rows: int
    ) -> bool:
        """Compare some uuids at a time, as many as fit into little memory."""
        parts = rows // _UUIDS_AT_ONCE + 1
        for part in range(parts):
            of_part = f"hash(uuid) % {parts} = {part}"
            cursor.execute(
                "SELECT count(*) = count(DISTINCT uuid) "  # noqa: S608 - an identifier
                f"FROM {target} "
                f"WHERE {of_part} AND uuid IN (SELECT uuid FROM {target} "
                f"WHERE ended_at >= ? AND ended_at < ? AND {of_part})",
                [*bounds],
            )
            if not cursor.fetchone()[0]:
                return False
        return True

    def create_stage(self, cursor: Any, table: TableName, columns: Sequence[Column]) -> str:
        """Create the stage in the connection's temporary database, outside of the transaction.

        What does not fit into little memory, of the stage and of joins with it, goes to files
        beside the database's own.
        """
        return f"temp.{super().create_stage(cursor, table, columns)}"

    def create(self, cursor: Any, table: TableName) -> None:
        """Create the table without a key."""
        cursor.execute(f"CREATE TABLE {self.qualified(table)} ({self.definitions()})")


def _setting(connection: Any, name: str) -> Any:
    (value,) = connection.execute("SELECT current_setting(?)", [name]).fetchone()
    return value


def _remove_rows_of_killed_loads(connection: Any) -> None:
    """Remove the files beside its own into which a killed DuckDB moved rows."""
    (path,) = connection.execute(
        "SELECT path FROM duckdb_databases() WHERE database_name = current_database()"
    ).fetchone()
    for file in Path(f"{path}.tmp").glob("duckdb_temp_*"):
        file.unlink(missing_ok=True)


def _array(items: list[bytes]) -> str:
    return (b"[" + b",".join(items) + b"]").decode()


def _opened(hook: DbApiHook, deadline: float, *, wait: bool) -> Any:
    while True:
        try:
            return hook.get_conn()
        except Exception as error:
            if type(error).__name__ != "IOException" or "lock" not in str(error):
                raise
        if time.monotonic() > deadline:
            raise _never_free(hook, wait=wait)
        time.sleep(_BETWEEN_TRIES_SECONDS)


def _never_free(hook: DbApiHook, *, wait: bool) -> Exception:
    if not wait:
        return BusyError()
    return VoisoDestinationError(
        f"The DuckDB file of the connection '{hook.get_conn_id()}' stayed open elsewhere for "
        f"{LOCK_PATIENCE_SECONDS} seconds. Nothing was loaded. DuckDB lets one process at a time "
        "write: close the others, or give them turns."
    )
