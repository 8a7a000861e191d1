"""Writes records as bytes: the fields of each kind, their order and their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from .account import (
    AGENTS,
    DESTINATIONS,
    DISPOSITIONS,
    KINDS,
    OPEN_DISPOSITIONS,
    OUTGOING,
    OWN_NUMBERS,
    QUEUED,
    QUEUES,
    RARE_DISPOSITIONS,
    WRAPUP_CODES,
)
from .chance import Chance
from .record import DIGITS, Record, destination, dumps, hms, stamp

if TYPE_CHECKING:
    from .account import Kind
    from .readings import Readings

T = TypeVar("T")
MIXED_OFFSETS = ("-03:00", "+00:00", "+05:30", "-09:30", "+14:00", "-12:00", "+08:45")
DAY_SECONDS = 86_400
LONGEST_CALL = 210_000
LONGEST_CONVERSATION = 260_000
MAX_DURATION = max(LONGEST_CALL, LONGEST_CONVERSATION)
RARITY = 12
"""One of this many records has a rare disposition, and one a rare spelling of its type."""


def _serialised(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dumps(text) for text in texts)


def _seldom(common: tuple[T, ...], rare: tuple[T, ...], one_in: int) -> tuple[T, ...]:
    """Return the choices to pick from, with one rare choice in ``one_in``."""
    return common * len(rare) * (one_in - 1) + rare * len(common) if rare else common


_BY_WEIGHT = tuple(kind for kind in KINDS for _ in range(kind.weight))
_SPELLINGS = {
    kind.request: _seldom(_serialised(kind.spellings), _serialised(kind.rare), RARITY)
    for kind in KINDS
}
_ENDINGS = {
    family: _seldom(_serialised(common), _serialised(RARE_DISPOSITIONS[family]), RARITY)
    for family, common in DISPOSITIONS.items()
}
_PEOPLE = tuple((f'"agent":{dumps(agent.name)}', f'"agent_id":{agent.id}') for agent in AGENTS)
_NO_QUEUE = '"queue":null'
_QUEUES = _seldom(tuple(f'"queue":{dumps(queue.name)}' for queue in QUEUES), (_NO_QUEUE,), 8)
_NO_CODE = '"wrapup_code":null'
_CODES = _seldom(tuple(f'"wrapup_code":{dumps(code)}' for code in WRAPUP_CODES), (_NO_CODE,), 4)
_PLACES = {name: dumps(name) for _, name in DESTINATIONS}
_ACCOUNTS = tuple(
    dumps(name)
    for name in (
        "Guest",
        "Olek's test",
        'Ana "Nina"',
        "@voiso_demo",
        "مرحبا",
        "Πελάτης; νέος",
        "🛒 Shop",
        "Tab\there",
        "",
    )
)
_TEXTS = tuple(
    (dumps(text), -(-len(text) // 160))
    for text in (
        "Your code is 123456",
        "Line one\nline two\r\nline three",
        "She said \"yes\"; he said 'no', both\tleft.",
        "Emoji 👍🏽 and family 👨‍👩‍👧‍👦",
        "שלום עולם \u202eRTL\u202c",
        "مرحبا بكم في خدمة العملاء",
        "Back\\slash, {braces}, [brackets], %s and 100%",
        "NUL-free controls: \u0001\u001f\u007f and separators \u2028\u2029",
        "Ünïcödé " * 24,
        "=cmd|' /C calc'!A0",
        "\ufeffBOM first",
        '{"uuid":"not-the-uuid","timestamp":"1999-01-01T00:00:00.000Z"}',
    )
)
_TEMPLATES = ("null", dumps("Welcome"), dumps("Напоминание"), dumps("promo, spring"))
_EXTRAS = (
    '"recording":null',
    '"crm":{"id":"00042","tags":["vip","a;b"],"deep":{"n":null}}',
    '"quality_score":4.50',
    '"big_number":12345678901234567890',
    '"поле":"значение"',
    '"survey":[1,2.5,"3",null,true]',
)
_NOBODY = ('"agent":null', '"agent_id":null')
_PEOPLE_OR_NOBODY = _seldom(_PEOPLE, (_NOBODY,), 2)
_TALKED = frozenset({'"answered"', '"answered_by_VM"', '"machine_answered"'})
_HANDLED = frozenset({'"answered"', '"resolved"', '"active"'})
_OPEN = frozenset(dumps(text) for text in OPEN_DISPOSITIONS)


class Writer:
    """Writes records under one set of switches; deterministic, about 25 microseconds each.

    :param readings: the switches; only those about timestamps and ``sla`` matter here
    """

    def __init__(self, readings: Readings) -> None:
        self._digits = DIGITS[readings.timestamps]
        self._sla = readings.sla

    def write(self, at: int, offset: str, u1: int, u2: int, c: int, bits: int) -> Record:
        """Write one record.

        :param at: end of the interaction, microseconds since 1970 UTC
        :param offset: text that ends the timestamp
        :param u1: upper half of the uuid
        :param u2: lower half of the uuid
        :param c: 64 bits of chance for the visible fields
        :param bits: 64 bits of chance for the hidden attributes
        """
        # The longest record draws some 150 bits: more than c alone has.
        chance = Chance(u1 << 128 | u2 << 64 | c)
        kind = chance.pick(_BY_WEIGHT)
        uuid = _uuid(u1, u2)
        ending = chance.pick(_ENDINGS[kind.family])
        duration = _duration(kind, ending, chance)
        agent, agent_id = _agent(kind, ending, chance)
        without_code = agent_id is _NOBODY[1] or ending in _OPEN
        code = _NO_CODE if without_code else chance.pick(_CODES)
        queue = chance.pick(_QUEUES) if kind.request in QUEUED else _NO_QUEUE
        prefix, place = destination(bits)
        sender, receiver = _parties(kind, prefix, chance)
        parts = [
            agent,
            f'"from":{sender}',
            f'"disposition":{ending}',
            f'"duration":"{hms(duration)}"',
            f'"to":{receiver}',
            f'"timestamp":"{stamp(at, offset, self._digits)}"',
            f'"uuid":"{uuid}"',
            code,
            f'"type":{chance.pick(_SPELLINGS[kind.request])}',
            agent_id,
            f'"cpc":{_cost(kind, chance)}',
        ]
        if kind.family == "digital":
            parts += (self._sla_part(chance), queue)
        elif kind.family == "sms":
            parts += _message(sender, _uuid(c, u1), place, chance)
        else:
            parts.insert(4, queue)
            if kind.request == "queue_callback":
                parts.append(f'"related_call":"{_uuid(u2, u1)}"')
            elif kind.request in OUTGOING and chance.one_in(2):
                parts.append(f'"destination_name":{_PLACES[place]}')
        if chance.one_in(128):
            parts.append(chance.pick(_EXTRAS))
        raw = f"{{{','.join(_ordered(parts, chance))}}}".encode()
        return Record(at, uuid, raw, kind, duration, bits)

    def _sla_part(self, chance: Chance) -> str:
        text = (
            f'{{"time_to_first_response":"{hms(chance.below(1_000))}",'
            f'"time_to_resolution":"{hms(chance.below(260_000))}",'
            f'"time_to_reply":"{hms(chance.below(250))}"}}'
        )
        as_array = self._sla == "array" or (self._sla == "mixed" and chance.one_in(4))
        return f'"sla":[{text}]' if as_array else f'"sla":{text}'


def _uuid(u1: int, u2: int) -> str:
    text = f"{u1:016x}{u2:016x}"
    # Version 4, and the variant's two highest bits.
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[u2 >> 62]}{text[17:20]}-{text[20:]}"


def _duration(kind: Kind, ending: str, chance: Chance) -> int:
    if kind.family == "voice" and ending in _TALKED:
        if chance.one_in(256):
            return DAY_SECONDS + chance.below(LONGEST_CALL - DAY_SECONDS)
        # A product of two draws: most calls are short.
        return chance.below(4_000) * chance.below(250) // 250
    if kind.family == "digital" and chance.one_in(8):
        return chance.below(LONGEST_CONVERSATION)
    return 0


def _agent(kind: Kind, ending: str, chance: Chance) -> tuple[str, str]:
    if kind.family == "lookup":
        return _NOBODY
    return chance.pick(_PEOPLE if ending in _HANDLED else _PEOPLE_OR_NOBODY)


def _cost(kind: Kind, chance: Chance) -> str:
    if chance.one_in(256):
        return "null"
    return "0.0" if kind.family == "digital" else repr(chance.below(16_000) / 10_000)


def _parties(kind: Kind, prefix: str, chance: Chance) -> tuple[str, str]:
    if kind.family == "digital":
        return chance.pick(_ACCOUNTS), chance.pick(_ACCOUNTS)
    theirs = f'"{prefix}{chance.below(10_000_000):07d}"'
    ours = f'"{chance.pick(OWN_NUMBERS)}"'
    if kind.family == "sms" and chance.one_in(2):
        ours = '"VOISO; demo"'
    return (theirs, ours) if kind.request == "inbound" else (ours, theirs)


def _message(sender: str, parent: str, place: str, chance: Chance) -> tuple[str, ...]:
    text, segments = chance.pick(_TEXTS)
    related = "null" if chance.one_in(2) else f'"{parent}"'
    return (
        f'"sid":{sender}',
        f'"text":{text}',
        f'"related_call":{related}',
        f'"template":{chance.pick(_TEMPLATES)}',
        f'"num_segments":{segments}',
        f'"destination_name":{_PLACES[place]}',
    )


def _ordered(parts: list[str], chance: Chance) -> list[str]:
    order = chance.below(16)
    if order == 0:
        parts.reverse()
    elif order == 1:
        parts.sort()
    elif order == 2:
        parts = parts[5:] + parts[:5]
    return parts
