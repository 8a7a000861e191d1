"""The end of a deferral by its timeout, which each release words in another way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUTS = ("Trigger timeout", "Trigger/execution timeout")
"""The error of Airflow 3, and of Airflow 2."""


def has_timed_out(next_method: str, next_kwargs: Mapping[str, Any] | None) -> bool:
    """Return whether Airflow resumes a task because the timeout of its deferral is over.

    :param next_method: as ``resume_execution`` gets it; ``__fail__`` if the trigger fired nothing
    :param next_kwargs: likewise
    """
    return next_method == "__fail__" and (next_kwargs or {}).get("error") in _TIMEOUTS
