from __future__ import annotations

from tests.run.windows_table import DOCUMENT, TABLE, render


def test_documented_windows_match_cases() -> None:
    document = DOCUMENT.read_text()
    assert [found[2] for found in TABLE.finditer(document)] == ["3.0", "3.2", "2.11"]
    assert render(document) == document, "Run: make docs"
