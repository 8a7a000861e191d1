"""A slow and plain reading of a record, by the rules of the README and nothing of the package's
code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any

TEXTS = {
    "uuid": "uuid",
    "type": "type",
    "agent": "agent",
    "queue": "queue",
    "from": "from_party",
    "to": "to_party",
    "disposition": "disposition",
    "wrapup_code": "wrapup_code",
    "sid": "sid",
    "text": "text",
    "related_call": "related_call",
    "template": "template",
    "destination_name": "destination_name",
}


class Number(str):
    """A number as it was written."""

    __slots__ = ()


def exact(text: str | bytes) -> Any:
    """Return JSON as Python's own objects, but for numbers."""
    if isinstance(text, bytes):
        text = text.decode()
    return json.loads(text, parse_int=Number, parse_float=Number)


def reference(record: bytes) -> dict[str, Any]:
    """Return the columns that are not None, and as ``extra`` a dictionary of all that they do
    not tell."""
    columns: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, value in exact(record).items():
        if name == "sla" and isinstance(value, dict):
            rest = take(value, SLA, columns)
            if rest:
                extra["sla"] = rest
        elif name == "timestamp" and isinstance(value, str):
            instant, is_whole = instant_of(value)
            if instant:
                columns["ended_at"] = instant
            if not is_whole:
                extra["timestamp"] = value
        else:
            extra.update(
                take({name: value}, {**FIELDS, "sla": NO_COLUMN, "timestamp": NO_COLUMN}, columns)
            )
    if extra:
        columns["extra"] = extra
    return columns


def take(sent: dict[str, Any], known: dict[str, Reader], columns: dict[str, Any]) -> dict[str, Any]:
    """Fill columns with the values that fit and return the others."""
    rest = {}
    for name, value in sent.items():
        if name not in known:
            rest[name] = value
        elif value is not None:
            column, fits, convert = known[name]
            if fits(value):
                columns[column] = convert(value)
            else:
                rest[name] = value
    return rest


def is_storable_text(value: Any) -> bool:
    if not isinstance(value, str) or isinstance(value, Number):
        return False
    return all(character != "\0" and not "\ud800" <= character <= "\udfff" for character in value)


def is_integer(value: Any) -> bool:
    if not isinstance(value, Number) or not re.fullmatch("-?[0-9]{1,19}", value):
        return False
    return -(2**63) <= int(value) < 2**63


def is_duration(value: Any) -> bool:
    if not isinstance(value, str) or isinstance(value, Number):
        return False
    return re.fullmatch("[0-9]{1,12}:[0-5][0-9]:[0-5][0-9]", value) is not None


def seconds(duration: str) -> int:
    hours, minutes, rest = duration.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + int(rest)


def is_amount(value: Any) -> bool:
    """Tell whether a number has at most eight digits before the point and four behind it."""
    if not isinstance(value, Number):
        return False
    _, _, exponent = value.lower().partition("e")
    if len(value) > 100 or abs(int(exponent or 0)) > 100:
        return False
    ten_thousandths = Fraction(value) * 10_000
    return ten_thousandths.denominator == 1 and abs(ten_thousandths) < 10**12


def instant_of(text: str) -> tuple[datetime | None, bool]:
    """Return the instant to the whole microsecond, and whether that is all that the text tells."""
    match = re.fullmatch(
        r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:[.,]([0-9]+))?\s*"
        r"(?:[Zz]|([+-])([0-9]{2}):?([0-9]{2}))",
        text.strip(),
    )
    if match is None:
        return None, False
    date, time, fraction, sign, hours, minutes = match.groups()
    fraction = fraction or ""
    ahead = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        local = datetime.fromisoformat(f"{date}T{time}").replace(tzinfo=timezone.utc)
        local += timedelta(microseconds=int(fraction[:6].ljust(6, "0")))
        instant = local + ahead if sign == "-" else local - ahead
    except (ValueError, OverflowError):
        return None, False
    if ahead >= timedelta(days=1):
        return None, False
    return instant, not fraction[6:].strip("0") and int(minutes or 0) < 60


Reader = tuple[str, Callable[[Any], bool], Callable[[Any], Any]]
NO_COLUMN: Reader = ("", lambda _: False, str)
FIELDS: dict[str, Reader] = {
    **{name: (column, is_storable_text, str) for name, column in TEXTS.items()},
    "agent_id": ("agent_id", is_integer, int),
    "num_segments": ("num_segments", is_integer, int),
    "duration": ("duration_seconds", is_duration, seconds),
    "cpc": ("cpc", is_amount, Decimal),
}
SLA: dict[str, Reader] = {
    "time_to_first_response": ("sla_first_response_seconds", is_duration, seconds),
    "time_to_resolution": ("sla_resolution_seconds", is_duration, seconds),
    "time_to_reply": ("sla_reply_seconds", is_duration, seconds),
}
