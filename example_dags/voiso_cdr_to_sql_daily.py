"""Every day, yesterday's call detail records as rows of a table, once there are any.

The day's rows are replaced in one transaction: clear a run, or backfill its day, to load that day
again.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.providers.common.compat.sdk import DAG, Asset

from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator
from airflow_provider_voiso.sensors.cdr import VoisoCdrSensor

with DAG(
    dag_id="voiso_cdr_to_sql_daily",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    doc_md=__doc__,
    tags=["voiso"],
):
    VoisoCdrSensor(
        task_id="wait_for_cdrs", deferrable=True, poke_interval=60, timeout=6 * 3600
    ) >> VoisoCdrToSqlOperator(
        task_id="export_cdrs",
        sql_conn_id="voiso_warehouse",
        table="voiso_cdr",
        outlets=[Asset("voiso_cdr_table")],
    )
