"""Which window of time a DAG run exports.

Everything is derived from what Airflow stores with the run, never from the clock, so that a retry and a
cleared run export the same window again.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import pendulum
from dateutil.parser import isoparse
from dateutil.relativedelta import relativedelta

from airflow_provider_voiso import compat
from airflow_provider_voiso.api.window import UTC, Window
from airflow_provider_voiso.exceptions import VoisoNoWindowError, VoisoOpenWindowError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow.timetables.base import DataInterval, Timetable

# The shortest spans more than any change of the clock, the longest more than two leap years.
LOOKBACKS = tuple(timedelta(hours=3 * 2**power) for power in range(17))

WAYS_OUT = (
    "Set window_start and window_end, or give the DAG a schedule whose runs have a data interval, such as "
    "CronDataIntervalTimetable."
)


def check_window_arguments(window_start: Any, window_end: Any) -> None:
    """Check what can be known about the window arguments while the DAG is parsed.

    Templates (strings with ``{{``) and XCom references are left to :func:`resolve_window`.

    :param window_start: as given to the operator, or None
    :param window_end: as given to the operator, or None
    :raises VoisoNoWindowError: if one is given without the other, a literal is no instant, or they are reversed
    """
    if window_start is None and window_end is None:
        return
    _require_both(window_start, window_end)
    bounds = [
        None if _is_rendered_later(value) else _instant(value, name)
        for name, value in (("window_start", window_start), ("window_end", window_end))
    ]
    if bounds[0] and bounds[1]:
        Window(bounds[0], bounds[1])


def resolve_window(
    context: Mapping[str, Any],
    *,
    window_start: datetime | str | None = None,
    window_end: datetime | str | None = None,
    granularity: timedelta | relativedelta | None = None,
    allow_open_window: bool = False,
    now: datetime | None = None,
) -> Window:
    """Return the window of a run: its arguments, else its partition, data interval or last complete period.

    :param context: the task's context; every key may be missing
    :param window_start: first instant of the window, after templating: a datetime, or ISO 8601 with an offset
    :param window_end: first instant after the window, likewise
    :param granularity: length of a partition, for DAGs whose own timetable has no period; days and longer
        units are counted on the calendar of the DAG's time zone
    :param allow_open_window: accept a window that is not over yet
    :param now: instant to compare the window's end with; None reads the clock
    :raises VoisoNoWindowError: if there is no such window
    :raises VoisoOpenWindowError: if it is not over yet
    """
    if window_start is not None or window_end is not None:
        _require_both(window_start, window_end)
        window = Window(_instant(window_start, "window_start"), _instant(window_end, "window_end"))
    else:
        window = _window_of_run(context, granularity)
    if not allow_open_window and window.end > (now or datetime.now(UTC)):
        raise VoisoOpenWindowError(
            f"The window {window} is not over yet: it ends at {window.end.isoformat()}. Run the task after "
            "that, or set allow_open_window=True to export what is there so far."
        )
    return window


def _window_of_run(context: Mapping[str, Any], granularity: timedelta | relativedelta | None) -> Window:
    dag, run = context.get("dag"), context.get("dag_run")

    def stored(name: str) -> Any:
        return context.get(name) or getattr(run, name, None)

    partition_date, partition_key = stored("partition_date"), stored("partition_key")
    if partition_date or partition_key:
        start = partition_date or _partition_start(partition_key, dag)
        return Window(start, _partition_end(start, dag, granularity))

    start, end = stored("data_interval_start"), stored("data_interval_end")
    if start and end and start < end:
        return Window(start, end)

    anchor = stored("logical_date") or stored("run_after")
    timetable = compat.periodic_timetable(dag)
    if anchor is None or timetable is None:
        reason = "its DAG's schedule has no periods" if anchor else "neither a logical date nor run_after"
        raise VoisoNoWindowError(
            f"No window follows from the run {_run_id(context)}: no data interval, and {reason}. {WAYS_OUT}"
        )
    period = _last_period(timetable, _utc(anchor))
    if period is None:
        raise VoisoNoWindowError(
            f"No window follows from the run {_run_id(context)}: its DAG's schedule ({timetable.summary}) "
            f"has no complete period before {_utc(anchor).isoformat()}. {WAYS_OUT}"
        )
    return Window(*period)


def _last_period(timetable: Timetable, anchor: pendulum.DateTime) -> tuple[datetime, datetime] | None:
    """Return the last period that is over at the anchor."""
    if (delta := compat.fixed_period(timetable)) is not None:
        interval = timetable.infer_manual_data_interval(run_after=anchor)
        if interval.start < interval.end:
            return interval.start, interval.end
        start = anchor - delta
        if start + delta != anchor or anchor + delta - delta != anchor:
            raise VoisoNoWindowError(
                f"Periods of {delta} cannot be counted back from {anchor.isoformat()} without overlap, as "
                "months differ in length. Use a cron expression, such as '0 0 1 * *', or set "
                "window_start and window_end."
            )
        return start, anchor
    found: list[tuple[datetime, datetime]] = []
    for lookback in LOOKBACKS:
        over = [period for period in _periods(timetable, anchor - lookback, anchor) if period[1] <= anchor]
        # A change of the clock moves the first tick after a pause, so a walk that starts within the pause may
        # differ from what a scheduler did. Two walks that start before different ticks settle it.
        if over and found and over[-1] == found[-1] and over[0] < found[0]:
            break
        if over and over[-1:] != found[-1:]:
            found = over
    return found[-1] if found else None


def _periods(
    timetable: Timetable, earliest: pendulum.DateTime, until: pendulum.DateTime
) -> Iterator[tuple[datetime, datetime]]:
    """Yield the periods a scheduler would run from ``earliest`` on, to the first that ends after ``until``.

    A timetable whose runs have an interval states its periods; otherwise one lasts from a tick to the next.
    Only steps forward are taken: Airflow's steps back miss ticks where clocks change.
    """
    from airflow.timetables.base import TimeRestriction  # noqa: PLC0415 - slow, and seldom needed

    restriction = TimeRestriction(earliest=earliest, latest=None, catchup=True)
    previous: DataInterval | None = None
    while info := timetable.next_dagrun_info(last_automated_data_interval=previous, restriction=restriction):
        interval = info.data_interval
        if interval is None or (previous and interval.end <= previous.end):
            raise VoisoNoWindowError(
                f"The DAG's schedule ({timetable.summary}) does not advance past {previous}. {WAYS_OUT}"
            )
        if interval.start < interval.end:
            yield interval.start, interval.end
        elif previous:
            yield previous.end, interval.end
        if interval.end > until:
            return
        previous = interval


def _partition_start(key: str, dag: Any) -> datetime:
    try:
        start = isoparse(key)
    except ValueError:
        raise VoisoNoWindowError(
            f"The run's partition key {key!r} is not a date, so no window follows from it. "
            "Set window_start and window_end."
        ) from None
    return start if start.tzinfo else _on_wall_clock(start, _zone(dag))


def _partition_end(start: datetime, dag: Any, granularity: timedelta | relativedelta | None) -> datetime:
    timetable = compat.periodic_timetable(dag)
    if timetable is not None:
        end = _end_of_period(timetable, _utc(start))
        if end is not None:
            return end
    if granularity is None:
        reason = f"({timetable.summary}) has no period that starts there" if timetable else "has no periods"
        raise VoisoNoWindowError(
            f"The run's partition starts at {_utc(start).isoformat()}, but its length is unknown: the DAG's "
            f"schedule {reason}. Set granularity, such as timedelta(days=1), or window_start and window_end."
        )
    return _add_on_calendar(_utc(start).in_timezone(_zone(dag)), granularity)


def _add_on_calendar(local: pendulum.DateTime, length: timedelta | relativedelta) -> datetime:
    """Add days and longer units on the wall clock of the instant's zone, hours and less as time passes."""
    days = relativedelta(years=getattr(length, "years", 0), months=getattr(length, "months", 0), days=length.days)
    passed = relativedelta(seconds=length.seconds, microseconds=length.microseconds)
    if isinstance(length, relativedelta):
        passed += relativedelta(hours=length.hours, minutes=length.minutes)
    zone = local.timezone
    wall_clock: datetime = local.naive()
    midnight = datetime.combine(local.date(), time())
    # Where clocks change at midnight, a day may start at one o'clock; the next one does not.
    if _on_wall_clock(midnight, zone) == local:
        wall_clock = midnight
    return _utc(_on_wall_clock(wall_clock + days, zone)) + passed


def _on_wall_clock(naive: datetime, zone: Any) -> datetime:
    parts = (naive.hour, naive.minute, naive.second, naive.microsecond)
    # Of a time that occurs twice Airflow's cron schedules mean the second.
    return pendulum.datetime(naive.year, naive.month, naive.day, *parts, tz=zone, fold=1)


def _end_of_period(timetable: Timetable, start: pendulum.DateTime) -> datetime | None:
    """Return the end of the period that starts exactly there, or None if none does."""
    if (delta := compat.fixed_period(timetable)) is not None:
        return start + delta
    for lookback in LOOKBACKS:
        periods = list(_periods(timetable, start - lookback, start))
        for period_start, period_end in periods[1:]:
            if period_start == start:
                return period_end
        if len(periods) > 1:
            break
    return None


def _require_both(window_start: Any, window_end: Any) -> None:
    if window_start is None or window_end is None:
        given, missing = ("window_end", "window_start") if window_start is None else ("window_start", "window_end")
        raise VoisoNoWindowError(
            f"{given} is given without {missing}: give both, or neither to derive them from the run."
        )


def _is_rendered_later(value: Any) -> bool:
    return hasattr(value, "resolve") or (isinstance(value, str) and "{{" in value)


def _instant(value: Any, name: str) -> datetime:
    if isinstance(value, str):
        try:
            value = isoparse(value.strip())
        except ValueError:
            raise VoisoNoWindowError(
                f"{name} is {value!r}, which is not a date and time in ISO 8601, such as 2026-11-22T00:00:00+00:00."
            ) from None
    if not isinstance(value, datetime):
        raise VoisoNoWindowError(f"{name} must be a datetime or a string in ISO 8601, not {type(value).__name__}.")
    if value.utcoffset() is None:
        raise VoisoNoWindowError(
            f"{name} {value.isoformat()} has no time zone. Give it one, such as {value.isoformat()}+00:00."
        )
    return value


def _utc(instant: datetime) -> pendulum.DateTime:
    return pendulum.instance(instant).in_timezone("UTC")


def _zone(dag: Any) -> Any:
    return compat.timetable_zone(dag) or "UTC"


def _run_id(context: Mapping[str, Any]) -> str:
    return str(context.get("run_id") or getattr(context.get("dag_run"), "run_id", None) or "(unnamed)")
