from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from airflow import __version__ as airflow_version
from airflow.providers.common.compat.sdk import Connection

from airflow_provider_voiso.api.settings import Settings
from airflow_provider_voiso.compat.forms import conn_fields
from airflow_provider_voiso.connection.form import EXTRA_FIELDS, field_behaviour
from airflow_provider_voiso.connection.settings import settings_from_connection
from tests.browser.pages import open_connection_form, show_extra_fields

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from tests.servers.airflow import AirflowApiServer

KEY = "a387aaf1f101fcfe284aaf61"

pytestmark = [
    pytest.mark.whole_airflow,
    pytest.mark.usefixtures("installed"),
    pytest.mark.skipif(
        tuple(map(int, airflow_version.split(".")[:2])) < (3, 2),
        reason="this Airflow reads the hook's own form",
    ),
]


@pytest.fixture
def api_server(tmp_path: Path) -> Iterator[AirflowApiServer]:
    from tests.servers.airflow import AirflowApiServer  # noqa: PLC0415 - not on Airflow 2

    with AirflowApiServer(tmp_path / "airflow", tmp_path / "dags") as server:
        yield server


def test_dialog_stores_what_hook_reads(
    browser: Browser, api_server: AirflowApiServer, tmp_path: Path
) -> None:
    page = browser.new_page(base_url=api_server.url)
    page.set_default_timeout(120_000)
    dialog = open_connection_form(page, "voiso_dialog")

    relabelled = field_behaviour()["relabeling"]
    dialog.get_by_label(relabelled["host"]).fill("cc-ams03")
    dialog.get_by_label(relabelled["password"]).fill(KEY)
    for hidden in ("Login", "Port", "Schema"):
        assert dialog.get_by_text(hidden, exact=True).count() == 0

    show_extra_fields(dialog)
    for name, declared in conn_fields(EXTRA_FIELDS).items():
        dialog.get_by_text(declared["label"], exact=True).wait_for(state="visible")
        shown = dialog.locator(f"[name=element_{name}]").input_value()
        assert shown == str(declared["schema"].get("default", ""))
    dialog.locator("[name=element_timezone]").fill("Europe/Berlin")
    dialog.locator("[name=element_timeout]").fill("2.5")
    dialog.locator("[name=element_max_retries]").fill("")
    dialog.locator("[name=element_requests_per_second]").fill("0.5")
    dialog.locator("[name=element_verify]").fill("false")
    page.get_by_role("button", name="Save").click()
    dialog.wait_for(state="hidden")

    stored = tmp_path / "connections.json"
    api_server.airflow("connections", "export", str(stored), "--file-format", "json")
    fields = json.loads(stored.read_text())["voiso_dialog"]
    assert settings_from_connection(Connection(conn_id="voiso_dialog", **fields)) == Settings(
        "https://cc-ams03.voiso.com",
        KEY,
        timezone="Europe/Berlin",
        timeout=2.5,
        requests_per_second=0.5,
        verify=False,
    )
