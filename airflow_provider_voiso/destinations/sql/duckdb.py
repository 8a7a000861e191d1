"""DuckDB: one process at a time has the file open, so a load waits for the file and not for a table.

Tables that a load creates have no key and no index. DuckDB would hold either whole in memory, and a key takes more than
twice the place of the rows in the file; it finds a window by the lowest and highest ``ended_at`` of each group of rows,
which it keeps anyway. So the load itself sees to it that no uuid is there twice.
"""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_voiso.destinations.columns import COLUMNS
from airflow_provider_voiso.destinations.sql.dialect import LOCK_PATIENCE_SECONDS, Dialect, TableName
from airflow_provider_voiso.exceptions import VoisoDestinationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from airflow_provider_voiso.destinations.columns import Column
    from airflow_provider_voiso.destinations.sql.dialect import Block

_USABLE_TYPES = {
    "text": re.compile(r"VARCHAR"),
    "instant": re.compile(r"TIMESTAMP WITH TIME ZONE"),
    "integer": re.compile(r"BIGINT|HUGEINT"),
    "decimal": re.compile(r"DECIMAL\((?P<precision>\d+),(?P<scale>\d+)\)"),
    "json": re.compile(r"VARCHAR|JSON"),
}
_BETWEEN_TRIES_SECONDS = 0.2
_JSON_AT_ONCE = 1 << 19
_MEMORY = 48_000_000
_UUIDS_AT_ONCE = 1 << 17
_in_this_process = threading.Lock()


class DuckdbDialect(Dialect):
    """A DuckDB file, by way of the hook of airflow-provider-duckdb."""

    types = {  # noqa: RUF012 - declared as a ClassVar by the base class
        "text": "VARCHAR",
        "instant": "TIMESTAMPTZ",
        "integer": "BIGINT",
        "decimal": "DECIMAL(12,4)",
        "json": "VARCHAR",
    }
    placeholder = "?"
    upsert = (
        "MERGE INTO {table} AS old USING {stage} AS new ON old.uuid = new.uuid "
        "WHEN MATCHED THEN UPDATE SET {assignments} WHEN NOT MATCHED THEN INSERT BY NAME"
    )
    assignment = "{column} = new.{column}"

    @contextmanager
    def connect(self, hook: DbApiHook) -> Iterator[Any]:
        """Open the file as soon as no other process has it; threads of this process wait for each other too.

        :raises VoisoDestinationError: if it stays open elsewhere
        """
        deadline = time.monotonic() + LOCK_PATIENCE_SECONDS
        if not _in_this_process.acquire(timeout=LOCK_PATIENCE_SECONDS):
            raise _never_free(hook)
        try:
            connection = _opened(hook, deadline)
            try:
                connection.execute("SET enable_progress_bar = false")  # it would be printed into the task's log
                connection.execute("SET threads = 1")  # each takes memory of its own, and one loads as fast
                _remove_rows_of_killed_loads(connection)
                self._limit = connection.execute("SELECT current_setting('memory_limit')").fetchone()[0]
                yield connection
            finally:
                connection.close()
        finally:
            _in_this_process.release()

    def begin(self, connection: Any) -> Any:
        """Start a transaction in which rows leave memory soon; indexes could not, so not where there are some."""
        connection.begin()
        connection.execute(f"SET memory_limit = '{self._limit}'")
        used, has_indexes = connection.execute(
            "SELECT (SELECT sum(memory_usage_bytes) FROM duckdb_memory()), EXISTS (FROM duckdb_indexes()) OR EXISTS "
            "(FROM duckdb_constraints() WHERE constraint_type IN ('PRIMARY KEY', 'UNIQUE', 'FOREIGN KEY'))"
        ).fetchone()
        if not has_indexes:
            connection.execute(f"SET memory_limit = '{used + _MEMORY} bytes'")
        return connection

    def fill(self, cursor: Any, target: str, blocks: Iterable[Block]) -> None:
        """Append rows, some blocks at a time as one JSON text: DuckDB reads it faster than it binds Python's values."""
        names = [column.name for column in COLUMNS]
        shape = json.dumps([{column.name: [self.types[column.type]] for column in COLUMNS}])
        values = ", ".join(f"unnest(block.{self.quoted(name)})" for name in names)
        statement = (
            f"INSERT INTO {target} ({self.names()}) SELECT {values} "  # noqa: S608 - identifiers and types
            f"FROM (SELECT unnest(from_json_strict(?, '{shape}')) AS block)"
        )
        waiting: list[bytes] = []
        for block in blocks:
            waiting.append(msgspec.json.encode(dict(zip(names, block, strict=True))))
            if sum(map(len, waiting)) >= _JSON_AT_ONCE:
                cursor.execute(statement, [_array(waiting)])
                waiting = []
        cursor.execute(statement, [_array(waiting)])

    def lock(self, cursor: Any, table: TableName) -> None:
        """Do nothing: the whole file is this load's own."""

    def columns(self, cursor: Any, table: TableName) -> dict[str, str]:
        """Return the types by lower-case name: DuckDB ignores the case."""
        cursor.execute(
            "SELECT lower(column_name), data_type FROM duckdb_columns() WHERE database_name = current_database() "
            "AND schema_name = coalesce(?, current_schema()) AND lower(table_name) = lower(?)",
            (table.schema, table.name),
        )
        return dict(cursor.fetchall())

    def accepts(self, column: Column, declared: str) -> bool:
        """Refuse types that would round, move by the session's zone, or fail on a value that fits ours."""
        match = _USABLE_TYPES[column.type].fullmatch(declared)
        if match is None or column.type != "decimal":
            return match is not None
        precision, scale = int(match["precision"]), int(match["scale"])
        return scale >= 4 and precision - scale >= 8

    def has_unique_uuid(self, cursor: Any, table: TableName) -> bool:  # noqa: ARG002 - no key is asked for
        """Need no key: see :meth:`keep_each_uuid_once`."""
        return True

    def keep_each_uuid_once(self, cursor: Any, target: str, bounds: tuple[Any, Any], rows: int) -> bool:
        """Compare some uuids at a time, as many as fit into little memory."""
        parts = rows // _UUIDS_AT_ONCE + 1
        in_window, distinct = "ended_at >= ? AND ended_at < ?", 0
        for part in range(parts):
            of_part = f"hash(uuid) % {parts} = {part}"
            loaded = f"FROM {target} WHERE {in_window} AND {of_part}"
            cursor.execute(
                f"DELETE FROM {target} WHERE {of_part} AND ({in_window}) IS NOT TRUE "  # noqa: S608 - an identifier
                f"AND uuid IN (SELECT uuid {loaded})",
                [*bounds, *bounds],
            )
            distinct += cursor.execute(f"SELECT count(DISTINCT uuid) {loaded}", [*bounds]).fetchone()[0]
        return distinct == rows

    def create_stage(self, cursor: Any, table: TableName) -> str:
        """Create the stage in the connection's temporary database, which a transaction does not cover.

        What is done by way of a stage takes memory for all rows together.
        """
        cursor.execute(f"SET memory_limit = '{self._limit}'")
        return f"temp.{super().create_stage(cursor, table)}"

    def create(self, cursor: Any, table: TableName) -> None:
        """Create the table without a key."""
        cursor.execute(f"CREATE TABLE {self.qualified(table)} ({self.definitions()})")

    def create_keys(self, cursor: Any, table: TableName) -> None:
        """Do nothing: the table is to have none."""


def _remove_rows_of_killed_loads(connection: Any) -> None:
    """Remove what DuckDB puts aside in a directory beside its file, which no one else has open now."""
    (path,) = connection.execute(
        "SELECT path FROM duckdb_databases() WHERE database_name = current_database()"
    ).fetchone()
    for file in Path(f"{path}.tmp").glob("duckdb_temp_*"):
        file.unlink(missing_ok=True)


def _array(items: list[bytes]) -> str:
    return (b"[" + b",".join(items) + b"]").decode()


def _opened(hook: DbApiHook, deadline: float) -> Any:
    while True:
        try:
            return hook.get_conn()
        except Exception as error:
            if type(error).__name__ != "IOException" or "lock" not in str(error):
                raise
        if time.monotonic() > deadline:
            raise _never_free(hook)
        time.sleep(_BETWEEN_TRIES_SECONDS)


def _never_free(hook: DbApiHook) -> VoisoDestinationError:
    return VoisoDestinationError(
        f"The DuckDB file of the connection '{hook.get_conn_id()}' stayed open elsewhere for {LOCK_PATIENCE_SECONDS} "
        "seconds. Nothing was loaded. DuckDB lets one process at a time write: close the others, or give them turns."
    )
