from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_voiso.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START = datetime(2024, 11, 10, tzinfo=timezone.utc)


@pytest.fixture
def simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """Return a local Voiso as ``voiso_default``, beside an empty SQLite as ``warehouse``."""
    with Simulator(seed=3, records_per_day=300) as running:
        voiso = {"conn_type": "voiso", "host": running.url, "password": running.key}
        warehouse = {"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")}
        monkeypatch.setenv("AIRFLOW_CONN_VOISO_DEFAULT", json.dumps(voiso))
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(warehouse))
        yield running


@pytest.fixture
def context() -> dict[str, Any]:
    """Return the context of a run of one day."""
    return {"data_interval_start": START, "data_interval_end": START + timedelta(days=1)}
