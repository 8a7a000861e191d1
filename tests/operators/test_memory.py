"""Memory stays flat: a window of ten times as many records does not need ten times as much."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.run import BenchApi
from tests.servers.postgres import Postgres
from tests.servers.process import clean_environment
from tests.servers.s3 import SeaweedS3

if TYPE_CHECKING:
    from collections.abc import Iterator

# The records of one server are enough: with pytest-xdist all of these tests belong on one worker.
pytestmark = pytest.mark.xdist_group("memory")
ROOT = Path(__file__).parents[2]
MANY = 300_000
# Each export has a process of its own: a second one in the same process also takes what the
# allocators of Python and pyarrow did not give back after the first, up to 30 MB. Both begin
# where the imports are done.
EXPORTS = """
import json, os, sys
from datetime import timedelta

from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator
from benchmarks.data import START
from benchmarks.measure import peak_rss

options = json.loads(sys.argv[1])
operator = VoisoCdrToS3Operator if "s3_bucket" in options else VoisoCdrToSqlOperator
for hours in 6, 24:
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        if status:
            sys.exit(f"the export of {hours} hours failed")
        continue
    context = {"data_interval_start": START, "data_interval_end": START + timedelta(hours=hours)}
    records = operator(task_id="export", **options).execute(context)["records"]
    print("peak", records, peak_rss(), file=sys.stderr)
    break
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("memory")


@pytest.fixture(scope="module")
def api(directory: Path) -> Iterator[BenchApi]:
    with BenchApi(directory / "records", MANY, logs=directory / "logs") as running:
        yield running


@pytest.fixture(scope="module")
def s3(directory: Path) -> Iterator[SeaweedS3]:
    with SeaweedS3(directory / "s3") as running:
        yield running


@pytest.fixture(scope="module")
def postgres(directory: Path) -> Iterator[Postgres]:
    with Postgres(directory / "logs") as running:
        yield running


def peaks(
    api: BenchApi, directory: Path, connection: tuple[str, str], **options: Any
) -> tuple[int, int]:
    """Return the highest memory of an export of a small window and of one of a large window, in
    bytes."""
    name, value = connection
    voiso = {"conn_type": "voiso", "host": api.url, "password": "some-key"}
    env = {
        "AIRFLOW_HOME": str(directory / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_VOISO_DEFAULT": json.dumps(voiso),
        f"AIRFLOW_CONN_{name}": value,
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", EXPORTS, json.dumps(options)]
    done = subprocess.run(
        command, env=clean_environment(env), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split()[1:] for line in done.stderr.splitlines() if line.startswith("peak ")]
    [(few, small), (many, large)] = [(int(records), int(peak)) for records, peak in lines]
    assert MANY * 0.2 < few < MANY * 0.3
    assert many == MANY
    return small, large


def assert_flat(api: BenchApi, small: int, large: int) -> None:
    """See that the records which the large window has on top were not kept, which as Python
    objects take more still."""
    on_top = 0.75 * api.day.path.stat().st_size
    assert large - small < 0.75 * on_top, (
        f"{(large - small) / 1e6:.0f} MB more for {on_top / 1e6:.0f} MB of records"
    )


@pytest.mark.parametrize("file_format", ["ndjson", "csv", "parquet"])
def test_export_to_s3(file_format: str, api: BenchApi, s3: SeaweedS3, directory: Path) -> None:
    connection = "AWS_DEFAULT", s3.connection()
    assert_flat(
        api, *peaks(api, directory, connection, s3_bucket=s3.bucket, file_format=file_format)
    )


@pytest.mark.parametrize("conn_type", ["sqlite", "duckdb"])
def test_export_to_a_file(conn_type: str, api: BenchApi, directory: Path) -> None:
    if conn_type == "duckdb":
        pytest.importorskip("duckdb_provider", reason="airflow-provider-duckdb is not installed")
    connection = (
        "WAREHOUSE",
        json.dumps({"conn_type": conn_type, "host": str(directory / f"warehouse.{conn_type}")}),
    )
    assert_flat(api, *peaks(api, directory, connection, sql_conn_id="warehouse", table="calls"))


def test_export_to_postgres(api: BenchApi, postgres: Postgres, directory: Path) -> None:
    socket = postgres.uri.partition("host=")[2]
    server = {"conn_type": "postgres", "host": socket, "login": "postgres", "schema": "postgres"}
    connection = "WAREHOUSE", json.dumps(server)
    assert_flat(api, *peaks(api, directory, connection, sql_conn_id="warehouse", table="calls"))
