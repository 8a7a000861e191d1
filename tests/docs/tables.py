"""The tables that docs/ shows of the code; ``python -m tests.docs.tables`` writes them.

Fields of the connection, filters, and the manifest.
"""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_voiso.api.v2.filters import FILTERS
from airflow_provider_voiso.connection.form import EXTRA_FIELDS
from airflow_provider_voiso.report.manifest import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_voiso.connection.form import ExtraField

DOCS = Path(__file__).parents[2] / "docs"


def connection_fields() -> str:
    """Return the table of the fields in a connection's extra, as the form shows them."""
    rows = [
        f"| {field.label} | `{field.name}` | {field.description} | {_default(field)} | "
        f"{_bounds(field)} |"
        for field in EXTRA_FIELDS
    ]
    header = ["| field | in the extra | meaning | default | allowed |", "|---|---|---|---|---|"]
    return "\n".join([*header, *rows])


def _default(field: ExtraField) -> str:
    return "none" if field.default is None else f"`{field.default}`"


def _bounds(field: ExtraField) -> str:
    if field.minimum is None or field.maximum is None:
        return ""
    return f"{field.minimum:g} to {field.maximum:g}"


def filters() -> str:
    """Return the names of all filters, in a sentence."""
    return f"Known are {', '.join(f'`{name}`' for name in sorted(FILTERS))}."


def manifest() -> str:
    """Return the table of the manifest's values, from its docstring."""
    docstring = " ".join((Manifest.__doc__ or "").split())
    meanings = dict(re.findall(r":param (\w+): (.*?)(?= :param|$)", docstring))
    rows = [
        f"| `{field.name}` | {meanings[field.name].replace('``', '`')} |"
        for field in fields(Manifest)
    ]
    return "\n".join(["| value | meaning |", "|---|---|", *rows])


TABLES: dict[str, tuple[str, Callable[[], str]]] = {
    "connection.md": ("fields", connection_fields),
    "arguments.md": ("filters", filters),
    "monitoring.md": ("manifest", manifest),
}
"""Name of the mark and what stands behind it, by page."""


def render(page: str, document: str) -> str:
    """Return the text of a page with what is generated in it replaced."""
    name, content = TABLES[page]
    begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
    head, found, rest = document.partition(begin)
    assert found, f"{page} has no {begin}"
    _, found, tail = rest.rpartition(end.lstrip())
    assert found, f"{page} has no {end}"
    return f"{head}{begin}{content()}{end}{tail}"


if __name__ == "__main__":
    for page in TABLES:
        path = DOCS / page
        path.write_text(render(page, path.read_text()))
