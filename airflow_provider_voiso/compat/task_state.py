"""The store of a task's state, available since Airflow 3.3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class TaskState(Protocol):
    """Texts that outlive the process and the try of a task, also when its run is cleared."""

    def get(self, key: str) -> Any:
        """Return the stored text, or None."""

    def set(self, key: str, value: str) -> None:
        """Store a text."""

    def delete(self, key: str) -> None:
        """Delete a text, if there is one."""


def task_state(context: Mapping[str, Any]) -> TaskState | None:
    """Return the store of the running task, or None before Airflow 3.3."""
    store: TaskState | None = context.get("task_state_store")
    return store
