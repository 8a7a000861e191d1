"""CSV as RFC 4180 defines it: UTF-8, one header, commas, CRLF, and quotes where needed.

NULL is an empty cell and empty text is ``""``, the convention of PostgreSQL's ``COPY ... CSV``, so
a file can be loaded without loss.

Callers and chat guests choose some of the texts, and spreadsheets compute a text that begins with
``=``, ``+``, ``-`` or ``@``. Such a text gets an apostrophe in front, unless it is a plain number,
a name or dashes (``+15557571011``, ``@voiso``, ``-``), which compute nothing. The same holds behind
``;``, tabs and line breaks within a text, where a spreadsheet that expects another separator begins
a cell. :func:`original` removes the apostrophes without loss.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.destinations.columns import COLUMNS, columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from airflow_provider_voiso.destinations.columns import Column

_NEEDS_QUOTES = re.compile(r'[",;\t\r\n]|^\s|\s$|^$|^\\\.$')
# The last four are wide forms, which spreadsheets of East Asia take for the others.
_SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"
_SPACE = r"[^\S\t\r\n]"
_FORMULA = rf"""(?:["']|{_SPACE})*[{re.escape(_SIGNS)}]"""
_BEGINS_AS_FORMULA = re.compile(_FORMULA)
_HOLDS_FORMULA = re.compile(rf"[;\t\r\n]{_FORMULA}")
_BEFORE_FORMULA = re.compile(rf"(^|[;\t\r\n])(?={_FORMULA})")
_APOSTROPHE = re.compile(rf"(^|[;\t\r\n])'(?={_FORMULA})")
_COMPUTES_NOTHING = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?|@[A-Za-z_][A-Za-z0-9_.]*|-+")
_SPECIAL_ANYWHERE = '",;\t\r\\'
_SPECIAL_AT_START = "'" + _SIGNS


def csv_header(of: Sequence[Column] = COLUMNS) -> bytes:
    """Return the names of columns as one line."""
    return (",".join(column.name for column in of) + "\r\n").encode()


def csv_lines(page: Sequence[bytes]) -> bytes:
    """Return one row per record, without a header; a text with line breaks spans lines.

    :param page: records as JSON
    :raises VoisoResponseError: if one of them is not a JSON object
    """
    return csv_rows(COLUMNS, columns(page))


def csv_rows(of: Sequence[Column], block: Sequence[Sequence[Any]]) -> bytes:
    """Return rows of any columns, without a header; see :func:`csv_lines`.

    :param block: the values of each column
    """
    cells = []
    for column, values in zip(of, block, strict=True):
        cells_of = _CELLS.get(column.type, _others)
        cells.append(cells_of(values))
    lines = [",".join(line) + "\r\n" for line in zip(*cells, strict=True)]
    return "".join(lines).encode()


def original(text: str) -> str:
    """Return a text as the record has it, given the content of its cell."""
    return _APOSTROPHE.sub(r"\1", text)


def _without_formulas(text: str) -> str:
    # Two searches, because one for both would try every character.
    is_formula = _BEGINS_AS_FORMULA.match(text) or _HOLDS_FORMULA.search(text)
    if not is_formula or _COMPUTES_NOTHING.fullmatch(text):
        return text
    return _BEFORE_FORMULA.sub(r"\1'", text)


def _cell(text: str | None) -> str:
    if text is None:
        return ""
    text = _without_formulas(text)
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text


def _texts(values: Sequence[str | None]) -> list[str]:
    # Nearly always no text of a column needs care, and one look at all of them is many times
    # faster.
    if _are_plain([value for value in values if value is not None]):
        return [value or "" for value in values]
    return [_cell(value) for value in values]


def _are_plain(texts: list[str]) -> bool:
    """Tell whether all texts can surely stand in a file as they are."""
    if not texts:
        return True
    lines = "\n" + "\n".join(texts)
    if lines.count("\n") > len(texts):  # a text holds a line break
        return False
    if any(mark in lines for mark in _SPECIAL_ANYWHERE):
        return False
    if any(f"\n{mark}" in lines for mark in _SPECIAL_AT_START):
        return False
    return all(texts) and texts == [text.strip() for text in texts]


def _instants(values: Iterable[datetime | None]) -> list[str]:
    return ["" if value is None else value.isoformat(timespec="microseconds") for value in values]


def _others(values: Iterable[Any]) -> list[str]:
    return ["" if value is None else str(value) for value in values]


_CELLS: dict[str, Callable[[Sequence[Any]], list[str]]] = {
    "text": _texts,
    "json": _texts,
    "instant": _instants,
}
