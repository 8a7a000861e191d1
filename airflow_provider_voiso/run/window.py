"""Which window of time a DAG run exports.

Everything is derived from what Airflow stores with the run, never from the clock, so that a retry
and a cleared run export the same window again.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from dateutil.parser import isoparse

from airflow_provider_voiso.api.window import UTC, Window
from airflow_provider_voiso.compat.runs import run_id, stored
from airflow_provider_voiso.compat.timetables import timetable_zone
from airflow_provider_voiso.exceptions import VoisoNoWindowError, VoisoOpenWindowError
from airflow_provider_voiso.run.lengths import add_on_calendar, check_length, in_utc, on_wall_clock
from airflow_provider_voiso.run.periods import WAYS_OUT, Periods
from airflow_provider_voiso.run.templates import is_rendered_later

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from dateutil.relativedelta import relativedelta


def check_window_arguments(window_start: Any, window_end: Any) -> None:
    """Check the literals among the window arguments while the DAG is parsed.

    Arguments that Airflow replaces when the task runs are left to :func:`resolve_window`.

    :param window_start: as given to the operator, or None
    :param window_end: as given to the operator, or None
    :raises VoisoNoWindowError: if one is given without the other, a literal is no instant, or they
        are reversed
    """
    if window_start is None and window_end is None:
        return
    _require_both(window_start, window_end)
    bounds = [
        _instant(value, name)
        for name, value in (("window_start", window_start), ("window_end", window_end))
        if not is_rendered_later(value)
    ]
    if len(bounds) == 2:
        Window(*bounds)


def resolve_window(
    context: Mapping[str, Any],
    *,
    window_start: datetime | str | None = None,
    window_end: datetime | str | None = None,
    granularity: timedelta | relativedelta | None = None,
    allow_open_window: bool = False,
    now: datetime | None = None,
) -> Window:
    """Return the window of a run: its arguments, partition, data interval or last complete period.

    :param context: the task's context; every key may be missing
    :param window_start: first instant of the window, after templating: a datetime, or ISO 8601 with
        an offset
    :param window_end: first instant after the window, likewise
    :param granularity: length of a partition, for DAGs whose own timetable has no period; days and
        longer units are counted on the calendar of the DAG's time zone
    :param allow_open_window: accept a window that is not over yet
    :param now: instant to compare the window's end with; None reads the clock
    :raises VoisoNoWindowError: if there is no such window
    :raises VoisoOpenWindowError: if it is not over yet
    :raises VoisoConfigurationError: if the granularity is no length of time
    """
    if granularity is not None:
        check_length(granularity, "granularity")
    if window_start is not None or window_end is not None:
        _require_both(window_start, window_end)
        window = Window(_instant(window_start, "window_start"), _instant(window_end, "window_end"))
    else:
        window = _window_of_run(context, granularity)
    if not allow_open_window and window.end > (now or datetime.now(UTC)):
        raise VoisoOpenWindowError(
            f"The window {window} is not over yet: it ends at {window.end.isoformat()}. Run the "
            "task after that, or set allow_open_window=True to export what is there so far."
        )
    return window


def _window_of_run(
    context: Mapping[str, Any], granularity: timedelta | relativedelta | None
) -> Window:
    dag = context.get("dag")

    partition_date, partition_key = (
        stored(context, "partition_date"),
        stored(context, "partition_key"),
    )
    if partition_date or partition_key:
        start = partition_date or _partition_start(partition_key, dag)
        return Window(start, _partition_end(start, dag, granularity))

    start, end = stored(context, "data_interval_start"), stored(context, "data_interval_end")
    if start and end and start < end:
        return Window(start, end)

    return _last_complete_period(context, dag)


def _last_complete_period(context: Mapping[str, Any], dag: Any) -> Window:
    anchor = stored(context, "logical_date") or stored(context, "run_after")
    periods = Periods.of(dag)
    if anchor is None or periods is None:
        reason = (
            "its DAG's schedule has no periods"
            if anchor
            else "neither a logical date nor run_after"
        )
        raise VoisoNoWindowError(
            f"No window follows from the run {run_id(context)}: no data interval, and {reason}. "
            f"{WAYS_OUT}"
        )
    window = periods.last_before(in_utc(anchor))
    if window is None:
        raise VoisoNoWindowError(
            f"No window follows from the run {run_id(context)}: its DAG's schedule "
            f"({periods.summary}) has no complete period before {in_utc(anchor).isoformat()}. "
            f"{WAYS_OUT}"
        )
    return window


def _partition_start(key: str, dag: Any) -> datetime:
    try:
        start = isoparse(key)
    except ValueError:
        raise VoisoNoWindowError(
            f"The run's partition key {key!r} is not a date, so no window follows from it. Set "
            "window_start and window_end."
        ) from None
    return start if start.tzinfo else on_wall_clock(start, _zone(dag))


def _partition_end(
    start: datetime, dag: Any, granularity: timedelta | relativedelta | None
) -> datetime:
    periods = Periods.of(dag)
    if periods is not None:
        end = periods.end_of(in_utc(start))
        if end is not None:
            return end
    if granularity is None:
        reason = (
            f"({periods.summary}) has no period that starts there" if periods else "has no periods"
        )
        raise VoisoNoWindowError(
            f"The run's partition starts at {in_utc(start).isoformat()}, but its length is "
            f"unknown: the DAG's schedule {reason}. Set granularity, such as timedelta(days=1), or "
            "window_start and window_end."
        )
    return add_on_calendar(in_utc(start).in_timezone(_zone(dag)), granularity)


def _require_both(window_start: Any, window_end: Any) -> None:
    if window_start is None or window_end is None:
        given, missing = (
            ("window_end", "window_start")
            if window_start is None
            else ("window_start", "window_end")
        )
        raise VoisoNoWindowError(
            f"{given} is given without {missing}: give both, or neither to derive them from the "
            "run."
        )


def _instant(value: Any, name: str) -> datetime:
    if isinstance(value, str):
        try:
            value = isoparse(value.strip())
        except ValueError:
            raise VoisoNoWindowError(
                f"{name} is {value!r}, which is not a date and time in ISO 8601, such as "
                "2026-11-22T00:00:00+00:00."
            ) from None
    if not isinstance(value, datetime):
        raise VoisoNoWindowError(
            f"{name} must be a datetime or a string in ISO 8601, not {type(value).__name__}."
        )
    if value.utcoffset() is None:
        raise VoisoNoWindowError(
            f"{name} {value.isoformat()} has no time zone. Give it one, such as "
            f"{value.isoformat()}+00:00."
        )
    return value


def _zone(dag: Any) -> Any:
    return timetable_zone(dag) or "UTC"
