"""The whole of Airflow 3 as processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.servers.airflow import AirflowApiServer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class AirflowStack(AirflowApiServer):
    """Airflow 3 as four processes, with the LocalExecutor.

    Parameters: see :class:`~tests.servers.airflow.AirflowApiServer`.
    """

    def __init__(self, home: Path, dags_folder: Path, env: Mapping[str, str] | None = None) -> None:
        super().__init__(home, dags_folder, env)
        self.servers |= {
            "scheduler": self._server("scheduler", "--skip-serve-logs"),
            "dag-processor": self._server("dag-processor"),
            "triggerer": self._server("triggerer", "--skip-serve-logs"),
        }
