from __future__ import annotations

import json
import signal
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import Asset

from airflow_provider_voiso.exceptions import (
    VoisoConfigurationError,
    VoisoResponseError,
    VoisoShrunkError,
)
from airflow_provider_voiso.operators.reference_to_sql import VoisoReferenceToSqlOperator
from airflow_provider_voiso.simulator.account import REFERENCES, reference_list

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_voiso.simulator import Simulator

    Simulate = Callable[..., Simulator]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of a database that is the connection ``warehouse``."""
    path = tmp_path / "warehouse.db"
    connection = {"conn_type": "sqlite", "host": str(path)}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))
    return path


def operator(reference: str = "agents", **options: Any) -> VoisoReferenceToSqlOperator:
    arguments = {"sql_conn_id": "warehouse", "table": "people", **options}
    return VoisoReferenceToSqlOperator(task_id="load", reference=reference, **arguments)


def rows(database: Path, columns: str, table: str = "people") -> set[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return set(connection.execute(f"SELECT {columns} FROM {table}"))


@pytest.mark.parametrize("shape", ["bare", "wrapped"])
@pytest.mark.parametrize("reference", REFERENCES)
def test_every_list_becomes_rows(
    reference: str, shape: Any, database: Path, simulate: Simulate
) -> None:
    from airflow_provider_voiso.simulator import Readings  # noqa: PLC0415

    simulate(readings=Readings(references=shape))

    manifest = operator(reference).execute({})

    truth = reference_list(reference)
    columns = ("code", "description") if reference == "wrapup_codes" else ("id", "name")
    expected = {tuple(item[column] for column in columns) for item in truth}
    assert rows(database, ", ".join(columns)) == expected
    assert rows(database, "extra") == {(None,)}
    assert manifest["records"] == len(truth)


@pytest.mark.usefixtures("database")
def test_manifest_is_small_and_plain(simulate: Simulate) -> None:
    simulate()
    before = datetime.now(timezone.utc)

    manifest = operator("teams").execute({})

    assert json.loads(json.dumps(manifest)) == manifest
    assert before <= datetime.fromisoformat(manifest["fetched_at"]) < before + timedelta(minutes=5)
    assert manifest.keys() == {
        "reference", "records", "fetched_at", "bytes", "table", "records_before",
    }  # fmt: skip
    assert manifest["reference"] == "teams"
    assert manifest["table"] == "people"
    assert "Sales" not in str(manifest)


@pytest.mark.usefixtures("database")
def test_one_request_per_list(simulate: Simulate) -> None:
    sim = simulate()

    operator("queues").execute({})

    assert [request.path for request in sim.requests] == ["/api/v2/cdr/queues"]


def test_lost_rights_wipe_nothing(database: Path, blind: Callable[[], None]) -> None:
    operator().execute({})
    held = rows(database, "id, name")
    blind()

    with pytest.raises(VoisoShrunkError, match="The API returned no agents"):
        operator().execute({})

    assert rows(database, "id, name") == held
    operator(allow_empty=True).execute({})
    assert rows(database, "id") == set()


def test_wrong_answer_leaves_the_table(database: Path, simulate: Simulate) -> None:
    sim = simulate()
    operator().execute({})
    held = rows(database, "id, name, fetched_at")
    sim.faults.add("html", path="agents", times=None)

    with pytest.raises(VoisoResponseError):
        operator().execute({})

    assert rows(database, "id, name, fetched_at") == held


def test_bad_table_asks_nothing(database: Path, simulate: Simulate) -> None:
    sim = simulate()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE people (uuid TEXT)")

    with pytest.raises(VoisoConfigurationError, match="it lacks id"):
        operator().execute({})

    assert not sim.requests


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reference": "agent"}, "Unknown reference 'agent'. Known are: 'queues'"),
        ({"reference": ["agents"]}, "Unknown reference"),
        ({"table": "a.b.c"}, "is not a table name"),
        ({"table": 3}, "table must be a text"),
        ({"sql_conn_id": None}, "sql_conn_id must be a text"),
        ({"voiso_conn_id": 1}, "voiso_conn_id must be a text"),
        ({"allow_empty": "false"}, "allow_empty must be True or False"),
        ({"create_table": 1}, "create_table must be True or False"),
        ({"add_columns": None}, "add_columns must be True or False"),
    ],
)
def test_slips_are_told_at_parsing(options: dict[str, Any], message: str) -> None:
    with pytest.raises(VoisoConfigurationError, match=message):
        operator(**options)


def test_templates_are_rendered(database: Path, simulate: Simulate) -> None:
    simulate()
    task = operator("{{ params.list }}", table="voiso_{{ params.list }}")

    task.render_template_fields({"params": {"list": "teams"}})
    manifest = task.execute({})

    assert manifest["table"] == "voiso_teams"
    assert len(rows(database, "id", "voiso_teams")) == manifest["records"]


@pytest.mark.usefixtures("database")
def test_rendered_reference_is_checked(simulate: Simulate) -> None:
    sim = simulate()
    task = operator("{{ params.list }}")

    task.render_template_fields({"params": {"list": "../cdr"}})

    with pytest.raises(VoisoConfigurationError, match="Unknown reference"):
        task.execute({})
    assert not sim.requests


@pytest.mark.usefixtures("database")
def test_assets_get_the_manifest(simulate: Simulate) -> None:
    class Event:
        def __init__(self) -> None:
            self.extra: dict[str, Any] = {}

    simulate()
    asset = Asset("voiso_agents")
    events = {asset: Event()}

    manifest = operator(outlets=[asset]).execute({"outlet_events": events})

    assert events[asset].extra == {"voiso": manifest}


def test_stopped_task_leaves_the_table(database: Path, simulate: Simulate) -> None:
    simulate()
    operator().execute({})
    held = rows(database, "id, name, fetched_at")
    task = operator()
    before = signal.signal(signal.SIGTERM, lambda *_: task.on_kill())
    task.on_kill()

    with pytest.raises(SystemExit):
        task.execute({})

    signal.signal(signal.SIGTERM, before)
    assert rows(database, "id, name, fetched_at") == held
