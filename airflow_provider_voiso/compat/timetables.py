"""Timetables; since Airflow 3.2 a worker's timetables lack the methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.timetables.base import Timetable
    from dateutil.relativedelta import relativedelta


def periodic_timetable(dag: Any) -> Timetable | None:
    """Return the timetable that computes the DAG's periods.

    :param dag: the DAG as the task's context holds it
    :return: None where there are no periods: no schedule, ``@once``, ``@continuous``, assets alone
    """
    # Imported here because they take a quarter of a second and most runs have a data interval.
    from airflow.timetables.interval import CronDataIntervalTimetable  # noqa: PLC0415
    from airflow.timetables.trigger import CronTriggerTimetable  # noqa: PLC0415

    timetable = _time_part(dag)
    if timetable is None or getattr(timetable, "asset_condition", None):
        return None
    if not hasattr(timetable, "next_dagrun_info"):
        # From 3.2 on a worker's timetable only carries data; the scheduler's class computes.
        from airflow.serialization.encoders import coerce_to_core_timetable  # noqa: PLC0415

        timetable = coerce_to_core_timetable(timetable)
    if type(timetable) is CronDataIntervalTimetable:
        # Its intervals repeat or skip hours where clocks change. CronTriggerTimetable has the same
        # ticks and does not.
        return CronTriggerTimetable(timetable.summary, timezone=timetable_zone(dag))
    return timetable if timetable.periodic else None


def timetable_zone(dag: Any) -> Any:
    """Return the time zone in which the DAG's schedule is read, or None if the DAG is unknown."""
    timetable = _time_part(dag)
    zone = getattr(timetable, "timezone", None) or getattr(timetable, "_timezone", None)
    return zone or getattr(dag, "timezone", None)


def partition_key_format(dag: Any) -> str | None:
    """Return the form of the DAG's partition keys, or None if it is not scheduled by partition."""
    timetable = _time_part(dag)
    # The scheduler's class hides what a worker's class shows.
    return getattr(timetable, "key_format", None) or getattr(timetable, "_key_format", None)


def fixed_period(timetable: Timetable) -> timedelta | relativedelta | None:
    """Return the step of a timetable without a grid of its own, such as ``timedelta(hours=6)``.

    :return: None if the timetable has a grid, such as a cron expression
    """
    return getattr(timetable, "_delta", None)


def _time_part(dag: Any) -> Any:
    timetable = getattr(dag, "timetable", None)
    # AssetOrTimeSchedule wraps another timetable under this name.
    return getattr(timetable, "timetable", timetable)
