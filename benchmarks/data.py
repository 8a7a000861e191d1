"""The records of one UTC day as the benchmark's server sends them, newest first, with an index."""

from __future__ import annotations

import json
import mmap
import random
import re
import uuid
from array import array
from bisect import bisect_left, bisect_right
from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START = datetime(2024, 7, 31, tzinfo=timezone.utc)
END = START + timedelta(days=1)

_ZONE = timezone(timedelta(hours=-3))
_UUID = re.compile(rb'"uuid":"([^"]+)"')
_RECORDS_PER_WRITE = 10_000
Odd = Literal["none", "every", "hundredth"]
"""Which records hold a field that the API does not document."""
_ODD_EVERY: dict[Odd, int] = {"every": 1, "hundredth": 100}
_AGENTS = [
    (f"{first} {last}", 50_000 + number)
    for number, (first, last) in enumerate(
        (first, last)
        for first in (
            "Mike",
            "Chandra",
            "Zoë",
            "Łukasz",
            "Olek",
            "Ana María",
            "Grace",
            "Tom",
            "Yuki",
            "Ingrid",
        )
        for last in (
            "Agarwal",
            "Núñez",
            "Smith",
            "Kowalska",
            "Okafor",
            "van Dijk",
            "Meyer",
            "Rossi",
            "Tanaka",
            "Lee",
        )
    )
]
_QUEUES = (
    "Support EN",
    "Support ES",
    "Sales Europe",
    "Billing",
    "Retention",
    "Technical second line",
)
_CALL_ENDS = (
    "answered",
    "answered",
    "answered",
    "no_answer",
    "busy",
    "rejected",
    "abandoned",
    "voicemail",
)
_COUNTRIES = (
    "Netherlands - Mobile",
    "Germany - Other",
    "Brazil - Sao Paulo",
    "Spain - Mobile",
    "India - Other",
)
_PHRASES = (
    "Your order is on its way.",
    "Please call us back about your invoice.",
    "Tu código de verificación:",
    "Thank you for choosing us!",
    'Reply "STOP" to unsubscribe.',
    "Your appointment is confirmed for",
    "tomorrow at 18:30",
    "Payment received.",
)


class Day:
    """The records of the day in two files: one body, and the index into it.

    Missing files are created.

    :param directory: where the files are kept
    :param records: number of records
    :param odd: which of them hold an undocumented field
    """

    def __init__(self, directory: Path, records: int, odd: Odd = "none") -> None:
        suffix = "" if odd == "none" else f"-{odd}"
        self.path = directory / f"records-{records}{suffix}.json"
        self._index = self.path.with_suffix(".index")
        if not self._index.exists():
            directory.mkdir(parents=True, exist_ok=True)
            self._make(records, odd)
        numbers = array("q")
        numbers.frombytes(self._index.read_bytes())
        self._ages, self._offsets = numbers[:records], numbers[records:]
        with self.path.open("rb") as file:
            self._body = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def __len__(self) -> int:
        return len(self._ages)

    def find(self, first: int, last: int) -> tuple[int, int]:
        """Return the bounds of the records of the seconds ``first`` to ``last`` since 1970."""
        return bisect_left(self._ages, -last), bisect_right(self._ages, -first)

    def body(self, start: int, stop: int) -> memoryview:
        """Return records as they stand in an answer, with commas between them."""
        if start >= stop:
            return memoryview(b"")
        return self._body[self._offsets[start] : self._offsets[stop] - 1]

    def uuids(self) -> set[str]:
        """Return the uuid of every record."""
        return {found.decode() for found in _UUID.findall(self._body)}

    def _make(self, records: int, odd: Odd) -> None:
        chance = random.Random(records)  # noqa: S311 - no secret
        ages, offsets = array("q"), array("q", [0])
        with self.path.open("wb") as file:
            made = _with_odd_fields(_records(records, chance), odd)
            while part := list(islice(made, _RECORDS_PER_WRITE)):
                for at, raw in part:
                    ages.append(-(at // 1000))
                    offsets.append(offsets[-1] + len(raw) + 1)
                file.write((b"," if file.tell() else b"") + b",".join(raw for _, raw in part))
        self._index.write_bytes(ages.tobytes() + offsets.tobytes())


def _records(count: int, chance: random.Random) -> Iterator[tuple[int, bytes]]:
    """Yield each record's milliseconds since 1970 and JSON: 94 % calls, 3 % SMS, 3 % chats."""
    first = int(START.timestamp()) * 1000
    times = []
    for _ in range(count):
        second = chance.randrange(86_400) * 1000
        kind = chance.random()
        # As in the vendor's samples, calls end on whole seconds and chats do not.
        times.append((first + second + (chance.randrange(1000) if kind >= 0.97 else 0), kind))
    times.sort(reverse=True)
    for at, kind in times:
        make = _call if kind < 0.94 else _sms if kind < 0.97 else _chat
        key = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        yield at, make(_timestamp(at), key, chance).encode()


def _with_odd_fields(records: Iterator[tuple[int, bytes]], odd: Odd) -> Iterator[tuple[int, bytes]]:
    """Yield records, some of them with one more field."""
    for number, (at, raw) in enumerate(records):
        more = b',"recording":"https://recordings.invalid/%08d.mp3"}' % number
        is_odd = odd != "none" and number % _ODD_EVERY[odd] == 0
        yield at, raw[:-1] + more if is_odd else raw


def _timestamp(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, _ZONE).isoformat(timespec="milliseconds")


def _number(chance: random.Random) -> str:
    return str(chance.randrange(10**10, 10**12))


def _seconds(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _call(timestamp: str, key: str, chance: random.Random) -> str:
    agent, agent_id = chance.choice(_AGENTS)
    inbound = chance.random() < 0.5
    queue = f'"{chance.choice(_QUEUES)}"' if inbound else "null"
    kind = "inbound" if inbound else chance.choice(("outbound", "dialer", "click_to_call"))
    country = "" if inbound else f',"destination_name":"{chance.choice(_COUNTRIES)}"'
    duration = _seconds(int(chance.expovariate(1 / 180)))
    return (
        f'{{"agent":"{agent}","from":"{_number(chance)}",'
        f'"disposition":"{chance.choice(_CALL_ENDS)}","duration":"{duration}","queue":{queue},'
        f'"to":"{_number(chance)}","timestamp":"{timestamp}","uuid":"{key}",'
        f'"wrapup_code":"{chance.randrange(2000):04}","type":"{kind}","agent_id":{agent_id},'
        f'"cpc":{chance.randrange(9999) / 10_000}{country}}}'
    )


def _sms(timestamp: str, key: str, chance: random.Random) -> str:
    agent, agent_id = chance.choice(_AGENTS)
    text = json.dumps(
        f"{chance.randrange(10**6)} "
        + " ".join(chance.choices(_PHRASES, k=chance.randrange(1, 5))),
        ensure_ascii=False,
    )
    return (
        f'{{"agent":"{agent}","from":"VOISO","disposition":"delivered",'
        '"duration":"00:00:00","queue":null,'
        f'"to":"{_number(chance)}","timestamp":"{timestamp}","uuid":"{key}",'
        '"wrapup_code":null,"type":"outbound SMS",'
        f'"agent_id":{agent_id},"cpc":{chance.randrange(999) / 10_000},"sid":"VOISO","text":{text},'
        f'"related_call":"{uuid.UUID(int=chance.getrandbits(128), version=4)}","num_segments":1}}'
    )


def _chat(timestamp: str, key: str, chance: random.Random) -> str:
    agent, agent_id = chance.choice(_AGENTS)
    reply, resolution = _seconds(chance.randrange(600)), _seconds(chance.randrange(200_000))
    return (
        f'{{"agent":"{agent}","from":"Guest {chance.randrange(10**6)}","disposition":"archived",'
        f'"duration":"00:00:00","to":"{chance.choice(_AGENTS)[0]}",'
        f'"timestamp":"{timestamp}","uuid":"{key}",'
        f'"wrapup_code":null,"type":"chat","agent_id":{agent_id},"cpc":0.0,'
        f'"sla":{{"time_to_first_response":"{reply}","time_to_resolution":"{resolution}",'
        f'"time_to_reply":"{reply}"}},"queue":null}}'
    )
