"""A backfill of both daily example DAGs, from an empty state to its end."""

from __future__ import annotations

import fcntl
import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.servers.process import PartError, wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import ExitStack
    from datetime import date

    from demo.stack import AirflowStack

ROOT = Path(__file__).resolve().parents[1]
STATE = ROOT / ".demo"
DAG_IDS = {"voiso_cdr_to_s3_daily": "S3", "voiso_cdr_to_sql_daily": "SQL"}
TABLE = "voiso_cdr"

console = Console()


def empty_state(stack: ExitStack) -> None:
    """Remove what an earlier run left; refuse while another run of this clone still uses it."""
    STATE.mkdir(exist_ok=True)
    lock = stack.enter_context((STATE / "lock").open("w"))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise PartError(f"Another demo is running in {ROOT}: end it with Ctrl-C first.") from None
    for path in STATE.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "lock":
            path.unlink()


def last_days(count: int) -> list[date]:
    """Return the last complete days in UTC, the oldest first."""
    today = datetime.now(timezone.utc).date()
    return [today - timedelta(days=back) for back in range(count, 0, -1)]


def backfill(
    airflow: AirflowStack, days: list[date], *, active_runs: int, timeout: float = 900
) -> None:
    """Create a backfill of each DAG over these days and wait until every run succeeded.

    :param active_runs: how many runs of each DAG may run at once
    :param timeout: seconds
    """
    logical_dates = [day + timedelta(days=1) for day in days]
    columns = (
        TextColumn("{task.description:<4}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bars = {
            dag_id: progress.add_task(name, total=len(days)) for dag_id, name in DAG_IDS.items()
        }
        for dag_id in DAG_IDS:
            airflow.api.unpause(dag_id)
            dates = ("--from-date", f"{logical_dates[0]}", "--to-date", f"{logical_dates[-1]}")
            airflow.airflow(
                "backfill",
                "create",
                "--dag-id",
                dag_id,
                *dates,
                "--max-active-runs",
                str(active_runs),
            )

        def all_done() -> bool:
            done = {dag_id: succeeded(airflow, dag_id, logical_dates) for dag_id in DAG_IDS}
            for dag_id, count in done.items():
                progress.update(bars[dag_id], completed=count)
            return all(count == len(days) for count in done.values())

        wait_for("the backfills to end", all_done, timeout=timeout, interval=1)


def export_day(airflow: AirflowStack, day: date) -> None:
    """Export one more day with each DAG, by a run of its own."""
    logical_date = f"{day + timedelta(days=1)}T00:00:00Z"
    runs = {dag_id: airflow.api.trigger(dag_id, logical_date=logical_date) for dag_id in DAG_IDS}
    _wait_for_success(airflow, runs)


def export_again(airflow: AirflowStack, day: date) -> None:
    """Clear the runs that exported a day, and wait until they have exported it again."""
    logical_date = str(day + timedelta(days=1))
    runs = {}
    for dag_id in DAG_IDS:
        [run] = [
            run["dag_run_id"]
            for run in airflow.api.runs(dag_id)
            if str(run["logical_date"]).startswith(logical_date)
        ]
        airflow.api.clear(dag_id, run)
        runs[dag_id] = run
    _wait_for_success(airflow, runs)


def _wait_for_success(airflow: AirflowStack, runs: Mapping[str, str]) -> None:
    for dag_id, run_id in runs.items():
        if airflow.api.wait_for_run(dag_id, run_id) != "success":
            raise PartError(f"The run {run_id} of {dag_id} failed; see its log in {airflow.url}.")


def succeeded(airflow: AirflowStack, dag_id: str, logical_dates: list[date]) -> int:
    """Return how many of these dates have a successful run.

    :raises PartError: with the end of the log, if a run failed
    """
    wanted = {str(date) for date in logical_dates}
    runs = airflow.api.runs(dag_id)
    states = {
        run["dag_run_id"]: run["state"] for run in runs if str(run["logical_date"])[:10] in wanted
    }
    for run_id in (run_id for run_id, state in states.items() if state == "failed"):
        tasks = airflow.api.task_instances(dag_id, run_id)
        task = next(task for task in tasks if task["state"] == "failed")
        log = airflow.api.task_log(dag_id, run_id, task["task_id"], task["try_number"])
        raise PartError(f"{task['task_id']} of the run {run_id} of {dag_id} failed:\n{log[-4000:]}")
    return sum(state == "success" for state in states.values())
