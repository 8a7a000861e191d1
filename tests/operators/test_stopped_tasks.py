"""A task that Airflow stops ends at once, and one that failed by itself keeps its own error."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_voiso.compat.termination import Termination
from airflow_provider_voiso.exceptions import VoisoServerError
from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator
from tests.servers.process import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from airflow_provider_voiso.simulator import Simulator

    Simulate = Callable[..., Simulator]


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VoisoCdrToSqlOperator]:
    """Return an export whose ``on_kill`` is called on SIGTERM, as Airflow does."""
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "calls.db")}
    monkeypatch.setenv("AIRFLOW_CONN_CALLS", json.dumps(connection))
    task = VoisoCdrToSqlOperator(task_id="export", sql_conn_id="calls", table="calls")
    before = signal.signal(signal.SIGTERM, lambda *_: task.on_kill())
    yield task
    signal.signal(signal.SIGTERM, before)


def test_stopped_task_leaves_nothing(
    simulate: Simulate, task: VoisoCdrToSqlOperator, context: dict[str, Any], tmp_path: Path
) -> None:
    voiso = simulate()
    voiso.faults.add("drip", delay=600)

    def stop() -> None:
        wait_for("the answer to be under way", lambda: not voiso.faults.waiting, timeout=60)
        os.kill(os.getpid(), signal.SIGTERM)

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(SystemExit) as stopped:
        task.execute(context)
    stopper.join()
    assert stopped.value.code == 128 + signal.SIGTERM
    with closing(sqlite3.connect(tmp_path / "calls.db")) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == []

    task.execute(context)
    with closing(sqlite3.connect(tmp_path / "calls.db")) as database:
        found = {uuid for (uuid,) in database.execute("SELECT uuid FROM calls")}
    assert found == set(voiso.truth(context["data_interval_start"], context["data_interval_end"]))


def test_finished_task_is_not_stopped_again(
    simulate: Simulate, task: VoisoCdrToSqlOperator, context: dict[str, Any]
) -> None:
    # After a timeout Airflow calls on_kill as well, and what it raises would hide the timeout.
    simulate().faults.add("status", status=503)
    with pytest.raises(VoisoServerError):
        task.execute(context)
    os.kill(os.getpid(), signal.SIGTERM)


def test_early_stop_begins_no_export(
    simulate: Simulate, task: VoisoCdrToSqlOperator, context: dict[str, Any], tmp_path: Path
) -> None:
    voiso = simulate()
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(SystemExit) as stopped:
        task.execute(context)
    assert stopped.value.code == 128 + signal.SIGTERM
    assert voiso.requests == ()
    assert not (tmp_path / "calls.db").exists() or not (tmp_path / "calls.db").stat().st_size


def test_driver_may_replace_the_stop() -> None:
    termination = Termination()
    before = signal.signal(signal.SIGTERM, lambda *_: termination.request())
    database = sqlite3.connect(":memory:")
    database.create_function("stop", 0, lambda: os.kill(os.getpid(), signal.SIGTERM))

    with closing(database), pytest.raises(SystemExit) as stopped, termination.guarded():
        database.execute("SELECT stop()").fetchone()
    signal.signal(signal.SIGTERM, before)

    assert stopped.value.code == 128 + signal.SIGTERM
