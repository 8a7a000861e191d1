"""A real MariaDB, if its programs are installed."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.servers.process import LOOPBACK, PartError, Server, free_ports

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROGRAMS = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/libexec"])
_INSTALL, _SERVE = "mariadb-install-db", "mariadbd"


def missing() -> str | None:
    """Return why there is no MariaDB here, or None if there is one."""
    for program in (_INSTALL, _SERVE):
        if not _found(program):
            return f"{program} is not installed (Debian: apt-get install mariadb-server)"
    return None


def _found(program: str) -> str:
    return shutil.which(program, path=_PROGRAMS) or ""


class Mariadb(Server):
    """A server in a temporary directory: user root, no password, a zone that is not UTC.

    :param durable: wait for the disk as a real one does; a test machine does not lose its power
    """

    def __init__(self, *, durable: bool = False) -> None:
        if reason := missing():
            raise PartError(reason)
        self.port = free_ports(1)[0]
        self._folder = tempfile.TemporaryDirectory(prefix="mariadb-")
        home = Path(self._folder.name)
        self._data = home / "data"
        self.temporary = home / "tmp"
        """A directory to which the server can write files that others read."""
        # A server that starts removes the temporary tables of all others from their common
        # directory.
        options = ["--no-defaults", f"--datadir={self._data}", f"--tmpdir={self.temporary}"]
        if os.getuid() == 0:
            options.append("--user=mysql")
        self._install = [
            _found(_INSTALL), *options, "--auth-root-authentication-method=normal", "--skip-test-db"
        ]  # fmt: skip
        serve = [
            _found(_SERVE),
            *options,
            f"--bind-address={LOOPBACK}",
            f"--port={self.port}",
            f"--socket={self._data}/s",
            f"--pid-file={self._data}/pid",
            "--skip-log-bin",
            "--default-time-zone=+05:30",
        ]
        if not durable:
            serve.append("--innodb-flush-log-at-trx-commit=0")
        super().__init__("mariadb", serve, logs=home, ready=self._greets)

    def start(self) -> None:
        """Make an empty database and start without waiting."""
        if not self._data.exists():
            self._make_directories()
            subprocess.run(self._install, check=True, capture_output=True)
        super().start()

    def _make_directories(self) -> None:
        for path in (self._data, self.temporary):
            path.mkdir()
        if os.getuid() == 0:
            Path(self._folder.name).chmod(0o755)
            account = pwd.getpwnam("mysql")
            for path in (self._data, self.temporary):
                os.chown(path, account.pw_uid, account.pw_gid)

    def stop(self) -> None:
        """End the server and remove its files."""
        super().stop()
        self._folder.cleanup()

    def connection(self, database: str = "") -> str:
        """Return the value of a variable ``AIRFLOW_CONN_...``."""
        address = {"host": LOOPBACK, "port": self.port, "login": "root", "schema": database}
        extra = {"client": "mysql-connector-python"}
        return json.dumps({"conn_type": "mysql", **address, "extra": extra})

    def execute(
        self, statement: str, *parameters: Any, database: str = ""
    ) -> list[tuple[Any, ...]]:
        """Execute one statement in a transaction of its own and return the rows, if it has any."""
        import mysql.connector  # noqa: PLC0415 - not installed everywhere

        address = {
            "host": LOOPBACK,
            "port": self.port,
            "user": "root",
            "database": database or None,
        }
        with (
            closing(mysql.connector.connect(**address)) as connection,
            closing(connection.cursor()) as cursor,
        ):
            cursor.execute(statement, parameters)
            found: Sequence[Any] = cursor.fetchall() if cursor.description else []
            connection.commit()
        return [tuple(row) for row in found]

    def create_database(self, name: str) -> None:
        """Create an empty database for texts of any language."""
        self.execute(f"CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4")

    def _greets(self) -> bool:
        with (
            suppress(OSError),
            socket.create_connection((LOOPBACK, self.port), timeout=2) as connection,
        ):
            return bool(connection.recv(1))
        return False
