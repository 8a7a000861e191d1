from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from airflow import __version__ as airflow_version

from tests.plugins.conftest import MARKUP
from tests.plugins.feed import DAY, TODAY
from tests.plugins.marks import needs_page, needs_partitions
from tests.plugins.seen import day_cell, section, signs, visit

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from airflow_provider_voiso.simulator import Simulator
    from tests.servers.airflow import AirflowApiServer

pytestmark = needs_page
TELLS_ARGUMENTS = not airflow_version.startswith("3.1.")
"""Airflow 3.1 tells no rendered arguments of a run by ``dags test``, and so not its windows."""


def test_mapped_parts_of_a_day(page: Page, simulator: Simulator) -> None:
    day = TODAY - 20 * DAY
    visit(page, "?asset=parts")

    day_cell(page, "parts", day).click()

    parts = page.locator(".parts .cell")
    labels = [part.get_attribute("aria-label") or "" for part in parts.all()]
    first, last = (len(simulator.truth(day + n * DAY / 3, day + (n + 1) * DAY / 3)) for n in (0, 2))
    assert [label.partition(": ")[2] for label in labels] == [
        f"Whole, {first} records",
        "Failed" if TELLS_ARGUMENTS else "Missing",
        f"Whole, {last} records",
    ]
    assert "08:00 \u2013 16:00" in labels[1]
    unplaced = section(page, "parts").locator(".unplaced", has_text="export (failed)")
    assert unplaced.count() == (0 if TELLS_ARGUMENTS else 1)
    parts.nth(2).hover()
    assert "export [2]" in page.get_by_role("tooltip").inner_text()


@needs_partitions
def test_partitions_are_calendar_days(page: Page, airflow: AirflowApiServer) -> None:
    visit(page, "?asset=partitioned")

    cells = [day_cell(page, "partitioned", TODAY - ago * DAY) for ago in range(9, 4, -1)]

    assert "".join(map(signs, cells)) == "✓✓✕✓✓"
    cells[2].click()
    page.wait_for_url(f"{airflow.url}/dags/partitioned/runs/backfill__*")
    page.get_by_text(f"{TODAY - 7 * DAY:%Y-%m-%d}").first.wait_for()


def test_posted_markup_is_text(page: Page) -> None:
    visit(page, "?asset=posted")

    cells = section(page, "posted").locator("[data-day]")
    cells.hover()

    assert (cells.get_attribute("aria-label") or "").endswith(": Whole, 41 records")
    details = page.get_by_role("tooltip")
    assert MARKUP in details.inner_text()
    assert "created by hand" in details.inner_text()
    assert page.title() == "Voiso coverage"
    assert page.locator("body script, body img, [href^='javascript']").count() == 0


@pytest.mark.parametrize("view", ["calendar", "table"])
def test_foreign_extra_shows_nothing(page: Page, view: str) -> None:
    visit(page, f"?asset=foreign&view={view}")

    assert "not among them" in page.locator("#status").inner_text()
    assert section(page, "foreign").count() == 0
