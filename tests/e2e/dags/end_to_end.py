"""The DAGs of the end-to-end tests; the connections that they name are made by the tests."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator
from airflow_provider_voiso.run.sub_windows import sub_windows
from airflow_provider_voiso.sensors.cdr import VoisoCdrSensor

BUCKET = "voiso-cdr"
ONCE_MORE = {"retries": 1, "retry_delay": timedelta(seconds=1)}
# A scheduler that is slower than the next poke, or a trigger, takes the end of one for that of the
# next, and fails the task.
OFTEN = {**ONCE_MORE, "retries": 5}
DAY: dict[str, Any] = {
    "window_start": datetime(2026, 3, 10, tzinfo=timezone.utc),
    "window_end": datetime(2026, 3, 11, tzinfo=timezone.utc),
}
KEY = "{{ dag.dag_id }}/{window_start:%Y-%m-%d}.{extension}"


def dag(dag_id: str, schedule: str | None = None, **options: Any) -> DAG:
    return DAG(
        dag_id,
        schedule=schedule,
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        catchup=False,
        **options,
    )


with dag("exports", "@daily"):
    VoisoCdrToS3Operator(task_id="to_s3", s3_bucket=BUCKET, s3_key=KEY)
    VoisoCdrToSqlOperator(task_id="to_postgres", sql_conn_id="postgres", table="exports")
    VoisoCdrToSqlOperator(task_id="to_sqlite", sql_conn_id="sqlite", table="exports")

with dag("window_of_conf"):
    VoisoCdrToS3Operator(
        task_id="to_s3",
        s3_bucket=BUCKET,
        s3_key="window_of_conf/{window_start:%Y-%m-%dT%H%M%S}.{extension}",
        window_start="{{ dag_run.conf['start'] }}",
        window_end="{{ dag_run.conf['end'] }}",
    )

with dag("slow"):
    VoisoCdrToS3Operator(
        task_id="to_s3", voiso_conn_id="voiso_slow", s3_bucket=BUCKET, s3_key=KEY, **DAY
    )

with dag("killed_while_reading", default_args=ONCE_MORE):
    VoisoCdrToS3Operator(
        task_id="to_s3", voiso_conn_id="voiso_halting", s3_bucket=BUCKET, s3_key=KEY, **DAY
    )
    VoisoCdrToSqlOperator(
        task_id="to_postgres",
        voiso_conn_id="voiso_halting",
        sql_conn_id="postgres",
        table="killed_while_reading",
        **DAY,
    )

for destination in ("postgres", "sqlite"):
    with dag(f"killed_in_{destination}", default_args=ONCE_MORE):
        VoisoCdrToSqlOperator(
            task_id="load", sql_conn_id=destination, table=f"killed_in_{destination}", **DAY
        )

with dag("killed_in_s3", default_args=ONCE_MORE):
    VoisoCdrToS3Operator(
        task_id="upload",
        aws_conn_id="s3_halting",
        s3_bucket=BUCKET,
        s3_key=KEY,
        compression=None,
        **DAY,
    )

with dag("late_records", default_args=OFTEN):
    VoisoCdrSensor(
        task_id="wait",
        voiso_conn_id="voiso_late",
        mode="reschedule",
        poke_interval=5,
        settle=timedelta(hours=1),
        **DAY,
    ) >> VoisoCdrToS3Operator(
        task_id="to_s3", voiso_conn_id="voiso_late", s3_bucket=BUCKET, s3_key=KEY, **DAY
    )

with dag("deferred", default_args=OFTEN):
    VoisoCdrSensor(
        task_id="wait", voiso_conn_id="voiso_deferred", deferrable=True, poke_interval=1, **DAY
    )

with dag("failing"):
    for reason in ("wrong_key", "malformed"):
        VoisoCdrToS3Operator(
            task_id=reason, voiso_conn_id=f"voiso_{reason}", s3_bucket=BUCKET, s3_key=KEY, **DAY
        )
    VoisoCdrToSqlOperator(task_id="refused", sql_conn_id="postgres", table="failing", **DAY)

with dag("overwriting", default_args=ONCE_MORE):
    VoisoCdrToS3Operator.partial(
        task_id="export", s3_bucket=BUCKET, s3_key="overwriting/{window_start:%Y-%m-%d}.{extension}"
    ).expand_kwargs(sub_windows(Window(*DAY.values()), parts=2))
