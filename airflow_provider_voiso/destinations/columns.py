"""The columns of a record in SQL, Parquet and CSV, and the typed values that go into them.

A value fits its column when it has the JSON type that the API documents and the column holds it
exactly. Whatever does not fit, and every field without a column, goes to ``extra``; nothing is
dropped.
:mod:`~airflow_provider_voiso.destinations.extra` says how ``extra`` holds what databases cannot
read, and undoes it.
"""

from __future__ import annotations

import re
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from airflow_provider_voiso.destinations.extra import (
    extras_of,
    joined_object,
    split_object,
)
from airflow_provider_voiso.destinations.values import (
    AMOUNT,
    DURATION,
    INTEGER,
    NULL,
    TEXT,
    TIMESTAMP,
    UNFIT,
    Kind,
    LogicalType,
    MisfitError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    _Sent = dict[str, msgspec.Raw]
    """A record or its ``sla``: the fields by name, their values as JSON."""

__all__ = [
    "COLUMNS",
    "FIELDS",
    "Column",
    "Field",
    "LogicalType",
    "Page",
    "Row",
    "columns",
    "in_blocks",
    "rows",
    "split_records",
    "take_field",
]

Page = list[bytes]
Row = tuple[Any, ...]


class Field(NamedTuple):
    """One documented field of a record.

    :param name: the API's name
    :param column: name of its column in every destination
    :param kind: how it is written
    :param meaning: what the API's documentation says of it
    :param in_sla: whether it stands in the object ``sla`` and not in the record itself
    """

    name: str
    column: str
    kind: Kind
    meaning: str
    in_sla: bool = False


FIELDS: tuple[Field, ...] = (
    Field("uuid", "uuid", TEXT, "identifies the interaction"),
    Field("type", "type", TEXT, "kind of interaction"),
    Field("timestamp", "ended_at", TIMESTAMP, "when it ended"),
    Field("duration", "duration_seconds", DURATION, "how long it took"),
    Field("agent", "agent", TEXT, "name of the agent"),
    Field("agent_id", "agent_id", INTEGER, "number of the agent"),
    Field("queue", "queue", TEXT, "name of the queue"),
    Field("from", "from_party", TEXT, "who began it: a phone number or a name"),
    Field("to", "to_party", TEXT, "who was addressed: a phone number or a name"),
    Field("disposition", "disposition", TEXT, "how it ended"),
    Field("wrapup_code", "wrapup_code", TEXT, "code that the agent gave it"),
    Field("cpc", "cpc", AMOUNT, "what it cost"),
    Field("sid", "sid", TEXT, "sender of an SMS"),
    Field("text", "text", TEXT, "text of an SMS"),
    Field("related_call", "related_call", TEXT, "`uuid` of the call that an SMS belongs to"),
    Field("template", "template", TEXT, "template of an SMS"),
    Field("num_segments", "num_segments", INTEGER, "segments of an SMS"),
    Field("destination_name", "destination_name", TEXT, "country and network that were called"),
    Field(
        "time_to_first_response", "sla_first_response_seconds", DURATION,
        "until a chat's first response", in_sla=True,
    ),
    Field(
        "time_to_resolution", "sla_resolution_seconds", DURATION, "until a chat was resolved",
        in_sla=True,
    ),
    Field("time_to_reply", "sla_reply_seconds", DURATION, "until a chat's reply", in_sla=True),
)  # fmt: skip
"""What the API documents; columns, reading and the types of Parquet follow from it."""


class Column(NamedTuple):
    """One column of the export.

    :param name: its name in every destination
    :param type: ``text``; ``instant``, a datetime in UTC to the microsecond; ``integer``, of 64
        bits with sign; ``decimal``, of 12 digits with 4 of them behind the point; ``json``, a JSON
        object as text
    """

    name: str
    type: LogicalType


COLUMNS: tuple[Column, ...] = (
    *(Column(field.column, field.kind.type) for field in FIELDS),
    Column("extra", "json"),
)

_IN_RECORD = [field for field in FIELDS if not field.in_sla]
_IN_SLA = [field for field in FIELDS if field.in_sla]
_SAMPLE_ORDER = ["agent", "from", "disposition", "duration", "queue", "to", "timestamp", "uuid"]
"""How the vendor's sample begins: msgspec finds fields faster in the order in which they come."""
_BLOCK_RECORDS = 300
"""A little more than a spool reads back at once, so that its parts are not cut."""
# What msgspec takes though no column holds it (NUL), and names spelled by escapes.
_NOT_EXACT = re.compile(rb"\\u00(?:00|[67])")


def _struct(name: str, fields: Sequence[Field], *more: tuple[str, Any, Any]) -> Any:
    """Return a msgspec struct of fields, its attributes named as the columns are."""
    optional = [
        (field.column, field.kind.sent, NULL if field.kind.sent is msgspec.Raw else None)
        for field in fields
    ]
    names = {field.column: field.name for field in fields}
    return msgspec.defstruct(
        name, [*optional, *more], rename=names, forbid_unknown_fields=True, gc=False
    )


_Sla = _struct("_Sla", _IN_SLA)
_DECODED = [field for name in _SAMPLE_ORDER for field in _IN_RECORD if field.name == name]
_DECODED += [field for field in _IN_RECORD if field not in _DECODED]
_Record: Any = _struct("_Record", _DECODED, ("sla", _Sla | None, None))
_decode_records = msgspec.json.Decoder(list[_Record]).decode
_decode_fields = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode


def in_blocks(page: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Cut a page into parts whose columns fit into a cache and a socket's buffer."""
    return (page[first : first + _BLOCK_RECORDS] for first in range(0, len(page), _BLOCK_RECORDS))


def rows(page: Sequence[bytes]) -> list[Row]:
    """Return one row per record, in the order of :data:`COLUMNS`; see :func:`columns`."""
    return list(zip(*columns(page), strict=True))


def columns(page: Sequence[bytes]) -> list[Sequence[Any]]:
    """Return the values of each column of :data:`COLUMNS`, one per record.

    Absent and null fields are both None. Text that databases refuse (NUL, lone surrogates) does not
    fit.

    :param page: records as JSON
    :raises VoisoResponseError: if one of them is not a JSON object, or nested hundreds of levels
        deep
    """
    if not page:
        return [()] * len(COLUMNS)
    with suppress(*UNFIT):
        return _documented_columns(page)
    return _exact_columns(page)


def _documented_columns(page: Sequence[bytes]) -> list[Sequence[Any]]:
    """Return the columns of records that hold only what is documented.

    :raises UNFIT: one of these, if anything does not fit
    """
    joined = b"[" + b",".join(page) + b"]"
    if b"\\" in joined and _NOT_EXACT.search(joined):
        raise MisfitError
    records = _decode_records(joined)
    if len(records) != len(page):
        raise MisfitError
    *sent, slas = zip(*map(msgspec.structs.astuple, records), strict=True)
    nothing = [None] * len(page)
    found: dict[str, Sequence[Any]] = {}
    for field, values in zip(_DECODED, sent, strict=True):
        found[field.column] = field.kind.values(values)
    found |= dict.fromkeys((field.column for field in _IN_SLA), nothing)
    with_sla = [place for place, sla in enumerate(slas) if sla]  # chats alone have one
    for field in _IN_SLA if with_sla else ():
        texts = [getattr(slas[place], field.column) for place in with_sla]
        column: list[Any] = [None] * len(page)
        for place, value in zip(with_sla, field.kind.values(texts), strict=True):
            column[place] = value
        found[field.column] = column
    return [*(found[field.column] for field in FIELDS), nothing]


def _exact_columns(page: Sequence[bytes]) -> list[Sequence[Any]]:
    """Return the columns of any records; a column with a misfit is read value by value.

    :raises VoisoResponseError: see :func:`columns`
    """
    records = split_records(page)
    found = {field.column: take_field(field, records) for field in _IN_RECORD}
    slas = _taken_slas(records)
    found |= {field.column: take_field(field, slas) for field in _IN_SLA}
    for record, sla in zip(records, slas, strict=True):
        if sla:
            record["sla"] = joined_object(sla)
    return [*(found[field.column] for field in FIELDS), extras_of(records)]


def split_records(page: Sequence[bytes]) -> list[_Sent]:
    """Return the fields of each record, their values as JSON."""
    joined = b"[" + b",".join(page) + b"]"
    records: list[_Sent] = []
    with suppress(*UNFIT):
        joined.decode()  # msgspec does not look into the values
        records = _decode_fields(joined)
    if len(records) == len(page):
        return records
    if len(page) > 1:
        return list(chain.from_iterable(split_records([record]) for record in page))
    return [split_object(page[0])]


def take_field(field: Field, records: Sequence[_Sent]) -> Sequence[Any]:
    """Take a field out of records and return its column; what does not fit is left there."""
    cells = [record.pop(field.name, NULL) for record in records]
    with suppress(*UNFIT):
        return field.kind.read(cells)
    found = []
    for cell, record in zip(cells, records, strict=True):
        value, is_whole = _nearest(field.kind, cell)
        found.append(value)
        if not is_whole:
            record[field.name] = cell
    return found


def _nearest(kind: Kind, cell: msgspec.Raw) -> tuple[Any, bool]:
    try:
        return kind.read([cell])[0], True
    except UNFIT:
        return kind.nearest(cell)


def _taken_slas(records: Sequence[_Sent]) -> list[_Sent]:
    """Take ``sla`` out of records and return its fields; what is not an object is left there."""
    cells = [record.pop("sla", NULL) for record in records]
    none: _Sent = {}
    slas = [none] * len(records)
    for index, cell in enumerate(cells):
        if cell is NULL:
            continue
        text = bytes(cell)
        if text.startswith(b"{"):
            [slas[index]] = split_records([text])
        elif text != b"null":
            records[index]["sla"] = cell
    return slas
