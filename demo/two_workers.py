"""``make celery``: backfill a month of days to S3 and PostgreSQL on two Celery workers.

The exit code is 0 only if both destinations hold exactly the records of the simulator on every day,
and each worker ran a fair share of the task instances.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING

from rich.table import Table

from demo.backfill import DAG_IDS, ROOT, STATE, TABLE, backfill, console, empty_state, last_days
from demo.celery_stack import SLOTS, CeleryStack
from demo.evidence import compare, show, uuids_in_postgres
from tests.servers.postgres import Postgres
from tests.servers.process import run_to_exit
from tests.servers.s3 import SeaweedS3
from tests.servers.voiso import SimulatorProcess

if TYPE_CHECKING:
    from demo.stack import AirflowStack

DAYS = 30
RECORDS_PER_DAY = 12_000
WORKERS = ("w1", "w2")
FAIR_SHARE = 0.25


def tasks_by_worker(airflow: AirflowStack) -> Counter[tuple[str, str]]:
    """Return how many task instances of each DAG succeeded on each worker."""
    found: Counter[tuple[str, str]] = Counter()
    for dag_id in DAG_IDS:
        for run in airflow.api.runs(dag_id):
            tasks = airflow.api.task_instances(dag_id, run["dag_run_id"])
            found.update((task["hostname"], dag_id) for task in tasks if task["state"] == "success")
    return found


def show_shares(found: Counter[tuple[str, str]]) -> None:
    """Print one line for each worker."""
    table = Table("worker", *(f"tasks of {dag_id}" for dag_id in DAG_IDS), "share")
    for worker in sorted({worker for worker, _ in found}):
        counts = [found[worker, dag_id] for dag_id in DAG_IDS]
        table.add_row(worker, *map(str, counts), f"{sum(counts) / found.total():.0%}")
    console.print(table)


def is_fair(found: Counter[tuple[str, str]]) -> bool:
    """Tell whether each worker, and nothing else, ran at least a quarter of each DAG's tasks."""
    for dag_id in DAG_IDS:
        shares = {worker: count for (worker, of), count in found.items() if of == dag_id}
        if shares.keys() != set(WORKERS) or min(shares.values()) < FAIR_SHARE * sum(
            shares.values()
        ):
            return False
    return True


def main() -> int:
    """Run the proof and return its exit code."""
    days = last_days(DAYS)
    logs = STATE / "logs"
    started = time.monotonic()
    with ExitStack() as stack:
        empty_state(stack)
        console.print("Starting the simulator, SeaweedFS and PostgreSQL ...")
        simulator = stack.enter_context(
            SimulatorProcess(logs, ["--records-per-day", str(RECORDS_PER_DAY)])
        )
        s3 = stack.enter_context(SeaweedS3(STATE / "s3", logs=logs))
        warehouse = stack.enter_context(Postgres(logs))
        settings = {
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
            "AIRFLOW_CONN_VOISO_DEFAULT": simulator.connection(),
            "AIRFLOW_CONN_AWS_DEFAULT": s3.connection(),
            "AIRFLOW_CONN_VOISO_WAREHOUSE": warehouse.connection(),
        }
        console.print(
            f"Starting Redis and Airflow with the workers {' and '.join(WORKERS)}, {SLOTS} slots "
            "each ..."
        )
        airflow = stack.enter_context(
            CeleryStack(STATE / "airflow", ROOT / "example_dags", settings, workers=WORKERS)
        )
        airflow.api.wait_for_dags(*DAG_IDS)
        console.print(f"Backfilling {days[0]} to {days[-1]} of {' and '.join(DAG_IDS)} ...")
        backfill(airflow, days, active_runs=SLOTS * len(WORKERS), timeout=1800)
        found = compare(
            simulator, s3, lambda day: uuids_in_postgres(warehouse.uri, TABLE, day), days
        )
        shares = tasks_by_worker(airflow)
        console.print("Stopping ...")
    show(found, console)
    show_shares(shares)
    all_equal, fair = all(day.is_equal for day in found), is_fair(shares)
    console.print("Every day is the same in all three." if all_equal else "Some days differ.")
    console.print(
        "The work was spread over both workers." if fair else "A worker ran less than a fair share."
    )
    console.print(f"It took {time.monotonic() - started:.0f} seconds.")
    return 0 if all_equal and fair else 1


if __name__ == "__main__":
    run_to_exit(main)
