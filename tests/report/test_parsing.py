"""What a DAG file full of exports loads while it is parsed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

DAG_FILE = """
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_voiso import VoisoCdrSensor, VoisoCdrToS3Operator, VoisoCdrToSqlOperator

with DAG(dag_id="hundred_exports", schedule=None):
    for number in range(50):
        VoisoCdrToS3Operator(
            task_id=f"to_s3_{number}", s3_bucket="voiso-cdr", file_format="parquet"
        )
        VoisoCdrToSqlOperator(task_id=f"to_sql_{number}", sql_conn_id="postgres", table="cdr")
    VoisoCdrSensor(task_id="wait")
"""
PARSE = """
import json, runpy, socket, sys

# What Airflow has loaded by itself before it reads a DAG file.
import airflow
from airflow.providers.common.compat.sdk import DAG, BaseHook, BaseOperator

def refuse(*_, **__):
    raise AssertionError("the DAG file opens a connection while it is parsed")

socket.socket.connect = socket.socket.connect_ex = refuse
socket.create_connection = socket.getaddrinfo = refuse
before = set(sys.modules)
dag = runpy.run_path(sys.argv[1])["DAG"]
loaded = sorted({name.partition(".")[0] for name in set(sys.modules) - before})
print(json.dumps(loaded))
"""
SLOW = {
    "MySQLdb",
    "boto3",
    "botocore",
    "duckdb",
    "openlineage",
    "pandas",
    "psycopg",
    "psycopg2",
    "pyarrow",
    "requests",
    "sqlparse",
    "urllib3",
}


def test_hundred_exports_load_nothing_slow(tmp_path: Path) -> None:
    dag_file = tmp_path / "hundred_exports.py"
    dag_file.write_text(DAG_FILE)

    done = subprocess.run(
        [sys.executable, "-c", PARSE, str(dag_file)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert done.returncode == 0, done.stderr
    loaded = {*json.loads(done.stdout.splitlines()[-1])}
    assert "airflow_provider_voiso" in loaded
    assert loaded & SLOW == set()
