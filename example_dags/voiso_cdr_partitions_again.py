"""Every night, the last seven days again; changed days are announced (Airflow 3.3+)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

from airflow.providers.common.compat.sdk import DAG, AirflowSkipException, Asset, task

from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.run.last_windows import last_windows

ZONE = "Europe/Berlin"
KEY_FORMAT = "%Y-%m-%d"
# A name: for an address in S3, Airflow would load the Amazon provider while it parses this file.
CALLS = Asset("voiso_days")


@task
def last_days(days: int, **context: Any) -> list[dict[str, str]]:
    """Return the arguments of each mapped task: one day."""
    return last_windows(context, days)


@task(outlets=[CALLS])
def announce(manifests: Any, *, outlet_events: Any = None) -> None:
    """Give each day that changed an event of its own; without one, downstream stays quiet.

    DAGs with PartitionedAssetTimetable(assets=CALLS) run once a day that changed.
    """
    starts = [
        datetime.fromisoformat(manifest["window_start"])
        for manifest in manifests
        if manifest["changed"]
    ]
    if not starts:
        raise AirflowSkipException("No day changed.")
    days = [start.astimezone(ZoneInfo(ZONE)).strftime(KEY_FORMAT) for start in starts]
    outlet_events[CALLS].add_partitions(days)


try:
    from airflow.sdk import CronPartitionTimetable, PartitionedAtRuntime  # noqa: F401 - of 3.3
except ImportError:
    pass
else:
    with DAG(
        dag_id="voiso_cdr_partitions_again",
        schedule=CronPartitionTimetable(
            "0 0 * * *", timezone=ZONE, run_offset=-1, key_format=KEY_FORMAT
        ),
        start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
        catchup=False,
        default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
        tags=["voiso"],
    ):
        exported = VoisoCdrToS3Operator.partial(
            task_id="export_again",
            s3_bucket="voiso-cdr",
            s3_key="voiso/days/dt={window_start:%Y-%m-%d}/cdr.{extension}",
            fail_if_fewer_than=0.5,
        ).expand_kwargs(last_days(7))
        announce(exported.output)
