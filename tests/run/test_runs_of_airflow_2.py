"""Runs of every kind that Airflow 2.11 has, made by a real scheduler."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import airflow
import pytest

from tests.run.cases import BACKFILL, CLEARED, DATED, RETRIED, TESTED, UNDATED, Case
from tests.run.seen_runs import SeenRuns, cases_of, instant, run_id
from tests.servers.commands import several_commands

pytestmark = [
    pytest.mark.skipif(not airflow.__version__.startswith("2."), reason="needs Airflow 2.11"),
    pytest.mark.whole_airflow,
    pytest.mark.xdist_group("airflow"),
]

ROOT = Path(__file__).parents[2]
CASES = cases_of((2, 11)) if airflow.__version__.startswith("2.") else []


def command(case: Case) -> list[str]:
    """Return the ``airflow`` arguments that create the run of a case; none if it is scheduled."""
    date = (
        instant(case.logical_date) if case.logical_date and case.logical_date[0].isdigit() else ""
    )
    base = case.run.removesuffix(RETRIED)
    if replace(case, run=case.run + RETRIED) in CASES:
        return []
    if base in {DATED, UNDATED}:
        arguments = ["dags", "trigger", case.schedule, "-r", run_id(case.run)]
        if case.arguments:
            conf = dict(zip(("window_start", "window_end"), map(instant, case.window), strict=True))
            arguments += ["-c", json.dumps(conf)]
        return [*arguments, "-e", date] if date else arguments
    if base == BACKFILL:
        return ["dags", "backfill", case.schedule, "-s", date, "-e", date]
    if base == TESTED:
        return ["dags", "test", case.schedule, date]
    if base.endswith(CLEARED):
        return ["tasks", "clear", case.schedule, "-y", "-s", date, "-e", date]
    return []


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> set[Case]:
    """Make all runs, and return what their tasks saw."""
    import psycopg2  # noqa: PLC0415

    from tests.servers.postgres import Postgres  # noqa: PLC0415
    from tests.servers.process import PartError, Server, clean_environment, wait_for  # noqa: PLC0415

    home = tmp_path_factory.mktemp("airflow")
    found = SeenRuns(home / "seen_runs")
    cleared = [case for case in CASES if case.run.endswith(CLEARED)]
    wanted = Counter((case.schedule, case.run) for case in CASES)

    with Postgres(home / "logs") as postgres:
        env = clean_environment(
            {
                "AIRFLOW_HOME": str(home),
                "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
                "AIRFLOW__CORE__DAGS_FOLDER": str(Path(__file__).parent / "dags"),
                "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW__CORE__PARALLELISM": "2",
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.uri.replace(
                    "postgresql:", "postgresql+psycopg2:", 1
                ),
                "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
                "PYTHONPATH": os.pathsep.join(
                    filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))
                ),
                "SEEN_RUNS": str(found.file),
            }
        )

        # The processes that LocalExecutor forks for a backfill spoil its database connection.
        commands_env = {**env, "AIRFLOW__CORE__EXECUTOR": "SequentialExecutor"}

        def run_airflow(*commands: list[str]) -> None:
            subprocess.run(several_commands(*commands), env=commands_env, check=True, timeout=180)

        def states() -> set[str]:
            with (
                closing(psycopg2.connect(postgres.uri)) as connection,
                connection.cursor() as cursor,
            ):
                cursor.execute("SELECT DISTINCT state FROM dag_run")
                return {state for (state,) in cursor.fetchall()}

        def none_failed() -> None:
            scheduler.check_alive()
            if "failed" in states():
                raise PartError(f"A run failed. {scheduler.log_tail()}")

        def all_ended() -> bool:
            return states() == {"success"} and wanted <= found.kinds()

        run_airflow(["db", "migrate"], ["dags", "reserialize"])
        program = [sys.executable, "-m", "airflow", "scheduler", "--skip-serve-logs"]
        with Server(
            "scheduler", program, logs=home / "logs", ready=lambda: True, env=env
        ) as scheduler:
            run_airflow(*[command(case) for case in CASES if case not in cleared and command(case)])
            wait_for(
                "the runs to clear",
                lambda: all(map(found.run_to_clear, cleared)),
                timeout=300,
                alive=none_failed,
            )
            run_airflow(*map(command, cleared))
            wait_for("all runs to end", all_ended, timeout=300, alive=none_failed, interval=0.5)
    return found.cases((2, 11))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.schedule}: {case.run}")
def test_each_run_has_its_window(seen: set[Case], case: Case) -> None:
    alike = {run for run in seen if (run.schedule, run.run) == (case.schedule, case.run)}
    assert case in alike


def test_no_run_has_another_window(seen: set[Case]) -> None:
    assert seen == set(CASES)
