from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.plugins.feed import DAY, TODAY
from tests.plugins.marks import needs_page
from tests.plugins.seen import day_cell, section, signs, visit

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from airflow_provider_voiso.simulator import Simulator
    from tests.servers.airflow import AirflowApiServer

pytestmark = needs_page


def before_today(days: int) -> str:
    return f"{TODAY - days * DAY:%Y-%m-%d}"


@pytest.mark.parametrize(
    ("ago", "state", "sign"),
    [
        (13, "Whole, 1,200 records", "✓"),
        (11, "Changed, 1,003 records", "Δ"),
        (10, "Whole, 900 records", "✓"),
        (9, "Missing", "!"),
        (8, "Empty, 0 records", "∅"),
        (6, "Failed", "✕"),
        (4, "Running", "▶"),
        (3, "Whole, 200 records", "✓"),
        (2, "Missing", "!"),
        (1, "Missing", "!"),
    ],
)
def test_days_show_their_state(page: Page, ago: int, state: str, sign: str) -> None:
    visit(page, "?asset=daily")

    cell = day_cell(page, "daily", TODAY - ago * DAY)
    label = cell.get_attribute("aria-label") or ""
    assert label.partition(": ")[2] == state
    assert signs(cell) == sign


def test_real_export_is_counted(page: Page, simulator: Simulator) -> None:
    day = TODAY - 21 * DAY
    visit(page, "?asset=daily")

    records = len(simulator.truth(day, day + DAY))
    label = day_cell(page, "daily", day).get_attribute("aria-label") or ""
    assert label.endswith(f": Whole, {records} records")


def test_totals_count_every_state(page: Page) -> None:
    visit(page, "?asset=daily")

    legend = page.get_by_role("region", name="Totals").get_by_role("listitem").all_inner_texts()
    counts = [re.sub(r"\s+", " ", line).strip() for line in legend]
    assert counts == [
        "✓ 7 whole", "∅ 1 empty", "Δ 1 changed", "▶ 1 running", "! 10 missing", "✕ 1 failed",
    ]  # fmt: skip


def test_details_of_a_change(page: Page) -> None:
    visit(page, "?asset=daily")

    day_cell(page, "daily", TODAY - 11 * DAY).hover()

    details = page.get_by_role("tooltip")
    told = dict(
        zip(
            details.locator("dt").all_inner_texts(),
            details.locator("dd").all_inner_texts(),
            strict=True,
        )
    )
    run = f"backfill__{(TODAY - 10 * DAY).isoformat()}"
    assert told == {
        "Window": f"{before_today(11)} (UTC)",
        "Records": "1,003 records, 1,000 records before",
        "Size": "250.8 kB",
        "Exported": f"{before_today(8)} 01:00",
        "Run": f"daily, {run}",
        "Task": "export",
        "Clock": "UTC",
        "Probes": "1",
        "Exports": f"2, first {before_today(10)} 01:00 with 1,000 records",
    }


def test_details_on_focus(page: Page) -> None:
    visit(page, "?asset=daily")
    cell = day_cell(page, "daily", TODAY - 6 * DAY)

    cell.focus()

    details = page.get_by_role("tooltip")
    assert "failed" in details.inner_text()
    assert cell.get_attribute("aria-describedby") == details.get_attribute("id")

    page.keyboard.press("Escape")
    assert details.is_hidden()


def test_overdue_run_says_so(page: Page) -> None:
    visit(page, "?asset=daily")

    day_cell(page, "daily", TODAY - DAY).hover()

    due = f"{before_today(0)} 00:00, by the schedule of daily"
    assert due in page.get_by_role("tooltip").inner_text()


@pytest.mark.parametrize("ago", [11, 6, 4])
def test_click_leads_to_the_run(page: Page, airflow: AirflowApiServer, ago: int) -> None:
    visit(page, "?asset=daily")

    day_cell(page, "daily", TODAY - ago * DAY).click()

    run = f"backfill__{(TODAY - (ago - 1) * DAY).isoformat()}"
    page.get_by_text(run).first.wait_for()
    assert page.url.startswith(f"{airflow.url}/dags/daily/runs/backfill__")


def test_days_of_changing_clocks(page: Page) -> None:
    visit(page, "?asset=berlin")

    cells = section(page, "berlin").locator("[data-day]")
    assert signs(cells) == "✓✓✓✓✓"
    assert cells.first.evaluate("cell => cell.tagName") == "A"


def test_foreign_assets_are_left_out(page: Page) -> None:
    visit(page)

    titles = page.get_by_role("heading", level=2).all_inner_texts()
    assert {"berlin", "daily", "hourly", "thousands"} < set(titles)
    assert "foreign" not in titles


def test_hostile_manifests_are_text(page: Page) -> None:
    visit(page, "?asset=x-cdr://hostile")

    title = page.get_by_role("heading", level=2).nth(1).text_content() or ""
    cells = page.locator("[data-day]")
    cells.hover()

    assert title.startswith('=1+<img src=x onerror="')
    assert cells.count() == 1
    assert "<b>clock</b>" in page.get_by_role("tooltip").inner_text()
    assert page.title() == "Voiso coverage"
    assert page.locator("img").count() == 0


def test_event_without_run(page: Page) -> None:
    visit(page, "?asset=x-cdr://hostile")

    page.locator("[data-day]").click()

    dialog = page.get_by_role("dialog")
    assert "created by hand" in dialog.inner_text()
    dialog.get_by_role("button", name="Close").click()
    assert dialog.count() == 0


def test_hole_leads_to_an_export(page: Page, airflow: AirflowApiServer) -> None:
    visit(page, "?asset=daily")
    hole = day_cell(page, "daily", TODAY - 9 * DAY)
    start, end = (f"{before_today(ago)}T00:00:00+00:00" for ago in (9, 8))

    hole.click()
    dialog = page.get_by_role("dialog")
    assert dialog.locator("code").all_inner_texts() == [start, end]
    dialog.get_by_role("link", name="Open voiso_cdr_on_demand").click()
    page.wait_for_url("**/dags/voiso_cdr_on_demand?window_start=*&window_end=*")

    # Without that DAG, a hole leads to the DAGs of the asset.
    airflow.api.request("DELETE", "/dags/voiso_cdr_on_demand")
    visit(page, "?asset=daily")
    hole.click()
    assert "Backfill" in dialog.inner_text()
    dialog.get_by_role("link", name="Open daily").click()
    page.wait_for_url("**/dags/daily")
