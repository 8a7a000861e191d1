"""The fields of a Voiso connection.

Those of its extra are made from :class:`~airflow_provider_voiso.api.settings.Settings`, which says
what each may hold. Nothing here imports Airflow: the provider info is read before Airflow is ready.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_type_hints

import msgspec

from airflow_provider_voiso.api.settings import Settings

CONNECTION_TYPE = "voiso"


@dataclass(frozen=True, slots=True)
class ExtraField:
    """One named value in a connection's extra.

    :param name: its key in the extra
    :param hint: its type in the settings, with bounds
    :param type: its JSON type; text that spells a number is accepted for a number
    :param default: value that an absent, null or empty one stands for, or None
    :param minimum: smallest number allowed, None for text
    :param maximum: largest number allowed, None for text
    """

    name: str
    hint: Any
    type: Literal["string", "integer", "number"]
    label: str
    description: str
    default: str | float | None
    minimum: float | None
    maximum: float | None

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema for the form of Airflow 3.2 and later."""
        schema: dict[str, Any] = {"type": [self.type, "null"]}
        for keyword in ("default", "minimum", "maximum"):
            value = getattr(self, keyword)
            if value is not None:
                schema[keyword] = value
        return schema


def _extra_fields() -> tuple[ExtraField, ...]:
    hints = get_type_hints(Settings, include_extras=True)
    declared = msgspec.json.schema(Settings)["$defs"][Settings.__name__]["properties"]
    fields = [_extra_field(name, hints[name], schema) for name, schema in declared.items()]
    return tuple(field for field in fields if field.label)


def _extra_field(name: str, hint: Any, schema: dict[str, Any]) -> ExtraField:
    alternatives = schema.get("anyOf", [schema])
    # The form shows "true, false or a path" as text, and "a number or nothing" as a number.
    shown = next((each for each in alternatives if each["type"] == "string"), alternatives[0])
    default = schema.get("default")
    return ExtraField(
        name=name,
        hint=hint,
        type=shown["type"],
        label={**shown, **schema}.get("title", ""),
        description={**shown, **schema}.get("description", ""),
        default=str(default).lower() if isinstance(default, bool) else default,
        minimum=shown.get("minimum"),
        maximum=shown.get("maximum"),
    )


EXTRA_FIELDS = _extra_fields()


def field_behaviour() -> dict[str, Any]:
    """Return which of the common fields the form hides, and its labels for the others."""
    return {
        "hidden_fields": ["login", "port", "schema"],
        "relabeling": {"host": "Cluster or host", "password": "API key"},
        "placeholders": {"host": "cc-ams03, voiso.example.com or https://voiso.example.com:8443"},
    }
