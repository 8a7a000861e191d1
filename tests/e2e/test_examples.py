"""The example DAGs, as the scheduler runs them by itself."""

from __future__ import annotations

import gzip
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.run.sub_windows import sub_windows
from tests.e2e.world import (
    day_before,
    needs_partitions,
    needs_partitions_at_run_time,
    needs_retry_policies,
    on_airflow_3,
    rows,
)

if TYPE_CHECKING:
    from tests.e2e.world import World

pytestmark = on_airflow_3

FILES = (Path(__file__).parents[2] / "example_dags").glob("*.py")
# No schedule starts these: tests of the browser and of partitions do.
NOT_SCHEDULED = {"voiso_cdr_on_demand", "voiso_cdr_partition_summary"}
EXAMPLES = sorted({path.stem for path in FILES} - NOT_SCHEDULED)

NEEDS = {
    "voiso_cdr_partitioned": needs_partitions,
    "voiso_cdr_partitions_again": needs_partitions_at_run_time,
    "voiso_cdr_watched": needs_retry_policies,
}


@pytest.mark.parametrize(
    "dag_id",
    [pytest.param(name, marks=NEEDS.get(name, ())) for name in EXAMPLES],
)
def test_example_succeeds(world: World, dag_id: str) -> None:
    world.succeed(dag_id, world.scheduled_run(dag_id)["dag_run_id"])


def test_daily_examples_hold_yesterday(world: World) -> None:
    for dag_id in ("voiso_cdr_to_s3_daily", "voiso_cdr_to_sql_daily"):
        run = world.scheduled_run(dag_id)
        world.succeed(dag_id, run["dag_run_id"])
        window = day_before(run["logical_date"])
        truth = world.voiso.truth(*window)
        if dag_id.endswith("s3_daily"):
            assert world.lines(f"voiso/cdr/dt={window[0]:%Y-%m-%d}/") == list(truth.values())
        else:
            assert world.table("sqlite", "voiso_cdr") == rows(truth)


def test_hourly_example_holds_its_lookback(
    world: World,
) -> None:
    first, *later = world.airflow.api.runs("voiso_cdr_inbound", run_type="scheduled")
    for run in (first, *later):
        world.succeed("voiso_cdr_inbound", run["dag_run_id"])
    manifest = world.airflow.api.xcom("voiso_cdr_inbound", first["dag_run_id"], "export_inbound")
    tick = day_before(first["logical_date"])[1].replace(hour=int(first["logical_date"][11:13]))
    assert manifest["window_end"] == tick.isoformat()
    end = tick + timedelta(hours=len(later))
    filters = {"type": "inbound", "disposition": "answered"}
    expected = rows(world.voiso.truth(tick - timedelta(hours=7), end, filters))
    assert expected
    assert world.table("sqlite", "voiso_inbound") == expected


def test_parts_together_hold_yesterday(
    world: World,
) -> None:
    dag_id = "voiso_cdr_in_parts"
    run = world.scheduled_run(dag_id)
    world.succeed(dag_id, run["dag_run_id"])
    window = day_before(run["logical_date"])
    truth = world.voiso.truth(*window)
    objects = world.objects(f"voiso/parts/dt={window[0]:%Y-%m-%d}/")
    assert [name.rpartition("/")[2] for name in sorted(objects)] == [
        f"cdr_{hour:02}0000+0000.ndjson.gz" for hour in range(0, 24, 4)
    ]
    lines = [line for body in objects.values() for line in gzip.decompress(body).splitlines()]
    assert sorted(lines) == sorted(truth.values())
    assert world.table("sqlite", dag_id) == rows(truth)
    tasks = world.airflow.api.task_instances(dag_id, run["dag_run_id"])
    assert {
        (task["task_id"], task["rendered_map_index"]) for task in tasks if task["map_index"] >= 0
    } == {
        (task_id, f"{part['window_start']} to {part['window_end']}")
        for task_id in ("export_to_s3", "export_to_sql")
        for part in sub_windows(Window(*window), parts=6)
    }


def test_overwriting_mapped_tasks_are_refused(world: World) -> None:
    run_id = world.airflow.api.trigger("overwriting")
    assert world.airflow.api.wait_for_run("overwriting", run_id) == "failed"
    tasks = world.airflow.api.task_instances("overwriting", run_id)
    assert [(task["map_index"], task["state"], task["try_number"]) for task in tasks] == [
        (0, "failed", 1),
        (1, "failed", 1),
    ]
    assert world.objects("overwriting/") == {}
