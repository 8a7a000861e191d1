"""The real parts of the kills: two states of a Voiso, the destinations and a worker."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.simulator import Drift, Simulator
from tests.kills.dags.killed_exports import DAY, HOURS
from tests.kills.destinations import S3, Destination, Duckdb, Mariadb, Postgres, Sqlite, State
from tests.kills.worker import Worker
from tests.servers.mariadb import Mariadb as MariadbServer
from tests.servers.mariadb import missing as mariadb_is_missing
from tests.servers.postgres import Postgres as PostgresServer
from tests.servers.s3 import SeaweedS3
from tests.servers.voiso import SimulatorProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

RECORDS_PER_DAY = 20_000
DRIFT = Drift(appear=0.2, change=0.3, move=0.1)
PART_SIZE = 5 << 20
STATES: tuple[State, ...] = ("before", "after")


def truths(window: Mapping[str, Any]) -> dict[State, dict[str, bytes]]:
    """Return the records of a window by uuid, in both states."""
    voiso = Simulator(records_per_day=RECORDS_PER_DAY, exact=True, drift=DRIFT)
    return {
        state: voiso.truth(window["window_start"], window["window_end"], state=state)
        for state in STATES
    }


def voiso_process(logs: Path, state: State) -> SimulatorProcess:
    options = [
        "--exact",
        "--records-per-day",
        RECORDS_PER_DAY,
        "--duplicates",
        0,
        "--drift-appear",
        DRIFT.appear,
    ]
    options += ["--drift-change", DRIFT.change, "--drift-move", DRIFT.move]
    if state == "after":
        options += ["--drift-after", 0]
    return SimulatorProcess(logs / state, list(map(str, options)))


@contextmanager
def parts(home: Path, workers: int) -> Iterator[tuple[dict[str, Destination], list[Worker]]]:
    """Start everything; return the destinations by name, and that many workers."""
    with ExitStack() as stack:
        connections = {}
        for state in STATES:
            voiso = stack.enter_context(voiso_process(home / "voiso", state))
            connections[f"voiso_{state}"] = json.dumps(
                {**json.loads(voiso.connection()), "extra": {"per_page": 2_000}}
            )
        s3 = stack.enter_context(SeaweedS3(home / "s3"))
        aws = json.loads(s3.connection())
        transfer = {"multipart_threshold": PART_SIZE, "multipart_chunksize": PART_SIZE}
        aws["extra"]["service_config"] = {"s3": {"transfer_config_args": transfer}}
        connections["aws_default"] = json.dumps(aws)
        postgres = stack.enter_context(PostgresServer(home / "postgres"))
        connections["postgres"] = postgres.connection()
        day, hours = truths(DAY), truths(HOURS)
        destinations: list[Destination] = [S3(s3, day), Postgres(postgres, hours)]
        if not mariadb_is_missing():
            mariadb = stack.enter_context(MariadbServer())
            connections["mariadb"] = mariadb.connection(Mariadb.schema)
            destinations.append(Mariadb(mariadb, hours))
        file = home / "sqlite" / "warehouse.db"
        file.parent.mkdir()
        connections["sqlite"] = json.dumps({"conn_type": "sqlite", "host": str(file)})
        destinations.append(Sqlite(file, hours))
        file = home / "duckdb" / "warehouse.duckdb"
        file.parent.mkdir()
        connections["duckdb"] = json.dumps({"conn_type": "duckdb", "host": str(file)})
        destinations.append(Duckdb(file, hours))
        yield (
            {destination.name: destination for destination in destinations},
            [
                stack.enter_context(Worker(home / f"airflow-{number}", connections))
                for number in range(workers)
            ],
        )
