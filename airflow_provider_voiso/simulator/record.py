"""One record: its time, its bytes, and the attributes that only filters see."""

from __future__ import annotations

import json
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from .account import CAMPAIGNS, DESTINATIONS, END_REASONS, EVENTS, LEAD_SOURCES, OUTGOING, QUEUED
from .chance import Chance

if TYPE_CHECKING:
    from .account import Kind

DAY_US = 86_400_000_000
EPOCH_ORDINAL = 719_163
DIGITS = {"offset": 3, "z": 3, "micro": 6, "nano": 9}


def dumps(value: object) -> str:
    """Serialise without spaces, with unescaped UTF-8 and keys in the order given."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class Record(NamedTuple):
    """One record; sorts by time, then uuid.

    :param at: end of the interaction, microseconds since 1970 UTC
    :param raw: the JSON object, serialised once
    :param duration: seconds
    :param bits: 64 bits of chance that decide the hidden attributes
    """

    at: int
    uuid: str
    raw: bytes
    kind: Kind
    duration: int
    bits: int

    @property
    def is_call(self) -> bool:
        """Whether it is a call, with times of dialling, waiting and talking."""
        return self.kind.family == "voice"

    @property
    def hidden(self) -> Hidden:
        """The attributes that answers do not show."""
        return hidden(self.bits)

    @property
    def dialing_time(self) -> int:
        """Seconds of ringing at the other end."""
        return self.hidden.dialing_time if self.kind.request in OUTGOING else 0

    @property
    def ivr_time(self) -> int:
        """Seconds before a queue was entered."""
        return self.hidden.ivr_time if self.kind.request == "inbound" else 0

    @property
    def queue_time(self) -> int:
        """Seconds in a queue."""
        return self.hidden.queue_time if self.kind.request in QUEUED else 0

    @property
    def hold_time(self) -> int:
        """Seconds on hold, part of the duration."""
        return min(self.hidden.hold_time, self.duration)

    @property
    def talk_time(self) -> int:
        """Seconds of talking: the duration less the time on hold."""
        return self.duration - self.hold_time

    @property
    def event(self) -> str:
        """Standard call event."""
        return self.hidden.event

    @property
    def end_reason(self) -> str:
        """Standard call end reason."""
        return self.hidden.end_reason

    @property
    def first_seen(self) -> bool:
        """Whether the number had never been dialled before."""
        return self.kind.request in OUTGOING and self.hidden.first_seen

    @property
    def campaign_id(self) -> int | None:
        """Campaign of a dialer call."""
        return self.hidden.campaign_id if self.kind.request == "dialer" else None

    @property
    def lead_source(self) -> str | None:
        """Lead source of a dialer call; half of them have none."""
        return self.hidden.lead_source if self.kind.request == "dialer" else None

    @property
    def destination_name(self) -> str | None:
        """Country of an outgoing call."""
        return destination(self.bits)[1] if self.kind.request in OUTGOING else None


class Hidden(NamedTuple):
    """Attributes that only filters see; a record uses those that its kind has."""

    dialing_time: int
    ivr_time: int
    queue_time: int
    hold_time: int
    event: str
    end_reason: str
    first_seen: bool
    campaign_id: int
    lead_source: str | None


def hidden(bits: int) -> Hidden:
    """Return the hidden attributes that derive from a record's bits."""
    chance = Chance(bits)
    chance.pick(DESTINATIONS)
    return Hidden(
        dialing_time=chance.below(60),
        ivr_time=chance.below(120),
        queue_time=chance.below(240),
        hold_time=chance.below(60),
        event=chance.pick(EVENTS),
        end_reason=chance.pick(END_REASONS),
        first_seen=chance.one_in(4),
        campaign_id=chance.pick(CAMPAIGNS).id,
        lead_source=None if chance.one_in(2) else chance.pick(LEAD_SOURCES),
    )


def destination(bits: int) -> tuple[str, str]:
    """Return the called place's dialling prefix and name: the first draw of a record's bits."""
    return Chance(bits).pick(DESTINATIONS)


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
    fraction = (
        f"{us // 1000:03d}" if digits == 3 else f"{us:06d}" if digits == 6 else f"{us:06d}457"
    )
    return f"{_date_text(day)}T{hour:02d}:{minute:02d}:{second:02d}.{fraction}{offset}"


def hms(seconds: int) -> str:
    """Write seconds as hours, minutes and seconds; hours go beyond 24."""
    if not seconds:
        return "00:00:00"
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
