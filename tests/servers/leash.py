"""Run one command that ends, with all its descendants, when its holder lets go or dies.

The holder keeps the write end of this process's standard input. When that closes, for whatever
reason, the command gets its stop signal, and what is left of its session after the grace period is
killed.

Usage: ``python leash.py SIGNAL GRACE_SECONDS COMMAND...``
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

import psutil


def kill_session(session: int) -> None:
    """Kill every process of a session, also those that left the group of their parent."""
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == session:
                os.kill(pid, signal.SIGKILL)


def main() -> int:
    """Start the command in its own session and return its exit code once nothing of it is left."""
    stop_signal, grace = signal.Signals(int(sys.argv[1])), float(sys.argv[2])
    command = subprocess.Popen(sys.argv[3:], stdin=subprocess.DEVNULL, start_new_session=True)

    def stop_when_let_go() -> None:
        # os.read is unbuffered, so the interpreter can exit while this thread still reads.
        while os.read(sys.stdin.fileno(), 1024):
            pass
        with suppress(ProcessLookupError):
            os.killpg(command.pid, stop_signal)
        with suppress(subprocess.TimeoutExpired):
            command.wait(grace)
        kill_session(command.pid)

    threading.Thread(target=stop_when_let_go, daemon=True).start()
    code = command.wait()
    kill_session(command.pid)
    return code


if __name__ == "__main__":
    sys.exit(main())
