"""Draw docs/architecture.md from the imports; ``python -m tests.architecture`` writes it."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "airflow_provider_voiso"
DOCUMENT = ROOT / "docs" / "architecture.md"
DRAWING = re.compile(r"(<!-- drawing -->\n).*?(<!-- end of drawing -->\n)", re.DOTALL)
ROOMS = re.compile(r"(<!-- rooms -->\n).*?(<!-- end of rooms -->\n)", re.DOTALL)


def render(document: str) -> str:
    """Return the document with its drawing and its list of rooms replaced."""
    drawing = f"```mermaid\n{_drawing()}```\n"
    rooms = "| room | what is in it |\n|---|---|\n" + "".join(_rooms())
    document = DRAWING.sub(lambda found: found[1] + drawing + found[2], document)
    return ROOMS.sub(lambda found: found[1] + rooms + found[2], document)


def imports() -> dict[str, set[str]]:
    """Return the rooms that each room imports, also for types alone.

    A room is a folder or a module of the package's first level.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE).with_suffix("").parts
        if parts == ("__init__",):
            continue
        room = parts[0]
        found[room] |= {other for other in _imported(file) if other != room}
    return dict(found)


def _imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            package, *inside = name.split(".")
            if package == PACKAGE.name and _is_room(inside[:1]):
                yield inside[0]


def _is_room(path: list[str]) -> bool:
    if not path:
        return False
    return (PACKAGE / path[0]).is_dir() or (PACKAGE / f"{path[0]}.py").is_file()


def _drawing() -> str:
    graph = imports()
    lines = ["flowchart TD\n"]
    for room in sorted(graph):
        direct = [other for other in sorted(graph[room]) if not _is_indirect(graph, room, other)]
        lines += [f"    {room} --> {other}\n" for other in direct]
        if not direct and not any(room in others for others in graph.values()):
            lines.append(f"    {room}\n")
    return "".join(lines)


def _is_indirect(graph: Mapping[str, set[str]], room: str, other: str) -> bool:
    """Return whether a room reaches another one through third ones too, so that no arrow is
    needed."""
    waiting = sorted(graph[room] - {other})
    seen = {room}
    while waiting:
        current = waiting.pop()
        if current == other:
            return True
        if current not in seen:
            seen.add(current)
            waiting += graph.get(current, set())
    return False


def _rooms() -> Iterator[str]:
    for file in sorted(PACKAGE.rglob("*.py")):
        path = file.relative_to(PACKAGE)
        if path.name == "__init__.py":
            name = f"{path.parent.as_posix()}/"
        elif len(path.parts) == 1:
            name = path.name
        else:
            continue
        if name != "./":
            docstring = ast.get_docstring(ast.parse(file.read_text())) or ""
            summary = " ".join(docstring.partition("\n\n")[0].split()).replace("``", "`")
            summary = re.sub(r":\w+:(`\w+`)", r"\1", summary)
            yield f"| `{name}` | {summary} |\n"


if __name__ == "__main__":
    DOCUMENT.write_text(render(DOCUMENT.read_text()))
