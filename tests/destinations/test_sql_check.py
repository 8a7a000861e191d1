"""What a table's check finds before a window is read, and what a failed connection tells."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from airflow_provider_voiso.destinations.sql.table import SqlTable
from airflow_provider_voiso.exceptions import (
    VoisoConfigurationError,
    VoisoDestinationError,
    VoisoError,
)
from tests.destinations.conftest import WINDOW, by_name
from tests.secret_search import AWKWARD_KEYS, Secret, text_of

psycopg = pytest.importorskip("psycopg", reason="psycopg 3 is not installed")

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.destinations.conftest import Destination, MakeRecord

HOLDING = (
    "import duckdb, sys; held = duckdb.connect(sys.argv[1]); print(flush=True); sys.stdin.read()"
)
PASSWORD = "Tr0ub4dor&3@"  # noqa: S105 - of no one


def table(destination: Destination, **options: Any) -> SqlTable:
    defaults = {"mode": "replace_window", "create_table": True, "add_columns": False}
    arguments = {"table": destination.table, "window": WINDOW, **defaults, **options}
    return SqlTable(hook=destination.hook, **arguments)


def reconnected(
    destination: Destination, monkeypatch: pytest.MonkeyPatch, **fields: Any
) -> Destination:
    """Return the destination with other fields of its connection."""
    conn_id = destination.hook.get_conn_id()
    value = json.dumps({**destination.connection, **fields})
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", value)
    return replace(destination, hook=type(destination.hook)(conn_id))


def test_check_passes_and_changes_nothing(client: Destination, record: MakeRecord) -> None:
    table(client).check()
    assert client.columns() == set()

    client.load([[record("1")]])
    table(client).check()
    table(client, mode="upsert", create_table=False).check()

    assert client.uuids() == {"1"}


def test_check_closes_its_connection(
    destination: Destination, record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination.load([[record("1")]])
    opened: list[Any] = []
    get_conn = destination.hook.get_conn

    def remember() -> Any:
        opened.append(get_conn())
        return opened[-1]

    monkeypatch.setattr(destination.hook, "get_conn", remember)
    table(destination).check()

    (connection,) = opened
    with pytest.raises(Exception, match=r"closed|not available|\(2006, "):
        connection.cursor().execute("SELECT 1")


def test_check_refuses_missing_table(destination: Destination) -> None:
    with pytest.raises(VoisoConfigurationError, match=r"calls does not exist.*create_table=True"):
        table(destination, create_table=False).check()


def test_check_refuses_misfit(destination: Destination) -> None:
    destination.create(key="", agent_id="SMALLINT" if destination.family != "sqlite" else "TEXT")

    with pytest.raises(VoisoConfigurationError, match="cannot hold every value: agent_id is"):
        table(destination).check()


def test_check_does_not_alter(destination: Destination) -> None:
    destination.create(sid=None)

    table(destination, add_columns=True).check()
    table(destination).check()

    assert "sid" not in destination.columns()


def test_check_waits_for_no_file(duckdb: Destination, record: MakeRecord) -> None:
    duckdb.load([[record("1")]])
    command = [sys.executable, "-c", HOLDING, duckdb.connection["host"]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin
        assert holder.stdout
        holder.stdout.readline()

        table(duckdb, create_table=False).check()

        assert holder.poll() is None
        holder.stdin.close()


def test_check_names_missing_server(postgres: Destination, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    away = reconnected(postgres, monkeypatch, host="127.0.0.1", port=port, password=PASSWORD)

    with pytest.raises(VoisoDestinationError, match="cannot be reached") as raised:
        table(away).check()

    message = str(raised.value)
    assert "calls_postgres" in message
    assert "Connection refused" in message
    assert "host, port, login" in message
    assert PASSWORD not in text_of(raised.value)


def test_mysql_names_refused_login(mysql: Destination, monkeypatch: pytest.MonkeyPatch) -> None:
    other = reconnected(mysql, monkeypatch, login="nobody", password=PASSWORD)

    with pytest.raises(
        VoisoDestinationError, match=r"cannot be reached.*1045.*Access denied"
    ) as raised:
        table(other).check()

    assert PASSWORD not in text_of(raised.value)


def test_mysqlclient_names_refused_login(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    mysql = by_name(request, "mysql mysqlclient")

    test_mysql_names_refused_login(mysql, monkeypatch)


@pytest.mark.parametrize(
    ("kind", "extra", "says"),
    [
        ("postgres", {"foo": "bar"}, 'invalid connection option "foo"'),
        ("postgres", {"cursor": "nonsense"}, "nonsense"),
        ("postgres", {"cursor": "realdictcursor"}, "ValueError.*realdictcursor"),
        ("mysql mysql-connector-python", {"client": "nonsense"}, "Unknown MySQL client"),
        ("mysql mysqlclient", {"client": "mysqlclient", "ssl": "{"}, "JSONDecodeError.*Expecting"),
        ("mysql mysqlclient", {"client": "mysqlclient", "cursor": 1}, "AttributeError"),
    ],
)
def test_hooks_reason_is_told(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    record: MakeRecord,
    kind: str,
    extra: dict[str, str],
    says: str,
) -> None:
    destination = by_name(request, kind)
    if extra == {"cursor": "realdictcursor"} and not uses_psycopg3(destination):
        pytest.skip("psycopg2 has such a cursor")
    other = reconnected(destination, monkeypatch, extra=extra)

    for attempt in (table(other).check, lambda: other.load([[record("1")]])):
        with pytest.raises(VoisoConfigurationError, match=says) as raised:
            attempt()
        assert "failed before it connected" in str(raised.value)
        assert "type and extra" in str(raised.value)
        assert raised.value.__context__ is None


def uses_psycopg3(destination: Destination) -> bool:
    with closing(destination.hook.get_conn()) as connection:
        return hasattr(connection, "row_factory")


def raising(error: Exception) -> Callable[[], Any]:
    def get_conn() -> Any:
        raise error

    return get_conn


@pytest.mark.parametrize(
    "error",
    [
        ModuleNotFoundError("No module named 'psycopg7'"),
        ValueError("Only one of options may be given."),
        AttributeError("'NoneType' object has no attribute 'open'"),
        psycopg.ProgrammingError("invalid dsn: no such option"),
        psycopg2.ProgrammingError("invalid dsn: no such option"),
    ],
    ids=lambda error: f"{type(error).__module__}.{type(error).__name__}",
)
def test_failing_hook_is_misconfigured(
    postgres: Destination, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(postgres.hook, "get_conn", raising(error))

    with pytest.raises(VoisoConfigurationError) as raised:
        table(postgres).check()

    assert f"{type(error).__name__} (no code): {str(error).rstrip('.')}. Nothing of" in str(
        raised.value
    )


@pytest.mark.parametrize(
    "error",
    [
        psycopg.OperationalError("the server is gone"),
        psycopg2.OperationalError("the server is gone"),
        TimeoutError("the server is gone"),
        ConnectionRefusedError(111, "the server is gone"),
    ],
    ids=lambda error: f"{type(error).__module__}.{type(error).__name__}",
)
def test_failing_server_is_unreachable(
    postgres: Destination, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(postgres.hook, "get_conn", raising(error))

    with pytest.raises(VoisoDestinationError, match=r"cannot be reached.*the server is gone"):
        table(postgres).check()


@pytest.mark.parametrize("password", [PASSWORD, *AWKWARD_KEYS])
@pytest.mark.parametrize("field", ["password", "extra"])
def test_secrets_are_withheld(
    postgres: Destination, monkeypatch: pytest.MonkeyPatch, password: str, field: str
) -> None:
    value = password if field == "password" else {"nested": [{"api_token": password}]}
    other = reconnected(postgres, monkeypatch, **{field: value})
    secret = Secret(password)
    spellings = [form for form in secret.spellings() if form in str_forms(password)]
    rest = password[-max(4, len(password) // 2) :]

    for spelling in [*spellings, rest]:
        error = ValueError(f"cannot read 'x{spelling}' here")
        monkeypatch.setattr(other.hook, "get_conn", raising(error))
        with pytest.raises(VoisoError, match=r"ValueError \(no code\)\. Nothing of") as raised:
            table(other).check()
        secret.assert_absent(text_of(raised.value))
        assert "cannot read" not in text_of(raised.value)


def str_forms(password: str) -> set[str]:
    """Return the spellings in which a driver may quote a password."""
    from urllib.parse import quote, quote_plus  # noqa: PLC0415 - beside their use

    quoted = {quote(password), quote(password, safe=""), quote_plus(password)}
    return {password, *quoted, repr(password)[1:-1], json.dumps(password)[1:-1]}


@pytest.mark.parametrize(
    "words",
    [
        "cannot parse postgresql://someone:else@host/db",
        "cannot parse 'Driver=x;UID=me;PWD=other;Server=y'",
        "bad option in \"host=x password = 'other'\"",
    ],
)
def test_address_words_are_withheld(
    postgres: Destination, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setattr(postgres.hook, "get_conn", raising(ValueError(words)))

    with pytest.raises(VoisoConfigurationError) as raised:
        table(postgres).check()

    assert not {"someone", "other", "PWD"} & set(text_of(raised.value).replace("'", " ").split())
    assert "ValueError (no code). Nothing of" in str(raised.value)
