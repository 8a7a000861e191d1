"""CSV as RFC 4180 has it: UTF-8, one header, comma, CRLF, quotes where needed.

NULL is an empty cell and empty text is ``""``, the convention of PostgreSQL's ``COPY ... CSV``, so that a file can be
loaded without loss. Values stand as they are: text that a spreadsheet would take for a formula is not altered.
"""

from __future__ import annotations

import re
from operator import ne
from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.export.columns import COLUMNS, columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

_QUOTED = re.compile(r'[",\r\n]|^\s|\s$|^$|^\\\.$')


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


def _instants(values: Iterable[datetime | None]) -> list[str]:
    return ["" if value is None else value.isoformat(timespec="microseconds") for value in values]


def _others(values: Iterable[Any]) -> list[str]:
    return ["" if value is None else str(value) for value in values]


def _texts(values: Sequence[str | None]) -> list[str]:
    given = [value for value in values if value is not None]
    joined = "\n".join(given)
    plain = (
        all(given)
        and joined.count("\n") == max(len(given) - 1, 0)
        and not any(mark in joined for mark in '",\r\\')
        and not any(map(ne, given, map(str.strip, given)))
    )
    # Nearly always no cell of a column needs quotes, and that is seen many times faster for all of them at once.
    return [value or "" for value in values] if plain else [_cell(value) for value in values]


def _cell(text: str | None) -> str:
    if text is None:
        return ""
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text


_CELLS: dict[str, Callable[[Sequence[Any]], list[str]]] = {"text": _texts, "json": _texts, "instant": _instants}
