"""The periods into which a DAG's own timetable divides time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.api.window import MICROSECOND, Window
from airflow_provider_voiso.compat import timetables
from airflow_provider_voiso.exceptions import VoisoNoWindowError
from airflow_provider_voiso.run.lengths import in_utc

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pendulum
    from airflow.timetables.base import DataInterval, Timetable
    from dateutil.relativedelta import relativedelta

    Bounds = tuple[datetime, datetime]

WAYS_OUT = (
    "Set window_start and window_end, or give the DAG a schedule whose runs have a data interval, "
    "such as CronDataIntervalTimetable."
)
# The shortest is longer than any change of a clock; the longest holds several leap days.
_HEAD_STARTS = tuple(timedelta(hours=3 * 2**power) for power in range(17))


class Periods(ABC):
    """The periods of a timetable."""

    def __init__(self, timetable: Timetable) -> None:
        self._timetable = timetable
        self.summary = timetable.summary

    @staticmethod
    def of(dag: Any) -> Periods | None:
        """Return the periods of a DAG from a task's context, or None if its schedule has none."""
        timetable = timetables.periodic_timetable(dag)
        if timetable is None:
            return None
        length = timetables.fixed_period(timetable)
        return TickPeriods(timetable) if length is None else FixedPeriods(timetable, length)

    @abstractmethod
    def last_before(self, anchor: pendulum.DateTime) -> Window | None:
        """Return the last period that is over at an instant.

        :raises VoisoNoWindowError: if the timetable cannot tell
        """

    @abstractmethod
    def before(self, window: Window) -> Window | None:
        """Return the period before another one, or None if that is the first.

        :raises VoisoNoWindowError: if the timetable cannot tell
        """

    @abstractmethod
    def end_of(self, start: pendulum.DateTime) -> datetime | None:
        """Return the end of the period that starts exactly there, or None if none does."""


class FixedPeriods(Periods):
    """Periods of one length without a grid: each run's own instant is where its period ends.

    :param length: such as ``timedelta(hours=6)``
    """

    def __init__(self, timetable: Timetable, length: timedelta | relativedelta) -> None:
        super().__init__(timetable)
        self._length = length

    def last_before(self, anchor: pendulum.DateTime) -> Window | None:
        """Count one length back."""
        interval = self._timetable.infer_manual_data_interval(run_after=anchor)
        if interval.start < interval.end:
            return Window(interval.start, interval.end)
        start = anchor - self._length
        is_exact = start + self._length == anchor and anchor + self._length - self._length == anchor
        if not is_exact:
            raise VoisoNoWindowError(
                f"Periods of {self._length} cannot be counted back from {anchor.isoformat()} "
                "without overlap, as months differ in length. Use a cron expression, such as "
                "'0 0 1 * *', or set window_start and window_end."
            )
        return Window(start, anchor)

    def before(self, window: Window) -> Window | None:
        """Count one length back from its start."""
        return self.last_before(in_utc(window.start))

    def end_of(self, start: pendulum.DateTime) -> datetime | None:
        """Count one length forward."""
        return start + self._length


class TickPeriods(Periods):
    """Periods from one tick of a timetable to the next, found by walking as a scheduler does.

    The walk goes forward only, as Airflow's steps back miss ticks where clocks change. It starts
    before the wanted instant. Where it starts matters: a change of the clocks moves the first tick
    after a pause, so a walk that starts within the pause may differ from the scheduler's. Walks
    from further and further back are compared. Two that agree although they started before
    different ticks are right.
    """

    def last_before(self, anchor: pendulum.DateTime) -> Window | None:
        """Walk from further and further back until two walks agree."""
        found: list[Bounds] = []
        for head_start in _HEAD_STARTS:
            over = [
                period for period in self._walk(anchor - head_start, anchor) if period[1] <= anchor
            ]
            if not over:
                continue
            is_same = bool(found) and over[-1] == found[-1]
            if is_same and over[0] < found[0]:
                break
            if not is_same:
                found = over
        return Window(*found[-1]) if found else None

    def before(self, window: Window) -> Window | None:
        """Return the last period that ends before it ends: periods may overlap, or leave gaps."""
        return self.last_before(in_utc(window.end - MICROSECOND))

    def end_of(self, start: pendulum.DateTime) -> datetime | None:
        """Walk from before the start.

        The first period of a walk is left out, as a change of the clocks may have moved its start.
        """
        for head_start in _HEAD_STARTS:
            periods = list(self._walk(start - head_start, start))
            for period_start, period_end in periods[1:]:
                if period_start == start:
                    return period_end
            if len(periods) > 1:
                break
        return None

    def _walk(self, earliest: pendulum.DateTime, until: pendulum.DateTime) -> Iterator[Bounds]:
        """Yield the periods from ``earliest`` on, to the first that ends after ``until``.

        A timetable whose runs have an interval states its periods; otherwise one lasts from a tick
        to the next.
        """
        from airflow.timetables.base import TimeRestriction  # noqa: PLC0415 - slow, and seldom needed

        restriction = TimeRestriction(earliest=earliest, latest=None, catchup=True)
        previous: DataInterval | None = None
        while info := self._timetable.next_dagrun_info(
            last_automated_data_interval=previous, restriction=restriction
        ):
            interval = info.data_interval
            if interval is None or (previous and interval.end <= previous.end):
                raise VoisoNoWindowError(
                    f"The DAG's schedule ({self.summary}) does not advance past {previous}. "
                    f"{WAYS_OUT}"
                )
            if interval.start < interval.end:
                yield interval.start, interval.end
            elif previous:
                yield previous.end, interval.end
            if interval.end > until:
                return
            previous = interval
