"""A worker that runs tasks of ``killed_exports`` one at a time, in processes that can be killed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from linecache import getline
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tests.servers.process import PartError, clean_environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from typing_extensions import Self

ROOT = Path(__file__).parents[2]
DAGS = Path(__file__).with_name("dags")
Signal = Literal["SIGTERM", "SIGKILL"]
SIGNALS: tuple[Signal, ...] = ("SIGTERM", "SIGKILL")

_FRAME = re.compile(r'  File "(.*)", line (\d+) in (.*)')
_S3_CALL = re.compile(r"\bclient\.([a-z]+_[a-z_]+)\(")
_PACKAGE = "airflow_provider_voiso/"
# The first entry that matches any frame names the task's activity.
_PHASES = (
    ("destinations/sql/", "fill", "loading rows"),
    ("destinations/sql/", "connect|begin|create_stage", "beginning the transaction"),
    ("destinations/sql/", "lock", "locking the table"),
    (
        "destinations/sql/",
        "look|describe|_inspect|lock_table|create|create_keys",
        "looking at the table",
    ),
    ("destinations/sql/", "execute|holds_each_uuid_once", "deleting, inserting and counting"),
    ("destinations/sql/", "run|_append|_merge|_apply", "between two statements"),
    ("destinations/files", ".*", "writing the file"),
    ("operators/cdr_to_s3.py", "write", "waiting for the upload"),
    ("api/client.py", "_calibrated", "proving the clock"),
    ("api/spool.py", "add", "spooling a page"),
    ("api/", ".*", "reading pages"),
)


@dataclass(frozen=True)
class Run:
    """What became of one run of a task.

    :param states: the states that the supervisor told Airflow, such as ``success`` or
        ``up_for_retry``
    :param seconds: how long it took
    :param seconds_to_end: the same, from the signal on; None if the task ended before it could be
        sent
    :param escalated: whether it had to be killed because it did not end upon SIGTERM
    :param stack: what the main thread was doing when the signal was sent
    :param temp_files: what is left in the task's own TMPDIR
    """

    exit_code: int
    states: list[str]
    seconds: float
    seconds_to_end: float | None
    escalated: bool
    stack: str
    log: str
    temp_files: list[str]

    @property
    def hit(self) -> bool:
        """Whether a signal ended the run."""
        return self.seconds_to_end is not None and self.states != ["success"]

    def phase(self) -> str:
        """Say what the task was doing when the signal was sent."""
        frames = [(found[1], int(found[2]), found[3]) for found in _FRAME.finditer(self.stack)]
        s3 = [
            getline(file, line)
            for file, line, _ in frames
            if "/s3transfer/" in file or "/destinations/stores/" in file
        ]
        calls = [call for line in s3 for call in _S3_CALL.findall(line)]
        if calls:
            return str(calls[0])
        if any("/providers/amazon/" in file for file, _, _ in frames):
            return "connecting to S3"
        ours = [
            (file.rpartition(_PACKAGE)[2], line, name)
            for file, line, name in frames
            if _PACKAGE in file
        ]
        for part, names, phase in _PHASES:
            if any(file.startswith(part) and re.fullmatch(names, name) for file, _, name in ours):
                return phase
        if ours and ours[0][2] in {"load_window", "_load", "in_session"}:
            code = getline(str(ROOT / _PACKAGE / ours[0][0]), ours[0][1])
            return "committing" if "commit" in code else "connecting and closing"
        return f"{ours[0][0]}: {ours[0][2]}" if ours else "before and after the export"


class Worker:
    """Airflow's supervisor in a process of its own, ready to fork tasks.

    :param home: AIRFLOW_HOME; the log is in it
    :param connections: values of ``AIRFLOW_CONN_...`` by connection id
    """

    def __init__(self, home: Path, connections: Mapping[str, str]) -> None:
        self.home = home
        self.home.mkdir(parents=True)
        env = clean_environment(
            {
                "AIRFLOW_HOME": str(home),
                "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "PYTHONPATH": os.pathsep.join(
                    filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))
                ),
                **{f"AIRFLOW_CONN_{name.upper()}": value for name, value in connections.items()},
            }
        )
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.kills.supervisor"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=env,
                text=True,
            )

    @property
    def _log(self) -> Path:
        return self.home / "supervisor.log"

    def run(self, task_id: str, signal: Signal | None = None, after: float = 0.0) -> Run:
        """Run a task until it ends by itself or by a signal.

        :param after: seconds after which the signal is sent
        """
        assert self._process.stdin
        assert self._process.stdout
        with tempfile.TemporaryDirectory(dir=self.home) as directory:
            order = {"task_id": task_id, "tmpdir": directory, "signal": signal, "after": after}
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
            if not answer:
                raise PartError(f"The supervisor died:\n{self._log.read_text()[-3000:]}")
            return Run(
                **json.loads(answer), temp_files=[path.name for path in Path(directory).iterdir()]
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate(timeout=120)
