from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import airflow
import pytest
from jsonschema import Draft7Validator

from airflow_provider_voiso.api.settings import Settings
from airflow_provider_voiso.compat.forms import (
    conn_fields,
    declared_field_behaviour,
    form_widgets,
)
from airflow_provider_voiso.connection.form import EXTRA_FIELDS, field_behaviour
from airflow_provider_voiso.provider_info import get_provider_info

AIRFLOW = Path(airflow.__file__).parent


def modules_named(section: str) -> list[str]:
    return [module for group in get_provider_info()[section] for module in group["python-modules"]]


def test_provider_info_follows_schema() -> None:
    schema = json.loads((AIRFLOW / "provider_info.schema.json").read_text())
    assert not [error.message for error in Draft7Validator(schema).iter_errors(get_provider_info())]


def test_field_behaviour_follows_schema() -> None:
    schema = json.loads((AIRFLOW / "customized_form_field_behaviours.schema.json").read_text())
    assert not [error.message for error in Draft7Validator(schema).iter_errors(field_behaviour())]


def test_provider_info_needs_no_airflow() -> None:
    program = (
        "import sys; from airflow_provider_voiso.provider_info import get_provider_info; "
        "get_provider_info();"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'airflow', 'wtforms', "
        "'requests'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("section", ["hooks", "operators", "sensors"])
def test_provider_info_names_existing_modules(section: str) -> None:
    for name in modules_named(section):
        assert import_module(name).__name__ == name


def test_connection_type_matches_hook() -> None:
    (declared,) = get_provider_info()["connection-types"]
    module, _, name = declared["hook-class-name"].rpartition(".")
    hook = getattr(import_module(module), name)
    assert (hook.conn_type, hook.hook_name) == (declared["connection-type"], declared["hook-name"])


def test_every_setting_is_a_field() -> None:
    assert {field.name for field in EXTRA_FIELDS} == {field.name for field in fields(Settings)} - {
        "base_url",
        "key",
    }


def test_schema_of_each_field_kind() -> None:
    declared = conn_fields(EXTRA_FIELDS)

    assert declared["per_page"] == {
        "label": "Records per page",
        "description": "Records to ask for per answer, 1 to 10000.",
        "schema": {"type": ["integer", "null"], "default": 10_000, "minimum": 1, "maximum": 10_000},
    }
    assert declared["timeout"]["schema"] == {
        "type": ["number", "null"], "default": 60, "minimum": 0.1, "maximum": 3600
    }  # fmt: skip
    assert declared["requests_per_second"]["schema"] == {
        "type": ["number", "null"],
        "minimum": 0.001,
        "maximum": 1000,
    }
    assert declared["verify"]["schema"] == {"type": ["string", "null"], "default": "true"}
    assert declared["timezone"]["schema"] == {"type": ["string", "null"], "default": "auto"}
    assert all(field["label"] and field["description"] for field in declared.values())


def test_schema_accepts_default_and_null() -> None:
    for name, declared in conn_fields(EXTRA_FIELDS).items():
        validator = Draft7Validator(declared["schema"])
        assert validator.is_valid(declared["schema"].get("default")), name
        assert validator.is_valid(None), name


def test_declared_behaviour_matches_hook() -> None:
    assert declared_field_behaviour(field_behaviour()) == {
        "hidden-fields": ["login", "port", "schema"],
        "relabeling": field_behaviour()["relabeling"],
        "placeholders": field_behaviour()["placeholders"],
    }
    assert set(field_behaviour()["relabeling"].items()) >= {("password", "API key")}


def bind(form: dict[str, str]) -> Any:
    for module in ("flask_appbuilder", "flask_babel"):
        pytest.importorskip(module, reason="Airflow 3 draws its own form")
    multi_dict = import_module("werkzeug.datastructures").MultiDict
    return type("VoisoForm", (import_module("wtforms").Form,), form_widgets(EXTRA_FIELDS))(
        multi_dict(form)
    )


def test_widgets_are_the_declared_fields() -> None:
    form = bind({})
    for name, declared in conn_fields(EXTRA_FIELDS).items():
        field, schema = form[name], declared["schema"]
        assert str(field.label.text) == declared["label"]
        assert field.description == declared["description"]
        assert (field.type == "IntegerField") == ("integer" in schema["type"])
        assert str(field.default) == str(schema.get("default"))
    assert {field.name for field in form} == set(conn_fields(EXTRA_FIELDS))


@pytest.mark.parametrize(
    ("name", "text", "valid"),
    [
        ("per_page", "10000", True),
        ("per_page", "10001", False),
        ("per_page", "", True),
        ("per_page", "many", False),
        ("max_retries", "0", True),
        ("max_connections", "0", False),
        ("timeout", "2.5", True),
        ("timezone", "", True),
    ],
)
def test_widgets_check_what_is_typed(name: str, text: str, valid: bool) -> None:
    form = bind({name: text})
    assert form[name].validate(form) is valid
