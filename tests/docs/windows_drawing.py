"""Draw docs/pictures/windows.svg from the windows that real Airflows were seen to have.

``python -m tests.docs.windows_drawing`` writes it.
"""

from __future__ import annotations

from datetime import datetime
from html import escape
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.run.cases import CASES, DATED, SCHEDULED, Case

DRAWING = Path(__file__).parents[2] / "docs" / "pictures" / "windows.svg"
ZONE = ZoneInfo("Europe/Berlin")
ROWS = (
    ("@daily, Airflow 3", "3.0", "cron", SCHEDULED),
    ("@daily, Airflow 2.11", "2.11", "cron", SCHEDULED),
    ("@daily, by hand at 10:17", "3.0", "cron", DATED),
    ("CronDataIntervalTimetable", "3.0", "cron_interval", SCHEDULED),
    ("CronPartitionTimetable", "3.2", "partition", SCHEDULED),
    ("06:00, interval of a day", "3.0", "cron_trigger_interval", SCHEDULED),
    ("06:00 and 18:00", "3.0", "two_crons", SCHEDULED),
    ("timedelta(days=1)", "3.0", "delta", SCHEDULED),
)
"""Label, and the first Airflow, the schedule and the run of its case."""

FIRST, LAST = "2025-03-29 15:00", "2025-03-31 15:00"
MIDNIGHTS = ("2025-03-30 00:00", "2025-03-31 00:00")
LEFT, WIDTH, TOP, ROW = 200, 760, 64, 30


def draw() -> str:
    """Return the drawing as SVG."""
    height = TOP + ROW * len(ROWS) + 16
    size = f'viewBox="0 0 {WIDTH} {height}"'
    font = 'font-family="sans-serif" font-size="13" fill="#222"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        _legend(),
    ]
    for midnight in MIDNIGHTS:
        x = _x(midnight)
        parts += [
            f'<line x1="{x}" x2="{x}" y1="{TOP - 14}" y2="{height - 8}" stroke="#bbb"/>',
            f'<text x="{x}" y="{TOP - 20}" text-anchor="middle">{midnight[5:]}</text>',
        ]
    for number, (label, since, schedule, run) in enumerate(ROWS):
        case = _case(since, schedule, run)
        parts.append(_row(label, case, TOP + ROW * number))
    return "\n".join([*parts, "</svg>", ""])


def _legend() -> str:
    return (
        '<rect x="8" y="8" width="26" height="12" rx="3" fill="#4f8fc0"/>'
        '<text x="40" y="19">window that is exported</text>'
        '<circle cx="216" cy="14" r="6" fill="#d9480f"/>'
        '<text x="228" y="19">date of the run (logical date or partition date)</text>'
    )


def _row(label: str, case: Case, y: int) -> str:
    date = case.partition_date or case.logical_date
    assert date is not None
    start, end = (_x(bound) for bound in case.window)
    return (
        f'<text x="8" y="{y + 13}">{escape(label)}</text>'
        f'<rect x="{start}" y="{y}" width="{end - start:.1f}" height="18" rx="4" fill="#4f8fc0"/>'
        f'<circle cx="{_x(date)}" cy="{y + 9}" r="6" fill="#d9480f"/>'
    )


def _case(since: str, schedule: str, run: str) -> Case:
    """Return the last such case, whose window is shown."""
    return [
        case for case in CASES if (case.since, case.schedule, case.run) == (since, schedule, run)
    ][-1]


def _x(wall_clock: str) -> float:
    """Return where an instant stands, in proportion to the time that passes."""
    first, last, instant = (
        datetime.fromisoformat(text).replace(tzinfo=ZONE).timestamp()
        for text in (FIRST, LAST, wall_clock)
    )
    return round(LEFT + (WIDTH - LEFT - 10) * (instant - first) / (last - first), 1)


if __name__ == "__main__":
    DRAWING.parent.mkdir(exist_ok=True)
    DRAWING.write_text(draw())
