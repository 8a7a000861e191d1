"""What each kind of run exports, by the plainest DAGs."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tests.e2e.world import (
    RECORDS_PER_DAY,
    day_before,
    on_airflow_3,
    rows,
)

if TYPE_CHECKING:
    from tests.e2e.world import World

pytestmark = on_airflow_3

BERLIN = ZoneInfo("Europe/Berlin")


def assert_exported(world: World, run_id: str, window: tuple[datetime, datetime]) -> None:
    """Look at the object and the rows of a day that a run of ``exports`` wrote, and at what its
    tasks returned."""
    truth = world.voiso.truth(*window)
    assert len(truth) == RECORDS_PER_DAY
    for task_id in ("to_s3", "to_postgres", "to_sqlite"):
        manifest = world.airflow.api.xcom("exports", run_id, task_id)
        assert [manifest["window_start"], manifest["window_end"]] == [
            bound.isoformat() for bound in window
        ]
        assert manifest["records"] == len(truth)
    assert world.lines(f"exports/{window[0]:%Y-%m-%d}.") == list(truth.values())
    expected = rows(truth)
    for kind in ("postgres", "sqlite"):
        found = world.table(kind, "exports")
        assert {
            uuid: row for uuid, row in found.items() if window[0] <= row[2] < window[1]
        } == expected


def test_scheduled_run_exports_yesterday(world: World) -> None:
    run = world.scheduled_run("exports")
    world.succeed("exports", run["dag_run_id"])
    assert_exported(world, run["dag_run_id"], day_before(run["logical_date"]))


def test_undated_run_exports_yesterday(world: World, undated_run: str) -> None:
    run = world.run("exports", undated_run)
    assert run["logical_date"] is None
    assert_exported(world, undated_run, day_before(run["run_after"]))


def test_window_from_the_conf(world: World) -> None:
    start, end = (
        datetime(2026, 3, 3, 6, 30, tzinfo=BERLIN),
        datetime(2026, 3, 3, 18, 15, 30, tzinfo=BERLIN),
    )
    conf = {"start": start.isoformat(), "end": end.isoformat()}
    run_id = world.airflow.api.trigger("window_of_conf", conf=conf)
    world.succeed("window_of_conf", run_id)
    truth = world.voiso.truth(start, end)
    assert 0 < len(truth) < RECORDS_PER_DAY
    assert world.lines("window_of_conf/2026-03-03T053000.") == list(truth.values())


def test_open_window_fails(world: World) -> None:
    now = datetime.now(timezone.utc)
    conf = {
        "start": (now - timedelta(days=1)).isoformat(),
        "end": (now + timedelta(days=1)).isoformat(),
    }
    before = world.objects("window_of_conf/")
    run_id = world.airflow.api.trigger("window_of_conf", conf=conf)
    assert world.airflow.api.wait_for_run("window_of_conf", run_id) == "failed"
    log = world.airflow.api.task_log("window_of_conf", run_id, "to_s3")
    assert "VoisoOpenWindowError: The window " in log
    assert f"is not over yet: it ends at {conf['end']}. Run the task after that" in log
    assert world.objects("window_of_conf/") == before
