"""The request filters of the vendor's parameter table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.exceptions import VoisoConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

FILTERS = frozenset(
    {
        "agent_ids", "campaign_ids", "cli", "deleted_agent_ids", "destination_name", "dialing_time_from",
        "dialing_time_to", "disposition", "duration_from", "duration_to", "end_reason", "event", "first_seen",
        "hold_time_from", "hold_time_to", "ivr_time_from", "ivr_time_to", "lead_source", "number", "queue_ids",
        "queue_time_from", "queue_time_to", "related_call_uuid", "talk_time_from", "talk_time_to", "team_ids",
        "type", "uuid", "wildcard_cli", "wildcard_number", "wrapup_codes",
    }
)  # fmt: skip
RESERVED = frozenset(
    {"key", "page", "per_page", "search_token", "start_date", "end_date", "start_datetime", "end_datetime"}
)


def check_filter_names(filters: Mapping[str, Any]) -> None:
    """Refuse names that the API does not document and names that the package sets itself.

    :raises VoisoConfigurationError: naming the first such name and the way out
    """
    for name in filters:
        if name in RESERVED:
            raise VoisoConfigurationError(
                f"The filter {name!r} is set by the package itself: the connection gives the key and the page "
                "size, the window gives the dates."
            )
        if name not in FILTERS:
            raise VoisoConfigurationError(f"Unknown filter {name!r}. The API knows: {', '.join(sorted(FILTERS))}.")


def filter_params(filters: Mapping[str, Any] | None) -> dict[str, str]:
    """Turn filters into request parameters; lists and tuples become comma lists.

    :raises VoisoConfigurationError: for an unknown or reserved name, and for a value that would select nothing or
        everything by accident: None, a boolean, an empty text or list, a list item that holds a comma
    """
    filters = filters or {}
    check_filter_names(filters)
    return {name: _value(name, value) for name, value in filters.items()}


def _value(name: str, value: Any) -> str:
    if isinstance(value, (set, frozenset)):
        value = sorted(value, key=str)
    if isinstance(value, (list, tuple)):
        items = [_value(name, item) for item in value]
        if any("," in item for item in items):
            raise VoisoConfigurationError(
                f"An item of the filter {name!r} holds a comma, which the API reads as two items."
            )
        text = ",".join(items)
    elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
        text = str(value)
    else:
        raise VoisoConfigurationError(
            f"The filter {name!r} is a {type(value).__name__}; it must be a text, a number or a list of those."
        )
    if not text.strip():
        raise VoisoConfigurationError(f"The filter {name!r} is empty. Leave it out to select everything.")
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise VoisoConfigurationError(f"The filter {name!r} holds half a surrogate pair, which no request can carry.")
    return text
