"""Every difference between the supported versions of Airflow, and nothing else.

Plain moves of classes between Airflow's packages are not listed here: those imports come from
``airflow.providers.common.compat.sdk``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.timetables.base import Timetable
    from dateutil.relativedelta import relativedelta


def periodic_timetable(dag: Any) -> Timetable | None:
    """Return the timetable that divides time into the DAG's periods, able to compute them.

    :param dag: the DAG as the task's context holds it
    :return: None where there are no periods: no schedule, ``@once``, ``@continuous``, assets alone
    """
    timetable = getattr(dag, "timetable", None)
    # AssetOrTimeSchedule holds the timetable of its time part under this name.
    timetable = getattr(timetable, "timetable", timetable)
    if timetable is None or getattr(timetable, "asset_condition", None):
        return None
    if not hasattr(timetable, "next_dagrun_info"):
        # From 3.2 on a worker's timetable only carries data; the scheduler's class computes.
        from airflow.serialization.encoders import coerce_to_core_timetable  # noqa: PLC0415

        timetable = coerce_to_core_timetable(timetable)
    return timetable if timetable.periodic else None


def fixed_period(timetable: Timetable) -> timedelta | relativedelta | None:
    """Return the length by which a timetable without a grid of its own steps, such as ``timedelta(hours=6)``.

    :return: None if the timetable has a grid, such as a cron expression
    """
    return getattr(timetable, "_delta", None)


def timetable_zone(dag: Any) -> Any:
    """Return the time zone in which the DAG's schedule is read, or None if the DAG is unknown."""
    timetable = getattr(dag, "timetable", None)
    zone = getattr(timetable, "timezone", None) or getattr(timetable, "_timezone", None)
    return zone or getattr(dag, "timezone", None)
