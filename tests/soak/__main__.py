"""Run both soaks at full length and write docs/soak.md: ``python -m tests.soak --help``."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

import airflow

from tests.servers.postgres import Postgres
from tests.servers.process import PartError
from tests.servers.s3 import SeaweedS3
from tests.soak.backfill import Backfill, backfill
from tests.soak.load import HERD, Load, load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.soak.exports import Export

DOCUMENT = Path(__file__).parents[2] / "docs" / "soak.md"
START = "<!-- result of make soak -->\n"
END = "<!-- end of the result -->\n"
MIB = 1 << 20


def main() -> int:
    """Run, tell and write."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument(
        "--exports", type=int, default=32, help="exports at once (default: %(default)s)"
    )
    parser.add_argument(
        "--requests-per-second",
        type=float,
        default=8,
        help="that the API allows (default: %(default)s)",
    )
    parser.add_argument(
        "--days", type=int, default=30, help="days of the backfill (default: %(default)s)"
    )
    parser.add_argument(
        "--records-per-day", type=int, default=20_000, help="of the backfill (default: %(default)s)"
    )
    parser.add_argument("--write", action="store_true", help="write the result to docs/soak.md")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="voiso-soak-") as directory,
        SeaweedS3(Path(directory) / "s3") as s3,
        Postgres(Path(directory) / "postgres") as postgres,
    ):
        loaded = load(
            Path(directory) / "load",
            s3,
            exports=asked.exports,
            records_per_day=3_000,
            requests_per_second=asked.requests_per_second,
        )
        text = render_load(loaded, asked.requests_per_second)
        print(text, flush=True)
        started = time.monotonic()
        filled = backfill(
            Path(directory) / "backfill",
            s3,
            sql=postgres.connection(),
            execute=postgres.execute,
            count=asked.days,
            records_per_day=asked.records_per_day,
        )
        text += "\n" + render_backfill(filled, asked.records_per_day, time.monotonic() - started)
    machine = f"{os.cpu_count()} cores ({platform.system()} {platform.machine()})"
    text = (
        f"{datetime.now(timezone.utc):%Y-%m-%d}, Airflow {airflow.__version__}, Python "
        f"{platform.python_version()}, "
        f"{machine}.\n\n{text}"
    )
    print(text)
    if asked.write:
        before, _, rest = DOCUMENT.read_text().partition(START)
        DOCUMENT.write_text(before + START + text + END + rest.partition(END)[2])
    good = loaded.equal == asked.exports and filled.equal_in_s3 == filled.equal_in_sql == asked.days
    return 0 if good else 1


def render_load(found: Load, rate: float) -> str:
    """Return the result of the exports at once as Markdown."""
    pauses = [pause for export in found.exports for pause in export.pauses]
    return _table(
        f"{len(found.exports)} exports at once, {rate:g} requests a second allowed",
        {
            "exports that failed": sum(export.error is not None for export in found.exports),
            "days equal to Voiso's, line by line": found.equal,
            "requests answered": found.answered,
            "requests refused (429)": found.refused,
            "seconds, and as many as the limit alone "
            "needs": f"{found.seconds:.0f}, {found.answered / rate:.0f}",
            "shortest and longest pause after a refusal (`Retry-After: "
            "1`)": f"{min(pauses)} s, {max(pauses)} s",
            f"most requests within {HERD:g} s, after the first second": found.together,
        },
    )


def render_backfill(found: Backfill, records_per_day: int, seconds: float) -> str:
    """Return the result of the backfill as Markdown."""
    exports = found.exports
    # The first days are for what is imported and set up once.
    first, last = exports[4:10], exports[-6:]

    def flat(what: str, unit: int = 1) -> str:
        return f"{_mean(first, what) / unit:.0f}, {_mean(last, what) / unit:.0f}"

    return _table(
        f"{len(exports) // 2} days of {records_per_day} records to S3 and PostgreSQL in one "
        "process",
        {
            "exports that failed": sum(export.error is not None for export in exports),
            "days equal to Voiso's in S3, line by line": found.equal_in_s3,
            "days equal to Voiso's in PostgreSQL, value by value": found.equal_in_sql,
            "minutes, comparison included": f"{seconds / 60:.1f}",
            "memory in MiB, days 3 to 5 and the last three": flat("rss", MIB),
            "most memory so far in MiB, likewise": flat("peak", MIB),
            "open files, likewise": flat("files"),
            "threads, likewise": flat("threads"),
            "files left in the temporary directory": len(
                {name for export in exports for name in export.temp_files}
            ),
        },
    )


def _mean(exports: Sequence[Export], what: str) -> float:
    values: list[int] = [getattr(export, what) for export in exports]
    return mean(values)


def _table(title: str, facts: dict[str, object]) -> str:
    rows = "".join(f"| {name} | {value} |\n" for name, value in facts.items())
    return f"| {title} | |\n|---|---|\n{rows}"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PartError as error:
        sys.exit(str(error))
