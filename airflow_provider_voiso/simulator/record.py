"""One record: its place in time, its bytes, and the attributes that filters need but answers do not show."""

from __future__ import annotations

import json
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from .account import (
    CAMPAIGNS,
    DESTINATIONS,
    DISPOSITIONS,
    END_REASONS,
    EVENTS,
    LEAD_SOURCES,
    OUTGOING,
    QUEUED,
)

if TYPE_CHECKING:
    from .account import Kind

DAY_US = 86_400_000_000
EPOCH_ORDINAL = 719_163
DIGITS = {"offset": 3, "z": 3, "micro": 6, "nano": 9}


def dumps(value: object) -> str:
    """Serialise as every byte of an answer is: no spaces, UTF-8 unescaped, keys in the order given."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Record(NamedTuple):
    """A record as it is kept; sorts by time, then uuid.

    :param at: end of the interaction, microseconds since 1970 UTC
    :param raw: the JSON object, serialised once
    :param duration: seconds
    :param bits: 64 bits of chance, from which the hidden attributes derive
    """

    at: int
    uuid: str
    raw: bytes
    kind: Kind
    duration: int
    bits: int

    @property
    def is_call(self) -> bool:
        """Whether there is talking, dialling and waiting at all."""
        return self.kind.family == "voice"

    @property
    def dialing_time(self) -> int:
        """Seconds of ringing at the other end."""
        return self.bits & 63 if self.kind.request in OUTGOING else 0

    @property
    def ivr_time(self) -> int:
        """Seconds before a queue was entered."""
        return self.bits >> 6 & 127 if self.kind.request == "inbound" else 0

    @property
    def queue_time(self) -> int:
        """Seconds in a queue."""
        return self.bits >> 13 & 255 if self.kind.request in QUEUED else 0

    @property
    def hold_time(self) -> int:
        """Seconds on hold, part of the duration."""
        return min(self.bits >> 21 & 63, self.duration)

    @property
    def talk_time(self) -> int:
        """Seconds of talking: the duration less the time on hold."""
        return self.duration - self.hold_time

    @property
    def event(self) -> str:
        """Standard call event."""
        return EVENTS[(self.bits >> 27 & 255) % len(EVENTS)]

    @property
    def end_reason(self) -> str:
        """Standard call end reason."""
        return END_REASONS[(self.bits >> 35 & 255) % len(END_REASONS)]

    @property
    def first_seen(self) -> bool:
        """Whether the number had never been dialled before."""
        return self.kind.request in OUTGOING and self.bits >> 43 & 3 == 0

    @property
    def campaign_id(self) -> int | None:
        """Campaign of a dialer call."""
        return CAMPAIGNS[(self.bits >> 45 & 63) % len(CAMPAIGNS)].id if self.kind.request == "dialer" else None

    @property
    def lead_source(self) -> str | None:
        """Lead source of a dialer call; half of the campaigns' calls have none."""
        choice = self.bits >> 51 & 7
        return LEAD_SOURCES[choice] if self.kind.request == "dialer" and choice < len(LEAD_SOURCES) else None

    @property
    def destination_name(self) -> str | None:
        """Country of an outgoing call."""
        return destination(self.bits)[1] if self.kind.request in OUTGOING else None


def destination(bits: int) -> tuple[str, str]:
    """Return the dialling prefix and the name of the place that was called."""
    return DESTINATIONS[(bits >> 54 & 63) % len(DESTINATIONS)]


def disposition(kind: Kind, chance: int) -> str:
    """Return one of the dispositions that this kind of interaction can end with."""
    choices = DISPOSITIONS[kind.family]
    return choices[chance % len(choices)]


@lru_cache(maxsize=16)
def offset_us(text: str) -> int:
    """Return an offset such as ``-03:00`` or ``Z`` in microseconds.

    :raises ValueError: if it is no such text
    """
    if text == "Z":
        return 0
    sign, hours, minutes = text[0], text[1:3], text[4:]
    if len(text) != 6 or sign not in "+-" or text[3] != ":" or not (hours + minutes).isdigit():
        raise ValueError(f"{text!r} is not an offset such as -03:00.")
    return (int(hours) * 60 + int(minutes)) * 60_000_000 * (-1 if sign == "-" else 1)


@lru_cache(maxsize=4096)
def _date_text(day: int) -> str:
    return date.fromordinal(day + EPOCH_ORDINAL).isoformat()


def stamp(at: int, offset: str, digits: int) -> str:
    """Write an instant as records do.

    :param at: microseconds since 1970 UTC
    :param offset: text that ends the timestamp, such as ``-03:00`` or ``Z``
    :param digits: 3, 6 or 9 digits of a second; the last three of nine are never zero
    """
    day, rest = divmod(at + offset_us(offset), DAY_US)
    seconds, us = divmod(rest, 1_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    fraction = f"{us // 1000:03d}" if digits == 3 else f"{us:06d}" if digits == 6 else f"{us:06d}457"
    return f"{_date_text(day)}T{hour:02d}:{minute:02d}:{second:02d}.{fraction}{offset}"


def hms(seconds: int) -> str:
    """Write seconds as hours, minutes and seconds; hours go beyond 24."""
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
