"""Tasks mapped over windows export each its own; those that would overwrite one another are
refused."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, TaskGroup, task, task_group

from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.compat import mapping
from airflow_provider_voiso.exceptions import VoisoConfigurationError
from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator
from airflow_provider_voiso.run.sub_windows import sub_windows

START = datetime(2024, 11, 10, tzinfo=timezone.utc)
DAY = Window(START, START + timedelta(days=1))
PARTS = sub_windows(DAY, parts=3)
DAYS = sub_windows(Window(START - timedelta(days=5), DAY.end), period=timedelta(days=1))
MONTHLY, DAILY, HOURLY = (
    f"calls/{{window_start:{form}}}.{{extension}}" for form in ("%Y-%m", "%Y-%m-%d", "%Y-%m-%dT%H")
)
TYPES = [{"filters": {"type": "inbound"}}, {"filters": {"type": "dialer"}}]
OPERATORS: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "s3": (VoisoCdrToS3Operator, {"s3_bucket": "voiso-cdr"}),
    "sql": (VoisoCdrToSqlOperator, {"sql_conn_id": "warehouse", "table": "calls"}),
}


@pytest.fixture(autouse=True)
def _connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "sqlite:///unused")
    for name in ("VOISO_DEFAULT", "A", "B"):
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", "voiso://:secret-key@localhost")


class TaskInstance(SimpleNamespace):
    """As much of a mapped task instance as resolving XComs needs."""

    map_index: int
    xcom: list[dict[str, Any]]

    def xcom_pull(self, **_: Any) -> Any:
        return self.xcom

    def get_relevant_upstream_map_indexes(self, *_: Any, **__: Any) -> None:
        return None


def addresses(dag: Any, task_id: str, xcom: list[dict[str, Any]], *, length: int) -> set[str]:
    """Return where the mapped tasks write to, each made and rendered as a worker does."""
    declared = dag.task_dict[task_id]
    found = set()
    for index in range(length):
        instance = TaskInstance(map_index=index, xcom=xcom, task=declared)
        context: dict[str, Any] = {
            "dag": dag,
            "ti": instance,
            "logical_date": DAY.end,
            "run_id": "test",
        }
        context["expanded_ti_count"] = length
        declared_task = list(mapping.mapped_tasks(declared, context))[index]
        context["task"] = declared_task
        declared_task.render_template_fields(context)
        destination = declared_task.destination(context, declared_task.resolve_window(context))
        found.add(f"{getattr(declared_task, 'aws_conn_id', '')} {destination.address}")
    return found


def expand(
    kind: str,
    partial: dict[str, Any],
    mapped: dict[str, Any] | list[dict[str, Any]],
    *,
    by_xcom: bool = False,
    default_args: dict[str, Any] | None = None,
    group_args: dict[str, Any] | None = None,
) -> set[str]:
    """Map an operator over literals, or over an XCom, and return where its tasks write to."""
    operator, arguments = OPERATORS[kind]
    names = (
        set(mapped) if isinstance(mapped, dict) else {name for given in mapped for name in given}
    )
    elsewhere = {*names, *(default_args or {}), *(group_args or {})}
    own = {name: value for name, value in arguments.items() if name not in elsewhere}
    start = START - timedelta(days=9)
    shared: Any = group_args or {}
    with DAG("mapped", schedule="@daily", start_date=start, default_args=default_args or {}) as dag:
        # What Airflow says of a task without the decorator's types.
        listed: Any = task(task_id="list")(lambda: mapped)()
        with TaskGroup("group", default_args=shared, prefix_group_id=False):
            export = operator.partial(task_id="export", **{**own, **partial})
            if isinstance(mapped, dict):
                length = math.prod(len(values) for values in mapped.values())
                export.expand(**mapped)
            else:
                length = len(mapped)
                export.expand_kwargs(listed if by_xcom else mapped)
    return addresses(dag, "export", mapped if isinstance(mapped, list) else [], length=length)


@pytest.mark.parametrize("by_xcom", [False, True], ids=["literals", "xcom"])
@pytest.mark.parametrize(
    ("kind", "partial", "mapped"),
    [
        ("s3", {}, PARTS),
        ("s3", {"s3_key": HOURLY}, PARTS),
        ("s3", {"s3_key": DAILY}, DAYS),
        ("s3", {"s3_key": "calls-{{ ti.map_index }}"}, PARTS),
        (
            "s3",
            {"s3_key": "{{ task.voiso_conn_id }}"},
            [{"voiso_conn_id": "a"}, {"voiso_conn_id": "b"}],
        ),
        ("s3", {"s3_bucket": "{{ run_id }}-cdr"}, PARTS),
        ("s3", {}, [{**part, "s3_key": f"part-{number}"} for number, part in enumerate(PARTS)]),
        ("s3", {}, [{"filters": {"type": name}, "s3_key": name} for name in ("inbound", "dialer")]),
        (
            "s3",
            {},
            [{"filters": {"type": name}, "s3_bucket": name} for name in ("inbound", "dialer")],
        ),
        ("s3", {}, [{"file_format": "csv"}, {"file_format": "parquet"}]),
        ("s3", {}, [{"file_format": "ndjson"}, {"file_format": "csv"}]),
        ("s3", {}, [{"compression": "gzip"}, {"compression": "zstd"}, {"compression": None}]),
        ("s3", {}, [{"aws_conn_id": "aws_default"}, {"aws_conn_id": "aws_other"}]),
        (
            "s3",
            {},
            [{"filters": {"type": "inbound"}}, {"filters": {"type": "dialer"}, "s3_key": "dialer"}],
        ),
        ("s3", {}, [{"filters": {"type": "inbound"}}]),
        ("sql", {}, PARTS),
        ("sql", {}, [{"voiso_conn_id": name, "table": name} for name in ("a", "b")]),
    ],
)
def test_places_of_their_own(
    kind: str, partial: dict[str, Any], mapped: list[dict[str, Any]], by_xcom: bool
) -> None:
    found = expand(kind, partial, mapped, by_xcom=by_xcom)

    if kind == "s3":
        assert len(found) == len(mapped)


@pytest.mark.parametrize(
    "mapped",
    [
        {"file_format": ["ndjson", "csv", "parquet"]},
        {"compression": ["gzip", "zstd"]},
        {"aws_conn_id": ["aws_default", "aws_other"]},
        {"s3_key": ["a", "b"], "s3_bucket": ["c-c", "d-d"]},
        {"filters": [{"type": "inbound"}], "s3_key": ["a", "b"]},
    ],
)
def test_places_by_expand(mapped: dict[str, Any]) -> None:
    assert len(expand("s3", {}, mapped)) == math.prod(len(values) for values in mapped.values())


@pytest.mark.parametrize("by_xcom", [False, True], ids=["literals", "xcom"])
@pytest.mark.parametrize(
    ("kind", "partial", "mapped", "complaint"),
    [
        (
            "s3",
            {"s3_key": "calls.gz"},
            PARTS,
            "writes to s3://voiso-cdr/calls.gz. Let what is mapped stand in",
        ),
        ("s3", {"s3_key": DAILY}, PARTS, "writes to s3://voiso-cdr/calls/2024-11-10.ndjson.gz"),
        ("s3", {"s3_key": MONTHLY}, DAYS, "calls/2024-11.ndjson.gz"),
        ("s3", {}, [{"voiso_conn_id": "a"}, {"voiso_conn_id": "b"}], r"or {{ ti.map_index }}"),
        ("s3", {"s3_key": DAILY}, TYPES, "2024-11-10"),
        ("s3", {"s3_key": "{{ run_id }}"}, TYPES, "s3://voiso-cdr/test"),
        ("s3", {"s3_key": "{% if run_id %}calls{% endif %}"}, TYPES, "s3://voiso-cdr/calls"),
        ("s3", dict(PARTS[0]), TYPES, "T080000"),
        ("s3", {}, [{**given, "s3_key": "calls"} for given in TYPES], "s3://voiso-cdr/calls"),
        (
            "s3",
            {"s3_key": "calls"},
            [{"file_format": "csv"}, {"file_format": "parquet"}],
            "s3://voiso-cdr/calls",
        ),
        (
            "sql",
            {},
            [{"voiso_conn_id": "a"}, {"voiso_conn_id": "b"}],
            "table calls. Give each a table of its own",
        ),
        ("sql", dict(PARTS[0]), TYPES, "mode='upsert'"),
    ],
)
def test_places_shared(
    kind: str, partial: dict[str, Any], mapped: list[dict[str, Any]], complaint: str, by_xcom: bool
) -> None:
    with pytest.raises(
        VoisoConfigurationError,
        match=f"mapped from export would overwrite one another: .*{complaint}",
    ):
        expand(kind, partial, mapped, by_xcom=by_xcom)


def test_upsert_may_share() -> None:
    expand("sql", {"mode": "upsert"}, [{"voiso_conn_id": "a"}, {"voiso_conn_id": "b"}])


def test_crossed_arguments_share() -> None:
    """Each key is written by both types."""
    with pytest.raises(VoisoConfigurationError, match="s3://voiso-cdr/a"):
        expand(
            "s3", {}, {"s3_key": ["a", "b"], "filters": [{"type": "inbound"}, {"type": "dialer"}]}
        )


@pytest.mark.parametrize("whose", ["default_args", "group_args"])
@pytest.mark.parametrize(
    ("kind", "given", "partial", "mapped"),
    [
        (
            "s3",
            {"s3_bucket": "voiso-cdr"},
            {"s3_key": DAILY},
            {"filters": [{"type": "inbound"}, {"type": "dialer"}]},
        ),
        ("s3", {"s3_bucket": "voiso-cdr"}, {"s3_key": DAILY}, PARTS),
        ("s3", {"s3_key": DAILY}, {}, {"filters": [{"type": "inbound"}, {"type": "dialer"}]}),
        (
            "s3",
            {"aws_conn_id": "other"},
            {},
            {"filters": [{"type": "inbound"}, {"type": "dialer"}]},
        ),
        ("s3", {"file_format": "csv"}, {}, {"filters": [{"type": "inbound"}, {"type": "dialer"}]}),
        (
            "sql",
            {"sql_conn_id": "warehouse"},
            {},
            {"filters": [{"type": "inbound"}, {"type": "dialer"}]},
        ),
        ("sql", {"table": "calls"}, {}, {"filters": [{"type": "inbound"}, {"type": "dialer"}]}),
    ],
)
def test_default_args_do_not_vary(
    kind: str, given: dict[str, Any], partial: dict[str, Any], mapped: Any, whose: str
) -> None:
    with pytest.raises(VoisoConfigurationError, match="would overwrite one another"):
        expand(kind, partial, mapped, **{whose: given})  # type: ignore[arg-type]


@pytest.mark.parametrize("whose", ["default_args", "group_args"])
def test_default_args_beside_windows(whose: str) -> None:
    given: Any = {whose: {"s3_bucket": "voiso-cdr", "s3_key": HOURLY}}

    assert len(expand("s3", {}, PARTS, **given)) == len(PARTS)


@pytest.mark.parametrize("by_xcom", [False, True], ids=["literals", "xcom"])
@pytest.mark.parametrize(("key", "is_shared"), [(HOURLY, False), (DAILY, True)])
def test_mapped_group(key: str, is_shared: bool, by_xcom: bool) -> None:
    with DAG("grouped", schedule="@daily", start_date=START - timedelta(days=9)) as dag:
        listed: Any = task(task_id="list")(lambda: PARTS)()

        @task_group
        def each(window_start: Any, window_end: Any) -> None:
            window = {"window_start": window_start, "window_end": window_end}
            VoisoCdrToS3Operator(task_id="export", s3_bucket="voiso-cdr", s3_key=key, **window)

        each.expand_kwargs(listed if by_xcom else PARTS)

    if is_shared:
        with pytest.raises(
            VoisoConfigurationError, match=r"mapped from each\.export would overwrite"
        ):
            addresses(dag, "each.export", PARTS, length=len(PARTS))
    else:
        assert len(addresses(dag, "each.export", PARTS, length=len(PARTS))) == len(PARTS)


def test_group_that_maps_something_else() -> None:
    with DAG("grouped", schedule="@daily", start_date=START - timedelta(days=9)) as dag:

        @task_group
        def each(kind: Any) -> None:
            VoisoCdrToS3Operator(task_id="export", s3_bucket="voiso-cdr", filters={"type": kind})

        each.expand(kind=["inbound", "dialer"])

    with pytest.raises(VoisoConfigurationError, match="would overwrite"):
        addresses(dag, "each.export", [], length=2)


def test_key_by_task_of_group() -> None:
    """Each group has a task that names its object."""
    with DAG("grouped", schedule="@daily", start_date=START - timedelta(days=9)) as dag:

        @task_group
        def each(kind: Any) -> None:
            key: Any = task(task_id="key")(lambda: kind)()
            VoisoCdrToS3Operator(
                task_id="export", s3_bucket="voiso-cdr", s3_key=key, filters={"type": kind}
            )

        each.expand(kind=["inbound", "dialer"])
    declared: Any = dag.task_dict["each.export"]
    context = {"dag": dag, "ti": TaskInstance(map_index=0, xcom=[])}
    first = next(mapping.mapped_tasks(declared, context))
    vars(first).update(s3_key="inbound", filters={"type": "inbound"})

    assert first.destination(context, DAY).address == "s3://voiso-cdr/inbound"


def test_expansion_that_cannot_be_told(caplog: pytest.LogCaptureFixture) -> None:
    with DAG("mapped", schedule="@daily", start_date=START - timedelta(days=9)) as dag:
        listed: Any = task(task_id="list")(lambda: TYPES)()
        VoisoCdrToS3Operator.partial(task_id="export", s3_bucket="voiso-cdr").expand_kwargs(listed)
    export = VoisoCdrToS3Operator(task_id="export", s3_bucket="voiso-cdr")

    destination = export.destination({"dag": dag, "ti": SimpleNamespace(map_index=0)}, DAY)

    assert destination.address.startswith("s3://voiso-cdr/voiso/cdr/dt=2024-11-10/")
    assert "tasks mapped from export overwrite one another could not be checked" in caplog.text
