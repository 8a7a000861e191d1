"""The hostname of the task instances of a worker, as several workers share this machine."""

from __future__ import annotations

import os
import socket


def worker_name() -> str:
    """Return the name of the worker that this process belongs to, or the machine's."""
    return os.environ.get("DEMO_WORKER") or socket.gethostname()
