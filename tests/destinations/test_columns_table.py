from __future__ import annotations

from tests.destinations.columns_table import DOCUMENT, render


def test_columns_table_is_current() -> None:
    document = DOCUMENT.read_text()

    assert "| `duration_seconds` | integer | `duration` |" in document
    assert render(document) == document
