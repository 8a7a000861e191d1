"""What downstream hears of days that are exported by partition, and of the parts of a day."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta, timezone
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest

from tests.e2e.world import (
    COLUMNS,
    comparable,
    needs_partitions,
    needs_partitions_at_run_time,
    on_airflow_3,
    rows,
)
from tests.servers.process import wait_for

if TYPE_CHECKING:
    from tests.e2e.world import World

pytestmark = on_airflow_3

BERLIN = ZoneInfo("Europe/Berlin")
DAY = timedelta(days=1)
DAYS = [datetime(2026, 3, day, tzinfo=timezone.utc) for day in range(3, 10)]
# Clocks go forward on this day.
SHORT_DAY = datetime(2026, 3, 29, tzinfo=BERLIN)


def backfill(
    world: World, dag_id: str, first: datetime, last: datetime, *, by_command: bool = False
) -> list[dict[str, Any]]:
    """Run a backfill and return its runs, which succeeded; Airflow's command runs days again."""
    api = world.airflow.api
    before = {run["dag_run_id"] for run in api.runs(dag_id)}
    if by_command:
        dates = ("--from-date", key_of(first), "--to-date", key_of(last))
        again = ("--reprocess-behavior", "completed")
        world.airflow.airflow("backfill", "create", "--dag-id", dag_id, *dates, *again)
    else:
        api.backfill(dag_id, first.isoformat(), last.isoformat())
    runs = [run for run in api.runs(dag_id, run_type="backfill") if run["dag_run_id"] not in before]
    for run in runs:
        world.succeed(dag_id, run["dag_run_id"])
    # Airflow runs one backfill of a DAG at a time.
    for each in api.get("/backfills", dag_id=dag_id)["backfills"]:
        api.wait_for_backfill(each["id"])
    return runs


def events_of(world: World, dag_id: str) -> list[dict[str, Any]]:
    """Return the events of assets that a DAG's tasks emitted."""
    found: list[dict[str, Any]] = world.airflow.api.get(
        "/assets/events", source_dag_id=dag_id, limit=100
    )["asset_events"]
    return found


def keys_heard(world: World, dag_id: str, count: int) -> Counter[str]:
    """Wait for ``count`` runs of a partitioned DAG, and return their partition keys."""
    heard = wait_for(
        f"{count} runs of {dag_id}",
        lambda: _runs_if_at_least(world, dag_id, count),
        timeout=300,
        interval=0.5,
    )
    for run in heard:
        world.succeed(dag_id, run["dag_run_id"])
    return Counter(run["partition_key"] for run in heard)


def _runs_if_at_least(world: World, dag_id: str, count: int) -> list[dict[str, Any]]:
    runs = world.airflow.api.runs(dag_id, run_type="asset_triggered")
    return runs if len(runs) >= count else []


def key_of(day: datetime) -> str:
    return f"{day:%Y-%m-%d}"


@pytest.fixture(scope="module")
def short_day(world: World) -> dict[str, Any]:
    """Export the short day by a backfill, and return its run."""
    noon = SHORT_DAY.replace(hour=12)
    [run] = backfill(world, "voiso_cdr_partitioned", SHORT_DAY, noon)
    return run


@needs_partitions
def test_partition_is_a_calendar_day(world: World, short_day: dict[str, Any]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    truth = world.voiso.truth(SHORT_DAY, datetime(2026, 3, 30, tzinfo=BERLIN))

    [body] = world.objects("voiso/berlin/dt=2026-03-29/").values()

    found = parquet.read_table(BytesIO(body)).to_pylist()
    assert short_day["partition_key"] == "2026-03-29"
    assert {row["uuid"]: comparable([row[name] for name in COLUMNS]) for row in found} == rows(
        truth
    )
    assert len(found) == len(truth)


@needs_partitions
@pytest.mark.usefixtures("short_day")
def test_downstream_summarizes_the_partition(world: World) -> None:
    dag_id = "voiso_cdr_partition_summary"
    truth = world.voiso.truth(SHORT_DAY, datetime(2026, 3, 30, tzinfo=BERLIN))

    def run_of_the_day() -> list[dict[str, Any]]:
        runs = world.airflow.api.runs(dag_id)
        return [run for run in runs if run["partition_key"] == "2026-03-29"]

    [run] = wait_for("the day's summary to start", run_of_the_day, timeout=300, interval=0.5)
    world.succeed(dag_id, run["dag_run_id"])

    counts = world.sqlite("SELECT type, records FROM voiso_summary WHERE day = '2026-03-29'")
    assert dict(counts) == Counter(json.loads(record)["type"] for record in truth.values())


@needs_partitions
def test_backfill_announces_changed_days(world: World) -> None:
    sim = world.changing
    changed = {
        key_of(day)
        for day in DAYS
        if sim.truth(day, day + DAY, state="before") != sim.truth(day, day + DAY, state="after")
    }
    assert len(changed) == 2
    first_run = world.scheduled_run("changing_days")
    world.succeed("changing_days", first_run["dag_run_id"])
    first_days = [first_run["partition_key"], *map(key_of, DAYS)]

    backfill(world, "changing_days", DAYS[0], DAYS[-1])
    heard_first = keys_heard(world, "changed_days", len(first_days))
    sim.drift_now()
    again = backfill(world, "changing_days", DAYS[0], DAYS[-1], by_command=True)
    events = events_of(world, "changing_days")
    heard = keys_heard(world, "changed_days", len(events))

    assert [run["partition_key"] for run in again] == list(map(key_of, DAYS))
    assert heard_first == Counter(first_days)
    ids = {run["dag_run_id"] for run in again}
    news = [event for event in events if event["source_run_id"] in ids]
    assert {event["extra"]["voiso"]["window_start"][:10] for event in news} == changed
    assert len(news) == 2
    assert heard - heard_first == Counter(changed)
    table = world.table("sqlite", "changed_days")
    expected = rows(sim.truth(DAYS[0], DAYS[-1] + DAY))
    assert {uuid: row for uuid, row in table.items() if row[2] < DAYS[-1] + DAY} == expected


@needs_partitions_at_run_time
def test_nightly_run_announces_changed_days(world: World) -> None:
    dag_id = "voiso_cdr_partitions_again"
    api = world.airflow.api
    run = world.scheduled_run(dag_id)
    world.succeed(dag_id, run["dag_run_id"])
    last = datetime.fromisoformat(run["partition_key"])
    days = [key_of(last - number * DAY) for number in range(7)]
    heard_first = keys_heard(world, "hears_of_days", 7)
    gone = days[1:3]
    for day in gone:
        [key] = world.objects(f"voiso/days/dt={day}/")
        world.s3.client().delete_object(Bucket=world.s3.bucket, Key=key)

    api.request(
        "POST", f"/dags/{dag_id}/dagRuns/{quote(run['dag_run_id'])}/clear", json={"dry_run": False}
    )
    world.succeed(dag_id, run["dag_run_id"])
    heard = keys_heard(world, "hears_of_days", 9)

    assert heard_first == Counter(days)
    assert len(events_of(world, dag_id)) == 9
    assert heard - heard_first == Counter(gone)


def test_parts_are_heard_once(world: World) -> None:
    dag_id = "voiso_cdr_in_parts"
    run = world.scheduled_run(dag_id)
    world.succeed(dag_id, run["dag_run_id"])

    heard = keys_heard(world, "hears_of_parts", 1)

    [event] = events_of(world, dag_id)
    assert event["extra"] == {"parts_changed": 6}
    assert event["source_task_id"] == "announce"
    assert heard.total() == 1
