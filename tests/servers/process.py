"""Servers as processes: start, wait until ready, and a sure end."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import requests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

T = TypeVar("T")

LOOPBACK = "127.0.0.1"
LEASH = Path(__file__).with_name("leash.py")


def ports_of(worker: str, workers: int) -> range:
    """Return the ports from which one worker of pytest-xdist chooses, and no other one.

    Seconds pass between the choice of a port and its use, in which another worker would find it
    free.

    :param worker: its name, such as ``gw1``
    :param workers: their number
    """
    # Below the range from which Linux and macOS take the ports of outgoing connections, so that no
    # client grabs one either. The partner ports of SeaweedFS, 10000 higher, stay below it too.
    size = 10_000 // workers
    first = 10_100 + size * int(worker.removeprefix("gw"))
    return range(first, first + size)


PORTS = ports_of(
    os.environ.get("PYTEST_XDIST_WORKER", "gw0"),
    int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")),
)


class PartError(RuntimeError):
    """A part of the stack did not start, died, or did not do what was expected."""


class PartTimeoutError(PartError):
    """A condition did not become true in time."""


def program(name: str, hint: str = "install requirements-dev.txt") -> str:
    """Return the path of a program that a package put beside this Python, else on the PATH."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise PartError(f"The program {name} is missing: {hint}.")
    return found


def is_free(port: int) -> bool:
    """Tell whether nothing listens on this port of the loopback interface."""
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def free_ports(count: int, partners: Sequence[int] = ()) -> list[int]:
    """Return distinct ports on which nothing listens.

    :param count: number of ports
    :param partners: distances of further ports that must be free beside each, and no port or
        partner of another, such as 10000 for SeaweedFS
    :raises PartError: if fewer are free
    """
    chosen: list[int] = []
    in_use: set[int] = set()
    for port in random.sample(PORTS, len(PORTS)):
        if len(chosen) == count:
            break
        needed = {port, *(port + distance for distance in partners)}
        if in_use.isdisjoint(needed) and all(map(is_free, needed)):
            chosen.append(port)
            in_use |= needed
    if len(chosen) < count:
        raise PartError(
            f"Fewer than {count} ports between {PORTS[0]} and {PORTS[-1]} are free on {LOOPBACK}."
        )
    return chosen


def local_session() -> requests.Session:
    """Return an HTTP session without the environment's proxy and certificates."""
    session = requests.Session()
    session.trust_env = False
    return session


def answers(url: str) -> bool:
    """Tell whether a GET of this URL is answered with a 2xx status within two seconds."""
    with local_session() as session, suppress(requests.RequestException):
        return session.get(url, timeout=2).ok
    return False


def wait_for(
    what: str,
    check: Callable[[], T | None],
    *,
    timeout: float,
    alive: Callable[[], None] = lambda: None,
    interval: float = 0.1,
) -> T:
    """Poll until ``check`` returns something true, and return that.

    :param what: the condition, named in the error
    :param timeout: seconds after which to give up
    :param alive: called before each check; raises when waiting has become pointless
    :param interval: seconds between two checks
    :raises PartTimeoutError: after the timeout
    """
    deadline = time.monotonic() + timeout
    while True:
        alive()
        if result := check():
            return result
        if time.monotonic() > deadline:
            raise PartTimeoutError(f"Waited {timeout:g} seconds in vain for {what}.")
        time.sleep(interval)


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the user's Airflow and AWS settings, plus ``extra``."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AIRFLOW", "AWS_"))
    }
    loopback = ",".join(
        filter(None, (kept.get("NO_PROXY", kept.get("no_proxy")), LOOPBACK, "localhost"))
    )
    return {**kept, "NO_PROXY": loopback, "no_proxy": loopback, "PYTHONUNBUFFERED": "1", **extra}


def run_to_exit(main: Callable[[], int]) -> NoReturn:
    """Run a program and exit with its code; SIGTERM and Ctrl-C also end its servers."""

    def terminate(*_: object) -> NoReturn:
        sys.exit(143)

    signal.signal(signal.SIGTERM, terminate)
    try:
        sys.exit(main())
    except PartError as error:
        sys.exit(f"Failed: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


class Server:
    """One server as a context manager; it ends with the block, and also when this process dies.

    :param name: for messages and for the log's file name
    :param command: program and arguments
    :param logs: directory of the log file, made if missing
    :param ready: tells whether the server can be used
    :param env: the whole environment, as from :func:`clean_environment`
    :param stop_signal: sent to the server's process group first
    :param grace: seconds between that signal and SIGKILL
    :param timeout: seconds within which it must become ready
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        logs: Path,
        ready: Callable[[], bool],
        env: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        grace: float = 15,
        timeout: float = 300,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.log = logs / f"{name}.log"
        self.ready = ready
        self.env = env if env is not None else clean_environment({})
        self.stop_signal = stop_signal
        self.grace = grace
        self.timeout = timeout
        self._leash: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start without waiting; a second start after :meth:`stop` continues the same log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        leash = [sys.executable, str(LEASH), str(int(self.stop_signal)), str(self.grace)]
        with self.log.open("ab") as log:
            self._leash = subprocess.Popen(
                [*leash, *self.command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=self.env,
                start_new_session=True,
            )

    def check_alive(self) -> None:
        """Raise a PartError with the end of the log if the server is not running."""
        if self._leash is None:
            raise PartError(f"{self.name} was not started.")
        if (code := self._leash.poll()) is not None:
            raise PartError(f"{self.name} ended with exit code {code}. {self.log_tail()}")

    def wait_ready(self) -> None:
        """Wait until the server can be used.

        :raises PartError: with the end of its log, if it dies or is too slow
        """
        try:
            wait_for(
                f"{self.name} to be ready", self.ready, timeout=self.timeout, alive=self.check_alive
            )
        except PartTimeoutError as error:
            raise PartTimeoutError(f"{error} {self.log_tail()}") from error

    def let_go(self) -> None:
        """Tell the server to end, without waiting for it."""
        if self._leash is not None and self._leash.stdin is not None:
            self._leash.stdin.close()

    def stop(self) -> None:
        """End the server and everything it started; returns when all of it is gone."""
        self.let_go()
        if self._leash is None:
            return
        try:
            self._leash.wait(self.grace + 30)
        except subprocess.TimeoutExpired:
            raise PartTimeoutError(
                f"{self.name} does not end: look at the children of {self._leash.pid}."
            ) from None
        self._leash = None

    def log_tail(self, lines: int = 25) -> str:
        """Return the end of the log with its path, for an error message."""
        text = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join([f"The end of {self.log}:", *text[-lines:]])

    def __enter__(self) -> Self:
        try:
            self.start()
            self.wait_ready()
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
