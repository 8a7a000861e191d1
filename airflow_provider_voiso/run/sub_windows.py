"""A window cut into sub-windows, for exports that run in parallel as mapped tasks."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.exceptions import VoisoConfigurationError

SECOND = timedelta(seconds=1)


def sub_windows(
    window: Window, *, parts: int | None = None, period: timedelta | None = None
) -> list[dict[str, str]]:
    """Cut a window into adjacent ones that cover it exactly, for ``expand_kwargs`` of a task.

    Cuts are instants in UTC, so it does not matter whether clocks change within the window.

    :param window: as :func:`~airflow_provider_voiso.run.window.resolve_window` returns it
    :param parts: number of parts; their lengths differ by a second at most
    :param period: length of each part, as time passes: a day is 24 hours; the last part may be
        shorter
    :return: a dict with ``window_start`` and ``window_end`` in ISO 8601 for each part, the earliest
        first
    :raises VoisoConfigurationError: unless either ``parts`` or ``period`` is given, or if a part
        would be shorter than a second
    """
    if not isinstance(window, Window):
        raise VoisoConfigurationError(
            f"The window must be what resolve_window returns, not {type(window).__name__}."
        )
    if parts is not None and period is None:
        starts = _starts_of_parts(window, parts)
    elif period is not None and parts is None:
        starts = _starts_of_periods(window, period)
    else:
        raise VoisoConfigurationError("Give either parts or period to cut the window by.")
    return [
        {"window_start": start.isoformat(), "window_end": end.isoformat()}
        for start, end in pairwise([*starts, window.end])
    ]


def _starts_of_parts(window: Window, parts: int) -> list[datetime]:
    if not isinstance(parts, int) or isinstance(parts, bool):
        raise VoisoConfigurationError(f"parts must be a whole number, not {type(parts).__name__}.")
    seconds = (window.end - window.start) // SECOND
    if not 1 <= parts <= max(seconds, 1):
        raise VoisoConfigurationError(
            f"The window {window} cannot be cut into {parts} parts: each must last at least a "
            "second."
        )
    return [window.start + timedelta(seconds=seconds * number // parts) for number in range(parts)]


def _starts_of_periods(window: Window, period: timedelta) -> list[datetime]:
    if not isinstance(period, timedelta):
        raise VoisoConfigurationError(
            f"The period must be a timedelta, not {type(period).__name__}."
        )
    if period < SECOND:
        raise VoisoConfigurationError(f"The period must be a second or longer, not {period}.")
    number = -(-(window.end - window.start) // period)
    return [window.start + index * period for index in range(number)]
