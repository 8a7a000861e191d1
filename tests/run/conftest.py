from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import DAG

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="session")
def make_dag() -> Callable[..., DAG]:
    import pendulum  # noqa: PLC0415

    def make(schedule: Any, zone: str = "UTC") -> DAG:
        start = pendulum.datetime(2020, 1, 1, tz=zone)
        return DAG("export", schedule=schedule, start_date=start, max_active_runs=1)

    return make
