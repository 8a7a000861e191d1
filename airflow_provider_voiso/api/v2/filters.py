"""The request filters of the vendor's parameter table."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_voiso.exceptions import VoisoConfigurationError

FILTERS = frozenset(
    {
        "agent_ids", "campaign_ids", "cli", "deleted_agent_ids", "destination_name",
        "dialing_time_from", "dialing_time_to", "disposition", "duration_from", "duration_to",
        "end_reason", "event", "first_seen", "hold_time_from", "hold_time_to", "ivr_time_from",
        "ivr_time_to", "lead_source", "number", "queue_ids", "queue_time_from", "queue_time_to",
        "related_call_uuid", "talk_time_from", "talk_time_to", "team_ids", "type", "uuid",
        "wildcard_cli", "wildcard_number", "wrapup_codes",
    }
)  # fmt: skip
RESERVED = frozenset(
    {
        "key",
        "page",
        "per_page",
        "search_token",
        "start_date",
        "end_date",
        "start_datetime",
        "end_datetime",
    }
)
_NOTHING = frozenset({"None", "null", "True", "False"})
"""None and booleans as a template renders them; the API itself takes ``true`` and ``false``."""
_CONTAINER = re.compile(
    r"\[.*\]|\{.*\}"  # a list; a dict or a set
    r"|\((?:.*,.*)?\)"  # a tuple, which has a comma or nothing: a source may be named "(not set)"
    r"|(?:set|frozenset|deque|range|dict_\w+|Lazy\w+)\(.*\)"
    r"|<.* at 0x[0-9a-fA-F]+>",  # a generator, or any other object
    re.DOTALL,
)
_TEMPLATE = re.compile(r"\{\{|\{%|\{#")
_HINT = (
    "give an XComArg, such as the output of a @task, or set render_template_as_native_obj=True on "
    "the DAG"
)


def check_filter_names(filters: Mapping[str, Any]) -> None:
    """Refuse names that the API does not document and names that the package sets itself.

    :raises VoisoConfigurationError: names the first such filter
    """
    for name in filters:
        if name in RESERVED:
            raise VoisoConfigurationError(
                f"The filter {name!r} is set by the package itself: the connection gives the key "
                "and the page size, the window gives the dates."
            )
        if name not in FILTERS:
            raise VoisoConfigurationError(
                f"Unknown filter {name!r}. The API knows: {', '.join(sorted(FILTERS))}."
            )


def filter_params(filters: Mapping[str, Any] | None) -> dict[str, str]:
    """Turn filters into request parameters; lists and other sequences become comma lists.

    A value that would select nothing or everything by accident is refused: None, a boolean, an
    empty text or list, a list item with a comma, and a text that :func:`is_rendered`.

    :raises VoisoConfigurationError: for filters that are no dict, an unknown or reserved name, or
        such a value; the message never holds the value
    """
    if filters is None:
        return {}
    _check_mapping(filters)
    check_filter_names(filters)
    return {name: _value(name, value) for name, value in filters.items()}


def _check_mapping(filters: object) -> None:
    if isinstance(filters, str):
        raise VoisoConfigurationError(
            "The filters are a text, not a dict. If a template made them, it rendered the dict to "
            f"text: {_HINT}."
        )
    if not isinstance(filters, Mapping):
        raise VoisoConfigurationError(
            f"The filters must be a dict or None, not {type(filters).__name__}."
        )


def is_rendered(text: str) -> bool:
    """Return whether a text looks like a value that a template rendered to text.

    Such texts are a list, dict, set or tuple as Python or JSON writes it, the ``repr`` of any other
    object, and None, True, False or null, alone or in a comma list. Only the spelling is looked at,
    so a lead source that is really named ``None`` or ``[x]`` cannot be selected. That is better
    than taking a rendered list for a name, finding nothing, and replacing a window's rows with
    nothing.
    """
    text = text.strip()
    if _CONTAINER.fullmatch(text):
        return True
    items = [item.strip() for item in text.split(",")]
    return not _NOTHING.isdisjoint(items)


def _value(name: str, value: Any) -> str:
    if isinstance(value, (set, frozenset)):
        value = sorted(value, key=str)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
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
            f"The filter {name!r} is a {type(value).__name__}; it must be a text, a number or a "
            "list of those."
        )
    _check_text(name, text)
    if isinstance(value, float) and not math.isfinite(value):
        raise VoisoConfigurationError(f"The filter {name!r} is not a finite number.")
    return text


def _check_text(name: str, text: str) -> None:
    if not text.replace(",", "").strip():
        raise VoisoConfigurationError(
            f"The filter {name!r} is empty. Leave it out to select everything."
        )
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise VoisoConfigurationError(
            f"The filter {name!r} holds half a surrogate pair, which no request can carry."
        )
    if _TEMPLATE.search(text):
        raise VoisoConfigurationError(
            f"The filter {name!r} holds Jinja that was not rendered. Give it in the templated "
            "argument itself, not in a value that a template or an XCom brings."
        )
    if is_rendered(text):
        raise VoisoConfigurationError(
            f"The filter {name!r} looks like a list, a dict, None or a boolean that a template "
            "rendered to text, which would select nothing. For a list use the filter join(',') of "
            f"Jinja, {_HINT}."
        )
