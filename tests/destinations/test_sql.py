from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_voiso.destinations.columns import COLUMNS, rows
from airflow_provider_voiso.destinations.sql import duckdb as duckdb_dialect
from airflow_provider_voiso.destinations.sql.databases import dialect_of
from airflow_provider_voiso.destinations.sql.table_name import TableName
from airflow_provider_voiso.exceptions import VoisoConfigurationError, VoisoDestinationError
from tests.destinations.conftest import BridgeHook, by_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_voiso.destinations.columns import Page
    from tests.destinations.conftest import Destination, MakeRecord

NOT_EXACT = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)


@pytest.mark.parametrize(
    ("text", "schema", "name"),
    [
        ("calls", None, "calls"),
        ("voiso.calls_2", "voiso", "calls_2"),
        ("_A", None, "_A"),
        ("a" * 63, None, "a" * 63),
    ],
)
def test_a_table_name_is_read(text: str, schema: str | None, name: str) -> None:
    table = TableName.parse(text)
    assert (table.schema, table.name) == (schema, name)
    assert str(table) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a.",
        ".a",
        "a.b.c",
        "1a",
        "a-b",
        "a b",
        'a"b',
        "a;b",
        "a\n",
        "é",
        "a" * 64,
        "calls; DROP TABLE calls",
    ],
)
def test_wrong_table_name_tells_the_rule(text: str) -> None:
    with pytest.raises(ValueError, match=r"Give `name` or `schema\.name`"):
        TableName.parse(text)


def test_every_value_is_loaded(client: Destination, record: MakeRecord) -> None:
    sla = {
        "time_to_first_response": "00:00:01",
        "time_to_resolution": "48:16:27",
        "time_to_reply": "00:00:03",
    }
    page = [
        record("1", cpc=12345678.9012, agent_id=2**63 - 1, num_segments=-(2**63), text="", sla=sla),
        record(
            "2",
            text="tab\t newline\r\n backslash \\. \\N 'quote' \"double\" %s ? {} \u2028 😀\n\\.\n",
            sid="0049",
        ),
        record(
            "3", "2026-11-21T23:00:00.123456-01:00", agent="a\0b", queue="\ud800", agent_id="abc"
        ),
    ]
    assert client.load([page[:2], page[2:]]) == 3
    assert stored(client) == {row[0]: row for row in rows(page)}


def stored(destination: Destination) -> dict[str, tuple[Any, ...]]:
    """Return the table's rows by uuid, as the typed values that went in."""
    found = {}
    for row in destination.rows():
        values = dict(zip((column.name for column in COLUMNS), row, strict=True))
        if destination.kind == "sqlite":
            values["ended_at"] = values["ended_at"] and datetime.fromisoformat(values["ended_at"])
            values["cpc"] = None if values["cpc"] is None else Decimal(repr(values["cpc"]))
        if destination.family == "mysql":
            values["ended_at"] = values["ended_at"] and values["ended_at"].replace(
                tzinfo=timezone.utc
            )
        found[values["uuid"]] = tuple(values.values())
    return found


VALUES = st.fixed_dictionaries(
    {},
    optional={
        "agent": st.text(),
        "text": st.text() | st.integers(),
        "agent_id": st.integers(),
        "cpc": st.decimals(-(10**8), 10**8, places=4).map(float)
        | st.floats(allow_nan=False, allow_infinity=False),
        "duration": st.integers(0, 10**9).map(lambda hours: f"{hours:02}:00:59"),
        "timestamp": st.datetimes(timezones=st.just(timezone.utc)).map(datetime.isoformat),
        "new": st.lists(
            st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.none()
        ),
    },
)


@NOT_EXACT
@given(fields=st.lists(VALUES, max_size=4))
def test_whatever_is_loaded_comes_back(client: Destination, fields: list[dict[str, Any]]) -> None:
    client.take_records_without_end()
    page = [
        json.dumps({**record, "uuid": str(number)}).encode() for number, record in enumerate(fields)
    ]
    client.load(
        [[json.dumps({"uuid": str(number)}).encode() for number in range(4)]], mode="upsert"
    )
    assert client.load([page], mode="upsert") == len(page)
    expected = {row[0]: row for row in rows(page)}
    assert {uuid: row for uuid, row in stored(client).items() if uuid in expected} == expected


def test_charset_does_not_matter(
    request: pytest.FixtureRequest, record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    mysql = by_name(request, "mysql mysqlclient files")
    latin = {**mysql.connection, "extra": {**mysql.connection["extra"], "charset": "latin1"}}
    monkeypatch.setenv("AIRFLOW_CONN_CALLS_LATIN", json.dumps(latin))
    for files in (True, False):
        other = replace(mysql, hook=type(mysql.hook)("calls_latin", local_infile=files))
        other.load([[record(f"ž{files}", agent="Łukasz 😀")]], mode="upsert")
    assert mysql.column("agent") == {"žTrue": "Łukasz 😀", "žFalse": "Łukasz 😀"}


def test_instants_sort_as_text_in_sqlite(sqlite: Destination, record: MakeRecord) -> None:
    sqlite.load(
        [[record("1", "2026-11-22T01:00:00+01:00"), record("2", "2026-11-22T23:59:59.9-00:00")]]
    )
    assert sqlite.column("ended_at") == {
        "1": "2026-11-22T00:00:00.000000+00:00",
        "2": "2026-11-22T23:59:59.900000+00:00",
    }


def test_replacing_removes_the_window_alone(destination: Destination, record: MakeRecord) -> None:
    destination.take_records_without_end()
    destination.load(
        [
            [
                record("before", "2026-11-21T23:59:59.999999Z"),
                record("first instant", "2026-11-22T00:00:00Z"),
                record("last instant", "2026-11-23T01:59:59.999999+02:00"),
                record("after", "2026-11-23T00:00:00Z"),
                record("never ended", timestamp="unknown"),
            ]
        ],
        mode="upsert",
    )
    assert destination.load([[record("new")], [record("newer")]]) == 2
    assert destination.uuids() == {"before", "after", "never ended", "new", "newer"}


def test_an_empty_window_is_emptied(destination: Destination, record: MakeRecord) -> None:
    destination.load([[record("1")]])
    assert destination.load([]) == 0
    assert destination.uuids() == set()


def test_replacing_moves_a_record(destination: Destination, record: MakeRecord) -> None:
    destination.load(
        [[record("1", "2026-11-20T12:00:00Z", agent="old"), record("2")]], mode="upsert"
    )
    destination.load([[record("1", agent="new"), record("2")]])
    assert destination.column("agent") == {"1": "new", "2": None}


def test_records_outside_are_loaded(destination: Destination, record: MakeRecord) -> None:
    destination.take_records_without_end()
    page = [
        record("in"),
        record("out", "2026-11-25T00:00:00Z"),
        record("nowhere", timestamp="unknown"),
    ]
    assert destination.load([page]) == 3
    assert destination.load([page]) == 3
    assert destination.uuids() == {"in", "out", "nowhere"}


@pytest.mark.parametrize("mode", ["replace_window", "upsert"])
def test_loading_twice_is_loading_once(
    destination: Destination, record: MakeRecord, mode: str
) -> None:
    pages = [[record("1", agent="A"), record("2")], [record("3", new=[1])]]
    destination.load(pages, mode=mode)
    once = destination.rows()
    assert destination.load(pages, mode=mode) == 3
    assert destination.rows() == once


def test_an_upsert_updates_adds_and_keeps(destination: Destination, record: MakeRecord) -> None:
    destination.load([[record("1", agent="old", wrapup_code="01"), record("2", agent="kept")]])
    destination.execute('ALTER TABLE calls ADD COLUMN "note" TEXT')
    destination.execute("UPDATE calls SET note = 'by hand'")
    assert destination.load([[record("1", agent="new"), record("3")]], mode="upsert") == 2
    assert destination.column("agent") == {"1": "new", "2": "kept", "3": None}
    assert destination.column("wrapup_code") == {"1": None, "2": None, "3": None}
    assert destination.column("note") == {"1": "by hand", "2": "by hand", "3": None}


def test_created_table_has_its_keys(destination: Destination, record: MakeRecord) -> None:
    if destination.family == "duckdb":
        pytest.skip("the table that a load creates in DuckDB has neither")
    table = TableName(None, "c" * 63)
    destination.load([[record("1")]], table=table)
    catalog = {
        "sqlite": "SELECT lower(coalesce(sql, name)) FROM sqlite_master WHERE type = 'index'",
        "postgres": "SELECT lower(indexdef) FROM pg_indexes WHERE schemaname = 'public'",
        "mysql": "SELECT CONCAT(index_name, '(', "
        "GROUP_CONCAT(column_name ORDER BY seq_in_index), ')') "
        "FROM information_schema.statistics WHERE table_schema = DATABASE() GROUP BY index_name",
    }[destination.family]
    indexes = {text for (text,) in destination.execute(catalog)}
    assert len(indexes) == 2
    assert len([text for text in indexes if text.endswith(("(ended_at)", "(ended_at,uuid)"))]) == 1
    assert destination.load([[record("1")]], table=table, mode="upsert") == 1


def test_mysql_keeps_rows_by_time(mysql: Destination, record: MakeRecord) -> None:
    mysql.load([[record("1", "2026-11-22T02:00:00Z"), record("2", "2026-11-22T01:00:00Z")]])
    by_key = mysql.execute(
        "SELECT uuid FROM calls FORCE INDEX (PRIMARY) WHERE ended_at > '2000-01-01'"
    )
    assert by_key == [("2",), ("1",)]
    with pytest.raises(VoisoDestinationError, match=r"IntegrityError \(.*1048\)"):
        mysql.load([[record("3", timestamp="unknown")]])
    assert mysql.uuids() == {"1", "2"}


def test_schema_holds_its_own_table(postgres: Destination, record: MakeRecord) -> None:
    postgres.execute("CREATE SCHEMA voiso")
    postgres.load([[record("public")]])
    assert postgres.load([[record("1")]], table=TableName("voiso", "calls")) == 1
    assert postgres.load([[record("2")]], table=TableName("voiso", "calls"), mode="upsert") == 1
    assert {uuid for (uuid,) in postgres.execute("SELECT uuid FROM voiso.calls")} == {"1", "2"}
    assert postgres.uuids() == {"public"}


def test_sqlite_has_no_schemas(sqlite: Destination, record: MakeRecord) -> None:
    assert sqlite.load([[record("1")]], table=TableName("main", "calls")) == 1
    with pytest.raises(VoisoConfigurationError, match="no schemas"):
        sqlite.load([[record("1")]], table=TableName("temp", "calls"))


@pytest.mark.parametrize("name", ["select", "Calls", "_calls"])
def test_any_plain_identifier_is_a_table(
    destination: Destination, record: MakeRecord, name: str
) -> None:
    destination.load([[record("1")]], table=TableName(None, name))
    assert destination.load([[record("2")]], table=TableName(None, name), mode="upsert") == 1
    assert {uuid for (uuid,) in destination.execute(f'SELECT uuid FROM "{name}"')} == {"1", "2"}


@pytest.mark.parametrize("cursor", ["dictcursor", "namedtuplecursor"])
def test_cursor_class_does_not_matter(
    postgres: Destination, record: MakeRecord, monkeypatch: pytest.MonkeyPatch, cursor: str
) -> None:
    extra = {"cursor": cursor}
    monkeypatch.setenv(
        "AIRFLOW_CONN_CALLS_POSTGRES", json.dumps({**postgres.connection, "extra": extra})
    )
    assert type(postgres.hook)("calls_postgres").connection.extra_dejson == extra
    postgres.hook = type(postgres.hook)("calls_postgres")
    assert postgres.load([[record("1")]], mode="upsert") == 1
    assert postgres.load([[record("1")]]) == 1


def test_duckdb_keeps_blocks_in_place(duckdb: Destination, record: MakeRecord) -> None:
    page = [
        record(str(number), agent_id=number, cpc=number / 8, text=f"\\ \"{number}'")
        for number in range(4321)
    ]
    assert duckdb.load([page[:4000], [], page[4000:]]) == len(page)
    assert stored(duckdb) == {row[0]: row for row in rows(page)}


def test_duckdb_holds_no_index_in_memory(duckdb: Destination, record: MakeRecord) -> None:
    duckdb.load([[record("1")]])
    indexes = (
        "SELECT index_name FROM duckdb_indexes() UNION ALL "
        "SELECT constraint_type FROM duckdb_constraints()"
    )
    assert duckdb.execute(indexes) == []


@pytest.mark.parametrize("at_once", [1 << 17, 7])
def test_duckdb_needs_no_key(
    duckdb: Destination, record: MakeRecord, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(duckdb_dialect, "_UUIDS_AT_ONCE", at_once)
    before = [record(str(number), "2026-11-20T12:00:00Z", agent="old") for number in range(50)]
    duckdb.load([before], mode="upsert")
    duckdb.load([[b'{"uuid":"40","agent":"at no time"}', b'{"uuid":"60"}']], mode="upsert")
    assert duckdb.load([[record(str(number), agent="new") for number in range(25, 50)]]) == 25
    agents = {
        **{str(number): "old" for number in range(25)},
        **{str(number): "new" for number in range(25, 50)},
    }
    assert duckdb.column("agent") == {**agents, "60": None}
    assert duckdb.execute("SELECT count(*) FROM calls") == [(51,)]


def test_duckdb_prints_no_progress(duckdb: Destination) -> None:
    with dialect_of(duckdb.hook).connect(duckdb.hook) as connection:
        assert connection.execute("SELECT current_setting('enable_progress_bar')").fetchone() == (
            False,
        )


@pytest.mark.parametrize("key", ["", "CREATE UNIQUE INDEX calls_uuid ON calls (uuid)"])
def test_duckdb_limits_memory_while_loading(
    duckdb: Destination, record: MakeRecord, key: str
) -> None:
    def limit() -> str:
        return str(duckdb.execute("SELECT current_setting('memory_limit')")[0][0])

    class Pages(list["Page"]):
        def __iter__(self) -> Iterator[Page]:
            limits.append(limit())
            return super().__iter__()

    duckdb.load([[record("1")]])
    if key:
        duckdb.execute(key)
    limits: list[str] = []
    assert duckdb.load(Pages([[record("1")]])) == 1
    assert limits[-1].endswith("GiB" if key else "MiB")  # an index could not be held in less


def test_duckdb_removes_files_of_killed_loads(duckdb: Destination, record: MakeRecord) -> None:
    file = Path(duckdb.connection["host"])
    beside = file.with_name(f"{file.name}.tmp")
    beside.mkdir()
    (beside / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"rows")
    (beside / "another's").write_bytes(b"")
    duckdb.load([[record("1")]])
    assert [path.name for path in beside.iterdir()] == ["another's"]


def test_duckdb_takes_more_memory_if_needed(
    duckdb: Destination, record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_dialect, "_MEMORY", 2_000_000)
    page = [record(str(number), text=f"{number:05}" * 4000) for number in range(500)]
    duckdb.load([[record("before")]])
    assert duckdb.load([page]) == 500
    assert duckdb.column("text") == {str(number): f"{number:05}" * 4000 for number in range(500)}


def test_the_dialect_follows_the_hook(sqlite: Destination, postgres: Destination) -> None:
    assert dialect_of(sqlite.hook).placeholder == "?"
    assert "staged" in dialect_of(postgres.hook).strategies
    assert dialect_of(BridgeHook("calls_postgres")).strategies == ("row by row",)


def test_unknown_database_gets_standard_sql(portable: Destination, record: MakeRecord) -> None:
    page = [
        record("1", agent="old"),
        record("moved", "2026-11-20T12:00:00Z"),
        record("other", "2026-11-25T00:00:00Z"),
    ]
    assert portable.load([page], mode="upsert") == 3
    assert (
        portable.load(
            [[record("1", agent="new")], [record("moved"), record("nowhere", timestamp="?")]]
        )
        == 3
    )
    assert portable.column("agent") == {"1": "new", "moved": None, "other": None, "nowhere": None}
    assert portable.load([]) == 0
    assert portable.uuids() == {"other", "nowhere"}


def test_unknown_database_survives_failed_loads(portable: Destination, record: MakeRecord) -> None:
    portable.load([[record("old")]])
    portable.execute(
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
    )
    portable.execute(
        "CREATE TRIGGER dropping BEFORE INSERT ON calls FOR EACH ROW EXECUTE FUNCTION nothing()"
    )
    with pytest.raises(VoisoDestinationError, match="rows missing"):
        portable.load([[record("new")]])
    portable.execute("ALTER TABLE calls DROP COLUMN ended_at")
    with pytest.raises(VoisoConfigurationError, match="lacks ended_at"):
        portable.load([[record("new")]])
    assert portable.uuids() == {"old"}


def test_an_unknown_mode_touches_nothing(destination: Destination, record: MakeRecord) -> None:
    destination.load([[record("1")]])
    with pytest.raises(VoisoConfigurationError, match="replace_window, upsert"):
        destination.load([[record("2")]], mode="append")
    assert destination.uuids() == {"1"}
