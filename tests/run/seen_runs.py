"""What the tasks of the DAG file saw of their runs, as cases."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, time, timedelta, timezone
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from tests.run.cases import (
    ASSET,
    BACKFILL,
    CASES,
    CLEARED,
    DATED,
    KEYED,
    NOW,
    RETRIED,
    SCHEDULED,
    TESTED,
    UNDATED,
    Case,
)

if TYPE_CHECKING:
    from pathlib import Path

BERLIN = ZoneInfo("Europe/Berlin")
KINDS = {
    "asset_triggered": ASSET,
    "backfill": BACKFILL,
    "dataset_triggered": ASSET,
    "manual": TESTED,
    "scheduled": SCHEDULED,
}
RUN_IDS = {"dated": DATED, "keyed": KEYED, "undated": UNDATED}
FAILS = "fails-"
ERRORS = [case.window for case in CASES if isinstance(case.window, str)]


def run_id(kind: str) -> str:
    """Return the id that identifies a triggered run of this kind."""
    base = kind.removesuffix(RETRIED)
    name = next(name for name, kind in RUN_IDS.items() if kind == base)
    return name if base == kind else FAILS + name


def instant(wall_clock: str) -> str:
    """Return an instant in ISO 8601, with its offset."""
    return datetime.fromisoformat(wall_clock).replace(tzinfo=BERLIN).isoformat()


class SeenRuns:
    """The file to which all tasks append.

    :param file: made by the first task
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def records(self) -> list[dict[str, Any]]:
        """Return one dict for each try of a task; its ``kind`` is that of a case."""
        found: list[dict[str, Any]] = []
        for record in map(
            json.loads, self.file.read_text().splitlines() if self.file.exists() else []
        ):
            # Not the number of the try: a machine that is too busy may cost one.
            again = any(
                (record["schedule"], record["run_id"]) == (run["schedule"], run["run_id"])
                for run in found
            )
            found.append({**record, "kind": _kind(record, again=again)})
        return found

    def kinds(self) -> Counter[tuple[str, str]]:
        """Return how many runs so far there are of each schedule and kind."""
        runs = {(record["schedule"], record["kind"], record["run_id"]) for record in self.records()}
        return Counter((schedule, kind) for schedule, kind, _ in runs)

    def run_to_clear(self, case: Case) -> str | None:
        """Return the id of the run that a case clears, once its task has run without a retry."""
        first = (case.schedule, case.run.removesuffix(CLEARED))
        runs = [
            record for record in self.records() if (record["schedule"], record["kind"]) == first
        ]
        ids: list[str] = [
            record["run_id"] for record in runs if not record["run_id"].startswith(FAILS)
        ]
        return ids[0] if ids else None

    def cases(self, airflow: tuple[int, int]) -> set[Case]:
        """Return the runs as cases of an Airflow version."""
        since = {(case.schedule, case.run): case.since for case in cases_of(airflow)}
        return {
            _case(record, since.get((record["schedule"], record["kind"]), ""))
            for record in self.records()
        }


def cases_of(airflow: tuple[int, int]) -> list[Case]:
    """Return the cases that an Airflow version has."""
    sinces = {"2.11"} if airflow < (3, 0) else {"3.0"} if airflow < (3, 2) else {"3.0", "3.2"}
    return [case for case in CASES if case.since in sinces]


def _kind(record: dict[str, Any], *, again: bool) -> str:
    known = RUN_IDS.get(record["run_id"].removeprefix(FAILS)) or KINDS[record["run_type"]]
    if not again:
        return known
    return known + (RETRIED if record["run_id"].startswith(FAILS) else CLEARED)


def _case(record: dict[str, Any], since: str) -> Case:
    anchor = datetime.fromisoformat(
        record["logical_date"] or record["run_after"] or "1970-01-01T00:00:00+00:00"
    )

    def shown(text: str | None) -> str | None:
        return None if text is None else _wall_clock(datetime.fromisoformat(text), anchor)

    def span(bounds: list[str] | None) -> tuple[str, str] | None:
        start, end = map(shown, bounds or (None, None))
        return (start, end) if start and end else None

    error = record.get("error", "")
    window = span(record.get("window")) or next(
        (known for known in ERRORS if known in error), error
    )
    dates = [shown(record[name]) for name in ("logical_date", "partition_date", "run_after")]
    return Case(
        since,
        record["schedule"],
        record["kind"],
        window,
        logical_date=dates[0],
        interval=span([record["data_interval_start"], record["data_interval_end"]]),
        partition_key=record["partition_key"],
        partition_date=dates[1],
        run_after=None if dates[0] or dates[1] else dates[2],
        arguments=record["schedule"] == "given",
    )


def _wall_clock(moment: datetime, anchor: datetime) -> str:
    """Return Berlin's wall clock, relative to the anchor unless the DAG file names the day."""
    local = moment.astimezone(BERLIN)
    if anchor > datetime(2026, 1, 1, tzinfo=timezone.utc):
        today = anchor.astimezone(BERLIN).date()
        for name, day in (("today", today), ("yesterday", today - timedelta(days=1))):
            if local == datetime.combine(day, time(), BERLIN):
                return f"{name} 00:00"
        if moment == anchor:
            return NOW
    return f"{local:%Y-%m-%d %H:%M:%S}".removesuffix(":00")
