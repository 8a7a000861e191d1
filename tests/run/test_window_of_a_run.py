from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import airflow
import pendulum
import pytest
from airflow.timetables.events import EventsTimetable
from airflow.timetables.interval import CronDataIntervalTimetable, DeltaDataIntervalTimetable
from airflow.timetables.trigger import CronTriggerTimetable
from dateutil.relativedelta import relativedelta

from airflow_provider_voiso.api.window import UTC, Window
from airflow_provider_voiso.exceptions import VoisoNoWindowError
from airflow_provider_voiso.run.window import resolve_window

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.providers.common.compat.sdk import DAG

BERLIN = ZoneInfo("Europe/Berlin")
LATER = datetime(2030, 1, 1, tzinfo=UTC)
AIRFLOW = tuple(int(part) for part in airflow.__version__.split(".")[:2])
needs_3 = pytest.mark.skipif(AIRFLOW < (3, 0), reason="needs Airflow 3.0 or later")
needs_3_2 = pytest.mark.skipif(AIRFLOW < (3, 2), reason="needs Airflow 3.2 or later")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


def berlin(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=BERLIN)  # type: ignore[misc,arg-type]


def window(context: dict[str, Any], **arguments: Any) -> Window:
    return resolve_window(context, now=LATER, **arguments)


def zero_width(dag: DAG, tick: datetime) -> dict[str, Any]:
    """Return the context of a scheduled run on Airflow 3's default timetables."""
    return {
        "dag": dag,
        "logical_date": tick,
        "data_interval_start": tick,
        "data_interval_end": tick,
    }


def undated(dag: DAG, run_after: datetime) -> dict[str, Any]:
    """Return the context of a run without a logical date, such as one that an asset triggered."""
    return {
        "dag": dag,
        "dag_run": SimpleNamespace(run_after=run_after, logical_date=None, run_id="asset__1"),
    }


def daily(zone: str = "UTC") -> CronTriggerTimetable:
    return CronTriggerTimetable("0 0 * * *", timezone=zone)


def test_interval_alone_is_enough() -> None:
    context = {
        "data_interval_start": utc(2026, 11, 22),
        "data_interval_end": pendulum.datetime(2026, 11, 23),
    }
    assert window(context) == Window(utc(2026, 11, 22), utc(2026, 11, 23))


@pytest.mark.parametrize(
    "context",
    [{}, {"data_interval_start": utc(2026, 11, 22), "data_interval_end": utc(2026, 11, 22)}],
)
def test_empty_context_is_refused(context: dict[str, Any]) -> None:
    with pytest.raises(
        VoisoNoWindowError,
        match=r"neither a logical date nor run_after.*Set window_start and window_end",
    ):
        window(context)


def test_interval_wins_over_schedule(make_dag: Callable[..., DAG]) -> None:
    context = zero_width(make_dag(daily()), utc(2026, 11, 23))
    context["data_interval_start"] = utc(2026, 11, 1)
    assert window(context) == Window(utc(2026, 11, 1), utc(2026, 11, 23))


@pytest.mark.parametrize(
    ("tick", "start"),
    [
        (berlin(2025, 3, 30), berlin(2025, 3, 29)),
        (berlin(2025, 3, 31), berlin(2025, 3, 30)),
        (berlin(2025, 10, 27), berlin(2025, 10, 26)),
    ],
)
def test_daily_tick_exports_day_before(
    make_dag: Callable[..., DAG], tick: datetime, start: datetime
) -> None:
    assert window(zero_width(make_dag(daily("Europe/Berlin")), tick)) == Window(start, tick)


@pytest.mark.parametrize(
    ("cron", "start", "end"),
    [
        ("@hourly", utc(2026, 11, 23, 9), utc(2026, 11, 23, 10)),
        ("*/5 * * * *", utc(2026, 11, 23, 10, 10), utc(2026, 11, 23, 10, 15)),
        ("0 6 * * 1-5", utc(2026, 11, 20, 6), utc(2026, 11, 23, 6)),
        ("@weekly", utc(2026, 11, 15), utc(2026, 11, 22)),
        ("@monthly", utc(2026, 10, 1), utc(2026, 11, 1)),
        ("@quarterly", utc(2026, 7, 1), utc(2026, 10, 1)),
        ("@yearly", utc(2025, 1, 1), utc(2026, 1, 1)),
        ("0 0 29 2 *", utc(2020, 2, 29), utc(2024, 2, 29)),
    ],
)
def test_last_complete_period_counts(
    make_dag: Callable[..., DAG], cron: str, start: datetime, end: datetime
) -> None:
    monday = utc(2026, 11, 23, 10, 17)
    for timetable in (
        CronTriggerTimetable(cron, timezone="UTC"),
        CronDataIntervalTimetable(cron, timezone="UTC"),
    ):
        assert window(zero_width(make_dag(timetable), monday)) == Window(start, end)
        assert window(undated(make_dag(timetable), monday)) == Window(start, end)
    assert window(zero_width(make_dag(cron), monday)) == Window(start, end)


def test_hours_survive_half_hour_changes(
    make_dag: Callable[..., DAG],
) -> None:
    hourly = CronDataIntervalTimetable("0 * * * *", timezone="Australia/Lord_Howe")
    expected = Window(utc(2026, 10, 3, 15, 30), utc(2026, 10, 3, 16))
    assert window(undated(make_dag(hourly), utc(2026, 10, 3, 16, 30))) == expected


def test_logical_date_beats_run_after(make_dag: Callable[..., DAG]) -> None:
    context = {
        **undated(make_dag(daily()), utc(2026, 11, 23, 8)),
        "logical_date": utc(2025, 5, 5, 8),
    }
    assert window(context) == Window(utc(2025, 5, 4), utc(2025, 5, 5))


def test_undated_run_exports_last_interval(make_dag: Callable[..., DAG]) -> None:
    weekly = CronTriggerTimetable("0 6 * * 1", timezone="UTC", interval=timedelta(days=1))
    assert window(undated(make_dag(weekly), utc(2026, 11, 26, 8))) == Window(
        utc(2026, 11, 22, 6), utc(2026, 11, 23, 6)
    )


@pytest.mark.parametrize(
    "schedule", [timedelta(hours=6), DeltaDataIntervalTimetable(timedelta(hours=6))]
)
def test_timedelta_counts_back_from_run(make_dag: Callable[..., DAG], schedule: Any) -> None:
    at = utc(2026, 11, 23, 10, 17)
    expected = Window(utc(2026, 11, 23, 4, 17), at)
    assert (
        window(zero_width(make_dag(schedule), at))
        == window(undated(make_dag(schedule), at))
        == expected
    )


def test_month_counts_back_same_day(make_dag: Callable[..., DAG]) -> None:
    context = zero_width(make_dag(relativedelta(months=1)), utc(2026, 3, 15))
    assert window(context) == Window(utc(2026, 2, 15), utc(2026, 3, 15))


@needs_3
@pytest.mark.parametrize("tick", [utc(2026, 3, 31), utc(2026, 1, 31), utc(2026, 3, 30)])
def test_overlapping_months_are_refused(make_dag: Callable[..., DAG], tick: datetime) -> None:
    with pytest.raises(VoisoNoWindowError, match="Use a cron expression"):
        window(zero_width(make_dag(relativedelta(months=1)), tick))


@needs_3
def test_two_crons_divide_the_day(make_dag: Callable[..., DAG]) -> None:
    from airflow.timetables.trigger import MultipleCronTriggerTimetable  # noqa: PLC0415

    dag = make_dag(
        MultipleCronTriggerTimetable("0 6 * * *", "0 18 * * *", timezone="Europe/Berlin")
    )
    evening, morning = berlin(2025, 3, 29, 18), berlin(2025, 3, 30, 6)
    assert window(zero_width(dag, morning)) == Window(evening, morning)
    assert window(zero_width(dag, evening)) == Window(berlin(2025, 3, 29, 6), evening)


def test_events_divide_time(make_dag: Callable[..., DAG]) -> None:
    dag = make_dag(EventsTimetable([pendulum.datetime(2026, 11, day) for day in (9, 1, 5)]))
    assert window(zero_width(dag, utc(2026, 11, 9))) == Window(utc(2026, 11, 5), utc(2026, 11, 9))
    assert window(zero_width(dag, utc(2026, 11, 6))) == Window(utc(2026, 11, 1), utc(2026, 11, 5))
    with pytest.raises(VoisoNoWindowError, match=r"has no complete period before 2026-11-01"):
        window(zero_width(dag, utc(2026, 11, 1)))


@pytest.mark.parametrize("schedule", [None, "@once", "@continuous"])
def test_schedule_without_periods_is_refused(
    make_dag: Callable[..., DAG], schedule: str | None
) -> None:
    dag = make_dag(schedule)
    for context in (zero_width(dag, utc(2026, 11, 23)), undated(dag, utc(2026, 11, 23))):
        with pytest.raises(
            VoisoNoWindowError, match=r"no periods.*Set window_start and window_end"
        ):
            window(context)


def test_the_error_names_the_run(make_dag: Callable[..., DAG]) -> None:
    with pytest.raises(VoisoNoWindowError, match="asset__1"):
        window(undated(make_dag(None), utc(2026, 11, 23)))


def partition(dag: DAG | None, date: datetime | None, key: str | None = None) -> dict[str, Any]:
    return {"dag": dag, "partition_date": date, "partition_key": key}


@needs_3_2
@pytest.mark.parametrize(
    ("start", "end"),
    [
        (berlin(2025, 3, 29), berlin(2025, 3, 30)),
        (berlin(2025, 3, 30), berlin(2025, 3, 31)),
        (berlin(2025, 10, 26), berlin(2025, 10, 27)),
    ],
)
def test_partition_lasts_one_period(
    make_dag: Callable[..., DAG], start: datetime, end: datetime
) -> None:
    from airflow.sdk import CronPartitionTimetable  # noqa: PLC0415

    dag = make_dag(CronPartitionTimetable("0 0 * * *", timezone="Europe/Berlin", run_offset=-1))
    expected = Window(start, end)
    assert window(partition(dag, start), granularity=timedelta(hours=1)) == expected
    # The run's stored attributes serve where the context has no such keys.
    assert window({"dag": dag, "dag_run": SimpleNamespace(partition_date=start)}) == expected


def test_partition_wins_over_interval(make_dag: Callable[..., DAG]) -> None:
    context = {
        **zero_width(make_dag(daily()), utc(2026, 11, 23)),
        "partition_date": utc(2026, 11, 1),
    }
    context["data_interval_start"] = utc(2026, 11, 22)
    assert window(context) == Window(utc(2026, 11, 1), utc(2026, 11, 2))


@pytest.mark.parametrize(
    ("start", "granularity", "end"),
    [
        (berlin(2025, 3, 30), timedelta(days=1), berlin(2025, 3, 31)),
        (berlin(2025, 10, 26), timedelta(days=1), berlin(2025, 10, 27)),
        (berlin(2025, 10, 26), timedelta(hours=12), berlin(2025, 10, 26, 11)),
        (berlin(2025, 3, 24), relativedelta(weeks=1), berlin(2025, 3, 31)),
        (berlin(2025, 10, 1), relativedelta(months=1), berlin(2025, 11, 1)),
        (berlin(2025, 3, 30), relativedelta(days=1, hours=2, minutes=5), berlin(2025, 3, 31, 2, 5)),
    ],
)
def test_granularity_counts_calendar_days(
    make_dag: Callable[..., DAG], start: datetime, granularity: Any, end: datetime
) -> None:
    dag = make_dag(None, "Europe/Berlin")
    assert window(partition(dag, start.astimezone(UTC)), granularity=granularity) == Window(
        start, end
    )


def test_partition_without_length_is_refused(make_dag: Callable[..., DAG]) -> None:
    with pytest.raises(VoisoNoWindowError, match="Set granularity"):
        window(partition(make_dag(None), utc(2026, 11, 22)))


def test_partition_between_ticks_needs_granularity(make_dag: Callable[..., DAG]) -> None:
    context = partition(make_dag(daily()), utc(2026, 11, 22, 6))
    with pytest.raises(VoisoNoWindowError, match=r"no period that starts there.*Set granularity"):
        window(context)
    assert window(context, granularity=timedelta(days=1)) == Window(
        utc(2026, 11, 22, 6), utc(2026, 11, 23, 6)
    )


@pytest.mark.parametrize(
    "key", ["2025-03-30", "2025-03-30T00:00:00", "2025-03-29T23:00:00Z", "20250330"]
)
def test_key_is_local_date(make_dag: Callable[..., DAG], key: str) -> None:
    dag = make_dag(daily("Europe/Berlin"))
    assert window(partition(dag, None, key)) == Window(berlin(2025, 3, 30), berlin(2025, 3, 31))


@pytest.mark.parametrize("key", ["emea", "2025-03-30|emea"])
def test_undated_key_is_refused(make_dag: Callable[..., DAG], key: str) -> None:
    with pytest.raises(VoisoNoWindowError, match=r"is not a date.*Set window_start"):
        window(partition(make_dag(daily()), None, key))
