"""Sub-windows cover their window exactly, whatever its length, its zone and the cut."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_voiso.api.window import UTC, Window
from airflow_provider_voiso.destinations.stores.key import DEFAULT_KEY, object_key
from airflow_provider_voiso.exceptions import VoisoConfigurationError
from airflow_provider_voiso.run.sub_windows import sub_windows
from airflow_provider_voiso.run.window import resolve_window

SECOND = timedelta(seconds=1)
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=-3)), BERLIN, ZoneInfo("America/St_Johns")])
CLOCKS_CHANGE = datetime(2025, 3, 30, 1, tzinfo=UTC)
STARTS = st.timedeltas(timedelta(days=-21), timedelta(days=21)) | st.timedeltas(
    timedelta(days=-3650), timedelta(0)
)
LENGTHS = st.timedeltas(timedelta(microseconds=1), timedelta(days=40))
WINDOWS = st.builds(
    lambda start, length: Window(CLOCKS_CHANGE + start, CLOCKS_CHANGE + start + length),
    STARTS,
    LENGTHS,
)


def resolved(parts: list[dict[str, str]]) -> list[Window]:
    """Return the window of an operator whose arguments came through an XCom."""
    return [resolve_window({}, **part) for part in json.loads(json.dumps(parts))]


def assert_cover(window: Window, parts: list[Window]) -> None:
    assert parts[0].start == window.start
    assert parts[-1].end == window.end
    assert [part.end for part in parts[:-1]] == [part.start for part in parts[1:]]


@given(window=WINDOWS, parts=st.integers(1, 200))
def test_parts_cover_the_window_evenly(window: Window, parts: int) -> None:
    if parts > 1 and window.end - window.start < parts * SECOND:
        with pytest.raises(VoisoConfigurationError, match=f"cannot be cut into {parts} parts"):
            sub_windows(window, parts=parts)
        return
    found = resolved(sub_windows(window, parts=parts))
    assert_cover(window, found)
    assert len(found) == parts
    lengths = [part.end - part.start for part in found]
    # The last one has the fraction of a second, too.
    assert max(lengths) - min(lengths) < 2 * SECOND


@given(window=WINDOWS, period=st.timedeltas(SECOND, timedelta(days=50)))
def test_periods_cover_the_window(window: Window, period: timedelta) -> None:
    period = max(period, (window.end - window.start) / 300)
    found = resolved(sub_windows(window, period=period))
    assert_cover(window, found)
    assert {part.end - part.start for part in found[:-1]} <= {period}
    assert found[-1].end - found[-1].start <= period


@given(
    window=WINDOWS,
    cut=st.integers(1, 60) | st.timedeltas(timedelta(hours=2), timedelta(days=2)),
    zone=ZONES,
)
def test_parts_have_objects_by_default(window: Window, cut: int | timedelta, zone: Any) -> None:
    if isinstance(cut, int):
        cut = min(cut, max((window.end - window.start) // SECOND, 1))
        parts = resolved(sub_windows(window, parts=cut))
    else:
        parts = resolved(sub_windows(window, period=cut))
    keys = {
        object_key(
            DEFAULT_KEY,
            window_start=part.start.astimezone(zone),
            window_end=part.end.astimezone(zone),
            extension="ndjson.gz",
        )
        for part in parts
    }
    assert len(keys) == len(parts)


def test_long_day_is_cut() -> None:
    day = Window(datetime(2025, 10, 26, tzinfo=BERLIN), datetime(2025, 10, 27, tzinfo=BERLIN))
    assert len(sub_windows(day, period=timedelta(hours=1))) == 25
    assert sub_windows(day, parts=2) == [
        {"window_start": "2025-10-25T22:00:00+00:00", "window_end": "2025-10-26T10:30:00+00:00"},
        {"window_start": "2025-10-26T10:30:00+00:00", "window_end": "2025-10-26T23:00:00+00:00"},
    ]


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        ({}, "either parts or period"),
        ({"parts": 2, "period": SECOND}, "either parts or period"),
        ({"parts": 0}, "cannot be cut into 0 parts"),
        ({"parts": -1}, "cannot be cut into -1 parts"),
        ({"parts": 86_401}, "at least a second"),
        ({"period": timedelta(0)}, "a second or longer"),
        ({"period": timedelta(hours=-1)}, "a second or longer"),
        ({"period": timedelta(milliseconds=999)}, "a second or longer"),
        ({"parts": "2"}, "whole number, not str"),
        ({"parts": 2.0}, "whole number, not float"),
        ({"parts": True}, "whole number, not bool"),
        ({"period": 3600}, "timedelta, not int"),
    ],
)
def test_impossible_cut_is_refused(cut: dict[str, Any], message: str) -> None:
    day = Window(datetime(2026, 11, 22, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC))
    with pytest.raises(VoisoConfigurationError, match=message):
        sub_windows(day, **cut)


@pytest.mark.parametrize("window", [{"window_start": "2026-11-22"}, None, ("a", "b")])
def test_only_windows_are_cut(window: Any) -> None:
    with pytest.raises(VoisoConfigurationError, match="must be what resolve_window returns, not "):
        sub_windows(window, parts=2)
