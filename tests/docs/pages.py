"""The pages of the documentation, taken apart: their code, their links, their order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = [README, *sorted(DOCS.rglob("*.md"))]

_FENCE = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of code in a page.

    :param place: page and line, such as ``docs/start.md:40``
    """

    place: str
    code: str

    @property
    def page(self) -> str:
        """The page that the block is from."""
        return self.place.partition(":")[0]

    @property
    def module(self) -> str:
        """A name for a file that holds the block."""
        return re.sub(r"\W", "_", self.place.replace(".md", ""))


def blocks(language: str) -> list[Block]:
    """Return the blocks of one language of all pages."""
    found = []
    for page in PAGES:
        text = page.read_text()
        for match in _FENCE.finditer(text):
            if match[1] == language:
                line = text.count("\n", 0, match.start()) + 2
                found.append(Block(f"{page.relative_to(ROOT)}:{line}", match[2]))
    return found


def prose(page: Path) -> str:
    """Return the text of a page without its blocks of code."""
    return _FENCE.sub("", page.read_text())


def links(page: Path) -> list[str]:
    """Return the targets of the links and pictures of a page."""
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page."""
    headings = _HEADING.findall(prose(page))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def in_toctrees(page: Path) -> set[Path]:
    """Return a page and all that its tables of contents lead to."""
    found = {page}
    for match in _FENCE.finditer(page.read_text()):
        if match[1] == "{toctree}":
            names = [line for line in match[2].splitlines() if line and line[0] != ":"]
            for name in names:
                found |= in_toctrees(page.parent / f"{name}.md")
    return found
