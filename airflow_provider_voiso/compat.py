"""Every difference between the supported versions of Airflow, and nothing else.

Plain moves of classes between Airflow's packages are not listed here: those imports come from
``airflow.providers.common.compat.sdk``.
"""

from __future__ import annotations

from contextlib import suppress
from copy import copy
from importlib import import_module
from itertools import product
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
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


def mapped_tasks(declared: Any, context: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the tasks that a mapped task becomes, in the order of their map indexes, not rendered.

    XComs that the expansion is made of are pulled.

    :param declared: the task as its DAG holds it: a mapped operator, or an operator in a mapped group
    :param context: context of one of the tasks
    :return: None in place of a task that its own arguments will fail
    """
    group = declared.get_closest_mapped_task_group()
    if hasattr(declared, "expand_input"):
        for arguments in _expansion(declared.expand_input, context):
            try:
                task = declared.unmap(arguments)
            except (AirflowException, TypeError, ValueError):
                task = None
            yield task
    elif group is not None:
        for arguments in _expansion(group._expand_input, context):  # noqa: SLF001 - only there
            task = copy(declared)
            for name, value in vars(declared).items():
                if hasattr(value, "_key") and hasattr(value, "_input"):  # an argument of the group
                    # Not by setattr, which Airflow takes for a change of the DAG.
                    vars(task)[name] = arguments[value._key]  # noqa: SLF001 - only there
            yield task


def _expansion(expand_input: Any, context: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the mapped arguments of each task."""

    def resolved(value: Any) -> Any:
        return value.resolve(context) if hasattr(value, "resolve") else value

    given = expand_input.value
    if not isinstance(given, dict):  # of expand_kwargs
        yield from map(resolved, resolved(given))
        return
    values = [resolved(value) for value in given.values()]
    choices = [value.items() if isinstance(value, dict) else value for value in values]
    for chosen in product(*choices):  # the last argument changes first, as map indexes count
        yield dict(zip(given, chosen, strict=True))
