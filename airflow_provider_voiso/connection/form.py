"""The fields of a Voiso connection, defined once for every form in which an Airflow release wants them.

Airflow 3.2 and later read :func:`conn_fields` and :func:`declared_field_behaviour` out of the provider info;
earlier releases call methods of the hook, which return :func:`form_widgets` and :func:`ui_field_behaviour`.
Nothing here imports Airflow: the provider info is read before Airflow is ready.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

CONNECTION_TYPE = "voiso"
HIDDEN_FIELDS = ["login", "port", "schema"]
RELABELING = {"host": "Cluster or host", "password": "API key"}
PLACEHOLDERS = {"host": "cc-ams03, voiso.example.com or https://voiso.example.com:8443"}


@dataclass(frozen=True, slots=True)
class ExtraField:
    """One named value in a connection's extra.

    :param name: its key in the extra
    :param type: its JSON type; text that spells a number is accepted for a number
    :param default: what an absent, null or empty value means; None stands for "no such setting"
    :param minimum: smallest number allowed, None for text
    :param maximum: largest number allowed, None for text
    """

    name: str
    type: Literal["string", "integer", "number"]
    label: str
    description: str
    default: str | float | None = None
    minimum: float | None = None
    maximum: float | None = None

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema by which the form of Airflow 3.2 and later shows and checks the field."""
        schema: dict[str, Any] = {"type": [self.type, "null"]}
        for keyword in ("default", "minimum", "maximum"):
            if (value := getattr(self, keyword)) is not None:
                schema[keyword] = value
        return schema


EXTRA_FIELDS = (
    ExtraField(
        name="timezone",
        type="string",
        label="Time zone of the API",
        description="Clock in which the API reads start_datetime and end_datetime: auto to find it out, or an "
        "IANA name such as UTC or Europe/Berlin. Either is proved by a record.",
        default="auto",
    ),
    ExtraField(
        name="longest_interaction",
        type="number",
        label="Longest interaction in hours",
        description="Needed only if an export says that the API selects interactions by their start.",
        minimum=0,
        maximum=8784,
    ),
    ExtraField(
        name="per_page",
        type="integer",
        label="Records per page",
        description="Records to ask for per answer, 1 to 10000.",
        default=10_000,
        minimum=1,
        maximum=10_000,
    ),
    ExtraField(
        name="timeout",
        type="number",
        label="Timeout in seconds",
        description="Seconds within which a whole answer must have arrived.",
        default=60,
        minimum=0.1,
        maximum=3600,
    ),
    ExtraField(
        name="max_retries",
        type="integer",
        label="Retries per request",
        description="How often a request is sent again after 5xx or a transport error; four times as often after 429.",
        default=5,
        minimum=0,
        maximum=100,
    ),
    ExtraField(
        name="max_connections",
        type="integer",
        label="Parallel requests",
        description="Requests of one task that may be in flight at once.",
        default=1,
        minimum=1,
        maximum=64,
    ),
    ExtraField(
        name="requests_per_second",
        type="number",
        label="Requests per second",
        description="Upper bound for one task; empty for no bound.",
        minimum=0.001,
        maximum=1000,
    ),
    ExtraField(
        name="verify",
        type="string",
        label="Verify the certificate",
        description="true, false, or the path of a CA bundle that exists on every worker.",
        default="true",
    ),
)


def conn_fields() -> dict[str, Any]:
    """Return the extra fields as ``conn-fields`` of the provider info (Airflow 3.2 and later)."""
    return {
        field.name: {"label": field.label, "description": field.description, "schema": field.json_schema()}
        for field in EXTRA_FIELDS
    }


def declared_field_behaviour() -> dict[str, Any]:
    """Return the ``ui-field-behaviour`` of the provider info (Airflow 3.2 and later)."""
    return {key.replace("_", "-"): value for key, value in ui_field_behaviour().items()}


def ui_field_behaviour() -> dict[str, Any]:
    """Return what the hook's ``get_ui_field_behaviour`` must return (before Airflow 3.2)."""
    return {
        "hidden_fields": list(HIDDEN_FIELDS),
        "relabeling": dict(RELABELING),
        "placeholders": dict(PLACEHOLDERS),
    }


def form_widgets() -> dict[str, Any]:
    """Return what the hook's ``get_connection_form_widgets`` must return (before Airflow 3.2).

    That form knows no field for fractions, so these are text there; their range is checked when the
    connection is used.
    """
    from flask_appbuilder.fieldwidgets import BS3TextFieldWidget  # noqa: PLC0415
    from flask_babel import lazy_gettext  # noqa: PLC0415
    from wtforms import IntegerField, StringField  # noqa: PLC0415
    from wtforms.validators import NumberRange, Optional  # noqa: PLC0415

    widgets: dict[str, Any] = {}
    for field in EXTRA_FIELDS:
        whole = field.type == "integer"
        validators = [Optional()]
        if whole:
            validators.append(NumberRange(min=field.minimum, max=field.maximum))
        widgets[field.name] = (IntegerField if whole else StringField)(
            lazy_gettext(field.label),
            validators=validators,
            description=field.description,
            default=field.default if whole or field.default is None else str(field.default),
            widget=BS3TextFieldWidget(),
        )
    return widgets
