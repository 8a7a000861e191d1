"""Runs of every kind that Airflow 2.11 has, made by a real scheduler."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import airflow
import pytest

pytestmark = [
    pytest.mark.skipif(not airflow.__version__.startswith("2."), reason="needs Airflow 2.11"),
    pytest.mark.slow_airflow,
]

ROOT = Path(__file__).parents[2]
BERLIN = ZoneInfo("Europe/Berlin")
BY_HAND = "2025-03-30T10:17:00+02:00"
RUNS = {
    "cron": 4,
    "delta": 2,
    "cron_interval": 2,
    "cron_trigger": 3,
    "cron_trigger_interval": 2,
    "unscheduled": 1,
    "asset_only": 1,
}


def berlin(*parts: int) -> str:
    return datetime(*parts, tzinfo=BERLIN).astimezone(ZoneInfo("UTC")).isoformat()  # type: ignore[misc,arg-type]


class Results:
    """What the tasks returned, read from the metadata database.

    :param database: the file of Airflow's SQLite database
    """

    def __init__(self, database: Path) -> None:
        self.database = database

    def query(self, sql: str) -> list[Any]:
        with closing(sqlite3.connect(self.database, timeout=60)) as connection:
            return connection.execute(sql).fetchall()

    def all_ended(self) -> bool:
        counts = dict(
            self.query("SELECT dag_id, count(*) FROM dag_run WHERE state IN ('success', 'failed') GROUP BY dag_id")
        )
        return all(counts.get(dag_id, 0) >= count for dag_id, count in RUNS.items())

    def of(self, dag_id: str, run_type: str) -> list[dict[str, Any]]:
        rows = self.query(
            "SELECT dag_run.dag_id, run_type, value FROM dag_run JOIN xcom ON xcom.dag_run_id = dag_run.id "
            "WHERE xcom.key = 'return_value' ORDER BY execution_date"
        )
        return [json.loads(value) for found, kind, value in rows if (found, kind) == (dag_id, run_type)]

    def windows(self, dag_id: str, run_type: str) -> list[list[str]]:
        return [result["window"] for result in self.of(dag_id, run_type)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    from demo.process import Server, clean_environment, wait_for  # noqa: PLC0415

    home = tmp_path_factory.mktemp("airflow")
    env = clean_environment(
        {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parent / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            # The executor starts each task as the program "airflow".
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
            "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        }
    )

    def run_airflow(*arguments: str) -> None:
        subprocess.run([sys.executable, "-m", "airflow", *arguments], env=env, check=True, timeout=180)

    run_airflow("db", "migrate")
    run_airflow("dags", "reserialize")
    for dag_id in ("backfilled", "backfilled_trigger"):
        run_airflow("dags", "backfill", dag_id, "-s", "2025-10-25T22:00:00+00:00", "-e", "2025-10-26T23:00:00+00:00")
    for dag_id in ("cron", "cron_trigger"):
        run_airflow("dags", "test", dag_id, "2025-03-30T12:17:00+02:00")
    run_airflow("dags", "trigger", "cron", "-e", BY_HAND)
    run_airflow("dags", "trigger", "unscheduled", "-e", BY_HAND)
    found = Results(home / "airflow.db")
    command = [sys.executable, "-m", "airflow", "scheduler", "--skip-serve-logs"]
    with Server("scheduler", command, logs=home, ready=lambda: True, env=env) as scheduler:
        wait_for("all runs to end", found.all_ended, timeout=300, alive=scheduler.check_alive)
    return found


def test_a_daily_schedule_exports_its_interval(results: Results) -> None:
    for dag_id in ("cron", "cron_interval"):
        assert results.windows(dag_id, "scheduled") == [
            [berlin(2025, 3, 30), berlin(2025, 3, 31)],
            [berlin(2025, 3, 31), berlin(2025, 4, 1)],
        ]


def test_a_tick_without_an_interval_exports_yesterday(results: Results) -> None:
    assert results.windows("cron_trigger", "scheduled") == [
        [berlin(2025, 3, 29), berlin(2025, 3, 30)],
        [berlin(2025, 3, 30), berlin(2025, 3, 31)],
    ]
    assert results.windows("cron_trigger", "manual") == [[berlin(2025, 3, 29), berlin(2025, 3, 30)]]


def test_a_backfill_covers_the_day_of_25_hours(results: Results) -> None:
    assert results.windows("backfilled", "backfill") == [
        [berlin(2025, 10, 26), berlin(2025, 10, 27)],
        [berlin(2025, 10, 27), berlin(2025, 10, 28)],
    ]
    assert results.windows("backfilled_trigger", "backfill") == [
        [berlin(2025, 10, 25), berlin(2025, 10, 26)],
        [berlin(2025, 10, 26), berlin(2025, 10, 27)],
    ]


def test_a_manual_run_exports_the_last_complete_day(results: Results) -> None:
    assert results.windows("cron", "manual") == [[berlin(2025, 3, 29), berlin(2025, 3, 30)]] * 2


def test_intervals_of_other_schedules_are_the_window(results: Results) -> None:
    assert results.windows("delta", "scheduled") == [
        ["2025-03-29T23:00:00+00:00", "2025-03-30T23:00:00+00:00"],
        ["2025-03-30T23:00:00+00:00", "2025-03-31T23:00:00+00:00"],
    ]
    assert results.windows("cron_trigger_interval", "scheduled")[-1:] == [
        ["2025-03-30T04:00:00+00:00", berlin(2025, 3, 31, 6)]
    ]


def test_runs_without_any_period_fail_with_the_ways_out(results: Results) -> None:
    found = [*results.of("unscheduled", "manual"), *results.of("asset_only", "dataset_triggered")]
    assert len(found) == 2
    for result in found:
        assert "Set window_start and window_end" in result["error"]
