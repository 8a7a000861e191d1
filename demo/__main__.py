"""``make demo``: backfill seven days from a simulated Voiso to S3 and SQL with a real Airflow, and compare.

On a terminal everything stays up until Ctrl-C. Otherwise everything is stopped, and the exit code is 0 only if both
destinations hold exactly the records of the simulator on every day.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import sys
import time
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from demo.evidence import Day, uuids_in_s3, uuids_in_sqlite
from demo.process import PartError, wait_for
from demo.stack import AirflowStack, SeaweedS3, SimulatorProcess

if TYPE_CHECKING:
    from datetime import date

ROOT = Path(__file__).resolve().parents[1]
STATE = ROOT / ".demo"
DATABASE = STATE / "warehouse.db"
DAG_IDS = {"voiso_cdr_to_s3_daily": "S3", "voiso_cdr_to_sql_daily": "SQL"}
TABLE = "voiso_cdr"
DAYS = 7
# More than the 10,000 that one search returns, so that the backfill has to follow search tokens.
RECORDS_PER_DAY = 12_000
BACKFILL_TIMEOUT = 900.0

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


def last_days() -> list[date]:
    """Return the last complete days in UTC, the oldest first."""
    today = datetime.now(timezone.utc).date()
    return [today - timedelta(days=back) for back in range(DAYS, 0, -1)]


def backfill(airflow: AirflowStack, days: list[date]) -> None:
    """Create a backfill of each DAG over these days and wait until every run succeeded."""
    logical_dates = [day + timedelta(days=1) for day in days]
    columns = (TextColumn("{task.description:<4}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bars = {dag_id: progress.add_task(name, total=len(days)) for dag_id, name in DAG_IDS.items()}
        for dag_id in DAG_IDS:
            airflow.api.unpause(dag_id)
            dates = ("--from-date", f"{logical_dates[0]}", "--to-date", f"{logical_dates[-1]}")
            airflow.airflow("backfill", "create", "--dag-id", dag_id, *dates, "--max-active-runs", "2")

        def all_done() -> bool:
            done = {dag_id: succeeded(airflow, dag_id, logical_dates) for dag_id in DAG_IDS}
            for dag_id, count in done.items():
                progress.update(bars[dag_id], completed=count)
            return all(count == len(days) for count in done.values())

        wait_for("the backfills to end", all_done, timeout=BACKFILL_TIMEOUT, interval=1)


def succeeded(airflow: AirflowStack, dag_id: str, logical_dates: list[date]) -> int:
    """Return how many of these dates have a successful run; raise a PartError with the log's end if one failed."""
    wanted = {str(date) for date in logical_dates}
    runs = airflow.api.runs(dag_id)
    states = {run["dag_run_id"]: run["state"] for run in runs if str(run["logical_date"])[:10] in wanted}
    for run_id in (run_id for run_id, state in states.items() if state == "failed"):
        tasks = airflow.api.task_instances(dag_id, run_id)
        task = next(task for task in tasks if task["state"] == "failed")
        log = airflow.api.task_log(dag_id, run_id, task["task_id"], task["try_number"])
        raise PartError(f"{task['task_id']} of the run {run_id} of {dag_id} failed:\n{log[-4000:]}")
    return sum(state == "success" for state in states.values())


def compare(simulator: SimulatorProcess, s3: SeaweedS3, days: list[date]) -> list[Day]:
    """Collect the uuids of each day from the simulator, the objects and the table."""
    client = s3.client()
    found = []
    for day in days:
        start = datetime(day.year, day.month, day.day, tzinfo=timezone.utc)
        truth = simulator.truth(start, start + timedelta(days=1))
        found.append(Day(day, truth, uuids_in_s3(client, s3.bucket, day), uuids_in_sqlite(DATABASE, TABLE, day)))
    return found


def show(found: list[Day]) -> None:
    """Print one line for each day."""
    table = Table("day (UTC)", *(f"[right]{name}" for name in ("simulator", "S3", "SQL", "same uuids")))
    for column in table.columns[1:]:
        column.justify = "right"
    for day in found:
        counts = (f"{len(uuids):,}" for uuids in (day.simulator, day.s3, day.sql))
        table.add_row(str(day.date), *counts, "yes" if day.is_equal else "NO")
    console.print(table)


def stay(airflow: AirflowStack) -> None:
    """Wait until Ctrl-C; raise a PartError if a process of Airflow ends by itself."""
    while True:
        for server in airflow.servers.values():
            server.check_alive()
        time.sleep(1)


def main() -> int:
    """Run the demo and return its exit code."""
    interactive = sys.stdin.isatty() and sys.stdout.isatty() and "CI" not in os.environ
    days = last_days()
    logs = STATE / "logs"
    with ExitStack() as stack:
        empty_state(stack)
        console.print("Starting the simulator and SeaweedFS ...")
        simulator = stack.enter_context(SimulatorProcess(logs, ["--records-per-day", str(RECORDS_PER_DAY)]))
        s3 = stack.enter_context(SeaweedS3(STATE / "s3", logs=logs))
        console.print("Starting Airflow: api-server, scheduler, dag-processor, triggerer ...")
        settings = {
            # The other example DAGs are there to be looked at and switched on by hand.
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
            "AIRFLOW_CONN_VOISO_DEFAULT": simulator.connection(),
            "AIRFLOW_CONN_AWS_DEFAULT": s3.connection(),
            "AIRFLOW_CONN_VOISO_WAREHOUSE": json.dumps({"conn_type": "sqlite", "host": str(DATABASE)}),
        }
        airflow = stack.enter_context(AirflowStack(STATE / "airflow", ROOT / "example_dags", settings))
        console.print(f"Airflow's UI: {airflow.url} (no password)")
        airflow.api.wait_for_dags(*DAG_IDS)
        console.print(f"Backfilling {days[0]} to {days[-1]} of {' and '.join(DAG_IDS)} ...")
        backfill(airflow, days)
        found = compare(simulator, s3, days)
        show(found)
        all_equal = all(day.is_equal for day in found)
        console.print("Every day is the same in all three." if all_equal else "Some days differ.")
        if interactive:
            console.print(f"Airflow's UI: {airflow.url}\nS3: {s3.endpoint_url}\nSQL: {DATABASE}", soft_wrap=True)
            console.print("Everything stays up until Ctrl-C.")
            with suppress(KeyboardInterrupt):
                stay(airflow)
        console.print("Stopping ...")
    return 0 if all_equal else 1


def terminate(*_: object) -> NoReturn:
    """Turn SIGTERM into an exception, so that everything is stopped in order."""
    sys.exit(143)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, terminate)
    try:
        sys.exit(main())
    except PartError as error:
        sys.exit(f"The demo failed. {error}")
    except KeyboardInterrupt:
        sys.exit(130)
