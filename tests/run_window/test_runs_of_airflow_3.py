"""Runs of every kind, made by a real scheduler; on one machine this takes about two minutes."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import airflow
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.stack import AirflowStack

pytestmark = [
    pytest.mark.skipif(
        airflow.__version__.startswith(("2.", "3.0.", "3.1.")), reason="needs Airflow 3.2 or later, for partitions"
    ),
    pytest.mark.slow_airflow,
]

ROOT = Path(__file__).parents[2]
BERLIN = ZoneInfo("Europe/Berlin")
# What is scheduled, in the backfills, and triggered below; asset events may be taken together.
RUNS = {
    "cron": 7,
    "delta": 4,
    "cron_interval": 6,
    "cron_trigger_interval": 3,
    "two_crons": 4,
    "unscheduled": 2,
    "asset_only": 1,
    "asset_or_time": 3,
    "partition": 5,
    "partition_downstream": 5,
}
BY_HAND = "2025-03-30T10:17:00+02:00"


def berlin(*parts: int) -> str:
    return datetime(*parts, tzinfo=BERLIN).astimezone(ZoneInfo("UTC")).isoformat()  # type: ignore[misc,arg-type]


def ended(stack: AirflowStack) -> bool:
    runs = {dag_id: stack.api.runs(dag_id) for dag_id in RUNS}
    return all(
        len(runs[dag_id]) >= count and {run["state"] for run in runs[dag_id]} <= {"success", "failed"}
        for dag_id, count in RUNS.items()
    )


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowStack]:
    from demo.process import wait_for  # noqa: PLC0415
    from demo.stack import AirflowStack  # noqa: PLC0415

    env = {
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        # A busy machine may need longer than five seconds to answer a task.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "120",
    }
    with AirflowStack(tmp_path_factory.mktemp("airflow"), Path(__file__).parent / "dags", env) as running:
        api = running.api
        api.wait_for_dags(*RUNS)
        api.trigger("unscheduled")
        for dag_id in ("unscheduled", "cron", "cron_interval", "delta", "asset_or_time"):
            api.trigger(dag_id, logical_date=BY_HAND)
        for dag_id in ("cron", "cron_interval", "cron_trigger_interval", "delta", "two_crons"):
            api.trigger(dag_id)
        api.request("POST", "/dags/partition/dagRuns", json={"logical_date": None, "partition_key": "2025-07-01"})
        for dag_id in ("cron", "partition", "cron_interval"):
            api.backfill(dag_id, "2025-10-26T00:00:00+02:00", "2025-10-27T12:00:00+01:00")
        running.airflow("dags", "test", "cron", "2025-03-30T12:17:00+02:00")
        wait_for("all runs to end", lambda: ended(running), timeout=300)
        yield running


def results(stack: AirflowStack, dag_id: str, run_type: str) -> list[dict[str, Any]]:
    """Return what the tasks of a DAG's runs returned, the oldest run first, with the run's run_after."""
    found = []
    for run in stack.api.runs(dag_id):
        if run["run_type"] == run_type and stack.api.task_instances(dag_id, run["dag_run_id"]):
            result = stack.api.xcom(dag_id, run["dag_run_id"], "show")
            found.append({**result, "run_after": run["run_after"], "run_id": run["dag_run_id"]})
    return found


def windows(stack: AirflowStack, dag_id: str, run_type: str) -> list[list[str]]:
    return [result["window"] for result in results(stack, dag_id, run_type)]


def last_midnight_before(instant: str) -> datetime:
    day = datetime.fromisoformat(instant).astimezone(BERLIN).date()
    return datetime(day.year, day.month, day.day, tzinfo=BERLIN)


def day_before(midnight: datetime) -> list[str]:
    return [bound.astimezone(ZoneInfo("UTC")).isoformat() for bound in (midnight - timedelta(days=1), midnight)]


def test_a_daily_schedule_exports_yesterday_on_a_day_of_23_hours(stack: AirflowStack) -> None:
    found = results(stack, "cron", "scheduled")
    assert [result["window"] for result in found] == [
        [berlin(2025, 3, 29), berlin(2025, 3, 30)],
        [berlin(2025, 3, 30), berlin(2025, 3, 31)],
    ]
    assert {result["data_interval_start"] == result["data_interval_end"] for result in found} == {True}


def test_a_backfill_exports_what_the_schedule_would_have_on_a_day_of_25_hours(stack: AirflowStack) -> None:
    assert windows(stack, "cron", "backfill") == [
        [berlin(2025, 10, 25), berlin(2025, 10, 26)],
        [berlin(2025, 10, 26), berlin(2025, 10, 27)],
    ]
    assert windows(stack, "cron_interval", "backfill") == [
        [berlin(2025, 10, 26), berlin(2025, 10, 27)],
        [berlin(2025, 10, 27), berlin(2025, 10, 28)],
    ]


def test_a_manual_run_exports_the_last_complete_day(stack: AirflowStack) -> None:
    for dag_id in ("cron", "cron_interval"):
        for result in results(stack, dag_id, "manual"):
            instant = result.get("logical_date", result["run_after"])
            if dag_id == "cron_interval" and "data_interval_end" in result:
                instant = result["data_interval_end"]
            assert result["window"] == day_before(last_midnight_before(instant))


def test_a_manual_run_with_a_logical_date_counts_from_that(stack: AirflowStack) -> None:
    dated = [result for result in results(stack, "cron", "manual") if "logical_date" in result]
    assert [result["window"] for result in dated] == [[berlin(2025, 3, 29), berlin(2025, 3, 30)]] * 2


def test_a_data_interval_is_the_window(stack: AirflowStack) -> None:
    assert windows(stack, "cron_interval", "scheduled") == [
        [berlin(2025, 3, 30), berlin(2025, 3, 31)],
        [berlin(2025, 3, 31), berlin(2025, 4, 1)],
    ]
    assert windows(stack, "cron_trigger_interval", "scheduled") == [
        ["2025-03-30T04:00:00+00:00", berlin(2025, 3, 31, 6)]
    ]


def test_a_timedelta_exports_the_time_since_the_tick_before(stack: AirflowStack) -> None:
    assert windows(stack, "delta", "scheduled") == [
        ["2025-03-28T23:00:00+00:00", "2025-03-29T23:00:00+00:00"],
        ["2025-03-29T23:00:00+00:00", "2025-03-30T23:00:00+00:00"],
    ]
    for result in results(stack, "delta", "manual"):
        end = datetime.fromisoformat(result.get("logical_date", result["run_after"]))
        assert result["window"] == [(end - timedelta(days=1)).isoformat(), end.isoformat()]


def test_several_crons_divide_the_day(stack: AirflowStack) -> None:
    assert windows(stack, "two_crons", "scheduled") == [
        [berlin(2025, 3, 29, 18), berlin(2025, 3, 30, 6)],
        [berlin(2025, 3, 30, 6), berlin(2025, 3, 30, 18)],
        [berlin(2025, 3, 30, 18), berlin(2025, 3, 31, 6)],
    ]


def test_a_partition_is_the_window(stack: AirflowStack) -> None:
    assert windows(stack, "partition", "scheduled") == [
        [berlin(2025, 3, 29), berlin(2025, 3, 30)],
        [berlin(2025, 3, 30), berlin(2025, 3, 31)],
    ]
    assert windows(stack, "partition", "backfill") == [
        [berlin(2025, 10, 26), berlin(2025, 10, 27)],
        [berlin(2025, 10, 27), berlin(2025, 10, 28)],
    ]
    assert windows(stack, "partition", "manual") == [[berlin(2025, 7, 1), berlin(2025, 7, 2)]]


def test_a_partition_of_an_asset_is_the_window_downstream(stack: AirflowStack) -> None:
    upstream = [window for kind in ("scheduled", "backfill", "manual") for window in windows(stack, "partition", kind)]
    assert sorted(windows(stack, "partition_downstream", "asset_triggered")) == sorted(upstream)


def test_an_asset_beside_a_schedule_leads_to_its_last_period(stack: AirflowStack) -> None:
    found = [result for kind in ("scheduled", "asset_triggered") for result in results(stack, "asset_or_time", kind)]
    assert len(found) >= 2
    for result in found:
        year = datetime.fromisoformat(result["run_after"]).astimezone(BERLIN).year
        assert result["window"] == [berlin(year - 1, 1, 1), berlin(year, 1, 1)]


def test_runs_without_any_period_fail_with_the_ways_out(stack: AirflowStack) -> None:
    found = [*results(stack, "unscheduled", "manual"), *results(stack, "asset_only", "asset_triggered")]
    assert len(found) >= 3
    for result in found:
        assert "Set window_start and window_end" in result["error"]
        assert result["run_id"] in result["error"]


def test_a_cleared_run_exports_its_window_again(stack: AirflowStack) -> None:
    from demo.process import wait_for  # noqa: PLC0415

    def undated() -> dict[str, Any]:
        [found] = [result for result in results(stack, "cron", "manual") if "logical_date" not in result]
        return found

    def ran_again() -> bool:
        [task] = stack.api.task_instances("cron", first["run_id"])
        return bool(task["try_number"] == 2 and task["state"] == "success")

    first = undated()
    stack.api.request("POST", f"/dags/cron/dagRuns/{quote(first['run_id'])}/clear", json={"dry_run": False})
    wait_for("the cleared run to end", ran_again, timeout=120)
    assert undated() == first
