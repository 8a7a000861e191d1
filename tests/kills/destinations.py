"""The destinations of ``killed_exports``: their content, expected content and remains."""

from __future__ import annotations

import gzip
import sqlite3
from abc import ABC, abstractmethod
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal

import duckdb

from airflow_provider_voiso.destinations.sql.duckdb import DuckdbDialect
from airflow_provider_voiso.destinations.sql.mysql import MysqlDialect
from airflow_provider_voiso.destinations.sql.postgres import PostgresDialect
from airflow_provider_voiso.destinations.sql.sqlite import SqliteDialect
from tests.e2e.world import COLUMNS, comparable, rows, seed_table
from tests.servers.process import PartTimeoutError, wait_for

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping
    from pathlib import Path

    from tests.servers.mariadb import Mariadb as MariadbServer
    from tests.servers.postgres import Postgres as PostgresServer
    from tests.servers.s3 import SeaweedS3

    Content = Mapping[str, Hashable]

State = Literal["before", "after"]
TABLE = "killed"


@dataclass
class Difference:
    """How a destination differs from what it should hold, in records."""

    lost: int = 0
    doubled: int = 0
    wrong: int = 0

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled or self.wrong)


class Destination(ABC):
    """One place to export to, where each kind of object or table is in one of two states."""

    name: str
    kinds: tuple[str, ...]

    def __init__(self) -> None:
        self.states: dict[str, State] = dict.fromkeys(self.kinds, "after")

    @abstractmethod
    def difference(self, states: Mapping[str, State]) -> Difference:
        """Compare all that is there with what should be, byte by byte or value by value."""

    @abstractmethod
    def leftovers(self) -> list[str]:
        """Name everything that a finished run, or one that was told to stop, must not leave."""

    def leftovers_of_killed(self) -> list[str]:
        """Name everything that not even a killed run may leave."""
        return self.leftovers()


class S3(Destination):
    """A large object, uploaded in parts, and a small compressed one.

    :param truths: records of the window by uuid, in both states
    """

    name = "S3"
    kinds = ("s3_large", "s3_small")
    keys = {"s3_large": "killed/2026-03-10.ndjson", "s3_small": "killed/2026-03-10.ndjson.gz"}  # noqa: RUF012

    def __init__(self, server: SeaweedS3, truths: Mapping[State, Mapping[str, bytes]]) -> None:
        super().__init__()
        self.server = server
        self.lines = {state: list(truth.values()) for state, truth in truths.items()}
        self.texts = {
            state: b"".join(line + b"\n" for line in lines) for state, lines in self.lines.items()
        }
        self.packed: dict[State, bytes] = {}

    def difference(self, states: Mapping[str, State]) -> Difference:
        """Compare every byte; a compressed object with the first one whose records were right."""
        found = Difference()
        stored = self.server.objects()
        for kind, key in self.keys.items():
            if (body := stored.get(key)) is None:
                found.lost += len(self.lines[states[kind]])
                continue
            expected = self.texts[states[kind]]
            if kind == "s3_small":
                if gzip.decompress(body) == expected:
                    expected = self.packed.setdefault(states[kind], body)
                    text = body
                else:
                    text = gzip.decompress(body)
            else:
                text = body
            if text != expected:
                lines = text.split(b"\n")[:-1]
                wanted = set(self.lines[states[kind]])
                found.lost += len(wanted - set(lines))
                found.doubled += len(lines) - len(set(lines))
                found.wrong += len(set(lines) - wanted) or 1
        return found

    def leftovers(self) -> list[str]:
        """Name unfinished uploads and other objects."""
        uploads = self.server.unfinished_uploads()
        return [
            *(f"an unfinished upload of {upload['Key']}" for upload in uploads),
            *self.leftovers_of_killed(),
        ]

    def leftovers_of_killed(self) -> list[str]:
        """Name other objects; parts of an upload that was killed wait for the next run."""
        return [
            f"the object {key}" for key in self.server.objects() if key not in self.keys.values()
        ]


class Table(Destination):
    """A table with one row of the day before, which no export may touch.

    :param truths: records of the window by uuid, in both states
    """

    definitions: str

    def __init__(self, truths: Mapping[State, Mapping[str, bytes]]) -> None:
        super().__init__()
        seeded = seed_table(self.execute, TABLE, self.definitions)
        neighbour = {"old-0": seeded["old-0"]}
        self.contents = {state: {**neighbour, **rows(truth)} for state, truth in truths.items()}

    @abstractmethod
    def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Execute one statement in a transaction of its own."""

    def remaining(self, sessions: str) -> list[tuple[Any, ...]]:
        """Return the sessions of others that do not end."""
        found: list[tuple[Any, ...]] = []

        def ended() -> bool:
            found[:] = self.execute(sessions)
            return not found

        with suppress(PartTimeoutError):
            wait_for("the sessions to end", ended, timeout=120, interval=0.02)
        return found

    def difference(self, states: Mapping[str, State]) -> Difference:
        """Compare all values of all rows."""
        found = [
            comparable(row) for row in self.execute(f"SELECT {', '.join(COLUMNS)} FROM {TABLE}")
        ]
        by_uuid = {row[0]: row for row in found}
        expected = self.contents[states[self.kinds[0]]]
        return Difference(
            lost=len(expected.keys() - by_uuid.keys()),
            doubled=len(found) - len(by_uuid),
            wrong=sum(expected.get(uuid) != row for uuid, row in by_uuid.items()),
        )


class Postgres(Table):
    """A table in PostgreSQL.

    :param server: where the table is
    """

    name = "PostgreSQL"
    kinds = ("postgres",)
    definitions = PostgresDialect().definitions()

    def __init__(self, server: PostgresServer, truths: Mapping[State, Mapping[str, bytes]]) -> None:
        self.server = server
        super().__init__(truths)

    def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Execute one statement in a transaction of its own."""
        return self.server.execute(statement, *parameters)

    def leftovers(self) -> list[str]:
        """Name sessions, locks and tables left, once the server noticed its client's death."""
        others = (
            "FROM pg_stat_activity WHERE backend_type = 'client backend' "
            "AND pid <> pg_backend_pid()"
        )
        sessions = self.remaining(f"SELECT state || ': ' || left(query, 40) {others}")
        locks = f"SELECT DISTINCT mode FROM pg_locks WHERE pid IN (SELECT pid {others})"
        tables = (
            "SELECT relname FROM pg_class WHERE relkind = 'r' "
            "AND (relpersistence = 't' OR relname LIKE %s)"
        )
        return [
            *(f"a session, {state}" for (state,) in sessions),
            *(f"a lock, {mode}" for (mode,) in self.execute(locks)),
            *(
                f"the table {name}"
                for (name,) in self.execute(tables, f"%{TABLE}%")
                if name != TABLE
            ),
        ]


class Mariadb(Table):
    """A table in MariaDB.

    :param server: where the table is
    """

    name = "MariaDB"
    kinds = ("mariadb",)
    definitions = MysqlDialect().definitions()
    schema = "killed_exports"

    def __init__(self, server: MariadbServer, truths: Mapping[State, Mapping[str, bytes]]) -> None:
        self.server = server
        server.create_database(self.schema)
        super().__init__(truths)

    def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Execute one statement in a transaction of its own; DATETIMEs are in UTC."""
        found = self.server.execute(
            statement.replace("+00:00'", "'"), *parameters, database=self.schema
        )
        return [
            tuple(
                value.replace(tzinfo=timezone.utc) if isinstance(value, datetime) else value
                for value in row
            )
            for row in found
        ]

    def leftovers(self) -> list[str]:
        """Name sessions, transactions and tables left, once the server noticed the death."""
        others = "FROM information_schema.processlist WHERE user = 'root' AND id <> CONNECTION_ID()"
        sessions = self.remaining(f"SELECT command, state {others}")
        return [
            *(f"a session, {command} {state}" for command, state in sessions),
            *(
                f"a transaction, {state}"
                for (state,) in self.execute("SELECT trx_state FROM information_schema.innodb_trx")
            ),
            *(f"the table {name}" for (name,) in self.execute("SHOW TABLES") if name != TABLE),
        ]


class FileTable(Table):
    """A table in a database file that is alone in its directory.

    :param file: the database
    """

    def __init__(self, file: Path, truths: Mapping[State, Mapping[str, bytes]]) -> None:
        self.file = file
        super().__init__(truths)


class Sqlite(FileTable):
    """A table in SQLite."""

    name = "SQLite"
    kinds = ("sqlite",)
    definitions = SqliteDialect().definitions()

    def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Execute one statement in a transaction of its own, without waiting for locks."""
        with closing(sqlite3.connect(self.file, timeout=0)) as connection, connection:
            return connection.execute(statement, parameters).fetchall()

    def leftovers(self) -> list[str]:
        """Name tables, a journal that was not rolled back, and a lock."""
        with closing(sqlite3.connect(self.file, timeout=0, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")  # fails if there is a lock
            tables = connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            ).fetchall()
            connection.execute("ROLLBACK")
        return [
            *(f"the table {name}" for (name,) in tables if name != TABLE),
            *(f"the file {path.name}" for path in self.file.parent.iterdir() if path != self.file),
        ]

    def leftovers_of_killed(self) -> list[str]:
        """Name the same, without the journal of the killed transaction: the next one removes it."""
        return [what for what in self.leftovers() if what != f"the file {self.file.name}-journal"]


class Duckdb(FileTable):
    """A table in DuckDB, without a key as a load creates it."""

    name = "DuckDB"
    kinds = ("duckdb",)
    definitions = DuckdbDialect().definitions()

    def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Execute one statement in a transaction of its own; fail if the file is in use."""
        with closing(duckdb.connect(str(self.file))) as connection:
            return connection.execute(
                statement.replace(", PRIMARY KEY (uuid)", ""), parameters
            ).fetchall()

    def leftovers(self) -> list[str]:
        """Name tables, and files beside the database."""
        tables = self.execute("SELECT table_name FROM duckdb_tables()")
        files = [
            path for path in self.file.parent.rglob("*") if path.is_file() and path != self.file
        ]
        return [
            *(f"the table {name}" for (name,) in tables if name != TABLE),
            *(f"the file {path.name}" for path in files),
        ]

    def leftovers_of_killed(self) -> list[str]:
        """Name the same but for rows that DuckDB had put aside, which the next load removes."""
        return [what for what in self.leftovers() if not what.startswith("the file duckdb_temp_")]
