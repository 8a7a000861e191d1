"""What a server that ended may have left behind."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

from tests.servers.process import LOOPBACK

if TYPE_CHECKING:
    from pathlib import Path


def processes_naming(path: Path) -> list[str]:
    """Return the command lines of processes with this path in an argument or a variable."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            command = " ".join(process.cmdline())
            if str(path) in " ".join([command, *process.environ().values()]):
                found.append(command)
    return found


def listens(url: str) -> bool:
    with socket.socket() as client:
        return client.connect_ex((LOOPBACK, int(url.rpartition(":")[2]))) == 0
