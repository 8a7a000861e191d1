"""The real parts around the package: object storage, a local Voiso, PostgreSQL and the whole of Airflow."""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from demo.airflow_api import AirflowApi
from demo.process import LOOPBACK, PartError, Server, answers, clean_environment, free_ports, local_session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from types import TracebackType

    from typing_extensions import Self


def program(name: str, way_out: str = "install requirements-dev.txt") -> str:
    """Return the path of a program that a package put beside this Python, else on the PATH."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise PartError(f"The program {name} is missing: {way_out}.")
    return found


class SeaweedS3(Server):
    """An S3 server (SeaweedFS) that checks signatures and has one bucket; no other is made by itself.

    :param data_dir: where the objects are kept, made if missing
    :param bucket: the bucket to create
    :param logs: directory of its log, by default beside the data
    """

    key = "devkey"
    secret = "devsecret123"  # noqa: S105
    region = "us-east-1"

    def __init__(self, data_dir: Path, bucket: str = "voiso-cdr", *, logs: Path | None = None) -> None:
        master, volume, filer, s3, admin = free_ports(5, partners=[10_000])
        self.bucket = bucket
        self.endpoint_url = f"http://{LOOPBACK}:{s3}"
        self.data_dir = data_dir
        options = {
            "dir": data_dir,
            "ip": LOOPBACK,
            "ip.bind": LOOPBACK,
            "master.port": master,
            "master.telemetry": "false",
            "volume.port": volume,
            "filer.port": filer,
            "s3.port": s3,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.autoCreateBucket": "false",
            "admin.port": admin,
            "admin.ui": "false",
            "webdav": "false",
        }
        super().__init__(
            "seaweedfs",
            [program("weed"), "mini", *(f"-{name}={value}" for name, value in options.items())],
            logs=logs or data_dir.parent / f"{data_dir.name}-logs",
            ready=self._has_bucket,
            env=clean_environment(
                {
                    "AWS_ACCESS_KEY_ID": self.key,
                    "AWS_SECRET_ACCESS_KEY": self.secret,
                    "S3_BUCKET": bucket,
                    "WEED_S3_SSE_KEY": "dev",
                }
            ),
            stop_signal=signal.SIGINT,
            grace=2,
        )

    def start(self) -> None:
        """Start without waiting."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        super().start()

    def client(self) -> Any:
        """Return a boto3 client of this server that owes nothing to Airflow."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.key,
            aws_secret_access_key=self.secret,
            region_name=self.region,
        )

    def _has_bucket(self) -> bool:
        # The health endpoint answers before the bucket is created.
        if not answers(f"{self.endpoint_url}/healthz"):
            return False
        with suppress(BotoCoreError, ClientError):
            self.client().head_bucket(Bucket=self.bucket)
            return True
        return False

    def connection(self) -> str:
        """Return the value of ``AIRFLOW_CONN_AWS_DEFAULT``."""
        extra = {"endpoint_url": self.endpoint_url, "region_name": self.region}
        return json.dumps({"conn_type": "aws", "login": self.key, "password": self.secret, "extra": extra})


class SimulatorProcess(Server):
    """The package's own simulator, in a process of its own.

    :param logs: directory of its log
    :param options: command line options of the simulator, without host, port and key
    :param key: the API key that sees every record
    """

    def __init__(self, logs: Path, options: Sequence[str] = (), *, key: str = "demo-api-key") -> None:
        self.key = key
        port = str(free_ports(1)[0])
        self.url = f"http://{LOOPBACK}:{port}"
        command = [sys.executable, "-m", "airflow_provider_voiso.simulator", "--host", LOOPBACK, "--port", port]
        super().__init__(
            "simulator",
            [*command, "--key", key, *options],
            logs=logs,
            ready=lambda: answers(f"{self.url}/_simulator/health"),
            timeout=30,
        )

    def connection(self) -> str:
        """Return the value of ``AIRFLOW_CONN_VOISO_DEFAULT``."""
        return json.dumps({"conn_type": "voiso", "host": self.url, "password": self.key})

    def truth(self, start: datetime, end: datetime) -> set[str]:
        """Return the uuids of all records that ended in ``[start, end)``; both bounds have a time zone."""
        bounds = {"start": start.isoformat(), "end": end.isoformat()}
        with local_session() as session:
            answer = session.get(f"{self.url}/_simulator/truth", params=bounds, timeout=60)
        answer.raise_for_status()
        return set(answer.json()["uuids"])


class Postgres(Server):
    """An embedded PostgreSQL that listens on a unix socket only, in a temporary directory.

    :param logs: directory of its log
    """

    def __init__(self, logs: Path) -> None:
        self._address = logs / "postgres.address"
        super().__init__(
            "postgres",
            [sys.executable, str(Path(__file__).with_name("postgres.py")), str(self._address)],
            logs=logs,
            ready=self._address.exists,
        )

    @property
    def uri(self) -> str:
        """The address of its database ``postgres``, as libpq and SQLAlchemy read it; known once it is ready."""
        return self._address.read_text()

    def start(self) -> None:
        """Start without waiting, with an empty database."""
        self._address.unlink(missing_ok=True)
        super().start()


class AirflowStack:
    """Airflow 3 as four processes, with the LocalExecutor and a PostgreSQL of its own for the metadata.

    On SQLite, ``airflow backfill create`` beside a busy scheduler fails now and then: "database is locked".

    :param home: AIRFLOW_HOME, made if missing; the logs of the processes are in its ``stack-logs``
    :param dags_folder: where the DAG files are
    :param env: further variables for every process, such as connections; they win over the defaults
    """

    def __init__(self, home: Path, dags_folder: Path, env: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.logs = home / "stack-logs"
        port = str(free_ports(1)[0])
        self.url = f"http://{LOOPBACK}:{port}"
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
        commands = {
            "api-server": ["--host", LOOPBACK, "--port", port],
            "scheduler": ["--skip-serve-logs"],
            "dag-processor": [],
            "triggerer": ["--skip-serve-logs"],
        }
        self.servers = {
            name: Server(
                name,
                [*self._airflow(), name, *arguments],
                logs=self.logs,
                ready=lambda name=name: self._is_ready(name),  # type: ignore[misc]
                env=self.env,
            )
            for name, arguments in commands.items()
        }

    @staticmethod
    def _airflow() -> list[str]:
        return [sys.executable, "-m", "airflow"]

    def _is_ready(self, name: str) -> bool:
        if name == "api-server":
            return answers(f"{self.url}/api/v2/monitor/health")
        return name.replace("-", "_") not in self.api.unhealthy()

    def airflow(self, *arguments: str, timeout: float = 180) -> str:
        """Run one command of the ``airflow`` program and return what it printed.

        :raises PartError: with its output if it fails
        """
        done = subprocess.run(  # noqa: S603
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
            raise PartError(f"airflow {' '.join(arguments)} failed with exit code {done.returncode}:\n{done.stdout}")
        return done.stdout

    def start(self) -> None:
        """Create the metadata database, start all processes and wait until each reports to be healthy."""
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
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
