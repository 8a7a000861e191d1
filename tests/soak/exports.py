"""Exports under load and over a long time, and a look at what they wrote."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.servers.process import PartError, clean_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[2]
FIRST_DAY = datetime(2026, 3, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)
S3_KEY = "soak/{window_start:%Y-%m-%d}.{extension}"


@dataclass(frozen=True)
class Export:
    """What came of one export, and what its process held afterwards.

    :param pauses: seconds that it waited after each answer with status 429
    :param rss: bytes of memory
    :param peak: bytes of memory at most, so far
    :param files: open file descriptors
    :param temp_files: what is in its TMPDIR
    """

    manifest: dict[str, Any] | None
    error: str | None
    pauses: list[float]
    rss: int
    peak: int
    files: int
    threads: int
    temp_files: list[str]


def days(count: int) -> list[tuple[datetime, datetime]]:
    """Return the windows of days in a row."""
    return [(FIRST_DAY + DAY * number, FIRST_DAY + DAY * (number + 1)) for number in range(count)]


def order(kind: str, window: tuple[datetime, datetime], **options: Any) -> dict[str, Any]:
    """Return the order of one export."""
    start, end = window
    return {"kind": kind, "start": start.isoformat(), "end": end.isoformat(), "options": options}


def run(
    home: Path, connections: Mapping[str, str], orders: Sequence[dict[str, Any]], *, together: bool
) -> list[Export]:
    """Run exports in parallel processes, or in sequence in one process."""
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home) as tmpdir:
        env = clean_environment(
            {
                "AIRFLOW_HOME": str(home / "airflow"),
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "PYTHONPATH": os.pathsep.join(
                    filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))
                ),
                "TMPDIR": tmpdir,
                **{f"AIRFLOW_CONN_{name.upper()}": value for name, value in connections.items()},
            }
        )
        log = home / "exporter.log"
        with log.open("a") as errors:
            done = subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "tests.soak.exporter",
                    *(["--together"] if together else []),
                ],
                input=json.dumps(orders),
                stdout=subprocess.PIPE,
                stderr=errors,
                env=env,
                text=True,
                check=False,
            )
        if done.returncode:
            raise PartError(f"The exporter failed:\n{log.read_text()[-3000:]}")
        return [Export(**json.loads(line)) for line in done.stdout.splitlines()]


def s3_lines(client: Any, bucket: str, window: tuple[datetime, datetime]) -> list[bytes]:
    """Return the lines of a day's object."""
    key = f"soak/{window[0]:%Y-%m-%d}.ndjson.gz"
    body = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    return gzip.decompress(body).split(b"\n")[:-1]
