"""Arguments whose value is known only when the task runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_voiso.compat.references import is_reference

JINJA = ("{{", "{%", "{#")
"""The beginnings of an expression, a statement and a comment."""


def is_rendered_later(value: Any) -> bool:
    """Return whether Airflow replaces a templated argument, or something in it, when the task runs.

    That is a text with Jinja in it, a reference such as an XComArg, or a callable; Airflow also
    looks into lists, tuples, sets and the values of dicts.
    """
    if isinstance(value, str):
        return any(mark in value for mark in JINJA)
    if isinstance(value, Mapping):
        return any(is_rendered_later(item) for item in value.values())
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(is_rendered_later(item) for item in value)
    return is_reference(value) or callable(value)
