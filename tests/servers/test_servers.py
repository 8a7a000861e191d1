"""Each part of the stack works, and is gone afterwards."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import boto3
import psycopg2
import pytest
from botocore.exceptions import ClientError

from tests.servers.postgres import Postgres
from tests.servers.s3 import SeaweedS3
from tests.servers.traces import listens, processes_naming
from tests.servers.voiso import SimulatorProcess


def test_object_storage_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
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
        assert (
            s3.client().get_object(Bucket="exports", Key="dt=2026-11-22/a b")["Body"].read()
            == b"cdr"
        )
        with pytest.raises(ClientError, match="NoSuchBucket"):
            client.put_object(Bucket="another", Key="a", Body=b"cdr")
        s3.secret = "wrong"  # noqa: S105
        with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
            s3.client().put_object(Bucket="exports", Key="a", Body=b"cdr")
        assert processes_naming(tmp_path / "s3")
        assert listens(s3.endpoint_url)
    assert processes_naming(tmp_path / "s3") == []
    assert not listens(s3.endpoint_url)


def test_simulator_leaves_nothing_behind(tmp_path: Path) -> None:
    day = datetime(2026, 11, 22, tzinfo=timezone.utc)
    with SimulatorProcess(tmp_path, ["--records-per-day", "50", "--exact"]) as simulator:
        assert len(simulator.truth(day, day + timedelta(days=1))) == 50
        host = json.loads(simulator.connection())["host"]
    assert not listens(host)


def test_postgres_leaves_nothing_behind(tmp_path: Path) -> None:
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
