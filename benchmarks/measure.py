"""Runs one contestant in a fresh process and measures it.

It imports nothing that a contestant does not.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class SkipError(Exception):
    """This contestant cannot run here; the message says why."""


@dataclass(frozen=True)
class Task:
    """One export to run.

    :param contestant: ``module:function``; the function imports what it needs and returns the
        export to be timed
    :param url: the API
    :param start: the first instant of the window, in UTC, ISO 8601
    :param end: the first instant behind it, likewise
    :param key: of the API
    :param per_page: records to ask for per answer
    :param bucket: of S3
    :param prefix: of the object keys
    :param file_format: of the objects
    :param compression: of the objects, as the package names it
    :param table: in SQL
    :param address: of the database, as its driver wants it
    :param ready: file of the data that a floor loads
    :param preload: modules to import before the export
    """

    contestant: str
    url: str
    start: str
    end: str
    key: str = "bench-key"
    per_page: int = 10_000
    bucket: str = ""
    prefix: str = ""
    file_format: str = "ndjson"
    compression: str | None = "auto"
    table: str = ""
    address: dict[str, Any] = field(default_factory=dict)
    ready: str = ""
    preload: list[str] = field(default_factory=list)

    @property
    def params(self) -> dict[str, str]:
        """The request parameters for the window, without paging."""
        last = datetime.fromisoformat(self.end) - timedelta(seconds=1)
        return {
            "key": self.key,
            "start_datetime": self.start[:19],
            "end_datetime": last.isoformat()[:19],
        }


@dataclass(frozen=True)
class Measurement:
    """The time and the memory that an export took.

    :param seconds: wall time of the export alone
    :param cpu: seconds of the processor in this process and its children, for the export alone
    :param peak_mb: highest resident memory of the whole process, in units of 1,000,000 bytes
    :param import_seconds: seconds before the export: imports, and reading ready-made data
    :param late_imports: modules that only the export itself imported
    :param told: numbers that the export returned
    :param skipped: the reason if it cannot run here, else empty
    """

    seconds: float = 0
    cpu: float = 0
    peak_mb: float = 0
    import_seconds: float = 0
    late_imports: list[str] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)
    skipped: str = ""


def peak_rss() -> int:
    """Return the highest resident memory of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not ru_maxrss: it also counts the parent's memory from before this program was loaded.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def measure(task: Task) -> Measurement:
    """Prepare and run one contestant."""
    module, _, name = task.contestant.partition(":")
    began = time.perf_counter()
    try:
        export: Callable[[], dict[str, Any]] = getattr(
            importlib.import_module(f"benchmarks.{module}"), name
        )(task)
    except (ImportError, SkipError) as reason:
        return Measurement(skipped=str(reason))
    for late in task.preload:
        with suppress(ImportError):  # some exist within others only
            importlib.import_module(late)
    loaded = set(sys.modules)
    started, cpu = time.perf_counter(), _cpu()
    told = export()
    seconds, cpu = time.perf_counter() - started, _cpu() - cpu
    return Measurement(
        seconds, cpu, peak_rss() / 1e6, started - began, sorted(set(sys.modules) - loaded), told
    )


def main() -> None:
    """Run the :class:`Task` of argument 1, and write the measurement to the file of argument 2."""
    Path(sys.argv[2]).write_text(json.dumps(asdict(measure(Task(**json.loads(sys.argv[1]))))))
