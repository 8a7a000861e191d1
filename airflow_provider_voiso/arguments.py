"""Checks of arguments: a slip is reported when the DAG is parsed, by name, not by a traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.exceptions import VoisoConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence


def check_one_of(value: Any, name: str, known: Sequence[str]) -> None:
    """Refuse a value that is none of the known words.

    :raises VoisoConfigurationError: naming the words
    """
    if value not in known:
        *others, last = (repr(word) for word in known)
        raise VoisoConfigurationError(
            f"Unknown {name} {value!r}. Known are: {', '.join(others)} and {last}."
        )


def check_count(value: Any, name: str) -> None:
    """Refuse a value that is not a whole number from 0 on.

    :raises VoisoConfigurationError: if it is none
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise VoisoConfigurationError(f"{name} must be a whole number, not {type(value).__name__}.")
    if value < 0:
        raise VoisoConfigurationError(f"{name} must not be negative.")


def check_bool(value: Any, name: str) -> None:
    """Refuse a value that is no bool: the text ``"false"`` would count as true.

    :raises VoisoConfigurationError: if it is neither
    """
    if not isinstance(value, bool):
        raise VoisoConfigurationError(f"{name} must be True or False, not {type(value).__name__}.")


def check_text(value: Any, name: str) -> None:
    """Refuse a value that is no text.

    :raises VoisoConfigurationError: if it is none
    """
    if not isinstance(value, str):
        raise VoisoConfigurationError(f"{name} must be a text, not {type(value).__name__}.")
