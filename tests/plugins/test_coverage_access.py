from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote

import airflow
import pytest

from tests.plugins.feed import DAY, TODAY
from tests.plugins.marks import needs_page
from tests.plugins.seen import day_cell
from tests.servers.process import local_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

    from tests.servers.airflow import AirflowApiServer

pytestmark = needs_page
PAGE = "/deep/airflow/voiso/coverage"
POLICY = {
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'",
    "img-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'self'",
}  # fmt: skip

HIDES_EVENTS = not airflow.__version__.startswith(("3.1.", "3.2."))
"""Whether Airflow hides events of DAGs that a user may not read."""


@pytest.fixture
def sign_in(browser: Browser, deep_airflow: AirflowApiServer) -> Iterator[Callable[[str], Page]]:
    """Return a function that opens the coverage page as a user, by way of the sign-in page."""
    contexts = []

    def visit_as(user: str) -> Page:
        contexts.append(browser.new_context(base_url=deep_airflow.url, locale="en-US"))
        page = contexts[-1].new_page()
        page.goto(PAGE)
        page.get_by_label("Username").fill(user)
        page.get_by_label("Password", exact=True).fill(user)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"**{PAGE}")
        page.locator("main[aria-busy=false]").wait_for()
        return page

    yield visit_as
    for context in contexts:
        context.close()


def test_signed_out_leads_to_sign_in(browser: Browser, deep_airflow: AirflowApiServer) -> None:
    context = browser.new_context(base_url=deep_airflow.url)
    page = context.new_page()

    page.goto(f"{PAGE}?asset=daily")
    page.wait_for_url("**/deep/airflow/auth/login**")

    # Airflow 3.1 does not quote it.
    assert "voiso/coverage?asset=daily" in unquote(page.url)
    context.close()


def test_signed_in_below_a_path(
    sign_in: Callable[[str], Page], deep_airflow: AirflowApiServer
) -> None:
    page = sign_in("viewer")

    day_cell(page, "daily", TODAY - 11 * DAY).click()

    page.wait_for_url(f"{deep_airflow.url}/dags/daily/runs/backfill__*")


def test_refused_user_sees_a_sentence(sign_in: Callable[[str], Page]) -> None:
    page = sign_in("no_assets")

    assert page.locator("main").inner_text().startswith("You may not read assets in this Airflow")
    assert "daily" not in page.content()


def test_user_without_dags(sign_in: Callable[[str], Page]) -> None:
    page = sign_in("no_dags")

    assert page.locator(".dags a").count() == 0
    if HIDES_EVENTS:
        # Two events that nobody's run caused are all that this user may read.
        assert page.locator("[data-day]").count() == 2
        assert page.locator("a[href*='/dags/']").count() == 0
    else:
        failed = day_cell(page, "daily", TODAY - 6 * DAY).get_attribute("aria-label") or ""
        assert failed.endswith(": Missing")


class Parts(HTMLParser):
    """What a page loads, and what of it would run."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.sources += [given[name] or "" for name in ("src", "href") if name in given]
        if (tag == "script" and not given.get("src")) or tag == "style":
            self.inline.append(tag)
        self.inline += [name for name in given if name.startswith("on") or name == "style"]


def test_page_is_static(deep_airflow: AirflowApiServer) -> None:
    with local_session() as nobody:
        answer = nobody.get(f"{deep_airflow.url}/voiso/coverage", timeout=60)
        parts = Parts()
        parts.feed(answer.text)

        assert answer.ok
        assert parts.inline == []
        assert [source for source in parts.sources if "//" in source] == []
        for source in parts.sources:
            assert nobody.get(f"{deep_airflow.url}/voiso/{source}", timeout=60).ok


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("coverage", 200),
        ("static/coverage.js", 200),
        ("static/..%2ffiles.py", 404),
        ("static/%2e%2e/files.py", 404),
        ("static/", 404),
        ("files.py", 404),
        ("", 404),
    ],
)
def test_every_answer_is_strict(deep_airflow: AirflowApiServer, path: str, status: int) -> None:
    with local_session() as nobody:
        answer = nobody.get(f"{deep_airflow.url}/voiso/{path}", timeout=60)

    assert answer.status_code == status
    assert set(answer.headers["Content-Security-Policy"].split("; ")) == POLICY
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers
