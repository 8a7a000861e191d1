"""One Airflow with real destinations for all end-to-end tests, logging at DEBUG."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_voiso.simulator import Drift, Simulator
from tests.e2e.webhook import Webhook
from tests.e2e.world import BACKFILLED, KEY, RECORDS_PER_DAY, WRONG_KEY, World
from tests.secret_search import AWKWARD_KEYS
from tests.servers.tcp_proxy import TcpProxy
from tests.servers.traces import listens, processes_naming

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


def voiso_connection(simulator: Simulator, key: str = KEY, **extra: Any) -> str:
    return json.dumps(
        {"conn_type": "voiso", "host": simulator.url, "password": key, "extra": extra}
    )


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    from demo.stack import AirflowStack  # noqa: PLC0415 - the older Airflow lacks its parts
    from tests.servers.postgres import Postgres  # noqa: PLC0415 - the older Airflow lacks its parts
    from tests.servers.s3 import SeaweedS3  # noqa: PLC0415 - the older Airflow lacks its parts

    home = tmp_path_factory.mktemp("end-to-end")
    dags = home / "dags"
    shutil.copytree(Path(__file__).with_name("dags"), dags)
    shutil.copytree(ROOT / "example_dags", dags, dirs_exist_ok=True)
    with ExitStack() as stack:
        voiso, halting, late, malformed, changing, deferred = (
            stack.enter_context(
                Simulator(
                    key=KEY, seed=seed, records_per_day=RECORDS_PER_DAY, exact=True, drift=drift
                )
            )
            for seed, drift in (
                (1, None),
                (1, None),
                (3, Drift(appear=1.0)),
                (4, None),
                (5, Drift(change=0.0002)),
                (6, Drift(appear=1.0)),
            )
        )
        malformed.faults.add("bad_timestamp", times=None)
        s3 = stack.enter_context(SeaweedS3(home / "s3"))
        s3_behind = stack.enter_context(TcpProxy(s3.address))
        webhook = stack.enter_context(Webhook())
        postgres = stack.enter_context(Postgres(home / "warehouse"))
        sqlite_file = home / "warehouse" / "warehouse.db"
        sqlite = json.dumps({"conn_type": "sqlite", "host": str(sqlite_file)})
        s3_halting = json.loads(s3.connection())
        s3_halting["extra"]["endpoint_url"] = s3_behind.url
        connections = {
            "voiso_default": voiso_connection(voiso),
            "voiso_halting": voiso_connection(halting, per_page=500),
            "voiso_slow": voiso_connection(voiso, per_page=125, requests_per_second=1),
            "voiso_late": voiso_connection(late),
            "voiso_changing": voiso_connection(changing),
            "voiso_deferred": voiso_connection(deferred),
            "voiso_malformed": voiso_connection(malformed, max_retries=0),
            "voiso_alerts": json.dumps({"conn_type": "http", "host": webhook.url}),
            "voiso_gone": json.dumps(
                {
                    "conn_type": "voiso",
                    "host": "http://127.0.0.1:1",
                    "password": KEY,
                    "extra": {"max_retries": 0},
                }
            ),
            "voiso_wrong_key": voiso_connection(voiso, WRONG_KEY),
            "aws_default": s3.connection(),
            "s3_halting": json.dumps(s3_halting),
            "sqlite": sqlite,
            "voiso_warehouse": sqlite,
            "postgres": postgres.connection(),
        }
        for number, key in enumerate(AWKWARD_KEYS):
            simulator = stack.enter_context(Simulator(key=key, seed=number, records_per_day=20))
            connections[f"voiso_key_{number}"] = voiso_connection(simulator, key, max_retries=0)
        airflow_home = home / "airflow home"
        temporary = airflow_home / "tmp"
        temporary.mkdir(parents=True)
        lineage = {
            "type": "file",
            "log_file_path": str(airflow_home / "lineage.jsonl"),
            "append": True,
        }
        env = {
            **{f"AIRFLOW_CONN_{name.upper()}": value for name, value in connections.items()},
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(lineage),
            "TMPDIR": str(temporary),
            # No DAG file changes; each look at all of them takes seconds.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
            # A busy machine may need longer than five seconds to answer a task.
            "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "120",
            "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
        }
        airflow = stack.enter_context(AirflowStack(airflow_home, dags, env))
        airflow.api.wait_for_dags("exports", "failing", "voiso_cdr_to_s3_daily")
        # It is needed late, and only twice a minute Airflow looks whether one has ended.
        airflow.api.backfill("exports", BACKFILLED[0].isoformat(), BACKFILLED[-1].isoformat())
        yield World(
            airflow=airflow,
            voiso=voiso,
            halting=halting,
            late=late,
            changing=changing,
            deferred=deferred,
            s3=s3,
            s3_behind=s3_behind,
            webhook=webhook,
            warehouse=postgres,
            sqlite_file=sqlite_file,
        )
    assert processes_naming(airflow_home) == []
    assert not listens(airflow.url)


@pytest.fixture(scope="session")
def undated_run(world: World) -> str:
    """Return the id of a run of ``exports`` that was triggered by hand, without a logical date,
    and succeeded."""
    run_id = world.airflow.api.trigger("exports", logical_date=None)
    world.succeed("exports", run_id)
    return run_id
