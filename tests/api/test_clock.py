from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from airflow_provider_voiso.api.v2.clock import (
    HIGHEST,
    LOWEST,
    DateRule,
    OffsetRange,
    ProvedClock,
    Span,
    ZoneClock,
)
from airflow_provider_voiso.api.window import EPOCH, MICROSECOND, UTC, Window, epoch_us

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Africa/Monrovia",
]
SECOND = 1_000_000
# Where these zones have turned their clocks: back, forward, by half an hour, over a whole day.
TURNS = [
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2018, 2, 18, 2, tzinfo=UTC),
    datetime(2018, 11, 4, 3, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
    datetime(2011, 12, 30, 10, tzinfo=UTC),
    datetime(2021, 4, 3, 14, tzinfo=UTC),
    datetime(2026, 2, 15, 2, tzinfo=UTC),
    datetime(1972, 1, 7, 0, 44, 30, tzinfo=UTC),
]

near_turns = st.builds(
    lambda turn, seconds, us: turn + timedelta(seconds=seconds, microseconds=us),
    st.sampled_from(TURNS),
    st.integers(-8_000, 8_000) | st.integers(-60, 60).map(lambda minutes: minutes * 60),
    st.sampled_from([0, 1, 500_000, 999_999]),
)
recently = st.integers(1_500_000_000, 2_000_000_000).map(
    lambda seconds: EPOCH + timedelta(seconds=seconds)
)
lengths = st.timedeltas(timedelta(microseconds=1), timedelta(hours=3)) | st.timedeltas(
    timedelta(microseconds=1), timedelta(days=40)
)
windows = st.builds(
    lambda start, length: Window(start, start + length), near_turns | recently, lengths
)
zones = st.sampled_from(ZONES).map(ZoneInfo)
folds = st.sampled_from([0, 1])


def instant(text: str, zone: ZoneInfo, fold: int) -> int:
    """Return the instant that the API reads from a text, in microseconds.

    Of an hour that occurs twice it takes the first or the second, as ``fold`` says.
    """
    return epoch_us(datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC))


def instants(text: str, zone: ZoneInfo) -> list[int]:
    return [instant(text, zone, fold) for fold in (0, 1)]


def assert_found_whole(window: Window, span: Span, zone: ZoneInfo) -> None:
    """Check against the narrowest rule: bounds are exclusive and compared to the second."""
    assert max(instants(span.start_datetime, zone)) + SECOND <= window.start_us
    assert window.end_us <= min(instants(span.end_datetime, zone))


# Where the clock jumps, a second before the window is a time that it never shows: the API may take
# it for a later one.
@example(zone=ZoneInfo("Europe/Berlin"), window=Window(TURNS[1], TURNS[1] + timedelta(hours=1)))
@example(zone=ZoneInfo("Pacific/Apia"), window=Window(TURNS[7], TURNS[7] + timedelta(days=1)))
@example(zone=ZoneInfo("Europe/Berlin"), window=Window(TURNS[0], TURNS[0] + timedelta(hours=1)))
@given(zone=zones, window=windows)
def test_span_covers_window(zone: ZoneInfo, window: Window) -> None:
    assert_found_whole(window, DateRule(ZoneClock(zone)).span(window), zone)


@given(zone=zones, window=windows)
def test_unknown_clock_span_covers_window(zone: ZoneInfo, window: Window) -> None:
    assert_found_whole(window, DateRule(OffsetRange()).span(window), zone)


@given(zone=zones, window=windows, hours=st.integers(-90, 90))
def test_proved_offset_span_covers_window(zone: ZoneInfo, window: Window, hours: int) -> None:
    proof = window.start + timedelta(hours=hours)
    offset = proof.astimezone(zone).utcoffset()
    assume(offset is not None and LOWEST <= offset <= HIGHEST)
    assert offset is not None
    assert_found_whole(window, DateRule(ProvedClock(offset, proof)).span(window), zone)


@given(zone=zones, window=windows, longest=st.timedeltas(timedelta(0), timedelta(days=3)))
def test_start_search_reaches_back(zone: ZoneInfo, window: Window, longest: timedelta) -> None:
    rule = DateRule(ZoneClock(zone), acts_on="start", longest=longest)
    span = rule.span(window)
    assert_found_whole(Window(window.start - longest, window.end), span, zone)
    assert max(instants(span.end_datetime, zone)) + SECOND + longest // MICROSECOND <= epoch_us(
        rule.timestamps(span)[1]
    )


@given(zone=zones, window=windows)
def test_selectable_records_are_never_outside(zone: ZoneInfo, window: Window) -> None:
    rule = DateRule(ZoneClock(zone))
    span = rule.span(window)
    earliest, latest = map(epoch_us, rule.timestamps(span))
    assert earliest <= min(instants(span.start_datetime, zone))
    # Inclusive and to the second is the widest rule: all of the last second is found.
    assert max(instants(span.end_datetime, zone)) + SECOND <= latest


@given(zone=zones, window=windows)
def test_span_exceeds_window_only_slightly(zone: ZoneInfo, window: Window) -> None:
    rule = DateRule(ZoneClock(zone))
    earliest, latest = map(epoch_us, rule.timestamps(rule.span(window)))
    # Samoa has once left out a day; the other turns are of an hour at most.
    most = ((24 if zone.key == "Pacific/Apia" else 2) * 3600 + 4) * SECOND
    assert window.start_us - earliest <= most
    assert latest - window.end_us <= most


@given(zone=zones, window=windows, fold=folds, data=st.data())
def test_a_part_finds_every_instant(
    zone: ZoneInfo, window: Window, fold: int, data: st.DataObject
) -> None:
    """The narrowest reading again."""
    parts = [DateRule(ZoneClock(zone)).span(window)]
    for _ in range(3):
        parts = [
            half
            for part in parts
            for half in (part.halves() if part.first < part.last else (part,))
        ]

    for _ in range(10):
        at = data.draw(st.integers(window.start_us, window.end_us - 1))
        assert any(
            instant(part.start_datetime, zone, fold) + SECOND
            <= at
            < instant(part.end_datetime, zone, fold)
            for part in parts
        )


@given(zone=zones, window=windows, fold=folds, data=st.data())
def test_seams_leave_no_instant_out(
    zone: ZoneInfo, window: Window, fold: int, data: st.DataObject
) -> None:
    """Whatever lies on one side of an instant is found by the span that begins or ends there."""
    rule = DateRule(ZoneClock(zone))
    span = rule.span(window)
    seam = EPOCH + data.draw(st.integers(window.start_us, window.end_us - 1)) * MICROSECOND
    behind = Span(max(span.first, rule.first_second(seam)), span.last)
    before = Span(span.first, min(span.last, rule.last_second(seam)))

    for at, part in (
        (seam, behind),
        (window.end - MICROSECOND, behind),
        (seam, before),
        (window.start, before),
    ):
        first = instant(part.start_datetime, zone, fold) + SECOND
        assert first <= epoch_us(at) < instant(part.end_datetime, zone, fold)


@pytest.mark.parametrize(
    ("zone", "start", "end"),
    [
        ("UTC", "2026-11-09T23:59:59", "2026-11-11T00:00:01"),
        ("Europe/Berlin", "2026-11-10T00:59:59", "2026-11-11T01:00:01"),
        ("America/Sao_Paulo", "2026-11-09T20:59:59", "2026-11-10T21:00:01"),
        ("Asia/Kathmandu", "2026-11-10T05:44:59", "2026-11-11T05:45:01"),
    ],
)
def test_day_is_written_in_clock(zone: str, start: str, end: str) -> None:
    day = Window(datetime(2026, 11, 10, tzinfo=UTC), datetime(2026, 11, 11, tzinfo=UTC))
    span = DateRule(ZoneClock(ZoneInfo(zone))).span(day)
    assert (span.start_datetime, span.end_datetime) == (start, end)


@given(first=st.integers(0, 2**32), seconds=st.integers(1, 10**7))
def test_halves_are_the_whole(first: int, seconds: int) -> None:
    span = Span(first, first + seconds)
    left, right = span.halves()
    assert (left.first, right.last) == (span.first, span.last)
    assert left.last + 1 == right.first
    assert left.first <= left.last
    assert right.first <= right.last
