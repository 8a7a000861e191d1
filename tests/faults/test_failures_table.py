from __future__ import annotations

from airflow_provider_voiso import exceptions
from airflow_provider_voiso.api.retry import LONGEST_WAIT
from tests.faults.failures_table import BODIES, DOCUMENT, NEVER_RAISED, _causes, render


def test_documented_failures_match_code() -> None:
    document = DOCUMENT.read_text()
    assert render(document) == document, "Run: make docs"
    assert f"never more than {LONGEST_WAIT:g} s." in " ".join(document.split())
    for name, value in vars(exceptions).items():
        if name.startswith("Voiso"):
            assert document.count(f"`{name}` |") == (value not in NEVER_RAISED)


def test_every_cause_is_judged() -> None:
    causes = [cause for found in _causes().values() for cause in found]
    assert all(sum(body in cause for cause in causes) >= 1 for body in BODIES)
