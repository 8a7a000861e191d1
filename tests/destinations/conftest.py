"""Real databases for the loaders, each empty for each test: SQLite, DuckDB, an embedded
PostgreSQL, MariaDB, and PostgreSQL as if nothing were known of it."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.providers.sqlite.hooks.sqlite import SqliteHook

import airflow_provider_voiso
from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.destinations.columns import COLUMNS, Page
from airflow_provider_voiso.destinations.sql.databases import dialect_of
from airflow_provider_voiso.destinations.sql.job import Job
from airflow_provider_voiso.destinations.sql.postgres import PostgresDialect
from airflow_provider_voiso.destinations.sql.table import load_window
from airflow_provider_voiso.destinations.sql.table_name import TableName
from tests.servers.process import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow.providers.common.sql.hooks.sql import DbApiHook

    from airflow_provider_voiso.destinations.sql.table import Loaded
    from tests.servers.mariadb import Mariadb
    from tests.servers.postgres import Postgres

MYSQL_KINDS = ["mysql mysql-connector-python", "mysql mysqlclient", "mysql mysqlclient files"]
ROOT = Path(__file__).parents[2]
PACKAGE = Path(airflow_provider_voiso.__file__).parents[1]
WINDOW = Window(
    datetime(2026, 11, 22, tzinfo=timezone.utc), datetime(2026, 11, 23, tzinfo=timezone.utc)
)


class MakeRecord(Protocol):
    def __call__(self, uuid: str, timestamp: str = ..., **fields: Any) -> bytes: ...


@dataclass
class Destination:
    """A database without tables, and short ways to load into it and look at it."""

    kind: str
    hook: DbApiHook
    connection: dict[str, Any]
    table: TableName
    window: Window

    @property
    def family(self) -> str:
        """Name of the database whatever the client."""
        return self.kind.split()[0]

    @property
    def long_text(self) -> str:
        """The database's type of text without a limit."""
        return "LONGTEXT" if self.family == "mysql" else "TEXT"

    def load(self, pages: Iterable[Page], **options: Any) -> int:
        return self.loaded(pages, **options).rows

    def loaded(self, pages: Iterable[Page], **options: Any) -> Loaded:
        return load_window(self.hook, self.job(**options), pages)

    def job(self, **options: Any) -> Job:
        defaults = {
            "mode": "replace_window",
            "create_table": True,
            "add_columns": False,
            "table": self.table,
        }
        return Job(window=self.window, **{**defaults, **options})

    def create(self, *, key: str = ", PRIMARY KEY (uuid)", **types: str | None) -> None:
        """Create the table with some of its columns changed to other types, or left out."""
        dialect = PostgresDialect() if self.kind == "portable" else dialect_of(self.hook)
        declared = {
            column.name: types.get(column.name, dialect.declared(column)) for column in COLUMNS
        }
        columns = ", ".join(
            f'"{name}" {kind}' for name, kind in declared.items() if kind is not None
        )
        self.execute(f"CREATE TABLE calls ({columns}{key})")

    def take_records_without_end(self) -> None:
        """Create the table, unless it is there, where a load would create one whose primary key
        begins with the end."""
        if self.family == "mysql" and not self.columns():
            self.create()

    def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with closing(self.hook.get_conn()) as connection:
            cursor = connection.cursor()
            if self.family == "mysql":
                cursor.execute("SET sql_mode = 'ANSI_QUOTES,STRICT_ALL_TABLES'")
            cursor.execute(statement, parameters)
            found = cursor.fetchall() if cursor.description else []
            connection.commit()
        return [tuple(row) for row in found]

    def is_killed_by(self, script: str, **names: str) -> None:
        """Run a program that kills itself while it loads into this destination.

        :param script: is given ``tests`` (the directory to import tests from), ``conn_id``, and
            the ``module`` and name of the ``hook``
        :param names: what else the script is given
        """
        hook = type(self.hook)
        program = script.format(
            tests=str(ROOT),
            conn_id=self.hook.get_conn_id(),
            module=hook.__module__,
            hook=hook.__name__,
            **names,
        )
        died = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": str(PACKAGE)},
            capture_output=True,
            check=False,
        )
        assert died.returncode == -signal.SIGKILL, died.stderr.decode()

    def statistics(self, *columns: str) -> tuple[int, ...]:
        """Return what PostgreSQL counted of the table.

        Sessions tell their counts when they end, before they leave the list.
        """
        others = """
            SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
                AND backend_type = 'client backend' AND pid <> pg_backend_pid()
        """
        wait_for("other sessions to end", lambda: not self.execute(others), timeout=60)
        [counts] = self.execute(
            f"SELECT {', '.join(columns)} FROM pg_stat_user_tables WHERE relname = 'calls'"
        )
        return counts

    def rows(self) -> set[tuple[Any, ...]]:
        names = ", ".join(
            column.name if column.name != "extra" else self.text("extra") for column in COLUMNS
        )
        return set(self.execute(f'SELECT {names} FROM "{self.table.name}"'))

    def uuids(self) -> set[str]:
        return {uuid for (uuid,) in self.execute(f'SELECT uuid FROM "{self.table.name}"')}

    def column(self, name: str) -> dict[str, Any]:
        return dict(self.execute(f'SELECT uuid, {name} FROM "{self.table.name}"'))

    def columns(self) -> set[str]:
        with closing(self.hook.get_conn()) as connection:
            existing = dialect_of(self.hook).describe(connection.cursor(), self.table)
            return set(existing.columns) if existing else set()

    def text(self, expression: str) -> str:
        return f"CAST({expression} AS {'CHAR' if self.family == 'mysql' else 'TEXT'})"


@pytest.fixture
def window() -> Window:
    return WINDOW


@pytest.fixture
def record() -> MakeRecord:
    """Return a maker of records that end inside of the window unless told otherwise."""

    def make(uuid: str, timestamp: str = "2026-11-22T12:00:00.000+00:00", **fields: Any) -> bytes:
        return json.dumps({"uuid": uuid, "timestamp": timestamp, **fields}).encode()

    return make


@pytest.fixture(scope="session")
def postgres_host(postgres_server: Postgres) -> str:
    """Start PostgreSQL and return the directory of its socket."""
    return postgres_server.socket_folder


@pytest.fixture(scope="session")
def mariadb_port(mariadb_server: Mariadb) -> int:
    """Start MariaDB and return its port."""
    return mariadb_server.port


@pytest.fixture(scope="session")
def database_names() -> Iterator[str]:
    return (f"test_{number}" for number in itertools.count())


def make_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Destination:
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "calls.db")}
    monkeypatch.setenv("AIRFLOW_CONN_CALLS_SQLITE", json.dumps(connection))
    hook = SqliteHook("calls_sqlite")  # type: ignore[no-untyped-call]
    return Destination("sqlite", hook, connection, TableName(None, "calls"), WINDOW)


def make_duckdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Destination:
    hooks = pytest.importorskip(
        "duckdb_provider.hooks.duckdb_hook", reason="airflow-provider-duckdb is not installed"
    )
    connection = {"conn_type": "duckdb", "host": str(tmp_path / "calls.duckdb")}
    monkeypatch.setenv("AIRFLOW_CONN_CALLS_DUCKDB", json.dumps(connection))
    return Destination(
        "duckdb", hooks.DuckDBHook("calls_duckdb"), connection, TableName(None, "calls"), WINDOW
    )


class BridgeHook(PostgresHook):
    """A connection that could lead to any database."""

    conn_type = "odbc"


def make_postgres(host: str, database: str, monkeypatch: pytest.MonkeyPatch) -> Destination:
    server = {"conn_type": "postgres", "host": host, "login": "postgres"}
    monkeypatch.setenv("AIRFLOW_CONN_SERVER", json.dumps({**server, "schema": "postgres"}))
    PostgresHook("server").run(f"CREATE DATABASE {database}", autocommit=True)
    connection = {**server, "schema": database}
    monkeypatch.setenv("AIRFLOW_CONN_CALLS_POSTGRES", json.dumps(connection))
    return Destination(
        "postgres", PostgresHook("calls_postgres"), connection, TableName(None, "calls"), WINDOW
    )


def make_mysql(kind: str, port: int, database: str, monkeypatch: pytest.MonkeyPatch) -> Destination:
    """Connect by one of the clients, which may send files or not."""
    from airflow.providers.mysql.hooks.mysql import MySqlHook  # noqa: PLC0415 - not installed everywhere

    _, client, *files = kind.split()
    if client == "mysqlclient":
        pytest.importorskip(
            "MySQLdb", reason="mysqlclient is not installed: it must be built from source"
        )
    server = {
        "conn_type": "mysql",
        "host": "127.0.0.1",
        "port": port,
        "login": "root",
        "extra": {"client": client, "local_infile": bool(files)},
    }
    monkeypatch.setenv("AIRFLOW_CONN_SERVER", json.dumps(server))
    MySqlHook("server").run(f"CREATE DATABASE {database} CHARACTER SET utf8mb4", autocommit=True)
    connection = {**server, "schema": database}
    monkeypatch.setenv("AIRFLOW_CONN_CALLS_MYSQL", json.dumps(connection))
    return Destination(kind, MySqlHook("calls_mysql"), connection, TableName(None, "calls"), WINDOW)


@pytest.fixture
def sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Destination:
    return make_sqlite(tmp_path, monkeypatch)


@pytest.fixture
def postgres(
    postgres_host: str, database_names: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> Destination:
    return make_postgres(postgres_host, next(database_names), monkeypatch)


@pytest.fixture
def duckdb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Destination:
    return make_duckdb(tmp_path, monkeypatch)


@pytest.fixture
def portable(postgres: Destination) -> Destination:
    return replace(postgres, kind="portable", hook=BridgeHook("calls_postgres"))


@pytest.fixture
def mysql(
    request: pytest.FixtureRequest,
    mariadb_port: int,
    database_names: Iterator[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Destination:
    return make_mysql(
        getattr(request, "param", MYSQL_KINDS[0]), mariadb_port, next(database_names), monkeypatch
    )


def by_name(request: pytest.FixtureRequest, kind: str) -> Destination:
    """Return a database of a kind, such as ``postgres`` or ``mysql mysqlclient``."""
    if kind.startswith("mysql"):
        port, names = (
            request.getfixturevalue("mariadb_port"),
            request.getfixturevalue("database_names"),
        )
        return make_mysql(kind, port, next(names), request.getfixturevalue("monkeypatch"))
    found: Destination = request.getfixturevalue(kind)
    return found


@pytest.fixture(params=["sqlite", "postgres", "duckdb", MYSQL_KINDS[0], MYSQL_KINDS[2]])
def destination(request: pytest.FixtureRequest) -> Destination:
    """Each supported database in turn."""
    return by_name(request, request.param)


@pytest.fixture(params=["sqlite", "postgres", "portable", "duckdb", *MYSQL_KINDS])
def client(request: pytest.FixtureRequest) -> Destination:
    """Each supported database by each way into it in turn."""
    return by_name(request, request.param)
