"""Filters that a template turned into text are refused before the first request, and never
shown."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException

from airflow_provider_voiso.api.v2.filters import filter_params, is_rendered
from airflow_provider_voiso.exceptions import VoisoConfigurationError
from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator
from airflow_provider_voiso.sensors.cdr import VoisoCdrSensor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_voiso.simulator import Simulator

    Simulate = Callable[..., Simulator]

START = datetime(2024, 11, 10, tzinfo=timezone.utc)
TASKS: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "s3": (VoisoCdrToS3Operator, {"s3_bucket": "voiso-cdr"}),
    "sql": (VoisoCdrToSqlOperator, {"sql_conn_id": "warehouse", "table": "calls"}),
    "sensor": (VoisoCdrSensor, {}),
}


@pytest.fixture
def sim(simulate: Simulate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    warehouse = {"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(warehouse))
    return simulate()


def run(
    kind: str, context: dict[str, Any], filters: Any, *, conf: dict[str, Any], native: bool = False
) -> Any:
    """Render a task's filters as a worker does, with ``conf`` as the run's, and run it."""
    operator, arguments = TASKS[kind]
    with DAG("rendered", schedule=None, start_date=START, render_template_as_native_obj=native):
        task = operator(task_id="task", **{**arguments, "filters": filters})
    context = {**context, "dag_run": SimpleNamespace(conf=conf)}
    task.render_template_fields(context)
    return task.poke(context) if kind == "sensor" else task.execute(context)


@pytest.mark.parametrize("kind", TASKS)
def test_rendered_dict_names_ways_out(kind: str, sim: Simulator, context: dict[str, Any]) -> None:
    with pytest.raises(
        VoisoConfigurationError, match=r"rendered the dict to text: .*XComArg.*_as_native_obj=True"
    ) as caught:
        run(
            kind, context, "{{ dag_run.conf.filters }}", conf={"filters": {"number": "15557571011"}}
        )

    assert isinstance(caught.value, AirflowFailException)
    assert "15557571011" not in str(caught.value)
    assert sim.requests == ()


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize(
    "value",
    [
        ["inbound", "outbound"],
        ("inbound", "outbound"),
        ("inbound",),
        {"inbound"},
        {"a": 1},
        [],
        {},
        (),
        set(),
        None,
        True,
    ],
)
def test_rendered_value_is_refused(
    kind: str, value: Any, sim: Simulator, context: dict[str, Any]
) -> None:
    with pytest.raises(
        VoisoConfigurationError, match=r"filter 'type' looks like .* join\(','\)"
    ) as caught:
        run(kind, context, {"type": "{{ dag_run.conf.value }}"}, conf={"value": value})

    assert "inbound" not in str(caught.value)
    assert sim.requests == ()


@pytest.mark.parametrize("kind", TASKS)
@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{{ dag_run.conf.value | tojson }}", "looks like"),
        ("{{ dag_run.conf.value | map('upper') }}", "looks like"),
        ("inbound,{{ dag_run.conf.nothing }}", "looks like"),
        ("{% if dag_run.conf.nothing %}inbound{% endif %}", "is empty"),
        ("{{ dag_run.conf.empty }},{{ dag_run.conf.empty }}", "is empty"),
        ("{{ dag_run.conf.template }}", "Jinja that was not rendered"),
    ],
)
def test_odd_template_is_refused(
    kind: str, template: str, complaint: str, sim: Simulator, context: dict[str, Any]
) -> None:
    conf = {"value": ["inbound"], "nothing": None, "empty": "", "template": "{{ ds }}"}

    with pytest.raises(VoisoConfigurationError, match=f"filter 'type' .*{complaint}"):
        run(kind, context, {"type": template}, conf=conf)

    assert sim.requests == ()


@pytest.mark.parametrize("kind", ["sql", "sensor"])
@pytest.mark.parametrize(
    ("filters", "native"),
    [
        ("{{ dag_run.conf.filters }}", True),
        ({"type": "{{ dag_run.conf.filters.type }}"}, True),
        ({"type": "{{ dag_run.conf.filters.type | join(',') }}"}, False),
    ],
)
def test_ways_out_select_records(
    kind: str, filters: Any, native: bool, sim: Simulator, context: dict[str, Any]
) -> None:
    wanted = {"type": ["inbound", "outbound"]}

    run(kind, context, filters, conf={"filters": wanted}, native=native)

    assert {request.params.get("type") for request in sim.requests} >= {"inbound,outbound"}


@pytest.mark.parametrize(
    "text",
    [
        "None",
        "null",
        "True",
        "[]",
        "['a', 'b']",
        "{'a': 1}",
        "{1}",
        "(1,)",
        "set()",
        " None ",
        "a,None",
    ],
)
def test_text_of_templates(text: str) -> None:
    assert is_rendered(text)


@pytest.mark.parametrize(
    "text",
    [
        "inbound",
        "true",
        "none",
        "(not set)",
        "(direct) / (none)",
        "+15557571011",
        "None of them",
        "a, b",
        "0",
        "<b>",
    ],
)
def test_text_of_people(text: str) -> None:
    assert filter_params({"lead_source": text}) == {"lead_source": text}


@pytest.mark.parametrize("filters", [["type"], ("type", "inbound"), 5, True, {"type"}, b"type"])
@pytest.mark.parametrize("kind", TASKS)
def test_filters_of_other_types(kind: str, filters: Any) -> None:
    operator, arguments = TASKS[kind]

    with pytest.raises(VoisoConfigurationError, match="must be a dict or None, not "):
        operator(task_id="task", **{**arguments, "filters": filters})


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_filter_of_no_number(number: float) -> None:
    with pytest.raises(VoisoConfigurationError, match="'duration_from' is not a finite number"):
        filter_params({"duration_from": number})
