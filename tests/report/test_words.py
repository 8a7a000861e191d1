from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.report.words import count_text, seconds_text, size_text, window_text


def test_window_is_shown_in_utc() -> None:
    warsaw = timezone(timedelta(hours=1))

    window = Window(datetime(2026, 3, 10, tzinfo=warsaw), datetime(2026, 3, 11, tzinfo=warsaw))

    assert window_text(window) == "2026-03-09 23:00 to 2026-03-10 23:00 UTC"


def test_window_keeps_its_microseconds() -> None:
    start = datetime(2026, 3, 10, 0, 0, 5, tzinfo=timezone.utc)
    end = datetime(2026, 3, 10, 0, 0, 6, 250_000, tzinfo=timezone.utc)

    assert (
        window_text(Window(start, end)) == "2026-03-10 00:00:05 to 2026-03-10 00:00:06.250000 UTC"
    )


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 records"), (1, "1 record"), (12_345, "12,345 records")]
)
def test_count_agrees_with_its_noun(number: int, text: str) -> None:
    assert count_text(number, "record") == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (1, "1 byte"),
        (999, "999 bytes"),
        (22_642, "22.6 kB"),
        (31_200_000, "31.2 MB"),
        (2_500_000_000, "2.5 GB"),
    ],
)
def test_size_has_a_unit(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.23, "0.2 s"), (83.4, "83 s"), (725, "12 min 5 s")]
)
def test_seconds_become_minutes(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text
