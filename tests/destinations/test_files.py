from __future__ import annotations

import csv
import gzip
import io
import json
import subprocess
import sys
import threading
import zlib
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_provider_voiso.api.page import Lines
from airflow_provider_voiso.destinations.columns import COLUMNS, rows
from airflow_provider_voiso.destinations.files.csv_format import original
from airflow_provider_voiso.destinations.files.writing import (
    CONTENT_TYPE,
    check_format,
    extension,
    write_file,
)
from airflow_provider_voiso.exceptions import VoisoResponseError
from airflow_provider_voiso.simulator import Simulator

if TYPE_CHECKING:
    from airflow_provider_voiso.destinations.columns import Page

START = datetime(2026, 11, 10, tzinfo=timezone.utc)
NAMES = [column.name for column in COLUMNS]
EVERY_FORMAT = [
    *(
        (file_format, compression)
        for file_format in ("ndjson", "csv")
        for compression in ("gzip", "zstd", None)
    ),
    *(("parquet", compression) for compression in ("gzip", "zstd", None)),
]


@pytest.fixture(scope="module")
def records() -> list[bytes]:
    """Return two days of records, with every kind of interaction."""
    truth = Simulator(seed=5, records_per_day=400).truth(START, START + timedelta(days=2))
    odd = {
        "uuid": "odd",
        "timestamp": "2026-11-12T00:00:00Z",
        "text": 'a,"b"\r\nc;\t',
        "agent": "",
        "new": [1.50],
    }
    return [*truth.values(), json.dumps(odd).encode()]


def in_pages(records: list[bytes], size: int = 150) -> list[Page]:
    return [records[first : first + size] for first in range(0, len(records), size)]


def in_lines(page: Page) -> Lines:
    return Lines(len(page), b"".join(record + b"\n" for record in page))


def written(pages: list[Page], file_format: Any, compression: Any) -> bytes:
    file = io.BytesIO()
    count = write_file(map(in_lines, pages), file, file_format=file_format, compression=compression)
    assert count == sum(map(len, pages))
    assert not file.closed
    return file.getvalue()


def unpacked(content: bytes, compression: str | None) -> bytes:
    if compression == "gzip":
        return gzip.decompress(content)
    if compression == "zstd":
        return pa.input_stream(pa.BufferReader(content), compression="zstd").read()  # type: ignore[no-any-return]
    return content


@pytest.mark.parametrize("compression", ["gzip", "zstd", None])
def test_ndjson_holds_records_as_sent(records: list[bytes], compression: str | None) -> None:
    content = unpacked(written(in_pages(records), "ndjson", compression), compression)
    assert content == b"".join(record + b"\n" for record in records)


@pytest.mark.parametrize("compression", ["gzip", "zstd", None])
def test_csv_holds_the_typed_columns(records: list[bytes], compression: str | None) -> None:
    content = unpacked(written(in_pages(records), "csv", compression), compression)
    header, *lines = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
    assert header == NAMES
    expected = [
        [
            ""
            if value is None
            else value.isoformat(timespec="microseconds")
            if isinstance(value, datetime)
            else str(value)
            for value in row
        ]
        for row in rows(records)
    ]
    assert [list(map(original, line)) for line in lines] == expected


@pytest.mark.parametrize("compression", ["gzip", "zstd", None])
def test_parquet_holds_the_typed_columns(records: list[bytes], compression: str | None) -> None:
    content = written(in_pages(records), "parquet", compression)
    table = pq.read_table(pa.BufferReader(content))
    assert table.column_names == NAMES
    assert [tuple(row.values()) for row in table.to_pylist()] == rows(records)
    stored = pq.ParquetFile(pa.BufferReader(content)).metadata.row_group(0).column(0).compression
    assert stored == {"gzip": "GZIP", "zstd": "ZSTD", None: "UNCOMPRESSED"}[compression]


def test_parquet_types_never_vary() -> None:
    empty = pq.read_schema(pa.BufferReader(written([], "parquet", "zstd")))
    sparse = [b'{"uuid":"a","timestamp":"2026-11-10T00:00:00Z"}']
    assert pq.read_schema(pa.BufferReader(written([sparse], "parquet", "zstd"))).equals(empty)
    assert empty.field("ended_at").type == pa.timestamp("us", tz="UTC")
    assert empty.field("cpc").type == pa.decimal128(12, 4)
    assert empty.field("duration_seconds").type == pa.int64()
    assert empty.field("wrapup_code").type == pa.string()


@pytest.mark.parametrize(("file_format", "compression"), EVERY_FORMAT)
def test_same_records_give_same_bytes(
    records: list[bytes], file_format: str, compression: str | None
) -> None:
    assert written(in_pages(records), file_format, compression) == written(
        in_pages(records), file_format, compression
    )


@pytest.mark.parametrize("file_format", ["ndjson", "csv"])
def test_gzip_holds_the_uncompressed_bytes(records: list[bytes], file_format: str) -> None:
    many = records * 25

    content = written([many], file_format, "gzip")

    plain = written([many], file_format, None)
    assert len(plain) > 3 << 20
    assert unpacked(content, "gzip") == plain
    assert content == written([many], file_format, "gzip")


def test_failing_pages_end_the_compression(records: list[bytes]) -> None:
    def pages() -> Any:
        yield in_lines(records * 25)
        raise VoisoResponseError("broken")

    before = threading.active_count()
    with pytest.raises(VoisoResponseError, match="broken"):
        write_file(pages(), io.BytesIO(), file_format="ndjson", compression="gzip")
    assert threading.active_count() == before


def test_gzip_header_tells_nothing(records: list[bytes]) -> None:
    content = written(in_pages(records), "ndjson", "gzip")
    flags, mtime = content[3], content[4:8]
    assert (flags, mtime) == (0, b"\0\0\0\0")
    # One member that ends where the file ends, for readers that stop after the first.
    reader = zlib.decompressobj(wbits=31)
    reader.decompress(content)
    assert reader.eof
    assert reader.unused_data == b""


@pytest.mark.parametrize(("file_format", "compression"), EVERY_FORMAT)
@pytest.mark.parametrize("pages", [[], [[]]])
def test_empty_file_can_be_read(
    file_format: str, compression: str | None, pages: list[Page]
) -> None:
    content = written(pages, file_format, compression)
    if file_format == "parquet":
        assert pq.read_table(pa.BufferReader(content)).num_rows == 0
    elif file_format == "csv":
        assert unpacked(content, compression) == ",".join(NAMES).encode() + b"\r\n"
    else:
        assert unpacked(content, compression) == b""


def test_pages_are_taken_singly() -> None:
    seen: list[int] = []

    class Watched(io.BytesIO):
        def write(self, data: Any) -> int:
            seen.append(given)
            return super().write(data)

    given = 0

    def pages() -> Any:
        nonlocal given
        for number in range(3):
            given = number
            yield in_lines([b'{"uuid":"%d","timestamp":"2026-11-10T00:00:00Z"}' % number])

    write_file(pages(), Watched(), file_format="ndjson", compression=None)
    assert seen == [0, 1, 2]


@pytest.mark.parametrize(("file_format", "compression"), EVERY_FORMAT)
def test_formats_know_their_compressions(file_format: Any, compression: Any) -> None:
    check_format(file_format, compression)
    assert file_format in CONTENT_TYPE


@pytest.mark.parametrize(
    ("file_format", "compression", "complaint"),
    [
        ("json", "gzip", "Unknown file_format 'json'"),
        ("CSV", "gzip", "Unknown file_format 'CSV'"),
        ("csv", "bz2", "Unknown compression 'bz2'"),
        ("csv", "", "Unknown compression ''"),
        ("parquet", "snappy", "Unknown compression 'snappy'"),
        ("csv", "auto", "Unknown compression 'auto'"),
    ],
)
def test_unknown_names_are_refused(file_format: str, compression: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        check_format(file_format, compression)


@pytest.mark.parametrize(
    ("file_format", "compression", "expected"),
    [
        ("ndjson", "gzip", "ndjson.gz"),
        ("ndjson", "zstd", "ndjson.zst"),
        ("csv", None, "csv"),
        ("parquet", "zstd", "parquet"),
        ("parquet", None, "parquet"),
    ],
)
def test_the_end_of_the_name(file_format: Any, compression: Any, expected: str) -> None:
    assert extension(file_format, compression) == expected


def test_missing_pyarrow_refuses_parquet_alone() -> None:
    program = """
import sys
from importlib.abc import MetaPathFinder

class Missing(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "pyarrow":
            raise ModuleNotFoundError(name=name)

sys.meta_path.insert(0, Missing())

import io
from airflow_provider_voiso.api.page import Lines
from airflow_provider_voiso.exceptions import VoisoConfigurationError
from airflow_provider_voiso.destinations.files.csv_format import original
from airflow_provider_voiso.destinations.files.writing import check_format, write_file

PAIRS = [("parquet", "gzip"), ("parquet", None), ("csv", "zstd"), ("ndjson", "zstd")]
for file_format, compression in PAIRS:
    try:
        check_format(file_format, compression)
    except VoisoConfigurationError as error:
        assert "airflow-provider-voiso[parquet]" in str(error)
    else:
        raise SystemExit(f"{file_format} with {compression} was let through")
for file_format in ("ndjson", "csv"):
    check_format(file_format, "gzip")
    lines = Lines(1, b'{"uuid":"a"}\\n')
    write_file([lines], io.BytesIO(), file_format=file_format, compression="gzip")
assert "pyarrow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
