"""MySQL and MariaDB, by way of mysqlclient or mysql-connector-python, whichever the connection names.

Statements that change a table commit by themselves there, so a table is created or altered before any row is touched.
Loads of one table wait for each other by a lock of the server that ends with the session; other writers do not, and a
load that meets one fails by its count.
"""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.destinations.columns import COLUMNS
from airflow_provider_voiso.destinations.sql.dialect import (
    LOCK_PATIENCE_SECONDS,
    Dialect,
    RefusedError,
    TableName,
    stage_name,
)
from airflow_provider_voiso.destinations.sql.text import instants, lines

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager
    from datetime import datetime

    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from airflow_provider_voiso.destinations.columns import Column
    from airflow_provider_voiso.destinations.sql.dialect import Block

_USABLE_TYPES = {
    "text": re.compile(r"(tiny|medium|long)?text|varchar\(\d+\)"),
    "instant": re.compile(r"datetime\(6\)"),
    "integer": re.compile(r"bigint(\(\d+\))?"),
    "decimal": re.compile(r"decimal\((?P<precision>\d+),(?P<scale>\d+)\)"),
    "json": re.compile(r"(medium|long)?text"),
}
_ENDED_AT = next(index for index, column in enumerate(COLUMNS) if column.type == "instant")
_LOCK_NAME = "CONCAT('voiso ', SHA1(LOWER(CONCAT(COALESCE(%s, DATABASE()), '.', %s))))"
_COLUMNS = """
    SELECT LOWER(column_name), CONCAT(
        LOWER(column_type), IF(character_set_name <> 'utf8mb4', CONCAT(' character set ', character_set_name), '')
    )
    FROM information_schema.columns WHERE table_schema = COALESCE(%s, DATABASE()) AND table_name = %s
"""
_ENGINES_WITHOUT_TRANSACTIONS = """
    SELECT engine FROM information_schema.tables LEFT JOIN information_schema.engines USING (engine)
    WHERE table_schema = COALESCE(%s, DATABASE()) AND table_name = %s AND COALESCE(transactions, 'NO') <> 'YES'
"""
_UNIQUE_UUIDS = """
    SELECT 1 FROM information_schema.statistics
    WHERE table_schema = COALESCE(%s, DATABASE()) AND table_name = %s AND non_unique = 0
    GROUP BY index_name HAVING COUNT(*) = 1 AND MAX(LOWER(column_name)) = 'uuid' AND MAX(sub_part) IS NULL
"""


class MysqlDialect(Dialect):
    """A MySQL or MariaDB server, by way of Airflow's MySqlHook."""

    can_roll_back_amid_an_answer = False
    types = {  # noqa: RUF012 - declared as a ClassVar by the base class
        "text": "LONGTEXT CHARACTER SET utf8mb4",
        "instant": "DATETIME(6)",
        "integer": "BIGINT",
        "decimal": "DECIMAL(12,4)",
        "json": "LONGTEXT CHARACTER SET utf8mb4",  # not JSON, which rewrites numbers
    }
    quote = "`"
    upsert = (
        "INSERT INTO {table} ({columns}) SELECT {columns} FROM {stage} WHERE true ON DUPLICATE KEY UPDATE {assignments}"
    )
    assignment = "{column} = {stage}.{column}"
    delete_staged = "DELETE {table} FROM {table} JOIN {stage} ON {table}.uuid = {stage}.uuid"

    def __init__(self) -> None:
        self._sends_files = False

    def connect(self, hook: DbApiHook) -> AbstractContextManager[Any]:
        """Return a connection that may send files if the Airflow connection's extra says ``local_infile``."""
        if str(hook.connection_extra.get("local_infile", "")).lower() in {"1", "true"}:
            hook.local_infile = True
        self._sends_files = bool(getattr(hook, "local_infile", False))
        return closing(hook.get_conn())

    def begin(self, connection: Any) -> Any:
        """Start a transaction in which nothing is cut to fit and each statement sees what others have committed."""
        if hasattr(connection, "set_character_set"):
            from MySQLdb.cursors import Cursor  # noqa: PLC0415 - only there if the hook itself uses mysqlclient

            connection.set_character_set("utf8mb4")
            cursor = connection.cursor(Cursor)
            cursor.execute("SELECT @@local_infile")
            self._sends_files = self._sends_files and cursor.fetchone()[0] == 1
        else:
            connection.set_charset_collation("utf8mb4")
            cursor = connection.cursor()
            self._sends_files = False  # mysql-connector-python takes no file without a name
        cursor.execute("SET SESSION sql_mode = 'STRICT_ALL_TABLES', autocommit = 0")
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        return cursor

    def fill(self, cursor: Any, target: str, blocks: Iterable[Block]) -> None:
        """Append rows by one LOAD DATA, or by inserts of many rows each."""
        if self._sends_files:
            self._send(cursor, target, blocks)
            return
        for block in blocks:
            self._insert(cursor, target, block)

    def _send(self, cursor: Any, target: str, blocks: Iterable[Block]) -> None:
        """Send a pipe as a file, so that the server reads while we write and no file is ever left."""
        reading, writing = os.pipe()
        with ThreadPoolExecutor(1) as pool:
            fed = pool.submit(_feed, writing, blocks)
            try:
                cursor.execute(
                    f"LOAD DATA LOCAL INFILE '/dev/fd/{reading}' INTO TABLE {target} CHARACTER SET utf8mb4 "
                    rf"FIELDS TERMINATED BY '\t' ESCAPED BY '\\' LINES TERMINATED BY '\n' ({self.names()})"
                )
            finally:
                os.close(reading)  # ends the writer if no one has read to the end
            fed.result()
        # A file cannot be refused halfway: what does not fit is cut to fit, or left out, with a warning.
        cursor.execute("SHOW WARNINGS LIMIT 1")
        for _, code, _ in cursor.fetchall():
            raise RefusedError(code)

    def _insert(self, cursor: Any, target: str, block: Block) -> None:
        marks = ", ".join(["%s"] * len(COLUMNS))
        statement = f"INSERT INTO {target} ({self.names()}) VALUES ({marks})"  # noqa: S608 - identifiers and marks
        columns = list(block)
        texts = instants(columns[_ENDED_AT])
        columns[_ENDED_AT] = [value and text for value, text in zip(columns[_ENDED_AT], texts, strict=True)]
        cursor.executemany(statement, list(zip(*columns, strict=True)))

    def lock(self, cursor: Any, table: TableName) -> None:
        """Keep out other loads until the session ends."""
        statement = f"SELECT GET_LOCK({_LOCK_NAME}, {LOCK_PATIENCE_SECONDS})"
        cursor.execute(statement, (table.schema, table.name))
        if cursor.fetchone()[0] != 1:
            raise RefusedError("GET_LOCK")

    def columns(self, cursor: Any, table: TableName) -> dict[str, str]:
        """Return the types by lower-case name, with the character set of text if that cannot hold every character."""
        cursor.execute(_COLUMNS, (table.schema, table.name))
        return dict(cursor.fetchall())

    def accepts(self, column: Column, declared: str) -> bool:
        """Refuse types that would round, move by the session's zone, strip blanks, or lack characters."""
        match = _USABLE_TYPES[column.type].fullmatch(declared)
        if match is None or column.type != "decimal":
            return match is not None
        precision, scale = int(match["precision"]), int(match["scale"])
        return scale >= 4 and precision - scale >= 8

    def flaw(self, cursor: Any, table: TableName) -> str | None:
        """Refuse engines that cannot take back a load."""
        cursor.execute(_ENGINES_WITHOUT_TRANSACTIONS, (table.schema, table.name))
        for (engine,) in cursor.fetchall():
            return f"is kept by {engine or 'a view'}, which has no transactions. Name a table of InnoDB"
        return None

    def has_unique_uuid(self, cursor: Any, table: TableName) -> bool:
        """Look for a unique index on the whole of the one column."""
        cursor.execute(_UNIQUE_UUIDS, (table.schema, table.name))
        return bool(cursor.fetchall())

    def instant(self, value: datetime) -> str:
        """Return the date and time in UTC: DATETIME knows no zones."""
        return str(value)[:-6]

    def declared(self, column: Column) -> str:
        """Give the key a type of which the whole can be indexed, and compare it byte by byte."""
        if column.name == "uuid":
            return "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
        return super().declared(column)

    def create_stage(self, cursor: Any, table: TableName) -> str:
        """Create the stage, which goes with the session, in the schema of the table."""
        stage = self.qualified(TableName(table.schema, stage_name(table)))
        cursor.execute(f"CREATE TEMPORARY TABLE {stage} ({self.definitions()}, KEY (uuid)) ENGINE = InnoDB")
        return stage

    def create(self, cursor: Any, table: TableName) -> None:
        """Create the table with its keys in one statement, as each commits by itself.

        InnoDB keeps rows in the order of the primary key: by time, a load touches few pages of a large table.
        """
        cursor.execute(
            f"CREATE TABLE {self.qualified(table)} ({self.definitions()}, PRIMARY KEY (ended_at, uuid), UNIQUE (uuid)) "
            "ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4"
        )

    def create_keys(self, cursor: Any, table: TableName) -> None:
        """Do nothing: the table has them."""


def _feed(descriptor: int, blocks: Iterable[Block]) -> None:
    with open(descriptor, "wb") as pipe:
        pipe.writelines(lines(block) for block in blocks)
