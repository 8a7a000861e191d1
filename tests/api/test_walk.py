"""Windows read from simulators of every kind: the exact set of records, or a typed error."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_voiso.api.client import CdrClient
from airflow_provider_voiso.api.records import keys
from airflow_provider_voiso.api.settings import Settings
from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.exceptions import VoisoClockError, VoisoConfigurationError, VoisoPaginationError
from airflow_provider_voiso.simulator import Drift, Readings, Simulator
from tests.conftest import WORLDS

if TYPE_CHECKING:
    from typing import Any

DAY = datetime(2026, 11, 10, tzinfo=timezone.utc)
CAP = 100


def read(
    sim: Simulator, window: Window, filters: dict[str, Any] | None = None, *, batch: int = CAP, **options: Any
) -> dict[str, bytes]:
    client = CdrClient(Settings(base_url=sim.url, key=sim.key, max_retries=0, timeout=120, **options), batch=batch)
    try:
        with client.read(window, filters) as spool:
            records = [record for page in spool for record in page]
            assert len(records) == spool.records
    finally:
        client.close()
    uuids = keys(records)[0]
    assert len(set(uuids)) == len(uuids)
    return dict(zip(uuids, records, strict=True))


readings = st.builds(
    Readings,
    cap=st.just(CAP),
    continuation=st.sampled_from(["batch", "cursor"]),
    continuation_on=st.sampled_from(["every", "last"]),
    per_page_cap=st.none() | st.integers(1, CAP),
    later_page=st.sampled_from(["obeyed", "ignored", "refused"]),
    beyond_cap=st.sampled_from(["clamped", "empty", "error"]),
    beyond_end=st.sampled_from(["empty", "refused"]),
    end_of_search=st.sampled_from(["null", "absent", "empty"]),
    final=st.sampled_from(["short", "full_then_empty", "always_empty"]),
    final_page=st.sampled_from(["shown", "absent"]),
    order=st.sampled_from(["newest_first", "oldest_first", "shuffled", "uuid"]),
    total=st.sampled_from(["pages", "records", "capped", "nonsense"]),
    bounds=st.sampled_from(["inclusive", "exclusive_end", "exclusive"]),
    resolution=st.sampled_from(["second", "millisecond"]),
    timestamps=st.sampled_from(["offset", "z", "micro"]),
    offsets=st.sampled_from(["fixed", "mixed"]),
    duplicates=st.sampled_from([0.0, 0.01]),
)


@settings(max_examples=WORLDS)
@given(
    readings=readings,
    per_page=st.integers(1, 2 * CAP),
    records_per_day=st.integers(0, 2000),
    start=st.integers(0, 86_400_000),
    milliseconds=st.integers(1, 86_400_000),
    connections=st.sampled_from([1, 1, 3]),
    filters=st.sampled_from([None, None, {"type": "inbound"}, {"type": "chat"}, {"duration_from": 60}]),
)
def test_any_api_gives_exactly_the_window(
    readings: Readings,
    per_page: int,
    records_per_day: int,
    start: int,
    milliseconds: int,
    connections: int,
    filters: dict[str, Any] | None,
) -> None:
    first = DAY + timedelta(milliseconds=start)
    window = Window(first, first + timedelta(milliseconds=milliseconds))
    with Simulator(records_per_day=records_per_day, readings=readings) as sim:
        got = read(sim, window, filters, per_page=per_page, max_connections=connections, longest_interaction=200)
        assert got == sim.truth(window.start, window.end, filters)


@pytest.mark.parametrize("misbehaviour", ["repeats", "cycles", "restarts"])
@pytest.mark.parametrize("per_page", [7, 100])
@pytest.mark.parametrize("continuation", ["batch", "cursor"])
def test_a_token_that_leads_in_circles_is_an_error(misbehaviour: Any, per_page: int, continuation: Any) -> None:
    readings = Readings(cap=CAP, continuation=continuation, misbehaviour=misbehaviour)
    with Simulator(records_per_day=800, exact=True, readings=readings) as sim:
        with pytest.raises(VoisoPaginationError, match="token"):
            read(sim, Window(DAY, DAY + timedelta(days=1)), per_page=per_page)
        assert len(sim.requests) < 300


@pytest.mark.parametrize("records", [99, 100, 101, 350])
def test_a_missing_token_is_made_up_for_by_shorter_searches(records: int) -> None:
    readings = Readings(cap=CAP, misbehaviour="missing")
    with Simulator(records_per_day=records, exact=True, readings=readings) as sim:
        window = Window(DAY, DAY + timedelta(days=1))
        assert read(sim, window, per_page=CAP) == sim.truth(window.start, window.end)


def test_more_than_ten_thousand_records_at_the_defaults() -> None:
    with Simulator(records_per_day=25_000, exact=True) as sim:
        window = Window(DAY, DAY + timedelta(days=1))
        assert read(sim, window, batch=10_000) == sim.truth(window.start, window.end)
        assert len(sim.requests) == 5


@settings(max_examples=WORLDS // 5)
@given(
    order=st.sampled_from(["newest_first", "oldest_first", "shuffled", "uuid"]),
    continuation=st.sampled_from(["batch", "cursor"]),
    per_page=st.integers(5, CAP),
    records_per_day=st.sampled_from([300, 800]),
    appear=st.sampled_from([0.0, 0.05]),
    change=st.sampled_from([0.0, 0.05]),
    after=st.integers(1, 14),
)
def test_records_that_appear_or_change_meanwhile_cost_no_other(
    order: Any, continuation: Any, per_page: int, records_per_day: int, appear: float, change: float, after: int
) -> None:
    readings = Readings(cap=CAP, order=order, continuation=continuation)
    drift = Drift(appear=appear, change=change, after=after)
    with Simulator(records_per_day=records_per_day, readings=readings, drift=drift) as sim:
        window = Window(DAY, DAY + timedelta(days=1))
        got = read(sim, window, per_page=per_page)
        before = sim.truth(window.start, window.end, state="before")
        after_it = sim.truth(window.start, window.end, state="after")
    assert set(before) <= set(got) <= set(after_it)
    assert all(record in (before.get(uuid), after_it[uuid]) for uuid, record in got.items())


def test_a_window_with_duplicates_is_read_until_two_readings_agree() -> None:
    with Simulator(records_per_day=300, exact=True, readings=Readings(cap=CAP, duplicates=0.01)) as sim:
        window = Window(DAY, DAY + timedelta(days=1))
        assert read(sim, window, per_page=CAP) == sim.truth(window.start, window.end)
        beginnings = [request for request in sim.requests if request.params.get("per_page") == "100"]
        assert len(beginnings) > 2 * 3


def test_the_start_of_an_interaction_needs_to_know_the_longest() -> None:
    with Simulator(records_per_day=500, readings=Readings(cap=CAP, acts_on="start")) as sim:
        window = Window(DAY, DAY + timedelta(days=1))
        with pytest.raises(VoisoConfigurationError, match="longest_interaction"):
            read(sim, window)
        with pytest.raises(VoisoConfigurationError, match="longest_interaction"):
            read(sim, window, longest_interaction=0.01)
        assert read(sim, window, longest_interaction=200) == sim.truth(window.start, window.end)


@pytest.mark.parametrize("clock", ["UTC", "America/Sao_Paulo", "Asia/Kolkata", "Europe/Berlin"])
def test_the_clock_is_found_out(clock: str) -> None:
    with Simulator(records_per_day=3_000, readings=Readings(clock=clock)) as sim:
        window = Window(DAY, DAY + timedelta(days=1))
        assert read(sim, window, batch=10_000) == sim.truth(window.start, window.end)
        assert len(sim.requests) <= 2 + 3


def test_a_timezone_that_evidence_contradicts_is_an_error() -> None:
    readings = Readings(clock="Europe/Berlin")
    with Simulator(readings=readings) as sim, pytest.raises(VoisoClockError, match="timezone"):
        read(sim, Window(DAY, DAY + timedelta(days=1)), batch=10_000, timezone="UTC")


@pytest.mark.parametrize("clock", ["UTC", "Pacific/Auckland"])
def test_an_empty_window_is_proved_by_its_surroundings(clock: str) -> None:
    with Simulator(records_per_day=40, readings=Readings(clock=clock)) as sim:
        for hour in range(24):
            window = Window(DAY + timedelta(hours=hour), DAY + timedelta(hours=hour + 1))
            assert read(sim, window, batch=10_000) == sim.truth(window.start, window.end)


def test_at_the_defaults_a_window_costs_two_requests_more_than_its_pages() -> None:
    with Simulator(records_per_day=3_000) as sim:
        read(sim, Window(DAY, DAY + timedelta(days=1)), batch=10_000)
        assert len(sim.requests) == 3
