"""A whole Airflow with what it reads and writes, and ways to look at all of it that owe nothing
to the package."""

from __future__ import annotations

import gzip
import json
import os
import signal
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import airflow
import psutil
import pytest

from tests.servers.process import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from airflow_provider_voiso.simulator import Simulator
    from demo.stack import AirflowStack
    from tests.e2e.webhook import Webhook
    from tests.servers.postgres import Postgres
    from tests.servers.s3 import SeaweedS3
    from tests.servers.tcp_proxy import TcpProxy

    Row = tuple[Any, ...]

KEY = 'e2e/k3y+&=%"<ü€'
WRONG_KEY = "wrong?k3y+&=%'>ß"
DAY = (datetime(2026, 3, 10, tzinfo=timezone.utc), datetime(2026, 3, 11, tzinfo=timezone.utc))
RECORDS_PER_DAY = 2_000
BACKFILLED = [datetime(2026, 3, day, tzinfo=timezone.utc) for day in (3, 4, 5)]

COLUMNS = (
    "uuid", "type", "ended_at", "duration_seconds", "agent", "agent_id", "queue", "from_party",
    "to_party",
    "disposition", "wrapup_code", "cpc", "sid", "text", "related_call", "template", "num_segments",
    "destination_name", "sla_first_response_seconds", "sla_resolution_seconds",
    "sla_reply_seconds", "extra",
)  # fmt: skip
SLA = ("time_to_first_response", "time_to_resolution", "time_to_reply")

# One Airflow is enough: with pytest-xdist all of these tests belong on one worker (--dist
# loadgroup).
on_airflow_3 = [
    pytest.mark.skipif(airflow.__version__.startswith("2."), reason="the stack is of Airflow 3"),
    pytest.mark.whole_airflow,
    pytest.mark.xdist_group("airflow"),
]
needs_partitions = pytest.mark.skipif(
    airflow.__version__.startswith(("2.", "3.0.", "3.1.")),
    reason="partitions came with Airflow 3.2",
)
needs_state = pytest.mark.skipif(
    airflow.__version__.startswith(("2.", "3.0.", "3.1.", "3.2.")),
    reason="the store of a task's state came with Airflow 3.3",
)
needs_partitions_at_run_time = pytest.mark.skipif(
    airflow.__version__.startswith(("2.", "3.0.", "3.1.", "3.2.")),
    reason="tasks name partitions from Airflow 3.3 on",
)
needs_retry_policies = pytest.mark.skipif(
    airflow.__version__.startswith(("2.", "3.0.", "3.1.", "3.2.")),
    reason="retry policies came with Airflow 3.3",
)
needs_installation = pytest.mark.skipif(
    not entry_points(group="apache_airflow_provider", module="airflow_provider_voiso.provider_info")
    and "CI" not in os.environ,
    reason="the package is not installed in this environment (pip install -e .)",
)


def ancestors(process: psutil.Process) -> list[int]:
    """Return the pids above a process; psutil's own parents() compares start times, which a
    clock that is set moves."""
    pids = []
    while (pid := process.ppid()) > 0:
        pids.append(pid)
        process = psutil.Process(pid)
    return pids


@dataclass(frozen=True)
class World:
    """Everything that runs while the tests do.

    :param voiso: serves every connection of which nothing else is said; nothing ever goes wrong
        there
    :param halting: serves the connection ``voiso_halting``, in small pages
    :param late: has no records before its drift
    :param changing: some of its days differ after its drift
    :param deferred: has no records before its drift; the sensor of ``deferred`` waits for them
    :param s3_behind: leads to the S3 server
    :param webhook: hears the news of exports
    :param warehouse: the one in PostgreSQL
    :param sqlite_file: the warehouse in SQLite
    """

    airflow: AirflowStack
    voiso: Simulator
    halting: Simulator
    late: Simulator
    changing: Simulator
    deferred: Simulator
    s3: SeaweedS3
    s3_behind: TcpProxy
    webhook: Webhook
    warehouse: Postgres
    sqlite_file: Path

    def task(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        tasks = self.airflow.api.task_instances(dag_id, run_id)
        [found] = [task for task in tasks if task["task_id"] == task_id]
        return found

    def wait_for_state(
        self, dag_id: str, run_id: str, task_id: str, state: str, try_number: int = 1
    ) -> None:
        def reached() -> bool:
            task = self.task(dag_id, run_id, task_id)
            return bool(task["state"] == state and task["try_number"] == try_number)

        wait_for(
            f"{task_id} of {run_id} of {dag_id} to be {state} in try {try_number}",
            reached,
            timeout=300,
            interval=0.5,
        )

    def kill(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Kill the process of a running task, and return when it is gone."""
        process = psutil.Process(self.task(dag_id, run_id, task_id)["pid"])
        assert os.getpid() in ancestors(process)
        process.send_signal(signal.SIGKILL)
        wait_for("the killed process to end", lambda: not _is_running(process), timeout=120)

    def succeed(self, dag_id: str, run_id: str) -> None:
        """Wait for a run's end, which must be a good one."""
        if self.airflow.api.wait_for_run(dag_id, run_id) != "success":
            tasks = self.airflow.api.task_instances(dag_id, run_id)
            failed = next(task for task in tasks if task["state"] == "failed")
            log = self.airflow.api.task_log(dag_id, run_id, failed["task_id"], failed["try_number"])
            pytest.fail(f"{failed['task_id']} of {dag_id} failed:\n{log[-4000:]}")

    def scheduled_run(self, dag_id: str) -> dict[str, Any]:
        """Return the first run that the scheduler made by itself."""
        runs = wait_for(
            f"a scheduled run of {dag_id}",
            lambda: self.airflow.api.runs(dag_id, run_type="scheduled"),
            timeout=300,
            interval=0.5,
        )
        return runs[0]

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        [found] = [run for run in self.airflow.api.runs(dag_id) if run["dag_run_id"] == run_id]
        return found

    def objects(self, prefix: str) -> dict[str, bytes]:
        return self.s3.objects(prefix)

    def lines(self, key: str) -> list[bytes]:
        """Return the lines of the one gzipped object with this key or prefix."""
        [body] = self.objects(key).values()
        return gzip.decompress(body).split(b"\n")[:-1]

    def unfinished_uploads(self) -> list[Any]:
        return self.s3.unfinished_uploads()

    def postgres(self, statement: str, *parameters: Any) -> list[Row]:
        """Execute one statement in a transaction of its own."""
        return self.warehouse.execute(statement, *parameters)

    def sqlite(self, statement: str, *parameters: Any) -> list[Row]:
        """Execute one statement in a transaction of its own."""
        with closing(sqlite3.connect(self.sqlite_file, timeout=60)) as connection, connection:
            return connection.execute(statement, parameters).fetchall()

    def table(self, kind: str, name: str) -> dict[str, Row]:
        """Return the rows of a table by uuid, made comparable with :func:`rows`."""
        execute = self.postgres if kind == "postgres" else self.sqlite
        found = execute(f"SELECT {', '.join(COLUMNS)} FROM {name}")
        by_uuid = {row[0]: comparable(row) for row in found}
        assert len(by_uuid) == len(found)
        return by_uuid


def _is_running(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def comparable(row: Sequence[Any]) -> Row:
    """Return the values of :data:`COLUMNS` as Python knows them, wherever they were stored."""
    named = dict(zip(COLUMNS, row, strict=True))
    if isinstance(named["ended_at"], str):
        named["ended_at"] = datetime.fromisoformat(named["ended_at"])
    if named["cpc"] is not None:
        named["cpc"] = Decimal(str(named["cpc"]))
    if isinstance(named["extra"], str):
        named["extra"] = json.loads(named["extra"])
    return tuple(named.values())


def rows(records: Mapping[str, bytes]) -> dict[str, Row]:
    """Return the rows that the records of the simulator's truth become, by uuid."""
    return {uuid: _row(json.loads(record)) for uuid, record in records.items()}


def _row(record: dict[str, Any]) -> Row:
    sla = record.pop("sla", {})
    cpc = record.pop("cpc")
    known = {
        "ended_at": datetime.fromisoformat(record.pop("timestamp")).astimezone(timezone.utc),
        "duration_seconds": _seconds(record.pop("duration")),
        "from_party": record.pop("from"),
        "to_party": record.pop("to"),
        "cpc": None if cpc is None else Decimal(str(cpc)),
        **{f"sla_{name.removeprefix('time_to_')}_seconds": _seconds(sla.get(name)) for name in SLA},
    }
    known |= {
        name: record.pop(name, None) for name in COLUMNS if name not in known and name != "extra"
    }
    return tuple({**known, "extra": record or None}[name] for name in COLUMNS)


def _seconds(text: str | None) -> int | None:
    if text is None:
        return None
    hours, minutes, seconds = map(int, text.split(":"))
    return hours * 3600 + minutes * 60 + seconds


def day_before(instant: str) -> tuple[datetime, datetime]:
    """Return the last UTC day that is over at an instant."""
    midnight = datetime.fromisoformat(instant.replace("Z", "+00:00")).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    return midnight - timedelta(days=1), midnight


def seed_table(execute: Any, name: str, definitions: str) -> dict[str, Row]:
    """Create a table with rows of :data:`DAY` that Voiso does not have, and one of the day
    before; return all."""
    execute(f"CREATE TABLE {name} ({definitions}, PRIMARY KEY (uuid))")
    ended = [
        "2026-03-09T23:59:59.999000+00:00",
        *(f"2026-03-10T{hour:02}:00:00.000000+00:00" for hour in range(3)),
    ]
    for number, instant in enumerate(ended):
        execute(f"INSERT INTO {name} (uuid, ended_at) VALUES ('old-{number}', '{instant}')")
    return {
        f"old-{number}": comparable(
            [f"old-{number}", None, datetime.fromisoformat(instant), *[None] * 19]
        )
        for number, instant in enumerate(ended)
    }


def manifests(
    world: World, dag_id: str, run_id: str, task_ids: Iterable[str]
) -> dict[str, dict[str, Any]]:
    """Return what the tasks of a run returned."""
    return {task_id: world.airflow.api.xcom(dag_id, run_id, task_id) for task_id in task_ids}
