"""Filters as an argument of a task, while the DAG is parsed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_voiso.api.v2.filters import check_filter_names, filter_params
from airflow_provider_voiso.run.templates import is_rendered_later


def check_filters(filters: Any) -> None:
    """Check the literals among filters while the DAG is parsed.

    Values that Airflow replaces when the task runs are checked then, before the first request.

    :raises VoisoConfigurationError: for what is no dict, a wrong name, or a literal value that
        cannot be meant
    """
    if isinstance(filters, Mapping):
        check_filter_names(filters)
        filter_params(
            {name: value for name, value in filters.items() if not is_rendered_later(value)}
        )
    elif not is_rendered_later(filters):
        filter_params(filters)
