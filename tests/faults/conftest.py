from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING

import pytest
from airflow.providers.common.compat.sdk import BaseHook

from demo.process import free_ports
from demo.stack import SeaweedS3
from tests.destinations.conftest import mariadb_port as mariadb_port  # noqa: PLC0414 - likewise
from tests.destinations.conftest import postgres_host as postgres_host  # noqa: PLC0414 - a fixture, found by its name here
from tests.faults.destinations import END, S3, START, Destination, Mariadb, Postgres, Sqlite
from tests.faults.promise import Promise, voiso

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_voiso.simulator import Simulator


@pytest.fixture(autouse=True)
def _no_connections_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("AIRFLOW_CONN_", "AWS_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def states() -> Iterator[tuple[Simulator, Simulator]]:
    """Return two local Voisos that differ in which records the window holds, and in what some of them say."""
    ports = free_ports(2)  # so that one that was gone listens there again
    both = voiso(drifted=False, port=ports[0]), voiso(drifted=True, port=ports[1])
    truths = [sim.truth(START, END) for sim in both]
    assert truths[0].keys() - truths[1].keys()
    assert truths[1].keys() - truths[0].keys()
    with both[0], both[1]:
        yield both


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedS3]:
    with SeaweedS3(tmp_path_factory.mktemp("s3") / "data") as running:
        yield running


@pytest.fixture(scope="session")
def s3(s3_server: SeaweedS3) -> S3:
    return S3(s3_server)


@pytest.fixture(scope="session")
def postgres(postgres_host: str) -> Postgres:
    return Postgres({"conn_type": "postgres", "host": postgres_host, "login": "postgres", "schema": "postgres"})


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Sqlite:
    return Sqlite({"conn_type": "sqlite", "host": str(tmp_path_factory.mktemp("sqlite") / "calls.db")})


@pytest.fixture(scope="session")
def mariadb(mariadb_port: int) -> Mariadb:
    server = {"conn_type": "mysql", "host": "127.0.0.1", "port": mariadb_port, "login": "root"}
    found = Mariadb({**server, "schema": "faults", "extra": {"client": "mysql-connector-python"}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_SERVER", json.dumps({**server, "extra": {"client": "mysql-connector-python"}}))
        hook = BaseHook.get_connection("server").get_hook()  # type: ignore[no-untyped-call]
        hook.run("CREATE DATABASE faults CHARACTER SET utf8mb4", autocommit=True)
    return found


@pytest.fixture(params=["s3", "postgres", "mariadb", "sqlite"])
def destination(request: pytest.FixtureRequest) -> Destination:
    found: Destination = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def promise(
    destination: Destination,
    states: tuple[Simulator, Simulator],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> Promise:
    """Return what must hold for a destination that holds the window in one state when Voiso has another."""
    for name in ("urllib3", "requests", "airflow_provider_voiso"):
        caplog.set_level(logging.DEBUG, name)
    destination.connect(monkeypatch)
    return Promise(destination, states, monkeypatch, caplog, capfd)
