from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pendulum
import pytest
from airflow.timetables.base import TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable
from airflow.timetables.trigger import CronTriggerTimetable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_voiso.api.window import UTC, Window
from airflow_provider_voiso.run_window import resolve_window

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.providers.common.compat.sdk import DAG

LATER = datetime(2030, 1, 1, tzinfo=UTC)
# Days on which the clocks change: at night, at midnight, by half an hour, by a whole day.
CHANGES = [
    ("Europe/Berlin", datetime(2026, 3, 29)),  # noqa: DTZ001
    ("Europe/Berlin", datetime(2026, 10, 25)),  # noqa: DTZ001
    ("America/New_York", datetime(2026, 3, 8)),  # noqa: DTZ001
    ("America/New_York", datetime(2026, 11, 1)),  # noqa: DTZ001
    ("America/Sao_Paulo", datetime(2018, 2, 18)),  # noqa: DTZ001
    ("America/Sao_Paulo", datetime(2018, 11, 4)),  # noqa: DTZ001
    ("Australia/Lord_Howe", datetime(2026, 4, 5)),  # noqa: DTZ001
    ("Australia/Lord_Howe", datetime(2026, 10, 4)),  # noqa: DTZ001
    ("Africa/Cairo", datetime(2026, 4, 24)),  # noqa: DTZ001
    ("America/Havana", datetime(2026, 11, 1)),  # noqa: DTZ001
    ("Pacific/Apia", datetime(2011, 12, 30)),  # noqa: DTZ001
]
MINUTES = st.sampled_from(["0", "30", "15,45", "*/20", "7"])
HOURS = st.sampled_from(["*", "*/2", "0", "1", "2", "3", "1,2,3", "23", "0,12", "0-5"])
DAYS = st.sampled_from(["* * *", "* * 1-5"])
CRONS = st.builds("{} {} {}".format, MINUTES, HOURS, DAYS)


def ticks_of_a_scheduler(timetable: CronTriggerTimetable, start: datetime, count: int) -> list[datetime]:
    restriction = TimeRestriction(earliest=pendulum.instance(start), latest=None, catchup=True)
    ticks: list[datetime] = []
    interval = None
    while len(ticks) < count:
        info = timetable.next_dagrun_info(last_automated_data_interval=interval, restriction=restriction)
        assert info is not None
        interval = info.data_interval
        ticks.append(info.run_after)
    return ticks


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(change=st.sampled_from(CHANGES), cron=CRONS, hours_before=st.integers(0, 30))
def test_windows_of_consecutive_runs_adjoin(
    make_dag: Callable[..., DAG], change: tuple[str, datetime], cron: str, hours_before: int
) -> None:
    zone, day = change
    start = day.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) - timedelta(hours=hours_before)
    timetable = CronTriggerTimetable(cron, timezone=zone)
    dag = make_dag(timetable)
    ticks = ticks_of_a_scheduler(timetable, start, 12)
    windows = [
        resolve_window(
            {"dag": dag, "logical_date": tick, "data_interval_start": tick, "data_interval_end": tick}, now=LATER
        )
        for tick in ticks
    ]
    assert [window.end for window in windows] == ticks
    assert all(earlier.end == later.start for earlier, later in pairwise(windows))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(change=st.sampled_from(CHANGES), cron=CRONS, minutes=st.integers(-180, 1800))
def test_any_instant_leads_to_the_window_of_the_run_before_it(
    make_dag: Callable[..., DAG], change: tuple[str, datetime], cron: str, minutes: int
) -> None:
    zone, day = change
    instant = day.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) + timedelta(minutes=minutes)
    tick, following = _neighbours(CronTriggerTimetable(cron, timezone=zone), instant)
    expected = resolve_window(
        {"dag": make_dag(CronTriggerTimetable(cron, timezone=zone)), "logical_date": tick}, now=LATER
    )
    assert expected.end == tick <= instant < following
    for timetable in (CronTriggerTimetable(cron, timezone=zone), CronDataIntervalTimetable(cron, timezone=zone)):
        assert resolve_window({"dag": make_dag(timetable), "logical_date": instant}, now=LATER) == expected


def _neighbours(timetable: CronTriggerTimetable, instant: datetime) -> tuple[datetime, datetime]:
    ticks = ticks_of_a_scheduler(timetable, instant - timedelta(days=5), 1)
    while ticks[-1] <= instant:
        ticks = [ticks[-1], *ticks_of_a_scheduler(timetable, ticks[-1] + timedelta(microseconds=1), 1)]
    return ticks[0], ticks[1]


@pytest.mark.parametrize(("zone", "day"), CHANGES)
def test_partitions_of_one_day_each_adjoin(make_dag: Callable[..., DAG], zone: str, day: datetime) -> None:
    dag = make_dag(None, zone)
    start = (day - timedelta(days=2)).replace(tzinfo=ZoneInfo(zone))
    midnights = ticks_of_a_scheduler(CronTriggerTimetable("0 0 * * *", timezone=zone), start, 6)
    for midnight, following in pairwise(midnights):
        context = {"dag": dag, "partition_date": midnight}
        assert resolve_window(context, granularity=timedelta(days=1), now=LATER) == Window(
            datetime.fromisoformat(midnight.isoformat()), datetime.fromisoformat(following.isoformat())
        )
