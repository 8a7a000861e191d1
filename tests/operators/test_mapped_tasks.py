"""Tasks mapped over windows export each its own; those that would overwrite one another are refused."""

from __future__ import annotations

import copy
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import DAG, task, task_group

from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.exceptions import VoisoConfigurationError
from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator
from airflow_provider_voiso.run.sub_windows import sub_windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_voiso.simulator import Simulator

    Simulate = Callable[..., Simulator]

START = datetime(2024, 11, 10, tzinfo=timezone.utc)
DAY = Window(START, START + timedelta(days=1))
PARTS = sub_windows(DAY, parts=3)
DAYS = sub_windows(Window(START - timedelta(days=5), DAY.end), period=timedelta(days=1))
MONTHLY, DAILY, HOURLY = (
    f"calls/{{window_start:{form}}}.{{extension}}" for form in ("%Y-%m", "%Y-%m-%d", "%Y-%m-%dT%H")
)
OPERATORS: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "s3": (VoisoCdrToS3Operator, {"s3_bucket": "voiso-cdr"}),
    "sql": (VoisoCdrToSqlOperator, {"sql_conn_id": "warehouse", "table": "calls"}),
}


class ReachedError(Exception):
    """The export began."""


@pytest.fixture
def _only_to_the_export(monkeypatch: pytest.MonkeyPatch) -> None:
    def reached(*_: object) -> None:
        raise ReachedError

    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "sqlite:///unused")
    for name in ("VOISO_DEFAULT", "A", "B"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", "voiso://:secret-key@localhost")
    for operator, _ in OPERATORS.values():
        monkeypatch.setattr(operator, "_export", reached)


def execute(kind: str, partial: dict[str, Any], mapped: list[dict[str, Any]]) -> None:
    """Run the mapped tasks up to their exports, from a list that only an XCom will bring."""
    operator, arguments = OPERATORS[kind]
    own = {name: value for name, value in arguments.items() if name not in mapped[0]}
    with DAG("mapped", schedule="@daily", start_date=START - timedelta(days=9)) as dag:
        # What Airflow says of a task without the decorator's types.
        listed: Any = task(task_id="list")(lambda: mapped)()
        operator.partial(task_id="export", **{**own, **partial}).expand_kwargs(listed)
    declared: Any = dag.task_dict["export"]
    for index, given in enumerate(mapped):
        context = {"dag": dag, "ti": SimpleNamespace(map_index=index), "logical_date": DAY.end, "run_id": "test"}
        unmapped = declared.unmap(given)
        context["task"] = unmapped
        unmapped.render_template_fields(context)
        with pytest.raises(ReachedError):
            unmapped.execute(context)


@pytest.mark.usefixtures("_only_to_the_export")
@pytest.mark.parametrize(
    ("kind", "partial", "mapped"),
    [
        ("s3", {}, PARTS),
        ("s3", {"s3_key": HOURLY}, PARTS),
        ("s3", {"s3_key": DAILY}, DAYS),
        ("s3", {"s3_key": "calls-{{ ti.map_index }}"}, PARTS),
        ("s3", {"s3_key": "{{ task.voiso_conn_id }}"}, [{"voiso_conn_id": "a"}, {"voiso_conn_id": "b"}]),
        ("s3", {}, [{**part, "s3_key": f"part-{number}"} for number, part in enumerate(PARTS)]),
        ("s3", {}, [{"filters": {"type": name}, "s3_key": name} for name in ("inbound", "dialer")]),
        ("s3", {}, [{"filters": {"type": name}, "s3_bucket": name} for name in ("inbound", "dialer")]),
        ("s3", {}, [{"file_format": "csv"}, {"file_format": "parquet"}]),
        ("sql", {}, PARTS),
        ("sql", {"mode": "upsert"}, [{"voiso_conn_id": "a"}, {"voiso_conn_id": "b"}]),
        ("sql", {}, [{"voiso_conn_id": name, "table": name} for name in ("a", "b")]),
    ],
)
def test_tasks_with_places_of_their_own_run(kind: str, partial: dict[str, Any], mapped: list[dict[str, Any]]) -> None:
    execute(kind, partial, mapped)


@pytest.mark.parametrize(
    ("kind", "partial", "mapped", "complaint"),
    [
        (
            "s3",
            {"s3_key": "calls.gz"},
            PARTS,
            "writes to s3://voiso-cdr/calls.gz. Let the mapped window stand in",
        ),
        ("s3", {"s3_key": DAILY}, PARTS, "writes to s3://voiso-cdr/calls/2024-11-10.ndjson.gz"),
        ("s3", {"s3_key": MONTHLY}, DAYS, "calls/2024-11.ndjson.gz"),
        ("s3", {}, [{"voiso_conn_id": "a"}, {"voiso_conn_id": "b"}], r"or {{ ti.map_index }}"),
        ("s3", {"s3_key": DAILY}, [{"filters": {"type": "inbound"}}, {"filters": {"type": "dialer"}}], "2024-11-10"),
        ("s3", dict(PARTS[0]), [{"filters": {"type": "inbound"}}, {"filters": {"type": "dialer"}}], "T080000"),
        ("sql", {}, [{"voiso_conn_id": "a"}, {"voiso_conn_id": "b"}], "table calls. Give each a table of its own"),
        ("sql", dict(PARTS[0]), [{"filters": {"type": "inbound"}}], "mode='upsert'"),
    ],
)
def test_tasks_that_would_overwrite_one_another_are_refused(
    kind: str, partial: dict[str, Any], mapped: list[dict[str, Any]], complaint: str
) -> None:
    with pytest.raises(VoisoConfigurationError, match=f"mapped from export would overwrite one another: .*{complaint}"):
        execute(kind, partial, mapped)


@pytest.mark.usefixtures("_only_to_the_export")
@pytest.mark.parametrize(("key", "error"), [(HOURLY, ReachedError), (DAILY, VoisoConfigurationError)])
def test_in_a_mapped_group_it_is_the_same(key: str, error: type[Exception]) -> None:
    with DAG("grouped", schedule="@daily", start_date=START - timedelta(days=9)) as dag:

        @task_group
        def each(window_start: Any, window_end: Any) -> None:
            window = {"window_start": window_start, "window_end": window_end}
            VoisoCdrToS3Operator(task_id="export", s3_bucket="voiso-cdr", s3_key=key, **window)

        each.expand_kwargs(PARTS)
    # As a worker does, which resolves the references on a copy of the task.
    export: Any = copy.copy(dag.task_dict["each.export"])
    vars(export).update(PARTS[0])
    with pytest.raises(error):
        export.execute({"dag": dag, "ti": SimpleNamespace(map_index=0)})
