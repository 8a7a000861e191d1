"""The connection's form, which each release wants in another shape.

Airflow 3.2 and later read :func:`conn_fields` and :func:`declared_field_behaviour` out of the
provider info; earlier releases call methods of the hook, which return :func:`form_widgets` and
:func:`ui_field_behaviour`.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_voiso.connection.form import EXTRA_FIELDS, HIDDEN_FIELDS, PLACEHOLDERS, RELABELING


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

    That form has no field for fractions, so these are text there; their range is checked when the
    connection is used.
    """
    from flask_appbuilder.fieldwidgets import BS3TextFieldWidget  # noqa: PLC0415 - only where the form is drawn
    from flask_babel import lazy_gettext  # noqa: PLC0415
    from wtforms import IntegerField, StringField  # noqa: PLC0415
    from wtforms.validators import NumberRange, Optional  # noqa: PLC0415

    widgets: dict[str, Any] = {}
    for field in EXTRA_FIELDS:
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
