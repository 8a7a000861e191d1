from __future__ import annotations

import json
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest
from airflow import __version__ as airflow_version

from airflow_provider_voiso.connection.form import EXTRA_FIELDS

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    AirflowCli = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.usefixtures("installed")
draws_form = pytest.mark.skipif(
    airflow_version.startswith(("3.0.", "3.1.")) and find_spec("flask_appbuilder") is None,
    reason="this Airflow draws the form in the API server only",
)


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    log, bracket, table = done.stdout.rpartition("[{")
    assert not [line for line in (done.stderr + log).splitlines() if "voiso" in line.lower()]
    return list(json.loads(bracket + table))


def test_airflow_knows_the_provider(airflow_cli: AirflowCli) -> None:
    (provider,) = rows(
        airflow_cli("providers", "get", "airflow-provider-voiso", "--output", "json")
    )
    assert provider["Provider"] == "airflow-provider-voiso"


def test_airflow_imports_the_hook(airflow_cli: AirflowCli) -> None:
    (hook,) = (
        row
        for row in rows(airflow_cli("providers", "hooks", "--output", "json"))
        if row["connection_type"] == "voiso"
    )
    assert hook["class"] == "airflow_provider_voiso.hooks.voiso.VoisoHook"
    assert hook["conn_id_attribute_name"] == "voiso_conn_id"
    assert hook["hook_name"] == "Voiso"


@draws_form
def test_airflow_reads_every_form_field(airflow_cli: AirflowCli) -> None:
    widgets = rows(airflow_cli("providers", "widgets", "--output", "json"))
    names = {row["connection_parameter_name"] for row in widgets if "VoisoHook" in row["class"]}
    assert names == {f"extra__voiso__{field.name}" for field in EXTRA_FIELDS}


@draws_form
def test_airflow_reads_form_behaviour(airflow_cli: AirflowCli) -> None:
    behaviours = rows(airflow_cli("providers", "behaviours", "--output", "json"))
    assert "voiso" in {row["field_behaviours"] for row in behaviours}
