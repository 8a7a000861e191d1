"""Every day, yesterday's records, by eight or an alert, retried by error (Airflow 3.3+)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_voiso.exceptions import (
    VoisoClockError,
    VoisoOutOfWindowError,
    VoisoRateLimitError,
    VoisoServerError,
    VoisoTransportError,
)
from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.sensors.cdr import VoisoCdrSensor


def tell(text: str) -> None:
    """Post a text to the webhook whose address is the host of the connection ``voiso_alerts``."""
    from airflow.providers.http.hooks.http import HttpHook  # noqa: PLC0415 - slow

    HttpHook("POST", http_conn_id="voiso_alerts").run(json={"text": text})


def tell_counts(context: Any) -> None:
    """Tell what was exported; Airflow calls it when the task has succeeded."""
    task_instance = context["ti"]
    manifest = task_instance.xcom_pull(task_ids=task_instance.task_id)
    tell(
        f"{manifest['records']:,} records from {manifest['window_start']} to "
        f"{manifest['window_end']}, {manifest['unfinished']:,} of them unfinished."
    )


def tell_lateness(context: Any) -> None:
    """Tell that the records are late; Airflow calls it when the deadline is over."""
    run = context["dag_run"]
    if run["run_type"] != "backfill":  # for which every deadline is over
        tell(f"The records of the day before {run['logical_date']} are not there by eight.")


try:
    from airflow.sdk import (  # type: ignore[attr-defined]
        CronTriggerTimetable,
        DeadlineAlert,
        DeadlineReference,
        ExceptionRetryPolicy,
        RetryAction,
        RetryRule,
        SyncCallback,
    )
except ImportError:
    pass
else:
    # Errors that no retry can mend, such as a refused key, fail the task without being asked here.
    RETRIES = ExceptionRetryPolicy(
        [
            RetryRule(
                VoisoRateLimitError,
                retry_delay=timedelta(minutes=15),
                reason="The account's limit is used up.",
            ),
            RetryRule(
                [VoisoServerError, VoisoTransportError],
                retry_delay=timedelta(minutes=2),
                reason="Voiso or the network is down.",
            ),
            RetryRule(
                [VoisoClockError, VoisoOutOfWindowError],
                RetryAction.FAIL,
                reason="A person must look at it.",
            ),
        ]
    )

    with DAG(
        dag_id="voiso_cdr_watched",
        schedule=CronTriggerTimetable("0 0 * * *", timezone="Europe/Berlin"),
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        catchup=False,
        default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
        deadline=DeadlineAlert(
            reference=DeadlineReference.DAGRUN_LOGICAL_DATE,
            interval=timedelta(hours=8),
            callback=SyncCallback(tell_lateness),
        ),
        tags=["voiso"],
    ):
        wait = VoisoCdrSensor(task_id="wait_for_cdrs", deferrable=True, timeout=12 * 3_600)
        export = VoisoCdrToS3Operator(
            task_id="export_cdrs",
            s3_bucket="voiso-cdr",
            s3_key="voiso/watched/dt={window_start:%Y-%m-%d}/cdr.{extension}",
            retries=6,
            retry_policy=RETRIES,
            on_success_callback=tell_counts,
        )
        wait >> export
