from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_voiso.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def simulate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Simulator]]:
    """Start a simulator behind the connection ``voiso_default``."""
    running: list[Simulator] = []

    def start(**options: Any) -> Simulator:
        sim = Simulator(**{"seed": 3, "records_per_day": 300, **options})
        sim.start()
        running.append(sim)
        connection = {
            "conn_type": "voiso",
            "host": sim.url,
            "password": sim.key,
            "extra": {"max_retries": 0},
        }
        monkeypatch.setenv("AIRFLOW_CONN_VOISO_DEFAULT", json.dumps(connection))
        return sim

    yield start
    for sim in running:
        sim.stop()
