"""Windows read from simulators of every kind: the exact set of records, or a typed error."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from airflow_provider_voiso.api.client import CdrClient
from airflow_provider_voiso.api.records import keys
from airflow_provider_voiso.api.settings import Settings
from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.exceptions import (
    VoisoClockError,
    VoisoConfigurationError,
    VoisoUnsettledError,
)
from airflow_provider_voiso.simulator import Drift, Readings, Simulator
from tests.conftest import WORLDS

if TYPE_CHECKING:
    from typing import Any

DAY = datetime(2026, 11, 10, tzinfo=timezone.utc)
CAP = 100


def read(
    sim: Simulator,
    window: Window,
    filters: dict[str, Any] | None = None,
    *,
    batch: int = CAP,
    **options: Any,
) -> dict[str, bytes]:
    client = CdrClient(
        Settings(base_url=sim.url, key=sim.key, max_retries=0, timeout=120, **options), batch=batch
    )
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
    continuation=st.sampled_from(["batch", "cursor", "handle"]),
    continuation_on=st.sampled_from(["every", "last"]),
    handle=st.sampled_from(["every", "above_cap", "more"]),
    handle_pages=st.sampled_from(["all", "within_cap"]),
    per_page_cap=st.none() | st.integers(20, CAP),
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
    per_page=st.integers(20, 2 * CAP),
    records_per_day=st.integers(0, 2000),
    start=st.integers(0, 86_400_000),
    milliseconds=st.integers(1, 86_400_000),
    connections=st.sampled_from([1, 1, 3]),
    filters=st.sampled_from(
        [None, None, {"type": "inbound"}, {"type": "chat"}, {"duration_from": 60}]
    ),
)
def test_any_api_gives_exact_window(
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
        got = read(
            sim,
            window,
            filters,
            per_page=per_page,
            max_connections=connections,
            longest_interaction=200,
        )
        assert got == sim.truth(window.start, window.end, filters)


def test_defaults_read_over_ten_thousand() -> None:
    with Simulator(records_per_day=25_000, exact=True) as sim:
        window = Window(DAY, DAY + timedelta(days=1))
        assert read(sim, window, batch=10_000) == sim.truth(window.start, window.end)
        assert len(sim.requests) == 3


moves = st.sampled_from([(-90, 90), (-3_600, 7_200), (-7 * 86_400, 7 * 86_400)])
drifts = st.builds(
    Drift,
    appear=st.sampled_from([0.0, 0.05]),
    change=st.sampled_from([0.0, 0.05]),
    leave=st.sampled_from([0.0, 0.05]),
    move=st.sampled_from([0.0, 0.02, 0.2]),
    move_seconds=moves,
    after=st.integers(1, 14),
    steps=st.integers(1, 4),
)


@settings(max_examples=WORLDS)
@given(
    readings=readings,
    drift=drifts,
    per_page=st.integers(20, 2 * CAP),
    records_per_day=st.sampled_from([40, 300, 800]),
    connections=st.sampled_from([1, 1, 3]),
)
def test_records_that_stay_are_read(
    readings: Readings, drift: Drift, per_page: int, records_per_day: int, connections: int
) -> None:
    window = Window(DAY, DAY + timedelta(days=1))
    with Simulator(records_per_day=records_per_day, readings=readings, drift=drift) as sim:
        try:
            got = read(sim, window, per_page=per_page, max_connections=connections)
        except (VoisoClockError, VoisoUnsettledError):
            event("a typed error")
            return

        stayed = sim.truth(window.start, window.end, state="stayed")
        states = [
            sim.truth(window.start, window.end, state=step) for step in range(drift.steps + 1)
        ]
        assert stayed.items() <= got.items()
        for uuid, record in got.items():
            assert any(state.get(uuid) == record for state in states)


@pytest.mark.parametrize("order", ["newest_first", "oldest_first"])
@pytest.mark.parametrize(("cap", "records"), [(None, 25_000), (1_000, 25_000), (237, 8_000)])
def test_ordered_answers_cost_their_pages(order: Any, cap: int | None, records: int) -> None:
    readings = Readings(order=order, per_page_cap=cap)
    window = Window(DAY, DAY + timedelta(days=1))
    with Simulator(records_per_day=records, exact=True, readings=readings) as sim:
        got = read(sim, window, batch=10_000)

        assert got == sim.truth(window.start, window.end)
        assert len(sim.requests) <= 1.25 * records / (cap or 10_000) + 6


@pytest.mark.parametrize(("records", "requests"), [(9_999, 2), (10_000, 2), (20_000, 3)])
def test_full_answer_costs_one_request(records: int, requests: int) -> None:
    window = Window(DAY, DAY + timedelta(days=1))
    with Simulator(records_per_day=records, exact=True) as sim:
        got = read(sim, window, batch=10_000)

        assert got == sim.truth(window.start, window.end)
        assert len(sim.requests) == requests


def test_start_search_needs_longest_interaction() -> None:
    with Simulator(records_per_day=500, readings=Readings(cap=CAP, acts_on="start")) as sim:
        window = Window(DAY, DAY + timedelta(days=1))
        with pytest.raises(VoisoConfigurationError, match="longest_interaction"):
            read(sim, window)
        with pytest.raises(VoisoConfigurationError, match="longest_interaction"):
            read(sim, window, longest_interaction=0.01)
        assert read(sim, window, longest_interaction=200) == sim.truth(window.start, window.end)


@pytest.mark.parametrize(
    "clock",
    [
        "UTC",
        "America/Sao_Paulo",
        "Asia/Kolkata",
        "Europe/Berlin",
        "Pacific/Kiritimati",
        "Etc/GMT+12",
    ],
)
def test_the_clock_is_found_out(clock: str) -> None:
    with Simulator(records_per_day=3_000, readings=Readings(clock=clock)) as sim:
        window = Window(DAY, DAY + timedelta(days=1))
        assert read(sim, window, batch=10_000) == sim.truth(window.start, window.end)
        assert len(sim.requests) <= 2 + 3


def test_contradicted_timezone_is_refused() -> None:
    readings = Readings(clock="Europe/Berlin")
    with Simulator(readings=readings) as sim, pytest.raises(VoisoClockError, match="timezone"):
        read(sim, Window(DAY, DAY + timedelta(days=1)), batch=10_000, timezone="UTC")


@pytest.mark.parametrize("clock", ["UTC", "Pacific/Auckland"])
def test_empty_window_is_proved_nearby(clock: str) -> None:
    with Simulator(records_per_day=40, readings=Readings(clock=clock)) as sim:
        for hour in range(24):
            window = Window(DAY + timedelta(hours=hour), DAY + timedelta(hours=hour + 1))
            assert read(sim, window, batch=10_000) == sim.truth(window.start, window.end)


def test_dense_window_proves_its_clock() -> None:
    with Simulator(records_per_day=3_000) as sim:
        window = Window(DAY, DAY + timedelta(days=1))
        client = CdrClient(Settings(base_url=sim.url, key=sim.key))

        with client.read(window) as found:
            assert found.records == len(sim.truth(window.start, window.end))
            assert (found.requests, found.probes) == (2, 1)
            assert found.clock == "+00:00, by the end of the interaction"


@pytest.mark.parametrize("per_page", [2, 3, 5])
def test_few_records_show_no_order(per_page: int) -> None:
    """Two records always stand in some order; where that is chance, time leads nowhere."""
    window = Window(DAY, DAY + timedelta(hours=12))
    readings = Readings(order="shuffled")
    with Simulator(records_per_day=40, readings=readings) as sim:
        got = read(sim, window, per_page=per_page, batch=10_000)

        assert got == sim.truth(window.start, window.end)


def test_dense_window_by_start_is_complete() -> None:
    """Its ends alone would prove a search by the end."""
    window = Window(DAY, DAY + timedelta(days=1))
    with Simulator(records_per_day=3_000, readings=Readings(acts_on="start")) as sim:
        got = read(sim, window, batch=10_000, longest_interaction=200)

        assert got == sim.truth(window.start, window.end)
