from __future__ import annotations

import json
import os
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_voiso.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START = datetime(2024, 11, 10, tzinfo=timezone.utc)
DAY = timedelta(days=1)


@pytest.fixture
def simulate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Simulator]]:
    """Return a function that starts a local Voiso and makes it the connection ``voiso_default``."""
    running: list[Simulator] = []

    def start(*, extra: dict[str, Any] | None = None, **options: Any) -> Simulator:
        sim = Simulator(**{"seed": 3, "records_per_day": 300, **options})
        sim.start()
        running.append(sim)
        connection = {
            "conn_type": "voiso",
            "host": sim.url,
            "password": sim.key,
            "extra": {"max_retries": 0, "timeout": 120, **(extra or {})},
        }
        monkeypatch.setenv("AIRFLOW_CONN_VOISO_DEFAULT", json.dumps(connection))
        return sim

    yield start
    for sim in running:
        sim.stop()


@pytest.fixture
def blind(
    simulate: Callable[..., Simulator], monkeypatch: pytest.MonkeyPatch
) -> Callable[[], None]:
    """Return a function that cuts the rights of the key: it sees no team from then on."""
    sim = simulate(team_keys={"blind": ()})

    def cut() -> None:
        connection = {"conn_type": "voiso", "host": sim.url, "password": "blind"}
        monkeypatch.setenv("AIRFLOW_CONN_VOISO_DEFAULT", json.dumps(connection))

    return cut


@pytest.fixture
def context() -> dict[str, Any]:
    """Return the least that a run can tell of itself: its data interval, one day."""
    return {"data_interval_start": START, "data_interval_end": START + DAY}


@pytest.fixture(autouse=True)
def _no_connections_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("AIRFLOW_CONN_", "AWS_")):
            monkeypatch.delenv(name)
