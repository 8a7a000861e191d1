"""A real browser."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

_NAMES = ("chromium", "google-chrome")
_SECONDS = 60


def missing() -> str | None:
    """Return why there is no browser here, or None if there is one."""
    if find_spec("playwright") is None:
        return "playwright is not installed"
    if not any(map(shutil.which, _NAMES)):
        return f"neither {' nor '.join(_NAMES)} is installed (Debian: apt-get install chromium)"
    return None


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield a Chromium without windows; pages wait a minute for what they are told to find."""
    from playwright.sync_api import expect, sync_playwright  # noqa: PLC0415 - not everywhere

    expect.set_options(timeout=_SECONDS * 1000)
    program = next(filter(None, map(shutil.which, _NAMES)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()
