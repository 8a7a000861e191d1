"""Whatever is wrong with a task is said before the first request, when the DAG is parsed if it
can be known then."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import DAG
from dateutil.relativedelta import relativedelta

from airflow_provider_voiso.exceptions import VoisoConfigurationError, VoisoOpenWindowError
from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator
from airflow_provider_voiso.sensors.cdr import VoisoCdrSensor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_voiso.simulator import Simulator

    Simulate = Callable[..., Simulator]

START = datetime(2024, 11, 10, tzinfo=timezone.utc)
END = START + timedelta(days=1)
FIRST = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
NAIVE = START.replace(tzinfo=None)
ALL: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "s3": (VoisoCdrToS3Operator, {"s3_bucket": "voiso-cdr"}),
    "sql": (VoisoCdrToSqlOperator, {"sql_conn_id": "warehouse", "table": "calls"}),
    "sensor": (VoisoCdrSensor, {}),
}


def make(kind: str, **options: Any) -> Any:
    operator, arguments = ALL[kind]
    return operator(task_id="task", **{**arguments, **options})


def run(kind: str, context: dict[str, Any], **options: Any) -> Any:
    task = make(kind, **options)
    return task.poke(context) if kind == "sensor" else task.execute(context)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"filters": {"agent_id": 1}}, "Unknown filter 'agent_id'. The API knows: agent_ids, "),
        ({"filters": {"type": "inbound", "key": "x"}}, "'key' is set by the package itself"),
        ({"filters": {"start_datetime": "x"}}, "'start_datetime' is set by the package itself"),
        ({"window_start": START}, "window_start is given without window_end"),
        ({"window_end": START}, "window_end is given without window_start"),
        (
            {"window_start": NAIVE, "window_end": END},
            "window_start 2024-11-10T00:00:00 has no time zone",
        ),
        (
            {"window_start": START, "window_end": "2024-11-11"},
            "window_end 2024-11-11T00:00:00 has no time zone",
        ),
        ({"window_start": END, "window_end": START}, "must be before its end"),
        ({"window_start": START, "window_end": START}, "must be before its end"),
        ({"window_start": "yesterday", "window_end": END}, "not a date and time in ISO 8601"),
        (
            {"window_start": 5, "window_end": END},
            "window_start must be a datetime or a string in ISO 8601, not int",
        ),
        ({"window_start": FIRST, "window_end": END}, "beyond the years 1 to 9999"),
        ({"granularity": 3600}, "granularity must be a timedelta or a relativedelta, not int"),
        ({"granularity": timedelta(days=-1)}, "granularity must not be negative"),
        ({"allow_open_window": "false"}, "allow_open_window must be True or False, not str"),
        ({"voiso_conn_id": None}, "voiso_conn_id must be a text, not NoneType"),
    ],
)
def test_refused_when_the_dag_is_parsed(kind: str, options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(VoisoConfigurationError, match=complaint):
        make(kind, **options)


@pytest.mark.parametrize(
    ("kind", "options", "complaint"),
    [
        (
            "s3",
            {"file_format": "json"},
            "Unknown file_format 'json'. Known are: ndjson, csv, parquet",
        ),
        ("s3", {"compression": "bz2"}, "Unknown compression 'bz2'"),
        ("s3", {"out_of_window": "ignore"}, "Unknown out_of_window 'ignore'. Known are"),
        ("sql", {"out_of_window": None}, "Unknown out_of_window None"),
        ("sql", {"mode": "append"}, "Unknown mode 'append'. Known are"),
        ("sql", {"table": "calls; DROP TABLE calls"}, "calls; DROP TABLE calls"),
        ("sql", {"table": "a.b.c"}, "a.b.c"),
        ("sql", {"table": ""}, "table"),
        (
            "sql",
            {"lookback": timedelta(hours=-1), "mode": "upsert"},
            "lookback must not be negative",
        ),
        ("sql", {"lookback": timedelta(hours=1)}, "lookback needs mode='upsert'"),
        ("sensor", {"min_records": -1}, "min_records must not be negative"),
        ("sensor", {"settle": timedelta(seconds=-1)}, "settle must not be negative"),
        ("sensor", {"settle": relativedelta(months=-1)}, "settle must not be negative"),
        ("sensor", {"settle": relativedelta(day=1)}, "settle must be a length of time"),
        ("sensor", {"settle": 3600}, "settle must be a timedelta or a relativedelta, not int"),
        ("sensor", {"min_records": "3"}, "min_records must be a whole number, not str"),
        ("sensor", {"min_records": None}, "min_records must be a whole number, not NoneType"),
        ("sensor", {"min_records": 1.5}, "min_records must be a whole number, not float"),
        ("sensor", {"min_records": True}, "min_records must be a whole number, not bool"),
        (
            "sql",
            {"lookback": relativedelta(days=-1), "mode": "upsert"},
            "lookback must not be negative",
        ),
        (
            "sql",
            {"lookback": "1 day", "mode": "upsert"},
            "lookback must be a timedelta or a relativedelta, not str",
        ),
        ("sql", {"lookback": relativedelta(months=1)}, "lookback needs mode='upsert'"),
        ("sql", {"table": None}, "table must be a text, not NoneType"),
        ("sql", {"table": 5}, "table must be a text, not int"),
        ("sql", {"sql_conn_id": None}, "sql_conn_id must be a text, not NoneType"),
        ("sql", {"mode": ["upsert"]}, "Unknown mode"),
        ("sql", {"create_table": "false"}, "create_table must be True or False, not str"),
        ("sql", {"add_columns": 1}, "add_columns must be True or False, not int"),
        ("s3", {"file_format": ["csv"]}, "Unknown file_format"),
        ("s3", {"compression": ["gzip"]}, "Unknown compression"),
        ("s3", {"out_of_window": ["fail"]}, "Unknown out_of_window"),
    ],
)
def test_bad_argument_fails_at_parsing(kind: str, options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(VoisoConfigurationError, match=complaint):
        make(kind, **options)


@pytest.fixture
def sim(simulate: Simulate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    warehouse = {"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(warehouse))
    monkeypatch.setenv("AIRFLOW_CONN_ODD", json.dumps({"conn_type": "no_such_type"}))
    cloud = {"conn_type": "aws", "extra": {"region_name": "us-east-1"}}
    monkeypatch.setenv("AIRFLOW_CONN_CLOUD", json.dumps(cloud))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    return simulate()


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"filters": {"type": None}}, "'type' is a NoneType"),
        ({"filters": {"type": ""}}, "'type' is empty"),
        ({"filters": {"agent_ids": []}}, "'agent_ids' is empty"),
        ({"filters": {"agent_ids": True}}, "'agent_ids' is a bool"),
        ({"filters": {"type": ["a,b"]}}, "holds a comma"),
    ],
)
def test_refused_before_the_first_request(
    kind: str, options: dict[str, Any], complaint: str, sim: Simulator, context: dict[str, Any]
) -> None:
    with pytest.raises(VoisoConfigurationError, match=complaint):
        run(kind, context, **options)
    assert sim.requests == ()


@pytest.mark.parametrize("kind", ["s3", "sql"])
def test_open_window_is_retried(kind: str, sim: Simulator, context: dict[str, Any]) -> None:
    never_over = {"window_start": START, "window_end": datetime(2999, 1, 1, tzinfo=timezone.utc)}

    with pytest.raises(VoisoOpenWindowError, match="not over yet"):
        run(kind, context, **never_over)

    assert sim.requests == ()


@pytest.mark.parametrize("kind", ALL)
def test_missing_connection_is_named(kind: str, sim: Simulator, context: dict[str, Any]) -> None:
    with pytest.raises(VoisoConfigurationError, match="connection 'nowhere' does not exist"):
        run(kind, context, voiso_conn_id="nowhere")

    assert sim.requests == ()


@pytest.mark.parametrize(
    ("rendered", "complaint"), [("", "is empty"), (5, "must be a text, not int")]
)
@pytest.mark.parametrize("kind", ALL)
def test_connection_id_of_templates(
    kind: str, rendered: Any, complaint: str, sim: Simulator, context: dict[str, Any]
) -> None:
    task = make(kind, voiso_conn_id="{{ rendered }}")
    task.voiso_conn_id = rendered

    with pytest.raises(VoisoConfigurationError, match=f"id of a connection {complaint}"):
        task.poke(context) if kind == "sensor" else task.execute(context)

    assert sim.requests == ()


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"filters": "{{ unknown }}"}, "rendered the dict to text"),
        ({"window_start": "{{ naive }}", "window_end": "{{ end }}"}, "has no time zone"),
        ({"window_start": "{{ end }}", "window_end": "{{ start }}"}, "must be before its end"),
        (
            {"window_start": "{{ nonsense }}", "window_end": "{{ end }}"},
            "not a date and time in ISO 8601",
        ),
    ],
)
def test_rendered_templates_are_checked(
    kind: str, options: dict[str, Any], complaint: str, sim: Simulator, context: dict[str, Any]
) -> None:
    task = make(kind, **options)
    values = {
        "unknown": "q",
        "naive": NAIVE.isoformat(),
        "nonsense": "soon",
        "start": START,
        "end": END,
    }
    task.render_template_fields({**context, **values})
    with pytest.raises(VoisoConfigurationError, match=complaint):
        task.poke(context) if kind == "sensor" else task.execute(context)
    assert sim.requests == ()


@pytest.mark.parametrize(
    ("kind", "options", "complaint"),
    [
        ("s3", {"s3_key": "{ds}/cdr"}, "holds {ds}. It may hold"),
        ("s3", {"s3_key": "../cdr"}, "no part of it may be empty or consist of dots"),
        ("s3", {"s3_bucket": ".."}, "s3_bucket is not the name of a bucket"),
        ("s3", {"s3_key": ""}, "must be a path"),
        ("s3", {"s3_key": 20241110}, "s3_key is of type int, not text"),
        ("s3", {"s3_bucket": 20241110}, "s3_bucket is of type int, not text"),
        ("s3", {"aws_conn_id": 7}, "aws_conn_id must be the id of a connection or None, not int"),
        ("s3", {"aws_conn_id": "no_such"}, "The connection 'no_such' does not exist"),
        ("s3", {"aws_conn_id": "cloud"}, "There are no AWS credentials"),
        ("s3", {"upload_extra_args": {"StorageCLass": "GLACIER"}}, "Did you mean 'StorageClass'?"),
        (
            "s3",
            {"upload_extra_args": {"Tagging": {"a": "b"}}},
            "Tagging in upload_extra_args is of type dict",
        ),
        ("s3", {"upload_extra_args": {"Metadata": {"team": "Köln"}}}, "not printable ASCII text"),
        ("s3", {"upload_extra_args": {"Metadata": {"run": 7}}}, "is of type int, not text"),
        ("s3", {"upload_extra_args": {"Metadata": {"Records": "7"}}}, "choose another name"),
        ("sql", {"sql_conn_id": "cloud"}, "connection 'cloud' is not a SQL database"),
        ("sql", {"sql_conn_id": "nowhere"}, "connection 'nowhere' does not exist"),
        (
            "sql",
            {"sql_conn_id": "odd"},
            "No installed provider has a hook for the type 'no_such_type'",
        ),
        (
            "sql",
            {"lookback": timedelta(days=999_999), "mode": "upsert"},
            "lookback reaches beyond the years",
        ),
        (
            "sql",
            {"lookback": relativedelta(years=3_000), "mode": "upsert"},
            "lookback reaches beyond the years",
        ),
        ("sensor", {"settle": timedelta.max}, "settle reaches beyond the years"),
    ],
)
def test_bad_argument_fails_before_requests(
    kind: str, options: dict[str, Any], complaint: str, sim: Simulator, context: dict[str, Any]
) -> None:
    with pytest.raises(VoisoConfigurationError) as caught:
        run(kind, context, **options)
    assert complaint in str(caught.value)
    assert isinstance(caught.value, VoisoConfigurationError)
    assert sim.requests == ()


def test_numbers_by_native_rendering(sim: Simulator, context: dict[str, Any]) -> None:
    with DAG("native", schedule=None, start_date=START, render_template_as_native_obj=True):
        task = make("s3", s3_key="{{ day }}")
    task.render_template_fields({"day": "20241110"})
    with pytest.raises(VoisoConfigurationError, match="s3_key is of type int, not text"):
        task.execute(context)
    assert sim.requests == ()


def test_rendered_table_name_is_checked(sim: Simulator, context: dict[str, Any]) -> None:
    task = make("sql", table="{{ name }}")
    task.render_template_fields({"name": "calls; DROP TABLE calls"})
    with pytest.raises(VoisoConfigurationError, match="DROP TABLE"):
        task.execute(context)
    assert sim.requests == ()


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("password", "", "The password of the connection 'voiso_default' is empty"),
        ("host", "https://a/b", "The host of the connection 'voiso_default' holds a path"),
        (
            "extra",
            {"timezone": "Mars/Olympus"},
            "The extra of the connection 'voiso_default' holds a 'timezone'",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["s3", "sensor"])
def test_a_connection_that_cannot_be_used(
    kind: str,
    field: str,
    value: Any,
    complaint: str,
    sim: Simulator,
    context: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = {"conn_type": "voiso", "host": sim.url, "password": sim.key, field: value}
    monkeypatch.setenv("AIRFLOW_CONN_VOISO_DEFAULT", json.dumps(connection))
    with pytest.raises(VoisoConfigurationError, match=complaint):
        run(kind, context)
    assert sim.requests == ()


def test_missing_package_is_named_first(sim: Simulator) -> None:
    program = """
import sys
from datetime import datetime, timedelta, timezone
import airflow.providers.common.compat.sdk

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"boto3", "botocore", "pyarrow"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())

from airflow_provider_voiso.exceptions import VoisoConfigurationError
from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator

start = datetime(2024, 11, 10, tzinfo=timezone.utc)
context = {"data_interval_start": start, "data_interval_end": start + timedelta(days=1)}
for options, extra in (
    ({"file_format": "parquet"}, "[parquet]"),
    ({"compression": "zstd"}, "[parquet]"),
    ({}, "[amazon]"),
):
    try:
        VoisoCdrToS3Operator(task_id="export", s3_bucket="voiso-cdr", **options).execute(context)
    except VoisoConfigurationError as error:
        assert extra in str(error), error
    else:
        raise SystemExit(f"{options} was let through")
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    assert sim.requests == ()
