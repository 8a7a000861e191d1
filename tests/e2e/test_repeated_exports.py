"""An export that is repeated leaves what was there, and repairs what was not right."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.e2e.world import BACKFILLED, day_before, on_airflow_3, rows
from tests.e2e.world import manifests as returned
from tests.servers.process import wait_for

if TYPE_CHECKING:
    from tests.e2e.world import World

pytestmark = on_airflow_3

TASKS = ("to_s3", "to_postgres", "to_sqlite")


def dump(world: World) -> dict[str, Any]:
    client = world.s3.client()
    listed = client.list_objects_v2(Bucket=world.s3.bucket, Prefix="exports/")["Contents"]
    return {
        "bytes": world.objects("exports/"),
        "etags": {item["Key"]: item["ETag"] for item in listed},
        "postgres": world.postgres("SELECT t::text FROM exports t ORDER BY uuid"),
        "sqlite": world.sqlite("SELECT * FROM exports ORDER BY uuid"),
    }


CHANGES = {"changed", "inserted", "updated", "deleted", "records_before"}


def manifests(world: World, dag_id: str, run_id: str, task_ids: tuple[str, ...]) -> dict[str, Any]:
    """Return what the tasks of a run returned, without what they found and changed."""
    found = returned(world, dag_id, run_id, task_ids)
    return {
        task_id: {name: value for name, value in manifest.items() if name not in CHANGES}
        for task_id, manifest in found.items()
    }


def tries(world: World, runs: list[dict[str, Any]]) -> set[int]:
    found = (world.airflow.api.task_instances("exports", run["dag_run_id"]) for run in runs)
    return {task["try_number"] for tasks in found for task in tasks}


def test_repeated_backfill_changes_nothing(world: World) -> None:
    api = world.airflow.api
    [backfill] = api.get("/backfills", dag_id="exports")["backfills"]
    api.wait_for_backfill(backfill["id"])
    runs = api.runs("exports", run_type="backfill")
    assert [run["logical_date"] for run in runs] == [
        f"{day:%Y-%m-%dT%H:%M:%SZ}" for day in BACKFILLED
    ]
    for run in (world.scheduled_run("exports"), *runs):
        world.succeed("exports", run["dag_run_id"])
    for logical_date in BACKFILLED:
        window = (logical_date - timedelta(days=1), logical_date)
        truth = world.voiso.truth(*window)
        assert world.lines(f"exports/{window[0]:%Y-%m-%d}.") == list(truth.values())
        for kind in ("postgres", "sqlite"):
            found = world.table(kind, "exports")
            assert {
                uuid: row for uuid, row in found.items() if window[0] <= row[2] < window[1]
            } == rows(truth)
    first, first_manifests = (
        dump(world),
        [manifests(world, "exports", run["dag_run_id"], TASKS) for run in runs],
    )
    assert tries(world, runs) == {1}

    dates = ("--from-date", f"{BACKFILLED[0]:%Y-%m-%d}", "--to-date", f"{BACKFILLED[-1]:%Y-%m-%d}")
    world.airflow.airflow(
        "backfill", "create", "--dag-id", "exports", *dates, "--reprocess-behavior", "completed"
    )
    again = api.runs("exports", run_type="backfill")
    assert [run["dag_run_id"] for run in again] == [run["dag_run_id"] for run in runs]
    for run in again:
        world.succeed("exports", run["dag_run_id"])
    assert tries(world, again) == {2}
    assert dump(world) == first
    assert [
        manifests(world, "exports", run["dag_run_id"], TASKS) for run in again
    ] == first_manifests


def test_cleared_task_repairs_its_window(world: World, undated_run: str) -> None:
    api, run_id = world.airflow.api, undated_run
    before, first_manifests = dump(world), manifests(world, "exports", run_id, TASKS)
    start, end = day_before(world.run("exports", run_id)["run_after"])
    [key] = world.objects(f"exports/{start:%Y-%m-%d}.")

    world.s3.client().put_object(Bucket=world.s3.bucket, Key=key, Body=b"half")
    world.postgres(
        "DELETE FROM exports WHERE ended_at >= %s AND ended_at < %s AND uuid < '8'", start, end
    )
    world.postgres("INSERT INTO exports (uuid, ended_at) VALUES ('gone by now', %s)", start)
    assert dump(world) != before
    to_clear = ["to_s3", "to_postgres"]
    body = {"dry_run": False, "dag_run_id": run_id, "task_ids": to_clear, "only_failed": False}
    api.request("POST", "/dags/exports/clearTaskInstances", json=body)

    def ran_again() -> bool:
        tasks = {task["task_id"]: task for task in api.task_instances("exports", run_id)}
        assert "failed" not in {task["state"] for task in tasks.values()}
        return all(
            tasks[name]["try_number"] == 2 and tasks[name]["state"] == "success"
            for name in to_clear
        )

    wait_for("the cleared tasks to end", ran_again, timeout=300, interval=0.5)
    assert dump(world) == before
    assert manifests(world, "exports", run_id, TASKS) == first_manifests
