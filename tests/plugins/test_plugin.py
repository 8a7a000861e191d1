from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from airflow_provider_voiso.compat import pages
from airflow_provider_voiso.plugins.coverage import VoisoCoveragePlugin

NEW_MODULES = """
import sys
import airflow.plugins_manager
before = set(sys.modules)
import airflow_provider_voiso.plugins.coverage
print(*sorted(set(sys.modules) - before))
"""


def test_older_airflow_gets_nothing() -> None:
    added = [
        *getattr(VoisoCoveragePlugin, "fastapi_apps", ()),
        *getattr(VoisoCoveragePlugin, "external_views", ()),
    ]

    assert bool(added) == pages.has_pages()


@pytest.mark.parametrize(
    ("version", "has_pages"),
    [("2.11.0", False), ("3.0.6", False), ("3.1.0", True), ("3.10.0b1", True), ("4.0.0", True)],
)
def test_pages_since_3_1(version: str, has_pages: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "__version__", version)

    assert pages.has_pages() == has_pages


def test_airflow_finds_the_plugin() -> None:
    found = entry_points(group="airflow.plugins", name="voiso_coverage")
    if not found:
        pytest.skip("the package is not installed in this environment (pip install -e .)")

    assert [entry.load() for entry in found] == [VoisoCoveragePlugin]


def test_plugin_imports_nothing_else() -> None:
    done = subprocess.run(
        [sys.executable, "-c", NEW_MODULES], check=True, capture_output=True, text=True
    )

    modules = done.stdout.splitlines()[-1].split()
    assert "airflow_provider_voiso.plugins.coverage" in modules
    assert [name for name in modules if not name.startswith("airflow_provider_voiso")] == []
