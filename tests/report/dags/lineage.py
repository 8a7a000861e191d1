"""One export into the table of a test."""

from __future__ import annotations

from datetime import datetime, timezone

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator

with DAG(
    "lineage", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc), catchup=False
):
    VoisoCdrToSqlOperator(
        task_id="export",
        sql_conn_id="warehouse",
        table="cdr",
        window_start="2024-11-10T00:00:00+00:00",
        window_end="2024-11-11T00:00:00+00:00",
    )
