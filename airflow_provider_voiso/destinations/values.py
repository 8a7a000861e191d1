"""The kinds of values in a record: how the API writes them, and how exactly a column holds them.

Each kind reads the values of a whole column at once and refuses all of them if one does not fit.
:func:`~airflow_provider_voiso.destinations.columns.columns` then reads that column value by value.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import msgspec

from airflow_provider_voiso.api.records import FINER_THAN_MICROSECONDS, parse_timestamp
from airflow_provider_voiso.api.window import UTC

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LogicalType = Literal["text", "instant", "integer", "decimal", "json"]

NULL = msgspec.Raw(b"null")

_LIMIT = 2**63
_FOUR_PLACES = Decimal("0.0001")
_DURATION = re.compile(r"([0-9]{1,12}):([0-5][0-9]):([0-5][0-9])")
# An instant cannot tell digits below the microsecond, nor the 75 minutes of an offset like +05:75.
_BEYOND_INSTANT = re.compile(r"[.,][0-9]{6}[0-9]*[1-9]|[6-9][0-9]\s*$")
_SPELLED = re.compile(rb'"(0|[1-9][0-9]{0,17})"')
_OFFSET = re.compile(rb'([+-])([01][0-9]|2[0-3]):([0-5][0-9])"')
# A day has far fewer different durations and prices than this.
_CACHED_VALUES = 1 << 14

_Integer = Annotated[int, msgspec.Meta(ge=-_LIMIT, le=_LIMIT - 1)]
_decode_instants = msgspec.json.Decoder(
    list[Annotated[datetime, msgspec.Meta(tz=True)] | None]
).decode
_decode_text = msgspec.json.Decoder(str).decode


class MisfitError(ValueError):
    """A value cannot be held exactly by its column."""


UNFIT = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, MisfitError)
"""All that a kind raises for values that do not fit."""


class Kind(NamedTuple):
    """One kind of value.

    :param type: logical type of the column
    :param sent: type that msgspec decodes the API's JSON to
    :param decode: decodes a JSON list of such values
    :param values: makes the column's values of decoded ones; raises one of :data:`UNFIT` unless all
        fit
    :param nearest: reads one value that does not fit; returns what the column holds in its place,
        and whether that tells all of the value
    """

    type: LogicalType
    sent: Any
    decode: Callable[[bytes], list[Any]]
    values: Callable[[Sequence[Any]], Sequence[Any]]
    nearest: Callable[[msgspec.Raw], tuple[Any, bool]] = lambda _: (None, False)

    def read(self, cells: Sequence[msgspec.Raw]) -> Sequence[Any]:
        """Return the column's values.

        :param cells: values as JSON
        :raises UNFIT: one of these, unless all fit
        """
        joined = b"[" + b",".join(cells) + b"]"
        decoded = self.decode(joined)
        # Databases refuse NUL in text, and msgspec takes it.
        if (
            self.type == "text"
            and rb"\u0000" in joined
            and any("\0" in text for text in decoded if text)
        ):
            raise MisfitError
        return self.values(decoded)


def _unchanged(values: Sequence[Any]) -> Sequence[Any]:
    return values


def _durations(texts: Sequence[str | None]) -> list[int | None]:
    return list(map(seconds, texts))


@lru_cache(_CACHED_VALUES)
def seconds(duration: str | None) -> int | None:
    """Return the seconds of a duration like ``48:16:27``.

    :raises MisfitError: if it is not one
    """
    if duration is None:
        return None
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise MisfitError
    hours, minutes, rest = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + int(rest)


def _amounts(numbers: Sequence[msgspec.Raw]) -> list[Decimal | None]:
    return list(map(_amount, map(bytes, numbers)))


@lru_cache(_CACHED_VALUES)
def _amount(number: bytes) -> Decimal | None:
    if number == b"null":
        return None
    try:
        value = Decimal(number.decode())
        exact = value.quantize(_FOUR_PLACES)
    except InvalidOperation:  # a text, a list, or far too many digits
        raise MisfitError from None
    if exact != value or abs(exact) >= 100_000_000:
        raise MisfitError
    return exact


def _instants(timestamps: Sequence[msgspec.Raw]) -> list[datetime | None]:
    """Return timestamps in UTC."""
    joined = b"[" + b",".join(timestamps) + b"]"
    if b"\\" in joined or FINER_THAN_MICROSECONDS.search(joined):
        raise MisfitError
    offset = _OFFSET.fullmatch(joined[-8:-1])
    try:
        # Nearly always all have one offset; to convert one by one takes ten times as long.
        if offset and joined.count(offset[0]) == len(timestamps):
            ahead = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
            if offset[1] == b"-":
                ahead = -ahead
            local = _decode_instants(joined.replace(offset[0], b'Z"'))
            return [instant and instant - ahead for instant in local]
        return [instant and instant.astimezone(UTC) for instant in _decode_instants(joined)]
    except OverflowError:  # within a day of the years 1 and 9999
        raise MisfitError from None


def _nearest_instant(timestamp: msgspec.Raw) -> tuple[datetime | None, bool]:
    """Return the record's instant, and whether it tells all of the text."""
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, ValueError, OverflowError):
        text = _decode_text(timestamp)
        return parse_timestamp(text).astimezone(UTC), not _BEYOND_INSTANT.search(text)
    return None, False


def _nearest_integer(number: msgspec.Raw) -> tuple[int | None, bool]:
    """Return the number that a text spells, which is not the text itself."""
    digits = _SPELLED.fullmatch(bytes(number))
    return (int(digits[1]) if digits else None), False


def _kind(type: LogicalType, sent: Any, **functions: Any) -> Kind:  # noqa: A002 - the column's
    return Kind(type, sent, msgspec.json.Decoder(list[sent]).decode, **functions)


TEXT = _kind("text", str | None, values=_unchanged)
INTEGER = _kind("integer", _Integer | None, values=_unchanged)
IDENTIFIER = _kind("integer", _Integer | None, values=_unchanged, nearest=_nearest_integer)
"""The number of an object. One that comes as a text is a number as well, unless it has leading
zeros."""
DURATION = _kind("integer", str | None, values=_durations)
AMOUNT = _kind("decimal", msgspec.Raw, values=_amounts)
TIMESTAMP = _kind("instant", msgspec.Raw, values=_instants, nearest=_nearest_instant)
