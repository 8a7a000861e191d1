"""CSV as RFC 4180 has it: UTF-8, one header, comma, CRLF, quotes where needed.

NULL is an empty cell and empty text is ``""``, the convention of PostgreSQL's ``COPY ... CSV``, so that a file can be
loaded without loss. Values stand as they are: text that a spreadsheet would take for a formula is not altered.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_voiso.export.columns import COLUMNS, rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_QUOTED = re.compile(r'[",\r\n]|^\s|\s$|^$|^\\\.$')


def csv_header() -> bytes:
    """Return the names of the columns as one line."""
    return _line(column.name for column in COLUMNS)


def csv_lines(page: Sequence[bytes]) -> bytes:
    """Return one line per record, without a header; text may hold line breaks, so lines and records can differ.

    :param page: records as JSON
    :raises VoisoResponseError: if one of them is not a JSON object
    """
    return b"".join(map(_line, rows(page)))


def _line(values: Iterable[Any]) -> bytes:
    return (",".join(map(_cell, values)) + "\r\n").encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    text = str(value)
    return '"' + text.replace('"', '""') + '"' if _QUOTED.search(text) else text
