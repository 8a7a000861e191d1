"""Parsing of an answer of ``/api/v2/cdr`` into the bytes, uuids and timestamps of its records."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_voiso.api.json import UNREADABLE_JSON
from airflow_provider_voiso.api.page import Page
from airflow_provider_voiso.api.records import (
    IF_IT_LASTS,
    decode,
    exact_timestamps,
    keys,
    same_places,
    without_lone_surrogates,
)
from airflow_provider_voiso.exceptions import VoisoAuthenticationError, VoisoResponseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_voiso.api.page import Json

UNFINISHED = ("waiting", "active", "Waiting", "Active")
"""Dispositions of conversations that are not over."""
_UNFINISHED_JSON = tuple(f'"{disposition}"'.encode() for disposition in UNFINISHED)


class _Answer(msgspec.Struct):
    records: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET
    search_token: Any = None
    error: Any = None


class _Key(msgspec.Struct, gc=False):
    uuid: str
    timestamp: msgspec.Raw
    disposition: msgspec.Raw = msgspec.Raw(b"null")


class _Keys(msgspec.Struct):
    records: list[_Key]


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_keys = msgspec.json.Decoder(_Keys).decode


def parse_page(body: bytes) -> Page:
    """Parse one answer of ``/api/v2/cdr``.

    :raises VoisoAuthenticationError: if the answer says that the key is invalid
    :raises VoisoResponseError: if it is no JSON object with records, or a record lacks a uuid or a
        timestamp
    """
    masked = body
    try:
        answer = _decode_answer(body)
    except UNREADABLE_JSON:
        masked = without_lone_surrogates(body)
        try:
            answer = _decode_answer(masked)
        except UNREADABLE_JSON:
            raise VoisoResponseError(not_json(body)) from None
    if answer.error is not None:
        raise error_answer(answer.error)
    if answer.records is msgspec.UNSET:
        raise VoisoResponseError(f"The API's answer has no 'records'. {IF_IT_LASTS}")
    raws: Sequence[Json] = answer.records
    if masked is not body:
        raws = list(same_places(map(bytes, raws), masked, body))
    if b"\n" in body or b"\r" in body:
        # JSON allows line breaks between tokens only, so a space means the same.
        raws = [bytes(raw).replace(b"\r", b" ").replace(b"\n", b" ") for raw in raws]
    token = str(answer.search_token) if answer.search_token not in (None, "", False) else None
    return _documented_page(body, raws, token) or _lenient_page(raws, token)


def _documented_page(body: bytes, raws: Sequence[Json], token: str | None) -> Page | None:
    """Return the page of an answer in the documented form, None for any other form."""
    with suppress(*UNREADABLE_JSON):
        found = _decode_keys(body).records
        ended = exact_timestamps([key.timestamp for key in found])
        if ended is None:
            return None
        uuids = [key.uuid for key in found]
        # One search through all dispositions is many times faster than comparing each.
        dispositions = b",".join([key.disposition for key in found])
        unfinished = frozenset[str]()
        if any(mark in dispositions for mark in _UNFINISHED_JSON):
            unfinished = frozenset(
                key.uuid for key in found if bytes(key.disposition) in _UNFINISHED_JSON
            )
        return Page(uuids, ended, raws, token, unfinished)
    return None


def _lenient_page(raws: Sequence[Json], token: str | None) -> Page:
    uuids, ended = keys(raws)
    unfinished = set()
    for uuid, raw in zip(uuids, raws, strict=True):
        with suppress(VoisoResponseError):
            if decode(bytes(raw)).get("disposition") in UNFINISHED:
                unfinished.add(uuid)
    return Page(uuids, ended, raws, token, frozenset(unfinished))


def error_answer(error: Any) -> VoisoAuthenticationError | VoisoResponseError:
    """Return the exception for an ``{"error": ...}`` body; it never repeats the API's words."""
    if "api key" in str(error).lower():
        return VoisoAuthenticationError(
            "The API says that the key is invalid. Check the connection's password (the API key) "
            "and that its host is the cluster of that key's owner."
        )
    return VoisoResponseError(
        f"The API answered with an error object in place of records. {IF_IT_LASTS}"
    )


def not_json(body: bytes) -> str:
    """Return the message for a body that is not JSON; it never repeats the body."""
    if body.lstrip()[:1] == b"<":
        return (
            "The API answered with a web page in place of JSON: a sign-in page or a proxy may "
            "stand before it. Check the connection's host."
        )
    return (
        f"The API's answer of {len(body)} bytes is not the JSON object that it documents. "
        f"{IF_IT_LASTS}"
    )
