"""Each part of the stack works, and is gone afterwards."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path

import boto3
import psutil
import psycopg2
import pytest
from airflow import __version__ as airflow_version
from botocore.exceptions import ClientError
from packaging.version import Version

from demo.stack import AirflowStack
from tests.servers.postgres import Postgres
from tests.servers.process import LOOPBACK, PartError
from tests.servers.s3 import SeaweedS3
from tests.servers.voiso import SimulatorProcess

DAG_FILE = """
from datetime import datetime, timezone
from airflow.sdk import dag, task

@dag(schedule="@daily", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), catchup=False)
def numbers():
    @task
    def answer():
        return {"answer": 42}

    @task
    def refuse(params):
        if params.get("refuse"):
            raise ValueError("refused as asked")

    answer() >> refuse()

numbers()
"""


def processes_naming(path: Path) -> list[str]:
    """Return the command lines of all processes that name something below this path, or have it in a variable."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            command = " ".join(process.cmdline())
            if str(path) in " ".join([command, *process.environ().values()]):
                found.append(command)
    return found


def listens(url: str) -> bool:
    with socket.socket() as client:
        return client.connect_ex((LOOPBACK, int(url.rpartition(":")[2]))) == 0


def test_the_object_storage_keeps_objects_checks_keys_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with SeaweedS3(tmp_path / "s3", "exports") as s3:
        given = json.loads(s3.connection())
        client = boto3.client(
            "s3",
            endpoint_url=given["extra"]["endpoint_url"],
            region_name=given["extra"]["region_name"],
            aws_access_key_id=given["login"],
            aws_secret_access_key=given["password"],
        )
        client.put_object(Bucket="exports", Key="dt=2026-11-22/a b", Body=b"cdr")
        assert s3.client().get_object(Bucket="exports", Key="dt=2026-11-22/a b")["Body"].read() == b"cdr"
        with pytest.raises(ClientError, match="NoSuchBucket"):
            client.put_object(Bucket="another", Key="a", Body=b"cdr")
        s3.secret = "wrong"  # noqa: S105
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            s3.client().put_object(Bucket="exports", Key="a", Body=b"cdr")
        assert processes_naming(tmp_path / "s3")
        assert listens(s3.endpoint_url)
    assert processes_naming(tmp_path / "s3") == []
    assert not listens(s3.endpoint_url)


def test_the_simulator_tells_the_truth_of_a_day_and_leaves_nothing_behind(tmp_path: Path) -> None:
    day = datetime(2026, 11, 22, tzinfo=timezone.utc)
    with SimulatorProcess(tmp_path, ["--records-per-day", "50", "--exact"]) as simulator:
        assert len(simulator.truth(day, day + timedelta(days=1))) == 50
        host = json.loads(simulator.connection())["host"]
    assert not listens(host)


def test_postgres_answers_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with Postgres(tmp_path) as postgres:
        uri = postgres.uri
        connection = psycopg2.connect(uri)
        with connection.cursor() as cursor:
            cursor.execute("SHOW listen_addresses")
            assert cursor.fetchone() == ("",)
            cursor.execute("SHOW data_directory")
            ((data_directory,),) = cursor.fetchall()
        connection.close()
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(uri)
    assert not any(data_directory in command for command in processes_naming(tmp_path))
    assert not Path(data_directory).exists()


@pytest.mark.skipif(Version(airflow_version) < Version("3.0"), reason="the stack is of Airflow 3")
def test_airflow_runs_a_dag_and_a_backfill_and_leaves_nothing_behind(tmp_path: Path) -> None:
    home, dags = tmp_path / "home with a space", tmp_path / "dags"
    dags.mkdir()
    (dags / "numbers.py").write_text(DAG_FILE)
    with AirflowStack(home, dags, {"AIRFLOW_CONN_EXAMPLE": "http://example"}) as airflow:
        api = airflow.api
        api.wait_for_dags("numbers")
        run_id = api.trigger("numbers")
        assert api.wait_for_run("numbers", run_id) == "success"
        assert {task["task_id"]: task["state"] for task in api.task_instances("numbers", run_id)} == {
            "answer": "success",
            "refuse": "success",
        }
        assert api.xcom("numbers", run_id, "answer") == {"answer": 42}

        run_id = api.trigger("numbers", conf={"refuse": True})
        assert api.wait_for_run("numbers", run_id) == "failed"
        assert "ValueError: refused as asked" in api.task_log("numbers", run_id, "refuse")

        dates = [f"2026-11-{day}T00:00:00+00:00" for day in ("03", "04")]
        backfill = api.backfill("numbers", dates[0], dates[-1])
        api.wait_for_backfill(backfill)
        states = {run["logical_date"]: run["state"] for run in api.runs("numbers", run_type="backfill")}
        assert states == {"2026-11-03T00:00:00Z": "success", "2026-11-04T00:00:00Z": "success"}

        with pytest.raises(PartError, match=r"(?s)airflow dags nonsense failed.*nonsense"):
            airflow.airflow("dags", "nonsense")
        assert processes_naming(home)
    assert processes_naming(home) == []
    assert not listens(airflow.url)
