"""MySQL and MariaDB, by the client that the connection names.

Statements that change a table commit by themselves, so a table is created or altered before any row
is touched. Loads of one table wait for each other by a lock of the server that ends with the
session. Other writers do not wait: a load that meets one fails by its count.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.destinations.sql.dialect import (
    LOCK_PATIENCE_SECONDS,
    Dialect,
    ExistingColumn,
    ExistingTable,
    RefusedError,
    SqlType,
    stage_name,
)
from airflow_provider_voiso.destinations.sql.failures import code_of
from airflow_provider_voiso.destinations.sql.table_name import TableName
from airflow_provider_voiso.destinations.sql.text import instants, lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from airflow_provider_voiso.destinations.columns import Column
    from airflow_provider_voiso.destinations.sql.dialect import Block

# Duplicate keys, which a row outside of the window can cause.
_NEEDS_STAGE = frozenset({"1062", "1169", "1586"})
_NO_LOCK = "GET_LOCK"
_LOCK_NAME = "CONCAT('voiso ', SHA1(LOWER(CONCAT(COALESCE(%s, DATABASE()), '.', %s))))"
_COLUMNS = """
    SELECT LOWER(column_name), CONCAT(LOWER(column_type), IF(
        character_set_name <> 'utf8mb4', CONCAT(' character set ', character_set_name), ''
    )), is_nullable = 'YES', column_default IS NOT NULL OR extra LIKE '%%auto_increment%%',
    COALESCE(generation_expression, '') <> ''
    FROM information_schema.columns
    WHERE table_schema = COALESCE(%s, DATABASE()) AND table_name = %s
"""
# MariaDB's JSON is LONGTEXT with this check, which takes no more than 32 levels of nesting.
_JSON_CHECKS = """
    SELECT LOWER(constraint_name) FROM information_schema.check_constraints
    WHERE constraint_schema = COALESCE(%s, DATABASE()) AND table_name = %s
    AND check_clause = CONCAT('json_valid(`', constraint_name, '`)')
"""
_ENGINES_WITHOUT_TRANSACTIONS = """
    SELECT engine FROM information_schema.tables LEFT JOIN information_schema.engines USING (engine)
    WHERE table_schema = COALESCE(%s, DATABASE()) AND table_name = %s
    AND COALESCE(transactions, 'NO') <> 'YES'
"""
_UNIQUE_UUIDS = """
    SELECT 1 FROM information_schema.statistics
    WHERE table_schema = COALESCE(%s, DATABASE()) AND table_name = %s AND non_unique = 0
    GROUP BY index_name
    HAVING COUNT(*) = 1 AND MAX(LOWER(column_name)) = 'uuid' AND MAX(sub_part) IS NULL
"""


class MysqlDialect(Dialect):
    """A MySQL or MariaDB server, by way of Airflow's MySqlHook."""

    can_roll_back_amid_an_answer = False
    types = {  # noqa: RUF012 - declared as a ClassVar by the base class
        # The whole of a key must fit into an index; it is compared byte by byte.
        "uuid": SqlType(
            "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            r"(medium|long)?text|varchar\((?P<length>\d+)\)",
        ),
        "text": SqlType("LONGTEXT CHARACTER SET utf8mb4", r"(medium|long)text"),
        "instant": SqlType("DATETIME(6)", r"datetime\(6\)"),
        "integer": SqlType("BIGINT", r"bigint(\(\d+\))?"),
        "decimal": SqlType("DECIMAL(12,4)", r"decimal\((?P<precision>\d+),(?P<scale>\d+)\)"),
        # Not JSON: that of MySQL rewrites numbers, that of MariaDB limits the nesting.
        "json": SqlType("LONGTEXT CHARACTER SET utf8mb4", r"(medium|long)text"),
    }
    quote = "`"
    update = (
        "UPDATE {table} AS old JOIN {stage} AS new ON new.uuid = old.uuid "
        "SET {assignments} WHERE {differs}"
    )
    assignment = "old.{column} = new.{column}"
    table_options = "ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4"
    counts_updates = False  # rows that a trigger left as they were do not count

    def __init__(self) -> None:
        self._sends_files = False

    def connect(self, hook: DbApiHook, *, wait: bool = True) -> AbstractContextManager[Any]:  # noqa: ARG002 - it never waits
        """Open a connection that may send files if the extra says ``local_infile``."""
        if str(hook.connection_extra.get("local_infile", "")).lower() in {"1", "true"}:
            hook.local_infile = True
        self._sends_files = bool(getattr(hook, "local_infile", False))
        return closing(hook.get_conn())

    def begin(self, connection: Any) -> Any:
        """Start a transaction that cuts no value to fit.

        Each statement in it sees what others have committed.
        """
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

    def fill(
        self, cursor: Any, target: str, columns: Sequence[Column], blocks: Iterable[Block]
    ) -> None:
        """Append rows by one LOAD DATA, or by inserts of many rows each."""
        if self._sends_files:
            self._send(cursor, target, columns, blocks)
            return
        for block in blocks:
            self._insert(cursor, target, columns, block)

    def _send(
        self, cursor: Any, target: str, columns: Sequence[Column], blocks: Iterable[Block]
    ) -> None:
        """Send a pipe as a file: the server reads while we write, and no file is left."""
        reading, writing = os.pipe()
        with ThreadPoolExecutor(1) as pool:
            fed = pool.submit(_feed, writing, columns, blocks)
            try:
                cursor.execute(
                    f"LOAD DATA LOCAL INFILE '/dev/fd/{reading}' INTO TABLE {target} "
                    r"CHARACTER SET utf8mb4 FIELDS TERMINATED BY '\t' ESCAPED BY '\\' "
                    rf"LINES TERMINATED BY '\n' ({self.names(columns)})"
                )
            finally:
                os.close(reading)  # ends the writer if the server did not read to the end
            fed.result()
        # The server cannot refuse a file halfway: it cuts what does not fit, or leaves it out, and
        # warns.
        cursor.execute("SHOW WARNINGS LIMIT 1")
        for _, code, _ in cursor.fetchall():
            raise RefusedError(code)

    def _insert(self, cursor: Any, target: str, columns: Sequence[Column], block: Block) -> None:
        marks = ", ".join(["%s"] * len(columns))
        statement = f"INSERT INTO {target} ({self.names(columns)}) VALUES ({marks})"  # noqa: S608 - identifiers and marks
        bound = [_bound(column, values) for column, values in zip(columns, block, strict=True)]
        cursor.executemany(statement, list(zip(*bound, strict=True)))

    def lock(self, cursor: Any, table: TableName) -> None:
        """Keep out other loads until the session ends."""
        statement = f"SELECT GET_LOCK({_LOCK_NAME}, {LOCK_PATIENCE_SECONDS})"
        cursor.execute(statement, (table.schema, table.name))
        if cursor.fetchone()[0] != 1:
            raise RefusedError(_NO_LOCK)

    def describe(self, cursor: Any, table: TableName) -> ExistingTable | None:
        """Return the table with columns in lower case.

        A type of text tells its character set if that cannot hold every character.
        """
        name = (table.schema, table.name)
        cursor.execute(_COLUMNS, name)
        found = cursor.fetchall()
        if not found:
            return None
        checked = self._json_columns(cursor, table)
        columns = {}
        for column, declared, *rest in found:
            check = " check (json_valid)" if column in checked else ""
            columns[column] = ExistingColumn(declared + check, *map(bool, rest))
        cursor.execute(_UNIQUE_UUIDS, name)
        has_unique_uuid = bool(cursor.fetchall())
        cursor.execute(_ENGINES_WITHOUT_TRANSACTIONS, name)
        flaw = None
        for (engine,) in cursor.fetchall():
            keeper = engine or "a view"
            flaw = f"is kept by {keeper}, which has no transactions. Name a table of InnoDB"
        return ExistingTable(columns, has_unique_uuid, flaw)

    @staticmethod
    def _json_columns(cursor: Any, table: TableName) -> set[str]:
        cursor.execute("SELECT VERSION()")
        (version,) = cursor.fetchone()
        if "mariadb" not in version.lower():  # MySQL's JSON is a type, and has no such check
            return set()
        cursor.execute(_JSON_CHECKS, (table.schema, table.name))
        return {column for (column,) in cursor.fetchall()}

    def needs_stage(self, error: Exception) -> bool:
        """Judge by the number of the error.

        A file with a row that the table did not take is staged too: there the row is an error.
        """
        if isinstance(error, RefusedError):
            return error.errno != _NO_LOCK
        return not _NEEDS_STAGE.isdisjoint(code_of(error).split())

    def instant(self, value: datetime) -> str:
        """Return the date and time in UTC: DATETIME knows no zones."""
        return str(value)[:-6]

    def create_stage(self, cursor: Any, table: TableName, columns: Sequence[Column]) -> str:
        """Create the stage, which goes with the session, in the schema of the table."""
        stage = self.qualified(TableName(table.schema, stage_name(table)))
        definitions = self.definitions(columns)
        cursor.execute(
            f"CREATE TEMPORARY TABLE {stage} ({definitions}, KEY (uuid)) ENGINE = InnoDB"
        )
        return stage

    def differs(self, column: Column) -> str:
        """Compare texts by their bytes, whatever the collation, and blanks at their end as well."""
        name = self.quoted(column.name)
        if column.type in {"text", "json"}:
            return f"NOT CAST(old.{name} AS BINARY) <=> CAST(new.{name} AS BINARY)"
        return f"NOT old.{name} <=> new.{name}"

    def create(self, cursor: Any, table: TableName) -> None:
        """Create the table with its keys in one statement, as each commits by itself.

        InnoDB keeps rows in the order of the primary key: by time, a load touches few pages of a
        large table.
        """
        cursor.execute(
            f"CREATE TABLE {self.qualified(table)} ({self.definitions()}, "
            f"PRIMARY KEY (ended_at, uuid), UNIQUE (uuid)) {self.table_options}"
        )


def _bound(column: Column, values: Sequence[Any]) -> Sequence[Any]:
    if column.type != "instant":
        return values
    return [value and text for value, text in zip(values, instants(values), strict=True)]


def _feed(descriptor: int, columns: Sequence[Column], blocks: Iterable[Block]) -> None:
    with open(descriptor, "wb") as pipe:
        pipe.writelines(lines(columns, block) for block in blocks)
