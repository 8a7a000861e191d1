"""Windows read from simulators of every kind: the exact set of records, or a typed error."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_voiso.api.client import CdrClient
from airflow_provider_voiso.api.records import keys
from airflow_provider_voiso.api.settings import Settings
from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.exceptions import VoisoPaginationError
from airflow_provider_voiso.simulator import Readings, Simulator

if TYPE_CHECKING:
    from typing import Any

DAY = datetime(2026, 11, 10, tzinfo=timezone.utc)
CAP = 100


def read(sim: Simulator, window: Window, *, batch: int = CAP, **options: Any) -> dict[str, bytes]:
    client = CdrClient(
        Settings(base_url=sim.url, key=sim.key, max_retries=0, timeout=10, **options), batch=batch
    )
    try:
        with client.read_window(window) as spool:
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


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    readings=readings,
    per_page=st.integers(1, 2 * CAP),
    records_per_day=st.integers(0, 2000),
    start=st.integers(0, 86_400_000),
    milliseconds=st.integers(1, 86_400_000),
    connections=st.sampled_from([1, 1, 3]),
)
def test_any_api_gives_exactly_the_window(
    readings: Readings, per_page: int, records_per_day: int, start: int, milliseconds: int, connections: int
) -> None:
    first = DAY + timedelta(milliseconds=start)
    window = Window(first, first + timedelta(milliseconds=milliseconds))
    with Simulator(records_per_day=records_per_day, readings=readings) as sim:
        assert read(sim, window, per_page=per_page, max_connections=connections) == sim.truth(
            window.start, window.end
        )


@pytest.mark.parametrize("misbehaviour", ["repeats", "cycles", "restarts"])
@pytest.mark.parametrize("per_page", [7, 100])
@pytest.mark.parametrize("continuation", ["batch", "cursor"])
def test_a_token_that_leads_in_circles_is_an_error(
    misbehaviour: Any, per_page: int, continuation: Any
) -> None:
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
        assert len(sim.requests) == 3
