"""Writes the bytes of records: which fields each kind has, in which order, and what stands in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .account import AGENTS, DESTINATIONS, DISPOSITIONS, KINDS, OUTGOING, OWN_NUMBERS, QUEUED, QUEUES, WRAPUP_CODES
from .record import DIGITS, Record, destination, dumps, hms, stamp

if TYPE_CHECKING:
    from .account import Kind
    from .readings import Readings

MIXED_OFFSETS = ("-03:00", "+00:00", "+05:30", "-09:30", "+14:00", "-12:00", "+08:45")
MAX_DURATION = 86_400 + 180_000
_BY_WEIGHT = tuple(kind for kind in KINDS for _ in range(kind.weight))
_SPELLINGS = {kind: tuple(dumps(text) for text in kind.spellings) for kind in KINDS}
_ENDINGS = {family: tuple(dumps(text) for text in texts) for family, texts in DISPOSITIONS.items()}
_PEOPLE = tuple((f'"agent":{dumps(agent.name)}', f'"agent_id":{agent.id}') for agent in AGENTS)
_QUEUES = tuple(f'"queue":{dumps(queue.name)}' for queue in QUEUES)
_CODES = tuple(f'"wrapup_code":{dumps(code)}' for code in WRAPUP_CODES)
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
_NO_QUEUE, _NO_CODE = '"queue":null', '"wrapup_code":null'


class Writer:
    """Writes records under one set of switches; deterministic, and quick enough for a million a day.

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
        :param bits: 64 bits of chance for the hidden attributes and the order of keys
        """
        kind = _BY_WEIGHT[(c & 0xFFFF) % len(_BY_WEIGHT)]
        uuid = _uuid(u1, u2)
        endings = _ENDINGS[kind.family]
        ending = endings[(c >> 16 & 255) % len(endings)]
        duration = _duration(kind, ending, c)
        agent, agent_id = _PEOPLE[(c >> 48 & 255) % len(_PEOPLE)]
        if kind.family == "lookup" or (ending not in _WITH_AGENT and c >> 56 & 1):
            agent, agent_id = _NOBODY
        queue = _QUEUES[(c >> 40 & 255) % len(_QUEUES)] if kind.request in QUEUED and c >> 57 & 7 else _NO_QUEUE
        sender, receiver = _parties(kind, u1, u2, bits)
        head = [agent, f'"from":{sender}', f'"disposition":{ending}', f'"duration":"{hms(duration)}"']
        tail = [
            f'"to":{receiver}',
            f'"timestamp":"{stamp(at, offset, self._digits)}"',
            f'"uuid":"{uuid}"',
            _CODES[(c >> 32 & 255) % len(_CODES)] if agent_id is not _NOBODY[1] and c >> 60 & 3 else _NO_CODE,
            f'"type":{_spelling(kind, u2)}',
            agent_id,
            f'"cpc":{_cost(kind, c)}',
        ]
        if kind.family == "digital":
            parts = [*head, *tail, self._sla_part(c, u2), queue]
        elif kind.family == "sms":
            parts = [*head, *tail, *_message(c, u1, bits, sender)]
        else:
            parts = [*head, queue, *tail]
            if kind.request == "queue_callback":
                parts.append(f'"related_call":"{_uuid(u2, u1)}"')
            elif kind.request in OUTGOING and not bits >> 60 & 1:
                parts.append(f'"destination_name":{_PLACES[destination(bits)[1]]}')
        if not u1 >> 8 & 127:
            parts.append(_EXTRAS[(u1 >> 16 & 255) % len(_EXTRAS)])
        return Record(at, uuid, f"{{{','.join(_ordered(parts, u2))}}}".encode(), kind, duration, bits)

    def _sla_part(self, c: int, u2: int) -> str:
        text = (
            f'{{"time_to_first_response":"{hms(c >> 20 & 1023)}","time_to_resolution":"{hms(c >> 24 & 0x3FFFF)}",'
            f'"time_to_reply":"{hms(c >> 44 & 255)}"}}'
        )
        as_array = self._sla == "array" or (self._sla == "mixed" and not u2 >> 20 & 3)
        return f'"sla":[{text}]' if as_array else f'"sla":{text}'


_WITH_AGENT = frozenset({'"answered"', '"resolved"'})


def _uuid(u1: int, u2: int) -> str:
    text = f"{u1:016x}{u2:016x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[u2 >> 62]}{text[17:20]}-{text[20:]}"


def _duration(kind: Kind, ending: str, c: int) -> int:
    if kind.family == "voice" and ending == '"answered"':
        short = (c >> 20 & 0xFFF) * (c >> 32 & 0xFF) >> 8
        return short if c >> 52 & 255 else 86_400 + (c >> 20 & 0x1FFFF)
    if kind.family == "digital" and not c >> 52 & 7:
        return c >> 20 & 0x3FFFF
    return 0


def _cost(kind: Kind, c: int) -> str:
    if not c >> 24 & 255:
        return "null"
    return "0.0" if kind.family == "digital" else repr((c >> 24 & 0x3FFF) / 10_000)


def _spelling(kind: Kind, u2: int) -> str:
    texts = _SPELLINGS[kind]
    return texts[(u2 >> 28 & 3) % len(texts)]


def _parties(kind: Kind, u1: int, u2: int, bits: int) -> tuple[str, str]:
    if kind.family == "digital":
        return _ACCOUNTS[(u1 >> 32 & 255) % len(_ACCOUNTS)], _ACCOUNTS[(u2 >> 32 & 255) % len(_ACCOUNTS)]
    theirs = f'"{destination(bits)[0]}{u1 >> 24 & 0xFFFFFF:07d}"'
    ours = f'"{OWN_NUMBERS[(u2 >> 8 & 255) % len(OWN_NUMBERS)]}"'
    if kind.family == "sms" and u2 >> 40 & 1:
        ours = '"VOISO; demo"'
    return (theirs, ours) if kind.request == "inbound" else (ours, theirs)


def _message(c: int, u1: int, bits: int, sender: str) -> tuple[str, ...]:
    text, segments = _TEXTS[(c >> 20 & 255) % len(_TEXTS)]
    related = "null" if u1 >> 50 & 1 else f'"{_uuid(c, u1)}"'
    return (
        f'"sid":{sender}',
        f'"text":{text}',
        f'"related_call":{related}',
        f'"template":{_TEMPLATES[u1 >> 54 & 3]}',
        f'"num_segments":{segments}',
        f'"destination_name":{_PLACES[destination(bits)[1]]}',
    )


def _ordered(parts: list[str], u2: int) -> list[str]:
    order = u2 >> 48 & 15
    if order == 0:
        parts.reverse()
    elif order == 1:
        parts.sort()
    elif order == 2:
        parts = parts[5:] + parts[:5]
    return parts
