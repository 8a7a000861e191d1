"""A DAG of the name to which holes lead."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

with DAG(
    dag_id="voiso_cdr_on_demand",
    schedule=None,
    params={"window_start": "2026-01-01T00:00:00+00:00", "window_end": "2026-01-02T00:00:00+00:00"},
):
    EmptyOperator(task_id="export")
