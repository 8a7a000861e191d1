"""Airflow with the CeleryExecutor, several workers and Redis between them."""

from __future__ import annotations

import socket
from collections import ChainMap
from contextlib import suppress
from typing import TYPE_CHECKING

from demo.stack import AirflowStack
from tests.servers.process import LOOPBACK, Server, free_ports, program

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SLOTS = 2


class Redis(Server):
    """A Redis that keeps everything in memory.

    :param logs: directory of its log
    """

    def __init__(self, logs: Path) -> None:
        self.port = free_ports(1)[0]
        self.url = f"redis://{LOOPBACK}:{self.port}"
        options = {"bind": LOOPBACK, "port": str(self.port), "save": "", "appendonly": "no"}
        command = program("redis-server", "apt-get install redis-server, or brew install redis")
        super().__init__(
            "redis",
            [command, *(word for name, value in options.items() for word in (f"--{name}", value))],
            logs=logs,
            ready=self._answers,
            timeout=30,
        )

    def _answers(self) -> bool:
        with (
            suppress(OSError),
            socket.create_connection((LOOPBACK, self.port), timeout=2) as client,
        ):
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        return False


class CeleryStack(AirflowStack):
    """The same stack with a Redis and Celery workers of two slots each.

    :param workers: their names, which their task instances have as hostname
    """

    def __init__(
        self,
        home: Path,
        dags_folder: Path,
        env: Mapping[str, str] | None = None,
        *,
        workers: Sequence[str],
    ) -> None:
        self.redis = Redis(home / "stack-logs")
        settings = {
            "AIRFLOW__CELERY__BROKER_URL": f"{self.redis.url}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"{self.redis.url}/1",
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "demo.worker_name.worker_name",
            "AIRFLOW__CORE__PARALLELISM": str(SLOTS * len(workers)),
        }
        super().__init__(home, dags_folder, {**settings, **(env or {})})
        self.servers |= {name: self._worker(name) for name in workers}

    def _worker(self, name: str) -> Server:
        options = [
            "-H",
            f"{name}@%h",
            "-c",
            str(SLOTS),
            "--skip-serve-logs",
            "--pid",
            str(self.home / f"{name}.pid"),
        ]
        log = self.logs / f"{name}.log"
        return Server(
            name,
            [*self._airflow(), "celery", "worker", *options],
            logs=self.logs,
            ready=lambda: " ready." in log.read_text(errors="replace"),
            env=ChainMap({"DEMO_WORKER": name}, self.env),
        )

    def start(self) -> None:
        """Start Redis, then everything else."""
        self.redis.start()
        self.redis.wait_ready()
        super().start()

    def stop(self) -> None:
        """End all processes; returns when all of them and their children are gone."""
        super().stop()
        self.redis.stop()
