from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from airflow_provider_voiso.provider_info import get_provider_info
from tests.docs.pages import DOCS, PAGES, README, ROOT, anchors, in_toctrees, links
from tests.docs.tables import TABLES, render
from tests.docs.windows_drawing import DRAWING, draw

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("page", sorted(TABLES))
def test_generated_tables_are_current(page: str) -> None:
    document = (DOCS / page).read_text()

    assert render(page, document) == document, "Run: make docs"


def test_drawing_of_windows_is_current() -> None:
    assert draw() == DRAWING.read_text(), "Run: make docs"


def test_every_page_is_listed() -> None:
    assert in_toctrees(DOCS / "index.md") == {*PAGES} - {README}


def test_reference_names_every_module() -> None:
    info = get_provider_info()
    kinds = ("hooks", "operators", "sensors", "triggers")
    modules = {name for kind in kinds for each in info[kind] for name in each["python-modules"]}
    written = "".join(page.read_text() for page in (DOCS / "reference").glob("*.md"))

    assert {name for name in modules if f"{name}.Voiso" not in written} == set()


@pytest.mark.parametrize("page", PAGES[1:], ids=lambda page: page.relative_to(DOCS).as_posix())
def test_links_between_pages_resolve(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = page.parent / path if path else page
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link


def test_site_builds_without_warnings(tmp_path: Path) -> None:
    pytest.importorskip("sphinx")
    pytest.importorskip("furo")
    _, _, rest = (ROOT / "Makefile").read_text().partition("\nsite:")
    command = shlex.split(rest.splitlines()[1])
    assert command[0] == "$(VENV_PYTHON)"
    assert command[-1] == "build/site"

    done = subprocess.run(
        [sys.executable, *command[1:-1], str(tmp_path / "site")],
        cwd=ROOT,
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path / "airflow")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "VoisoCdrToS3Operator" in (tmp_path / "site/reference/cdr_to_s3.html").read_text()
