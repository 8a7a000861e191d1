"""Values of columns that a table lacks, kept in ``extra`` under the vendor's names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_voiso.destinations.columns import COLUMNS, FIELDS, SLA_FIELDS
from airflow_provider_voiso.destinations.sql.dialect import position

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_voiso.destinations.columns import Column
    from airflow_provider_voiso.destinations.sql.dialect import Block

_EXTRA = position(COLUMNS, "extra")
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class ExtraNeededError(Exception):
    """A record has a value that only ``extra`` can hold, and the table has no such column."""


class Overflow:
    """Moves values out of columns that a table lacks.

    :param missing: the columns that the table lacks
    """

    def __init__(self, missing: Sequence[Column]) -> None:
        names = {column.name for column in missing}
        self._has_extra = "extra" not in names
        self._kept = [place for place, each in enumerate(COLUMNS) if each.name not in names]
        self._fields = _places(FIELDS, names)
        self._sla_fields = _places(SLA_FIELDS, names)

    def moved(self, page: Sequence[bytes], block: Block) -> Block:
        """Return the columns that the table has, ``extra`` with what the others held.

        :param page: records as JSON
        :param block: their values in the order of ``COLUMNS``
        :raises ExtraNeededError: if the table has no ``extra``, and a record needs it
        """
        extras: list[str | None] = list(block[_EXTRA])
        for row, record in enumerate(page):
            fields = _filled(self._fields, block, row)
            sla_fields = _filled(self._sla_fields, block, row)
            if fields or sla_fields:
                extras[row] = _merged(extras[row], record, fields, sla_fields)
        if not self._has_extra and any(extras):
            raise ExtraNeededError
        with_extra = [*block[:_EXTRA], extras, *block[_EXTRA + 1 :]]
        return [with_extra[place] for place in self._kept]


def _places(fields: Mapping[str, tuple[str, Any]], missing: set[str]) -> dict[str, int]:
    """Return the vendor's fields whose columns are missing, with the column's place."""
    return {field: position(COLUMNS, column) for field, (column, _) in fields.items() if column in missing}


def _filled(places: Mapping[str, int], block: Block, row: int) -> list[str]:
    # A value that does not fit its column is None there, and stands in `extra` already.
    return [field for field, place in places.items() if block[place][row] is not None]


def _merged(extra: str | None, record: bytes, fields: Sequence[str], sla_fields: Sequence[str]) -> str:
    """Return the JSON of ``extra`` with fields of a record added exactly as they were written."""
    sent = _members(record)
    added = {name: sent[name] for name in fields}
    members = {} if extra is None else _members(extra.encode())
    if sla_fields:
        sent_sla = _members(sent["sla"])
        kept_sla = _members(members["sla"]) if "sla" in members else {}
        members["sla"] = _object({**kept_sla, **{name: sent_sla[name] for name in sla_fields}})
    return _object({**members, **added}).decode()


def _members(text: bytes | msgspec.Raw) -> dict[str, bytes]:
    """Return the members of a JSON object, their values as they were written."""
    try:
        return {name: bytes(value) for name, value in _decode(text).items()}
    except msgspec.DecodeError:  # half a surrogate pair in a name, which Python's reader takes
        members = json.loads(bytes(text), parse_int=_Number, parse_float=_Number)
        return {name: _written(value).encode() for name, value in members.items()}


class _Number(str):
    """A number as it was written."""

    __slots__ = ()


def _written(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, list):
        return "[" + ",".join(_written(item) for item in value) + "]"
    if isinstance(value, dict):
        members = [f"{json.dumps(name)}:{_written(item)}" for name, item in value.items()]
        return "{" + ",".join(members) + "}"
    return json.dumps(value)


def _object(members: Mapping[str, bytes]) -> bytes:
    parts = [json.dumps(name).encode() + b":" + value for name, value in members.items()]
    return b"{" + b",".join(parts) + b"}"
