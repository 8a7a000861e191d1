"""The window of a run and those before it, for exports that are repeated as records change late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.compat.timetables import timetable_zone
from airflow_provider_voiso.exceptions import VoisoConfigurationError, VoisoNoWindowError
from airflow_provider_voiso.run.lengths import add_on_calendar, in_utc, subtract_on_calendar
from airflow_provider_voiso.run.periods import Periods
from airflow_provider_voiso.run.window import resolve_window

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from dateutil.relativedelta import relativedelta


def last_windows(
    context: Mapping[str, Any],
    count: int,
    *,
    granularity: timedelta | relativedelta | None = None,
) -> list[dict[str, str]]:
    """Return the window of a run and those before it, for ``expand_kwargs`` of a task.

    They are those of the runs before on the same timetable, whether these ran or not: calendar days
    stay calendar days where clocks change, and partitions stay partitions.

    :param context: the task's context
    :param count: number of windows, the run's own included
    :param granularity: length of each, for a DAG whose own timetable has no periods; days and
        longer units are counted on the calendar of the DAG's time zone
    :return: a dict with ``window_start`` and ``window_end`` in ISO 8601 for each window, the
        earliest first; fewer than ``count`` if the timetable has no earlier period
    :raises VoisoConfigurationError: if ``count`` is no number of windows
    :raises VoisoNoWindowError: if the run has no window, or the ones before it are unknown
    :raises VoisoOpenWindowError: if the run's window is not over yet
    """
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise VoisoConfigurationError(f"count must be a whole number from 1 on, not {count!r}.")
    window: Window | None = resolve_window(context, granularity=granularity)
    steps = _StepsBack(context.get("dag"), granularity)
    found: list[dict[str, str]] = []
    while window is not None:
        found.append(
            {"window_start": window.start.isoformat(), "window_end": window.end.isoformat()}
        )
        if len(found) == count:
            break
        window = steps.before(window)
    found.reverse()
    return found


class _StepsBack:
    """The way from one window to the one before it.

    :param granularity: counts where the timetable has no such windows
    """

    def __init__(self, dag: Any, granularity: timedelta | relativedelta | None) -> None:
        self._periods = Periods.of(dag)
        self._zone = timetable_zone(dag) or "UTC"
        self._granularity = granularity

    def before(self, window: Window) -> Window | None:
        """Return the window before, or None if there is none."""
        if self._periods is not None and self._is_period(window, self._periods):
            return self._periods.before(window)
        if self._granularity is None:
            raise VoisoNoWindowError(
                f"The windows before {window} are unknown, as the DAG's schedule has no periods. "
                "Give last_windows a granularity, such as timedelta(days=1)."
            )
        return self._one_length_before(window, self._granularity)

    def _is_period(self, window: Window, periods: Periods) -> bool:
        # Without a granularity there is no other way than the timetable's.
        return self._granularity is None or periods.end_of(in_utc(window.start)) == window.end

    def _one_length_before(self, window: Window, length: timedelta | relativedelta) -> Window:
        local_start = in_utc(window.start).in_timezone(self._zone)
        start = subtract_on_calendar(local_start, length)
        if start >= window.start:  # a day that a zone skipped, as Samoa's 30 December 2011
            start = subtract_on_calendar(local_start, 2 * length)
        if add_on_calendar(in_utc(start).in_timezone(self._zone), length) != window.start:
            raise VoisoNoWindowError(
                f"Windows of {length} cannot be counted back from {window.start.isoformat()} "
                "without a gap, as months differ in length and clocks change. Start the windows "
                "on the first of a month, at midnight."
            )
        return Window(start, window.start)
