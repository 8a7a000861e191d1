"""The windows before a run's own are those of the runs before, also where clocks change."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import airflow
import pendulum
import pytest
from airflow.timetables.base import TimeRestriction
from airflow.timetables.events import EventsTimetable
from airflow.timetables.interval import CronDataIntervalTimetable
from airflow.timetables.trigger import CronTriggerTimetable
from dateutil.relativedelta import relativedelta
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_voiso import last_windows
from airflow_provider_voiso.api.window import UTC, Window
from airflow_provider_voiso.exceptions import (
    VoisoConfigurationError,
    VoisoNoWindowError,
    VoisoOpenWindowError,
)
from airflow_provider_voiso.run.lengths import on_wall_clock
from airflow_provider_voiso.run.window import resolve_window

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.providers.common.compat.sdk import DAG

BERLIN = ZoneInfo("Europe/Berlin")
AIRFLOW = tuple(int(part) for part in airflow.__version__.split(".")[:2])
needs_3_2 = pytest.mark.skipif(AIRFLOW < (3, 2), reason="needs Airflow 3.2 or later")
# Days on which the clocks change: at night, at midnight, by half an hour, by a whole day.
CHANGES = [
    ("Europe/Berlin", datetime(2025, 3, 30)),  # noqa: DTZ001
    ("Europe/Berlin", datetime(2025, 10, 26)),  # noqa: DTZ001
    ("America/Sao_Paulo", datetime(2018, 2, 18)),  # noqa: DTZ001
    ("America/Sao_Paulo", datetime(2018, 11, 4)),  # noqa: DTZ001
    ("Australia/Lord_Howe", datetime(2024, 4, 7)),  # noqa: DTZ001
    ("Australia/Lord_Howe", datetime(2024, 10, 6)),  # noqa: DTZ001
    ("Africa/Cairo", datetime(2024, 4, 26)),  # noqa: DTZ001
    ("America/Havana", datetime(2024, 11, 3)),  # noqa: DTZ001
    ("Pacific/Apia", datetime(2011, 12, 30)),  # noqa: DTZ001
]
CRONS = st.sampled_from(
    ["0 0 * * *", "30 1 * * *", "0 2,3 * * *", "0 * * * *", "*/30 0-5 * * *", "0 6 * * 1-5"]
)
LENGTHS = st.sampled_from(
    [
        timedelta(days=1),
        timedelta(hours=1),
        timedelta(hours=12),
        relativedelta(weeks=1),
    ]
)
# Airflow's own intervals of an hour end in an error where clocks change by half an hour.
WHOLE_HOURS = [change for change in CHANGES if change[0] != "Australia/Lord_Howe"]
slow = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])


def windows(context: dict[str, Any], count: int, **arguments: Any) -> list[Window]:
    """Return what an operator makes of the windows, after a way through an XCom."""
    found = json.loads(json.dumps(last_windows(context, count, **arguments)))
    return [resolve_window({}, **each) for each in found]


def run_at(dag: DAG, start: datetime, end: datetime | None = None) -> dict[str, Any]:
    """Return the context of a run with an interval, of zero width without an end."""
    end = end or start
    return {
        "dag": dag,
        "logical_date": end,
        "data_interval_start": start,
        "data_interval_end": end,
    }


def scheduled_runs(dag: DAG, timetable: Any, since: datetime, until: datetime) -> list[Any]:
    """Return the contexts of the runs that a scheduler makes."""
    restriction = TimeRestriction(earliest=pendulum.instance(since), latest=None, catchup=True)
    contexts: list[Any] = []
    interval = None
    while True:
        info = timetable.next_dagrun_info(
            last_automated_data_interval=interval, restriction=restriction
        )
        interval = info.data_interval
        if info.run_after > until:
            return contexts
        contexts.append(run_at(dag, interval.start, interval.end))


@slow
@given(change=st.sampled_from(CHANGES), cron=CRONS, hours=st.integers(0, 60))
def test_windows_of_the_runs_before(
    make_dag: Callable[..., DAG], change: tuple[str, datetime], cron: str, hours: int
) -> None:
    zone, day = change
    until = day.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) + timedelta(hours=hours)
    timetable = CronTriggerTimetable(cron, timezone=zone)
    dag = make_dag(timetable)
    runs = scheduled_runs(dag, timetable, until - timedelta(days=14), until)[3:]
    count = min(len(runs), 6)

    found = windows(runs[-1], count)

    assert found == [resolve_window(run) for run in runs[-count:]]


@slow
@given(change=st.sampled_from(WHOLE_HOURS), cron=CRONS, hours=st.integers(0, 60))
def test_windows_before_a_data_interval(
    make_dag: Callable[..., DAG], change: tuple[str, datetime], cron: str, hours: int
) -> None:
    zone, day = change
    until = day.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) + timedelta(hours=hours)
    timetable = CronDataIntervalTimetable(cron, timezone=zone)
    dag = make_dag(timetable)
    latest = scheduled_runs(dag, timetable, until - timedelta(days=14), until)[-1]

    found = windows(latest, 6)

    assert found[-1] == resolve_window(latest)
    assert len(found) == 6
    # Such a run's own interval may repeat hours where clocks change, but nothing is left out.
    assert all(earlier.end >= later.start for earlier, later in pairwise(found))
    assert all(earlier.end == later.start for earlier, later in pairwise(found[:-1]))
    assert [window.end for window in found] == sorted({window.end for window in found})


@slow
@given(change=st.sampled_from(CHANGES), length=LENGTHS, days=st.integers(-2, 3))
def test_windows_of_partitions_of_assets(
    make_dag: Callable[..., DAG],
    change: tuple[str, datetime],
    length: timedelta | relativedelta,
    days: int,
) -> None:
    zone, day = change
    start = on_wall_clock(day + timedelta(days=days), zone)
    context = {"dag": make_dag(None, zone), "partition_date": start}

    found = windows(context, 5, granularity=length)

    assert found[-1] == resolve_window(context, granularity=length)
    assert len(found) == 5
    for earlier, later in pairwise(found):
        assert earlier.end == later.start
        partition = {**context, "partition_date": earlier.start}
        assert resolve_window(partition, granularity=length) == earlier


def test_days_of_23_and_24_hours(make_dag: Callable[..., DAG]) -> None:
    dag = make_dag(CronTriggerTimetable("0 0 * * *", timezone="Europe/Berlin"))

    found = last_windows(run_at(dag, datetime(2025, 3, 31, tzinfo=BERLIN)), 3)

    assert found == [
        {"window_start": "2025-03-27T23:00:00+00:00", "window_end": "2025-03-28T23:00:00+00:00"},
        {"window_start": "2025-03-28T23:00:00+00:00", "window_end": "2025-03-29T23:00:00+00:00"},
        {"window_start": "2025-03-29T23:00:00+00:00", "window_end": "2025-03-30T22:00:00+00:00"},
    ]


@needs_3_2
def test_partitions_of_a_timetable(make_dag: Callable[..., DAG]) -> None:
    from airflow.sdk import CronPartitionTimetable  # noqa: PLC0415

    dag = make_dag(CronPartitionTimetable("0 0 * * *", timezone="Europe/Berlin", run_offset=-1))
    partition = {"dag": dag, "partition_date": datetime(2025, 10, 27, tzinfo=BERLIN)}

    found = windows(partition, 3)

    days = [datetime(2025, 10, day, tzinfo=BERLIN) for day in (25, 26, 27, 28)]
    assert found == [Window(start, end) for start, end in pairwise(days)]


@pytest.mark.parametrize("undated", [False, True])
def test_hours_of_a_timedelta(make_dag: Callable[..., DAG], *, undated: bool) -> None:
    dag = make_dag(timedelta(hours=6))
    at = datetime(2025, 11, 23, 10, 17, tzinfo=UTC)
    context = {"dag": dag, "run_after": at} if undated else run_at(dag, at)

    found = windows(context, 3)

    starts = [at - timedelta(hours=hours) for hours in (18, 12, 6, 0)]
    assert found == [Window(start, end) for start, end in pairwise(starts)]


def test_intervals_that_overlap(make_dag: Callable[..., DAG]) -> None:
    two_days = timedelta(days=2)
    timetable = CronTriggerTimetable("0 0 * * *", timezone="UTC", interval=two_days)
    end = datetime(2025, 11, 23, tzinfo=UTC)

    found = windows(run_at(make_dag(timetable), end - two_days, end), 3)

    ends = [end - timedelta(days=back) for back in (2, 1, 0)]
    assert found == [Window(each - two_days, each) for each in ends]


def test_fewer_windows_at_the_beginning(make_dag: Callable[..., DAG]) -> None:
    dag = make_dag(EventsTimetable([pendulum.datetime(2025, 11, day) for day in (1, 5, 9)]))

    found = windows(run_at(dag, datetime(2025, 11, 9, tzinfo=UTC)), 7)

    days = [datetime(2025, 11, day, tzinfo=UTC) for day in (1, 5, 9)]
    assert found == [Window(start, end) for start, end in pairwise(days)]


def test_windows_before_unscheduled_interval(make_dag: Callable[..., DAG]) -> None:
    day = datetime(2025, 11, 22, tzinfo=UTC)
    context = run_at(make_dag(None), day, day + timedelta(days=1))

    assert windows(context, 1) == [Window(day, day + timedelta(days=1))]
    with pytest.raises(VoisoNoWindowError, match="Give last_windows a granularity"):
        last_windows(context, 2)
    assert windows(context, 2, granularity=timedelta(days=1))[0].start == datetime(
        2025, 11, 21, tzinfo=UTC
    )


def test_months_that_leave_a_gap(make_dag: Callable[..., DAG]) -> None:
    context = {"dag": make_dag(None), "partition_date": datetime(2025, 3, 31, tzinfo=UTC)}

    with pytest.raises(VoisoNoWindowError, match="first of a month"):
        last_windows(context, 2, granularity=relativedelta(months=1))


def test_window_that_is_not_over(make_dag: Callable[..., DAG]) -> None:
    context = run_at(make_dag("@daily"), datetime(9990, 1, 1, tzinfo=UTC))

    with pytest.raises(VoisoOpenWindowError):
        last_windows(context, 3)


@pytest.mark.parametrize("count", [0, -1, True, "3", 2.0, None])
def test_counts_that_are_none(count: Any) -> None:
    with pytest.raises(VoisoConfigurationError, match="whole number from 1 on"):
        last_windows({}, count)
