"""The whole of Airflow 3 as processes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.airflow import AirflowApiServer

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOCAL_SETTINGS = Path(__file__).with_name("airflow_local_settings.py")


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

    def start(self) -> None:
        """Start all processes, which import once what every task needs."""
        config = self.home / "config"
        config.mkdir(parents=True, exist_ok=True)
        shutil.copy(_LOCAL_SETTINGS, config)
        super().start()
