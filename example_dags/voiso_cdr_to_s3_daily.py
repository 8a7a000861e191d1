"""Every day, yesterday's records as one gzipped NDJSON object in S3, once there are any."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.sensors.cdr import VoisoCdrSensor

with DAG(
    dag_id="voiso_cdr_to_s3_daily",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    tags=["voiso"],
):
    VoisoCdrSensor(
        task_id="wait_for_cdrs", mode="reschedule", poke_interval=60, timeout=6 * 3600
    ) >> (VoisoCdrToS3Operator(task_id="export_cdrs", s3_bucket="voiso-cdr"))
