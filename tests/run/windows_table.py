"""The tables of docs/windows.md; ``python -m tests.run.windows_table`` writes them."""

from __future__ import annotations

import ast
import re
from datetime import datetime
from pathlib import Path

from tests.run.cases import CASES, YESTERDAY, Case
from tests.run.seen_runs import instant

DOCUMENT = Path(__file__).parents[2] / "docs" / "windows.md"
DAGS = Path(__file__).parent / "dags" / "kinds_of_runs.py"
TABLE = re.compile(r"(<!-- runs since Airflow (\S+) -->\n).*?(<!-- end of runs -->\n)", re.DOTALL)
HEADER = """\
| schedule | run | Airflow stores | window | rule |
|---|---|---|---|---|
"""


def render(document: str) -> str:
    """Return the document with its tables replaced by those of the cases."""
    return TABLE.sub(lambda found: f"{found[1]}{HEADER}{_rows(found[2])}{found[3]}", document)


def _rows(since: str) -> str:
    written = _schedules()
    cases = [case for case in CASES if case.since == since]
    lines = []
    for before, case in zip([None, *cases], cases, strict=False):
        schedule = (
            ""
            if before and written[before.schedule] == written[case.schedule]
            else f"`{written[case.schedule]}`"
        )
        lines.append(
            f"| {schedule} | {case.run} | {_stored(case)} | {_window(case)} | {_rule(case)} |\n"
        )
    return "".join(lines)


def _schedules() -> dict[str, str]:
    """Return the schedule of each DAG, by its id, as it is written in the DAG file."""
    calls = [node for node in ast.walk(ast.parse(DAGS.read_text())) if isinstance(node, ast.Call)]
    return {
        str(call.args[0].value): ast.unparse(call.args[1]).replace("'", '"')
        for call in calls
        if isinstance(call.func, ast.Name)
        and call.func.id == "show"
        and isinstance(call.args[0], ast.Constant)
    }


def _stored(case: Case) -> str:
    facts = []
    if case.partition_key:
        facts.append(f"partition key `{case.partition_key}`")
    if case.partition_date:
        facts.append(f"partition date {case.partition_date}")
    if case.logical_date:
        facts.append(f"logical date {case.logical_date}")
    if case.interval:
        start, end = case.interval
        width = (
            "of zero width"
            if start == end
            else "as the window"
            if case.interval == case.window
            else "other"
        )
        facts.append(f"interval {start} to {end}" if width == "other" else f"interval {width}")
    if case.run_after:
        facts.append(f"only `run_after`: {case.run_after}")
    if case.arguments:
        facts.append("arguments given")
    return ", ".join(facts)


def _window(case: Case) -> str:
    if isinstance(case.window, str):
        return f"error: … {case.window} …"
    start, end = case.window
    if case.window == YESTERDAY:
        return f"{start} to {end}"
    length = datetime.fromisoformat(instant(end)) - datetime.fromisoformat(instant(start))
    return f"{start} to {end}: {length.total_seconds() / 3600:g} h"


def _rule(case: Case) -> int:
    if isinstance(case.window, str):
        return 5
    if case.arguments:
        return 1
    if case.partition_date or case.partition_key:
        return 2
    return 3 if case.interval and case.interval[0] != case.interval[1] else 4


if __name__ == "__main__":
    DOCUMENT.write_text(render(DOCUMENT.read_text()))
