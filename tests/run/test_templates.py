"""What Airflow replaces when the task runs is left alone while the DAG is parsed."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator
from airflow_provider_voiso.run.templates import is_rendered_later
from airflow_provider_voiso.sensors.cdr import VoisoCdrSensor

START = datetime(2024, 11, 10, tzinfo=timezone.utc)
STATEMENT = "{% if params.all %}all{% else %}inbound{% endif %}"
COMMENT = "{# who calls #}"
TASKS: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "s3": (VoisoCdrToS3Operator, {"s3_bucket": "voiso-cdr"}),
    "sql": (VoisoCdrToSqlOperator, {"sql_conn_id": "warehouse", "table": "calls"}),
    "sensor": (VoisoCdrSensor, {}),
}


@pytest.mark.parametrize(
    "value",
    [
        "{{ ds }}",
        STATEMENT,
        "calls{# of today #}",
        {"type": STATEMENT},
        {"agent_ids": [1, "{{ params.agent }}"]},
        {"agent_ids": (1, {"deep": "{# no #}"})},
        {"{{ ds }}"},
        lambda context, jinja_env: {},  # noqa: ARG005 - Airflow calls it by these names
    ],
)
def test_jinja_waits_for_run_time(value: Any) -> None:
    assert is_rendered_later(value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "calls",
        "{ds}",
        "100 % {",
        5,
        START,
        {},
        {"type": "inbound"},
        {"{{ ds }}": "keys are literal"},
        [1],
    ],
)
def test_literals_do_not_wait(value: Any) -> None:
    assert not is_rendered_later(value)


def test_references_wait_for_run_time() -> None:
    with DAG("references", schedule=None, start_date=START) as dag:
        output: Any = task(task_id="make")(lambda: {"type": "inbound"})()
        waits = [
            is_rendered_later(value)
            for value in (output, output["type"], {"type": [output]}, dag.param("x", 1))
        ]

    assert waits == [True, True, True, True]


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize(
    "options",
    [
        {
            "window_start": "{% if a %}{{ b }}{% endif %}",
            "window_end": "{% if a %}{{ c }}{% endif %}",
        },
        {"window_start": "{% set x = ts %}", "window_end": "2024-11-11T00:00:00Z"},
        {"filters": "{% if params.all %}{% endif %}"},
        {"filters": {"type": STATEMENT, "agent_ids": ["{% if a %}1{% endif %}"]}},
        {"filters": {"type": COMMENT + "inbound"}},
        {"voiso_conn_id": STATEMENT},
    ],
)
def test_templated_arguments_wait(kind: str, options: dict[str, Any]) -> None:
    operator, arguments = TASKS[kind]

    operator(task_id="task", **{**arguments, **options})


@pytest.mark.parametrize(
    "table", ["calls_{% if a %}x{% endif %}", "{% if a %}x{% endif %}", "calls{# of today #}"]
)
def test_templated_table_waits(table: str) -> None:
    VoisoCdrToSqlOperator(task_id="task", sql_conn_id="warehouse", table=table)


@pytest.mark.parametrize("kind", TASKS)
def test_references_as_arguments_wait(kind: str) -> None:
    operator, arguments = TASKS[kind]
    with DAG("references", schedule=None, start_date=START):
        output: Any = task(task_id="make")(lambda: {"conn": "voiso_default"})()

        operator(
            task_id="whole", **{**arguments, "filters": output, "voiso_conn_id": output["conn"]}
        )
        operator(
            task_id="part",
            **{**arguments, "filters": {"type": output["type"], "agent_ids": [output["agent"]]}},
        )
        operator(
            task_id="window",
            **{**arguments, "window_start": output["start"], "window_end": output["end"]},
        )


@pytest.mark.parametrize("kind", TASKS)
def test_literals_beside_templates_are_checked(kind: str) -> None:
    operator, arguments = TASKS[kind]

    with pytest.raises(ValueError, match="'agent_ids' is empty"):
        operator(task_id="task", **{**arguments, "filters": {"type": STATEMENT, "agent_ids": []}})
