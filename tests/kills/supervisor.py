"""Run tasks of ``killed_exports`` as a worker does, and send them signals.

Use it as ``python -m tests.kills.supervisor``.

Airflow's own supervisor forks a process for each task, which reads the DAG file and runs the task.
Only the API server is not there: requests to it are answered here. One order a line comes in as
JSON, and its result goes out.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import tempfile
import threading
import time
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import structlog
from airflow.sdk.api.client import Client
from airflow.sdk.api.datamodels._generated import BundleInfo, TaskInstance
from airflow.sdk.execution_time import supervisor

from demo.airflow_local_settings import NEEDED, import_what_is_there

if TYPE_CHECKING:
    from types import FrameType

    from typing_extensions import Self

DAG_ID = "killed_exports"
ESCALATION = 60.0
"""Seconds after SIGTERM until SIGKILL; Airflow's five may be too few on a busy machine."""
# What a worker's first task imports would otherwise be most of each short life.
HEAVY = (
    *NEEDED,
    "airflow.providers.mysql.hooks.mysql",
    "duckdb_provider.hooks.duckdb_hook",
    "psycopg",
)


def api(states: list[str]) -> httpx.MockTransport:
    """Return an API server that knows one task and appends each of its states to ``states``."""
    run: dict[str, Any] = {
        "dag_id": DAG_ID,
        "run_id": "killed",
        "logical_date": "2026-03-11T00:00:00Z",
        "start_date": "2026-03-11T00:00:00Z",
        "run_type": "manual",
        "state": "running",
        "run_after": "2026-03-11T00:00:00Z",
        "consumed_asset_events": [],
        **dict.fromkeys(("data_interval_start", "data_interval_end", "end_date", "partition_key")),
    }

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/run"):
            return httpx.Response(200, json={"dag_run": run, "max_tries": 1, "should_retry": True})
        if request.url.path.endswith("/state"):
            states.append(json.loads(request.content)["state"])
        return httpx.Response(200, json={"message": "ok"})

    return httpx.MockTransport(answer)


class Signals:
    """Sends one signal to a task after a while, and SIGKILL if it does not end.

    It notes what the task was doing.
    """

    def __init__(self, pid: int, name: str, after: float, stacks: IO[str]) -> None:
        self.pid = pid
        self.signal = signal.Signals[name]
        self.stacks = stacks
        self.sent: float | None = None
        self.escalated = False
        self._timers = [threading.Timer(after, self._send)]

    def __enter__(self) -> Self:
        self._timers[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        for timer in self._timers:
            timer.cancel()
            timer.join()

    def _send(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGUSR1)
            size = 0
            for _ in range(25):
                time.sleep(0.002)
                before, size = size, os.fstat(self.stacks.fileno()).st_size
                if before == size > 0:
                    break
            self.sent = time.monotonic()
            os.kill(self.pid, self.signal)
            self._timers.append(threading.Timer(ESCALATION, self._escalate))
            self._timers[-1].start()

    def _escalate(self) -> None:
        self.escalated = True
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGUSR1)
            time.sleep(0.5)
            os.kill(self.pid, signal.SIGKILL)


def run(order: dict[str, Any], stacks: IO[str]) -> dict[str, Any]:
    """Run one task to its end, natural or not.

    :param order: ``task_id``, ``tmpdir`` for the task alone, and ``signal`` and seconds ``after``
        which to send it
    :param stacks: file to which the task writes what it is doing
    """
    os.environ["TMPDIR"] = order["tmpdir"]
    tempfile.tempdir = None
    stacks.seek(0)
    stacks.truncate()
    states: list[str] = []
    log = io.StringIO()
    logger: Any = structlog.wrap_logger(
        structlog.WriteLogger(log),
        processors=[structlog.processors.JSONRenderer(default=str)],
        wrapper_class=structlog.make_filtering_bound_logger(0),
    )
    what = TaskInstance(
        id=uuid4(),
        task_id=order["task_id"],
        dag_id=DAG_ID,
        run_id="killed",
        try_number=1,
        dag_version_id=uuid4(),
    )
    started = time.monotonic()
    task = supervisor.ActivitySubprocess.start(
        what=what,
        dag_rel_path=f"{DAG_ID}.py",
        bundle_info=BundleInfo(name="dags-folder"),
        client=Client(base_url=None, dry_run=True, token="", transport=api(states)),
        logger=logger,
    )
    sent = None
    escalated = False
    if order.get("signal"):
        with Signals(task.pid, order["signal"], order["after"], stacks) as signals:
            task.wait()
        sent, escalated = signals.sent, signals.escalated
    else:
        task.wait()
    ended = time.monotonic()
    stacks.seek(0)
    return {
        "exit_code": task._exit_code,
        "states": states,
        "seconds": ended - started,
        "seconds_to_end": None if sent is None else ended - sent,
        "escalated": escalated,
        "stack": stacks.read(),
        "log": log.getvalue(),
    }


def write_stack(frame: FrameType | None, stacks: IO[str]) -> None:
    """Write down where the main thread is, the innermost frame first."""
    lines = []
    while frame is not None:
        lines.append(
            f'  File "{frame.f_code.co_filename}", line {frame.f_lineno} in '
            f"{frame.f_code.co_name}\n"
        )
        frame = frame.f_back
    os.write(stacks.fileno(), "".join(lines).encode())


def main() -> None:
    """Carry out the orders on standard input in sequence."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed goes to the log
    import_what_is_there(HEAVY)
    # The supervisor may notice no sooner that a task has ended.
    setattr(supervisor, "MIN_HEARTBEAT_INTERVAL", 0.1)  # noqa: B010 - an int to Airflow
    with tempfile.TemporaryFile("w+") as stacks:
        # Tasks inherit this. faulthandler would read frames while they change, and can hang.
        signal.signal(signal.SIGUSR1, lambda _, frame: write_stack(frame, stacks))
        for line in sys.stdin:
            answers.write(json.dumps(run(json.loads(line), stacks)) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
