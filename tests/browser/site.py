"""A whole Airflow with the examples, as people look at it in a browser."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_voiso.simulator import Drift, Simulator
from tests.servers.s3 import SeaweedS3

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.stack import AirflowStack

ROOT = Path(__file__).parents[2]
KEY = "k3y-of-the-browser's-account"
ON_DEMAND = "voiso_cdr_on_demand"
DAILY = "voiso_cdr_to_s3_daily"
DAGS = {ON_DEMAND, DAILY, "slow_export"}


@dataclass(frozen=True)
class Site:
    """Everything that runs.

    :param warehouse: file of the database behind the connection ``voiso_warehouse``
    """

    airflow: AirflowStack
    voiso: Simulator
    s3: SeaweedS3
    warehouse: Path

    def uuids_in_table(self, table: str) -> set[str]:
        with closing(sqlite3.connect(self.warehouse)) as connection:
            return {uuid for (uuid,) in connection.execute(f"SELECT uuid FROM {table}")}


def _voiso(simulator: Simulator, **extra: float) -> str:
    return json.dumps(
        {"conn_type": "voiso", "host": simulator.url, "password": KEY, "extra": extra}
    )


@contextmanager
def site(home: Path, *, records_per_day: int = 300) -> Iterator[Site]:
    """Start everything below a directory; each DAG is paused until somebody runs it."""
    from demo.stack import AirflowStack  # noqa: PLC0415 - older Airflow lacks its parts

    dags = home / "dags"
    shutil.copytree(Path(__file__).with_name("dags"), dags)
    for name in (ON_DEMAND, DAILY):
        shutil.copy(ROOT / "example_dags" / f"{name}.py", dags)
    warehouse = home / "warehouse.db"
    with ExitStack() as stack:
        voiso = stack.enter_context(
            Simulator(key=KEY, records_per_day=records_per_day, drift=Drift(change=0.05))
        )
        s3 = stack.enter_context(SeaweedS3(home / "s3"))
        env = {
            "AIRFLOW_CONN_VOISO_DEFAULT": _voiso(voiso),
            "AIRFLOW_CONN_VOISO_SLOW": _voiso(voiso, per_page=2, requests_per_second=2),
            "AIRFLOW_CONN_AWS_DEFAULT": s3.connection(),
            "AIRFLOW_CONN_VOISO_WAREHOUSE": json.dumps(
                {"conn_type": "sqlite", "host": str(warehouse)}
            ),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
            # No DAG file changes; each look at all of them takes seconds.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
            # A busy machine may need longer than five seconds to answer a task.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "120",
        }
        airflow = stack.enter_context(AirflowStack(home / "airflow", dags, env))
        airflow.api.wait_for_dags(*DAGS)
        yield Site(airflow, voiso, s3, warehouse)
