"""A DAG that owes nothing to the package."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from airflow.sdk import dag, task


@dag(schedule="@daily", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), catchup=False)
def numbers() -> None:
    @task
    def answer() -> dict[str, int]:
        return {"answer": 42}

    @task
    def refuse(params: dict[str, Any] | None = None) -> None:
        if params and params.get("refuse"):
            raise ValueError("refused as asked")

    answer() >> refuse()


numbers()
