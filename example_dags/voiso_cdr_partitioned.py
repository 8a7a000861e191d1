"""One run a partition: days of Berlin as Hive partitions of Parquet (Airflow 3.2+)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from airflow.providers.common.compat.sdk import DAG, AssetAlias

from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator

try:
    from airflow.sdk import CronPartitionTimetable
except ImportError:
    pass
else:
    with DAG(
        dag_id="voiso_cdr_partitioned",
        schedule=CronPartitionTimetable(
            "0 0 * * *", timezone="Europe/Berlin", run_offset=-1, key_format="%Y-%m-%d"
        ),
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        catchup=False,
        default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
        tags=["voiso"],
    ):
        VoisoCdrToS3Operator(
            task_id="export_cdrs",
            s3_bucket="voiso-cdr",
            s3_key="voiso/berlin/dt={window_start:%Y-%m-%d}/cdr.{extension}",
            file_format="parquet",
            # Heard by voiso_cdr_partition_summary; quiet where a day did not change.
            outlets=[AssetAlias("voiso_berlin_changed")],
        )
