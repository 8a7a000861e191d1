"""Decoding of records: ``uuid`` and ``timestamp`` of many, all fields of one."""

from __future__ import annotations

import json
import math
import re
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from airflow_provider_voiso.api.json import UNREADABLE_JSON
from airflow_provider_voiso.exceptions import VoisoResponseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    Json = bytes | msgspec.Raw
    """JSON text. Both types can be joined and decoded; only bytes can be sliced and compared."""

IF_IT_LASTS = "Run the task again; if it lasts, check the connection's host and tell Voiso."
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?\s*(?:(Z)|([+-])(\d\d):?(\d\d))",
    re.IGNORECASE | re.ASCII,
)
FINER_THAN_MICROSECONDS = re.compile(rb"\.[0-9]{7}")
"""Matches fractions of a second that msgspec would round."""

_LONE_SURROGATE = re.compile(
    rb"(\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|\\u[dD]([89a-fA-F][0-9a-fA-F]{2})"
)
"""The first group matches what stays: an escaped backslash or a whole pair."""


class _Key(msgspec.Struct, gc=False):
    uuid: str
    timestamp: msgspec.Raw


class _LooseKey(msgspec.Struct, gc=False):
    uuid: str
    timestamp: str


_decode_keys = msgspec.json.Decoder(list[_Key]).decode
_decode_timestamps = msgspec.json.Decoder(list[Annotated[datetime, msgspec.Meta(tz=True)]]).decode
_decode_loose_keys = msgspec.json.Decoder(list[_LooseKey]).decode


def keys(raws: Sequence[Json]) -> tuple[list[str], list[datetime]]:
    """Return the uuids and the timestamps of records, cut to the microsecond.

    :raises VoisoResponseError: if a record is no object, or has no uuid or no readable timestamp
        with an offset
    """
    joined = b"[" + b",".join(raws) + b"]"
    if exact := _exact_keys(joined):
        return exact
    with suppress(*UNREADABLE_JSON, ValueError, OverflowError):
        loose = _decode_loose_keys(without_lone_surrogates(joined))
        return [key.uuid for key in loose], [parse_timestamp(key.timestamp) for key in loose]
    raise VoisoResponseError(
        "The API returned a record that is no object, or that has no uuid or no timestamp with an "
        f"offset, so that it cannot be placed in a window. {IF_IT_LASTS}"
    )


def _exact_keys(text: bytes) -> tuple[list[str], list[datetime]] | None:
    """Return the uuids and timestamps of a JSON array of records, None if it is undocumented."""
    with suppress(*UNREADABLE_JSON):
        found = _decode_keys(text)
        ended = exact_timestamps([key.timestamp for key in found])
        if ended is not None:
            return [key.uuid for key in found], ended
    return None


def exact_timestamps(texts: Sequence[msgspec.Raw]) -> list[datetime] | None:
    """Return timestamps, None if one of them must go through :func:`parse_timestamp`.

    :raises msgspec.MsgspecError: if one is no timestamp with an offset, or in an undocumented form
    """
    joined = b"[" + b",".join(texts) + b"]"
    # msgspec rounds finer fractions, which can move a record into the next window. The columns cut
    # them, and so must this.
    if b"\\" in joined or FINER_THAN_MICROSECONDS.search(joined):
        return None
    return _decode_timestamps(joined)


def decode(raw: bytes) -> dict[str, Any]:
    """Return a record as a dictionary.

    A number that neither an int nor a float can hold is returned as its text.

    :raises VoisoResponseError: if it is not valid UTF-8 or too deeply nested
    """
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except UNREADABLE_JSON:
        pass
    # msgspec refuses half a surrogate pair and a number beyond a double; the standard library reads
    # both.
    try:
        record: dict[str, Any] = json.loads(raw.decode(), parse_int=_integer, parse_float=_float)
    except (ValueError, RecursionError):
        pass
    else:
        return record
    raise VoisoResponseError(
        "The API returned a record that is not valid UTF-8, or too deeply nested to be read."
    )


def _integer(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:  # Python converts no more than 4300 digits
        return text


def _float(text: str) -> float | str:
    return text if math.isinf(number := float(text)) else number


def without_lone_surrogates(text: bytes) -> bytes:
    """Replace each escaped half of a surrogate pair, which msgspec refuses.

    It becomes an escaped character of private use, and every other byte keeps its place.
    """
    return _LONE_SURROGATE.sub(lambda match: match[1] or rb"\ue" + match[2], text)


def same_places(parts: Iterable[bytes], masked: bytes, text: bytes) -> Iterator[bytes]:
    """Yield the bytes of a text at the places of the parts in its masked copy.

    :param parts: parts of ``masked``, in order
    :param masked: ``text`` after :func:`without_lone_surrogates`
    :param text: the text
    """
    end = 0
    for part in parts:
        start = masked.index(part, end)
        end = start + len(part)
        yield text[start:end]


def parse_timestamp(text: str) -> datetime:
    """Read a timestamp with an offset, cut to the microsecond.

    It accepts more forms than the API documents.

    :raises ValueError: if the text is no such timestamp
    """
    match = _TIMESTAMP.fullmatch(text.strip())
    if match is None:
        raise ValueError
    *date_time, fraction, utc, sign, hours, minutes = match.groups()
    offset = timedelta(0)
    if not utc:
        offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
    year, month, day, hour, minute, second = map(int, date_time)
    microsecond = int((fraction or "").ljust(6, "0")[:6])
    zone = timezone(offset)
    return datetime(year, month, day, hour, minute, second, microsecond, tzinfo=zone)
