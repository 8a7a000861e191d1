from __future__ import annotations

import csv
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.plugins.conftest import THOUSANDS
from tests.plugins.feed import DAY, TODAY
from tests.plugins.marks import needs_page
from tests.plugins.seen import day_cell, section, signs, visit

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = needs_page


def test_hours_of_a_day(page: Page) -> None:
    visit(page, "?asset=hourly")
    day = day_cell(page, "hourly", TODAY - 3 * DAY)
    label = day.get_attribute("aria-label") or ""
    assert "24 windows, 2 missing, 22 whole" in label

    day.click()

    parts = page.locator(".parts .cell")
    assert signs(parts) == "✓" * 6 + "!!" + "✓" * 16
    assert day.get_attribute("aria-expanded") == "true"
    parts.nth(6).hover()
    assert "06:00 \u2013 07:00" in page.get_by_role("tooltip").inner_text()

    page.keyboard.press("Escape")
    assert parts.count() == 0
    assert day.evaluate("cell => cell === document.activeElement")


def test_keys_move_between_days(page: Page) -> None:
    visit(page, "?asset=daily")
    last = day_cell(page, "daily", TODAY - DAY)

    page.get_by_role("link", name="daily").last.focus()
    page.keyboard.press("Tab")
    assert last.evaluate("cell => cell === document.activeElement")

    for key, ago in (("ArrowUp", 8), ("ArrowLeft", 9), ("ArrowRight", 8), ("Home", 21), ("End", 1)):
        page.keyboard.press(key)
        cell = day_cell(page, "daily", TODAY - ago * DAY)
        assert cell.evaluate("cell => cell === document.activeElement"), key

    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")  # a window without records, which has a run
    page.wait_for_url("**/dags/daily/runs/*")


def test_range_narrows_everything(page: Page) -> None:
    visit(page, "?asset=daily")

    page.get_by_label("Range").select_option("Last 7 days")
    assert signs(section(page, "daily").locator("[data-day]")) == "✓✕✓▶✓!!"

    page.get_by_label("Range").select_option("From … to …")
    page.get_by_label("From", exact=True).fill(f"{TODAY - 11 * DAY:%Y-%m-%d}")
    page.get_by_label("To", exact=True).fill(f"{TODAY - 10 * DAY:%Y-%m-%d}")
    assert signs(section(page, "daily").locator("[data-day]")) == "Δ✓"
    assert "2 windows with 1,903 records" in page.get_by_role("region", name="Totals").inner_text()

    # The address keeps the choice.
    page.reload()
    page.locator("main[aria-busy=false]").wait_for()
    assert signs(section(page, "daily").locator("[data-day]")) == "Δ✓"


def test_zone_moves_the_days(page: Page) -> None:
    visit(page, "?asset=berlin")
    assert section(page, "berlin").locator("[data-day]").count() == 5

    page.get_by_label("Time zone").select_option("UTC")

    assert section(page, "berlin").locator("[data-day]").count() == 6


def test_thousands_of_windows(page: Page) -> None:
    visit(page, "?asset=thousands")

    totals = page.get_by_role("region", name="Totals").inner_text()
    assert f"{THOUSANDS:,} windows" in totals
    assert section(page, "thousands").locator("[data-day]").count() == THOUSANDS / 12


def test_table_shows_all_windows(page: Page) -> None:
    visit(page, "?asset=thousands&view=table")
    rows = section(page, "thousands").locator("tbody tr")
    caption = section(page, "thousands").locator("caption")
    newest = TODAY - timedelta(hours=2)

    assert caption.inner_text() == "Windows 1 to 100 of 3,000, in UTC"
    assert rows.first.locator("td").nth(1).inner_text() == f"{newest:%Y-%m-%d %H:%M}"

    for _ in range(29):
        page.get_by_role("button", name="Older").click()
    oldest = TODAY - THOUSANDS * timedelta(hours=2)
    assert caption.inner_text() == "Windows 2,901 to 3,000 of 3,000, in UTC"
    assert rows.last.locator("td").nth(1).inner_text() == f"{oldest:%Y-%m-%d %H:%M}"
    assert page.get_by_role("button", name="Older").is_disabled()


def test_csv_has_what_is_shown(page: Page, tmp_path: Path) -> None:
    visit(page, "?range=7")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    file = tmp_path / "coverage.csv"
    download.value.save_as(file)

    with file.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    daily = [row for row in rows if row["Asset"] == "daily"]
    assert [row["State"] for row in daily] == [
        "Whole", "Failed", "Whole", "Running", "Whole", "Missing", "Missing",
    ]  # fmt: skip
    assert daily[0]["Window start"] == (TODAY - 7 * DAY).isoformat()
    assert daily[0]["Records"] == "600"
    assert daily[1]["Run"] == f"backfill__{(TODAY - 5 * DAY).isoformat()}"
    [hostile] = [row for row in rows if row["URI"] == "x-cdr://hostile"]
    assert hostile["Asset"].startswith("'=1+<img")
    assert sum(row["Asset"] == "hourly" for row in rows) == 96


@pytest.mark.parametrize("system", ["light", "dark"])
@pytest.mark.parametrize(
    ("chosen", "is_dark"), [("light", False), ("dark", True), ("system", None), (None, None)]
)
def test_theme_is_airflows(
    page: Page, system: str, chosen: str | None, is_dark: bool | None
) -> None:
    page.emulate_media(color_scheme="dark" if system == "dark" else "light")
    visit(page, "?asset=berlin")
    page.evaluate("theme => theme && localStorage.setItem('theme', theme)", chosen)
    page.reload()

    background = page.evaluate("getComputedStyle(document.body).backgroundColor")

    expects_dark = system == "dark" if is_dark is None else is_dark
    assert background == ("rgb(17, 17, 19)" if expects_dark else "rgb(255, 255, 255)")


def test_theme_follows_another_tab(page: Page) -> None:
    visit(page, "?asset=berlin")
    other = page.context.new_page()
    other.goto("/voiso/static/coverage.css")

    other.evaluate("localStorage.setItem('theme', 'dark')")

    page.wait_for_function("document.documentElement.classList.contains('dark')")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(page: Page, theme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page.add_init_script(f"localStorage.setItem('theme', '{theme}')")
    found = []

    visit(page)
    found.append(axe.run(page))
    day_cell(page, "hourly", TODAY - 3 * DAY).click()
    page.locator(".parts .cell").nth(6).focus()
    found.append(axe.run(page))
    page.locator(".parts .cell").nth(6).click()
    found.append(axe.run(page))
    visit(page, "?view=table&range=90")
    found.append(axe.run(page))

    assert [result.generate_report() for result in found if result.violations_count] == []
