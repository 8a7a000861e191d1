"""The connection's form, in the shape that each release reads.

Airflow 3.2 and later read :func:`conn_fields` and :func:`declared_field_behaviour` from the
provider info. Earlier releases call methods of the hook, which return :func:`form_widgets` and the
unchanged behaviour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class FormField(Protocol):
    """A field of the connection's extra."""

    @property
    def name(self) -> str:
        """Its key in the extra."""
        ...

    @property
    def label(self) -> str:
        """The text beside it."""
        ...

    @property
    def description(self) -> str:
        """The text below it."""
        ...

    @property
    def type(self) -> str:
        """Its JSON type."""
        ...

    @property
    def default(self) -> str | float | None:
        """The value that an empty one stands for, or None."""
        ...

    @property
    def minimum(self) -> float | None:
        """Smallest number allowed."""
        ...

    @property
    def maximum(self) -> float | None:
        """Largest number allowed."""
        ...

    def json_schema(self) -> dict[str, Any]:
        """Return its JSON schema."""
        ...


def conn_fields(fields: Iterable[FormField]) -> dict[str, Any]:
    """Return fields as ``conn-fields`` of the provider info (Airflow 3.2 and later)."""
    return {
        field.name: {
            "label": field.label,
            "description": field.description,
            "schema": field.json_schema(),
        }
        for field in fields
    }


def declared_field_behaviour(behaviour: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``ui-field-behaviour`` of the provider info (Airflow 3.2 and later)."""
    return {key.replace("_", "-"): value for key, value in behaviour.items()}


def form_widgets(fields: Iterable[FormField]) -> dict[str, Any]:
    """Return the widgets for the hook's ``get_connection_form_widgets`` (before Airflow 3.2).

    That form has no field for fractions, so they are text there, and their range is checked when
    the connection is used.
    """
    from flask_appbuilder.fieldwidgets import BS3TextFieldWidget  # noqa: PLC0415 - only where the form is drawn
    from flask_babel import lazy_gettext  # noqa: PLC0415
    from wtforms import IntegerField, StringField  # noqa: PLC0415
    from wtforms.validators import NumberRange, Optional  # noqa: PLC0415

    widgets: dict[str, Any] = {}
    for field in fields:
        is_whole = field.type == "integer"
        validators = [Optional()]
        if is_whole:
            validators.append(NumberRange(min=field.minimum, max=field.maximum))
        widgets[field.name] = (IntegerField if is_whole else StringField)(
            lazy_gettext(field.label),
            validators=validators,
            description=field.description,
            default=field.default if is_whole or field.default is None else str(field.default),
            widget=BS3TextFieldWidget(),
        )
    return widgets
