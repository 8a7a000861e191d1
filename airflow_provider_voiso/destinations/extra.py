"""``extra``: one JSON object of fields without a column and values that do not fit theirs.

Databases work on it with their own JSON functions, in every row. They cannot read some of what a
record may hold, so that stands in ``extra`` as JSON within a text:

- A value becomes ``{"_json": "..."}`` with the value's JSON in the text, if it is

  - a text with NUL or with half a surrogate pair (PostgreSQL, DuckDB, MariaDB),
  - a number of more than 1,000 characters, or with an exponent beyond ±308 (``jsonb`` of
    PostgreSQL; others round it),
  - a list or an object that lies deeper than 20 levels, ``extra`` being the first (MariaDB).

- A field's name becomes ``_json:`` with the name's JSON behind it, if it holds NUL or half a
  surrogate pair, or begins with ``_json``. So whatever looks like these forms is one of them.

:func:`original_extra` undoes it without loss.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_voiso.exceptions import VoisoResponseError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MARK = "_json"
_DEEPEST_LEVEL = 20
_LONGEST_NUMBER = 1_000
_LARGEST_EXPONENT = 308
# JSON that stands in extra as it was sent: no escape, no long number, nothing nested.
_PLAIN = re.compile(rb'"[^"\\]*"|-?[0-9]{1,300}(?:\.[0-9]{1,300})?|true|false|null')
_LARGE_NUMBER = re.compile(rb"[0-9](?:[0-9]{299}|[eE][-+]?[0-9]{3})")
_UNREADABLE = re.compile("[\0\ud800-\udfff]")
_encode_lines = msgspec.json.Encoder().encode_lines
_decode_lines = msgspec.json.Decoder(
    float_hook=lambda digits: msgspec.Raw(digits.encode())
).decode_lines
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class _Number(str):
    """A number exactly as it was written in the JSON."""

    __slots__ = ()


def split_object(text: bytes) -> dict[str, msgspec.Raw]:
    """Return the fields of a JSON object, the last of each name, with their values as JSON.

    This takes what msgspec refuses: half a surrogate pair in a name or a value.

    :raises VoisoResponseError: if it is not a JSON object, or is too deeply nested to be read
    """
    fields = _parsed(text)
    if not isinstance(fields, dict):
        raise _unreadable()
    try:
        return {name: msgspec.Raw(_written(value).encode()) for name, value in fields.items()}
    except RecursionError:
        pass
    raise _unreadable()


def joined_object(fields: Mapping[str, msgspec.Raw]) -> msgspec.Raw:
    """Return a JSON object of fields whose values are JSON."""
    parts = [json.dumps(name).encode() + b":" + bytes(value) for name, value in fields.items()]
    return msgspec.Raw(b"{" + b",".join(parts) + b"}")


def extras_of(records: Sequence[Mapping[str, msgspec.Raw]]) -> list[str | None]:
    """Return ``extra`` for each record; None for one without fields.

    :param records: fields, their values as the JSON that the API sent
    :raises VoisoResponseError: if a value is too deeply nested to be read
    """
    extras = _usual_extras(records)
    if extras is None:
        extras = [_extra(record) for record in records]
    return [None if extra == "{}" else extra for extra in extras]


def extra_with(
    extra: str | None, fields: Mapping[str, msgspec.Raw], sla: Mapping[str, msgspec.Raw]
) -> str | None:
    """Return ``extra`` with more fields.

    :param extra: made by :func:`extras_of`, without these fields
    :param fields: documented fields and their values as JSON
    :param sla: the same for fields of the object ``sla``
    """
    if not fields and not sla:
        return extra
    found = {**fields, **_decode_fields(extra or "{}")}
    if sla:
        sent = _decode_fields(found.get("sla", b"{}"))
        found["sla"] = msgspec.Raw(msgspec.json.encode({**sla, **sent}))
    return msgspec.json.encode(found).decode()


def original_extra(extra: str) -> str:
    """Return the JSON that the API sent for what ``extra`` holds, every number as it was written.

    :param extra: content of the column, as text
    :raises ValueError: if it is not the JSON of such a column
    """
    return _original(json.loads(extra, parse_int=_Number, parse_float=_Number))


def _original(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ",".join([_original(item) for item in value]) + "]"
    if not isinstance(value, dict):
        return _written(value)
    if _MARK in value:
        return str(value[_MARK])
    fields = [f"{_original_name(name)}:{_original(item)}" for name, item in value.items()]
    return "{" + ",".join(fields) + "}"


def _original_name(name: str) -> str:
    return name.removeprefix(f"{_MARK}:") if name.startswith(_MARK) else _written(name)


def _usual_extras(records: Sequence[Mapping[str, msgspec.Raw]]) -> Sequence[str] | None:
    """Return :func:`_extra` of usual records in a tenth of the time; None for others."""
    with suppress(msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError):
        sent = _encode_lines(records)
        # Such an escape may stand for a character that databases cannot read.
        if rb"\u" in sent or b"_json" in sent or _LARGE_NUMBER.search(sent):
            return None
        extras = sent.decode().split("\n")[:-1]
        is_nested = sent.count(b"{") + sent.count(b"[") > len(records)
        if not is_nested and b"\\" not in sent:
            return extras
        # Equal only if no name is repeated within a value, no blank stands between tokens, and
        # nothing is escaped that need not be.
        is_compact = _encode_lines(_decode_lines(sent)) == sent
        deepest = max(extra.count("{") + extra.count("[") for extra in extras)
        if is_compact and deepest <= _DEEPEST_LEVEL:
            return extras
    return None


def _extra(record: Mapping[str, msgspec.Raw]) -> str:
    try:
        fields = [f"{_name(name)}:{_value(bytes(value))}" for name, value in record.items()]
    except RecursionError:
        raise _unreadable() from None
    return "{" + ",".join(fields) + "}"


def _value(text: bytes) -> str:
    if _PLAIN.fullmatch(text):
        return text.decode()
    return _readable(_parsed(text), level=2)


def _readable(value: Any, level: int) -> str:
    """Return JSON that databases can read, of a value that lies at a level."""
    if isinstance(value, (dict, list)):
        if level > _DEEPEST_LEVEL:
            return _held(value)
        if isinstance(value, list):
            return "[" + ",".join([_readable(item, level + 1) for item in value]) + "]"
        fields = [f"{_name(name)}:{_readable(item, level + 1)}" for name, item in value.items()]
        return "{" + ",".join(fields) + "}"
    if isinstance(value, _Number):
        return value if _is_common(value) else _held(value)
    if isinstance(value, str) and _UNREADABLE.search(value):
        return _held(value)
    return _written(value)


def _held(value: Any) -> str:
    return json.dumps({_MARK: _written(value)}, ensure_ascii=False, separators=(",", ":"))


@lru_cache(1 << 10)
def _name(name: str) -> str:
    if name.startswith(_MARK) or _UNREADABLE.search(name):
        name = f"{_MARK}:{_written(name)}"
    return json.dumps(name, ensure_ascii=False)


def _is_common(number: str) -> bool:
    if len(number) > _LONGEST_NUMBER:
        return False
    try:
        value = Decimal(number)
    except InvalidOperation:  # its exponent has twenty digits
        return False
    return abs(value.adjusted()) <= _LARGEST_EXPONENT


def _written(value: Any) -> str:
    """Return compact JSON, numbers as they were written, half a surrogate pair as its escape."""
    if isinstance(value, dict):
        fields = [f"{_written(name)}:{_written(item)}" for name, item in value.items()]
        return "{" + ",".join(fields) + "}"
    if isinstance(value, list):
        return "[" + ",".join([_written(item) for item in value]) + "]"
    if isinstance(value, _Number):
        return value
    return json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace").decode()


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(
            text.decode(), parse_int=_Number, parse_float=_Number, parse_constant=_refuse
        )
    except (ValueError, RecursionError):
        pass
    raise _unreadable()


def _refuse(_: str) -> None:
    raise ValueError


def _unreadable() -> VoisoResponseError:
    return VoisoResponseError(
        "The API returned a record that is not a JSON object, or is too deeply nested to be read."
    )
