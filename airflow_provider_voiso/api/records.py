"""One answer of the API, taken apart into the bytes of its records and their two keys."""

from __future__ import annotations

import json
import math
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import compress, islice
from operator import eq
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from airflow_provider_voiso.exceptions import VoisoAuthenticationError, VoisoResponseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    Json = bytes | msgspec.Raw
    """JSON text that can be joined and decoded; only bytes can be taken apart or compared."""

_IF_IT_LASTS = "Run the task again; if it lasts, check the connection's host and tell Voiso."
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?\s*(?:(Z)|([+-])(\d\d):?(\d\d))",
    re.IGNORECASE | re.ASCII,
)
FINER_THAN_MICROSECONDS = re.compile(rb"\.[0-9]{7}")
"""Digits that msgspec would round, in JSON that holds timestamps."""

UNFINISHED = frozenset({"waiting", "active"})
"""Dispositions of conversations that are not over."""
_MARKS_OF_UNFINISHED = (b'"waiting"', b'"active"', b'"Waiting"', b'"Active"')

_LONE_SURROGATE = re.compile(
    rb"(\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|\\u[dD]([89a-fA-F][0-9a-fA-F]{2})"
)


class _Answer(msgspec.Struct):
    records: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET
    search_token: Any = None
    error: Any = None


class _Key(msgspec.Struct, gc=False):
    uuid: str
    timestamp: msgspec.Raw


class _KeysOfAnswer(msgspec.Struct):
    records: list[_Key]


class _LooseKey(msgspec.Struct, gc=False):
    uuid: str
    timestamp: str


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_keys_of_answer = msgspec.json.Decoder(_KeysOfAnswer).decode
_decode_keys = msgspec.json.Decoder(list[_Key]).decode
_decode_timestamps = msgspec.json.Decoder(list[Annotated[datetime, msgspec.Meta(tz=True)]]).decode
_decode_loose_keys = msgspec.json.Decoder(list[_LooseKey]).decode


@dataclass(frozen=True, slots=True)
class Page:
    """The records of one answer, column by column, and the token that came with them.

    :param uuids: the records' ``uuid``
    :param ended: the records' ``timestamp``, with a time zone
    :param raws: the records' JSON, byte for byte, without line breaks
    :param token: ``search_token``; None if it was null, absent or empty
    """

    uuids: list[str]
    ended: list[datetime]
    raws: Sequence[Json]
    token: str | None = None

    def __len__(self) -> int:
        return len(self.uuids)

    def in_order(self) -> Page:
        """Return the records in the order of ``timestamp`` and, where these are equal, of ``uuid``."""
        # Numbers are sorted, not tuples: tens of thousands of these have Python look for garbage everywhere.
        order = sorted(range(len(self)), key=self.ended.__getitem__)
        ended = [self.ended[index] for index in order]
        for first, after in _ties(ended):
            order[first:after] = sorted(order[first:after], key=self.uuids.__getitem__)
        uuids = [self.uuids[index] for index in order]
        return Page(uuids, ended, [self.raws[index] for index in order], self.token)

    def between(self, first: int, after: int) -> Page:
        """Return the records from one index to before another."""
        return Page(self.uuids[first:after], self.ended[first:after], self.raws[first:after], self.token)

    def joined(self, *others: Page) -> Page:
        """Return the records of this page and of others, in sequence."""
        pages = (self, *others)
        return Page(
            [uuid for page in pages for uuid in page.uuids],
            [ended for page in pages for ended in page.ended],
            [raw for page in pages for raw in page.raws],
            self.token,
        )

    def without(self, other: Page) -> Page:
        """Return the page without the records that another one holds unchanged."""
        places = {uuid: index for index, uuid in enumerate(other.uuids)}
        if places.keys().isdisjoint(self.uuids):
            return self
        kept = []
        for index, uuid in enumerate(self.uuids):
            place = places.get(uuid)
            if place is None or bytes(other.raws[place]) != bytes(self.raws[index]):
                kept.append(index)
        return Page(
            [self.uuids[index] for index in kept],
            [self.ended[index] for index in kept],
            [self.raws[index] for index in kept],
            self.token,
        )


def _ties(ordered: list[datetime]) -> Iterator[tuple[int, int]]:
    """Yield where runs of equal values begin and end."""
    is_tie = [*map(eq, ordered, islice(ordered, 1, None)), False]
    after = 0
    for first in compress(range(len(ordered)), is_tie):
        if first < after:
            continue
        after = first + 2
        while is_tie[after - 1]:
            after += 1
        yield first, after


@dataclass(frozen=True, slots=True)
class Lines:
    """Records as the API sent them, one a line, each line ended.

    :param count: number of records
    :param text: their JSON
    """

    count: int
    text: bytes

    def split(self) -> list[bytes]:
        """Return the records one by one."""
        return self.text.split(b"\n")[:-1]


def unfinished(lines: bytes) -> frozenset[int]:
    """Return the indices of the records of conversations that are not over, so that their end may still move.

    :param lines: records, one a line
    """
    # A search of the whole text is many times faster than decoding, and seldom finds anything.
    if not any(mark in lines for mark in _MARKS_OF_UNFINISHED):
        return frozenset()
    found = set()
    for index, line in enumerate(lines.split(b"\n")[:-1]):
        with suppress(VoisoResponseError):
            disposition = decode(line).get("disposition")
            if isinstance(disposition, str) and disposition.lower() in UNFINISHED:
                found.add(index)
    return frozenset(found)


def parse_page(body: bytes) -> Page:
    """Read one answer of ``/api/v2/cdr``.

    :raises VoisoAuthenticationError: if the answer says that the key is invalid
    :raises VoisoResponseError: if it is anything but an answer with records that have a uuid and a timestamp
    """
    masked = body
    try:
        answer = _decode_answer(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        masked = _without_lone_surrogates(body)
        try:
            answer = _decode_answer(masked)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            raise VoisoResponseError(not_json(body)) from None
    if answer.error is not None:
        raise error_answer(answer.error)
    if answer.records is msgspec.UNSET:
        raise VoisoResponseError(f"The API's answer has no 'records'. {_IF_IT_LASTS}")
    raws: Sequence[Json] = answer.records
    if masked is not body:
        raws = list(_same_places(map(bytes, raws), masked, body))
    if b"\n" in body or b"\r" in body:  # JSON allows line breaks between tokens only, so a space means the same
        raws = [bytes(raw).replace(b"\r", b" ").replace(b"\n", b" ") for raw in raws]
    uuids, ended = _exact_keys(body, lambda text: _decode_keys_of_answer(text).records) or keys(raws)
    token = answer.search_token
    return Page(uuids, ended, raws, str(token) if token not in (None, "", False) else None)


def keys(raws: Sequence[Json]) -> tuple[list[str], list[datetime]]:
    """Return the uuids and the timestamps of records; of what is finer than a microsecond, the whole ones.

    :raises VoisoResponseError: if a record is no object, or has no uuid or no readable timestamp with an offset
    """
    joined = b"[" + b",".join(raws) + b"]"
    if exact := _exact_keys(joined, _decode_keys):
        return exact
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, OverflowError):
        loose = _decode_loose_keys(_without_lone_surrogates(joined))
        return [key.uuid for key in loose], [parse_timestamp(key.timestamp) for key in loose]
    raise VoisoResponseError(
        "The API returned a record that is no object, or that has no uuid or no timestamp with an offset, "
        f"so that it cannot be placed in a window. {_IF_IT_LASTS}"
    )


def _exact_keys(text: bytes, decode_keys: Callable[[bytes], list[_Key]]) -> tuple[list[str], list[datetime]] | None:
    """Return the uuids and timestamps in a text, None if it is not as documented."""
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = decode_keys(text)
        timestamps = b"[" + b",".join([key.timestamp for key in found]) + b"]"
        # msgspec rounds finer fractions, which can move a record into the next window; the columns cut them.
        if b"\\" not in timestamps and not FINER_THAN_MICROSECONDS.search(timestamps):
            return [key.uuid for key in found], _decode_timestamps(timestamps)
    return None


def decode(raw: bytes) -> dict[str, Any]:
    """Return a record as a dictionary; a number that neither an int nor a float can hold comes as it was written.

    :raises VoisoResponseError: if it is not valid UTF-8 or too deeply nested
    """
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    try:  # it may hold half a surrogate pair, or a number beyond a double
        return json.loads(raw.decode(), parse_int=_integer, parse_float=_float)  # type: ignore[no-any-return]
    except (ValueError, RecursionError):
        pass
    raise VoisoResponseError("The API returned a record that is not valid UTF-8, or too deeply nested to be read.")


def _integer(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:  # Python converts no more than 4300 digits
        return text


def _float(text: str) -> float | str:
    return text if math.isinf(number := float(text)) else number


def _without_lone_surrogates(text: bytes) -> bytes:
    """Mask escaped halves of surrogate pairs, which msgspec refuses, each by a character of private use."""
    return _LONE_SURROGATE.sub(lambda match: match[1] or rb"\ue" + match[2], text)


def _same_places(parts: Iterable[bytes], masked: bytes, text: bytes) -> Iterator[bytes]:
    """Yield what stands in a text where parts stand, in order, in its masked copy."""
    end = 0
    for part in parts:
        start = masked.index(part, end)
        end = start + len(part)
        yield text[start:end]


def parse_timestamp(text: str) -> datetime:
    """Read a timestamp with an offset, in more forms than the API documents; what is finer than a microsecond is cut.

    :raises ValueError: if it is none
    """
    match = _TIMESTAMP.fullmatch(text.strip())
    if match is None:
        raise ValueError
    *date_time, fraction, utc, sign, hours, minutes = match.groups()
    offset = timedelta(0) if utc else timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
    microsecond = int((fraction or "").ljust(6, "0")[:6])
    return datetime(*map(int, date_time), microsecond, tzinfo=timezone(offset))  # type: ignore[arg-type, misc]


def error_answer(error: Any) -> VoisoAuthenticationError | VoisoResponseError:
    """Return the exception for an ``{"error": ...}`` body; the API's own words are judged, never repeated."""
    if "api key" in str(error).lower():
        return VoisoAuthenticationError(
            "The API says that the key is invalid. Check the connection's password (the API key) and that its "
            "host is the cluster of that key's owner."
        )
    return VoisoResponseError(f"The API answered with an error object in place of records. {_IF_IT_LASTS}")


def not_json(body: bytes) -> str:
    """Say what came in place of JSON, without repeating it."""
    if body.lstrip()[:1] == b"<":
        return (
            "The API answered with a web page in place of JSON: a sign-in page or a proxy may stand before it. "
            "Check the connection's host."
        )
    return f"The API's answer of {len(body)} bytes is not the JSON object that it documents. {_IF_IT_LASTS}"
