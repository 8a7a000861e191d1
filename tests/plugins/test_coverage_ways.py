"""Ways from Airflow's own pages to the coverage page, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.browser.pages import task_page
from tests.plugins.feed import DAY, TODAY
from tests.plugins.marks import needs_page
from tests.plugins.seen import EPOCH, day_cell, section

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FrameLocator, Locator, Page

    from tests.servers.airflow import AirflowApiServer

pytestmark = needs_page


def open_in_frame(page: Page) -> FrameLocator:
    """Choose the page in Airflow's navigation, and wait until it has read all."""
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem", name="Voiso coverage").click()
    frame = page.frame_locator("iframe[title='Voiso coverage']")
    frame.locator("main[aria-busy=false]").wait_for()
    return frame


def click_day(frame: FrameLocator, days_ago: int) -> None:
    day = (TODAY - days_ago * DAY - EPOCH).days
    frame.get_by_role("region", name="daily", exact=True).locator(f"[data-day='{day}']").click()


def follow(page: Page, link: Locator) -> Page:
    """Click a link, and return the page to which it leads."""
    if link.get_attribute("target") != "_blank":
        link.click()
        return page
    # Airflow 3.1 opens a new tab, also for links that stay within Airflow.
    with page.expect_popup() as opened:
        link.click()
    return opened.value


def test_page_stands_in_airflows_own(page: Page, airflow: AirflowApiServer) -> None:
    page.goto("/")
    frame = open_in_frame(page)
    assert page.url.startswith(f"{airflow.url}/plugin/voiso-coverage")
    assert frame.get_by_role("link", name="Airflow", exact=True).count() == 0

    click_day(frame, 3)

    page.wait_for_url(f"{airflow.url}/dags/daily/runs/backfill__*")


def test_frame_stands_below_a_path(browser: Browser, deep_airflow: AirflowApiServer) -> None:
    context = browser.new_context(locale="en-US")
    page = context.new_page()
    page.goto(f"{deep_airflow.url}/")
    page.get_by_label("Username").fill("viewer")
    page.get_by_label("Password", exact=True).fill("viewer")
    page.get_by_role("button", name="Sign in").click()

    frame = open_in_frame(page)
    assert page.url.startswith(f"{deep_airflow.url}/plugin/voiso-coverage")
    click_day(frame, 11)

    page.wait_for_url(f"{deep_airflow.url}/dags/daily/runs/backfill__*")
    context.close()


def test_link_of_a_task_chooses_its_asset(page: Page, airflow: AirflowApiServer) -> None:
    [run] = airflow.api.runs("daily", run_type="manual")
    page.goto(task_page("daily", run["dag_run_id"], "export", "details"))

    shown = follow(page, page.get_by_role("link", name="Coverage", exact=True))
    shown.locator("main[aria-busy=false]").wait_for()

    assert shown.url == f"{airflow.url}/voiso/coverage?asset=x-cdr%3A%2F%2Fdaily"
    assert shown.get_by_label("Asset").locator("option:checked").inner_text() == "daily"
    assert section(shown, "daily").count() == 1
    assert section(shown, "berlin").count() == 0
    assert day_cell(shown, "daily", TODAY - 21 * DAY).is_visible()
