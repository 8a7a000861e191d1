from __future__ import annotations

import csv
import io
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_voiso.exceptions import VoisoResponseError
from airflow_provider_voiso.export.columns import COLUMNS, rows
from airflow_provider_voiso.export.csv_format import csv_header, csv_lines

if TYPE_CHECKING:
    from pathlib import Path

    from tests.export.conftest import Destination

NAMES = [column.name for column in COLUMNS]


def read(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True))


def encode(*records: dict[str, Any]) -> list[bytes]:
    return [json.dumps(record).encode() for record in records]


def test_the_header_names_the_columns() -> None:
    assert csv_header() == ",".join(NAMES).encode() + b"\r\n"


def test_a_line_holds_every_value_in_the_order_of_the_header() -> None:
    record = {
        "uuid": "u",
        "timestamp": "2024-07-31T12:43:09.5-03:00",
        "duration": "48:16:27",
        "agent_id": 7,
        "cpc": 1e-4,
        "from": "+15557571011",
        "wrapup_code": "0101",
        "new": ["a", 1],
    }
    (line,) = read(csv_header() + csv_lines(encode(record)))
    assert {name: value for name, value in line.items() if value} == {
        "uuid": "u",
        "ended_at": "2024-07-31T15:43:09.500000+00:00",
        "duration_seconds": "173787",
        "agent_id": "7",
        "cpc": "0.0001",
        "from_party": "+15557571011",
        "wrapup_code": "0101",
        "extra": '{"new":["a",1]}',
    }


def test_null_and_empty_text_differ() -> None:
    columns = len(COLUMNS)
    assert csv_lines(encode({"uuid": "u", "type": ""})) == b'u,""' + b"," * (columns - 2) + b"\r\n"


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("plain", "plain"),
        ("=1+1", "=1+1"),
        ("a,b", '"a,b"'),
        ('say "hi"', '"say ""hi"""'),
        ("a\nb", '"a\nb"'),
        ("a\rb", '"a\rb"'),
        (" a ", '" a "'),
        ("\\.", '"\\."'),
        ("Łucja 😀", "Łucja 😀"),
    ],
)
def test_text_is_quoted_where_it_must_be(text: str, cell: str) -> None:
    assert csv_lines(encode({"uuid": text})) == f"{cell}{',' * (len(COLUMNS) - 1)}\r\n".encode()


def test_every_record_ends_its_line_and_no_record_is_no_line() -> None:
    assert csv_lines([]) == b""
    assert [line["uuid"] for line in read(csv_header() + csv_lines(encode({"uuid": "a"}, {"uuid": "b"})))] == ["a", "b"]


def test_what_is_no_object_is_an_error() -> None:
    with pytest.raises(VoisoResponseError):
        csv_lines([b"[]"])


@given(st.lists(st.dictionaries(st.sampled_from(["uuid", "agent", "text", "new"]), st.text()), max_size=4))
def test_any_text_is_read_back(records: list[dict[str, str]]) -> None:
    page = encode(*records)
    expected = [["" if value is None else value for value in row] for row in rows(page)]
    assert [list(line.values()) for line in read(csv_header() + csv_lines(page))] == expected


def test_postgres_copies_a_file_without_loss(postgres: Destination, tmp_path: Path) -> None:
    page = encode(
        {"uuid": "1", "agent": "", "text": 'a "b", c\r\nd\n\te \\', "queue": "\\N", "cpc": 0.5, "new": "x"},
        {"uuid": "2", "timestamp": "2024-07-31T12:43:09.123456-03:00", "text": " \\.", "duration": "00:00:01"},
        {"uuid": "\\."},
    )
    file = tmp_path / "calls.csv"
    file.write_bytes(csv_header() + csv_lines(page))
    postgres.load([])
    statement = "COPY calls FROM STDIN WITH (FORMAT csv, HEADER, ENCODING 'UTF8')"
    with closing(postgres.hook.get_conn()) as connection:
        cursor = connection.cursor()
        if hasattr(cursor, "copy_expert"):
            cursor.copy_expert(statement, io.BytesIO(file.read_bytes()))
        else:
            with cursor.copy(statement) as copy:
                copy.write(file.read_bytes())
        connection.commit()
    assert postgres.rows() == set(rows(page))
