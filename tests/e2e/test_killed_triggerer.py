"""A sensor that waits in a triggerer goes on in the next one."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

from tests.e2e.world import DAY, ancestors, on_airflow_3
from tests.servers.process import wait_for

if TYPE_CHECKING:
    from tests.e2e.world import World

pytestmark = on_airflow_3


def triggerer() -> psutil.Process:
    """Return the process of our Airflow's triggerer."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            is_triggerer = process.cmdline()[1:4] == ["-m", "airflow", "triggerer"]
            if is_triggerer and os.getpid() in ancestors(process):
                return process
    raise AssertionError("no triggerer")


def logged(world: World) -> str:
    """Return what the sensor and its triggers have logged so far."""
    files = sorted(world.airflow.home.glob("logs/dag_id=deferred/*/task_id=wait/*"))
    return "\n".join(file.read_text() for file in files)


def test_next_triggerer_goes_on(world: World) -> None:
    api, sim = world.airflow.api, world.deferred
    run_id = api.trigger("deferred")
    world.wait_for_state("deferred", run_id, "wait", "deferred")
    wait_for("a look", lambda: "Found 0 records in" in logged(world), timeout=300)

    server = world.airflow.servers["triggerer"]
    triggerer().send_signal(signal.SIGKILL)
    server.stop()
    sim.drift_now()
    assert world.task("deferred", run_id, "wait")["state"] == "deferred"
    server.start()

    world.succeed("deferred", run_id)
    assert "Found at least" in logged(world)
    assert sim.truth(*DAY)
