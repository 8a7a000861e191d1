"""Every day, yesterday's records as one gzipped NDJSON object in S3, once there are any.

The object is replaced as a whole: clear a run, or backfill its day, to export that day again.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.providers.common.compat.sdk import DAG, Asset

from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.sensors.cdr import VoisoCdrSensor

with DAG(
    dag_id="voiso_cdr_to_s3_daily",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    doc_md=__doc__,
    tags=["voiso"],
):
    VoisoCdrSensor(
        task_id="wait_for_cdrs", deferrable=True, poke_interval=60, timeout=6 * 3600
    ) >> VoisoCdrToS3Operator(
        task_id="export_cdrs",
        s3_bucket="voiso-cdr",
        # A name: for an address in S3, Airflow would load the Amazon provider to parse this file.
        outlets=[Asset("voiso_cdr_in_s3")],
    )
