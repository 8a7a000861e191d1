"""Lengths of time as arguments: ``timedelta`` and ``relativedelta``."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

import pendulum
from dateutil.relativedelta import relativedelta

from airflow_provider_voiso.exceptions import VoisoConfigurationError

_RELATIVE = ("years", "months", "days", "leapdays", "hours", "minutes", "seconds", "microseconds")
_ABSOLUTE = ("year", "month", "day", "weekday", "hour", "minute", "second", "microsecond")


def check_length(value: Any, name: str) -> None:
    """Refuse a value that is no length of time, and a negative one.

    :param value: the argument
    :param name: name of the argument
    :raises VoisoConfigurationError: if it cannot be used
    """
    if isinstance(value, timedelta):
        is_negative = value < timedelta(0)
    elif isinstance(value, relativedelta):
        if any(getattr(value, part) is not None for part in _ABSOLUTE):
            raise VoisoConfigurationError(
                f"{name} must be a length of time: a relativedelta of years, months, days and "
                "less, in the plural."
            )
        is_negative = any(getattr(value, part) < 0 for part in _RELATIVE)
    else:
        raise VoisoConfigurationError(
            f"{name} must be a timedelta or a relativedelta, not {type(value).__name__}."
        )
    if is_negative:
        raise VoisoConfigurationError(f"{name} must not be negative.")


def shifted(
    instant: datetime, length: timedelta | relativedelta, name: str, *, sign: int = 1
) -> datetime:
    """Return an instant moved by a length, whose months and years are counted on the calendar.

    :param instant: the instant, in UTC; so the calendar is that of UTC
    :param length: as :func:`check_length` accepts it
    :param name: name of the argument that the length comes from
    :param sign: -1 to move it back
    :raises VoisoConfigurationError: if no calendar reaches that far
    """
    try:
        return instant + length * sign
    except (OverflowError, ValueError):
        pass
    raise VoisoConfigurationError(f"{name} reaches beyond the years 1 to 9999. Give a shorter one.")


def add_on_calendar(local: pendulum.DateTime, length: timedelta | relativedelta) -> datetime:
    """Add days and longer units on the wall clock of the zone, hours and less as time passes."""
    days, passed = _on_calendar_and_passing(length)
    return in_utc(_moved_by_days(local, days)) + passed


def subtract_on_calendar(local: pendulum.DateTime, length: timedelta | relativedelta) -> datetime:
    """Undo :func:`add_on_calendar`, in the opposite order."""
    days, passed = _on_calendar_and_passing(length)
    earlier = pendulum.instance(in_utc(local) - passed).in_timezone(local.timezone or "UTC")
    return in_utc(_moved_by_days(earlier, -days))


def _on_calendar_and_passing(
    length: timedelta | relativedelta,
) -> tuple[relativedelta, relativedelta]:
    days = relativedelta(
        years=getattr(length, "years", 0), months=getattr(length, "months", 0), days=length.days
    )
    passed = relativedelta(seconds=length.seconds, microseconds=length.microseconds)
    if isinstance(length, relativedelta):
        passed += relativedelta(hours=length.hours, minutes=length.minutes)
    return days, passed


def _moved_by_days(local: pendulum.DateTime, days: relativedelta) -> pendulum.DateTime:
    if not days:
        return local  # an hour that occurs twice stays the one that it is
    zone = local.timezone
    wall_clock: datetime = local.naive()
    midnight = datetime.combine(local.date(), time())
    # Where clocks change at midnight, a day may start at one o'clock; the next one does not.
    if on_wall_clock(midnight, zone) == local:
        wall_clock = midnight
    return on_wall_clock(wall_clock + days, zone)


def on_wall_clock(naive: datetime, zone: Any) -> pendulum.DateTime:
    """Return the instant at which the clocks of a zone show a time."""
    parts = (naive.hour, naive.minute, naive.second, naive.microsecond)
    # fold=1: where a time occurs twice, Airflow's cron schedules mean the second.
    return pendulum.datetime(naive.year, naive.month, naive.day, *parts, tz=zone, fold=1)


def in_utc(instant: datetime) -> pendulum.DateTime:
    """Return the same instant in UTC, in the class that Airflow's timetables take."""
    return pendulum.instance(instant).in_timezone("UTC")
