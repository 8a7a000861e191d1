"""Digests of the rows of each minute, made alike of a table's rows and of records.

A digest is made of rows as JSON writes them, one a line, without brackets, ordered by ``ended_at``
and ``uuid``. All but numbers stands between two of ``QUOTE``, and nothing is escaped, which would
take a database longer than all else.

Equal digests mean equal rows. Records whose texts hold control characters, but for line breaks and
tabs, have no digest. If a text in the table held ``QUOTE``, the same text would make fewer rows or
fewer cells in quotes; both are counted.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from airflow_provider_voiso.destinations.sql.load import UnsuitableError

if TYPE_CHECKING:
    from collections.abc import Sequence

QUOTE = "\x01"
"""A control character that texts do not hold."""
_QUOTE = QUOTE.encode()
_OTHER_ESCAPES = {rb"\n": b"\n", rb"\r": b"\r", rb"\t": b"\t", rb"\b": b"\b", rb"\f": b"\f"}
_encode_rows = msgspec.json.Encoder().encode_lines


class Digest(NamedTuple):
    """What is compared of the rows of one minute.

    :param rows: their number
    :param quoted: number of their cells that stand in quotes
    :param sha256: hash of their text in UTF-8, in hexadecimal digits
    """

    rows: int
    quoted: int
    sha256: str


class RowHash:
    """The digest of rows that come a few at a time."""

    def __init__(self) -> None:
        self._rows = 0
        self._quotes = 0
        self._hash = hashlib.sha256()

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows.

        :raises UnsuitableError: if they have no digest
        """
        if self._rows:
            self._hash.update(b"\n")
        text = _text(rows)
        self._hash.update(text)
        self._rows += len(rows)
        self._quotes += text.count(_QUOTE)

    def digest(self) -> Digest:
        """Return the digest of the rows so far."""
        return Digest(self._rows, self._quotes // 2, self._hash.hexdigest())


def _text(rows: Sequence[Sequence[Any]]) -> bytes:
    # Within JSON, a line ends at the end of a row only.
    text = _encode_rows(rows)[1:-2].replace(b"]\n[", b"\n")
    if b"\\" not in text:
        return text.replace(b'"', _QUOTE)
    if rb"\u00" in text:
        raise UnsuitableError
    # JSON holds no control characters, so two of them can keep the place of what is no quote.
    text = text.replace(rb"\\", b"\x02").replace(rb"\"", b"\x03").replace(b'"', _QUOTE)
    if b"\\" in text:
        for escape, character in _OTHER_ESCAPES.items():
            text = text.replace(escape, character)
    return text.replace(b"\x02", b"\\").replace(b"\x03", b'"')
