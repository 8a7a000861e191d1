"""Every day, yesterday in six parallel parts, each to an object of its own and to one table."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.providers.common.compat.sdk import DAG, AirflowSkipException, Asset, task

from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator
from airflow_provider_voiso.run.sub_windows import sub_windows
from airflow_provider_voiso.run.window import resolve_window

# Heard once a window; as an outlet of the mapped tasks it would be heard once a part.
CALLS = Asset("voiso_calls_in_parts")
# The name of a mapped task in Airflow's UI.
PART = "{{ task.window_start }} to {{ task.window_end }}"


@task
def cut_into_parts(parts: int, **context: Any) -> list[dict[str, str]]:
    """Return the arguments of each mapped task: its part of the run's window."""
    return sub_windows(resolve_window(context), parts=parts)


@task(outlets=[CALLS])
def announce(manifests: Any, *, outlet_events: Any = None) -> None:
    """Tell that the whole window is in the table, unless no part of it changed."""
    changed = [manifest for manifest in manifests if manifest["changed"]]
    if not changed:
        raise AirflowSkipException("Nothing changed.")
    outlet_events[CALLS].extra["parts_changed"] = len(changed)


with DAG(
    dag_id="voiso_cdr_in_parts",
    schedule="@daily",
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    tags=["voiso"],
):
    parts = cut_into_parts(6)
    VoisoCdrToS3Operator.partial(
        task_id="export_to_s3",
        map_index_template=PART,
        s3_bucket="voiso-cdr",
        s3_key="voiso/parts/dt={window_start:%Y-%m-%d}/cdr_{window_start:%H%M%S%z}.{extension}",
    ).expand_kwargs(parts)
    loaded = VoisoCdrToSqlOperator.partial(
        task_id="export_to_sql",
        map_index_template=PART,
        sql_conn_id="voiso_warehouse",
        table="voiso_cdr_in_parts",
    ).expand_kwargs(parts)
    announce(loaded.output)
