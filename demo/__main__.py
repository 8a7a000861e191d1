"""``make demo``: backfill seven days from a simulated Voiso to S3 and SQL with a real Airflow.

On a terminal everything stays up until Ctrl-C. Otherwise everything is stopped. The exit code
is 0 only if both destinations hold exactly the records of the simulator on every day, and the
events of their assets tell the coverage page what it is to show.

A day before the seven leaves a hole, and the last day is exported again after some of its records
changed, so that the coverage page has both to show.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import ExitStack, suppress
from datetime import timedelta

from demo.backfill import (
    DAG_IDS,
    ROOT,
    STATE,
    TABLE,
    backfill,
    console,
    empty_state,
    export_again,
    export_day,
    last_days,
)
from demo.evidence import Coverage, compare, covered, show, uuids_in_sqlite
from demo.stack import AirflowStack
from tests.servers.process import run_to_exit
from tests.servers.s3 import SeaweedS3
from tests.servers.voiso import SimulatorProcess

DATABASE = STATE / "warehouse.db"
DAYS = 7
# More than the 10,000 that one search returns, so that the backfill has to follow search tokens.
RECORDS_PER_DAY = 12_000
LATE_CHANGES = 0.01
"""Share of records whose wrap-up code comes after the backfill."""
COVERAGE = "voiso/coverage"


def stay(airflow: AirflowStack) -> None:
    """Wait until Ctrl-C; raise a PartError if a process of Airflow ends by itself."""
    while True:
        for server in airflow.servers.values():
            server.check_alive()
        time.sleep(1)


def main() -> int:
    """Run the demo and return its exit code."""
    interactive = sys.stdin.isatty() and sys.stdout.isatty() and "CI" not in os.environ
    days = last_days(DAYS)
    logs = STATE / "logs"
    with ExitStack() as stack:
        empty_state(stack)
        console.print("Starting the simulator and SeaweedFS ...")
        simulator = stack.enter_context(
            SimulatorProcess(
                logs,
                ["--records-per-day", f"{RECORDS_PER_DAY}", "--drift-change", f"{LATE_CHANGES}"],
            )
        )
        s3 = stack.enter_context(SeaweedS3(STATE / "s3", logs=logs))
        console.print("Starting Airflow: api-server, scheduler, dag-processor, triggerer ...")
        settings = {
            # The other example DAGs are there to be looked at and switched on by hand.
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
            "AIRFLOW_CONN_VOISO_DEFAULT": simulator.connection(),
            "AIRFLOW_CONN_AWS_DEFAULT": s3.connection(),
            "AIRFLOW_CONN_VOISO_WAREHOUSE": json.dumps(
                {"conn_type": "sqlite", "host": str(DATABASE)}
            ),
        }
        airflow = stack.enter_context(
            AirflowStack(STATE / "airflow", ROOT / "example_dags", settings)
        )
        console.print(f"Airflow's UI: {airflow.url} (no password)")
        airflow.api.wait_for_dags(*DAG_IDS)
        console.print(f"Backfilling {days[0]} to {days[-1]} of {' and '.join(DAG_IDS)} ...")
        backfill(airflow, days, active_runs=2)
        before, hole = days[0] - timedelta(days=2), days[0] - timedelta(days=1)
        console.print(f"Exporting {before} as well, which leaves a hole on {hole} ...")
        export_day(airflow, before)
        console.print(f"Exporting {days[-1]} again, after some of its records changed ...")
        simulator.drift_now()
        export_again(airflow, days[-1])
        found = compare(simulator, s3, lambda day: uuids_in_sqlite(DATABASE, TABLE, day), days)
        show(found, console)
        all_equal = all(day.is_equal for day in found)
        console.print("Every day is the same in all three." if all_equal else "Some days differ.")
        wanted = Coverage(holes={hole}, changed={days[-1]})
        announced = [covered(manifests) for manifests in airflow.api.manifests().values()]
        is_announced = announced == [wanted] * len(DAG_IDS)
        if not is_announced:
            console.print(f"The assets' events show {announced} in place of {wanted} for each.")
        console.print(
            f"Coverage: {airflow.url}/{COVERAGE} (a hole on {hole}, late changes on {days[-1]})",
            soft_wrap=True,
        )
        if interactive:
            console.print(
                f"Airflow's UI: {airflow.url}\nS3: {s3.endpoint_url}\nSQL: {DATABASE}",
                soft_wrap=True,
            )
            console.print("Everything stays up until Ctrl-C.")
            with suppress(KeyboardInterrupt):
                stay(airflow)
        console.print("Stopping ...")
    return 0 if all_equal and is_announced else 1


if __name__ == "__main__":
    run_to_exit(main)
