"""The store of a task's state, available since Airflow 3.3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class TaskState(Protocol):
    """JSON values that outlive the process and the try of a task, also a cleared run's."""

    def get(self, key: str) -> Any:
        """Return the stored text, or None."""

    def set(self, key: str, value: Any) -> None:
        """Keep a value."""

    def delete(self, key: str) -> None:
        """Forget a value; there need not be one."""


def task_state(context: Mapping[str, Any]) -> TaskState | None:
    """Return the store of the running task, or None before Airflow 3.3."""
    store: TaskState | None = context.get("task_state_store")
    return store
