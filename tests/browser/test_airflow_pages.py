"""What a person sees of this package on Airflow's own pages, in a real browser."""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import airflow
import pytest

from airflow_provider_voiso.connection.form import EXTRA_FIELDS, field_behaviour
from tests.browser.pages import (
    open_connection_form,
    open_trigger_dialog,
    show_extra_fields,
    start_backfill,
    task_page,
    trigger_on_demand,
)
from tests.browser.site import DAILY, KEY, ON_DEMAND, site
from tests.servers.process import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.browser.site import Site

pytestmark = [
    pytest.mark.skipif(
        tuple(map(int, airflow.__version__.split(".")[:2])) < (3, 3),
        reason="the pages are those of Airflow 3.3",
    ),
    pytest.mark.whole_airflow,
    # One Airflow for all: with pytest-xdist they belong on one worker.
    pytest.mark.xdist_group("browser"),
]

FIRST = datetime(2026, 3, 3, tzinfo=timezone.utc)
DAY = timedelta(days=1)
DAYS = [FIRST + number * DAY for number in range(7)]
"""The dates of the runs; each exports the day before."""
EXPORT = "export_cdrs"
WINDOW = (
    datetime(2026, 3, 20, 6, 30, tzinfo=timezone.utc),
    datetime(2026, 3, 22, 18, tzinfo=timezone.utc),
)


@pytest.fixture(scope="module")
def running(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    assert browser.is_connected()  # tells first if there is none
    with site(tmp_path_factory.mktemp("site")) as found:
        yield found


@pytest.fixture
def page(browser: Browser, running: Site) -> Iterator[Page]:
    context = browser.new_context(
        base_url=running.airflow.url, viewport={"width": 1400, "height": 1000}
    )
    context.set_default_timeout(120_000)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def backfilled(browser: Browser, running: Site) -> list[str]:
    """Start a backfill of seven days in the UI; return the ids of its runs."""
    page = browser.new_page(base_url=running.airflow.url)
    page.set_default_timeout(120_000)
    start_backfill(page, DAILY, DAYS[0], DAYS[-1])
    page.close()

    def succeeded() -> list[str] | None:
        runs = running.airflow.api.runs(DAILY, run_type="backfill")
        done = [run["dag_run_id"] for run in runs if run["state"] == "success"]
        assert not [run for run in runs if run["state"] == "failed"]
        return done if len(done) == len(DAYS) else None

    return wait_for("the backfill of seven days", succeeded, timeout=900, interval=1)


def uuids(site_: Site, prefix: str) -> set[str]:
    lines = [
        line
        for body in site_.s3.objects(prefix).values()
        for line in gzip.decompress(body).splitlines()
    ]
    found = {json.loads(line)["uuid"] for line in lines}
    assert len(found) == len(lines)
    return found


def the_run(site_: Site, dag_id: str, state: str) -> str:
    """Wait for the one run of a DAG to have a state, and return its id."""

    def reached() -> str | None:
        runs = site_.airflow.api.runs(dag_id)
        assert len(runs) <= 1
        return runs[0]["dag_run_id"] if runs and runs[0]["state"] == state else None

    return wait_for(f"the run of {dag_id} to be {state}", reached, timeout=300, interval=0.5)


def test_backfill_exports_seven_days(running: Site, backfilled: list[str]) -> None:
    for day in DAYS:
        truth = running.voiso.truth(day - DAY, day)
        assert uuids(running, f"voiso/cdr/dt={day - DAY:%Y-%m-%d}/") == truth.keys()
    assert len(backfilled) == len(DAYS)


def test_grid_shows_every_run(page: Page, backfilled: list[str]) -> None:
    from playwright.sync_api import expect  # noqa: PLC0415 - not everywhere

    page.goto(f"/dags/{DAILY}")

    for run_id in backfilled:
        for task_id in ("wait_for_cdrs", EXPORT):
            cell = page.locator(f'a[href$="/runs/{run_id}/tasks/{task_id}"]').first
            expect(cell).to_be_visible()


def test_docs_of_the_dag_are_shown(page: Page, backfilled: list[str]) -> None:
    assert backfilled
    page.goto(f"/dags/{DAILY}")

    page.get_by_role("button", name="Dag Docs").click()

    page.get_by_text("The object is replaced as a whole").wait_for()


def test_log_tells_the_export(page: Page, running: Site, backfilled: list[str]) -> None:
    records = len(running.voiso.truth(DAYS[0] - DAY, DAYS[0]))

    page.goto(task_page(DAILY, backfilled[0], EXPORT))

    page.get_by_text(f"Exported {records} records").wait_for()
    page.get_by_text("Exporting the window 2026-03-02 00:00 to 2026-03-03 00:00 UTC").wait_for()
    assert KEY not in page.content()


def test_xcom_shows_the_manifest(page: Page, running: Site, backfilled: list[str]) -> None:
    records = len(running.voiso.truth(DAYS[0] - DAY, DAYS[0]))

    page.goto(task_page(DAILY, backfilled[0], EXPORT, "xcom"))
    page.get_by_text("return_value").wait_for()
    page.get_by_role("button", name="Expand").click()

    page.get_by_text(f'"records": {records}').wait_for()
    page.get_by_text('"window_start": "2026-03-02T00:00:00+00:00"').wait_for()


def test_link_leads_to_the_object(page: Page, running: Site, backfilled: list[str]) -> None:
    page.goto(task_page(DAILY, backfilled[0], EXPORT, "details"))

    link = page.get_by_role("link", name="Exported object").get_attribute("href") or ""

    [key] = running.s3.objects("voiso/cdr/dt=2026-03-02/")
    assert link.startswith(running.s3.endpoint_url)
    assert link.replace("%3D", "=").replace("%2B", "+").endswith(key)


def test_asset_shows_an_event_per_day(page: Page, backfilled: list[str]) -> None:
    page.goto("/assets")

    page.get_by_role("link", name="voiso_cdr_in_s3").click()

    for run_id in backfilled:
        page.locator(f'a[href*="/runs/{run_id}/"]').first.wait_for()


def test_task_state_tells_the_progress(page: Page, running: Site) -> None:
    dialog = open_trigger_dialog(page, "slow_export")
    dialog.get_by_role("button", name="Trigger", exact=True).click()
    dialog.wait_for(state="hidden")
    run_id = the_run(running, "slow_export", "running")

    page.goto(task_page("slow_export", run_id, "export", "task-state-store"))

    page.get_by_text("voiso_progress").first.wait_for()


def test_form_exports_any_range(page: Page, running: Site) -> None:
    types = ("inbound", "outbound")

    trigger_on_demand(page, ON_DEMAND, WINDOW, types, switched=["SQL"])

    the_run(running, ON_DEMAND, "success")
    truth = running.voiso.truth(*WINDOW, {"type": "inbound,outbound"})
    assert 0 < len(truth) < len(running.voiso.truth(*WINDOW))
    assert uuids(running, "voiso/on_demand/inbound+outbound/") == truth.keys()
    assert running.uuids_in_table("voiso_on_demand") == truth.keys()


def test_form_demands_a_range(page: Page, running: Site) -> None:
    assert running
    dialog = open_trigger_dialog(page, ON_DEMAND)

    assert dialog.get_by_text("This field is required").count() == 2
    assert dialog.get_by_role("button", name="Trigger", exact=True).is_disabled()


def test_form_explains_every_field(page: Page, running: Site) -> None:
    assert running
    dialog = open_connection_form(page, "voiso_explained")

    for label in field_behaviour()["relabeling"].values():
        dialog.get_by_text(label, exact=True).wait_for()
    show_extra_fields(dialog)

    for field in EXTRA_FIELDS:
        dialog.get_by_text(field.label, exact=True).wait_for()
        dialog.get_by_text(field.description, exact=True).wait_for()


@pytest.mark.parametrize(
    ("conn_id", "key", "answer"),
    [
        ("voiso_right", KEY, "The API answered and accepts the key."),
        ("voiso_wrong", "another-k3y", "does not know the API key (status 401)"),
    ],
)
def test_button_tests_the_connection(
    conn_id: str, key: str, answer: str, page: Page, running: Site
) -> None:
    # Airflow's button sends 0 for a port that was left empty, and refuses to test another port
    # than the stored one; the form itself stores none.
    connection = {"connection_id": conn_id, "conn_type": "voiso", "host": running.voiso.url}
    body = {**connection, "port": 0, "password": key}
    running.airflow.api.request("POST", "/connections", json=body)
    page.goto("/connections")

    row = page.get_by_role("row").filter(has_text=conn_id)
    row.get_by_role("button", name="Test Connection").click()

    page.get_by_text(answer).wait_for()
    assert key not in page.content()
