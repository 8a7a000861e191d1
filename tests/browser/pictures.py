"""Take the pictures of the documentation from a running Airflow: ``make pictures``."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tests.browser.pages import open_connection_form, open_trigger_dialog, task_page
from tests.browser.site import DAILY, ON_DEMAND, ROOT, site
from tests.servers.browser import chromium
from tests.servers.process import run_to_exit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from demo.airflow_api import AirflowApi
    from tests.browser.site import Site

FOLDER = ROOT / "docs" / "pictures"
SIZE = (1200, 760)
THEMES: dict[Literal["light", "dark"], str] = {"light": "coverage", "dark": "coverage-dark"}
DAY = timedelta(days=1)
RUNS = 12
HOLE = 4
LATE = (7, 9)
# The scheduler exports yesterday by itself, which must be no hole away from the others.
TODAY = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
START = TODAY - (RUNS - 1) * DAY


def fill(found: Site) -> str:
    """Export days with a hole, some of them again after late changes; return the last run."""
    api = found.airflow.api
    api.unpause(DAILY)
    backfill(api, START, START + (HOLE - 1) * DAY)
    backfill(api, START + (HOLE + 1) * DAY, START + (RUNS - 1) * DAY)
    found.voiso.drift_now()
    for number in LATE:
        run_id = run_of(api, START + number * DAY)
        api.clear(DAILY, run_id)
        api.wait_for_run(DAILY, run_id)
    last = run_of(api, TODAY)
    api.wait_for_run(DAILY, last)
    return last


def backfill(api: AirflowApi, first: datetime, last: datetime) -> None:
    api.wait_for_backfill(
        api.backfill(DAILY, first.isoformat(), last.isoformat(), max_active_runs=4),
        timeout=1800,
    )


def run_of(api: AirflowApi, logical_date: datetime) -> str:
    date = f"{logical_date:%Y-%m-%d}"
    [run] = [run for run in api.runs(DAILY) if str(run["logical_date"]).startswith(date)]
    return str(run["dag_run_id"])


@contextmanager
def opened(browser: Browser, url: str, theme: Literal["light", "dark"] = "light") -> Iterator[Page]:
    width, height = SIZE
    context = browser.new_context(
        base_url=url, viewport={"width": width, "height": height}, color_scheme=theme
    )
    context.set_default_timeout(120_000)
    yield context.new_page()
    context.close()


def shoot(page: Page, name: str) -> None:
    """Keep what the page shows, once nothing is being loaded."""
    page.wait_for_load_state("networkidle")
    page.screenshot(path=FOLDER / f"{name}.png", animations="disabled")


def take(browser: Browser, url: str, run_id: str) -> None:
    """Take every picture."""
    for theme, name in THEMES.items():
        with opened(browser, url, theme) as page:
            page.goto("/plugin/voiso-coverage")
            calendar = page.frame_locator("iframe")
            calendar.get_by_text("windows with").first.wait_for()
            shoot(page, name)
    with opened(browser, url) as page:
        page.goto(f"/dags/{DAILY}")
        page.locator(f'a[href$="/runs/{run_id}/tasks/export_cdrs"]').first.wait_for()
        shoot(page, "grid")
        page.goto(task_page(DAILY, run_id, "export_cdrs"))
        page.get_by_text("Exported ").first.wait_for()
        shoot(page, "log")
        open_trigger_dialog(page, ON_DEMAND)
        shoot(page, "on-demand")
        open_connection_form(page, "voiso_default")
        shoot(page, "connection")


def main() -> int:
    """Take the pictures and return the exit code."""
    FOLDER.mkdir(exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="voiso-pictures-"))
    try:
        with site(home, records_per_day=2_000) as found, chromium() as browser:
            run_id = fill(found)
            take(browser, found.airflow.url, run_id)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return 0


if __name__ == "__main__":
    run_to_exit(main)
