"""A thousand deferred tasks in a real triggerer: its memory, and how long its loop is blocked.

``python -m tests.triggers.deferred_load`` prints figures; they are those of the machine it runs on.
To defer a thousand tasks takes workers many minutes, so a pool without slots keeps the mapped
tasks scheduled, and this program defers them as their workers would.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psutil

from demo.stack import AirflowStack
from tests.servers.process import wait_for
from tests.servers.voiso import SimulatorProcess
from tests.triggers.load import HOUR, trigger

SENSORS = 1_000
OURS = "airflow_provider_voiso.triggers.cdr.VoisoCdrTrigger"
AIRFLOWS = "airflow.providers.standard.triggers.temporal.DateTimeTrigger"
ROOT = Path(__file__).parents[2]
DAG = f"""
from airflow.sdk import DAG
from airflow_provider_voiso import VoisoCdrSensor

with DAG("waiting", schedule=None):
    sensor = VoisoCdrSensor.partial(task_id="wait", pool="none", deferrable=True)
    sensor.expand(min_records=[10**6] * {SENSORS})
"""
DEFER = """
import json, sys
from datetime import datetime
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState

arguments = json.load(sys.stdin)
with create_session() as session:
    for task, given in zip(session.query(TaskInstance).filter_by(task_id="wait"), arguments):
        if "moment" in given:
            given["moment"] = datetime.fromisoformat(given["moment"])
        trigger = Trigger(sys.argv[1], given)
        session.add(trigger)
        session.flush()
        task.state, task.trigger_id = TaskInstanceState.DEFERRED, trigger.id
        task.next_method, task.next_kwargs = "execute_complete", {}
"""
_BLOCKED = re.compile(r"async thread was blocked for ([0-9.]+) seconds")
_WATCHED_SECONDS = 90


def arguments(first_end: datetime, step: timedelta) -> list[dict[str, Any]]:
    """Return the arguments of triggers whose hours end one after another."""
    ends = [first_end + step * number for number in range(SENSORS)]
    return [trigger(end).serialize()[1] for end in ends]


def resident() -> int:
    """Return the bytes of memory of the triggerer's processes, shared pages once."""
    ours = psutil.Process().children(recursive=True)
    family = {
        process
        for named in ours
        if "triggerer" in named.cmdline()
        for process in (named, *named.children(recursive=True))
    }
    return sum(int(process.memory_full_info().pss) for process in family)


def measure(title: str, class_path: str, given: list[dict[str, Any]]) -> None:
    """Let one triggerer hold the tasks, and print what comes of it."""
    with (
        tempfile.TemporaryDirectory() as directory,
        SimulatorProcess(Path(directory), ["--records-per-day", "2400"]) as voiso,
    ):
        dags = Path(directory) / "dags"
        dags.mkdir()
        (dags / "waiting.py").write_text(DAG, encoding="utf-8")
        env = {
            "AIRFLOW_CONN_VOISO_LOAD": voiso.connection(),
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        }
        with AirflowStack(Path(directory) / "airflow", dags, env) as airflow:
            airflow.airflow("pools", "set", "none", "0", "no slots")
            airflow.api.wait_for_dags("waiting")
            run_id = airflow.api.trigger("waiting")

            def in_state(state: str) -> int:
                tasks = airflow.api.get(
                    f"/dags/waiting/dagRuns/{run_id}/taskInstances", state=state, limit=1
                )
                return int(tasks["total_entries"])

            wait_for("the tasks", lambda: in_state("scheduled") == SENSORS, timeout=600)
            before = resident()
            log = airflow.servers["triggerer"].log
            seen = len(log.read_text(errors="replace"))
            begin = time.perf_counter()
            subprocess.run(
                [sys.executable, "-c", DEFER, class_path],
                input=json.dumps(given, default=str),
                text=True,
                env=airflow.env,
                check=True,
            )
            wait_for("the triggers", lambda: in_state("deferred") == SENSORS, timeout=600)
            time.sleep(_WATCHED_SECONDS)
            after = resident()
            blocked = [float(each) for each in _BLOCKED.findall(log.read_text()[seen:])]
            print(
                f"{title}: {time.perf_counter() - begin:.0f} s, "
                f"{(after - before) / 2**20:.1f} MiB more than {before / 2**20:.0f}; loop blocked "
                f"{len(blocked)} times for more than 0.2 s, worst {max(blocked, default=0):.2f} s; "
                f"{in_state('deferred')} tasks still wait"
            )


if __name__ == "__main__":
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
    past = datetime(2024, 11, 10, tzinfo=timezone.utc)
    measure("Airflow's own", AIRFLOWS, [{"moment": tomorrow, "end_from_trigger": False}] * SENSORS)
    measure("windows not over", OURS, arguments(tomorrow, timedelta()))
    measure("windows over", OURS, arguments(past, HOUR))
