"""Assets in ``outlets`` hear what an export did; aliases hear only of changes."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from importlib import import_module
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import airflow
import pytest
from airflow.providers.common.compat.sdk import DAG, Asset, AssetAlias

from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator
from airflow_provider_voiso.report.assets import partition_key
from airflow_provider_voiso.simulator import Drift, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers.s3 import SeaweedS3

    Simulate = Callable[..., Simulator]

AIRFLOW = tuple(int(part) for part in airflow.__version__.split(".")[:2])
needs_3_2 = pytest.mark.skipif(AIRFLOW < (3, 2), reason="needs Airflow 3.2 or later")
needs_3_3 = pytest.mark.skipif(AIRFLOW < (3, 3), reason="needs Airflow 3.3 or later")
BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2024, 11, 10, tzinfo=timezone.utc)
DAY = timedelta(days=1)
CALLS = Asset(uri="s3://voiso-cdr/calls")
CHANGED = AssetAlias("changed calls")
PREFIX = "assets"


def outlet_events() -> Any:
    """Return what Airflow puts into the context of a task."""
    home = "airflow.utils.context" if AIRFLOW < (3, 0) else "airflow.sdk.execution_time.context"
    return import_module(home).OutletEventAccessors()


def alias_events(events: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return the asset and the extra of each event of the alias."""
    found = events[CHANGED]
    if AIRFLOW < (3, 0):
        return [(each["dest_dataset_uri"], each["extra"]) for each in found.dataset_alias_events]
    return [(each.dest_asset_key.uri, each.extra) for each in found.asset_alias_events]


@pytest.fixture
def s3(s3_server: SeaweedS3, monkeypatch: pytest.MonkeyPatch) -> SeaweedS3:
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", s3_server.connection())
    client = s3_server.client()
    listed = client.list_objects_v2(Bucket=s3_server.bucket, Prefix=PREFIX)
    for item in listed.get("Contents", []):
        client.delete_object(Bucket=s3_server.bucket, Key=item["Key"])
    return s3_server


def to_s3(**options: Any) -> VoisoCdrToS3Operator:
    arguments: dict[str, Any] = {
        "task_id": "export",
        "s3_bucket": "voiso-cdr",
        "s3_key": PREFIX + "/dt={window_start:%Y-%m-%d}/cdr.{extension}",
        "outlets": [CALLS, CHANGED],
    }
    return VoisoCdrToS3Operator(**{**arguments, **options})


@pytest.mark.usefixtures("s3")
def test_only_changes_reach_an_alias(simulate: Simulate, context: dict[str, Any]) -> None:
    sim = simulate(drift=Drift(change=0.3))
    seen: list[tuple[Any, Any]] = []
    for drifts in (False, False, True):
        if drifts:
            sim.drift_now()
        events = outlet_events()

        manifest = to_s3().execute({**context, "outlet_events": events})

        assert events[CALLS].extra == {"voiso": manifest}
        assert json.loads(json.dumps(events[CALLS].extra)) == events[CALLS].extra
        seen.append((manifest["changed"], alias_events(events)))
        if manifest["changed"]:
            assert seen[-1][1] == [("s3://voiso-cdr/assets", {"voiso": manifest})]
    assert [changed for changed, _ in seen] == [True, False, True]
    assert seen[1][1] == []


@pytest.mark.usefixtures("s3")
def test_context_without_events(simulate: Simulate, context: dict[str, Any]) -> None:
    simulate()

    assert to_s3().execute(context)["changed"] is True


@pytest.mark.usefixtures("s3")
def test_other_extras_are_kept(simulate: Simulate, context: dict[str, Any]) -> None:
    simulate()
    events = outlet_events()
    events[CALLS].extra["team"] = "sales"

    manifest = to_s3(outlets=[CALLS]).execute({**context, "outlet_events": events})

    assert events[CALLS].extra == {"team": "sales", "voiso": manifest}


def test_table_of_an_alias(
    simulate: Simulate,
    context: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    simulate()
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "calls.db")}
    monkeypatch.setenv("AIRFLOW_CONN_CALLS", json.dumps(connection))
    events = outlet_events()
    operator = VoisoCdrToSqlOperator(
        task_id="export", sql_conn_id="calls", table="cdr", outlets=[CHANGED]
    )

    manifest = operator.execute({**context, "outlet_events": events})

    assert alias_events(events) == [("sql://calls/cdr", {"voiso": manifest})]


@pytest.mark.parametrize(
    ("key", "uri"),
    [
        ("voiso/cdr/dt={window_start:%Y}/{window_end}", "s3://voiso-cdr/voiso/cdr"),
        ("{window_start}.{extension}", "s3://voiso-cdr/"),
        ("exports/latest.csv", "s3://voiso-cdr/exports/latest.csv"),
        ("anrufe/März 2025/cdr_{window_start}", "s3://voiso-cdr/anrufe/M%C3%A4rz%202025"),
    ],
)
def test_prefix_is_the_asset(key: str, uri: str) -> None:
    assert to_s3(s3_key=key).asset_uri() == uri


def partitioned(key_format: str = "%Y-%m-%d") -> DAG:
    from airflow.sdk import CronPartitionTimetable  # noqa: PLC0415

    timetable = CronPartitionTimetable(
        "0 0 * * *", timezone="Europe/Berlin", run_offset=-1, key_format=key_format
    )
    return DAG("calls", schedule=timetable, start_date=datetime(2020, 1, 1, tzinfo=BERLIN))


def day(number: int) -> Window:
    start = datetime(2024, 10, number, tzinfo=BERLIN)
    return Window(start, datetime(2024, 10, number + 1, tzinfo=BERLIN))


@needs_3_2
@pytest.mark.parametrize(
    ("window", "key"),
    [
        (day(27), "2024-10-27"),  # of 25 hours
        (day(26), "2024-10-26"),
        (day(29), None),  # the run's own
        (Window(day(27).start, day(27).start + timedelta(hours=4)), None),
        (Window(day(27).start, day(28).end), None),
    ],
)
def test_key_of_a_window(window: Window, key: str | None) -> None:
    context = {"dag": partitioned(), "partition_date": day(29).start}

    assert partition_key(context, window) == key


def test_no_keys_without_partitions() -> None:
    daily = DAG("calls", schedule="@daily", start_date=datetime(2020, 1, 1, tzinfo=BERLIN))

    assert partition_key({"dag": daily}, day(27)) is None
    assert partition_key({}, day(27)) is None


@needs_3_3
@pytest.mark.usefixtures("s3")
def test_events_of_other_partitions(simulate: Simulate) -> None:
    simulate()
    events = outlet_events()
    context = {
        "dag": partitioned(),
        "partition_date": datetime(2024, 11, 12, tzinfo=BERLIN),
        "outlet_events": events,
    }
    start = datetime(2024, 11, 10, tzinfo=BERLIN)
    operator = to_s3(window_start=start, window_end=start + DAY)

    operator.execute(context)

    assert events[CALLS].partition_keys == {"2024-11-10"}
    # Airflow takes no keys for an alias.
    assert len(alias_events(events)) == 1
