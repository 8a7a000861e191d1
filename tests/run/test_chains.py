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
from airflow_provider_voiso.run.window import resolve_window

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


def ticks_of_a_scheduler(timetable: CronTriggerTimetable, around: datetime) -> list[datetime]:
    """Return a scheduler's ticks after days of running: the last one before, and the next ten."""
    earliest = pendulum.instance(around - timedelta(days=8))
    restriction = TimeRestriction(earliest=earliest, latest=None, catchup=True)
    ticks: list[datetime] = []
    interval = None
    while sum(tick > around for tick in ticks[-10:]) < 10:
        info = timetable.next_dagrun_info(
            last_automated_data_interval=interval, restriction=restriction
        )
        assert info is not None
        interval = info.data_interval
        ticks.append(info.run_after)
    return ticks[-11:]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(change=st.sampled_from(CHANGES), cron=CRONS, hours_before=st.integers(-24, 30))
def test_windows_of_consecutive_runs_adjoin(
    make_dag: Callable[..., DAG], change: tuple[str, datetime], cron: str, hours_before: int
) -> None:
    zone, day = change
    start = day.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) - timedelta(hours=hours_before)
    timetable = CronTriggerTimetable(cron, timezone=zone)
    dag = make_dag(timetable)
    ticks = ticks_of_a_scheduler(timetable, start)
    windows = [
        resolve_window(
            {
                "dag": dag,
                "logical_date": tick,
                "data_interval_start": tick,
                "data_interval_end": tick,
            },
            now=LATER,
        )
        for tick in ticks
    ]
    assert [window.end for window in windows] == ticks
    assert all(earlier.end == later.start for earlier, later in pairwise(windows))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(change=st.sampled_from(CHANGES), cron=CRONS, minutes=st.integers(-180, 1800))
def test_any_instant_finds_previous_window(
    make_dag: Callable[..., DAG], change: tuple[str, datetime], cron: str, minutes: int
) -> None:
    zone, day = change
    instant = day.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) + timedelta(minutes=minutes)
    tick, following = ticks_of_a_scheduler(CronTriggerTimetable(cron, timezone=zone), instant)[:2]
    expected = resolve_window(
        {"dag": make_dag(CronTriggerTimetable(cron, timezone=zone)), "logical_date": tick},
        now=LATER,
    )
    assert expected.end == tick <= instant < following
    for timetable in (
        CronTriggerTimetable(cron, timezone=zone),
        CronDataIntervalTimetable(cron, timezone=zone),
    ):
        assert (
            resolve_window({"dag": make_dag(timetable), "logical_date": instant}, now=LATER)
            == expected
        )


@pytest.mark.parametrize(("zone", "day"), CHANGES)
def test_daily_partitions_adjoin_each_other(
    make_dag: Callable[..., DAG], zone: str, day: datetime
) -> None:
    dag = make_dag(None, zone)
    before = (day - timedelta(days=2)).replace(tzinfo=ZoneInfo(zone))
    midnights = ticks_of_a_scheduler(CronTriggerTimetable("0 0 * * *", timezone=zone), before)
    for midnight, following in pairwise(midnights):
        context = {"dag": dag, "partition_date": midnight}
        assert resolve_window(context, granularity=timedelta(days=1), now=LATER) == Window(
            datetime.fromisoformat(midnight.isoformat()),
            datetime.fromisoformat(following.isoformat()),
        )


def test_late_start_loses_no_window(
    make_dag: Callable[..., DAG],
) -> None:
    """Pin a limit that docs/windows.md documents."""
    timetable = CronTriggerTimetable("*/20 * * * 1-5", timezone="Europe/Berlin")
    dag = make_dag(timetable)
    restriction = TimeRestriction(
        earliest=pendulum.datetime(2025, 3, 30, 12, tz="Europe/Berlin"), latest=None, catchup=True
    )
    interval = None
    windows = []
    for _ in range(5):
        info = timetable.next_dagrun_info(
            last_automated_data_interval=interval, restriction=restriction
        )
        assert info is not None
        interval = info.data_interval
        windows.append(resolve_window({"dag": dag, "logical_date": info.run_after}, now=LATER))
    friday = datetime(2025, 3, 28, 22, 40, tzinfo=UTC)
    monday = datetime(2025, 3, 30, 23, tzinfo=UTC)
    twenty = timedelta(minutes=20)
    assert windows == [
        *[Window(friday - twenty, friday)] * 3,
        Window(friday, monday),
        Window(monday, monday + twenty),
    ]
