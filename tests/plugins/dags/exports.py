"""DAGs whose exports the coverage page shows; the tests feed most of their events themselves."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pendulum
from airflow.providers.common.compat.sdk import DAG, Asset

from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator

HOSTILE = '=1+<img src=x onerror="document.title=1">&amp;\u202e"; --'
START = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
BERLIN = pendulum.timezone("Europe/Berlin")


def exports(dag_id: str, asset: Asset, **schedule: object) -> None:
    with DAG(dag_id=dag_id, catchup=False, **schedule):  # type: ignore[arg-type]
        VoisoCdrToSqlOperator(
            task_id="export", sql_conn_id="warehouse", table=dag_id, outlets=[asset]
        )


LONG_AGO = START - timedelta(days=60)
exports("daily", Asset("daily", uri="x-cdr://daily"), schedule="@daily", start_date=LONG_AGO)
exports("hourly", Asset("hourly", uri="x-cdr://hourly"), schedule=None, start_date=LONG_AGO)
exports(
    "berlin",
    Asset("berlin", uri="x-cdr://berlin"),
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz=BERLIN),
)
exports("thousands", Asset("thousands", uri="x-cdr://thousands"), schedule=None)
exports("hostile", Asset(HOSTILE, uri="x-cdr://hostile"), schedule=None)
exports("foreign", Asset("foreign", uri="x-cdr://foreign"), schedule=None)
exports("posted", Asset("posted", uri="x-cdr://posted"), schedule=None)

EIGHT_HOURS = timedelta(hours=8)
DAY_OF_PARTS = START - timedelta(days=20)
PARTS = [
    {
        "window_start": (DAY_OF_PARTS + number * EIGHT_HOURS).isoformat(),
        "window_end": (DAY_OF_PARTS + (number + 1) * EIGHT_HOURS).isoformat(),
        "sql_conn_id": conn_id,
    }
    for number, conn_id in enumerate(["warehouse", "absent", "warehouse"])
]
with DAG(dag_id="parts", schedule=None):
    VoisoCdrToSqlOperator.partial(
        task_id="export", table="parts", outlets=[Asset("parts", uri="x-cdr://parts")]
    ).expand_kwargs(PARTS)

try:
    from airflow.sdk import CronPartitionTimetable
except ImportError:
    pass  # before Airflow 3.2
else:
    exports(
        "partitioned",
        Asset("partitioned", uri="x-cdr://partitioned"),
        schedule=CronPartitionTimetable(
            "0 0 * * *", timezone="Europe/Berlin", run_offset=-1, key_format="%Y-%m-%d"
        ),
        start_date=LONG_AGO,
    )
