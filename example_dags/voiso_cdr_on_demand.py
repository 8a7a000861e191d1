"""Every range of your choice, asked for in the form behind the button Trigger.

Choose the range, the types of interaction (none chosen means all), and where the records go:

- S3: objects below `voiso/on_demand/`, one for each range and choice of types;
- SQL: the table `voiso_on_demand`. Records that it holds already are updated.

The range must be over. Asking for the same range again is safe: it replaces what was exported.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.providers.common.compat.sdk import DAG, AirflowFailException, Asset, Param, task

from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator

TYPES = [
    "inbound", "outbound", "dialer", "click_to_call", "queue_callback", "outbound_sms", "whatsapp",
    "facebook", "instagram", "telegram", "web_chat", "HLR_lookup",
]  # fmt: skip
RANGE: dict[str, Any] = {
    "window_start": "{{ params.window_start }}",
    "window_end": "{{ params.window_end }}",
    # With native rendering, a dict or None and not their text.
    "filters": "{{ {'type': params.types} if params.types else None }}",
}

KEY = (
    "voiso/on_demand/{{ params.types | sort | join('+') if params.types else 'all' }}/"
    "cdr_{window_start:%Y%m%dT%H%M%S%z}_{window_end:%Y%m%dT%H%M%S%z}.{extension}"
)


@task.branch
def choose_destinations(params: Any = None) -> list[str]:
    """Return the tasks that are to run; the others are skipped."""
    chosen = [name for name in ("to_s3", "to_sql") if params[name]]
    if not chosen:
        raise AirflowFailException("Neither S3 nor SQL is ticked, so there is nothing to do.")
    return [f"export_{name}" for name in chosen]


with DAG(
    dag_id="voiso_cdr_on_demand",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=1)},
    doc_md=__doc__,
    render_template_as_native_obj=True,
    params={
        "window_start": Param(
            type="string",
            format="date-time",
            title="From",
            description="First instant of the range.",
        ),
        "window_end": Param(
            type="string",
            format="date-time",
            title="To",
            description="First instant that no longer belongs to the range.",
        ),
        "types": Param(
            [],
            type=["array", "null"],
            items={"type": "string", "enum": TYPES},
            examples=TYPES,
            title="Types",
            description="Types of interaction; none chosen means all.",
        ),
        "to_s3": Param(True, type="boolean", title="S3", description="Export to the bucket."),
        "to_sql": Param(False, type="boolean", title="SQL", description="Export to the table."),
    },
    tags=["voiso"],
):
    choose_destinations() >> [
        VoisoCdrToS3Operator(
            task_id="export_to_s3",
            s3_bucket="voiso-cdr",
            s3_key=KEY,
            outlets=[Asset("voiso_on_demand_in_s3")],
            **RANGE,
        ),
        VoisoCdrToSqlOperator(
            task_id="export_to_sql",
            sql_conn_id="voiso_warehouse",
            table="voiso_on_demand",
            mode="upsert",  # the table holds records of several choices of types
            outlets=[Asset("voiso_on_demand")],
            **RANGE,
        ),
    ]
