"""What OpenLineage's own client sends of an export."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import Connection

from airflow_provider_voiso.destinations.columns import COLUMNS
from airflow_provider_voiso.destinations.sql.table_name import TableName
from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator
from airflow_provider_voiso.report.lineage import object_place, table_place
from tests.report.conftest import START
from tests.servers.commands import several_commands
from tests.servers.process import clean_environment

if TYPE_CHECKING:
    from airflow_provider_voiso.simulator import Simulator
    from tests.servers.s3 import SeaweedS3

pytest.importorskip("airflow.providers.openlineage")
pytest.importorskip("openlineage.client")

FILTERS = {"disposition": ["answered"]}
ROOT = Path(__file__).parents[2]


def sent(task: Any, folder: Path) -> dict[str, Any]:
    """Return the event that the client sends of a task, as it writes it to a file."""
    from airflow.providers.openlineage.extractors.base import DefaultExtractor  # noqa: PLC0415 - optional
    from openlineage.client import OpenLineageClient  # noqa: PLC0415 - optional
    from openlineage.client.event_v2 import Job, Run, RunEvent, RunState  # noqa: PLC0415
    from openlineage.client.transport.file import FileConfig, FileTransport  # noqa: PLC0415
    from openlineage.client.uuid import generate_new_uuid  # noqa: PLC0415

    lineage = DefaultExtractor(task).extract_on_complete(SimpleNamespace(state="success"))
    assert lineage is not None
    file = folder / "lineage.jsonl"
    client = OpenLineageClient(
        transport=FileTransport(FileConfig(log_file_path=str(file), append=True))
    )
    client.emit(
        RunEvent(
            eventType=RunState.COMPLETE,
            eventTime="2024-11-11T00:00:00+00:00",
            run=Run(runId=str(generate_new_uuid())),
            job=Job(namespace="tests", name="export"),
            inputs=lineage.inputs,
            outputs=lineage.outputs,
        )
    )
    event: dict[str, Any] = json.loads(file.read_text())
    return event


def column_names(output: dict[str, Any]) -> list[str]:
    return [field["name"] for field in output["facets"]["schema"]["fields"]]


def test_table_is_an_output_with_a_schema(
    simulator: Simulator, context: dict[str, Any], tmp_path: Path
) -> None:
    task = VoisoCdrToSqlOperator(
        task_id="export", sql_conn_id="warehouse", table="cdr", filters=FILTERS
    )
    manifest = task.execute(context)

    event = sent(task, tmp_path)

    [source], [output] = event["inputs"], event["outputs"]
    assert (source["namespace"], source["name"]) == ("voiso://127.0.0.1", "cdr")
    assert output["namespace"] == f"sqlite://{tmp_path}/warehouse.db"
    assert output["name"] == "cdr"
    assert column_names(output) == [column.name for column in COLUMNS]
    statistics = output["outputFacets"]["outputStatistics"]
    assert statistics["rowCount"] == manifest["records"] > 0
    assert statistics["size"] == manifest["bytes"]
    for secret in (simulator.key, "answered", *simulator.truth(START, START + timedelta(days=1))):
        assert secret not in json.dumps(event)


@pytest.mark.parametrize("file_format", ["ndjson", "csv"])
def test_object_is_an_output(
    simulator: Simulator,  # noqa: ARG001 - is the connection
    context: dict[str, Any],
    tmp_path: Path,
    s3_server: SeaweedS3,
    monkeypatch: pytest.MonkeyPatch,
    file_format: Any,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", s3_server.connection())
    task = VoisoCdrToS3Operator(
        task_id="export",
        s3_bucket=s3_server.bucket,
        s3_key=f"lineage/day.{file_format}",
        file_format=file_format,
    )
    manifest = task.execute(context)

    event = sent(task, tmp_path)

    [output] = event["outputs"]
    assert output["namespace"] == f"s3://{s3_server.bucket}"
    assert output["name"] == f"lineage/day.{file_format}"
    assert output["outputFacets"]["outputStatistics"]["size"] == manifest["bytes"]
    if file_format == "ndjson":
        assert "schema" not in output["facets"]
    else:
        assert column_names(output) == [column.name for column in COLUMNS]


def test_failed_export_has_no_output() -> None:
    task = VoisoCdrToSqlOperator(task_id="export", sql_conn_id="warehouse", table="cdr")

    lineage = task.get_openlineage_facets_on_complete(None)

    assert (lineage.inputs, lineage.outputs) == ([], [])


@pytest.mark.parametrize(
    ("conn_type", "table", "namespace", "name"),
    [
        ("postgres", "voiso.cdr", "postgres://db.lan:5432", "calls.voiso.cdr"),
        ("mysql", "voiso.cdr", "mysql://db.lan:3306", "voiso.cdr"),
        ("mysql", "cdr", "mysql://db.lan:3306", "calls.cdr"),
    ],
)
def test_table_is_named_as_its_hook_does(
    conn_type: str, table: str, namespace: str, name: str
) -> None:
    pytest.importorskip(f"airflow.providers.{conn_type}")
    connection = Connection(
        conn_id="db", conn_type=conn_type, host="db.lan", login="me", schema="calls"
    )

    hook = connection.get_hook()  # type: ignore[no-untyped-call]

    place = table_place(hook, connection, TableName.parse(table), ["uuid"])

    assert (place.namespace, place.name) == (namespace, name)


def test_token_of_a_server_is_left_out() -> None:
    connection = Connection(conn_id="db", conn_type="sqlite", host="md:calls?token=secret")

    hook = connection.get_hook()  # type: ignore[no-untyped-call]

    place = table_place(hook, connection, TableName.parse("cdr"), ["uuid"])

    assert place.namespace == "sqlite://md:calls"


def test_key_of_an_object_may_hold_any_sign() -> None:
    place = object_place("s3://voiso-cdr/a?b#c/d", None)

    assert (place.namespace, place.name) == ("s3://voiso-cdr", "a?b#c/d")


@pytest.mark.whole_airflow
@pytest.mark.xdist_group("airflow")
def test_listener_sends_the_export(simulator: Simulator, tmp_path: Path) -> None:
    events = tmp_path / "lineage.jsonl"
    transport = {"type": "file", "log_file_path": str(events), "append": True}
    env = clean_environment(
        {
            "AIRFLOW_HOME": str(tmp_path / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parent / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
            "AIRFLOW_CONN_VOISO_DEFAULT": os.environ["AIRFLOW_CONN_VOISO_DEFAULT"],
            "AIRFLOW_CONN_WAREHOUSE": os.environ["AIRFLOW_CONN_WAREHOUSE"],
            "PYTHONPATH": str(ROOT),
        }
    )
    commands = ("db migrate", "dags reserialize", "dags test lineage 2024-11-11")
    program = several_commands(*map(str.split, commands))
    subprocess.run(program, env=env, check=True, timeout=900, capture_output=True)

    sent = [json.loads(line) for line in events.read_text().splitlines()]
    [complete] = [
        event
        for event in sent
        if event["eventType"] == "COMPLETE" and event["job"]["name"] == "lineage.export"
    ]
    [source], [output] = complete["inputs"], complete["outputs"]
    truth = simulator.truth(START, START + timedelta(days=1))
    assert (source["namespace"], source["name"]) == ("voiso://127.0.0.1", "cdr")
    assert (output["namespace"], output["name"]) == (f"sqlite://{tmp_path}/warehouse.db", "cdr")
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == len(truth) > 0
    assert column_names(output) == [column.name for column in COLUMNS]
    for secret in (simulator.key, *truth):
        assert secret not in events.read_text()
