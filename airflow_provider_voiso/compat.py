"""Every difference between the supported versions of Airflow, and nothing else.

Plain moves of classes between Airflow's packages are not listed here: those imports come from
``airflow.providers.common.compat.sdk``.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.timetables.base import Timetable
    from dateutil.relativedelta import relativedelta

_SECRET_MASKERS = (
    "airflow.sdk.log",
    "airflow.sdk.execution_time.secrets_masker",
    "airflow.utils.log.secrets_masker",
)


def mask_secret(secret: str) -> None:
    """Hide a text from all logs that Airflow writes from now on.

    Not in common-compat: its releases that have it need Python 3.11.
    """
    for module in _SECRET_MASKERS:
        with suppress(ImportError, AttributeError):
            import_module(module).mask_secret(secret)
            return
    raise ImportError("This Airflow has no mask_secret where versions 2.11 to 3.3 have it.")


def periodic_timetable(dag: Any) -> Timetable | None:
    """Return the timetable that divides time into the DAG's periods, able to compute them.

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
        # Its steps repeat or skip hours where clocks change; those of its sister with the same ticks do not.
        return CronTriggerTimetable(timetable.summary, timezone=timetable_zone(dag))
    return timetable if timetable.periodic else None


def timetable_zone(dag: Any) -> Any:
    """Return the time zone in which the DAG's schedule is read, or None if the DAG is unknown."""
    timetable = _time_part(dag)
    zone = getattr(timetable, "timezone", None) or getattr(timetable, "_timezone", None)
    return zone or getattr(dag, "timezone", None)


def _time_part(dag: Any) -> Any:
    timetable = getattr(dag, "timetable", None)
    # AssetOrTimeSchedule wraps another timetable under this name.
    return getattr(timetable, "timetable", timetable)


def fixed_period(timetable: Timetable) -> timedelta | relativedelta | None:
    """Return the length by which a timetable without a grid of its own steps, such as ``timedelta(hours=6)``.

    :return: None if the timetable has a grid, such as a cron expression
    """
    return getattr(timetable, "_delta", None)
