"""What a person finds in the log of an export, and what Airflow keeps of it beside the manifest."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import Stats

from airflow_provider_voiso.exceptions import VoisoServerError
from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator
from airflow_provider_voiso.report.manifest import Manifest

if TYPE_CHECKING:
    from airflow_provider_voiso.simulator import Simulator

MANIFEST = Manifest(
    window_start="2024-11-10T00:00:00+00:00",
    window_end="2024-11-11T00:00:00+00:00",
    records=287_345,
    duplicates=0,
    out_of_window=0,
    unfinished=0,
    requests=36,
    probes=2,
    clock="UTC",
    bytes=31_200_000,
    uri="s3://voiso-cdr/day.ndjson.gz",
)


def export(context: dict[str, Any]) -> dict[str, Any]:
    task = VoisoCdrToSqlOperator(task_id="export", sql_conn_id="warehouse", table="cdr")
    return task.execute(context)


def test_result_is_one_line() -> None:
    assert MANIFEST.line(seconds=82.4, changed=0) == (
        "Exported 287,345 records (31.2 MB) to s3://voiso-cdr/day.ndjson.gz in 82 s with "
        "36 requests."
    )


def test_result_names_what_is_remarkable() -> None:
    assert MANIFEST.line(seconds=82.4, changed=3).endswith(
        " Of the records: 3 changed while they were read."
    )


def test_log_tells_the_export(
    simulator: Simulator,  # noqa: ARG001 - is the connection
    context: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")

    manifest = export(context)

    log = capsys.readouterr().out + caplog.text
    assert (
        "Exporting the window 2024-11-10 00:00 to 2024-11-11 00:00 UTC from 127.0.0.1 to cdr."
        in log
    )
    assert re.search(rf"Exported {manifest['records']} records \([\d.]+ kB\) to cdr in ", log)
    assert "Manifest(" not in log
    assert "{'" not in log


@pytest.mark.parametrize(
    ("map_index", "given", "template"),
    [
        (2, None, "{{ voiso_window }}"),
        (2, "{{ task.table }}", "{{ task.table }}"),
        (-1, None, None),
    ],
)
def test_mapped_task_shows_its_window(
    simulator: Simulator,  # noqa: ARG001 - is the connection
    context: dict[str, Any],
    map_index: int,
    given: str | None,
    template: str | None,
) -> None:
    context |= {"ti": SimpleNamespace(map_index=map_index), "map_index_template": given}

    export(context)

    assert context["map_index_template"] == template
    assert context["voiso_window"] == "2024-11-10 00:00 to 2024-11-11 00:00 UTC"


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[float, dict[str, str]]]:
    """Return what is told to Airflow's metrics: by name, the value and the tags."""
    told: dict[str, tuple[float, dict[str, str]]] = {}

    def incr(name: str, count: int = 1, *, tags: dict[str, str]) -> None:
        told[name] = (count, tags)

    def timing(name: str, passed: Any, *, tags: dict[str, str]) -> None:
        told[name] = (passed.total_seconds(), tags)

    monkeypatch.setattr(Stats, "incr", incr)
    monkeypatch.setattr(Stats, "timing", timing)
    return told


def test_metrics_count_the_export(
    simulator: Simulator,
    context: dict[str, Any],
    counted: dict[str, tuple[float, dict[str, str]]],
) -> None:
    simulator.faults.add("status", times=1)
    stats_tags = {"dag_id": "daily", "task_id": "export"}
    context["ti"] = SimpleNamespace(map_index=-1, stats_tags=stats_tags)

    manifest = export(context)

    ours = {name: each for name, each in counted.items() if name.startswith("voiso.cdr.")}
    counts = {name: value for name, (value, _) in ours.items() if not name.endswith("_duration")}
    assert counts == {
        "voiso.cdr.records": manifest["records"],
        "voiso.cdr.bytes": manifest["bytes"],
        "voiso.cdr.requests": manifest["requests"],
        "voiso.cdr.retries": 1,
    }
    assert ours.keys() - counts.keys() == {"voiso.cdr.read_duration", "voiso.cdr.write_duration"}
    assert all(tags == {**stats_tags, "destination": "sql"} for _, tags in ours.values())


def test_failed_read_counts_its_requests(
    simulator: Simulator,
    context: dict[str, Any],
    counted: dict[str, tuple[float, dict[str, str]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = simulator.url.replace("http://", f"voiso://:{simulator.key}@")
    monkeypatch.setenv("AIRFLOW_CONN_VOISO_DEFAULT", f"{connection}/http?max_retries=0")
    simulator.faults.add("status", times=None)

    with pytest.raises(VoisoServerError):
        export(context)

    assert counted["voiso.cdr.requests"][0] == 1
    assert counted["voiso.cdr.retries"][0] == 0
    assert "voiso.cdr.records" not in counted
