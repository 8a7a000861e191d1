"""The columns of a record in SQL, Parquet and CSV, and the typed values that go into them.

A value fits its column when it has the JSON type that the API documents and the column holds it exactly.
Whatever does not fit, and every field without a column, goes to ``extra`` as it was sent; nothing is dropped.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import msgspec

from airflow_provider_voiso.api.records import FINER_THAN_MICROSECONDS, parse_timestamp
from airflow_provider_voiso.api.window import UTC
from airflow_provider_voiso.exceptions import VoisoResponseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

Page = list[bytes]
Row = tuple[Any, ...]
LogicalType = Literal["text", "instant", "integer", "decimal", "json"]


class Column(NamedTuple):
    """One column of the export.

    :param name: its name in every destination
    :param type: ``text``; ``instant``, a datetime in UTC to the microsecond; ``integer``, of 64 bits with
        sign; ``decimal``, of 12 digits with 4 of them behind the point; ``json``, a JSON object as text
    """

    name: str
    type: LogicalType


COLUMNS: tuple[Column, ...] = (
    Column("uuid", "text"),
    Column("type", "text"),
    Column("ended_at", "instant"),
    Column("duration_seconds", "integer"),
    Column("agent", "text"),
    Column("agent_id", "integer"),
    Column("queue", "text"),
    Column("from_party", "text"),
    Column("to_party", "text"),
    Column("disposition", "text"),
    Column("wrapup_code", "text"),
    Column("cpc", "decimal"),
    Column("sid", "text"),
    Column("text", "text"),
    Column("related_call", "text"),
    Column("template", "text"),
    Column("num_segments", "integer"),
    Column("destination_name", "text"),
    Column("sla_first_response_seconds", "integer"),
    Column("sla_resolution_seconds", "integer"),
    Column("sla_reply_seconds", "integer"),
    Column("extra", "json"),
)

_LIMIT = 2**63
_FOUR_PLACES = Decimal("0.0001")
_DURATION = re.compile(r"([0-9]{1,12}):([0-5][0-9]):([0-5][0-9])")
_WHOLE = re.compile(r"-?[0-9]{1,19}")
# What msgspec would accept and change, beside digits beyond the microsecond: NUL, and names spelled by escapes.
_NOT_EXACT = re.compile(rb"\\u00(?:00|[67])")
# What an instant cannot tell: further digits, and minutes of an offset that no clock has.
_BEYOND_INSTANT = re.compile(r"[.,][0-9]{6}[0-9]*[1-9]|[6-9][0-9]\s*$")
_OFFSET = re.compile(rb'([+-])([01][0-9]|2[0-3]):([0-5][0-9])"')
_REMEMBERED = 1 << 14
_BLOCK = 300
"""A little more than what a spool reads back at once, so that this is not cut."""
_FEW = 16

_Integer = Annotated[int, msgspec.Meta(ge=-_LIMIT, le=_LIMIT - 1)]


class _Sla(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    time_to_first_response: str | None = None
    time_to_resolution: str | None = None
    time_to_reply: str | None = None


class _Record(msgspec.Struct, forbid_unknown_fields=True, gc=False, rename={"from_party": "from", "to_party": "to"}):
    """The fields in the order of the vendor's sample, in which they are found fastest."""

    agent: str | None = None
    from_party: str | None = None
    disposition: str | None = None
    duration: str | None = None
    queue: str | None = None
    to_party: str | None = None
    timestamp: msgspec.Raw = msgspec.Raw(b"null")
    uuid: str | None = None
    wrapup_code: str | None = None
    type: str | None = None
    agent_id: _Integer | None = None
    cpc: msgspec.Raw = msgspec.Raw(b"null")
    sid: str | None = None
    text: str | None = None
    related_call: str | None = None
    template: str | None = None
    num_segments: _Integer | None = None
    destination_name: str | None = None
    sla: _Sla | None = None


_decode_records = msgspec.json.Decoder(list[_Record]).decode
_decode_instants = msgspec.json.Decoder(list[Annotated[datetime, msgspec.Meta(tz=True)] | None]).decode


def in_blocks(page: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Cut a page into parts so small that what :func:`columns` makes of one fits into a cache and a socket's buffer."""
    return (page[first : first + _BLOCK] for first in range(0, len(page), _BLOCK))


def rows(page: Sequence[bytes]) -> list[Row]:
    """Return one row per record, its values in the order of :data:`COLUMNS`; see :func:`columns`."""
    return list(zip(*columns(page), strict=True))


def columns(page: Sequence[bytes]) -> list[Sequence[Any]]:
    """Return the values of each column of :data:`COLUMNS`, one per record.

    Absent and null fields are both None. Text that databases refuse (NUL, lone surrogates) does not fit.

    :param page: records as JSON
    :raises VoisoResponseError: if one of them is not a JSON object, or nested hundreds of levels deep
    """
    if not page:
        return [()] * len(COLUMNS)
    with suppress(*UNFIT):
        return _fitting(page)
    if len(page) > _FEW:  # one that does not fit then has only its neighbours read one by one
        parts = [columns(page[first : first + _FEW]) for first in range(0, len(page), _FEW)]
        return [list(chain.from_iterable(values)) for values in zip(*parts, strict=True)]
    return list(zip(*map(_row, page), strict=True))


def _row(record: bytes) -> Row:
    with suppress(*UNFIT):
        return tuple(value for (value,) in _fitting([record]))
    return _careful(record)


class MisfitError(ValueError):
    """A value cannot be held exactly by its column."""


class _Number(str):
    """A number exactly as it was written in the JSON."""

    __slots__ = ()


UNFIT = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, MisfitError)


def _fitting(page: Sequence[bytes]) -> list[Sequence[Any]]:
    """Return the columns of records of which everything fits."""
    joined = b"[" + b",".join(page) + b"]"
    if b"\\" in joined and _NOT_EXACT.search(joined):
        raise MisfitError
    fields = zip(*map(msgspec.structs.astuple, _decode_records(joined)), strict=True)
    found: dict[str, Sequence[Any]] = dict(zip(_Record.__struct_fields__, fields, strict=True))
    nothing = [None] * len(page)
    made: dict[str, Sequence[Any]] = {
        "ended_at": _instants(found["timestamp"]),
        "duration_seconds": list(map(optional_seconds, found["duration"])),
        "cpc": list(map(_optional_money, map(bytes, found["cpc"]))),
        "extra": nothing,
    }
    slas = found["sla"] if any(found["sla"]) else ()
    for name, (column, _) in SLA_FIELDS.items():
        made[column] = [sla and optional_seconds(getattr(sla, name)) for sla in slas] or nothing
    return [made.get(name) or found[name] for name, _ in COLUMNS]


def _instants(timestamps: Sequence[msgspec.Raw]) -> list[datetime | None]:
    """Return timestamps in UTC."""
    joined = b"[" + b",".join(timestamps) + b"]"
    if b"\\" in joined or FINER_THAN_MICROSECONDS.search(joined):
        raise MisfitError
    offset = _OFFSET.fullmatch(joined[-8:-1])
    try:
        if offset and joined.count(offset[0]) == len(timestamps):  # nearly always; one by one takes ten times as long
            behind = timedelta(hours=int(offset[2]), minutes=int(offset[3])) * (-1 if offset[1] == b"-" else 1)
            return [instant and instant - behind for instant in _decode_instants(joined.replace(offset[0], b'Z"'))]
        return [instant and instant.astimezone(UTC) for instant in _decode_instants(joined)]
    except OverflowError:
        raise MisfitError from None


@lru_cache(_REMEMBERED)
def optional_seconds(value: str | None) -> int | None:
    """Return how long a duration is.

    :raises MisfitError: if it is none
    """
    return None if value is None else _seconds(value)


@lru_cache(_REMEMBERED)
def _optional_money(json: bytes) -> Decimal | None:
    return None if json == b"null" else _decimal(_Number(json.decode()))


def _seconds(value: Any) -> int:
    match = _DURATION.fullmatch(value) if type(value) is str else None
    if match is None:
        raise MisfitError
    hours, minutes, seconds = match.groups()
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds)


def _money(value: Decimal) -> Decimal:
    try:
        exact = value.quantize(_FOUR_PLACES)
    except InvalidOperation:
        raise MisfitError from None
    if exact != value or abs(exact) >= 100_000_000:
        raise MisfitError
    return exact


def _text(value: Any) -> str:
    if type(value) is not str or "\0" in value or not _has_no_lone_surrogate(value):
        raise MisfitError
    return value


def _has_no_lone_surrogate(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _integer(value: Any) -> int:
    if type(value) is not _Number or not _WHOLE.fullmatch(value) or not -_LIMIT <= int(value) < _LIMIT:
        raise MisfitError
    return int(value)


def _decimal(value: Any) -> Decimal:
    if type(value) is not _Number:
        raise MisfitError
    try:
        return _money(Decimal(value))
    except InvalidOperation:
        raise MisfitError from None


FIELDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "uuid": ("uuid", _text),
    "type": ("type", _text),
    "duration": ("duration_seconds", _seconds),
    "agent": ("agent", _text),
    "agent_id": ("agent_id", _integer),
    "queue": ("queue", _text),
    "from": ("from_party", _text),
    "to": ("to_party", _text),
    "disposition": ("disposition", _text),
    "wrapup_code": ("wrapup_code", _text),
    "cpc": ("cpc", _decimal),
    "sid": ("sid", _text),
    "text": ("text", _text),
    "related_call": ("related_call", _text),
    "template": ("template", _text),
    "num_segments": ("num_segments", _integer),
    "destination_name": ("destination_name", _text),
}
SLA_FIELDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "time_to_first_response": ("sla_first_response_seconds", _seconds),
    "time_to_resolution": ("sla_resolution_seconds", _seconds),
    "time_to_reply": ("sla_reply_seconds", _seconds),
}


def _careful(record: bytes) -> Row:
    """Return the row of a record of which something does not fit."""
    try:
        fields = json.loads(record.decode(), parse_int=_Number, parse_float=_Number, parse_constant=_refuse)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise VoisoResponseError("The API returned a record that is not a JSON object, or too deeply nested.")
    row: dict[str, Any] = {}
    sla = fields.pop("sla", None)
    timestamp = fields.pop("timestamp", None)
    extra = _take(fields, FIELDS, row)
    if timestamp is not None:
        row["ended_at"], whole = _instant(timestamp)
        if not whole:
            extra["timestamp"] = timestamp
    if isinstance(sla, dict):
        sla = _take(sla, SLA_FIELDS, row)
    if sla not in (None, {}):
        extra["sla"] = sla
    if extra:
        try:
            text = _dump(extra)
        except RecursionError:
            raise VoisoResponseError("The API returned a record that is too deeply nested to be taken apart.") from None
        row["extra"] = text.encode(errors="backslashreplace").decode()  # \udXXX is JSON's own escape
    return tuple(row.get(column.name) for column in COLUMNS)


def _refuse(_: str) -> None:
    raise ValueError


def _take(
    fields: Mapping[str, Any], known: Mapping[str, tuple[str, Callable[[Any], Any]]], row: dict[str, Any]
) -> dict[str, Any]:
    """Put the fields that fit into the row and return the others."""
    others = {}
    for name, value in fields.items():
        if name not in known:
            others[name] = value
        elif value is not None:
            column, convert = known[name]
            try:
                row[column] = convert(value)
            except MisfitError:
                others[name] = value
    return others


def _instant(value: Any) -> tuple[datetime | None, bool]:
    """Return the instant by which the record was found in its window, and whether it tells all of the text."""
    try:
        instant = parse_timestamp(value).astimezone(UTC)
    except (AttributeError, ValueError, OverflowError):
        return None, False
    return instant, not _BEYOND_INSTANT.search(value)


def _dump(value: Any) -> str:
    """Return compact JSON with every number as it was written."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_dump(name)}:{_dump(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dump, value)) + "]"
    return value if type(value) is _Number else json.dumps(value, ensure_ascii=False)
