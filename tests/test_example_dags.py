"""Each example is parsed as a DAG processor does it, and each of its tasks runs against real
servers."""

from __future__ import annotations

import gzip
import io
import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException, AssetAlias

from airflow_provider_voiso.operators.base import VoisoCdrExportOperator
from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.operators.reference import VoisoReferenceOperator
from airflow_provider_voiso.sensors.cdr import VoisoCdrSensor
from airflow_provider_voiso.simulator import Simulator
from airflow_provider_voiso.simulator.account import AGENT_BY_ID, WRAPUP_CODES
from tests.servers.s3 import SeaweedS3

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.providers.common.compat.sdk import DAG

EXAMPLES = sorted((Path(__file__).parents[1] / "example_dags").glob("*.py"))
# The DAGs start in 2026; a window must be over, whatever the date of the machine is.
LOGICAL = datetime(2024, 11, 11, tzinfo=timezone.utc)
PARSE = """
import json, socket, sys

try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag

def refuse(*_, **__):
    raise AssertionError("a DAG file opens a connection while it is parsed")

before = set(sys.modules)
socket.socket.connect = socket.socket.connect_ex = refuse
socket.create_connection = socket.getaddrinfo = refuse
bag = DagBag(dag_folder=sys.argv[1])
heavy = {"boto3", "botocore", "pyarrow", "pandas", "psycopg2", "psycopg"}
unwanted = heavy & (set(sys.modules) - before)
warned = [text for texts in bag.captured_warnings.values() for text in texts]
print(json.dumps([bag.import_errors, sorted(unwanted), warned, sorted(bag.dags)]))
"""
ON_DEMAND = {
    "window_start": "2024-11-10T06:00:00Z",
    "window_end": "2024-11-10T18:00:00+00:00",
    "types": ["inbound", "outbound"],
    "to_s3": True,
    "to_sql": True,
}
ONLY_NEWER = {
    "voiso_cdr_partition_summary",
    "voiso_cdr_partitioned",
    "voiso_cdr_partitions_again",
    "voiso_cdr_watched",
}


def dags_of(path: Path) -> list[DAG]:
    try:
        from airflow.dag_processing.dagbag import DagBag  # noqa: PLC0415 - where it is depends on the version
    except ImportError:
        from airflow.models.dagbag import DagBag  # type: ignore[no-redef] # noqa: PLC0415

    bag = DagBag(dag_folder=str(path))
    assert not bag.import_errors
    return list(bag.dags.values())


def test_examples_parse_light() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PARSE, str(EXAMPLES[0].parent)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    errors, unwanted, warned, dag_ids = json.loads(done.stdout.splitlines()[-1])
    assert errors == {}
    assert unwanted == []
    assert [text for text in warned if "voiso" in text.partition(": ")[0]] == []
    expected = {path.stem for path in EXAMPLES}
    assert expected - ONLY_NEWER <= {*dag_ids} <= expected


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_document_themselves(path: Path) -> None:
    assert path.read_text().startswith('"""Every ') or path.stem in ONLY_NEWER
    for dag in dags_of(path):
        assert dag.dag_id == path.stem
        assert dag.catchup is False
        assert {*dag.tags} == {"voiso"}


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedS3]:
    with SeaweedS3(tmp_path_factory.mktemp("s3") / "data") as server:
        yield server


@pytest.fixture
def sim(s3: SeaweedS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    with Simulator(records_per_day=4_000) as running:
        voiso = {"conn_type": "voiso", "host": running.url, "password": running.key}
        warehouse = {"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")}
        monkeypatch.setenv("AIRFLOW_CONN_VOISO_DEFAULT", json.dumps(voiso))
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", s3.connection())
        monkeypatch.setenv("AIRFLOW_CONN_VOISO_WAREHOUSE", json.dumps(warehouse))
        yield running


def exported(manifest: dict[str, Any], s3: SeaweedS3, warehouse: Path) -> set[str]:
    """Return the uuids that are where a manifest says."""
    if "table" in manifest:
        with closing(sqlite3.connect(warehouse)) as connection:
            return {uuid for (uuid,) in connection.execute(f"SELECT uuid FROM {manifest['table']}")}
    key = manifest["uri"].removeprefix(f"s3://{s3.bucket}/")
    content = s3.client().get_object(Bucket=s3.bucket, Key=key)["Body"].read()
    if key.endswith(".parquet"):
        return set(pq.read_table(pa.BufferReader(content)).column("uuid").to_pylist())
    lines = gzip.decompress(content) if key.endswith(".gz") else content
    return {json.loads(line)["uuid"] for line in io.BytesIO(lines)}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_tasks_do_their_work(
    path: Path, s3: SeaweedS3, sim: Simulator, tmp_path: Path
) -> None:
    found = dags_of(path)
    if not found and path.stem in ONLY_NEWER:
        pytest.skip("this example needs a newer Airflow")
    assert found
    tasks: list[Any] = [task for dag in found for task in dag.topological_sort()]  # type: ignore[no-untyped-call]
    windows: list[dict[str, str]] = []
    manifests: list[dict[str, Any]] = []
    for task in tasks:
        context = context_of(path, task)
        if isinstance(task, VoisoCdrSensor):
            task.poke_interval = 0
            task.render_template_fields(context)
            assert task.poke(context) is True
        elif isinstance(task, VoisoCdrExportOperator):
            check_export(task, context, s3, sim, tmp_path / "warehouse.db")
        elif hasattr(task, "expand_input"):
            assert windows
            manifests = [
                check_export(
                    task.unmap(window),
                    context,
                    s3,
                    sim,
                    tmp_path / "warehouse.db",
                    since=datetime.fromisoformat(windows[0]["window_start"]),
                )
                for window in windows
            ]
            assert len(
                {manifest.get("uri") or manifest["window_start"] for manifest in manifests}
            ) == len(windows)
        elif task.task_id == "announce":
            check_announcement(task, manifests)
        elif task.task_id == "summarize":
            check_summary(task, context, s3, sim, tmp_path / "warehouse.db")
        elif not check_other(task, context, sim):
            windows = task.execute(context)


def context_of(path: Path, task: Any) -> Any:
    """Return what a run tells a task."""
    context = {"dag": task.dag, "run_id": "test", "params": ON_DEMAND}
    if path.stem in ONLY_NEWER:
        return {**context, "partition_date": LOGICAL - timedelta(hours=1)}
    return {**context, "logical_date": LOGICAL}


def check_other(task: Any, context: Any, sim: Simulator) -> bool:
    """Run a task that exports no window, and return whether it was one."""
    if isinstance(task, VoisoReferenceOperator):
        assert task.execute(context)["records"] > 0
    elif task.task_id == "calls_per_agent":
        task.execute(context)
        rows = task.get_db_hook().get_records("SELECT * FROM voiso_calls_per_agent")
        check_calls_per_agent(rows, sim)
    elif task.task_id == "choose_destinations":
        assert task.python_callable(ON_DEMAND) == ["export_to_s3", "export_to_sql"]
    else:
        return False
    return True


def check_calls_per_agent(found: list[Any], sim: Simulator) -> None:
    """See that each call of a known agent is counted once, by name and by wrap-up code."""
    truth = [
        json.loads(record) for record in sim.truth(LOGICAL - timedelta(days=1), LOGICAL).values()
    ]
    expected = Counter(
        (record["agent_id"], WRAPUP_CODES.get(record["wrapup_code"]))
        for record in truth
        if record["agent_id"] is not None
    )
    counts = {(agent, wrapup): calls for agent, _, _, wrapup, calls, _ in found}
    assert counts == expected
    assert {bool(is_deleted) for _, _, is_deleted, *_ in found} == {True, False}
    assert all(name == AGENT_BY_ID[agent].name for agent, name, *_ in found)


def check_announcement(task: Any, manifests: list[dict[str, Any]]) -> None:
    """See that changes are announced by one event, a partition for each day if days are, and that
    no event is left otherwise."""
    events = outlet_events()
    unchanged = [{**manifest, "changed": False} for manifest in manifests]
    task.python_callable([*manifests[:2], *unchanged[2:]], outlet_events=events)
    [asset] = task.outlets
    if task.dag.dag_id in ONLY_NEWER:
        assert events[asset].partition_keys == {"2024-11-05", "2024-11-06"}
    else:
        assert events[asset].extra == {"parts_changed": 2}
    with pytest.raises(AirflowSkipException):
        task.python_callable(unchanged, outlet_events=events)


def outlet_events() -> Any:
    """Return what Airflow puts into the context of a task."""
    try:
        from airflow.sdk.execution_time.context import OutletEventAccessors  # noqa: PLC0415 - Airflow 3
    except ImportError:
        from airflow.utils.context import OutletEventAccessors  # noqa: PLC0415
    return OutletEventAccessors()


def check_summary(
    task: Any, context: dict[str, Any], s3: SeaweedS3, sim: Simulator, warehouse: Path
) -> None:
    """See that the day's counts are those of the object that the event names."""
    start = datetime(2024, 11, 10, tzinfo=timezone.utc)
    end = start + timedelta(days=1)
    export = VoisoCdrToS3Operator(
        task_id="export",
        s3_bucket=s3.bucket,
        s3_key="summary/dt={window_start:%Y-%m-%d}/cdr.parquet",
        file_format="parquet",
        window_start=start,
        window_end=end,
    )
    event = SimpleNamespace(extra={"voiso": export.execute(context)})
    heard = {AssetAlias("voiso_berlin_changed"): [event]}

    for _ in range(2):
        task.python_callable(triggering_asset_events=heard)

    with closing(sqlite3.connect(warehouse)) as connection:
        counts = dict(connection.execute("SELECT day || type, records FROM voiso_summary"))
    types = (json.loads(record)["type"] for record in sim.truth(start, end).values())
    assert counts == Counter(f"2024-11-10{name}" for name in types)


def check_export(
    task: Any,
    context: dict[str, Any],
    s3: SeaweedS3,
    sim: Simulator,
    warehouse: Path,
    since: datetime | None = None,
) -> dict[str, Any]:
    """Run one export; a table also holds what earlier ones wrote from ``since`` on."""
    task.render_template_fields(context)
    manifest: dict[str, Any] = task.execute(context)
    start, end = (datetime.fromisoformat(manifest[name]) for name in ("window_start", "window_end"))
    truth = sim.truth(start - getattr(task, "lookback", timedelta(0)), end, task.filters)
    assert manifest["records"] == len(truth) > 0
    if since and "table" in manifest:
        truth = sim.truth(since, end, task.filters)
    assert exported(manifest, s3, warehouse) == truth.keys()
    return manifest
