from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_voiso.api.records import keys
from airflow_provider_voiso.destinations import columns as columns_module
from airflow_provider_voiso.destinations.columns import COLUMNS, columns, rows
from airflow_provider_voiso.destinations.extra import original_extra
from airflow_provider_voiso.destinations.sql.overflow import Overflow
from airflow_provider_voiso.destinations.values import INTEGER, Kind
from airflow_provider_voiso.exceptions import VoisoResponseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import msgspec

FIELD_OF_COLUMN = {
    "ended_at": "timestamp",
    "duration_seconds": "duration",
    "from_party": "from",
    "to_party": "to",
}
NAMES = [column.name for column in COLUMNS]
SLA = {
    "sla_first_response_seconds": "time_to_first_response",
    "sla_resolution_seconds": "time_to_resolution",
    "sla_reply_seconds": "time_to_reply",
}
FULL = {
    "uuid": "7a221595-6dcd-483a-b37f-65e12317756d",
    "type": "outbound SMS",
    "timestamp": "2024-07-24T06:15:40.407-03:00",
    "duration": "48:16:27",
    "agent": "Łucja Ö.",
    "agent_id": 56215,
    "queue": "Soporte",
    "from": "+15557571011",
    "to": "0031208112500",
    "disposition": "answered",
    "wrapup_code": "0101",
    "cpc": 0.3972,
    "sid": "VOISO",
    "text": "line 1\nline 2",
    "related_call": "5d73e973-4103-48ac-84ad-4861155f86db",
    "template": "welcome",
    "num_segments": 2,
    "destination_name": "Germany - Other",
    "sla": {
        "time_to_first_response": "00:01:45",
        "time_to_resolution": "48:16:27",
        "time_to_reply": "00:00:23",
    },
}


def as_dict(record: dict[str, Any] | bytes) -> dict[str, Any]:
    page = [record if isinstance(record, bytes) else json.dumps(record).encode()]
    (row,) = rows(page)
    return dict(zip((column.name for column in COLUMNS), row, strict=True))


def test_full_record_fills_every_column() -> None:
    assert as_dict(FULL) == {
        "uuid": "7a221595-6dcd-483a-b37f-65e12317756d",
        "type": "outbound SMS",
        "ended_at": datetime(2024, 7, 24, 9, 15, 40, 407000, tzinfo=timezone.utc),
        "duration_seconds": 173787,
        "agent": "Łucja Ö.",
        "agent_id": 56215,
        "queue": "Soporte",
        "from_party": "+15557571011",
        "to_party": "0031208112500",
        "disposition": "answered",
        "wrapup_code": "0101",
        "cpc": Decimal("0.3972"),
        "sid": "VOISO",
        "text": "line 1\nline 2",
        "related_call": "5d73e973-4103-48ac-84ad-4861155f86db",
        "template": "welcome",
        "num_segments": 2,
        "destination_name": "Germany - Other",
        "sla_first_response_seconds": 105,
        "sla_resolution_seconds": 173787,
        "sla_reply_seconds": 23,
        "extra": None,
    }


@pytest.mark.parametrize("record", [FULL, {**dict.fromkeys(FULL), "uuid": "u"}, {"uuid": "u"}])
def test_documented_records_take_fast_way(
    record: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("airflow_provider_voiso.destinations.columns._exact_columns")
    assert as_dict(record)["uuid"] == record["uuid"]


def test_instants_are_in_utc() -> None:
    ended_at = as_dict(FULL)["ended_at"]
    assert ended_at.tzinfo is timezone.utc
    assert as_dict({**FULL, "new": 1})["ended_at"].tzinfo is timezone.utc


@pytest.mark.parametrize("more", [{}, {"new": 1}], ids=["fitting", "odd"])
def test_absent_and_null_are_none(more: dict[str, Any]) -> None:
    null = as_dict({**dict.fromkeys(FULL), "uuid": "u", **more})
    absent = as_dict({"uuid": "u", **more})
    assert null == absent
    assert {name for name, value in absent.items() if value is not None} == {
        "uuid",
        *(["extra"] if more else []),
    }


def test_unknown_field_alone_goes_to_extra() -> None:
    plain, odd = as_dict(FULL), as_dict({**FULL, "recording": {"url": None, "parts": [1, "b"]}})
    assert odd.pop("extra") == '{"recording":{"url":null,"parts":[1,"b"]}}'
    assert plain.items() - odd.items() == {("extra", None)}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("uuid", "5"),
        ("type", "true"),
        ("agent", "42"),
        ("agent", "[]"),
        ("agent", '"a\\u0000b"'),
        ("queue", '"\\ud800"'),
        ("agent_id", '"abc"'),
        ("agent_id", '"56215"'),
        ("agent_id", "1.5"),
        ("agent_id", "1.0"),
        ("agent_id", "true"),
        ("agent_id", "9223372036854775808"),
        ("num_segments", "-9223372036854775809"),
        ("num_segments", "9" * 5000),
        ("cpc", '"0.3972"'),
        ("cpc", '"NaN"'),
        ("cpc", "0.39725"),
        ("cpc", "100000000"),
        ("cpc", "-100000000.0000"),
        ("cpc", "1e400"),
        ("cpc", "1e-400"),
        ("cpc", "0.30000000000000000000000000000000004"),
        ("cpc", "false"),
        ("duration", '"n/a"'),
        ("duration", '""'),
        ("duration", '"00:60:00"'),
        ("duration", '"00:00:60"'),
        ("duration", '"-00:00:05"'),
        ("duration", '"00:00:05.5"'),
        ("duration", '"00:05"'),
        ("duration", '"00:00:0٣"'),
        ("duration", "79"),
        ("timestamp", '"yesterday"'),
        ("timestamp", '"2024-07-31T12:43:09"'),
        ("timestamp", '"2024-13-31T12:43:09Z"'),
        ("timestamp", '"0001-01-01T00:00:00+05:00"'),
        ("timestamp", "1722426189"),
        ("sla", '[{"time_to_reply":"00:00:23"}]'),
        ("sla", '""'),
        ("sla", "0"),
        ("sla", '{"time_to_reply":"soon"}'),
        ("sla", '{"time_to_close":"00:00:01"}'),
    ],
)
def test_misfit_is_kept_in_extra(field: str, value: str) -> None:
    others = {name: content for name, content in FULL.items() if name != field}
    row = as_dict(json.dumps(others)[:-1].encode() + f', "{field}": {value}}}'.encode())
    assert original_extra(row.pop("extra")) == f'{{"{field}":{value}}}'
    expected = as_dict(others)
    del expected["extra"]
    assert row == expected


@pytest.mark.parametrize("more", ["", ',"new":1'], ids=["fitting", "odd"])
@pytest.mark.parametrize(
    ("field", "sent", "column", "value"),
    [
        ("agent_id", "9223372036854775807", "agent_id", 2**63 - 1),
        ("agent_id", "-9223372036854775808", "agent_id", -(2**63)),
        ("cpc", "99999999.9999", "cpc", Decimal("99999999.9999")),
        ("cpc", "-0.0001", "cpc", Decimal("-0.0001")),
        ("cpc", "3", "cpc", Decimal(3)),
        ("cpc", "1e3", "cpc", Decimal(1000)),
        ("cpc", "0.50000000", "cpc", Decimal("0.5")),
        ("duration", '"1234567:59:59"', "duration_seconds", 1234567 * 3600 + 3599),
        ("text", '""', "text", ""),
        ("text", '"\\\\u0000 \\ud83d\\ude00"', "text", "\\u0000 😀"),
        ("text", '"\\"cpc\\":\\"1.12345678\\""', "text", '"cpc":"1.12345678"'),
        (
            "timestamp",
            '"2024-07-31t12:43:09.5z"',
            "ended_at",
            datetime(2024, 7, 31, 12, 43, 9, 500000, timezone.utc),
        ),
        (
            "timestamp",
            '"2024-07-31 12:43:09+0530"',
            "ended_at",
            datetime(2024, 7, 31, 7, 13, 9, 0, timezone.utc),
        ),
        (
            "timestamp",
            '"2024-07-31T12:43:09.123456000Z"',
            "ended_at",
            datetime(2024, 7, 31, 12, 43, 9, 123456, timezone.utc),
        ),
        ("sla", '{"time_to_reply":null}', "sla_reply_seconds", None),
    ],
)
def test_fitting_value_fills_its_column(
    field: str, sent: str, column: str, value: Any, more: str
) -> None:
    row = as_dict(f'{{"{field}":{sent}{more}}}'.encode())
    assert row[column] == value
    assert row["extra"] == ('{"new":1}' if more else None)


def test_nanoseconds_are_kept_in_extra() -> None:
    row = as_dict({"timestamp": "2024-07-31T23:59:59.9999996Z"})
    assert row["ended_at"] == datetime(2024, 7, 31, 23, 59, 59, 999999, tzinfo=timezone.utc)
    assert row["extra"] == '{"timestamp":"2024-07-31T23:59:59.9999996Z"}'


def test_numbers_in_extra_keep_every_digit() -> None:
    row = as_dict(
        b'{"a": [1.0, 1e400, -0, 0.1000000000000000055511151231257827, '
        b"123456789012345678901234567890]}"
    )
    expected = (
        '{"a":[1.0,1e400,-0,0.1000000000000000055511151231257827,123456789012345678901234567890]}'
    )
    assert original_extra(row["extra"]) == expected


def test_name_with_half_surrogate_is_kept() -> None:
    row = as_dict(b'{"\\udc00 \\u044f": "\\ud800"}')
    assert original_extra(row["extra"]) == '{"\\udc00 я":"\\ud800"}'


@pytest.mark.parametrize("more", [b"", b',"new":1'], ids=["fitting", "odd"])
def test_of_repeated_names_the_last_wins(more: bytes) -> None:
    assert as_dict(b'{"agent":"first","agent":"last"' + more + b"}")["agent"] == "last"


def test_odd_record_leaves_others_alone() -> None:
    page = [json.dumps({"uuid": str(number)}).encode() for number in range(5)]
    page[2] = b'{"uuid":"2","new":1}'
    assert [(row[0], row[-1]) for row in rows(page)] == [
        ("0", None),
        ("1", None),
        ("2", '{"new":1}'),
        ("3", None),
        ("4", None),
    ]


def test_an_empty_page_has_no_rows() -> None:
    assert rows([]) == []


@pytest.mark.parametrize(
    "record",
    [
        b'["secret"]',
        b'"secret"',
        b"null",
        b'{"a":secret}',
        b'{"a":"secret\xff"}',
        b'{"secret":NaN}',
    ],
)
def test_other_json_is_error_without_content(record: bytes) -> None:
    with pytest.raises(VoisoResponseError) as raised:
        rows([record])
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None or raised.value.__suppress_context__


@given(st.integers(0, 10**15))
def test_a_duration_is_its_seconds(seconds: int) -> None:
    hours, rest = divmod(seconds, 3600)
    text = f"{hours:02}:{rest // 60:02}:{rest % 60:02}"
    assert as_dict({"duration": text})["duration_seconds"] == seconds


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
RECORD = st.dictionaries(
    st.sampled_from([*FULL, "new", "extra", "other"]), JSON | st.sampled_from([*FULL.values()])
)


@given(RECORD, st.booleans())
def test_nothing_is_dropped(record: dict[str, Any], ascii_only: bool) -> None:
    row = as_dict(json.dumps(record, ensure_ascii=ascii_only).encode())
    extra = json.loads(original_extra(row["extra"] or "{}"))
    for field, value in record.items():
        if field == "sla" and isinstance(value, dict):
            kept = extra.get("sla", {})
            for name, item in value.items():
                column = next((column for column, known in SLA.items() if known == name), None)
                assert (
                    item is None or kept.get(name) == item or (column and row[column] is not None)
                )
        elif value is not None and not (field in extra and extra[field] == value):
            column = next(
                (column for column, known in FIELD_OF_COLUMN.items() if known == field), field
            )
            if column not in {"ended_at", "duration_seconds", "cpc"}:
                assert row[column] == value
            else:
                assert row[column] is not None


@given(RECORD)
def test_unknown_field_changes_no_value(record: dict[str, Any]) -> None:
    record.pop("zz", None)
    plain, odd = as_dict(record), as_dict({**record, "zz": 1})
    extra = json.loads(original_extra(odd.pop("extra")))
    assert extra.pop("zz") == 1
    assert json.loads(original_extra(plain.pop("extra") or "{}")) == extra
    assert plain == odd


@pytest.mark.parametrize("depth", [100, 500, 1_000, 100_000])
@pytest.mark.parametrize("brackets", [("[", "]"), ('{"":', "}")], ids=repr)
def test_deep_nesting_is_kept_or_refused(depth: int, brackets: tuple[str, str]) -> None:
    opening, closing = brackets
    nested = opening * depth + "1" + closing * depth
    record = ('{"uuid":"u","new":' + nested + "}").encode()
    try:
        [row] = rows([record])
    except VoisoResponseError as error:
        assert depth > 100
        assert "nested" in str(error)  # noqa: PT017
    else:
        assert original_extra(row[-1]) == '{"new":' + nested + "}"


@pytest.mark.parametrize(
    "timestamp", ["2026-11-10T12:00:00+05:75", "2026-11-10 12:00:00.1234567-0360"]
)
def test_odd_offset_counts_as_in_windows(timestamp: str) -> None:
    record = json.dumps({"uuid": "a", "timestamp": timestamp}).encode()
    [row] = rows([record])
    assert [row[2]] == keys([record])[1]
    assert row[2].utcoffset() == timedelta(0)
    assert json.loads(row[-1]) == {"timestamp": timestamp}


def test_offset_of_a_day_is_refused() -> None:
    timestamp = "2026-11-10T12:00:00-24:00"
    record = json.dumps({"uuid": "a", "timestamp": timestamp}).encode()
    [row] = rows([record])
    assert row[2] is None
    assert json.loads(row[-1]) == {"timestamp": timestamp}
    with pytest.raises(VoisoResponseError):
        keys([record])


@pytest.mark.parametrize("odd", ["every", "hundredth"])
def test_one_misfit_costs_its_column(odd: str, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [{**FULL, "uuid": str(number)} for number in range(300)]
    for record in records[:: 1 if odd == "every" else 100]:
        record["agent_id"] = "none"
        record["new"] = 1
    read_alone = []
    nearest = columns_module._nearest

    def watched(kind: Kind, cell: msgspec.Raw) -> tuple[Any, bool]:
        read_alone.append(kind)
        return nearest(kind, cell)

    monkeypatch.setattr(columns_module, "_nearest", watched)

    found = columns([json.dumps(record).encode() for record in records])

    assert len(found[0]) == 300
    assert read_alone == [INTEGER] * 300


def without_columns(page: list[bytes], missing: list[str]) -> Sequence[Sequence[Any]]:
    lacking = [column for column in COLUMNS if column.name in missing]
    return Overflow(lacking).moved(page, columns(page))


def test_missing_columns_move_to_extra() -> None:
    page = [
        json.dumps(FULL).encode(),
        json.dumps({**FULL, "new": 1, "sla": {"time_to_reply": "00:00:23", "other": "x"}}).encode(),
        b'{"uuid":"plain"}',
    ]
    missing = ["text", "duration_seconds", "cpc", "num_segments", "sla_reply_seconds"]

    *kept, extra = without_columns(page, missing)

    names = [column.name for column in COLUMNS if column.name not in missing]
    assert [*kept] == [
        columns(page)[index] for index, column in enumerate(COLUMNS) if column.name in names
    ][:-1]
    moved = {"text": "line 1\nline 2", "duration": "48:16:27", "cpc": 0.3972, "num_segments": 2}
    assert [text and json.loads(text) for text in extra] == [
        {**moved, "sla": {"time_to_reply": "00:00:23"}},
        {**moved, "new": 1, "sla": {"other": "x", "time_to_reply": "00:00:23"}},
        None,
    ]


def test_moved_columns_leave_held_values_alone() -> None:
    page = [b'{"uuid":"a","agent":"x","queue":"\\u0000","_json":1}']

    *_, [extra] = without_columns(page, ["agent"])

    assert json.loads(original_extra(extra)) == {"agent": "x", "queue": "\0", "_json": 1}


@given(st.lists(RECORD, max_size=3))
def test_moved_columns_keep_the_record(records: list[dict[str, Any]]) -> None:
    page = [json.dumps(record).encode() for record in records]
    lacking = [column.name for column in COLUMNS[1:-1]]

    uuids, extras = without_columns(page, lacking)

    again = [
        {"uuid": uuid, **json.loads(original_extra(extra or "{}"))}
        for uuid, extra in zip(uuids, extras, strict=True)
    ]
    expected = [dict(zip(NAMES, row, strict=True)) for row in rows(page)]
    found = [
        dict(zip(NAMES, row, strict=True))
        for row in rows([json.dumps(record).encode() for record in again])
    ]
    for row in (*expected, *found):
        row["extra"] = json.loads(original_extra(row["extra"] or "{}"))
    assert found == expected
