"""A local Voiso in a process of its own."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from tests.servers.process import LOOPBACK, Server, answers, free_ports, local_session

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path


class SimulatorProcess(Server):
    """The package's own simulator, in a process of its own.

    :param logs: directory of its log
    :param options: command line options of the simulator, without host, port and key
    :param key: the API key that sees every record
    """

    def __init__(
        self, logs: Path, options: Sequence[str] = (), *, key: str = "demo-api-key"
    ) -> None:
        self.key = key
        port = str(free_ports(1)[0])
        self.url = f"http://{LOOPBACK}:{port}"
        command = [
            sys.executable,
            "-m",
            "airflow_provider_voiso.simulator",
            "--host",
            LOOPBACK,
            "--port",
            port,
        ]
        super().__init__(
            "simulator",
            [*command, "--key", key, *options],
            logs=logs,
            ready=lambda: answers(f"{self.url}/_simulator/health"),
        )

    def connection(self) -> str:
        """Return the value of ``AIRFLOW_CONN_VOISO_DEFAULT``."""
        return json.dumps({"conn_type": "voiso", "host": self.url, "password": self.key})

    def drift_now(self) -> None:
        """Let the records take the next step of their drift."""
        with local_session() as session:
            session.post(f"{self.url}/_simulator/drift", timeout=60).raise_for_status()

    def truth(self, start: datetime, end: datetime) -> set[str]:
        """Return the uuids of all records that ended in ``[start, end)``, two aware datetimes."""
        bounds = {"start": start.isoformat(), "end": end.isoformat()}
        with local_session() as session:
            answer = session.get(f"{self.url}/_simulator/truth", params=bounds, timeout=60)
        answer.raise_for_status()
        return set(answer.json()["uuids"])
