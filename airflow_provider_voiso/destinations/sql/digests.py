"""Digests of the rows of each minute, made alike of a table's rows and of records.

A digest is made of rows as JSON writes them, one a line, but for the first and the last bracket,
ordered by ``ended_at`` and ``uuid``. In place of ``ended_at`` stand the microseconds since the
minute began. All but integers stands between two of ``QUOTE``, and nothing is escaped: that would
take a database longer than all else.

Equal digests mean equal rows. Records whose texts hold control characters, but for line breaks and
tabs, have no digest. If a text in the table held ``QUOTE``, the same text would make fewer rows or
fewer cells in quotes; both are counted.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

QUOTE = "\x01"
"""A control character that texts do not hold."""
BETWEEN_ROWS = "]\n["
_QUOTE = QUOTE.encode()
_OTHER_ESCAPES = {rb"\n": b"\n", rb"\r": b"\r", rb"\t": b"\t", rb"\b": b"\b", rb"\f": b"\f"}
_encode_rows = msgspec.json.Encoder().encode_lines


class NoDigestError(ValueError):
    """A text holds a control character that a digest cannot tell from its own."""


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

        :raises NoDigestError: if a text holds a control character
        """
        if self._rows:
            self._hash.update(BETWEEN_ROWS.encode())
        text = _text(rows)
        self._hash.update(text)
        self._rows += len(rows)
        self._quotes += text.count(_QUOTE)

    def digest(self) -> Digest:
        """Return the digest of the rows so far."""
        return Digest(self._rows, self._quotes // 2, self._hash.hexdigest())


def _text(rows: Sequence[Sequence[Any]]) -> bytes:
    text = _encode_rows(rows)[1:-2]
    if b"\\" not in text:
        return text.replace(b'"', _QUOTE)
    # JSON holds no control characters, so two of them can keep the place of what is no quote.
    text = text.replace(rb"\\", b"\x02").replace(rb"\"", b"\x03").replace(b'"', _QUOTE)
    if rb"\u00" in text:
        raise NoDigestError
    if b"\\" in text:
        for escape, character in _OTHER_ESCAPES.items():
            text = text.replace(escape, character)
    return text.replace(b"\x02", b"\\").replace(b"\x03", b'"')
