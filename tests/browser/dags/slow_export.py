"""An export that takes long enough to be looked at while it runs."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator

with DAG(dag_id="slow_export", schedule=None):
    VoisoCdrToS3Operator(
        task_id="export",
        voiso_conn_id="voiso_slow",
        s3_bucket="voiso-cdr",
        s3_key="slow/cdr.{extension}",
        window_start="2026-03-10T00:00:00Z",
        window_end="2026-03-11T00:00:00Z",
    )
