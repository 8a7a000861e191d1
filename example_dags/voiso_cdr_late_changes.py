"""Every day, the last three days again, one mapped task a day: each object is replaced by its latest state."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.run.window import resolve_window


@task
def last_days(days: int, **context: Any) -> list[dict[str, str]]:
    """Return the run's own window, and those of the days before it."""
    window = resolve_window(context)
    return [
        {
            "window_start": (window.start - timedelta(days=back)).isoformat(),
            "window_end": (window.end - timedelta(days=back)).isoformat(),
        }
        for back in range(days)
    ]


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
