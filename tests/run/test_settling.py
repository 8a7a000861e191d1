"""The judgement whether a window is settled needs no clock, no store and no sleep."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from dateutil.relativedelta import relativedelta

from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.exceptions import VoisoConfigurationError
from airflow_provider_voiso.run.settling import Settling, Verdict

START = datetime(2024, 1, 30, tzinfo=timezone.utc)
END = datetime(2024, 1, 31, tzinfo=timezone.utc)
DAY = Window(START, END)


def test_due_at_the_end() -> None:
    settling = Settling(DAY, min_records=1, settle=None)

    assert settling.due == END
    assert not settling.is_due(START)


def test_open_window_is_due() -> None:
    settling = Settling(DAY, min_records=1, settle=None, allow_open_window=True)

    assert settling.due is None
    assert settling.is_due(START)


def test_settle_closes_the_window() -> None:
    settling = Settling(DAY, min_records=1, settle=timedelta(0), allow_open_window=True)

    assert settling.due == END


@pytest.mark.parametrize(
    ("settle", "due"),
    [
        (timedelta(0), END),
        (timedelta(hours=2), datetime(2024, 1, 31, 2, tzinfo=timezone.utc)),
        (relativedelta(months=1), datetime(2024, 2, 29, tzinfo=timezone.utc)),
    ],
)
def test_due_after_settle(settle: timedelta | relativedelta, due: datetime) -> None:
    settling = Settling(DAY, min_records=1, settle=settle)

    assert settling.due == due
    assert settling.is_due(due)
    assert not settling.is_due(due - timedelta(microseconds=1))


@pytest.mark.parametrize(
    ("settle", "found", "verdict"),
    [
        (None, 2, Verdict.WAIT),
        (None, 3, Verdict.SETTLED),
        (timedelta(0), 2, Verdict.WAIT),
        (timedelta(0), 3, Verdict.LOOK_AGAIN),
    ],
)
def test_verdict_by_count(settle: timedelta | None, found: int, verdict: Verdict) -> None:
    assert Settling(DAY, min_records=3, settle=settle).after_count(found) is verdict


@pytest.mark.parametrize(
    ("before", "verdict"),
    [(None, Verdict.LOOK_AGAIN), ("2 ab", Verdict.LOOK_AGAIN), ("3 ab", Verdict.SETTLED)],
)
def test_verdict_by_looks(before: str | None, verdict: Verdict) -> None:
    assert Settling(DAY, min_records=1, settle=timedelta(0)).after_look("3 ab", before) is verdict


def test_windows_have_keys_of_their_own() -> None:
    parts = [
        Window(START, END),
        Window(START, END - timedelta(seconds=1)),
        Window(END, END + timedelta(days=1)),
    ]

    keys = {Settling(part, min_records=1, settle=None).key for part in parts}

    assert len(keys) == 3


def test_settle_beyond_calendar() -> None:
    with pytest.raises(VoisoConfigurationError, match="settle reaches beyond the years 1 to 9999"):
        Settling(DAY, min_records=1, settle=timedelta.max).is_due(END)
