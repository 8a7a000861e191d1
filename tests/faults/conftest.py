from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING

import pytest

from tests.faults.destinations import END, S3, START, Destination, Mariadb, Postgres, Sqlite
from tests.faults.promise import Promise, voiso
from tests.servers.process import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_voiso.simulator import Simulator
    from tests.servers.mariadb import Mariadb as MariadbServer
    from tests.servers.postgres import Postgres as PostgresServer
    from tests.servers.s3 import SeaweedS3


@pytest.fixture(autouse=True)
def _no_connections_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("AIRFLOW_CONN_", "AWS_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def states() -> Iterator[tuple[Simulator, Simulator]]:
    """Return two local Voisos with different records in the window, some under the same uuid."""
    ports = free_ports(2)  # so that one that was gone listens there again
    both = voiso(drifted=False, port=ports[0]), voiso(drifted=True, port=ports[1])
    truths = [sim.truth(START, END) for sim in both]
    assert truths[0].keys() - truths[1].keys()
    assert truths[1].keys() - truths[0].keys()
    with both[0], both[1]:
        yield both


@pytest.fixture(scope="session")
def s3(s3_server: SeaweedS3) -> S3:
    return S3(s3_server.with_bucket("faults"))  # all that it holds is compared


@pytest.fixture(scope="session")
def postgres(postgres_server: PostgresServer) -> Postgres:
    return Postgres(json.loads(postgres_server.connection()))


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Sqlite:
    return Sqlite(
        {"conn_type": "sqlite", "host": str(tmp_path_factory.mktemp("sqlite") / "calls.db")}
    )


@pytest.fixture(scope="session")
def mariadb(mariadb_server: MariadbServer) -> Mariadb:
    mariadb_server.create_database("faults")
    return Mariadb(json.loads(mariadb_server.connection("faults")))


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
    """Return the promise of a destination whose window is in another state than Voiso's."""
    for name in ("urllib3", "requests", "airflow_provider_voiso"):
        caplog.set_level(logging.DEBUG, name)
    destination.connect(monkeypatch)
    return Promise(destination, states, monkeypatch, caplog, capfd)
