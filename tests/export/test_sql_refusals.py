from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_voiso.exceptions import (
    VoisoConfigurationError,
    VoisoDestinationError,
    VoisoReconciliationError,
    VoisoResponseError,
)
from airflow_provider_voiso.export.columns import COLUMNS
from airflow_provider_voiso.export.sql import TableName, dialect_of
from tests.secret_search import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.export.conftest import Destination, MakeRecord

PHONE = "15557571011"
WINDOW = "[2026-11-22T00:00:00+00:00, 2026-11-23T00:00:00+00:00)"


def create(destination: Destination, *, key: str = ", PRIMARY KEY (uuid)", **types: str | None) -> None:
    """Create the table with some of its columns changed to other types, or left out."""
    dialect = dialect_of(destination.hook)
    declared = {column.name: types.get(column.name, dialect.types[column.type]) for column in COLUMNS}
    columns = ", ".join(f'"{name}" {kind}' for name, kind in declared.items() if kind is not None)
    destination.execute(f"CREATE TABLE calls ({columns}{key})")


def test_a_missing_table_is_not_created_unasked(destination: Destination, record: MakeRecord) -> None:
    with pytest.raises(VoisoConfigurationError, match=r"calls does not exist.*create_table=True") as raised:
        destination.load([[record("1")]], create_table=False)
    assert WINDOW in str(raised.value)
    assert destination.load([[record("1")]]) == 1


def test_missing_columns_are_named(destination: Destination, record: MakeRecord) -> None:
    create(destination, sid=None, extra=None)
    destination.execute("INSERT INTO calls (uuid, ended_at) VALUES ('kept', '2026-11-22T00:00:00.000000+00:00')")
    with pytest.raises(VoisoConfigurationError, match=r"lacks the columns sid, extra.*add_columns=True"):
        destination.load([[record("1")]])
    assert destination.uuids() == {"kept"}


def test_missing_columns_are_added_when_asked(destination: Destination, record: MakeRecord) -> None:
    create(destination, sid=None, extra=None)
    assert destination.load([[record("1", sid="S", new=1)]], add_columns=True) == 1
    assert destination.column("sid") == {"1": "S"}
    assert {"sid", "extra"} <= destination.columns()


def test_columns_are_not_added_when_the_load_fails(destination: Destination, record: MakeRecord) -> None:
    create(destination, sid=None, agent="TEXT CHECK (agent <> 'bad')")
    with pytest.raises(VoisoDestinationError):
        destination.load([[record("1", agent="bad")]], add_columns=True)
    assert "sid" not in destination.columns()


@pytest.mark.parametrize("column", ["uuid", "ended_at"])
def test_a_table_without_our_keys_is_another_table(destination: Destination, record: MakeRecord, column: str) -> None:
    create(destination, key="", **{column: None})
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
        ("postgres", "uuid", "uuid"),
        ("postgres", "ended_at", "bigint"),
        ("postgres", "ended_at", "timestamp without time zone"),
        ("postgres", "ended_at", "timestamp(0) with time zone"),
        ("postgres", "from_party", "bigint"),
        ("postgres", "from_party", "character(20)"),
        ("postgres", "agent_id", "integer"),
        ("postgres", "cpc", "numeric(12,2)"),
        ("postgres", "cpc", "numeric(10,4)"),
        ("postgres", "cpc", "real"),
        ("postgres", "extra", "bytea"),
    ],
)
def test_columns_of_unusable_types_are_named(
    request: pytest.FixtureRequest, record: MakeRecord, kind: str, column: str, declared: str
) -> None:
    destination: Destination = request.getfixturevalue(kind)
    create(destination, **{column: declared})
    with pytest.raises(VoisoConfigurationError, match="cannot hold every value") as raised:
        destination.load([[record("1")]])
    assert f"{column} is {declared} and must be " in str(raised.value)
    assert "; " not in str(raised.value)
    assert destination.uuids() == set()


@pytest.mark.parametrize(
    ("kind", "types"),
    [
        ("sqlite", {"ended_at": "TIMESTAMP", "agent": "VARCHAR(200)", "agent_id": "BIGINT", "extra": "JSON"}),
        ("sqlite", {"cpc": "DECIMAL(20, 6)", "sid": ""}),
        ("postgres", {"extra": "jsonb", "agent": "character varying(200)", "agent_id": "numeric", "cpc": "numeric"}),
        ("postgres", {"extra": "text", "ended_at": "timestamp(6) with time zone", "cpc": "numeric(20,6)"}),
    ],
)
@pytest.mark.parametrize("mode", ["replace_window", "upsert"])
def test_other_types_that_hold_every_value_are_fine(
    request: pytest.FixtureRequest, record: MakeRecord, kind: str, types: dict[str, str], mode: str
) -> None:
    destination: Destination = request.getfixturevalue(kind)
    create(destination, **types)
    assert destination.load([[record("1", agent="A", agent_id=7, new=1, sid="00", cpc=0.5)]], mode=mode) == 1
    assert destination.column("agent_id") == {"1": 7}
    assert destination.column("sid") == {"1": "00"}


NO_KEYS = [
    "",
    ", PRIMARY KEY (uuid, ended_at)",
    ", PRIMARY KEY (sid)",
]


@pytest.mark.parametrize("key", NO_KEYS)
def test_an_upsert_needs_a_unique_uuid(destination: Destination, record: MakeRecord, key: str) -> None:
    create(destination, key=key)
    destination.execute("CREATE UNIQUE INDEX partly ON calls (uuid) WHERE sid = 'a'")
    page = [record("1", sid="a")]
    with pytest.raises(VoisoConfigurationError, match="no unique key on uuid"):
        destination.load([page], mode="upsert")
    assert destination.load([page]) == 1
    assert destination.load([page]) == 1
    assert destination.uuids() == {"1"}


def test_a_unique_index_is_a_key(destination: Destination, record: MakeRecord) -> None:
    create(destination, key="")
    destination.execute("CREATE UNIQUE INDEX calls_uuid ON calls (uuid)")
    destination.load([[record("1", agent="old")]], mode="upsert")
    assert destination.load([[record("1", agent="new")]], mode="upsert") == 1
    assert destination.column("agent") == {"1": "new"}


@pytest.mark.parametrize("mode", ["replace_window", "upsert"])
def test_the_same_uuid_twice_is_a_failed_reconciliation(
    destination: Destination, record: MakeRecord, mode: str
) -> None:
    destination.load([[record("old")]])
    with pytest.raises(VoisoReconciliationError, match=r"3 records were read.*2 of these have a uuid"):
        destination.load([[record("1"), record("2")], [record("1")]], mode=mode)
    assert destination.uuids() == {"old"}


def test_a_record_without_uuid_is_a_failed_reconciliation(destination: Destination, record: MakeRecord) -> None:
    destination.load([[record("old")]])
    with pytest.raises(VoisoReconciliationError):
        destination.load([[record("1"), b'{"timestamp":"2026-11-22T12:00:00Z"}']])
    assert destination.uuids() == {"old"}


@pytest.mark.parametrize("mode", ["replace_window", "upsert"])
def test_a_row_that_the_database_drops_is_a_failed_reconciliation(
    destination: Destination, record: MakeRecord, mode: str
) -> None:
    destination.load([[record("old")]])
    if destination.kind == "sqlite":
        destination.execute(
            "CREATE TRIGGER dropping BEFORE INSERT ON calls WHEN new.uuid = '2' BEGIN SELECT RAISE(IGNORE); END"
        )
    else:
        destination.execute("CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
        destination.execute(
            "CREATE TRIGGER dropping BEFORE INSERT ON calls FOR EACH ROW WHEN (new.uuid = '2') "
            "EXECUTE FUNCTION nothing()"
        )
    with pytest.raises(VoisoReconciliationError, match="2 of 3 records") as raised:
        destination.load([[record("1"), record("2"), record("3")]], mode=mode)
    assert WINDOW in str(raised.value)
    assert destination.uuids() == {"old"}


def test_a_row_that_the_database_moves_into_the_window_is_a_failed_reconciliation(
    destination: Destination, record: MakeRecord
) -> None:
    destination.load([[record("old"), record("far", "2026-11-25T00:00:00Z")]])
    moved = "UPDATE calls SET ended_at = '2026-11-22T05:00:00.000000+00:00' WHERE uuid = 'far'"
    if destination.kind == "sqlite":
        destination.execute(f"CREATE TRIGGER moving AFTER INSERT ON calls BEGIN {moved}; END")
    else:
        destination.execute(
            f"CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {moved}; RETURN new; END$$"
        )
        destination.execute("CREATE TRIGGER moving AFTER INSERT ON calls FOR EACH ROW EXECUTE FUNCTION move()")
    with pytest.raises(VoisoReconciliationError, match="2 rows in the window in place of 1"):
        destination.load([[record("1")]])
    assert destination.uuids() == {"old", "far"}


@pytest.mark.parametrize("mode", ["replace_window", "upsert"])
@pytest.mark.parametrize("error", [VoisoResponseError("no"), OSError("disk"), KeyboardInterrupt()], ids=repr)
def test_a_page_that_fails_leaves_the_table_alone(
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


def test_what_the_database_says_is_never_repeated(destination: Destination, record: MakeRecord) -> None:
    create(destination, from_party="TEXT CHECK (from_party <> '15557571011')")
    destination.load([[record("old")]])
    with pytest.raises(VoisoDestinationError) as raised:
        destination.load([[record("1"), record("2", **{"from": PHONE})]])
    message = str(raised.value)
    assert WINDOW in message
    assert "table calls" in message
    assert ("IntegrityError" if destination.kind == "sqlite" else "CheckViolation (23514)") in message
    assert PHONE not in text_of(raised.value)
    assert destination.uuids() == {"old"}


def test_a_missing_schema_is_told_by_its_code(postgres: Destination, record: MakeRecord) -> None:
    with pytest.raises(VoisoDestinationError, match=r"nowhere\.calls.*InvalidSchemaName \(3F000\)"):
        postgres.load([[record("1")]], table=TableName("nowhere", "calls"))


@pytest.mark.parametrize("pages", [[[b'{"uuid":"1"}']], [[b"[]"]]], ids=["loaded", "failed"])
def test_the_connection_is_closed_whatever_happens(
    destination: Destination, monkeypatch: pytest.MonkeyPatch, pages: list[list[bytes]]
) -> None:
    opened: list[Any] = []
    get_conn = destination.hook.get_conn

    def remember() -> Any:
        opened.append(get_conn())
        return opened[-1]

    monkeypatch.setattr(destination.hook, "get_conn", remember)
    with suppress(VoisoResponseError):
        destination.load(pages)
    (connection,) = opened
    with closing(connection), pytest.raises(connection.Error, match="closed"):
        connection.cursor().execute("SELECT 1")
