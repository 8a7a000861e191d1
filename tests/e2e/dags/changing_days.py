"""DAGs that hear of exports; days that change late need Airflow 3.2."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Asset, AssetAlias, BaseOperator

from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator

COMMON: dict[str, Any] = {
    "start_date": datetime(2026, 1, 1, tzinfo=timezone.utc),
    "catchup": False,
    "default_args": {"retries": 2, "retry_delay": timedelta(seconds=1)},
}
CHANGED = AssetAlias("changed_days")


class Nothing(BaseOperator):
    """Does nothing: that its run is there is all that counts."""

    def execute(self, context: Any) -> None:
        """Do nothing."""


# What voiso_cdr_in_parts announces.
with DAG("hears_of_parts", schedule=[Asset("voiso_calls_in_parts")], **COMMON):
    Nothing(task_id="nothing")

try:
    from airflow.sdk import CronPartitionTimetable, PartitionedAssetTimetable
except ImportError:
    pass
else:
    with DAG(
        "changing_days",
        schedule=CronPartitionTimetable(
            "0 0 * * *", timezone="UTC", run_offset=-1, key_format="%Y-%m-%d"
        ),
        **COMMON,
    ):
        VoisoCdrToS3Operator(
            task_id="to_s3",
            voiso_conn_id="voiso_changing",
            s3_bucket="voiso-cdr",
            s3_key="changing_days/dt={window_start:%Y-%m-%d}/cdr.{extension}",
            outlets=[CHANGED],
        )

    with DAG("changed_days", schedule=PartitionedAssetTimetable(assets=CHANGED), **COMMON):
        VoisoCdrToSqlOperator(
            task_id="to_sqlite",
            voiso_conn_id="voiso_changing",
            sql_conn_id="sqlite",
            table="changed_days",
            granularity=timedelta(days=1),
        )

    # What voiso_cdr_partitions_again announces.
    with DAG(
        "hears_of_days", schedule=PartitionedAssetTimetable(assets=Asset("voiso_days")), **COMMON
    ):
        Nothing(task_id="nothing")
