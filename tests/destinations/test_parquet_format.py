"""Whichever way a block of records becomes a table, it holds what ``columns`` makes of them."""

from __future__ import annotations

import io
import json
import threading
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_voiso.api.page import Lines
from airflow_provider_voiso.destinations.columns import COLUMNS, columns
from airflow_provider_voiso.destinations.files import parquet_format
from airflow_provider_voiso.destinations.files.parquet_format import table, write_parquet
from airflow_provider_voiso.exceptions import VoisoResponseError
from tests.destinations.test_columns import FULL, RECORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

TYPES = {
    "text": pa.string(),
    "integer": pa.int64(),
    "decimal": pa.decimal128(12, 4),
    "instant": pa.timestamp("us", tz="UTC"),
    "json": pa.string(),
}
SCHEMA = pa.schema([(column.name, TYPES[column.type]) for column in COLUMNS])
ORDINARY = [
    json.dumps(FULL).encode(),
    json.dumps(FULL, ensure_ascii=False, separators=(",", ":")).encode(),
    json.dumps({**dict.fromkeys(FULL), "uuid": "null"}).encode(),
    json.dumps({**FULL, "sla": {}, "cpc": -12345678.5, "duration": "999999999999:59:59"}).encode(),
    json.dumps(
        {
            **FULL,
            "sla": {"time_to_reply": None, "time_to_resolution": "00:00:00"},
            "text": "a\tb\\/",
        }
    ).encode(),
    b'{"uuid":"\\ud83d\\ude00","timestamp":"1900-01-01T00:00:00.1+23:59","cpc":0}',
    (
        b'{ "uuid" :\t"b" , "timestamp" : "2999-12-31 23:59:59.999999-23:59" , "cpc" : -0.0001 , '
        b'"agent_id" : -0 }'
    ),
    b"{}",
]

DURATIONS = [
    *(
        "00:00:00",
        "1:02:03",
        "999999999999:59:59",
        "1000000000000:00:00",
        "00:60:00",
        "00:00:60",
        "-00:00:01",
        " 00:00:01",
    ),
    *("00:00:01\n", "00:00:01.0", "00:01", "", "null", "00:00:0\u0663", "00:00:01\0"),
]
DATES_AND_TIMES = [
    *(
        "2024-07-31T12:43:09",
        "2024-07-31 12:43:09",
        "2024-07-31t12:43:09",
        "2024-07-31T12:43:60",
        "2024-07-31T24:00:00",
    ),
    *(
        "2024-07-31T12:60:00",
        "2024-02-30T00:00:00",
        "2024-02-29T00:00:00",
        "2023-02-29T00:00:00",
        "2024-13-01T00:00:00",
    ),
    *(
        "0000-01-01T00:00:00",
        "0001-01-01T00:00:00",
        "1899-12-31T23:59:59",
        "1900-01-01T00:00:00",
        "2999-12-31T23:59:59",
    ),
    *(
        "3000-01-01T00:00:00",
        "9999-12-31T23:59:59",
        "10000-01-01T00:00:00",
        "2024-07-31",
        "2024-07-31T12",
        "",
    ),
    *(
        "2024-07-31T12:43",
        "20240731T124309",
        " 2024-07-31T12:43:09",
        "2024-07-31  12:43:09",
        "2024-W01-1T00:00:00",
    ),
]
FRACTIONS = [
    "",
    ".",
    ".5",
    ",5",
    ".000",
    ".123456",
    ".1234560",
    ".1234567",
    ".999999999",
    ".123456000",
    ".\u0661",
]
OFFSETS = [
    *(
        "Z",
        "z",
        "",
        " Z",
        "Z ",
        "Z\n",
        "+00:00",
        "-00:00",
        "+05:30",
        "+0530",
        "+05",
        "+05:75",
        "-03:00",
        "+23:59",
        "-23:59",
    ),
    *("+24:00", "-24:00", "+5:30", "UTC", "+05:30:00", "\u221203:00", "Z\0"),
]
NUMBERS = [
    *(
        "0",
        "-0",
        "7",
        "1.0",
        "1e3",
        "1E+2",
        "-0.0",
        "0.5",
        "0.3972",
        "0.12345",
        "0.50000000",
        "1.500000000000",
        "1e-3",
    ),
    *(
        "99999999.9999",
        "-99999999.9999",
        "100000000",
        "123456789012",
        "123456789012.0000",
        "1e-5",
        "0e-99999999",
        "0e39",
    ),
    *(
        "0.30000000000000000000000000000000004",
        "1e400",
        "1e-400",
        "1e-99999999",
        "9223372036854775807",
        "-9223372036854775808",
    ),
    *(
        "9223372036854775808",
        "-9223372036854775809",
        "1" + "0" * 400,
        '"5"',
        '"0.5"',
        '""',
        '"NaN"',
        "null",
        "true",
        "[]",
        "{}",
    ),
]
TEXTS = [
    *(
        '"a"',
        '""',
        '"null"',
        '" a "',
        '"\\u0000"',
        '"\\\\u0000"',
        '"\\u00001"',
        '"\\ud800"',
        '"\\udc00"',
        '"\\udc00\\ud800"',
    ),
    *(
        '"\\ud83d\\ude00"',
        '"\\"cpc\\":\\"1\\""',
        '"\\/\\b\\f\\n\\r\\t"',
        '"\u2028\ufeff\x7f\U0001f600"',
        "null",
        "5",
        "true",
        "[]",
        "{}",
    ),
]
SLAS = [
    "null",
    "{}",
    "[]",
    '""',
    "0",
    "[null]",
    '{"time_to_close":null}',
    '{"time_to_reply":5}',
    '{"time_to_reply":{}}',
]


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


durations = st.sampled_from(DURATIONS).map(quoted) | st.sampled_from(["null", "5", "[]"])
values = {
    "timestamp": st.tuples(*map(st.sampled_from, (DATES_AND_TIMES, FRACTIONS, OFFSETS)))
    .map("".join)
    .map(quoted)
    | st.datetimes(timezones=st.timezones()).map(lambda at: quoted(at.isoformat()))
    | st.sampled_from(["null", "5", '"2024-07-31T12:43:09\\u005a"']),
    "duration": durations,
    "cpc": st.sampled_from(NUMBERS) | st.decimals(-(10**9), 10**9, places=4).map(str),
    "agent_id": st.sampled_from(NUMBERS) | st.integers().map(str),
    "num_segments": st.sampled_from(NUMBERS),
    "sla": st.sampled_from(SLAS)
    | st.dictionaries(
        st.sampled_from(["time_to_first_response", "time_to_resolution", "time_to_reply"]),
        durations,
        max_size=3,
    ).map(
        lambda sla: "{" + ",".join(f'"{name}":{duration}' for name, duration in sla.items()) + "}"
    ),
}
texts = st.sampled_from(TEXTS) | st.text().map(quoted).map(
    lambda text: text.encode(errors="ignore").decode()
)
field_names = st.sampled_from(
    [*FULL] * 20 + ["new", "", "c\\u0070c", "agent\\u005fid", "te\\u0078t", "UUID"]
)
fields = field_names.flatmap(
    lambda name: st.tuples(st.just(name), values.get(json.loads(f'"{name}"'), texts))
)
near_misses = st.tuples(st.lists(fields, max_size=3), st.sampled_from(["", " ", "\t", "\r"])).map(
    lambda made: (
        "{" + ",".join(f'"{name}"{made[1]}:{made[1]}{value}' for name, value in made[0]) + "}"
    ).encode()
)
any_records = st.builds(
    lambda record, ascii_only: json.dumps(record, ensure_ascii=ascii_only).encode(),
    RECORD,
    st.booleans(),
)


def in_lines(records: Sequence[bytes]) -> Lines:
    return Lines(len(records), b"".join(record + b"\n" for record in records))


def expected(records: Sequence[bytes]) -> Any:
    arrays = [
        pa.array(each, field.type) for each, field in zip(columns(records), SCHEMA, strict=True)
    ]
    return pa.table(arrays, schema=SCHEMA)


def outcome(make: Callable[[], Any]) -> Any:
    try:
        made = make()
    except VoisoResponseError as error:
        return str(error)
    made.validate(full=True)
    return made


def assert_as_columns(records: Sequence[bytes]) -> None:
    assert outcome(lambda: table(in_lines(records))) == outcome(lambda: expected(records))


@pytest.fixture
def only_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(parquet_format, "columns")


@pytest.mark.usefixtures("only_fast")
@pytest.mark.parametrize("record", ORDINARY)
def test_documented_records_take_fast_way(record: bytes) -> None:
    assert table(in_lines([record])).equals(expected([record]))


@pytest.mark.usefixtures("only_fast")
def test_threads_keep_the_order() -> None:
    records = [
        json.dumps({**FULL, "uuid": str(number), "text": "x" * (number % 700)}).encode()
        for number in range(10_000)
    ]
    lines = in_lines(records)
    assert len(lines.text) > 5 << 20
    made = table(lines)
    assert made["uuid"].to_pylist() == list(map(str, range(10_000)))
    assert made.equals(expected(records))


@given(st.lists(near_misses, min_size=1, max_size=4))
def test_near_misses(records: list[bytes]) -> None:
    assert_as_columns(records)


@given(st.lists(any_records, max_size=4))
@example([])
def test_any_records(records: list[bytes]) -> None:
    assert_as_columns(records)


@pytest.mark.parametrize("beside", [[], ORDINARY * 40], ids=["alone", "beside others"])
@pytest.mark.parametrize(
    "record",
    [
        *(
            f'{{"{name}":{number}}}'
            for name in ("cpc", "c\\u0070c", "agent_id")
            for number in NUMBERS
        ),
        *(f'{{"{name}":{quoted(text)}}}' for name in ("duration", "uuid") for text in DURATIONS),
        *(
            f'{{"timestamp":"2024-07-31T12:43:09{offset}"}}'
            for offset in map(str.strip, OFFSETS)
            if "\0" not in offset
        ),
        *(f'{{"timestamp":"{date_time}Z"}}' for date_time in DATES_AND_TIMES),
        *(f'{{"timestamp":"2024-07-31T12:43:09{fraction}Z"}}' for fraction in FRACTIONS),
        *(f'{{"text":{text}}}' for text in TEXTS),
        *(f'{{"sla":{sla}}}' for sla in SLAS),
        '{"agent":"a","agent":"b"}',
        '{"agent":"a","\\u0061gent":"b"}',
        '{"cpc":0e-99999999,"cpc":1}',
        '{"cpc":1,"cpc":0e-99999999}',
        '{"sla":{"time_to_reply":"00:00:01","time_to_reply":"00:00:02"}}',
        '{"sla":null,"sla":{}}',
        '{"new":null}',
        '{"new":' + "[" * 100 + "]" * 100 + "}",
        '{"text":"' + "x" * 3_000_000 + '"}',
    ],
    ids=lambda record: record[:60],
)
def test_examples(record: str, beside: list[bytes]) -> None:
    assert_as_columns([*beside, record.encode(), *beside])


@pytest.mark.parametrize(
    "record",
    [
        b"null",
        b"[]",
        b'"a"',
        b"5",
        b"{",
        b'{"cpc":NaN}',
        b'{"uuid":"\xff"}',
        b'{"uuid":"\xed\xa0\x80"}',
        b"{}x",
        b"{}{}",
        b"\0",
        b'\xef\xbb\xbf{"uuid":"a"}',
        b'{"uuid":"a\x00"}',
        b'{"uuid":"\\x"}',
        b'{"new":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=lambda record: repr(record[:30]),
)
@pytest.mark.parametrize("beside", [[], ORDINARY], ids=["alone", "beside others"])
def test_other_json_is_refused(record: bytes, beside: list[bytes]) -> None:
    with pytest.raises(VoisoResponseError):
        table(in_lines([record, *beside]))
    with pytest.raises(VoisoResponseError):
        write_parquet([in_lines(ORDINARY), in_lines([*beside, record])], io.BytesIO(), None)


def test_each_block_is_a_row_group() -> None:
    blocks = [ORDINARY, [b'{"uuid":"odd","new":1}', *ORDINARY], [], ORDINARY[:1]]
    sink = pa.BufferOutputStream()
    assert write_parquet(map(in_lines, blocks), sink, "zstd") == sum(map(len, blocks))
    file = pq.ParquetFile(pa.BufferReader(sink.getvalue()))
    sizes = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    assert sizes == list(map(len, blocks))
    assert file.read().equals(expected([record for block in blocks for record in block]))


def test_memory_holds_two_blocks() -> None:
    sink = pa.BufferOutputStream()
    begun: list[int] = []

    def blocks() -> Iterator[Lines]:
        for number in range(5):
            begun.append(sink.tell())
            yield in_lines([b'{"uuid":"%d"}' % number])

    write_parquet(blocks(), sink, None)
    assert begun[0] == begun[1] < begun[2] < begun[3] < begun[4]


def test_failing_blocks_end_the_thread() -> None:
    def blocks() -> Iterator[Lines]:
        yield in_lines(ORDINARY)
        raise VoisoResponseError("broken")

    before = threading.active_count()
    with pytest.raises(VoisoResponseError, match="broken"):
        write_parquet(blocks(), io.BytesIO(), None)
    assert threading.active_count() == before
