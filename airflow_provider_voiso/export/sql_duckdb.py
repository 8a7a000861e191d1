"""DuckDB: one process at a time has the file open, so a load waits for the file and not for a table."""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import contextmanager, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_voiso.exceptions import VoisoDestinationError
from airflow_provider_voiso.export.columns import COLUMNS
from airflow_provider_voiso.export.sql_dialect import LOCK_PATIENCE_SECONDS, Dialect, TableName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from airflow_provider_voiso.export.columns import Column
    from airflow_provider_voiso.export.sql_dialect import Block

_USABLE_TYPES = {
    "text": re.compile(r"VARCHAR"),
    "instant": re.compile(r"TIMESTAMP WITH TIME ZONE"),
    "integer": re.compile(r"BIGINT|HUGEINT"),
    "decimal": re.compile(r"DECIMAL\((?P<precision>\d+),(?P<scale>\d+)\)"),
    "json": re.compile(r"VARCHAR|JSON"),
}
_BETWEEN_TRIES_SECONDS = 0.2
_BLOCKS_AT_ONCE = 8
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
                # By default five groups of rows, some 30 MB each, wait in memory. The setting ends with the instance.
                with suppress(Exception):  # before 1.5 there is none
                    connection.execute("SET GLOBAL write_buffer_row_group_count = 1")
                yield connection
            finally:
                connection.close()
        finally:
            _in_this_process.release()

    def begin(self, connection: Any) -> Any:
        """Start a transaction."""
        connection.begin()
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
        remaining = iter(blocks)
        while some := [dict(zip(names, block, strict=True)) for block in islice(remaining, _BLOCKS_AT_ONCE)]:
            cursor.execute(statement, [msgspec.json.encode(some).decode()])

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

    def has_unique_uuid(self, cursor: Any, table: TableName) -> bool:
        """Look for a key; DuckDB's ON CONFLICT also takes a unique index."""
        cursor.execute(
            "SELECT 1 FROM duckdb_constraints() WHERE database_name = current_database() "
            "AND schema_name = coalesce($1, current_schema()) AND lower(table_name) = lower($2) "
            "AND constraint_type IN ('PRIMARY KEY', 'UNIQUE') AND constraint_column_names = ['uuid'] "
            "UNION ALL SELECT 1 FROM duckdb_indexes() WHERE database_name = current_database() "
            "AND schema_name = coalesce($1, current_schema()) AND lower(table_name) = lower($2) "
            "AND is_unique AND expressions IN ('[uuid]', '[''uuid'']', '[\"uuid\"]')",
            (table.schema, table.name),
        )
        return cursor.fetchone() is not None

    def create_stage(self, cursor: Any, table: TableName) -> str:
        """Create the stage in the connection's temporary database, which a transaction does not cover."""
        return f"temp.{super().create_stage(cursor, table)}"

    def create_keys(self, cursor: Any, table: TableName) -> None:
        """Add the index; a key that is added within the transaction takes more memory than one that was there."""
        cursor.execute(f'CREATE INDEX "{table.name}_ended_at_idx" ON {self.qualified(table)} (ended_at)')


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
