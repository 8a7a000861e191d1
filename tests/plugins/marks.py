"""Marks of tests that need the coverage page; they share one Airflow."""

from __future__ import annotations

from importlib.metadata import entry_points

import airflow
import pytest

from airflow_provider_voiso.compat.pages import has_pages

needs_page = [
    pytest.mark.skipif(not has_pages(), reason="pages of plugins came with Airflow 3.1"),
    pytest.mark.skipif(
        not entry_points(group="airflow.plugins", name="voiso_coverage"),
        reason="the package is not installed in this environment (pip install -e .)",
    ),
    pytest.mark.whole_airflow,
    pytest.mark.xdist_group("coverage"),
]
HAS_PARTITIONS = not airflow.__version__.startswith(("2.", "3.0.", "3.1."))
needs_partitions = pytest.mark.skipif(not HAS_PARTITIONS, reason="partitions came with Airflow 3.2")
