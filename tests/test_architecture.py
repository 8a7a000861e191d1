from __future__ import annotations

import ast
import re

from tests.architecture import DOCUMENT, DRAWING, PACKAGE, ROOMS, ROOT, imports, render


def test_drawing_matches_the_imports() -> None:
    document = DOCUMENT.read_text()

    assert DRAWING.search(document)
    assert ROOMS.search(document)
    assert render(document) == document, "Run: make docs"


def test_an_import_for_types_is_drawn() -> None:
    assert "api" in imports()["destinations"]
    assert "simulator" not in set().union(*imports().values())


def test_every_hop_is_in_its_file() -> None:
    hops = re.findall(r"^\d+\. `([\w.]+)` in `([\w/]+\.py)`", DOCUMENT.read_text(), re.MULTILINE)

    assert 5 <= len(hops) <= 10
    for name, file in hops:
        assert name in _defined((PACKAGE / file).read_text()), f"{file} defines no {name}"


def _defined(source: str) -> set[str]:
    """Return the classes, the functions and the methods that a module defines."""
    found: set[str] = set()
    for node in ast.parse(source).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}.{inside.name}"
                for inside in node.body
                if isinstance(inside, ast.FunctionDef)
            }
    return found


def test_every_file_that_is_named_exists() -> None:
    document = DOCUMENT.read_text()
    errands = document.partition("## Where to begin")[2]
    named = re.findall(r"`([\w/]+(?:/|\.py))`", errands)

    assert named
    for path in named:
        places = (
            PACKAGE / path,
            ROOT / path,
            PACKAGE / "destinations/stores" / path,
            PACKAGE / "destinations/sql" / path,
        )
        assert any(place.exists() for place in places), path
