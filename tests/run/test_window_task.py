"""The arguments of the window reach every task, however Airflow gives them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, TaskGroup

from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator
from airflow_provider_voiso.run.window_task import WindowTask
from airflow_provider_voiso.sensors.cdr import VoisoCdrSensor

START = datetime(2024, 11, 10, tzinfo=timezone.utc)
TASKS: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "s3": (VoisoCdrToS3Operator, {"s3_bucket": "voiso-cdr"}),
    "sql": (VoisoCdrToSqlOperator, {"sql_conn_id": "warehouse", "table": "calls"}),
    "sensor": (VoisoCdrSensor, {}),
}
GIVEN: dict[str, Any] = {
    "voiso_conn_id": "voiso_berlin",
    "filters": {"type": "inbound"},
    "window_start": START,
    "window_end": START + timedelta(days=1),
    "granularity": timedelta(days=1),
    "allow_open_window": True,
}


def given(task: Any) -> dict[str, Any]:
    return {name: getattr(task, name) for name in GIVEN}


@pytest.mark.parametrize("kind", TASKS)
def test_default_args_reach_tasks(kind: str) -> None:
    operator, arguments = TASKS[kind]

    with DAG("defaults", schedule=None, start_date=START, default_args=GIVEN):
        of_dag = operator(task_id="of_dag", **arguments)
    defaults: Any = GIVEN
    with DAG("grouped", schedule=None, start_date=START), TaskGroup("group", default_args=defaults):
        of_group = operator(task_id="of_group", **arguments)

    assert given(of_dag) == given(of_group) == GIVEN


@pytest.mark.parametrize("kind", TASKS)
def test_partial_takes_every_argument(kind: str) -> None:
    operator, arguments = TASKS[kind]
    window = {name: GIVEN[name] for name in ("window_start", "window_end")}
    others = {name: value for name, value in GIVEN.items() if name not in window}

    with DAG("mapped", schedule=None, start_date=START) as dag:
        operator.partial(task_id="task", **arguments, **others).expand_kwargs([window])
    mapped: Any = dag.task_dict["task"]

    assert given(mapped.unmap(window)) == GIVEN


@pytest.mark.parametrize("kind", TASKS)
def test_templated_fields_are_shared(kind: str) -> None:
    operator, _ = TASKS[kind]

    assert issubclass(operator, WindowTask)
    assert {*WindowTask.template_fields} == {
        "voiso_conn_id",
        "filters",
        "window_start",
        "window_end",
    }
    assert {*WindowTask.template_fields} <= {*operator.template_fields}
    assert operator.template_fields_renderers["filters"] == "json"
