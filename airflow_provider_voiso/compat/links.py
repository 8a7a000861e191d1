"""Links on a task's page: Airflow 3 makes them on the worker, Airflow 2 in the webserver."""

from __future__ import annotations

from airflow import __version__


def worker_makes_links() -> bool:
    """Tell whether the links of a task are made where it ran, from the operator that ran."""
    return not __version__.startswith("2.")
