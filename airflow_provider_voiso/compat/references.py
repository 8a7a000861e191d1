"""Arguments that Airflow replaces when a task runs; their base class has another home in each release."""

from __future__ import annotations

from typing import Any


def is_reference(value: Any) -> bool:
    """Return whether Airflow resolves a value when the task runs, as it does an XComArg or a DAG's param.

    Told by its methods, which all releases share.
    """
    return hasattr(value, "iter_references") or hasattr(value, "resolve")
