from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

import pendulum
import pytest

from airflow_provider_voiso.api.window import UTC, Window
from airflow_provider_voiso.exceptions import VoisoNoWindowError, VoisoOpenWindowError
from airflow_provider_voiso.run.window import check_window_arguments, resolve_window

START = datetime(2026, 11, 22, tzinfo=UTC)
END = datetime(2026, 11, 23, tzinfo=UTC)
DAY = Window(START, END)
LATER = datetime(2030, 1, 1, tzinfo=UTC)


class Reference:
    """Something that Airflow resolves when the task runs, as it does an XComArg."""

    def resolve(self) -> None: ...


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (START, END),
        (START.astimezone(timezone(timedelta(hours=-3))), END),
        (pendulum.instance(START).in_timezone("Asia/Tokyo"), pendulum.instance(END)),
        ("2026-11-22T00:00:00+00:00", "2026-11-23T00:00:00Z"),
        ("2026-11-22 00:00:00+00:00", " 2026-11-23T00:00:00.000000+00:00 "),
        ("2026-11-21T21:00:00-03:00", "2026-11-23T01:00:00+0100"),
        ("20261122T000000Z", END),
    ],
)
def test_arguments_are_the_window(start: Any, end: Any) -> None:
    assert resolve_window({}, window_start=start, window_end=end, now=LATER) == DAY
    check_window_arguments(start, end)


def test_arguments_win_over_the_run() -> None:
    context = {
        "data_interval_start": START - timedelta(days=9),
        "data_interval_end": END - timedelta(days=9),
    }
    assert resolve_window(context, window_start=START, window_end=END, now=LATER) == DAY


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (START, None, "window_start is given without window_end"),
        (None, END, "window_end is given without window_start"),
        (START.replace(tzinfo=None), END, "has no time zone"),
        ("2026-11-22", END, "has no time zone"),
        ("2026-11-22T00:00:00", "2026-11-23T00:00:00", "has no time zone"),
        ("", END, "window_start is ''"),
        (START, "None", "window_end is 'None'"),
        ("yesterday", END, "window_start is 'yesterday'"),
        (date(2026, 11, 22), END, "not date"),
        (1_795_305_600, END, "not int"),
        (END, START, "before its end"),
        (START, START, "before its end"),
    ],
)
def test_wrong_window_is_always_refused(start: Any, end: Any, message: str) -> None:
    with pytest.raises(VoisoNoWindowError, match=message):
        check_window_arguments(start, end)
    with pytest.raises(VoisoNoWindowError, match=message):
        resolve_window({}, window_start=start, window_end=end, now=LATER)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (None, None),
        ("{{ data_interval_start }}", "{{ data_interval_end }}"),
        ("{{ ds }}", END),
        (Reference(), Reference()),
    ],
)
def test_templates_are_not_checked_early(start: Any, end: Any) -> None:
    check_window_arguments(start, end)


def test_literal_beside_template_is_checked() -> None:
    with pytest.raises(VoisoNoWindowError, match="has no time zone"):
        check_window_arguments("{{ ts }}", "2026-11-23T00:00:00")


def test_a_template_needs_its_counterpart() -> None:
    with pytest.raises(VoisoNoWindowError, match="without window_end"):
        check_window_arguments("{{ ts }}", None)


def test_window_ending_now_is_over() -> None:
    assert resolve_window({}, window_start=START, window_end=END, now=END) == DAY


def test_open_window_needs_permission() -> None:
    early = END - timedelta(seconds=1)
    with pytest.raises(
        VoisoOpenWindowError, match=r"ends at 2026-11-23T00:00:00\+00:00.*allow_open_window=True"
    ):
        resolve_window({}, window_start=START, window_end=END, now=early)
    assert (
        resolve_window({}, window_start=START, window_end=END, allow_open_window=True, now=early)
        == DAY
    )


def test_clock_is_read_by_default() -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with pytest.raises(VoisoOpenWindowError, match="not over yet"):
        resolve_window({}, window_start=START, window_end=tomorrow)
    assert resolve_window(
        {},
        window_start=datetime(2020, 1, 1, tzinfo=UTC),
        window_end=datetime(2020, 1, 2, tzinfo=UTC),
    )
