"""A window cut into sub-windows, for exports that run in parallel as mapped tasks."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_voiso.api.window import Window

SECOND = timedelta(seconds=1)


def sub_windows(window: Window, *, parts: int | None = None, period: timedelta | None = None) -> list[dict[str, str]]:
    """Cut a window into adjacent ones that cover it exactly, for ``expand_kwargs`` of an operator or the sensor.

    Cuts are instants in UTC, so that it does not matter whether clocks change within the window.

    :param window: as :func:`~airflow_provider_voiso.run.window.resolve_window` returns it
    :param parts: how many; they are equally long but for the second by which some are longer
    :param period: how long each is, as time passes: a day is 24 hours; the last one may be shorter
    :return: a dict with ``window_start`` and ``window_end`` in ISO 8601 for each sub-window, the earliest first
    :raises ValueError: unless either ``parts`` or ``period`` is given, or if a part would be shorter than a second
    """
    if (parts is None) == (period is None):
        raise ValueError("Give either parts or period to cut the window by.")
    length = window.end - window.start
    if period is not None:
        if period < SECOND:
            raise ValueError(f"The period must be a second or longer, not {period}.")
        starts = [window.start + number * period for number in range(-(-length // period))]
    elif parts is not None:
        seconds = length // SECOND
        if not 1 <= parts <= max(seconds, 1):
            raise ValueError(f"The window {window} cannot be cut into {parts} parts: each must last at least a second.")
        starts = [window.start + timedelta(seconds=seconds * number // parts) for number in range(parts)]
    return [
        {"window_start": start.isoformat(), "window_end": end.isoformat()}
        for start, end in zip(starts, [*starts[1:], window.end], strict=True)
    ]
