from __future__ import annotations

import threading
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from airflow_provider_voiso.api.client import CdrClient
from airflow_provider_voiso.api.settings import Settings
from airflow_provider_voiso.api.window import Window
from airflow_provider_voiso.report.progress import (
    STATE_KEY,
    Progress,
    ShownProgress,
    Standing,
    repeated,
)
from airflow_provider_voiso.simulator import Simulator

START = datetime(2024, 11, 10, tzinfo=timezone.utc)
WEEK = Window(START, START + timedelta(days=7))
STANDING = Standing(records=120_000, requests=15, seconds=30.0, share=0.419)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Store:
    """What Airflow 3.3 hands to a task, as far as this package uses it."""

    def __init__(self, *, fails: bool = False) -> None:
        self.kept: dict[str, Any] = {}
        self.calls = 0
        self.fails = fails

    def get(self, key: str) -> Any:
        return self.kept.get(key)

    def set(self, key: str, value: Any) -> None:
        self.calls += 1
        if self.fails:
            raise RuntimeError("the API server is away")
        self.kept[key] = value

    def delete(self, key: str) -> None:
        self.calls += 1
        self.kept.pop(key, None)


def test_standing_is_a_sentence() -> None:
    assert str(STANDING) == (
        "120,000 records read so far with 15 requests, 4,000 records/s; 41 % of the window is read."
    )


def test_progress_counts_from_its_beginning() -> None:
    clock = Clock()
    sent = [7]
    progress = Progress(lambda: sent[0], clock)

    clock.now += 10
    sent[0] += 3
    progress.on_answer(20_000, 0.25)

    assert progress.standing() == Standing(records=20_000, requests=3, seconds=10.0, share=0.25)
    assert progress.standing().rate == 2_000


def test_progress_never_goes_back() -> None:
    progress = Progress(lambda: 0, Clock())

    progress.on_answer(20_000, 0.5)
    progress.on_answer(10_000, 0.1)

    assert progress.standing().records == 20_000
    assert progress.standing().percent == 50


def test_rate_of_no_time_is_none() -> None:
    assert Standing(records=5, requests=1, seconds=0.0, share=0.0).rate == 0


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("per_page", [100, 10_000])
def test_finished_read_reports_whole_window(connections: int, per_page: int) -> None:
    told: list[tuple[int, float]] = []
    with Simulator(seed=3, records_per_day=700) as sim:
        settings = Settings(
            base_url=sim.url, key=sim.key, per_page=per_page, max_connections=connections
        )
        client = CdrClient(settings)
        with client.read(WEEK, on_answer=lambda *answer: told.append(answer)) as read:
            records = read.records
        client.close()

    shares = [share for _, share in told]
    assert records == len(sim.truth(WEEK.start, WEEK.end))
    assert records <= told[-1][0] <= records * 1.01
    assert shares[-1] == 1.0
    assert shares == sorted(shares)
    assert len(told) > 1 or (connections == 1 and per_page == 10_000)


def test_function_is_called_until_the_end() -> None:
    called = threading.Semaphore(0)

    with repeated(called.release, every=0.001):
        assert called.acquire(timeout=60)
        assert called.acquire(timeout=60)

    while called.acquire(blocking=False):
        pass
    assert "voiso-progress" not in {thread.name for thread in threading.enumerate()}


def test_error_ends_the_calls() -> None:
    def fail() -> None:
        with repeated(lambda: None, every=0.001):
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert "voiso-progress" not in {thread.name for thread in threading.enumerate()}


def test_standing_is_kept_as_plain_values() -> None:
    store = Store()

    ShownProgress({"task_state_store": store}).show(STANDING)

    assert store.kept.keys() == {STATE_KEY}
    assert store.kept[STATE_KEY] == {
        "records": 120_000,
        "requests": 15,
        "records_per_second": 4_000,
        "percent_of_window": 41,
    }


def test_cleared_progress_is_gone() -> None:
    store = Store()
    ShownProgress({"task_state_store": store}).show(STANDING)

    ShownProgress({"task_state_store": store}).clear()

    assert store.kept == {}


def test_store_that_fails_is_left_alone() -> None:
    store = Store(fails=True)
    shown = ShownProgress({"task_state_store": store})

    shown.show(STANDING)
    shown.show(STANDING)
    shown.clear()

    assert store.calls == 1


def test_progress_works_without_state_store() -> None:
    shown = ShownProgress({})

    shown.show(STANDING)
    shown.clear()
