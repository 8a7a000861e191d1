"""Every day, the last three days again: only what changed since is replaced."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.run.last_windows import last_windows


@task
def last_days(days: int, **context: Any) -> list[dict[str, str]]:
    """Return the arguments of each mapped task: one day."""
    return last_windows(context, days)


with DAG(
    dag_id="voiso_cdr_late_changes",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    tags=["voiso"],
):
    VoisoCdrToS3Operator.partial(task_id="export_again", s3_bucket="voiso-cdr").expand_kwargs(
        last_days(3)
    )
