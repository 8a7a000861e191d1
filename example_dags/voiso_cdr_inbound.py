"""Every hour, the last hour's answered inbound calls, into a table of their own."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator

with DAG(
    dag_id="voiso_cdr_inbound",
    schedule="@hourly",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    tags=["voiso"],
):
    VoisoCdrToSqlOperator(
        task_id="export_inbound",
        sql_conn_id="voiso_warehouse",
        table="voiso_inbound",
        mode="upsert",
        lookback=timedelta(hours=6),
        filters={"type": "inbound", "disposition": "answered"},
    )
