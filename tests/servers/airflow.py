"""A real api-server of Airflow 3, with the metadata database behind it."""

from __future__ import annotations

import secrets
import subprocess
import sys
from typing import TYPE_CHECKING

from demo.airflow_api import AirflowApi
from tests.servers.postgres import Postgres
from tests.servers.process import (
    LOOPBACK,
    PartError,
    Server,
    answers,
    clean_environment,
    free_ports,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self


class AirflowApiServer:
    """Airflow 3 as one process that answers browsers and REST clients, and runs no DAG.

    On SQLite, ``airflow backfill create`` beside a busy scheduler fails now and then: "database is
    locked". So the metadata are in a PostgreSQL.

    :param home: AIRFLOW_HOME, made if missing; the logs of the processes are in its ``stack-logs``
    :param dags_folder: where the DAG files are
    :param env: further variables for every process, such as connections; they win over the defaults
    :param base_path: path below which Airflow is served, such as ``/deep/airflow``
    """

    def __init__(
        self,
        home: Path,
        dags_folder: Path,
        env: Mapping[str, str] | None = None,
        *,
        base_path: str = "",
    ) -> None:
        self.home = home
        self.logs = home / "stack-logs"
        port = str(free_ports(1)[0])
        self.url = f"http://{LOOPBACK}:{port}{base_path}"
        self.api = AirflowApi(self.url)
        self.postgres = Postgres(self.logs)
        self.env = clean_environment(
            {
                "AIRFLOW_HOME": str(home),
                "AIRFLOW__API__BASE_URL": self.url,
                # Airflow 3.0 signs in nobody with today's PyJWT unless an issuer is named.
                "AIRFLOW__API_AUTH__JWT_ISSUER": "airflow",
                "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
                "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
                "AIRFLOW__CORE__DAGS_FOLDER": str(dags_folder),
                "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
                "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW__CORE__PARALLELISM": "2",
                "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
                "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
                "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
                "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
                **(env or {}),
            }
        )
        self.servers = {
            "api-server": self._server("api-server", "--host", LOOPBACK, "--port", port)
        }

    @staticmethod
    def _airflow() -> list[str]:
        return [sys.executable, "-m", "airflow"]

    def _server(self, name: str, *arguments: str) -> Server:
        return Server(
            name,
            [*self._airflow(), name, *arguments],
            logs=self.logs,
            ready=lambda: self._is_ready(name),
            env=self.env,
        )

    def _is_ready(self, name: str) -> bool:
        if name == "api-server":
            return answers(f"{self.url}/api/v2/monitor/health")
        return name.replace("-", "_") not in self.api.unhealthy()

    def airflow(self, *arguments: str, timeout: float = 180) -> str:
        """Run one command of the ``airflow`` program and return what it printed.

        :raises PartError: with its output if it fails
        """
        done = subprocess.run(
            [*self._airflow(), *arguments],
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode:
            raise PartError(
                f"airflow {' '.join(arguments)} failed with exit code "
                f"{done.returncode}:\n{done.stdout}"
            )
        return done.stdout

    def start(self) -> None:
        """Create the metadata database, start all processes and wait until all are healthy."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.postgres.start()
        self.postgres.wait_ready()
        address = self.postgres.uri.replace("postgresql://", "postgresql+psycopg2://", 1)
        self.env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = address
        self.airflow("db", "migrate")
        for server in self.servers.values():
            server.start()
        for server in self.servers.values():
            server.wait_ready()

    def stop(self) -> None:
        """End all processes; returns when all of them and their children are gone."""
        for server in self.servers.values():
            server.let_go()
        for server in (*self.servers.values(), self.postgres):
            server.stop()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
