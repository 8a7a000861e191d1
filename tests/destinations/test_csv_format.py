from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_voiso.destinations.columns import COLUMNS, rows
from airflow_provider_voiso.destinations.files.csv_format import csv_header, csv_lines, original
from airflow_provider_voiso.exceptions import VoisoResponseError

if TYPE_CHECKING:
    from tests.destinations.conftest import Destination

NAMES = [column.name for column in COLUMNS]


def read(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True))


def encode(*records: dict[str, Any]) -> list[bytes]:
    return [json.dumps(record).encode() for record in records]


def test_the_header_names_the_columns() -> None:
    assert csv_header() == ",".join(NAMES).encode() + b"\r\n"


def test_line_follows_the_header() -> None:
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
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2+3", "'-2+3"),
        (" =1", "' =1"),
        ("'=1", "''=1"),
        ("\uff1d1", "'\uff1d1"),
        ("a;=1", '"a;\'=1"'),
        ("a\tb", '"a\tb"'),
        ("hello\r\n- you", '"hello\r\n\'- you"'),
        ("\t=1", '"\t\'=1"'),
        ("+15557571011", "+15557571011"),
        ("-12.50", "-12.50"),
        ("@voiso_demo", "@voiso_demo"),
        ("@A1+1", "'@A1+1"),
        ("--", "--"),
        ("+1 555 7571011", "'+1 555 7571011"),
        ("it's 1+1=2", "it's 1+1=2"),
        ("a,b", '"a,b"'),
        ('say "hi"', '"say ""hi"""'),
        ("a\nb", '"a\nb"'),
        ("a\rb", '"a\rb"'),
        (" a ", '" a "'),
        ("\\.", '"\\."'),
        ("Łucja 😀", "Łucja 😀"),
    ],
)
def test_text_is_quoted_where_needed(text: str, cell: str) -> None:
    assert csv_lines(encode({"uuid": text})) == f"{cell}{',' * (len(COLUMNS) - 1)}\r\n".encode()


def test_each_record_is_one_line() -> None:
    assert csv_lines([]) == b""
    assert [
        line["uuid"]
        for line in read(csv_header() + csv_lines(encode({"uuid": "a"}, {"uuid": "b"})))
    ] == ["a", "b"]


def test_other_json_is_refused() -> None:
    with pytest.raises(VoisoResponseError):
        csv_lines([b"[]"])


HOSTILE = st.lists(
    st.sampled_from(
        [*"=+-@;\t\r\n' ,\"1a\x1f\N{NO-BREAK SPACE}\N{EM SPACE}", "\N{FULLWIDTH EQUALS SIGN}"]
    )
).map("".join)


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["uuid", "agent", "text", "new"]), st.text() | HOSTILE),
        max_size=4,
    )
)
def test_any_text_is_read_back(records: list[dict[str, str]]) -> None:
    page = encode(*records)
    expected = [["" if value is None else value for value in row] for row in rows(page)]
    read_back = read(csv_header() + csv_lines(page))
    assert [[original(cell) for cell in line.values()] for line in read_back] == expected


@given(st.text() | HOSTILE)
@example("\x1f=:")
@example("\N{IDEOGRAPHIC SPACE}=:")
def test_no_cell_begins_a_formula(text: str) -> None:
    lines = csv_lines(encode({"agent": text, "new": text})).decode()
    cells = [cell for line in csv.reader(io.StringIO(lines, newline="")) for cell in line]
    cells += re.split("[;\r\n]", lines) + re.split("[\t\r\n]", lines)
    for cell in cells:
        assert not re.match(
            r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20](?!-*$|[0-9.]*$|[A-Za-z_][\w.]*$)",
            cell.replace('"', ""),
        )


def test_a_spreadsheet_computes_nothing(tmp_path: Path) -> None:
    if shutil.which("ssconvert") is None:
        pytest.skip("the spreadsheet program gnumeric is not installed")
    texts = [
        "=1+1",
        "@SUM(1)",
        "+1+1",
        "-1-1",
        " =1+1",
        "a;=1+1",
        'a","=1+1',
        "a\n=1+1",
        "\t=1+1",
        "+15557571011",
    ]
    file, opened = tmp_path / "calls.csv", tmp_path / "calls.xml"
    file.write_bytes(
        csv_header() + csv_lines(encode(*({"uuid": text, "text": text} for text in texts)))
    )
    formula = tmp_path / "formula.csv"
    formula.write_text("=1+1\n")
    for source, expected in ((formula, 1), (file, 0)):
        subprocess.run(
            ["ssconvert", "-T", "Gnumeric_XmlIO:sax:0", source, opened],
            check=True,
            capture_output=True,
        )
        # A cell without a ValueType is an expression.
        cells = re.findall(r"<gnm:Cell [^>]*>", opened.read_text())
        assert cells
        assert sum("ValueType" not in cell for cell in cells) == expected


def test_postgres_copies_a_file_without_loss(postgres: Destination, tmp_path: Path) -> None:
    page = encode(
        {
            "uuid": "1",
            "agent": "",
            "text": 'a "b", c\r\nd\n\te \\',
            "queue": "\\N",
            "cpc": 0.5,
            "new": "x",
        },
        {
            "uuid": "2",
            "timestamp": "2024-07-31T12:43:09.123456-03:00",
            "text": " \\.",
            "duration": "00:00:01",
        },
        {"uuid": "\\."},
        {"uuid": "3", "text": "=1;'=2\n- three"},
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
    document = Path(__file__).parents[2].joinpath("docs", "s3.md").read_text()
    [undo] = [line for line in document.splitlines() if line.startswith("UPDATE calls")]
    postgres.execute(undo)
    assert postgres.rows() == set(rows(page))
