"""A deferred sensor, and a task that leaves a file if it comes to its turn."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from pathlib import Path

from airflow.providers.common.compat.sdk import DAG, BaseOperator

from airflow_provider_voiso.sensors.cdr import VoisoCdrSensor


class Touch(BaseOperator):
    """Leaves a file."""

    def execute(self, context: object) -> None:  # noqa: ARG002
        """Make the file that the environment names."""
        Path(os.environ["DEFERRED_DONE"]).touch()


with DAG(
    "deferred", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=timezone.utc), catchup=False
):
    wait = VoisoCdrSensor(
        task_id="wait",
        window_start="2024-11-10T00:00:00+00:00",
        window_end="2024-11-11T00:00:00+00:00",
        settle=timedelta(hours=1),
        poke_interval=1,
        timeout=600,
    )
    wait >> Touch(task_id="touch")
