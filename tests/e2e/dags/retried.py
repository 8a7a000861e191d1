"""A retry policy that knows the classes of errors (Airflow 3.3+)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_voiso.exceptions import (
    VoisoError,
    VoisoResponseError,
    VoisoTransportError,
)
from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator

WINDOW: dict[str, Any] = {
    "window_start": datetime(2026, 3, 10, tzinfo=timezone.utc),
    "window_end": datetime(2026, 3, 11, tzinfo=timezone.utc),
}

try:
    from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
except ImportError:
    pass
else:
    POLICY = ExceptionRetryPolicy(
        [
            RetryRule(
                VoisoTransportError, retry_delay=timedelta(seconds=1), reason="Nobody listens."
            ),
            RetryRule(VoisoResponseError, RetryAction.FAIL, reason="A person must look at it."),
            # Airflow asks no policy where no retry can help, such as for a wrong key.
            RetryRule(VoisoError, retry_delay=timedelta(seconds=1), reason="Something else."),
        ]
    )
    with DAG(
        "retried",
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        catchup=False,
        default_args={"retries": 1, "retry_delay": timedelta(hours=1), "retry_policy": POLICY},
    ):
        for reason in ("gone", "malformed", "wrong_key"):
            VoisoCdrToS3Operator(
                task_id=reason,
                voiso_conn_id=f"voiso_{reason}",
                s3_bucket="voiso-cdr",
                s3_key="retried/{window_start:%Y-%m-%d}.{extension}",
                **WINDOW,
            )
