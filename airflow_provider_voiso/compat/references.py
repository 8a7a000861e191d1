"""Arguments that Airflow resolves when a task runs; their base class moves between releases."""

from __future__ import annotations

from typing import Any


def is_reference(value: Any) -> bool:
    """Return whether Airflow resolves a value when the task runs, such as an XComArg.

    A reference is recognised by its methods, which all releases share.
    """
    return hasattr(value, "iter_references") or hasattr(value, "resolve")


def is_from_mapped_group(value: Any) -> bool:
    """Return whether a reference leads to a task of a mapped group, which has a value for each."""
    if not hasattr(value, "iter_references"):
        return False
    sources = [operator for operator, _ in value.iter_references()]
    return any(source.get_closest_mapped_task_group() for source in sources)
