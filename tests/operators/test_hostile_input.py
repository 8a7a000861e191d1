"""What fills a template, such as dag_run.conf, cannot make a task do more than the template's
author meant."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_voiso.api.client import CdrClient
from airflow_provider_voiso.api.settings import Settings
from airflow_provider_voiso.api.v2.filters import FILTERS, is_rendered
from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.exceptions import VoisoConfigurationError, VoisoNoWindowError
from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator
from tests.servers.raw_http import RawServer, http

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_voiso.simulator import Simulator

    Simulate = Callable[..., Simulator]

START = datetime(2024, 11, 10, tzinfo=timezone.utc)
DAY = timedelta(days=1)
KEY = "the-key"
INJECTIONS = [
    'calls"; DROP TABLE kept; --',
    "calls'; DROP TABLE kept; --",
    "calls (uuid) VALUES (1); --",
    'calls" UNION SELECT "x',
    "calls\0",
    "calls\n",
    "calls; ATTACH 'x' AS y",
    "main.calls.x",
    "calls WHERE 1=1",
    "c\N{CYRILLIC SMALL LETTER A}lls",
    "{stage}",
    "{{ dag }}",
    "%s",
    "?",
    "`calls`",
    "[calls]",
    "*",
    "kept, calls",
    '"kept"',
    "a" * 64,
]


class DagRun:
    def __init__(self, **conf: Any) -> None:
        self.conf = conf


def rendered(task: Any, **conf: Any) -> Any:
    task.render_template_fields({"dag_run": DagRun(**conf)})
    return task


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "warehouse.db"
    monkeypatch.setenv(
        "AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(path)})
    )
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE kept (uuid TEXT PRIMARY KEY, ended_at TEXT)")
        connection.execute(
            f"INSERT INTO kept VALUES ('1', '{START.isoformat(timespec='microseconds')}')"
        )
    return path


@pytest.mark.parametrize("injection", INJECTIONS)
@pytest.mark.parametrize("table", ["{{ dag_run.conf['name'] }}", "main.{{ dag_run.conf['name'] }}"])
def test_no_table_name_is_sql(
    table: str, injection: str, database: Path, simulate: Simulate, context: dict[str, Any]
) -> None:
    sim = simulate()
    task = rendered(
        VoisoCdrToSqlOperator(task_id="t", sql_conn_id="warehouse", table=table), name=injection
    )
    before = database.read_bytes()
    with pytest.raises(VoisoConfigurationError, match="is not a table name"):
        task.execute(context)
    assert database.read_bytes() == before
    assert sim.requests == ()


@pytest.mark.parametrize("table", ["kept", "sqlite_master", "sqlite_schema", "pragma_table_info"])
def test_foreign_table_is_left_alone(
    table: str, database: Path, simulate: Simulate, context: dict[str, Any]
) -> None:
    simulate(records_per_day=10)
    task = rendered(
        VoisoCdrToSqlOperator(
            task_id="t", sql_conn_id="warehouse", table="{{ dag_run.conf['name'] }}"
        ),
        name=table,
    )
    with pytest.raises(VoisoConfigurationError, match=table):
        task.execute(context)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT uuid FROM kept").fetchall() == [("1",)]
        assert connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        ).fetchall() == [("kept",)]


@pytest.mark.parametrize(
    "name",
    [
        "../other",
        "..",
        "",
        "a/../../b",
        "/",
        "%2e%2e/other",
        "..\\other",
        "x\0",
        "x\ny",
        "{{ ds }}",
        "{window_start:}/..",
        "{x}",
    ],
)
def test_no_key_leaves_its_prefix(name: str, simulate: Simulate, context: dict[str, Any]) -> None:
    sim = simulate()
    task = rendered(
        VoisoCdrToS3Operator(
            task_id="t", s3_bucket="voiso-cdr", s3_key="exports/{{ dag_run.conf['name'] }}/x.ndjson"
        ),
        name=name,
    )
    with pytest.raises(VoisoConfigurationError, match="s3_key"):
        task.execute(context)
    assert sim.requests == ()


@pytest.mark.parametrize("name", ["/../other", "/x", "@127.0.0.1", "?x", "#", "..\\", ":80"])
def test_bucket_is_never_a_path(name: str, simulate: Simulate, context: dict[str, Any]) -> None:
    sim = simulate()
    task = rendered(
        VoisoCdrToS3Operator(task_id="t", s3_bucket="exports-{{ dag_run.conf['name'] }}"), name=name
    )
    with pytest.raises(VoisoConfigurationError, match="s3_bucket"):
        task.execute(context)
    assert sim.requests == ()


@pytest.mark.parametrize(
    "conf", ["2024-11-10T00:00:00Z&key=x", "2024-11-10T00:00:00Z\r\nHost: x", "now", "{{ ds }}", ""]
)
def test_window_is_two_instants(
    conf: str, simulate: Simulate, context: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": ":memory:"})
    )
    sim = simulate()
    task = VoisoCdrToSqlOperator(
        task_id="t",
        sql_conn_id="warehouse",
        table="calls",
        window_start="{{ dag_run.conf['start'] }}",
        window_end="2024-11-11T00:00:00Z",
    )
    with pytest.raises(VoisoNoWindowError, match="window_start"):
        rendered(task, start=conf).execute(context)
    assert sim.requests == ()


def is_sent(text: str) -> bool:
    """Return whether a filter's text is sent at all, and not refused as the work of a template."""
    return bool(text.replace(",", "").strip()) and "{" not in text and not is_rendered(text)


@pytest.fixture(scope="module")
def listening() -> Iterator[tuple[RawServer, CdrClient]]:
    with RawServer(lambda _: [http(b'{"records":[],"search_token":null}')]) as server:
        client = CdrClient(Settings(server.url, KEY, max_retries=0))
        yield server, client
        client.close()


@given(
    st.dictionaries(
        st.sampled_from(sorted(FILTERS)),
        st.one_of(
            st.text(st.characters(codec="utf-8"), min_size=1),
            st.sampled_from(
                [
                    "x&key=y",
                    "x&page=9",
                    "x#",
                    "x\r\nHost: evil",
                    "x HTTP/1.1\r\n\r\nGET /",
                    "+&=%26",
                    "%0d%0a",
                    "\0",
                    "../",
                    "?",
                ]
            ),
        ).filter(is_sent),
        min_size=1,
        max_size=3,
    )
)
def test_filter_stays_one_parameter(
    listening: tuple[RawServer, CdrClient], filters: dict[str, str]
) -> None:
    server, client = listening
    before = len(server.requests)
    client.count(Window(START, START + DAY), filters, at_least=1)
    asked, *others = server.requests[before:]
    line, *headers = asked.decode("ascii").split("\r\n")
    method, target, version = line.split(" ")
    assert (method, version, urlsplit(target).path) == ("GET", "HTTP/1.1", "/api/v2/cdr")
    params = parse_qsl(urlsplit(target).query, keep_blank_values=True)
    ours = {"key", "start_datetime", "end_datetime", "per_page", "page"}
    assert {name: value for name, value in params if name not in ours} == filters
    assert {name for name, _ in params} == {*filters, *ours}
    assert len(params) == len(filters) + len(ours)
    assert dict(params)["key"] == KEY
    assert [
        header.partition(":")[0] for header in headers if header.lower().startswith("host")
    ] == ["Host"]
    assert all(
        f"Host: {urlsplit(server.url).netloc}".encode() in other for other in [asked, *others]
    )


def test_lone_surrogate_in_filter_is_named(simulate: Simulate, context: dict[str, Any]) -> None:
    sim = simulate()
    task = VoisoCdrToS3Operator(
        task_id="t", s3_bucket="voiso-cdr", filters={"number": "{{ dag_run.conf['number'] }}"}
    )
    with pytest.raises(
        VoisoConfigurationError, match="filter 'number' holds half a surrogate pair"
    ):
        rendered(task, number="\ud800").execute(context)
    assert sim.requests == ()
