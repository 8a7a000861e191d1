"""A real MariaDB for the tests, if its programs are installed."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from demo.process import LOOPBACK, Server, free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROGRAMS = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/libexec"])
_NEEDED = ("mariadb-install-db", "mariadbd")


def missing() -> str | None:
    """Return why there is no MariaDB here, or None if there is one."""
    for program in _NEEDED:
        if not _found(program):
            return f"{program} is not installed (Debian: apt-get install mariadb-server)"
    return None


def _found(program: str) -> str:
    return shutil.which(program, path=_PROGRAMS) or ""


@contextmanager
def mariadb() -> Iterator[int]:
    """Run a server with the user root, without a password, and give its port on the loopback interface."""
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="mariadb-") as name:
        directory = Path(name)
        data, temporary = directory / "data", directory / "tmp"
        data.mkdir()
        temporary.mkdir()
        # A server that starts removes the temporary tables of all others from their common directory.
        options = ["--no-defaults", f"--datadir={data}", f"--tmpdir={temporary}"]
        if os.getuid() == 0:
            directory.chmod(0o755)
            account = pwd.getpwnam("mysql")
            for path in (data, temporary):
                os.chown(path, account.pw_uid, account.pw_gid)
            options += ["--user=mysql"]
        install, serve = ([_found(program), *options] for program in _NEEDED)
        install += ["--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(install, check=True, capture_output=True)
        serve += [f"--bind-address={LOOPBACK}", f"--port={port}", f"--socket={data}/s", f"--pid-file={data}/pid"]
        # A test machine does not lose its power; waiting for its disk would be most of the time.
        serve += ["--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--default-time-zone=+05:30"]
        with Server("mariadb", serve, logs=directory, ready=lambda: _greets(port)):
            yield port


def _greets(port: int) -> bool:
    with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=2) as connection:
        return bool(connection.recv(1))
    return False
