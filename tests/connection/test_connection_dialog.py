from __future__ import annotations

import json
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from airflow import __version__ as airflow_version
from airflow.providers.common.compat.sdk import Connection

from airflow_provider_voiso.api.settings import Settings
from airflow_provider_voiso.compat.forms import conn_fields
from airflow_provider_voiso.connection.form import EXTRA_FIELDS, field_behaviour
from airflow_provider_voiso.connection.settings import settings_from_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
KEY = "a387aaf1f101fcfe284aaf61"

pytestmark = [
    pytest.mark.usefixtures("installed"),
    pytest.mark.skipif(CHROMIUM is None, reason="neither chromium nor google-chrome is installed"),
    pytest.mark.skipif(
        tuple(map(int, airflow_version.split(".")[:2])) < (3, 2),
        reason="this Airflow reads the hook's own form",
    ),
]


@pytest.fixture
def api_server(
    airflow_environment: dict[str, str], airflow_cli: Callable[..., Any], tmp_path: Path
) -> Iterator[str]:
    airflow_cli("db", "migrate")
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = str(free.getsockname()[1])
    url = f"http://127.0.0.1:{port}"
    environment = {
        **airflow_environment,
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(64),
    }
    program = Path(sys.executable).with_name("airflow")
    log = tmp_path / "api-server.log"
    with log.open("w") as sink:
        server = subprocess.Popen(
            [str(program), "api-server", "--host", "127.0.0.1", "--port", port, "--workers", "1"],
            env=environment,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
        try:
            deadline = time.monotonic() + 300
            while not answers(url):
                with suppress(subprocess.TimeoutExpired):
                    server.wait(timeout=0.5)
                assert server.returncode is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
            yield url
        finally:
            server.terminate()
            server.wait(timeout=60)


def answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"{url}/api/v2/monitor/health", timeout=5):  # noqa: S310
        return True
    return False


@pytest.fixture
def page(api_server: str) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        page = browser.new_page(base_url=api_server)
        page.set_default_timeout(120_000)
        yield page
        browser.close()


def test_dialog_stores_what_hook_reads(
    page: Any, airflow_cli: Callable[..., Any], tmp_path: Path
) -> None:
    page.goto("/connections")
    page.get_by_role("button", name="Add Connection").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("[name=connection_id]").fill("voiso_dialog")
    dialog.get_by_role("combobox").fill("voiso")
    page.get_by_role("option", name="Voiso").click()

    relabelled = field_behaviour()["relabeling"]
    dialog.get_by_label(relabelled["host"]).fill("cc-ams03")
    dialog.get_by_label(relabelled["password"]).fill(KEY)
    for hidden in ("Login", "Port", "Schema"):
        assert dialog.get_by_text(hidden, exact=True).count() == 0

    dialog.get_by_role("button", name="Extra Fields", exact=True).click()
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
    airflow_cli("connections", "export", str(stored), "--file-format", "json")
    fields = json.loads(stored.read_text())["voiso_dialog"]
    assert settings_from_connection(Connection(conn_id="voiso_dialog", **fields)) == Settings(
        "https://cc-ams03.voiso.com",
        KEY,
        timezone="Europe/Berlin",
        timeout=2.5,
        requests_per_second=0.5,
        verify=False,
    )
