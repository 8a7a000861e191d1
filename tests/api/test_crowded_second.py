"""Seconds that hold more records than one answer: pages and tokens, or a typed error."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_voiso.api.client import CdrClient
from airflow_provider_voiso.api.records import keys
from airflow_provider_voiso.api.settings import Settings
from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.exceptions import VoisoPaginationError
from airflow_provider_voiso.simulator import Readings, Simulator

START = datetime(2026, 11, 10, 10, tzinfo=timezone.utc)
WINDOW = Window(START, START + timedelta(seconds=3))
RECORDS_PER_DAY = 80_000
"""A second and its neighbours hold about eight records then."""


def read(sim: Simulator, *, batch: int, **options: Any) -> dict[str, bytes]:
    client = CdrClient(
        Settings(base_url=sim.url, key=sim.key, max_retries=0, timeout=120, **options), batch=batch
    )
    try:
        with client.read(WINDOW) as found:
            records = [record for page in found for record in page]
    finally:
        client.close()
    return dict(zip(keys(records)[0], records, strict=True))


@pytest.mark.parametrize(
    ("continuation", "final"),
    [("batch", "short"), ("cursor", "full_then_empty"), ("batch", "always_empty")],
)
def test_tokens_lead_through_a_second(continuation: Any, final: Any) -> None:
    readings = Readings(cap=2, continuation=continuation, final=final)
    with Simulator(records_per_day=RECORDS_PER_DAY, readings=readings) as sim:
        assert read(sim, batch=2) == sim.truth(WINDOW.start, WINDOW.end)
        assert any("search_token" in request.params for request in sim.requests)


@pytest.mark.parametrize(("beyond_end", "duplicates"), [("refused", 0.0), ("empty", 0.01)])
def test_pages_lead_through_a_second(beyond_end: Any, duplicates: float) -> None:
    readings = Readings(per_page_cap=2, beyond_end=beyond_end, duplicates=duplicates)
    with Simulator(records_per_day=RECORDS_PER_DAY, readings=readings) as sim:
        assert read(sim, batch=10_000) == sim.truth(WINDOW.start, WINDOW.end)
        assert not any("search_token" in request.params for request in sim.requests)


@pytest.mark.parametrize("misbehaviour", ["repeats", "cycles", "restarts"])
def test_circling_tokens_are_an_error(misbehaviour: Any) -> None:
    readings = Readings(cap=2, misbehaviour=misbehaviour)
    with Simulator(records_per_day=RECORDS_PER_DAY, readings=readings) as sim:
        with pytest.raises(
            VoisoPaginationError, match="token led back to records that were already read"
        ):
            read(sim, batch=2)
        assert len(sim.requests) < 100


def test_handle_within_second_is_refused() -> None:
    readings = Readings(cap=2, continuation="handle")
    with (
        Simulator(records_per_day=RECORDS_PER_DAY, readings=readings) as sim,
        pytest.raises(
            VoisoPaginationError,
            match=r"already read, after 1 batches\. .*Narrow the task's filters",
        ),
    ):
        read(sim, batch=2)


def test_missing_token_is_refused() -> None:
    readings = Readings(cap=2, misbehaviour="missing")
    with (
        Simulator(records_per_day=RECORDS_PER_DAY, readings=readings) as sim,
        pytest.raises(
            VoisoPaginationError, match="holds 2 records or more, and the API gives no token"
        ),
    ):
        read(sim, batch=2)


def test_capped_pages_are_refused() -> None:
    readings = Readings(cap=2)
    with (
        Simulator(records_per_day=RECORDS_PER_DAY, readings=readings) as sim,
        pytest.raises(VoisoPaginationError, match="Set the connection's extra 'per_page' to 2"),
    ):
        read(sim, batch=2, per_page=1)
