"""Links on a task's page: Airflow 3 makes them on the worker, Airflow 2 in the webserver."""

from __future__ import annotations

from airflow import __version__


def are_made_on_the_worker() -> bool:
    """Tell whether the links of a task are made where it ran, from the operator that ran."""
    return not __version__.startswith("2.")
