"""A real PostgreSQL."""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg2

from tests.servers.process import Server


class Postgres(Server):
    """An embedded PostgreSQL that listens on a unix socket only, in a temporary directory.

    :param logs: directory of its log
    :param durable: wait for the disk as a real one does; a test machine does not lose its power
    """

    def __init__(self, logs: Path, *, durable: bool = False) -> None:
        self._address = logs / "postgres.address"
        program = Path(__file__).with_name("run_postgres.py")
        super().__init__(
            "postgres",
            [sys.executable, str(program), str(self._address), "on" if durable else "off"],
            logs=logs,
            ready=self._address.exists,
        )

    @property
    def uri(self) -> str:
        """The address of its database ``postgres`` for libpq and SQLAlchemy, once it is ready."""
        return self._address.read_text()

    @property
    def socket_folder(self) -> str:
        """The directory of its socket, which clients take as host."""
        return parse_qs(urlsplit(self.uri).query)["host"][0]

    def connection(self) -> str:
        """Return the value of a variable ``AIRFLOW_CONN_...``."""
        address = {"host": self.socket_folder, "login": "postgres", "schema": "postgres"}
        return json.dumps({"conn_type": "postgres", **address})

    def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Execute one statement in a transaction of its own and return the rows, if it has any."""
        with (
            closing(psycopg2.connect(self.uri)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Start without waiting, with an empty database."""
        self._address.unlink(missing_ok=True)
        super().start()

    def stop(self) -> None:
        """End the server, and remove the directory that one killed after its grace leaves."""
        super().stop()
        if self._address.exists():
            directory = Path(self.socket_folder).parent
            if directory.name.startswith("voiso-postgres-"):
                shutil.rmtree(directory, ignore_errors=True)
