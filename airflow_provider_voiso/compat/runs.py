"""The facts that Airflow stores with a run; releases pass them to a task in different ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def stored(context: Mapping[str, Any], name: str) -> Any:
    """Return a value stored with the run, such as ``logical_date`` or ``partition_date``.

    Airflow 2 has every date in the context. Airflow 3 omits the dates that the run lacks, and has
    ``run_after`` only on the run. Partitions exist since 3.2.

    :param context: the task's context; every key may be missing
    :return: the value, or None if the run has none of that name
    """
    return context.get(name) or getattr(context.get("dag_run"), name, None)


def run_id(context: Mapping[str, Any]) -> str:
    """Return the id of the run for a message."""
    return str(stored(context, "run_id") or "(unnamed)")
