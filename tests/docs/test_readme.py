from __future__ import annotations

import re
import subprocess

import pytest

from tests.docs.pages import README, ROOT, links, prose

MOST_WORDS = 700
REPOSITORY = re.compile(r"github(?:usercontent)?\.com/([\w.-]+/airflow-provider-voiso)\b")


def repository() -> str:
    """Return the address that the package's metadata names."""
    [address] = re.findall(
        r'^Repository = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE
    )
    return str(address)


def test_readme_is_short() -> None:
    assert len(README.read_text().split()) <= MOST_WORDS


def test_readme_links_are_absolute() -> None:
    assert links(README)
    assert [link for link in links(README) if not link.startswith("https://")] == []


def test_readme_links_lead_somewhere() -> None:
    inside = [
        link.removeprefix(repository()).split("/", 3)[3].partition("#")[0]
        for link in links(README)
        if link.startswith(f"{repository()}/")
    ]

    assert len(inside) > 5
    assert [path for path in inside if not (ROOT / path).exists()] == []


def test_readme_picture_is_there() -> None:
    raw = repository().replace("github.com", "raw.githubusercontent.com") + "/main/"
    pictures = [link for link in links(README) if link.endswith(".png")]

    assert len(pictures) == 1
    assert (ROOT / pictures[0].removeprefix(raw)).is_file()


def test_readme_names_both_commands() -> None:
    text = README.read_text()

    assert "make demo" in text
    assert "make test" in text


def test_clone_address_is_the_repository() -> None:
    assert re.findall(r"git clone (\S+)", README.read_text()) == [repository()]


def test_repository_has_one_address() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("this is not a clone")
    named = set()
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.is_file() and path.suffix != ".png":
            named |= set(REPOSITORY.findall(path.read_text(errors="ignore")))

    assert named == {repository().partition("github.com/")[2]}


def test_readme_mentions_no_other_page() -> None:
    assert re.findall(r"\bdocs/[\w./-]+", re.sub(r"\(\S+\)", "", prose(README))) == []
