"""Render the table of docs/columns.md from the code; ``python -m
tests.destinations.columns_table`` writes it."""

from __future__ import annotations

import re
from pathlib import Path

from airflow_provider_voiso.destinations.columns import FIELDS

DOCUMENT = Path(__file__).parents[2] / "docs" / "columns.md"
TABLE = re.compile(r"(<!-- columns -->\n).*?(<!-- end of columns -->\n)", re.DOTALL)
HEADER = """\
| column | type | the API's field | meaning |
|---|---|---|---|
"""


def render(document: str) -> str:
    """Return the document with its table replaced."""
    rows = []
    for field in FIELDS:
        name = f"sla.{field.name}" if field.in_sla else field.name
        rows.append(f"| `{field.column}` | {field.kind.type} | `{name}` | {field.meaning} |\n")
    rows.append("| `extra` | json | | all other fields and values, as one JSON object |\n")
    return TABLE.sub(lambda found: f"{found[1]}{HEADER}{''.join(rows)}{found[2]}", document)


if __name__ == "__main__":
    DOCUMENT.write_text(render(DOCUMENT.read_text()))
