"""The store of a task's state, which Airflow has from 3.3 on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class TaskState(Protocol):
    """JSON values that outlive the process and the try of a task, also a cleared run's."""

    def get(self, key: str) -> Any:
        """Return what was set, or None."""

    def set(self, key: str, value: Any) -> None:
        """Keep a value."""

    def delete(self, key: str) -> None:
        """Forget a value; there need not be one."""


def task_state(context: Mapping[str, Any]) -> TaskState | None:
    """Return the store of the task that runs, or None before Airflow 3.3."""
    store: TaskState | None = context.get("task_state_store")
    return store
