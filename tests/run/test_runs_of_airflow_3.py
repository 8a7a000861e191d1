"""Runs of every kind, made by a real scheduler of Airflow 3."""

from __future__ import annotations

import os
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import airflow
import pytest

from tests.run.cases import BACKFILL, CLEARED, DATED, KEYED, PAUSED, RETRIED, TESTED, UNDATED, Case
from tests.run.seen_runs import SeenRuns, cases_of, instant, run_id

if TYPE_CHECKING:
    from demo.stack import AirflowStack

pytestmark = [
    pytest.mark.skipif(airflow.__version__.startswith("2."), reason="needs Airflow 3"),
    pytest.mark.whole_airflow,
    pytest.mark.xdist_group("airflow"),
]

ROOT = Path(__file__).parents[2]
AIRFLOW = (int(airflow.__version__.split(".")[0]), int(airflow.__version__.split(".")[1]))
CASES = [] if AIRFLOW < (3, 0) else cases_of(AIRFLOW)


def start(stack: AirflowStack, case: Case) -> None:
    """Make the run of a case, unless Airflow makes it by itself or it is cleared later."""
    base = case.run.removesuffix(RETRIED)
    if base in {DATED, UNDATED, KEYED}:
        body: dict[str, Any] = {
            "dag_run_id": run_id(case.run),
            "logical_date": instant(case.logical_date) if case.logical_date else None,
        }
        if case.arguments:
            body["conf"] = dict(
                zip(("window_start", "window_end"), map(instant, case.window), strict=True)
            )
        if case.partition_key:
            body["partition_key"] = case.partition_key
        elif case.run_after:
            body["run_after"] = instant(case.run_after)
        stack.api.request("POST", f"/dags/{case.schedule}/dagRuns", json=body)
    elif base == BACKFILL:
        day = instant(case.logical_date or case.partition_date or "")
        stack.api.backfill(case.schedule, day, day)
    elif base == TESTED:
        stack.airflow("dags", "test", case.schedule, instant(case.logical_date or ""))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> set[Case]:
    """Make all runs, and return what their tasks saw."""
    from demo.stack import AirflowStack  # noqa: PLC0415
    from tests.servers.process import PartError, wait_for  # noqa: PLC0415

    home = tmp_path_factory.mktemp("airflow")
    found = SeenRuns(home / "seen_runs")
    env = {
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        "SEEN_RUNS": str(found.file),
        # No DAG file changes; each look at all of them takes seconds.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
        # No task is to start before there is an api-server.
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
        # A busy machine may need longer than five seconds to answer a task.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "120",
    }
    cleared = {case for case in CASES if case.run.endswith(CLEARED)}
    wanted = Counter((case.schedule, case.run) for case in CASES)

    with AirflowStack(home, Path(__file__).parent / "dags", env) as stack:

        def all_ended() -> bool:
            states = {
                run["state"] for run in stack.api.get("/dags/~/dagRuns", limit=100)["dag_runs"]
            }
            return states == {"success"} and wanted <= found.kinds()

        def none_failed() -> None:
            if failed := stack.api.get("/dags/~/dagRuns", limit=100, state="failed")["dag_runs"]:
                raise PartError(
                    f"These runs failed: {[(run['dag_id'], run['dag_run_id']) for run in failed]}"
                )

        schedules = {case.schedule for case in CASES}
        stack.api.wait_for_dags(*schedules)
        for schedule in schedules - {PAUSED}:
            stack.api.unpause(schedule)
        tested = [case for case in CASES if case.run == TESTED]
        for case in CASES:
            if case not in tested:
                start(stack, case)
        for case in cleared:
            has_run = partial(found.run_to_clear, case)
            first = wait_for(
                "the run to clear", has_run, timeout=300, alive=none_failed, interval=0.5
            )
            stack.api.wait_for_run(case.schedule, first)
            path = f"/dags/{case.schedule}/dagRuns/{quote(first)}/clear"
            stack.api.request("POST", path, json={"dry_run": False})
        # Last, as this takes seconds in which the scheduler works, too.
        for case in tested:
            start(stack, case)
        wait_for("all runs to end", all_ended, timeout=300, alive=none_failed, interval=0.5)
    return found.cases(AIRFLOW)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.schedule}: {case.run}")
def test_each_run_has_its_window(seen: set[Case], case: Case) -> None:
    alike = {run for run in seen if (run.schedule, run.run) == (case.schedule, case.run)}
    assert case in alike


def test_no_run_has_another_window(seen: set[Case]) -> None:
    assert seen == set(CASES)
