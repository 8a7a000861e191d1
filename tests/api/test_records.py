from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_voiso.api.records import decode, keys
from airflow_provider_voiso.api.v2.answer import parse_page
from airflow_provider_voiso.exceptions import (
    VoisoAuthenticationError,
    VoisoError,
    VoisoResponseError,
)

if TYPE_CHECKING:
    from airflow_provider_voiso.api.page import Page

AT = "2026-11-10T23:59:59.407-03:00"
TEXT = "secret words of a person"

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
    max_leaves=8,
)
records = st.fixed_dictionaries(
    {"uuid": st.text(st.characters(codec="utf-8"), min_size=1), "timestamp": st.just(AT)},
    optional={"text": json_values, "ß": json_values},
)


def answer(*raws: bytes, **fields: object) -> bytes:
    rest = "".join(f", {json.dumps(name)}: {json.dumps(value)}" for name, value in fields.items())
    return b'{"records": [' + b", ".join(raws) + b"]" + rest.encode() + b"}"


def contents(page: Page) -> list[bytes]:
    return list(map(bytes, page.raws))


def instant(timestamp: str) -> datetime:
    _, [ended] = keys([json.dumps({"uuid": "a", "timestamp": timestamp}).encode()])
    return ended


@given(st.lists(records, max_size=5), st.booleans())
def test_records_keep_every_byte(values: list[dict[str, object]], ascii_only: bool) -> None:
    raws = [json.dumps(value, ensure_ascii=ascii_only).encode() for value in values]
    page = parse_page(answer(*raws, total=1))
    assert contents(page) == raws
    assert page.uuids == [value["uuid"] for value in values]
    assert page.ended == [datetime.fromisoformat(AT)] * len(values)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"cpc":0.30,"uuid":"a","timestamp":"2026-11-10T00:00:00Z","n":1E+2,"big":123456789012345678901234567890}',
        (
            b'{ "uuid" : "\\u0061" , '
            b'"timestamp":"2026-11-10T00:00:00Z","text":"\\/\\u00e9\\ud83d\\ude00\xf0\x9f\x98\x80"}'
        ),
        b'{"timestamp":"2026-11-10T00:00:00Z","uuid":"a","uuid2":null,"x":{"y":[{},[],""]},"text":"\\r\\n\\t\\u2028"}',
    ],
)
def test_spellings_of_values_survive(raw: bytes) -> None:
    page = parse_page(answer(raw))
    assert contents(page) == [raw]
    assert page.uuids == ["a"]


@given(st.lists(records, min_size=1, max_size=4), st.sampled_from([1, 2, "\t"]), st.booleans())
def test_pretty_printed_records_become_lines(
    values: list[dict[str, object]], indent: int | str, windows: bool
) -> None:
    body = json.dumps({"records": values, "total": 1}, indent=indent, ensure_ascii=False).encode()
    page = parse_page(body.replace(b"\n", b"\r\n") if windows else body)
    assert [json.loads(raw) for raw in contents(page)] == values
    assert not any(b"\n" in raw or b"\r" in raw for raw in contents(page))


def test_raw_line_break_is_refused() -> None:
    with pytest.raises(VoisoResponseError, match="not the JSON object"):
        parse_page(
            b'{"records":[{"uuid":"a","timestamp":"2026-11-10T00:00:00Z","text":"two\nlines"}]}'
        )


@pytest.mark.parametrize(
    ("token", "expected"),
    [("WzE2Njk=", "WzE2Njk="), (None, None), ("", None), (17, "17")],
)
def test_every_token_form_is_read(token: object, expected: str | None) -> None:
    assert parse_page(answer(search_token=token)).token == expected
    assert parse_page(answer()).token is None


def test_null_error_is_no_error() -> None:
    assert len(parse_page(answer(error=None))) == 0


@pytest.mark.parametrize(
    ("timestamp", "utc"),
    [
        ("2024-07-31T12:43:09.000-03:00", "2024-07-31T15:43:09"),
        ("2024-07-31T12:43:09Z", "2024-07-31T12:43:09"),
        ("2024-07-31t12:43:09z", "2024-07-31T12:43:09"),
        ("2024-07-31T12:43:09+00:00", "2024-07-31T12:43:09"),
        ("2024-07-31T12:43:09+05:45", "2024-07-31T06:58:09"),
        ("2024-07-31T12:43:09.1-0300", "2024-07-31T15:43:09.100000"),
        ("2024-07-31 12:43:09.123456 +0200", "2024-07-31T10:43:09.123456"),
        ("2024-07-31T12:43:09,5Z", "2024-07-31T12:43:09.500000"),
        (" 2024-07-31T12:43:09.407Z ", "2024-07-31T12:43:09.407000"),
        ("2024-07-31T23:59:59.999999Z", "2024-07-31T23:59:59.999999"),
        # Rounded, these would belong to the next day, whose export would not find them among its
        # own.
        ("2024-07-31T23:59:59.9999996Z", "2024-07-31T23:59:59.999999"),
        ("2024-07-31T23:59:59.999999999Z", "2024-07-31T23:59:59.999999"),
        ("2024-02-29T00:00:00.000000001-00:01", "2024-02-29T00:01:00"),
    ],
)
def test_offset_timestamps_are_read(timestamp: str, utc: str) -> None:
    assert instant(timestamp) == datetime.fromisoformat(utc).replace(tzinfo=timezone.utc)


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)),  # noqa: DTZ001 - the zone is added below
    st.integers(-14 * 60, 14 * 60),
)
def test_no_microsecond_is_lost(local: datetime, offset: int) -> None:
    at = local.replace(tzinfo=timezone(timedelta(minutes=offset)))
    assert instant(at.isoformat()) == at


@pytest.mark.parametrize(
    "raw",
    [
        b"42",
        b'"record"',
        b"null",
        b"[]",
        b"{}",
        b'{"uuid":"a"}',
        b'{"uuid":"a","timestamp":null}',
        b'{"uuid":"a","timestamp":1794355199}',
        b'{"uuid":"a","timestamp":"2026-11-10T23:59:59"}',
        b'{"uuid":"a","timestamp":"2026-11-10"}',
        b'{"uuid":"a","timestamp":"2026-13-10T23:59:59Z"}',
        b'{"uuid":"a","timestamp":"2026-02-30T23:59:59Z"}',
        b'{"uuid":"a","timestamp":"2026-11-10T24:00:00Z"}',
        b'{"uuid":"a","timestamp":"2026-11-10T23:59:59+25:00"}',
        b'{"uuid":"a","timestamp":"yesterday, about noon"}',
        b'{"uuid":"a","timestamp":""}',
        '{"uuid":"a","timestamp":"2026-11-1\N{ARABIC-INDIC DIGIT ONE}T23:59:59Z"}'.encode(),
        b'{"timestamp":"2026-11-10T23:59:59Z"}',
        b'{"uuid":null,"timestamp":"2026-11-10T23:59:59Z"}',
        b'{"uuid":17,"timestamp":"2026-11-10T23:59:59Z"}',
    ],
)
def test_unplaceable_record_is_not_shown(raw: bytes) -> None:
    good = b'{"uuid":"b","timestamp":"2026-11-10T23:59:59Z","text":"%s"}' % TEXT.encode()
    with pytest.raises(VoisoResponseError, match="cannot be placed in a window") as caught:
        parse_page(answer(good, raw))
    assert TEXT not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "0 bytes is not the JSON object"),
        (b"null", "not the JSON object"),
        (b"[]", "not the JSON object"),
        (b"{", "not the JSON object"),
        (b'{"records":[],}', "not the JSON object"),
        (b'{"records":{}}', "not the JSON object"),
        (b'{"records":null}', "not the JSON object"),
        (b'{"records":[]} ' + TEXT.encode(), "not the JSON object"),
        (b"\xff\xfe{}", "not the JSON object"),
        (b"[" * 100_000, "not the JSON object"),
        (b'{"records":' + b"[" * 100_000, "not the JSON object"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\n\n  <html>" + TEXT.encode(), "web page"),
        (b"{}", "no 'records'"),
        (b'{"total":3,"page":1,"search_token":null}', "no 'records'"),
        (b'{"error":"' + TEXT.encode() + b'"}', "error object"),
        (b'{"error":{"code":7}}', "error object"),
        (b'{"error":"Something","records":[]}', "error object"),
    ],
)
def test_undocumented_answer_is_not_shown(body: bytes, complaint: str) -> None:
    with pytest.raises(VoisoResponseError, match=complaint) as caught:
        parse_page(body)
    assert TEXT not in str(caught.value)


@pytest.mark.parametrize(
    "error", ["Invalid User API Key", "invalid api key", {"message": "Unknown API key"}]
)
def test_key_error_is_authentication_error(error: object) -> None:
    with pytest.raises(VoisoAuthenticationError, match="the key is invalid"):
        parse_page(json.dumps({"error": error}).encode())


@given(st.binary(max_size=200))
def test_every_body_gives_typed_error(body: bytes) -> None:
    with suppress(VoisoError):
        parse_page(body)


@pytest.mark.parametrize(
    "text", [rb"\ud83d", rb"\ude00 \uD83D", rb"\\ud83d", rb"\\\ud83d", rb"\ud83d\ude00"]
)
def test_lone_surrogate_is_kept(text: bytes) -> None:
    record = b'{"uuid": "a", "timestamp": "2026-11-10T00:00:00Z", "text": "' + text + b'"}'
    other = b'{"uuid": "b", "timestamp": "2026-11-10T00:00:01Z"}'
    page = parse_page(
        b'{"total": 1, "records": [' + record + b" , " + other + b'], "search_token": null}'
    )
    assert contents(page) == [record, other]
    assert page.uuids == ["a", "b"]
    assert decode(record) == json.loads(record)


def test_uuids_differing_in_surrogates_differ() -> None:
    uuids = [r"a\ud800", r"a\ud801", "a?", r"a\ud83d\ude00", r"a\\ud800"]
    raws = [
        b'{"uuid": "' + uuid.encode() + b'", "timestamp": "2026-11-10T00:00:00Z"}' for uuid in uuids
    ]
    page = parse_page(answer(*raws))
    assert page.raws == raws
    assert len(set(page.uuids)) == len(uuids)
    # Whole pairs must read as they do where nothing else needs care, or a record read twice would
    # count twice.
    assert page.uuids[3] == "a\N{GRINNING FACE}"


@pytest.mark.parametrize(
    "number", ["1" + "0" * 400, "1" + "0" * 5000, "-1e999", "1e999999999999999999999", "0.1"]
)
def test_numbers_of_any_size_decode(number: str) -> None:
    found = decode(b'{"n":' + number.encode() + b"}")["n"]
    assert found in {number, 0.1, 10**400}


def test_undecodable_record_is_not_shown() -> None:
    for raw in (b'{"n":"' + TEXT.encode() + b'\xff"}', b'{"n":' + b"[" * 5000 + b"]" * 5000 + b"}"):
        with pytest.raises(VoisoResponseError) as caught:
            decode(raw)
        assert caught.value.__context__ is None
        assert TEXT not in str(caught.value)
