"""What differs between an earlier and a later look at the same records."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING

from .account import WRAPUP_CODES
from .record import dumps, stamp

if TYPE_CHECKING:
    from .readings import Drift
    from .record import Record

_CODES = tuple(WRAPUP_CODES)


def share(uuid: str, purpose: str) -> float:
    """Return a number in [0, 1) that depends on nothing but the uuid and the purpose."""
    return zlib.crc32(f"{purpose}/{uuid}".encode()) / 2**32


def exists_before(record: Record, drift: Drift) -> bool:
    """Whether the record can be seen before the drift."""
    return share(record.uuid, "drift") >= drift.appear


def after_drift(record: Record, drift: Drift) -> Record:
    """Return the record as it is after the drift: the same, changed or moved."""
    chance = share(record.uuid, "drift") - drift.appear
    if chance < 0:
        return record
    if chance < drift.change:
        return changed(record)
    return moved(record, drift.move_seconds) if chance < drift.change + drift.move else record


def changed(record: Record) -> Record:
    """Return the record with another wrap-up code and another cost."""
    fields = json.loads(record.raw)
    code = fields.get("wrapup_code")
    fields["wrapup_code"] = _CODES[(_CODES.index(code) + 1) % len(_CODES)] if code in _CODES else _CODES[0]
    fields["cpc"] = round((fields.get("cpc") or 0.0) + 0.0101, 4)
    return record._replace(raw=dumps(fields).encode())


def moved(record: Record, seconds: int) -> Record:
    """Return the record with its end moved; offset and number of digits stay as they were."""
    fields = json.loads(record.raw)
    text = fields["timestamp"]
    offset = "Z" if text.endswith("Z") else text[-6:]
    at = record.at + seconds * 1_000_000
    fields["timestamp"] = stamp(at, offset, len(text) - len(offset) - len("2024-07-31T12:43:09."))
    return record._replace(at=at, raw=dumps(fields).encode())
