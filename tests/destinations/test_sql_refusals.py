from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_voiso.destinations.columns import COLUMNS
from airflow_provider_voiso.destinations.sql.databases import dialect_of
from airflow_provider_voiso.destinations.sql.table_name import TableName
from airflow_provider_voiso.exceptions import (
    VoisoConfigurationError,
    VoisoDestinationError,
    VoisoReconciliationError,
    VoisoResponseError,
)
from tests.destinations.conftest import by_name
from tests.secret_search import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_voiso.destinations.columns import Column
    from tests.destinations.conftest import Destination, MakeRecord

PHONE = "15557571011"
WINDOW = "[2026-11-22T00:00:00+00:00, 2026-11-23T00:00:00+00:00)"


def test_missing_table_stays_missing_unasked(destination: Destination, record: MakeRecord) -> None:
    with pytest.raises(
        VoisoConfigurationError, match=r"calls does not exist.*create_table=True"
    ) as raised:
        destination.load([[record("1")]], create_table=False)
    assert WINDOW in str(raised.value)
    assert destination.load([[record("1")]]) == 1


def test_missing_columns_are_added_when_asked(destination: Destination, record: MakeRecord) -> None:
    destination.create(sid=None, extra=None)
    assert destination.load([[record("1", sid="S", new=1)]], add_columns=True) == 1
    assert destination.column("sid") == {"1": "S"}
    assert {"sid", "extra"} <= destination.columns()


def test_failed_load_adds_no_columns(destination: Destination, record: MakeRecord) -> None:
    destination.create(sid=None, agent=f"{destination.long_text} CHECK (agent <> 'bad')")
    with pytest.raises(VoisoDestinationError):
        destination.load([[record("1", agent="bad")]], add_columns=True)
    # MySQL commits a change of a table by itself, before any row is touched.
    assert ("sid" in destination.columns()) == (destination.family == "mysql")
    assert destination.uuids() == set()


@pytest.mark.parametrize("column", ["uuid", "ended_at"])
def test_table_without_keys_is_refused(
    destination: Destination, record: MakeRecord, column: str
) -> None:
    destination.create(key="", **{column: None})
    with pytest.raises(VoisoConfigurationError, match=f"lacks {column}"):
        destination.load([[record("1")]], add_columns=True)


@pytest.mark.parametrize(
    ("kind", "column", "declared"),
    [
        ("sqlite", "ended_at", "INTEGER"),
        ("sqlite", "from_party", "INTEGER"),
        ("sqlite", "wrapup_code", "NUMERIC"),
        ("sqlite", "agent_id", "TEXT"),
        ("sqlite", "cpc", "TEXT"),
        ("postgres", "uuid", "character varying(35)"),
        ("postgres", "uuid", "uuid"),
        ("postgres", "ended_at", "bigint"),
        ("postgres", "ended_at", "timestamp without time zone"),
        ("postgres", "ended_at", "timestamp(0) with time zone"),
        ("postgres", "from_party", "bigint"),
        ("postgres", "from_party", "character(20)"),
        ("postgres", "agent", "character varying(3)"),
        ("postgres", "text", "character varying(4000)"),
        ("postgres", "agent_id", "integer"),
        ("postgres", "agent_id", "numeric(18,0)"),
        ("postgres", "num_segments", "smallint"),
        ("postgres", "cpc", "numeric(12,2)"),
        ("postgres", "cpc", "numeric(10,4)"),
        ("postgres", "cpc", "real"),
        ("postgres", "extra", "bytea"),
        ("postgres", "extra", "jsonb"),
        ("postgres", "extra", "character varying(4000)"),
        ("duckdb", "ended_at", "TIMESTAMP"),
        ("duckdb", "agent_id", "INTEGER"),
        ("duckdb", "cpc", "DECIMAL(12,2)"),
        ("duckdb", "cpc", "DOUBLE"),
        ("mysql mysql-connector-python", "ended_at", "timestamp(6)"),
        ("mysql mysql-connector-python", "ended_at", "datetime(3)"),
        ("mysql mysql-connector-python", "ended_at", "datetime"),
        ("mysql mysql-connector-python", "uuid", "varchar(35)"),
        ("mysql mysql-connector-python", "from_party", "char(20)"),
        ("mysql mysql-connector-python", "agent", "varchar(255)"),
        ("mysql mysql-connector-python", "sid", "tinytext"),
        ("mysql mysql-connector-python", "text", "text"),
        ("mysql mysql-connector-python", "from_party", "varchar(20) character set latin1"),
        ("mysql mysql-connector-python", "from_party", "varbinary(20)"),
        ("mysql mysql-connector-python", "agent_id", "int(11)"),
        ("mysql mysql-connector-python", "agent_id", "bigint(20) unsigned"),
        ("mysql mysql-connector-python", "cpc", "decimal(12,2)"),
        ("mysql mysql-connector-python", "cpc", "double"),
        ("mysql mysql-connector-python", "extra", "blob"),
        ("mysql mysql-connector-python", "extra", "text"),
    ],
)
def test_columns_of_unusable_types_are_named(
    request: pytest.FixtureRequest, record: MakeRecord, kind: str, column: str, declared: str
) -> None:
    destination = by_name(request, kind)
    destination.create(**{column: declared})
    with pytest.raises(VoisoConfigurationError, match="cannot hold every value") as raised:
        destination.load([[record("1")]])
    assert f"{column} is {declared} and must be " in str(raised.value)
    assert "; " not in str(raised.value)
    assert destination.uuids() == set()


@pytest.mark.parametrize(
    ("kind", "types"),
    [
        (
            "sqlite",
            {
                "ended_at": "TIMESTAMP",
                "agent": "VARCHAR(200)",
                "agent_id": "BIGINT",
                "extra": "JSON",
            },
        ),
        ("sqlite", {"cpc": "DECIMAL(20, 6)", "sid": ""}),
        ("sqlite", {"uuid": "TEXT NOT NULL", "ended_at": "TEXT NOT NULL"}),
        ("postgres", {"agent": "character varying", "agent_id": "numeric(19,0)", "cpc": "numeric"}),
        (
            "postgres",
            {
                "extra": "text",
                "ended_at": "timestamp(6) with time zone NOT NULL",
                "cpc": "numeric(20,6)",
            },
        ),
        (
            "postgres",
            {"uuid": "character varying(36)", "agent_id": "numeric", "extra": "character varying"},
        ),
        (
            "duckdb",
            {"extra": "JSON", "agent": "VARCHAR(3)", "agent_id": "HUGEINT", "cpc": "DECIMAL(18,6)"},
        ),
        (
            "mysql mysqlclient files",
            {"agent": "mediumtext", "extra": "mediumtext", "cpc": "decimal(20,6)"},
        ),
        ("mysql mysql-connector-python", {"uuid": "varchar(36) collate utf8mb4_general_ci"}),
    ],
)
@pytest.mark.parametrize("mode", ["replace_window", "upsert"])
def test_wide_enough_types_are_fine(
    request: pytest.FixtureRequest, record: MakeRecord, kind: str, types: dict[str, str], mode: str
) -> None:
    destination = by_name(request, kind)
    destination.create(**types)
    assert (
        destination.load(
            [[record("1", agent="A", agent_id=7, new=1, sid="00", cpc=0.5)]], mode=mode
        )
        == 1
    )
    assert destination.column("agent_id") == {"1": 7}
    assert destination.column("sid") == {"1": "00"}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"cpc": "{cpc} NOT NULL"}, "cpc is NOT NULL and must allow NULL"),
        ({"sid": "{sid} DEFAULT 'none' NOT NULL"}, "sid is NOT NULL and must allow NULL"),
        (
            {"key": ", note INTEGER NOT NULL, PRIMARY KEY (uuid)"},
            "requires a value in note.*default",
        ),
    ],
    ids=["not null", "default", "another's column"],
)
def test_required_columns_are_refused(
    destination: Destination, record: MakeRecord, changed: dict[str, str], says: str
) -> None:
    types = {
        column: dialect_of(destination.hook).declared(column_of(column))
        for column in ("cpc", "sid")
    }
    destination.create(**{name: text.format(**types) for name, text in changed.items()})

    with pytest.raises(VoisoConfigurationError, match=says):
        destination.load([[record("1", cpc=1, sid="S")]])

    assert destination.uuids() == set()


def test_generated_columns_are_refused(destination: Destination, record: MakeRecord) -> None:
    if destination.family == "duckdb" and not duckdb_tells_generated_columns(destination):
        pytest.skip("this DuckDB does not tell which columns it computes")
    how = " VIRTUAL" if destination.family == "duckdb" else " STORED"
    destination.create(queue=f"{destination.long_text} GENERATED ALWAYS AS (agent){how}")

    with pytest.raises(
        VoisoConfigurationError, match="queue is generated and must be an ordinary column"
    ):
        destination.load([[record("1", queue="Q")]])

    assert destination.uuids() == set()


def duckdb_tells_generated_columns(destination: Destination) -> bool:
    ((version,),) = destination.execute("SELECT version()")
    return int(version.removeprefix("v").split(".")[0]) >= 2


def column_of(name: str) -> Column:
    return next(column for column in COLUMNS if column.name == name)


@pytest.mark.parametrize(
    "note",
    ["INTEGER", "INTEGER DEFAULT 1 NOT NULL", "INTEGER GENERATED ALWAYS AS (duration_seconds + 1)"],
)
def test_others_columns_are_left_alone(
    destination: Destination, record: MakeRecord, note: str
) -> None:
    if destination.family == "postgres" and "ALWAYS" in note:
        note += " STORED"
    destination.create(key=f", note {note}, PRIMARY KEY (uuid)")

    assert destination.load([[record("1")]]) == 1
    assert destination.load([[record("1")]], mode="upsert") == 1


def test_json_of_mariadb_is_refused(mysql: Destination, record: MakeRecord) -> None:
    mysql.create(extra="JSON")

    with pytest.raises(
        VoisoConfigurationError,
        match=r"extra is longtext check \(json_valid\) and must be LONGTEXT",
    ):
        mysql.load([[record("1", new=[[[[1]]]])]])


@pytest.mark.skipif(
    sqlite3.sqlite_version_info < (3, 37), reason="this SQLite has no strict tables"
)
@pytest.mark.parametrize(
    ("sid", "says"), [("TEXT", ""), ("ANY", ""), ("BLOB", "sid is STRICT BLOB")]
)
def test_strict_tables_take_text(
    sqlite: Destination, record: MakeRecord, sid: str, says: str
) -> None:
    columns = {column.name: "TEXT" for column in COLUMNS if column.type != "integer"}
    columns.update({column.name: "INTEGER" for column in COLUMNS if column.type == "integer"})
    columns.update({"cpc": "REAL", "sid": sid})
    definitions = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
    sqlite.execute(f"CREATE TABLE calls ({definitions}, PRIMARY KEY (uuid)) STRICT")
    page = [record("1", sid="0049", agent_id=7, cpc=0.5, new=1)]

    if says:
        with pytest.raises(VoisoConfigurationError, match=says):
            sqlite.load([page])
    else:
        assert sqlite.load([page]) == 1
        assert sqlite.column("sid") == {"1": "0049"}
        assert sqlite.column("cpc") == {"1": 0.5}


def test_an_engine_without_transactions_is_refused(mysql: Destination, record: MakeRecord) -> None:
    mysql.load([[record("old")]])
    mysql.execute("ALTER TABLE calls ENGINE = Aria")
    with pytest.raises(
        VoisoConfigurationError, match=r"kept by Aria, which has no transactions.*InnoDB"
    ):
        mysql.load([[record("new")]])
    assert mysql.uuids() == {"old"}


@pytest.mark.parametrize("kind", ["mysql mysql-connector-python", "mysql mysqlclient files"])
@pytest.mark.parametrize("mode", ["replace_window", "upsert"])
def test_long_text_is_never_cut(
    request: pytest.FixtureRequest, record: MakeRecord, kind: str, mode: str
) -> None:
    destination = by_name(request, kind)
    uuid = "0123456789" * 4
    destination.create(uuid="varchar(36)")
    destination.load([[record(uuid[:36], agent="old")]])
    destination.execute("SET GLOBAL sql_mode = ''")
    with pytest.raises(VoisoDestinationError, match=r"\(.*\b(1406|1265)\)"):
        destination.load([[record(uuid)]], mode=mode)
    assert destination.column("agent") == {uuid[:36]: "old"}


NO_KEYS = ["", ", PRIMARY KEY (uuid, ended_at)", ", UNIQUE (sid)"]


@pytest.mark.parametrize("key", NO_KEYS)
def test_an_upsert_needs_a_unique_uuid(
    destination: Destination, record: MakeRecord, key: str
) -> None:
    if destination.family == "mysql":
        key = key.replace("sid", "sid(9)")  # it has no keys on unlimited text
    destination.create(key=key)
    page = [record("1", sid="a")]
    if destination.family == "duckdb":  # which needs none
        assert destination.load([page], mode="upsert") == 1
    else:
        part = "(uuid(9))" if destination.family == "mysql" else "(uuid) WHERE sid = 'a'"
        destination.execute(f"CREATE UNIQUE INDEX partly ON calls {part}")
        with pytest.raises(VoisoConfigurationError, match="no unique key on uuid"):
            destination.load([page], mode="upsert")
    assert destination.load([page]) == 1
    assert destination.load([page]) == 1
    assert destination.uuids() == {"1"}


def test_a_unique_index_is_a_key(destination: Destination, record: MakeRecord) -> None:
    destination.create(key="")
    destination.execute("CREATE UNIQUE INDEX calls_uuid ON calls (uuid)")
    destination.load([[record("1", agent="old")]], mode="upsert")
    assert destination.load([[record("1", agent="new")]], mode="upsert") == 1
    assert destination.column("agent") == {"1": "new"}


@pytest.mark.parametrize("mode", ["replace_window", "upsert"])
def test_doubled_uuid_fails_reconciliation(
    destination: Destination, record: MakeRecord, mode: str
) -> None:
    destination.load([[record("old")]])
    with pytest.raises(
        VoisoReconciliationError, match=r"3 records were read.*2 of these have a uuid"
    ):
        destination.load([[record("1"), record("2")], [record("1")]], mode=mode)
    assert destination.uuids() == {"old"}


def test_missing_uuid_fails_reconciliation(destination: Destination, record: MakeRecord) -> None:
    destination.load([[record("old")]])
    with pytest.raises(VoisoReconciliationError):
        destination.load([[record("1"), b'{"timestamp":"2026-11-22T12:00:00Z"}']])
    assert destination.uuids() == {"old"}


@pytest.mark.parametrize("mode", ["replace_window", "upsert"])
def test_dropped_row_fails_reconciliation(
    destination: Destination, record: MakeRecord, mode: str
) -> None:
    destination.load([[record("old")]])
    if destination.kind == "sqlite":
        destination.execute(
            "CREATE TRIGGER dropping BEFORE INSERT ON calls WHEN new.uuid = '2' BEGIN SELECT "
            "RAISE(IGNORE); END"
        )
    elif destination.family == "mysql":
        pytest.skip("a trigger of MySQL cannot drop a row")
    elif destination.family == "duckdb":
        pytest.skip("DuckDB has no triggers")
    else:
        destination.execute(
            "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
        )
        destination.execute(
            "CREATE TRIGGER dropping BEFORE INSERT ON calls FOR EACH ROW WHEN (new.uuid = '2') "
            "EXECUTE FUNCTION nothing()"
        )
    with pytest.raises(VoisoReconciliationError, match="2 of 3 records") as raised:
        destination.load([[record("1"), record("2"), record("3")]], mode=mode)
    assert WINDOW in str(raised.value)
    assert destination.uuids() == {"old"}


def test_row_moved_inside_fails_reconciliation(
    destination: Destination, record: MakeRecord
) -> None:
    if destination.family == "mysql":
        pytest.skip("a trigger of MySQL cannot change other rows of its table")
    if destination.family == "duckdb":
        pytest.skip("DuckDB has no triggers")
    destination.load([[record("old"), record("far", "2026-11-25T00:00:00Z")]])
    moved = "UPDATE calls SET ended_at = '2026-11-22T05:00:00.000000+00:00' WHERE uuid = 'far'"
    if destination.kind == "sqlite":
        destination.execute(f"CREATE TRIGGER moving AFTER INSERT ON calls BEGIN {moved}; END")
    else:
        destination.execute(
            f"CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {moved}; RETURN "
            "new; END$$"
        )
        destination.execute(
            "CREATE TRIGGER moving AFTER INSERT ON calls FOR EACH ROW EXECUTE FUNCTION move()"
        )
    with pytest.raises(VoisoReconciliationError, match="2 rows in the window in place of 1"):
        destination.load([[record("1")]])
    assert destination.uuids() == {"old", "far"}


@pytest.mark.parametrize("mode", ["replace_window", "upsert"])
@pytest.mark.parametrize(
    "error", [VoisoResponseError("no"), OSError("disk"), KeyboardInterrupt()], ids=repr
)
def test_failing_page_leaves_table_alone(
    destination: Destination, record: MakeRecord, mode: str, error: BaseException
) -> None:
    def pages() -> Iterator[list[bytes]]:
        yield [record("1")]
        raise error

    destination.load([[record("old")]])
    with pytest.raises(type(error)) as raised:
        destination.load(pages(), mode=mode)
    assert raised.value is error
    assert destination.uuids() == {"old"}


def test_database_words_are_never_repeated(destination: Destination, record: MakeRecord) -> None:
    destination.create(from_party=f"{destination.long_text} CHECK (from_party <> '15557571011')")
    destination.load([[record("old")]])
    with pytest.raises(VoisoDestinationError) as raised:
        destination.load([[record("1"), record("2", **{"from": PHONE})]])
    message = str(raised.value)
    assert WINDOW in message
    assert "table calls" in message
    named = {
        "sqlite": "IntegrityError",
        "postgres": "CheckViolation (23514)",
        "duckdb": "ConstraintException (no code)",
        "mysql mysql-connector-python": "IntegrityError (23000 4025)",
        "mysql mysqlclient files": "OperationalError (4025)",
    }
    assert named[destination.kind] in message
    assert PHONE not in text_of(raised.value)
    assert destination.uuids() == {"old"}


def test_missing_schema_tells_its_code(postgres: Destination, record: MakeRecord) -> None:
    with pytest.raises(VoisoDestinationError, match=r"nowhere\.calls.*InvalidSchemaName \(3F000\)"):
        postgres.load([[record("1")]], table=TableName("nowhere", "calls"))


@pytest.mark.parametrize("pages", [[[b'{"uuid":"1"}']], [[b"[]"]]], ids=["loaded", "failed"])
def test_the_connection_is_closed_whatever_happens(
    destination: Destination, monkeypatch: pytest.MonkeyPatch, pages: list[list[bytes]]
) -> None:
    destination.take_records_without_end()
    opened: list[Any] = []
    get_conn = destination.hook.get_conn

    def remember() -> Any:
        opened.append(get_conn())
        return opened[-1]

    monkeypatch.setattr(destination.hook, "get_conn", remember)
    with suppress(VoisoResponseError):
        destination.load(pages)
    (connection,) = opened
    with pytest.raises(Exception, match=r"closed|not available|\(2006, "):
        connection.cursor().execute("SELECT 1")
