"""CSV as RFC 4180 has it: UTF-8, one header, comma, CRLF, quotes where needed.

NULL is an empty cell and empty text is ``""``, the convention of PostgreSQL's ``COPY ... CSV``, so that a file can be
loaded without loss.

Anyone who calls or writes to the contact centre fills these cells, and spreadsheets take text for a formula that begins
with ``=``, ``+``, ``-`` or ``@``. So such a text gets an apostrophe in front, unless it is a plain number, a name or
dashes (``+15557571011``, ``@voiso``, ``-``), which compute nothing. The same holds behind ``;``, tabs and line breaks
within a text, where a spreadsheet that was told another separator begins a cell. :func:`original` takes the apostrophes
away again, without loss.
"""

from __future__ import annotations

import re
from operator import ne
from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.destinations.columns import COLUMNS, columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

_QUOTED = re.compile(r'[",;\t\r\n]|^\s|\s$|^$|^\\\.$')
_HARMLESS = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?|@[A-Za-z_][A-Za-z0-9_.]*|-+")
# The latter four are the wide forms of the former, which spreadsheets of East Asia take for the same.
_FORMULA = r"""["' \xa0]*[=+\-@\uff1d\uff0b\uff0d\uff20]"""
_BEGINS_AS_FORMULA = re.compile(_FORMULA)
_HOLDS_FORMULA = re.compile(rf"[;\t\r\n]{_FORMULA}")
_BEFORE_FORMULA = re.compile(rf"(^|[;\t\r\n])(?={_FORMULA})")
_ODD_MARKS = (*'",;\t\r\\', *(f"\n{mark}" for mark in "'=+-@\uff1d\uff0b\uff0d\uff20"))
_APOSTROPHE = re.compile(rf"(^|[;\t\r\n])'(?={_FORMULA})")


def csv_header() -> bytes:
    """Return the names of the columns as one line."""
    return (",".join(column.name for column in COLUMNS) + "\r\n").encode()


def csv_lines(page: Sequence[bytes]) -> bytes:
    """Return one line per record, without a header; text may hold line breaks, so lines and records can differ.

    :param page: records as JSON
    :raises VoisoResponseError: if one of them is not a JSON object
    """
    cells = [_CELLS.get(column.type, _others)(values) for column, values in zip(COLUMNS, columns(page), strict=True)]
    return "".join(f"{line}\r\n" for line in map(",".join, zip(*cells, strict=True))).encode()


def original(text: str) -> str:
    """Return a text as the record has it, from what its cell holds."""
    return _APOSTROPHE.sub(r"\1", text)


def _instants(values: Iterable[datetime | None]) -> list[str]:
    return ["" if value is None else value.isoformat(timespec="microseconds") for value in values]


def _others(values: Iterable[Any]) -> list[str]:
    return ["" if value is None else str(value) for value in values]


def _texts(values: Sequence[str | None]) -> list[str]:
    given = [value for value in values if value is not None]
    lines = "\n" + "\n".join(given)
    plain = (
        all(given)
        and lines.count("\n") <= max(len(given), 1)
        and not any(mark in lines for mark in _ODD_MARKS)
        and not any(map(ne, given, map(str.strip, given)))
    )
    # Nearly always no cell of a column needs quotes, and that is seen many times faster for all of them at once.
    return [value or "" for value in values] if plain else [_cell(value) for value in values]


def _cell(text: str | None) -> str:
    if text is None:
        return ""
    text = _without_formulas(text)
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


def _without_formulas(text: str) -> str:
    # Two searches, as one for both would try every character.
    if not (_BEGINS_AS_FORMULA.match(text) or _HOLDS_FORMULA.search(text)) or _HARMLESS.fullmatch(text):
        return text
    return _BEFORE_FORMULA.sub(r"\1'", text)


_CELLS: dict[str, Callable[[Sequence[Any]], list[str]]] = {"text": _texts, "json": _texts, "instant": _instants}
