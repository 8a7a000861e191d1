from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from airflow_provider_voiso.api.clock import (
    HIGHEST,
    LOWEST,
    Bounds,
    OffsetRange,
    ProvedClock,
    Reading,
    Span,
    ZoneClock,
)
from airflow_provider_voiso.api.window import EPOCH, UTC, Window, epoch_us

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
    lambda turn, seconds: int((turn - EPOCH).total_seconds()) + seconds,
    st.sampled_from(TURNS),
    st.integers(-8_000, 8_000) | st.integers(-60, 60).map(lambda minutes: minutes * 60),
)
anywhere = st.integers(0, 2**32)
recently = st.integers(1_500_000_000, 2_000_000_000)
zones = st.sampled_from(ZONES).map(ZoneInfo)
lengths = st.integers(0, 7_300) | st.integers(0, 40 * 86_400)


def instants(text: str, zone: ZoneInfo) -> list[int]:
    """Return what the API may take a text for, in microseconds: the first and the second time it is shown."""
    shown = datetime.fromisoformat(text)
    return [epoch_us(shown.replace(tzinfo=zone, fold=fold).astimezone(UTC)) for fold in (0, 1)]


def assert_found_whole(span: Span, bounds: Bounds, zone: ZoneInfo) -> None:
    """Check against the narrowest reading: exclusive and to the second, so that no named second is found."""
    assert max(instants(bounds.start, zone)) + SECOND <= span.first * SECOND
    assert (span.last + 1) * SECOND <= min(instants(bounds.end, zone))


@given(zone=zones, first=near_turns | anywhere, seconds=lengths)
def test_a_span_is_found_whole_however_the_api_reads_its_bounds(zone: ZoneInfo, first: int, seconds: int) -> None:
    span = Span(first, first + seconds)
    assert_found_whole(span, Bounds.of(span, Reading(ZoneClock(zone))), zone)


@given(zone=zones, first=near_turns | anywhere, seconds=lengths)
def test_nothing_that_the_api_may_find_counts_as_outside(zone: ZoneInfo, first: int, seconds: int) -> None:
    bounds = Bounds.of(Span(first, first + seconds), Reading(ZoneClock(zone)))
    assert bounds.earliest_us <= min(instants(bounds.start, zone))
    # Inclusive and compared to the second is the widest reading: all of the last second is found.
    assert max(instants(bounds.end, zone)) + SECOND <= bounds.latest_us


@given(zone=zones, first=near_turns | anywhere, seconds=lengths)
def test_no_more_than_a_turn_of_the_clock_is_asked_for_in_vain(zone: ZoneInfo, first: int, seconds: int) -> None:
    span = Span(first, first + seconds)
    bounds = Bounds.of(span, Reading(ZoneClock(zone)))
    most = (3600 + 2) * SECOND
    assert span.first * SECOND - bounds.earliest_us <= most
    assert bounds.latest_us - (span.last + 1) * SECOND <= most


@given(zone=zones, first=near_turns, seconds=lengths)
def test_the_bounds_are_written_as_the_api_documents_them(zone: ZoneInfo, first: int, seconds: int) -> None:
    bounds = Bounds.of(Span(first, first + seconds), Reading(ZoneClock(zone)))
    for text in (bounds.start, bounds.end):
        assert datetime.strptime(text, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=None).isoformat() == text  # noqa: DTZ007


@pytest.mark.parametrize(
    ("zone", "start", "end"),
    [
        ("UTC", "2026-11-09T23:59:59", "2026-11-11T00:00:01"),
        ("Europe/Berlin", "2026-11-10T00:59:59", "2026-11-11T01:00:01"),
        ("America/Sao_Paulo", "2026-11-09T20:59:59", "2026-11-10T21:00:01"),
        ("Asia/Kathmandu", "2026-11-10T05:44:59", "2026-11-11T05:45:01"),
    ],
)
def test_a_day_is_asked_for_in_the_clock_of_the_api(zone: str, start: str, end: str) -> None:
    day = Window(datetime(2026, 11, 10, tzinfo=UTC), datetime(2026, 11, 11, tzinfo=UTC))
    bounds = Bounds.of(Span.covering(day), Reading(ZoneClock(ZoneInfo(zone))))
    assert (bounds.start, bounds.end) == (start, end)


@given(zone=zones, first=near_turns | anywhere, seconds=lengths)
def test_bounds_for_any_clock_serve_every_clock(zone: ZoneInfo, first: int, seconds: int) -> None:
    span = Span(first, first + seconds)
    assert_found_whole(span, Bounds.of(span, Reading(OffsetRange())), zone)


@settings(deadline=None)
@given(zone=zones, first=near_turns | recently, seconds=st.integers(0, 86_400), away=st.integers(-90, 90))
def test_bounds_for_a_proved_offset_serve_every_zone_that_has_it(
    zone: ZoneInfo, first: int, seconds: int, away: int
) -> None:
    span = Span(first, first + seconds)
    proof = EPOCH + timedelta(seconds=first, hours=away)
    offset = proof.astimezone(zone).utcoffset()
    assume(offset is not None and LOWEST <= offset <= HIGHEST)
    assert offset is not None
    assert_found_whole(span, Bounds.of(span, Reading(ProvedClock(offset, proof))), zone)


@given(zone=zones, first=near_turns | anywhere, seconds=lengths, longest=st.integers(0, 200_000))
def test_dates_that_select_by_the_start_find_interactions_up_to_the_longest(
    zone: ZoneInfo, first: int, seconds: int, longest: int
) -> None:
    span = Span(first, first + seconds).reaching_back(timedelta(seconds=longest))
    bounds = Bounds.of(span, Reading(ZoneClock(zone), acts_on="start", longest=timedelta(seconds=longest)))
    assert_found_whole(Span(first - longest, first + seconds), bounds, zone)
    assert max(instants(bounds.end, zone)) + SECOND + longest * SECOND <= bounds.latest_us


@given(
    start=st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1)),  # noqa: DTZ001 - hypothesis adds the zone
    length=st.timedeltas(timedelta(microseconds=1), timedelta(days=40)),
)
def test_a_span_covers_its_window_and_no_second_more(start: datetime, length: timedelta) -> None:
    window = Window(start.replace(tzinfo=timezone.utc), start.replace(tzinfo=timezone.utc) + length)
    span = Span.covering(window)
    assert span.first * SECOND <= window.start_us < (span.first + 1) * SECOND
    assert span.last * SECOND < window.end_us <= (span.last + 1) * SECOND


@given(first=anywhere, seconds=st.integers(1, 10**7))
def test_halves_are_the_whole(first: int, seconds: int) -> None:
    span = Span(first, first + seconds)
    left, right = span.halves()
    assert (left.first, right.last) == (span.first, span.last)
    assert left.last + 1 == right.first
    assert left.first <= left.last
    assert right.first <= right.last
