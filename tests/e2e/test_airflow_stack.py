"""The stack itself runs DAGs and backfills; that nothing of it is left is seen when the fixture
``world`` ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.world import on_airflow_3
from tests.servers.traces import processes_naming

if TYPE_CHECKING:
    from tests.e2e.world import World

pytestmark = on_airflow_3


def test_triggered_run_succeeds(world: World) -> None:
    api = world.airflow.api
    run_id = api.trigger("numbers")

    assert api.wait_for_run("numbers", run_id) == "success"
    states = {task["task_id"]: task["state"] for task in api.task_instances("numbers", run_id)}
    assert states == {"answer": "success", "refuse": "success"}
    assert api.xcom("numbers", run_id, "answer") == {"answer": 42}


def test_failure_is_in_the_log(world: World) -> None:
    api = world.airflow.api
    run_id = api.trigger("numbers", conf={"refuse": True})

    assert api.wait_for_run("numbers", run_id) == "failed"
    assert "ValueError: refused as asked" in api.task_log("numbers", run_id, "refuse")


def test_backfill_ends(world: World) -> None:
    api = world.airflow.api
    backfill = api.backfill("numbers", "2026-11-03T00:00:00+00:00", "2026-11-04T00:00:00+00:00")

    api.wait_for_backfill(backfill)

    runs = api.runs("numbers", run_type="backfill")
    states = {run["logical_date"]: run["state"] for run in runs}
    assert states == {"2026-11-03T00:00:00Z": "success", "2026-11-04T00:00:00Z": "success"}


def test_processes_can_be_found(world: World) -> None:
    assert processes_naming(world.airflow.home)
