"""Whatever a record holds, it arrives as one record in every destination, from an HTTP answer
on."""

from __future__ import annotations

import csv
import io
import json
import re
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from airflow_provider_voiso.destinations.columns import COLUMNS, rows
from airflow_provider_voiso.destinations.extra import original_extra
from airflow_provider_voiso.destinations.files.csv_format import original
from airflow_provider_voiso.exceptions import VoisoError
from airflow_provider_voiso.hooks.voiso import VoisoHook
from airflow_provider_voiso.operators.cdr_to_s3 import VoisoCdrToS3Operator
from airflow_provider_voiso.operators.cdr_to_sql import VoisoCdrToSqlOperator
from tests.destinations.conftest import WINDOW
from tests.servers.s3 import SeaweedS3

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.destinations.conftest import Destination

CONTEXT = {"data_interval_start": WINDOW.start, "data_interval_end": WINDOW.end}
NAMES = [column.name for column in COLUMNS]
TEXTS = {
    "type",
    "agent",
    "queue",
    "disposition",
    "wrapup_code",
    "sid",
    "text",
    "template",
    "destination_name",
}
RENAMED = {"from": "from_party", "to": "to_party"}
NO_TEXTS = {"timestamp", "duration", "agent_id", "cpc", "num_segments", "sla"}
csv.field_size_limit(1 << 24)


@dataclass
class Account:
    """Records, each with its timestamp, and what stands around the tokens of the answers."""

    records: list[tuple[str, bytes]] = field(default_factory=list)
    blank: bytes = b""
    before: bytes = b""


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """Return what a Voiso serves that is the connection ``voiso_default``."""
    served = Account()

    class Voiso(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            params = dict(parse_qsl(urlsplit(self.path).query))
            start, end = params["start_datetime"], params["end_datetime"]
            found = [raw for timestamp, raw in served.records if start <= timestamp[:19] <= end]
            parts = [
                b'{"records":[',
                (b"," + served.blank).join(found),
                b"]",
                b',"search_token":null}',
            ]
            body = served.before + served.blank.join(parts) + served.blank
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Voiso) as server,
        pytest.MonkeyPatch.context() as monkeypatch,
    ):
        threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        connection = {
            "conn_type": "voiso",
            "host": f"http://127.0.0.1:{server.server_port}",
            "password": "some-key",
            "extra": {"max_retries": 0},
        }
        monkeypatch.setenv("AIRFLOW_CONN_VOISO_DEFAULT", json.dumps(connection))
        yield served
        server.shutdown()


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedS3]:
    with (
        SeaweedS3(tmp_path_factory.mktemp("s3") / "data") as server,
        pytest.MonkeyPatch.context() as monkeypatch,
    ):
        monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", server.connection())
        yield server


def exported(s3: SeaweedS3, file_format: Any, compression: Any = None) -> bytes:
    operator = VoisoCdrToS3Operator(
        task_id="export",
        s3_bucket=s3.bucket,
        s3_key="hostile",
        file_format=file_format,
        compression=compression,
    )
    operator.execute(CONTEXT)
    return s3.client().get_object(Bucket=s3.bucket, Key="hostile")["Body"].read()  # type: ignore[no-any-return]


def load(destination: Destination) -> set[tuple[Any, ...]]:
    connection = f"calls_{destination.family}"
    VoisoCdrToSqlOperator(task_id="export", sql_conn_id=connection, table="calls").execute(CONTEXT)
    return destination.rows()


def as_stored(row: tuple[Any, ...], database: str) -> tuple[Any, ...]:
    named = dict(zip(NAMES, row, strict=True))
    if database == "mysql":
        named["ended_at"] = named["ended_at"].replace(tzinfo=None)
    if database == "sqlite":
        named["ended_at"] = named["ended_at"].isoformat(timespec="microseconds")
        named["cpc"] = None if named["cpc"] is None else float(named["cpc"])
    return tuple(named.values())


def exact(raw: bytes) -> Any:
    """Return a record by a reader that is not the package's, every number as it was written."""
    return json.loads(raw.decode(), parse_int=str, parse_float=str)


def assert_nothing_is_lost(row: tuple[Any, ...], raw: bytes) -> None:
    named = dict(zip(NAMES, row, strict=True))
    extra = exact(original_extra(named["extra"]).encode()) if named["extra"] else {}
    for name, value in exact(raw).items():
        column = RENAMED.get(name, name)
        if column in {*TEXTS, "uuid", "from_party", "to_party"}:
            assert (named[column] if named[column] is not None else extra.get(name)) == value
        elif name not in NO_TEXTS and name != "related_call":
            assert extra[name] == value


def written(text: str, spellings: list[int]) -> str:
    """Write a JSON text, each of its characters in one of the ways in which it can be written."""
    escapes = {
        '"': '\\"',
        "\\": "\\\\",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "/": "\\/",
    }
    parts = []
    for number, character in enumerate(text):
        spelling = spellings[number % len(spellings)] if spellings else 0
        unit = character.encode("utf-16-be", "surrogatepass").hex()
        escaped = "".join(f"\\u{unit[place : place + 4]}" for place in range(0, len(unit), 4))
        if character in '"\\' or character < " " or "\ud800" <= character <= "\udfff":
            parts.append(escapes.get(character, escaped) if spelling else escaped)
        else:
            parts.append(
                [
                    character,
                    escaped,
                    escaped.upper().replace("U", "u"),
                    escapes.get(character, character),
                ][spelling]
            )
    return '"' + "".join(parts) + '"'


texts = st.builds(
    written,
    st.one_of(
        st.text(max_size=20),
        st.lists(
            st.sampled_from(
                [
                    *"\0\t\n\r\v\f\x1c\x85\u2028\u2029\ufeff\ud800\udfff\u202e,;\"'\\/%{}|=+@",
                    "\\N",
                    "\\.",
                    "\r\n",
                    "😀",
                ]
            ),
            max_size=8,
        ).map("".join),
    ),
    st.lists(st.integers(0, 3), max_size=4),
)
numbers = st.sampled_from(
    [
        "0",
        "-0",
        "1",
        "1" + "0" * 400,
        "1" + "0" * 5000,
        "-1e999",
        "1E+2",
        "0.30",
        "1e-400",
        "9223372036854775808",
        "-0.0",
    ]
)
json_texts = st.recursive(
    texts | numbers | st.sampled_from(["null", "true", "false"]),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ",".join(items) + "]")
        | st.lists(st.tuples(texts, inner), max_size=3).map(
            lambda fields: "{" + ",".join(f"{name}:{value}" for name, value in fields) + "}"
        )
    ),
    max_leaves=6,
)
names = st.builds(
    written,
    st.sampled_from(
        [*sorted(TEXTS), *RENAMED, *sorted(NO_TEXTS - {"timestamp"}), "", "new", "n\0", "\ud800"]
    ),
    st.lists(st.integers(0, 2), max_size=4),
)
fields = st.lists(st.tuples(names, json_texts), max_size=6)


def records_of(many: list[list[tuple[str, str]]], blank: str = "") -> list[tuple[str, bytes]]:
    """Return records with a uuid and a timestamp, of which ``uuid`` is spelled now so, now so."""
    found = []
    for number, each in enumerate(many):
        timestamp = (WINDOW.start + timedelta(minutes=1 + number)).strftime(
            "%Y-%m-%dT%H:%M:%S.000Z"
        )
        own = [('"uuid"', '"a"') for _ in range(number % 2)] + [
            (['"uuid"', '"u\\u0075id"'][number % 3 % 2], f'"{number}"')
        ]
        own = [(name.replace("u\\u0075id", "\\u0075uid"), value) for name, value in own]
        pairs = [*own, ('"timestamp"', f'"{timestamp}"'), *each]
        raw = "{" + f",{blank}".join(f"{name}{blank}:{blank}{value}" for name, value in pairs) + "}"
        found.append((timestamp, raw.encode()))
    return found


AWKWARD = [
    [('"text"', '"' + "x" * 1_000_000 + '"'), ('"n"', '"' + "\\u2028" * 100_000 + '"')],
    [('"n"', "[" * 200 + "]" * 200)],
    [('"text"', '"1"'), ('"te\\u0078t"', '"2"'), ('"n"', "1"), ('"n"', "2")],
    [
        ('""', '""'),
        ('"text"', '""'),
        ('"agent"', '"\\\\."'),
        ('"queue"', '"\\\\N"'),
        ('"sid"', '"\ufeff"'),
    ],
    [
        ('"cpc"', "1e999"),
        ('"agent_id"', "1" + "0" * 400),
        ('"num_segments"', "1e3"),
        ('"duration"', '"48:16:27"'),
    ],
    [('"text"', '"\\ud800\\udc00\\ud800"'), ('"\\udfff"', "null")],
]


@settings(max_examples=8)
@example(AWKWARD, "\r\n\t ")
@given(st.lists(fields, min_size=1, max_size=5), st.sampled_from(["", " ", "\n", "\r\n\t "]))
def test_files_hold_every_record(
    account: Account, s3: SeaweedS3, many: list[list[tuple[str, str]]], blank: str
) -> None:
    account.records, account.blank = records_of(many, blank), blank.encode()
    expected = [re.sub(rb"[\r\n]", b" ", raw) for _, raw in account.records]
    lines = exported(s3, "ndjson").split(b"\n")
    assert lines.pop() == b""
    assert lines == expected

    typed = rows(expected)
    for row, raw in zip(typed, expected, strict=True):
        assert_nothing_is_lost(row, raw)
    header, *cells = csv.reader(io.StringIO(exported(s3, "csv").decode(), newline=""), strict=True)
    assert header == NAMES
    as_text = [
        [
            ""
            if value is None
            else str(value).replace(" ", "T", 1)
            if name == "ended_at"
            else str(value)
            for name, value in zip(NAMES, row, strict=True)
        ]
        for row in typed
    ]
    assert [
        [
            cell.replace(".000000+", "+") if name == "ended_at" else original(cell)
            for name, cell in zip(NAMES, line, strict=True)
        ]
        for line in cells
    ] == as_text
    table = pq.read_table(pa.BufferReader(exported(s3, "parquet", "zstd")))
    assert [tuple(row.values()) for row in table.to_pylist()] == typed
    [found] = [list(VoisoHook().iter_cdrs(WINDOW.start, WINDOW.end))]
    assert [set(record) for record in found] == [set(exact(raw)) for raw in expected]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(AWKWARD, "\r\n\t ")
@given(st.lists(fields, min_size=1, max_size=5), st.sampled_from(["", "\n"]))
def test_tables_hold_every_record(
    account: Account, databases: list[Destination], many: list[list[tuple[str, str]]], blank: str
) -> None:
    account.records, account.blank = records_of(many, blank), blank.encode()
    typed = rows([raw for _, raw in account.records])
    for destination in databases:
        assert load(destination) == {as_stored(row, destination.family) for row in typed}


@pytest.fixture
def databases(
    sqlite: Destination, postgres: Destination, mysql: Destination, duckdb: Destination
) -> list[Destination]:
    return [sqlite, postgres, mysql, duckdb]


UNREADABLE = [
    "[" * 1_000 + "]" * 1_000,
    '{"a":' * 1_000 + "1" + "}" * 1_000,
    "[" * 1_000_000 + "]" * 1_000_000,
    '"\\x"',
    '"\x00"',
    '"two\nlines"',
    "NaN",
    "1,}",
    '"',
]


def test_records_never_kept_in_part(
    account: Account, s3: SeaweedS3, databases: list[Destination]
) -> None:
    account.records, account.blank = records_of([[('"new"', '"kept"')]]), b""
    exported(s3, "ndjson")
    before = [load(destination) for destination in databases]
    for value in UNREADABLE:
        account.records = records_of([[], [('"new"', value)], []])
        with pytest.raises(VoisoError):
            exported(s3, "ndjson")
        for destination in databases:
            with pytest.raises(VoisoError):
                load(destination)
        with pytest.raises(VoisoError):
            list(VoisoHook().iter_cdrs(WINDOW.start, WINDOW.end))
    assert b'"kept"' in s3.client().get_object(Bucket=s3.bucket, Key="hostile")["Body"].read()
    assert [destination.rows() for destination in databases] == before


def test_invalid_utf8_is_an_error(
    account: Account, s3: SeaweedS3, databases: list[Destination]
) -> None:
    [(timestamp, raw)] = records_of([[('"text"', '"?"')]])
    account.records, account.blank = [(timestamp, raw.replace(b"?", b"\xff"))], b""
    assert exported(s3, "ndjson") == account.records[0][1] + b"\n"
    with pytest.raises(VoisoError):
        exported(s3, "csv")
    for destination in databases:
        with pytest.raises(VoisoError):
            load(destination)


def test_byte_order_mark_is_refused(account: Account, s3: SeaweedS3) -> None:
    account.records, account.blank, account.before = records_of([[]]), b"", b"\xef\xbb\xbf"
    try:
        with pytest.raises(VoisoError):
            exported(s3, "ndjson")
    finally:
        account.before = b""
