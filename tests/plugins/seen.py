"""What a person sees of the coverage page."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def visit(page: Page, query: str = "", path: str = "/voiso/coverage") -> None:
    """Open the coverage page and wait until it has read all."""
    page.goto(f"{path}{query}")
    page.locator("main[aria-busy=false]").wait_for()


def section(page: Page, asset: str) -> Locator:
    """Return an asset's part of the page."""
    return page.get_by_role("region", name=asset, exact=True)


def day_cell(page: Page, asset: str, day: datetime) -> Locator:
    """Return the cell of a day in an asset's calendar.

    :param day: its midnight, in UTC
    """
    return section(page, asset).locator(f"[data-day='{(day - EPOCH).days}']")


def signs(cells: Locator) -> str:
    """Return the signs of cells, in order."""
    return "".join(cells.locator(".sign").all_inner_texts())
